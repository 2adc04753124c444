"""Screening: set aside, by fingerprints, the keys that stand once on each side with the same content.

Two 64-bit fingerprints of each record, one of the key and one of everything compared (the key again, under another
seed). They are never the only evidence: what is set aside must also tie by count, by every sum and by the sum of a
third fingerprint of everything, taken under other seeds and not kept; otherwise nothing is set aside. So two different
keys, or two different records of one key, could only pass for the same behind 128 equal bits.
"""

from __future__ import annotations

import operator
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import polars as pl

from medpay_cli import fingerprints
from medpay_cli.fingerprints import Filter, Flags, Words

Rows = np.ndarray[tuple[int], np.dtype[np.unsignedinteger[Any]]]
States = np.ndarray[tuple[int], np.dtype[np.uint8]]
# What a record is to the matching: left out (it cannot be read), without a whole key, or one that can be paired.
LEFT_OUT, LONE, WHOLE = 0, 1, 2
_PART = "\x1fpart"
# Fingerprints are compared by shares of 2 ** this many, each by its own thread.
_SHARES = 2


@dataclass(frozen=True)
class Prints:
    """What is kept of some records, one after the other: 17 bytes of each, or one where they are too many to be
    screened. `checksum` sums the third fingerprint of those that can be read."""

    states: States
    keys: Words
    contents: Words
    checksum: int = 0

    @classmethod
    def none(cls, records: int) -> Prints:
        """Of so many records that nobody screens."""
        return cls(np.full(records, WHOLE, np.uint8), np.empty(0, np.uint64), np.empty(0, np.uint64))

    @property
    def is_whole(self) -> bool:
        """Whether there are fingerprints of every record."""
        return len(self.keys) == len(self.states)

    @property
    def readable(self) -> int:
        """How many records can be read."""
        return int(np.count_nonzero(self.states != LEFT_OUT))

    @property
    def unscreened(self) -> Prints:
        """The same without fingerprints of single records."""
        return replace(self, keys=self.keys[:0].copy(), contents=self.contents[:0].copy())

    def placed(self, rows: Rows, records: int) -> Prints:
        """The same among all records of a batch, of which these rows can be read."""
        if len(rows) == records:
            return self
        states = np.full(records, LEFT_OUT, np.uint8)
        states[rows] = self.states
        if not self.is_whole:
            return replace(self, states=states)
        keys, contents = np.zeros(records, np.uint64), np.zeros(records, np.uint64)
        keys[rows], contents[rows] = self.keys, self.contents
        return replace(self, states=states, keys=keys, contents=contents)


class Screen:
    """Takes the fingerprints of typed records, of so many at most.

    The seeds are drawn anew for every run, so that nobody can prepare two records with equal fingerprints.
    """

    def __init__(self, key: tuple[str, ...], others: tuple[str, ...], most: int) -> None:
        self._most = most
        self._whole = pl.all_horizontal(pl.col(name).is_not_null() for name in key)
        self._key, self._content, third = (_mixed(names) for names in (key, (*key, *others), (*key, *others)))
        # Hashed once more: in a sum of sums nobody would see that two records have each other's amounts.
        self._third = third.hash(secrets.randbits(63))

    def take(self, records: pl.DataFrame) -> Prints:
        """The fingerprints of some records; too many have none but the third."""
        self._most -= records.height
        wanted = {"third": self._third.sum(), "whole": self._whole}
        if self._most >= 0:
            wanted |= {"key": self._key, "content": self._content}
        found = records.select(word.alias(name) for name, word in wanted.items())
        states = np.where(found["whole"].to_numpy(), WHOLE, LONE).astype(np.uint8)
        nothing = pl.Series([], dtype=pl.UInt64)
        keys, contents = (found[name] if name in found.columns else nothing for name in ("key", "content"))
        checksum = int(found["third"][0]) if found.height else 0
        return Prints(states, keys.to_numpy(), contents.to_numpy(), checksum)

    def checksum(self, records: pl.DataFrame) -> int:
        """The sum of the third fingerprint of some records."""
        return int(records.select(self._third.sum()).item() or 0)

    def divided(self, records: pl.DataFrame, parts: int) -> Iterator[tuple[int, pl.DataFrame]]:
        """The records by the number of their part; those of one key, of either side, are in the same one."""
        numbered = records.with_columns((self._key % parts).alias(_PART))
        for (number,), some in numbered.partition_by(_PART, as_dict=True, include_key=False).items():
            yield int(number), some


# The prints of a side, batch by batch: put together they would be new memory.
Side = Sequence[Prints]


def kept(prints: Iterable[Prints]) -> Side:
    """What is of use of a side's prints: fingerprints of all records, or of none."""
    every = list(prints)
    return every if all(one.is_whole for one in every) else [one.unscreened for one in every]


def checksum(prints: Side) -> int:
    """The sum of the third fingerprint of a side's records that can be read."""
    return sum(one.checksum for one in prints) % 2**64


def candidates(
    ours: Side, theirs: Side, repeated: tuple[Flags | None, Flags | None] = (None, None)
) -> tuple[Flags, Flags]:
    """Which records of each side have to be matched exactly: the rest are pairs, if the proof holds.

    Some more may be among them, but then all records of their key are. `repeated` says which records may have a key
    that stands several times on their own side, where that is known.
    """
    sides = (ours, theirs)
    records = sum(len(one.states) for side in sides for one in side)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy works without the interpreter's lock
        contents = _odd(sides, operator.attrgetter("contents"), pool)
        is_known = all(flags is not None for flags in repeated)
        keys = [] if is_known else _odd(sides, operator.attrgetter("keys"), pool)
        # A key that stands once on one side only is one of an odd content.
        known = [
            found
            for side, flags in zip(sides, repeated, strict=True)
            if flags is not None
            for found in pool.map(_known, side, _slices(side, flags))
        ]
        odd = _filter([*known, *(found.result() for found in keys)], records, pool)
        odd_contents = _filter([found.result() for found in contents], records, pool)
        # A record whose content is odd takes every record of its key with it.
        for _ in pool.map(lambda one: odd.add(one.keys[odd_contents.has(one.contents)]), (*ours, *theirs)):
            pass
        mine, their_own = (_joined(pool.map(lambda one: _left(one, odd), side)) for side in sides)
    return mine, their_own


def everything(side: Side) -> Flags:
    """Every record that can be read."""
    return _joined(one.states != LEFT_OUT for one in side)


def _left(prints: Prints, odd: Filter) -> Flags:
    """The records that are matched exactly."""
    left: Flags = (prints.states == LONE) | ((prints.states == WHOLE) & odd.has(prints.keys))
    return left


def _known(prints: Prints, flags: Flags) -> Words:
    """The keys of some records."""
    known: Words = prints.keys[flags & (prints.states == WHOLE)]
    return known


def _slices(side: Side, flags: Flags) -> Iterator[Flags]:
    """Those of each batch."""
    begin = 0
    for one in side:
        yield flags[begin : (begin := begin + len(one.states))]


def _odd(sides: tuple[Side, Side], of: Callable[[Prints], Words], pool: ThreadPoolExecutor) -> list[Future[Words]]:
    """What does not stand exactly once on each side, share by share."""

    def found(share: int) -> Words:
        ours, theirs = ([_shared(one, of(one), share) for one in side] for side in sides)
        return fingerprints.not_once_each(ours, theirs)

    return [pool.submit(found, share) for share in range(1 << _SHARES)]


def _shared(prints: Prints, words: Words, share: int) -> Words:
    """Those of a share, of records that can be paired."""
    chosen = words >> np.uint64(64 - _SHARES) == share
    chosen &= prints.states == WHOLE
    shared: Words = words[chosen]
    return shared


def _joined(parts: Iterable[Flags]) -> Flags:
    return np.concatenate([np.empty(0, np.bool_), *parts])


def _filter(parts: Sequence[Words], records: int, pool: ThreadPoolExecutor) -> Filter:
    """With these in it, and room for the keys of as many odd contents, at most one per record."""
    made = Filter(min(2 * sum(map(len, parts)), records))
    for _ in pool.map(made.add, parts):  # to set a flag twice at a time is to set it
        pass
    return made


def _mixed(names: tuple[str, ...]) -> pl.Expr:
    """A fingerprint of some columns; UInt64 wraps, and each hash has a seed of its own."""
    mixed = [pl.col(name).hash(secrets.randbits(63)) for name in names]
    return reduce(operator.add, mixed)
