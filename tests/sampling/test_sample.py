"""A sample is what its layout permits, the same for the same seed, and broken exactly where it says."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from medpay_cli import checks, config, dialects, files, layouts, sampling
from medpay_cli.cli import COMMANDS
from medpay_cli.errors import MedpayError

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from medpay_command import codes, judged, medpay, places

SHIPPED = {"ledger_detail.v1": "nhsa-3202-upload", "ledger_result.v1": "nhsa-3202-result"}
EVERYWHERE = (
    *("L101", "L102", "L103", "L104", "L108"),
    *("F101", "F102", "F104", "F107", "F108", "F201", "F206", "F208"),
)
RECORDS = 40

EVERYTHING = {
    "type": "object",
    "properties": {
        "card": {"type": "string", "pattern": "^[A-Z]{2}-?[0-9]{4,6}$", "maxLength": 9, "x-sensitivity": "identifier"},
        "owner": {"type": "string", "minLength": 2, "maxLength": 12, "x-sensitivity": "direct"},
        "refund": {"type": "string", "x-codes": "refd_setl_flag"},
        "region": {"type": "string", "const": "310000"},
        "grade": {"type": "integer", "enum": [1, 2, 10]},
        "paid": {"type": "number", "format": "money", "x-digits": 8, "x-scale": 2, "minimum": -20, "maximum": -10.5},
        "rate": {"type": "number", "format": "decimal", "x-digits": 6, "x-scale": 4, "minimum": 0, "maximum": 1},
        "items": {"type": "integer", "minimum": 1, "maximum": 99},
        "factor": {"type": "number"},
        "amount": {"type": "string", "format": "money"},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "datetime"},
        "anything": {},
    },
    "required": ["card", "paid", "at"],
    "x-key": ["card", "at"],
}
QUOTED = """\
title = { zh = "全部", en = "everything" }
layout = "everything.json"
format = "delimited"
encoding = "gbk"
delimiter = ","
quote = '"'
header = true
trim = true
nulls = ["-", ""]
"""
PIPES = """\
title = { zh = "竖线", en = "pipes" }
layout = "everything.json"
format = "delimited"
encoding = "utf-16-le"
delimiter = "|"
widths = [12, 13]
"""
OWN = {
    "quoted.toml": ("L101", "L102", "L103", "L104", "L105", "L106", "L107", "L108", "L109", "L110", "F101", "F102",
                    "F104", "F105", "F106", "F205", "F206", "F207", "F208"),
    "pipes.toml": ("L101", "L105", "L106", "L107", "L109", "L110", "F101", "F102", "F104", "F201", "F206", "F208"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The working folder of a user with a layout that uses every keyword, and two dialects."""
    monkeypatch.chdir(tmp_path)
    Path("everything.json").write_text(json.dumps(EVERYTHING), encoding="utf-8")
    Path("quoted.toml").write_text(QUOTED, encoding="utf-8")
    Path("pipes.toml").write_text(PIPES, encoding="utf-8")
    return tmp_path


def sample(layout, dialect=None, *broken, records=RECORDS, seed=7):
    """The bytes of a sample, and what is broken in it."""
    out = io.BytesIO()
    planted = sampling.write(layout, dialect, records, seed, broken, out)
    return out.getvalue(), planted


def refusal(*args, **kwargs):
    """The key and the values of the error."""
    out = io.BytesIO()
    with pytest.raises(MedpayError) as refused:
        sampling.write(*args, **kwargs, out=out)
    assert out.getvalue() == b""
    return refused.value.key, refused.value.values


def verdict(content, dialect):
    """The document of `medpay validate` on those bytes."""
    Path("sample.txt").write_bytes(content)
    return judged("sample.txt", "--dialect", dialect)


def written(layout: dict, name="own.json", **dialect):
    """A user's layout, and a dialect of it."""
    Path(name).write_text(json.dumps(layout), encoding="utf-8")
    extra = "".join(f"{key} = {json.dumps(value)}\n" for key, value in dialect.items())
    Path("own.toml").write_text(
        f'title = {{ zh = "", en = "" }}\nlayout = "{name}"\nformat = "delimited"\n{extra}', encoding="utf-8"
    )


def one_field(**field):
    """A layout of a key and one more field."""
    return {"type": "object", "properties": {"key": {"type": "string"}, "one": field}, "x-key": ["key"]}


@pytest.mark.parametrize("layout", SHIPPED)
@pytest.mark.parametrize("seed", range(5))
def test_a_sample_of_a_shipped_layout_is_valid(layout, seed):
    content, planted = sample(layout, seed=seed, records=200)
    document = verdict(content, SHIPPED[layout])
    assert (planted, document["exit_code"], document["findings"]) == ([], 0, [])
    assert [(file["verdict"], file["records"]) for file in document["files"]] == [("valid", 200)]


@pytest.mark.parametrize("dialect", OWN)
@pytest.mark.parametrize("seed", range(5))
def test_a_sample_of_a_user_s_own_layout_is_valid(dialect, seed):
    content, _ = sample("everything.json", dialect, seed=seed, records=200)
    document = verdict(content, dialect)
    assert (document["exit_code"], document["findings"]) == (0, [])
    assert document["files"][0]["records"] == 200


@pytest.mark.parametrize(("layout", "code"), [(layout, code) for layout in SHIPPED for code in EVERYWHERE])
@pytest.mark.parametrize("seed", range(3))
def test_a_fault_in_a_shipped_layout_is_found_where_it_was_planted(layout, code, seed):
    is_found_where_it_was_planted(layout, SHIPPED[layout], code, seed)


@pytest.mark.parametrize(("dialect", "code"), [(dialect, code) for dialect, list_ in OWN.items() for code in list_])
@pytest.mark.parametrize("seed", range(3))
def test_a_fault_in_a_user_s_own_layout_is_found_where_it_was_planted(dialect, code, seed):
    is_found_where_it_was_planted("everything.json", dialect, code, seed)


@pytest.mark.parametrize("layout", SHIPPED)
def test_a_repeated_key_is_found_on_both_records(layout):
    content, [planted] = sample(layout, SHIPPED[layout], "B101")
    found = [(row, field, code) for row, _, field, code in places(verdict(content, SHIPPED[layout]))]
    assert found == [(1, None, "B101"), (planted.row, None, "B101")]


def is_found_where_it_was_planted(layout, dialect, code, seed):
    content, planted = sample(layout, dialect, code, seed=seed)
    found = [(row, field, code) for row, _, field, code in places(verdict(content, dialect))]
    assert [(one.row, one.field, one.code) for one in planted] == found
    assert [code for _, _, code in found] == [code]


@pytest.mark.parametrize("layout", SHIPPED)
def test_several_faults_stand_in_records_of_their_own(layout):
    several = tuple(code for code in EVERYWHERE if code not in ("F201", "F208"))
    content, planted = sample(layout, None, *several)
    document = verdict(content, SHIPPED[layout])
    found = {(row, field, code) for row, _, field, code in places(document)}
    assert codes(document) == dict.fromkeys(several, 1)
    assert {(one.row, one.field, one.code) for one in planted} == found
    rows = [one.row for one in planted if one.row]
    assert len(set(rows)) == len(rows)
    assert 1 not in rows


@pytest.mark.parametrize(
    ("layout", "code"), [(layout, code) for layout in SHIPPED for code in ("F107", "L103", "B101")]
)
def test_a_fault_changes_no_other_record(layout, code):
    clean, _ = sample(layout)
    broken, [planted] = sample(layout, None, code)
    changed = [
        row for row, pair in enumerate(zip(clean.split(b"\n"), broken.split(b"\n"), strict=True), 1) if len({*pair}) > 1
    ]
    assert changed == [planted.row]


@pytest.mark.parametrize("layout", SHIPPED)
def test_the_same_seed_gives_the_same_bytes(layout):
    assert sample(layout, None, "L103", "F101") == sample(layout, None, "L103", "F101")


def test_another_seed_gives_other_bytes():
    assert sample("ledger_detail", seed=1)[0] != sample("ledger_detail", seed=2)[0]


def test_lines_end_in_lf_and_the_last_one_too():
    content, _ = sample("ledger_detail", records=3)
    assert (content.count(b"\n"), content.count(b"\r"), content[-1:]) == (3, 0, b"\n")


def test_optional_cells_are_empty_now_and_then_and_required_ones_never():
    rows = [line.split("\t") for line in sample("ledger_detail", records=500)[0].decode().splitlines()]
    assert {place for row in rows for place, cell in enumerate(row) if cell == "null"} == {7}
    assert 0 < sum(row[7] == "null" for row in rows) < 250


def test_no_key_is_repeated_even_where_every_key_is_used():
    keys = {"type": "string", "pattern": "^[0-9]{2}$"}
    written({"type": "object", "properties": {"a": keys, "b": keys}, "x-key": ["b", "a"]}, delimiter=",")
    content, _ = sample("own.json", "own.toml", records=10_000)
    assert len(set(content.splitlines())) == 10_000


def test_more_records_than_keys_are_refused():
    written(one_field(type="string", maxLength=1) | {"x-key": ["one"]}, delimiter=",")
    assert refusal("own.json", "own.toml", 11, 7, ()) == (
        "few_keys", {"layout": "own.json", "names": "one", "size": 10, "records": 11})  # fmt: skip


def test_a_layout_without_a_shipped_dialect_is_written_as_csv():
    content, _ = sample("institution", None, records=3)
    assert content == sample("institution", "csv:institution", records=3)[0]


def test_a_layout_without_a_shipped_dialect_is_written_in_a_user_s():
    written(EVERYTHING, delimiter=";", header=True)
    content, _ = sample("ledger_total", "own.toml", records=100)
    Path("sample.txt").write_bytes(content)
    document = judged("sample.txt", "--layout", "ledger_total", "--dialect", "own.toml")
    assert (document["exit_code"], document["findings"], document["files"][0]["records"]) == (0, [], 100)


def test_a_pattern_beyond_the_simple_forms_is_refused_by_name():
    written(one_field(type="string", pattern="^(a|b)c$"), delimiter=",")
    key, values = refusal("own.json", "own.toml", 3, 7, ())
    assert (key, values["path"], values["name"]) == ("cannot_invent", "own.json", "one")


@pytest.mark.skipif(
    "examples" not in config.parse(files.schemas() / "layout.schema.json")["$defs"]["field"]["properties"],
    reason="layout.schema.json does not allow examples yet",
)
def test_examples_stand_for_a_pattern_beyond_the_simple_forms():
    written(one_field(type="string", pattern="^(a|b)c$", examples=["ac", "no", "bc"]), delimiter=",")
    content, _ = sample("own.json", "own.toml")
    assert {line.split(",")[1] for line in content.decode().splitlines()} == {"ac", "bc", ""}


def test_a_format_that_holds_the_delimiter_is_refused_by_name():
    written(one_field(type="string", format="date"), delimiter="-")
    assert refusal("own.json", "own.toml", 3, 7, ())[1]["name"] == "one"


def test_null_words_of_the_dialect_are_never_values():
    written(one_field(type="integer", enum=[0, 1]), delimiter=",", nulls=["0"])
    content, _ = sample("own.json", "own.toml", records=100)
    assert {line.split(",")[1] for line in content.decode().splitlines()} == {"1", "0"}
    required = one_field(type="integer", enum=[0, 1]) | {"required": ["one"]}
    written(required, delimiter=",", nulls=["0"])
    content, _ = sample("own.json", "own.toml", records=100)
    assert {line.split(",")[1] for line in content.decode().splitlines()} == {"1"}


def test_letters_of_a_class_are_no_delimiters():
    written(one_field(type="string", pattern="^[ -~]{5}$"), delimiter=",", quote='"')
    content, _ = sample("own.json", "own.toml", records=500)
    assert {line.count(b",") for line in content.splitlines()} == {1}
    assert b'"' not in content


@pytest.mark.parametrize("code", ["L105", "L106", "L107", "L109", "L110", "F105", "F106", "F205", "F207"])
def test_a_fault_that_the_layout_or_dialect_cannot_have_is_refused(code):
    names = {"code": code, "layout": "ledger_detail.v1", "dialect": "nhsa-3202-upload"}
    assert refusal("ledger_detail", None, 10, 7, (code,)) == ("fault_unfit", names)


def test_an_unknown_fault_is_refused_with_the_known_ones():
    key, values = refusal("ledger_detail", None, 10, 7, ("L999",))
    assert (key, values["code"]) == ("unknown_fault", "L999")
    assert values["known"].startswith("L101, L102")


def test_a_fault_of_the_whole_file_stands_alone():
    assert refusal("ledger_detail", None, 10, 7, ("L101", "F201")) == ("fault_alone", {"code": "F201"})


def test_faults_need_records_of_their_own():
    assert refusal("ledger_detail", None, 3, 7, ("L101", "L102")) == ("few_records", {"records": 3, "needed": 4})


def test_sampling_needs_no_polars():
    done = "import sys; from medpay_cli import sampling; print('polars' in sys.modules)"
    import subprocess

    assert subprocess.run([sys.executable, "-c", done], capture_output=True, check=True).stdout == b"False\n"


def test_the_command_writes_the_file_and_names_what_is_broken(monkeypatch):
    monkeypatch.setitem(COMMANDS, "sample", "")
    options = ("ledger_detail", "--records", 40, "--seed", 7, "--broken", "L103", "--broken", "F102")
    content, planted = sample("ledger_detail", None, "L103", "F102")
    answer = medpay("sample", *options, "-o", "out.txt")
    assert (answer.exit_code, answer.err) == (0, "")
    assert [tuple(json.loads(line).values()) for line in answer.out.splitlines()] == [
        (one.code, one.row, one.field, one.old, one.new) for one in planted
    ]
    assert list(json.loads(answer.out.splitlines()[0])) == ["code", "row", "field", "old", "new"]
    assert Path("out.txt").read_bytes() == content
    piped = medpay("sample", *options, "-o", "-")
    assert (piped.exit_code, piped.out, piped.err.encode()) == (0, content, answer.out)


def test_a_refused_sample_leaves_no_file(monkeypatch):
    monkeypatch.setitem(COMMANDS, "sample", "")
    before = sorted(Path().iterdir())
    medpay("sample", "ledger_total", "--dialect", "xlsx:ledger_total", "--records", 3, "--seed", 7,
           "--broken", "F101", "-o", "out.txt")  # fmt: skip
    assert sorted(Path().iterdir()) == before


def test_a_sample_has_the_header_the_preamble_and_the_footer_of_its_dialect():
    written(one_field(type="string"), delimiter=",", quote='"', header=True, preamble=2, footer=["TOTAL"])
    with Path("own.toml").open("a", encoding="utf-8") as file:
        file.write('[headings]\n\'主键, "key"\' = "key"\n')
    content, _ = sample("own.json", "own.toml", records=5)
    lines = content.decode().splitlines()
    assert (len(lines), lines[2], lines[-1]) == (9, '"主键, ""key""",one', "TOTAL")
    document = verdict(content, "own.toml")
    assert (document["findings"], document["files"][0]["records"]) == ([], 5)


SAMPLED = [one.name for one in map(dialects.load, dialects.names()) if one.format == "delimited" and not one.head]


@pytest.mark.parametrize("dialect", SAMPLED)
def test_a_sample_in_every_shipped_delimited_dialect_is_valid(dialect):
    content, planted = sample(dialects.load(dialect).layout, dialect, records=200)
    document = verdict(content, dialect)
    assert (planted, document["exit_code"], document["findings"]) == ([], 0, [])


@pytest.mark.parametrize("layout", config.names(config.LAYOUT))
def test_a_sample_of_every_shipped_layout_is_valid_as_text_with_a_header(layout):
    Path("own.toml").write_text(
        f'title = {{ zh = "", en = "" }}\nlayout = "{layout}"\nformat = "delimited"\ndelimiter = ","\nheader = true\n',
        encoding="utf-8",
    )
    content, _ = sample(layout, "own.toml", records=100)
    document = verdict(content, "own.toml")
    assert (document["exit_code"], document["findings"]) == (0, [])


@pytest.mark.parametrize("layout", config.names(config.LAYOUT))
def test_every_fault_that_a_shipped_layout_can_have_is_found_where_it_was_planted(layout):
    Path("own.toml").write_text(
        f'title = {{ zh = "", en = "" }}\nlayout = "{layout}"\nformat = "delimited"\ndelimiter = "\\t"\n',
        encoding="utf-8",
    )
    shipped = layouts.load(layout)
    asserted = {keyword for field in shipped.fields for keyword, _ in field.asserted if keyword != "type"}
    numbers = {"type"} if any(field.types & {"number", "integer"} for field in shipped.fields) else set()
    for keyword in asserted | numbers | {"required"}:
        is_found_where_it_was_planted(layout, "own.toml", checks.CODES[keyword], 7)
    is_found_where_it_was_planted(layout, "own.toml", "F101", 7)
    if shipped.key:
        content, [planted] = sample(layout, "own.toml", "B101")
        assert places(verdict(content, "own.toml")) == [(row, row, None, "B101") for row in (1, planted.row)]
