"""The reading rules of delimited files once more, record by record in plain Python: slow, and plain to see.

Nothing of medpay_cli is used here, so that agreement means something.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

BOM = b"\xef\xbb\xbf"
AMOUNT = re.compile(r"-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,2})?")  # money(16,2)

Record = dict[str, object]  # row, line, and every field: its text or None
Fault = tuple[int | None, int, str, str | None]  # row, line, code, value


@dataclass(frozen=True)
class Description:
    """How records are written: which widths a file may have, whether it may mix them, what means absent."""

    names: tuple[str, ...]
    widths: tuple[int, ...]
    mixed: bool = False
    nulls: tuple[str, ...] = ()
    delimiter: str = "\t"
    shifted: bool = False  # 11 columns, of which the 7th may be no field
    quote: str = ""


@dataclass
class Reading:
    """What a file holds: the records that fit, the faults of the others, how many records and lines there are."""

    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    count: int = 0
    lines: int = 0
    stopped: str | None = None


@dataclass(frozen=True)
class _Split:
    row: int
    line: int
    cells: list[str]
    ended: bool


class _BrokenError(Exception):
    """A quote stands in a wrong place; `at` is where the cell begins."""

    def __init__(self, at: int, *, unclosed: bool = False) -> None:
        self.at = at
        self.unclosed = unclosed
        super().__init__(at)


def read(content: bytes, how: Description) -> Reading:
    """Every record and every fault of a file, in file order."""
    made = Reading()
    content = content.removeprefix(BOM)
    if b"\n" not in content and b"\r" in content[:-1]:
        made.stopped = "F212"
        return made
    split = _quoted(content, how, made) if how.quote and how.quote.encode() in content else _plain(content, how, made)
    permitted = how.widths if how.mixed else (_held(split, how.widths),)
    for record in split:
        width = _fitting(record.cells, permitted)
        if width is None:
            cut_off = not record.ended and len(record.cells) < min(permitted)
            made.faults.append((record.row, record.line, "F206" if cut_off else "F101", str(len(record.cells))))
        else:
            values = _values(record.cells[:width], how)
            made.records.append({"row": record.row, "line": record.line, **values})
    made.faults.sort(key=lambda fault: fault[1])
    return made


def _plain(content: bytes, how: Description, made: Reading) -> list[_Split]:
    split: list[_Split] = []
    for line, (text, ended) in enumerate(_lines(content), 1):
        made.lines = line
        if text == b"":
            made.faults.append((None, line, "F104", None))
            continue
        made.count += 1
        try:
            cells = text.decode("utf-8", "strict").split(how.delimiter)
        except UnicodeDecodeError as err:
            made.faults.append((made.count, line, "F102", f"0x{text[err.start]:02x} @ {err.start + 1}"))
            continue
        split.append(_Split(made.count, line, cells, ended))
    return split


def _quoted(content: bytes, how: Description, made: Reading) -> list[_Split]:
    """Records with quotes, character by character; a byte that is no UTF-8 is a surrogate."""
    text = content.decode("utf-8", "surrogateescape")
    split: list[_Split] = []
    at = 0
    while at < len(text):
        line = text.count("\n", 0, at) + 1
        begin = at
        try:
            cells, at = _record(text, at, how)
        except _BrokenError as broken:
            made.count += 1
            if broken.unclosed:
                made.faults.append((made.count, line, "F205", None))
                made.lines = line
                return split
            made.faults.append((made.count, line, "F106", None))
            stop = text.find("\n", broken.at)
            at = len(text) if stop < 0 else stop + 1
            continue
        if text[begin:at] in ("\n", "\r\n"):
            made.faults.append((None, line, "F104", None))
            continue
        made.count += 1
        bad = [char for cell in cells for char in cell if "\ud800" <= char <= "\udfff"]
        if bad:
            record = text[begin:at].encode("utf-8", "surrogateescape")
            place = len(text[begin : begin + text[begin:].index(bad[0])].encode("utf-8", "surrogateescape"))
            made.faults.append((made.count, line, "F102", f"0x{record[place]:02x} @ {place + 1}"))
        else:
            split.append(_Split(made.count, line, cells, text[at - 1] == "\n"))
    made.lines = text.count("\n") + (not text.endswith("\n"))
    return split


def _record(text: str, at: int, how: Description) -> tuple[list[str], int]:
    """The cells of the record that begins at `at`, and where the next one begins."""
    cells = []
    while True:
        cell, at = _cell(text, at, how)
        cells.append(cell)
        if text.startswith(how.delimiter, at):
            at += 1
        elif text.startswith("\r\n", at):
            return cells, at + 2
        else:
            return cells, min(at + 1, len(text))


def _cell(text: str, at: int, how: Description) -> tuple[str, int]:
    begin, cell = at, ""
    if text.startswith(how.quote, at):
        at += 1
        while True:
            if at >= len(text):
                raise _BrokenError(begin, unclosed=True)
            if text[at] != how.quote:
                cell += text[at]
                at += 1
            elif text.startswith(how.quote * 2, at):
                cell += how.quote
                at += 2
            else:
                at += 1
                break
        if at < len(text) and not text.startswith((how.delimiter, "\n", "\r\n"), at):
            raise _BrokenError(begin)
        return cell, at
    while at < len(text) and not text.startswith((how.delimiter, "\n", "\r\n"), at):
        if text[at] == how.quote:
            raise _BrokenError(begin)
        cell += text[at]
        at += 1
    return cell, at


def _lines(content: bytes) -> list[tuple[bytes, bool]]:
    """Every line without its end, and whether it had one."""
    *ended, rest = content.split(b"\n")
    lines = [(line.removesuffix(b"\r"), True) for line in ended]
    return [*lines, (rest, False)] if rest else lines


def _fitting(cells: list[str], widths: tuple[int, ...]) -> int | None:
    """The width that a record has: as it stands, else without one empty field at its end."""
    if len(cells) in widths:
        return len(cells)
    if cells[-1] == "" and len(cells) - 1 in widths:
        return len(cells) - 1
    return None


def _held(split: list[_Split], widths: tuple[int, ...]) -> int:
    """The one width of a file: that which most records fit, the smaller on a tie."""
    votes = Counter(width for record in split for width in widths if _fitting(record.cells, (width,)) is not None)
    return min(widths, key=lambda width: (-votes[width], width))


def _values(cells: list[str], how: Description) -> dict[str, str | None]:
    present = [None if cell == "" or cell in how.nulls else cell for cell in cells]
    if how.shifted and len(cells) == 11 and _is_shifted(present):
        present = present[:6] + present[7:]
    present += [None] * (len(how.names) - len(present))
    return dict(zip(how.names, present, strict=True))


def _is_shifted(present: list[str | None]) -> bool:
    _, _, _, _, _, _, seventh, eighth, *last = present
    return seventh is None and not _is_amount(eighth) and all(_is_amount(cell) for cell in last)


def _is_amount(cell: str | None) -> bool:
    return cell is not None and AMOUNT.fullmatch(cell) is not None
