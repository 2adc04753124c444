"""Judge one file, or the parts of one: every batch against the layout of its node, then what only the whole shows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import accumulate, pairwise
from typing import Generic

import numpy as np
import polars as pl

from medpay_cli import control, findings, formats
from medpay_cli.control import Declared
from medpay_cli.desk import (
    FOUND,
    NOT_JUDGED,
    REPEATED,
    STRUCTURE_ONLY,
    VALID,
    Also,
    Desk,
    Judged,
    Judgement,
    Measure,
    T,
    Terms,
    added,
    blank,
    file_of,
    stop,
)  # fmt: skip
from medpay_cli.dialects import Dialect
from medpay_cli.errors import InternalError, ReadError
from medpay_cli.findings import ERROR, FileVerdict, Findings
from medpay_cli.formats import Batch, lines
from medpay_cli.formats.archive import Input
from medpay_cli.layouts import Layout
from medpay_cli.repeats import Candidates
from medpay_cli.rules import together
from medpay_cli.rules.together import Together

__all__ = [
    "FOUND", "NOT_JUDGED", "REPEATED", "STRUCTURE_ONLY", "VALID", "Desk", "Judged", "Judgement", "Measure", "Terms",
    "begun", "blank", "contradicted", "judge_file", "judge_nodes",
    "reject_repeated", "unreadable",
]  # fmt: skip

EMPTY, EXPIRED, LACKING = "F208", "B901", "B902"
CONTRADICTED, DISAGREEING, REFUSED = "B201", "B204", "B206"


def judge_file(source: Input, layout: Layout, dialect: Dialect, also: Also[T], terms: Terms) -> Judgement[T]:
    """The judgement on a file that holds one kind of record."""
    return judge_nodes(source, {dialect.parts[0].name: layout}, dialect, also, terms)[0]


def judge_nodes(
    source: Input,
    layouts: Mapping[str | None, Layout],
    dialect: Dialect,
    also: Also[T],
    terms: Terms,
    into: Callable[[str | None], list[T]] = lambda _: [],
    looks_at: frozenset[str] | None = None,
) -> list[Judgement[T]]:
    """The judgements on the nodes of one file; what `also` makes of a batch is appended to what `into` gives for its
    node, anew where the file has to be read anew."""
    return begun([source], layouts, dialect, also, terms, into, looks_at).finished()[0]


def begun(
    sources: Sequence[Input],
    layouts: Mapping[str | None, Layout],
    dialect: Dialect,
    also: Also[T],
    terms: Terms,
    into: Callable[[str | None], list[T]] = lambda _: [],
    looks_at: frozenset[str] | None = None,
) -> Begun[T]:
    """Read files in parallel batches and hold every record against the layout of its node; a broken file is a verdict
    too, and of a file that cannot be read the first node holds the finding.

    The files are parts of one: a key must not stand in two of them, and what was declared holds for all of them, with
    a finding in the first. `also` runs on each batch, its flags, its amounts and which of its records are accepted so
    far, in a thread; its results come in file order. It finds the text of the fields that it `looks_at` (all of them
    if it does not say); that of others may have been left unread.
    """
    held = _Together(layouts, terms)
    measures = {node: Measure.of(layout, terms, held.columns(layout), looks_at) for node, layout in layouts.items()}
    own_terms = terms if len(sources) == 1 else terms.of_a_part
    parts = [_read(source, measures, dialect, also, own_terms, into) for source in sources]
    return Begun(sources, dialect, terms, held, parts)


@dataclass(frozen=True)
class Begun(Generic[T]):
    """Files that were read from front to back. What remains is seen in a whole file only, and needs a second look at a
    few of its records."""

    sources: Sequence[Input]
    dialect: Dialect
    terms: Terms
    held: _Together
    parts: list[list[Desk[T]]]

    def finished(self, untold: tuple[str, ...] = ()) -> list[list[Judgement[T]]]:
        """Per file, the judgement on each node. Nothing is said of records whose key of the `untold` fields stands
        several times, but that it may (`repeated`): see `told`."""
        parts, terms, is_whole = self.parts, self.terms, len(self.sources) == 1
        _reject_repeated(parts, self._reading, lambda names: names != untold)
        for source, part in zip(self.sources, parts, strict=True):
            if not terms.at_most and all(desk.made.verdict.verdict != NOT_JUDGED for desk in part):
                with _readable(source, self.dialect, part):
                    self.held.judge(part)
            for desk in part if terms.profile.not_judged == ERROR else ():
                _tell_not_judged(desk.made)
            own = [part[0].beside, *(part[0].declared if not terms.at_most else ())]
            others = {name: value for desk in reversed(part) for name, value in desk.tally.others.items()}
            _hold_against(_counted(part, self.dialect), [terms.declared, *own] if is_whole else own, others)
            for desk in part if terms.profile.refuse_from else ():
                _refuse(desk.made, terms.profile.refuse_from or 0)
        if not is_whole:
            _hold_all([_counted(part, self.dialect).made for part in parts], terms.declared)
        return self._made

    def told(self, untold: tuple[str, ...]) -> list[list[Judgement[T]]]:
        """The same with what was left untold."""
        _reject_repeated(self.parts, self._reading, lambda names: names == untold)
        return self._made

    @property
    def _made(self) -> list[list[Judgement[T]]]:
        return [[desk.made for desk in part] for part in self.parts]

    def _reading(self, number: int) -> AbstractContextManager[None]:
        """Around what reads a file again."""
        return _readable(self.sources[number], self.dialect, self.parts[number])


def _read(
    source: Input,
    measures: Mapping[str | None, Measure],
    dialect: Dialect,
    also: Also[T],
    terms: Terms,
    into: Callable[[str | None], list[T]],
) -> list[Desk[T]]:
    """One part, read and judged on its own."""
    desks = {node: Desk(one, terms, also, partial(into, node)) for node, one in measures.items()}
    names = {node: one.layout.names for node, one in measures.items()}

    def work(batch: Batch) -> Judged[T]:
        return desks[batch.node].work(batch)

    def gather(batches: Iterator[tuple[Batch, Judged[T]]]) -> None:
        for node, desk in desks.items():
            desk.begin(text, written, names, node)
        for batch, judged in batches:
            desks[batch.node].take(batch, judged)
            if terms.at_most and sum(desk.made.verdict.records for desk in desks.values()) >= terms.at_most:
                break

    for node, desk in desks.items():
        desk.begin(source, dialect, names, node)
    made = list(desks.values())
    with _readable(source, dialect, made):
        text = formats.prepared(source, dialect, terms.encoding)
        written = replace(dialect, encoding=text.encoding)
        sieves = {node: one.sieve for node, one in measures.items()}
        formats.read(text, written, names, work, gather, sieves)
        _close(made, terms)
    return made


@contextlib.contextmanager
def _readable(source: Input, dialect: Dialect, desks: list[Desk[T]]) -> Iterator[None]:
    """Leave a part unjudged that cannot be read, or is another file by now."""
    try:
        try:
            yield
        except (InternalError, IndexError):
            source.check_unchanged()  # what is read twice must be the same twice
            raise
        source.check_unchanged()
    except ReadError as err:
        for number, desk in enumerate(desks):
            verdict = blank(source, desk.layout, dialect, desk.made.verdict.node)
            desk.made = unreadable(verdict, err if number == 0 else None)


class _Together:
    """The rules about several records that a file's kinds, and those that it is held against, let us judge."""

    def __init__(self, layouts: Mapping[str | None, Layout], terms: Terms) -> None:
        self._terms = terms
        own = {layout.kind: layout.names for layout in layouts.values()}
        at_hand = {**{kind: next(iter(frames)).columns for kind, frames in terms.against.items()}, **own}
        self.rules: list[Together] = []
        # By kind and code: one code may have a rule for each convention.
        self.lacking: dict[tuple[str, str], list[str]] = {}
        for one in together.applying(terms.profile, terms.applies) if terms.with_rules else ():
            if not set(one.kinds[one.at]) <= set(own.get(one.at, ())):
                continue
            missing = together.lacking(one, at_hand, terms.profile)
            if missing:
                self.lacking.setdefault((one.at, one.code), missing)
            else:
                self.rules.append(one)

    def columns(self, layout: Layout) -> tuple[str, ...]:
        """What is gathered of records of a layout."""
        if self._terms.gathers:
            return tuple(name for name in together.columns(layout.kind) if name in layout.names)
        return tuple(dict.fromkeys(name for one in self.rules for name in one.kinds.get(layout.kind, ())))

    def judge(self, desks: list[Desk[T]]) -> None:
        """Hold whole files against them; where records could not be read at all, their sums say nothing."""
        by_kind = {desk.layout.kind: desk for desk in reversed(desks)}
        gathered = {**self._terms.against, **{kind: desk.made.gathered for kind, desk in by_kind.items()}}
        for (kind, code), missing in self.lacking.items():
            by_kind[kind].made.not_judged.append({"code": code, "missing": missing})
        for one in self.rules:
            empty = [kind for kind in one.kinds if not gathered[kind].height]
            unread = [kind for kind in one.kinds if kind in by_kind and by_kind[kind].unfit]
            if not (empty or unread):
                by_kind[one.at].judge_together(one, gathered)
            elif one.at not in empty:
                filled = {kind: one.kinds[kind] for kind in one.kinds if kind not in empty}
                missing = together.lacking(one, filled, self._terms.profile)
                missing += [f"{kind}: unreadable records" for kind in unread]
                by_kind[one.at].made.not_judged.append({"code": one.code, "missing": missing})


def _close(desks: list[Desk[T]], terms: Terms) -> None:
    """What only the whole file shows."""
    is_empty = not any(desk.made.verdict.records for desk in desks)
    # What was declared of the file holds for all of it only.
    declared = [terms.declared, desks[0].beside, *(desks[0].declared if not terms.at_most else ())]
    if is_empty and not terms.allow_empty and all(one.records != 0 for one in declared):
        for desk in desks:
            desk.made.verdict.verdict = NOT_JUDGED
        stop(desks[0].made, ReadError(EMPTY))
    _tell_expired(desks[0].made, terms)
    for desk in desks:
        desk.close()
    if not all(desk.made.verdict.is_read for desk in desks):
        for desk in desks:  # nobody knows what stands behind the place where the reading stopped
            desk.made.verdict.verdict = NOT_JUDGED
            desk.made.verdict.is_read = False


def reject_repeated(desk: Desk[T]) -> None:
    """Reject every record of a key that stands in several records of a desk; only those are read again."""
    _reject_repeated([[desk]], lambda _: contextlib.nullcontext())


def _reject_repeated(
    parts: list[list[Desk[T]]],
    reading: Callable[[int], AbstractContextManager[None]],
    is_told: Callable[[tuple[str, ...]], bool] = lambda _: True,
) -> None:
    """The same of all parts; each is read again in the context that `reading` gives for its number. Of fields that are
    not told it is only noted which records may have a repeated key."""
    for node, first in enumerate(parts[0]):
        desks = [part[node] for part in parts]
        for code, keys in first.keys if all(desk.made.verdict.verdict != NOT_JUDGED for desk in desks) else ():
            found = keys.repeated()
            if found is None:
                for desk in desks:
                    desk.made.repeated[keys.names] = np.zeros(desk.made.verdict.records, np.bool_)
                continue
            wanted, marks = keys.candidates(found)
            begins = [0, *accumulate(desk.made.verdict.records for desk in desks)]
            for desk, (begin, end) in zip(desks, pairwise(begins), strict=True):
                desk.made.repeated[keys.names] = wanted[begin:end]
            if not is_told(keys.names):
                continue
            gathered = Candidates(keys.names)
            at = 0
            for number, desk in enumerate(desks):
                some = desk.made.repeated[keys.names]
                here = slice(at, at := at + int(some.sum()))
                with reading(number):
                    desk.gather(some, marks[here], gathered)
            for desk, candidates, times in zip(desks, gathered.parts(), gathered.times(), strict=True):
                if desk.made.verdict.verdict != NOT_JUDGED:
                    desk.reject_repeated(code, keys.names, candidates, times)


def _counted(part: list[Desk[T]], dialect: Dialect) -> Desk[T]:
    """That of the node whose records are counted and summed up."""
    return next((desk for desk in part if desk.made.verdict.node == dialect.counted), part[0])


def _hold_all(made: list[Judgement[T]], declared: Declared) -> None:
    """Leave parts unjudged that together hold other than what was declared of them."""
    if any(one.verdict.verdict == NOT_JUDGED for one in made):
        return
    records = sum(one.verdict.records for one in made)
    totals: dict[str, Decimal] = dict(made[0].verdict.totals)
    for one in made[1:]:
        totals = added(totals, one.verdict.totals)
    _contradict(made[0], declared.contradicted(records, totals))


def _tell_expired(made: Judgement[T], terms: Terms) -> None:
    """A finding on every waiver of the file that nobody answers for any more."""
    for one in terms.waivers:
        if one.until < terms.as_of and one.covers(one.code, one.field, made.verdict.path):
            made.findings.add(
                findings.frame(
                    EXPIRED, file_of(made.verdict), file=pl.col("file"), member=pl.col("member"), field=one.field,
                    value=f"{one.code} {one.until}", expected=f"{one.owner}: {one.reason}",
                )
            )  # fmt: skip


def _tell_not_judged(made: Judgement[T]) -> None:
    """A finding on every rule that could not be held, where that is as bad as a broken one."""
    if made.verdict.verdict == NOT_JUDGED:
        return
    for one in made.not_judged:
        lacks = ", ".join(one["missing"]) or f"value x {one['records']}"
        made.findings.add(
            findings.frame(
                LACKING, file_of(made.verdict), file=pl.col("file"), member=pl.col("member"),
                node=made.verdict.node, value=one["code"], expected=lacks,
            )
        )  # fmt: skip
    if made.not_judged:
        made.verdict.verdict = FOUND


def _refuse(made: Judgement[T], at_least: int) -> None:
    """Reject all records of a file where so many are rejected: the partner takes all of it or nothing."""
    verdict = made.verdict
    if verdict.verdict == NOT_JUDGED or not at_least <= verdict.rejected < verdict.records:
        return
    made.findings.add(
        findings.frame(
            REFUSED, file_of(verdict), file=pl.col("file"), member=pl.col("member"), node=verdict.node,
            value=str(verdict.rejected), expected=str(at_least),
        )
    )  # fmt: skip
    lines.reject(made.lines, np.ones(verdict.records, np.bool_))
    verdict.rejected, verdict.rejected_totals = verdict.records, dict(verdict.totals)


def unreadable(verdict: FileVerdict, err: ReadError | None) -> Judgement[T]:
    """The judgement on a file that cannot be read: one finding, if nobody else holds it."""
    made = Judgement[T](verdict, Findings())
    verdict.is_read = False
    verdict.verdict = NOT_JUDGED
    if err is not None:
        stop(made, err)
    return made


def _hold_against(desk: Desk[T], declared: list[Declared], others: Mapping[str, str | None]) -> None:
    """Leave a file unjudged that holds other than what was declared of it, or of which different things are said;
    `others` is what records of any node say otherwise."""
    made, tally = desk.made, desk.tally
    verdict = made.verdict
    if verdict.verdict == NOT_JUDGED:
        return
    said = control.joined(Declared(facts=one.facts) for one in declared)
    otherwise = (one.contradicted(verdict.records, verdict.totals, tally.hashes) for one in declared)
    _contradict(made, (some for one in otherwise for some in one))
    _contradict(made, said.disagreeing(others), DISAGREEING)


def contradicted(verdict: FileVerdict, found: Iterable[tuple[str, str, str, str]]) -> Judgement[T]:
    """The judgement on a file that is not read at all: code, field, what was found and what was declared."""
    made = Judgement[T](verdict, Findings())
    verdict.is_read = False
    for code, *one in found:
        _contradict(made, [(one[0], one[1], one[2])], code)
    return made


def _contradict(made: Judgement[T], contradicted: Iterable[tuple[str, str, str]], code: str = CONTRADICTED) -> None:
    for name, found, expected in dict.fromkeys(contradicted):
        made.verdict.verdict = NOT_JUDGED
        made.findings.add(
            findings.frame(
                code, file_of(made.verdict), file=pl.col("file"), member=pl.col("member"), value=found,
                expected=expected, field=name,
            )
        )  # fmt: skip
