"""Every rule about a record: its example, its cases, what it does where something is absent."""

import tomllib
from pathlib import Path

import polars as pl
import pytest

from medpay_cli import checks, config, layouts, rules
from medpay_cli.formats import ROW
from medpay_cli.partners import Profile
from medpay_cli.rules import EXPECTED

CASES = Path(__file__).parents[2] / "fixtures" / "rules"
# What has to be agreed upon before a rule can be judged.
AGREED = Profile(conventions={"acct_mulaid": "inside", "cash_payamt": "medfee_less_fund", "benefit": "of_eligible"})


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
    found, unjudged = held.broken(typed, text, [ROW])
    return [(one.field, one.rows[EXPECTED].item()) for one in found], unjudged


PAGES = [config.load(config.RULE, code) for code in config.names(config.RULE) if code.startswith("C")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page["code"])
def test_the_example_of_a_rule_is_what_it_finds(page):
    example = page["example"]
    assert broken(page["code"], example["layout"], example["record"])[0] == [(example["field"], example["expected"])]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page["code"])
def test_the_corrected_example_is_right(page):
    example = page["example"]
    assert broken(page["code"], example["layout"], example["record"] | example["right"]) == ([], {})


def test_every_rule_has_a_page():
    assert {one.code for one in rules.all_rules()} == {page["code"] for page in PAGES}


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.toml")))
def test_the_cases_of_a_rule(name):
    cases = tomllib.loads((CASES / f"{name}.toml").read_text(encoding="utf-8"))
    for case in cases["case"]:
        profile = Profile(**case.get("profile", {}))
        found, _ = broken(name, case.get("layout", cases["layout"]), case["record"], profile)
        assert [field for field, _ in found] == case["found"], case
