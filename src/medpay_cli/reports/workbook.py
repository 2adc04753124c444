"""The reports as a workbook, for people who go on calculating: totals, what they consist of, and every row."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import BinaryIO

import polars as pl

from medpay_cli import findings, messages, money
from medpay_cli.findings import COLUMNS, FileVerdict, Outcome
from medpay_cli.formats.xlsx.writing import made
from medpay_cli.matching import SIDES, ClassSums, Reconciliation
from medpay_cli.reports import Style, statement
from medpay_cli.reports.machine import worded
from medpay_cli.reports.sheets import Amount, Sheets
from medpay_cli.reports.text import left_out, verdict

# Whoever opens a workbook of millions of rows waits for minutes, if it opens; they stand in differences.csv.
MOST_OF_A_CLASS = 50_000


def validation(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Sheets of files, of counts, and of every finding: identifiers whole, so that an auditor finds the record."""
    words = messages.labels(style.lang)
    with made(out) as book:
        summary = Sheets(book, words["summary"])
        summary.title(verdict(outcome, words))
        for line in left_out(outcome, style.lang, words):
            summary.put([line])
        for one in outcome.files:
            _file(summary, one, words)
        counts = Sheets(book, words["counts"])
        counts.head(["code", words["title"], "field", "severity", words["counts"], words["fix"]], [4])
        for row in outcome.findings.counted():
            rule = findings.rule(row["code"])
            title, fix = rule["title"][style.lang], rule["fix"][style.lang]
            counts.put([row["code"], title, row["field"], words[row["severity"]], row["count"], fix])
        every = Sheets(book, words["all_findings"])
        every.head(list(COLUMNS), (COLUMNS.index(name) for name in ("row", "line", "column")))
        for found in outcome.findings.frames():
            every.put_all(worded(found, outcome, style))
        for sheets in (summary, counts, every):
            sheets.finish()


def reconciliation(result: Reconciliation, out: BinaryIO, style: Style, rows: pl.DataFrame | None = None) -> None:
    """Sheets of totals and classes, of the bridge, and of the differences, which may be at hand as `rows`."""
    words = statement.labels(result, style)
    with made(out) as book:
        told = [_summary(Sheets(book, words["summary"]), result, words)]
        if result.classes is not None:
            told.append(_bridge(Sheets(book, words["bridge_sheet"]), result, result.classes, words))
            told.append(Sheets(book, words["differences"]))
            for line in _differences(told[-1], statement.differences(result, style) if rows is None else rows, words):
                for sheets in (told[0], told[-1]):
                    sheets.title(line)
        for sheets in told:
            sheets.finish()


def _file(sheets: Sheets, one: FileVerdict, words: dict[str, str]) -> None:
    sheets.put([])
    sheets.title(one.name)
    sheets.put([words["verdict"], words[one.verdict]])
    for name, value in (("layout", one.layout), ("dialect", one.dialect), ("encoding", one.encoding)):
        sheets.put([words.get(name, name), value or "-"])
    counted = (("records", one.records), ("accepted", one.records - one.rejected), ("rejected", one.rejected))
    for name, number in counted:
        sheets.put([words[name], number])
    if one.totals and one.verdict != "not_judged":
        sheets.head(["", words["total"], words["rejected_total"]], (1, 2), is_frozen=False)
        for name, amount in one.totals.items():
            scale = one.scales[name]
            sheets.put([name, Amount(amount, scale), Amount(one.rejected_totals[name], scale)])


def _summary(sheets: Sheets, result: Reconciliation, words: dict[str, str]) -> Sheets:
    sheets.title(statement.verdict(result, words))
    sheets.put([])
    names = list(result.compared.amounts)
    heads = [words["sides"], words["file"], "layout", "dialect", words["records"], words["keys"], *names]
    sheets.head(heads, range(4, len(heads)), is_frozen=False)
    for key, side in zip(SIDES, result.sides, strict=True):
        amounts = [Amount(side.amounts[name], scale) for name, scale in result.compared.amounts.items()]
        sheets.put([words[key], side.path, side.layout, side.dialect, side.records, side.keys, *amounts])
    both = [f"{words['records']} {words[side]}" for side in SIDES]
    gaps = [f"{name} {words['difference']}" for name in names]
    if result.groups:
        sheets.put([])
        sheets.head([words["groups"], *both, *gaps], range(1, 3 + len(gaps)), is_frozen=False)
        for group in result.groups:
            by = ", ".join(f"{name} = {value or '-'}" for name, value in group.by.items())
            sheets.put([by, *(group.sums.records[side] for side in SIDES), *_gaps(result, group.sums)])
    if result.classes is not None:
        sheets.put([])
        heads = [words["classes"], words["keys"], *both, words["repeated"], *gaps]
        sheets.head(heads, range(1, len(heads)), is_frozen=False)
        for name in statement.ordered(result):
            sums = result.classes[name]
            records = [sums.records[side] for side in SIDES]
            sheets.put([words[name], sums.keys, *records, sums.repeated, *_gaps(result, sums)])
            for column, (keys, gap) in sums.tolerated.items():
                before = [None] * (3 + names.index(column))
                sheets.put(
                    [f"{words['tolerated']}: {column}", keys, *before, Amount(gap, result.compared.amounts[column])]
                )
    if result.counts:
        sheets.put([])
        sheets.head([words["noted"], "code", "field", "severity", words["counts"]], [4], is_frozen=False)
        for row in result.counts:
            sheets.put([row["side"], row["code"], row["field"], words[row["severity"]], row["count"]])
    return sheets


def _bridge(sheets: Sheets, result: Reconciliation, found: dict[str, ClassSums], words: dict[str, str]) -> Sheets:
    amounts, (ours, theirs) = result.compared.amounts, result.sides

    def row(title: str, of: dict[str, Decimal]) -> None:
        sheets.put([title, *(Amount(of[name], scale) for name, scale in amounts.items())])

    sheets.head([words["bridge"], *amounts], range(1, len(amounts) + 1))
    row(words["ours"], ours.amounts)
    row(f"− {words['theirs']}", theirs.amounts)
    row(
        f"= {words['difference']}", {name: money.total((ours.amounts[name], -theirs.amounts[name])) for name in amounts}
    )
    for name in statement.ordered(result):
        sheets.put([f"    {words[name]}", *_gaps(result, found[name])])
    row(f"= {words['explained']}", {name: statement.explained(result, name) for name in amounts})
    return sheets


def _differences(sheets: Sheets, rows: pl.DataFrame, words: dict[str, str]) -> list[str]:
    """Fill the sheet; a line on every class of which it does not list all."""
    sheets.head(rows.columns, (at for at, dtype in enumerate(rows.dtypes) if dtype.is_numeric()))
    verdict = rows.columns[0]
    sheets.put_all(rows.filter(pl.int_range(pl.len()).over(verdict) < MOST_OF_A_CLASS))
    counted = rows.group_by(verdict, maintain_order=True).len().rows()
    return [
        words["listed"]
        .replace("{class}", words[name])
        .replace("{most}", f"{MOST_OF_A_CLASS:,}")
        .replace("#", f"{count:,}")
        for name, count in counted
        if count > MOST_OF_A_CLASS
    ]


def _gaps(result: Reconciliation, sums: ClassSums) -> Iterator[Amount]:
    for name, scale in result.compared.amounts.items():
        of = sums.amounts[name]
        yield Amount(money.total((of["ours"], -of["theirs"])), scale)
