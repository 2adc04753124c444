"""Lines of flat JSON objects, split on their bytes: five times as fast as reading them one by one, and as strict.

Where no quote is escaped, the quotes of a line are pairs, and what stands between two strings says what they are. A
line passes only if every byte between its strings is accounted for, every key is a known field and no other than the
only one of its name, every value a string or a number as JSON writes it, or null. All others are left to the one truth,
`strict`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from medpay_cli import characters
from medpay_cli.characters import CR, LF
from medpay_cli.errors import InternalError
from medpay_cli.formats.json.composing import NUMBER
from medpay_cli.formats.json.strict import Malformed, Strict

QUOTE, BACKSLASH, SPACE, COLON, COMMA, OPEN, CLOSE = b'"\\ :,{}'
WORD = 8
# Larger pieces do not stay in the processor's cache, and take twice the time.
PIECE = 1 << 20
# Any odd number mixes; these two are usual.
MIX_HEAD, MIX_TAIL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
BITS = 14
NULL = np.uint64(int.from_bytes(b"null", "little"))

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Whole = np.ndarray[tuple[int], np.dtype[np.int64]]
Words = np.ndarray[tuple[int], np.dtype[np.uint64]]


@dataclass(frozen=True)
class Lines:
    """Lines and their cells: `cells` has a row for every line, of which only those count that are not `left` over.

    `ends` is where each line ends in the block (its LF), `is_odd` whether an unusual character stands in some line.
    """

    cells: pl.DataFrame
    left: Flags
    ends: Whole
    is_odd: bool


class Keys:
    """The known names, found by their first and last eight bytes and their length; a longer one is compared whole."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        # A name with these is written in another way than it is.
        plain = [b"" if set(name) & {'"', "\\"} else name.encode() for name in names]
        self._sizes = np.array([len(name) or -1 for name in plain], np.int64)
        self._heads = np.array([_word(name[:WORD]) for name in plain], np.uint64)
        self._tails = np.array([_word(name[-WORD:]) if len(name) >= WORD else 0 for name in plain], np.uint64)
        longest = max(map(len, plain), default=0)
        self._middles = {
            place: np.array([_word(name[place : place + WORD]) for name in plain], np.uint64)
            for place in range(WORD, longest - WORD, WORD)
        }
        # A name that shares its place with another one is not found, which costs time and nothing else.
        self._table = np.zeros(1 << BITS, np.int64)
        self._table[self._places(self._heads, self._tails, self._sizes)] = np.arange(len(plain))

    def find(self, words: Words, starts: Whole, ends: Whole) -> tuple[Whole, Flags]:
        """The index of the name that stands in each place, and whether it is that one."""
        sizes = ends - starts
        heads = words[starts] & _MASKS[np.minimum(sizes, WORD)]
        tails = words[np.maximum(ends - WORD, 0)] & _MASKS[(sizes >= WORD) * WORD]
        found = self._table[self._places(heads, tails, sizes)]
        is_it = (self._heads[found] == heads) & (self._tails[found] == tails) & (self._sizes[found] == sizes)
        for place, middles in self._middles.items():
            long = np.flatnonzero(is_it & (sizes > place + WORD))
            is_it[long] = words[starts[long] + place] == middles[found[long]]
        return found, is_it

    @staticmethod
    def _places(heads: Words, tails: Words, sizes: Whole) -> Whole:
        mixed = (heads * MIX_HEAD) ^ (tails * MIX_TAIL) ^ (sizes.view(np.uint64) * MIX_HEAD)
        places: Whole = ((mixed * MIX_TAIL) >> np.uint64(64 - BITS)).view(np.int64)
        return places


_MASKS = np.array([(1 << WORD * size) - 1 for size in range(WORD + 1)], np.uint64)


def _word(piece: bytes) -> int:
    return int.from_bytes(piece, "little")


@dataclass(frozen=True)
class _Members:
    """Keys and values of the lines that passed so far: where they begin and end, and the line of each."""

    lines: Whole
    starts: Whole
    ends: Whole
    value_starts: Whole
    value_ends: Whole
    is_text: Flags


def split(block: bytes, keys: Keys) -> Lines:
    """Split whole lines (the last one may lack its end) into cells; an absent one is empty."""
    pieces, at = [], 0
    while at < len(block):
        end = block.find(b"\n", at + PIECE) + 1 or len(block)
        pieces.append(_piece(block[at:end], keys, at))
        at = end
    if len(pieces) == 1:
        return pieces[0]
    nothing = pl.DataFrame(schema=dict.fromkeys(keys.names, pl.String))
    return Lines(
        cells=pl.concat([nothing, *(piece.cells for piece in pieces)]),
        left=np.concatenate([np.empty(0, np.bool_), *(piece.left for piece in pieces)]),
        ends=np.concatenate([np.empty(0, np.int64), *(piece.ends for piece in pieces)]),
        is_odd=any(piece.is_odd for piece in pieces),
    )


def _piece(block: bytes, keys: Keys, at: int) -> Lines:
    padded = (block if block.endswith(b"\n") else block + b"\n") + bytes(WORD)
    raw = np.frombuffer(padded, np.uint8)
    text = raw[:-WORD]
    ends = np.flatnonzero(text == LF)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    stops = ends - (raw[ends - 1] == CR)
    quotes = np.flatnonzero(text == QUOTE)
    counts = np.diff(np.append(np.searchsorted(quotes, starts), len(quotes)))
    left = _unusual(text, ends, b"\\" in block) | (counts == 0) | (counts % 2 == 1) | (raw[starts] != OPEN)
    if left.any():
        quotes, counts = quotes[np.repeat(~left, counts)], np.where(left, 0, counts)
    is_odd = characters.suspected(block)
    if not len(quotes) or not keys.names:
        nothing = pl.repeat(None, len(ends), dtype=pl.String, eager=True)
        return Lines(pl.DataFrame(dict.fromkeys(keys.names, nothing)), left | True, ends + at, is_odd)
    members, wrong = _members(raw, quotes, counts, starts, stops)
    left[wrong] = True
    cells, escaped = _filled(padded, keys, members, left, ends)
    return Lines(cells, left, ends + at, is_odd or escaped)


def _unusual(raw: Bytes, ends: Whole, escapes: bool) -> Flags:
    """Lines with an escaped quote (or one behind an escaped backslash) or a control character."""
    left = np.zeros(len(ends), np.bool_)
    if escapes:
        escaped = np.flatnonzero(raw[:-1] == BACKSLASH)
        left[np.searchsorted(ends, escaped[raw[escaped + 1] == QUOTE])] = True
    if characters.below(raw, SPACE) != len(ends):
        control = np.flatnonzero(raw < SPACE)
        other = (raw[control] != LF) & ~((raw[control] == CR) & (raw[np.minimum(control + 1, len(raw) - 1)] == LF))
        left[np.searchsorted(ends, control[other])] = True
    return left


def _members(raw: Bytes, quotes: Whole, counts: Whole, starts: Whole, stops: Whole) -> tuple[_Members, Whole]:
    """Pair the quotes to strings and tell keys from values by what stands behind each; the lines where that fails."""
    pairs = quotes.reshape(-1, 2)
    begins, closes = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    strings = counts // 2
    line = np.repeat(np.arange(len(counts)), strings)
    last = np.cumsum(strings)[strings > 0] - 1
    first = np.concatenate(([0], last[:-1] + 1))
    ahead = np.empty_like(begins)  # where the next string of the line begins, or the line ends
    ahead[:-1] = begins[1:]
    ahead[last] = stops[strings > 0]
    behind = raw[closes + 1]
    has_space = raw[ahead - 1] == SPACE
    is_short = (ahead - closes == 2) | ((ahead - closes == 3) & has_space)
    has_text = (behind == COLON) & is_short  # it is the key of the string behind it
    is_value = np.concatenate(([False], has_text[:-1]))
    closing = np.full(len(begins), COMMA, np.uint8)
    closing[last] = CLOSE
    wrong = ((behind == COLON) == is_value) | (is_value & ((behind != closing) | ~is_short))
    wrong[last] |= has_text[last] | has_space[last]
    wrong[first] |= begins[first] != starts[strings > 0] + 1

    key = np.flatnonzero(~is_value)
    is_text = has_text[key]
    from_here = closes[key] + 2
    from_here += raw[from_here] == SPACE
    to_here = ahead[key] - 1 - has_space[key]
    wrong[key] |= ~is_text & ((raw[to_here] != closing[key]) | (to_here <= from_here))
    next_close = np.append(closes[1:], 0)
    members = _Members(
        lines=line[key],
        starts=begins[key] + 1,
        ends=closes[key],
        value_starts=np.where(is_text, ahead[key] + 1, from_here),
        value_ends=np.where(is_text, next_close[key], to_here),
        is_text=is_text,
    )
    return members, line[wrong]


def _filled(padded: bytes, keys: Keys, members: _Members, left: Flags, ends: Whole) -> tuple[pl.DataFrame, bool]:
    """Every value in its column, and whether unusual characters stand there escaped; lines with something else than
    values of known fields come to those `left`."""
    words: Words = np.ndarray((len(padded) - WORD + 1,), "<u8", padded, 0, (1,))
    name, is_known = keys.find(words, members.starts, members.ends)
    left[members.lines[~is_known]] = True
    lengths = members.value_ends - members.value_starts
    is_null = ~members.is_text & (lengths == 4) & (words[members.value_starts] & _MASKS[4] == NULL)
    source, begins, lengths, is_odd = _unescaped(padded, members, lengths, left)
    lengths[is_null | left[members.lines]] = 0
    place = name * len(ends) + members.lines
    begin, taken = (np.zeros(len(keys.names) * len(ends), np.int64) for _ in range(2))
    begin[place] = begins
    taken[place] = lengths
    left[members.lines[begin[place] != begins]] = True  # another one of the same name came later
    cells = _sliced(source, begin, taken)
    if cells is None:
        bad = [line for line, at in enumerate(ends) if not _is_text(padded[ends[line - 1] + 1 if line else 0 : at])]
        left[bad] = True
        lengths[left[members.lines]] = 0
        taken[place] = lengths
        cells = _sliced(source, begin, taken)
        if cells is None:
            raise InternalError("not_reproduced", what="undecodable lines")
    bare = np.flatnonzero(~members.is_text & ~is_null)
    numbers = cells.gather(place[bare]).str.contains(NUMBER).to_numpy()
    left[members.lines[bare[~numbers]]] = True
    size = len(ends)
    return pl.DataFrame({name: cells.slice(n * size, size) for n, name in enumerate(keys.names)}), is_odd


def _unescaped(padded: bytes, members: _Members, lengths: Whole, left: Flags) -> tuple[bytes, Whole, Whole, bool]:
    """The bytes with the values that hold escapes written out behind them, where each value begins and its length,
    and whether these hold unusual characters; lines with broken ones come to those `left`."""
    begins = members.value_starts
    if b"\\" not in padded:
        return padded, begins, lengths, False
    escapes = np.flatnonzero(np.frombuffer(padded, np.uint8) == BACKSLASH)
    owner = np.searchsorted(begins, escapes, side="right") - 1
    inside = (owner >= 0) & (escapes < members.value_ends[owner])
    held = np.unique(owner[inside])
    held = held[members.is_text[held] & ~left[members.lines[held]]]
    strict, plain = Strict(), list[bytes]()
    for one in held.tolist():
        try:
            plain.append(strict.whole(padded[begins[one] - 1 : members.value_ends[one] + 1].decode()).encode())
        except (Malformed, UnicodeDecodeError):
            left[members.lines[one]] = True
            plain.append(b"")
    sizes = np.array([len(text) for text in plain], np.int64)
    begins, lengths = begins.copy(), lengths.copy()
    begins[held] = len(padded) + np.cumsum(sizes) - sizes
    lengths[held] = sizes
    return padded + b"".join(plain), begins, lengths, characters.suspected(b"|".join(plain))


def _sliced(source: bytes, begins: Whole, lengths: Whole) -> pl.Series | None:
    """Pieces of the bytes as text; None where some are not UTF-8."""
    pieces = pl.lit(pl.Series([source])).bin.slice(pl.Series(begins), pl.Series(lengths))
    try:
        return pl.select(pieces).to_series().cast(pl.String)
    except pl.exceptions.ComputeError:
        return None


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
