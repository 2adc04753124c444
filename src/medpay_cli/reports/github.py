"""Annotations of GitHub Actions: the first findings of each code as workflow commands, then exact counts of all."""

from __future__ import annotations

from collections import Counter
from typing import Any, BinaryIO

from medpay_cli import findings, messages
from medpay_cli.findings import Outcome
from medpay_cli.reports import Style
from medpay_cli.reports.console import printable
from medpay_cli.reports.machine import worded
from medpay_cli.reports.places import File, files_of, line_of, relative
from medpay_cli.reports.text import left_out, place, verdict
from medpay_cli.waivers import WAIVED

DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def validation(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """The first finding of every code, then the second of every code: GitHub shows ten errors and ten warnings."""
    words, files = messages.labels(style.lang), files_of(outcome)
    printed: Counter[str] = Counter()
    told: list[tuple[int, str, str]] = []
    for found in outcome.findings.first(style.max_shown):
        for finding in worded(found, outcome, style, people=True).iter_rows(named=True):
            code = finding["code"]
            printed[code] += 1
            told.append((printed[code], code, _annotation(finding, files, style, words)))
    for _, _, line in sorted(told, key=lambda one: one[:2]):
        out.write(line.encode())
    lines = [*_counts(outcome, printed, style, words), *left_out(outcome, style.lang, words)]
    out.write(_command("notice", {"title": verdict(outcome, words)}, "\n".join(lines) or "-").encode())


def _annotation(finding: dict[str, Any], files: dict[File, Any], style: Style, words: dict[str, str]) -> str:
    rule, is_inside = findings.rule(finding["code"]), finding["member"] is not None
    # A line of what is packed in a file is no line of that file.
    line = None if is_inside else line_of(finding, files)
    at = {"file": relative(finding["file"]), **({} if line is None else {"line": str(line)})}
    message = place(finding, words, several=is_inside) + finding["message"]
    # What somebody answers for fails nothing.
    level = "notice" if finding["severity"] == WAIVED else finding["severity"]
    return _command(level, {**at, "title": f"{finding['code']} {rule['title'][style.lang]}"}, message)


def _counts(outcome: Outcome, printed: Counter[str], style: Style, words: dict[str, str]) -> list[str]:
    """Each code with its exact count, and how many of them stand nowhere above."""
    lines = []
    for code, count in sorted(outcome.findings.by_code().items()):
        rest = words["more"].replace("#", f"{count - printed[code]:,}")
        unsaid = f" ({rest})" if count > printed[code] else ""
        lines.append(f"{code} {findings.rule(code)['title'][style.lang]}: {count:,}{unsaid}")
    return lines


def _command(level: str, properties: dict[str, str], message: str) -> str:
    shown = ",".join(f"{name}={printable(value).translate(PROPERTY)}" for name, value in properties.items())
    return f"::{level} {shown}::{printable(message).translate(DATA)}\n"
