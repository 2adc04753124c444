"""Records that stand in each other go or stay together: where one of them is rejected, so is all that it belongs to.

An amount of a record often sums up what stands inside, which holds only of the whole; and whoever receives a claim
takes it with all its lines, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from medpay_cli import findings, money
from medpay_cli.desk import added, file_of
from medpay_cli.dialects import Node
from medpay_cli.errors import MedpayError
from medpay_cli.findings import ERROR
from medpay_cli.fingerprints import Flags
from medpay_cli.formats import ROW, lines
from medpay_cli.judging import FOUND
from medpay_cli.transform.binding import Chosen, Taken
from medpay_cli.transform.converting import Conversion

ALONG = "B211"
# A record says that it belongs to another one than that in which it stands.
ELSEWHERE = "F113"
# Types of fields that may say how many records there are, or what they sum up to.
NUMBERS = {"number", "integer"}
_MARK = "\x1fmark"


@dataclass
class _Member:
    """The records of a node in one input: the columns that say what belongs to what, and which are rejected."""

    taken: Taken
    conversion: Conversion
    text: pl.DataFrame
    rejected: Flags

    @property
    def marks(self) -> pl.Series:
        """Whether each record of the text is rejected."""
        return pl.Series(_MARK, self.rejected[self.text[ROW].to_numpy() - 1])


Members = Mapping[str | None, list[_Member]]


def reject_families(taken: Sequence[Taken], chosen: Chosen) -> None:
    """Reject what stands in or around a rejected record, with a finding that says how many. Raises MedpayError where
    nobody could say what belongs to what."""
    if not any(of.rejected.any() for one in taken for of in one.conversions.values()):
        return
    nested = [one for one in taken if len(one.conversions) > 1]
    for one in nested:
        _check(one)
        _close(one.dialect.nodes, _members(one.dialect.nodes, [(one, name, name) for name in one.conversions]))
    flat = [one for one in taken if len(one.conversions) == 1]
    of_nodes = [(one, name, of.target.node) for one in flat for name, of in one.conversions.items()]
    if len({node for *_, node in of_nodes}) > 1:
        _close(chosen.dialect.nodes, _members(chosen.dialect.nodes, of_nodes))


def _check(one: Taken) -> None:
    """Whether the records of a message are one tree for each of the outermost ones, and nothing beside them counts."""
    refused = MedpayError("aside_nodes", path=one.source.path, dialect=one.dialect.name)
    tops = [node for node in one.dialect.nodes if node.parent is None and node.repeated]
    around = [node for node in one.dialect.nodes if node.parent is None and not node.repeated]
    inside = [node.name for node in one.dialect.nodes if node.parent is not None]
    if len(tops) != 1 or not {tops[0].name, *inside} <= one.conversions.keys():
        raise refused
    for node in around:
        counts = any(field.types & NUMBERS for field in one.parts[node.name].fields)
        if node.name in one.conversions and (counts or one.conversions[node.name].rejected.any()):
            raise refused
    if any(code == ELSEWHERE for made in one.judgements for code, _, _ in made.findings.counts):
        raise refused
    # An expression that leaves records out knows nothing of what stands in them.
    if any(of.left_out.records for of in one.conversions.values()):
        raise refused


def _members(nodes: Iterable[Node], inputs: Iterable[tuple[Taken, str | None, str | None]]) -> Members:
    """The records of each node, read once more; an input comes with what a node is called in it and among them."""
    linked = {node.name: set(node.link) for node in nodes}
    for node in nodes:
        if node.parent is not None:
            linked[node.parent] |= set(node.link)
    members: dict[str | None, list[_Member]] = {}
    for one, called, name in inputs:
        conversion = one.conversions[called]
        if conversion.unfit:
            raise MedpayError("aside_unread", path=one.source.path, count=conversion.unfit)
        made = next(made for made in one.judgements if made.verdict.node == called)
        everything = np.ones(conversion.came, np.bool_)
        columns = (ROW, *sorted(linked.get(name, set())))
        frames = [frame.select(columns) for frame in made.again(everything)] if conversion.came else []
        schema = {column: pl.UInt64 if column == ROW else pl.String for column in columns}
        text = pl.concat([pl.DataFrame(schema=schema), *frames])
        members.setdefault(name, []).append(_Member(one, conversion, text, conversion.rejected))
    return members


def _close(nodes: Iterable[Node], members: Members) -> None:
    """Reject whatever belongs to what is rejected, until nothing more does."""
    before = sum(int(one.rejected.sum()) for some in members.values() for one in some)
    inside = [node for node in nodes if node.parent in members and node.name in members]
    for node in inside:
        _check_links(node, members)
    is_more = True
    while is_more:
        is_more = False
        for node in inside:
            links = list(node.link)
            for these, those in ((node.name, node.parent), (node.parent, node.name)):
                gone = pl.concat([one.text.filter(one.marks).select(links) for one in members[these]]).unique()
                for one in members[those]:
                    is_more |= _mark(one, gone)
    for some in members.values():
        for one in some:
            newly = one.rejected & ~one.conversion.rejected
            if newly.any():
                _reject(one.conversion, newly, before)


def _check_links(node: Node, members: Members) -> None:
    """Whether it is known where each rejected record stands."""
    around = pl.concat([one.text.select(node.link) for one in members[node.parent]])
    for one in members[node.name]:
        if not one.text.filter(one.marks).join(around, on=list(node.link), how="anti").is_empty():
            raise MedpayError("aside_nodes", path=one.taken.source.path, dialect=one.taken.dialect.name)


def _mark(one: _Member, gone: pl.DataFrame) -> bool:
    """Reject the records that have one of these links; whether there were any."""
    rows = one.text.filter(~one.marks).join(gone, on=gone.columns, how="semi")[ROW].to_numpy() - 1
    one.rejected[rows] = True
    return len(rows) > 0


def _reject(conversion: Conversion, newly: Flags, faulty: int) -> None:
    made = conversion.judged
    verdict = made.verdict
    for frame in conversion.again(newly):
        amounts = (
            money.amount(pl.col(of.name), of.digits, of.scale).alias(of.name)
            for of in conversion.target.plan.target.money
        )
        verdict.rejected_totals = added(verdict.rejected_totals, money.sums(frame.select(amounts)))
    count = int(newly.sum())
    verdict.rejected += count
    verdict.verdict = FOUND
    lines.reject(conversion.kinds, newly)
    made.findings.add(
        findings.frame(
            ALONG, file_of(verdict), severity=ERROR, file=pl.col("file"), member=pl.col("member"),
            node=conversion.target.node,
            value=str(count), expected=str(faulty),
        )
    )  # fmt: skip
