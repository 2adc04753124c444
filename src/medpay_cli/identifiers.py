"""Identifiers told apart: well formed or malformed, damaged by a spreadsheet, unknown to the list at hand.

Everything here is an expression over a text column, null where the text is absent. The kinds are data:
`schemas/identifiers.toml`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import polars as pl

from medpay_cli import config, files
from medpay_cli.errors import MedpayError

# Codes of the list `gend`.
MALE, FEMALE = "1", "2"


@dataclass(frozen=True)
class Place:
    """Where a division stands in an identifier, and which ones are known there."""

    at: int
    width: int
    known: frozenset[str]
    unlisted: str | None


@dataclass(frozen=True)
class Kind:
    """One kind of identifier: what is well formed, what a spreadsheet leaves, and where we know that from."""

    name: str
    titles: dict[str, str]
    pattern: str
    check: str | None
    damage: str
    place: Place | None
    list_types: tuple[str, ...]
    confidence: str
    source: str


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by its name."""
    data = _data()
    return {name: _kind(name, data) for name in data["kinds"]}


def kind(name: str) -> Kind:
    """The kind of that name. Raises MedpayError naming the others."""
    if name not in kinds():
        raise MedpayError("unknown_identifier", name=name, known=", ".join(kinds()))
    return kinds()[name]


def malformed(name: str, column: pl.Expr, as_of: date | None = None) -> pl.Expr:
    """True where the text is no identifier of that kind: its shape or what it checks itself by is wrong.

    Nobody is born after `as_of`, by default today.
    """
    one = kind(name)
    sound = column.str.contains(one.pattern)
    if one.check:
        sound = sound & CHECKS[one.check](column, as_of or date.today())
    return pl.when(column.is_not_null()).then(~sound.fill_null(value=False))


def damaged(name: str, column: pl.Expr, as_of: date | None = None) -> pl.Expr:
    """True where it is malformed in a way that only a spreadsheet does: digits lost, or written so that none are."""
    return _among(column, column.str.contains(kind(name).damage), lambda left: malformed(name, left, as_of))


def unknown(name: str, column: pl.Expr, as_of: date | None = None) -> pl.Expr:
    """True where it is well formed and its division or province is none that we know; for kinds that have a `place`."""
    place = kind(name).place
    if place is None:
        raise ValueError(f"no list says which {name} exist")
    known = column.str.slice(place.at, place.width).is_in(sorted(place.known))
    if place.unlisted:
        known = known | column.str.starts_with(place.unlisted)
    return _among(column, ~known, lambda left: ~malformed(name, left, as_of))


def _among(column: pl.Expr, suspected: pl.Expr, judged: Callable[[pl.Expr], pl.Expr]) -> pl.Expr:
    """What is suspected and judged so. Few are suspected, and what is null costs the judging next to nothing."""
    left = pl.when(suspected).then(column)
    return pl.when(column.is_not_null()).then(judged(left).fill_null(value=False))


def birth(column: pl.Expr, as_of: date | None = None) -> pl.Expr:
    """The day of birth in a citizen ID; null where that is malformed."""
    return pl.when(~malformed("citizen_id", column, as_of)).then(_born(column))


def sex(column: pl.Expr, as_of: date | None = None) -> pl.Expr:
    """The sex in a citizen ID as a code of the list `gend`; null where that is malformed."""
    # The last digit before the check digit, and of 15 digits the last one.
    digit = column.str.slice(14, 3).str.tail(1)
    code = pl.when(digit.is_in(list("13579"))).then(pl.lit(MALE)).otherwise(pl.lit(FEMALE))
    return pl.when(~malformed("citizen_id", column, as_of)).then(code)


def family(column: pl.Expr) -> pl.Expr:
    """The family of a catalogue code as a code of the list `list_type`; null where its shape tells none."""
    return pl.coalesce(pl.when(shaped).then(pl.lit(types[0])) for shaped, types in _families(column))


def of_other_family(column: pl.Expr, list_type: pl.Expr) -> pl.Expr:
    """True where a catalogue code stands under a list type of other families; null where its shape tells none.

    Under a list type of which no family is known (preparations, others) everything may stand.
    """
    families = list(_families(column))
    told = list_type.is_in([each for _, types in families for each in types])
    return pl.coalesce(pl.when(shaped).then(told & ~list_type.is_in(types)) for shaped, types in families)


def _families(column: pl.Expr) -> Iterator[tuple[pl.Expr, tuple[str, ...]]]:
    """Each family: where a code has its shape, and the list types that it may stand under."""
    for one in kinds().values():
        if one.list_types:
            yield column.str.contains(one.pattern), one.list_types


def _citizen_id(column: pl.Expr, as_of: date) -> pl.Expr:
    """A province, a day of birth, and of 18 digits the check digit (ISO 7064 MOD 11-2)."""
    long = column.str.len_bytes() == 18
    head = column.str.head(2)
    abroad = head.is_in(_data()["divisions"]["regions"]) | head.str.starts_with("9")
    place = head.is_in(sorted(_provinces())) | (long & abroad)
    # Each digit weighs twice the next one. 13 is 2 modulo 11, and 17 digits of base 13 fit 64 bits: one parse sums up.
    value = column.str.head(17).str.to_integer(base=13, strict=False)
    last = column.cast(pl.Binary).bin.get(-1, null_on_oob=True)
    check = pl.when(last > ord("9")).then(10).otherwise(last.cast(pl.Int64) - ord("0"))
    return place & (_born(column) <= as_of) & (~long | ((value % 11 * 2 + check) % 11 == 1))


def _born(column: pl.Expr) -> pl.Expr:
    """The date in it; null where the calendar has none such."""
    digits = (
        pl.when(column.str.len_bytes() == 18)
        .then(column.str.slice(6, 8))
        .otherwise(pl.lit("19") + column.str.slice(6, 6))
    )
    # Days of birth seldom repeat: without a cache it takes half the time.
    return digits.str.to_date("%Y%m%d", strict=False, cache=False)


def _uscc(column: pl.Expr, _: date) -> pl.Expr:
    """The values of its characters, weighed by the powers of 3, and the check character sum up to a multiple of 31."""
    weights = [*(3**place % 31 for place in range(17)), 1]
    raw = column.cast(pl.Binary)
    values = [_value(raw.bin.get(place, null_on_oob=True)).cast(pl.Int16) for place in range(18)]
    return pl.sum_horizontal(value * weight for value, weight in zip(values, weights, strict=True)) % 31 == 0


def _value(byte: pl.Expr) -> pl.Expr:
    """0 to 9 count as they are and letters on from 10; those left out do not count. Bytes: a quarter of the memory."""
    letters = ord("A") - ord("9") - 1
    value = byte - ord("0") - (byte > ord("9")).cast(pl.UInt8) * letters
    for each in "IOSV":
        value = value - (byte > ord(each)).cast(pl.UInt8)
    return value


def _msgid(column: pl.Expr, _: date) -> pl.Expr:
    """Its 14 digits after the institution are a moment."""
    return column.str.slice(12, 14).str.to_datetime("%Y%m%d%H%M%S", strict=False).is_not_null()


CHECKS: dict[str, Callable[[pl.Expr, date], pl.Expr]] = {
    "citizen_id": _citizen_id,
    "uscc": _uscc,
    "msgid": _msgid,
}


@cache
def _data() -> config.Document:
    return config.parse(files.schemas() / "identifiers.toml")


def _kind(name: str, data: config.Document) -> Kind:
    body = data["kinds"][name]
    parts = [data["kinds"][other] for other in body.get("any_of", ())] + [body]
    damages = [f"^(?:{part['damage']})$" for part in parts if "damage" in part]
    return Kind(
        name=name,
        titles={"zh": body["zh"], "en": body["en"]},
        pattern=f"^(?:{'|'.join(part['shape'] for part in parts if 'shape' in part)})$",
        check=body.get("check"),
        damage="|".join([*data["damage"].values(), *damages]),
        place=_place(body["division"]) if "division" in body else None,
        list_types=tuple(body.get("list_types", ())),
        confidence=body["confidence"],
        source=body["source"],
    )


def _place(division: dict[str, Any]) -> Place:
    known = _provinces() if division["width"] == 2 else _divisions()
    return Place(division["at"], division["width"], known | set(division.get("beside", ())), division.get("unlisted"))


@cache
def _divisions() -> frozenset[str]:
    more = _data()["divisions"]
    levels = {province + ending for province in _provinces() for ending in more["endings"]}
    return frozenset({*_listed(), *levels, *(region + "0000" for region in more["regions"]), more["state"]})


@cache
def _provinces() -> frozenset[str]:
    """The first two digits of every province with something in the list."""
    return frozenset(code[:2] for code in _listed())


@cache
def _listed() -> frozenset[str]:
    """The divisions in the list."""
    path = files.schemas() / "codes" / f"{_data()['divisions']['list']}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return frozenset(row["code"] for row in csv.DictReader(file))
