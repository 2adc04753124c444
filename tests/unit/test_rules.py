"""Every rule about a record: its example, its cases, what it does where something is absent."""

import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from medpay_cli import checks, config, layouts, rules
from medpay_cli.formats import ROW
from medpay_cli.partners import Profile
from medpay_cli.rules import EXPECTED

DAY = date(2026, 3, 1)
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


FILES = {page["code"]: CASES / f"{page['code']}.toml" for page in PAGES}
FOUND = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in FILES.values() if path.is_file()}


def profile(said):
    """A profile as `medpay.toml` would state it."""
    tolerance = {code: Decimal(amount) for code, amount in said.get("tolerance", {}).items()}
    return Profile(tolerance, conventions={**Profile().conventions, **said.get("conventions", {})})


def recorded(file, case):
    """The layout, the record and the profile of a case: what stands in the file, as the case changes it."""
    record = {**case.get("record", file["record"]), **case.get("with", {})}
    kept = {name: text for name, text in record.items() if name not in case.get("without", ())}
    return case.get("layout", file["layout"]), kept, case.get("profile", file.get("profile", {}))


def stated():
    """Every case of every rule."""
    for code, file in FOUND.items():
        for case in file["case"]:
            yield pytest.param(code, file, case, id=f"{code}: {case['is']}")


@pytest.mark.parametrize(("code", "file", "case"), list(stated()))
def test_the_cases_of_a_rule(code, file, case):
    layout, record, said = recorded(file, case)
    found, unjudged = broken(code, layout, record, profile(said))
    assert found == list(case.get("found", {}).items())
    assert unjudged == ({code: case["unjudged"]} if "unjudged" in case else {})
    lacking = rules.held(layouts.load(layout), profile(said), lambda one: one == code).lacking
    assert lacking == ({code: tuple(case["lacks"])} if "lacks" in case else {})


@pytest.mark.parametrize("code", FILES)
def test_every_rule_has_cases_of_each_sort(code):
    cases = FOUND[code]["case"]
    absent = [case for case in cases if "without" in case]
    assert any("found" in case for case in cases)
    assert any("found" not in case and "without" not in case for case in cases)
    assert any("found" not in case for case in absent)
    if any(one.code == code and states_a_relation(one, FOUND[code]["layout"]) for one in rules.all_rules()):
        assert any("unjudged" in case for case in absent)
        assert any(text.startswith("-") for case in cases for text in recorded(FOUND[code], case)[1].values())
        assert any("tolerance" in case.get("profile", {}) and "found" in case for case in cases)
        assert any("tolerance" in case.get("profile", {}) and "found" not in case for case in cases)


def states_a_relation(rule, layout):
    """Whether a rule is about amounts that must tie."""
    return any(one.is_relation for one in rule.sentences(layouts.load(layout), DAY))
