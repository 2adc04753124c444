"""Delimited text is written as its dialect wants it; what would not read back the same is refused by name."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from text_files import dialect, seen, written

from medpay_cli.errors import MedpayError
from medpay_cli.formats.text import joining, writing

BARS = 'format = "delimited"\ndelimiter = "|"\n'
QUOTED = 'format = "delimited"\ndelimiter = ","\nquote = \'"\'\n'
PAIRS = 'format = "delimited"\ndelimiter = "||"\n'
ONE = ("1", None, "x", "1.50")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Where the user's own files are."""
    return tmp_path


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (BARS, "1||x|1.50\n"),
        (BARS + 'nulls = ["null", "-"]\n', "1|null|x|1.50\n"),
        (BARS + 'line_end = "\\r\\n"\npreamble = 2\n', "\r\n\r\n1||x|1.50\r\n"),
        (BARS + "trailing_delimiter = true\nheader = true\n", "bill_no|psn_name|memo|medfee_sumamt|\n1||x|1.50|\n"),
        (BARS + 'footer = ["合计", "END"]\n', "1||x|1.50\n合计\nEND\n"),
        (
            BARS + 'header = true\n[headings]\n"单号" = "bill_no"\n"号" = "bill_no"\n',
            "单号|psn_name|memo|medfee_sumamt\n1||x|1.50\n",
        ),
        (
            QUOTED + 'header = true\n[headings]\n"单,号" = "bill_no"\n',
            '"单,号",psn_name,memo,medfee_sumamt\n1,,x,1.50\n',
        ),
        ('format = "delimited"\ndelimiter = "|@|"\n', "1|@||@|x|@|1.50\n"),
        (BARS + 'encoding = "utf-16-le"\n', "1\0|\0|\0x\0|\x001\0.\x005\x000\0\n\0"),
    ],
)  # fmt: skip
def test_a_record_is_written_as_the_dialect_says(folder, body, expected):
    how = dialect(folder, body)
    assert written(how, [ONE]).decode() == expected
    assert seen(folder, how, written(how, [ONE])).records == [ONE]


def test_only_cells_that_need_quotes_get_them(folder):
    how = dialect(folder, QUOTED)
    records = [("a,b", 'say "x"', "1\n2\r\n3", "1.50"), (" a ", "\ufeff", "\r", None), ("\ufeffa", "b", None, "1")]
    content = written(how, records)
    assert content.decode() == '"a,b","say ""x""","1\n2\r\n3",1.50\n a ,"\ufeff","\r",\n"\ufeffa",b,,1\n'
    assert seen(folder, how, content).records == records


def test_a_quoted_record_with_nothing_in_it_is_no_blank_line(folder):
    how = dialect(folder, QUOTED + "widths = [1]\n")
    records = [("a", None, None, None), (None,) * 4]
    assert written(how, records) == b'a\n""\n'
    assert seen(folder, how, written(how, records)).records == records


def test_no_records_are_what_stands_around_them(folder):
    assert written(dialect(folder, BARS), []) == b""
    assert written(dialect(folder, BARS)) == b""
    assert written(dialect(folder, BARS + 'header = true\nfooter = ["END"]\n')) == (
        b"bill_no|psn_name|memo|medfee_sumamt\nEND\n"
    )


def test_chunks_and_the_size_of_pieces_change_nothing(folder):
    how = dialect(folder, BARS + '[control]\nhead = ["records", "medfee_sumamt"]\n')
    records = [(str(number), None, "x", f"{number}.5") for number in range(7)]
    with mock.patch.object(writing, "AT_ONCE", 2):
        assert written(how, records[:3], [], records[3:]) == written(how, records)
    assert written(how, records).splitlines()[0] == b"7|24.50"


LIMITS = "[limits]\nfield = 10\nline = 16\n"
NEVER = {
    "a delimiter": (BARS, ("a|b", None, None, None), "bill_no", "delimiter '|'"),
    "a delimiter of several characters": (PAIRS, ("a||b", None, None, None), "bill_no", "delimiter '||'"),
    "an end that joins the delimiter": (PAIRS, ("1", "b|", None, None), "psn_name", "delimiter '||'"),
    "a word for nothing that joins the delimiter": (
        PAIRS + 'nulls = ["|"]\n', ("1", None, "x", None), "psn_name", "delimiter '||'",
    ),
    "a line end": (BARS, ("1", "a\nb", None, None), "psn_name", "line end"),
    "a carriage return": (BARS, ("1", None, None, "a\r"), "medfee_sumamt", "line end"),
    "NUL": (QUOTED, ("1", "a\0", None, None), "psn_name", "NUL"),
    "an empty text": (BARS, ("1", "", None, None), "psn_name", "empty text"),
    "an empty text in quotes": (QUOTED, ("1", "", None, None), "psn_name", "empty text"),
    "a word for nothing": (BARS + 'nulls = ["-", "null"]\n', ("1", "null", None, None), "psn_name", "nulls"),
    "a word for nothing in quotes": (QUOTED + 'nulls = ["null"]\n', ("1", "null", None, None), "psn_name", "nulls"),
    "a space that is taken off": (BARS + "trim = true\n", ("1", "a\u3000", None, None), "psn_name", "trim"),
    "a record that is an empty line": (BARS + "widths = [1]\n", (None,) * 4, "bill_no", "blank line"),
    "a field beyond the width": (BARS + "widths = [2, 3]\n", ("1", None, None, "1.50"), "medfee_sumamt", "widths 3"),
    "a field beyond the limit": (BARS + LIMITS, ("1", "医医医x医", None, None), "psn_name", "limits.field 10"),
    "a line beyond the limit": (BARS + LIMITS, ("1", "abcdefg", "abcdef", None), "psn_name", "limits.line 16"),
    "a record of several lines beyond the limit of a field": (
        QUOTED + LIMITS, ("1\n2", "abcdefg", None, None), "bill_no", "limits.field 10",
    ),
    "another character set": (BARS + 'encoding = "gbk"\n', ("1", "𠮷", None, None), "psn_name", "encoding gbk"),
    "a simplified character": (BARS + 'encoding = "big5"\n', ("1", None, "医", None), "memo", "encoding big5"),
    "an amount in the place of the memo": (
        BARS + "[[shifted]]\nwidth = 4\nskip = 2\nempty = [2]\namount = [3]\n", ("1", None, "1.5", "x"), "psn_name",
        "shifted",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "record", "name", "reason"), NEVER.values(), ids=NEVER.keys())
def test_a_cell_that_would_not_come_back_is_not_written(folder, body, record, name, reason):
    how = dialect(folder, body)
    before = ("a", None, None, None) if "widths = [1]" in body else ("a", "b", "c", None)
    with pytest.raises(MedpayError) as caught:
        written(how, [before], [record])
    assert caught.value.key == "cannot_express"
    assert caught.value.values == {"dialect": how.name, "name": name, "reason": reason, "row": 2}


@pytest.mark.parametrize(
    ("encoding", "cell"),
    [
        ("utf-8", "\ufeffa"), ("gb18030", "\ufeffa"), ("utf-16-le", "\ufeffa"), ("utf-16-be", "\ufeff"),
        # The bytes of another encoding's mark.
        ("utf-16-le", "믯뾿"), ("utf-16-le", "\u3184\u3395"), ("utf-16-be", "\uefbb\ubf41"),
    ],
)  # fmt: skip
def test_a_first_cell_that_would_pass_for_a_byte_order_mark_is_not_written(folder, encoding, cell):
    how = dialect(folder, BARS + f'encoding = "{encoding}"\n')
    with pytest.raises(MedpayError) as caught:
        written(how, [(cell, None, None, None)])
    assert caught.value.values == {"dialect": how.name, "name": "bill_no", "reason": "byte order mark", "row": 1}
    second = [("a", None, None, None), (cell, None, None, None)]
    assert seen(folder, how, written(how, second)).records == second


@pytest.mark.parametrize("encoding", ["gb2312", "gbk", "gb18030"])
def test_the_dot_of_a_name_comes_back_as_the_same_dot(folder, encoding):
    how = dialect(folder, BARS + f'encoding = "{encoding}"\n')
    record = ("1", "买买提·吐尔逊", "—", None)
    assert written(how, [record]).split(b"|")[1] == "买买提".encode("gbk") + b"\xa1\xa4" + "吐尔逊".encode("gbk")
    assert seen(folder, how, written(how, [record])).records == [record]


@pytest.mark.parametrize(
    "body",
    [
        BARS + 'header = true\n[headings]\n"a|b" = "bill_no"\n',
        BARS + 'header = true\n[headings]\n"memo" = "bill_no"\n',
        QUOTED + 'header = true\n[headings]\n"a\\nb" = "bill_no"\n',
        BARS + 'header = true\nencoding = "big5"\n[headings]\n"单号" = "bill_no"\n',
        BARS + "header = true\n[limits]\ncolumns = 3\n",
        BARS + 'nulls = ["a|b"]\n', BARS + 'nulls = ["\\n"]\n', QUOTED + "nulls = ['\"']\n",
        QUOTED + "footer = ['\"END']\n",
        BARS + 'footer = ["x"]\n[limits]\nline = 1\n',
    ],
)  # fmt: skip
def test_a_dialect_that_could_not_read_its_own_files_is_refused(folder, body):
    how = dialect(folder, body)
    with pytest.raises(MedpayError, match="dialect_fault"):
        written(how, [])


@pytest.mark.parametrize(
    "body",
    [
        'format = "delimited"\ndelimiter = "|@|"\nquote = \'"\'\n', 'format = "delimited"\ndelimiter = "|\\n"\n',
        'format = "delimited"\ndelimiter = "\\r|"\n', 'format = "delimited"\ndelimiter = "｜"\n',
        'format = "delimited"\ndelimiter = "|@|@|@|@|"\n', 'format = "delimited"\ndelimiter = "\\""\nquote = \'"\'\n',
        'format = "delimited"\ndelimiter = ""\n', BARS + 'footer = ["a\\nb"]\n', BARS + 'line_end = "\\r"\n',
    ],
)  # fmt: skip
def test_a_delimiter_that_cannot_separate_is_refused(folder, body):
    with pytest.raises(MedpayError) as caught:
        dialect(folder, body)
    assert caught.value.key in ("dialect_fault", "not_allowed")


def test_a_header_may_end_in_a_delimiter_where_the_dialect_says_so(folder):
    content = b"bill_no|psn_name|memo|medfee_sumamt|\n1||x|1.50|\n1||x|1.50\n"
    how = dialect(folder, BARS + "header = true\ntrailing_delimiter = true\n")
    assert seen(folder, how, content).records == [ONE, ONE]
    assert seen(folder, how, content.replace(b"amt|\n", b"amt\n")).records == [ONE, ONE]


NASTY = (
    None, "", "x", "a|b", "a,b", "||", "|@|", 'say "x"', "1\n2", "1\r\n2", "\r", "\0", "\ufeff", "\ufeffa", "null", "-",
    " a ", "张三", "€", "😀", "\u2028", "\x1f", "x" * 200,
)  # fmt: skip
BODIES = (
    BARS, QUOTED, PAIRS, BARS + 'nulls = ["null", "-"]\n', QUOTED + 'nulls = ["null", "-"]\n',
    BARS + 'line_end = "\\r\\n"\n', QUOTED + 'line_end = "\\r\\n"\n', BARS + "trailing_delimiter = true\n",
    BARS + 'encoding = "gb18030"\n', BARS + 'encoding = "gbk"\n', BARS + 'encoding = "utf-16-le"\n',
    BARS + "[limits]\nfield = 150\n", BARS + "[limits]\nline = 150\n",
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_lines_as_polars_writes_them_are_those_that_are_put_together_of_cells(folder, body, monkeypatch):
    how = dialect(folder, body)

    def outcome(cell):
        try:
            return written(how, [ONE, ("2", cell, "y", cell), ("3", "z", cell, None)])
        except MedpayError as err:
            return str(err)

    fast = [outcome(cell) for cell in NASTY]
    monkeypatch.setattr(joining, "_plain", lambda *_: None)
    assert fast == [outcome(cell) for cell in NASTY]


@pytest.mark.parametrize(("body", "expected"), [
    (BARS, b"1||x|1.50\n"), (QUOTED, b"1,,x,1.50\n"), (BARS + 'line_end = "\\r\\n"\n', b"1||x|1.50\r\n"),
    (BARS + "trailing_delimiter = true\n", b"1||x|1.50|\n"), (BARS + 'nulls = ["-"]\n', b"1|-|x|1.50\n"),
])  # fmt: skip
def test_lines_without_anything_unusual_are_not_put_together_of_cells(folder, body, expected, monkeypatch):
    monkeypatch.setattr(writing, "refuse", None)
    assert written(dialect(folder, body), [ONE]) == expected
