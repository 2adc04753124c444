"""--accepted-only of messages whose records stand in each other: they go or stay together, and nothing is lost."""

from __future__ import annotations

import json
import zipfile
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import MONEY, layout, medpay
from test_nodes import CLAIMS, MAPPING, TEXT

DIALECT = """\
title = {{ zh = "x", en = "x" }}
format = "{form}"

[nodes.bill]
path = "{bill}"
layout = "bill.json"
repeated = true

[nodes.item]
path = "{item}"
layout = "item.json"
repeated = true
parent = "bill"
link = ["bill_no"]

[nodes.part]
path = "{part}"
layout = "part.json"
repeated = true
parent = "item"
link = ["bill_no", "item_no"]
"""
PATHS = {
    "json": ("/bills", "/bills/items", "/bills/items/parts"),
    "xml": ("all/bill", "all/bill/item", "all/bill/item/part"),
}
NODES = ("bill", "item", "part")


def message(*bills: tuple) -> dict:
    """Bills of (number, amount, items of (number, amount, amounts of parts))."""
    return {
        "bills": [
            {
                "bill_no": bill, "amount": amount,
                "items": [
                    {"item_no": item, "amount": of, **({"parts": [{"amount": one} for one in parts]} if parts else {})}
                    for item, of, parts in items
                ],
            }
            for bill, amount, items in bills
        ]
    }  # fmt: skip


RIGHT = (
    ("B1", "3.00", [("1", "1.00", ["0.40", "0.60"]), ("2", "2.00", [])]),
    ("B2", "4.00", [("1", "4.00", ["4.00"])]),
    ("B3", "-0.05", [("1", "-0.05", [])]),
)


def settled(folder: Path) -> None:
    """Layouts and dialects."""
    numbers = {"bill_no": TEXT, "item_no": TEXT}
    texts = {
        "bill.json": layout("bill", {"bill_no": TEXT, "amount": MONEY}, "bill_no", key=("bill_no",)),
        "item.json": layout("item", {**numbers, "amount": MONEY}, key=("bill_no", "item_no")),
        "part.json": layout("part", {**numbers, "amount": MONEY}),
    }
    for form, (bill, item, part) in PATHS.items():
        texts[f"{form}.toml"] = DIALECT.format(form=form, bill=bill, item=item, part=part)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def transformed(folder: Path, *bills: tuple, to: str = "json", source: str = "in.json", read: str = "json.toml"):
    """The bills in another file."""
    if bills:
        (folder / "in.json").write_text(json.dumps(message(*bills)), encoding="utf-8")
    return medpay(
        "transform", folder / source, "--mapping", "identity", "--dialect", folder / read, "--to-dialect",
        folder / f"{to}.toml", "-o", folder / f"out.{to}", "--accepted-only", "--format", "json",
    )  # fmt: skip


def along(told: dict) -> list[tuple]:
    """What was rejected along: the node, how many, and how many were wrong."""
    return [
        (one["node"], one["value"], one["expected"]) for one in told["source"]["findings"] if one["code"] == "B211"
    ]  # fmt: skip


def changed(*faults: tuple[int, ...]) -> list[tuple]:
    """The right bills with the amounts at these places (bill, item, part) broken."""
    made = []
    for b, (bill, amount, items) in enumerate(RIGHT):
        of_bill = [
            (
                item,
                of_item if (b, i) not in faults else "1.005",
                [one if (b, i, p) not in faults else "1.005" for p, one in enumerate(parts)],
            )
            for i, (item, of_item, parts) in enumerate(items)
        ]
        made.append((bill, amount if (b,) not in faults else "1.005", of_bill))
    return made


FAULTS = {
    "a record around": ([(0,)], [("item", "2", "1"), ("part", "2", "1")]),
    "a record inside": ([(0, 1)], [("bill", "1", "1"), ("item", "1", "1"), ("part", "2", "1")]),
    "the innermost": ([(0, 0, 1)], [("bill", "1", "1"), ("item", "2", "1"), ("part", "1", "1")]),
    "two of one": ([(0,), (0, 0, 1)], [("item", "2", "2"), ("part", "1", "2")]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_is_wrong_the_whole_bill_goes_and_the_others_stay(tmp_path, name):
    faults, expected = FAULTS[name]
    settled(tmp_path)
    bills = changed(*faults)
    answer = transformed(tmp_path, *bills)
    assert (answer.exit_code, answer.err, answer.json["incomplete_reason"]) == (1, "", "accepted_only")
    assert json.loads((tmp_path / "out.json").read_bytes()) == message(*RIGHT[1:])
    assert json.loads((tmp_path / "out.json.rejected").read_bytes()) == message(bills[0])
    assert along(answer.json) == expected
    assert answer.json["records"] == {"in": 10, "out": 5, "rejected": 5, "left_out": 0}


def test_why_names_the_node_and_the_record_that_is_wrong(tmp_path):
    settled(tmp_path)
    transformed(tmp_path, *changed((0,), (1, 0, 0)))
    assert (tmp_path / "out.json.rejected.why.csv").read_text(encoding="utf-8").splitlines() == [
        "node,row,line,code,field,message",
        "bill,1,,L103,amount,\"amount amount: '1.005' does not have the format money(16,2)\"",
        "part,3,,L103,amount,\"amount amount: '1.005' does not have the format money(16,2)\"",
    ]


def test_what_was_rejected_is_corrected_and_sent_by_itself(tmp_path):
    settled(tmp_path)
    transformed(tmp_path, *changed((0, 1)))
    text = (tmp_path / "out.json.rejected").read_text(encoding="utf-8")
    (tmp_path / "in.json").write_text(text.replace("1.005", "2.00"), encoding="utf-8")
    answer = transformed(tmp_path)
    assert answer.exit_code == 0
    assert json.loads((tmp_path / "out.json").read_bytes()) == message(RIGHT[0])


def test_a_key_that_stands_twice_takes_both_bills(tmp_path):
    settled(tmp_path)
    answer = transformed(tmp_path, RIGHT[0], RIGHT[2], ("B4", "0.00", []), ("B4", "1.00", []))
    assert answer.exit_code == 1
    assert json.loads((tmp_path / "out.json").read_bytes()) == message(RIGHT[0], RIGHT[2])
    assert [bill[:2] for bill in read_back(tmp_path / "out.json.rejected")] == [("B4", "0.00"), ("B4", "1.00")]


def test_where_a_line_could_be_of_two_bills_nothing_is_written(tmp_path):
    settled(tmp_path)
    answer = transformed(tmp_path, RIGHT[0], RIGHT[1], ("B1", "0.00", []))
    assert (answer.exit_code, "bill_no: > 1 × bill" in answer.err, list(tmp_path.glob("out*"))) == (2, True, [])


def test_xml_goes_the_same_way(tmp_path):
    settled(tmp_path)
    assert transformed(tmp_path, *RIGHT, to="xml").exit_code == 0
    text = (tmp_path / "out.xml").read_text(encoding="utf-8")
    assert text.count(">0.60<") == 1
    (tmp_path / "in.xml").write_text(text.replace(">0.60<", ">0.605<"), encoding="utf-8")
    answer = transformed(tmp_path, source="in.xml", read="xml.toml")
    assert answer.exit_code == 1
    assert json.loads((tmp_path / "out.json").read_bytes()) == message(*RIGHT[1:])
    back = medpay(
        "transform", tmp_path / "out.json.rejected", "--mapping", "identity", "--dialect", tmp_path / "xml.toml",
        "--to-dialect", tmp_path / "json.toml", "-o", tmp_path / "back.json",
    )  # fmt: skip
    assert (back.exit_code, b"0.605" in back.out) == (1, True)


def places() -> list[tuple[int, ...]]:
    """The place of every record."""
    found = []
    for b, (_, _, items) in enumerate(RIGHT):
        found.append((b,))
        for i, (_, _, parts) in enumerate(items):
            found += [(b, i), *((b, i, p) for p in range(len(parts)))]
    return found


def sums(bills: list[tuple]) -> dict[str, tuple[int, Decimal]]:
    """By node how many records there are and what they sum up to, as far as these are amounts."""
    amounts: dict[str, list[str]] = {node: [] for node in NODES}
    for _, amount, items in bills:
        amounts["bill"].append(amount)
        for _, of_item, parts in items:
            amounts["item"].append(of_item)
            amounts["part"] += parts
    fen = {node: [Decimal(one) for one in found if one != "1.005"] for node, found in amounts.items()}
    return {node: (len(found), sum(fen[node], Decimal(0))) for node, found in amounts.items()}


def read_back(path: Path) -> list[tuple]:
    """The bills of a message."""
    return [
        (
            bill["bill_no"], bill["amount"],
            [
                (item["item_no"], item["amount"], [part["amount"] for part in item.get("parts", ())])
                for item in bill.get("items", ())
            ],
        )
        for bill in json.loads(path.read_bytes()).get("bills", ())
    ]  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(faults=st.sets(st.sampled_from(places()), min_size=1, max_size=4))
def test_in_is_out_and_rejected_by_node_count_and_sum(tmp_path, faults):
    settled(tmp_path)
    bills = changed(*faults)
    wrong = {place[0] for place in faults}
    answer = transformed(tmp_path, *bills)
    kept = [bill for number, bill in enumerate(bills) if number not in wrong]
    gone = [bill for number, bill in enumerate(bills) if number in wrong]
    assert answer.exit_code == 1
    assert (read_back(tmp_path / "out.json"), read_back(tmp_path / "out.json.rejected")) == (kept, gone)
    out, aside, came = sums(kept), sums(gone), sums(bills)
    assert came == {node: tuple(map(sum, zip(out[node], aside[node], strict=True))) for node in NODES}
    told = {one["node"]: one for one in answer.json["amounts"]}
    for node in NODES:
        shown = [Decimal(told[node][name]) for name in ("in", "out", "rejected", "left_out")]
        assert shown == [came[node][1], out[node][1], aside[node][1], Decimal(0)]
    files = {one["node"]: one for one in answer.json["source"]["files"]}
    for node in NODES:
        assert (files[node]["accepted"], files[node]["rejected"]) == (out[node][0], aside[node][0])
        assert Decimal(files[node]["rejected_totals"]["amount"]) == aside[node][1]


def test_a_record_that_the_target_refuses_takes_what_belongs_to_it(tmp_path):
    """C-2 has a kind without a counterpart; the header, which nobody maps, goes with what is set aside."""
    (tmp_path / "bill.json").write_text(layout("bill", {"bill_no": TEXT, "kind": TEXT, "amount": MONEY}), "utf-8")
    (tmp_path / "item.json").write_text(layout("item", {"bill_no": TEXT, "name": TEXT, "amount": MONEY}), "utf-8")
    whole = DIALECT.format(form="json", bill="/bills", item="/bills/items", part="")
    (tmp_path / "bills.toml").write_text(whole[: whole.index("[nodes.part]")], "utf-8")
    mapping = MAPPING.format(source=CLAIMS / "claims-xml.toml").replace('"住院" = "2", ', "")
    (tmp_path / "mapping.toml").write_text(mapping, "utf-8")
    batch = (CLAIMS / "batch.xml").read_text(encoding="utf-8")
    line = "<lines><line><item>A床位费</item><pric>2.00</pric></line></lines>"
    (tmp_path / "in.xml").write_text(batch.replace("<kind>住院</kind>", f"<kind>住院</kind>{line}"), encoding="utf-8")
    answer = medpay(
        "transform", tmp_path / "in.xml", "--mapping", tmp_path / "mapping.toml", "-o", tmp_path / "out.json",
        "--accepted-only", "--format", "json",
    )  # fmt: skip
    assert (answer.exit_code, answer.err) == (1, "")
    assert [one["bill_no"] for one in json.loads((tmp_path / "out.json").read_bytes())["bills"]] == ["C-1", "C-3"]
    found = [(one["node"], one["code"], one["value"]) for one in answer.json["target"]["findings"]]
    assert found == [("bill", "M101", "住院"), ("item", "B211", "1")]
    assert answer.json["records"] == {"in": 6, "out": 4, "rejected": 2, "left_out": 0}
    aside = (tmp_path / "out.json.rejected").read_text(encoding="utf-8")
    assert [name for name in ("BX0001", "C-1", "C-2", "C-3") if name in aside] == ["BX0001", "C-2"]


def test_settlement_lists_with_an_error_are_left_out_of_the_messages(tmp_path):
    lists = Path(__file__).parents[2] / "fixtures" / "mappings" / "settlement-list-to-nhsa-4101"
    [source] = [one for one in lists.iterdir() if one.name.startswith("in")]
    document = json.loads(source.read_bytes())
    wrong = document["lists"][0]
    good = [json.loads(json.dumps(wrong)), wrong]
    for number, one in enumerate(good):
        one["setl_id"] = f"S{number}"
    wrong["iteminfo"][0]["amt"] = "1.005"
    (tmp_path / "in.json").write_text(json.dumps({"lists": good}), encoding="utf-8")
    answer = medpay(
        "transform", tmp_path / "in.json", "--mapping", "settlement-list-to-nhsa-4101", "-o", tmp_path / "out.json",
        "--accepted-only", "--format", "json", "--max-json", 5,
    )  # fmt: skip
    assert (answer.exit_code, answer.err) == (1, "")
    assert [one.name for one in sorted(tmp_path.glob("out*"))] == [
        "out-001.json", "out.json.rejected", "out.json.rejected.why.csv"
    ]  # fmt: skip
    aside = json.loads((tmp_path / "out.json.rejected").read_bytes())["lists"]
    assert [(one["setl_id"], len(one["iteminfo"])) for one in aside] == [("S1", len(wrong["iteminfo"]))]


def test_files_of_nodes_are_put_together_without_what_belongs_to_a_rejected_one(tmp_path):
    settled(tmp_path)
    texts = {
        "bill.csv": "bill_no,amount\nB1,3.00\nB2,4.00\n",
        "item.csv": "bill_no,item_no,amount\nB1,1,1.00\nB1,2,2.00\nB2,1,4.00\n",
        "part.csv": "bill_no,item_no,amount\nB1,1,1.005\nB2,1,4.00\n",
    }
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as packed:
        for name, text in texts.items():
            packed.writestr(name, text)
    answer = medpay(
        "transform", f"{tmp_path / 'in.zip'}!/*", "--mapping", "identity", "--to-dialect", tmp_path / "json.toml",
        "-o", tmp_path / "out.json", "--accepted-only", "--format", "json",
    )  # fmt: skip
    assert (answer.exit_code, answer.err) == (1, "")
    assert read_back(tmp_path / "out.json") == [RIGHT[1]]
    aside = {number: (tmp_path / f"out.json.{number}.rejected").read_text(encoding="utf-8") for number in (1, 2, 3)}
    assert aside == {
        1: "bill_no,amount\nB1,3.00\n", 2: "bill_no,item_no,amount\nB1,1,1.00\nB1,2,2.00\n",
        3: "bill_no,item_no,amount\nB1,1,1.005\n",
    }  # fmt: skip


def refused(folder: Path, source: Path, dialect: object, *options: object) -> str:
    """What is said where nothing is taken in part."""
    answer = medpay(
        "transform", source, "--mapping", "identity", "--dialect", dialect, "-o", folder / "refused.json",
        "--accepted-only", *options,
    )  # fmt: skip
    assert (answer.exit_code, (folder / "refused.json").exists()) == (2, False)
    return answer.err


def test_a_message_around_which_a_header_counts_is_not_taken_in_part(tmp_path):
    text = (CLAIMS / "batch.xml").read_text(encoding="utf-8")
    (tmp_path / "in.xml").write_text(text.replace("-0.10", "-0.105"), encoding="utf-8")
    assert "stand in each other" in refused(tmp_path, tmp_path / "in.xml", CLAIMS / "claims-xml.toml")


def test_lists_beside_each_other_are_not_taken_in_part(tmp_path):
    text = json.dumps({"input": {"setlinfo": {}, "iteminfo": [{"amt": "1.005"}], "payinfo": []}})
    (tmp_path / "in.json").write_text(text, encoding="utf-8")
    assert "stand in each other" in refused(tmp_path, tmp_path / "in.json", "nhsa-4101-request")


def test_a_record_that_names_another_one_around_it_than_that_in_which_it_stands_is_nobody_s_guess(tmp_path):
    settled(tmp_path)
    wrong = message(*RIGHT)
    wrong["bills"][0]["items"][1]["bill_no"] = "B2"
    (tmp_path / "in.json").write_text(json.dumps(wrong), encoding="utf-8")
    assert "stand in each other" in refused(tmp_path, tmp_path / "in.json", tmp_path / "json.toml")


def test_records_that_cannot_be_read_are_not_set_aside(tmp_path):
    settled(tmp_path)
    text = json.dumps(message(*RIGHT)).replace('"item_no": "2"', '"item_no": "2", "item_no": "3"')
    (tmp_path / "in.json").write_text(text, encoding="utf-8")
    assert "could not be read" in refused(tmp_path, tmp_path / "in.json", tmp_path / "json.toml")


@pytest.mark.parametrize("faults", list(product([(0,), (0, 0)], [(1,), (1, 0)], [(2,), (2, 0)]))[::3])
def test_where_nothing_is_left_an_empty_message_is_written(tmp_path, faults):
    settled(tmp_path)
    answer = transformed(tmp_path, *changed(*faults))
    assert (answer.exit_code, read_back(tmp_path / "out.json")) == (1, [])
    assert answer.json["records"] == {"in": 10, "out": 0, "rejected": 10, "left_out": 0}
