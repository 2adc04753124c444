"""Keys that stand in several records of a file or of its parts, found in bounded memory.

Every record leaves a 64-bit fingerprint of its key. Fingerprints that occur twice name candidates, and the text of the
candidates' keys decides: a fingerprint is never evidence. A key with an empty part is never a repeated one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from io import SEEK_END

import numpy as np
import polars as pl

from medpay_cli import files, fingerprints
from medpay_cli.fingerprints import Filter, Flags, Words
from medpay_cli.frames import Frames

# So many fingerprints are held at a time; more are looked at in several rounds.
AT_ONCE = 12_000_000
# Columns of a frame of candidates; no field of a layout can be called so.
CANDIDATE_ROW, MARK = "\x1fcandidate", "\x1fmark"

Times = np.ndarray[tuple[int], np.dtype[np.uint32]]


class Keys:
    """The keys of a file, record by record."""

    def __init__(self, key: tuple[str, ...]) -> None:
        self.names = key
        # Drawn anew for every run, so that nobody can prepare keys with equal fingerprints.
        self._seeds = [secrets.randbits(63) for _ in key]
        self._spool = files.spool()
        self.count = 0

    def cut(self, count: int) -> None:
        """Forget every record but the first ones."""
        self._spool.seek(8 * count)
        self._spool.truncate()
        self.count = count

    def fingerprints(self, text: pl.DataFrame) -> Words:
        """One per record; 0 where a part of the key is empty."""
        whole = pl.all_horizontal(pl.col(name).is_not_null() for name in self.names)
        # UInt64 wraps; each hash has a seed of its own.
        mixed = pl.sum_horizontal(pl.col(name).hash(seed) for name, seed in zip(self.names, self._seeds, strict=True))
        words: Words = text.select(pl.when(whole).then(mixed | 1).otherwise(0).cast(pl.UInt64)).to_series().to_numpy()
        return words

    def add(self, fingerprints: Words) -> None:
        """Take in the fingerprints of some records."""
        self._spool.seek(0, SEEK_END)
        self._spool.write(fingerprints.tobytes())
        self.count += len(fingerprints)

    def forget(self, records: Flags) -> None:
        """These records have no key any more."""
        blocks = list(self._blocks())
        self.cut(0)
        for block in blocks:
            self.add(np.where(records[self.count : self.count + len(block)], np.uint64(0), block))

    def repeated(self) -> Filter | None:
        """A filter that lets every repeated key through and few others; None where no key is repeated."""
        rounds = 1 + self.count // AT_ONCE
        found = []
        for number in range(rounds):
            words = np.concatenate([_of_round(block, number, rounds) for block in self._blocks()])
            twice = fingerprints.repeated(words)
            found.append(twice[twice != 0])
        twice = np.concatenate(found)
        if not len(twice):
            return None
        made = Filter(len(twice))
        made.add(twice)
        return made

    def candidates(self, found: Filter) -> tuple[Flags, Words]:
        """Which records the filter lets through, and their fingerprints."""
        words = list(self._blocks())
        wanted = [found.has(block) & (block != 0) for block in words]
        return np.concatenate(wanted), np.concatenate(
            [block[chosen] for block, chosen in zip(words, wanted, strict=True)]
        )

    def _blocks(self) -> Iterator[Words]:
        self._spool.seek(0)
        yield np.empty(0, np.uint64)
        while block := self._spool.read(8 << 20):
            yield np.frombuffer(block, np.uint64)


class Candidates:
    """The records that the filter let through, file by file in order, and their keys once more by fingerprint."""

    PARTS = 16

    def __init__(self, key: tuple[str, ...]) -> None:
        self.names = key
        # Per file, and the number of records of each.
        self._records: list[Frames] = []
        self._counts: list[int] = []
        self._by_mark = [Frames() for _ in range(self.PARTS)]

    def begin(self, records: int) -> None:
        """Go on to the next file, which has so many records."""
        self._records.append(Frames())
        self._counts.append(records)

    def add(self, records: pl.DataFrame) -> None:
        """Take in records of the file: CANDIDATE_ROW, MARK (the fingerprint), the columns of the key, and others."""
        self._records[-1].add(records)
        before = sum(self._counts[:-1])
        keys = records.select(pl.col(CANDIDATE_ROW) + before, *self.names)
        part = records[MARK] // 2 % self.PARTS  # the lowest bit is always set
        for number, frames in enumerate(self._by_mark):
            frames.add(keys.filter(part == number))

    def parts(self) -> list[Iterator[pl.DataFrame]]:
        """The records of each file."""
        return [iter(frames) for frames in self._records]

    def times(self) -> list[Times]:
        """How often the key of each candidate stands in all files, by row (from 1) of its file; 0 for other records."""
        counted = np.zeros(sum(self._counts) + 1, np.uint32)
        for frames in self._by_mark:
            parts = list(frames)
            if parts:
                rows = pl.concat(parts).select(CANDIDATE_ROW, pl.len().over(self.names).alias(MARK))
                counted[rows[CANDIDATE_ROW].to_numpy()] = rows[MARK].to_numpy()
        # Row 0 stands for no record.
        ends = np.cumsum(self._counts)
        return [counted[end - count : end + 1] for count, end in zip(self._counts, ends.tolist(), strict=True)]


def _of_round(words: Words, number: int, rounds: int) -> Words:
    return words if rounds == 1 else words[(words >> np.uint64(1)) % np.uint64(rounds) == number]
