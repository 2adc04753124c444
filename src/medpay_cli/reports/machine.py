"""Reports for programs: JSON, NDJSON and CSV as `contract` fixes them; amounts are strings in yuan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO

import polars as pl

from medpay_cli import findings, money
from medpay_cli.findings import COLUMNS, ERROR, FileVerdict, Outcome
from medpay_cli.frames import same
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
    opened = [(name, f',"{name}":') for name in ("type", *COLUMNS)]
    begin = [("type", '{"type":'), *opened[1:]]

    def lines(found: pl.DataFrame) -> bytes:
        return joined_lines(found.with_columns(type=pl.lit("finding")), begin, as_json, "}\n")

    _write_all(outcome, style, lines, out)
    out.write(_line({"type": "summary", **summary(outcome, outcome.findings.total)}))


def validation_csv(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Every finding, with a header."""
    _write_csv(outcome, out, style, COLUMNS, lambda found: found)


def _write_csv(
    outcome: Outcome,
    out: BinaryIO,
    style: Style,
    columns: tuple[str, ...],
    chosen: Callable[[pl.DataFrame], pl.DataFrame],
) -> None:
    out.write((",".join(columns) + "\n").encode())
    begin = [(name, "," if number else "") for number, name in enumerate(columns)]
    _write_all(outcome, style, lambda found: joined_lines(found, begin, as_csv, "\n"), out, chosen)


def _write_all(
    outcome: Outcome,
    style: Style,
    lines: Callable[[pl.DataFrame], bytes],
    out: BinaryIO,
    chosen: Callable[[pl.DataFrame], pl.DataFrame] = lambda found: found,
) -> None:
    """Write the lines of every chosen finding, worded, in order."""

    def made(found: pl.DataFrame) -> bytes:
        return lines(worded(chosen(found), outcome, style))

    for block in in_order(partial(made, found) for found in outcome.findings.frames()):
        out.write(block)


def joined_lines(
    found: pl.DataFrame,
    begin: Sequence[tuple[str, str]],
    cell: Callable[[str, pl.DataType], pl.Expr],
    end: str,
) -> bytes:
    """The lines of a frame: before each column its text in `begin`, then its cell; `end` ends a line.

    What is the same on every line is put together once: a third of the time of Polars' own writers.
    """
    if found.is_empty():
        return b""
    once = same(found.select(name for name, _ in begin))
    first = found.head(1).with_columns(cell(name, found.schema[name]).alias(name) for name in once).row(0, named=True)
    pieces: list[pl.Expr] = []
    literal = ""
    for name, before in begin:
        literal += before
        if name in once:
            literal += first[name]
        else:
            pieces += [pl.lit(literal), cell(name, found.schema[name])]
            literal = ""
    line = pl.concat_str([*pieces, pl.lit(literal + end)])
    repeated = line if pieces else pl.lit(literal + end).repeat_by(found.height).explode()
    text: str = found.select(repeated.str.join("")).item()
    return text.encode()


def as_json(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as JSON values; the key is JSON already."""
    column = pl.col(name)
    if name == "key":
        written = column
    elif dtype == pl.String:
        # Polars encodes a struct: {"":"..."} around the text.
        encoded = pl.struct(column.alias("")).struct.json_encode()
        written = pl.when(column.is_not_null()).then(encoded.str.slice(4, encoded.str.len_chars() - 5))
    else:
        written = column.cast(pl.String)
    return written.fill_null("null")


def as_csv(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as cells of CSV: quoted where it is empty text or holds a quote, a comma or a line end."""
    if dtype != pl.String:
        return pl.col(name).cast(pl.String).fill_null("")
    column = pl.col(name)
    quoted = '"' + column.str.replace_all('"', '""', literal=True) + '"'
    return pl.when(column.str.contains(r'[",\r\n]|^$')).then(quoted).otherwise(column).fill_null("")


WHY = ("row", "line", "code", "field", "message")


def why(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Why each rejected record was: every finding at error level, with a header."""
    wrong = (pl.col("severity") == ERROR) & pl.col("row").is_not_null()
    _write_csv(outcome, out, style, WHY, lambda found: found.filter(wrong))


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
    parts = found.with_row_index(_ORDER).partition_by("code", "field", maintain_order=True)
    told = [_worded(part, outcome, style, hidden) for part in parts]
    if not told:
        return found.with_columns(message=pl.lit(None, pl.String)).select(COLUMNS)
    return (told[0] if len(told) == 1 else pl.concat(told).sort(_ORDER)).select(COLUMNS)


_ORDER = "\x1forder"


def _worded(part: pl.DataFrame, outcome: Outcome, style: Style, hidden: list[str]) -> pl.DataFrame:
    """Findings of one code and field."""
    code, name = part["code"][0], part["field"][0]
    value = pl.col("value")
    shown = masked_value(value) if name in hidden else value
    if name in hidden and outcome.sensitivity[name] == "direct":
        shown = pl.lit(HIDDEN)
    elif name in outcome.plain and not style.show_values:
        shown = pl.when(value.str.contains(PERSONAL)).then(pl.lit(HIDDEN)).otherwise(shown)
    masked = part.with_columns(value=pl.when(value.is_not_null()).then(shown), key=_masked_key(hidden))
    titles = outcome.titles.get(name)
    places = {
        "{field}": pl.lit(name, pl.String),
        "{title}": pl.lit(titles[style.lang == "en"] if titles else name, pl.String),
        "{value}": pl.col("value"),
        "{expected}": pl.col("expected"),
        "{line}": pl.col("line").cast(pl.String),
    }
    template = findings.rule(code)["message"][style.lang]
    pieces = [
        places[piece].fill_null("-") if piece in places else pl.lit(piece) for piece in _pieces(template, tuple(places))
    ]
    return masked.with_columns(message=pl.concat_str(pieces))


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
        "node": one.node,
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
