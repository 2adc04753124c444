"""A small mapping of bills to claims, in a folder of its own: layouts, dialects and a mapping that tests change."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from medpay_command import Answer, medpay

MONEY = {"type": "number", "format": "money", "x-digits": 16, "x-scale": 2}
RATIO = {"type": "number", "format": "decimal", "x-digits": 5, "x-scale": 4}
BILL = {
    "bill_no": {"type": "string", "maxLength": 10}, "kind": {"type": "string"}, "name": {"type": "string"},
    "pric": {"type": "number", "format": "decimal", "x-digits": 16, "x-scale": 6},
    "cnt": {"type": "number", "format": "decimal", "x-digits": 16, "x-scale": 4}, "amount": MONEY, "ratio": RATIO,
}  # fmt: skip
CLAIM = {
    "claim_no": {"type": "string", "maxLength": 8}, "kind": {"type": "string", "enum": ["01", "02"]}, "amount": MONEY,
    "made": MONEY, "fund": MONEY, "person": MONEY, "party": {"type": "string"}, "memo": {"type": "string"},
}  # fmt: skip
MAPPING = """\
title = { zh = "账单", en = "bills to claims" }
empty = ["memo"]

[from]
layout = "bill.json"
dialect = "csv"

[to]
layout = "claim.json"
dialect = "csv"

[columns]
claim_no = "bill_no"
amount = "amount"
made = "money_product(pric, cnt)"

[codes]
kind = { of = "kind", table = { "门诊" = "01", "住院" = "02" } }

[constants]
party = "H1"

[[splits]]
whole = "amount"
shares = { fund = "ratio" }
remainder = "person"
"""
HEADER = "bill_no,kind,name,pric,cnt,amount,ratio\n"
BILLS = "B1,门诊,甲,1.005,1,10.05,0.5\nB2,住院,乙,0.333333,3,-0.05,0.5\n"
CLAIMS = """\
claim_no,kind,amount,made,fund,person,party,memo
B1,01,10.05,1.01,5.03,5.02,H1,
B2,02,-0.05,1.00,-0.03,-0.02,H1,
"""


def layout(name: str, properties: dict, *required: str, key: tuple[str, ...] = ()) -> str:
    """A layout as a document."""
    titled = {code: {"title": code, "x-en": code, **body} for code, body in properties.items()}
    document = {"$id": f"medpay:layouts/{name}.v1", "title": name, "x-en": name, "type": "object", "properties": titled}
    more = {"required": list(required), "x-key": list(key)}
    return json.dumps({**document, **{name: names for name, names in more.items() if names}})


def folder(path: Path, bills: str = BILLS, mapping: str = MAPPING) -> Path:
    """Everything in a folder."""
    (path / "bill.json").write_text(layout("bill", BILL, "bill_no", key=("bill_no",)), encoding="utf-8")
    (path / "claim.json").write_text(layout("claim", CLAIM, "claim_no", "amount", key=("claim_no",)), encoding="utf-8")
    (path / "bills.csv").write_text(HEADER + bills, encoding="utf-8")
    (path / "mapping.toml").write_text(mapping, encoding="utf-8")
    return path


def transformed(path: Path, *options: object, out: str = "claims.csv") -> Answer:
    """Run the mapping of a folder."""
    words = () if "--format" in options else ("--format", "json")
    return medpay(
        "transform", path / "bills.csv", "--mapping", path / "mapping.toml", "-o", path / out, *words, *options
    )


def codes(answer: Answer, end: str) -> list[tuple[str, int | None, str | None]]:
    """The findings of one end."""
    return [(one["code"], one["row"], one["field"]) for one in answer.json[end]["findings"]]
