"""Lines of fixed width: every field stands at its place in the line, padded with spaces.

A column is a character, or a byte of the encoding that the dialect counts in. Spaces around a cell are padding, on both
sides: nothing tells them from its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import polars as pl

from medpay_cli import characters, layouts
from medpay_cli.dialects import Dialect
from medpay_cli.formats import LINE, PATH, ROW, Batch, LineKind, Names, rows
from medpay_cli.formats.archive import Input
from medpay_cli.formats.rows import Fault
from medpay_cli.formats.text import writing
from medpay_cli.formats.text.counting import FILLER, widened
from medpay_cli.formats.text.cutting import Cut, Cutter
from medpay_cli.formats.text.writing import Chunks, Wrong

_LINE, _WIDE = "\x1ftext", "\x1fwide"
Span = tuple[int, int]


def scan(source: Input, dialect: Dialect, fields: Names, width: int | None = None) -> Iterator[Callable[[], Batch]]:
    """Tasks that each read one part of the file into a Batch, in file order. Raises ReadError."""
    with source.open() as stream:
        cutter = Cutter(stream, dialect, source.part)
        cutter.skip()
        for cut in cutter.parts():
            yield _Part(cut, dialect, fields[None]).read


@dataclass(frozen=True)
class _Part:
    """Some whole lines, and how to read them."""

    cut: Cut
    dialect: Dialect
    names: tuple[str, ...]

    def read(self) -> Batch:
        """Cut every line of the right width into its fields."""
        texts, bad = self._texts()
        lines = pl.DataFrame({_LINE: _without_ends(texts)}).with_row_index(LINE, self.cut.head + 1)
        is_record = pl.col(_LINE) != ""
        lines = lines.with_columns(pl.col(LINE).cast(pl.UInt64), is_record.cum_sum().cast(pl.UInt64).alias(ROW))
        blank = lines.filter(~is_record)[LINE]
        records = lines.height - len(blank)
        faults = [Fault("F104", None, line) for line in blank]
        faults += self._undecodable(lines, bad)
        kept = lines.filter(is_record & ~pl.col(LINE).is_in([line + self.cut.head for line in bad]))
        kept = kept.with_columns(self._wide(kept[_LINE]).alias(_WIDE))
        is_wide = pl.col(_WIDE).str.len_chars() == self._width
        fitting = kept.filter(is_wide)
        misplaced = self._misplaced(fitting)
        misfits = kept.filter(~is_wide).select(ROW, LINE, pl.col(_WIDE).str.len_chars().cast(pl.String).alias("value"))
        faults += [self._shape(*one, records=records) for one in pl.concat([misfits, misplaced]).iter_rows()]
        if not misplaced.is_empty():
            fitting = fitting.filter(~pl.col(ROW).is_in(misplaced[ROW].implode()))
        cells = {name: self._cell(*span) for name, span in self.dialect.positions.items()}
        nothing = pl.lit(None, pl.String)
        text = fitting.select(
            ROW, LINE, nothing.alias(PATH), *(cells.get(name, nothing).alias(name) for name in self.names)
        )
        odd = characters.suspected(self.cut.block)
        made = rows.batch(None, text, faults, records, self.dialect, is_odd=odd)
        return replace(
            made,
            text=made.text.drop(PATH),
            kinds=self._kinds(lines.height, blank),
            lines=self.cut.head + lines.height + self.cut.foot,
            columns={name: first for name, (first, _) in self.dialect.positions.items()},
            declared=self.cut.declared,
        )

    def _texts(self) -> tuple[str, dict[int, str | None]]:
        """The lines, and of those that are no text (a space stands for each) the first bad byte, where the file itself
        claims to be UTF-8: from another encoding it is a stand-in."""
        block = self.cut.block
        try:
            text = block.decode()
        except UnicodeDecodeError:
            pass
        else:
            if not self.dialect.counted_in or FILLER not in text:
                return text, {}
        kept, bad = [], dict[int, str | None]()
        own = self.dialect.encoding == "utf-8"
        for number, line in enumerate(block.split(b"\n"), 1):
            try:
                kept.append(line.decode())
            except UnicodeDecodeError as err:
                bad[number] = f"0x{line[err.start]:02x} @ {err.start + 1}" if own else None
            else:
                if self.dialect.counted_in and FILLER in kept[-1]:
                    bad[number] = f"U+{ord(FILLER):04X} @ {kept.pop().index(FILLER) + 1}"
            if number in bad:
                kept.append(" ")
        return "\n".join(kept), bad

    def _undecodable(self, lines: pl.DataFrame, bad: Mapping[int, str | None]) -> list[Fault]:
        row = lines[ROW]
        return [
            Fault("F102", row[number - 1], number + self.cut.head, value=value, expected=self.dialect.encoding)
            for number, value in bad.items()
        ]

    def _wide(self, lines: pl.Series) -> pl.Series:
        """The lines with a character for every column."""
        text = "" if not self.dialect.counted_in or lines.is_empty() else lines.str.join("\n").item()
        return lines if text.isascii() else _split(widened(text, self.dialect.counted_in))

    @property
    def _width(self) -> int:
        return max(self.dialect.widths)

    def _misplaced(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Row, line and column of what stands between fields, or reaches from one into the next."""
        behind, gaps = 1, list[Span]()
        for first, last in (*sorted(self.dialect.positions.values()), (self._width + 1, self._width + 1)):
            gaps += [(behind, first - 1)] if behind < first else []
            behind = last + 1
        firsts = [first for first, _ in self.dialect.positions.values()] if self.dialect.counted_in else []
        crossing = [pl.when(_slice(first, first) == FILLER).then(pl.lit(first, pl.UInt32)) for first in firsts]
        stray = [
            pl.when(left != "").then(pl.lit(last + 1, pl.UInt32) - left.str.len_chars())
            for first, last in gaps
            for left in [_slice(first, last).str.strip_chars_start(" ")]
        ]
        if not crossing and not stray:
            return lines.select(ROW, LINE, pl.col(_LINE).alias("value")).clear()
        place = pl.min_horizontal(*crossing, *stray)
        return lines.filter(place.is_not_null()).select(ROW, LINE, pl.format("@ {}", place).alias("value"))

    def _shape(self, row: int, line: int, value: str, *, records: int) -> Fault:
        """The fault of a record of another shape; the last one is cut off where it is short and has no end."""
        is_open = self.cut.last and row == records and not self.cut.block.endswith(b"\n")
        is_short = value.isdecimal() and int(value) < self._width
        return Fault("F206" if is_open and is_short else "F101", row, line, value=value, expected=str(self._width))

    def _cell(self, first: int, last: int) -> pl.Expr:
        cell = _slice(first, last)
        if self.dialect.counted_in:
            cell = cell.str.replace_all(FILLER, "", literal=True)
        return cell.str.strip_chars(" ")

    def _kinds(self, lines: int, blank: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        """What each line is: see LineKind."""
        head, foot = (np.full(count, LineKind.HEAD, np.uint8) for count in (self.cut.head, self.cut.foot))
        kinds = np.full(lines, LineKind.RECORD, np.uint8)
        kinds[blank.to_numpy().astype(np.int64) - self.cut.head - 1] = LineKind.BLANK
        return np.concatenate((head, kinds, foot))


def write(out: BinaryIO, dialect: Dialect, fields: Names, chunks: Chunks) -> None:
    """Write records: numbers at the end of their place, text at its start, spaces where there is nothing.

    Raises MedpayError.
    """
    names = fields[None]
    numbers = {one.name for one in layouts.load(dialect.layout).fields if one.types & {"number", "integer"}}

    def lines(frame: pl.DataFrame, before: int) -> pl.Series:
        writing.refuse(frame, dialect, before, _wrong(names, dialect))
        spans = sorted(dialect.positions.items(), key=lambda one: one[1])
        widths = frame.select(_columns(frame[name], dialect).alias(name) for name, _ in spans)
        long = ((name, f"positions {first}..{last}", widths[name] > last - first + 1) for name, (first, last) in spans)
        writing.refuse(frame, dialect, before, ((name, reason, pl.lit(is_long)) for name, reason, is_long in long))
        pieces, behind = list[pl.Expr](), 1
        for name, (first, last) in spans:
            cell = pl.col(name).fill_null("")
            size = cell.str.len_chars() + (last - first + 1) - pl.lit(widths[name])
            padded = cell.str.pad_start(size) if name in numbers else cell.str.pad_end(size)
            pieces += [pl.lit(" " * (first - behind)), padded]
            behind = last + 1
        pieces.append(pl.lit(" " * (max(dialect.widths) - behind + 1)))
        return frame.select(pl.concat_str(pieces).alias("line")).to_series()

    writing.write(out, dialect, names, chunks, lines)


def _wrong(names: tuple[str, ...], dialect: Dialect) -> Iterator[Wrong]:
    """What no cell may hold; one without a place may hold nothing at all."""
    placed = tuple(name for name in names if name in dialect.positions)
    yield from writing.unwritable(placed, dialect)
    for name in placed:
        cell = pl.col(name)
        yield name, "space", cell.str.starts_with(" ") | cell.str.ends_with(" ")
        yield name, "line end", cell.str.contains_any(["\n", "\r"])
        if dialect.counted_in:
            yield name, "noncharacter", cell.str.contains(FILLER, literal=True)
    yield from ((name, "positions", pl.col(name).is_not_null()) for name in names if name not in dialect.positions)


def _columns(cells: pl.Series, dialect: Dialect) -> pl.Series:
    """How many columns each cell takes."""
    text = cells.fill_null("").str.join("\n").item() if dialect.counted_in and len(cells) else ""
    wide = cells.fill_null("") if text.isascii() else _split(widened(text, dialect.counted_in))
    return wide.str.len_chars()


def _slice(first: int, last: int) -> pl.Expr:
    return pl.col(_WIDE).str.slice(first - 1, last - first + 1)


def _without_ends(text: str) -> pl.Series:
    """The lines of a text; one without an end keeps its carriage return."""
    lines = _split(text)
    ended, rest = lines.head(len(lines) - 1).str.strip_suffix("\r"), lines.tail(1)
    return ended if rest.item() == "" else ended.append(rest)


def _split(text: str) -> pl.Series:
    return pl.Series([text], dtype=pl.String).str.split("\n").explode()
