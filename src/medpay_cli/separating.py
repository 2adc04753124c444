"""Accepted and rejected records in two files, byte for byte as they stand in the input, in the same order."""

from __future__ import annotations

from typing import Any, BinaryIO

from medpay_cli.errors import InternalError, ReadError, StorageError
from medpay_cli.formats import LineKind
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import MARKS
from medpay_cli.formats.lines import walk
from medpay_cli.judging import Judgement


def separate(source: Input, made: Judgement[Any], accepted: BinaryIO | None, rejected: BinaryIO | None) -> None:
    """Write the records of a judged input (as it was opened, not decoded) to where they belong.

    What is no record (byte order mark, preamble, header, footer) goes to both, blank lines to neither, so that both
    read in the dialect of the input. Raises StorageError where the input is no longer the one that was judged.
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
            for some in walk(stream, made.lines, encoding, head):
                for out, kind in targets:
                    out.write(some.picked((some.kinds == kind) | (some.kinds == LineKind.HEAD)))
        except InternalError:
            _check_unchanged(source)
            raise
    _check_unchanged(source)


def _check_unchanged(source: Input) -> None:
    try:
        source.check_unchanged()
    except ReadError as err:
        raise StorageError("input_changed", path=source.path) from err
