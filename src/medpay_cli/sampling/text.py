"""Samples as delimited text, by a writer of their own: what reads them is not held against what wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from medpay_cli.dialects import Dialect
from medpay_cli.layouts import Layout
from medpay_cli.sampling.sample import Sample
from medpay_cli.sampling.spaces import encoded
from medpay_cli.sampling.tying import Cells

BATCH = 4096


def write(sample: Sample, out: BinaryIO) -> None:
    """Write the file."""
    lines = _written(sample)
    while batch := "".join(islice(lines, BATCH)):
        out.write(encoded(batch, sample.dialect))


def header_of(layout: Layout, dialect: Dialect) -> tuple[str, ...]:
    """The names of the columns as the partner writes them."""
    headings = {name: heading for heading, name in dialect.headings.items()}
    return tuple(headings.get(name, name) for name in layout.names) if dialect.header else ()


def line_of(sample: Sample, cells: Cells) -> str:
    """A record as it is written."""
    absent = absent_in(sample.dialect)
    behind = sample.delimiter * sample.dialect.trailing_delimiter
    return sample.delimiter.join([cell or absent for cell in cells]) + behind + sample.dialect.line_end


def absent_in(dialect: Dialect) -> str:
    """What stands where there is nothing."""
    return dialect.nulls[0] if dialect.nulls else ""


def _written(sample: Sample) -> Iterator[str]:
    dialect, end = sample.dialect, sample.dialect.line_end
    yield from [f"TEST{end}"] * dialect.preamble
    if sample.header:
        yield line_of(sample, [_quoted(name, dialect) for name in sample.header])
        below = sample.delimiter * (len(sample.header) - 1 + dialect.trailing_delimiter)
        yield from [f"{below}{end}"] * (dialect.heads - 1)
    for row, cells in sample.drawn():
        yield sample.lines.get(row) or line_of(sample, cells)
    yield from (f"{begins}{end}" for begins in dialect.footer)


def _quoted(name: str, dialect: Dialect) -> str:
    """A name of the partner's own in the header; no invented cell needs quotes."""
    mark = dialect.quote
    needs = mark and {mark, dialect.delimiter, "\n", "\r"} & {*name}
    return f"{mark}{name.replace(mark, mark * 2)}{mark}" if needs else name
