"""A mapping takes columns of other inputs: one partner by a key, or the sums of all, and never the first of several."""

from __future__ import annotations

import csv

import pytest
from small import MONEY, layout, medpay

TEXT = {"type": "string"}
MAPPING = """\
title = { zh = "x", en = "x" }
from = { layout = "bill.json", dialect = "csv" }
to = { layout = "claim.json", dialect = "csv" }
where = "bill_no <> 'B0'"

[join.policy]
layout = "policy.json"
dialect = "csv"
key = { person = "UPPER(person)" }
where = "state = '1'"

[join.invoice]
layout = "invoice.json"
dialect = "csv"
key = { bill = "bill_no" }
sums = { total = "amount", net = "amount - fee" }

[columns]
claim_no = "bill_no"
policy_no = "policy.policy_no"
amount = "amount"
invoiced = "COALESCE(invoice.total, 0)"
rest = "amount - invoice.net"
count = "COALESCE(invoice.records, 0)"
payer = "CONCAT(invoice.payer, '/', policy.state)"
"""
FILES = {
    "bills": "bill_no,person,amount\nB0,nobody,9.99\nB1,p1,10.05\nB2,P2,0.10\n",
    "policies": "policy_no,person,state\nN1,P1,1\nN0,P1,0\nN2,P2,1\nN3,P3,1\n",
    "invoices": "no,bill,amount,fee,payer\n1,B1,10.00,1.00,X\n2,B1,0.05,,X\n3,B2,0.10,0.01,Y\n4,,1.00,0.00,Z\n",
}
CLAIMS = """\
claim_no,policy_no,amount,invoiced,rest,count,payer
B1,N1,10.05,10.05,1.00,2,X/1
B2,N2,0.10,0.10,0.01,1,Y/1
"""
COUNT = {"type": "number", "format": "decimal", "x-digits": 4, "x-scale": 0}


@pytest.fixture
def folder(tmp_path):
    """Layouts, a mapping and inputs."""
    made = {
        "bill": ({"bill_no": TEXT, "person": TEXT, "amount": MONEY}, ("bill_no",)),
        "policy": ({"policy_no": TEXT, "person": TEXT, "state": TEXT}, ("policy_no",)),
        "invoice": ({"no": TEXT, "bill": TEXT, "amount": MONEY, "fee": MONEY, "payer": TEXT}, ("no",)),
        "claim": (
            {"claim_no": TEXT, "policy_no": TEXT, "amount": MONEY, "invoiced": MONEY, "rest": MONEY, "count": COUNT,
             "payer": TEXT},
            ("claim_no",),
        ),
    }  # fmt: skip
    for name, (properties, key) in made.items():
        (tmp_path / f"{name}.json").write_text(layout(name, properties, key=key), "utf-8")
    for name, text in FILES.items():
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    (tmp_path / "mapping.toml").write_text(MAPPING, "utf-8")
    return tmp_path


def changed(folder, name: str, old: str, new: str) -> None:
    """Another text in a file."""
    text = (folder / name).read_text("utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new), "utf-8")


def joined(folder, *options: object):
    """Run the mapping."""
    return medpay(
        "transform", folder / "bills.csv", "--mapping", folder / "mapping.toml", "-o", folder / "out.csv", "--format",
        "json", "--with", f"policy={folder / 'policies.csv'}", "--with", f"invoice={folder / 'invoices.csv'}", *options,
    )  # fmt: skip


def found(answer) -> list[tuple[str, int, str, str]]:
    """The findings of the target."""
    return [(one["code"], one["row"], one["field"], one["value"]) for one in answer.json["target"]["findings"]]


def test_columns_and_sums_of_other_inputs_stand_beside_the_record(folder):
    changed(folder, "invoices.csv", "0.05,,X", "0.05,0.00,X")
    answer = joined(folder)
    assert (answer.err, answer.exit_code, found(answer)) == ("", 0, [])
    assert (folder / "out.csv").read_text("utf-8") == CLAIMS
    assert answer.json["records"] == {"in": 3, "out": 2, "rejected": 0, "left_out": 1}
    # N0 is not wanted, N3 is nobody's; invoice 4 has no key at all.
    assert [(one["name"], one["records"], one["unasked"]) for one in answer.json["joined"]] == [
        ("policy", 3, 1), ("invoice", 4, 1),
    ]  # fmt: skip


def test_a_sum_of_an_absent_amount_is_no_zero(folder):
    """What is taken of it is absent, here for want of a fee; the amounts that are there are summed."""
    joined(folder)
    assert (folder / "out.csv").read_text("utf-8").splitlines()[1] == "B1,N1,10.05,10.05,,2,X/1"


def test_a_record_without_a_partner_is_a_finding(folder):
    changed(folder, "policies.csv", "N2,P2,1", "N2,p2,1")
    answer = joined(folder)
    assert (answer.exit_code, found(answer)) == (1, [("M104", 3, "policy_no", "0")])
    assert "policy (person)" in answer.json["target"]["findings"][0]["message"]
    assert not (folder / "out.csv").exists()


def test_of_several_partners_none_is_taken(folder):
    changed(folder, "policies.csv", "N0,P1,0", "N0,P1,1")
    answer = joined(folder, "--accepted-only")
    assert (answer.exit_code, found(answer)) == (1, [("M105", 2, "policy_no", "2")])
    assert (folder / "out.csv").read_text("utf-8").splitlines()[1:] == CLAIMS.splitlines()[2:]
    assert (folder / "out.csv.rejected").read_text("utf-8") == "bill_no,person,amount\nB1,p1,10.05\n"
    [amount] = [one for one in answer.json["amounts"] if one["column"] == "amount"]
    assert [amount[name] for name in ("in", "out", "rejected", "left_out")] == ["20.14", "0.10", "10.05", "9.99"]


def test_partners_that_are_summed_up_agree_on_everything_else(folder):
    changed(folder, "invoices.csv", "0.05,,X", "0.05,0.00,Q")
    assert found(joined(folder)) == [("M105", 2, "invoiced", "2")]


def test_a_record_without_a_partner_is_left_out_where_the_mapping_says_so(folder):
    changed(folder, "mapping.toml", "where = \"state = '1'\"", 'where = "state = \'1\'"\nif_none = "left_out"')
    changed(folder, "policies.csv", "N2,P2,1", "N2,P9,1")
    answer = joined(folder)
    assert (answer.exit_code, answer.json["records"]) == (0, {"in": 3, "out": 1, "rejected": 0, "left_out": 2})
    assert [one["left_out"] for one in answer.json["amounts"] if one["column"] == "amount"] == ["10.09"]


def test_other_inputs_have_a_say_in_which_records_are_wanted(folder):
    changed(folder, "mapping.toml", "bill_no <> 'B0'", "bill_no <> 'B0' AND COALESCE(invoice.total, 0) > 1")
    changed(folder, "mapping.toml", "sums = {", 'if_none = "empty"\nsums = {')
    answer = joined(folder)
    # B2 has too little, and B0 is nobody's before it can lack a policy.
    assert (answer.exit_code, found(answer)) == (0, [])
    assert answer.json["records"] == {"in": 3, "out": 1, "rejected": 0, "left_out": 2}
    assert [one["left_out"] for one in answer.json["amounts"] if one["column"] == "amount"] == ["10.09"]


def test_columns_of_no_partner_are_empty_where_the_mapping_says_so(folder):
    changed(folder, "mapping.toml", "sums = {", 'if_none = "empty"\nsums = {')
    changed(folder, "invoices.csv", "3,B2", "3,B9")
    assert joined(folder).exit_code == 0
    assert (folder / "out.csv").read_text("utf-8").splitlines()[2] == "B2,N2,0.10,0.00,,0,/1"


def test_an_input_that_is_wrong_itself_is_not_relied_on(folder):
    changed(folder, "policies.csv", "N3,P3", "N1,P3")
    answer = joined(folder)
    assert (answer.exit_code, answer.out) == (2, b"")
    assert "policies.csv: this file is not valid itself (2 records rejected)" in answer.err


def test_an_input_that_is_not_given_is_named(folder):
    words = ("transform", folder / "bills.csv", "--mapping", folder / "mapping.toml", "-o", folder / "out.csv")
    answer = medpay(*words, "--with", "policy=policies.csv")
    assert (answer.exit_code, "joins policy, invoice (--with NAME=PATH), given is policy" in answer.err) == (2, True)
    answer = medpay("transform", folder / "bills.csv", "--mapping", "identity", "-o", "x.csv", "--with", "a=b")
    assert (answer.exit_code, "identity: joins - (--with NAME=PATH), given is a" in answer.err) == (2, True)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("policy.policy_no", "policy.polcy_no", "policy.polcy_no of policy_no is refused"),
        ("policy.policy_no", "policies.policy_no", "of policy_no is refused"),
        ("person = \"UPPER", "persn = \"UPPER", "persn cannot be a key"),
        ("person = \"UPPER(person)\"", "person = \"amount\"", "expression amount of person is refused (amount(16,2))"),
        ("net = \"amount - fee\"", "net = \"amount / 3\"", "expression amount / 3 of net is refused (Div)"),
        ("net = \"amount - fee\"", "fee = \"amount - fee\"", "fee cannot be a key or the name of a sum"),
        ("net = \"amount - fee\"", "net = \"payer\"", "expression payer of net is refused (text)"),
        ("where = \"state = '1'\"", "where = \"state\"", "expression state of where is refused (text)"),
    ],
)  # fmt: skip
def test_what_cannot_be_joined_is_named(folder, old, new, reason):
    changed(folder, "mapping.toml", old, new)
    answer = joined(folder)
    assert (answer.exit_code, reason in answer.err) == (2, True), answer.err


def test_the_order_of_an_input_changes_nothing_but_its_own_place(folder):
    changed(folder, "invoices.csv", "0.05,,X", "0.05,0.00,X")
    with (folder / "invoices.csv").open(encoding="utf-8") as file:
        header, *lines = list(csv.reader(file))
    with (folder / "invoices.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *reversed(lines)])
    assert joined(folder).exit_code == 0
    assert (folder / "out.csv").read_text("utf-8") == CLAIMS


def test_the_page_of_a_mapping_says_what_it_joins(folder):
    shown = medpay("show", "mapping", folder / "mapping.toml").out.decode()
    assert "joined: policy (policy.v1: person)\njoined: invoice (invoice.v1: bill)\n" in shown
