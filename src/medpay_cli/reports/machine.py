"""Reports for programs: JSON, NDJSON and CSV as `contract` fixes them; amounts are strings in yuan."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO

import polars as pl

from medpay_cli import findings, money
from medpay_cli.findings import COLUMNS, ERROR, FileVerdict, Outcome
from medpay_cli.frames import same
from medpay_cli.parallel import in_order
from medpay_cli.reports import Style
from medpay_cli.reports.lines import COLUMN, LITERAL, Form, Piece, joined, line_of, lines, of_csv, of_json

Chosen = Callable[[pl.DataFrame], pl.DataFrame]
HIDDEN = "***"
# In a field of numbers, days or codes: a name, or an identity or card number, of a record whose columns have shifted.
PERSONAL = r"\p{Han}|[0-9]{15}"


def validation_json(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """One document: verdicts, exact counts, and the first findings of each code."""
    shown = worded_records(outcome, style)
    document = {**summary(outcome, len(shown)), "findings": shown}
    _dump(document, out)


def worded_records(outcome: Outcome, style: Style) -> list[dict[str, Any]]:
    """The first findings of each code, as they stand in a document."""
    return [
        finding
        for found in outcome.findings.first(style.max_json)
        for finding in _records(worded(found, outcome, style))
    ]


def validation_ndjson(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Every finding on a line of its own, then the summary."""
    first, *others = ("type", *COLUMNS)
    cells = [(first, f'{{"{first}":'), *((name, f',"{name}":') for name in others)]
    _write_all(outcome, style, cells, of_json(), "}\n", out)
    out.write(line_of({"type": "summary", **summary(outcome, outcome.findings.total)}))


def validation_csv(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Every finding, with a header."""
    _write_csv(outcome, out, style, COLUMNS, lambda found: found)


def _write_csv(outcome: Outcome, out: BinaryIO, style: Style, columns: tuple[str, ...], chosen: Chosen) -> None:
    out.write((",".join(columns) + "\n").encode())
    cells = [(name, "," if number else "") for number, name in enumerate(columns)]
    _write_all(outcome, style, cells, of_csv(), "\n", out, chosen)


def _write_all(
    outcome: Outcome,
    style: Style,
    cells: list[tuple[str, str]],
    form: Form,
    end: str,
    out: BinaryIO,
    chosen: Chosen = lambda found: found,
) -> None:
    """Write the lines of every chosen finding in order."""

    def line(part: _Part) -> pl.DataFrame:
        rows = part.rows.with_columns(type=pl.lit("finding"))
        return rows.select(_ORDER, lines(rows, cells, {"message": part.message}, "key", form, end).alias("line"))

    def made(load: Callable[[], pl.DataFrame]) -> bytes:
        parts = [line(part) for part in _parts(chosen(load()), outcome, style)]
        return joined(_in_order(parts)["line"]) if parts else b""

    for block in in_order(partial(made, load) for load in outcome.findings.loads()):
        out.write(block)


WHY = ("row", "line", "code", "field", "message")


def why(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """Why each rejected record was: every finding at error level, with a header; where records are of several nodes,
    of which."""
    wrong = (pl.col("severity") == ERROR) & pl.col("row").is_not_null()
    several = len({one.node for one in outcome.files}) > 1
    _write_csv(outcome, out, style, ("node", *WHY) if several else WHY, lambda found: found.filter(wrong))


def summary(outcome: Outcome, shown: int) -> dict[str, Any]:
    """Everything of the validate document but the findings themselves."""
    return {
        "schema": "medpay/validate/1",
        "complete": all(one.is_read for one in outcome.files),
        **({} if all(one.is_read for one in outcome.files) else {"incomplete_reason": "not_read_to_the_end"}),
        "exit_code": outcome.exit_code,
        "files": [_file(one) for one in outcome.files],
        "counts": outcome.findings.counted(),
        "not_judged": outcome.not_judged,
        **({"selected": list(outcome.selected)} if outcome.selected else {}),
        **({"ignored": list(outcome.ignored)} if outcome.ignored else {}),
        "findings_shown": shown,
        "findings_total": outcome.findings.total,
    }


@dataclass(frozen=True)
class _Part:
    """Findings of one code and field, sensitive values masked, and the pieces of their message."""

    rows: pl.DataFrame
    message: list[Piece]


def worded(found: pl.DataFrame, outcome: Outcome, style: Style, *, people: bool = False) -> pl.DataFrame:
    """Findings with their message, in contract order, sensitive values masked: `direct` ones always,
    identifiers for people."""
    told = [
        part.rows.with_columns(message=pl.concat_str(map(_said, part.message)))
        for part in _parts(found, outcome, style, people=people)
    ]
    if not told:
        return found.with_columns(message=pl.lit(None, pl.String)).select(COLUMNS)
    return _in_order(told).select(COLUMNS)


_ORDER = "\x1forder"


def _in_order(parts: list[pl.DataFrame]) -> pl.DataFrame:
    return parts[0] if len(parts) == 1 else pl.concat(parts).sort(_ORDER)


def _said(piece: Piece) -> pl.Expr:
    text, is_column = piece
    return pl.col(text).cast(pl.String).fill_null("-") if is_column else pl.lit(text)


def _parts(found: pl.DataFrame, outcome: Outcome, style: Style, *, people: bool = False) -> list[_Part]:
    levels = ("direct", "identifier") if people else ("direct",)
    hidden = [] if style.show_values else [name for name, level in outcome.sensitivity.items() if level in levels]
    numbered = found.with_row_index(_ORDER)
    kind = ("code", "field")
    is_one = len(same(found.select(kind))) == len(kind)
    parts = [numbered] if is_one else numbered.partition_by(kind, maintain_order=True)
    return [_part(part, outcome, style, hidden) for part in parts if part.height]


def _part(rows: pl.DataFrame, outcome: Outcome, style: Style, hidden: list[str]) -> _Part:
    code, name = rows["code"][0], rows["field"][0]
    is_plain = name in outcome.plain and not style.show_values
    masked = rows.with_columns(
        _masked(rows["value"], outcome.sensitivity[name] if name in hidden else None, is_plain=is_plain),
        _masked_key(rows["key"], hidden),
    )
    titles = outcome.titles.get(name)
    known = {"{field}": name or "-", "{title}": (titles[style.lang == "en"] if titles else name) or "-"}
    template = findings.rule(code)["message"][style.lang]
    places = ("{field}", "{title}", "{value}", "{expected}", "{line}")
    pieces = [
        (piece[1:-1], COLUMN) if piece in places and piece not in known else (known.get(piece, piece), LITERAL)
        for piece in _pieces(template, places)
    ]
    return _Part(masked, pieces)


def _masked(values: pl.Series, level: str | None, *, is_plain: bool) -> pl.Expr:
    """The values of a field that is hidden at its `level`, or of one in which nothing personal should stand."""
    value = pl.col("value")
    shown = value if level is None else pl.lit(HIDDEN) if level == "direct" else masked_value(value)
    if is_plain and level != "direct" and values.str.contains(PERSONAL).any():
        shown = pl.when(value.str.contains(PERSONAL)).then(pl.lit(HIDDEN)).otherwise(shown)
    return value if shown is value else pl.when(value.is_not_null()).then(shown).alias("value")


def _masked_key(keys: pl.Series, hidden: list[str]) -> pl.Expr:
    """The key without the values of hidden fields that are part of it."""
    key = pl.col("key")
    for name in hidden:
        named = json.dumps(name, ensure_ascii=False) + ":"
        if keys.str.contains(named, literal=True).any():
            key = key.str.replace_all(rf'({re.escape(named)})"(?:[^"\\]|\\.)*"', f'${{1}}"{HIDDEN}"')
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
        **({"partner": one.partner} if one.partner else {}),
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
