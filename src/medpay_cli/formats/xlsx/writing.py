"""Records as a workbook: every cell the text that it is, or an amount that a double holds to the last digit."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import xlsxwriter
from xlsxwriter.exceptions import FileCreateError, XlsxWriterException
from xlsxwriter.worksheet import Worksheet

from medpay_cli import files, layouts, messages, money
from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError
from medpay_cli.formats import Names
from medpay_cli.formats.cells import check_kept, not_written
from medpay_cli.formats.xlsx.serials import MOST_DIGITS
from medpay_cli.formats.xlsx.sheets import MOST_COLUMNS, MOST_ROWS, letters
from medpay_cli.layouts import Field

MOST_CHARACTERS = 32_767
# Columns are as wide as what stands in the first rows, within limits (in letters).
LOOKED_AT, LEAST_WIDE, MOST_WIDE = 1000, 8, 48
# What looks like a formula, a link or a number stays the text that it is.
OPTIONS = {
    "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
}  # fmt: skip
WRITTEN = datetime(2000, 1, 1)
# White space at the ends of a text, and what keeps it there.
SPACED, KEPT = r"^\s|\s$", '<t xml:space="preserve">'


def write(out: BinaryIO, dialect: Dialect, names: Names, chunks: Iterable[Mapping[str | None, pl.DataFrame]]) -> None:
    """Write a sheet per node: every cell a text; with `numbers` an amount of at most 15 digits is a number, shown with
    its scale (read again it is equal, 1.50 as 1.5). The same records give the same bytes.

    Raises MedpayError for what a workbook cannot hold, or would not give back.
    """
    try:
        with made(out) as book:
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
    except XlsxWriterException as err:
        raise MedpayError("dialect_fault", path=dialect.name, reason=str(err)) from err


@contextlib.contextmanager
def made(out: BinaryIO) -> Iterator[Any]:
    """A workbook to fill: nothing in a cell is taken for anything else, and the same cells give the same bytes."""
    # Its sheets wait in a folder of their own, of which nothing is left whatever happens.
    with files.storage(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="medpay-") as folder:
        try:
            book = _Book(out, {**OPTIONS, "tmpdir": folder})
            book.set_properties({"created": WRITTEN})
            yield book
            book.close()
        except FileCreateError as err:
            raise err.args[0] from err


class _Sheet(Worksheet):  # type: ignore[misc]
    """A sheet that also takes many rows at once: cell by cell they take the library many times as long."""

    def write_rows(self, row: int, rows: pl.DataFrame, forms: Sequence[Any], right: Any) -> None:
        """Rows from `row` (from 0) on, below all others: text cells, numbers in the form of their column, and amounts
        that no number holds as text in the form `right`.

        No text is empty, or holds what has to be escaped beside `&`, `<` and `>`.
        """
        last = row + rows.height - 1
        for corner in ((row, 0), (last, rows.width - 1)):
            self._check_dimensions(*corner)
        self._write_single_row(last)  # the row before, which was still open
        self.fh.write(_markup(row, rows, [_styled(form) for form in forms], _styled(right)))


class _Book(xlsxwriter.Workbook):  # type: ignore[misc]
    worksheet_class = _Sheet


def _styled(form: Any) -> str:
    return "" if form is None else f' s="{form._get_xf_index()}"'


def _markup(row: int, rows: pl.DataFrame, styles: Sequence[str], right: str) -> str:
    """Rows as they stand in a sheet; an absent cell is no cell."""
    number = pl.int_range(row + 1, row + 1 + rows.height).cast(pl.String)
    cells = []
    for at, (cell, style) in enumerate(zip(rows, styles, strict=True), 1):
        column, opened = pl.col(cell.name), pl.lit(f'<c r="{letters(at)}') + number
        if cell.dtype == pl.String:
            made = _text(opened, column, style, is_spaced=cell.str.contains(SPACED).any() is True)
        else:
            made = pl.concat_str(opened, pl.lit(f'"{style}><v>'), column.cast(pl.String), pl.lit("</v></c>"))
        if isinstance(cell.dtype, pl.Decimal):
            held = column.abs() < Decimal(10) ** (MOST_DIGITS - cell.dtype.scale)
            made = pl.when(held).then(made).otherwise(_text(opened, column.cast(pl.String), right, is_spaced=False))
        cells.append(made.fill_null(""))
    lines = pl.concat_str(pl.lit('<row r="'), number, pl.lit('">'), *cells, pl.lit("</row>"))
    joined: str = rows.select(lines.str.join("")).item()
    return joined


def _text(opened: pl.Expr, text: pl.Expr, style: str, *, is_spaced: bool) -> pl.Expr:
    begin = pl.lit("<t>")
    if is_spaced:
        begin = pl.when(text.str.contains(SPACED)).then(pl.lit(KEPT)).otherwise(begin)
    return pl.concat_str(opened, pl.lit(f'"{style} t="inlineStr"><is>'), begin, _escaped(text), pl.lit("</t></is></c>"))


def _escaped(text: pl.Expr) -> pl.Expr:
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.str.replace_all(sign, escaped, literal=True)
    return text


class _Written:
    """A sheet in the making."""

    def __init__(self, book: Any, sheet: Any, node: Node, names: tuple[str, ...], dialect: Dialect) -> None:
        self._sheet, self._names, self._dialect = sheet, names, dialect
        self._row = dialect.preamble
        self._widths = [LEAST_WIDE] * len(names)
        fields = {field.name: field for field in layouts.load(node.layout).fields} if dialect.numbers else {}
        self._numbers = {
            at: (fields[name], book.add_format({"num_format": _shown(fields[name].scale)}))
            for at, name in enumerate(names)
            if name in fields and fields[name].form in ("money", "decimal")
        }
        if len(names) > MOST_COLUMNS:
            raise not_written(self._dialect, "columns", f"{len(names)} > {MOST_COLUMNS}")
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
        for column, width in enumerate(self._widths):
            self._sheet.set_column(column, column, min(width + 1, MOST_WIDE))

    def _put(self, cells: Iterable[str | None]) -> None:
        row, is_blank = self._row, True
        if row >= MOST_ROWS:
            raise not_written(self._dialect, "rows", f"> {MOST_ROWS}")
        for column, cell in enumerate(cells):
            if cell is None:
                continue
            is_blank = False
            if row < LOOKED_AT:
                self._widths[column] = max(self._widths[column], messages.wide(cell))
            field, form = self._numbers.get(column, (None, None))
            if field is not None and _is_exact(cell, field):
                self._sheet.write_number(row, column, float(cell), form)
            elif is_too_long(cell):
                raise not_written(self._dialect, f"{letters(column + 1)}{row + 1}", f"> {MOST_CHARACTERS}")
            else:
                self._sheet.write_string(row, column, cell)
        if is_blank:
            # Nobody could tell a record without a cell from a blank row.
            raise not_written(self._dialect, f"{row + 1}:{row + 1}", "no cell")
        self._row += 1


def _shown(scale: int) -> str:
    return f"0.{'0' * scale}" if scale else "0"


def is_held(number: str) -> bool:
    """Whether a number cell holds a number in plain writing to the last digit."""
    return sum(letter.isdigit() for letter in number) <= MOST_DIGITS


def is_too_long(text: str) -> bool:
    """Excel counts characters beyond the first plane twice."""
    return len(text) * 2 > MOST_CHARACTERS and len(text.encode("utf-16-le")) // 2 > MOST_CHARACTERS


def _is_exact(text: str, field: Field) -> bool:
    """Whether a number cell holds the amount to the last digit."""
    return is_held(text) and re.fullmatch(money.grammar(field.digits, field.scale)[1:-1], text) is not None
