"""A message becomes another: each node of the target from a node of the source, child rows with their parents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small import MONEY, layout, medpay

CLAIMS = Path(__file__).parents[2] / "fixtures" / "formats" / "claims-xml"
DIALECT = """\
title = { zh = "x", en = "x" }
format = "json"

[nodes.bill]
path = "/bills"
layout = "bill.json"
repeated = true

[nodes.item]
path = "/bills/items"
layout = "item.json"
repeated = true
parent = "bill"
link = ["bill_no"]
"""
MAPPING = """\
title = {{ zh = "x", en = "x" }}
from = {{ dialect = "{source}" }}
to = {{ dialect = "bills.toml" }}

[nodes.bill]
from = "claim"
columns = {{ bill_no = "claim_no", amount = "amount" }}

[nodes.bill.codes]
kind = {{ of = "kind", table = {{ "住院" = "2", "门诊" = "1" }} }}

[nodes.item]
from = "line"
columns = {{ bill_no = "claim_no", name = "item", amount = "money_product(pric, COALESCE(cnt, 1))" }}
"""
TEXT = {"type": "string"}


@pytest.fixture
def folder(tmp_path):
    """Layouts, a dialect and a mapping."""
    (tmp_path / "bill.json").write_text(layout("bill", {"bill_no": TEXT, "kind": TEXT, "amount": MONEY}), "utf-8")
    (tmp_path / "item.json").write_text(layout("item", {"bill_no": TEXT, "name": TEXT, "amount": MONEY}), "utf-8")
    (tmp_path / "bills.toml").write_text(DIALECT, "utf-8")
    (tmp_path / "mapping.toml").write_text(MAPPING.format(source=CLAIMS / "claims-xml.toml"), "utf-8")
    return tmp_path


def transformed(folder: Path, source: Path):
    return medpay(
        "transform", source, "--mapping", folder / "mapping.toml", "-o", folder / "out.json", "--format", "json",
    )  # fmt: skip


def lacking(folder: Path) -> None:
    """Take a code out of the table."""
    text = (folder / "mapping.toml").read_text("utf-8")
    (folder / "mapping.toml").write_text(text.replace('"住院" = "2", ', ""), "utf-8")


def test_child_rows_stand_in_the_record_that_they_came_from(folder):
    answer = transformed(folder, CLAIMS / "batch.xml")
    assert (answer.exit_code, answer.err) == (0, "")
    assert json.loads((folder / "out.json").read_bytes()) == {
        "bills": [
            {
                "bill_no": "C-1", "amount": "301.25",
                "items": [{"name": "A床位费", "amount": "301.25"}, {"name": "B-<x>.", "amount": "0.00"}],
            },
            {"bill_no": "C-2", "kind": "2", "amount": "-0.10"},
            {"bill_no": "C-3", "amount": "99999999999999.99"},
        ]
    }  # fmt: skip
    told = answer.json
    assert told["unmapped"] == {"header": 1}
    assert told["records"] == {"in": 5, "out": 5, "rejected": 0, "left_out": 0}
    assert [(one["node"], one["column"], one["source"], one["in"], one["out"]) for one in told["amounts"]] == [
        ("bill", "amount", "amount", "100000000000301.14", "100000000000301.14"),
        ("item", "amount", None, None, "301.25"),
    ]  # fmt: skip


def test_a_finding_names_the_node_of_the_target_and_the_row_of_the_source(folder):
    lacking(folder)
    answer = transformed(folder, CLAIMS / "batch.xml")
    [finding] = answer.json["target"]["findings"]
    assert (answer.exit_code, finding["code"], finding["node"], finding["row"], finding["value"]) == (
        1, "M101", "bill", 2, "住院",
    )  # fmt: skip
    assert not (folder / "out.json").exists()


def test_a_node_that_a_side_lacks_is_named(folder):
    text = (folder / "mapping.toml").read_text("utf-8")
    (folder / "mapping.toml").write_text(text.replace('from = "line"', 'from = "lines"'), "utf-8")
    answer = transformed(folder, CLAIMS / "batch.xml")
    assert answer.exit_code == 2
    assert "nodes lines → item: a side has no such node" in answer.err


def test_the_coverage_of_every_node_is_shown(folder):
    shown = medpay("show", "mapping", folder / "mapping.toml").out.decode().splitlines()
    assert [line.partition(" → ")[2] for line in shown if " → " in line and "  " not in line] == ["bill.v1", "item.v1"]
