"""Matching: what becomes of every key of two sides, stated once on narwhals for every engine.

The meaning is fixed by `docs/reconcile.md`; the words `ours` and `theirs` are the first and the second side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

import narwhals as nw

from medpay_cli import money
from medpay_cli.engines import IN_MEMORY, Engine
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

    @property
    def columns(self) -> tuple[str, ...]:
        """Everything that is compared."""
        return (*self.key, *self.amounts, *self.statuses)

    @property
    def by_place(self) -> Compared:
        """The same of columns that are called by their place: no two are alike to an engine that folds case."""
        place = places(self.key, self.amounts, self.statuses)
        return Compared(
            key=tuple(place[name] for name in self.key),
            amounts={place[name]: scale for name, scale in self.amounts.items()},
            statuses=tuple(place[name] for name in self.statuses),
            tolerance={place[name]: most for name, most in self.tolerance.items() if name in self.amounts},
            absent_is_zero=self.absent_is_zero,
        )


def places(*kinds: Iterable[str]) -> dict[str, str]:
    """What stands for each column of the key, the amounts and the statuses."""
    return {
        name: f"{kind}{number}" for kind, names in zip("kas", kinds, strict=True) for number, name in enumerate(names)
    }


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
    """One side as it was read: where from (and what was passed over there), how many records, and its sums; keys are
    counted by the matching."""

    name: str
    title: dict[str, str]
    path: str
    layout: str | None
    dialect: str | None
    records: int
    keys: int | None
    amounts: dict[str, Decimal]
    partner: str | None = None
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reconciliation:
    """What `reconcile` found. `classes` is None where a side cannot be judged. `seconds` says how long an engine other
    than Polars took, and to write what it read."""

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
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Matched:
    """Every class that occurs with its sums, the rows worth listing, the number of keys of each side, the different
    statuses of each side under every listed key that stands several times (the key, SIDE, the statuses), and the number
    of records of each side whose key stands several times there."""

    classes: dict[str, ClassSums]
    listed: pl.DataFrame
    keys: dict[str, int]
    several: pl.DataFrame
    repeated: dict[str, int]

    @classmethod
    def nothing(cls) -> Matched:
        """No keys at all."""
        import polars as pl

        return cls({}, pl.DataFrame(), dict.fromkeys(SIDES, 0), pl.DataFrame(), dict.fromkeys(SIDES, 0))

    def and_of(self, other: Matched) -> Matched:
        """Both, of keys that they do not share."""
        import polars as pl

        for name, sums in other.classes.items():
            self.classes.setdefault(name, ClassSums()).add(sums)
        return Matched(
            self.classes,
            pl.concat([self.listed, other.listed]) if self.listed.width else other.listed,
            {side: count + other.keys[side] for side, count in self.keys.items()},
            pl.concat([self.several, other.several]) if self.several.width else other.several,
            {side: count + other.repeated[side] for side, count in self.repeated.items()},
        )

    def called(self, on: Compared) -> Matched:
        """The same of a match on columns that stood for these (`Compared.by_place`)."""
        real = dict(zip(on.by_place.amounts, on.amounts, strict=True))
        classes = {
            name: replace(
                sums,
                amounts={real[one]: of_side for one, of_side in sums.amounts.items()},
                tolerated={real[one]: gap for one, gap in sums.tolerated.items()},
            )
            for name, sums in self.classes.items()
        }
        columns = dict(zip(on.by_place.columns, on.columns, strict=True))
        for side in SIDES:
            for place, name in zip(on.by_place.columns, on.columns, strict=True):
                columns |= {of(place, side): of(name, side), of(place, side, "present"): of(name, side, "present")}
        listed, several = (
            frame.rename({old: new for old, new in columns.items() if old in frame.columns})
            for frame in (self.listed, self.several)
        )
        return Matched(classes, listed, self.keys, several, self.repeated)


def match(ours: Any, theirs: Any, on: Compared, engine: Engine = IN_MEMORY) -> Matched:
    """Class every key of two frames (of any engine that narwhals knows).

    Both hold the key and status columns as text and the amounts as Decimal that fits their scale. A record with an
    empty key part is a key of its own. Listed is every class but `matched`, and what was within tolerance, in the
    columns CLASS, the key, REPEATED, and per side `of(RECORDS, side)`, `of(amount, side)`, `of(amount, side,
    "present")` and `of(status, side)`.
    """

    def keep(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        kept: nw.LazyFrame[Any] = nw.from_native(engine.keep(nw.to_native(frame))).lazy()
        return kept

    def fetch(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
        return engine.fetch(nw.to_native(frame))

    key = list(on.key)
    sides = (nw.from_native(one).lazy() for one in (ours, theirs))
    both = nw.concat([_signed(one, side, on) for one, side in zip(sides, SIDES, strict=True)], how="vertical")
    complete = nw.all_horizontal(*(~nw.col(name).is_null() for name in key), ignore_nulls=False)
    records = both.filter(complete)
    keyed = keep(_per_key(records, on))
    unequal = keep(_unequal(records, keyed, on))
    classed = keyed.join(unequal, on=key, how="left").with_columns(_class(on).alias(CLASS)).drop(UNEQUAL)
    leftover = _alone(both.filter(~complete), on)
    keys = nw.concat([classed, leftover.select(classed.collect_schema().names())], how="vertical")
    classes, counted, often = _class_sums(fetch(_summed(keys, on)), on)
    within = _any(_moved(name) & ~nw.col(REPEATED) for name in on.amounts)
    listed = fetch(keys.filter((nw.col(CLASS) != MATCHED) | within))
    repeated = classed.filter(nw.col(REPEATED) & (nw.col(CLASS) != MATCHED)).select(key)
    statuses = records.join(repeated, on=key, how="semi").group_by(*key, SIDE, *on.statuses).agg(nw.len().alias(KEYS))
    return Matched(classes, listed, counted, fetch(statuses.drop(KEYS)), often)


def _summed(keys: nw.LazyFrame[Any], on: Compared) -> nw.LazyFrame[Any]:
    """One row per class."""
    single = (nw.col(CLASS) == MATCHED) & ~nw.col(REPEATED)
    moved = {name: single & _moved(name) for name in on.amounts}
    spread = keys.with_columns(
        _one_if(nw.col(REPEATED)).alias(REPEATED),
        *(_one_if(nw.col(of(RECORDS, side)) > 0).alias(of(KEYS, side)) for side in SIDES),
        *(_several(side).alias(of(RECORDS, side, REPEATED)) for side in SIDES),
        *(_one_if(test).alias(of(name, "moved")) for name, test in moved.items()),
        *(
            nw.when(test).then(_gap(name)).otherwise(_zero(on.amounts[name])).alias(of(name, "gap"))
            for name, test in moved.items()
        ),
    )
    counts = [REPEATED, *(of(what, side) for what in (KEYS, RECORDS) for side in SIDES)]
    counts += [of(RECORDS, side, REPEATED) for side in SIDES]
    counts += [of(name, "moved") for name in on.amounts]
    amounts = [of(name, what) for name in on.amounts for what in (*SIDES, "gap")]
    return spread.group_by(CLASS).agg(
        nw.len().cast(nw.Int64).alias(KEYS),
        *(nw.col(count).sum().cast(nw.Int64) for count in counts),
        *(nw.col(amount).sum() for amount in amounts),
    )


def _class_sums(sums: pl.DataFrame, on: Compared) -> tuple[dict[str, ClassSums], dict[str, int], dict[str, int]]:
    """The sums of every class, the number of keys of each side, and that of its records with a repeated one."""
    classes, keys, often = {}, dict.fromkeys(SIDES, 0), dict.fromkeys(SIDES, 0)
    for row in sums.iter_rows(named=True):
        classes[row[CLASS]] = ClassSums(
            keys=row[KEYS],
            records={side: row[of(RECORDS, side)] for side in SIDES},
            amounts={name: {side: row[of(name, side)] for side in SIDES} for name in on.amounts},
            repeated=row[REPEATED] if row[CLASS] == MATCHED else 0,
            tolerated={
                name: (row[of(name, "moved")], row[of(name, "gap")]) for name in on.amounts if row[of(name, "moved")]
            },
        )
        keys = {side: count + row[of(KEYS, side)] for side, count in keys.items()}
        often = {side: count + row[of(RECORDS, side, REPEATED)] for side, count in often.items()}
    return classes, keys, often


def _signed(side: nw.LazyFrame[Any], name: str, on: Compared) -> nw.LazyFrame[Any]:
    """A side's records with a column that tells the side: 1 for ours, -1 for theirs."""
    amounts = (nw.col(amount).cast(nw.Decimal(38, scale)) for amount, scale in on.amounts.items())
    return side.select(*on.key, *amounts, *on.statuses, nw.lit(1 if name == OURS else -1, nw.Int64).alias(SIDE))


def _of(side: str) -> nw.Expr:
    """Whether a record belongs to the side."""
    return nw.col(SIDE) > 0 if side == OURS else nw.col(SIDE) < 0


def _one_if(test: nw.Expr) -> nw.Expr:
    return nw.when(test).then(nw.lit(1, nw.Int64)).otherwise(nw.lit(0, nw.Int64))


def _several(side: str) -> nw.Expr:
    """The records of a side where there are several."""
    records = nw.col(of(RECORDS, side))
    return nw.when(records > 1).then(records).otherwise(nw.lit(0, nw.Int64))


def _per_key(both: nw.LazyFrame[Any], on: Compared) -> nw.LazyFrame[Any]:
    columns = (*on.amounts, *on.statuses)
    amounts = [of(name, side) for name in on.amounts for side in SIDES]
    spread = both.with_columns(
        *(_one_if(_of(side)).alias(of(RECORDS, side)) for side in SIDES),
        *(nw.when(_of(side)).then(nw.col(name)).alias(of(name, side)) for name in columns for side in SIDES),
    )
    summed = spread.group_by(*on.key).agg(
        *(nw.col(of(RECORDS, side)).sum().cast(nw.Int64) for side in SIDES),
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
        records = records.with_columns(
            nw.when(~nw.col(name).is_null()).then(nw.col(name)).otherwise(_zero(scale)).alias(name)
            for name, scale in on.amounts.items()
        )
    return (
        records.group_by(*key, *on.amounts, *on.statuses)
        .agg(nw.col(SIDE).sum())
        .filter(nw.col(SIDE) != 0)
        .group_by(*key)
        .agg(nw.len().alias(UNEQUAL))
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
    gap = _gap(name)
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


def _gap(name: str) -> nw.Expr:
    return nw.col(of(name, OURS)) - nw.col(of(name, THEIRS))


def _moved(name: str) -> nw.Expr:
    return nw.col(of(name, OURS)) != nw.col(of(name, THEIRS))


def _zero(scale: int) -> nw.Expr:
    return nw.lit(Decimal(0)).cast(nw.Decimal(38, scale))


def _any(tests: Iterable[nw.Expr]) -> nw.Expr:
    return reduce(lambda left, right: left | right, tests, nw.lit(value=False))
