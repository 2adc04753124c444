"""A sample: the records of a file to be, and what was edited since they were drawn."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from medpay_cli.dialects import Dialect, Node
from medpay_cli.sampling.records import Records, chance_of
from medpay_cli.sampling.tying import Cells


@dataclass(frozen=True)
class Sample:
    """A file to be: the records of every node, of which `count` are those of `node`. `cells` are edited ones, and
    `before` what these were.

    Fields of `whole` are not edited: other records or control lines say the same once more.

    Of delimited text only: `header`, `delimiter`, and `lines` for records that became other text.
    """

    every: dict[str | None, Records]
    dialect: Dialect
    count: int
    seed: int
    node: Node
    whole: frozenset[str] = frozenset()
    header: tuple[str, ...] = ()
    delimiter: str = ""
    cells: dict[int, Cells] = field(default_factory=dict)
    before: dict[int, Cells] = field(default_factory=dict)
    lines: dict[int, str] = field(default_factory=dict)

    @property
    def records(self) -> Records:
        """Those that are counted."""
        return self.every[self.node.name]

    @property
    def is_text(self) -> bool:
        """Whether its text is ours: in other formats only cells can be edited."""
        return is_text(self.dialect)

    @property
    def chance(self) -> random.Random:
        """What its records are drawn by, from the first."""
        return drawing(self.seed, self.node)

    def with_cells(self, row: int, before: Cells, cells: Cells) -> Sample:
        """The same with other cells in a record than it had before."""
        return replace(self, cells={**self.cells, row: cells}, before={**self.before, row: before})

    def with_line(self, row: int, line: str) -> Sample:
        """The same with another text for a record."""
        return replace(self, lines={**self.lines, row: line})

    def drawn(self) -> Iterator[tuple[int, Cells]]:
        """Every record with its number."""
        chance = self.chance
        for row in range(1, self.count + 1):
            cells = self.records.cells(row, chance)
            yield row, self.cells.get(row, cells)


def drawing(seed: int, node: Node) -> random.Random:
    """What the records of a node are drawn by."""
    return chance_of(seed, f"records {node.name or ''}")


def is_text(dialect: Dialect) -> bool:
    """Whether a sample of the dialect is delimited text without control lines, which has a writer of its own."""
    return dialect.format == "delimited" and not (dialect.head or dialect.tail)
