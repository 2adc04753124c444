"""What a transform does not take stands beside what it writes: in its own layout, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from medpay_cli import formats, money, reports, separating
from medpay_cli.errors import MedpayError
from medpay_cli.findings import Findings, Outcome
from medpay_cli.judging import Judgement
from medpay_cli.reports import Style
from medpay_cli.transform import nesting
from medpay_cli.transform.binding import Taken
from medpay_cli.transform.publishing import Beside

Ends = tuple[Outcome, Outcome]


def aside(out: Path, ends: Ends, taken: Sequence[Taken], style: Style) -> Beside:
    """The rejected records of each input in its own layout, and why they were; `ends` is what was found on both. Raises
    MedpayError where they cannot be told apart from what they belong to."""
    rejecting = [one for one in taken if any(of.rejected.any() for of in one.conversions.values())]
    beside: dict[Path, Callable[[BinaryIO], None]] = {}
    for number, one in enumerate(rejecting, 1):
        if len(one.parts) > 1 and len(one.conversions) == 1:
            raise MedpayError("aside_nodes", path=one.source.path, dialect=one.dialect.name)
        name = f"{out}.rejected" if len(taken) == 1 else f"{out}.{number}.rejected"
        beside[Path(name)] = partial(_reject, one)
        beside[Path(f"{name}.why.csv")] = partial(_why, ends, one, style)
    return beside


def _reject(one: Taken, file: BinaryIO) -> None:
    """Byte for byte where records are lines, else written anew."""
    if len(one.parts) == 1 and one.dialect.format in formats.IN_LINES and not one.dialect.nodes:
        ((node, _),) = one.conversions.items()
        separating.separate(one.source, _of_rejected(one, node), None, file, one.dialect)
        return
    unread = sum(of.unfit for of in one.conversions.values())
    if unread:
        raise MedpayError("aside_unread", path=one.source.path, count=unread)
    names = {node: layout.names for node, layout in one.parts.items()}
    records = {made.verdict.node: made.again(_wanted(one, made)) for made in one.judgements if made.verdict.records}
    if len(one.parts) == 1:
        ((node, frames),) = records.items()
        formats.write(file, one.dialect, names, ({node: frame} for frame in frames))
    else:
        formats.write(file, one.dialect, names, nesting.chunks(one.dialect, records))


def _wanted(one: Taken, made: Judgement[Any]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """The rejected records of a node; of one that stands around all others and that nobody maps, all."""
    conversion = one.conversions.get(made.verdict.node)
    node = next((node for node in one.dialect.nodes if node.name == made.verdict.node), None)
    is_around = node is not None and node.parent is None and not node.repeated and len(one.parts) > 1
    if conversion is None or is_around:
        return np.ones(made.verdict.records, np.bool_)
    return conversion.rejected


def _of_rejected(one: Taken, node: str | None) -> Judgement[Any]:
    """The judgement with what either end rejects, and for control lines what that sums up to."""
    made, conversion = one.judgements[0], one.conversions[node]
    verdict, accepted = made.verdict, dict[str, Decimal]()
    for frame in made.again(~conversion.rejected) if one.dialect.head or one.dialect.tail else ():
        amounts = (money.amount(pl.col(of.name), of.digits, of.scale).alias(of.name) for of in one.parts[node].money)
        for name, amount in money.sums(frame.select(amounts)).items():
            accepted[name] = money.total([accepted.get(name), amount])
    rejected = {name: money.total([whole, -accepted.get(name, Decimal(0))]) for name, whole in verdict.totals.items()}
    count = int(conversion.rejected.sum())
    return replace(made, lines=conversion.kinds, verdict=replace(verdict, rejected=count, rejected_totals=rejected))


def _why(ends: Ends, one: Taken, style: Style, file: BinaryIO) -> None:
    """Every finding at error level of both ends, node by node in the order of the records."""
    found = Findings()
    for made in one.judgements:
        own = Findings()
        own.extend(made.findings)
        conversion = one.conversions.get(made.verdict.node)
        if conversion is not None and conversion.desk:
            own.merge(conversion.desk.made.findings.frames(), "row")
        found.extend(own)
    titles = {name: title for end in ends for name, title in end.titles.items()}
    sensitivity = {name: level for end in ends for name, level in end.sensitivity.items()}
    source, target = ends
    plain = (source.plain - {*target.titles}) | target.plain
    told = replace(source, findings=found, titles=titles, sensitivity=sensitivity, plain=plain)
    reports.write(told, "why", file, style)
