"""Whatever the bytes and wherever a part ends, medpay reads what the plain reader reads."""

from __future__ import annotations

import gzip
import io
import random
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import damaged
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain_reader import BOM, Description, Fault, Record, read

from medpay_cli import characters, dialects, formats, layouts
from medpay_cli.errors import ReadError
from medpay_cli.files import Source
from medpay_cli.formats import Batch, archive
from medpay_cli.formats.archive import Input
from medpay_cli.formats.text import cutting, delimited, separators
from medpay_cli.formats.text.cutting import Cut

DETAIL = (
    "setl_id", "mdtrt_id", "psn_no", "medfee_sumamt", "fund_pay_sumamt", "acct_pay", "refd_setl_flag", "exp_content",
)  # fmt: skip
RESULT = (
    "psn_no", "mdtrt_id", "setl_id", "msgid", "stmt_rslt", "refd_setl_flag", "memo",
    "medfee_sumamt", "fund_pay_sumamt", "acct_pay", "exp_content",
)  # fmt: skip
SHIFTED = "[[shifted]]\nwidth = 11\nskip = 7\nempty = [7]\nnot_amount = [8]\namount = [9, 10, 11]\n"

# What each dialect means, written out by hand; the users' own ones are given as TOML beside it.
DESCRIBED = {
    "nhsa-3202-upload": Description(DETAIL, (7, 8), nulls=("null",)),
    "nhsa-3202-result": Description(RESULT, (7, 10, 11), mixed=True, nulls=("null",), shifted=True),
    "pipes": Description(RESULT, (7, 10, 11), mixed=True, nulls=("null", "NULL", "-"), delimiter="|", shifted=True),
    "commas": Description(DETAIL, (7, 8), delimiter=","),
    "spaces": Description(DETAIL, (2, 3, 5), nulls=("null",), delimiter=" "),
    "neighbours": Description(DETAIL, (2, 3, 4), mixed=True, delimiter=";"),
    "single": Description(DETAIL, (1,), nulls=("null",)),
    "bars": Description(DETAIL, (7, 8), nulls=("null",), delimiter="|@|"),
    "pairs": Description(DETAIL, (2, 3, 4), mixed=True, delimiter="||"),
    "quoted": Description(DETAIL, (7, 8), nulls=("null",), delimiter=",", quote='"'),
    "quoted few": Description(DETAIL, (2, 3), mixed=True, delimiter=",", quote='"'),
    "quoted one": Description(DETAIL, (1,), delimiter=",", quote='"'),
}
OWN = {
    "pipes": 'layout = "ledger_result"\ndelimiter = "|"\nwidths = [11, 10, 7]\nmixed_widths = true\n'
             f'nulls = ["null", "NULL", "-"]\n{SHIFTED}',
    "commas": 'layout = "ledger_detail"\ndelimiter = ","\nwidths = [8, 7]\n',
    "spaces": 'layout = "ledger_detail"\ndelimiter = " "\nwidths = [2, 3, 5]\nnulls = ["null"]\n',
    "neighbours": 'layout = "ledger_detail"\ndelimiter = ";"\nwidths = [2, 3, 4]\nmixed_widths = true\n',
    "single": 'layout = "ledger_detail"\ndelimiter = "\\t"\nwidths = [1]\nnulls = ["null"]\n',
    "bars": 'layout = "ledger_detail"\ndelimiter = "|@|"\nwidths = [7, 8]\nnulls = ["null"]\n',
    "pairs": 'layout = "ledger_detail"\ndelimiter = "||"\nwidths = [2, 3, 4]\nmixed_widths = true\n',
    "quoted": 'layout = "ledger_detail"\ndelimiter = ","\nquote = \'"\'\nwidths = [7, 8]\nnulls = ["null"]\n',
    "quoted few": 'layout = "ledger_detail"\ndelimiter = ","\nquote = \'"\'\nwidths = [2, 3]\nmixed_widths = true\n',
    "quoted one": 'layout = "ledger_detail"\ndelimiter = ","\nquote = \'"\'\nwidths = [1]\n',
}  # fmt: skip
OWN_HEAD = 'title = { zh = "自定", en = "own" }\nformat = "delimited"\nencoding = "utf-8"\n'
PARTS = (8 << 20, 4096, 256, 64, 1)
PIECES = (1 << 18, 7)


@dataclass
class Seen:
    """What medpay makes of a file, as the plain reader would put it."""

    records: list[Record]
    faults: list[Fault]
    count: int
    lines: int
    stopped: str | None = None


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the users' own dialects in it."""
    made = tmp_path_factory.mktemp("reading")
    for name, body in OWN.items():
        (made / f"{name}.toml").write_text(OWN_HEAD + body, encoding="utf-8")
    return made


def seen(source: Input, dialect: dialects.Dialect, part: int = PARTS[0], piece: int = PIECES[0]) -> Seen:
    """Read a file through medpay in parts of about `part` bytes, and place every batch in the file."""
    names = layouts.load(dialect.layout).names
    schema = {formats.ROW: pl.UInt64, formats.LINE: pl.UInt64, **dict.fromkeys(names, pl.String)}

    def gather(batches) -> Seen:
        made = Seen([], [], 0, 0)
        for batch, _ in batches:
            assert dict(batch.text.schema) == schema
            assert batch.records == batch.text.height + batch.faults.filter(severity="error").height
            made.records += placed(batch.text.rename({formats.ROW: "row", formats.LINE: "line"}), made).to_dicts()
            made.faults += placed(batch.faults, made).select("row", "line", "code", "value").rows()
            made.count += batch.records
            made.lines += batch.lines
        return made

    with mock.patch.object(cutting, "PART", part), mock.patch.object(characters, "PIECE", piece):
        try:
            return formats.read(source, dialect, {None: names}, lambda _: None, gather)
        except ReadError as err:
            return Seen([], [], 0, 0, err.code)


def placed(found: pl.DataFrame, before: Seen) -> pl.DataFrame:
    """Rows and lines counted from the start of the file."""
    return found.with_columns(pl.col("row") + before.count, pl.col("line") + before.lines)


def load(folder: Path, name: str) -> dialects.Dialect:
    """A shipped dialect, or the user's own of that name."""
    return dialects.load(str(folder / f"{name}.toml") if name in OWN else name)


def same(folder: Path, name: str, content: bytes, part: int, piece: int = PIECES[0]) -> None:
    """Both readers see the same records, faults and counts."""
    path = folder / "file.txt"
    path.write_bytes(content)
    found = seen(Input(str(path)), load(folder, name), part, piece)
    expected = read(content, DESCRIBED[name])
    assert found.stopped == expected.stopped
    assert found.faults == expected.faults
    assert found.records == expected.records
    assert (found.count, found.lines) == (expected.count, expected.lines)


def seeds(count: int, times: int):
    """Seeds 0, 1, … in the default run, `times` as many in the full one."""
    return [pytest.param(range(count), id="few"), pytest.param(range(count * times), id="many", marks=pytest.mark.full)]


@pytest.mark.parametrize("numbers", seeds(25, 60))
@pytest.mark.parametrize("name", DESCRIBED)
def test_generated_files_read_the_same(folder, name, numbers):
    for number in numbers:
        rng = random.Random(f"{name} {number}")  # noqa: S311
        content = damaged.content(rng, DESCRIBED[name])
        # Small parts cost a parser call each: they suit small files.
        parts = PARTS if len(content) < 600 else PARTS[:4] if len(content) < 6000 else PARTS[:2]
        same(folder, name, content, rng.choice(parts), rng.choice(PIECES))


TOKENS = (
    b"\t", b"\n", b"\r", b"\r\n", b"a", b"\x00", b"\x0c", BOM, b"\xe4", b"\xb8\xad", "中".encode(), "🏥".encode(),
    b"null", b'"', b"\t\t", b"\n\n",
)  # fmt: skip


@given(
    st.lists(
        st.sampled_from((b'"', b'""', b'"a"', b",", b"\n", b"\r\n", b"\r", b"a", b"\x1e", b"\xff", BOM)), max_size=20
    )
)
@settings(max_examples=400, deadline=None)
@pytest.mark.parametrize("part", (8 << 20, 8, 1))
def test_any_sequence_of_quotes_separators_and_text_reads_the_same(folder, part, pieces):
    same(folder, "quoted few", b"".join(pieces), part)


def tokens(name: str) -> st.SearchStrategy[bytes]:
    """Short files in which every token may stand beside every other one."""
    mark = damaged.delimiter(DESCRIBED[name])
    pieces = [bytes([byte]) for byte in mark] if len(mark) > 1 else []
    return st.lists(
        st.sampled_from([*(token.replace(b"\t", mark) for token in TOKENS), *pieces]), max_size=24
    ).map(b"".join)  # fmt: skip


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_sequence_of_separators_marks_and_text_reads_the_same(folder, data):
    name = data.draw(st.sampled_from(["neighbours", "spaces", "single", "quoted one", "bars", "pairs"]))
    content = data.draw(tokens(name))
    same(folder, name, content, data.draw(st.sampled_from((8 << 20, 8, 1))))


@st.composite
def ledgers(draw, name: str) -> bytes:
    """Ledger records with damage that Hypothesis chooses, and shrinks."""
    how = DESCRIBED[name]
    mark = damaged.delimiter(how)
    cells = st.sampled_from(damaged.SOUND * 4 + damaged.STRANGE + damaged.BROKEN) | st.text(max_size=6).map(
        lambda text: text.encode("utf-8", "replace").replace(b"\n", b"")
    )
    sizes = st.sampled_from(how.widths * 3 + tuple(width + step for width in how.widths for step in (-1, 1, 2)))
    records = sizes.flatmap(lambda size: st.lists(cells, min_size=size, max_size=size)).map(mark.join)
    ends = st.sampled_from(damaged.LINE_ENDS * 6 + damaged.ODD_ENDS)
    lines = draw(st.lists(st.tuples(records, st.sampled_from((b"", b"", mark)), ends).map(b"".join), max_size=12))
    start = draw(st.sampled_from((b"", b"", BOM, BOM + BOM, BOM[:1])))
    last = draw(st.just(b"") | st.tuples(records, st.sampled_from((b"", mark, b"\r"))).map(b"".join))
    return start + b"".join(lines) + last


@pytest.mark.parametrize("name", ["nhsa-3202-upload", "nhsa-3202-result", "pipes", "commas", "quoted", "bars"])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_ledgers_with_any_damage_read_the_same(folder, name, data):
    same(folder, name, data.draw(ledgers(name)), data.draw(st.sampled_from((8 << 20, 256, 64, 16))))


@given(st.binary(max_size=200), st.sampled_from(list(DESCRIBED)), st.sampled_from((8 << 20, 16)))
@example(b"", "nhsa-3202-upload", 16)
@example(BOM, "nhsa-3202-upload", 16)
@example(b"\n\r\n\n", "nhsa-3202-upload", 1)
@settings(max_examples=40, deadline=None)
def test_any_bytes_at_all_read_the_same(folder, content, name, part):
    same(folder, name, content, part)


SEVEN = b"S1\tM1\tP1\t1.00\t1.00\t0\t0"
CASES = {
    "nothing": b"",
    "only a byte order mark": BOM,
    "a byte order mark before a blank line": BOM + b"\n" + SEVEN,
    "a second byte order mark is content": BOM + BOM + SEVEN + b"\n",
    "a byte order mark in a later record is content": SEVEN + b"\n" + BOM + SEVEN + b"\n" + SEVEN,
    "a byte order mark before every record": (BOM + SEVEN + b"\n") * 5,
    "only blank lines": b"\n\r\n\n",
    "blank lines around records": b"\n" + SEVEN + b"\n\n\r\n" + SEVEN + b"\r\n\n",
    "both line ends": (SEVEN + b"\n" + SEVEN + b"\r\n") * 4,
    "carriage returns twice": (SEVEN + b"\r\r\n") * 4,
    "a carriage return alone between lines": SEVEN + b"\n\r\r\n" + SEVEN,
    "a carriage return at the end of the file": SEVEN + b"\n" + SEVEN + b"\r",
    "a carriage return as the last line": SEVEN + b"\n\r",
    "a carriage return as the last line, no other record": b"\r",
    "carriage returns as many as line ends, in other places": SEVEN + b"\n" + SEVEN[:-1] + b"\r0\r\n" + SEVEN + b"\n",
    "a carriage return first in every record": b"\rP1\n\rP2\n\rP3\n",
    "empty fields throughout": b"\t\t\t\t\t\t\n" * 3 + b"\t\t\t\t\t\t",
    "one empty field more on some": SEVEN + b"\n" + SEVEN + b"\t\n" + SEVEN + b"\t\t\n",
    "the first part is of another width than most": (SEVEN + b"\tx\n") * 4 + (SEVEN + b"\n") * 20,
    "as many of each width": (SEVEN + b"\tx\n" + SEVEN + b"\n") * 4,
    "a character cut in two by a line end": b"S\xe4" + SEVEN + b"\xe4\n\xb8\xad" + SEVEN + b"\n",
    "a character cut in two in one column": b"\xe4" + SEVEN[2:] + b"\n\xb8\xad" + SEVEN[2:] + b"\n",
    "a character cut in two by a delimiter": SEVEN.replace(b"\tM1", b"\xe4\t\xb8\xad") + b"\n",
    "undecodable and ragged": SEVEN + b"\n\xff\n" + SEVEN + b"\n",
    "the last record is cut off": SEVEN + b"\n" + SEVEN[:9],
    "the last record is short and ended": SEVEN + b"\n" + SEVEN[:9] + b"\n",
    "the last record is long and not ended": SEVEN + b"\n" + SEVEN + b"\tx\ty",
    "the last record is cut off inside a character": SEVEN + b"\n" + "医".encode()[:2],
    "a NUL in every place": b"\x00" + SEVEN.replace(b"\t", b"\x00\t\x00") + b"\x00\n",
    "the word null, and words like it": b"null\tNULL\tnull \t null\tnullnull\tnull\x00\tnull\n",
}


@pytest.mark.parametrize("part", (8 << 20, 64, 1))
@pytest.mark.parametrize("content", CASES.values(), ids=CASES.keys())
def test_what_has_gone_wrong_elsewhere_reads_the_same(folder, content, part):
    for name in ("nhsa-3202-upload", "single", "quoted one"):
        same(folder, name, content, part)


def groups(folder: Path, content: bytes) -> list[tuple[int, int, bool]]:
    """Fields per record, records, and whether they were parsed, of each group that one part is split into."""
    dialect = load(folder, "nhsa-3202-upload")
    part = delimited._Part(Cut(content, content, last=True), dialect, tuple("abcdefgh"), None, None)
    return [(group.size, len(group.rows), group.fields is not None) for group in part._irregular().groups]


def test_records_with_a_stray_carriage_return_share_one_frame(folder):
    assert groups(folder, (SEVEN + b"\r\r\n") * 1500) == [(7, 1500, True)]


def test_a_line_of_nothing_but_delimiters_is_not_parsed_into_columns(folder):
    assert groups(folder, SEVEN + b"\n" + b"\t" * 100_000 + b"\n") == [(7, 1, True), (100_001, 1, False)]


EVERY = bytes(byte for byte in range(1, 0x80) if byte not in b"\r\n")


@pytest.mark.parametrize(
    "content",
    [
        b"a|@|@|b\n|@||@|\n|@|@|@|\n|@@|\n|\n@|@|@\n" * 3,
        b"a|@|" + EVERY + b"|@|" + EVERY * 2 + b"\nb|@|c|@|\xffd\n" + EVERY + b"\n\nS|@|" + b"\x00" + b"\r|@|x\r\n",
        b"a|@|b|@|\xff\n" + b"\t~!" + b"|@|" * 6 + b"\n",
    ],
    ids=["overlaps", "every character of ASCII", "undecodable"],
)
@pytest.mark.parametrize("part", (8 << 20, 64, 1))
def test_separators_of_several_characters_are_found_from_the_left(folder, content, part):
    for name, mark in (("bars", b"|@|"), ("pairs", b"||")):
        same(folder, name, content.replace(b"|@|", mark), part)


def test_where_every_character_stands_none_can_stand_for_a_separator(folder):
    dialect = load(folder, "bars")
    assert separators.shortened(Cut(EVERY + b"\0|@|", b""), dialect) is None
    assert separators.shortened(Cut(EVERY + b"|@|", b""), dialect)[1].delimiter == "\0"


def opened(folder: Path, container: str, content: bytes) -> Input:
    """The same content as a plain file, compressed, or from standard input."""
    path = folder / f"same.{container}"
    if container == "stdin":
        with mock.patch.object(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content))):
            return archive.inputs(Source("-"))[0]
    if container == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("20240131101500.txt", content)
    else:
        path.write_bytes(gzip.compress(content) if container == "gz" else content)
    return archive.inputs(Source(str(path)))[0]


def batches(source: Input, dialect: dialects.Dialect) -> list[Batch]:
    """Every batch, as it comes."""
    names = layouts.load(dialect.layout).names
    with mock.patch.object(cutting, "PART", 512):
        return formats.read(source, dialect, {None: names}, lambda _: None, lambda found: [batch for batch, _ in found])


@pytest.mark.parametrize("container", ["gz", "zip", "stdin"])
@pytest.mark.parametrize("name", ["nhsa-3202-upload", "nhsa-3202-result", "commas"])
def test_a_container_changes_no_batch(folder, name, container):
    dialect, how = load(folder, name), DESCRIBED[name]
    rng = random.Random(name)  # noqa: S311
    for content in (b"", BOM, BOM + damaged.content(rng, how), *(damaged.content(rng, how) for _ in range(6))):
        plain = batches(opened(folder, "txt", content), dialect)
        other = batches(opened(folder, container, content), dialect)
        assert len(plain) == len(other)
        for ours, theirs in zip(plain, other, strict=True):
            assert ours.text.equals(theirs.text)
            assert ours.faults.equals(theirs.faults)
            assert (ours.records, ours.lines, ours.fits, ours.width, ours.widths) == (
                theirs.records, theirs.lines, theirs.fits, theirs.width, theirs.widths,
            )  # fmt: skip


def test_a_spooled_input_reads_again_from_its_start(folder):
    # The first part suggests 8 columns, the file holds 7: everything is read twice.
    content = (SEVEN + b"\tx\n") * 4 + (SEVEN + b"\n") * 20
    source, dialect = opened(folder, "stdin", content), load(folder, "nhsa-3202-upload")
    expected = read(content, DESCRIBED["nhsa-3202-upload"])
    assert len(expected.records) == 20
    for _ in range(2):
        assert seen(source, dialect, part=64).records == expected.records
