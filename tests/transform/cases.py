"""What each shipped mapping needs at a run beside its source: values that it asks for, and inputs that it joins."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from medpay_cli import config, layouts, mappings

FIXTURES = Path(__file__).parents[2] / "fixtures" / "mappings"
GIVEN = {
    "stmt_begndate": "2024-03-01", "stmt_enddate": "2024-03-31", "file_qury_no": "F1", "admdvs": "110000",
    "fixmedins_code": "H11010100001", "claim_mode": "2", "consent_flag": "1", "acct_date": "20240302",
    "insurer_code": "INS01", "biz_kind": "SETL", "total_count": "3", "total_amt": "250.00", "comm_pay_amt": "55.00",
}  # fmt: skip
# Mapping → input that it joins → (its column, the source's column) of the key, and what a value of that becomes there.
JOINED: dict[str, dict[str, dict[str, str]]] = {
    "settlement-to-commercial-claim": {
        "coverage": {"certno": "certno"}, "diagnosis": {"mdtrt_id": "mdtrt_id"},
        "refund": {"mdtrt_id": "mdtrt_id", "setl_id": "setl_id", "medins_setl_id": "#msgid"},
        "einvoice": {"claim_no": "setl_id", "einv_no": "#"},
        "one_stop": {"setl_id": "setl_id", "settle_serial_no": "#"},
    },
    "fee-line-to-commercial-claim-line": {
        "claim": {"mdtrt_id": "mdtrt_id", "claim_no": "#", "bill_no": "#"},
        "result": {"mdtrt_id": "mdtrt_id", "feedetl_sn": "feedetl_sn"},
    },
    "nhsa-3202-result-to-differences": {"ledger": {"setl_id": "setl_id"}},
    "differences-to-nhsa-3202-result": {
        "ours": {"setl_id": "setl_id"}, "theirs": {"setl_id": "setl_id", "medins_setl_id": "#msgid"},
    },
    "differences-to-insurer-result": {"difference": {"settle_serial_no": "settle_serial_no"}},
    "payment-return-to-insurer-ledger": {
        "result": {"settle_serial_no": "settle_serial_no", "rev_flag": "line_kind", "claim_no": "#"},
    },
}  # fmt: skip
# Of a mapping of groups: sum of the target → amount of the source; and columns of the source that every group needs.
SUMMED: dict[str, dict[str, str]] = {
    "settlement-to-nhsa-3201": {
        "medfee_sumamt": "medfee_sumamt", "fund_pay_sumamt": "fund_pay_sumamt", "acct_pay": "acct_pay",
    },
    "settlement-to-nhsa-3202-request": {
        "medfee_sumamt": "medfee_sumamt", "fund_pay_sumamt": "fund_pay_sumamt", "cash_payamt": "psn_cash_pay",
    },
    "insurer-result-to-insurer-ledger": {"pay_amt": "pay_amt"},
}  # fmt: skip
COUNTED = {"settlement-to-nhsa-3201": "fixmedins_setl_cnt", "settlement-to-nhsa-3202-request": "fixmedins_setl_cnt"}
# What free invention seldom or never gets right, so that some records pass.
GROUPS = {"insutype": ("310", "390"), "clr_type": ("11", "21"), "clr_optins": ("110000",)}
FLAGS = {"refd_setl_flag_ours": ("0", "1", ""), "refd_setl_flag_theirs": ("0", "1")}
PRICES = {"price": ("10", "1,200.50元"), "price_lv3": ("7",), "price_lv2": ("6.5", "自主定价"), "price_lv1": ("",)}
FILLED: dict[str, dict[str, tuple[str, ...]]] = {
    "settlement-to-nhsa-3201": GROUPS, "settlement-to-nhsa-3202-request": GROUPS,
    "differences-to-nhsa-3202-result": FLAGS, "differences-to-insurer-ledger": FLAGS,
    "payment-return-to-insurer-ledger": {"pay_state": ("1", "1", "2")},
    "settlement-to-commercial-claim": {"begndate": ("2024-03-01",), "enddate": ("2024-03-02",)},
    "price-list-to-price-item": {
        **PRICES, "pay_class": ("甲", "乙类", "丁"), "admdvs": ("610000",), "begndate": ("20240101", "2024-01-01"),
        "enddate": ("9999-12-31", ""),
    },
    "nhsa-1321-to-price-item": {
        "admdvs": ("110000",), "efft_time": ("2024-01-01 00:00:00",), "invd_time": ("2025-01-01 00:00:00",),
        "servitem_name": ("虚构项目",),
    },
}  # fmt: skip
# Any layout to itself: the same for all of them.
ANYTHING = ("identity",)
# Messages of several nodes: node → its amounts, in a file for each record of the first.
NODED = {
    "settlement-list-to-nhsa-4101": {
        "setlinfo": ("psn_selfpay", "psn_ownpay", "acct_pay", "psn_cashpay"), "payinfo": ("fund_payamt",),
        "iteminfo": ("amt", "claa_sumfee", "clab_amt", "fulamt_ownpay_amt", "oth_amt"),
    },
}  # fmt: skip
# What is another in a partner than in the fixture, and how few records have one where that decides what is wanted.
FIXED = {"result": {"pay_amt": "0.00", "calc_amt": "0.00", "psn_amt": "0.00", "orig_settle_serial_no": "X"}}
RARE = {"refund": 4}
REVERSED = {"PAY": "N", "REV": "R"}
PLAIN_KEY = re.compile("[A-Za-z0-9]{1,30}", re.ASCII)


def covered() -> set[str]:
    """The shipped mappings that a case is there for: what a mapping asks for, joins and sums up is said above."""
    found = set(ANYTHING)
    for name in config.names(config.MAPPING):
        document = mappings.load(name).document
        asked, joined = set(document.get("asked", ())), set(document.get("join", {}))
        has_sums = ("group" in document) == (name in SUMMED)
        if (
            asked <= GIVEN.keys()
            and joined == JOINED.get(name, {}).keys()
            and has_sums
            and ("nodes" in document) == (name in NODED)
        ):
            found.add(name)
    return found


def given(name: str) -> list[str]:
    """The words of a run for what a mapping asks for."""
    return [word for one in mappings.load(name).document.get("asked", ()) for word in ("--set", f"{one}={GIVEN[one]}")]


def beside(name: str, came: list[dict[str, str]], folder: Path, *, lonely: int = 0) -> list[str]:
    """Write the inputs that a mapping joins, with a partner for every record but each `lonely`-th; the words of a run
    that name them. A partner is what the fixture has, under another key."""
    words = []
    for kind, columns in JOINED.get(name, {}).items():
        layout = layouts.load(mappings.load(name).document["join"][kind]["layout"])
        [fixture] = (FIXTURES / name).glob(f"with.{kind}.*")
        pattern = _first(fixture, layout.names)
        keys = dict.fromkeys(
            tuple(one.get(source, "") for source in columns.values() if source[0] != "#") for one in came
        )
        path = folder / f"{kind}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            written = csv.DictWriter(file, layout.names, lineterminator="\n", restval="")
            written.writeheader()
            for number, key in enumerate(keys):
                made = _as_said(columns, key, number)
                is_one = number % RARE[kind] == 0 if kind in RARE else not lonely or (number + 1) % lonely
                if is_one and all(map(PLAIN_KEY.fullmatch, made.values())):
                    fixed = FIXED.get(kind, {}) if name.startswith("payment") else {}
                    written.writerow({**pattern, **fixed, **made})
        words += ["--with", f"{kind}={path}"]
    return words


def _first(path: Path, names: tuple[str, ...]) -> dict[str, str]:
    """A record of a fixture, with a header or in columns of the layout's order; of refunds the last one, which is."""
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            return list(csv.DictReader(file))[-1 if ".refund." in path.name else 0]
        return dict(zip(names, file.readline().rstrip("\n").split("\t"), strict=False))


def _as_said(columns: dict[str, str], key: tuple[str, ...], number: int) -> dict[str, str]:
    """The key, under the names of the input that is joined; `#` is a number of its own."""
    values = iter(key)
    found = {}
    for column, source in columns.items():
        if source[0] == "#":
            message = f"H11010100001202403050900{number // 10_000:02}{number % 10_000:04}"
            found[column] = message if source == "#msgid" else f"{number:010}"
        else:
            value = next(values)
            found[column] = REVERSED.get(value, "") if source == "line_kind" else value
    return found
