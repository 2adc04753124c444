"""Records of a batch become records of the target: whole columns at a time, and a finding for every unknown code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from medpay_cli import findings
from medpay_cli.formats import LINE, ROW, Batch
from medpay_cli.mappings import joins
from medpay_cli.mappings.expressions import Formula, typed_as
from medpay_cli.mappings.plans import Column, Plan
from medpay_cli.transform.joining import Partners

UNMAPPED, REPAIRED, ALONE, SEVERAL = "M101", "M103", "M104", "M105"
# So many codes of a table are named in a finding.
SHOWN = 12


@dataclass(frozen=True)
class Mapped:
    """A batch in the target's layout, holding the records that could be mapped; the rows (from 1) of those that the
    mapping does not want."""

    batch: Batch
    left_out: pl.Series


def mapped(plan: Plan, batch: Batch, accepted: pl.DataFrame, partners: Sequence[Partners] = ()) -> Mapped:
    """Map the accepted records of a batch, each with what its partners in other inputs hold."""
    wanted = _chosen(plan, accepted) if not plan.where_joins else accepted
    alone: list[pl.DataFrame] = []
    for partner in partners:
        wanted, some = _joined(plan, partner, wanted)
        alone += some
    if plan.where_joins:
        wanted = _chosen(plan, wanted)
        alone = [one.filter(pl.col("row").is_in(wanted[ROW].implode())) for one in alone]
    is_all = wanted.height == accepted.height
    left_out = accepted[ROW].clear() if is_all else accepted[ROW].filter(~accepted[ROW].is_in(wanted[ROW].implode()))
    typed = _typed(plan, wanted)
    cells = [_cells(column, wanted, typed) for column in plan.columns]
    text = pl.DataFrame([wanted[ROW], wanted[LINE], *cells])
    faults = [_unmapped(column, wanted, cell, plan) for column, cell in zip(plan.columns, cells, strict=True)]
    lost = [*alone, *(one for one in faults if one is not None)]
    for one in lost:
        text = text.filter(~pl.col(ROW).is_in(one["row"].implode()))
    notes = [_changed(column, wanted, cell) for column, cell in zip(plan.columns, cells, strict=True)]
    found = pl.concat([findings.none(), *lost, *(one for one in notes if one is not None)])
    target = replace(
        batch,
        text=text,
        faults=found.sort("line", "row", "field", "code", maintain_order=True),
        columns={},
        declared=(),
        widths={},
    )
    return Mapped(target, left_out)


def _chosen(plan: Plan, records: pl.DataFrame) -> pl.DataFrame:
    """The records that the mapping wants."""
    if plan.where is None:
        return records
    return records.filter(plan.where.on(_typed(plan, records)).fill_null(value=False))


def _joined(plan: Plan, partners: Partners, wanted: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Records beside what their partners hold, without those that are left out for want of one; a finding for each that
    has none, or several."""
    join = partners.join
    of_keys = _typed(plan, wanted)
    wanted, times = partners.beside(wanted, [_text(one, of_keys, wanted.height) for one in join.by.values()])
    if join.if_none == joins.LEFT_OUT:
        wanted, times = wanted.filter(times > 0), times.filter(times > 0)
    takes = (one.name for one in plan.columns if one.formula and one.formula.fields & join.taken)
    kinds = [(SEVERAL, times > 1), *([(ALONE, times == 0)] if join.if_none == joins.FINDING else [])]
    name = next(takes, plan.columns[0].name)
    made = [
        findings.frame(
            code, wanted.select(ROW, LINE, times.alias(UNMAPPED)).filter(wrong), row=pl.col(ROW), line=pl.col(LINE),
            field=name, value=pl.col(UNMAPPED).cast(pl.String), expected=f"{join.kind} ({', '.join(join.by)})",
        )
        for code, wrong in kinds if wrong.any()
    ]  # fmt: skip
    return wanted, made


def _typed(plan: Plan, accepted: pl.DataFrame) -> pl.DataFrame:
    """The fields that are reckoned with, amounts as Decimal: these records have passed the grammar of each."""
    formulas = [one.formula for one in plan.columns if one.formula and not one.copied]
    keys = [made for one in plan.joins for made in one.by.values()]
    fields = {name for one in (*formulas, *keys, plan.where) if one for name in one.fields}
    kinds = plan.kinds
    return accepted.select(pl.col(name).cast(typed_as(kinds[name])) for name in accepted.columns if name in fields)


def _cells(column: Column, wanted: pl.DataFrame, typed: pl.DataFrame) -> pl.Series:
    """A target column as text; what is empty is absent."""
    height = wanted.height
    if column.copied:
        return wanted[column.copied].alias(column.name)
    if column.formula is None:
        return pl.repeat(column.constant, height, dtype=pl.String, eager=True).alias(column.name)
    text = _text(column.formula, typed, height)
    if column.table is not None:
        text = text.replace_strict(column.table, default=None, return_dtype=pl.String)
    return text.alias(column.name)


def _text(formula: Formula, typed: pl.DataFrame, height: int) -> pl.Series:
    # A formula over no field has one value for all.
    made = formula.on(typed if typed.width else pl.DataFrame({"": pl.repeat(None, height, eager=True)}))
    text = made.cast(pl.String)
    return text.set(text == "", None)


def _unmapped(column: Column, wanted: pl.DataFrame, cells: pl.Series, plan: Plan) -> pl.DataFrame | None:
    """A finding for each record whose value the code table lacks."""
    if column.table is None or column.formula is None or cells.null_count() == 0:
        return None
    values = _text(column.formula, _typed(plan, wanted), wanted.height).alias(UNMAPPED)
    lost = values.is_not_null() & cells.is_null()
    rows = wanted.select(ROW, LINE).with_columns(values).filter(lost)
    if rows.is_empty():
        return None
    known = [*column.table][:SHOWN]
    expected = " | ".join([*known, *(["…"] if len(column.table) > SHOWN else [])])
    return findings.frame(
        UNMAPPED, rows, row=pl.col(ROW), line=pl.col(LINE), field=column.name, value=pl.col(UNMAPPED), expected=expected
    )


def _changed(column: Column, wanted: pl.DataFrame, cells: pl.Series) -> pl.DataFrame | None:
    """A note for each cell that a repair made another."""
    if column.repaired is None:
        return None
    before = wanted[column.repaired]
    rows = pl.DataFrame([wanted[ROW], wanted[LINE], before.alias(UNMAPPED), cells.alias(REPAIRED)])
    rows = rows.filter(before.ne_missing(cells))
    if rows.is_empty():
        return None
    return findings.frame(
        REPAIRED, rows, row=pl.col(ROW), line=pl.col(LINE), field=column.name, value=pl.col(UNMAPPED),
        expected=pl.col(REPAIRED).fill_null("-"),
    )  # fmt: skip
