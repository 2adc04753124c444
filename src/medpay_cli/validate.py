"""Validate: scan the files, hold every record against its layout, and say what can be relied on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from medpay_cli import checks, dialects, findings, formats, layouts, money
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.findings import ERROR, FileVerdict, Findings, Outcome
from medpay_cli.formats import Batch, archive
from medpay_cli.formats.archive import Input
from medpay_cli.formats.delimited import split_counts
from medpay_cli.layouts import Layout

VALID, FOUND, NOT_JUDGED = "valid", "findings", "not_judged"
# Findings that leave a whole file unjudged, wherever in it they turn up.
STOPS = ("F206",)


@dataclass(frozen=True)
class Judged:
    """What one batch gave: findings (placed within the batch), rejected records, sums of readable cells."""

    found: pl.DataFrame
    rejected: int
    totals: dict[str, Decimal]
    rejected_totals: dict[str, Decimal]


def validate(paths: Iterable[str], layout: str | None = None, dialect: str | None = None) -> Outcome:
    """Hold files against a layout (a shipped name or FILE.json) in a dialect (a shipped name or FILE.toml).

    One of the two is enough where the dialect names the layout, or one shipped dialect writes it. Wrong data is
    in the Outcome; raises MedpayError for what cannot be done as asked.
    """
    used_layout, used_dialect = chosen(layout, dialect)
    verdicts: list[FileVerdict] = []
    found = Findings()
    for path in paths:
        source = Source.parse(path)
        try:
            sources = archive.inputs(source)
        except ReadError as err:
            sources = []
            verdict, stopped = _blank(source.path, source.member, used_layout, used_dialect), Findings()
            stop(verdict, stopped, err)
            verdicts.append(verdict)
            found.extend(stopped)
        for one in sources:
            verdict, of_file = judge_file(one, used_layout, used_dialect)
            verdicts.append(verdict)
            found.extend(of_file)
    return Outcome(
        files=verdicts,
        findings=found,
        exit_code=exit_code(verdicts),
        titles={field.name: (field.title("zh"), field.title("en")) for field in used_layout.fields},
        sensitivity={field.name: field.sensitivity for field in used_layout.fields if field.sensitivity},
    )


def chosen(layout: str | None, dialect: str | None) -> tuple[Layout, Dialect]:
    """The layout and dialect to use; whichever was not named follows from the other."""
    if layout is None and dialect is None:
        raise MedpayError("name_layout")
    if dialect is not None:
        used = dialects.load(dialect)
        return layouts.load(layout or used.layout), used
    wanted = layouts.load(str(layout))
    writing = [one for one in map(dialects.load, dialects.names()) if layouts.load(one.layout).id == wanted.id]
    if len(writing) != 1:
        raise MedpayError("name_dialect", layout=wanted.id, found=", ".join(one.name for one in writing) or "-")
    return wanted, writing[0]


def judge_file(source: Input, layout: Layout, dialect: Dialect) -> tuple[FileVerdict, Findings]:
    """The verdict on one file and its findings."""
    compiled = checks.compile_layout(layout)
    sums = [checks.typed(field).sum().alias(field.name) for field in layout.money]

    def work(batch: Batch) -> Judged:
        return judge(batch, layout, compiled, sums)

    def gather(batches: Iterator[tuple[Batch, Judged]]) -> tuple[FileVerdict, Findings]:
        verdict, found = _blank(source.path, source.member, layout, dialect), Findings()
        widths = Counter[int]()
        lines = unfit = 0
        for batch, judged in batches:
            placed = place(judged.found, verdict.records, lines, source)
            found.add(placed)
            lines += batch.lines
            unfit += batch.records - batch.text.height
            widths.update(batch.widths)
            verdict.records += batch.records
            verdict.rejected += judged.rejected
            for sums_of, added in ((verdict.totals, judged.totals), (verdict.rejected_totals, judged.rejected_totals)):
                for name, amount in added.items():
                    sums_of[name] = money.total((sums_of.get(name), amount))
        if found.count(ERROR):
            verdict.verdict = FOUND
        whole_file_fault(verdict, found, source, dialect, unfit, widths)
        return verdict, found

    try:
        return formats.read(source, dialect, layout.names, work, gather)
    except ReadError as err:
        verdict, found = _blank(source.path, source.member, layout, dialect), Findings()
        stop(verdict, found, err)
        return verdict, found


def judge(batch: Batch, layout: Layout, compiled: tuple[checks.Check, ...], sums: list[pl.Expr]) -> Judged:
    """Hold one batch against the checks; rows and lines stay within the batch."""
    text = batch.text
    flagged = checks.flag(text, compiled)
    key = pl.struct(layout.key).struct.json_encode() if layout.key else pl.lit(None, pl.String)
    position = {name: number for number, name in enumerate(layout.names, 1)}
    frames = [
        findings.frame(
            check.code,
            rows,
            field=check.field.name,
            column=position[check.field.name],
            value=pl.col(check.field.name),
            expected=check.expected,
            key=key,
        )
        for check, rows in flagged
    ]
    faulty = [rows.select("row") for (check, rows) in flagged if findings.severity(check.code) == ERROR]
    rejected_totals: dict[str, Decimal] = {}
    rejected = batch.records - text.height
    if faulty:
        rows = text.join(pl.concat(faulty).unique(), on="row", how="semi")
        rejected += rows.height
        rejected_totals = _sums(rows, sums)
    found = pl.concat([batch.faults, *frames])
    if frames:
        found = found.sort("line", "row", "field", "code", nulls_last=False, maintain_order=True)
    return Judged(found, rejected, _sums(text, sums), rejected_totals)


def place(found: pl.DataFrame, records: int, lines: int, source: Input) -> pl.DataFrame:
    """Findings of a batch with their rows and lines counted from the start of the file."""
    return found.with_columns(
        row=pl.col("row") + records,
        line=pl.col("line") + lines,
        file=pl.lit(source.path, pl.String),
        member=pl.lit(source.member, pl.String),
    )


def whole_file_fault(
    verdict: FileVerdict, found: Findings, source: Input, dialect: Dialect, unfit: int, widths: Counter[int]
) -> None:
    """Leave a file unjudged where nothing in it fits, where it holds nothing, or where its end was cut off."""
    if verdict.records == 0:
        stop(verdict, found, ReadError("F208"))
    elif unfit == verdict.records:
        if widths:
            permitted = " | ".join(str(width) for width in dialect.widths)
            mark = {"\t": "TAB"}.get(dialect.delimiter, dialect.delimiter)
            stop(verdict, found, ReadError("F201", split_counts(source), f"{mark}: {permitted}"))
        else:
            stop(verdict, found, ReadError("F202", expected=dialect.encoding))
    elif any(code in STOPS for code, _, _ in found.counts):
        verdict.verdict = NOT_JUDGED


def stop(verdict: FileVerdict, found: Findings, err: ReadError) -> None:
    """Turn what made a file unreadable into its one finding."""
    verdict.verdict = NOT_JUDGED
    verdict.reason = err.code
    found.replace(
        findings.frame(
            err.code,
            pl.DataFrame({"file": [verdict.path]}),
            member=verdict.member,
            value=err.value,
            expected=err.expected,
        )
    )


def exit_code(verdicts: list[FileVerdict]) -> int:
    """0, 1, 3 or 4 as the contract combines the verdicts of several files."""
    unjudged = sum(one.verdict == NOT_JUDGED for one in verdicts)
    if unjudged:
        return 3 if unjudged == len(verdicts) else 4
    return int(any(one.verdict == FOUND for one in verdicts))


def _sums(text: pl.DataFrame, sums: list[pl.Expr]) -> dict[str, Decimal]:
    return text.select(sums).row(0, named=True) if sums else {}


def _blank(path: str, member: str | None, layout: Layout, dialect: Dialect) -> FileVerdict:
    return FileVerdict(
        path=path,
        member=member,
        layout=layout.id,
        dialect=dialect.name,
        encoding=dialect.encoding,
        verdict=VALID,
        totals={field.name: Decimal(0) for field in layout.money},
        rejected_totals={field.name: Decimal(0) for field in layout.money},
        scales={field.name: field.scale for field in layout.money},
    )
