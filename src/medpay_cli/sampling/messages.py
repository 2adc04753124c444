"""Samples in every other format: text frames for its writer, of nested messages one per node, in bounded memory."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from medpay_cli import formats
from medpay_cli.dialects import Node
from medpay_cli.layouts import Layout
from medpay_cli.parts import Parts
from medpay_cli.sampling.beside import BESIDE
from medpay_cli.sampling.records import Records, inner_nodes
from medpay_cli.sampling.sample import Sample, drawing
from medpay_cli.sampling.tying import Cells

if TYPE_CHECKING:
    import polars as pl

BATCH = 4096
# So many children at most stand in a record.
CHILDREN = 3
Found = dict[str | None, list[Cells]]


@dataclass
class Growing:
    """The records of a node in the making, each with those of the nodes inside of it."""

    node: Node
    records: Records
    chance: random.Random
    inner: list[Growing]
    edited: dict[int, Cells] = field(default_factory=dict)
    before: dict[int, Cells] = field(default_factory=dict)
    row: int = 0
    # Of the nodes inside those whose records would have to sum up to one another: each record has some of one of them.
    in_turn: tuple[str | None, ...] = ()

    def grow(self, above: dict[str, str], found: Found) -> None:
        """One record more; it takes its links from the record around it."""
        self.row += 1
        drawn = self.records.cells(self.row, self.chance)
        cells = self.edited.get(self.row, drawn)
        for name in self.node.link:
            cells[self.records.names.index(name)] = above[name]
        found[self.node.name].append(cells)
        # What stands inside belongs to the record as it was before it was broken.
        here = dict(zip(self.records.names, self.before.get(self.row, cells), strict=True))
        for one in self.inner:
            count = one.how_many()
            if one.node.name in self.in_turn and self.in_turn[self.row % len(self.in_turn)] != one.node.name:
                count = 0
            for _ in range(count):
                one.grow(here, found)

    def all(self) -> Iterator[Growing]:
        """It, and all nodes inside of it."""
        yield self
        for one in self.inner:
            yield from one.all()

    def left(self) -> int:
        """How many more there can be before a key is repeated."""
        return min((one.size for one in self.records.numberings), default=self.row + BATCH) - self.row

    def how_many(self) -> int:
        """How many records of it stand in the next record around."""
        most = CHILDREN if self.node.repeated else 1
        for one in self.records.numberings:
            most = min(most, one.size - self.row if one.is_whole else one.size)
        least = int(self.node.required)
        return self.chance.randint(least, max(least, most))


def write(sample: Sample, parts: Parts, out: BinaryIO) -> None:
    """Write the file. Raises MedpayError for what the format cannot hold."""
    names = {node: layout.names for node, layout in parts.items()}
    formats.write(out, sample.dialect, names, _chunks(sample, parts))


def _chunks(sample: Sample, parts: Parts) -> Iterator[dict[str | None, pl.DataFrame]]:
    """Records and all that belongs to them; what stands once comes with the first."""
    tops = [_growing(node, sample, parts) for node in sample.dialect.parts if node.parent is None]
    held = {one.node.name: one.records.names for top in tops for one in top.all()}
    done = 0
    while True:
        now = min(BATCH, sample.count - done)
        found: Found = {node: [] for node in parts}
        for top in tops:
            for _ in range(min(now, top.left()) if top.node.repeated else min(sample.count, 1) * (done == 0)):
                top.grow({}, found)
        yield {node: _frame(rows, held[node], parts[node]) for node, rows in found.items()}
        done += now
        if done >= sample.count:
            return


def _growing(node: Node, sample: Sample, parts: Parts) -> Growing:
    edits = (sample.cells, sample.before) if node == sample.node else ({}, {})
    inner = [_growing(one, sample, parts) for one in inner_nodes(node, sample.dialect)]
    kind = parts[node.name].kind
    in_turn = tuple(one.node.name for one in inner if (kind, parts[one.node.name].kind) in BESIDE)
    return Growing(node, sample.every[node.name], drawing(sample.seed, node), inner, *edits, in_turn=in_turn)


def _frame(rows: list[Cells], names: tuple[str, ...], layout: Layout) -> pl.DataFrame:
    """The records as a text frame: what is empty or not held is absent."""
    import polars as pl

    held = pl.DataFrame(rows, dict.fromkeys(names, pl.String), orient="row")
    nothing = pl.lit(None, pl.String)
    return held.select(
        pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) if name in names else nothing.alias(name)
        for name in layout.names
    )
