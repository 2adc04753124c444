"""A rule is a sentence about whole records that must hold; it is found by the columns that it needs.

The sentences are functions in the modules of this package, their words and documents stand in `schemas/rules`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from medpay_cli.layouts import Field, Layout
from medpay_cli.partners import Profile

# What should have stood beside the value of a record that a rule does not hold for.
EXPECTED = "\x1fexpected"
# Beyond these a product of two columns would not fit 38 digits.
MOST_WHOLE, MOST_DECIMALS = 13, 6
MODULES = ("settlements", "fees", "claims", "dates", "persons", "codes", "prices")


@dataclass(frozen=True)
class Sentence:
    """What must hold of a record.

    `holds` gives, for a tolerance in yuan, an expression over typed columns (amounts Decimal, all else text) that is
    True where the record is right and null where a column that it needs is absent. A finding stands at `field`;
    `expected` is the text beside its value, worked out for broken records only. `optional` columns add nothing where
    they are absent, `marks` tell of which records it speaks. Where a relation between amounts lacks one of them, it is
    said that it was not judged.
    """

    field: str
    holds: Callable[[Decimal], pl.Expr]
    expected: pl.Expr
    optional: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    is_relation: bool = True

    @property
    def columns(self) -> list[str]:
        """Every column that it looks at."""
        names = (*self.holds(Decimal(0)).meta.root_names(), *self.expected.meta.root_names(), self.field)
        return sorted(set(names))

    @property
    def needs(self) -> list[str]:
        """The columns without which it cannot be judged."""
        return [name for name in self.columns if name not in self.optional]


@dataclass(frozen=True)
class Rule:
    """A code, its sentences for a layout, and the conventions under which it applies."""

    code: str
    sentences: Callable[[Layout, date], Iterator[Sentence]]
    conventions: Mapping[str, str]


_RULES: list[Rule] = []


def rule(code: str, **conventions: str) -> Callable[[Callable[[], Sentence]], Callable[[], Sentence]]:
    """Let a function that states a sentence be the rule `code`, where a profile has these conventions."""

    def add(function: Callable[[], Sentence]) -> Callable[[], Sentence]:
        _RULES.append(Rule(code, lambda *_: iter([function()]), conventions))
        return function

    return add


def for_fields(code: str, **conventions: str) -> Callable[[Callable[[Layout, Field, date], Sentence | None]], Any]:
    """Let a function that states a sentence of a field on a day, or None, be the rule `code`, where a profile has these
    conventions."""

    def add(function: Callable[[Layout, Field, date], Sentence | None]) -> Any:
        def sentences(layout: Layout, as_of: date) -> Iterator[Sentence]:
            made = (function(layout, one, as_of) for one in layout.fields)
            return (one for one in made if one is not None)

        _RULES.append(Rule(code, sentences, conventions))
        return function

    return add


def all_rules() -> list[Rule]:
    """Every rule about a record, by code."""
    for name in MODULES:
        importlib.import_module(f"{__name__}.{name}")
    return sorted(_RULES, key=lambda one: one.code)


class Broken(NamedTuple):
    """Records that a sentence does not hold for: the columns to keep, the field, and EXPECTED."""

    code: str
    field: str
    rows: pl.DataFrame


@dataclass(frozen=True)
class Held:
    """The rules that can be judged of a layout, the columns that they look at, and those that they lack.

    `lacking` tells of every relation of which a layout has the whole and another amount, but not all, which are
    missing, or which convention of the profile is.
    """

    sentences: tuple[tuple[str, Sentence], ...] = ()
    columns: tuple[Field, ...] = ()
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    profile: Profile = field(default_factory=Profile)

    def broken(
        self,
        typed: pl.DataFrame,
        records: Callable[[pl.Series], pl.DataFrame],
        lost: Callable[[str], pl.Series | None],
        keep: Sequence[str],
    ) -> tuple[list[Broken], dict[str, int]]:
        """The records that are wrong, with these columns of their text, and per code how many could not be judged for
        want of a value.

        `records` gives the text of those with a flag, `lost` says where a cell of a field stands that violates its
        layout.
        """
        if not self.sentences or typed.is_empty():
            return [], {}
        absent = {name for _, sentence in self.sentences for name in sentence.optional} - set(typed.columns)
        typed = typed.with_columns(pl.lit(None, pl.Decimal(38, 2)).alias(name) for name in absent)
        # Lazily, so that what several rules work out is worked out once.
        flags = (
            typed.lazy()
            .select(
                sentence.holds(self.profile.tolerance.get(code, Decimal(0))).alias(str(number))
                for number, (code, sentence) in enumerate(self.sentences)
            )
            .collect()
        )
        found: list[Broken] = []
        optional = {name for _, sentence in self.sentences for name in sentence.optional} - absent
        unknown = {name: places for name in optional if (places := lost(name)) is not None}
        silent: dict[str, pl.Series] = {}
        for number, (code, sentence) in enumerate(self.sentences):
            holds = flags[str(number)]
            for name in sentence.optional & unknown.keys():
                # What is there and violates its layout is not absent: nobody knows what it adds.
                holds = pl.select(pl.when(~unknown[name]).then(holds)).to_series()
            if sentence.is_relation and holds.null_count():
                lacks = holds.is_null() & typed[sentence.field].is_not_null()
                silent[code] = silent[code] | lacks if code in silent else lacks
            if not holds.all():
                names = dict.fromkeys((*keep, sentence.field))
                told = typed.filter(~holds).with_columns(sentence.expected.cast(pl.String).alias(EXPECTED))
                # A null is no finding.
                text = records(~holds.fill_null(value=True))
                found.append(Broken(code, sentence.field, text.select(*names, told[EXPECTED])))
        counted = {code: int(lacks.sum()) for code, lacks in silent.items()}
        return found, {code: count for code, count in counted.items() if count}


def held(layout: Layout, profile: Profile, applies: Callable[[str], bool], as_of: date | None = None) -> Held:
    """Which rules a layout is held against, on a day (today)."""
    day = as_of or date.today()
    sentences: list[tuple[str, Sentence]] = []
    lacking: dict[str, tuple[str, ...]] = {}
    at_hand = {one.name for one in layout.fields if _fits(one)}
    for one in all_rules():
        if not applies(one.code):
            continue
        said = {name: profile.conventions.get(name) for name in one.conventions}
        if any(value not in (None, one.conventions[name]) for name, value in said.items()):
            continue
        for sentence in one.sentences(layout, day):
            missing = [name for name in sentence.needs if name not in at_hand]
            missing += [f"conventions.{name}" for name, value in said.items() if value is None]
            if not missing:
                sentences += [(one.code, sentence)] if _is_typed(sentence, layout) else []
            elif _concerns(sentence, at_hand):
                lacking.setdefault(one.code, tuple(missing))
    looked_at = {name for _, sentence in sentences for name in sentence.columns}
    judged = {code for code, _ in sentences}
    return Held(
        tuple(sentences),
        tuple(one for one in layout.fields if one.name in looked_at),
        {code: missing for code, missing in lacking.items() if code not in judged},
        profile,
    )


def _is_typed(sentence: Sentence, layout: Layout) -> bool:
    """Whether the columns are what the sentence takes them for: some list writes its prices as words."""
    schema: dict[str, Any] = dict.fromkeys(sentence.optional, pl.Decimal(38, 2)) | dict.fromkeys(
        layout.names, pl.String
    )
    schema |= {one.name: pl.Decimal(38, one.scale) for one in layout.fields if one.form in ("money", "decimal")}
    try:
        pl.DataFrame(schema=schema).select(sentence.holds(Decimal(0)).alias("0"), sentence.expected.alias("1"))
    except pl.exceptions.PolarsError:
        return False
    return True


def _concerns(sentence: Sentence, at_hand: set[str]) -> bool:
    """Whether a sentence that cannot be judged speaks of such records all the same."""
    amounts = at_hand.intersection(sentence.needs) - sentence.marks
    return sentence.is_relation and {sentence.field, *sentence.marks} <= at_hand and len(amounts) > 1


def _fits(one: Field) -> bool:
    """Whether its numbers are small enough for exact products."""
    return one.form != "decimal" or (one.whole <= MOST_WHOLE and one.scale <= MOST_DECIMALS)
