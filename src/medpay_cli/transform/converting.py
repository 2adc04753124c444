"""One input on its way through a mapping: judged, mapped and judged again batch by batch, then waiting to be written.

Nothing is seen before the whole input is judged: a key that stands twice shows only at its end. Records go straight to
where they are written, into a file without its name, or wait in a spool; the sums of what is written, and of what is
not, are taken anew from what goes there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from medpay_cli import findings, judging, money
from medpay_cli.checks import Flagged
from medpay_cli.dialects import Dialect
from medpay_cli.findings import ERROR
from medpay_cli.fingerprints import Flags, Words
from medpay_cli.formats import LINE, ROW, Batch, LineKind, lines
from medpay_cli.formats.archive import Input
from medpay_cli.frames import Frames, Packed, packed
from medpay_cli.judging import FOUND, NOT_JUDGED, REPEATED, VALID, Desk, Judged, Judgement, Terms
from medpay_cli.layouts import Layout
from medpay_cli.mappings.plans import Plan
from medpay_cli.repeats import Keys, Times
from medpay_cli.transform import proven
from medpay_cli.transform.balance import Conservation, Sums, summed, sums_of, written_sums
from medpay_cli.transform.joining import Partners
from medpay_cli.transform.mapped import mapped
from medpay_cli.transform.straight import AnewError, Straight

UNFILLED = "M102"


@dataclass(frozen=True)
class Target:
    """Where the records of a node go: how they are mapped, the node of the target, and how that is written; and what
    the mapping takes from other inputs."""

    plan: Plan
    node: str | None
    dialect: Dialect
    partners: tuple[Partners, ...] = ()


class _Straight(NamedTuple):
    """Records as they are written, the sums of their amounts, and fingerprints of their keys where those are held
    against other inputs."""

    records: pl.DataFrame
    sums: Sums
    words: Words | None


@dataclass(frozen=True)
class _Work:
    """What came of a batch: the mapped records, packed or as they are written, and how they were judged; what never
    came so far, and the amounts of those that the mapping does not want."""

    records: int
    lines: int
    width: int | None
    unfit: int
    mapped: Packed | _Straight
    batch: Batch | None
    judged: Judged[None] | None
    lost: tuple[int, Sums]
    left_out: Packed | None = None


class Conversion(list[_Work]):
    """The records of one node: what waits to be written, and the target's own judgement on it.

    A list only in that batches are appended to it.
    """

    def __init__(self, target: Target, source: Input, terms: Terms, straight: Straight | None) -> None:
        super().__init__()
        self.target = target
        self.straight = straight
        if straight:
            straight.begin(target.node)
        self._waiting, self._left_out = Frames(), Frames()
        self._records = self._lines = self.unfit = 0
        self.width: int | None = None
        # What went out straight, what was rejected before it could be mapped, what is not wanted.
        self.out, self.lost, self.left_out = Conservation(), Conservation(), Conservation()
        # What stays as it is has been held against the layout already.
        self.desk: Desk[None] | None = None
        if not target.plan.is_identity:
            on = replace(terms, tick=lambda _: None)
            self.desk = Desk(proven.measure(target.plan, on), on, lambda *_: None)
            names = {target.node: target.plan.target.names}
            self.desk.begin(source, target.dialect, names, target.node, self.again)

    def append(self, work: _Work) -> None:
        """Take in what came of a batch, in file order."""
        if isinstance(work.mapped, Packed):
            self._waiting.put(work.mapped, {ROW: self._records, LINE: self._lines})
        elif self.straight:
            frame, sums, words = work.mapped
            self.out.add(frame.height, sums)
            if self.straight.keys and words is not None:
                self.straight.keys.add(words)
            if work.lost[0] or (work.judged and work.judged.rejected):
                self.straight.drop()  # nothing will be written
            self.straight.take(frame, work.width)
        if work.left_out:
            self._left_out.put(work.left_out, {ROW: self._records})
        self._records += work.records
        self._lines += work.lines
        self.unfit += work.unfit
        self.width = work.width
        self.lost.add(*work.lost)
        if self.desk and work.batch and work.judged:
            self.desk.take(work.batch, work.judged)

    def work(self, batch: Batch, flagged: Flagged, amounts: pl.DataFrame, fine: Flags) -> _Work:
        """Map a batch, and judge what came of it."""
        text = flagged.text
        unfit = batch.records - text.height
        is_fine = fine[text[ROW].to_numpy() - 1]
        accepted = text if is_fine.all() else text.filter(pl.Series(is_fine))
        carried = self._carried(amounts)
        if self.desk is None:
            lost = sums_of(carried, pl.Series(~is_fine))
            gone = (batch.records - accepted.height, lost)
            # Read anew from the text that goes out, whatever the reader made of what came in.
            kept = self._kept(accepted, written_sums(accepted, self.target.plan.target) if self.straight else {})
            return _Work(batch.records, batch.lines, batch.width, unfit, kept, None, None, gone)
        within = replace(batch, node=self.target.node, sifted=None)
        made = mapped(self.target.plan, within, accepted, self.target.partners)
        judged = _wanted(self.desk.work(made.batch), batch, made.left_out)
        sums = {name: money.total((whole, -judged.rejected_totals[name])) for name, whole in judged.totals.items()}
        rows = made.batch.text[ROW]
        is_left, is_lost = _parted(text[ROW], made.left_out, rows)
        return _Work(
            batch.records,
            batch.lines,
            batch.width,
            unfit,
            self._kept(made.batch.text, sums),
            made.batch,
            judged,
            (batch.records - rows.len() - made.left_out.len(), sums_of(carried, is_lost)),
            packed(text.select(ROW).hstack(carried.get_columns()).filter(is_left), is_tight=True)
            if made.left_out.len()
            else None,
        )

    def _kept(self, records: pl.DataFrame, sums: Sums) -> Packed | _Straight:
        """Mapped records as they wait, or as they are written."""
        names = self.target.plan.target.names
        if self.straight:
            keys = self.straight.keys
            return _Straight(records.select(names), sums, keys.fingerprints(records) if keys else None)
        return packed(records.select(ROW, LINE, *names), is_tight=True)

    def _carried(self, amounts: pl.DataFrame) -> pl.DataFrame:
        """The amounts that the mapping carries, under the names of the target."""
        return amounts.select(pl.col(field).alias(name) for name, field in self.target.plan.carried.items())

    def close(self, source: Judgement[_Work]) -> None:
        """What only the whole file shows: what the source rejected in the end, and repeated keys of the target."""
        self.kinds = self._source_kinds = source.lines
        self.judged: Judgement[Any] = self.desk.made if self.desk else source
        if self.desk is None:
            return
        made = self.desk.made
        self.kinds = made.lines
        if source.verdict.verdict == NOT_JUDGED:
            return
        rejected = lines.rejected(source.lines)
        lines.reject(made.lines, rejected)
        for _, keys in self.desk.keys:
            keys.forget(rejected)
        for frame in self._left_out:
            is_gone = pl.Series(rejected[frame[ROW].to_numpy() - 1])
            for balance, some in ((self.lost, frame.filter(is_gone)), (self.left_out, frame.filter(~is_gone))):
                balance.add(some.height, money.sums(some.drop(ROW)))
        judging.reject_repeated(self.desk)
        for name, reason in (self.target.plan.unfilled or {}).items():
            place = pl.DataFrame({"": [None]})
            made.findings.add(
                findings.frame(
                    UNFILLED, place, file=made.verdict.path, member=made.verdict.member, node=self.target.node,
                    field=name, value=reason,
                )
            )  # fmt: skip
        made.verdict.verdict = FOUND if made.findings.count(ERROR) else VALID

    def again(self, wanted: Flags) -> Iterator[pl.DataFrame]:
        """The wanted ones of all records, in order; what does not wait has no key. Raises AnewError."""
        if self.straight:
            raise AnewError
        for frame in self._waiting:
            yield frame.filter(pl.Series(wanted[frame[ROW].to_numpy() - 1]))

    @property
    def rejected(self) -> Flags:
        """Which records are not written."""
        return lines.rejected(self.kinds)

    def fingerprints(self, keys: Keys) -> Words:
        """Those of the keys of all records that the source does not reject; 0 for all others."""
        words = np.zeros(self.came, np.uint64)
        for frame in self._waiting:
            words[frame[ROW].to_numpy() - 1] = keys.fingerprints(frame)
        words[lines.rejected(self._source_kinds)] = 0
        return words

    def reject(self, repeated: Flags, times: Times) -> None:
        """Reject records whose key stands so many times in all inputs together."""
        key = self.target.plan.target.key
        verdict = self.judged.verdict

        def found() -> Iterator[pl.DataFrame]:
            for frame in self.again(repeated):
                counts = pl.Series("\x1ftimes", times[frame[ROW].to_numpy() - 1])
                yield findings.frame(
                    REPEATED, frame.with_columns(counts), file=verdict.path, member=verdict.member, node=verdict.node,
                    row=pl.col(ROW), line=pl.col(LINE), value=pl.col(counts.name).cast(pl.String), expected="1",
                    key=pl.struct(key).struct.json_encode(),
                )  # fmt: skip

        self.judged.findings.merge(found(), "row")
        verdict.rejected += int(repeated.sum())
        verdict.verdict = FOUND
        lines.reject(self.kinds, repeated)

    @property
    def came(self) -> int:
        """How many records there were."""
        return self._records

    @property
    def accepted(self) -> int:
        """How many records will be written."""
        return self._records - int(self.rejected.sum()) - self.left_out.records

    def records(self, out: Conservation, rejected: Conservation) -> Iterator[pl.DataFrame]:
        """The accepted records in the target's layout; they are added to `out`, the others to `rejected`."""
        gone = self.rejected
        layout = self.target.plan.target
        rejected.add(self.lost.records, self.lost.sums)
        for frame in self._waiting:
            is_gone = gone[frame[ROW].to_numpy() - 1]
            kept = frame.filter(pl.Series(~is_gone)) if is_gone.any() else frame
            out.add(kept.height, written_sums(kept, layout))
            if kept.height < frame.height:
                others = frame.filter(pl.Series(is_gone))
                rejected.add(others.height, summed(others, layout, (*self.target.plan.carried,)))
            yield kept.select(layout.names)


def _parted(rows: pl.Series, left_out: pl.Series, mapped: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Which records the mapping does not want, and which never came so far."""
    if len(mapped) == len(rows):
        nothing = pl.repeat(value=False, n=len(rows), eager=True)
        return nothing, nothing
    is_left = rows.is_in(left_out.implode())
    return is_left, ~is_left if mapped.is_empty() else ~(is_left | rows.is_in(mapped.implode()))


def _wanted(judged: Judged[None], batch: Batch, left_out: pl.Series) -> Judged[None]:
    """What the mapping does not want is not rejected."""
    if not left_out.len():
        return judged
    places = np.flatnonzero(batch.kinds == LineKind.RECORD)[left_out.to_numpy() - 1]
    judged.kinds[places] = LineKind.RECORD
    return replace(judged, rejected=judged.rejected - left_out.len())


_NOTHING = _Work(0, 0, None, 0, Packed([], 0, []), None, None, (0, {}))


def convert(
    source: Input, used: dict[str | None, Layout], written: Dialect, targets: dict[str | None, Target], terms: Terms,
    straight: Straight | None,
) -> tuple[list[Judgement[_Work]], dict[str | None, Conversion]]:  # fmt: skip
    """Judge an input and map the nodes that have a target; the others are judged only. Raises AnewError."""
    current: dict[str | None, Conversion] = {}

    def into(node: str | None) -> list[_Work]:
        if node not in targets:
            return []
        current[node] = Conversion(targets[node], source, terms, straight)
        return current[node]

    def work(batch: Batch, flagged: Flagged, amounts: pl.DataFrame, fine: Flags) -> _Work:
        if batch.node not in targets:
            return _NOTHING
        return current[batch.node].work(batch, flagged, amounts, fine)

    made = judging.judge_nodes(source, used, written, work, terms, into)
    for one in made:
        if one.verdict.node in current:
            current[one.verdict.node].close(one)
    return made, current
