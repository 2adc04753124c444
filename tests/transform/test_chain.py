"""A day of invented visits through every step, from the price list to the insurer's return: all totals tie.

Each step's file is read by Python's own readers and held against sums of the draw, none of which medpay has made.
"""

from __future__ import annotations

import csv
import json
import random
from collections import Counter
from pathlib import Path

import drawn
import pytest
from drawn import fen, read, settlements, total, write, yuan
from small import medpay

from medpay_cli import sampling

SIZES = [80, pytest.param(100_000, marks=pytest.mark.full)]
LEDGER = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
DAYS = ("--set", f"stmt_begndate={drawn.DAY}", "--set", f"stmt_enddate={drawn.DAY}")
OF_INSURER = ("--set", "fixmedins_code=H11010100001", "--set", "insurer_code=INS01")


class Chain:
    """The folder of a day, and what was drawn for it."""

    def __init__(self, folder: Path, visits: int) -> None:
        self.folder = folder
        self.chance = random.Random(visits)  # noqa: S311
        self.items = drawn.items(self.chance, 40)
        self.visits = drawn.visits(self.chance, self.items, visits)
        self.settled = settlements(self.visits)
        self.claimed = [one for one in self.visits if one.is_claimed]

    def transformed(self, source: Path | str, mapping: str, out: str, *words: object) -> dict:
        """Run a mapping; what it told."""
        answer = medpay("transform", source, "--mapping", mapping, "-o", self.folder / out, "--format", "json", *words)
        assert (answer.exit_code, answer.err) == (0, ""), answer.out.decode()[:3000] + answer.err
        return answer.json

    def path(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="module", params=SIZES)
def chain(request, tmp_path_factory):
    """Every step of the day, one after the other."""
    one = Chain(tmp_path_factory.mktemp("chain"), request.param)
    priced(one)
    uploaded(one)
    settled(one)
    claimed(one)
    returned(one)
    return one


def priced(chain: Chain) -> None:
    """The hospital's list, as it is kept."""
    with chain.path("list.csv").open("w", encoding="utf-8", newline="") as file:
        made = csv.writer(file)
        made.writerow(
            ["项目编码", "项目名称", "项目内涵", "除外内容", "计价单位", "三级价格", "二级价格", "一级价格", "计价说明",
             "执行日期", "终止日期"]
        )  # fmt: skip
        for one in chain.items:
            price = f"{yuan(one.fen)}元"
            made.writerow([one.code, one.name, "", "", "次", price, price, price, "", "20240101", "9999-12-31"])
    chain.transformed(
        chain.path("list.csv"), "price-list-to-price-item", "prices.csv", "--dialect", "shaanxi-price-list"
    )
    chain.transformed(chain.path("prices.csv"), "price-item-to-nhsa-3301", "3301.json")


def uploaded(chain: Chain) -> None:
    """What the hospital sends to the platform."""
    lines = write(chain.path("lines.csv"), "fee_line", drawn.lines(chain.visits))
    source = write(chain.path("settled.csv"), "settlement", chain.settled)
    parts = -(-len(drawn.lines(chain.visits)) // 400)
    chain.transformed(lines, "fee-line-to-nhsa-fees", "fees.json", "--split-rows", max(parts, 100))
    chain.transformed(source, "settlement-to-nhsa-3201", "3201.json", *DAYS, "--split-rows", 1)
    chain.transformed(source, "settlement-to-nhsa-3202", "upload.txt")
    chain.transformed(source, "settlement-to-nhsa-3202-request", "3202.json", *DAYS, "--set", "file_qury_no=F1")


def settled(chain: Chain) -> None:
    """What the platform has: some records are lost, some are its own, some amounts are others."""
    with chain.path("upload.txt").open(encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    chain.uploaded = rows
    chances = {row[0]: chain.chance.random() for row in rows[2:]} | {rows[0][0]: 0.0, rows[1][0]: 0.05}
    chain.lost = {name for name, chance in chances.items() if chance < 0.03}
    chain.other = {name for name, chance in chances.items() if 0.03 <= chance < 0.06}
    kept = [list(row) for row in rows if row[0] not in chain.lost]
    for row in kept:
        if row[0] in chain.other:
            row[4] = yuan(fen(row[4]) + 1)
    chain.more = [[f"X{number}", f"MX{number}", f"PX{number}", "5.00", "3.00", "0.00", "0"] for number in range(1, 4)]
    chain.platform = [*kept, *(row + [""] * (len(kept[0]) - len(row)) for row in chain.more)]
    chain.path("platform.txt").write_text("".join("\t".join(row) + "\n" for row in chain.platform), "utf-8")
    answer = medpay(
        "reconcile", chain.path("upload.txt"), chain.path("platform.txt"), "--recipe", "ledger", "--output-dir",
        chain.path("ledger"), "--format", "json",
    )  # fmt: skip
    assert answer.exit_code == 1, answer.err
    chain.ledger = answer.json
    # The platform's own settlements, of which the answer names the message.
    lacking = {row[0] for row in chain.more} | chain.lost
    centre = [one for one in chain.settled if one["setl_id"] not in lacking]
    write(chain.path("centre.csv"), "settlement", centre)
    chain.transformed(
        chain.path("ledger") / "differences.csv", "differences-to-nhsa-3202-result", "result.txt",
        "--with", f"theirs={chain.path('centre.csv')}", "--with", f"ours={_both(chain)}",
    )  # fmt: skip
    # The line of what only the institution has names no message: nobody can look it up, and no reader may take it.
    with chain.path("result.txt").open(encoding="utf-8") as file:
        chain.result = [line.rstrip("\n").split("\t") for line in file]
    for number, row in enumerate(chain.result):
        row[3] = f"H11010100001202403051000{number // 10_000:02}{number % 10_000:04}" if row[3] == "null" else row[3]
    chain.path("told.txt").write_text("".join("\t".join(row) + "\n" for row in chain.result), "utf-8")
    chain.transformed(
        chain.path("told.txt"), "nhsa-3202-result-to-differences", "differences.csv",
        "--with", f"ledger={chain.path('upload.txt')}",
    )  # fmt: skip


def _both(chain: Chain) -> Path:
    """Whoever has a settlement, from the detail files."""
    path = chain.path("known.txt")
    rows = [row[:7] for row in [*chain.uploaded, *chain.more]]
    path.write_text("".join("\t".join(row) + "\n" for row in rows), "utf-8")
    return path


def claimed(chain: Chain) -> None:
    """The package for the insurer."""
    out = chain.path("unit.csv")
    with out.open("wb") as file:
        sampling.write("einvoice", "csv:einvoice", 1, 1, (), file)
    unit = read(out)[0]["inv_party_code"]
    words: list[object] = ["--with", f"refund={chain.path('settled.csv')}"]
    for kind, (layout, records) in drawn.beside_claims(chain.visits, unit).items():
        words += ["--with", f"{kind}={write(chain.path(f'{kind}.csv'), layout, records)}"]
    chain.told = chain.transformed(
        chain.path("settled.csv"), "settlement-to-commercial-claim", "claims.csv", *words, "--set",
        "fixmedins_code=H11010100001", "--set", "claim_mode=2", "--set", "consent_flag=1",
    )  # fmt: skip
    write(chain.path("split.csv"), "fee_line_result", drawn.split_lines(chain.visits))
    chain.transformed(
        chain.path("lines.csv"), "fee-line-to-commercial-claim-line", "claim_lines.csv",
        "--with", f"claim={chain.path('claims.csv')}", "--with", f"result={chain.path('split.csv')}",
    )  # fmt: skip


def returned(chain: Chain) -> None:
    """What the insurer decides and pays: some payments fail, one is a fen short."""
    claims = {one["claim_no"]: one for one in read(chain.path("claims.csv"))}
    chain.paid = {one.number: fen(claims[f"S{one.number}"]["claim_amt"]) * 9 // 10 for one in chain.claimed}
    results = [drawn.result(one, f"T{one.number}", chain.paid[one.number], one.claimed) for one in chain.claimed]
    chain.failed = {one.number for one in chain.claimed if chain.chance.random() < 0.05} | {chain.claimed[0].number}
    chain.short = chain.claimed[1].number
    chain.failed -= {chain.short}
    amounts = {
        one.number: chain.paid[one.number] - (one.number == chain.short) for one in chain.claimed
    }  # fmt: skip
    payments = [
        {
            "pay_batch_no": "PB1", "pay_date": "20240307", "pay_amt_total": yuan(sum(amounts.values())),
            "payee_acct": "A1", "claim_no": f"S{number}", "settle_serial_no": f"T{number}", "setl_id": f"S{number}",
            "pay_amt": yuan(amount), "pay_state": "2" if number in chain.failed else "1", "line_kind": "PAY",
            "back_time": "20240307090000",
        }
        for number, amount in amounts.items()
    ]  # fmt: skip
    write(chain.path("results.csv"), "insurer_result", results)
    write(chain.path("payments.csv"), "payment_return", payments)
    said = ("--set", "total_count=1", "--set", "total_amt=0.00", "--set", "comm_pay_amt=0.00", *OF_INSURER)
    chain.transformed(
        chain.path("results.csv"), "insurer-result-to-insurer-ledger", "decided.csv", *said, "--set",
        "acct_date=20240306",
    )  # fmt: skip
    chain.transformed(
        chain.path("payments.csv"), "payment-return-to-insurer-ledger", "received.csv", *said, "--with",
        f"result={chain.path('results.csv')}",
    )  # fmt: skip
    answer = medpay(
        "reconcile", chain.path("decided.csv"), chain.path("received.csv"), "--key", "settle_serial_no", "--amount",
        "medfee_sumamt,pay_amt", "--compare", "refd_setl_flag", "--output-dir", chain.path("insurer"), "--format",
        "json",
    )  # fmt: skip
    assert answer.exit_code == 1, answer.err
    chain.insurer = answer.json
    chain.transformed(
        chain.path("insurer") / "differences.csv", "differences-to-insurer-ledger", "answer.csv", *said, "--set",
        "acct_date=20240307", "--set", "biz_kind=PAY",
    )  # fmt: skip


def test_prices_are_those_of_the_list(chain):
    prices = read(chain.path("prices.csv"))
    assert {one["item_code"]: fen(one["price_lv3"]) for one in prices} == {one.code: one.fen for one in chain.items}
    sent = json.loads(chain.path("3301.json").read_bytes())["input"]["data"]
    assert {(one["med_list_codg"], one["enddate"]) for one in sent} == {(one.code, "2099-12-31") for one in chain.items}


def test_fee_messages_hold_every_line(chain):
    sent = [
        line
        for path in sorted(chain.folder.glob("fees-*.json"))
        for line in json.loads(path.read_bytes())["input"]["feedetail"]
    ]
    assert len(sent) == sum(len(one.lines) for one in chain.visits)
    assert total(sent, "det_item_fee_sumamt") == sum(one.fee for one in chain.visits)


def signed(chain: Chain) -> list[tuple[drawn.Visit, int]]:
    """Every settlement and refund."""
    return [(one, sign) for one in chain.visits for sign in ((1, -1) if one.is_refunded else (1,))]


def test_totals_by_insurance_type_are_those_of_the_visits(chain):
    sent = [json.loads(path.read_bytes())["input"]["data"] for path in sorted(chain.folder.glob("3201-*.json"))]
    found = {one["insutype"]: [int(one["fixmedins_setl_cnt"]), *(fen(one[name]) for name in LEDGER)] for one in sent}
    expected = {name: [0, 0, 0, 0] for name in drawn.TYPES}
    for one, sign in signed(chain):
        group = expected[drawn.TYPES[one.number % 2]]
        for at, amount in enumerate((sign, one.fee, one.fund, one.account)):
            group[at] += 1 if at == 0 else sign * amount
    assert found == expected


def test_the_detail_file_and_its_request_say_the_same_as_the_visits(chain):
    rows = chain.uploaded
    sums = [sum(fen(row[at]) for row in rows) for at in (3, 4, 5)]
    drawn_sums = [sum(sign * value(one) for one, sign in signed(chain)) for value in (_fee, _fund, _account)]
    assert (len(rows), sums) == (len(signed(chain)), drawn_sums)
    request = json.loads(chain.path("3202.json").read_bytes())["input"]["data"]
    cash = sum(sign * (one.person - one.account) for one, sign in signed(chain))
    told = [int(request["fixmedins_setl_cnt"]), fen(request["medfee_sumamt"]), fen(request["fund_pay_sumamt"])]
    assert [*told, fen(request["cash_payamt"])] == [len(rows), *drawn_sums[:2], cash]
    answer = medpay("validate", chain.path("upload.txt"), "--totals", chain.path("3202.json"))
    assert (answer.exit_code, answer.err) == (0, "")


def _fee(one: drawn.Visit) -> int:
    return one.fee


def _fund(one: drawn.Visit) -> int:
    return one.fund


def _account(one: drawn.Visit) -> int:
    return one.account


def test_the_ledger_s_differences_are_those_that_were_made(chain):
    found = {name: one["keys"] for name, one in chain.ledger["classes"].items() if one["keys"]}
    rows = len(chain.uploaded)
    assert found == {
        "matched": rows - len(chain.lost) - len(chain.other), "only_ours": len(chain.lost),
        "only_theirs": len(chain.more), "amount_differs": len(chain.other),
    }  # fmt: skip
    for at, name in ((3, "medfee_sumamt"), (4, "fund_pay_sumamt"), (5, "acct_pay")):
        bridge = chain.ledger["bridge"][name]
        ours, theirs = (sum(fen(row[at]) for row in side) for side in (chain.uploaded, chain.platform))
        assert [fen(bridge[key]) for key in ("ours", "theirs", "difference", "explained")] == [
            ours, theirs, ours - theirs, ours - theirs,
        ]  # fmt: skip


def test_the_answer_of_the_platform_says_every_difference(chain):
    words = {"1": len(chain.more), "2": len(chain.lost), "3": len(chain.other)}
    assert Counter(row[4] for row in chain.result) == words
    by_id = {row[0]: row for row in chain.uploaded}
    for row in chain.result:
        mine = by_id.get(row[2])
        expected = [3_00 + 2_00, 3_00, 0] if mine is None else [fen(mine[at]) for at in (3, 4, 5)]
        expected[1] += row[4] == "3"
        assert [fen(row[at]) for at in (7, 8, 9)] == expected
        assert row[0] == (f"P{row[2]}" if mine is None else mine[2])


def test_the_differences_come_back_from_the_answer(chain):
    before = {one["setl_id"]: one for one in read(chain.path("ledger") / "differences.csv")}
    after = {one["setl_id"]: one for one in read(chain.path("differences.csv"))}
    assert before.keys() == after.keys()
    kept = [name for name in next(iter(before.values())) if name != "advice"]
    assert {key: [one[name] for name in kept] for key, one in before.items()} == {
        key: [one[name] for name in kept] for key, one in after.items()
    }


def test_claims_ask_for_what_everybody_before_the_insurer_leaves(chain):
    claims = {one["claim_no"]: one for one in read(chain.path("claims.csv"))}
    assert claims.keys() == {f"S{one.number}" for one in chain.claimed}
    for one in chain.claimed:
        claim = claims[f"S{one.number}"]
        found = [fen(claim[name]) for name in ("medfee_sumamt", "fund_pay_sumamt", "claim_amt", "psn_cash_pay")]
        rest = one.fee - one.fund - one.hospital
        window = one.one_stop or 0
        assert found == [one.fee, one.fund, rest - window, rest - one.account - window]
        assert (claim["one_stop_flag"], claim["other_comm_pay"]) == (
            ("0", "") if one.one_stop is None else ("1", yuan(one.one_stop))
        )
        assert claim["einv_cnt"] == ("2" if one.number % 2 else "1")
    left = sum(sign * one.fee for one, sign in signed(chain) if not one.is_claimed)
    [fee] = [one for one in chain.told["amounts"] if one["column"] == "medfee_sumamt"]
    assert fen(fee["left_out"]) == left


def test_lines_and_invoices_of_the_package_cost_what_its_claims_do(chain):
    lines = read(chain.path("claim_lines.csv"))
    assert len(lines) == sum(len(one.lines) for one in chain.claimed)
    assert total(lines, "det_item_fee_sumamt") == sum(one.fee for one in chain.claimed)
    wanted = {f"S{one.number}" for one in chain.claimed}
    invoices = [one for one in read(chain.path("einvoice.csv")) if one["claim_no"] in wanted]
    assert total(invoices, "total_amt") == sum(one.fee for one in chain.claimed)
    answer = medpay(
        "validate", chain.path("claims.csv"), "--against", f"lines={chain.path('claim_lines.csv')}", "--against",
        f"invoices={chain.path('einvoice.csv')}", "--format", "json",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.out.decode()[:2000]


def test_what_was_decided_and_what_was_received_tie_to_the_claims(chain):
    decided, received = read(chain.path("decided.csv")), read(chain.path("received.csv"))
    assert (len(decided), total(decided, "pay_amt")) == (len(chain.claimed), sum(chain.paid.values()))
    assert total(decided, "medfee_sumamt") == sum(one.fee for one in chain.claimed)
    paid = sum(amount for number, amount in chain.paid.items() if number not in chain.failed)
    assert (len(received), total(received, "pay_amt")) == (len(chain.claimed) - len(chain.failed), paid - 1)


def test_what_the_insurer_still_owes_is_explained(chain):
    found = {name: one["keys"] for name, one in chain.insurer["classes"].items() if one["keys"]}
    failed = len(chain.failed)
    assert found == {"matched": len(chain.claimed) - failed - 1, "only_ours": failed, "amount_differs": 1}
    owed = 1 + sum(chain.paid[number] for number in chain.failed)
    assert fen(chain.insurer["bridge"]["pay_amt"]["difference"]) == owed
    answer = read(chain.path("answer.csv"))
    assert Counter((one["diff_type"], one["fix_action"]) for one in answer) == {
        ("01", "RESEND"): failed, ("03", "CORRECT"): 1,
    }  # fmt: skip
