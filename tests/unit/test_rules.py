"""Every rule about a record: its example, its cases, what it does where something is absent."""

import sys
import tomllib
from datetime import date
from pathlib import Path

import polars as pl
import pytest

sys.path.append(str(Path(__file__).parents[1] / "rules"))
from record_cases import broken, profile, recorded

from medpay_cli import config, layouts, partners, rules
from medpay_cli.rules import sentences

DAY = date(2026, 3, 1)
PRESENT = "value"
CASES = Path(__file__).parents[2] / "fixtures" / "rules"
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
    absent = [case for case in cases if "without" in case and "profile" not in case]
    assert any("found" in case for case in cases)
    assert any("found" not in case and "without" not in case for case in cases)
    # Of one that requires a value an absent one is what is wrong.
    assert any("found" not in case for case in absent) or PRESENT in FOUND[code]["case"][1].get("found", {}).values()
    if any(one.code == code and states_a_relation(one, FOUND[code]["layout"]) for one in rules.all_rules()):
        assert any("unjudged" in case for case in absent)
        assert any(text.startswith("-") for case in cases for text in recorded(FOUND[code], case)[1].values())
        assert any("tolerance" in case.get("profile", {}) and "found" in case for case in cases)
        assert any("tolerance" in case.get("profile", {}) and "found" not in case for case in cases)


@pytest.mark.parametrize(
    ("begin", "end", "is_held"),
    [
        ({"format": "date"}, {"format": "datetime"}, True),
        ({"pattern": "^[0-9]{8}$"}, {"pattern": "^[0-9]{8}$"}, True),
        ({"format": "date"}, {"pattern": "^[0-9]{8}$"}, False),
        ({"pattern": "^[0-9]{8}$"}, {"format": "date"}, False),
        ({"pattern": "^[0-9]{8}$"}, {"pattern": "^[0-9]{14}$"}, False),
        ({}, {"format": "date"}, False),
    ],
)
def test_days_that_are_written_in_two_ways_are_not_compared(begin, end, is_held):
    fields = {"begndate": {"type": "string", **begin}, "enddate": {"type": "string", **end}}
    layout = layouts.build({"type": "object", "title": "t", "properties": fields}, "own.json")
    held = rules.held(layout, partners.Profile(), lambda one: one == "C121")
    assert [one.field for _, one in held.sentences] == (["begndate"] if is_held else [])


@pytest.mark.parametrize(
    ("flag", "level", "is_told"),
    [("1", "01", True), ("001", "1", True), ("0", "01", False), ("1", "02", False), (None, "01", False)],
)
def test_an_identifier_is_one_where_every_condition_is_met_in_whatever_edition(flag, level, is_told):
    fields = {
        "certno": {
            "type": "string",
            "x-identifier": "citizen_id",
            "x-identifier-when": {"refd_setl_flag": ["1"], "chrgitm_lv": ["01"]},
        },
        "refd_setl_flag": {"type": "string", "x-codes": "refd_setl_flag"},
        "chrgitm_lv": {"type": "string", "x-open-codes": "chrgitm_lv"},
    }
    layout = layouts.build({"type": "object", "title": "t", "properties": fields}, "own.json")
    condition = sentences.is_identifier(layout, layout.field("certno"))
    schema = dict.fromkeys(("refd_setl_flag", "chrgitm_lv"), pl.String)
    told = pl.DataFrame({"refd_setl_flag": [flag], "chrgitm_lv": [level]}, schema)
    assert bool(told.select(condition).item()) is is_told


@pytest.mark.parametrize(
    ("code", "names", "lacking"),
    [
        ("C214", ("medfee_sumamt", "fund_appy_sum"), ()),
        ("C214", ("medfee_sumamt", "fund_appy_sum", "cash_payamt"), ("acct_pay",)),
        ("C214", ("medfee_sumamt", "cash_payamt", "acct_pay"), ()),
        ("C203", ("medfee_sumamt",), ()),
        ("C203", ("medfee_sumamt", "fund_pay_sumamt"), ("hosp_part_amt", "psn_part_amt")),
        ("C203", ("fund_pay_sumamt", "hosp_part_amt"), ()),
        ("C133", ("refd_setl_flag", "medfee_sumamt", "fund_pay_sumamt"), ()),
    ],
)
def test_a_relation_is_lacking_where_a_layout_has_the_whole_its_mark_and_a_part(code, names, lacking):
    fields = {name: {"type": "number", "format": "money"} for name in names if name != "refd_setl_flag"}
    fields |= {"refd_setl_flag": {"type": "string"}} if "refd_setl_flag" in names else {}
    layout = layouts.build({"type": "object", "title": "t", "properties": fields}, "own.json")
    held = rules.held(layout, partners.Profile(), lambda one: one == code)
    assert (held.sentences, held.lacking) == ((), {code: lacking} if lacking else {})


@pytest.mark.parametrize(
    ("digits", "scale", "is_held"), [(19, 6, True), (20, 6, False), (13, 0, True), (14, 0, False), (20, 7, False)]
)
def test_a_product_is_not_judged_of_numbers_too_long_for_an_exact_one(digits, scale, is_held):
    money = {"type": "number", "format": "money"}
    price = {"type": "number", "format": "decimal", "x-digits": digits, "x-scale": scale}
    count = {"type": "number", "format": "decimal", "x-digits": 10, "x-scale": 4}
    fields = {"det_item_fee_sumamt": money, "pric": price, "cnt": count}
    layout = layouts.build({"type": "object", "title": "t", "properties": fields}, "own.json")
    held = rules.held(layout, partners.Profile(), lambda one: one == "C204")
    assert [code for code, _ in held.sentences] == (["C204"] if is_held else [])


@pytest.mark.parametrize(
    ("kind", "others", "codes"),
    [
        ("citizen_id", ("psn_cert_type",), ["C101", "C102", "C103"]), ("citizen_id", (), []),
        ("msgid", ("psn_cert_type",), ["C102", "C104"]), ("msgid", (), []),
    ],
)  # fmt: skip
def test_an_identifier_is_not_judged_where_nothing_can_say_that_it_is_one(kind, others, codes):
    fields = {"certno": {"type": "string", "x-identifier": kind, "x-identifier-when": {"psn_cert_type": ["01"]}}}
    fields |= {name: {"type": "string"} for name in others}
    layout = layouts.build({"type": "object", "title": "t", "properties": fields}, "own.json")
    held = rules.held(layout, partners.Profile(), lambda one: one in ("C101", "C102", "C103", "C104"))
    assert [code for code, _ in held.sentences] == codes


def test_a_tolerance_may_be_stated_of_the_relations_alone():
    shipped = [layouts.load(name) for name in config.names(config.LAYOUT)]
    relations = {
        one.code
        for one in rules.all_rules()
        if any(made.is_relation for layout in shipped for made in one.sentences(layout, DAY))
    }
    every = [config.load(config.RULE, code) for code in config.names(config.RULE)]
    assert {page["code"] for page in every if page.get("tolerated")} == relations


def states_a_relation(rule, layout):
    """Whether a rule is about amounts that must tie."""
    return any(one.is_relation for one in rule.sentences(layouts.load(layout), DAY))


def test_a_rule_about_numbers_is_silent_where_a_layout_has_words():
    held = rules.held(layouts.load("price_list"), partners.Profile(), lambda one: one.startswith("C23"))
    assert (held.sentences, held.lacking) == ((), {})
