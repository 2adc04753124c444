"""Identifiers: malformed, damaged by a spreadsheet, or of nothing that we know."""

from __future__ import annotations

from datetime import date

import polars as pl

from medpay_cli import identifiers
from medpay_cli.layouts import Field, Layout
from medpay_cli.rules import Sentence, for_fields
from medpay_cli.rules.sentences import is_identifier, true

VERIFIED = "verified"
LIST = "list_type"


@for_fields("C101")
def identifier_is_malformed(layout: Layout, field: Field, as_of: date) -> Sentence | None:
    """An identifier has the shape, the check digit and the date that its standard gives it."""
    return _sound(layout, field, as_of) if _confidence(field) == VERIFIED else None


@for_fields("C104")
def identifier_is_unlike_others(layout: Layout, field: Field, as_of: date) -> Sentence | None:
    """The same where we know the shape from samples only."""
    return _sound(layout, field, as_of) if _confidence(field) not in (VERIFIED, None) else None


@for_fields("C102")
def identifier_is_damaged(layout: Layout, field: Field, as_of: date) -> Sentence | None:
    """No spreadsheet took the digits of an identifier."""
    kind = _kind(layout, field)
    if kind is None:
        return None
    damaged = identifiers.damaged(kind, pl.col(field.name), as_of)
    return true(_where(layout, field, ~damaged), field.name, _named(field))


@for_fields("C103")
def division_is_unknown(layout: Layout, field: Field, as_of: date) -> Sentence | None:
    """The division in an identifier is one that there is."""
    kind = _kind(layout, field)
    if kind is None or identifiers.kind(kind).place is None:
        return None
    unknown = identifiers.unknown(kind, pl.col(field.name), as_of)
    return true(_where(layout, field, ~unknown), field.name, _named(field))


@for_fields("C131")
def code_is_of_another_family(layout: Layout, field: Field, _: date) -> Sentence | None:
    """A catalogue code stands under the list type of its family."""
    listed = layout.field(LIST)
    if field.identifier != "catalogue_code" or listed is None or LIST not in (listed.codes, listed.open_codes):
        return None
    column = pl.col(field.name)
    other = identifiers.of_other_family(column, pl.col(LIST))
    return true(~other, field.name, pl.concat_str(pl.lit(f"{LIST} "), pl.col(LIST)))


def _sound(layout: Layout, field: Field, as_of: date) -> Sentence | None:
    """A damaged one is told as such."""
    kind = _kind(layout, field)
    if kind is None:
        return None
    column = pl.col(field.name)
    malformed = identifiers.malformed(kind, column, as_of)
    sound = ~malformed | identifiers.damaged(kind, column, as_of)
    return true(_where(layout, field, sound), field.name, _named(field))


def _kind(layout: Layout, field: Field) -> str | None:
    """The kind of identifier that a field is where a layout can tell."""
    return field.identifier if field in layout.identified else None


def _confidence(field: Field) -> str | None:
    return identifiers.kind(field.identifier).confidence if field.identifier else None


def _where(layout: Layout, field: Field, holds: pl.Expr) -> pl.Expr:
    """Only where the record says that it is such an identifier."""
    condition = is_identifier(layout, field)
    return holds if condition is None else pl.when(condition).then(holds)


def _named(field: Field) -> str:
    return f"{field.identifier} {identifiers.kind(str(field.identifier)).titles['zh']}"
