"""A sample: the records of a file to be, and what was edited since they were drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from medpay_cli.dialects import Dialect, Node
from medpay_cli.sampling.records import Cells, Records, chance_of


@dataclass(frozen=True)
class Sample:
    """A file to be. `cells` are edited records; of a nested message those of `node`.

    Fields of `whole` are not edited: other records or control lines say the same once more.

    Of delimited text only: `header`, `delimiter`, and `lines` for records that became other text.
    """

    records: Records
    dialect: Dialect
    count: int
    seed: int
    node: Node
    whole: frozenset[str] = frozenset()
    header: tuple[str, ...] = ()
    delimiter: str = ""
    cells: dict[int, Cells] = field(default_factory=dict)
    lines: dict[int, str] = field(default_factory=dict)

    @property
    def is_text(self) -> bool:
        """Whether its text is ours: in other formats only cells can be edited."""
        return is_text(self.dialect)

    def with_cells(self, row: int, cells: Cells) -> Sample:
        """The same with other cells in a record."""
        return replace(self, cells={**self.cells, row: cells})

    def with_line(self, row: int, line: str) -> Sample:
        """The same with another text for a record."""
        return replace(self, lines={**self.lines, row: line})

    def drawn(self) -> Iterator[tuple[int, Cells]]:
        """Every record with its number."""
        chance = chance_of(self.seed, "records")
        for row in range(1, self.count + 1):
            cells = self.records.cells(row, chance)
            yield row, self.cells.get(row, cells)


def is_text(dialect: Dialect) -> bool:
    """Whether a sample of the dialect is delimited text without control lines, which has a writer of its own."""
    return dialect.format == "delimited" and not (dialect.head or dialect.tail)
