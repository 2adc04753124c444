"""A column that is copied is not checked again where every fault in it would have rejected its record; only there."""

from __future__ import annotations

from datetime import date

import pytest
from small import BILL, CLAIM, layout

from medpay_cli import layouts, mappings
from medpay_cli.judging import Terms
from medpay_cli.partners import Profile
from medpay_cli.transform import proven
from medpay_cli.waivers import Waiver

MAPPING = """\
title = { zh = "x", en = "x" }
from = { layout = "bill.json" }
to = { layout = "claim.json" }
empty = ["made", "fund", "person", "party"]

[columns]
claim_no = "bill_no"
memo = "name"
amount = "amount"

[codes]
kind = { of = "kind", table = { "01" = "01" } }
"""
# `claim_no` is shorter than `bill_no`, `kind` is no copy, the others come from nowhere.
CHECKED = {"claim_no", "kind", "made", "fund", "person"}


def looked_at(tmp_path, terms, bill=BILL, bill_key=("bill_no",), claim_key=("claim_no",)):
    """The fields that are checked in the target, and the keys that must not stand in it twice."""
    (tmp_path / "bill.json").write_text(layout("bill", bill, "amount", key=bill_key), encoding="utf-8")
    (tmp_path / "claim.json").write_text(layout("claim", CLAIM, "amount", key=claim_key), encoding="utf-8")
    (tmp_path / "m.toml").write_text(MAPPING, encoding="utf-8")
    ends = (layouts.load(str(tmp_path / "bill.json")), layouts.load(str(tmp_path / "claim.json")))
    made = proven.measure(mappings.load(str(tmp_path / "m.toml")).plan(*ends, {}), terms)
    return {check.field.name for check in made.usual}, [keys.names for _, keys in made.keys]


def test_what_is_copied_from_a_field_like_it_is_not_checked_again(tmp_path):
    assert looked_at(tmp_path, Terms()) == (CHECKED, [])


@pytest.mark.parametrize(("change", "field"), [
    ({"amount": {**BILL["amount"], "x-digits": 18}}, "amount"),
    ({"amount": {**BILL["amount"], "x-scale": 4}}, "amount"),
    ({"name": {"type": "string", "maxLength": 3}}, None),
])  # fmt: skip
def test_what_is_copied_from_another_field_is_checked(tmp_path, change, field):
    checked, _ = looked_at(tmp_path, Terms(), bill={**BILL, **change})
    assert checked == CHECKED | ({field} if field else set())


@pytest.mark.parametrize("code", ["L101", "L102", "L103"])
@pytest.mark.parametrize("severity", ["warning", "off"])
def test_what_does_not_reject_a_record_proves_nothing(tmp_path, code, severity):
    assert looked_at(tmp_path, Terms(profile=Profile(severity={code: severity})))[0] == CHECKED | {"amount"}


def test_where_somebody_answers_for_findings_everything_is_checked(tmp_path):
    waiver = Waiver(code="L103", field="medfee_sumamt", file="*", key={}, owner="x", reason="x", until=date(2030, 1, 1))
    assert looked_at(tmp_path, Terms(waivers=(waiver,))) == (CHECKED | {"amount"}, [("claim_no",)])


@pytest.mark.parametrize(("bill_key", "claim_key", "expected"), [
    (("bill_no",), ("claim_no",), []),
    (("bill_no",), ("claim_no", "memo"), []),
    (("bill_no", "name"), ("claim_no",), [("claim_no",)]),
    (("bill_no",), ("memo",), [("memo",)]),
    (("bill_no",), ("claim_no", "kind"), []),
    (("bill_no",), ("kind",), [("kind",)]),
    ((), ("claim_no",), [("claim_no",)]),
])  # fmt: skip
def test_a_key_is_looked_for_again_unless_the_key_of_the_source_is_in_it(tmp_path, bill_key, claim_key, expected):
    assert looked_at(tmp_path, Terms(), bill_key=bill_key, claim_key=claim_key)[1] == expected


def test_a_repeated_key_that_is_a_warning_is_looked_for_again(tmp_path):
    terms = Terms(profile=Profile(severity={"B101": "warning"}))
    assert looked_at(tmp_path, terms)[1] == [("claim_no",)]
