"""Which of the records that were sent an answer accepts, refuses, says something of, or leaves without a word."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from medpay_cli.acknowledging import CLAIM
from medpay_cli.answers.reading import AT, CODE, STATUS, Answer
from medpay_cli.fingerprints import Flags

# A record that is accepted in part only is not accepted.
REFUSING, ACCEPTING, REMARKING = ("R", "P"), "A", "E"
WHY = "\x1fwhy"


@dataclass(frozen=True)
class Records:
    """What became of each record of a file, in order; the rows of the answer that give reasons (`row_no` that of the
    record), rows that are about no record that was sent (with WHY), and records that are said to be both."""

    accepted: Flags
    refused: Flags
    silent: Flags
    remarked: Flags
    reasons: pl.DataFrame
    stray: pl.DataFrame
    contradictory: list[int]

    @property
    def height(self) -> int:
        """How many records there are."""
        return len(self.accepted)

    @property
    def is_of_others_only(self) -> bool:
        """Whether the answer has no row for what it accepts without a word."""
        return not (self.accepted & ~self.remarked).any()

    def count(self, what: str) -> int:
        """How many are `accepted`, `refused` or `silent`."""
        return int(getattr(self, what).sum())

    def only(self, what: str) -> list[int]:
        """The numbers of those records, from 1."""
        found: list[int] = (np.flatnonzero(getattr(self, what)) + 1).tolist()
        return found

    def refused_whole(self) -> Records:
        """The same where the file was refused as a whole."""
        nothing = np.zeros(self.height, np.bool_)
        return replace(self, accepted=nothing, silent=nothing, refused=~nothing)

    def accepted_else(self) -> Records:
        """The same where whatever is not refused was accepted."""
        return replace(self, accepted=~self.refused, silent=np.zeros(self.height, np.bool_))


def resolved(answer: Answer, names: pl.DataFrame, records: int) -> Records:
    """What an answer says of so many records, which are called by these names (`row_no`, CLAIM)."""
    found, stray = _found(answer.of_records, names, records)
    refused, accepted, remarked = (
        _flags(found.filter(pl.col(STATUS).is_in(of)), records) for of in (REFUSING, [ACCEPTING], [REMARKING])
    )
    own = (accepted | remarked) & ~refused
    return Records(
        accepted=own,
        refused=refused,
        silent=~(own | refused),
        remarked=remarked,
        reasons=found.filter(pl.col(CODE).is_not_null()),
        stray=stray,
        contradictory=(np.flatnonzero(accepted & refused) + 1).tolist(),
    )


def _flags(rows: pl.DataFrame, records: int) -> Flags:
    made = np.zeros(records, np.bool_)
    made[rows["row_no"].to_numpy() - 1] = True
    return made


def _found(rows: pl.DataFrame, names: pl.DataFrame, records: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with the number of the record that they are about, and those that are about none. A record is found by
    its number, and by its name only where exactly one has it."""
    sent = names.with_columns(pl.col("row_no").cast(pl.Int64))
    if CLAIM not in sent.columns:
        sent = sent.with_columns(pl.lit(None, pl.String).alias(CLAIM))
    by_name = sent.filter(pl.col(CLAIM).is_not_null()).group_by(CLAIM).agg(
        pl.len().alias("times"), pl.col("row_no").first().alias("named")
    )  # fmt: skip
    by_number = sent.select("row_no", pl.col(CLAIM).alias("own"))
    known = (
        rows.join(by_name, on=CLAIM, how="left", maintain_order="left")
        .join(by_number, on="row_no", how="left", maintain_order="left")
        .with_columns(pl.col("times").fill_null(0))
    )
    has_number = pl.col("row_no").is_not_null()
    is_another = has_number & (pl.col(CLAIM) != pl.col("own")).fill_null(value=False)
    is_outside = has_number & ~pl.col("row_no").is_between(1, records)
    is_nameless = ~has_number & (pl.col("times") != 1)
    why = (
        pl.when(is_outside).then(pl.lit(f"1..{records}"))
        .when(is_another).then(pl.col("own"))
        .when(is_nameless).then(pl.lit("1 x, ") + pl.col("times").cast(pl.String) + " x")
    )  # fmt: skip
    kept = known.with_columns(
        pl.coalesce("row_no", "named").alias("row_no"), why.alias(WHY), is_outside.alias("outside")
    )
    is_stray = pl.col(WHY).is_not_null()
    return (
        kept.filter(~is_stray).select(rows.columns).sort("row_no", AT),
        kept.filter(is_stray),
    )
