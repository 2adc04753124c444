"""Days in order."""

from __future__ import annotations

from datetime import date

import polars as pl

from medpay_cli.layouts import Field, Layout
from medpay_cli.rules import Sentence, for_fields
from medpay_cli.rules.sentences import true

# What begins, and what ends it: the first that a layout has. No field of the exchange is called otherwise.
IN_ORDER = {
    "begndate": ("enddate",),
    "begin_date": ("end_date",),
    "begntime": ("endtime",),
    "stmt_begndate": ("stmt_enddate",),
    "setl_begn_date": ("setl_end_date",),
    "adm_time": ("dscg_time",),
    "brdy": ("begndate", "adm_time", "setl_time"),
    "rx_time": ("dispensed_at",),
    "review_machine_at": ("review_human_at",),
    "prior_visit_date": ("begntime",),
    "accident_date": ("enddate",),
}
DAY = 10
IN_ISO = ("date", "datetime")


@for_fields("C121")
def begins_after_it_ends(layout: Layout, field: Field, _: date) -> Sentence | None:
    """What begins does not begin after its end."""
    ends = (layout.field(name) for name in IN_ORDER.get(field.name, ()))
    end = next((one for one in ends if one is not None and _are_comparable(field, one)), None)
    if end is None:
        return None
    begun, ended = pl.col(field.name), pl.col(end.name)
    # A day and a time of that day are compared as days.
    fits = begun <= ended if field.form == end.form else begun.str.slice(0, DAY) <= ended.str.slice(0, DAY)
    return true(fits, field.name, pl.concat_str(pl.lit(f"<= {end.name} "), ended))


def _are_comparable(begin: Field, end: Field) -> bool:
    """Whether both are days or times as ISO writes them, or both written by the same pattern."""
    if begin.form in IN_ISO and end.form in IN_ISO:
        return True
    return begin.form is end.form is None and dict(begin.asserted).get("pattern") == dict(end.asserted).get("pattern")
