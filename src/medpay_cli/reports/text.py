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
from medpay_cli.matching import SIDES, ClassSums, Reconciliation
from medpay_cli.reports import Style, statement
from medpay_cli.reports.machine import masked_value, worded

WORDS = {
    "zh": {
        "valid": "通过", "findings": "有问题", "not_judged": "无法判断", "records": "记录", "accepted": "接受",
        "rejected": "拒绝", "total": "合计", "rejected_total": "其中拒绝", "field": "字段", "more": "…… 另有 # 处",
        "at": "行", "line": "第 {line} 行", "fix": "处理", "verdict": "结论", "error": "错误", "warning": "警告",
        "file": "文件", "side": "方", "keys": "主键数", "ours": "{ours}", "theirs": "{theirs}", "difference": "差额",
        "class": "类别", "amount": "金额", "bridge": "差额构成（每一分钱）", "classes": "比对结果", "groups": "分组",
        "sides": "两边", "differs": "有差异：# 个主键", "agrees": "对平", "explain": "medpay explain {code} 查看说明",
        "matched": "一致", "only_ours": "仅{ours}有", "only_theirs": "仅{theirs}有", "duplicate": "主键重复且不一致",
        "amount_differs": "金额不一致", "status_differs": "状态不一致", "first": "前 # 条差异", "key": "主键",
        "explained": "已解释", "advice": "处理意见", "repeated": "其中重复但一致的主键", "tolerated": "容差内",
        "left_out": "未计入的记录", "details": "明细", "unreadable": "有无法读取的记录，不能对账",
        "layout": "版式", "notes": "读取时的发现",
    },
    "en": {
        "valid": "valid", "findings": "findings", "not_judged": "not judged", "records": "records",
        "accepted": "accepted", "rejected": "rejected", "total": "total", "rejected_total": "of which rejected",
        "field": "field", "more": "… # more", "at": "row", "line": "line {line}", "fix": "fix", "verdict": "verdict",
        "error": "error", "warning": "warning", "file": "file", "side": "side", "keys": "keys", "ours": "{ours}",
        "theirs": "{theirs}", "difference": "difference", "class": "class", "amount": "amount",
        "bridge": "where the difference comes from, to the fen", "classes": "result by class", "groups": "groups",
        "sides": "sides", "differs": "differences: # keys", "agrees": "agrees",
        "explain": "medpay explain {code} tells more", "matched": "matched", "only_ours": "only {ours}",
        "only_theirs": "only {theirs}", "duplicate": "repeated, not the same", "amount_differs": "amounts differ",
        "status_differs": "statuses differ", "first": "first # differences", "key": "key",
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


def reconciliation(result: Reconciliation, out: BinaryIO, style: Style) -> None:
    """Both sides, classes, the bridge to the fen, the first differences, and the verdict as the last line."""
    console, buffer = _console(style)
    words = {key: text.format_map(_Sides(result, style.lang)) for key, text in WORDS[style.lang].items()}
    _sides(console, result, words)
    if result.classes is None:
        _grouped(console, result.noted, style)
        console.print(Text(f"{words['verdict']}: {words['unreadable']}", style="bold"))
    else:
        _classes(console, result, words)
        _bridges(console, result, words)
        _first(console, result, words, style)
        unequal = sum(sums.keys for name, sums in result.classes.items() if name != "matched")
        verdict = words["differs"].replace("#", f"{unequal:,}") if unequal else words["agrees"]
        left = f" ({words['left_out']})" if result.incomplete else ""
        console.print(Text(f"{words['verdict']}: {verdict}{left}", style="bold"))
    out.write(buffer.getvalue().encode())


class _Sides(dict[str, str]):
    """Fills {ours} and {theirs} with the sides' names and leaves every other placeholder alone."""

    def __init__(self, result: Reconciliation, lang: str) -> None:
        ours, theirs = (side.title[lang] for side in result.sides)
        super().__init__(ours=ours, theirs=theirs)

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def _sides(console: Console, result: Reconciliation, words: dict[str, str]) -> None:
    names = list(result.compared.amounts)
    rows = [
        [words[name], f"{side.records:,}", f"{side.keys:,}", *(_yuan(result, column, side.amounts[column]) for column in names)]
        for name, side in zip(SIDES, result.sides, strict=True)
    ]
    columns = [(words["side"], "left"), (words["records"], "right"), (words["keys"], "right"), *((name, "right") for name in names)]
    for name, side in zip(SIDES, result.sides, strict=True):
        how = f" [{side.layout}, {side.dialect}]" if side.layout else ""
        console.print(Text(f"{words[name]}: {printable(side.path)}{how}"), soft_wrap=True)
    console.print(table(columns, rows))
    for row in result.counts:
        console.print(Text(f"{row['side']}: {row['code']} {row['field'] or ''} × {row['count']:,}"))
    if result.counts:
        console.print()
    if len(result.groups) > 1:
        console.print(Text(words["groups"], style="bold"))
        columns = [("", "left"), *((f"{words['records']} {words[side]}", "right") for side in SIDES), *((f"{name} {words['difference']}", "right") for name in names)]
        rows = [
            [", ".join(f"{key}={value if value is not None else '-'}" for key, value in group.by.items()),
             *(f"{group.sums.records[side]:,}" for side in SIDES),
             *(_gap(result, group.sums, name) for name in names)]
            for group in result.groups
        ]  # fmt: skip
        console.print(table(columns, rows))


def _classes(console: Console, result: Reconciliation, words: dict[str, str]) -> None:
    found = result.classes or {}
    console.print(Text(words["classes"], style="bold"))
    columns = [(words["class"], "left"), (words["keys"], "right"), *((f"{words['records']} {words[side]}", "right") for side in SIDES)]
    rows = []
    for name in statement.ordered(result):
        sums = found[name]
        rows.append([words[name], f"{sums.keys:,}", *(f"{sums.records[side]:,}" for side in SIDES)])
        if sums.repeated:
            rows.append([f"  {words['repeated']}", f"{sums.repeated:,}", "", ""])
        for column, (keys, gap) in sums.tolerated.items():
            rows.append([f"  {words['tolerated']} {column} {_yuan(result, column, gap)}", f"{keys:,}", "", ""])
    console.print(table(columns, rows))


def _bridges(console: Console, result: Reconciliation, words: dict[str, str]) -> None:
    """Per amount: ours, minus theirs, and what each class contributes to the difference."""
    found = result.classes or {}
    names = list(result.compared.amounts)
    ours, theirs = result.sides
    rows = [
        [words["ours"], *(_yuan(result, name, ours.amounts[name]) for name in names)],
        [f"− {words['theirs']}", *(_yuan(result, name, theirs.amounts[name]) for name in names)],
        [f"= {words['difference']}", *(_yuan(result, name, money.total((ours.amounts[name], -theirs.amounts[name]))) for name in names)],
        *([f"    {words[one]}", *(_gap(result, found[one], name) for name in names)] for one in statement.ordered(result)),
        [f"= {words['explained']}", *(_yuan(result, name, statement.explained(result, name)) for name in names)],
    ]  # fmt: skip
    console.print(Text(words["bridge"], style="bold"))
    console.print(table([("", "left"), *((name, "right") for name in names)], rows))


def _first(console: Console, result: Reconciliation, words: dict[str, str], style: Style) -> None:
    """The first differences of each class, with what to do about them."""
    listed = statement.differences(result, style.lang)
    on = result.compared
    hidden = [] if style.show_values else [name for name in result.noted.sensitivity if name in on.key]
    for name in statement.ordered(result):
        rows = listed.filter(pl.col("class") == name)
        if rows.is_empty():
            continue
        console.print(Text(f"{words[name]}: {rows.height:,}", style="bold"))
        if name in result.advice:
            console.print(Text(f"  {words['advice']}: {result.advice[name][style.lang]}"))
        columns = [*((key, "left") for key in on.key)]
        shown = [column for column in on.amounts for _ in (0,)]
        columns += [(f"{column} {words[side]}", "right") for column in shown for side in SIDES]
        columns += [(f"{column} {words[side]}", "left") for column in on.statuses for side in SIDES]
        first = rows.head(style.max_shown).with_columns(masked_value(pl.col(key)).alias(key) for key in hidden)
        lines = [
            [*(row[key] or "-" for key in on.key),
             *("-" if row[f"{column}_{side}"] is None else _yuan(result, column, row[f"{column}_{side}"]) for column in on.amounts for side in SIDES),
             *(row[f"{column}_{side}"] or "-" for column in on.statuses for side in SIDES)]
            for row in first.iter_rows(named=True)
        ]  # fmt: skip
        console.print(table(columns, lines))
        if rows.height > style.max_shown:
            console.print(Text("  " + words["more"].replace("#", f"{rows.height - style.max_shown:,}")))
            console.print()


def _yuan(result: Reconciliation, name: str, amount: Decimal) -> str:
    return yuan(amount, result.compared.amounts[name])


def _gap(result: Reconciliation, sums: ClassSums, name: str) -> str:
    of = sums.amounts[name]
    return _yuan(result, name, money.total((of["ours"], -of["theirs"])))


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
            console.print(Text("  " + words["more"].replace("#", f"{rest:,}")))
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
    console.print(Text(f"{printable(name)} [{one.layout}, {one.dialect}, {one.encoding}]: {words[one.verdict]}"), soft_wrap=True)
    counted = (("records", one.records), ("accepted", one.records - one.rejected), ("rejected", one.rejected))
    console.print(Text("  " + ", ".join(f"{words[word]} {number:,}" for word, number in counted)))
    if one.totals and one.verdict != "not_judged":
        columns = [("", "left"), *((name, "right") for name in one.totals)]
        rows = [[words["total"], *(yuan(amount, one.scales[name]) for name, amount in one.totals.items())]]
        if one.rejected:
            rows.append([words["rejected_total"], *(yuan(amount, one.scales[name]) for name, amount in one.rejected_totals.items())])  # fmt: skip
        console.print(table(columns, rows))
    console.print()
