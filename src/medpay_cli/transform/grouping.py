"""Records summed up in groups: as many records of the target as there are groups, mapped and judged like any others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from medpay_cli import files, findings, formats, money
from medpay_cli.dialects import Dialect
from medpay_cli.errors import InternalError
from medpay_cli.findings import ERROR
from medpay_cli.formats import LINE, ROW, Batch
from medpay_cli.formats.archive import Input
from medpay_cli.judging import FOUND, VALID, Desk, Judgement, Measure, Terms, reject_repeated
from medpay_cli.mappings.expressions import AMOUNTS
from medpay_cli.mappings.plans import RECORDS, Plan
from medpay_cli.rules import together
from medpay_cli.transform.mapped import mapped

# So many frames of groups are held before they become one.
AT_ONCE = 64


def groups(frames: Iterator[pl.DataFrame], before: Plan) -> pl.DataFrame:
    """The groups of records that were mapped, in the order of their columns: text, sums, and the number of records."""
    sums = {one.name: one.scale for one in before.target.fields if one.form in AMOUNTS}
    by = [name for name in before.target.names if name not in sums]
    made: list[pl.DataFrame] = []
    for frame in frames:
        typed = frame.with_columns(pl.col(name).cast(pl.Decimal(38, scale)) for name, scale in sums.items())
        made.append(_summed(typed.with_columns(pl.lit(1, pl.Int64).alias(RECORDS)), by, sums))
        if len(made) > AT_ONCE:
            made = [_summed(pl.concat(made), by, sums)]
    if not made:
        return pl.DataFrame(schema=dict.fromkeys((*by, *sums, RECORDS), pl.String))
    return _summed(pl.concat(made), by, sums).sort(by, nulls_last=False).cast(pl.String)


def _summed(frame: pl.DataFrame, by: list[str], sums: dict[str, int]) -> pl.DataFrame:
    # A sum is known only where every amount is.
    return frame.group_by(by).agg(*(together.total(name).alias(name) for name in sums), pl.col(RECORDS).sum())


def judged(
    plan: Plan, found: pl.DataFrame, out: Path, node: str | None, dialect: Dialect, terms: Terms
) -> tuple[Judgement[None], pl.DataFrame]:
    """The groups as records of the target, and the judgement on them; `row` is the number of a group.

    Raises InternalError where a sum is not what it was.
    """
    rows = pl.int_range(1, found.height + 1, dtype=pl.UInt64, eager=True).alias(ROW)
    text = found.select(rows, pl.lit(None, pl.UInt64).alias(LINE), *plan.source.names)
    kinds = np.zeros(found.height, np.uint8)
    batch = Batch(text, findings.none(), found.height, kinds, is_odd=False, node=node)
    made = mapped(plan, batch, text).batch

    def again(wanted: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Iterator[pl.DataFrame]:
        yield made.text.filter(pl.Series(wanted[made.text[ROW].to_numpy() - 1]))

    desk = Desk[None](Measure.of(plan.target, terms), terms, lambda *_: None)
    names: formats.Names = {node: plan.target.names}
    desk.begin(Input(files.shown(str(out))), dialect, names, node, again)
    desk.take(made, desk.work(made))
    reject_repeated(desk)
    verdict = desk.made.verdict
    verdict.verdict = FOUND if desk.made.findings.count(ERROR) else VALID
    for name, field in plan.carried.items():
        summed = money.total(found[field].cast(pl.Decimal(38, verdict.scales[name])))
        if not desk.made.findings.total and summed != verdict.totals[name]:
            raise InternalError("tie_out", what=f"{field} → {name}", left=summed, right=verdict.totals[name])
    return desk.made, made.text.select(plan.target.names)
