"""Quoted fields: which delimiters and line ends stand inside quotes, and which records have a quote in a wrong place.

A cell is quoted as a whole (quotes inside doubled) or holds no quote. Where every quote of some bytes is in such a
place, they are hidden at once. Otherwise each line that is sound by itself is, and only the records that begin in the
other lines are gone through cell by cell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from medpay_cli.characters import CR, LF
from medpay_cli.dialects import Dialect

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Whole = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Shape:
    """Bytes with everything inside quotes hidden, so that every delimiter and line end is one of the records.

    `broken` says where the records begin whose quoting is broken, hidden as a whole; `done` where the one begins that
    the bytes do not finish (their length if they finish all).
    """

    hidden: bytes
    broken: tuple[int, ...]
    done: int


def shape(block: bytes, dialect: Dialect) -> Shape:
    """The shape of some bytes that begin with a record and end with a line."""
    raw = np.frombuffer(block, np.uint8)
    quote = ord(dialect.quote)
    hidden = raw.copy()
    places = np.flatnonzero(raw == quote)
    if len(places) % 2 == 0 and _are_sound(raw, places, np.arange(len(places)) % 2 == 0, dialect).all():
        hidden[_inside(len(raw), places)] = quote
        return Shape(hidden.tobytes(), (), len(block))
    # Once more with every line for itself.
    ends = np.flatnonzero(raw == LF)
    line = np.searchsorted(ends, places)
    first = np.searchsorted(line, line)
    sound = _are_sound(raw, places, (np.arange(len(places)) - first) % 2 == 0, dialect)
    count = np.bincount(line, minlength=len(ends) + 1)
    unsound = (np.bincount(line[~sound], minlength=len(ends) + 1) > 0) | (count % 2 == 1)
    hidden[_inside(len(raw), places[~unsound[line]])] = quote
    starts = np.concatenate(([0], ends + 1))
    broken: list[int] = []
    behind = 0
    for start in starts[unsound].tolist():
        if start < behind:
            continue
        _, behind, verdict = _walked(block, start, dialect)
        if verdict == OPEN:
            return Shape(hidden[:start].tobytes(), tuple(broken), start)
        if verdict == BROKEN:
            broken.append(start)
            stop = behind - (2 if block.endswith(b"\r\n", start, behind) else block.endswith(b"\n", start, behind))
            hidden[start:stop] = quote
        else:
            piece = raw[start:behind]
            hidden[start:behind] = np.where(_inside(len(piece), np.flatnonzero(piece == quote)), quote, piece)
    return Shape(hidden.tobytes(), tuple(broken), len(block))


def cells(record: bytes, dialect: Dialect) -> list[str]:
    """The cells of one record without its line end; none where its quoting is broken. Raises UnicodeDecodeError."""
    delimiters, stop, verdict = _walked(record, 0, dialect)
    if verdict != SOUND or stop < len(record):
        return []
    begins = [0, *(at + 1 for at in delimiters)]
    raw = [record[begin:end].decode() for begin, end in zip(begins, [*delimiters, len(record)], strict=True)]
    quote = dialect.quote
    return [cell[1:-1].replace(quote * 2, quote) if cell.startswith(quote) else cell for cell in raw]


def quoted_size(block: bytes, dialect: Dialect) -> int | None:
    """The number of fields of the record that the bytes begin with; None where its quoting is broken."""
    delimiters, _, verdict = _walked(block, 0, dialect)
    return len(delimiters) + 1 if verdict == SOUND else None


SOUND, BROKEN, OPEN = "sound", "broken", "open"


def _walked(block: bytes, start: int, dialect: Dialect) -> tuple[list[int], int, str]:
    """The delimiters of the record that begins at `start`, where the next one begins, and how it is quoted.

    A record with broken quoting has no delimiters and ends where the line of the wrong cell ends.
    """
    cell, opened = _patterns(dialect.delimiter, dialect.quote)
    delimiters: list[int] = []
    at = start
    while True:
        token = cell.match(block, at)
        if token is None:
            if opened.match(block, at):
                return [], start, OPEN
            stop = block.find(b"\n", at)
            return [], len(block) if stop < 0 else stop + 1, BROKEN
        at = token.end()
        if token[1] != dialect.delimiter.encode():
            return delimiters, at, SOUND
        delimiters.append(at - 1)


@cache
def _patterns(delimiter: str, quote: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    mark, sign = re.escape(delimiter).encode(), re.escape(quote).encode()
    inside = b"(?:[^%b]|%b%b)*+" % (sign, sign, sign)
    bare = rb"(?:[^%b%b\r\n]|\r(?!\n))*+" % (sign, mark)
    cell = re.compile(rb"(?:%b%b%b|%b)(%b|\r\n|\n|\Z)" % (sign, inside, sign, bare, mark))
    return cell, re.compile(rb"%b%b\Z" % (sign, inside))


def _are_sound(raw: Bytes, places: Whole, opening: Flags, dialect: Dialect) -> Flags:
    """Which quotes stand where a cell begins or ends, or in a pair inside one."""
    delimiter, last = ord(dialect.delimiter), len(raw) - 1
    before = raw[places - 1]
    after, then = (raw[np.minimum(places + step, last)] for step in (1, 2))
    begins = (places == 0) | (before == delimiter) | (before == LF)
    ends = (places == last) | (after == delimiter) | (after == LF)
    ends |= (after == CR) & (then == LF) & (places + 2 <= last)
    neighbours = places[:-1] + 1 == places[1:]
    pair = neighbours & ~opening[:-1] & opening[1:]
    begins[1:] |= pair
    ends[:-1] |= pair
    sound: Flags = np.where(opening, begins, ends)
    return sound


def _inside(length: int, places: Whole) -> Flags:
    """What stands between each quote and the next but one, the first quote included."""
    marks = np.zeros(length, np.uint8)
    marks[places] = 1
    return (np.cumsum(marks, dtype=np.uint8) & 1).astype(np.bool_)
