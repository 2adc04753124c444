"""Rows as lines of JSON or CSV: what they share is put together once, what differs is copied between.

Polars' own writers encode every cell of every row, which took three times as long where findings share most of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from medpay_cli.frames import same

# A text that stands on every line, or the name of a column.
Piece = tuple[str, bool]
LITERAL, COLUMN = False, True
# How the text of a cell is written.
Cell = Callable[[pl.Expr], pl.Expr]


@dataclass(frozen=True)
class Form:
    """How cells are written: a text without special characters stands between two `mark`s, one with some is `quoted`;
    `ready` is how JSON is written, and `nothing` where a cell is absent."""

    mark: str
    special: str
    quoted: Cell
    ready: Cell
    nothing: str


def of_json() -> Form:
    """JSON values."""
    return Form('"', r'["\\\x00-\x1f\x7f]', json_text, _as_it_is, "null")


def of_csv() -> Form:
    """Cells of CSV, quoted where they are empty text or hold a quote, a comma or a line end."""
    return Form("", r'[",\r\n]|^$', _csv, _in_quotes, "")


def lines(
    rows: pl.DataFrame,
    cells: Sequence[tuple[str, str]],
    composed: Mapping[str, Sequence[Piece]],
    ready: str,
    form: Form,
    end: str,
) -> pl.Expr:
    """The line of each row: before each cell its text in `cells`, `end` behind the last one.

    A cell is a column of `rows`, or `composed` of texts and columns (absent ones as `-`); the column `ready` is JSON
    already. An expression over `rows`.
    """
    once = same(rows.select(name for name, _ in cells if name not in composed))
    within = {text for pieces in composed.values() for text, is_column in pieces if is_column}
    plain = {
        name: rows.schema[name] != pl.String or not rows[name].str.contains(form.special).any()
        for name in within.union(name for name, _ in cells).difference(once, composed, {ready})
    }
    pieces: list[Piece | pl.Expr] = []
    for name, before in cells:
        pieces.append((before, LITERAL))
        if name in composed:
            pieces += _composed(rows, composed[name], once, plain, form)
        elif name in once:
            pieces.append((_written(once[name], form.ready if name == ready else form.quoted, form), LITERAL))
        elif name == ready:
            pieces.append(_present(rows[name], form.ready(pl.col(name)), form))
        else:
            pieces += _cell(rows[name], form, is_plain=plain[name])
    return _joined([*pieces, (end, LITERAL)])


def _cell(cells: pl.Series, form: Form, *, is_plain: bool) -> list[Piece | pl.Expr]:
    column = pl.col(cells.name)
    if cells.dtype != pl.String:
        return [_present(cells, column.cast(pl.String), form)]
    if is_plain and not cells.null_count():
        return [(form.mark, LITERAL), (cells.name, COLUMN), (form.mark, LITERAL)]
    return [_present(cells, form.mark + column + form.mark if is_plain else form.quoted(column), form)]


def _present(cells: pl.Series, written: pl.Expr, form: Form) -> pl.Expr:
    return written.fill_null(form.nothing) if cells.null_count() else written


def _composed(
    rows: pl.DataFrame, pieces: Sequence[Piece], once: Mapping[str, object], plain: Mapping[str, bool], form: Form
) -> list[Piece | pl.Expr]:
    """A text of several pieces, each written for itself where no column among them holds a special character."""
    known = [
        ("-" if once[text] is None else str(once[text]), LITERAL) if is_column and text in once else (text, is_column)
        for text, is_column in pieces
    ]
    columns = [text for text, is_column in known if is_column]
    if not all(plain[name] and not rows[name].null_count() for name in columns):
        return [form.quoted(_joined([_or_dash(piece) for piece in known]))]
    words = "".join(text for text, is_column in known if not is_column)
    shown = _written(words, form.quoted, form)
    # Marks are needed for all rows or for none: what differs holds nothing special.
    mark = shown[:1] if shown != words else ""
    inside = [
        piece if piece[1] else (_written(piece[0], form.quoted, form).removeprefix(mark).removesuffix(mark), LITERAL)
        for piece in known
        if piece != ("", LITERAL)
    ]
    return [(mark, LITERAL), *inside, (mark, LITERAL)]


def _or_dash(piece: Piece) -> Piece | pl.Expr:
    text, is_column = piece
    return pl.col(text).cast(pl.String).fill_null("-") if is_column else piece


def _joined(pieces: Sequence[Piece | pl.Expr]) -> pl.Expr:
    """All pieces in one text, neighbouring literals as one."""
    together: list[pl.Expr] = []
    literal = ""
    for piece in pieces:
        if isinstance(piece, tuple) and not piece[1]:
            literal += piece[0]
            continue
        if literal:
            together.append(pl.lit(literal))
        literal = ""
        together.append(pl.col(piece[0]).cast(pl.String) if isinstance(piece, tuple) else piece)
    return pl.concat_str([*together, pl.lit(literal)])


def _written(value: object, how: Cell, form: Form) -> str:
    """One cell as it is written."""
    if value is None:
        return form.nothing
    return _of_text(value, how) if isinstance(value, str) else str(value)


@lru_cache(maxsize=4096)
def _of_text(text: str, how: Cell) -> str:
    written: str = pl.select(how(pl.lit(text))).item()
    return written


def json_text(text: pl.Expr) -> pl.Expr:
    """The text as a JSON string, absent where it is absent."""
    # Polars encodes a struct: {"":"..."} around the text.
    encoded = pl.struct(text.alias("")).struct.json_encode()
    return pl.when(text.is_not_null()).then(encoded.str.slice(4, encoded.str.len_chars() - 5))


def _as_it_is(text: pl.Expr) -> pl.Expr:
    return text


def _csv(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(r'[",\r\n]|^$')).then(_in_quotes(text)).otherwise(text)


def _in_quotes(text: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""', literal=True), pl.lit('"'))


def joined(lines: pl.Series) -> bytes:
    """All lines in bytes."""
    # As a text they would be decoded, only to be encoded again.
    block: bytes = lines.str.join("").cast(pl.Binary).item()
    return block


def line_of(document: object) -> bytes:
    """One document as a line of JSON."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
