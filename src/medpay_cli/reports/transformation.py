"""What `transform` shows: findings of both ends, the balance of records and amounts, what was written."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, BinaryIO

from medpay_cli import files, messages, money
from medpay_cli.reports import Style
from medpay_cli.reports.console import Page, printable, yuan
from medpay_cli.reports.machine import summary, worded_records
from medpay_cli.reports.text import grouped

SUMS = ("came", "out", "rejected", "left_out")


def text(result: Any, out: BinaryIO, style: Style) -> None:
    """For people: nobody's data in it, what was done as the last line."""
    page, words = Page(style), messages.labels(style.lang)
    for word, end in (("source_end", result.source), ("target_end", result.target)):
        if end.findings.total:
            page.title(words[word])
            grouped(page, end, style)
    for node, records in result.unmapped.items():
        page.line(f"{words['unmapped']}: {node} {records:,}")
    for one in result.others:
        page.line(f"{one.kind} {printable(one.path)}: {one.records:,}, {words['unasked']} {one.unasked:,}")
    if result.records:
        counts = [["in", "out", "rejected", "left_out"], [f"{result.records[name]:,}" for name in result.records]]
        heads = ["", words["came"], words["went"], words["rejected"], words["not_taken"]]
        rows = [[words["records"], *counts[1]]]
        rows += [[_name(one), *(_yuan(one, getattr(one, name)) for name in SUMS)] for one in result.amounts]
        page.table(heads, rows)
    for part in result.parts:
        page.line(f"{words['written']}: {_shown(part.path)} ({words['records']} {part.records:,}, {part.size:,} B)")
    for path in result.manifests:
        page.line(f"{words['written']}: {printable(path)} ({words['batch']} {result.batch_no})")
    for path in result.rejected_files:
        page.line(f"{words['set_aside']}: {printable(path)}")
    said = (
        "written_whole"
        if result.parts and not result.exit_code
        else "written_partly"
        if result.parts
        else "not_written"
    )
    page.title(f"{words[said]} [{result.layout}, {result.dialect}]")
    out.write(page.bytes)


def to_json(result: Any, out: BinaryIO, style: Style) -> None:
    """One document."""
    document = {
        "schema": "medpay/transform/1",
        "complete": result.incomplete is None,
        **({"incomplete_reason": result.incomplete} if result.incomplete else {}),
        "exit_code": result.exit_code,
        "mapping": result.mapping,
        "layout": result.layout,
        "dialect": result.dialect,
        "written": [
            {"path": _shown(part.path), "records": part.records, "bytes": part.size} for part in result.parts
        ],
        **({"batch": {"batch_no": result.batch_no, "files": result.manifests}} if result.batch_no else {}),
        "rejected_files": result.rejected_files,
        "records": result.records,
        "amounts": [_amount(one) for one in result.amounts],
        "unmapped": result.unmapped,
        "joined": [
            {"name": one.kind, "path": printable(one.path), "records": one.records, "unasked": one.unasked}
            for one in result.others
        ],
        "source": _end(result.source, style),
        "target": _end(result.target, style),
    }  # fmt: skip
    out.write(json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n")


def _end(end: Any, style: Style) -> dict[str, Any]:
    shown = worded_records(end, style)
    told = summary(end, len(shown))
    kept = ("files", "counts", "findings_shown", "findings_total")
    return {**{name: told[name] for name in kept}, "findings": shown}


def _amount(one: Any) -> dict[str, Any]:
    sums = {"in" if name == "came" else name: getattr(one, name) for name in SUMS}
    return {
        "node": one.node,
        "column": one.name,
        "source": one.source,
        **{name: None if amount is None else money.written(amount, one.scale) for name, amount in sums.items()},
    }


def _name(one: Any) -> str:
    return one.name if one.source in (None, one.name) else f"{one.source} → {one.name}"


def _yuan(one: Any, amount: Decimal | None) -> str:
    return "" if amount is None else yuan(amount, one.scale)


def _shown(path: Any) -> str:
    return printable(files.shown(str(path)))
