"""Rejected records stand beside the target in the layout of their source, and why they were rejected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from medpay_cli import formats, money, reports, separating
from medpay_cli.errors import MedpayError
from medpay_cli.findings import Findings
from medpay_cli.judging import Judgement
from medpay_cli.reports import Style
from medpay_cli.transform.binding import Taken
from medpay_cli.transform.told import Transformation


def beside(result: Transformation, taken: list[Taken], style: Style) -> dict[Path, Callable[[BinaryIO], None]]:
    """The rejected records of each input in its own layout, and why they were. Raises MedpayError where they cannot be
    told apart from what they belong to."""
    rejecting = [one for one in taken if any(of.rejected.any() for of in one.conversions.values())]
    made: dict[Path, Callable[[BinaryIO], None]] = {}
    for number, one in enumerate(rejecting, 1):
        if len(one.parts) > 1:
            raise MedpayError("aside_nodes", path=one.source.path, dialect=one.dialect.name)
        name = f"{result.out}.rejected" if len(taken) == 1 else f"{result.out}.{number}.rejected"
        made[Path(name)] = partial(_reject, one)
        made[Path(f"{name}.why.csv")] = partial(_why, result, one, style)
    return made


def _reject(one: Taken, file: BinaryIO) -> None:
    """Byte for byte where records are lines, else written anew."""
    ((node, conversion),) = one.conversions.items()
    if one.dialect.format in formats.IN_LINES and not one.dialect.nodes:
        separating.separate(one.source, _of_rejected(one, node), None, file, one.dialect)
        return
    if conversion.unfit:
        raise MedpayError("aside_unread", path=one.source.path, count=conversion.unfit)
    names = {node: one.parts[node].names}
    again = one.judgements[0].again(conversion.rejected)
    formats.write(file, one.dialect, names, ({node: frame} for frame in again))


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


def _why(result: Transformation, one: Taken, style: Style, file: BinaryIO) -> None:
    """Every finding at error level of both ends, in the order of the records."""
    found = Findings()
    found.extend(one.judgements[0].findings)
    for of in one.conversions.values():
        if of.desk:
            found.merge(of.desk.made.findings.frames(), "row")
    both = (result.source, result.target)
    titles = {name: title for end in both for name, title in end.titles.items()}
    sensitivity = {name: level for end in both for name, level in end.sensitivity.items()}
    plain = (result.source.plain - {*result.target.titles}) | result.target.plain
    reports.write(
        replace(result.source, findings=found, titles=titles, sensitivity=sensitivity, plain=plain), "why", file, style
    )
