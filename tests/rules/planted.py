"""Invented settlements, their fee lines and funds, all of which tie, and what breaks when a cell of them is edited.

Apart from the tool in every way: amounts are whole fen in numpy, and what is expected is written down beside each edit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

LINES = 10
FILES = ("settlement", "fee_line", "fee_line_result", "settlement_fund")
DIVISIONS = np.array(["110101", "310101", "440106", "510104", "650102"])
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CLASSES = {"01": "0", "02": "0.1500", "03": "1.0000"}
Record = dict[str, str | None]
# What a finding is told by: its file, record (from 0), field and code.
Place = tuple[str, int, str | None, str]


def check_digit(digits: str) -> str:
    return "10X98765432"[sum(weight * int(digit) for weight, digit in zip(WEIGHTS, digits, strict=True)) % 11]


def yuan(units: np.ndarray, scale: int = 2) -> pl.Series:
    """Amounts as text."""
    amount = pl.Series(units)
    whole, fraction = amount.abs() // 10**scale, amount.abs() % 10**scale
    sign = pl.select(pl.when(amount < 0).then(pl.lit("-")).otherwise(pl.lit(""))).to_series()
    return sign + whole.cast(pl.String) + "." + fraction.cast(pl.String).str.zfill(scale)


def days(numbers: np.ndarray) -> pl.Series:
    return pl.Series(np.datetime64("1940-01-01") + numbers.astype("timedelta64[D]")).dt.strftime("%Y-%m-%d")


def messages(count: int) -> pl.Series:
    """A message ID for each: the hospital, a moment and a number."""
    seconds = pl.Series(
        np.datetime64("2025-01-01") + np.arange(count).astype("timedelta64[s]").astype("timedelta64[ms]")
    )
    return "H11010100001" + seconds.dt.strftime("%Y%m%d%H%M%S") + "0001"


def numbered(letter: str, count: int, each: int = 1) -> pl.Series:
    return pl.Series(np.arange(count) // each).cast(pl.String).str.zfill(9).str.replace("^", letter)


def drawn(count: int, seed: int) -> dict[str, pl.DataFrame]:
    """Frames of text in which everything ties: some settlements are refunds, some answer in the short form."""
    chance = np.random.default_rng(seed)
    lines = count * LINES
    sign = np.where(chance.random(count) < 0.05, -1, 1)
    signs = np.repeat(sign, LINES)
    price = chance.integers(1_000_000, 400_000_000, lines)  # millionths
    times = chance.integers(1, 60_000, lines)  # ten-thousandths
    cost = (price * times + 50_000_000) // 100_000_000 * signs
    fee = cost.reshape(count, LINES).sum(axis=1)

    def part(of: np.ndarray, percent: int) -> np.ndarray:
        return np.sign(of) * (np.abs(of) * percent // 100)

    fund, account, hospital = part(fee, 60), part(fee, 12), part(fee, 3)
    cash = fee - fund - account - hospital
    funds = {name: part(fund, 7) for name in FUNDS[1:]}
    funds["hifp_pay"] = fund - sum(funds.values())
    scopes = {"fulamt_ownpay_amt": part(fee, 9), "overlmt_selfpay": part(fee, 4), "preselfpay_amt": part(fee, 6)}
    scopes["inscp_scp_amt"] = fee - sum(scopes.values())
    is_short = chance.random(count) < 0.05
    born, begun = chance.integers(0, 22_000, count), chance.integers(31_050, 31_400, count)
    stay = chance.integers(0, 9, count)
    place, turn = DIVISIONS[chance.integers(0, len(DIVISIONS), count)], chance.integers(0, 1000, count)
    digits = pl.Series(place) + days(born).str.replace_all("-", "") + pl.Series(turn).cast(pl.String).str.zfill(3)
    sums = sum(digits.str.slice(at, 1).cast(pl.Int64) * weight for at, weight in enumerate(WEIGHTS)) % 11
    checks = sums.replace_strict(dict(enumerate("10X98765432")), return_dtype=pl.String)
    absent = pl.Series([None] * count, dtype=pl.String)

    def where(chosen: np.ndarray, texts: pl.Series) -> pl.Series:
        return texts.zip_with(pl.Series(chosen), absent)

    settlement = pl.DataFrame({
        "mdtrt_id": numbered("M", count), "setl_id": numbered("S", count), "psn_no": numbered("P", count),
        "psn_name": "测试", "psn_cert_type": "01", "certno": digits + checks,
        "gend": pl.Series(np.where(turn % 2, "1", "2")), "brdy": days(born), "insutype": "310", "psn_type": "11",
        "setl_time": days(begun + stay) + " 12:00:00", "med_type": "21", "medfee_sumamt": yuan(fee),
        **{name: yuan(amount) for name, amount in {**scopes, **funds}.items()},
        "pool_prop_selfpay": "0.8000", "fund_pay_sumamt": yuan(fund),
        "psn_part_amt": where(~is_short, yuan(account + cash)), "acct_pay": yuan(account), "psn_cash_pay": yuan(cash),
        "hosp_part_amt": where(~is_short, yuan(hospital)), "balc": "1.00", "acct_mulaid_pay": yuan(part(account, 50)),
        "medins_setl_id": messages(count), "clr_optins": "110101",
        "psn_pay": where(is_short, yuan(account + cash)), "ownpay_hosp_part": where(is_short, yuan(hospital)),
        "begndate": days(begun), "enddate": days(begun + stay),
    })  # fmt: skip
    within = np.repeat(begun, LINES) + chance.integers(0, np.repeat(stay, LINES) + 1)
    own = {
        "feedetl_sn": numbered("F", lines), "mdtrt_id": numbered("M", lines, LINES),
        "det_item_fee_sumamt": yuan(cost), "cnt": yuan(times * signs, 4), "pric": yuan(price, 6),
    }  # fmt: skip
    family = np.array(["00110200001100", "XA01AAA001A00101234567", "C010101010101010101"])
    fee_line = pl.DataFrame({
        **own, "psn_no": numbered("P", lines, LINES), "fee_ocur_time": days(within) + " 08:00:00",
        "med_list_codg": pl.Series(family[chance.integers(0, 3, lines)] + "0"), "medins_list_codg": "TEST1",
        "bilg_dept_codg": "D01", "bilg_dept_name": "测试", "bilg_dr_codg": "D110101000001", "bilg_dr_name": "测试",
        "orders_dr_code": "D110101000002", "etip_hosp_code": "H11010100001",
    })  # fmt: skip
    shares = {"fulamt_ownpay_amt": part(cost, 11), "overlmt_amt": part(cost, 5), "preselfpay_amt": part(cost, 8)}
    shares["inscp_scp_amt"] = cost - sum(shares.values())
    level = np.array(list(CLASSES))[chance.integers(0, 3, lines)]
    result = pl.DataFrame({
        **own, "pric_uplmt_amt": "1.000000", "chrgitm_lv": pl.Series(level),
        "selfpay_prop": pl.Series(level).replace_strict(CLASSES, return_dtype=pl.String),
        **{name: yuan(amount) for name, amount in shares.items()}, "med_chrgitm_type": "01", "lmt_used_flag": "0",
    })  # fmt: skip
    payments = pl.DataFrame({
        "setl_id": numbered("S", 3 * count, 3),
        "fund_pay_type": pl.Series(np.tile(np.array(["310100", "310200", "999996"]), count)),
        "inscp_scp_amt": "0.00", "crt_payb_lmt_amt": "0.00",
        "fund_payamt": yuan(np.stack([fund, account, hospital], axis=1).ravel()),
    })  # fmt: skip
    return {"settlement": settlement, "fee_line": fee_line, "fee_line_result": result, "settlement_fund": payments}


FUNDS = ("hifp_pay", "cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "hifdm_pay", "maf_pay", "oth_pay")


@dataclass(frozen=True)
class Edit:
    """A cell of one file that becomes another; what is expected: a field and a code of that record, or
    `file.field` and a code of the records that it belongs to (of a settlement: all of its lines; of a line or a fund:
    its settlement).

    `fits` says in which records. `is_local`: the file with it could not be held against.
    """

    file: str
    field: str
    change: Callable[[str, Record], str]
    expected: tuple[tuple[str | None, str], ...]
    fits: Callable[[Record], bool] = lambda _: True
    is_local: bool = False


def fen_more(old: str, _: Record) -> str:
    return str(Decimal(old) + (Decimal("0.01") if Decimal(old) >= 0 else Decimal("-0.01")))


def fen_less(old: str, _: Record) -> str:
    return str(Decimal(old) - Decimal("0.01"))


def twice(old: str, _: Record) -> str:
    return str(Decimal(old) * 2)


def to(text: str) -> Callable[[str, Record], str]:
    return lambda *_: text


def last(letter: str) -> Callable[[str, Record], str]:
    return lambda old, _: old[:-1] + letter


def more_than(name: str) -> Callable[[str, Record], str]:
    return lambda _, record: fen_more(record[name] or "", record)


def other_place(old: str, _: Record) -> str:
    digits = "118888" + old[6:17]
    return digits + check_digit(digits)


def rounded_message(_: str, record: Record) -> str:
    return f"1.{(record['setl_id'] or '')[1:]}E+29"


def is_long(record: Record) -> bool:
    return record["psn_part_amt"] is not None


def is_short(record: Record) -> bool:
    return record["psn_part_amt"] is None


def wrong_check(old: str, _: Record) -> str:
    return old[:-1] + ("1" if old[-1] != "1" else "2")


def is_class(*codes: str) -> Callable[[Record], bool]:
    return lambda record: record["chrgitm_lv"] in codes


def is_kind(code: str) -> Callable[[Record], bool]:
    return lambda record: record["fund_pay_type"] == code


def _settlement(
    field: str, change: Callable[[str, Record], str], *expected: tuple[str | None, str],
    fits: Callable[[Record], bool] = is_long, is_local: bool = False,
) -> Edit:  # fmt: skip
    return Edit("settlement", field, change, expected, fits, is_local)


FEE, FUND, PERSON, LINE = "medfee_sumamt", "fund_pay_sumamt", "psn_part_amt", "det_item_fee_sumamt"
EDITS: dict[str, Edit] = {
    "fee": _settlement(FEE, fen_more, (FEE, "C201"), (FEE, "C203"), (FEE, "B301"), (FEE, "B303")),
    "fee less": _settlement(FEE, fen_less, (FEE, "C201"), (FEE, "C203"), (FEE, "B301"), (FEE, "B303")),
    **{f"scope {name}": _settlement(name, fen_more, (FEE, "C201"))
       for name in ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")},
    **{f"fund {name}": _settlement(name, fen_less, (FUND, "C202")) for name in FUNDS},
    "fund total": _settlement(FUND, fen_more, (FUND, "C202"), (FEE, "C203"), (FUND, "B302")),
    "person": _settlement(PERSON, fen_more, (FEE, "C203"), (PERSON, "C205")),
    "hospital": _settlement("hosp_part_amt", fen_less, (FEE, "C203")),
    "account": _settlement("acct_pay", fen_more, (PERSON, "C205")),
    "cash": _settlement("psn_cash_pay", fen_more, (PERSON, "C205"), (FEE, "B301")),
    "family": _settlement("acct_mulaid_pay", more_than("acct_pay"), ("acct_mulaid_pay", "C206")),
    "short person": _settlement("psn_pay", fen_more, (FEE, "C207"), fits=is_short),
    "short hospital": _settlement("ownpay_hosp_part", fen_less, (FEE, "C207"), fits=is_short),
    "number": _settlement("certno", wrong_check, ("certno", "C101")),
    "number damaged": _settlement("certno", to("1.10101E+17"), ("certno", "C102")),
    "number rounded": _settlement("certno", lambda old, _: old[:15] + "000", ("certno", "C102"),
                                  fits=lambda one: check_digit((one["certno"] or "")[:15] + "00") != "0"),
    "number of nowhere": _settlement("certno", other_place, ("certno", "C103")),
    "message": _settlement("medins_setl_id", last("Z"), ("medins_setl_id", "C104")),
    "message of no moment": _settlement("medins_setl_id", lambda old, _: old[:16] + "13" + old[18:],
                                        ("medins_setl_id", "C104")),
    "message damaged": _settlement("medins_setl_id", rounded_message, ("medins_setl_id", "C102")),
    "sex": _settlement("gend", lambda old, _: "2" if old == "1" else "1", ("gend", "C111")),
    "birth": _settlement("brdy", to("1939-12-31"), ("brdy", "C112")),
    "birth to come": _settlement("brdy", to("2099-01-01"), ("brdy", "C112"), ("brdy", "C121")),
    "begins late": _settlement("begndate", to("2098-01-01"), ("begndate", "C121"),
                               ("fee_line.fee_ocur_time", "B321")),
    "no amount": _settlement(FEE, to("1e3"), (FEE, "L102"), is_local=True),
    "no account": _settlement("acct_pay", lambda old, _: old + "1", ("acct_pay", "L103"), is_local=True),
    "no fund that may be absent": _settlement("hifes_pay", lambda old, _: old + "1", ("hifes_pay", "L103"),
                                              is_local=True),
    "price": Edit("fee_line", "pric", twice, ((LINE, "C204"),)),
    "count": Edit("fee_line", "cnt", twice, ((LINE, "C204"),)),
    "line": Edit("fee_line", LINE, fen_more, ((LINE, "C204"), (f"settlement.{FEE}", "B303"))),
    "line less": Edit("fee_line", LINE, fen_less, ((LINE, "C204"), (f"settlement.{FEE}", "B303"))),
    "code": Edit("fee_line", "med_list_codg", last("#"), (("med_list_codg", "C104"),)),
    "code damaged": Edit("fee_line", "med_list_codg", to("1.102E+12"), (("med_list_codg", "C102"),)),
    "doctor": Edit("fee_line", "bilg_dr_codg", last("x"), (("bilg_dr_codg", "C104"),)),
    "other doctor": Edit("fee_line", "orders_dr_code", to("'110101000002"), (("orders_dr_code", "C102"),)),
    "hospital code": Edit("fee_line", "etip_hosp_code", to("Q11010100001"), (("etip_hosp_code", "C101"),)),
    "hospital damaged": Edit("fee_line", "etip_hosp_code", to("1.1E+11"), (("etip_hosp_code", "C102"),)),
    "hospital of nowhere": Edit("fee_line", "etip_hosp_code", to("H11888800001"), (("etip_hosp_code", "C103"),)),
    "too early": Edit("fee_line", "fee_ocur_time", to("2024-12-31 23:59:59"), (("fee_ocur_time", "B321"),)),
    "too late": Edit("fee_line", "fee_ocur_time", to("2027-01-01 00:00:00"), (("fee_ocur_time", "B321"),)),
    **{f"result {name}": Edit("fee_line_result", name, fen_more, ((LINE, "C210"),))
       for name in ("fulamt_ownpay_amt", "overlmt_amt", "preselfpay_amt", "inscp_scp_amt")},
    "result line": Edit("fee_line_result", LINE, fen_more, ((LINE, "C204"), (LINE, "C210"))),
    "result price": Edit("fee_line_result", "pric", twice, ((LINE, "C204"),)),
    "result count": Edit("fee_line_result", "cnt", twice, ((LINE, "C204"),)),
    "ratio of A and C": Edit("fee_line_result", "selfpay_prop", to("0.5"), (("selfpay_prop", "C132"),),
                             fits=is_class("01", "03")),
    "ratio of B": Edit("fee_line_result", "selfpay_prop", to("1"), (("selfpay_prop", "C132"),), fits=is_class("02")),
    "class": Edit("fee_line_result", "chrgitm_lv", to("03"), (("selfpay_prop", "C132"),), fits=is_class("01", "02")),
    "no scope": Edit("fee_line_result", "overlmt_amt", lambda old, _: old + "1", (("overlmt_amt", "L103"),)),
    "fund paid": Edit("settlement_fund", "fund_payamt", fen_more,
                      ((f"settlement.{FEE}", "B301"), (f"settlement.{FUND}", "B302")), fits=is_kind("310100")),
    "account paid": Edit("settlement_fund", "fund_payamt", fen_more, ((f"settlement.{FEE}", "B301"),),
                         fits=is_kind("310200")),
}  # fmt: skip
# How many records of each file belong to a settlement.
EACH = {"settlement": 1, "fee_line": LINES, "fee_line_result": LINES, "settlement_fund": 3}


@dataclass
class Planted:
    """Files with faults, the same as far as they can be held against, and every finding that there has to be."""

    whole: dict[str, pl.DataFrame]
    against: dict[str, pl.DataFrame]
    truth: set[Place]


def planted(frames: dict[str, pl.DataFrame], of_each: int, seed: int) -> Planted:
    """Each edit in `of_each` records, of settlements of their own; and as many keys that are repeated per file."""
    count = frames["settlement"].height
    chance = np.random.default_rng(seed)
    left = list(chance.permutation(count))
    truth: set[Place] = set()
    whole, against = (Edits(frames) for _ in range(2))
    for edit in EDITS.values():
        passed = []
        for _ in range(of_each):
            while True:
                one = int(left.pop())
                row = one * EACH[edit.file] + int(chance.integers(EACH[edit.file]))
                record = frames[edit.file].row(row, named=True)
                if edit.fits(record):
                    break
                passed.append(one)
            new = edit.change(record[edit.field] or "", record)
            assert new != record[edit.field]
            truth.update(_places(edit, row, one))
            for kept in (whole,) if edit.is_local else (whole, against):
                kept.put(edit.file, edit.field, row, new)
        left = passed + left
    for file, key in (("settlement", "setl_id"), ("fee_line", "feedetl_sn"), ("fee_line_result", "feedetl_sn")):
        for _ in range(of_each):
            one = int(left.pop())
            if file == "settlement":
                row, other = one, int(left.pop())
                # Now it stands before the payments of another one.
                truth |= {(file, row, FEE, "B301"), (file, row, FUND, "B302")}
            else:
                row, other = one * LINES + 3, one * LINES + 7
            whole.put(file, key, row, frames[file][key][other])
            truth |= {(file, row, None, "B101"), (file, other, None, "B101")}
    return Planted(whole.frames(), against.frames(), truth)


def _places(edit: Edit, row: int, settlement: int) -> list[Place]:
    places: list[Place] = []
    for at, code in edit.expected:
        file, _, field = at.rpartition(".") if at else ("", "", None)
        file = file or edit.file
        if file == edit.file:
            places.append((file, row, field, code))
        else:
            places += [(file, settlement * EACH[file] + number, field, code) for number in range(EACH[file])]
    return places


class Edits:
    """Frames, and the cells that become others."""

    def __init__(self, frames: dict[str, pl.DataFrame]) -> None:
        self._frames = frames
        self._cells: dict[tuple[str, str], dict[int, str]] = {}

    def put(self, file: str, field: str, row: int, text: str) -> None:
        self._cells.setdefault((file, field), {})[row] = text

    def frames(self) -> dict[str, pl.DataFrame]:
        made = dict(self._frames)
        for (file, field), cells in self._cells.items():
            rows: Sequence[int] = sorted(cells)
            column = made[file][field].clone().scatter(rows, [cells[row] for row in rows])
            made[file] = made[file].with_columns(column.alias(field))
        return made
