"""The reconciliation statement for people: sides, classes, the bridge, the first differences, the verdict last."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, BinaryIO

import polars as pl

from medpay_cli import money
from medpay_cli.matching import CLASS, OURS, RECORDS, SIDES, THEIRS, ClassSums, Reconciliation, of
from medpay_cli.reports import Paper, Style, statement
from medpay_cli.reports.console import Page, printable, yuan
from medpay_cli.reports.text import grouped


def reconciliation(result: Reconciliation, out: BinaryIO, style: Style) -> None:
    """What a finance person reads, in the order in which the questions come."""
    page = Page(style)
    tell(page, result, style)
    out.write(page.bytes)


def tell(page: Paper, result: Reconciliation, style: Style) -> None:
    """The same to any paper."""
    words = statement.labels(result, style)
    told = _Told(result, style, words)
    told.sides(page)
    if result.classes is None:
        grouped(page, result.noted, style)
        page.verdict(statement.verdict(result, words), "unknown")
    else:
        told.groups(page)
        told.classes(page, result.classes)
        told.bridge(page, result.classes)
        told.differences(page)
        page.verdict(statement.verdict(result, words), "bad" if result.exit_code else "good")


class _Told:
    """The sections of a statement, sharing the result, the style and the words."""

    def __init__(self, result: Reconciliation, style: Style, words: dict[str, str]) -> None:
        self.result, self.style, self.words = result, style, words
        self.names = list(result.compared.amounts)
        titles = result.noted.titles
        english = style.lang == "en"
        self.heads = [
            f"{name}\n{titles[name][english]}" if titles[name][english] != name else name for name in self.names
        ]

    def sides(self, page: Paper) -> None:
        """Where each side came from, and its totals."""
        words, result = self.words, self.result
        for name, side in zip(SIDES, result.sides, strict=True):
            whose = f", {words['partner']} {printable(side.partner)}" if side.partner else ""
            how = f" [{side.layout}, {side.dialect}{whose}]" if side.layout else ""
            page.line(f"{words[name]}: {printable(side.path)}{how}")
            if side.beside:
                page.line(f"{words['passed_over']}: {printable(', '.join(side.beside))}")
        page.line()
        rows = [
            [
                words[name],
                f"{side.records:,}",
                f"{side.keys:,}" if side.keys is not None else "-",
                *self._amounts(side.amounts),
            ]
            for name, side in zip(SIDES, result.sides, strict=True)
        ]
        page.table([words["sides"], words["records"], words["keys"], *self.heads], rows)
        for row in result.counts if result.classes is not None else ():
            place = " ".join(str(row[key]) for key in ("side", "code", "field") if row[key])
            page.line(f"{words['noted']}: {place} × {row['count']:,}")
        if result.counts:
            page.line()

    def groups(self, page: Paper) -> None:
        """Counts and differences per group."""
        if len(self.result.groups) < 2:
            return
        words = self.words
        columns = [words["groups"], *(f"{words['records']}\n{words[side]}" for side in SIDES)]
        rows = [
            [
                ", ".join(f"{name} = {value or '-'}" for name, value in group.by.items()),
                *(f"{group.sums.records[side]:,}" for side in SIDES),
                *self._gaps(group.sums),
            ]
            for group in self.result.groups
        ]
        page.table([*columns, *(f"{name}\n{words['difference']}" for name in self.names)], rows)

    def classes(self, page: Paper, found: dict[str, ClassSums]) -> None:
        """Every class with its keys and records."""
        words = self.words
        rows = []
        for name in statement.ordered(self.result):
            sums = found[name]
            rows.append([words[name], f"{sums.keys:,}", *(f"{sums.records[side]:,}" for side in SIDES)])
            if sums.repeated:
                rows.append([f"  {words['repeated']}", f"{sums.repeated:,}", "", ""])
            for column, (keys, gap) in sums.tolerated.items():
                amount = self._yuan(column, gap)
                rows.append([f"  {words['tolerated']}: {column} {amount}", f"{keys:,}", "", ""])
        heads = [f"{words['records']}\n{words[side]}" for side in SIDES]
        page.table([words["classes"], words["keys"], *heads], rows)

    def bridge(self, page: Paper, found: dict[str, ClassSums]) -> None:
        """Per amount: ours, less theirs, and what each class contributes to the difference."""
        words, (ours, theirs) = self.words, self.result.sides
        gaps = {name: money.total((ours.amounts[name], -theirs.amounts[name])) for name in self.names}
        explained = {name: statement.explained(self.result, name) for name in self.names}
        rows = [
            [words["ours"], *self._amounts(ours.amounts)],
            [f"− {words['theirs']}", *self._amounts(theirs.amounts)],
            [f"= {words['difference']}", *self._amounts(gaps)],
            *([f"    {words[one]}", *self._gaps(found[one])] for one in statement.ordered(self.result)),
            [f"= {words['explained']}", *self._amounts(explained)],
        ]
        page.table([words["bridge"], *self.heads], rows)

    def differences(self, page: Paper) -> None:
        """The first differences of each class, the largest first, with what to do about them."""
        result, words, on = self.result, self.words, self.result.compared
        assert result.differences is not None  # noqa: S101 - only called where there is a match
        gap = pl.sum_horizontal((pl.col(of(name, OURS)) - pl.col(of(name, THEIRS))).abs() for name in self.names)
        columns = [(key, key) for key in on.key] + [(of(name, side), name) for name in on.statuses for side in SIDES]
        masked = [statement.shown(pl.col(column), name, result, self.style, people=True) for column, name in columns]
        for name in statement.ordered(result):
            rows = result.differences.filter(pl.col(CLASS) == name)
            if rows.is_empty():
                continue
            page.title(f"{words[name]}: {rows.height:,}")
            if name in result.advice:
                page.note(words["advice"], result.advice[name][self.style.lang])
            page.remark(words["both"])
            first = rows.sort(gap, *on.key, descending=[True, *(False for _ in on.key)]).head(self.style.max_shown)
            first = first.with_columns(
                *masked,
                *(statement.amount_of(column, side).alias(of(column, side)) for column in self.names for side in SIDES),
            )
            heads = [*on.key, words["records"], *self.names, *on.statuses]
            page.table(heads, map(self._difference, first.iter_rows(named=True)), left=len(on.key))
            if rows.height > first.height:
                page.remark(words["more"].replace("#", f"{rows.height - first.height:,}"))
                page.line()

    def _difference(self, row: dict[str, Any]) -> list[str]:
        on = self.result.compared
        return [
            *(row[key] or "-" for key in on.key),
            _pair(*(str(row[of(RECORDS, side)]) for side in SIDES)),
            *(_pair(*(self._yuan(name, row[of(name, side)]) for side in SIDES)) for name in self.names),
            *(_pair(*(row[of(name, side)] or "-" for side in SIDES)) for name in on.statuses),
        ]

    def _amounts(self, amounts: dict[str, Decimal]) -> list[str]:
        return [self._yuan(name, amounts[name]) for name in self.names]

    def _gaps(self, sums: ClassSums) -> list[str]:
        return [self._yuan(name, money.total((of["ours"], -of["theirs"]))) for name, of in sums.amounts.items()]

    def _yuan(self, name: str, amount: Decimal | None) -> str:
        return "-" if amount is None else yuan(amount, self.result.compared.amounts[name])


def _pair(ours: str, theirs: str) -> str:
    return ours if ours == theirs else f"{ours} / {theirs}"
