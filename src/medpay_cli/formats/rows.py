"""Records that a reader met one by one, put together into batches that look the same in every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from medpay_cli import characters, findings
from medpay_cli.dialects import Dialect
from medpay_cli.formats import LINE, PATH, ROW, Batch, LineKind
from medpay_cli.formats.cells import absent, trimmed


@dataclass(frozen=True)
class Fault:
    """What is wrong with a record or one of its cells, found while it was read.

    A fault at error level whose `field` is None says that the record cannot be read: it is not among the cells.
    Without a row it stands between records.
    """

    code: str
    row: int | None
    line: int | None = None
    path: str | None = None
    field: str | None = None
    column: int | None = None
    value: str | None = None
    expected: str | None = None


@dataclass
class Rows:
    """Records of one node, column by column as they are met; rows count from 1 over all of them.

    `columns` has a list per field, `rows`, `lines` and `paths` say where each record stands.
    """

    node: str | None
    columns: Mapping[str, list[str | None]]
    rows: list[int] = field(default_factory=list)
    lines: list[int | None] = field(default_factory=list)
    paths: list[str | None] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    records: int = 0

    @classmethod
    def of(cls, node: str | None, names: Sequence[str]) -> Rows:
        """No records yet."""
        return cls(node, {name: [] for name in names})

    def add(self, cells: Mapping[str, str | None], line: int | None = None, path: str | None = None) -> int:
        """Take in a record that could be read; its row is returned, for faults of its cells."""
        self.records += 1
        self.rows.append(self.records)
        self.lines.append(line)
        self.paths.append(path)
        for name, column in self.columns.items():
            column.append(cells.get(name))
        return self.records

    def refuse(self, code: str, line: int | None = None, path: str | None = None, **more: str | None) -> None:
        """Count a record that cannot be read."""
        self.records += 1
        self.faults.append(Fault(code, self.records, line, path, **more))  # type: ignore[arg-type]

    def batch(self, dialect: Dialect) -> Batch:
        """What was taken in."""
        frame = pl.DataFrame(
            {ROW: self.rows, LINE: self.lines, PATH: self.paths, **self.columns},
            {ROW: pl.UInt64, LINE: pl.UInt64, PATH: pl.String, **dict.fromkeys(self.columns, pl.String)},
        )
        return batch(self.node, frame, self.faults, self.records, dialect)


def batch(
    node: str | None,
    text: pl.DataFrame,
    faults: Sequence[Fault],
    records: int,
    dialect: Dialect,
    *,
    is_odd: bool | None = None,
) -> Batch:
    """A batch of a text frame (ROW, LINE, PATH and the layout's fields): empty cells are absent, spaces are taken off
    where the dialect says so, and a record with a field beyond the limit is no longer among those that fit.

    `is_odd` is what the caller already knows of odd characters; else every cell is looked at.
    """
    names = tuple(name for name in text.columns if name not in (ROW, LINE, PATH))
    text = text.with_columns(
        absent(pl.when(pl.col(name) != "").then(pl.col(name)), dialect).alias(name) for name in names
    )
    limit = dialect.limits.field
    longest = pl.max_horizontal(pl.col(name).str.len_bytes() for name in names) if names else pl.lit(0)
    found = list(faults)
    if names and (text.select(longest.max()).item() or 0) > limit:
        beyond = text.filter(longest > limit).select(ROW, LINE, PATH, longest.cast(pl.String).alias("value")).rows()
        found += [
            Fault("F204", row, line, path, value=value, expected=f"<= {limit} B") for row, line, path, value in beyond
        ]
        text = text.filter((longest <= limit).fill_null(value=True))
    text, notes = trimmed(text, names) if dialect.trim else (text, [])
    return Batch(
        text=text,
        faults=pl.concat([_findings(found), *notes]).sort("line", "row", "field", "code", maintain_order=True),
        records=records,
        kinds=np.full(records, LineKind.RECORD, np.uint8),
        is_odd=_is_odd(text, names) if is_odd is None else is_odd,
        node=node,
    )


def _findings(faults: list[Fault]) -> pl.DataFrame:
    by_code: dict[str, list[Fault]] = {}
    for one in faults:
        by_code.setdefault(one.code, []).append(one)
    columns = ("row", "line", "path", "field", "column", "value", "expected")
    frames = [findings.none()]
    for code, ones in by_code.items():
        rows = pl.DataFrame(
            {name: [getattr(one, name) for one in ones] for name in columns},
            {name: findings.schema()[name] for name in columns},
        )
        frames.append(findings.frame(code, rows, **{name: pl.col(name) for name in columns}))
    return pl.concat(frames)


def _is_odd(text: pl.DataFrame, names: Sequence[str]) -> bool:
    """Whether some cell holds a character that no cell should hold."""
    every = "|".join(characters.patterns().values())
    found = text.select(pl.any_horizontal(pl.col(name).str.contains(every).any() for name in names) if names else False)
    return bool(found.item())
