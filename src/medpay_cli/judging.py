"""Judge one file: every batch against the layout of its node, then what only the whole file shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import BinaryIO, Generic, TypeVar

import numpy as np
import polars as pl

from medpay_cli import checks, control, files, findings, formats, money, repeats
from medpay_cli.checks import Check, Flagged
from medpay_cli.control import Declared
from medpay_cli.dialects import RECORDS, Dialect
from medpay_cli.errors import InternalError, MedpayError, ReadError
from medpay_cli.findings import ERROR, FileVerdict, Findings, Some
from medpay_cli.formats import LINE, PATH, ROW, Batch, LineKind, lines
from medpay_cli.formats.archive import Input
from medpay_cli.formats.text.header import named, split_counts
from medpay_cli.layouts import Layout
from medpay_cli.repeats import CANDIDATE_ROW, MARK, Candidates, Keys

T = TypeVar("T")
VALID, FOUND, NOT_JUDGED, STRUCTURE_ONLY = "valid", "findings", "not_judged", "structure_only"
# Findings on one record that leave the whole file unjudged: a limit or an open quote; an end that was cut off.
STOPPING = {"F204", "F205"}
CUT_OFF, UNDECODABLE = "F206", "F102"
REPEATED = "B101"
FINDINGS_AT_ONCE = 200_000
EMPTY = "F208"

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Whole = np.ndarray[tuple[int], np.dtype[np.uint64]]
Also = Callable[[Batch, Flagged, pl.DataFrame], T]


@dataclass(frozen=True)
class Terms:
    """On what terms a file is judged: the encoding asked for (before what the dialect declares), which rules apply
    (code prefixes; none selected means all), what was declared of it, after how many records (or some more) it is
    left, and who is told of every batch's records."""

    encoding: str | None = None
    selected: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    declared: Declared = field(default_factory=Declared)
    allow_empty: bool = False
    at_most: int | None = None
    tick: Callable[[int], None] = lambda _: None

    def applies(self, code: str) -> bool:
        """Whether a rule is held."""
        if findings.always_applies(code):
            return True
        return (not self.selected or code.startswith(self.selected)) and not code.startswith(self.ignored or ("-",))


@dataclass(frozen=True)
class Judgement(Generic[T]):
    """The verdict on the records of one node, their findings, what `also` made of each batch, what each line is
    (LineKind), or each record where a format has no lines, and a way to read some records again (see `formats.again`).
    """

    verdict: FileVerdict
    findings: Findings
    also: list[T] = field(default_factory=list)
    lines: BinaryIO = field(default_factory=files.spool)
    again: Callable[[repeats.Flags], Iterator[pl.DataFrame]] = lambda _: iter(())


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


class _Desk(Generic[T]):
    """Where the records of one node are judged: `work` on a batch, in a thread; `take` its result, in order."""

    def __init__(self, layout: Layout, terms: Terms, also: Also[T]) -> None:
        self.layout = layout
        self._terms = terms
        self._also = also
        self._usual = checks.compile_layout(layout)
        self._odd = checks.with_characters(layout, self._usual, terms.applies)
        self.keys = Keys(layout.key) if layout.key and terms.applies(REPEATED) else None

    def begin(self, source: Input, dialect: Dialect, names: formats.Names, node: str | None) -> None:
        """Nothing is read yet."""
        self.source, self.dialect, self.names = source, dialect, names
        self.made = Judgement[T](blank(source, self.layout, dialect, node), Findings(), again=self._again)
        self.lines = self.unfit = 0
        self.widths = Counter[int]()
        self.declared: list[Declared] = []
        self.last: Batch | None = None
        if self.keys:
            self.keys.clear()

    def work(self, batch: Batch) -> _Judged[T]:
        """Hold a batch against the layout."""
        keep = [name for name in (ROW, LINE, PATH) if name in batch.text.columns]
        # Amounts rely on every check; a rule that is left out only finds nothing.
        flagged = checks.flag(batch.text, self._odd if batch.is_odd else self._usual, (*keep, *self.layout.key))
        applies = self._terms.applies
        flagged = replace(flagged, violations=[one for one in flagged.violations if applies(one[0].code)])
        amounts = checks.amounts(flagged, self.layout.money, ROW)
        left_out = [code for code in batch.faults["code"].unique() if not applies(code)]
        faults = batch.faults.filter(~pl.col("code").is_in(left_out)) if left_out else batch.faults
        faulty = [rows[ROW] for check, rows in flagged.violations if findings.severity(check.code) == ERROR]
        wrong_at_reading = faults.filter(pl.col("severity") == ERROR)["row"].drop_nulls()
        fine = np.zeros(batch.records, np.bool_)
        rows = batch.text[ROW].to_numpy() - 1
        fine[rows] = True
        for wrong in (*faulty, wrong_at_reading):
            fine[wrong.to_numpy() - 1] = False
        some_wrong = bool(faulty) or len(wrong_at_reading) > 0
        rejected = amounts.filter(pl.Series(~fine[rows])) if some_wrong and amounts.width else amounts.clear()
        kinds = batch.kinds.copy()
        kinds[np.flatnonzero(kinds == LineKind.RECORD)[~fine]] = LineKind.REJECTED
        return _Judged(
            found=list(self._found(batch, flagged, faults)),
            rejected=batch.records - int(fine.sum()),
            totals=money.sums(amounts),
            rejected_totals=money.sums(rejected),
            kinds=kinds,
            keys=self._fingerprints(batch, rows),
            also=self._also(batch, flagged, amounts),
        )

    def _fingerprints(self, batch: Batch, rows: Whole) -> repeats.Words | None:
        """One for every record; 0 for one that does not fit."""
        if self.keys is None:
            return None
        words = np.zeros(batch.records, np.uint64)
        words[rows] = self.keys.fingerprints(batch.text)
        return words

    def _found(self, batch: Batch, flagged: Flagged, faults: pl.DataFrame) -> Iterator[Some]:
        """The findings of a batch in order; where there are many, from a few records at a time in bounded memory."""
        place = {
            "file": pl.lit(files.shown(self.source.path), pl.String),
            "member": pl.lit(self.source.member, pl.String),
            "node": pl.lit(batch.node, pl.String),
        }
        count = faults.height + sum(rows.height for _, rows in flagged.violations)
        by, most = ("line", batch.lines) if batch.lines else ("row", batch.records)
        most = max(most, 1)  # something may be wrong where there is no record
        step = max(most * FINDINGS_AT_ONCE // max(count, 1), 1)
        for first in range(1, most + 1, step) if count else ():
            frames = []
            for kind, (check, rows) in enumerate([(None, faults), *flagged.violations]):
                at = by if kind == 0 else {"line": LINE, "row": ROW}[by]
                near = pl.col(at).is_between(first, first + step - 1)
                if first == 1:
                    near |= pl.col(at).is_null()
                some = rows.filter(near) if step < most else rows
                if not some.is_empty():
                    frames.append(some if check is None else self._of_check(batch, check, some))
            if frames:
                ordered = frames[0] if len(frames) == 1 else pl.concat(frames).sort(*ORDER, maintain_order=True)
                counted = [one for frame in frames for one in findings.counts(frame)]
                yield Some.of(ordered.with_columns(**place), counted, are_many=self.made.findings.are_many)

    def _of_check(self, batch: Batch, check: Check, rows: pl.DataFrame) -> pl.DataFrame:
        name = check.field.name
        column = batch.columns.get(name)
        return findings.frame(
            check.code, rows, row=pl.col(ROW), line=pl.col(LINE), field=name, column=column, value=pl.col(name),
            expected=check.expected, key=_key(self.layout), path=self._path(rows, name, column),
        )  # fmt: skip

    def _path(self, rows: pl.DataFrame, name: str, column: int | None) -> pl.Expr:
        """Where a cell stands, in formats that have such addresses: `/claims/claim[3]/setl_id`, `C5`."""
        if self.dialect.format == "xlsx" and column is not None:
            return pl.lit(formats.letters(column)) + pl.col(LINE).cast(pl.String)
        return pl.col(PATH) + f"/{name}" if PATH in rows.columns else pl.lit(None, pl.String)

    def take(self, batch: Batch, judged: _Judged[T]) -> None:
        """Take in what was found of a batch. Raises ReadError F220 for a control line that declares no number."""
        self.declared += _declared(batch, self.layout)
        made, verdict = self.made, self.made.verdict
        for some in judged.found:
            made.findings.put(some, verdict.records, self.lines)
        made.also.append(judged.also)
        made.lines.write(judged.kinds.tobytes())
        if self.keys and judged.keys is not None:
            self.keys.add(judged.keys)
        self.lines += batch.lines
        self.unfit += batch.records - batch.text.height
        self.widths.update(batch.widths)
        verdict.records += batch.records
        verdict.rejected += judged.rejected
        verdict.totals = _added(verdict.totals, judged.totals)
        verdict.rejected_totals = _added(verdict.rejected_totals, judged.rejected_totals)
        self.last = batch
        self._terms.tick(batch.records)

    def close(self) -> None:
        """Leave the file unjudged where nothing in it fits, or it cannot be read to its end."""
        verdict, found, last = self.made.verdict, self.made.findings, self.last
        if last is None or not verdict.records:
            return
        codes = {code for code, _, _ in found.counts}
        others = self.widths - Counter([last.open_width or 0])
        narrower = self.dialect.mixed_widths and (last.open_width or 0) in range(1, min(others, default=0))
        if codes & STOPPING:
            verdict.verdict = NOT_JUDGED
            verdict.is_read = False
        elif self.unfit == verdict.records and self.widths:
            permitted = " | ".join(str(width) for width in self.dialect.widths or last.permitted)
            skipped = self.dialect.above + self.dialect.header
            expected = f"{named(self.dialect.delimiter)}: {permitted}"
            _stop(self.made, ReadError("F201", split_counts(self.source, skipped), expected))
        elif self.unfit == verdict.records and UNDECODABLE in codes:
            first = next(found.frames()).filter(code=UNDECODABLE)["value"]
            _stop(self.made, ReadError("F202", first[0] if len(first) else None, self.dialect.encoding))
        elif self.unfit == verdict.records or CUT_OFF in codes:
            verdict.verdict = NOT_JUDGED
        elif narrower:
            expected = " | ".join(str(width) for width in sorted(others))
            _stop(self.made, ReadError(CUT_OFF, value=str(last.open_width), expected=expected))
        elif found.count(ERROR):
            verdict.verdict = FOUND

    def reject_repeated(self) -> None:
        """Put a finding on every record of a repeated key and reject them all; only those records are read again."""
        verdict = self.made.verdict
        found = self.keys.repeated() if self.keys and verdict.verdict != NOT_JUDGED else None
        if self.keys is None or found is None:
            return
        wanted, marks = self.keys.candidates(found)
        gathered = Candidates(self.layout.key)
        rejected = lines.rejected(self.made.lines)[wanted]
        at = 0
        for text in self._again(wanted):
            here = slice(at, at := at + text.height)
            amounts = (checks.typed(one).alias(_AMOUNT + one.name) for one in self.layout.money)
            gathered.add(
                text.select(
                    pl.col(ROW).alias(CANDIDATE_ROW), LINE, *(PATH,) * (PATH in text.columns), *self.layout.key,
                    *amounts, pl.Series(MARK, marks[here]), pl.Series(_REJECTED, rejected[here]),
                )
            )  # fmt: skip
        times = gathered.times(verdict.records)
        self.made.findings.merge(self._repeated(gathered, times), "line" if self.lines else "row")
        lines.reject(self.made.lines, times[1:] > 1)
        if verdict.verdict == VALID and self.made.findings.count(ERROR):
            verdict.verdict = FOUND

    def _again(self, wanted: repeats.Flags) -> Iterator[pl.DataFrame]:
        held = self.last.width if self.last else None
        dialect = (
            replace(self.dialect, widths=(held,)) if held is not None and not self.dialect.header else self.dialect
        )
        node = self.made.verdict.node
        kinds = self.made.lines if self.lines else None
        yield from formats.again(self.source, dialect, self.names, node, kinds, wanted)

    def _repeated(self, gathered: Candidates, times: repeats.Times) -> Iterator[pl.DataFrame]:
        verdict = self.made.verdict
        for frame in gathered:
            rows = frame[CANDIDATE_ROW].to_numpy()
            counted = frame.with_columns(pl.Series(MARK, times[rows])).filter(pl.col(MARK) > 1)
            newly = counted.filter(~pl.col(_REJECTED))
            verdict.rejected += newly.height
            sums = money.sums(newly.select(pl.col(_AMOUNT + one.name).alias(one.name) for one in self.layout.money))
            verdict.rejected_totals = _added(verdict.rejected_totals, sums)
            yield findings.frame(
                REPEATED, counted, file=verdict.path, member=verdict.member, node=verdict.node,
                row=pl.col(CANDIDATE_ROW), line=pl.col(LINE), value=pl.col(MARK).cast(pl.String), expected="1",
                key=_key(self.layout), path=pl.col(PATH) if PATH in frame.columns else None,
            )  # fmt: skip


_AMOUNT, _REJECTED = "\x1famount", "\x1frejected"
ORDER = ("line", "row", "field", "code")


def judge_file(source: Input, layout: Layout, dialect: Dialect, also: Also[T], terms: Terms) -> Judgement[T]:
    """The judgement on a file that holds one kind of record."""
    return judge_nodes(source, {dialect.parts[0].name: layout}, dialect, also, terms)[0]


def judge_nodes(
    source: Input, layouts: Mapping[str | None, Layout], dialect: Dialect, also: Also[T], terms: Terms
) -> list[Judgement[T]]:
    """Read a file in parallel batches and hold every record against the layout of its node; a broken file is a verdict
    too, and of a file that cannot be read the first node holds the finding.

    `also` runs on each batch, its flags and its amounts, in a thread; its results come back in file order.
    """
    desks = {node: _Desk(layout, terms, also) for node, layout in layouts.items()}
    names = {node: layout.names for node, layout in layouts.items()}

    def work(batch: Batch) -> _Judged[T]:
        return desks[batch.node].work(batch)

    def gather(batches: Iterator[tuple[Batch, _Judged[T]]]) -> None:
        for node, desk in desks.items():
            desk.begin(text, written, names, node)
        for batch, judged in batches:
            desks[batch.node].take(batch, judged)
            if terms.at_most and sum(desk.made.verdict.records for desk in desks.values()) >= terms.at_most:
                break

    try:
        text = formats.prepared(source, dialect, terms.encoding)
        written = replace(dialect, encoding=text.encoding)
        try:
            formats.read(text, written, names, work, gather)
            _close(list(desks.values()), terms)
        except (InternalError, IndexError):
            source.check_unchanged()  # what is read twice must be the same twice
            raise
        source.check_unchanged()
    except ReadError as err:
        return [
            unreadable(blank(source, layout, dialect, node), err if number == 0 else None)
            for number, (node, layout) in enumerate(layouts.items())
        ]
    return [desk.made for desk in desks.values()]


def _close(desks: list[_Desk[T]], terms: Terms) -> None:
    """What only the whole file shows."""
    is_empty = not any(desk.made.verdict.records for desk in desks)
    # What was declared of the file holds for all of it only.
    declared = [terms.declared, *(desks[0].declared if not terms.at_most else ())]
    if is_empty and not terms.allow_empty and all(one.records != 0 for one in declared):
        for desk in desks:
            desk.made.verdict.verdict = NOT_JUDGED
        _stop(desks[0].made, ReadError(EMPTY))
    for desk in desks:
        desk.close()
    if not all(desk.made.verdict.is_read for desk in desks):
        for desk in desks:  # nobody knows what stands behind the place where the reading stopped
            desk.made.verdict.verdict = NOT_JUDGED
            desk.made.verdict.is_read = False
    for desk in desks:
        desk.reject_repeated()
    _hold_against(desks[0].made, declared)


def blank(source: Input, layout: Layout, dialect: Dialect, node: str | None = None) -> FileVerdict:
    """The verdict before the first record."""
    nothing = {one.name: Decimal(0) for one in layout.money}
    return FileVerdict(
        path=files.shown(source.path),
        member=source.member,
        node=node,
        layout=layout.id or None,
        dialect=dialect.name or None,
        encoding=source.encoding or dialect.encoding,
        verdict=VALID,
        totals=nothing,
        rejected_totals=dict(nothing),
        scales={one.name: one.scale for one in layout.money},
        partner=dialect.partner,
    )


def unreadable(verdict: FileVerdict, err: ReadError | None) -> Judgement[T]:
    """The judgement on a file that cannot be read: one finding, if nobody else holds it."""
    made = Judgement[T](verdict, Findings())
    verdict.is_read = False
    verdict.verdict = NOT_JUDGED
    if err is not None:
        _stop(made, err)
    return made


def _key(layout: Layout) -> pl.Expr:
    return pl.struct(layout.key).struct.json_encode() if layout.key else pl.lit(None, pl.String)


def _declared(batch: Batch, layout: Layout) -> Iterator[Declared]:
    """What the control lines beside a batch declare of the file; other items say nothing of its records."""
    sums = [one.name for one in layout.money]
    for place, name, text in batch.declared:
        if name == RECORDS or name in sums:
            try:
                yield control.declared(name, text, place)
            except MedpayError as err:
                raise ReadError("F220", value=f"{place}: {name}", expected="N" if name == RECORDS else "N.NN") from err


def _hold_against(made: Judgement[T], declared: Iterable[Declared]) -> None:
    """Leave a file unjudged that holds other than what was declared of it."""
    verdict = made.verdict
    if verdict.verdict == NOT_JUDGED:
        return
    contradicted = (some for one in declared for some in one.contradicted(verdict.records, verdict.totals))
    for name, found, expected in dict.fromkeys(contradicted):
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
