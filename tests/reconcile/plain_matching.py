"""What becomes of two lists of records, said in plain Python: lists per key, multisets, exact decimals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)


@dataclass(frozen=True)
class Record:
    """One record, as far as it is compared; absent is None."""

    key: tuple[str | None, ...]
    amounts: tuple[Decimal | None, ...]
    statuses: tuple[str | None, ...] = ()
    groups: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Terms:
    """The names of what is compared, the decimals of each amount, and what may differ."""

    amounts: dict[str, int]
    statuses: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tolerance: dict[str, Decimal] = field(default_factory=dict)
    absent_is_zero: bool = False


@dataclass(frozen=True)
class Keyed:
    """One key with its records and its class."""

    verdict: str
    key: tuple[str | None, ...]
    ours: list[Record]
    theirs: list[Record]

    @property
    def repeated(self) -> bool:
        return len(self.ours) > 1 or len(self.theirs) > 1


def match(ours: list[Record], theirs: list[Record], terms: Terms) -> list[Keyed]:
    """The class of every key; a record with an empty key part is a leftover of its own."""
    alone = [Keyed("only_ours", record.key, [record], []) for record in ours if None in record.key]
    alone += [Keyed("only_theirs", record.key, [], [record]) for record in theirs if None in record.key]
    together: dict[tuple[str | None, ...], tuple[list[Record], list[Record]]] = {}
    for number, side in enumerate((ours, theirs)):
        for record in side:
            if None not in record.key:
                together.setdefault(record.key, ([], []))[number].append(record)
    return alone + [Keyed(_verdict(mine, others, terms), key, mine, others) for key, (mine, others) in together.items()]


def classes(keys: list[Keyed], terms: Terms) -> dict[str, Any]:
    """Every class that occurs, as the contract shows it."""
    return {verdict: _sums([one for one in keys if one.verdict == verdict], terms) for verdict in _verdicts(keys)}


def groups(ours: list[Record], theirs: list[Record], terms: Terms) -> list[dict[str, Any]]:
    """Counts and sums per value of the group columns."""
    if not terms.groups:
        return []
    found = dict.fromkeys(record.groups for record in (*ours, *theirs))
    return [
        {
            "by": dict(zip(terms.groups, values, strict=True)),
            "records": {side: len(_of(records, values)) for side, records in (("ours", ours), ("theirs", theirs))},
            "amounts": _amounts(_of(ours, values), _of(theirs, values), terms),
        }
        for values in found
    ]


def side(records: list[Record], terms: Terms) -> dict[str, Any]:
    """What is said of one side."""
    complete = {record.key for record in records if None not in record.key}
    return {
        "records": len(records),
        "keys": len(complete) + sum(None in record.key for record in records),
        "amounts": {
            name: written(_total(records, number), scale) for number, (name, scale) in enumerate(terms.amounts.items())
        },
    }


def bridge(ours: list[Record], theirs: list[Record], terms: Terms) -> dict[str, dict[str, str]]:
    """Σ ours − Σ theirs, which the classes have to explain."""
    return {name: {**sums, "explained": sums["difference"]} for name, sums in _amounts(ours, theirs, terms).items()}


def differences(keys: list[Keyed], terms: Terms) -> list[tuple[Any, ...]]:
    """The rows of differences without tier and advice, in no order."""
    return [_row(one, terms) for one in keys if one.verdict != "matched" or any(_gaps(one, terms))]


def written(amount: Decimal, scale: int) -> str:
    """Yuan with exactly `scale` decimals, never negative zero."""
    return f"{amount + 0:.{scale}f}"


def _verdict(ours: list[Record], theirs: list[Record], terms: Terms) -> str:
    if not theirs:
        return "only_ours"
    if not ours:
        return "only_theirs"
    if len(ours) > 1 or len(theirs) > 1:
        mine, others = (Counter(_contents(one, terms) for one in records) for records in (ours, theirs))
        return "matched" if mine == others else "duplicate"
    (mine,), (other,) = ours, theirs
    pairs = zip(terms.amounts, mine.amounts, other.amounts, strict=True)
    if not all(_agree(one, another, terms.tolerance.get(name, ZERO), terms) for name, one, another in pairs):
        return "amount_differs"
    return "matched" if mine.statuses == other.statuses else "status_differs"


def _contents(record: Record, terms: Terms) -> tuple[Any, ...]:
    amounts = tuple(amount or ZERO for amount in record.amounts) if terms.absent_is_zero else record.amounts
    return amounts, record.statuses


def _agree(one: Decimal | None, another: Decimal | None, tolerance: Decimal, terms: Terms) -> bool:
    if terms.absent_is_zero:
        one, another = one or ZERO, another or ZERO
    if one is None or another is None:
        return one is another
    return abs(one - another) <= tolerance


def _verdicts(keys: list[Keyed]) -> list[str]:
    return sorted({one.verdict for one in keys})


def _sums(keys: list[Keyed], terms: Terms) -> dict[str, Any]:
    ours = [record for one in keys for record in one.ours]
    theirs = [record for one in keys for record in one.theirs]
    matched = [one for one in keys if one.verdict == "matched"]
    tolerated = {}
    for number, (name, scale) in enumerate(terms.amounts.items()):
        gaps = [gap for one in matched if (gap := _gaps(one, terms)[number])]
        if gaps:
            tolerated[name] = {"keys": len(gaps), "difference": written(sum(gaps, ZERO), scale)}
    return {
        "keys": len(keys),
        "records": {"ours": len(ours), "theirs": len(theirs)},
        "repeated": sum(one.repeated for one in matched),
        "tolerated": tolerated,
        "by_tier": {},
        "amounts": _amounts(ours, theirs, terms),
    }


def _gaps(one: Keyed, terms: Terms) -> list[Decimal]:
    return [_total(one.ours, number) - _total(one.theirs, number) for number in range(len(terms.amounts))]


def _total(records: list[Record], number: int) -> Decimal:
    return sum((record.amounts[number] or ZERO for record in records), ZERO)


def _amounts(ours: list[Record], theirs: list[Record], terms: Terms) -> dict[str, dict[str, str]]:
    made = {}
    for number, (name, scale) in enumerate(terms.amounts.items()):
        mine, others = _total(ours, number), _total(theirs, number)
        of = {"ours": mine, "theirs": others, "difference": mine - others}
        made[name] = {what: written(amount, scale) for what, amount in of.items()}
    return made


def _of(records: list[Record], values: tuple[str | None, ...]) -> list[Record]:
    return [record for record in records if record.groups == values]


def _row(one: Keyed, terms: Terms) -> tuple[Any, ...]:
    sides = (one.ours, one.theirs)
    cells: list[Any] = [one.verdict, *one.key, len(one.ours), len(one.theirs)]
    for number, (gap, scale) in enumerate(zip(_gaps(one, terms), terms.amounts.values(), strict=True)):
        for records in sides:
            present = any(record.amounts[number] is not None for record in records)
            cells.append(written(_total(records, number), scale) if present else None)
        cells.append(written(gap, scale))
    for number in range(len(terms.statuses)):
        for records in sides:
            found = {status for record in records if (status := record.statuses[number]) is not None}
            cells.append(";".join(sorted(found)) or None)
    return tuple(cells)
