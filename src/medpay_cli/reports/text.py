"""Reports for people: grouped, the verdict last, nobody's data in it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, BinaryIO

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from medpay_cli import findings, money
from medpay_cli.findings import ERROR, FileVerdict, Outcome
from medpay_cli.reports import Style
from medpay_cli.reports.machine import worded

WORDS = {
    "zh": {
        "valid": "通过", "findings": "有问题", "not_judged": "无法判断", "records": "记录", "accepted": "接受",
        "rejected": "拒绝", "total": "合计", "rejected_total": "其中拒绝", "field": "字段", "more": "…… 另有 {n} 处",
        "at": "行", "line": "第 {line} 行", "fix": "处理", "verdict": "结论", "error": "错误", "warning": "警告",
        "file": "文件", "side": "方", "keys": "主键数", "ours": "{ours}", "theirs": "{theirs}", "difference": "差额",
        "class": "类别", "amount": "金额", "bridge": "差额构成（每一分钱）", "classes": "比对结果", "groups": "分组",
        "sides": "两边", "differs": "有差异：{n} 个主键", "agrees": "对平", "explain": "medpay explain {code} 查看说明",
        "matched": "一致", "only_ours": "仅{ours}有", "only_theirs": "仅{theirs}有", "duplicate": "主键重复且不一致",
        "amount_differs": "金额不一致", "status_differs": "状态不一致", "first": "前 {n} 条差异", "key": "主键",
        "explained": "已解释", "advice": "处理意见", "repeated": "其中重复但一致的主键", "tolerated": "容差内",
        "left_out": "未计入的记录", "details": "明细", "unreadable": "有无法读取的记录，不能对账",
        "layout": "版式", "notes": "读取时的发现",
    },
    "en": {
        "valid": "valid", "findings": "findings", "not_judged": "not judged", "records": "records",
        "accepted": "accepted", "rejected": "rejected", "total": "total", "rejected_total": "of which rejected",
        "field": "field", "more": "… {n} more", "at": "row", "line": "line {line}", "fix": "fix", "verdict": "verdict",
        "error": "error", "warning": "warning", "file": "file", "side": "side", "keys": "keys", "ours": "{ours}",
        "theirs": "{theirs}", "difference": "difference", "class": "class", "amount": "amount",
        "bridge": "where the difference comes from, to the fen", "classes": "result by class", "groups": "groups",
        "sides": "sides", "differs": "differences: {n} keys", "agrees": "agrees",
        "explain": "medpay explain {code} tells more", "matched": "matched", "only_ours": "only {ours}",
        "only_theirs": "only {theirs}", "duplicate": "repeated, not the same", "amount_differs": "amounts differ",
        "status_differs": "statuses differ", "first": "first {n} differences", "key": "key",
        "explained": "explained", "advice": "advice", "repeated": "repeated and the same, of these",
        "tolerated": "within tolerance", "left_out": "records left out", "details": "details",
        "unreadable": "some records cannot be read, so nothing is reconciled", "layout": "layout",
        "notes": "found while reading",
    },
}  # fmt: skip


def validation(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Findings grouped by code, files with their totals, and the verdict as the last line."""
    console, buffer = _console(style)
    words = WORDS[style.lang]
    _grouped(console, outcome, style)
    for one in outcome.files:
        _file(console, one, words)
    errors, warnings = outcome.findings.count(ERROR), outcome.findings.count(findings.WARNING)
    parts = [f"{words[verdict]} {number}" for verdict in ("valid", "findings", "not_judged")
             if (number := sum(one.verdict == verdict for one in outcome.files))]  # fmt: skip
    noted = ", ".join(f"{words[level]} {number}" for level, number in (("error", errors), ("warning", warnings)))
    console.print(Text(f"{words['verdict']}: {', '.join(parts)} ({noted})", style="bold"))
    out.write(buffer.getvalue().encode())


def reconciliation(result: Any, out: BinaryIO, style: Style) -> None:
    """Both sides, classes, the bridge to the fen, the first differences, and the verdict as the last line."""
    from medpay_cli.reports.tables import reconciliation_tables

    console, buffer = _console(style)
    reconciliation_tables(result, console, style, WORDS[style.lang])
    out.write(buffer.getvalue().encode())


def table(columns: Iterable[tuple[str, str]], rows: Iterable[Iterable[str]]) -> Table:
    """A plain table; each column is (title, "left" or "right")."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title, side in columns:
        made.add_column(title, justify="right" if side == "right" else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def yuan(amount: Decimal, scale: int) -> str:
    """An amount with thousands separators, for people only."""
    return f"{Decimal(money.written(amount, scale)):,}"


def printable(text: str) -> str:
    """The text with control characters spelled out, so that no data can steer a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _console(style: Style) -> tuple[Console, io.StringIO]:
    buffer = io.StringIO()
    console = Console(
        file=buffer, width=style.width, force_terminal=style.color, no_color=not style.color, highlight=False,
        color_system="standard" if style.color else None, emoji=False, markup=False,
    )  # fmt: skip
    return console, buffer


def _grouped(console: Console, outcome: Outcome, style: Style) -> None:
    words = WORDS[style.lang]
    shown: dict[str, list[dict[str, Any]]] = {}
    for found in outcome.findings.frames():
        first = found.filter(pl.int_range(pl.len()).over("code") < style.max_shown)
        for finding in worded(first, outcome, style, people=True).iter_rows(named=True):
            shown.setdefault(finding["code"], []).append(finding)
    counts: dict[str, int] = {}
    for (code, _, _), number in outcome.findings.counts.items():
        counts[code] = counts.get(code, 0) + number
    for code in sorted(counts):
        page = findings.rule(code)
        level = words[page["severity"]]
        console.print(Text(f"{code} {page['title'][style.lang]} ({level} {counts[code]})", style="bold"))
        several = len(outcome.files) > 1
        for finding in shown[code][: style.max_shown]:
            console.print(Text(f"  {_place(finding, words, several=several)}{printable(finding['message'])}"))
        rest = counts[code] - min(len(shown[code]), style.max_shown)
        if rest:
            console.print(Text("  " + words["more"].format(n=f"{rest:,}")))
        console.print(Text(f"  {words['fix']}: {page['fix'][style.lang]}"))
        console.print()


def _place(finding: dict[str, Any], words: dict[str, str], *, several: bool) -> str:
    name = finding["file"] if finding["member"] is None else f"{finding['file']}!/{finding['member']}"
    parts = [name] if several or finding["row"] is None else []
    if finding["row"] is not None:
        parts.append(f"{words['at']} {finding['row']} ({words['line'].format(line=finding['line'])})")
    return " ".join(parts) + ": " if parts else ""


def _file(console: Console, one: FileVerdict, words: dict[str, str]) -> None:
    name = one.path if one.member is None else f"{one.path}!/{one.member}"
    console.print(Text(f"{printable(name)} [{one.layout}, {one.dialect}, {one.encoding}]: {words[one.verdict]}"))
    counted = (("records", one.records), ("accepted", one.records - one.rejected), ("rejected", one.rejected))
    console.print(Text("  " + ", ".join(f"{words[word]} {number:,}" for word, number in counted)))
    if one.totals and one.verdict != "not_judged":
        columns = [("", "left"), *((name, "right") for name in one.totals)]
        rows = [[words["total"], *(yuan(amount, one.scales[name]) for name, amount in one.totals.items())]]
        if one.rejected:
            rows.append([words["rejected_total"], *(yuan(amount, one.scales[name]) for name, amount in one.rejected_totals.items())])  # fmt: skip
        console.print(table(columns, rows))
    console.print()
