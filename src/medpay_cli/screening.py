"""Screening: set aside, by fingerprints, the keys that stand once on each side with the same content.

Two 64-bit fingerprints of each record, one of the key and one of everything compared (the key again, under another
seed), so a difference could only hide behind 128 equal bits. They are never the only evidence: what is set aside
must also tie by count, by every sum and by a checksum of its fingerprints, otherwise nothing is set aside.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from medpay_cli import money

KEY, CONTENT = "\x1fkey", "\x1fcontent"  # no column of the user can be called so
FINGERPRINTS = (KEY, CONTENT)

Words = np.ndarray[tuple[int], np.dtype[np.uint64]]


@dataclass(frozen=True)
class Screened:
    """`pairs` keys set aside with their sums (the same on both sides), and what is left of each side."""

    pairs: int
    sums: dict[str, Decimal]
    ours: pl.DataFrame
    theirs: pl.DataFrame


def fingerprinting(key: tuple[str, ...], others: tuple[str, ...]) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A function that adds both fingerprints to records; null where a key part is empty.

    The seeds are drawn anew for every run, so that nobody can prepare two records with equal fingerprints.
    """
    seeds = iter([secrets.randbits(63) for _ in range(2 * len(key) + len(others))])
    complete = pl.all_horizontal(pl.col(name).is_not_null() for name in key)
    of_key = [pl.col(name).hash(next(seeds)) for name in key]
    of_content = [pl.col(name).hash(next(seeds)) for name in (*key, *others)]

    def add(records: pl.DataFrame) -> pl.DataFrame:
        return records.with_columns(
            pl.when(complete).then(_mixed(of_key)).alias(KEY), pl.when(complete).then(_mixed(of_content)).alias(CONTENT)
        )

    return add


def screen(ours: pl.DataFrame, theirs: pl.DataFrame, amounts: tuple[str, ...]) -> Screened:
    """Split both sides into clean pairs and the rest; nothing is set aside where the proof fails."""
    keys, contents = ((ours[name].drop_nulls(), theirs[name].drop_nulls()) for name in FINGERPRINTS)
    with ThreadPoolExecutor(2) as pool:  # numpy sorts without the interpreter's lock
        sorting = [pool.submit(_not_once_each, *map(_words, sides)) for sides in (keys, contents)]
        odd, other = (task.result() for task in sorting)
    # A record whose content is odd takes every record of its key with it.
    taken = [_words(side.filter(_in(side[CONTENT], other))[KEY].drop_nulls()) for side in (ours, theirs)]
    odd = np.union1d(odd, np.concatenate(taken) | np.uint64(1))
    rest = [side.filter(_in(side[KEY], odd) | side[KEY].is_null()) for side in (ours, theirs)]
    ours_set_aside, theirs_set_aside = (
        _Aside.of(side, left, amounts) for side, left in zip((ours, theirs), rest, strict=True)
    )
    if ours_set_aside != theirs_set_aside:
        return Screened(0, dict.fromkeys(amounts, Decimal(0)), ours, theirs)
    return Screened(ours_set_aside.records, ours_set_aside.sums, *rest)


@dataclass(frozen=True)
class _Aside:
    """What one side has set aside: all of it less what is left, so each side is counted on its own."""

    records: int
    sums: dict[str, Decimal]
    checksum: int

    @classmethod
    def of(cls, side: pl.DataFrame, left: pl.DataFrame, amounts: tuple[str, ...]) -> _Aside:
        everything, remaining = (part.select(*amounts).sum().row(0, named=True) for part in (side, left))
        return cls(
            records=side.height - left.height,
            sums={name: money.total((everything[name], -remaining[name])) for name in amounts},
            checksum=(_checksum(side) - _checksum(left)) % 2**64,
        )


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


def _in(fingerprints: pl.Series, odd: Words) -> pl.Series:
    return (fingerprints | 1).is_in(pl.Series(odd, dtype=pl.UInt64).implode()).fill_null(value=False)


def _words(fingerprints: pl.Series) -> Words:
    words: Words = fingerprints.to_numpy()
    return words


def _checksum(side: pl.DataFrame) -> int:
    """A sum over (key fingerprint, content fingerprint) that a wrong pairing would change."""
    keys, contents = (_words(side[name].drop_nulls()) for name in FINGERPRINTS)
    return int((keys * (contents | np.uint64(1))).sum())
