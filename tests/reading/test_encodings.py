"""The encoding is decided over the whole input and named; it is never guessed."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medpay_command import judged, medpay

from medpay_cli.formats import encoding
from medpay_cli.formats.archive import Input

# 陆 in GB2312 is also valid UTF-8 (a Cyrillic pair): such a name alone cannot tell the encoding.
RECORD = "P{n}\tM\tS\tH{n}\t3\t0\t{memo}\t1.00\t1.00\t0\n"
TABLE = "id,name,paid\n{rows}"


def validate(path, *arguments):
    return judged(path, "--dialect", "nhsa-3202-result", *arguments)


def reconcile(ours, theirs, *arguments):
    return medpay("reconcile", ours, theirs, "--key", "id", "--amount", "paid", "--compare", "name", *arguments)


@pytest.mark.parametrize(
    ("written", "asked", "named"),
    [
        ("utf-8", (), "utf-8"),
        ("utf-8-sig", (), "utf-8"),
        ("utf-16", (), "utf-16-le"),
        ("utf-32", (), "utf-32-le"),
        ("gb18030", ("--encoding", "GBK"), "gb18030"),
        ("utf-16-be", ("--encoding", "utf-16-be"), "utf-16-be"),
    ],
)
def test_a_copy_in_another_encoding_has_the_same_findings_and_totals(tmp_path, written, asked, named):
    text = (
        "".join(RECORD.format(n=n, memo="数据不一致 310") for n in range(1, 4))
        + "P9\tM\tS\tH9\t7\t0\t测\t1.005\t0\t0\n"
    )
    plain, copy = tmp_path / "plain.txt", tmp_path / "copy.txt"
    plain.write_text(text, encoding="utf-8")
    copy.write_text(text, encoding=written)
    first, second = validate(plain), validate(copy, *asked)
    assert second["files"][0]["encoding"] == named
    for key in ("counts", "exit_code"):
        assert first[key] == second[key]
    for key in ("records", "rejected", "totals"):
        assert first["files"][0][key] == second["files"][0][key]
    assert [(one["row"], one["code"], one["value"]) for one in first["findings"]] == [
        (one["row"], one["code"], one["value"]) for one in second["findings"]
    ]


def test_a_bad_byte_rejects_its_record_under_a_declared_encoding(tmp_path):
    path = tmp_path / "bad.txt"
    good, bad, other = (RECORD.format(n=number, memo="测").encode("gb18030") for number in (1, 2, 3))
    path.write_bytes(good + bad.replace(b"\tM\t", b"\t\xff\t") + other)
    made = validate(path, "--encoding", "gb18030")
    assert (made["exit_code"], made["files"][0]["records"], made["files"][0]["rejected"]) == (1, 3, 1)
    assert [(one["row"], one["code"]) for one in made["findings"]] == [(2, "F102")]


def test_a_mark_against_the_encoding_asked_for_is_refused(tmp_path):
    path = tmp_path / "marked.txt"
    path.write_text(RECORD.format(n=1, memo="测"), encoding="utf-16")
    made = validate(path, "--encoding", "gb18030")
    assert (made["exit_code"], [one["code"] for one in made["findings"]]) == (3, ["F210"])


def test_an_unknown_encoding_is_usage(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(TABLE.format(rows="1,a,1.00\n"))
    done = reconcile(path, path, "--encoding", "ours=latin-1")
    assert (done.exit_code, "encoding 'latin-1' is not known" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        pytest.param(["张三", "李四"], 0, id="no valid UTF-8 in the names: GB18030"),
        pytest.param(["张三", "陆"], 0, id="valid UTF-8 only after the first bad byte: GB18030"),
        pytest.param(["陆", "张三"], 3, id="valid UTF-8 before the first bad byte: refused as mixed"),
        pytest.param(["陆", "卢"], 1, id="all names valid UTF-8: read so, and the sides differ aloud"),
    ],
)
def test_an_undeclared_table_is_utf_8_or_else_gb18030_under_the_guard(tmp_path, names, code):
    rows = "".join(f"{number},{name},1.00\n" for number, name in enumerate(names))
    ours, theirs = tmp_path / "ours.csv", tmp_path / "theirs.csv"
    ours.write_text(TABLE.format(rows=rows), encoding="utf-8")
    theirs.write_text(TABLE.format(rows=rows), encoding="gb2312")
    assert reconcile(ours, theirs).exit_code == code
    assert reconcile(ours, theirs, "--encoding", "theirs=gb2312").exit_code == 0


def test_a_cut_utf_8_text_is_not_taken_for_gb18030(tmp_path):
    path, whole = tmp_path / "cut.csv", tmp_path / "whole.csv"
    text = TABLE.format(rows="1,张三,1.00\n2,李四,1.00\n").encode()
    whole.write_bytes(text)
    path.write_bytes(text.replace("四".encode(), "四".encode()[:2]))
    done = reconcile(path, whole)
    assert done.exit_code == 3
    assert b"F211" in done.out and b"0xe5 @ 3:6" in done.out


def ambiguous():
    """The characters of GB2312 whose two bytes are also one character of UTF-8."""
    found = []
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            raw = bytes([high, low])
            try:
                raw.decode("utf-8")
                found.append(raw.decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return found


NO_QUOTES = 'title = { zh = "x", en = "x" }\nlayout = "x.json"\nformat = "delimited"\ndelimiter = ","\nheader = true\n'
TEXTS = (
    '{"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string", "maxLength": 4},'
    ' "paid": {"type": "number", "format": "money"}}}'
)


@pytest.fixture
def undeclared(tmp_path, monkeypatch):
    """A dialect that declares no encoding; write a table of names and judge it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_text(TEXTS)
    (tmp_path / "x.toml").write_text(NO_QUOTES)

    def judge(names, encoding, *arguments):
        rows = "".join(f"{number},{name},1.00\n" for number, name in enumerate(names))
        (tmp_path / "x.csv").write_bytes(TABLE.format(rows=rows).encode(encoding))
        return judged("x.csv", "--dialect", "x.toml", *arguments)

    return judge


def test_there_are_930_characters_that_are_both():
    assert len(ambiguous()) == 930
    assert {"陆", "卢", "毛", "鲁"} <= set(ambiguous())


def test_a_gb18030_file_is_refused_where_an_ambiguous_character_stands_first(undeclared):
    wrong = {}
    for name in ambiguous():
        document = undeclared([name, "张三"], "gb18030")
        if (document["exit_code"], [one["code"] for one in document["findings"]]) != (3, ["F211"]):
            wrong[name] = document["files"][0]
    assert wrong == {}


def test_a_gb18030_file_is_read_where_it_shows_itself_before_an_ambiguous_character(undeclared):
    document = undeclared(["张三", *ambiguous()], "gb18030")
    assert (document["exit_code"], document["files"][0]["encoding"], document["files"][0]["records"]) == (
        0, "gb18030", 931,
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_every_ambiguous_character_is_read_as_what_was_asked_for(undeclared, encoding):
    # Five of them are one more than the layout allows, in whatever encoding they were meant.
    names = [name * 5 for name in ambiguous()]
    document = undeclared(names, encoding, "--encoding", encoding, "--show-values")
    assert [one["value"] for one in document["findings"]] == names


def test_a_utf_8_file_cut_at_any_byte_is_never_taken_for_gb18030(tmp_path):
    whole = "".join(RECORD.format(n=n, memo="数据不一致，医疗机构多 310") for n in range(1, 4)).encode()
    path = tmp_path / "cut.txt"
    document = {}
    for at in range(1, len(whole), 3):
        path.write_bytes(whole[:at])
        document[at] = judged(path, "--dialect", "nhsa-3202-result")["files"][0]["encoding"]
    assert set(document.values()) == {"utf-8"}


def test_an_undeclared_utf_8_file_cut_inside_a_character_is_refused_as_damaged(undeclared, tmp_path):
    undeclared(["张三", "李四"], "utf-8")
    whole = (tmp_path / "x.csv").read_bytes()
    at = whole.index("四".encode())
    for cut in (at + 1, at + 2):
        (tmp_path / "x.csv").write_bytes(whole[:cut])
        document = judged("x.csv", "--dialect", "x.toml")
        assert (document["exit_code"], [one["code"] for one in document["findings"]]) == (3, ["F211"])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"a", b"\n", "é".encode(), "医".encode(), "😀".encode(), b"\x80", b"\xe5", b"\xed\xa0\x80"])
    ),
    st.integers(1, 7),
    st.sampled_from([1, 8, 1 << 20]),
)
def test_the_fast_look_at_utf_8_says_what_decoding_all_of_it_says(pieces, size, large):
    text = b"".join(pieces)
    with tempfile.NamedTemporaryFile() as file, pytest.MonkeyPatch.context() as patch:
        Path(file.name).write_bytes(text)
        patch.setattr(encoding, "BLOCK", size)
        patch.setattr(encoding, "LARGE", large)
        found = encoding._is_utf_8(Input(file.name))
    try:
        text.decode()
    except UnicodeDecodeError:
        assert not found
    else:
        assert found
