"""Invented visits of a day, drawn without medpay: what a hospital, the platform and an insurer would hold of them.

All amounts are whole fen here; sums of these are what every file on the way has to tie to.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from medpay_cli import layouts

DAY, TYPES = "2024-03-05", ("310", "390")
ZERO = (
    "overlmt_selfpay", "cvlserv_pay", "hifes_pay", "hifob_pay", "oth_pay", "balc", "acct_mulaid_pay", "act_pay_dedc",
)  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A priced service."""

    code: str
    name: str
    fen: int
    kind: str


@dataclass
class Visit:
    """A visit: its lines (item, count in hundredths, fen), and who bears its fee, in fen."""

    number: int
    lines: list[tuple[Item, int, int]]
    funds: dict[str, int] = field(default_factory=dict)
    account: int = 0
    hospital: int = 0
    own: int = 0
    is_refunded: bool = False
    is_insured: bool = False
    one_stop: int | None = None

    @property
    def fee(self) -> int:
        return sum(fen for *_, fen in self.lines)

    @property
    def fund(self) -> int:
        return sum(self.funds.values())

    @property
    def person(self) -> int:
        return self.fee - self.fund - self.hospital

    @property
    def is_claimed(self) -> bool:
        return self.is_insured and not self.is_refunded

    @property
    def claimed(self) -> int:
        return self.fee - self.fund - self.hospital - (self.one_stop or 0)


def yuan(fen: int) -> str:
    """As files write it."""
    return str(Decimal(fen).scaleb(-2))


def fen(text: str) -> int:
    """A cell as whole fen; nothing is zero."""
    made = Decimal(text or "0").scaleb(2)
    assert made == int(made), text
    return int(made)


def half_up(numerator: int, denominator: int) -> int:
    """A quotient of natural numbers as a whole number."""
    return (2 * numerator + denominator) // (2 * denominator)


def items(chance: random.Random, count: int) -> list[Item]:
    """A price list."""
    kinds = ("01", "02", "03", "05")
    return [
        Item(f"0011{number:011}", f"虚构项目{number}", chance.randrange(1, 200_000), chance.choice(kinds))
        for number in range(1, count + 1)
    ]


def visits(chance: random.Random, priced: Sequence[Item], count: int) -> list[Visit]:
    """Visits whose funds, account and hospital never bear more than the fee."""
    return [_visit(chance, priced, number) for number in range(1, count + 1)]


def _visit(chance: random.Random, priced: Sequence[Item], number: int) -> Visit:
    lines = []
    for item in chance.sample(priced, chance.randrange(1, 5)):
        hundredths = chance.choice((100, 200, 300, 50, 33))
        lines.append((item, hundredths, half_up(item.fen * hundredths, 100)))
    one = Visit(number, lines)
    one.own = half_up(one.fee * chance.randrange(0, 30), 100)
    left = one.fee - one.own
    # Basic insurance first, then serious illness, then medical aid, of what each before it leaves.
    for name, share in (("hifp_pay", 60), ("hifmi_pay", 20), ("maf_pay", 10)):
        one.funds[name] = half_up(left * chance.randrange(0, share), 100)
        left -= one.funds[name]
    one.hospital = chance.choice((0, 0, 0, min(left, 3)))
    one.account = half_up(one.person * chance.randrange(0, 101), 100)
    one.is_refunded = chance.random() < 0.05
    one.is_insured = chance.random() < 0.4
    cash = one.person - one.account
    if one.is_claimed and chance.random() < 0.2:
        one.one_stop = half_up(cash, 3)
    return one


def settlement(one: Visit, sign: int = 1) -> dict[str, str]:
    """The record of a settlement, or of what takes it back."""
    refund = "R" if sign < 0 else ""
    serial = one.number * 2 + (sign < 0)
    return {
        **dict.fromkeys(ZERO, "0.00"), **{name: yuan(sign * value) for name, value in one.funds.items()},
        "mdtrt_id": f"M{one.number}", "setl_id": f"S{one.number}{refund}", "psn_no": f"P{one.number}",
        "psn_cert_type": "99", "certno": f"TEST{one.number:08}", "insutype": TYPES[one.number % 2],
        "setl_time": f"{DAY} 10:00:00", "med_type": "21", "pool_prop_selfpay": "0.6",
        "medfee_sumamt": yuan(sign * one.fee), "fulamt_ownpay_amt": yuan(sign * one.own), "preselfpay_amt": "0.00",
        "inscp_scp_amt": yuan(sign * (one.fee - one.own)), "fund_pay_sumamt": yuan(sign * one.fund),
        "psn_part_amt": yuan(sign * one.person), "acct_pay": yuan(sign * one.account),
        "psn_cash_pay": yuan(sign * (one.person - one.account)), "hosp_part_amt": yuan(sign * one.hospital),
        "medins_setl_id": f"H11010100001202403050900{serial // 10_000:02}{serial % 10_000:04}",
        "clr_optins": "110100", "clr_type": "11", "begndate": DAY, "enddate": DAY,
    }  # fmt: skip


def settlements(drawn: Iterable[Visit]) -> list[dict[str, str]]:
    """All of them, refunds behind what they take back."""
    return [settlement(one, sign) for one in drawn for sign in ((1, -1) if one.is_refunded else (1,))]


def lines(drawn: Iterable[Visit]) -> list[dict[str, str]]:
    """Fee lines."""
    return [
        {
            "feedetl_sn": str(number), "mdtrt_id": f"M{one.number}", "psn_no": f"P{one.number}",
            "fee_ocur_time": f"{DAY} 09:00:00", "med_list_codg": item.code, "medins_list_codg": item.code,
            "medins_list_name": item.name, "det_item_fee_sumamt": yuan(amount), "cnt": yuan(hundredths),
            "pric": yuan(item.fen), "bilg_dept_codg": "A01", "bilg_dept_name": "内科",
            "bilg_dr_codg": "D110000000001", "bilg_dr_name": "虚构医生",
        }
        for one in drawn for number, (item, hundredths, amount) in enumerate(one.lines, 1)
    ]  # fmt: skip


def split_lines(drawn: Iterable[Visit]) -> list[dict[str, str]]:
    """How the platform answers to each fee line."""
    return [
        {
            "mdtrt_id": f"M{one.number}", "feedetl_sn": str(number), "det_item_fee_sumamt": yuan(amount),
            "cnt": yuan(hundredths), "pric": yuan(item.fen), "pric_uplmt_amt": "999999", "chrgitm_lv": "01",
            "med_chrgitm_type": item.kind, "lmt_used_flag": "0",
        }
        for one in drawn for number, (item, hundredths, amount) in enumerate(one.lines, 1)
    ]  # fmt: skip


def beside_claims(drawn: Sequence[Visit], unit: str) -> dict[str, tuple[str, list[dict[str, str]]]]:
    """What the claims of these visits need: input → its layout and records."""
    person = {"insured_name": "虚构", "psn_cert_type": "99", "policy_state": "1", "eligible_flag": "1"}
    coverage = [
        {
            **person, "certno": f"TEST{one.number:08}", "policy_no": f"POL{one.number}", "insurer_code": "INS01",
            "product_code": "P1", "begin_date": "20240101000000", "end_date": "20241231235959",
        }
        for one in drawn if one.is_insured
    ]  # fmt: skip
    diagnosis = [
        {
            "mdtrt_id": f"M{one.number}", "diag_type": "1", "diag_srt_no": "1", "diag_code": "J18.900",
            "diag_name": "肺炎", "diag_dept": "A01", "dise_dor_no": "D110000000001", "dise_dor_name": "虚构医生",
            "diag_time": f"{DAY} 09:00:00", "vali_flag": "1",
        }
        for one in drawn
    ]  # fmt: skip
    invoices = []
    for one in drawn:
        # Two invoices where the fee can be told apart, so that a claim has to count and not to take the first.
        parts = [one.fee // 2, one.fee - one.fee // 2] if one.number % 2 else [one.fee]
        for part, amount in enumerate(parts):
            invoices.append({
                "claim_no": f"S{one.number}", "einv_code": "11060124", "einv_no": f"{one.number * 2 + part:010}",
                "einv_chk": "a1b2c3", "issue_date": "20240305", "total_amt": yuan(amount), "payer_name": "虚构",
                "inv_party_code": unit, "inv_party_name": "虚构医院", "einv_state": "1",
            })  # fmt: skip
    one_stop = [
        result(one, f"W{one.number}", one.one_stop, one.claimed + one.one_stop, mode="3")
        for one in drawn if one.one_stop is not None
    ]  # fmt: skip
    return {
        "coverage": ("coverage", coverage), "diagnosis": ("diagnosis", diagnosis), "einvoice": ("einvoice", invoices),
        "one_stop": ("insurer_result", one_stop),
    }  # fmt: skip


def result(one: Visit, serial: str, paid: int, claimed: int, mode: str = "2") -> dict[str, str]:
    """What an insurer decides on a claim: so much is paid, the rest is the person's."""
    return {
        "claim_no": f"S{one.number}", "insurer_claim_no": f"C{serial}", "settle_serial_no": serial,
        "mdtrt_id": f"M{one.number}", "bill_no": f"B{one.number}", "setl_id": f"S{one.number}",
        "policy_no": f"POL{one.number}", "duty_code": "D1", "claim_status": "60", "decision": "0",
        "medfee_sumamt": yuan(one.fee), "eligible_amt": yuan(claimed), "other_payer_amt": "0.00",
        "deduct_amt": "0.00", "ded_applied": "0.00", "calc_amt": yuan(paid), "pay_amt": yuan(paid),
        "refuse_amt": "0.00", "psn_amt": yuan(claimed - paid), "claim_mode": mode, "rev_flag": "N",
        "case_end_date": "20240306100000",
    }  # fmt: skip


def write(path: Path, layout: str, records: Iterable[dict[str, str]]) -> Path:
    """A CSV file of a layout."""
    with path.open("w", encoding="utf-8", newline="") as file:
        made = csv.DictWriter(file, layouts.load(layout).names, lineterminator="\n", restval="")
        made.writeheader()
        made.writerows(records)
    return path


def read(path: Path) -> list[dict[str, str]]:
    """Its records, by Python's own reader."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def total(records: Iterable[dict[str, str]], name: str) -> int:
    """A column in fen."""
    return sum(fen(one.get(name, "")) for one in records)
