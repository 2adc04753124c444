"""Quoted fields: which delimiters and line ends stand inside quotes, and records token by token where it is unclear.

A cell is quoted as a whole (quotes inside doubled) or holds no quote. Where every quote of some bytes is in such a
place, `shape` is all that is needed. Where one is not, `tokens` goes record by record: correct before fast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from medpay_cli.characters import CR, LF
from medpay_cli.dialects import Dialect


def shape(block: bytes, dialect: Dialect) -> bytes | None:
    """The bytes with everything inside quotes hidden, so that its delimiters and line ends are those of the records;
    None where a quote stands in a wrong place or stays open."""
    raw = np.frombuffer(block, np.uint8)
    quote, delimiter = ord(dialect.quote), ord(dialect.delimiter)
    quotes = raw == quote
    places = np.flatnonzero(quotes)
    if len(places) % 2:
        return None
    opening, closing = places[::2], places[1::2]
    doubled = closing[:-1] + 1 == opening[1:]
    before = raw[opening - 1]
    starts = (opening == 0) | (before == delimiter) | (before == LF)
    starts[1:] |= doubled
    last = len(raw) - 1
    after, then = (raw[np.minimum(closing + step, last)] for step in (1, 2))
    ends = (closing == last) | (after == delimiter) | (after == LF)
    ends |= (after == CR) & (then == LF) & (closing + 2 <= last)
    ends[:-1] |= doubled
    if not (starts.all() and ends.all()):
        return None
    hidden = raw.copy()
    hidden[(np.cumsum(quotes, dtype=np.uint8) & 1).astype(bool)] = quote
    return hidden.tobytes()


@dataclass(frozen=True)
class Token:
    """A record as it stands: the line where it begins, and its cells; none where the quoting is broken."""

    line: int
    cells: list[str]
    blank: bool = False


@dataclass(frozen=True)
class Tokens:
    """Whole records, and where the one begins that the text does not finish (the text's length if it finishes all)."""

    records: list[Token]
    done: int


def tokens(text: str, dialect: Dialect) -> Tokens:
    """The records of a text, lines counted from 1. A record with broken quoting ends where its line ends."""
    mark, quote = re.escape(dialect.delimiter), re.escape(dialect.quote)
    cell = re.compile(
        rf"(?:{quote}((?:[^{quote}]|{quote}{quote})*+){quote}|((?:[^{quote}{mark}\r\n]|\r(?!\n))*+))"
        rf"({mark}|\r\n|\n|\Z)"
    )
    opened = re.compile(rf"{quote}(?:[^{quote}]|{quote}{quote})*+\Z")
    records: list[Token] = []
    line = begun = 1
    at = begin = 0
    cells: list[str] = []
    while at < len(text):
        token = cell.match(text, at)
        if token is None:
            if opened.match(text, at):
                return Tokens(records, begin)
            stop = text.find("\n", at)
            at = len(text) if stop < 0 else stop + 1
            records.append(Token(begun, []))
        else:
            quoted, bare, end = token.groups()
            cells.append(bare if quoted is None else quoted.replace(dialect.quote * 2, dialect.quote))
            at = token.end()
            if end == dialect.delimiter and at < len(text):
                continue
            if end == dialect.delimiter:
                cells.append("")
            records.append(Token(begun, cells, blank=cells == [""] and quoted is None))
        line += text.count("\n", begin, at)
        cells, begun, begin = [], line, at
    return Tokens(records, len(text))
