"""Records and sums of amounts on their way: everything that came in went out, was rejected, or was left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import polars as pl

from medpay_cli import money
from medpay_cli.layouts import Layout

Sums = dict[str, Decimal]


@dataclass
class Conservation:
    """So many records, and what their amounts sum up to."""

    records: int = 0
    sums: Sums = field(default_factory=dict)

    def add(self, records: int, sums: Sums) -> None:
        """Some more."""
        self.records += records
        self.sums = {name: money.total((self.sums.get(name), sums.get(name))) for name in {**self.sums, **sums}}


def sums_of(amounts: pl.DataFrame, chosen: pl.Series) -> Sums:
    """The sums of the chosen records; a frame without columns has no rows either."""
    return money.sums(amounts.filter(chosen)) if amounts.width else {}


def summed(frame: pl.DataFrame, layout: Layout, names: tuple[str, ...]) -> Sums:
    """The sums of amounts, read from the text that is written."""
    fields = [one for one in layout.money if one.name in names]
    return money.sums(
        frame.select(money.amount(pl.col(one.name), one.digits, one.scale).alias(one.name) for one in fields)
    )


def written_sums(frame: pl.DataFrame, layout: Layout) -> Sums:
    """The sums of accepted records, read from the text that is written. These have passed the grammar of every amount,
    so that a plain cast loses nothing; it raises if not."""
    return money.sums(frame.select(pl.col(one.name).cast(pl.Decimal(38, one.scale)) for one in layout.money))
