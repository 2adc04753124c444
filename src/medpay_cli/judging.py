"""Judge one file: every batch against its layout, then what only the whole file shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import BinaryIO, Generic, TypeVar

import numpy as np
import polars as pl

from medpay_cli import checks, files, findings, formats, money, repeats
from medpay_cli.checks import Flagged
from medpay_cli.control import Declared
from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.findings import ERROR, FileVerdict, Findings, Some
from medpay_cli.formats import LINE, ROW, Batch, LineKind
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import decoded
from medpay_cli.formats.header import named, split_counts
from medpay_cli.layouts import Layout
from medpay_cli.repeats import CANDIDATE_ROW, MARK, Candidates, Keys

T = TypeVar("T")
VALID, FOUND, NOT_JUDGED, STRUCTURE_ONLY = "valid", "findings", "not_judged", "structure_only"
# Findings on one record that leave the whole file unjudged: a limit or an open quote; an end that was cut off.
STOPPING = {"F204", "F205"}
CUT_OFF, UNDECODABLE = "F206", "F102"
REPEATED = "B101"
FINDINGS_AT_ONCE = 100_000
EMPTY = "F208"

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]


@dataclass(frozen=True)
class Terms:
    """On what terms a file is judged: the encoding asked for (before what the dialect declares), which rules apply
    (code prefixes; none selected means all), what was declared of it, and who is told of every batch's records."""

    encoding: str | None = None
    selected: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    declared: Declared = field(default_factory=Declared)
    allow_empty: bool = False
    tick: Callable[[int], None] = lambda _: None

    def applies(self, code: str) -> bool:
        """Whether a rule is held."""
        if findings.always_applies(code):
            return True
        return (not self.selected or code.startswith(self.selected)) and not code.startswith(self.ignored or ("-",))


@dataclass(frozen=True)
class Judgement(Generic[T]):
    """The verdict on a file, its findings, what `also` made of each batch, and what each line is (LineKind)."""

    verdict: FileVerdict
    findings: Findings
    also: list[T] = field(default_factory=list)
    lines: BinaryIO = field(default_factory=files.spool)


@dataclass(frozen=True)
class _Judged(Generic[T]):
    """One batch: findings (rows within the batch), rejected records, sums of readable cells, what each line is, and
    the fingerprints of the keys."""

    found: list[Some]
    rejected: int
    totals: dict[str, Decimal]
    rejected_totals: dict[str, Decimal]
    kinds: Bytes
    keys: repeats.Words | None
    also: T


def judge_file(
    source: Input,
    layout: Layout,
    dialect: Dialect,
    also: Callable[[Batch, Flagged, pl.DataFrame], T],
    terms: Terms,
) -> Judgement[T]:
    """Read a file in parallel batches and hold every record against the layout; a broken file is a verdict too.

    `also` runs on each batch, its flags and its amounts, in a thread; its results come back in file order.
    """
    usual = checks.compile_layout(layout)
    odd = checks.with_characters(layout, usual, terms.applies)
    keys = Keys(layout.key) if layout.key and terms.applies(REPEATED) else None

    def work(batch: Batch) -> _Judged[T]:
        # Amounts rely on every check; a rule that is left out only finds nothing.
        flagged = checks.flag(batch.text, odd if batch.is_odd else usual, (ROW, LINE, *layout.key))
        flagged = replace(flagged, violations=[one for one in flagged.violations if terms.applies(one[0].code)])
        amounts = checks.amounts(flagged, layout.money, ROW)
        faults = batch.faults.filter(
            pl.col("code").is_in([one for one in batch.faults["code"].unique() if terms.applies(one)])
        )
        fingerprints = keys.fingerprints(batch.text) if keys else None
        return _judge(text, batch, layout, flagged, faults, amounts, fingerprints, also(batch, flagged, amounts))

    def gather(batches: Iterator[tuple[Batch, _Judged[T]]]) -> Judgement[T]:
        made = Judgement[T](blank(text, layout, written), Findings())
        verdict, lines, unfit = made.verdict, 0, 0
        widths = Counter[int]()
        last: Batch | None = None
        if keys:
            keys.clear()
        for batch, judged in batches:
            for some in judged.found:
                made.findings.put(some, verdict.records, lines)
            made.also.append(judged.also)
            made.lines.write(judged.kinds.tobytes())
            if keys and judged.keys is not None:
                keys.add(judged.keys)
            lines += batch.lines
            unfit += batch.records - batch.text.height
            widths.update(batch.widths)
            verdict.records += batch.records
            verdict.rejected += judged.rejected
            verdict.totals = _added(verdict.totals, judged.totals)
            verdict.rejected_totals = _added(verdict.rejected_totals, judged.rejected_totals)
            terms.tick(batch.records)
            last = batch
        _whole_file(made, text, written, unfit, widths, last, terms)
        return made

    try:
        text = decoded(source, terms.encoding, dialect.encoding)
        written = replace(dialect, encoding=text.encoding)
        made = formats.read(text, written, {None: layout.names}, work, gather)
        found = keys.repeated() if keys and made.verdict.verdict != NOT_JUDGED else None
        if keys and found is not None:
            _reject_repeated(made, text, layout, written, keys, found)
        _hold_against(made, terms.declared)
        source.check_unchanged()
    except ReadError as err:
        return unreadable(blank(source, layout, dialect), err)
    return made


def blank(source: Input, layout: Layout, dialect: Dialect) -> FileVerdict:
    """The verdict before the first record."""
    nothing = {one.name: Decimal(0) for one in layout.money}
    return FileVerdict(
        path=files.shown(source.path),
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
    verdict.is_read = False
    _stop(made, err)
    return made


def _judge(
    source: Input,
    batch: Batch,
    layout: Layout,
    flagged: Flagged,
    faults: pl.DataFrame,
    amounts: pl.DataFrame,
    keys: repeats.Words | None,
    also: T,
) -> _Judged[T]:
    faulty = [rows[ROW] for check, rows in flagged.violations if findings.severity(check.code) == ERROR]
    fine = np.zeros(batch.records, np.bool_)
    rows = batch.text[ROW].to_numpy() - 1
    fine[rows] = True
    for wrong in faulty:
        fine[wrong.to_numpy() - 1] = False
    rejected = amounts.filter(pl.Series(~fine[rows])) if faulty and amounts.width else amounts.clear()
    kinds = batch.kinds.copy()
    kinds[np.flatnonzero(kinds == LineKind.RECORD)[~fine]] = LineKind.REJECTED
    return _Judged(
        found=list(_found(source, batch, layout, flagged, faults)),
        rejected=batch.records - int(fine.sum()),
        totals=_sums(amounts),
        rejected_totals=_sums(rejected),
        kinds=kinds,
        keys=keys,
        also=also,
    )


def _found(source: Input, batch: Batch, layout: Layout, flagged: Flagged, faults: pl.DataFrame) -> Iterator[Some]:
    """The findings of a batch in order; where there are many, from a few lines at a time in bounded memory."""
    place = {"file": pl.lit(files.shown(source.path), pl.String), "member": pl.lit(source.member, pl.String)}
    count = faults.height + sum(rows.height for _, rows in flagged.violations)
    step = max(batch.lines * FINDINGS_AT_ONCE // max(count, 1), 1)
    for first in range(1, batch.lines + 1, step) if count else ():
        frames = [faults.filter(pl.col("line").is_between(first, first + step - 1))]
        for check, rows in flagged.violations:
            name = check.field.name
            frames.append(
                findings.frame(
                    check.code,
                    rows.filter(pl.col(LINE).is_between(first, first + step - 1)),
                    row=pl.col(ROW),
                    line=pl.col(LINE),
                    field=name,
                    column=batch.columns.get(name),
                    value=pl.col(name),
                    expected=check.expected,
                    key=_key(layout),
                )
            )
        ordered = pl.concat(frames).sort("line", "row", "field", "code", maintain_order=True)
        yield Some.of(ordered.with_columns(**place))


def _key(layout: Layout) -> pl.Expr:
    return pl.struct(layout.key).struct.json_encode() if layout.key else pl.lit(None, pl.String)


def _reject_repeated(
    made: Judgement[T], text: Input, layout: Layout, dialect: Dialect, keys: Keys, found: repeats.Flags
) -> None:
    """Put a finding on every record of a repeated key and reject them all; the file is read once more."""

    def work(batch: Batch) -> pl.DataFrame:
        marks = keys.fingerprints(batch.text)
        amounts = (checks.typed(one).alias(_AMOUNT + one.name) for one in layout.money)
        return (
            batch.text.with_columns(pl.Series(MARK, marks))
            .filter(repeats.candidates(marks, found))
            .select(pl.col(ROW).alias(CANDIDATE_ROW), LINE, MARK, *layout.key, *amounts)
        )

    def gather(batches: Iterator[tuple[Batch, pl.DataFrame]]) -> Candidates:
        gathered, records, lines = Candidates(layout.key), 0, 0
        made.lines.seek(0)
        for batch, frame in batches:
            kinds = np.frombuffer(made.lines.read(batch.lines), np.uint8)
            rejected = kinds[kinds <= LineKind.REJECTED] == LineKind.REJECTED
            gathered.add(
                frame.with_columns(
                    pl.Series(_REJECTED, rejected[frame[CANDIDATE_ROW].to_numpy() - 1]),
                    pl.col(CANDIDATE_ROW) + records,
                    pl.col(LINE) + lines,
                )
            )
            records += batch.records
            lines += batch.lines
        return gathered

    gathered = formats.read(text, dialect, {None: layout.names}, work, gather)
    times = gathered.times(made.verdict.records)
    verdict = made.verdict

    def repeated() -> Iterator[pl.DataFrame]:
        for frame in gathered:
            rows = frame[CANDIDATE_ROW].to_numpy()
            counted = frame.with_columns(pl.Series(MARK, times[rows])).filter(pl.col(MARK) > 1)
            newly = counted.filter(~pl.col(_REJECTED))
            verdict.rejected += newly.height
            sums = _sums(newly.select(pl.col(_AMOUNT + one.name).alias(one.name) for one in layout.money))
            verdict.rejected_totals = _added(verdict.rejected_totals, sums)
            yield findings.frame(
                REPEATED, counted, file=verdict.path, member=text.member, row=pl.col(CANDIDATE_ROW), line=pl.col(LINE),
                value=pl.col(MARK).cast(pl.String), expected="1", key=_key(layout),
            )  # fmt: skip

    made.findings.merge(repeated())
    _mark_rejected(made.lines, times > 1)
    if verdict.verdict == VALID and made.findings.count(ERROR):
        verdict.verdict = FOUND


_AMOUNT, _REJECTED = "\x1famount", "\x1frejected"


def _mark_rejected(lines: BinaryIO, rejected: repeats.Flags) -> None:
    """Turn the lines of these records (by row from 1) into rejected ones."""
    row = at = 0
    lines.seek(0)
    while block := lines.read(1 << 20):
        kinds = np.frombuffer(block, np.uint8).copy()
        records = np.flatnonzero(kinds <= LineKind.REJECTED)
        kinds[records[rejected[row + 1 : row + 1 + len(records)]]] = LineKind.REJECTED
        lines.seek(at)
        lines.write(kinds.tobytes())
        row += len(records)
        at += len(block)
        lines.seek(at)


def _whole_file(
    made: Judgement[T],
    source: Input,
    dialect: Dialect,
    unfit: int,
    widths: Counter[int],
    last: Batch | None,
    terms: Terms,
) -> None:
    """Leave a file unjudged where it holds nothing, nothing in it fits, or it cannot be read to its end."""
    verdict = made.verdict
    codes = {code for code, _, _ in made.findings.counts}
    if verdict.records == 0 or last is None:
        if not (terms.allow_empty or terms.declared.records == 0):
            _stop(made, ReadError(EMPTY))
        return
    others = widths - Counter([last.open_width or 0])
    narrower = dialect.mixed_widths and (last.open_width or 0) in range(1, min(others, default=0))
    if codes & STOPPING:
        verdict.verdict = NOT_JUDGED
        verdict.is_read = False
    elif unfit == verdict.records and widths:
        permitted = " | ".join(str(width) for width in dialect.widths or last.permitted)
        skipped = dialect.preamble + dialect.header
        _stop(made, ReadError("F201", split_counts(source, skipped), f"{named(dialect.delimiter)}: {permitted}"))
    elif unfit == verdict.records and UNDECODABLE in codes:
        first = next(made.findings.frames()).filter(code=UNDECODABLE)["value"]
        _stop(made, ReadError("F202", value=first[0] if len(first) else None, expected=dialect.encoding))
    elif unfit == verdict.records or CUT_OFF in codes:
        verdict.verdict = NOT_JUDGED
    elif narrower:
        expected = " | ".join(str(width) for width in sorted(others))
        _stop(made, ReadError(CUT_OFF, value=str(last.open_width), expected=expected))
    elif made.findings.count(ERROR):
        verdict.verdict = FOUND


def _hold_against(made: Judgement[T], declared: Declared) -> None:
    """Leave a file unjudged that holds other than what was declared of it."""
    verdict = made.verdict
    if verdict.verdict == NOT_JUDGED:
        return
    for name, found, expected in declared.contradicted(verdict.records, verdict.totals):
        verdict.verdict = NOT_JUDGED
        made.findings.add(
            findings.frame(
                "B201", _file_of(verdict), file=pl.col("file"), member=pl.col("member"), value=found,
                expected=expected, field=name,
            )
        )  # fmt: skip


def _file_of(verdict: FileVerdict) -> pl.DataFrame:
    return pl.DataFrame({"file": [verdict.path], "member": [verdict.member]}, {"file": pl.String, "member": pl.String})


def _stop(made: Judgement[T], err: ReadError) -> None:
    """Turn what made a file unreadable into its one finding."""
    made.verdict.verdict = NOT_JUDGED
    made.findings.replace(
        findings.frame(
            err.code, _file_of(made.verdict), file=pl.col("file"), member=pl.col("member"), value=err.value,
            expected=err.expected,
        )
    )  # fmt: skip


def _added(sums: dict[str, Decimal], more: dict[str, Decimal]) -> dict[str, Decimal]:
    return {name: money.total((amount, more.get(name))) for name, amount in sums.items()}


def _sums(amounts: pl.DataFrame) -> dict[str, Decimal]:
    try:
        return amounts.sum().row(0, named=True) if amounts.width else {}
    except pl.exceptions.PolarsError:  # beyond 38 digits
        return {name: money.total(amounts[name]) for name in amounts.columns}
