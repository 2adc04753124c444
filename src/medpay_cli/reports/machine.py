"""Reports for programs: JSON, NDJSON and CSV as `contract` fixes them; amounts are strings in yuan."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO

import polars as pl

from medpay_cli import findings, money
from medpay_cli.findings import COLUMNS, ERROR, FileVerdict, Outcome
from medpay_cli.parallel import in_order
from medpay_cli.reports import Style

HIDDEN = "***"
# In a field of numbers, days or codes: a name, or an identity or card number, of a record whose columns have shifted.
PERSONAL = r"\p{Han}|[0-9]{15}"


def validation_json(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """One document: verdicts, exact counts, and the first findings of each code."""
    shown = [
        finding
        for found in outcome.findings.first(style.max_json)
        for finding in _records(worded(found, outcome, style))
    ]
    document = {**summary(outcome, len(shown)), "findings": shown}
    _dump(document, out)


def validation_ndjson(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Every finding on a line of its own, then the summary."""

    def lines(found: pl.DataFrame) -> pl.DataFrame:
        # Polars encodes a million in a second, Python one in eight microseconds; the key is JSON already.
        return worded(found, outcome, style).select(
            pl.struct(pl.lit("finding").alias("type"), pl.exclude("key")).struct.json_encode().str.strip_suffix("}")
            + pl.lit(',"key":')
            + pl.col("key").fill_null("null")
            + pl.lit("}")
        )

    _write_all(outcome, lines, out, quoted=False)
    out.write(_line({"type": "summary", **summary(outcome, outcome.findings.total)}))


def validation_csv(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Every finding, with a header."""
    out.write((",".join(COLUMNS) + "\n").encode())
    _write_all(outcome, lambda found: worded(found, outcome, style), out)


def _write_all(
    outcome: Outcome, work: Callable[[pl.DataFrame], pl.DataFrame], out: BinaryIO, *, quoted: bool = True
) -> None:
    """Write what `work` makes of every finding, as lines of CSV or as the lines that they are."""

    def made(found: pl.DataFrame) -> bytes:
        buffer = io.BytesIO()
        work(found).write_csv(buffer, include_header=False, quote_style="necessary" if quoted else "never")
        return buffer.getvalue()

    for block in in_order(partial(made, found) for found in outcome.findings.frames()):
        out.write(block)


WHY = ("row", "line", "code", "field", "message")


def why(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Why each rejected record was: every finding at error level, with a header."""
    out.write((",".join(WHY) + "\n").encode())
    wrong = (pl.col("severity") == ERROR) & pl.col("row").is_not_null()
    _write_all(outcome, lambda found: worded(found.filter(wrong), outcome, style).select(WHY), out)


def summary(outcome: Outcome, shown: int) -> dict[str, Any]:
    """Everything of the validate document but the findings themselves."""
    return {
        "schema": "medpay/validate/1",
        "complete": all(one.is_read for one in outcome.files),
        **({} if all(one.is_read for one in outcome.files) else {"incomplete_reason": "not_read_to_the_end"}),
        "exit_code": outcome.exit_code,
        "files": [_file(one) for one in outcome.files],
        "counts": outcome.findings.counted(),
        "not_judged": [],
        **({"selected": list(outcome.selected)} if outcome.selected else {}),
        **({"ignored": list(outcome.ignored)} if outcome.ignored else {}),
        "findings_shown": shown,
        "findings_total": outcome.findings.total,
    }


def worded(found: pl.DataFrame, outcome: Outcome, style: Style, *, people: bool = False) -> pl.DataFrame:
    """Findings with their message, in contract order, sensitive values masked: `direct` ones always,
    identifiers for people."""
    levels = ("direct", "identifier") if people else ("direct",)
    hidden = [] if style.show_values else [name for name, level in outcome.sensitivity.items() if level in levels]
    direct = [name for name in hidden if outcome.sensitivity[name] == "direct"]
    plain = [] if style.show_values else sorted(outcome.plain)
    masked = found.with_row_index("_order").with_columns(
        value=pl.when(pl.col("value").is_null())
        .then(None)
        .when(pl.col("field").is_in(direct) | (pl.col("field").is_in(plain) & pl.col("value").str.contains(PERSONAL)))
        .then(pl.lit(HIDDEN))
        .when(pl.col("field").is_in(hidden))
        .then(masked_value(pl.col("value")))
        .otherwise("value"),
        key=_masked_key(hidden),
    )
    messages = [
        _message(code, masked.filter(pl.col("code") == code), outcome, style) for code in masked["code"].unique().sort()
    ]
    if not messages:
        return masked.with_columns(message=pl.lit(None, pl.String)).select(COLUMNS)
    return pl.concat(messages).sort("_order").select(COLUMNS)


def _masked_key(hidden: list[str]) -> pl.Expr:
    """The key without the values of hidden fields that are part of it."""
    key = pl.col("key")
    for name in hidden:
        named = re.escape(json.dumps(name, ensure_ascii=False))
        key = key.str.replace_all(rf'({named}:)"(?:[^"\\]|\\.)*"', f'${{1}}"{HIDDEN}"')
    return key


def masked_value(value: pl.Expr) -> pl.Expr:
    """The first two characters of six or more, the rest hidden."""
    return pl.when(value.str.len_chars() >= 6).then(value.str.slice(0, 2) + HIDDEN).otherwise(pl.lit(HIDDEN))


def _message(code: str, found: pl.DataFrame, outcome: Outcome, style: Style) -> pl.DataFrame:
    template = findings.rule(code)["message"][style.lang]
    title = pl.col("field").replace_strict(
        {name: titles[style.lang == "en"] for name, titles in outcome.titles.items()}, default=pl.col("field")
    ) if outcome.titles else pl.col("field")  # fmt: skip
    places = {"{field}": pl.col("field"), "{title}": title, "{value}": pl.col("value"),
              "{expected}": pl.col("expected"), "{line}": pl.col("line").cast(pl.String)}  # fmt: skip
    pieces = [
        places[piece].fill_null("-") if piece in places else pl.lit(piece) for piece in _pieces(template, tuple(places))
    ]
    return found.with_columns(message=pl.concat_str(pieces))


def _pieces(template: str, places: tuple[str, ...]) -> Iterator[str]:
    while template:
        found = [(template.find(place), place) for place in places if place in template]
        if not found:
            yield template
            return
        at, place = min(found)
        if at:
            yield template[:at]
        yield place
        template = template[at + len(place) :]


def _records(found: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for finding in found.iter_rows(named=True):
        if finding["key"] is not None:
            finding["key"] = json.loads(finding["key"])
        yield finding


def _file(one: FileVerdict) -> dict[str, Any]:
    accepted = {name: money.total((amount, -one.rejected_totals[name])) for name, amount in one.totals.items()}
    return {
        "path": one.path,
        "member": one.member,
        "node": None,
        "layout": one.layout,
        "dialect": one.dialect,
        "encoding": one.encoding,
        "verdict": one.verdict,
        "records": one.records,
        "accepted": one.records - one.rejected,
        "rejected": one.rejected,
        "totals": _amounts(one.totals, one),
        "accepted_totals": _amounts(accepted, one),
        "rejected_totals": _amounts(one.rejected_totals, one),
    }


def _amounts(totals: dict[str, Decimal], one: FileVerdict) -> dict[str, str]:
    return {name: money.written(amount, one.scales[name]) for name, amount in totals.items()}


def _dump(document: dict[str, Any], out: BinaryIO) -> None:
    out.write(json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n")


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
