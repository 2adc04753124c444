"""The lines of a file that was read, what each of them is and where it stands: to pick out lines byte for byte."""

from __future__ import annotations

import io
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from medpay_cli import files
from medpay_cli.errors import InternalError
from medpay_cli.formats import LineKind

# Larger blocks would be new memory each, which costs more than to look at them.
BLOCK = 1 << 20
# Below one line in so many, lines are copied one by one.
SCATTERED = 16

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Whole = np.ndarray[tuple[int], np.dtype[np.int64]]
Lengths = np.ndarray[tuple[int], np.dtype[np.uint32]]


@dataclass(frozen=True)
class Lines:
    """Some whole lines: their bytes and lengths; what each is, a line of MORE being what its record is; where records
    begin."""

    raw: Bytes
    lengths: Whole
    kinds: Bytes
    begins: Flags

    def picked(self, wanted: Flags) -> bytes:
        """The bytes of the wanted lines."""
        return _picked(self.raw, self.lengths, wanted)


def walk(stream: BinaryIO, kinds: BinaryIO, encoding: str, head: bytes = b"") -> Iterator[Lines]:
    """The lines of a stream, `head` before it, beside their kinds (a byte each).

    Raises InternalError at the end where there are more of the ones than of the others.
    """
    kinds.seek(0)
    last, missing = np.uint8(LineKind.HEAD), 0
    for raw, ends in _blocks(stream, head, encoding):
        own = np.frombuffer(kinds.read(len(ends)), np.uint8)
        missing += len(ends) - len(own)
        known = np.concatenate(([last], own, np.full(len(ends) - len(own), LineKind.BLANK, np.uint8)))
        standing = np.maximum.accumulate(np.where(known == LineKind.MORE, 0, np.arange(len(known))))
        filled = known[standing][1:]
        last = filled[-1]
        yield Lines(raw, np.diff(ends, prepend=0), filled, known[1:] <= LineKind.REJECTED)
    left = len(kinds.read())
    if left or missing:
        raise InternalError("tie_out", what="lines", left=left, right=missing)


def rejected(kinds: BinaryIO) -> Flags:
    """Which records are rejected, one after the other."""
    kinds.seek(0)
    blocks = [np.empty(0, np.bool_)]
    while read := kinds.read(BLOCK):
        block = np.frombuffer(read, np.uint8)
        blocks.append(block[block <= LineKind.REJECTED] == LineKind.REJECTED)
    return np.concatenate(blocks)


def reject(kinds: BinaryIO, records: Flags) -> None:
    """Turn the lines of these records into rejected ones."""
    row = at = 0
    kinds.seek(0)
    while read := kinds.read(1 << 20):
        block = np.frombuffer(read, np.uint8).copy()
        begins = np.flatnonzero(block <= LineKind.REJECTED)
        block[begins[records[row : row + len(begins)]]] = LineKind.REJECTED
        kinds.seek(at)
        kinds.write(block.tobytes())
        row += len(begins)
        at += len(block)
        kinds.seek(at)


@dataclass(frozen=True)
class Excerpt:
    """Some records of a file, alone between its head and its foot, with the line in which each one begins."""

    text: BinaryIO
    lines: Whole


def excerpt(stream: BinaryIO, kinds: BinaryIO, wanted: Flags) -> Excerpt:
    """The wanted records (of all records, one after the other) of a stream of UTF-8, behind an empty line: no record
    may come to stand where a byte order mark would."""
    made, found = files.spool(), [np.empty(0, np.int64)]
    made.write(b"\n")
    row = line = 0
    for some in walk(stream, kinds, "utf-8", stream.read(len(BOM_UTF8)).removeprefix(BOM_UTF8)):
        rows = row + np.cumsum(some.begins) - 1
        of_record = some.kinds <= LineKind.REJECTED
        chosen = some.kinds == LineKind.HEAD
        chosen[of_record] = wanted[rows[of_record]]
        made.write(some.picked(chosen))
        found.append(np.flatnonzero(some.begins & chosen) + line + 1)
        row += int(some.begins.sum())
        line += len(some.begins)
    return Excerpt(made, np.concatenate(found))


class Span(NamedTuple):
    """Where some lines stand in the bytes of a file, each of them a record: their place, the number of the first one,
    and the length of each with its end."""

    at: int
    line: int
    lengths: Lengths


class Spans:
    """Where all records of a file stand, as long as each of them is a line and every span is known."""

    def __init__(self) -> None:
        self._lengths = files.spool()
        self._parts: list[tuple[int, int, int]] = []
        self.are_known = True

    def add(self, span: Span | None, lines: int) -> None:
        """Take in the next ones, before which the file has so many lines; None where they are not known."""
        self.are_known &= span is not None
        if span is None or not self.are_known:
            return
        self._lengths.write(span.lengths.tobytes())
        self._parts.append((span.at, span.line + lines, len(span.lengths)))

    def excerpt(self, stream: BinaryIO, wanted: Flags) -> Excerpt | None:
        """The same as of a walk; None where it takes one."""
        direct: Any = stream.raw if isinstance(stream, io.BufferedReader) else stream
        if not (self.are_known and self._parts and direct.seekable()):
            return None
        made, found = files.spool(), [np.empty(0, np.int64)]
        made.write(b"\n" + _read(direct, 0, self._parts[0][0]).removeprefix(BOM_UTF8))
        self._lengths.seek(0)
        row = end = 0
        # New memory for every part would cost more than what is done with it.
        buffer = np.empty(0, np.uint8)
        for at, line, records in self._parts:
            lengths = np.frombuffer(self._lengths.read(4 * records), np.uint32).astype(np.int64)
            chosen = wanted[row : row + records]
            row, end = row + records, at + int(lengths.sum())
            found.append(np.flatnonzero(chosen) + line)
            if not len(found[-1]):
                continue
            if len(buffer) < end - at:
                buffer = np.empty(end - at, np.uint8)
            made.write(_picked(_filled(direct, at, buffer[: end - at]), lengths, chosen))
        made.write(_read(direct, end, -1))
        return Excerpt(made, np.concatenate(found))


def _read(stream: Any, at: int, size: int) -> bytes:
    """Bytes at a place; all that follow where the size is -1."""
    stream.seek(at)
    read: bytes = stream.read(size)
    while 0 <= len(read) < size and (more := stream.read(size - len(read))):
        read += more
    return read


def _filled(stream: Any, at: int, buffer: Bytes) -> Bytes:
    """The buffer with the bytes at a place in it; shorter where the file ends."""
    stream.seek(at)
    done = 0
    while done < len(buffer) and (more := stream.readinto(buffer[done:].data)):
        done += more
    return buffer[:done]


def _picked(raw: Bytes, lengths: Whole, wanted: Flags) -> bytes:
    if int(wanted.sum()) * SCATTERED > len(wanted):
        # The last line of a file may have no end.
        return raw[np.repeat(wanted, lengths)[: len(raw)]].tobytes()
    # A mask of every byte takes ten times as long as the few lines themselves.
    some = lengths[wanted]
    ends = np.cumsum(some)
    starts = np.cumsum(lengths)[wanted] - some
    places = np.repeat(starts - (ends - some), some) + np.arange(ends[-1] if len(ends) else 0)
    found: bytes = raw[places[places < len(raw)]].tobytes()
    return found


def _blocks(stream: BinaryIO, head: bytes, encoding: str) -> Iterator[tuple[Bytes, Whole]]:
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
