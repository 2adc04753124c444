"""Lines that go through a sieve, and only those columns of them that somebody wants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from medpay_cli import characters
from medpay_cli.sieves import Patterns, Sieve, literal


@dataclass(frozen=True)
class Lines:
    """The lines of some bytes, which of them pass, and whether some cell is written as absent."""

    text: pl.Series
    passing: pl.Series
    has_nulls: bool

    @classmethod
    def of(cls, block: bytes, patterns: Patterns, delimiter: str, nulls: tuple[str, ...]) -> Lines | None:
        """The lines, of which those pass that match the patterns, where `nulls` may stand for absent cells; None where
        the bytes are not UTF-8, or hold a character that no cell should, or a pattern is too large."""
        try:
            text = pl.read_lines(block).to_series()
            passing = text.str.contains(patterns.of_ascii)
            if not block.isascii():
                others = (~passing).arg_true()
                if is_odd(_joined(text[others]), delimiter):
                    return None
                passing = passing.scatter(others, text[others].str.contains(patterns.of_any))
        except pl.exceptions.ComputeError:
            return None
        met = [null for null in nulls if null.encode() in block]
        if met and patterns.filled:
            mark, cell = literal(delimiter), "|".join(map(literal, met))
            some = text.str.contains(f"(?:^|{mark})(?:{cell})(?:{mark}|$)").arg_true()
            cells = text[some].str.split(delimiter).to_frame()
            absent = (pl.col(text.name).list.get(at, null_on_oob=True).is_in(met) for at in patterns.filled)
            lacking = cells.select(pl.any_horizontal(absent)).to_series()
            passing = passing.scatter(some.filter(lacking), False)
        return cls(text, passing, bool(met))

    @property
    def longest(self) -> int:
        """The bytes of the longest."""
        longest = self.text.str.len_bytes().max()
        return longest if isinstance(longest, int) else 0

    @property
    def lengths(self) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
        """The bytes of each, with an end of one byte."""
        return (self.text.str.len_bytes() + 1).to_numpy()

    @property
    def refused(self) -> int:
        """How many do not pass."""
        return len(self.passing) - int(self.passing.sum())

    def spare(self, delimiter: str) -> int:
        """How many end with an empty cell."""
        return int(self.text.str.ends_with(delimiter).sum())

    def are_full(self, chosen: pl.Series, delimiter: str, size: int) -> bool:
        """Whether each of some has so many fields."""
        return bool((self.text.filter(chosen).str.count_matches(delimiter, literal=True) == size - 1).all())

    def joined(self, chosen: pl.Series) -> bytes:
        """Some of them as bytes."""
        return _joined(self.text.filter(chosen))


def is_odd(lines: bytes, delimiter: str) -> bool:
    """Whether a character may stand in some cell that none should hold; a delimiter may be such a character."""
    is_visible = delimiter == "\t" or delimiter >= " "
    return characters.suspected(lines if is_visible else lines.replace(delimiter.encode(), b"\t"))


def _joined(lines: pl.Series) -> bytes:
    return "\n".join((*lines.str.join("\n"), "")).encode() if len(lines) else b""


def parsed(
    block: bytes, columns: tuple[str, ...], size: int, sieve: Sieve, delimiter: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The columns that a sieve wants: words as text, and amounts as exact numbers (null where they are none)."""
    wanted: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(sieve.words, pl.String)
    wanted |= {name: pl.Decimal(38, scale) for name, scale in sieve.amounts}
    schema = {str(at): wanted.get(name, pl.String) for at, name in enumerate((*columns, *[""] * (size - len(columns))))}
    places = [at for at, name in enumerate(columns) if name in wanted]
    if not places:
        return pl.DataFrame(), pl.DataFrame()
    read = pl.read_csv(
        block, separator=delimiter, has_header=False, quote_char=None, schema=schema, columns=places,
        ignore_errors=True,
    ).rename({str(at): columns[at] for at in places})  # fmt: skip
    return read.select(pl.col(pl.String)), read.select(pl.col(pl.Decimal))
