"""Sheets of a workbook that is told: text stays text, an amount is a number where a cell holds it to the last digit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

import polars as pl

from medpay_cli import messages, money
from medpay_cli.formats.xlsx.sheets import MOST_ROWS
from medpay_cli.formats.xlsx.writing import LEAST_WIDE, LOOKED_AT, MOST_WIDE, is_held, is_too_long

# What XML cannot hold.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# What is written cell by cell: beside that what looks like an escape or a rich text of Excel, and empty text.
UNUSUAL = r"[\x00-\x1f\x{fffe}\x{ffff}]|_x[0-9A-Fa-f]{4}_|^<r>|^$"
LONGEST = 8_000
# So many rows are put together at a time.
AT_ONCE = 20_000
A4 = 9


@dataclass(frozen=True)
class Amount:
    """An exact number, and its decimals."""

    number: Decimal
    scale: int


Cell = str | int | Amount | None


class Sheets:
    """A sheet in the making, and others behind it for what it has no rows for."""

    def __init__(self, book: Any, name: str) -> None:
        self._book, self._name, self._number = book, name, count(2)
        self._bold = book.add_format({"bold": True})
        self._heading = book.add_format({"bold": True, "bottom": 1})
        self._over_numbers = book.add_format({"bold": True, "bottom": 1, "align": "right"})
        self._right = book.add_format({"align": "right"})
        self._forms: dict[int, Any] = {}
        self._repeated: tuple[list[str], frozenset[int]] | None = None
        self._widths: list[int] = []
        self._begin(name)

    def _begin(self, name: str) -> None:
        self._sheet, self._row = self._book.add_worksheet(name), 0
        self._sheet.set_paper(A4)
        self._sheet.set_landscape()
        self._sheet.fit_to_pages(1, 0)
        if self._repeated:
            self.head(*self._repeated)

    def title(self, text: str) -> None:
        """A line in bold."""
        self._write(0, text, self._bold)
        self._row += 1

    def head(self, names: list[str], numbers: Iterable[int] = (), *, is_frozen: bool = True) -> None:
        """The names of the columns, over `numbers` to the right; frozen ones stay in sight, and stand on every further
        sheet."""
        numbers = frozenset(numbers)
        for column, name in enumerate(names):
            self._write(column, name, self._over_numbers if column in numbers else self._heading)
            self._widen(column, name)
        self._row += 1
        if is_frozen:
            self._repeated = names, numbers
            self._sheet.freeze_panes(self._row, 0)
            self._sheet.repeat_rows(self._row - 1)

    def put(self, cells: Iterable[Cell]) -> None:
        """A row."""
        if self._row >= MOST_ROWS:
            self.finish()
            self._begin(f"{self._name} {next(self._number)}")
        for column, cell in enumerate(cells):
            if isinstance(cell, Amount):
                text = money.written(cell.number, cell.scale)
                if is_held(text):
                    self._sheet.write_number(self._row, column, float(text), self._form(cell.scale))
                else:
                    self._write(column, text, self._right)
                self._widen(column, _spaced(text))
            elif isinstance(cell, int):
                self._sheet.write_number(self._row, column, cell)
            elif cell is not None:
                self._write(column, cell)
                self._widen(column, cell)
        self._row += 1

    def put_all(self, rows: pl.DataFrame) -> None:
        """Every row of a frame: text, whole numbers, and amounts in a scale of their own."""
        scales = [dtype.scale if isinstance(dtype, pl.Decimal) else None for dtype in rows.dtypes]
        while rows.height:
            room = MOST_ROWS - self._row
            some = rows.head(min(AT_ONCE, room if room > 0 else 1))
            rows = rows.slice(some.height)
            if room <= 0 or not _is_plain(some):
                for row in some.iter_rows():
                    self.put(
                        value if scale is None or value is None else Amount(value, scale)
                        for value, scale in zip(row, scales, strict=True)
                    )
                continue
            self._widen_all(some.head(max(LOOKED_AT - self._row, 0)), scales)
            forms = [None if scale is None else self._form(scale) for scale in scales]
            self._sheet.write_rows(self._row, some, forms, self._right)
            self._row += some.height

    def finish(self) -> None:
        """The sheet is full."""
        for column, width in enumerate(self._widths):
            self._sheet.set_column(column, column, min(width + 2, MOST_WIDE))
        if self._repeated and self._row > 1:
            self._sheet.autofilter(0, 0, self._row - 1, len(self._repeated[0]) - 1)

    def _form(self, scale: int) -> Any:
        if scale not in self._forms:
            self._forms[scale] = self._book.add_format({"num_format": f"#,##0.{'0' * scale}" if scale else "#,##0"})
        return self._forms[scale]

    def _widen(self, column: int, text: str) -> None:
        while column >= len(self._widths):
            self._widths.append(LEAST_WIDE)
        if self._row < LOOKED_AT:
            self._widths[column] = max(self._widths[column], messages.wide(text))

    def _widen_all(self, rows: pl.DataFrame, scales: Sequence[int | None]) -> None:
        """The columns are as wide as what stands in these rows."""
        for column, (cells, scale) in enumerate(zip(rows, scales, strict=True)):
            for value in cells.drop_nulls().unique() if scale is not None or cells.dtype == pl.String else ():
                self._widen(column, value if scale is None else _spaced(money.written(value, scale)))

    def _write(self, column: int, text: str, form: Any = None) -> None:
        text = FORBIDDEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
        if is_too_long(text):  # a cell has no room for it; it stands whole in csv and ndjson
            text = f"{text[:LONGEST]}… ({len(text):,})"
        self._sheet.write_string(self._row, column, text, form)


def _spaced(amount: str) -> str:
    """An amount about as wide as it is shown."""
    return f"{amount},,,"


def _is_plain(rows: pl.DataFrame) -> bool:
    """Whether no text is long or has to be spelt another way."""
    texts = [pl.col(name) for name, dtype in rows.schema.items() if dtype == pl.String]
    odd = (text.str.contains(UNUSUAL) | (text.str.len_bytes() > LONGEST) for text in texts)
    return not any(rows.select(test.any() for test in odd).row(0)) if texts else True
