"""SARIF 2.1.0: the rules that found something, and every finding as a result; written as it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import quote

import polars as pl

from medpay_cli import __version__, findings, messages
from medpay_cli.findings import Outcome
from medpay_cli.parallel import in_order
from medpay_cli.reports import Style
from medpay_cli.reports.lines import json_text
from medpay_cli.reports.machine import summary, worded
from medpay_cli.reports.places import File, files_of, uri
from medpay_cli.waivers import WAIVED

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LANGUAGES = {"zh": "zh-CN", "en": "en"}
# Verdicts under which a file without results is not a valid one.
NOT_VALID = {"not_judged": "error", "structure_only": "note"}
# Everything of a finding that has no place of its own in SARIF; the summary stands in the properties of the run.
REST = ("member", "node", "row", "line", "field", "column", "path", "value", "expected", "key")

# Its number in the run, and what is said of it.
Artifact = tuple[int, dict[str, Any]]
Artifacts = dict[File, Artifact]


def validation(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """One run: tool and rules, files, what could not be judged, the summary of `json`, and every finding."""
    codes = list(outcome.findings.by_code())
    artifacts = _artifacts(outcome)
    run = {
        "tool": {"driver": _driver(codes, style)},
        "columnKind": "unicodeCodePoints",
        "artifacts": [artifact for _, artifact in sorted(artifacts.values(), key=lambda one: one[0])],
        "invocations": [_invocation(outcome, style, artifacts)],
        "properties": {"summary": summary(outcome, outcome.findings.total)},
    }
    head = {"$schema": SCHEMA, "version": "2.1.0", "runs": [{**run, "results": []}]}
    text = json.dumps(head, ensure_ascii=False, indent=1)
    # Nobody knows how many results there are room for in memory: they are put between the last brackets.
    before, _, after = text.rpartition("[]")
    out.write(before.encode() + b"[")
    result = _result(codes, artifacts, outcome)
    separator = b"\n"
    for block in in_order(partial(_lines, load, outcome, style, result) for load in outcome.findings.loads()):
        out.write(separator + block)
        separator = b",\n"
    out.write(b"]" + after.encode() + b"\n")


def _lines(load: Callable[[], pl.DataFrame], outcome: Outcome, style: Style, result: pl.Expr) -> bytes:
    made = worded(load(), outcome, style, people=True).select(result.str.join(",\n"))
    return str(made.item()).encode()


def _driver(codes: list[str], style: Style) -> dict[str, Any]:
    return {
        "name": "medpay",
        "version": __version__,
        "language": LANGUAGES[style.lang],
        "rules": [_rule(code, style) for code in codes],
    }


def _rule(code: str, style: Style) -> dict[str, Any]:
    page = findings.rule(code)
    return {
        "id": code,
        "shortDescription": {"text": page["title"][style.lang]},
        "fullDescription": {"text": page["why"][style.lang]},
        "help": {"text": page["fix"][style.lang]},
        "defaultConfiguration": {"level": page["severity"]},
    }


def _artifacts(outcome: Outcome) -> Artifacts:
    """Each file with its number; a member of an archive has the archive for a parent."""
    made: Artifacts = {}
    for path, member in files_of(outcome):
        parent = made.setdefault((path, None), (len(made), {"location": {"uri": uri(path)}}))
        if member is not None:
            inside = {"location": {"uri": quote(f"/{member}")}, "parentIndex": parent[0]}
            made[path, member] = len(made), inside
    return made


def _invocation(outcome: Outcome, style: Style, artifacts: Artifacts) -> dict[str, Any]:
    """Whether the run did what it was asked to: judge every file."""
    words = messages.labels(style.lang)
    told = [
        {
            "level": NOT_VALID[one.verdict],
            "message": {"text": f"{words[one.verdict]}: {_escaped(one.node)}" if one.node else words[one.verdict]},
            "locations": [{"physicalLocation": {"artifactLocation": _location(artifacts[one.path, one.member])}}],
        }
        for one in outcome.files
        if one.verdict in NOT_VALID
    ]
    notes = {"toolExecutionNotifications": told} if told else {}
    is_judged = all(one.verdict != "not_judged" for one in outcome.files)
    return {"executionSuccessful": is_judged, "exitCode": outcome.exit_code, **notes}


def _location(artifact: Artifact) -> dict[str, Any]:
    return {"uri": artifact[1]["location"]["uri"], "index": artifact[0]}


def _result(codes: list[str], artifacts: Artifacts, outcome: Outcome) -> pl.Expr:
    """A finding as a line of JSON; what is absent is left out."""
    file = pl.concat_str("file", pl.lit("!/"), pl.col("member").fill_null(""))
    places = {f"{path}!/{member or ''}": json.dumps(_location(one)) for (path, member), one in artifacts.items()}
    texts = [f"{path}!/{member or ''}" for (path, member), one in files_of(outcome).items() if one.is_text]
    line = pl.when(file.is_in(texts)).then("line")
    waived = pl.col("severity") == WAIVED
    rules = {code: str(number) for number, code in enumerate(codes)}
    rest = [_within(f', "{name}": ', _json(name), "") for name in REST]
    return pl.concat_str(
        pl.lit('{"ruleId": "'), "code", pl.lit('", "ruleIndex": '), pl.col("code").replace_strict(rules),
        pl.lit(', "level": "'), pl.when(waived).then(pl.lit("note")).otherwise("severity"),
        pl.lit('", "message": {"text": '), json_text(_plain("message")),
        pl.lit('}, "locations": [{"physicalLocation": {"artifactLocation": '), file.replace_strict(places),
        _within(', "region": {"startLine": ', line.cast(pl.String), "}"),
        pl.lit("}"), _logical(),
        pl.lit("}]"), pl.when(waived).then(pl.lit(', "suppressions": [{"kind": "external"}]')).otherwise(pl.lit("")),
        pl.lit(', "partialFingerprints": {"medpayPlace/v1": '), json_text(_fingerprint()),
        pl.lit('}, "properties": {"file": '), json_text(pl.col("file")), *rest, pl.lit("}}"),
    )  # fmt: skip


def _logical() -> pl.Expr:
    """The node or sheet, and the address in it."""
    node, path = pl.col("node"), pl.col("path")
    name = _within('"name": ', json_text(node), "")
    between = pl.when(node.is_not_null() & path.is_not_null()).then(pl.lit(", ")).otherwise(pl.lit(""))
    address = _within('"fullyQualifiedName": ', json_text(path), "")
    whole = pl.concat_str(pl.lit(', "logicalLocations": [{'), name, between, address, pl.lit("}]"))
    return pl.when(node.is_not_null() | path.is_not_null()).then(whole).otherwise(pl.lit(""))


def _fingerprint() -> pl.Expr:
    """What tells a finding from the others of its rule and file, the same in every run over the same records."""
    names = ("node", "row", "field", "path")
    place = [pl.col(name).cast(pl.String).fill_null("") for name in names]
    # A blank line is no record.
    line = pl.when(pl.col("row").is_null()).then(pl.col("line").cast(pl.String)).fill_null("")
    return pl.concat_str(*place, line, separator="/")


def _json(name: str) -> pl.Expr:
    """A column as JSON: numbers and the key are written as they are."""
    column = pl.col(name)
    return column.cast(pl.String) if name in ("row", "line", "column", "key") else json_text(column)


def _within(before: str, text: pl.Expr, after: str) -> pl.Expr:
    """The text between these, or nothing where there is none."""
    return pl.concat_str(pl.lit(before), text, pl.lit(after)).fill_null("")


def _plain(name: str) -> pl.Expr:
    """A message in which nothing that a file holds is a placeholder or a link (SARIF 3.11.5, 3.11.6)."""
    return pl.col(name).str.replace_many(["{", "}", "]("], ["{{", "}}", "] ("])


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
