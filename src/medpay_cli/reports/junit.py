"""JUnit XML: a suite for each file, member and node; in it a case for its verdict and one for each code found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, BinaryIO
from xml.sax.saxutils import escape, quoteattr

import polars as pl

from medpay_cli import findings, messages, money
from medpay_cli.findings import ERROR, FileVerdict, Outcome
from medpay_cli.reports import Style
from medpay_cli.reports.console import printable
from medpay_cli.reports.machine import worded
from medpay_cli.reports.text import left_out, place, verdict

Key = tuple[str, str | None, str | None]
PLACE = ["file", "member", "node"]
NEVER = "never"


@dataclass
class _Suite:
    """The findings of a node: how many of each code, the severities among them, and the first of them."""

    verdict: FileVerdict
    counts: dict[str, int] = field(default_factory=dict)
    levels: dict[str, set[str]] = field(default_factory=dict)
    first: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def validation(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """What makes the exit code 1 is a failure, a file that is not judged an error, one of which only the structure was
    looked at skipped; other findings stand in the output of their case."""
    words = messages.labels(style.lang)
    suites = [_written(suite, outcome, style, words) for suite in _suites(outcome, style)]
    total = {name: sum(one.numbers[name] for one in suites) for name in ("tests", "failures", "errors")}
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', _tag("testsuites", name=verdict(outcome, words), **total) + ">"]
    lines += [line for one in suites for line in one.lines]
    out.write("\n".join([*lines, "</testsuites>", ""]).encode())


def _suites(outcome: Outcome, style: Style) -> list[_Suite]:
    """The findings of each node, in one pass."""
    suites: dict[Key, _Suite] = {}
    for one in outcome.files:
        suites.setdefault((one.path, one.member, one.node), _Suite(one))
    # What is found of a file as a whole names no node: it stands with the first.
    whole = {key[:2]: suite for key, suite in reversed(suites.items())}
    for found in outcome.findings.frames():
        for (file, member, node), part in found.group_by(PLACE, maintain_order=True):
            suite = suites.get((file, member, node)) or whole[file, member]
            _add(suite, part, outcome, style)
    return list(suites.values())


def _add(suite: _Suite, part: pl.DataFrame, outcome: Outcome, style: Style) -> None:
    by_code = part.group_by("code", maintain_order=True).agg(pl.len(), pl.col("severity").unique().alias("levels"))
    for code, count, levels in by_code.iter_rows():
        suite.counts[code] = suite.counts.get(code, 0) + count
        suite.levels.setdefault(code, set()).update(levels)
        room = style.max_shown - len(suite.first.setdefault(code, []))
        some = part.filter(pl.col("code") == code).head(max(room, 0))
        suite.first[code] += worded(some, outcome, style, people=True).iter_rows(named=True)


@dataclass(frozen=True)
class _Written:
    lines: list[str]
    numbers: dict[str, int]


def _written(suite: _Suite, outcome: Outcome, style: Style, words: dict[str, str]) -> _Written:
    one = suite.verdict
    name = one.name
    fails = {
        code: outcome.fail_on != NEVER and not levels.isdisjoint((ERROR, outcome.fail_on))
        for code, levels in suite.levels.items()
    }
    numbers = {
        "tests": len(suite.counts) + 1,
        "failures": sum(fails.values()),
        "errors": int(one.verdict == "not_judged"),
        "skipped": int(one.verdict == "structure_only"),
    }
    lines = [_tag("testsuite", name=name, **numbers) + ">", "<properties>"]
    lines += [_tag("property", name=key, value=value) + "/>" for key, value in _properties(one).items()]
    lines += ["</properties>", *_verdict_case(one, name, left_out(outcome, style.lang, words), words)]
    for code in sorted(suite.counts):
        lines += _code_case(code, suite, name, style, words, is_failure=fails[code])
    return _Written([*lines, "</testsuite>"], numbers)


def _properties(one: FileVerdict) -> dict[str, object]:
    """What stands in `files` of the json report."""
    named = {"layout": one.layout, "dialect": one.dialect, "encoding": one.encoding, "verdict": one.verdict}
    counted = {"records": one.records, "accepted": one.records - one.rejected, "rejected": one.rejected}
    sums = {f"total {name}": money.written(amount, one.scales[name]) for name, amount in one.totals.items()}
    rejected = {
        f"rejected {name}": money.written(amount, one.scales[name]) for name, amount in one.rejected_totals.items()
    }
    return {**{key: value or "-" for key, value in named.items()}, **counted, **sums, **rejected}


def _verdict_case(one: FileVerdict, name: str, told: list[str], words: dict[str, str]) -> list[str]:
    lines = [_tag("testcase", name="verdict", classname=name) + ">"]
    if one.verdict in ("not_judged", "structure_only"):
        element = "error" if one.verdict == "not_judged" else "skipped"
        lines.append(_tag(element, type=one.verdict, message=words[one.verdict]) + "/>")
    if told:
        lines.append("<system-out>" + _text("\n".join(told)) + "</system-out>")
    return [*lines, "</testcase>"]


def _code_case(
    code: str, suite: _Suite, name: str, style: Style, words: dict[str, str], *, is_failure: bool
) -> list[str]:  # fmt: skip
    rule, count, first = findings.rule(code), suite.counts[code], suite.first[code]
    title = f"{code} {rule['title'][style.lang]}"
    told = [place(finding, words, several=False) + finding["message"] for finding in first]
    if count > len(first):
        told.append(words["more"].replace("#", f"{count - len(first):,}"))
    told.append(f"{words['fix']}: {rule['fix'][style.lang]}")
    body = _text("\n".join(told))
    level = ", ".join(words[one] for one in sorted(suite.levels[code]))
    if is_failure:
        shown = _tag("failure", type=code, message=f"{level} {count:,}") + f">{body}</failure>"
    else:
        shown = f"<system-out>{_text(f'{level} {count:,}')}\n{body}</system-out>"
    return [_tag("testcase", name=title, classname=name) + ">", shown, "</testcase>"]


def _tag(element: str, **attributes: object) -> str:
    return f"<{element}" + "".join(f" {name}={quoteattr(printable(str(value)))}" for name, value in attributes.items())


def _text(text: str) -> str:
    """Without a character that XML 1.0 does not know: what cannot be printed is spelled out."""
    return escape(printable(text))
