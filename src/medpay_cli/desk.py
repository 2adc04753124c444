"""The desk where the records of one node are judged: batch by batch, and what is read again in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO, Generic, NamedTuple, TypeVar

import numpy as np
import polars as pl

from medpay_cli import checks, control, files, findings, formats, money, repeats, rules, sieves
from medpay_cli.checks import Check, Flagged
from medpay_cli.control import Declared, Tally
from medpay_cli.dialects import RECORDS, Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.findings import ERROR, FileVerdict, Findings, Some
from medpay_cli.fingerprints import Flags, Words
from medpay_cli.formats import LINE, PATH, ROW, Batch, LineKind, lines
from medpay_cli.formats.archive import Input
from medpay_cli.formats.text.header import named, split_counts
from medpay_cli.frames import Frames
from medpay_cli.layouts import Field, Layout
from medpay_cli.partners import Profile
from medpay_cli.repeats import CANDIDATE_ROW, MARK, Candidates, Keys
from medpay_cli.rules import EXPECTED, Held, together
from medpay_cli.rules.together import NUMBER, Together
from medpay_cli.sieves import Sieve
from medpay_cli.waivers import WAIVED, Waiver

T = TypeVar("T")
VALID, FOUND, NOT_JUDGED, STRUCTURE_ONLY = "valid", "findings", "not_judged", "structure_only"
# Findings on one record that leave the whole file unjudged: a limit or an open quote; an end that was cut off.
STOPPING = {"F204", "F205"}
CUT_OFF, UNDECODABLE = "F206", "F102"
REPEATED, NOT_UNIQUE = "B101", "B102"
FINDINGS_AT_ONCE = 200_000

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Whole = np.ndarray[tuple[int], np.dtype[np.uint64]]
Again = Callable[[Flags], Iterator[pl.DataFrame]]
Also = Callable[[Batch, Flagged, pl.DataFrame, Flags], T]


@dataclass(frozen=True)
class Terms:
    """On what terms a file is judged.

    The encoding asked for (before what the dialect declares); which rules apply (code prefixes; none selected means
    all), how a partner's profile holds them, who answers for what they find, on which day, whether rules about whole
    records are held at all; what was gathered of other files that it is held against (by record kind), or whether it is
    gathered here for such; what was declared of the file, which manifest was named, and by path what a manifest
    says; after how many records (or some more) it is left; how many bytes of text are read at a time, where memory is
    short; who is told of every batch's records.
    """

    encoding: str | None = None
    selected: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    profile: Profile = field(default_factory=Profile)
    waivers: tuple[Waiver, ...] = ()
    as_of: date = field(default_factory=date.today)
    with_rules: bool = True
    against: Mapping[str, Frames] = field(default_factory=dict)
    gathers: bool = False
    declared: Declared = field(default_factory=Declared)
    manifest: str | None = None
    beside: Mapping[str, Declared] = field(default_factory=dict)
    allow_empty: bool = False
    at_most: int | None = None
    part: int | None = None
    tick: Callable[[int], None] = lambda _: None

    @property
    def of_a_part(self) -> Terms:
        """The same for one of several parts: what was declared holds for all of them together."""
        return replace(self, declared=Declared(), allow_empty=self.allow_empty or self.declared.records == 0)

    def applies(self, code: str) -> bool:
        """Whether a rule is held."""
        if findings.always_applies(code):
            return True
        if self.profile.severity.get(code) == "off":
            return False
        return (not self.selected or code.startswith(self.selected)) and not code.startswith(self.ignored or ("-",))

    def severity(self, code: str) -> str:
        """What a finding is to this partner."""
        return self.profile.severity.get(code) or findings.severity(code)


class Violation(NamedTuple):
    """Records of a batch in which something about a field is wrong: its places, the key, the field, and EXPECTED
    where it differs by record."""

    code: str
    field: str
    rows: pl.DataFrame
    expected: str | None = None
    severity: str = ERROR


@dataclass(frozen=True)
class Judgement(Generic[T]):
    """The verdict on the records of one node, their findings, what `also` made of each batch, what each line is
    (LineKind), or each record where a format has no lines, and a way to read some records again (see `formats.again`).

    `not_judged` says of rules that could not be held what they lack, and in how many records a value for them;
    `repeated` tells which records may have a key that others have, by the fields of the key that was looked at;
    `gathered` holds the columns that rules about several records look at, `said` what control lines say beside totals.
    """

    verdict: FileVerdict
    findings: Findings
    also: list[T] = field(default_factory=list)
    lines: BinaryIO = field(default_factory=files.spool)
    again: Again = lambda _: iter(())
    not_judged: list[dict[str, Any]] = field(default_factory=list)
    repeated: dict[tuple[str, ...], Flags] = field(default_factory=dict)
    gathered: Frames = field(default_factory=Frames)
    said: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged(Generic[T]):
    """One batch: findings (rows within the batch), rejected records, sums of readable cells, what each line is, the
    fingerprints of the keys, how many records lack a value for a rule, and what a batch wants to know of them."""

    found: list[Some]
    rejected: int
    totals: dict[str, Decimal]
    rejected_totals: dict[str, Decimal]
    kinds: Bytes
    keys: list[Words]
    unjudged: dict[str, int]
    gathered: pl.DataFrame | None
    tally: Tally
    also: T


@dataclass(frozen=True)
class Measure:
    """What the records of a node are held against, in every part of a file: checks, rules and the columns that these
    look at, what is gathered of them, and the keys that were met so far, by the code of a repeated one."""

    layout: Layout
    usual: tuple[Check, ...]
    odd: tuple[Check, ...]
    rules: Held
    looked_at: list[Field]
    amounts: list[Field]
    gathers: tuple[str, ...]
    keys: list[tuple[str, Keys]]
    sieve: Sieve | None

    @classmethod
    def of(
        cls, layout: Layout, terms: Terms, gathers: tuple[str, ...] = (), also: frozenset[str] | None = None
    ) -> Measure:
        """The measure of a layout's records on these terms; somebody else looks at the text of `also` (None is all)."""
        usual = checks.compile_layout(layout)
        applying = rules.held(layout, terms.profile, terms.applies, terms.as_of) if terms.with_rules else Held()
        names = {*gathers, *(one.name for one in applying.columns)}
        looked_at = [one for one in layout.fields if one.name in names]
        unique = [(REPEATED, layout.key), *((NOT_UNIQUE, fields) for fields in layout.unique)]
        amounts = [*layout.money, *(one for one in looked_at if one.form == "decimal")]
        words = {*gathers, *names} - {one.name for one in amounts}
        words |= {name for _, fields in unique for name in fields}
        words |= {name for said in terms.beside.values() for name in (*said.hashes, *said.constants)}
        words |= also or set()
        return cls(
            layout,
            usual,
            checks.with_characters(layout, usual, terms.applies),
            applying,
            looked_at,
            amounts,
            gathers,
            [(code, Keys(fields)) for code, fields in unique if fields and terms.applies(code)],
            # Where all of the text is wanted, a pattern comes on top of parsing it.
            None if also is None else sieves.sieve(layout.fields, frozenset(words.intersection(layout.names)), amounts),
        )

    def flagged(self, batch: Batch, keep: Sequence[str]) -> Flagged:
        """What the checks say of a batch, with the columns to `keep` of its records."""
        if batch.sifted is not None and self.sieve is not None:
            return checks.flag_sifted(batch.text, batch.sifted, self.usual, self.sieve, keep)
        return checks.flag(batch.text, self.odd if batch.is_odd else self.usual, keep)


class Desk(Generic[T]):
    """Where the records of one node of one part are judged: `work` on a batch, in a thread; `take` its result, in
    order. `into` gives the list that takes what `also` makes of them."""

    def __init__(self, measure: Measure, terms: Terms, also: Also[T], into: Callable[[], list[T]] = list) -> None:
        self.layout = measure.layout
        self.keys = measure.keys
        self._measure = measure
        self._terms = terms
        self._also = also
        self._into = into
        self._before = [keys.count for _, keys in self.keys]

    def begin(
        self, source: Input, dialect: Dialect, names: formats.Names, node: str | None, again: Again | None = None
    ) -> None:
        """Nothing is read yet; `again` reads some records once more where the source itself does not."""
        self.source, self.dialect, self.names = source, dialect, names
        verdict = blank(source, self.layout, dialect, node)
        self.made = Judgement[T](verdict, Findings(), self._into(), again=again or self._again)
        self.lines = self.unfit = 0
        self.spans = lines.Spans()
        self.widths = Counter[int]()
        self.unjudged = Counter[str]()
        self.declared: list[Declared] = []
        # What stands beside the file says of it.
        self.beside = self._terms.beside.get(source.name, Declared())
        self.tally = Tally()
        # Of the batch that was last; the batch itself is not held as long as the desk is.
        self.width: int | None = None
        self.open_width = 0
        self.permitted: tuple[int, ...] = ()
        for (_, keys), before in zip(self.keys, self._before, strict=True):
            keys.cut(before)

    def work(self, batch: Batch) -> Judged[T]:
        """Hold a batch against the layout."""
        keep = [*(name for name in (ROW, LINE, PATH) if name in batch.text.columns), *self.layout.key]
        # Amounts and rules rely on every check; a check that is left out only finds nothing.
        flagged = self._measure.flagged(batch, keep)
        typed = checks.amounts(flagged, self._measure.amounts, ROW)
        amounts = typed.select(one.name for one in self.layout.money)
        fitting = checks.fitting(flagged, typed, self._measure.looked_at, ROW)
        broken, unjudged = self._measure.rules.broken(
            fitting, flagged.records, lambda name: flagged.lost(name, ROW), keep
        )
        applies = self._terms.applies
        violations = [
            *(Violation(check.code, check.field.name, rows, check.expected) for check, rows in flagged.violations),
            *(Violation(*one) for one in broken),
        ]
        violations = [weighed for one in violations if applies(one.code) for weighed in self._weighed(one)]
        left_out = [code for code in batch.faults["code"].unique() if not applies(code)]
        faults = batch.faults.filter(~pl.col("code").is_in(left_out)) if left_out else batch.faults
        faulty = [one.rows[ROW] for one in violations if one.severity == ERROR]
        wrong_at_reading = faults.filter(pl.col("severity") == ERROR)["row"].drop_nulls()
        rows = batch.text[ROW].to_numpy() - 1
        fine = np.ones(batch.records, np.bool_) if len(rows) == batch.records else _at(rows, batch.records)
        for wrong in (*faulty, wrong_at_reading):
            fine[wrong.to_numpy() - 1] = False
        some_wrong = bool(faulty) or len(wrong_at_reading) > 0
        rejected = amounts.filter(pl.Series(~fine[rows])) if some_wrong and amounts.width else amounts.clear()
        wrong_ones = batch.records - int(fine.sum())
        kinds = batch.kinds
        if wrong_ones:
            kinds = kinds.copy()
            kinds[np.flatnonzero(kinds == LineKind.RECORD)[~fine]] = LineKind.REJECTED
        return Judged(
            found=list(self._found(batch, violations, faults)),
            rejected=wrong_ones,
            totals=money.sums(amounts),
            rejected_totals=money.sums(rejected),
            kinds=kinds,
            keys=list(self._fingerprints(batch, rows)),
            unjudged=unjudged,
            gathered=fitting.select(batch.text[ROW].alias(NUMBER), *self._measure.gathers)
            if self._measure.gathers
            else None,
            tally=Tally.of(batch.text, self.beside.hashes, self.beside.constants),
            also=self._also(batch, flagged, amounts, fine),
        )

    def _fingerprints(self, batch: Batch, rows: Whole) -> Iterator[Words]:
        """Of each of the keys one for every record; 0 for one that does not fit."""
        for _, keys in self.keys:
            words = keys.fingerprints(batch.text)
            if len(rows) < batch.records:
                some, words = words, np.zeros(batch.records, np.uint64)
                words[rows] = some
            yield words

    def _found(self, batch: Batch, violations: list[Violation], faults: pl.DataFrame) -> Iterator[Some]:
        """The findings of a batch in order; where there are many, from a few records at a time in bounded memory."""
        place = {
            "file": pl.lit(files.shown(self.source.path), pl.String),
            "member": pl.lit(self.source.member, pl.String),
            "node": pl.lit(batch.node, pl.String),
        }
        count = faults.height + sum(one.rows.height for one in violations)
        by, most = ("line", batch.lines) if batch.lines else ("row", batch.records)
        most = max(most, 1)  # something may be wrong where there is no record
        step = max(most * FINDINGS_AT_ONCE // max(count, 1), 1)
        for first in range(1, most + 1, step) if count else ():

            def near(rows: pl.DataFrame, at: str, first: int = first) -> pl.DataFrame:
                if step >= most:
                    return rows
                is_near = pl.col(at).is_between(first, first + step - 1)
                return rows.filter(is_near | pl.col(at).is_null() if first == 1 else is_near)

            wrong = near(faults, by)
            some = [one._replace(rows=near(one.rows, {"line": LINE, "row": ROW}[by])) for one in violations]
            some = [one for one in some if one.rows.height]
            if not (some or wrong.height):
                continue
            frames = [wrong, self._told(batch, some)] if some else [wrong]
            ordered = pl.concat(frames).sort(*ORDER, maintain_order=True)
            counted = [*findings.counts(wrong), *((one.code, one.field, one.severity, one.rows.height) for one in some)]
            are_many = step < most or self.made.findings.are_many
            yield Some.of(ordered.with_columns(**place), counted, are_many=are_many)

    def _weighed(self, one: Violation) -> list[Violation]:
        """What it is to this partner, and which of it somebody answers for."""
        usual = one._replace(severity=self._terms.severity(one.code))
        waived = self._waived(one.code, one.field)
        if waived is None:
            return [usual]
        parts = [
            usual._replace(rows=one.rows.filter(~waived)),
            usual._replace(rows=one.rows.filter(waived), severity=WAIVED),
        ]
        return [part for part in parts if part.rows.height]

    def _waived(self, code: str, name: str) -> pl.Expr | None:
        """Which records' findings somebody answers for, by their keys; None where nobody does."""
        known = set(self.layout.key)
        covering = [
            one
            for one in self._terms.waivers
            if one.until >= self._terms.as_of and one.covers(code, name, self.source.path) and one.key.keys() <= known
        ]
        if not covering:
            return None
        return pl.any_horizontal(
            pl.all_horizontal(pl.lit(value=True), *(pl.col(part) == text for part, text in one.key.items()))
            for one in covering
        ).fill_null(value=False)

    def _told(self, batch: Batch, violations: list[Violation]) -> pl.DataFrame:
        """The findings of violations, one after the other; of all of them in one query, which takes as long for a few
        rows as for many."""
        kept = [name for name in (ROW, LINE, PATH, *self.layout.key) if name in violations[0].rows.columns]
        told = []
        for one in violations:
            column, height = batch.columns.get(one.field), one.rows.height
            said = {
                "code": one.code, "severity": one.severity, "field": one.field, "expected": one.expected,
                "letters": None if column is None else formats.letters(column),
            }  # fmt: skip
            series = [
                pl.Series(_SAID + name, [text], pl.String).new_from_index(0, height) for name, text in said.items()
            ]
            series += [pl.Series(_SAID + "column", [column], pl.UInt64).new_from_index(0, height)]
            series += [one.rows.get_column(one.field).alias(_SAID + "value")]
            series += [one.rows.get_column(name) for name in kept]
            frame = pl.DataFrame(series)
            if one.expected is None:
                frame = frame.with_columns(one.rows.get_column(EXPECTED).alias(_SAID + "expected"))
            told.append(frame)
        columns = {name: pl.col(_SAID + name) for name in ("severity", "field", "column", "value", "expected")}
        return findings.frame(
            pl.col(_SAID + "code"), pl.concat(told), row=pl.col(ROW), line=pl.col(LINE), key=key_of(self.layout),
            path=self._path(kept), **columns,
        )  # fmt: skip

    def _path(self, names: list[str]) -> pl.Expr:
        """Where a cell stands, in formats that have such addresses: `/claims/claim[3]/setl_id`, `C5`."""
        path = pl.col(PATH) + "/" + pl.col(_SAID + "field") if PATH in names else pl.lit(None, pl.String)
        if self.dialect.format != "xlsx":
            return path
        return pl.coalesce(pl.col(_SAID + "letters") + pl.col(LINE).cast(pl.String), path)

    def take(self, batch: Batch, judged: Judged[T]) -> None:
        """Take in what was found of a batch. Raises ReadError F220 for a control line that declares no number."""
        for declared in declared_of(batch, self.layout):
            self.declared.append(declared)
            self.made.said.update({name: said[0][1] for name, said in declared.facts.items()})
        self.tally.add(judged.tally)
        made, verdict = self.made, self.made.verdict
        for some in judged.found:
            made.findings.put(some, verdict.records, self.lines)
        made.also.append(judged.also)
        made.lines.write(judged.kinds.tobytes())
        for (_, keys), words in zip(self.keys, judged.keys, strict=True):
            keys.add(words)
        self.spans.add(batch.span, self.lines)
        self.lines += batch.lines
        self.unfit += batch.records - batch.text.height
        self.widths.update(batch.widths)
        self.unjudged.update(judged.unjudged)
        if judged.gathered is not None:
            made.gathered.add(judged.gathered.with_columns(pl.col(NUMBER) + verdict.records))
        verdict.records += batch.records
        verdict.rejected += judged.rejected
        verdict.totals = added(verdict.totals, judged.totals)
        verdict.rejected_totals = added(verdict.rejected_totals, judged.rejected_totals)
        self.width, self.open_width, self.permitted = batch.width, batch.open_width or 0, batch.permitted
        self._terms.tick(batch.records)

    def close(self) -> None:
        """Leave the file unjudged where nothing in it fits, or it cannot be read to its end."""
        self.made.not_judged.extend(
            {"code": code, "missing": list(names)} for code, names in self._measure.rules.lacking.items()
        )
        self.made.not_judged.extend(
            {"code": code, "missing": [], "records": count} for code, count in sorted(self.unjudged.items())
        )
        verdict, found = self.made.verdict, self.made.findings
        if not verdict.records:
            return
        codes = {code for code, _, _ in found.counts}
        others = self.widths - Counter([self.open_width])
        narrower = self.dialect.mixed_widths and self.open_width in range(1, min(others, default=0))
        if codes & STOPPING:
            verdict.verdict = NOT_JUDGED
            verdict.is_read = False
        elif self.unfit == verdict.records and self.widths:
            permitted = " | ".join(str(width) for width in self.dialect.widths or self.permitted)
            skipped = self.dialect.above + self.dialect.heads
            expected = f"{named(self.dialect.delimiter)}: {permitted}"
            stop(self.made, ReadError("F201", split_counts(self.source, skipped), expected))
        elif self.unfit == verdict.records and UNDECODABLE in codes:
            first = next(found.frames()).filter(code=UNDECODABLE)["value"]
            stop(self.made, ReadError("F202", first[0] if len(first) else None, self.dialect.encoding))
        elif self.unfit == verdict.records or CUT_OFF in codes:
            verdict.verdict = NOT_JUDGED
        elif narrower:
            expected = " | ".join(str(width) for width in sorted(others))
            stop(self.made, ReadError(CUT_OFF, value=str(self.open_width), expected=expected))
        elif found.count(ERROR):
            verdict.verdict = FOUND

    def gather(self, wanted: Flags, marks: Words, gathered: Candidates) -> None:
        """Read the wanted records again and put them among the candidates."""
        rejected = lines.rejected(self.made.lines)
        gathered.begin(self.made.verdict.records)
        at = 0
        for text in self.made.again(wanted):
            here = slice(at, at := at + text.height)
            candidates = self._candidates(text, rejected, gathered.names)
            gathered.add(candidates.with_columns(pl.Series(MARK, marks[here])))

    def reject_repeated(
        self, code: str, names: tuple[str, ...], candidates: Iterator[pl.DataFrame], times: repeats.Times
    ) -> None:
        """Put a finding on every candidate whose key of these fields stands several times, and reject it."""
        newly = np.zeros(self.made.verdict.records, np.bool_)
        # What must be unique beside the key is named.
        said = (None, "1") if code == REPEATED else (names[0], ", ".join(names))
        found = self._repeated(code, said, candidates, times, newly)
        self.made.findings.merge(found, "line" if self.lines else "row")
        lines.reject(self.made.lines, newly)
        if self.made.verdict.verdict == VALID and self.made.findings.count(ERROR):
            self.made.verdict.verdict = FOUND

    def _again(self, wanted: Flags) -> Iterator[pl.DataFrame]:
        dialect = self.dialect
        if self.width is not None and not dialect.header:
            dialect = replace(dialect, widths=(self.width,))
        node = self.made.verdict.node
        kinds = self.made.lines if self.lines else None
        yield from formats.again(self.source, dialect, self.names, node, kinds, wanted, self.spans)

    def _repeated(
        self,
        code: str,
        said: tuple[str | None, str],
        candidates: Iterator[pl.DataFrame],
        times: repeats.Times,
        rejected: Flags,
    ) -> Iterator[pl.DataFrame]:
        name, expected = said
        for frame in candidates:
            rows = frame[CANDIDATE_ROW].to_numpy()
            counted = frame.with_columns(pl.Series(MARK, times[rows])).filter(pl.col(MARK) > 1)
            for one in self._weighed(Violation(code, name or "", counted)):
                if one.severity == ERROR:
                    self._count_rejected(one.rows)
                    rejected[one.rows[CANDIDATE_ROW].to_numpy() - 1] = True
                yield self._of_file(one, field=name, value=pl.col(MARK).cast(pl.String), expected=expected)

    def judge_together(self, one: Together, gathered: Mapping[str, Frames]) -> None:
        """Put a finding on every record that a rule about several records finds wrong; only those are read again."""
        told, unjudged = together.judged(one, gathered)
        if unjudged:
            self.made.not_judged.append({"code": one.code, "missing": [], "records": unjudged})
        verdict = self.made.verdict
        if told.is_empty() or verdict.verdict == NOT_JUDGED:
            return
        wanted = np.zeros(verdict.records, np.bool_)
        wanted[told[NUMBER].to_numpy() - 1] = True
        rejected = lines.rejected(self.made.lines)
        newly = np.zeros(verdict.records, np.bool_)

        def found() -> Iterator[pl.DataFrame]:
            for text in self.made.again(wanted):
                rows = text.join(told, left_on=ROW, right_on=NUMBER, maintain_order="left")
                weighed = self._weighed(Violation(one.code, one.field, rows))
                for part in weighed:
                    if part.severity == ERROR:
                        here = part.rows[ROW].unique(maintain_order=True)
                        self._count_rejected(self._candidates(text.filter(pl.col(ROW).is_in(here.implode())), rejected))
                        newly[here.to_numpy() - 1] = True
                frames = [
                    self._of_file(part, field=one.field, value=pl.col(one.field), expected=pl.col(EXPECTED))
                    for part in weighed
                ]
                yield pl.concat(frames).sort("row", maintain_order=True)

        self.made.findings.merge(found(), "line" if self.lines else "row")
        lines.reject(self.made.lines, newly)
        if newly.any():
            verdict.verdict = FOUND

    def _count_rejected(self, records: pl.DataFrame) -> None:
        """Count the records among these that nothing had rejected yet."""
        verdict = self.made.verdict
        newly = records.filter(~pl.col(_REJECTED))
        verdict.rejected += newly.height
        sums = money.sums(newly.select(pl.col(_AMOUNT + one.name).alias(one.name) for one in self.layout.money))
        verdict.rejected_totals = added(verdict.rejected_totals, sums)

    def _candidates(self, text: pl.DataFrame, rejected: Flags, names: Sequence[str] = ()) -> pl.DataFrame:
        """Records read again, these fields of them, and what rejecting them takes: their amounts, and whether that was
        done."""
        amounts = (checks.typed(one).alias(_AMOUNT + one.name) for one in self.layout.money)
        done = pl.Series(_REJECTED, rejected[text[ROW].to_numpy() - 1])
        kept = dict.fromkeys((*self.layout.key, *names))
        return text.select(
            pl.col(ROW).alias(CANDIDATE_ROW), LINE, *(PATH,) * (PATH in text.columns), *kept, *amounts, done
        )

    def _of_file(self, one: Violation, **columns: Any) -> pl.DataFrame:
        """Findings on records that were read again."""
        verdict, rows = self.made.verdict, one.rows
        return findings.frame(
            one.code, rows, severity=one.severity, file=verdict.path, member=verdict.member,
            node=verdict.node, row=pl.col(CANDIDATE_ROW if CANDIDATE_ROW in rows.columns else ROW), line=pl.col(LINE),
            key=key_of(self.layout), path=pl.col(PATH) if PATH in rows.columns else None, **columns,
        )  # fmt: skip


def _at(rows: Whole, records: int) -> Flags:
    """Flags of so many records, set for these."""
    flags = np.zeros(records, np.bool_)
    flags[rows] = True
    return flags


_SAID = "\x1fsaid "
_AMOUNT, _REJECTED = "\x1famount", "\x1frejected"
ORDER = ("line", "row", "field", "code")


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
        is_text=dialect.format not in formats.BINARY,
    )


def key_of(layout: Layout) -> pl.Expr:
    """The key of a record as JSON."""
    return pl.struct(layout.key).struct.json_encode() if layout.key else pl.lit(None, pl.String)


def declared_of(batch: Batch, layout: Layout) -> Iterator[Declared]:
    """What the control lines beside a batch declare of the file."""
    sums = [one.name for one in layout.money]
    for place, name, text in batch.declared:
        if name == RECORDS or name in sums:
            try:
                yield control.declared(name, text, place)
            except MedpayError as err:
                raise ReadError("F220", value=f"{place}: {name}", expected="N" if name == RECORDS else "N.NN") from err
        elif text:
            yield Declared(facts={name: ((place, text),)})


def file_of(verdict: FileVerdict) -> pl.DataFrame:
    """One row: the file of a verdict."""
    return pl.DataFrame({"file": [verdict.path], "member": [verdict.member]}, {"file": pl.String, "member": pl.String})


def stop(made: Judgement[T], err: ReadError) -> None:
    """Turn what made a file unreadable into its one finding."""
    made.verdict.verdict = NOT_JUDGED
    made.findings.replace(
        findings.frame(
            err.code, file_of(made.verdict), file=pl.col("file"), member=pl.col("member"), value=err.value,
            expected=err.expected,
        )
    )  # fmt: skip


def added(sums: dict[str, Decimal], more: dict[str, Decimal]) -> dict[str, Decimal]:
    """Sums, and what is added to them."""
    return {name: money.total((amount, more.get(name))) for name, amount in sums.items()}
