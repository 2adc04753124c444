"""In every format that a layout can be written in, its sample is valid, and each fault is found and nothing else."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from dataclasses import dataclass

import pytest
from test_formats import LAYOUTS, drawn, judged, possible

from medpay_cli import config, dialects, files
from medpay_cli.errors import MedpayError

FAULTS = config.parse(files.schemas() / "faults.toml")
# Rules that no one edit of a sample breaks, and why.
UNBROKEN = FAULTS.pop("none")
OWN = dialects.names()
GENERIC = [f"{form}:{layout}" for form, layout in itertools.product(dialects.generic(), LAYOUTS)]
# One layout per generic format, and dialects of every kind of file: the others stand under the marker `full`.
SOME = (
    *("csv:fee_line.v1", "tsv:settlement_list.v1", "xlsx:price_item.v1", "parquet:clearing.v1", "json:visit.v1"),
    *("ndjson:prescription.v1", "xml:commercial_claim.v1", "nhsa-3202-upload", "nhsa-settlement-response"),
    *("insurer-claims-gbk", "anhui-price-list", "anhui-price-list-xlsx", "medpay-ledger-detail-xml"),
)
RECORDS = 50
# Every delimited text without control lines can have them.
OF_TEXT = {"F107", "F108", "F208"}


@dataclass
class Run:
    """How much was held: dialects with a layout, and the faults that were planted in them."""

    cells: int = 0
    faults: int = 0
    codes: Counter[str] | None = None


@pytest.fixture(scope="module")
def run():
    held = Run(codes=Counter())
    yield held
    print(f"\n{held.cells} dialects with a layout, {held.faults} faults: {dict(held.codes)}", file=sys.stderr)


def expected(planted):
    """Where the findings of a fault stand; a repeated key has one on the first record too."""
    rows = (1, planted.row) if planted.code == "B101" else (planted.row,)
    return [(planted.node, row, planted.field, planted.code) for row in rows]


def every_fault_alone(name, run):
    """The clean sample is valid; with one fault there are the findings of that fault, and no others."""
    dialect = dialects.load(name)
    content, planted = drawn(dialect, RECORDS)
    assert (planted, judged(dialect, content)[1]) == ([], [])
    made = {}
    for code in FAULTS:
        try:
            content, [one] = drawn(dialect, RECORDS, code)
        except MedpayError as refused:
            assert (refused.key, refused.values["code"]) == ("fault_unfit", code)
            continue
        made[code] = judged(dialect, content)[1]
        assert made[code] == expected(one), one
    is_text = dialect.format == "delimited" and not (dialect.head or dialect.tail)
    assert {*possible(dialect), *(OF_TEXT if is_text else ())} <= {*made}
    run.cells += 1
    run.faults += len(made)
    run.codes.update(made.keys())


def test_every_rule_about_a_record_has_a_fault_or_a_reason_for_having_none():
    rules = {name for name in config.names(config.RULE) if name.startswith("C")}
    assert {code for code in FAULTS if code.startswith("C")} ^ {*UNBROKEN} == rules
    assert all(UNBROKEN.values())


@pytest.mark.parametrize("code", [code for code in FAULTS if code.startswith("C")])
def test_every_fault_of_a_rule_can_be_planted_in_some_layout(code):
    made = []
    for layout in LAYOUTS:
        dialect = dialects.load(f"csv:{layout}")
        try:
            content, [one] = drawn(dialect, 3, code, seed=11)
        except MedpayError as refused:
            assert refused.key == "fault_unfit"
            continue
        made.append(layout)
        assert judged(dialect, content)[1] == expected(one), one
    assert made


@pytest.mark.parametrize("name", SOME)
def test_every_fault_of_a_sample_is_all_that_is_found(name, run):
    every_fault_alone(name, run)


@pytest.mark.full
@pytest.mark.parametrize("name", [*OWN, *GENERIC])
def test_every_fault_of_every_sample_is_all_that_is_found(name, run):
    every_fault_alone(name, run)
