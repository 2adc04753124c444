"""Real settlements keep every relation; an amount that is a fen off breaks those that name it, and no others."""

from __future__ import annotations

import json
import os
import sys
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from case_files import write
from medpay_command import judged

TUPLES = Path(os.environ.get("MEDPAY_CORPUS", "-")) / "nhsa-samples" / "money_tuples_real_amounts.json"
pytestmark = pytest.mark.skipif(not TUPLES.is_file(), reason="the corpus is not here")
CASES = json.loads(TUPLES.read_text(encoding="utf-8")) if TUPLES.is_file() else []
RELATIONS = "C201,C202,C203,C205,C206,C207,B301,B302"
FUND = "fund_payamt of "
# Which relations name an amount; act_pay_dedc, balc, pool_prop_selfpay and othfund_pay are in none of them. Where
# hifdm_pay is absent it adds nothing to the funds.
NAMED = {
    "medfee_sumamt": {"C201", "C203", "C207", "B301"},
    "fulamt_ownpay_amt": {"C201"},
    "overlmt_selfpay": {"C201"},
    "preselfpay_amt": {"C201"},
    "inscp_scp_amt": {"C201"},
    "fund_pay_sumamt": {"C202", "C203", "C207", "B302"},
    "hifp_pay": {"C202"},
    "cvlserv_pay": {"C202"},
    "hifes_pay": {"C202"},
    "hifmi_pay": {"C202"},
    "hifob_pay": {"C202"},
    "hifdm_pay": {"C202"},
    "maf_pay": {"C202"},
    "oth_pay": {"C202"},
    "psn_part_amt": {"C203", "C205"},
    "hosp_part_amt": {"C203"},
    "acct_pay": {"C205"},
    "psn_cash_pay": {"C205", "B301"},
    "acct_mulaid_pay": set(),
    "psn_pay": {"C207"},
    "ownpay_hosp_part": {"C207"},
    "act_pay_dedc": set(),
    "balc": set(),
    "pool_prop_selfpay": set(),
    "othfund_pay": set(),
    FUND + "310200": {"B301"},
    FUND + "310201": {"B301"},
    FUND + "999996": {"B301"},
    FUND + "999997": {"B301"},
    FUND + "330100": {"B301", "B302"},
    FUND + "330101": {"B301", "B302"},
}
# The refund answers name neither psn_part_amt nor hosp_part_amt: A3 (C203) and A4 (C205) cannot be judged of them.
# C207 takes the place of C203 there, where psn_pay and ownpay_hosp_part are named: in case 5, not in case 2. Of a
# settlement that names its shares C207 does not speak.
SILENT = {1: {"C207"}, 2: {"C203", "C205", "C207"}, 3: {"C207"}, 4: {"C207"}, 5: {"C203", "C205"}}
# acct_mulaid_pay is 0.00 where it is named. A fen more or less is outside acct_pay only where that is nothing or the
# fen is on its other side: acct_pay is 4.52 and 170.04, so -0.01 is outside it and 0.01 is inside.
OUTSIDE = {("acct_mulaid_pay", Decimal("-0.01")): {"C206"}}


def amounts(case):
    """The amounts of a tuple by name, those of its payments by their kind."""
    return case["money"] | {FUND + one["fund_pay_type"]: one["fund_payamt"] for one in case["setldetail"]}


def table(records):
    names = list(records[0])
    return "\n".join([",".join(names), *(",".join(record[name] for name in names) for record in records)])


def held(folder, settled):
    """What the relations find of some settlements: pairs of row and code."""
    # What a tuple does not name is absent, also where the layout requires it.
    names = [name for name in NAMED if not name.startswith(FUND)]
    records = [
        {"setl_id": f"S{number}"} | {name: one.get(name, "") for name in names} for number, one in enumerate(settled, 1)
    ]
    funds = [
        {"setl_id": f"S{number}", "fund_pay_type": name.removeprefix(FUND), "fund_payamt": text}
        for number, one in enumerate(settled, 1)
        for name, text in one.items()
        if name.startswith(FUND)
    ]
    paths = write(folder, "settlement", table(records)), write(folder, "settlement_fund", table(funds))
    document = judged(
        paths[0], "--layout", "settlement", "--dialect", "csv:settlement", "--against", f"funds={paths[1]}",
        "--select", RELATIONS,
    )  # fmt: skip
    return {(one["row"], one["code"]) for one in document["findings"]}


def test_the_real_settlements_keep_every_relation(tmp_path):
    assert len(CASES) == 5
    assert held(tmp_path, [amounts(case) for case in CASES]) == set()


def test_every_amount_of_the_tuples_is_in_the_table():
    assert {name for case in CASES for name in amounts(case)} == set(NAMED)


@pytest.mark.parametrize("fen", ["0.01", "-0.01"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"case {case['case']}")
def test_a_fen_off_breaks_the_relations_that_name_the_amount(tmp_path, case, fen):
    usual = amounts(case)
    changed = [usual | {name: str(Decimal(text) + Decimal(fen))} for name, text in usual.items()]
    expected = {
        (row, code)
        for row, name in enumerate(usual, 1)
        for code in (NAMED[name] - SILENT[case["case"]]) | OUTSIDE.get((name, Decimal(fen)), set())
    }
    assert held(tmp_path, changed) == expected
