"""The kinds of sentence that rules state: sums, shares, products, comparisons. Each shows its arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from medpay_cli import layouts, money
from medpay_cli.layouts import Field, Layout
from medpay_cli.rules import Sentence


@dataclass(frozen=True)
class Part:
    """A column that adds to a sum, or is taken from it; an optional one adds nothing where it is absent."""

    name: str
    is_less: bool = False
    is_optional: bool = False

    @property
    def amount(self) -> pl.Expr:
        """What it adds."""
        column = pl.col(self.name)
        if self.is_optional:
            column = column.fill_null(money.yuan(0))
        return -column if self.is_less else column

    def shown(self, *, first: bool) -> pl.Expr:
        """The column's name and what stands in it, behind its sign; nothing for an optional one that is absent."""
        sign = " - " if self.is_less else "" if first else " + "
        text = pl.concat_str(pl.lit(f"{sign}{self.name} "), pl.col(self.name))
        return text.fill_null("") if self.is_optional else text


def less(name: str) -> Part:
    """A column that is taken from a sum."""
    return Part(name, is_less=True)


def any_of(name: str) -> Part:
    """A column that adds nothing where it is absent: not every edition has it."""
    return Part(name, is_optional=True)


def equal(whole: str, *parts: str | Part, where: pl.Expr | None = None, mark: str | None = None) -> Sentence:
    """An amount is the sum of its parts; `mark` is a column that only such records have."""
    terms = _terms(parts)
    total = summed(terms)
    off = pl.col(whole) - total
    shown = pl.concat_str(
        *(term.shown(first=not number) for number, term in enumerate(terms)),
        pl.lit(" = "), total, pl.lit(" (Δ "), off, pl.lit(")"),
    )  # fmt: skip
    return Sentence(
        whole, lambda tolerance: _only(where, _within(off, tolerance)), shown, _optional(terms), _marks(where, mark)
    )


def at_most(name: str, *parts: str | Part, where: pl.Expr | None = None) -> Sentence:
    """An amount is not more than a sum."""
    terms = _terms(parts)
    most = summed(terms)
    shown = pl.concat_str(
        pl.lit("<= "), *(term.shown(first=not number) for number, term in enumerate(terms)),
        pl.lit(" = "), most, pl.lit(" (Δ "), (pl.col(name) - most), pl.lit(")"),
    )  # fmt: skip
    return Sentence(
        name,
        lambda tolerance: _only(where, pl.col(name) - most <= money.yuan(tolerance)),
        shown,
        _optional(terms),
        _marks(where),
    )


def inside(part: str, whole: str) -> Sentence:
    """An amount is contained in another: nearer to nothing, on the same side of it; refunds are negative."""
    inner, outer = pl.col(part), pl.col(whole)
    zero = money.yuan(0)
    between = ((inner >= zero) & (inner <= outer)) | ((inner <= zero) & (inner >= outer))
    return Sentence(
        part,
        lambda tolerance: between | ((inner - outer).abs() <= money.yuan(tolerance)),
        pl.concat_str(pl.lit(f"<= {whole} "), outer),
    )


def product(whole: str, left: str, right: str) -> Sentence:
    """An amount is a product, rounded half up to the fen (a refund's away from zero)."""
    shown = pl.concat_str(
        pl.lit(f"{left} "), pl.col(left), pl.lit(f" x {right} "), pl.col(right),
        pl.lit(" = "), money.product(pl.col(left), pl.col(right)),
    )  # fmt: skip
    return Sentence(
        whole, lambda tolerance: money.is_product(pl.col(whole), pl.col(left), pl.col(right), tolerance), shown
    )


def true(holds: pl.Expr, at: str, expected: pl.Expr | str, optional: Sequence[str] = ()) -> Sentence:
    """Anything else; no tolerance has a meaning for it."""
    text = pl.lit(expected) if isinstance(expected, str) else expected
    return Sentence(at, lambda _: holds, text, frozenset(optional), is_relation=False)


def is_code(name: str, *meanings: str, of: str | None = None) -> pl.Expr:
    """Whether a code means one of these, in whatever edition it is written."""
    same = layouts.canonical(of or name)
    written = [*meanings, *(code for code, meaning in same.items() if meaning in meanings)]
    return pl.col(name).is_in(written)


def is_identifier(layout: Layout, number: Field) -> pl.Expr | None:
    """Whether a record says that a field of it is an identifier; None where it always is."""
    listed = {one.name: one.codes or one.open_codes for one in layout.fields}
    conditions = [
        is_code(name, *values, of=codes) if (codes := listed[name]) else pl.col(name).is_in(values)
        for name, values in number.identifier_when.items()
    ]
    return pl.all_horizontal(conditions) if conditions else None


def summed(terms: Sequence[Part]) -> pl.Expr:
    """The sum of some parts."""
    total = terms[0].amount
    for term in terms[1:]:
        total = total + term.amount
    return total


def _terms(parts: Sequence[str | Part]) -> list[Part]:
    return [Part(part) if isinstance(part, str) else part for part in parts]


def _optional(terms: Sequence[Part]) -> frozenset[str]:
    return frozenset(term.name for term in terms if term.is_optional)


def _marks(where: pl.Expr | None, *marks: str | None) -> frozenset[str]:
    named = [] if where is None else where.meta.root_names()
    return frozenset([*named, *(mark for mark in marks if mark)])


def _within(off: pl.Expr, tolerance: Decimal) -> pl.Expr:
    return off.abs() <= money.yuan(tolerance) if tolerance else off == money.yuan(0)


def _only(where: pl.Expr | None, holds: pl.Expr) -> pl.Expr:
    """Where the condition is not met there is nothing to judge, and nothing wrong."""
    return holds if where is None else pl.when(where).then(holds).when(~where).then(pl.lit(value=True))
