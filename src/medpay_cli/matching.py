"""Matching: what becomes of every key of two sides, stated once on narwhals for every engine.

The meaning is fixed by `docs/reconcile.md`; the words `ours` and `theirs` are the first and the second side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

import narwhals as nw

from medpay_cli import money
from medpay_cli.findings import Outcome

if TYPE_CHECKING:
    import polars as pl

OURS, THEIRS = "ours", "theirs"
SIDES = (OURS, THEIRS)
MATCHED = "matched"
# Columns of our own beside the user's, whose names hold no control character.
SIDE, CLASS, REPEATED, UNEQUAL, RECORDS = "\x1fside", "\x1fclass", "\x1frepeated", "\x1funequal", "\x1frecords"
KEYS = "\x1fkeys"
# In the order in which a key is tried; `matched` is what is left.
CLASSES = ("only_ours", "only_theirs", "duplicate", "amount_differs", "status_differs", MATCHED)


def of(name: str, side: str, what: str = "") -> str:
    """The column of `match` that holds a side's records, amount (or, with `present`, how many there are) or status."""
    return "\x1f" + "_".join(part for part in (name, side, what) if part)


@dataclass(frozen=True)
class Compared:
    """Which columns decide: the key, amounts with their scale, statuses, and what may differ."""

    key: tuple[str, ...]
    amounts: dict[str, int]
    statuses: tuple[str, ...] = ()
    tolerance: dict[str, Decimal] = field(default_factory=dict)
    absent_is_zero: bool = False


@dataclass
class ClassSums:
    """One class: its keys, records and sums per side. Amounts in yuan."""

    keys: int = 0
    records: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    amounts: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    repeated: int = 0
    tolerated: dict[str, tuple[int, Decimal]] = field(default_factory=dict)

    def add(self, other: ClassSums) -> None:
        """Take another part of the same class in."""
        self.keys += other.keys
        self.repeated += other.repeated
        for side in SIDES:
            self.records[side] += other.records[side]
        for name, sums in other.amounts.items():
            mine = self.amounts.get(name, dict.fromkeys(SIDES, Decimal(0)))
            self.amounts[name] = {side: money.total((mine[side], sums[side])) for side in SIDES}
        for name, (keys, difference) in other.tolerated.items():
            had = self.tolerated.get(name, (0, Decimal(0)))
            self.tolerated[name] = (had[0] + keys, money.total((had[1], difference)))


@dataclass(frozen=True)
class Group:
    """Records and sums of both sides with the same values in the group columns."""

    by: dict[str, str | None]
    sums: ClassSums = field(default_factory=ClassSums)


@dataclass(frozen=True)
class Side:
    """One side as it was read: where from, how many records, and its sums; keys are counted by the matching."""

    name: str
    title: dict[str, str]
    path: str
    layout: str | None
    dialect: str | None
    records: int
    keys: int | None
    amounts: dict[str, Decimal]
    partner: str | None = None


@dataclass(frozen=True)
class Reconciliation:
    """What `reconcile` found. `classes` is None where a side cannot be judged."""

    recipe: str | None
    engine: str
    compared: Compared
    sides: tuple[Side, ...]
    counts: list[dict[str, Any]]
    groups: list[Group]
    classes: dict[str, ClassSums] | None
    differences: pl.DataFrame | None
    advice: dict[str, dict[str, str]]
    exit_code: int
    noted: Outcome
    incomplete: str | None = None


@dataclass(frozen=True)
class Matched:
    """Every class that occurs with its sums, the rows worth listing, and the number of keys of each side."""

    classes: dict[str, ClassSums]
    listed: pl.DataFrame
    keys: dict[str, int]


def match(ours: Any, theirs: Any, on: Compared) -> Matched:
    """Class every key of two frames (of any engine that narwhals knows).

    Both hold the key and status columns as text and the amounts as Decimal of their scale. A record with an empty key
    part is a key of its own. Listed is every class but `matched`, and what was within tolerance, in the columns CLASS,
    the key, REPEATED, and per side `of(RECORDS, side)`, `of(amount, side)`, `of(amount, side, "present")` and
    `of(status, side)`.
    """
    keys = _classed(nw.from_native(ours).lazy(), nw.from_native(theirs).lazy(), on).collect()
    within = [_moved(name) & ~nw.col(REPEATED) for name in on.amounts]
    return Matched(
        classes=_class_sums(keys, on),
        listed=keys.filter((nw.col(CLASS) != MATCHED) | _any(within)).to_polars(),
        keys={side: len(keys.filter(nw.col(of(RECORDS, side)) > 0)) for side in SIDES},
    )


def _classed(ours: nw.LazyFrame[Any], theirs: nw.LazyFrame[Any], on: Compared) -> nw.LazyFrame[Any]:
    both = nw.concat([_signed(ours, OURS, on), _signed(theirs, THEIRS, on)], how="vertical")
    complete = nw.all_horizontal(*(~nw.col(name).is_null() for name in on.key), ignore_nulls=False)
    keyed = _per_key(both.filter(complete), on)
    unequal = _unequal(both.filter(complete), keyed, on)
    joined = keyed.join(unequal, on=list(on.key), how="left")
    classed = joined.with_columns(_class(on).alias(CLASS)).drop(UNEQUAL)
    leftover = _alone(both.filter(~complete), on)
    return nw.concat([classed, leftover.select(classed.collect_schema().names())], how="vertical")


def _class_sums(keys: nw.DataFrame[Any], on: Compared) -> dict[str, ClassSums]:
    sums = keys.group_by(CLASS).agg(
        nw.len().alias(KEYS),
        nw.col(REPEATED).cast(nw.Int64).sum(),
        *(nw.col(of(RECORDS, side)).sum() for side in SIDES),
        *(nw.col(of(name, side)).sum() for name in on.amounts for side in SIDES),
    )
    classes = {}
    for row in sums.iter_rows(named=True):
        matched = row[CLASS] == MATCHED
        classes[row[CLASS]] = ClassSums(
            keys=row[KEYS],
            records={side: row[of(RECORDS, side)] for side in SIDES},
            amounts={name: {side: row[of(name, side)] for side in SIDES} for name in on.amounts},
            repeated=row[REPEATED] if matched else 0,
            tolerated=_tolerated(keys, on) if matched else {},
        )
    return classes


def _signed(side: nw.LazyFrame[Any], name: str, on: Compared) -> nw.LazyFrame[Any]:
    """A side's records with a column that tells the side: 1 for ours, -1 for theirs."""
    columns = dict.fromkeys((*on.key, *on.amounts, *on.statuses))
    return side.select(*columns, nw.lit(1 if name == OURS else -1, nw.Int64).alias(SIDE))


def _of(side: str) -> nw.Expr:
    """Whether a record belongs to the side."""
    return nw.col(SIDE) > 0 if side == OURS else nw.col(SIDE) < 0


def _one_if(test: nw.Expr) -> nw.Expr:
    return nw.when(test).then(nw.lit(1, nw.Int64)).otherwise(nw.lit(0, nw.Int64))


def _per_key(both: nw.LazyFrame[Any], on: Compared) -> nw.LazyFrame[Any]:
    columns = (*on.amounts, *on.statuses)
    amounts = [of(name, side) for name in on.amounts for side in SIDES]
    spread = both.with_columns(
        *(_one_if(_of(side)).alias(of(RECORDS, side)) for side in SIDES),
        *(nw.when(_of(side)).then(nw.col(name)).alias(of(name, side)) for name in columns for side in SIDES),
    )
    summed = spread.group_by(*on.key).agg(
        *(nw.col(of(RECORDS, side)).sum() for side in SIDES),
        *(nw.col(amount).sum() for amount in amounts),
        *(nw.col(amount).count().cast(nw.Int64).alias(f"{amount}_present") for amount in amounts),
        *(nw.col(of(name, side)).max() for name in on.statuses for side in SIDES),
    )
    return summed.with_columns(((nw.col(of(RECORDS, OURS)) > 1) | (nw.col(of(RECORDS, THEIRS)) > 1)).alias(REPEATED))


def _unequal(both: nw.LazyFrame[Any], keyed: nw.LazyFrame[Any], on: Compared) -> nw.LazyFrame[Any]:
    """The repeated keys whose multisets of (amounts, statuses) differ between the sides."""
    key = list(on.key)
    repeated = keyed.filter(nw.col(REPEATED)).select(key)
    records = both.join(repeated, on=key, how="semi")
    if on.absent_is_zero:
        records = records.with_columns(nw.col(name).fill_null(Decimal(0)) for name in on.amounts)
    return (
        records.group_by(*dict.fromkeys((*key, *on.amounts, *on.statuses)))
        .agg(nw.col(SIDE).sum())
        .filter(nw.col(SIDE) != 0)
        .select(key)
        .unique()
        .with_columns(nw.lit(value=True).alias(UNEQUAL))
    )


def _alone(incomplete: nw.LazyFrame[Any], on: Compared) -> nw.LazyFrame[Any]:
    """Records with an empty key part: each a leftover of its own."""
    here = {(name, side): _of(side) & ~nw.col(name).is_null() for name in on.amounts for side in SIDES}
    return incomplete.with_columns(
        nw.when(_of(OURS)).then(nw.lit("only_ours")).otherwise(nw.lit("only_theirs")).alias(CLASS),
        nw.lit(value=False).alias(REPEATED),
        *(_one_if(_of(side)).alias(of(RECORDS, side)) for side in SIDES),
        *(_one_if(test).alias(of(name, side, "present")) for (name, side), test in here.items()),
        *(
            nw.when(test).then(nw.col(name)).otherwise(_zero(on.amounts[name])).alias(of(name, side))
            for (name, side), test in here.items()
        ),
        *(nw.when(_of(side)).then(nw.col(name)).alias(of(name, side)) for name in on.statuses for side in SIDES),
    )


def _class(on: Compared) -> nw.Expr:
    """The first class that applies, tried from the last to the first."""
    amounts = _any(_beyond(name, on) for name in on.amounts)
    statuses = _any(_other(name) for name in on.statuses)
    repeated, unequal = nw.col(REPEATED), ~nw.col(UNEQUAL).is_null()
    found = nw.when(statuses & ~repeated).then(nw.lit("status_differs")).otherwise(nw.lit(MATCHED))
    found = nw.when(amounts & ~repeated).then(nw.lit("amount_differs")).otherwise(found)
    found = nw.when(unequal).then(nw.lit("duplicate")).otherwise(found)
    found = nw.when(nw.col(of(RECORDS, OURS)) == 0).then(nw.lit("only_theirs")).otherwise(found)
    return nw.when(nw.col(of(RECORDS, THEIRS)) == 0).then(nw.lit("only_ours")).otherwise(found)


def _beyond(name: str, on: Compared) -> nw.Expr:
    """Whether an amount of a key with one record on each side differs by more than its tolerance."""
    # Amounts have no more decimals than the scale, so the tolerance may lose its own below that, downwards.
    unit = Decimal(1).scaleb(-on.amounts[name])
    most = Decimal(10) ** 20
    tolerance = min(on.tolerance.get(name, Decimal(0)), most).quantize(unit, rounding=ROUND_FLOOR)
    limit = nw.lit(tolerance).cast(nw.Decimal(38, on.amounts[name]))
    gap = nw.col(of(name, OURS)) - nw.col(of(name, THEIRS))
    differs = (gap > limit) | (gap < _zero(on.amounts[name]) - limit)
    if on.absent_is_zero:
        return differs
    return differs | (nw.col(of(name, OURS, "present")) != nw.col(of(name, THEIRS, "present")))


def _other(name: str) -> nw.Expr:
    mine, other = nw.col(of(name, OURS)), nw.col(of(name, THEIRS))
    return (
        (mine.is_null() & ~other.is_null())
        | (~mine.is_null() & other.is_null())
        | (mine != other).fill_null(value=False)
    )


def _moved(name: str) -> nw.Expr:
    return nw.col(of(name, OURS)) != nw.col(of(name, THEIRS))


def _tolerated(keys: nw.DataFrame[Any], on: Compared) -> dict[str, tuple[int, Decimal]]:
    matched = keys.filter((nw.col(CLASS) == MATCHED) & ~nw.col(REPEATED))
    found = {}
    for name in on.amounts:
        moved = matched.filter(_moved(name))
        if len(moved):
            ours, theirs = (Decimal(moved[of(name, side)].sum()) for side in SIDES)
            gap = money.total((ours, -theirs))
            found[name] = (len(moved), gap)
    return found


def _zero(scale: int) -> nw.Expr:
    return nw.lit(Decimal(0)).cast(nw.Decimal(38, scale))


def _any(tests: Iterable[nw.Expr]) -> nw.Expr:
    return reduce(lambda left, right: left | right, tests, nw.lit(value=False))
