"""Text files as they are written: what stands around the records, and all of it in the dialect's encoding.

A cell that would not read back as it is stops the writing; nothing is changed to fit.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import BinaryIO

import polars as pl

from medpay_cli import files, layouts, money
from medpay_cli.dialects import RECORDS, Dialect
from medpay_cli.errors import MedpayError
from medpay_cli.formats.cells import BLANKS
from medpay_cli.formats.encoding import MARKS, UTF_8
from medpay_cli.formats.text import controls

# Records that are put together at once.
AT_ONCE = 50_000

Chunks = Iterable[Mapping[str | None, pl.DataFrame]]
# The lines of some records, without their ends, or as UTF-8 with them; so many records stand before them.
Lines = Callable[[pl.DataFrame, int], "pl.Series | Blocks"]
# What is wrong with a cell: its field, why, and where that holds.
Wrong = tuple[str, str, pl.Expr]


class Blocks(list[bytes]):
    """Whole lines as they are written to it, block by block; a buffer would grow by copying."""

    def write(self, block: bytes) -> int:
        """Take some more."""
        self.append(block)
        return len(block)


def write(
    out: BinaryIO, dialect: Dialect, names: Sequence[str], chunks: Chunks, lines: Lines, header: Sequence[str] = ()
) -> None:
    """Write records as lines, with what the dialect wants around them. Raises MedpayError.

    A preamble is written as empty lines and a footer as the beginnings of its lines. Where the first line declares
    totals, the records wait in a spool.
    """
    text = _Text(out, dialect, names[0])
    totals = _Totals(dialect, names)
    above = [""] * dialect.preamble
    waits = dialect.head is not None and totals.stand_in(dialect.head.items)
    body = files.spool() if waits else out
    if not waits:
        text.put(*above, *controls.lines(controls.HEAD, dialect, totals.values), *header)
    for chunk in chunks:
        for frame in chunk[None].select(names).iter_slices(AT_ONCE):
            made = lines(frame, totals.records)
            blocks = text.records(frame, made, totals.records)
            totals.add(frame)
            for block in blocks:
                body.write(block) if waits else text.write(block)
    if waits:
        text.put(*above, *controls.lines(controls.HEAD, dialect, totals.values), *header)
        body.seek(0)
        shutil.copyfileobj(body, out, 1 << 20)
    text.put(*controls.lines(controls.TAIL, dialect, totals.values), *_footer(dialect))


def refuse(frame: pl.DataFrame, dialect: Dialect, before: int, wrong: Iterable[Wrong]) -> None:
    """Raises MedpayError for the first thing that is wrong with a cell."""
    listed = list(wrong)
    found = frame.select(is_wrong.any().alias(str(number)) for number, (_, _, is_wrong) in enumerate(listed))
    for (name, reason, is_wrong), stands in zip(listed, found.row(0) if listed else (), strict=True):
        if stands:
            row = frame.select(is_wrong.arg_true().first()).item()
            raise inexpressible(dialect, name, reason, before + row + 1)


def inexpressible(dialect: Dialect, name: str, reason: str, row: int) -> MedpayError:
    """What is said of a cell that cannot be written."""
    return MedpayError("cannot_express", dialect=dialect.name, name=name, reason=reason, row=row)


def unwritable(names: Iterable[str], dialect: Dialect) -> Iterator[Wrong]:
    """What no text file of the dialect could hold in a cell."""
    for name in names:
        cell = pl.col(name)
        yield name, "empty text", cell == ""
        yield name, "NUL", cell.str.contains("\0", literal=True)
        yield name, f"limits.field {dialect.limits.field}", cell.str.len_bytes() > dialect.limits.field
        if dialect.nulls:
            yield name, "nulls", cell.is_in(dialect.nulls)
        if dialect.trim:
            yield name, "trim", cell.str.strip_chars(BLANKS) != cell


class _Text:
    """A file of lines in the dialect's encoding; `first` is the field that may stand at its very start."""

    def __init__(self, out: BinaryIO, dialect: Dialect, first: str) -> None:
        self._out, self._dialect, self._first = out, dialect, first
        # Where GB2312 is said GBK is read; Python's own GB2312 takes other dots and dashes for theirs.
        self._codec = {None: UTF_8, "gb2312": "gbk"}.get(dialect.encoding, dialect.encoding or UTF_8)
        self._begun = False

    def write(self, block: bytes) -> None:
        """Write some bytes. Raises MedpayError where they would pass for the byte order mark of the file."""
        if not self._begun and block.startswith(tuple(mark for mark, _ in MARKS)):
            raise inexpressible(self._dialect, self._first, "byte order mark", 1)
        self._begun |= block != b""
        self._out.write(block)

    def put(self, *lines: str) -> None:
        """Write lines that are no records."""
        end, limit = self._dialect.line_end, self._dialect.limits.line
        if any(len(line.encode()) + len(end) > limit for line in lines):
            raise MedpayError("dialect_fault", path=self._dialect.name, reason=f"limits.line {limit}")
        try:
            self.write("".join(line + end for line in lines).encode(self._codec))
        except UnicodeEncodeError as err:
            raise MedpayError("dialect_fault", path=self._dialect.name, reason=f"encoding {self._codec}") from err

    def records(self, frame: pl.DataFrame, lines: pl.Series | Blocks, before: int) -> list[bytes]:
        """The bytes of records that were put together to lines."""
        if isinstance(lines, Blocks):
            try:
                return lines if self._codec == UTF_8 else [b"".join(lines).decode().encode(self._codec)]
            except UnicodeEncodeError as err:
                raise self._unencodable(frame, before) from err
        end, limit = self._dialect.line_end, self._dialect.limits.line
        if ((longest := lines.str.len_bytes()).max() or 0) + len(end) > limit:  # type: ignore[operator]
            row = longest.arg_max() or 0
            name = max(frame.columns, key=lambda name: len(frame[name][row] or ""))
            raise inexpressible(self._dialect, name, f"limits.line {limit}", before + row + 1)
        try:
            return [f"{some}{end}".encode(self._codec) for some in lines.str.join(end) if len(lines)]
        except UnicodeEncodeError as err:
            raise self._unencodable(frame, before) from err

    def _unencodable(self, frame: pl.DataFrame, before: int) -> MedpayError:
        for name in frame.columns:
            for row, cell in enumerate(frame[name].fill_null(""), before + 1):
                try:
                    cell.encode(self._codec)
                except UnicodeEncodeError:
                    return inexpressible(self._dialect, name, f"encoding {self._codec}", row)
        return MedpayError("dialect_fault", path=self._dialect.name, reason=f"nulls, encoding {self._codec}")


class _Totals:
    """The count and the sums of what was written, as far as control lines declare them."""

    def __init__(self, dialect: Dialect, names: Sequence[str]) -> None:
        self._dialect = dialect
        items = {item for line in (dialect.head, dialect.tail) if line for item in line.items}
        known = layouts.load(dialect.layout).money if items - {"", RECORDS} else ()
        self._fields = [one for one in known if one.name in items and one.name in names]
        self._sums = {one.name: Decimal(0) for one in self._fields}
        self.records = 0

    def stand_in(self, items: Iterable[str]) -> bool:
        """Whether one of these items is a count or a sum."""
        return not {RECORDS, *self._sums}.isdisjoint(items)

    @property
    def values(self) -> dict[str, str]:
        """Each as it is written, and what else control lines say."""
        sums = {one.name: money.written(self._sums[one.name], one.scale) for one in self._fields}
        return {**self._dialect.stamps, RECORDS: str(self.records), **sums}

    def add(self, frame: pl.DataFrame) -> None:
        """Count records. Raises MedpayError for an amount that cannot be summed."""
        typed = frame.select(
            money.amount(pl.col(one.name), one.digits, one.scale).alias(one.name) for one in self._fields
        )
        for name in typed.columns:
            if typed[name].null_count() > frame[name].null_count():
                row = (typed[name].is_null() & frame[name].is_not_null()).arg_max() or 0
                raise inexpressible(self._dialect, name, "control", self.records + row + 1)
        self._sums = {name: money.total((self._sums[name], more)) for name, more in money.sums(typed).items()}
        self.records += frame.height


def _footer(dialect: Dialect) -> tuple[str, ...]:
    if dialect.quote and any(begins.count(dialect.quote) % 2 for begins in dialect.footer):
        raise MedpayError("dialect_fault", path=dialect.name, reason="footer")
    return dialect.footer
