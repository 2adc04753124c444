"""Matching: what becomes of every key of two sides, stated once on narwhals for every engine.

The meaning is fixed by `docs/reconcile.md`; the words `ours` and `theirs` are the first and the second side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
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
# In the order in which a key is tried; `matched` is what is left.
CLASSES = ("only_ours", "only_theirs", "duplicate", "amount_differs", "status_differs", MATCHED)


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
    part is a key of its own. Listed is every class but `matched`, and what was within tolerance: `class`, the key,
    `records_<side>`, `repeated`, per amount `<name>_<side>` and `<name>_<side>_present`, per status `<name>_<side>`.
    """
    keys = _classed(nw.from_native(ours).lazy(), nw.from_native(theirs).lazy(), on).collect()
    within = [_moved(name) & ~nw.col("repeated") for name in on.amounts]
    return Matched(
        classes=_class_sums(keys, on),
        listed=keys.filter((nw.col("class") != MATCHED) | _any(within)).to_polars(),
        keys={side: len(keys.filter(nw.col(f"records_{side}") > 0)) for side in SIDES},
    )


def _classed(ours: nw.LazyFrame[Any], theirs: nw.LazyFrame[Any], on: Compared) -> nw.LazyFrame[Any]:
    both = nw.concat([_signed(ours, OURS, on), _signed(theirs, THEIRS, on)], how="vertical")
    complete = nw.all_horizontal(*(~nw.col(name).is_null() for name in on.key), ignore_nulls=False)
    keyed = _per_key(both.filter(complete), on)
    unequal = _unequal(both.filter(complete), keyed, on)
    joined = keyed.join(unequal, on=list(on.key), how="left")
    classed = joined.with_columns(_class(on).alias("class")).drop("unequal")
    leftover = _alone(both.filter(~complete), on)
    return nw.concat([classed, leftover.select(classed.collect_schema().names())], how="vertical")


def _class_sums(keys: nw.DataFrame[Any], on: Compared) -> dict[str, ClassSums]:
    sums = keys.group_by("class").agg(
        nw.len().alias("keys"),
        nw.col("repeated").cast(nw.Int64).sum(),
        *(nw.col(f"records_{side}").sum() for side in SIDES),
        *(nw.col(f"{name}_{side}").sum() for name in on.amounts for side in SIDES),
    )
    classes = {}
    for row in sums.iter_rows(named=True):
        matched = row["class"] == MATCHED
        classes[row["class"]] = ClassSums(
            keys=row["keys"],
            records={side: row[f"records_{side}"] for side in SIDES},
            amounts={name: {side: row[f"{name}_{side}"] for side in SIDES} for name in on.amounts},
            repeated=row["repeated"] if matched else 0,
            tolerated=_tolerated(keys, on) if matched else {},
        )
    return classes


def _signed(side: nw.LazyFrame[Any], name: str, on: Compared) -> nw.LazyFrame[Any]:
    """A side's records with a column that tells the side: 1 for ours, -1 for theirs."""
    columns = dict.fromkeys((*on.key, *on.amounts, *on.statuses))
    return side.select(*columns, nw.lit(1 if name == OURS else -1, nw.Int64).alias("side"))


def _of(side: str) -> nw.Expr:
    """Whether a record belongs to the side."""
    return nw.col("side") > 0 if side == OURS else nw.col("side") < 0


def _one_if(test: nw.Expr) -> nw.Expr:
    return nw.when(test).then(nw.lit(1, nw.Int64)).otherwise(nw.lit(0, nw.Int64))


def _per_key(both: nw.LazyFrame[Any], on: Compared) -> nw.LazyFrame[Any]:
    columns = (*on.amounts, *on.statuses)
    amounts = [f"{name}_{side}" for name in on.amounts for side in SIDES]
    spread = both.with_columns(
        *(_one_if(_of(side)).alias(f"records_{side}") for side in SIDES),
        *(nw.when(_of(side)).then(nw.col(name)).alias(f"{name}_{side}") for name in columns for side in SIDES),
    )
    summed = spread.group_by(*on.key).agg(
        *(nw.col(f"records_{side}").sum() for side in SIDES),
        *(nw.col(amount).sum() for amount in amounts),
        *(nw.col(amount).count().cast(nw.Int64).alias(f"{amount}_present") for amount in amounts),
        *(nw.col(f"{name}_{side}").max() for name in on.statuses for side in SIDES),
    )
    return summed.with_columns(repeated=(nw.col("records_ours") > 1) | (nw.col("records_theirs") > 1))


def _unequal(both: nw.LazyFrame[Any], keyed: nw.LazyFrame[Any], on: Compared) -> nw.LazyFrame[Any]:
    """The repeated keys whose multisets of (amounts, statuses) differ between the sides."""
    key = list(on.key)
    repeated = keyed.filter(nw.col("repeated")).select(key)
    records = both.join(repeated, on=key, how="semi")
    if on.absent_is_zero:
        records = records.with_columns(nw.col(name).fill_null(Decimal(0)) for name in on.amounts)
    return (
        records.group_by(*dict.fromkeys((*key, *on.amounts, *on.statuses)))
        .agg(nw.col("side").sum())
        .filter(nw.col("side") != 0)
        .select(key)
        .unique()
        .with_columns(unequal=nw.lit(value=True))
    )


def _alone(incomplete: nw.LazyFrame[Any], on: Compared) -> nw.LazyFrame[Any]:
    """Records with an empty key part: each a leftover of its own."""
    here = {(name, side): _of(side) & ~nw.col(name).is_null() for name in on.amounts for side in SIDES}
    return incomplete.with_columns(
        nw.when(_of(OURS)).then(nw.lit("only_ours")).otherwise(nw.lit("only_theirs")).alias("class"),
        nw.lit(value=False).alias("repeated"),
        *(_one_if(_of(side)).alias(f"records_{side}") for side in SIDES),
        *(_one_if(test).alias(f"{name}_{side}_present") for (name, side), test in here.items()),
        *(
            nw.when(test).then(nw.col(name)).otherwise(_zero(on.amounts[name])).alias(f"{name}_{side}")
            for (name, side), test in here.items()
        ),
        *(nw.when(_of(side)).then(nw.col(name)).alias(f"{name}_{side}") for name in on.statuses for side in SIDES),
    )


def _class(on: Compared) -> nw.Expr:
    """The first class that applies, tried from the last to the first."""
    amounts = _any(_beyond(name, on) for name in on.amounts)
    statuses = _any(_other(name) for name in on.statuses)
    repeated, unequal = nw.col("repeated"), ~nw.col("unequal").is_null()
    found = nw.when(statuses & ~repeated).then(nw.lit("status_differs")).otherwise(nw.lit(MATCHED))
    found = nw.when(amounts & ~repeated).then(nw.lit("amount_differs")).otherwise(found)
    found = nw.when(unequal).then(nw.lit("duplicate")).otherwise(found)
    found = nw.when(nw.col("records_ours") == 0).then(nw.lit("only_theirs")).otherwise(found)
    return nw.when(nw.col("records_theirs") == 0).then(nw.lit("only_ours")).otherwise(found)


def _beyond(name: str, on: Compared) -> nw.Expr:
    """Whether an amount of a key with one record on each side differs by more than its tolerance."""
    limit = nw.lit(on.tolerance.get(name, Decimal(0))).cast(nw.Decimal(38, on.amounts[name]))
    gap = nw.col(f"{name}_ours") - nw.col(f"{name}_theirs")
    differs = (gap > limit) | (gap < _zero(on.amounts[name]) - limit)
    if on.absent_is_zero:
        return differs
    return differs | (nw.col(f"{name}_ours_present") != nw.col(f"{name}_theirs_present"))


def _other(name: str) -> nw.Expr:
    mine, other = nw.col(f"{name}_ours"), nw.col(f"{name}_theirs")
    return (
        (mine.is_null() & ~other.is_null())
        | (~mine.is_null() & other.is_null())
        | (mine != other).fill_null(value=False)
    )


def _moved(name: str) -> nw.Expr:
    return nw.col(f"{name}_ours") != nw.col(f"{name}_theirs")


def _tolerated(keys: nw.DataFrame[Any], on: Compared) -> dict[str, tuple[int, Decimal]]:
    matched = keys.filter((nw.col("class") == MATCHED) & ~nw.col("repeated"))
    found = {}
    for name in on.amounts:
        moved = matched.filter(_moved(name))
        if len(moved):
            ours, theirs = (Decimal(moved[f"{name}_{side}"].sum()) for side in SIDES)
            gap = money.total((ours, -theirs))
            found[name] = (len(moved), gap)
    return found


def _zero(scale: int) -> nw.Expr:
    return nw.lit(Decimal(0)).cast(nw.Decimal(38, scale))


def _any(tests: Iterable[nw.Expr]) -> nw.Expr:
    return reduce(lambda left, right: left | right, tests, nw.lit(value=False))
