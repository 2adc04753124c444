"""Fingerprints of 64 bits by the million: which of them stand where, in pieces that stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

Words = np.ndarray[tuple[int], np.dtype[np.uint64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
# New memory costs a virtual machine more than what is done with it: results of a piece are used again for the next.
PIECE = 1 << 16


class Filter:
    """Lets through all fingerprints that were put into it, and a few others: it looks at two of their places, at the
    second one only behind the first."""

    # So many times as many places as fingerprints; more than MOST bits of a place do not fit memory well.
    ROOM, LEAST, MOST = 32, 16, 27

    def __init__(self, expected: int) -> None:
        """With room for so many."""
        bits = min(max((expected * self.ROOM).bit_length(), self.LEAST), self.MOST)
        self._found = np.zeros(1 << bits, np.bool_)
        # The lowest bit of a fingerprint may say something else.
        self._shifts = (np.uint64(64 - bits), np.uint64(63 - 2 * bits))

    def add(self, words: Words) -> None:
        """Put fingerprints into it."""
        for piece in _pieces(words):
            for shift in self._shifts:
                self._found[self._places(piece, shift)] = True

    def has(self, words: Words) -> Flags:
        """Which of them are let through."""
        found = np.empty(len(words), np.bool_)
        first, second = self._shifts
        for at, piece in enumerate(_pieces(words)):
            here = found[at * PIECE : at * PIECE + len(piece)]
            np.take(self._found, self._places(piece, first), out=here, mode="wrap")
            passing = np.flatnonzero(here)
            here[passing] = self._found[self._places(piece[passing], second)]
        return found

    def _places(self, words: Words, shift: np.uint64) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        mask = np.uint64(len(self._found) - 1)
        return (words >> shift & mask).view(np.int64)


def repeated(words: Words) -> Words:
    """Those that stand there several times; they are sorted in place."""
    words.sort()
    found = [words[:0]]
    for at in range(0, len(words) - 1, PIECE):
        piece = words[at : at + PIECE + 1]
        found.append(piece[1:][piece[1:] == piece[:-1]])
    return np.concatenate(found)


def not_once_each(ours: Sequence[Words], theirs: Sequence[Words]) -> Words:
    """The fingerprints, but for the lowest bit (which is set), that do not stand exactly once on each side."""
    one = np.uint64(1)
    both = np.empty(sum(map(len, (*ours, *theirs))), np.uint64)
    at = 0
    for side, marked, bit in ((ours, np.bitwise_and, ~one), (theirs, np.bitwise_or, one)):
        for words in side:
            marked(words, bit, out=both[at : at + len(words)])
            at += len(words)
    both.sort()
    found = [both[:0]]
    for at in range(0, len(both), PIECE):
        # Two more on each side, to know whose neighbours are alike.
        begin = max(at - 2, 0)
        piece = both[begin : at + PIECE + 2]
        theirs_bit = (piece & one).astype(np.bool_)
        piece = piece | one
        same = piece[1:] == piece[:-1]
        pair = same & ~theirs_bit[:-1] & theirs_bit[1:]
        pair[1:] &= ~same[:-1]
        pair[:-1] &= ~same[1:]
        odd = np.ones(len(piece), np.bool_)
        odd[:-1][pair] = False
        odd[1:][pair] = False
        here = slice(at - begin, at - begin + PIECE)
        found.append(piece[here][odd[here]])
    return np.concatenate(found)


def _pieces(words: Words) -> Iterator[Words]:
    return (words[at : at + PIECE] for at in range(0, len(words), PIECE))
