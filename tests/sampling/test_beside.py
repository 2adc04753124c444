"""Records that stand beside one that stands once name it and sum up to what it says, however many there are."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from test_formats import drawn, judged

from medpay_cli import dialects

COUNTS = (1, 2, 3, 4, 50, 5000)


def message(name: str, records: int):
    """A message of that many records, which is valid, and its nodes: a record, or a list of them."""
    dialect = dialects.load(name)
    content, _ = drawn(dialect, records)
    assert judged(dialect, content)[1] == []
    document = json.loads(content, parse_float=Decimal)
    outer = document.get("output", document.get("input"))
    return json.loads(outer, parse_float=Decimal) if isinstance(outer, str) else outer


def total(records, name, kinds=lambda _: True):
    return sum(Decimal(str(one[name])) for one in records if kinds(one["fund_pay_type"] if "amt" not in one else ""))


@pytest.mark.parametrize("records", COUNTS)
def test_the_funds_of_a_settlement_are_what_is_not_paid_in_cash(records):
    said = message("nhsa-settlement-response", records)
    settled, paid = said["setlinfo"], said["setldetail"]
    settlement = {name: Decimal(str(settled[name])) for name in ("medfee_sumamt", "psn_cash_pay", "fund_pay_sumamt")}
    assert len(paid) == records
    assert {one["setl_id"] for one in paid} == {settled["setl_id"]}
    assert total(paid, "fund_payamt") == settlement["medfee_sumamt"] - settlement["psn_cash_pay"]
    funds = total(paid, "fund_payamt", lambda kind: not kind.startswith(("3102", "99999")))
    assert funds == settlement["fund_pay_sumamt"] > 0


@pytest.mark.parametrize("records", COUNTS)
def test_the_items_of_a_list_cost_what_its_payments_and_the_cash_pay(records):
    said = message("nhsa-4101-request", records)
    head, paid, items = said["setlinfo"], said["payinfo"], said["iteminfo"]
    assert len(paid) == records
    assert {one["setl_id"] for one in (*paid, *items)} == {head["setl_id"]}
    assert len({one["med_chrgitm"] for one in items}) == len(items) > 0
    assert total(items, "amt") == total(paid, "fund_payamt") + Decimal(str(head["psn_cashpay"])) > 0
