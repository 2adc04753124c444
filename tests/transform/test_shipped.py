"""What only some shipped mappings do: conventions of partners, the way back, and what they refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest
from small import medpay

from medpay_cli.errors import MedpayError
from medpay_cli.transform import nesting

FIXTURES = Path(__file__).parents[2] / "fixtures" / "mappings"
REQUEST = FIXTURES / "settlement-to-nhsa-3202-request" / "in.csv"
DAYS = ("--set", "stmt_begndate=2024-03-01", "--set", "stmt_enddate=2024-03-31")


def transformed(source: Path, mapping: str, out: Path, *words: object):
    """Run a mapping."""
    return medpay("transform", source, "--mapping", mapping, "-o", out, "--format", "json", *words)


def partner(folder: Path, conventions: str) -> tuple[object, ...]:
    """The words that name a partner with these conventions."""
    (folder / "medpay.toml").write_text(f"[partners.city.conventions]\n{conventions}\n", "utf-8")
    return ("--partner", "city", "--config", folder / "medpay.toml")


@pytest.mark.parametrize(
    ("conventions", "cash", "count"),
    [
        ("", "0.40", "3"), ('cash_payamt = "psn_cash_pay"', "0.40", "3"),
        ('cash_payamt = "psn_part_amt"', "10.40", "3"), ('cash_payamt = "medfee_less_fund"', "10.50", "3"),
        ('count = "net"', "0.40", "1"), ('count = "net"\ncash_payamt = "psn_part_amt"', "10.40", "1"),
    ],
)  # fmt: skip
def test_a_3202_request_keeps_to_the_partner_s_conventions(tmp_path, conventions, cash, count):
    answer = transformed(
        REQUEST, "settlement-to-nhsa-3202-request", tmp_path / "o.json", *DAYS, "--set", "file_qury_no=F1",
        *partner(tmp_path, conventions),
    )  # fmt: skip
    assert (answer.exit_code, answer.err) == (0, "")
    data = json.loads((tmp_path / "o.json").read_bytes())["input"]["data"]
    assert (data["cash_payamt"], data["fixmedins_setl_cnt"]) == (cash, count)


def test_3201_totals_count_net_of_refunds_where_the_partner_does(tmp_path):
    source = FIXTURES / "settlement-to-nhsa-3201" / "in.csv"
    words = (*DAYS, *partner(tmp_path, 'count = "net"'))
    assert transformed(source, "settlement-to-nhsa-3201", tmp_path / "o.json", *words).exit_code == 0
    assert json.loads((tmp_path / "o.json").read_bytes())["input"]["data"]["fixmedins_setl_cnt"] == "1"


def test_a_sum_of_which_an_amount_is_absent_is_none(tmp_path):
    text = REQUEST.read_text("utf-8").replace(",10.40,10.00,0.40,0.10,", ",10.40,10.00,,0.10,")
    (tmp_path / "in.csv").write_text(text, "utf-8")
    answer = transformed(
        tmp_path / "in.csv", "settlement-to-nhsa-3202-request", tmp_path / "o.json", *DAYS, "--set", "file_qury_no=F1"
    )
    [finding] = answer.json["target"]["findings"]
    assert (answer.exit_code, finding["code"], finding["field"]) == (1, "L101", "cash_payamt")
    assert not (tmp_path / "o.json").exists()


def test_price_items_come_back_from_a_3301_request(tmp_path):
    source = FIXTURES / "price-item-to-nhsa-3301" / "in.csv"
    assert transformed(source, "price-item-to-nhsa-3301", tmp_path / "o.json").exit_code == 0
    answer = transformed(
        tmp_path / "o.json", "nhsa-3301-to-price-item", tmp_path / "back.csv", "--set", "admdvs=110000"
    )
    assert answer.exit_code == 0
    kept = (
        "item_code",
        "item_name",
        "service_content",
        "excluded_content",
        "billing_unit",
        "begndate",
        "enddate",
        "memo",
    )
    before, after = (
        [[one[name] for name in kept] for one in csv.DictReader(path.open(encoding="utf-8"))]
        for path in (source, tmp_path / "back.csv")
    )
    # The hospital's own item went nowhere.
    assert (after, len(before)) == (before[:2], 3)


def test_a_3202_result_comes_back_from_its_differences(tmp_path):
    """All but the balanced line, which is no difference, and the memo, which holds the class."""
    folder = FIXTURES / "nhsa-3202-result-to-differences"
    ledger = folder / "with.ledger.txt"
    words = ("--with", f"ledger={ledger}")
    assert transformed(folder / "in.txt", folder.name, tmp_path / "d.csv", *words).exit_code == 0
    header = (FIXTURES / "differences-to-nhsa-3202-result" / "with.theirs.csv").read_text("utf-8").splitlines()[0]
    (tmp_path / "none.csv").write_text(header + "\n", "utf-8")
    answer = transformed(
        tmp_path / "d.csv", "differences-to-nhsa-3202-result", tmp_path / "back.txt", "--with", f"ours={ledger}",
        "--with", f"theirs={tmp_path / 'none.csv'}",
    )  # fmt: skip
    assert (answer.exit_code, answer.err) == (0, "")
    lines = [line.split("\t") for line in (tmp_path / "back.txt").read_text("utf-8").splitlines()]
    before = [line.split("\t") for line in (folder / "in.txt").read_text("utf-8").splitlines()]
    expected = [[*line[:4], line[4][-1], line[5], *line[7:]] for line in before[1:]]
    assert [[*line[:6], *line[7:10]] for line in lines] == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # The centre has more, and yet the record stands in the ledger; the institution has more, and it does not.
        ("P3\tnull\tnull\t", "P3\tM4\tS1\t"), ("P2\tM2\tS2\t", "P2\tM2\tS9\t"),
        # Values differ, and yet they are the same; or nobody says which.
        ("\t40.01\t", "\t40.00\t"), ("40.01\t24.00\t0.00", "null\tnull\tnull"),
    ],
)  # fmt: skip
def test_an_answer_that_contradicts_the_ledger_is_no_difference(tmp_path, old, new):
    folder = FIXTURES / "nhsa-3202-result-to-differences"
    text = (folder / "in.txt").read_text("utf-8")
    assert old in text
    (tmp_path / "in.txt").write_text(text.replace(old, new), "utf-8")
    words = ("--with", f"ledger={folder / 'with.ledger.txt'}")
    answer = transformed(tmp_path / "in.txt", folder.name, tmp_path / "d.csv", *words)
    codes = {(one["code"], one["field"]) for one in answer.json["target"]["findings"]}
    assert (answer.exit_code, ("M101", "class") in codes) == (1, True)


def test_no_more_than_the_cash_was_paid_in_one_stop(tmp_path):
    folder = FIXTURES / "settlement-to-commercial-claim"
    text = (folder / "with.one_stop.csv").read_text("utf-8")
    assert "30.00,30.00,0.00,50.00" in text
    (tmp_path / "with.one_stop.csv").write_text(
        text.replace("30.00,30.00,0.00,50.00", "80.01,80.01,0.00,0.00"), "utf-8"
    )
    inputs = {path.name.split(".")[1]: path for path in folder.glob("with.*")} | {
        "one_stop": tmp_path / "with.one_stop.csv"
    }
    words = [word for name, path in inputs.items() for word in ("--with", f"{name}={path}")]
    given = ("fixmedins_code=H11010100001", "claim_mode=2", "consent_flag=1")
    answer = transformed(
        folder / "in.csv", folder.name, tmp_path / "o.csv", *words, *(word for one in given for word in ("--set", one))
    )
    assert [(one["code"], one["row"], one["value"]) for one in answer.json["target"]["findings"]] == [
        ("M101", 2, "one_stop.paid > psn_cash_pay")
    ]


def test_a_record_that_belongs_to_none_is_never_dropped():
    lists = pl.DataFrame({"setl_id": ["S1", "S2"]})
    items = pl.DataFrame({"setl_id": ["S1", "S3"], "amt": ["1.00", "2.00"]})
    chunks = nesting.apart("setlinfo", {"setlinfo": iter([lists]), "iteminfo": iter([items])}, ["setl_id"])
    first = next(chunks)
    assert first["iteminfo"].rows() == [(None, "1.00")]
    assert next(chunks).keys() == {"setlinfo"}
    with pytest.raises(MedpayError, match="apart_lost"):
        next(chunks)


def test_columns_of_apart_stand_in_every_node(tmp_path):
    shipped = Path(__file__).parents[2] / "schemas" / "mappings" / "settlement-list-to-nhsa-4101.toml"
    (tmp_path / "m.toml").write_text(shipped.read_text("utf-8").replace('["setl_id"]', '["mdtrt_id"]'), "utf-8")
    source = FIXTURES / "settlement-list-to-nhsa-4101" / "in.json"
    answer = transformed(source, str(tmp_path / "m.toml"), tmp_path / "o.json")
    assert (answer.exit_code, "every node must have the columns mdtrt_id of apart" in answer.err) == (2, True)
