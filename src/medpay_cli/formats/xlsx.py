"""Workbooks: what stands in the cells of a sheet, as exactly as Excel knows it, and what makes cells doubtful.

The markup is read by us and not by a spreadsheet library. Libraries hand out numbers that were rounded or lengthened on
the way, hold a sheet as one block in memory (two cells far apart are enough to end the process), and do not tell what
is hidden, merged or a formula that nobody has calculated.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from medpay_cli import files, layouts, money
from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import InternalError, MedpayError, ReadError
from medpay_cli.formats import LINE, PATH, ROW, Batch, Names
from medpay_cli.formats.archive import Input
from medpay_cli.formats.cells import check_kept
from medpay_cli.formats.header import check_names, plain
from medpay_cli.formats.rows import Fault, batch
from medpay_cli.formats.serials import MOST_DIGITS
from medpay_cli.formats.sheets import MOST_COLUMNS, MOST_ROWS, Contents, column_of, key, letters
from medpay_cli.formats.workbook import Sheet, Workbook, workbook
from medpay_cli.layouts import Field

# A header stands in the first rows, and is so many rows high at most.
FAR, HIGHEST = 50, 4
MOST_CHARACTERS = 32_767
IS_TRUE = rb'="(?:1|true)"'
CELLS = {
    "row": pl.UInt32, "column": pl.UInt32, "text": pl.String, "code": pl.String, "is_number": pl.Boolean,
    "is_hidden": pl.Boolean,
}  # fmt: skip
Range = tuple[int, int, int, int]  # first row and column, last row and column
Cells = dict[int, dict[int, str]]


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
class _Head:
    """Where the records begin: below row `bottom`; the column of each field, and the last row and columns of a
    header, whose cells have a name."""

    bottom: int
    columns: Mapping[str, int]
    named: tuple[int, ...]


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
            return
        head = self._head(first, around)
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
        if above + records + _height(foot) != seen:
            raise InternalError("tie_out", what="rows", left=above + records + _height(foot), right=seen)
        if not self.node.repeated and self.node.name and not self.node.parent and records > 1:
            raise ReadError("F218", value=f"{records} × {self.node.name}", expected="1")

    def _around(self) -> _Around:
        """Read to the end once: merged ranges stand behind the cells."""
        rows = self.contents.elements(self.sheet.part)
        for _ in rows:
            pass
        ranges = re.findall(
            rb'<(?:[\w.-]+:)?mergeCell\s[^<>]*?ref="\$?([A-Z]+)\$?(\d+):\$?([A-Z]+)\$?(\d+)"', rows.tail
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
                and (found := re.search(rb'\smin="(\d+)"', column))
                and (last := re.search(rb'\smax="(\d+)"', column))
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

    def _head(self, first: pl.DataFrame, around: _Around) -> _Head:
        """Raises ReadError F207 for a header that is not the layout's, F219 where there is none."""
        dialect = self.dialect
        if not dialect.header:
            widest = max(dialect.widths, default=len(self.names))
            named = tuple(range(1, widest + 1))
            return _Head(dialect.preamble, dict(zip(self.names, named, strict=False)), named)
        head: Cells = {}
        for row, column, text in first.select("row", "column", "text").iter_rows():
            head.setdefault(row, {})[column] = text
        tops = [dialect.preamble + 1] if dialect.preamble else [row for row in head if row <= FAR]
        found = [_names(top, head, around.merged, self._fields()) for top in tops]
        wanted = set(self.names)
        whole = [one for one in found if wanted <= set(one[1].values())]
        # A title merged over its columns reads like the upper part of the header below it: the lower one is meant.
        bottom, names = (
            [one for one in whole if one[2] <= whole[0][0]][-1][:2]
            if whole
            else max(found, key=lambda one: len(wanted & set(one[1].values())), default=(0, {}))[:2]
        )
        if not wanted & set(names.values()):
            raise ReadError("F219", value=self.sheet.name, expected=", ".join(self.names))
        check_names(tuple(names.values()), self.names, replace(dialect, free_order=True))
        return _Head(bottom, {name: column for column, name in names.items() if name in wanted}, tuple(names))

    def _fields(self) -> dict[str, str]:
        """What a name in the header means, as it stands or as the eye sees it."""
        exact = dict(zip(self.names, self.names, strict=True)) | {
            heading: field for heading, field in self.dialect.headings.items() if field in self.names
        }
        seen: dict[str, set[str]] = {}
        for name, field in exact.items():
            seen.setdefault(plain(name), set()).add(field)
        return {name: min(fields) for name, fields in seen.items() if len(fields) == 1 and name} | exact

    def _check_footer(self, foot: pl.DataFrame) -> None:
        begins = [str(cells["text"][0]) for cells in foot.partition_by("row", maintain_order=True)]
        for expected, found in zip(self.dialect.footer, begins or [""] * len(self.dialect.footer), strict=False):
            if not found.startswith(expected):
                raise ReadError("F214", expected=expected)
        if len(begins) < len(self.dialect.footer):
            raise ReadError("F214", expected=self.dialect.footer[0])


@dataclass(frozen=True)
class _Part:
    """The cells of some whole records."""

    table: _Table
    head: _Head
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
            *(Fault("F104", None, int(line)) for line in blank),
            *refused,
            *self._doubtful(inside, places),
            *self._merged(text, places),
        ]
        made = batch(self.table.node.name, text, faults, len(rows), self.table.dialect)
        return replace(made, columns=self.head.columns)

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


def _hidden_columns(head: _Head, around: _Around) -> Iterator[Fault]:
    for name, column in head.columns.items():
        if any(first <= column <= last for first, last in around.hidden):
            place = letters(column)
            yield Fault("F118", None, None, f"{place}:{place}", name, column, place)


def _texts(node: Node) -> frozenset[str]:
    """The fields that are text by their layout, if it is one of ours or the user's."""
    return frozenset(name for name, field in _fields(node).items() if field.is_text)


def _fields(node: Node) -> dict[str, Field]:
    try:
        return {field.name: field for field in layouts.load(node.layout).fields}
    except MedpayError:
        return {}


def _names(
    top: int, head: Cells, merged: Iterable[Range], meaning: Mapping[str, str]
) -> tuple[int, dict[int, str], int]:
    """A header read from row `top`: its last row, the field (or the name) over each column, and `top`.

    Where a name is merged over several columns, the names below it count: alone, or with the one above.
    """
    above = [one for one in merged if one[0] == top]
    across = [one for one in above if one[3] > one[1]]
    bottom = max([top, *(one[2] for one in above), *(top + 1 for _ in across)])
    below: Cells = {}
    for row in range(top + 1, min(bottom, top + HIGHEST) + 1):
        for column, text in head.get(row, {}).items():
            below.setdefault(column, {})[row] = text
    over = {column: one[1] for one in across for column in below if one[1] <= column <= one[3]}
    own = head.get(top, {})
    # Unless a field's own name reaches down to it, a row with cells under names of one column alone holds a record.
    reaches = any(one[2] > top and plain(own.get(one[1], "")) in meaning for one in above)
    if bottom > top + HIGHEST or (not reaches and any(column in own and column not in over for column in below)):
        bottom, below = top, {}
    names = {}
    for column in sorted({*own, *below}):
        upper = own.get(over.get(column, column), "")
        parts = [upper, *(text for _, text in sorted(below.get(column, {}).items()))]
        tried = ["".join(parts), *reversed(parts)]
        known = (meaning.get(name) or meaning.get(plain(name)) for name in tried if name)
        names[column] = next(filter(None, known), tried[0])
    return bottom, names, top


def write(out: BinaryIO, dialect: Dialect, names: Names, chunks: Iterable[Mapping[str | None, pl.DataFrame]]) -> None:
    """Write a sheet per node: every cell a text; with `numbers` an amount of at most 15 digits is a number, shown with
    its scale (read again it is equal, 1.50 as 1.5). The same records give the same bytes.

    Raises MedpayError for what a workbook cannot hold, or would not give back.
    """
    import xlsxwriter  # slow to load, and only needed here
    from xlsxwriter.exceptions import FileCreateError, XlsxWriterException

    with files.storage(Path(tempfile.gettempdir())):  # its sheets wait there
        try:
            book = xlsxwriter.Workbook(out, OPTIONS)
            book.set_properties({"created": WRITTEN})
            sheets = {
                node.name: _Written(
                    book, book.add_worksheet(node.name or dialect.sheet), node, names[node.name], dialect
                )
                for node in dialect.parts
            }
            for chunk in chunks:
                for name, frame in chunk.items():
                    sheets[name].add(frame)
            for sheet in sheets.values():
                sheet.finish()
            book.close()
        except FileCreateError as err:
            raise err.args[0] from err
        except XlsxWriterException as err:
            raise MedpayError("dialect_fault", path=dialect.name, reason=str(err)) from err


# What looks like a formula, a link or a number stays the text that it is.
OPTIONS = {
    "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
}  # fmt: skip
WRITTEN = datetime(2000, 1, 1)


class _Written:
    """A sheet in the making."""

    def __init__(self, book: Any, sheet: Any, node: Node, names: tuple[str, ...], dialect: Dialect) -> None:
        self._sheet, self._names, self._dialect = sheet, names, dialect
        self._row = dialect.preamble
        fields = _fields(node) if dialect.numbers else {}
        self._numbers = {
            at: (fields[name], book.add_format({"num_format": _shown(fields[name].scale)}))
            for at, name in enumerate(names)
            if name in fields and fields[name].form in ("money", "decimal")
        }
        if len(names) > MOST_COLUMNS:
            raise MedpayError("not_written", dialect=dialect.name, place=f"{len(names)} > {MOST_COLUMNS}")
        if dialect.header:
            headings = {field: heading for heading, field in reversed([*dialect.headings.items()])}
            self._put([headings.get(name, name) for name in names])
            sheet.freeze_panes(self._row, 0)

    def add(self, frame: pl.DataFrame) -> None:
        """Append records."""
        check_kept(frame, self._names, self._dialect)
        text = frame.select(self._names)
        for record in text.with_columns(pl.col(name).replace("", None) for name in self._names).iter_rows():
            self._put(record)

    def finish(self) -> None:
        """What stands behind the last record."""
        for begins in self._dialect.footer:
            self._put([begins])

    def _put(self, cells: Iterable[str | None]) -> None:
        row, is_blank = self._row, True
        if row >= MOST_ROWS:
            raise MedpayError("not_written", dialect=self._dialect.name, place=f"> {MOST_ROWS}")
        for column, cell in enumerate(cells):
            if cell is None:
                continue
            is_blank = False
            field, form = self._numbers.get(column, (None, None))
            if field is not None and _is_exact(cell, field):
                self._sheet.write_number(row, column, float(cell), form)
            elif (
                len(cell) + sum(letter > "\uffff" for letter in cell if len(cell) * 2 > MOST_CHARACTERS)
                > MOST_CHARACTERS
            ):
                place = f"{letters(column + 1)}{row + 1}: > {MOST_CHARACTERS}"
                raise MedpayError("not_written", dialect=self._dialect.name, place=place)
            else:
                self._sheet.write_string(row, column, cell)
        if is_blank:
            # Nobody could tell a record without a cell from a blank row.
            raise MedpayError("not_written", dialect=self._dialect.name, place=f"{row + 1}: -")
        self._row += 1


def _shown(scale: int) -> str:
    return f"0.{'0' * scale}" if scale else "0"


def _is_exact(text: str, field: Field) -> bool:
    """Whether a number cell holds the amount to the last digit."""
    digits = len(text) - text.count("-") - text.count(".")
    return digits <= MOST_DIGITS and re.fullmatch(money.grammar(field.digits, field.scale)[1:-1], text) is not None
