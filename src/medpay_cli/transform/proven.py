"""What the source was held against need not be held against a target that copies it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from medpay_cli.findings import ERROR
from medpay_cli.judging import REPEATED, Measure, Terms
from medpay_cli.layouts import Field
from medpay_cli.mappings.plans import Plan


def measure(plan: Plan, terms: Terms) -> Measure:
    """What accepted records are held against once they are mapped: without what is true of them already."""
    made = Measure.of(plan.target, terms)
    source = {one.name: one for one in plan.source.fields}
    copied = {one.name: one.copied for one in plan.columns if one.copied in source}
    codes: dict[str, set[str]] = {}
    for check in made.usual:
        codes.setdefault(check.field.name, set()).add(check.code)
    proven = {
        one.name
        for one in plan.target.fields
        if one.name in copied and _alike(source[str(copied[one.name])], one) and _stops(codes.get(one.name, ()), terms)
    }
    # Two records with the same key would have the same one in the source, too.
    is_unique = bool(plan.source.key) and set(plan.source.key) <= {copied.get(name) for name in plan.target.key}
    is_unique = is_unique and _stops((REPEATED,), terms)
    return replace(
        made,
        usual=tuple(check for check in made.usual if check.field.name not in proven),
        keys=[one for one in made.keys if one[0] != REPEATED or not is_unique],
    )


def _alike(source: Field, target: Field) -> bool:
    """Whether the same is asserted of both, or more of the source."""
    told = [(one.asserted, one.open_codes, one.digits, one.scale) for one in (source, target)]
    return told[0] == told[1] and source.required >= target.required


def _stops(codes: Collection[str], terms: Terms) -> bool:
    """Whether no record with such a finding is accepted."""
    return not terms.waivers and all(terms.applies(code) and terms.severity(code) == ERROR for code in codes)
