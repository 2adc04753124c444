"""Judge one file: every batch against its layout, then what only the whole file shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Generic, TypeVar

import polars as pl

from medpay_cli import checks, findings, formats, money
from medpay_cli.checks import Check, Flagged
from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.findings import ERROR, FileVerdict, Findings
from medpay_cli.formats import LINE, ROW, Batch
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import decoded
from medpay_cli.formats.header import NAMES, split_counts
from medpay_cli.layouts import Layout

T = TypeVar("T")
VALID, FOUND, NOT_JUDGED = "valid", "findings", "not_judged"
# A record finding that leaves the whole file unjudged: the end was cut off.
CUT_OFF = "F206"


@dataclass(frozen=True)
class Judgement(Generic[T]):
    """The verdict on a file, its findings, and what `also` made of each batch."""

    verdict: FileVerdict
    findings: Findings
    also: list[T] = field(default_factory=list)


@dataclass(frozen=True)
class _Judged(Generic[T]):
    """One batch: findings (rows within the batch), rejected records, sums of readable cells."""

    found: pl.DataFrame
    rejected: int
    totals: dict[str, Decimal]
    rejected_totals: dict[str, Decimal]
    also: T


def judge_file(
    source: Input,
    layout: Layout,
    dialect: Dialect,
    also: Callable[[Batch, Flagged, pl.DataFrame], T],
    encoding: str | None = None,
) -> Judgement[T]:
    """Read a file in parallel batches and hold every record against the layout; a broken file is a verdict too.

    `encoding` was asked for and comes before what the dialect declares. `also` runs on each batch, its flags and its
    amounts, in a thread; its results come back in file order.
    """
    compiled = checks.compile_layout(layout)

    def work(batch: Batch) -> _Judged[T]:
        flagged = checks.flag(batch.text, compiled)
        amounts = checks.amounts(flagged, layout.money, ROW)
        return _judge(batch, layout, flagged, _sums(amounts), also(batch, flagged, amounts))

    def gather(batches: Iterator[tuple[Batch, _Judged[T]]]) -> Judgement[T]:
        made = Judgement[T](blank(text, layout, written), Findings())
        verdict, lines, unfit = made.verdict, 0, 0
        widths = Counter[int]()
        for batch, judged in batches:
            made.findings.add(_placed(judged.found, verdict.records, lines, text))
            made.also.append(judged.also)
            lines += batch.lines
            unfit += batch.records - batch.text.height
            widths.update(batch.widths)
            verdict.records += batch.records
            verdict.rejected += judged.rejected
            verdict.totals = _added(verdict.totals, judged.totals)
            verdict.rejected_totals = _added(verdict.rejected_totals, judged.rejected_totals)
        _whole_file(made, text, written, unfit, widths)
        return made

    try:
        text = decoded(source, encoding, dialect.encoding)
        written = replace(dialect, encoding=text.encoding)
        return formats.read(text, written, layout.names, work, gather)
    except ReadError as err:
        return unreadable(blank(source, layout, dialect), err)


def blank(source: Input, layout: Layout, dialect: Dialect) -> FileVerdict:
    """The verdict before the first record."""
    nothing = {one.name: Decimal(0) for one in layout.money}
    return FileVerdict(
        path=source.path,
        member=source.member,
        layout=layout.id or None,
        dialect=dialect.name or None,
        encoding=source.encoding or dialect.encoding,
        verdict=VALID,
        totals=nothing,
        rejected_totals=dict(nothing),
        scales={one.name: one.scale for one in layout.money},
    )


def unreadable(verdict: FileVerdict, err: ReadError) -> Judgement[T]:
    """The judgement on a file that cannot be read: one finding."""
    made = Judgement[T](verdict, Findings())
    _stop(made, err)
    return made


def _judge(batch: Batch, layout: Layout, flagged: Flagged, totals: dict[str, Decimal], also: T) -> _Judged[T]:
    key = pl.struct(layout.key).struct.json_encode() if layout.key else pl.lit(None, pl.String)
    position = {name: number for number, name in enumerate(layout.names, 1)}

    def found(check: Check, rows: pl.DataFrame) -> pl.DataFrame:
        name = check.field.name
        return findings.frame(
            check.code,
            rows,
            row=pl.col(ROW),
            line=pl.col(LINE),
            field=name,
            column=position[name],
            value=pl.col(name),
            expected=check.expected,
            key=key,
        )

    frames = [batch.faults, *(found(check, rows) for check, rows in flagged.violations)]
    faulty = [rows[ROW] for check, rows in flagged.violations if findings.severity(check.code) == ERROR]
    rejected = (
        flagged.suspects.filter(pl.col(ROW).is_in(pl.concat(faulty).implode())) if faulty else flagged.suspects.clear()
    )
    return _Judged(
        found=pl.concat(frames).sort("line", "row", "field", "code", maintain_order=True),
        rejected=batch.records - batch.text.height + rejected.height,
        totals=totals,
        rejected_totals=_sums(rejected.select(checks.typed(one) for one in layout.money)),
        also=also,
    )


def _placed(found: pl.DataFrame, records: int, lines: int, source: Input) -> pl.DataFrame:
    """Findings of a batch with their rows and lines counted from the start of the file."""
    return found.with_columns(
        row=pl.col("row") + records,
        line=pl.col("line") + lines,
        file=pl.lit(source.path, pl.String),
        member=pl.lit(source.member, pl.String),
    )


def _whole_file(made: Judgement[T], source: Input, dialect: Dialect, unfit: int, widths: Counter[int]) -> None:
    """Leave a file unjudged where it holds nothing, nothing in it fits, or its end was cut off."""
    verdict = made.verdict
    if verdict.records == 0:
        _stop(made, ReadError("F208"))
    elif unfit == verdict.records and widths:
        permitted = " | ".join(str(width) for width in dialect.widths)
        mark = NAMES.get(dialect.delimiter, dialect.delimiter)
        _stop(made, ReadError("F201", split_counts(source), f"{mark}: {permitted}"))
    elif unfit == verdict.records:
        _stop(made, ReadError("F202", expected=dialect.encoding))
    elif any(code == CUT_OFF for code, _, _ in made.findings.counts):
        verdict.verdict = NOT_JUDGED
    elif made.findings.count(ERROR):
        verdict.verdict = FOUND


def _stop(made: Judgement[T], err: ReadError) -> None:
    """Turn what made a file unreadable into its one finding."""
    made.verdict.verdict = NOT_JUDGED
    file = pl.DataFrame({"file": [made.verdict.path], "member": [made.verdict.member]})
    made.findings.replace(
        findings.frame(
            err.code, file, file=pl.col("file"), member=pl.col("member"), value=err.value, expected=err.expected
        )
    )


def _added(sums: dict[str, Decimal], more: dict[str, Decimal]) -> dict[str, Decimal]:
    return {name: money.total((amount, more.get(name))) for name, amount in sums.items()}


def _sums(amounts: pl.DataFrame) -> dict[str, Decimal]:
    return amounts.sum().row(0, named=True) if amounts.width else {}
