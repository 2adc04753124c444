"""Accepted and rejected records in two files, byte for byte as they stand in the input, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from medpay_cli.errors import InternalError, ReadError, StorageError
from medpay_cli.formats import LineKind
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import MARKS
from medpay_cli.judging import Judgement

BLOCK = 16 << 20

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Whole = np.ndarray[tuple[int], np.dtype[np.int64]]


def separate(source: Input, made: Judgement[None], accepted: BinaryIO | None, rejected: BinaryIO | None) -> None:
    """Write the records of a judged input (as it was opened, not decoded) to where they belong.

    What is no record (byte order mark, preamble, header, footer) goes to both, blank lines to neither, so that both
    read in the dialect of the input. Raises StorageError where the input is no longer the one that was judged.
    """
    targets = ((accepted, LineKind.RECORD), (rejected, LineKind.REJECTED))
    encoding = made.verdict.encoding or ""
    mark = next((mark for mark, name in MARKS if name == encoding), b"")
    with source.open() as stream:
        head = stream.read(len(mark))
        if head == mark:
            _write(targets, head)
            head = b""
        kinds_of = _Kinds(made.lines)
        for raw, ends in _lines(stream, head, encoding):
            kinds = kinds_of.next(len(ends))
            lengths = np.diff(ends, prepend=0)
            for target, kind in targets:
                if target is not None:
                    target.write(raw[np.repeat((kinds == kind) | (kinds == LineKind.HEAD), lengths)].tobytes())
    try:
        source.check_unchanged()
    except ReadError as err:
        raise StorageError("input_changed", path=source.path) from err
    kinds_of.prove()


def _write(targets: tuple[tuple[BinaryIO | None, LineKind], ...], block: bytes) -> None:
    for target, _ in targets:
        if target is not None:
            target.write(block)


class _Kinds:
    """What each line is, in order; lines of one record are all what the record is."""

    def __init__(self, lines: BinaryIO) -> None:
        self._lines = lines
        self._lines.seek(0)
        self._last = int(LineKind.HEAD)
        self._more = 0

    def next(self, count: int) -> Bytes:
        """The kinds of the next lines."""
        kinds = np.frombuffer(self._lines.read(count), np.uint8)
        known = np.concatenate(([np.uint8(self._last)], kinds))
        standing = np.maximum.accumulate(np.where(known == LineKind.MORE, 0, np.arange(len(known))))
        filled = known[standing][1:]
        self._last = int(filled[-1]) if len(filled) else self._last
        self._more += count - len(kinds)
        return np.concatenate((filled, np.full(count - len(kinds), LineKind.BLANK, np.uint8)))

    def prove(self) -> None:
        """The lines that were judged are those of the file."""
        left = len(self._lines.read())
        if left or self._more:
            raise InternalError("tie_out", what="lines", left=left, right=self._more)


def _lines(stream: BinaryIO, head: bytes, encoding: str) -> Iterator[tuple[Bytes, Whole]]:
    """Blocks of whole lines, with the place where each line ends."""
    rest = head
    while True:
        read = stream.read(BLOCK)
        block = rest + read
        raw = np.frombuffer(block, np.uint8)
        ends = _ends(block, encoding)
        if not read:
            if len(block) > (ends[-1] if len(ends) else 0):
                ends = np.append(ends, len(block))
            if len(ends):
                yield raw, ends
            return
        stop = int(ends[-1]) if len(ends) else 0
        rest = block[stop:]
        if stop:
            yield raw[:stop], ends


def _ends(block: bytes, encoding: str) -> Whole:
    """Behind each line end. In UTF-8, GB18030 and Big5 the byte is never part of another character."""
    family, _, order = encoding.rpartition("-")
    size = {"utf-16": 2, "utf-32": 4}.get(family, 1)
    kind = np.dtype(f"{'>' if order == 'be' else '<'}u{size}")
    units = np.frombuffer(block[: len(block) // size * size], kind)
    return ((np.flatnonzero(units == 10) + 1) * size).astype(np.int64)
