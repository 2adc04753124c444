"""A finding says where something did not hold; findings are rows of a frame, their words come from `schemas/rules`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from medpay_cli import config
from medpay_cli.frames import Frames, Packed, packed, same

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


def always_applies(code: str) -> bool:
    """Whether nobody can leave the rule out: without it a record or a file could not be read at all."""
    return bool(rule(code).get("always", False))


def schema() -> dict[str, pl.DataType | type[pl.DataType]]:
    """The columns of a frame of findings, before the message is written."""
    import polars as pl

    whole = ("row", "line", "column")
    return {name: pl.UInt64 if name in whole else pl.String for name in COLUMNS if name != "message"}


def none() -> pl.DataFrame:
    """No findings."""
    import polars as pl

    return pl.DataFrame(schema=schema())


def frame(code: str | pl.Expr, rows: pl.DataFrame, **columns: Any) -> pl.DataFrame:
    """A frame of findings, one per row; `columns` (an expression over `rows`, or one value for all) fills it, with the
    usual severity where none is given.

    Nothing is taken from `rows` unasked: a layout may have a field called `value` or `file`.
    """
    import polars as pl

    given = {"code": code, **columns}
    if "severity" not in given:
        given["severity"] = severity(str(code))
    return rows.select(
        (given[name] if isinstance(given.get(name), pl.Expr) else pl.lit(given.get(name))).cast(dtype).alias(name)
        for name, dtype in schema().items()
    )


Counts = list[tuple[str, str | None, str, int]]


@dataclass(frozen=True)
class Some:
    """Findings of a part of a file, with their counts; many of them packed while they wait for their place."""

    PACKED = 20_000

    found: pl.DataFrame | Packed
    counts: Counts

    @classmethod
    def of(cls, found: pl.DataFrame, counted: Counts | None = None, *, are_many: bool = False) -> Some:
        """Findings sorted by row, field and code; rows and lines may count from the start of the part. `are_many` says
        that there are many before them."""
        kept = packed(found, is_tight=are_many) if found.height > cls.PACKED else found
        return cls(kept, counts(found) if counted is None else counted)


def counts(found: pl.DataFrame) -> Counts:
    """How many there are of each code, field and severity."""
    kind = ("code", "field", "severity")
    once = same(found.select(kind))
    if len(once) == len(kind):
        return [(once["code"], once["field"], once["severity"], found.height)]
    return found.group_by(kind).len().rows()


class Findings:
    """All findings of a run in order, with exact counts, in bounded memory."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str | None, str]] = Counter()
        self._frames = Frames()

    def add(self, found: pl.DataFrame) -> None:
        """Append findings, sorted within themselves by row, field and code."""
        self.put(Some.of(found, are_many=self.are_many), 0, 0)

    @property
    def are_many(self) -> bool:
        """Whether those to come are packed tightly."""
        return self._frames.are_many

    def put(self, some: Some, rows: int, lines: int) -> None:
        """Append findings of a part before which the file has so many rows and lines."""
        for code, name, level, count in some.counts:
            self.counts[code, name, level] += count
        if isinstance(some.found, Packed):
            self._frames.put(some.found, {"row": rows, "line": lines})
        else:
            import polars as pl

            self._frames.add(some.found.with_columns(pl.col("row") + rows, pl.col("line") + lines))

    def extend(self, other: Findings) -> None:
        """Append all of another's."""
        for found in other.frames():
            self.add(found)

    def replace(self, found: pl.DataFrame) -> None:
        """Drop everything and keep `found`: one cause, one finding."""
        self.counts.clear()
        self._frames = Frames()
        self.add(found)

    def merge(self, others: Iterator[pl.DataFrame], by: str) -> None:
        """Put findings of the same file, themselves in order `by` line or row, where they belong."""
        import polars as pl

        mine, self._frames = self._frames, Frames()
        self.counts.clear()
        order = tuple(dict.fromkeys((by, "row", "field", "code")))
        place = pl.col(by).fill_null(0)
        waiting = none()
        for found in mine:
            last = int(found.select(place.max()).item())
            while waiting.is_empty() or (waiting[by][-1] or 0) <= last:
                more = next(others, None)
                if more is None:
                    break
                waiting = pl.concat([waiting, more])
            now = place <= last
            self.add(pl.concat([found, waiting.filter(now)]).sort(order, maintain_order=True))
            waiting = waiting.filter(~now)
        self.add(waiting)
        for found in others:
            self.add(found)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Every finding, in order, in bounded pieces."""
        return iter(self._frames)

    def loads(self) -> Iterator[Callable[[], pl.DataFrame]]:
        """The same pieces, each read when it is called, in whatever thread."""
        return self._frames.loads()

    def first(self, most: int) -> Iterator[pl.DataFrame]:
        """The first findings of each code, at most so many; the rest is not even read."""
        import polars as pl

        left = {code: min(most, count) for code, count in self.by_code().items()}
        for found in self._frames:
            if not any(left.values()):
                return
            wanted = pl.col("code").replace_strict(left, return_dtype=pl.Int64)
            kept = found.filter(pl.int_range(pl.len()).over("code") < wanted)
            for code, count in kept.group_by("code").len().iter_rows():
                left[code] -= count
            yield kept

    def by_code(self) -> dict[str, int]:
        """How many there are of each code."""
        counts: dict[str, int] = {}
        for (code, _, _), number in sorted(self.counts.items(), key=lambda item: item[0][0]):
            counts[code] = counts.get(code, 0) + number
        return counts

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


@dataclass
class FileVerdict:
    """What was found of one file: counts and sums of every record, whether it can be relied on, and whether it was
    read to its end."""

    path: str
    member: str | None
    node: str | None
    layout: str | None
    dialect: str | None
    encoding: str | None
    verdict: str = "valid"
    records: int = 0
    rejected: int = 0
    totals: dict[str, Decimal] = field(default_factory=dict)
    rejected_totals: dict[str, Decimal] = field(default_factory=dict)
    scales: dict[str, int] = field(default_factory=dict)
    is_read: bool = True
    # Whose habits the dialect was read with, where it is not the shipped one.
    partner: str | None = None
    # Whether its lines are lines of text, and no rows of a sheet.
    is_text: bool = True

    @property
    def name(self) -> str:
        """What it is called in a report for people: `archive.zip!/member node`."""
        file = self.path if self.member is None else f"{self.path}!/{self.member}"
        return f"{file} {self.node}" if self.node else file


@dataclass
class Outcome:
    """What `validate` found: a verdict per file, every finding, and the exit code."""

    files: list[FileVerdict]
    findings: Findings
    exit_code: int
    # Field name → (zh title, en title), and the sensitive fields, of every layout used.
    titles: dict[str, tuple[str, str]]
    sensitivity: dict[str, str]
    # Fields of numbers, days or codes: whatever else stands in them may be somebody's name or number.
    plain: frozenset[str] = frozenset()
    # Rules that could not be held: code, what is missing, and where only some records lack a value how many.
    not_judged: list[dict[str, Any]] = field(default_factory=list)
    # Codes that were left out, and the prefixes of the only ones that were held.
    ignored: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()
    # The severity from which findings make the exit code 1.
    fail_on: str = ERROR
