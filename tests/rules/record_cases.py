"""The cases of rules about a record: what a rule says of one, and how a case is written."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from medpay_cli import checks, layouts, rules
from medpay_cli.formats import ROW
from medpay_cli.partners import Profile
from medpay_cli.rules import EXPECTED

# What has to be agreed upon before a rule can be judged.
AGREED = Profile(
    conventions={
        **Profile().conventions,
        "cash_payamt": "medfee_less_fund",
        "benefit": "of_eligible",
        "price_list": "catalogue",
    }
)


def broken(code, layout, record, profile=AGREED):
    """What a rule says of one record: pairs of field and what was expected."""
    layout = layouts.load(layout)
    held = rules.held(layout, profile, lambda one: one == code)
    text = pl.DataFrame(
        {ROW: [1], **{name: [record.get(name)] for name in layout.names}},
        dict.fromkeys(layout.names, pl.String) | {ROW: pl.UInt64},
    )
    amounts = [one for one in layout.fields if one.form in ("money", "decimal")]
    flagged = checks.flag(text, ())
    typed = checks.fitting(flagged, checks.amounts(flagged, amounts, ROW), held.columns, ROW)
    found, unjudged = held.broken(typed, text.filter, lambda name: flagged.lost(name, ROW), [ROW])
    return [(one.field, one.rows[EXPECTED].item()) for one in found], unjudged


def profile(said):
    """A profile as `medpay.toml` would state it."""
    tolerance = {code: Decimal(amount) for code, amount in said.get("tolerance", {}).items()}
    return Profile(tolerance, conventions={**Profile().conventions, **said.get("conventions", {})})


def recorded(file, case):
    """The layout, the record and the profile of a case: what stands in the file, as the case changes it."""
    record = {**case.get("record", file["record"]), **case.get("with", {})}
    kept = {name: text for name, text in record.items() if name not in case.get("without", ())}
    return case.get("layout", file["layout"]), kept, case.get("profile", file.get("profile", {}))
