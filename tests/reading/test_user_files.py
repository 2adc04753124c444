"""A layout and a dialect of a user's own work without Python, and a slip in them is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from medpay_command import judged, medpay, medpay_process, places

CARDS = {
    "title": "就诊卡充值",
    "type": "object",
    "properties": {
        "card": {"type": "string", "pattern": "^[0-9]{6}$", "title": "卡号", "x-sensitivity": "identifier"},
        "owner": {"type": "string", "maxLength": 4, "title": "姓名", "x-sensitivity": "direct"},
        "paid": {"type": "number", "format": "money", "x-digits": 8, "x-scale": 2, "title": "金额"},
        "day": {"$ref": "medpay:fields/nhsa#/$defs/stmt_begndate"},
    },
    "required": ["card", "paid"],
    "x-key": ["card"],
}
PIPES = """\
title = { zh = "充值文件", en = "top-up file" }
layout = "cards.json"
format = "delimited"
encoding = "utf-8"
delimiter = "|"
nulls = ["-"]
widths = [3, 4]
"""
COMMAS = PIPES.replace('"|"', '","').replace("widths = [3, 4]", "header = true")
CONTENT = "000001|张三|100.00|2024-01-31\n000002|-|-4.5|-\n"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working folder of a user, with a layout, a dialect and a file."""
    monkeypatch.chdir(tmp_path)
    Path("cards.json").write_text(json.dumps(CARDS, ensure_ascii=False), encoding="utf-8")
    Path("pipes.toml").write_text(PIPES, encoding="utf-8")
    Path("commas.toml").write_text(COMMAS, encoding="utf-8")
    Path("cards.txt").write_text(CONTENT, encoding="utf-8")
    return tmp_path


def rewritten(name: str, old: str, new: str) -> None:
    """Change one place in a file of the user's."""
    path = Path(name)
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")


def refusals(*args: str) -> dict[str, str]:
    """What a refused command says in each language."""
    said = {}
    for lang in ("zh", "en"):
        answer = medpay("validate", "cards.txt", *args, "--lang", lang)
        assert (answer.exit_code, answer.out) == (2, b"")
        said[lang] = answer.err
    return said


@pytest.mark.usefixtures("folder")
def test_a_user_s_own_layout_and_dialect_judge_a_file():
    document = judged("cards.txt", "--dialect", "pipes.toml")
    [file] = document["files"]
    assert (document["exit_code"], file["verdict"], file["records"]) == (0, "valid", 2)
    assert (file["layout"], file["dialect"], file["totals"]) == ("cards.json", "pipes.toml", {"paid": "95.50"})


def test_they_work_in_a_process_of_its_own(folder):
    answer = medpay_process("validate", folder / "cards.txt", "--dialect", folder / "pipes.toml", "--layout",
                            folder / "cards.json", "--format", "json")  # fmt: skip
    assert (answer.exit_code, answer.err) == (0, "")
    assert answer.json["files"][0]["totals"] == {"paid": "95.50"}


@pytest.mark.usefixtures("folder")
def test_every_keyword_of_a_user_s_layout_is_held():
    content = "12345|张三|100.00|2024-01-31\n000002|一二三四五|1.234|2024-02-30\n-|-|-|-\n000004|-|1e3|-\n"
    Path("cards.txt").write_text(content, encoding="utf-8")
    document = judged("cards.txt", "--dialect", "pipes.toml")
    assert places(document) == [
        (1, 1, "card", "L106"),
        (2, 2, "day", "L103"),
        (2, 2, "owner", "L108"),
        (2, 2, "paid", "L103"),
        (3, 3, "card", "L101"),
        (3, 3, "paid", "L101"),
        (4, 4, "paid", "L102"),
    ]
    assert document["findings"][0]["key"] == {"card": "12345"}
    assert document["findings"][2]["value"] == "***"


@pytest.mark.usefixtures("folder")
def test_an_option_for_the_layout_goes_before_the_dialect_s():
    narrow = {**CARDS, "properties": {**CARDS["properties"], "owner": {"type": "string", "maxLength": 1}}}
    Path("narrow.json").write_text(json.dumps(narrow), encoding="utf-8")
    document = judged("cards.txt", "--dialect", "pipes.toml", "--layout", "narrow.json")
    assert (document["files"][0]["layout"], places(document)) == ("narrow.json", [(1, 1, "owner", "L108")])


@pytest.mark.usefixtures("folder")
def test_columns_are_found_by_the_names_in_a_header():
    rewritten("commas.toml", "header = true", "header = true\nfree_order = true")
    Path("cards.csv").write_text(
        "paid,owner,day,card\n100.00,张三,2024-01-31,000001\n-4.5,-,-,00002\n", encoding="utf-8"
    )
    document = judged("cards.csv", "--dialect", "commas.toml")
    assert places(document) == [(2, 3, "card", "L106")]
    assert document["files"][0]["totals"] == {"paid": "95.50"}


@pytest.mark.usefixtures("folder")
def test_fields_may_have_the_names_of_a_finding_s_columns():
    names = ("row", "line", "code", "value", "field", "key", "_order", "message")
    fields = {name: {"type": "string", "maxLength": 3} for name in names}
    Path("any.json").write_text(json.dumps({"type": "object", "properties": fields, "x-key": ["row", "key"]}))
    Path("any.csv").write_text(f"{','.join(names)}\n{','.join(['long'] * 8)}\nr,l,c,v,f,k,o,m\n")
    document = judged("any.csv", "--dialect", "commas.toml", "--layout", "any.json")
    assert sorted(places(document)) == sorted((1, 2, name, "L108") for name in names)
    assert {found["value"] for found in document["findings"]} == {"long"}
    assert document["findings"][0]["key"] == {"row": "long", "key": "long"}


@pytest.mark.usefixtures("folder")
def test_a_header_of_one_letter_is_a_header():
    Path("n.json").write_text('{"type": "object", "properties": {"n": {"type": "integer"}}}', encoding="utf-8")
    Path("n.csv").write_bytes(b"n\n1\n2\nx\n")
    document = judged("n.csv", "--dialect", "commas.toml", "--layout", "n.json")
    assert (document["files"][0]["records"], places(document)) == (3, [(3, 4, "n", "L102")])


@pytest.mark.usefixtures("folder")
def test_an_empty_file_has_no_records_also_where_a_header_is_due():
    Path("cards.csv").write_bytes(b"")
    document = judged("cards.csv", "--dialect", "commas.toml")
    assert (document["exit_code"], places(document)) == (3, [(None, None, None, "F208")])


@pytest.mark.usefixtures("folder")
def test_a_first_record_taken_for_a_header_shows_nobody():
    Path("cards.csv").write_text("000001,张三丰,100.00,2024-01-31\n", encoding="utf-8")
    answer = medpay("validate", "cards.csv", "--dialect", "commas.toml")
    assert answer.exit_code == 3
    assert "张三丰" not in answer.out.decode() + answer.err


@pytest.mark.usefixtures("folder")
def test_a_typo_in_a_dialect_s_keyword_is_refused_by_name():
    rewritten("pipes.toml", "delimiter", "delimeter")
    said = refusals("--dialect", "pipes.toml")
    for message in said.values():
        assert "pipes.toml" in message
        assert "'delimeter'" in message
    assert said["zh"].startswith("错误：pipes.toml：")
    assert said["en"].startswith("error: pipes.toml: not allowed at /: ")


@pytest.mark.usefixtures("folder")
def test_a_keyword_too_many_in_a_dialect_is_refused_by_name():
    rewritten("pipes.toml", "nulls =", "null_words =")
    reason = "Additional properties are not allowed ('null_words' was unexpected)"
    assert refusals("--dialect", "pipes.toml") == {
        "zh": f"错误：pipes.toml：/ 处不允许：{reason}；允许的写法见 schemas/ 下的 *.schema.json\n",
        "en": f"error: pipes.toml: not allowed at /: {reason}; what is allowed stands in schemas/*.schema.json\n",
    }


@pytest.mark.usefixtures("folder")
def test_a_typo_in_a_layout_s_keyword_is_refused_by_name_and_place():
    rewritten("cards.json", "maxLength", "maxLenght")
    reason = "Additional properties are not allowed ('maxLenght' was unexpected)"
    place = "properties/owner"
    assert refusals("--dialect", "pipes.toml") == {
        "zh": f"错误：cards.json：{place} 处不允许：{reason}；允许的写法见 schemas/ 下的 *.schema.json\n",
        "en": f"error: cards.json: not allowed at {place}: {reason}; what is allowed stands in schemas/*.schema.json\n",
    }


@pytest.mark.usefixtures("folder")
def test_a_key_that_is_no_field_is_refused_by_name():
    rewritten("cards.json", '"x-key": ["card"]', '"x-key": ["crad"]')
    assert refusals("--dialect", "pipes.toml") == {
        "zh": "错误：cards.json：required 或 x-key 用到了 properties 中没有的字段：crad\n",
        "en": "error: cards.json: required or x-key names fields that properties lacks: crad\n",
    }


@pytest.mark.usefixtures("folder")
def test_a_reference_to_nothing_is_refused_by_name():
    rewritten("cards.json", "stmt_begndate", "stmt_begindate")
    ref = "medpay:fields/nhsa#/$defs/stmt_begindate"
    assert refusals("--dialect", "pipes.toml") == {
        "zh": f"错误：cards.json：$ref '{ref}' 不存在；只能引用本文件的 $defs 或 medpay:fields/...\n",
        "en": f"error: cards.json: $ref '{ref}' does not exist; refer to $defs of this file or to medpay:fields/...\n",
    }


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("name", "content"), [("cards.json", '{"type": '), ("pipes.toml", "layout = cards")])
def test_a_file_that_cannot_be_parsed_is_refused_by_name(name, content):
    Path(name).write_text(content, encoding="utf-8")
    said = refusals("--dialect", "pipes.toml")
    assert said["zh"].startswith(f"错误：{name}：格式错误：")
    assert said["en"].startswith(f"error: {name}: not well formed: ")


@pytest.mark.usefixtures("folder")
def test_a_repeated_keyword_in_a_layout_is_refused_by_name():
    rewritten("cards.json", '"maxLength": 4', '"maxLength": 4, "maxLength": 9')
    assert refusals("--dialect", "pipes.toml")["en"] == (
        "error: cards.json: not well formed: repeated key maxLength\n"
    )  # fmt: skip


@pytest.mark.usefixtures("folder")
def test_an_unknown_name_is_refused_with_near_ones():
    said = refusals("--dialect", "nhsa-3202-uplaod")
    names = "nhsa-3202-upload, nhsa-3202-result, nhsa-3202-request"
    assert (
        said["en"]
        == f"error: no dialect is named 'nhsa-3202-uplaod'; near: {names}; a file of your own ends in .toml\n"
    )
    assert (
        said["zh"] == f"错误：没有名为 'nhsa-3202-uplaod' 的 dialect；相近的有：{names}；自己的文件名须以 .toml 结尾\n"
    )


# What a dialect cannot mean: refused with exit 2 where it is written, not found out on the data.
MEANINGLESS = {
    "a delimiter outside ASCII": ('"|"', '"｜"'),
    "a line end as the delimiter": ('"|"', '"\\n"'),
    "the quote as the delimiter": ('"|"', "'\"'\nquote = '\"'"),
    "a shifted column beyond the record": (
        "widths = [3, 4]", "widths = [4]\n[[shifted]]\nwidth = 4\nskip = 9\nempty = [9]"),
    "more columns than the layout has fields": ("widths = [3, 4]", "widths = [4, 5]"),
}  # fmt: skip


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("old", "new"), MEANINGLESS.values(), ids=MEANINGLESS.keys())
def test_a_dialect_that_cannot_be_read_with_is_refused(old, new):
    rewritten("pipes.toml", old, new)
    assert all("pipes.toml" in message for message in refusals("--dialect", "pipes.toml").values())


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("end", ["\n", ""], ids=["ended", "not ended"])
def test_a_dialect_without_widths_has_that_of_its_layout(end):
    rewritten("pipes.toml", "widths = [3, 4]\n", "")
    Path("cards.txt").write_text(CONTENT.rstrip("\n") + end, encoding="utf-8")
    document = judged("cards.txt", "--dialect", "pipes.toml")
    assert (document["exit_code"], document["files"][0]["totals"]) == (0, {"paid": "95.50"})
