"""What a price, a ceiling or a ratio owes itself."""

from __future__ import annotations

from datetime import date

import polars as pl

from medpay_cli.layouts import Field, Layout
from medpay_cli.rules import Sentence, for_fields
from medpay_cli.rules.sentences import true

PRICES = ("price", "price_lv1", "price_lv2", "price_lv3", "ceiling", "hilist_pric_uplmt_amt")
RATIOS = ("selfpay_prop", "pay_ratio", "pay_ratio_uninsured")
# The ceilings of a level are at least those of the levels below it.
BELOW = {"price_lv2": ("price_lv1",), "price_lv3": ("price_lv2", "price_lv1")}
# What an entry of a catalogue gives beside code and name.
CONTENT = ("service_content", "establishment_basis", "billing_unit", "billing_note")


@for_fields("C134")
def ratio_is_none(layout: Layout, field: Field, _: date) -> Sentence | None:
    """A ratio is a part of one."""
    if field.name not in RATIOS:
        return None
    return true(pl.col(field.name).is_between(0, 1), field.name, "0..1")


@for_fields("C231")
def price_is_negative(layout: Layout, field: Field, _: date) -> Sentence | None:
    """Nobody is paid for a service that is done to him."""
    return true(pl.col(field.name) >= 0, field.name, ">= 0") if field.name in PRICES else None


@for_fields("C232")
def price_is_below_that_of_a_lower_level(layout: Layout, field: Field, _: date) -> Sentence | None:
    """A hospital of a higher level may charge at least as much."""
    lower = BELOW.get(field.name, ())
    prices = [layout.field(name) for name in (field.name, *lower)]
    # A list may hold words where others hold prices.
    if not lower or not all(one is not None and one.form for one in prices):
        return None
    least = pl.max_horizontal(lower)
    return true(pl.col(field.name) >= least, field.name, pl.concat_str(pl.lit(">= "), least))


@for_fields("C233", price_list="catalogue")
def entry_is_not_described(layout: Layout, field: Field, _: date) -> Sentence | None:
    """Where price lists are catalogues an entry says what is done, for which unit, on what basis."""
    if field.name not in CONTENT or any(layout.field(name) is None for name in CONTENT):
        return None
    return true(pl.col(field.name).is_not_null(), field.name, "value")
