"""What `inspect` shows: the evidence first, what the file is last."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from medpay_cli import messages, money
from medpay_cli.reports import Style
from medpay_cli.reports.console import Page, printable, yuan


def text(inspection: Any, out: BinaryIO, style: Style) -> None:
    """A page per input."""
    page, words = Page(style), messages.labels(style.lang)
    for one in inspection.files:
        page.title(printable(_name(one)))
        if one.reason:
            page.line(f"  {words['not_judged']}: {one.reason} (medpay explain {one.reason})")
            page.line()
            continue
        ends = ", ".join(f"{name} {count:,}" for name, count in one.line_ends.items()) or "-"
        if one.format != "delimited":
            page.line(f"  {words['format']}: {one.format}")
        page.line(f"  {words['encoding']}: {one.encoding or '-'}" + (" (BOM)" if one.mark else ""))
        page.line(f"  {words['size']}: {one.size:,} B; {words['line_ends']}: {ends}")
        if not one.is_ended:
            page.line(f"  {words['not_ended']}")
        if one.delimiters:
            sizes = "  ".join(f"{name} = {size}" for name, size in one.delimiters.items())
            page.line(f"  {words['delimiters']}: {sizes}")
        page.line(f"  {words['candidates']}:")
        for other in one.nearest:
            page.line(f"    {other.dialect} [{other.layout}]: {other.fits:,}/{other.records:,} {other.reason or ''}")
        if more := len(one.candidates) - len(one.nearest):
            page.line(f"    {words['unfit']}: {more}")
        page.line()
        if not one.verdicts:
            page.line(f"  {words['not_recognised']}")
        for verdict in one.verdicts:
            node = f" {verdict.node}" if verdict.node else ""
            whose = f", {words['partner']} {printable(verdict.partner)}" if verdict.partner else ""
            page.line(
                f"  {words['recognised']}: {verdict.dialect}{node} [{verdict.layout}{whose}], {words[verdict.verdict]}"
            )
            page.line(f"  {words['records']} {verdict.records:,}, {words['rejected']} {verdict.rejected:,}")
            for name, amount in verdict.totals.items():
                page.line(f"  {name} {yuan(amount, verdict.scales[name])}")
        page.line()
    out.write(page.bytes)


def to_json(inspection: Any, out: BinaryIO, style: Style) -> None:
    """One document."""
    document = {
        "schema": "medpay/inspect/1",
        "exit_code": inspection.exit_code,
        "files": [_file(one) for one in inspection.files],
    }
    out.write(json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n")


def _file(one: Any) -> dict[str, Any]:
    verdict = one.verdicts[0] if one.verdicts else None
    return {
        "path": one.path,
        "member": one.member,
        "not_judged": one.reason,
        "format": one.format or None,
        "bytes": one.size,
        "encoding": one.encoding,
        "byte_order_mark": one.mark,
        "line_ends": one.line_ends,
        "final_line_end": one.is_ended,
        "delimiters": one.delimiters,
        "candidates": [
            {"dialect": other.dialect, "layout": other.layout, "records": other.records, "fits": other.fits,
             "reason": other.reason}
            for other in one.candidates
        ],
        "dialect": verdict.dialect if verdict else None,
        **({"partner": verdict.partner} if verdict and verdict.partner else {}),
        "layout": verdict.layout if verdict else None,
        "verdict": verdict.verdict if verdict else None,
        "records": verdict.records if verdict else None,
        "totals": {
            name: money.written(amount, verdict.scales[name]) for name, amount in verdict.totals.items()
        } if verdict else None,
        **({"nodes": [_node(of) for of in one.verdicts]} if len(one.verdicts) > 1 else {}),
    }  # fmt: skip


def _node(verdict: Any) -> dict[str, Any]:
    totals = {name: money.written(amount, verdict.scales[name]) for name, amount in verdict.totals.items()}
    return {"node": verdict.node, "layout": verdict.layout, "records": verdict.records, "totals": totals}


def _name(one: Any) -> str:
    return one.path if one.member is None else f"{one.path}!/{one.member}"
