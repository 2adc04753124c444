"""A finding says where something did not hold; findings are rows of a frame, their words come from `schemas/rules`."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medpay_cli import config

if TYPE_CHECKING:
    import polars as pl

ERROR, WARNING = "error", "warning"

# The order of a finding's keys in every machine output; `message` is added when it is written.
COLUMNS = (
    "code", "severity", "file", "member", "node", "row", "line", "field", "column", "path",
    "value", "expected", "message", "key",
)  # fmt: skip


@cache
def rule(code: str) -> config.Document:
    """The page of a finding code: severity, title, message, why, fix, source. Raises MedpayError."""
    return config.load(config.RULE, code)


def severity(code: str) -> str:
    """`error` or `warning`."""
    return str(rule(code)["severity"])


def schema() -> dict[str, pl.DataType | type[pl.DataType]]:
    """The columns of a frame of findings, before the message is written."""
    import polars as pl

    whole = ("row", "line", "column")
    return {name: pl.UInt64 if name in whole else pl.String for name in COLUMNS if name != "message"}


def none() -> pl.DataFrame:
    """No findings."""
    import polars as pl

    return pl.DataFrame(schema=schema())


def frame(code: str, rows: pl.DataFrame, **columns: Any) -> pl.DataFrame:
    """A frame of findings, one per row; `columns` (an expression over `rows`, or one value for all) fills it.

    Nothing is taken from `rows` unasked: a layout may have a field called `value` or `file`.
    """
    import polars as pl

    given = {"code": code, "severity": severity(code), **columns}
    return rows.select(
        (given[name] if isinstance(given.get(name), pl.Expr) else pl.lit(given.get(name))).cast(dtype).alias(name)
        for name, dtype in schema().items()
    )


class Findings:
    """All findings of a run in order, with exact counts; in memory up to a few, the rest in a temporary file."""

    IN_MEMORY = 100_000

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str | None, str]] = Counter()
        self._frames: list[pl.DataFrame] = []
        self._held = 0
        self._spool: tempfile.TemporaryDirectory[str] | None = None
        self._parts: list[Path] = []

    def add(self, found: pl.DataFrame) -> None:
        """Append findings, sorted within themselves by row, field and code."""
        if found.is_empty():
            return
        for code, name, level, count in found.group_by("code", "field", "severity").len().iter_rows():
            self.counts[code, name, level] += count
        self._frames.append(found)
        self._held += found.height
        if self._held >= self.IN_MEMORY:
            self._write()

    def extend(self, other: Findings) -> None:
        """Append all of another's."""
        for found in other.frames():
            self.add(found)

    def replace(self, found: pl.DataFrame) -> None:
        """Drop everything and keep `found`: one cause, one finding."""
        self.counts.clear()
        self._frames, self._held, self._parts = [], 0, []
        self.add(found)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Every finding, in order, in bounded pieces."""
        import polars as pl

        for part in self._parts:
            yield pl.read_ipc(part)
        yield from self._frames

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    def count(self, level: str) -> int:
        """How many of one severity."""
        return sum(number for (_, _, found), number in self.counts.items() if found == level)

    def counted(self) -> list[dict[str, Any]]:
        """The counts as the contract shows them, sorted."""
        rows = sorted(self.counts.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        return [
            {"code": code, "field": name, "severity": level, "count": number} for (code, name, level), number in rows
        ]

    def _write(self) -> None:
        import polars as pl

        if self._spool is None:
            self._spool = tempfile.TemporaryDirectory(prefix="medpay-")
        part = Path(self._spool.name) / f"{len(self._parts):06}.arrow"
        pl.concat(self._frames).write_ipc(part, compression="lz4")
        self._parts.append(part)
        self._frames, self._held = [], 0


@dataclass
class FileVerdict:
    """What was found of one file: counts and sums of every record, and whether it can be relied on."""

    path: str
    member: str | None
    layout: str | None
    dialect: str | None
    encoding: str | None
    verdict: str = "valid"
    records: int = 0
    rejected: int = 0
    totals: dict[str, Decimal] = field(default_factory=dict)
    rejected_totals: dict[str, Decimal] = field(default_factory=dict)
    scales: dict[str, int] = field(default_factory=dict)


@dataclass
class Outcome:
    """What `validate` found: a verdict per file, every finding, and the exit code."""

    files: list[FileVerdict]
    findings: Findings
    exit_code: int
    # Field name → (zh title, en title), and the sensitive fields, of every layout used.
    titles: dict[str, tuple[str, str]]
    sensitivity: dict[str, str]
