"""Where the records of a sheet begin: below the header, which may be of several rows and stand under a title."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.formats.text.header import check_names, meaning, plain

# A header begins in the first rows, and is so many rows high at most.
FAR, HIGHEST = 50, 4
Range = tuple[int, int, int, int]  # first row and column, last row and column
Cells = dict[int, dict[int, str]]


@dataclass(frozen=True)
class Head:
    """The records begin below row `bottom`; the column of each field, and all columns that a record may have."""

    bottom: int
    columns: Mapping[str, int]
    named: tuple[int, ...]


@dataclass(frozen=True)
class _Reading:
    """The header as it reads from row `top`: its last row, and the field (or the name) over each column."""

    top: int
    bottom: int
    names: Mapping[int, str]


def header_of(
    first: pl.DataFrame, merged: tuple[Range, ...], fields: tuple[str, ...], dialect: Dialect, sheet: str
) -> Head:
    """The header among the `first` cells of a sheet; without one, fields stand in order from the first column.

    Raises ReadError F204 for too many columns, F207 for a header that is not the layout's, F219 where there is none.
    """
    if not dialect.header:
        named = tuple(range(1, max(dialect.widths, default=len(fields)) + 1))
        return Head(dialect.preamble, dict(zip(fields, named, strict=False)), named)
    head: Cells = {}
    for row, column, text in first.select("row", "column", "text").iter_rows():
        head.setdefault(row, {})[column] = text
    meant = meaning(fields, dialect)
    tops = [dialect.preamble + 1] if dialect.preamble else [row for row in head if row <= FAR]
    found = [_reading(top, head, merged, meant) for top in tops]
    wanted = set(dialect.wanted(fields))
    whole = [one for one in found if wanted <= set(one.names.values())]
    if whole:
        # A title merged over its columns reads like the upper part of the header below it: the lower one is meant.
        chosen = [one for one in whole if one.top <= whole[0].bottom][-1]
    else:
        chosen = max(found, key=lambda one: len(wanted & set(one.names.values())), default=_Reading(0, 0, {}))
    names = chosen.names
    if not wanted & set(names.values()):
        raise ReadError("F219", value=sheet, expected=", ".join(fields))
    if len(names) > dialect.limits.columns:
        raise ReadError("F204", value=str(len(names)), expected=f"<= {dialect.limits.columns}")
    check_names(tuple(names.values()), fields, replace(dialect, free_order=True))
    return Head(chosen.bottom, {name: column for column, name in names.items() if name in fields}, tuple(names))


def _reading(top: int, head: Cells, merged: Iterable[Range], meant: Mapping[str, str]) -> _Reading:
    """Where a name is merged over several columns, the names below it count: alone, or with the one above."""
    above = [one for one in merged if one[0] == top]
    across = [one for one in above if one[3] > one[1]]
    bottom = max([top, *(one[2] for one in above), *(top + 1 for _ in across)])
    below: Cells = {}
    for row in range(top + 1, min(bottom, top + HIGHEST) + 1):
        for column, text in head.get(row, {}).items():
            below.setdefault(column, {})[row] = text
    over = {column: left for _, left, _, right in across for column in below if left <= column <= right}
    own = head.get(top, {})
    # Unless a field's own name reaches down to it, a row with cells under names of one column alone holds a record.
    reaches = any(one[2] > top and plain(own.get(one[1], "")) in meant for one in above)
    if bottom > top + HIGHEST or (not reaches and any(column in own and column not in over for column in below)):
        bottom, below = top, {}
    names = {}
    for column in sorted({*own, *below}):
        parts = [own.get(over.get(column, column), ""), *(text for _, text in sorted(below.get(column, {}).items()))]
        tried = ["".join(parts), *reversed(parts)]
        known = (meant.get(name) or meant.get(plain(name)) for name in tried if name)
        names[column] = next(filter(None, known), tried[0])
    return _Reading(top, bottom, names)
