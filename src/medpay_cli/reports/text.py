"""The validate report for people: grouped by code, the verdict last, nobody's data in it."""

from __future__ import annotations

from collections import Counter
from typing import Any, BinaryIO

from medpay_cli import findings, messages
from medpay_cli.findings import ERROR, WARNING, FileVerdict, Outcome
from medpay_cli.messages import Language
from medpay_cli.reports import Paper, Style
from medpay_cli.reports.console import Page, printable, yuan
from medpay_cli.reports.machine import worded

# More amounts than these stand below each other.
MOST_ACROSS = 4
VERDICTS = ("valid", "structure_only", "findings", "not_judged")


def validation(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Findings by code, files with their totals, the verdict as the last line."""
    page = Page(style)
    tell(page, outcome, style)
    out.write(page.bytes)


def tell(page: Paper, outcome: Outcome, style: Style) -> None:
    """The same to any paper."""
    words = messages.labels(style.lang)
    grouped(page, outcome, style)
    for one in outcome.files:
        _file(page, one, words)
    for line in left_out(outcome, style.lang, words):
        page.line(line)
    page.verdict(verdict(outcome, words), _level(outcome))


def _level(outcome: Outcome) -> str:
    found = {one.verdict for one in outcome.files}
    return "good" if found == {"valid"} else "bad" if "findings" in found else "unknown"


def verdict(outcome: Outcome, words: dict[str, str]) -> str:
    """How many files were found how, in a line."""
    verdicts = [one.verdict for one in outcome.files]
    parts = [f"{words[name]} {verdicts.count(name)}" for name in VERDICTS if name in verdicts]
    counts = ", ".join(f"{words[level]} {outcome.findings.count(level):,}" for level in (ERROR, WARNING))
    return f"{words['verdict']}: {', '.join(parts)} ({counts})"


def left_out(outcome: Outcome, lang: Language, words: dict[str, str]) -> list[str]:
    """Which rules could not be judged, which alone were held, which were not."""
    lacking = [f"{words['rule_not_judged']} {_lacking(rule, lang, words)}" for rule in outcome.not_judged]
    told = (("only_held", outcome.selected), ("not_held", outcome.ignored))
    return lacking + [f"{words[word]}: {', '.join(codes)}" for word, codes in told if codes]


def _lacking(one: dict[str, Any], lang: Language, words: dict[str, str]) -> str:
    """A rule that could not be held, and for want of what."""
    title = f"{one['code']} {findings.rule(one['code'])['title'][lang]}"
    if "records" in one:
        return f"{title}: {words['in_records'].replace('#', format(one['records'], ','))}"
    return f"{title}: {words['lacks']} {', '.join(one['missing'])}"


def grouped(page: Paper, outcome: Outcome, style: Style) -> None:
    """Each code once: what it is, the first findings, how to fix them."""
    words = messages.labels(style.lang)
    shown: dict[str, list[dict[str, Any]]] = {}
    for found in outcome.findings.first(style.max_shown):
        for finding in worded(found, outcome, style, people=True).iter_rows(named=True):
            shown.setdefault(finding["code"], []).append(finding)
    counts = outcome.findings.by_code()
    for code, count in sorted(counts.items()):
        rule = findings.rule(code)
        levels = Counter[str]()
        for (found_code, _, level), number in outcome.findings.counts.items():
            levels[level] += number * (found_code == code)
        counted = ", ".join(f"{words[level]} {number:,}" for level, number in sorted(levels.items()) if number)
        page.title(f"{code} {rule['title'][style.lang]} ({counted})")
        first_ones = shown.get(code, [])
        for finding in first_ones:
            page.item(place(finding, words, several=len(outcome.files) > 1) + printable(finding["message"]))
        if count > len(first_ones):
            page.remark(words["more"].replace("#", f"{count - len(first_ones):,}"))
        page.note(words["fix"], rule["fix"][style.lang])
        page.line()


def place(finding: dict[str, Any], words: dict[str, str], *, several: bool) -> str:
    """Row and line before a message, and the file where there are several."""
    name = finding["file"] if finding["member"] is None else f"{finding['file']}!/{finding['member']}"
    parts = [printable(name)] if several or finding["line"] is None else []
    if finding["row"] is not None:
        parts.append(words["row"].replace("#", str(finding["row"])))
    if finding["line"] is not None and finding["line"] != finding["row"]:
        parts.append(f"({words['line'].replace('#', str(finding['line']))})")
    return " ".join(parts) + ": "


def _file(page: Paper, one: FileVerdict, words: dict[str, str]) -> None:
    how = [part or "-" for part in (one.layout, one.dialect, one.encoding)]
    how += [f"{words['partner']} {printable(one.partner)}"] if one.partner else []
    page.title(f"{printable(one.name)} [{', '.join(how)}]: {words[one.verdict]}")
    counted = (("records", one.records), ("accepted", one.records - one.rejected), ("rejected", one.rejected))
    page.remark(", ".join(f"{words[word]} {number:,}" for word, number in counted))
    if one.totals and one.verdict != "not_judged":
        sums = [(words["total"], one.totals)]
        if one.rejected:
            sums.append((words["rejected_total"], one.rejected_totals))
        lines = [[title, *(yuan(amount, one.scales[name]) for name, amount in of.items())] for title, of in sums]
        table = [["", *one.totals], *lines]
        if len(one.totals) > MOST_ACROSS:
            table = [list(cells) for cells in zip(*table, strict=True)]
        page.table(table[0], table[1:])
    else:
        page.line()
