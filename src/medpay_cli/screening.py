"""Screening: set aside, by fingerprints, the keys that stand once on each side with the same content.

Two 64-bit fingerprints of each record, one of the key and one of everything compared (the key again, under another
seed), so a difference could only hide behind 128 equal bits. They are never the only evidence: what is set aside
must also tie by count, by every sum and by a checksum of its fingerprints, otherwise nothing is set aside.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl

Words = np.ndarray[tuple[int], np.dtype[np.uint64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
States = np.ndarray[tuple[int], np.dtype[np.uint8]]
# What a record is to the matching: left out (it cannot be read), without a whole key, or one that can be paired.
LEFT_OUT, LONE, WHOLE = 0, 1, 2


@dataclass(frozen=True)
class Prints:
    """What is kept of a side's records, one after the other: 17 bytes of each."""

    states: States
    keys: Words
    contents: Words

    @classmethod
    def joined(cls, parts: Iterable[Prints]) -> Prints:
        """All of them in one."""
        nothing = Prints(np.empty(0, np.uint8), np.empty(0, np.uint64), np.empty(0, np.uint64))
        every = [nothing, *parts]
        return Prints(
            np.concatenate([part.states for part in every]),
            np.concatenate([part.keys for part in every]),
            np.concatenate([part.contents for part in every]),
        )

    def checksum(self, chosen: Flags) -> int:
        """A sum over (key fingerprint, content fingerprint) that a wrong pairing would change."""
        return int((self.keys[chosen] * (self.contents[chosen] | np.uint64(1))).sum())


def fingerprinting(key: tuple[str, ...], others: tuple[str, ...]) -> Callable[[pl.DataFrame], Prints]:
    """A function that takes the fingerprints of records.

    The seeds are drawn anew for every run, so that nobody can prepare two records with equal fingerprints.
    """
    seeds = iter([secrets.randbits(63) for _ in range(2 * len(key) + len(others))])
    complete = pl.all_horizontal(pl.col(name).is_not_null() for name in key)
    of_key = [pl.col(name).hash(next(seeds)) for name in key]
    of_content = [pl.col(name).hash(next(seeds)) for name in (*key, *others)]

    def prints(records: pl.DataFrame) -> Prints:
        found = records.select(
            _mixed(of_key).alias("key"), _mixed(of_content).alias("content"), complete.alias("whole")
        )
        states = np.where(found["whole"].to_numpy(), WHOLE, LONE).astype(np.uint8)
        return Prints(states, found["key"].to_numpy(), found["content"].to_numpy())

    return prints


def candidates(ours: Prints, theirs: Prints) -> tuple[Flags, Flags]:
    """Which records of each side have to be matched exactly: the rest are pairs, if the proof holds."""
    sides = (ours, theirs)
    with ThreadPoolExecutor(2) as pool:  # numpy sorts without the interpreter's lock
        sorting = [
            pool.submit(_not_once_each, *(words[side.states == WHOLE] for side, words in zip(sides, both, strict=True)))
            for both in ((ours.keys, theirs.keys), (ours.contents, theirs.contents))
        ]
        odd, other = (task.result() for task in sorting)
    # A record whose content is odd takes every record of its key with it.
    taken = [side.keys[_in(side.contents, other)] for side in sides]
    odd = np.union1d(odd, np.concatenate(taken) | np.uint64(1))
    mine, their_own = ((side.states == LONE) | ((side.states == WHOLE) & _in(side.keys, odd)) for side in sides)
    return mine, their_own


def everything(side: Prints) -> Flags:
    """Every record that can be read."""
    readable: Flags = side.states != LEFT_OUT
    return readable


def _mixed(hashes: list[pl.Expr]) -> pl.Expr:
    mixed = hashes[0]
    for one in hashes[1:]:
        mixed = mixed + one  # UInt64 wraps; each hash has a seed of its own
    return mixed


def _not_once_each(ours: Words, theirs: Words) -> Words:
    """The fingerprints (lowest bit set) that do not stand exactly once on each side."""
    one = np.uint64(1)
    sorted_ = np.concatenate([ours & ~one, theirs | one])
    sorted_.sort()
    if len(sorted_) < 2:
        return sorted_ | one
    theirs_bit = (sorted_ & one).astype(bool)
    sorted_ |= one
    same = sorted_[:-1] == sorted_[1:]
    pair = same & ~theirs_bit[:-1] & theirs_bit[1:]
    pair[1:] &= ~same[:-1]
    pair[:-1] &= ~same[1:]
    clean = np.zeros(len(sorted_), bool)
    clean[:-1] = pair
    clean[1:] |= pair
    return np.unique(sorted_[~clean])


def _in(fingerprints: Words, odd: Words) -> Flags:
    found: Flags = pl.Series(fingerprints | np.uint64(1)).is_in(pl.Series(odd, dtype=pl.UInt64).implode()).to_numpy()
    return found
