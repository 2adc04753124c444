"""Workbooks: what stands in the cells of a sheet, as exactly as Excel knows it, and what makes cells doubtful.

The markup is read by us and not by a spreadsheet library. Libraries hand out numbers that were rounded or lengthened on
the way, hold a sheet as one block in memory (two cells far apart are enough to end the process), and do not tell what
is hidden, merged or a formula that nobody has calculated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

import numpy as np
import polars as pl

from medpay_cli import findings, layouts
from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import InternalError, MedpayError, ReadError
from medpay_cli.formats import LINE, PATH, ROW, Batch, Names
from medpay_cli.formats.archive import Input
from medpay_cli.formats.rows import Fault, batch
from medpay_cli.formats.xlsx.header import FAR, HIGHEST, Head, Range, header_of
from medpay_cli.formats.xlsx.serials import MOST_DIGITS
from medpay_cli.formats.xlsx.sheets import MOST_ROWS, Contents, column_of, key, letters
from medpay_cli.formats.xlsx.workbook import Sheet, Workbook, workbook

IS_TRUE = rb"""\s*=\s*["'](?:1|true)["']"""
CELLS = {
    "row": pl.UInt32, "column": pl.UInt32, "text": pl.String, "code": pl.String, "is_number": pl.Boolean,
    "is_hidden": pl.Boolean,
}  # fmt: skip


def named(source: Input) -> tuple[str, ...]:
    """What stands in the first row of the only visible sheet. Raises ReadError."""
    dialect = Dialect("", "", format="xlsx")
    with workbook(source) as book:
        contents = Contents(book, dialect.limits.line)
        for _, sheet in _chosen(book, contents, dialect):
            first = _first(contents.frames(contents.elements(sheet.part), sheet.part))
            return tuple(first.filter(pl.col("row") == pl.col("row").first())["text"].drop_nulls())
    return ()


def scan(source: Input, dialect: Dialect, names: Names, width: int | None = None) -> Iterator[Callable[[], Batch]]:
    """Tasks that each read some rows of a sheet into a Batch, a sheet per node, in the order of the dialect's nodes.

    Raises ReadError for what stops the reading of a file.
    """
    with workbook(source) as book:
        contents = Contents(book, dialect.limits.line)
        notes = [
            Fault("F118", None, value=sheet.name)
            for sheet in book.sheets
            if sheet.hidden and _holds_cells(contents, sheet)
        ]
        for node, sheet in _chosen(book, contents, dialect):
            yield from _Table(contents, sheet, node, names[node.name], dialect, tuple(notes)).tasks()
            notes = []


def _chosen(book: Workbook, contents: Contents, dialect: Dialect) -> Iterator[tuple[Node, Sheet]]:
    """Each node with its sheet. Raises ReadError F218 where the sheet of a required one is missing, F219."""
    named = {sheet.name: sheet for sheet in book.sheets}
    wanted = [str(node.name) for node in dialect.nodes] or ([dialect.sheet] if dialect.sheet else [])
    filled = [
        sheet.name
        for sheet in book.sheets
        if not dialect.sheet and sheet.name not in wanted and _holds_cells(contents, sheet)
    ]
    visible = [name for name in filled if not named[name].hidden]
    if dialect.nodes:
        lacking = [str(node.name) for node in dialect.nodes if node.required and node.name not in named]
        if lacking:
            raise ReadError("F218", value=f"− {', '.join(lacking)}", expected=", ".join(wanted))
        if visible:
            raise ReadError("F219", value=", ".join(visible), expected=", ".join(wanted))
    elif dialect.sheet:
        if dialect.sheet not in named:
            raise ReadError("F219", value=", ".join(named), expected=dialect.sheet)
    elif len(visible) == 1 or not filled:
        wanted = visible
    else:
        raise ReadError("F219", value=", ".join(visible or filled), expected="1")
    for node in dialect.parts:
        name = node.name or next(iter(wanted), None)
        if name in named:
            yield node, named[name]


def _holds_cells(contents: Contents, sheet: Sheet) -> bool:
    return any(re.search(rb"<(?:[\w.-]+:)?[vtf](?:\s[^<>]*)?>[^<]", block) for block in contents.elements(sheet.part))


@dataclass(frozen=True)
class _Around:
    """What the markup around the cells says of them: merged ranges, hidden columns."""

    merged: tuple[Range, ...]
    hidden: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Table:
    """A sheet and the records in it."""

    contents: Contents
    sheet: Sheet
    node: Node
    names: tuple[str, ...]
    dialect: Dialect
    notes: tuple[Fault, ...]

    def tasks(self) -> Iterator[Callable[[], Batch]]:
        """Tasks that each read some records."""
        around = self._around()
        rows = self.contents.elements(self.sheet.part)
        frames = self._in_order(self.contents.frames(rows, self.sheet.part))
        first = _first(frames)
        seen = _height(first)
        if not seen:
            self._check_count(0)
            return
        head = header_of(first, around.merged, self.names, self.dialect, self.sheet.name)
        above = _height(first.filter(pl.col("row") <= head.bottom))
        records, before, notes = 0, head.bottom, [*self.notes, *_hidden_columns(head, around)]
        suspects = _texts(self.node)

        def below() -> Iterator[pl.DataFrame]:
            nonlocal seen
            yield first.filter(pl.col("row") > head.bottom)
            for cells in frames:
                seen += _height(cells)
                yield cells

        foot = first.clear()
        for ready, foot in _held_back(below(), len(self.dialect.footer)):  # noqa: B007 - the last one is looked at
            if ready.height:
                records += _height(ready)
                yield partial(_Part(self, head, around, ready, before, suspects, tuple(notes)).read)
                before, notes = int(ready["row"][-1]), []
        self._check_footer(foot)
        self._check_count(records)
        if above + records + _height(foot) != seen:
            raise InternalError("tie_out", what="rows", left=above + records + _height(foot), right=seen)

    def _check_count(self, records: int) -> None:
        """Raises ReadError F218 where a node stands more or less often than it may."""
        node = self.node
        if node.name and not node.parent:
            if node.required and not records:
                raise ReadError("F218", value=f"− {node.name}", expected=node.name)
            if not node.repeated and records > 1:
                raise ReadError("F218", value=f"{records} × {node.name}", expected="1")

    def _around(self) -> _Around:
        """Read to the end once: merged ranges stand behind the cells."""
        rows = self.contents.elements(self.sheet.part)
        for _ in rows:
            pass
        ranges = re.findall(
            rb"""<(?:[\w.-]+:)?mergeCell\s[^<>]*?ref\s*=\s*["']\$?([A-Z]+)\$?(\d+):\$?([A-Z]+)\$?(\d+)["']""",
            rows.tail,
        )
        columns = re.findall(rb"<(?:[\w.-]+:)?col\s[^<>]*>", rows.head)
        return _Around(
            merged=tuple(
                (int(top), column_of(left.decode()), int(bottom), column_of(right.decode()))
                for left, top, right, bottom in ranges
            ),
            hidden=tuple(
                (int(found[1]), int(last[1]))
                for column in columns
                if re.search(rb"\shidden" + IS_TRUE, column)
                and (found := re.search(rb"""\smin\s*=\s*["'](\d+)["']""", column))
                and (last := re.search(rb"""\smax\s*=\s*["'](\d+)["']""", column))
            ),
        )

    def _in_order(self, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """The frames, as long as every cell stands behind the one before. Raises ReadError F203."""
        last = -1
        for cells in frames:
            if cells.height:
                keys = np.append(last, key(cells))
                if (np.diff(keys) <= 0).any():
                    at = cells.row(int(np.argmax(np.diff(keys) <= 0)), named=True)
                    raise ReadError("F203", value=f"{self.sheet.part}: {letters(at['column'])}{at['row']}")
                last = int(keys[-1])
                yield cells

    def _check_footer(self, foot: pl.DataFrame) -> None:
        """Raises ReadError F214 where the last rows do not begin as the footer does."""
        begins = [str(cells["text"][0]) for cells in foot.partition_by("row", maintain_order=True)]
        lacking = len(self.dialect.footer) - len(begins)
        for expected, found in zip(self.dialect.footer, [""] * lacking + begins, strict=True):
            if not found.startswith(expected):
                raise ReadError("F214", expected=expected)


@dataclass(frozen=True)
class _Part:
    """The cells of some whole records."""

    table: _Table
    head: Head
    around: _Around
    cells: pl.DataFrame
    before: int
    suspects: frozenset[str]
    notes: tuple[Fault, ...]

    def read(self) -> Batch:
        """Name the columns, refuse records that have more, and say what is doubtful."""
        every = self.cells["row"].to_numpy()
        begins = np.append(True, every[1:] != every[:-1])
        rows = every[begins]
        places = {column: name for name, column in self.head.columns.items()}
        numbered = self.cells.with_columns(pl.Series(ROW, np.cumsum(begins), pl.UInt64))
        beyond = numbered.filter(~pl.col("column").is_in(list(self.head.named)))
        refused = [
            Fault(
                "F101", row, line, f"{letters(last)}{line}", value=str(last), expected=str(max(self.head.named)),
            )
            for row, line, last in beyond.group_by(ROW, "row").agg(pl.col("column").max()).sort(ROW).iter_rows()
        ]  # fmt: skip
        inside = numbered.filter(~pl.col(ROW).is_in(beyond[ROW].implode()), pl.col("column").is_in(list(places)))
        absent = pl.lit(None, pl.String)
        wide = inside.pivot(on="column", index=ROW, values="text")
        where = {name: str(self.head.columns.get(name)) for name in self.table.names}
        cells = {name: pl.col(place) if place in wide.columns else absent for name, place in where.items()}
        text = (
            pl.DataFrame({ROW: np.arange(1, len(rows) + 1), LINE: rows}, {ROW: pl.UInt64, LINE: pl.UInt64})
            .filter(~pl.col(ROW).is_in(beyond[ROW].implode()))
            .join(wide, on=ROW, how="left", maintain_order="left")
        )
        text = text.select(ROW, LINE, absent.alias(PATH), *(cell.alias(name) for name, cell in cells.items()))
        blank = np.setdiff1d(np.arange(self.before + 1, rows[-1]), rows, assume_unique=True)
        faults = [
            *self.notes,
            *refused,
            *self._doubtful(inside, places),
            *self._merged(text, places),
        ]
        made = batch(self.table.node.name, text, faults, len(rows), self.table.dialect)
        # There may be a million of these between two cells.
        blanks = findings.frame("F104", pl.DataFrame({"line": blank}), line=pl.col("line"))
        ordered = pl.concat([made.faults, blanks]).sort("line", "row", "field", "code", maintain_order=True)
        return replace(made, faults=ordered, columns=self.head.columns)

    def _doubtful(self, cells: pl.DataFrame, places: Mapping[int, str]) -> Iterator[Fault]:
        """The faults of single cells, and of records in hidden rows."""
        texts = [column for column, name in places.items() if name in self.suspects]
        identifier = pl.col("is_number") & pl.col("column").is_in(texts)
        code = pl.when(pl.col("code").is_null() & identifier).then(pl.lit("F119")).otherwise("code").alias("code")
        found = cells.select(ROW, "row", "column", "text", code).filter(pl.col("code").is_not_null())
        for row, line, column, text, code_ in found.iter_rows():
            yield Fault(
                code_, row, line, f"{letters(column)}{line}", places[column], column, text, EXPECTED.get(code_)
            )  # fmt: skip
        for row, line in cells.filter(pl.col("is_hidden")).select(ROW, "row").unique(maintain_order=True).iter_rows():
            yield Fault("F118", row, line, value=str(line))

    def _merged(self, text: pl.DataFrame, places: Mapping[int, str]) -> Iterator[Fault]:
        """One fault for each record in a merged range that covers some field."""
        lines = text[LINE].to_numpy()
        if not len(lines):
            return
        owner = np.full(len(lines), -1)
        for number, (top, left, bottom, right) in enumerate(self.around.merged):
            if top <= lines[-1] and bottom >= lines[0] and any(left <= column <= right for column in places):
                owner[np.searchsorted(lines, top) : np.searchsorted(lines, bottom, "right")] = number
        for at in np.flatnonzero(owner >= 0):
            top, left, bottom, right = self.around.merged[owner[at]]
            column = next(column for column in sorted(places) if left <= column <= right)
            place = f"{letters(left)}{top}:{letters(right)}{bottom}"
            yield Fault("F117", int(text[ROW][int(at)]), int(lines[at]), place, places[column], column, place)


EXPECTED = {"F114": f"<= {MOST_DIGITS}"}


def _first(frames: Iterator[pl.DataFrame]) -> pl.DataFrame:
    """The cells of the first rows: a header cannot stand below them."""
    first: list[pl.DataFrame] = []
    for cells in frames:
        first.append(cells)
        if cells["row"][-1] > FAR + HIGHEST:
            break
    return pl.concat(first) if first else pl.DataFrame(schema=CELLS)


def _height(cells: pl.DataFrame) -> int:
    """The number of rows that hold something."""
    return cells["row"].n_unique()


def _held_back(frames: Iterator[pl.DataFrame], rows: int) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The cells, always without the last so many rows read so far, and those."""
    waiting = None
    for cells in frames:
        waiting = cells if waiting is None else pl.concat([waiting, cells])
        numbers = waiting["row"].unique(maintain_order=True)
        first = numbers[-rows] if 0 < rows <= len(numbers) else numbers[0] if rows and len(numbers) else MOST_ROWS + 1
        ready, waiting = waiting.filter(pl.col("row") < first), waiting.filter(pl.col("row") >= first)
        yield ready, waiting


def _hidden_columns(head: Head, around: _Around) -> Iterator[Fault]:
    for name, column in head.columns.items():
        if any(first <= column <= last for first, last in around.hidden):
            place = letters(column)
            yield Fault("F118", None, None, f"{place}:{place}", name, column, place)


def _texts(node: Node) -> frozenset[str]:
    """The fields that are text by their layout, if it can be told."""
    try:
        return frozenset(field.name for field in layouts.load(node.layout).fields if field.is_text)
    except MedpayError:
        return frozenset()


def write(out: BinaryIO, dialect: Dialect, names: Names, chunks: Iterable[Mapping[str | None, pl.DataFrame]]) -> None:
    """Write a sheet per node, see `sheet_writing`."""
    from medpay_cli.formats.xlsx.writing import write as run  # its library is slow to load

    run(out, dialect, names, chunks)
