"""What a citizen's number says of the person, and the record too."""

from __future__ import annotations

from datetime import date

import polars as pl

from medpay_cli import identifiers
from medpay_cli.layouts import Field, Layout
from medpay_cli.rules import Sentence, for_fields
from medpay_cli.rules.sentences import is_identifier, true

CITIZEN = "citizen_id"
STATED = (identifiers.MALE, identifiers.FEMALE)


@for_fields("C111")
def sex_is_not_that_of_the_number(layout: Layout, field: Field, as_of: date) -> Sentence | None:
    """The sex is the one that the citizen's number tells."""
    number = _number(layout) if field.name == "gend" else None
    if number is None:
        return None
    told = identifiers.sex(_where(layout, number), as_of)
    same = pl.when(pl.col("gend").is_in(STATED)).then(pl.col("gend") == told)
    return true(same, "gend", number.name)


@for_fields("C112")
def birth_is_not_that_of_the_number(layout: Layout, field: Field, as_of: date) -> Sentence | None:
    """The day of birth is the one that the citizen's number tells."""
    number = _number(layout) if field.name == "brdy" else None
    if number is None:
        return None
    told = identifiers.birth(_where(layout, number), as_of).dt.strftime("%Y%m%d")
    written = pl.col("brdy").str.replace_all("-", "", literal=True).str.slice(0, 8)
    return true(written == told, "brdy", number.name)


def _number(layout: Layout) -> Field | None:
    return next((one for one in layout.identified if one.identifier == CITIZEN), None)


def _where(layout: Layout, number: Field) -> pl.Expr:
    """The number, where the record says that it is a citizen's."""
    condition = is_identifier(layout, number)
    return pl.col(number.name) if condition is None else pl.when(condition).then(number.name)
