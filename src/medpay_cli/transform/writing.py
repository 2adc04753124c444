"""The accepted records of all inputs are written in the form that the target has: all of them, or nothing is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import polars as pl

from medpay_cli import formats
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError
from medpay_cli.findings import ERROR
from medpay_cli.judging import Terms
from medpay_cli.transform import grouping, nesting, publishing
from medpay_cli.transform.balance import Conservation
from medpay_cli.transform.binding import Binding, Chosen, Taken
from medpay_cli.transform.converting import Conversion, Target
from medpay_cli.transform.proving import prove
from medpay_cli.transform.publishing import Beside, Content, Limit, Part
from medpay_cli.transform.told import Transformation, outcome


def write(
    result: Transformation, taken: list[Taken], chosen: Chosen, limit: Limit, beside: Beside, reading: Binding
) -> bool:
    """Publish the accepted records, and only if everything ties; False where groups of them are wrong."""
    conversions = [of for one in taken for of in one.conversions.values()]
    result.records = {"in": 0, "out": 0, "rejected": 0, "left_out": 0}
    if reading.straight and conversions:
        out, rejected = Conservation(), Conservation()
        for one in conversions:
            out.add(one.out.records, one.out.sums)
            rejected.add(one.lost.records, one.lost.sums)
        prove(result, taken, {conversions[0].target.node: (out, rejected)})
        result.parts = [reading.straight.finish(out.records)]
        return True
    return _written(result, taken, conversions, chosen, limit, beside, reading)


def _written(
    result: Transformation, taken: list[Taken], conversions: list[Conversion], chosen: Chosen, limit: Limit,
    beside: Beside, reading: Binding,
) -> bool:  # fmt: skip
    """The same of records that wait."""
    balance = {of.target.node: (Conservation(), Conservation()) for of in conversions}
    names = {node: layout.names for node, layout in chosen.parts.items()}
    widths = [(one.dialect.name, of.width) for one in taken for of in one.conversions.values()]
    written = publishing.as_wide(chosen.dialect, widths)

    def frames(node: str | None) -> Iterator[pl.DataFrame]:
        for of in conversions:
            if of.target.node == node:
                yield from of.records(*balance[node])

    def write_chunks(file: BinaryIO, chunks: Iterable[nesting.Chunk]) -> Content | None:
        if reading.seal:
            return reading.seal.write(file, written, names, chunks)
        formats.write(file, written, names, chunks)
        return None

    named = reading.seal.named if reading.seal and reading.seal.out is None else None

    if chosen.members:
        full = [node for node in chosen.members if _accepted(conversions, node)]
        size = _published_members(result.out, chosen, full, frames, beside, partial(prove, result, taken, balance))
        result.parts = [Part(result.out, result.records["out"], size)]
        return True
    if reading.mapping.apart:
        if limit != Limit():
            raise MedpayError("split_nodes", dialect=written.name)
        first = written.parts[0].name
        lists = nesting.apart(first, {node: frames(node) for node in balance}, reading.mapping.apart)
        count, proving = _accepted(conversions, first), partial(prove, result, taken, balance)
        if named and count > 1 and not (reading.seal and reading.seal.is_numbered):
            raise MedpayError("dialect_fault", path=written.name, reason="batch name: {part}")
        each = _each_apart(lists, count, write_chunks, proving)
        result.parts = publishing.publish_each(result.out, written, [1] * count, each, beside, named)
        return True
    if len(balance) > 1:
        if limit != Limit():
            raise MedpayError("split_nodes", dialect=written.name)
        contents: list[Content | None] = []

        def nested(file: BinaryIO) -> None:
            chunks = nesting.chunks(written, {node: frames(node) for node in balance})
            contents.append(write_chunks(file, chunks))
            prove(result, taken, balance)

        size = publishing.publish_whole(result.out, written, nested, beside)
        result.parts = [Part(result.out, result.records["out"], size, contents[-1])]
        return True
    (node,) = balance
    records: Iterator[pl.DataFrame] = frames(node)
    accepted = _accepted(conversions, node)
    if reading.after and reading.after.plan.before:
        text = _grouped(result, records, reading.after, chosen, written, reading.terms)
        if text is None:
            return False
        records, accepted = iter([text]), text.height

    def proved() -> Iterator[pl.DataFrame]:
        yield from records
        prove(result, taken, balance)

    def write(file: BinaryIO, records: Iterable[pl.DataFrame]) -> Content | None:
        return write_chunks(file, ({node: one} for one in records))

    result.parts = publishing.publish(result.out, written, proved(), accepted, limit, write, beside, named)
    return True


def _grouped(
    result: Transformation, records: Iterator[pl.DataFrame], after: Target, chosen: Chosen, written: Dialect,
    terms: Terms,
) -> pl.DataFrame | None:  # fmt: skip
    """What becomes of the groups of the records; None where some of them are wrong."""
    assert after.plan.before is not None  # noqa: S101 - only called where there are groups
    found = grouping.groups(records, after.plan.before)
    made, text = grouping.judged(after.plan, found, result.out, after.node, written, terms)
    fields = [one for layout in chosen.parts.values() for one in layout.fields]
    result.target = outcome([made.verdict], [made.findings], fields, after.plan.worded)
    return None if made.findings.count(ERROR) else text


def _accepted(conversions: list[Conversion], node: str | None) -> int:
    return sum(of.accepted for of in conversions if of.target.node == node)


def _published_members(
    out: Path, chosen: Chosen, full: list[str | None], frames: Callable[[str | None], Iterator[pl.DataFrame]],
    beside: Beside, prove: Callable[[], None],
) -> int:  # fmt: skip
    """An archive with a file for each node that has records, for nobody could judge one without; its size."""

    def member(node: str | None, file: BinaryIO) -> None:
        records: Iterator[nesting.Chunk] = ({None: frame} for frame in frames(node))
        formats.write(file, chosen.members[node], {None: chosen.parts[node].names}, records)
        if node == full[-1]:
            prove()

    members = {str(node): (chosen.members[node], partial(member, node)) for node in full}
    return publishing.publish_members(out, members, beside)


def _each_apart(
    lists: Iterator[nesting.Chunk], count: int, write: Callable[[BinaryIO, Iterable[nesting.Chunk]], Content | None],
    prove: Callable[[], None],
) -> Callable[[BinaryIO], Content | None]:  # fmt: skip
    """Writes a message for each of so many records; before any of them is seen, everything has its place and ties."""
    left = iter(range(count - 1, -1, -1))

    def each(file: BinaryIO) -> Content | None:
        content = write(file, iter([next(lists)]))
        if next(left) == 0:
            next(lists, None)  # raises where records are left that belong to none
            prove()
        return content

    return each
