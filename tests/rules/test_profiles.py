"""How a partner's rules are held: every key of `[partners.NAME]` in medpay.toml, by the command itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from case_files import write
from medpay_command import codes, judged, medpay

# A fen off relation A3, and an account that is a fen less than what the family pays of it.
SETTLEMENT = """
medfee_sumamt,fulamt_ownpay_amt,fund_pay_sumamt,hifp_pay,psn_part_amt,hosp_part_amt,acct_pay,psn_cash_pay,acct_mulaid_pay
1000.01,1000.01,600.00,600.00,390.00,10.00,40.00,350.00,0.00
"""
REQUEST = """
medfee_sumamt,fund_pay_sumamt,cash_payamt
1000.00,600.00,400.01
"""
RESULT = """
claim_no,medfee_sumamt,eligible_amt,pay_ratio,calc_amt
CL1,1000.00,1000.00,0.8,800.01
"""


@pytest.fixture
def held(tmp_path):
    """Hold a table against its layout as a partner with these keys has it."""

    def run(kind, table, keys, *more):
        (tmp_path / "medpay.toml").write_text(f"[partners.p]\n{keys}\n", encoding="utf-8")
        path = write(tmp_path, kind, table)
        partner = ("--config", tmp_path / "medpay.toml", "--partner", "p")
        return judged(path, "--layout", kind, "--dialect", f"csv:{kind}", *partner, *more)

    return run


def test_without_keys_nothing_is_tolerated(held):
    document = held("settlement", SETTLEMENT, "")
    assert (document["exit_code"], codes(document)) == (1, {"C203": 1})


def test_a_tolerance_is_of_one_rule(held):
    assert held("settlement", SETTLEMENT, 'tolerance = { C203 = "0.01" }')["findings"] == []
    assert codes(held("settlement", SETTLEMENT, 'tolerance = { C201 = "0.01" }')) == {"C203": 1}


def test_what_is_a_warning_to_a_partner_rejects_nothing(held):
    document = held("settlement", SETTLEMENT, 'severity = { C203 = "warning" }')
    assert [one["severity"] for one in document["findings"]] == ["warning"]
    assert (document["exit_code"], document["files"][0]["verdict"], document["files"][0]["rejected"]) == (0, "valid", 0)


def test_a_warning_can_be_an_error_to_a_partner(held):
    table = "chrgitm_lv,selfpay_prop\n01,0.5\n"
    usual = held("commercial_claim_line", table, "", "--select", "C132")
    strict = held("commercial_claim_line", table, 'severity = { C132 = "error" }', "--select", "C132")
    assert [(one["exit_code"], one["files"][0]["rejected"]) for one in (usual, strict)] == [(0, 0), (1, 1)]


def test_a_rule_that_is_off_is_not_held(held):
    document = held("settlement", SETTLEMENT, 'severity = { C203 = "off" }')
    assert (document["exit_code"], document["findings"]) == (0, [])


def test_a_rule_about_several_records_can_be_off(held):
    usual, off = (held("settlement", SETTLEMENT, keys) for keys in ("", 'severity = { B301 = "off" }'))
    missing = [{one["code"] for one in document["not_judged"]} for document in (usual, off)]
    assert missing == [{"B301", "B302", "B303"}, {"B302", "B303"}]


@pytest.mark.parametrize(
    ("said", "family", "found"),
    [
        ("", "40.00", {}),
        ("", "40.01", {"C206": 1}),
        ('conventions = { acct_mulaid = "inside" }', "40.01", {"C206": 1}),
        ('conventions = { acct_mulaid = "added" }', "0.00", {}),
        ('conventions = { acct_mulaid = "added" }', "0.01", {"C205": 1}),
    ],
)
def test_the_family_s_account_is_inside_the_account_or_added(held, said, family, found):
    table = SETTLEMENT.replace("1000.01", "1000.00").replace("350.00,0.00", f"350.00,{family}")
    assert codes(held("settlement", table, said)) == found


@pytest.mark.parametrize(
    ("said", "found", "missing"),
    [
        ("", {}, [["conventions.cash_payamt"]]),
        ('conventions = { cash_payamt = "medfee_less_fund" }', {"C208": 1}, []),
        ('conventions = { cash_payamt = "psn_cash_pay" }', {}, []),
    ],
)
def test_the_cash_of_a_request_is_judged_where_it_is_said_what_it_holds(held, said, found, missing):
    document = held("ledger_detail_request", REQUEST, said)
    assert codes(document) == found
    assert [one["missing"] for one in document["not_judged"] if one["code"] == "C208"] == missing


def test_a_benefit_is_worked_out_where_it_is_said_how(held):
    usual = held("insurer_result", RESULT, "", "--select", "C224")
    said = held("insurer_result", RESULT, 'conventions = { benefit = "of_eligible" }', "--select", "C224")
    assert [(codes(one), one["not_judged"]) for one in (usual, said)] == [
        ({}, [{"code": "C224", "missing": ["conventions.benefit"]}]),
        ({"C224": 1}, []),
    ]


def test_what_is_not_judged_is_listed_only(held):
    document = held("settlement", SETTLEMENT.replace("1000.01", "1000.00"), 'not_judged = "listed"')
    assert (document["exit_code"], document["files"][0]["verdict"]) == (0, "valid")
    assert {one["code"]: one["missing"] for one in document["not_judged"]} == {
        "B301": ["funds"], "B302": ["funds"], "B303": ["lines"],
    }  # fmt: skip


def test_what_is_not_judged_can_be_an_error(held):
    document = held("settlement", SETTLEMENT.replace("1000.01", "1000.00"), 'not_judged = "error"')
    assert (document["exit_code"], document["files"][0]["verdict"], document["files"][0]["rejected"]) == (
        1, "findings", 0,
    )  # fmt: skip
    assert [(one["code"], one["row"], one["value"], one["expected"]) for one in document["findings"]] == [
        ("B902", None, "B301", "funds"), ("B902", None, "B302", "funds"), ("B902", None, "B303", "lines"),
    ]  # fmt: skip


def test_a_value_that_a_rule_lacks_can_be_an_error(held):
    table = SETTLEMENT.replace("1000.01", "1000.00").replace(",10.00,", ",,")
    document = held("settlement", table, 'not_judged = "error"', "--select", "C203")
    assert [(one["code"], one["value"], one["expected"]) for one in document["findings"]] == [
        ("B902", "C203", "value x 1"),
    ]
    assert document["exit_code"] == 1


def test_what_one_record_does_not_say_leaves_the_others_judged(held):
    table = (
        "setl_id,fund_pay_sumamt,hifp_pay,hifes_pay\n"
        "S1,1.00,1.00,x\nS2,1.01,0.50,0.50\nS3,1.00,0.50,0.50\nS4,1.00,1.00,\nS5,1.00,1.00,\n"
    )
    document = held("settlement", table, "", "--select", "L,C202")
    assert [(one["code"], one["row"]) for one in document["findings"]] == [
        ("L102", 1), ("C202", 2), ("L101", 4), ("L101", 5),
    ]  # fmt: skip
    assert document["not_judged"] == [{"code": "C202", "missing": [], "records": 1}]


def test_where_everything_is_judged_nothing_is_missing(held, tmp_path):
    funds = write(tmp_path, "settlement_fund", "setl_id,fund_pay_type,fund_payamt\nS1,310100,600.00\nS1,310201,50.00\n")
    table = "setl_id,medfee_sumamt,psn_cash_pay\nS1,1000.00,350.00\n"
    document = held("settlement", table, 'not_judged = "error"', "--select", "B301", "--against", f"funds={funds}")
    assert (document["exit_code"], document["findings"], document["not_judged"]) == (0, [], [])


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ('tolerance = { C203 = "1%" }', "partners/p/tolerance/C203"),
        ("tolerance = { C203 = 0.01 }", "partners/p/tolerance/C203"),
        ('tolerance = { C299 = "0.01" }', "partners.p.tolerance C299: no such rule"),
        ('tolerance = { C133 = "0.01" }', "partners.p.tolerance C133: this rule is no relation between amounts"),
        ('tolerance = { B301 = "0.01" }', "partners.p.tolerance B301: this rule is no relation between amounts"),
        ('severity = { C203 = "fatal" }', "partners/p/severity/C203"),
        ('severity = { F201 = "off" }', "partners.p.severity"),
        ('severity = { B902 = "off" }', "partners.p.severity"),
        ('conventions = { cash = "all" }', "cash"),
        ('conventions = { count = "all" }', "partners/p/conventions/count"),
        ('not_judged = "warning"', "partners/p/not_judged"),
    ],
)
def test_a_key_that_says_nothing_is_refused_by_name(tmp_path, keys, place):
    (tmp_path / "medpay.toml").write_text(f"[partners.p]\n{keys}\n", encoding="utf-8")
    path = write(tmp_path, "settlement", SETTLEMENT)
    answer = medpay("validate", path, "--config", tmp_path / "medpay.toml", "--partner", "p")
    assert (answer.exit_code, answer.out) == (2, b"")
    assert place in answer.err
