"""Accepted and rejected records in two files, byte for byte as they stand in the input, in the same order."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

import numpy as np

from medpay_cli import money
from medpay_cli.dialects import RECORDS, ControlLine, Dialect
from medpay_cli.errors import InternalError, ReadError, StorageError
from medpay_cli.formats import LineKind
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import MARKS
from medpay_cli.formats.lines import Flags, Lines, walk
from medpay_cli.formats.text import controls
from medpay_cli.judging import Judgement

# A place, what stands there, and in which dialect.
Control = tuple[str, ControlLine, Dialect]


def separate(
    source: Input, made: Judgement[Any], accepted: BinaryIO | None, rejected: BinaryIO | None,
    dialect: Dialect | None = None,
) -> None:  # fmt: skip
    """Write the records of a judged input (as it was opened, not decoded) to where they belong.

    What is no record (byte order mark, preamble, header, footer) goes to both, blank lines to neither, so that both
    read in the dialect of the input; control lines declare what is in each, where the dialect is known. Raises
    StorageError where the input is no longer the one that was judged.
    """
    targets = [(out, kind) for out, kind in ((accepted, LineKind.RECORD), (rejected, LineKind.REJECTED)) if out]
    encoding = made.verdict.encoding or ""
    mark = next((mark for mark, name in MARKS if name == encoding), b"")
    with source.open() as stream:
        head = stream.read(len(mark))
        if head == mark:
            for out, _ in targets:
                out.write(head)
            head = b""
        try:
            places = _control_lines(made, dialect) if dialect else {}
            first = 0
            for some in walk(stream, made.lines, encoding, head):
                here = {at - first: line for at, line in places.items() if 0 <= at - first < len(some.kinds)}
                for out, kind in targets:
                    _put(out, some, kind, here, made, encoding)
                first += len(some.kinds)
        except InternalError:
            _check_unchanged(source)
            raise
    _check_unchanged(source)


def _control_lines(made: Judgement[Any], dialect: Dialect) -> dict[int, Control]:
    """The lines, from 0, that declare totals."""
    count = made.lines.seek(0, os.SEEK_END)
    places = {
        dialect.preamble: (controls.HEAD, dialect.head),
        count - len(dialect.footer) - 1: (controls.TAIL, dialect.tail),
    }
    return {at: (place, how, dialect) for at, (place, how) in places.items() if how}


def _put(
    out: BinaryIO, some: Lines, kind: LineKind, here: dict[int, Control], made: Judgement[Any], encoding: str
) -> None:
    """The lines of a kind, and all that are no records, with the totals of what is of that kind."""
    wanted = (some.kinds == kind) | (some.kinds == LineKind.HEAD)
    stops = np.cumsum(some.lengths)
    begin = 0
    for at, (place, how, dialect) in sorted(here.items()):
        out.write(_between(some, wanted, begin, at))
        line = some.raw[stops[at] - some.lengths[at] : stops[at]].tobytes().decode(encoding or "utf-8")
        text = line.rstrip("\r\n")
        told = controls.changed(text.encode(), place, how, dialect, _totals(made, kind))
        out.write((told.decode() + line[len(text) :]).encode(encoding or "utf-8"))
        begin = at + 1
    out.write(_between(some, wanted, begin, len(wanted)))


def _between(some: Lines, wanted: Flags, begin: int, end: int) -> bytes:
    if (begin, end) == (0, len(wanted)):
        return some.picked(wanted)
    chosen = wanted.copy()
    chosen[:begin] = False
    chosen[end:] = False
    return some.picked(chosen)


def _totals(made: Judgement[Any], kind: LineKind) -> dict[str, str]:
    """The count and the sums of the records of a kind."""
    verdict = made.verdict
    if kind == LineKind.REJECTED:
        count, sums = verdict.rejected, verdict.rejected_totals
    else:
        count = verdict.records - verdict.rejected
        sums = {name: money.total((amount, -verdict.rejected_totals[name])) for name, amount in verdict.totals.items()}
    return {RECORDS: str(count), **{name: money.written(amount, verdict.scales[name]) for name, amount in sums.items()}}


def _check_unchanged(source: Input) -> None:
    try:
        source.check_unchanged()
    except ReadError as err:
        raise StorageError("input_changed", path=source.path) from err
