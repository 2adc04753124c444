"""What stands in the cells of records that fit: absent ones, spaces at the ends, records with a column too many."""

from __future__ import annotations

import polars as pl

from medpay_cli import findings, money
from medpay_cli.dialects import Dialect, Shifted
from medpay_cli.errors import MedpayError
from medpay_cli.formats import LINE, ROW

# What a shifted record is told by.
AMOUNT = money.grammar(16, 2)
BLANKS = " \t\u00a0\u3000"


def absent(cell: pl.Expr, dialect: Dialect) -> pl.Expr:
    """The cell, null where the dialect writes nothing so."""
    if len(dialect.nulls) == 1:
        return pl.when(cell != dialect.nulls[0]).then(cell)
    return pl.when(~cell.is_in(dialect.nulls)).then(cell) if dialect.nulls else cell


def unshifted(
    case: Shifted, place: dict[str, pl.Expr], columns: dict[str, pl.Expr], dialect: Dialect
) -> dict[str, pl.Expr]:
    """The fields of a record in which column `skip` is none, wherever the case's conditions hold.

    `columns` are the record's by their number, `place` are those of the fields.
    """
    present = {number: absent(columns[str(number)], dialect) for number in range(1, case.width + 1)}
    holds = pl.all_horizontal(
        *(present[number].is_null() for number in case.empty),
        *(present[number].str.contains(AMOUNT).fill_null(value=False) for number in case.amount),
        *(~present[number].str.contains(AMOUNT).fill_null(value=False) for number in case.not_amount),
    )
    kept = [columns[str(number)] for number in present if number != case.skip]
    return {
        name: pl.when(holds).then(kept[index] if index < len(kept) else None).otherwise(cell)
        for index, (name, cell) in enumerate(place.items())
    }


def trimmed(text: pl.DataFrame, names: tuple[str, ...]) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """The text without spaces around its cells, and a finding for each cell that had some."""
    cells = {name: pl.col(name).str.strip_chars(BLANKS) for name in names}
    notes = [
        findings.frame(
            "F105", text.filter(cell != pl.col(name)), row=pl.col(ROW), line=pl.col(LINE), field=name,
            value=pl.col(name),
        )
        for name, cell in cells.items()
    ]  # fmt: skip
    stripped = text.with_columns(pl.when(cell != "").then(cell).alias(name) for name, cell in cells.items())
    return stripped, [note for note in notes if not note.is_empty()]


def not_written(dialect: Dialect, place: str | None, reason: str) -> MedpayError:
    """What is said of a field, node, cell or layout whose records a dialect cannot hold."""
    return MedpayError("not_written", dialect=dialect.name, place=place or "-", reason=reason)


def check_kept(text: pl.DataFrame, names: tuple[str, ...], dialect: Dialect) -> None:
    """Raises MedpayError where a cell would be absent or another when it is read again in this dialect."""
    for name in names:
        cell = text[name]
        is_lost = cell.is_in(dialect.nulls)
        if dialect.trim:
            is_lost |= cell.str.strip_chars(BLANKS) != cell
        if is_lost.any():
            raise not_written(dialect, name, "would be read as another")
