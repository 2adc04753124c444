"""Lines of fixed width are read as a plain reader reads them, in characters and in bytes."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_files import LAYOUT, NAMES, dialect, seen, written

from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats import LineKind
from medpay_cli.formats.text import cutting
from medpay_cli.judging import Terms
from medpay_cli.validate import Targets, validate

SPANS = {"bill_no": (1, 3), "psn_name": (4, 9), "medfee_sumamt": (12, 16)}
BODY = 'format = "fixed"\nnulls = ["null"]\n'
POSITIONS = "[positions]\nbill_no = [1, 3]\npsn_name = [4, 9]\nmedfee_sumamt = [12, 16]\n"
# What stands at 10 and 11 is nobody's.
LINE = "001甲       12.50"
BYTES = 'encoding = "gb18030"\ncounted_in = "bytes"\n'
UTF8 = 'encoding = "utf-8"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the users' own files are."""
    return tmp_path_factory.mktemp("fixed")


def columns(text: str, encoding: str | None) -> list[str]:
    """One text per column: of a character over several bytes the first holds it all, the others only its rest."""
    return [piece for char in text for piece in [char, *"↩" * (len(char.encode(encoding)) - 1 if encoding else 0)]]


def plain(content: bytes, encoding: str | None):
    """The reading rules of fixed lines once more, line by line."""
    content = content.removeprefix(cutting.BOM)
    *ended, rest = content.split(b"\n")
    lines = [(line.removesuffix(b"\r"), True) for line in ended] + [(rest, False)] * bool(rest)
    records, faults, row = [], [], 0
    for number, (line, is_ended) in enumerate(lines, 1):
        if not line:
            faults.append((None, number, "F104", None))
            continue
        row += 1
        try:
            text = columns(line.decode(), encoding)
        except UnicodeDecodeError as err:
            faults.append((row, number, "F102", f"0x{line[err.start]:02x} @ {err.start + 1}"))
            continue
        if len(text) != 16:
            cut = number == len(lines) and not is_ended and len(text) < 16
            faults.append((row, number, "F206" if cut else "F101", str(len(text))))
            continue
        stray = [at for at in (10, 11) if text[at - 1] != " "]
        stray += [first for first, _ in SPANS.values() if text[first - 1] == "↩"]
        if stray:
            faults.append((row, number, "F101", f"@ {min(stray)}"))
            continue
        cells = {
            name: "".join(text[first - 1 : last]).replace("↩", "").strip(" ") for name, (first, last) in SPANS.items()
        }
        records.append(tuple(None if cells.get(name, "") in ("", "null") else cells[name] for name in NAMES))
    return records, faults


def same(folder: Path, content: bytes, part: int, how: str, encoding: str | None) -> None:
    """Both readers see the same; a file of CR alone is refused."""
    stated = dialect(folder, BODY + how + POSITIONS)
    source = content if encoding is None else content.decode().encode(encoding)
    if b"\n" not in content and b"\r" in content.removeprefix(cutting.BOM)[:-1]:
        return
    with mock.patch.object(cutting, "PART", part):
        found = seen(folder, stated, source)
    records, faults = plain(content, encoding)
    assert found.records == records
    assert found.faults == faults


PIECES = (
    LINE, LINE, LINE, " " * 16, "\n", "\n", "\r\n", "\r", "\n\n", " ", "x", "null", "甲", "🏥", "𠮷", "\ufeff", "\x01",
    "\t", "002" + " " * 13, "003null" + " " * 9, LINE[:-1], LINE + " ", "0" * 16, "001甲乙丙    1.00",
    "0甲甲甲甲甲甲甲甲",
)  # fmt: skip
# A short file with a NUL passes for UTF-16.
random_text = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=16)
texts = st.lists(st.sampled_from(PIECES) | random_text, max_size=14).map("".join)
parts = st.sampled_from([8 << 20, 40, 1])


@given(texts, parts)
@settings(max_examples=400, deadline=None)
def test_any_lines_read_the_same_in_characters(folder, text, part):
    same(folder, text.encode(), part, UTF8, None)


@given(texts, parts)
@settings(max_examples=400, deadline=None)
def test_any_lines_read_the_same_in_bytes(folder, text, part):
    text = text.replace("\ufdd0", "").removeprefix("\ufeff").replace("\ufeff", "x", 1)
    same(folder, text.encode(), part, BYTES, "gb18030")


@given(
    st.lists(st.sampled_from([piece.encode() for piece in PIECES] + [b"\xff", b"\xe4", b"\xb8"]), max_size=12), parts
)
@settings(max_examples=300, deadline=None)
def test_lines_that_are_no_text_are_the_same(folder, pieces, part):
    same(folder, b"".join(pieces), part, UTF8, None)


def read(folder: Path, content: bytes, how: str = UTF8):
    """Records and faults."""
    found = seen(folder, dialect(folder, BODY + how + POSITIONS), content)
    return found.records, found.faults


def test_spaces_around_a_cell_are_padding(folder):
    content = b" 01 a b     1.50 \n"[:16] + b"\n"
    assert read(folder, content) == ([("01", "a b", None, "1.50")], [])


def test_a_line_of_spaces_is_a_record_with_nothing_in_it(folder):
    assert read(folder, b" " * 16 + b"\n\n") == ([(None,) * 4], [(None, 2, "F104", None)])


def test_a_han_character_takes_two_columns_where_bytes_are_counted(folder):
    assert read(folder, "001甲乙丙  12.50\n".encode("gb18030"), BYTES) == ([("001", "甲乙丙", None, "12.50")], [])
    assert read(folder, "001甲乙丙     12.50\n".encode("gb18030"), BYTES) == ([], [(1, 1, "F101", "19")])


def test_a_character_across_two_fields_is_refused(folder):
    assert read(folder, "00甲乙丙   12.50\n".encode("gb18030"), BYTES) == ([], [(1, 1, "F101", "@ 4")])


def test_a_converted_file_is_counted_as_it_was_before(folder):
    content = cutting.BOM + "001甲乙丙  12.50\n".encode()
    assert read(folder, content, BYTES) == ([("001", "甲乙丙", None, "12.50")], [])


def test_a_noncharacter_where_bytes_are_counted_is_no_text(folder):
    content = "001\ufdd0a    12.50\n001甲乙丙  12.50\n".encode("gb18030")
    assert read(folder, content, BYTES) == ([("001", "甲乙丙", None, "12.50")], [(1, 1, "F102", "U+FDD0 @ 4")])


def test_something_between_the_fields_is_refused(folder):
    assert read(folder, b"001a      x12.50\n001a       12.50\n") == (
        [("001", "a", None, "12.50")], [(1, 1, "F101", "@ 11")],
    )  # fmt: skip


def test_a_cut_file_never_gives_a_wrong_record(folder):
    how = dialect(folder, BODY + UTF8 + POSITIONS)
    content = f"{LINE}\n002{' ' * 13}\n{LINE}\n".encode()
    whole = seen(folder, how, content).records
    for size in range(len(content)):
        found = seen(folder, how, content[:size])
        assert found.records == whole[: len(found.records)]
        cut = content[:size].rpartition(b"\n")[2]
        is_whole = not cut or len(cut.decode("utf-8", "replace")) == 16
        assert [fault[2] for fault in found.faults] in ([],) if is_whole else (["F206"], ["F102"])


def test_lines_around_the_records_are_not_theirs(folder):
    body = 'preamble = 1\nfooter = ["END"]\n'
    found = seen(folder, dialect(folder, BODY + body + POSITIONS), f"title\n{LINE}\n\n{LINE}\r\nEND of file\n".encode())
    assert found.kinds == [LineKind.HEAD, LineKind.RECORD, LineKind.BLANK, LineKind.RECORD, LineKind.HEAD]
    assert found.faults == [(None, 3, "F104", None)]
    with pytest.raises(ReadError, match="F214"):
        seen(folder, dialect(folder, BODY + body + POSITIONS), f"title\n{LINE}\n".encode())


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A user's working folder."""
    monkeypatch.chdir(tmp_path)
    Path("bill.json").write_text(LAYOUT.replace('"properties"', '"x-key": ["bill_no"], "properties"'), encoding="utf-8")
    head = 'title = { zh = "定长", en = "fixed" }\nlayout = "bill.json"\n'
    Path("bill.toml").write_text(head + BODY + BYTES + POSITIONS, encoding="utf-8")
    return tmp_path


def findings(made) -> list[tuple]:
    """Row, line, field, column, code of every finding."""
    return [
        row for frame in made.findings.frames() for row in frame.select("row", "line", "field", "column", "code").rows()
    ]


@pytest.mark.usefixtures("here")
def test_records_are_judged_and_separated_byte_for_byte():
    lines = [
        "001甲乙     1.50",
        "002甲乙    1.505",
        "003甲乙        1",
        "001丙",
        "004丁戊     1.00",
        "003 x          2",
    ]
    lines = [line.encode("gb18030") for line in lines]
    Path("file.txt").write_bytes(b"\r\n".join(lines) + b"\r\n")
    with mock.patch.object(cutting, "PART", 20):
        made = validate(["file.txt"], dialect="bill.toml", targets=Targets(Path("good.txt"), Path("bad.txt")))
    assert [len(line) for line in lines] == [16, 16, 16, 5, 16, 16]
    assert findings(made) == [
        (2, 2, "medfee_sumamt", 12, "L103"), (3, 3, None, None, "B101"), (4, 4, None, None, "F101"),
        (6, 6, None, None, "B101"),
    ]  # fmt: skip
    assert Path("good.txt").read_bytes() == lines[0] + b"\r\n" + lines[4] + b"\r\n"
    assert Path("bad.txt").read_bytes() == b"\r\n".join([*lines[1:4], lines[5], b""])


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "F208"), (b"001\n002\n", "F101"), (b"001\xff\n", "F202"), (b"001", "F206")],
    ids=["empty", "other widths", "no text", "cut off"],
)
def test_a_file_of_which_nothing_fits_is_not_judged(content, code):
    Path("file.txt").write_bytes(content)
    made = validate(["file.txt"], dialect="bill.toml", terms=Terms())
    assert (made.exit_code, {code for code, _, _ in made.findings.counts}) == (3, {code})


def test_numbers_stand_at_the_end_of_their_place_and_text_at_its_start(folder):
    records = [("1", "甲", None, "1.50"), (None, None, None, None)]
    assert (
        written(dialect(folder, BODY + UTF8 + POSITIONS), records) == f"1  甲        {'1.50':>4}\n{' ' * 16}\n".encode()
    )
    counted = written(dialect(folder, BODY + BYTES + 'line_end = "\\r\\n"\n' + POSITIONS), records)
    assert counted == f"1  甲       {'1.50':>4}\r\n{' ' * 16}\r\n".encode("gb18030")


@pytest.mark.parametrize(
    ("record", "name", "reason"),
    [
        (("1234", None, None, None), "bill_no", "positions 1..3"),
        (("1", "甲乙丙丁", None, None), "psn_name", "positions 4..9"),
        (("1", None, "x", None), "memo", "positions"),
        (("1 ", None, None, None), "bill_no", "space"),
        (("1", None, None, " 1"), "medfee_sumamt", "space"),
        (("", None, None, None), "bill_no", "empty text"),
        (("1", "null", None, None), "psn_name", "nulls"),
        (("1", "a\nb", None, None), "psn_name", "line end"),
        (("1", "a\r", None, None), "psn_name", "line end"),
        (("1", "\ufdd0", None, None), "psn_name", "noncharacter"),
        (("1", "a\0", None, None), "psn_name", "NUL"),
        (("\ufeff", None, None, None), "bill_no", "positions 1..3"),
    ],
)
def test_a_cell_that_would_not_come_back_is_not_written(folder, record, name, reason):
    how = dialect(folder, BODY + BYTES + POSITIONS)
    with pytest.raises(MedpayError) as caught:
        written(how, [("0", None, None, None)], [record])
    assert caught.value.values == {"dialect": how.name, "name": name, "reason": reason, "row": 2}


@pytest.mark.parametrize(
    "body",
    [
        "", POSITIONS.replace("bill_no", "bil_no"), POSITIONS.replace("[4, 9]", "[3, 9]"),
        POSITIONS.replace("[4, 9]", "[9, 4]"), POSITIONS.replace("[4, 9]", "[0, 4]"), "header = true\n" + POSITIONS,
        "quote = '\"'\n" + POSITIONS, "widths = [15]\n" + POSITIONS, "widths = [16, 17]\n" + POSITIONS,
        'counted_in = "bytes"\n' + POSITIONS, 'counted_in = "bytes"\nencoding = "utf-8"\n' + POSITIONS,
        "trailing_delimiter = true\n" + POSITIONS, "[positions]\n",
    ],
)  # fmt: skip
def test_positions_that_no_line_could_have_are_refused(folder, body):
    with pytest.raises(MedpayError) as caught:
        dialect(folder, BODY + body)
    assert caught.value.key in ("dialect_fault", "not_allowed")
