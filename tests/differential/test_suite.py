"""The official JSON-Schema-Test-Suite (draft 2020-12) through the compiled checks, one table of one row per case."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medpay_cli import checks, config, files, layouts, money
from medpay_cli.errors import MedpayError
from medpay_cli.layouts import Layout

from . import oracle

if "MEDPAY_CORPUS" not in os.environ:
    pytest.skip("MEDPAY_CORPUS is not set; .ci/run points it at ../shared/data", allow_module_level=True)

SUITE = Path(os.environ["MEDPAY_CORPUS"]) / "json-schema-test-suite"
# What only describes; what may stand in the schema of a record; what in the schema of a cell.
DESCRIBING = {"$schema", "$comment", "title", "description"}
OF_RECORD = DESCRIBING | {"$id", "$defs", "type", "properties", "required"}
OF_CELL = DESCRIBING | {"$ref", *layouts.ASSERTIONS}
# 133 were measured; a newer suite may word a few of them differently.
FLOOR = 130

Row = dict[str, str | None]
Judge = Callable[[Layout, Row], bool]


@dataclass(frozen=True)
class Case:
    """One case of the suite, stated as a flat record."""

    name: str
    schema: dict[str, Any]
    record: dict[str, str | int | Decimal]
    valid: bool


@dataclass
class Suite:
    """The cases that a layout and a row can state, and how many cannot be stated, by reason."""

    cases: list[Case] = field(default_factory=list)
    unfit: Counter[str] = field(default_factory=Counter)


class Skip(Exception):
    """Why an applicable case is not run; the cause is outside the checks."""


@dataclass
class Verdicts:
    """What became of the applicable cases."""

    run: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def suite() -> Suite:
    found = Suite()
    for path in sorted(SUITE.glob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal):
            for test in group["tests"]:
                name = f"{path.name}: {group['description']}: {test['description']}"
                schema, record = _stated(group["schema"], test["data"])
                reason = next(_unfit(schema, record), None)
                if reason:
                    found.unfit[reason] += 1
                else:
                    found.cases.append(Case(name, schema, record, test["valid"]))
    return found


def _stated(schema: Any, data: Any) -> tuple[Any, Any]:
    """The schema and data of a record as they are; those of a value as the field `value` of a record."""
    if isinstance(schema, dict) and not {"properties", "required"} & schema.keys():
        cell = {keyword: value for keyword, value in schema.items() if keyword not in DESCRIBING | {"$id", "$defs"}}
        around = {keyword: value for keyword, value in schema.items() if keyword in ("$id", "$defs")}
        return {"type": "object", **around, "properties": {"value": cell}}, {"value": data}
    if isinstance(schema, dict):
        # A field that is only required is one of which nothing else is said.
        properties = {name: {} for name in schema.get("required", ())} | schema.get("properties", {})
        return {"type": "object", **schema, "properties": properties}, data
    return schema, data


def _unfit(schema: Any, record: Any) -> Iterator[str]:
    """Why no layout and no row can state the case; the first reason counts."""
    if not isinstance(schema, dict):
        yield "boolean schema"
    yield from (f"unsupported keyword {keyword} of a record" for keyword in sorted(schema.keys() - OF_RECORD))
    for body in _bodies(schema):
        if not isinstance(body, dict):
            yield "boolean schema"
        yield from (f"unsupported keyword {keyword}" for keyword in sorted(body.keys() - OF_CELL))
        if body.get("type", "string") not in ("string", "number", "integer"):
            yield "type other than one of string, number, integer"
        if body.get("format", "date") not in checks.FORMATS:
            yield "format that is not ours"
    if not isinstance(record, dict):
        yield "no object where a record is described"
    for value in record.values():
        if isinstance(value, dict):
            yield "object data in a field"
        if isinstance(value, bool | None | list):
            yield "boolean, null or array data"


def _bodies(schema: dict[str, Any]) -> list[Any]:
    return [*schema["properties"].values(), *schema.get("$defs", {}).values()]


def judged(suite: Suite, judge: Judge) -> Verdicts:
    """Every applicable case before a judge."""
    made = Verdicts()
    for case in suite.cases:
        try:
            verdict = _verdict(case, judge)
        except Skip as skip:
            made.skipped[str(skip)] += 1
            continue
        made.run += 1
        if verdict != case.valid:
            made.disagreements.append(f"{case.name}: {verdict}")
    return made


def _verdict(case: Case, judge: Judge) -> bool | str:
    """Whether the record is valid, or the error of a layout that cannot be built. Raises Skip."""
    _skip_what_the_layout_schema_refuses(case.schema)
    try:
        layout = layouts.build(case.schema, case.name)
    except MedpayError as err:
        return str(err)
    row = {one.name: _text(one, case.record.get(one.name)) for one in layout.fields}
    return judge(layout, row)


def _skip_what_the_layout_schema_refuses(schema: dict[str, Any]) -> None:
    allowed = config.parse(files.schemas() / "layout.schema.json")["$defs"]["field"]["properties"]
    for body in _bodies(schema):
        if not re.search(allowed["$ref"]["pattern"], body.get("$ref", "#/$defs/none")):
            raise Skip("reference outside the document")
        if not re.search(allowed["pattern"]["pattern"], body.get("pattern", "^$")):
            raise Skip("pattern needs a feature refused by layout.schema.json")


def _text(cell: layouts.Field, value: str | int | Decimal | None) -> str | None:
    """The text that means the value to us. Raises Skip where no text does."""
    if value is None:
        return None
    text = value if isinstance(value, str) else f"{Decimal(value):f}"
    is_number = re.fullmatch(money.NUMBER, text) is not None
    if isinstance(value, str) and ("format", "date") in cell.asserted:
        raise Skip("format is an assertion here")
    if isinstance(value, str) and is_number and not cell.is_text:
        raise Skip("text that reads as a number in a field that is not declared text")
    if not isinstance(value, str) and cell.is_text:
        raise Skip("number in a field that is declared text")
    if not isinstance(value, str) and not is_number:
        raise Skip("number beyond 38 digits")
    return text


def compiled_checks(layout: Layout, row: Row) -> bool:
    """Whether the compiled checks find nothing in a table of this row."""
    text = pl.DataFrame([row], schema=dict.fromkeys(layout.names, pl.String))
    return not checks.flag(text, checks.compile_layout(layout)).violations


def python_jsonschema(layout: Layout, row: Row) -> bool:
    """Whether the oracle finds nothing in this row."""
    return not oracle.violations(oracle.validator(layout), oracle.instance(row, layout))


def _report(suite: Suite, made: Verdicts) -> Iterator[str]:
    yield (
        f"JSON-Schema-Test-Suite: {len(suite.cases)} applicable, {made.run} run, {made.skipped.total()} skipped; "
        f"{suite.unfit.total()} do not apply"
    )
    for heading, reasons in (("skipped", made.skipped), ("do not apply", suite.unfit)):
        for reason, count in sorted(reasons.items(), key=lambda one: (-one[1], one[0])):
            yield f"{count:5} {heading}: {reason}"


@pytest.mark.parametrize("judge", [compiled_checks, python_jsonschema])
def test_every_applicable_case_has_the_verdict_of_the_suite(suite, judge):
    disagreements = judged(suite, judge).disagreements
    assert not disagreements, "\n".join(disagreements)


def test_every_applicable_case_is_run_or_skipped_for_a_named_reason(suite, capsys):
    made = judged(suite, compiled_checks)
    with capsys.disabled():
        # Standard error reaches the terminal from a worker of pytest-xdist too.
        print("", *_report(suite, made), sep="\n", file=sys.stderr)
    assert made.run == len(suite.cases) - made.skipped.total()
    assert made.run >= FLOOR
