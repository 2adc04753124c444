"""Screening: set aside, by fingerprints, the keys that stand once on each side with the same content.

Two 64-bit fingerprints of each record, one of the key and one of everything compared (the key again, under another
seed). They are never the only evidence: what is set aside must also tie by count, by every sum and by the sum of a
third fingerprint of everything, taken under other seeds and not kept; otherwise nothing is set aside. So two different
keys, or two different records of one key, could only pass for the same behind 128 equal bits.
"""

from __future__ import annotations

import operator
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
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


@dataclass(frozen=True)
class Prints:
    """What is kept of a side's records, one after the other: 17 bytes of each, or one where they are too many to be
    screened. `checksum` sums the third fingerprint of those that can be read."""

    states: States
    keys: Words
    contents: Words
    checksum: int = 0

    @classmethod
    def none(cls, records: int) -> Prints:
        """Of so many records that nobody screens."""
        return cls(np.full(records, WHOLE, np.uint8), np.empty(0, np.uint64), np.empty(0, np.uint64))

    @classmethod
    def joined(cls, parts: Iterable[Prints]) -> Prints:
        """All of them in one."""
        every = [cls.none(0), *parts]
        whole = every if all(part.is_whole for part in every) else every[:1]
        return cls(
            np.concatenate([part.states for part in every]),
            np.concatenate([part.keys for part in whole]),
            np.concatenate([part.contents for part in whole]),
            sum(part.checksum for part in every) % 2**64,
        )

    @property
    def is_whole(self) -> bool:
        """Whether there are fingerprints of every record."""
        return len(self.keys) == len(self.states)

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


def candidates(
    ours: Prints, theirs: Prints, repeated: tuple[Flags | None, Flags | None] = (None, None)
) -> tuple[Flags, Flags]:
    """Which records of each side have to be matched exactly: the rest are pairs, if the proof holds.

    Some more may be among them, but then all records of their key are. `repeated` says which records may have a key
    that stands several times on their own side, where that is known.
    """
    sides = (ours, theirs)
    records = len(ours.keys) + len(theirs.keys)
    with ThreadPoolExecutor(2) as pool:  # numpy works without the interpreter's lock
        other = pool.submit(_odd, ours, theirs, ours.contents, theirs.contents)
        # A key that stands once on one side only is one of an odd content.
        known = [
            side.keys[some & (side.states == WHOLE)]
            for side, some in zip(sides, repeated, strict=True)
            if some is not None
        ]
        odd_keys = np.concatenate(known) if len(known) == len(sides) else _odd(ours, theirs, ours.keys, theirs.keys)
        odd, odd_contents = _filter(odd_keys, records), _filter(other.result(), records)
        # A record whose content is odd takes every record of its key with it.
        for side, found in zip(sides, pool.map(odd_contents.has, (side.contents for side in sides)), strict=True):
            odd.add(side.keys[found])
        keys = pool.map(odd.has, (side.keys for side in sides))
        mine, their_own = (
            (side.states == LONE) | ((side.states == WHOLE) & found) for side, found in zip(sides, keys, strict=True)
        )
    return mine, their_own


def _odd(ours: Prints, theirs: Prints, own: Words, other: Words) -> Words:
    """What does not stand exactly once on each side."""
    return fingerprints.not_once_each(_whole(ours, own), _whole(theirs, other))


def _whole(side: Prints, words: Words) -> Words:
    """Those of records that can be paired."""
    chosen = side.states == WHOLE
    return words if chosen.all() else words[chosen]


def _filter(words: Words, records: int) -> Filter:
    """With these in it, and room for the keys of as many odd contents, at most one per record."""
    made = Filter(min(2 * len(words), records))
    made.add(words)
    return made


def everything(side: Prints) -> Flags:
    """Every record that can be read."""
    readable: Flags = side.states != LEFT_OUT
    return readable


def _mixed(names: tuple[str, ...]) -> pl.Expr:
    """A fingerprint of some columns; UInt64 wraps, and each hash has a seed of its own."""
    mixed = [pl.col(name).hash(secrets.randbits(63)) for name in names]
    return reduce(operator.add, mixed)
