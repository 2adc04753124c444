"""A rule about several records: it looks at frames of columns, one per record kind, and tells which records are wrong.

The records may be those of one file, of the nodes of one message, or of a file named with `--against`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from medpay_cli.frames import Frames
from medpay_cli.partners import Profile
from medpay_cli.rules import EXPECTED

# The number of a record in its file; no field can be called so.
NUMBER = "\x1fnumber"
MODULES = ("batches", "ledgers", "periods")
# What people call the files that records are held against, and the kinds of record that these may hold.
AGAINST: Mapping[str, tuple[str, ...]] = {
    "lines": ("fee_line", "commercial_claim_line", "insurer_result_line"),
    "settlements": ("settlement",),
    "funds": ("settlement_fund",),
    "visits": ("visit",),
    "claims": ("commercial_claim",),
    "results": ("insurer_result",),
    "invoices": ("einvoice",),
    "lists": ("settlement_list",),
}


@dataclass(frozen=True)
class Together:
    """A code, the columns that it needs of each kind of record, and what it says of them.

    `judge` takes a lazy frame per kind (NUMBER and the columns: amounts Decimal, all else text) and gives NUMBER and
    EXPECTED of the records of the first kind that are wrong, EXPECTED null where nobody can tell; these findings stand
    at `field`. It applies under these `conventions` of a profile.
    """

    code: str
    field: str
    kinds: Mapping[str, tuple[str, ...]]
    judge: Callable[..., pl.LazyFrame]
    conventions: Mapping[str, str]

    @property
    def at(self) -> str:
        """The kind whose records it judges."""
        return next(iter(self.kinds))


_RULES: list[Together] = []


def together(
    code: str, field: str, *, conventions: Mapping[str, str] | None = None, **kinds: Sequence[str]
) -> Callable[[Callable[..., pl.LazyFrame]], Callable[..., pl.LazyFrame]]:
    """Let a function be the rule `code` about records of these kinds, given their columns."""

    def add(function: Callable[..., pl.LazyFrame]) -> Callable[..., pl.LazyFrame]:
        needed = {kind: tuple(columns) for kind, columns in kinds.items()}
        _RULES.append(Together(code, field, needed, function, conventions or {}))
        return function

    return add


def all_rules() -> list[Together]:
    """Every rule about several records, by code."""
    for name in MODULES:
        importlib.import_module(f"medpay_cli.rules.{name}")
    return sorted(_RULES, key=lambda one: one.code)


def columns(kind: str) -> tuple[str, ...]:
    """Whatever some rule looks at in records of a kind."""
    return tuple(dict.fromkeys(name for one in all_rules() for name in one.kinds.get(kind, ())))


def applying(profile: Profile, applies: Callable[[str], bool]) -> list[Together]:
    """The rules that a partner has no other convention than."""
    return [
        one
        for one in all_rules()
        if applies(one.code)
        and all(profile.conventions.get(name, said) == said for name, said in one.conventions.items())
    ]


def lacking(one: Together, at_hand: Mapping[str, Sequence[str]], profile: Profile) -> list[str]:
    """What a rule misses where these columns of these kinds are at hand: conventions of the partner, kinds as people
    call them, or columns."""
    missing = [f"conventions.{name}" for name in one.conventions if name not in profile.conventions]
    for kind, needed in one.kinds.items():
        if kind not in at_hand:
            missing.append(next((name for name, kinds in AGAINST.items() if kind in kinds), kind))
        else:
            missing += [f"{kind}.{name}" for name in needed if name not in at_hand[kind]]
    return missing


def judged(one: Together, gathered: Mapping[str, Frames]) -> tuple[pl.DataFrame, int]:
    """NUMBER and EXPECTED of the records that a rule finds wrong, in order, and of how many (of a group the first) it
    cannot tell."""
    frames = {kind: _scanned(gathered[kind]).select(NUMBER, *needed) for kind, needed in one.kinds.items()}
    told: Any = one.judge(**frames).select(NUMBER, EXPECTED).sort(NUMBER, EXPECTED).collect(engine="streaming")
    wrong = told.drop_nulls(EXPECTED)
    return wrong, told.height - wrong.height


def total(name: str) -> pl.Expr:
    """A sum that is only known where every amount is."""
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum())


def _scanned(frames: Frames) -> pl.LazyFrame:
    """Frames that are read when they are needed, not before."""
    from polars.io.plugins import register_io_source

    first = next(iter(frames), None)
    if first is None:
        raise ValueError("nothing was gathered")

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        del batch_size
        left = n_rows
        for frame in frames:
            made = frame if left is None else frame.head(left)
            left = None if left is None else left - made.height
            made = made.select(with_columns) if with_columns is not None else made
            yield made.filter(predicate) if predicate is not None else made

    return register_io_source(source, schema=first.schema, is_pure=True)
