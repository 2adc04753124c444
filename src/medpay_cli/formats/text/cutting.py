"""Cut a stream of text into parts of whole records, in bounded memory, and take off what is no record."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from medpay_cli.characters import LF
from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.formats import Told
from medpay_cli.formats.text import controls, quoting

# Parts of 8 MiB take a fifth more time, as each has some work of its own; larger ones more memory.
PART = 16 << 20
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Cut:
    """Some whole records: as they stand, and `shape`, in which every delimiter and line end is one of the records.

    `broken` says where records with broken quoting begin, `unclosed` that a quote opens behind them all that never
    closes. `last` is the end of the file; `head` lines before it and `foot` lines behind it are no records, and
    `declared` is what the control lines among them say; `at` is the place of the block in the bytes of the file.
    """

    block: bytes
    shape: bytes
    broken: tuple[int, ...] = ()
    unclosed: bool = False
    last: bool = False
    head: int = 0
    foot: int = 0
    declared: tuple[Told, ...] = ()
    at: int = 0

    def joined(self, other: Cut) -> Cut:
        """Both as one."""
        broken = (*self.broken, *(place + len(self.block) for place in other.broken))
        return Cut(self.block + other.block, self.shape + other.shape, broken, other.unclosed, at=self.at)


class Cutter:
    """A stream on its way: first its head line by line, then its parts."""

    def __init__(self, stream: BinaryIO, dialect: Dialect, part: int | None = None) -> None:
        """`part` is about how many bytes are read at a time, where less than usual."""
        self._stream = stream
        self._part = min(part or PART, PART)
        self._dialect = dialect
        self._mark = dialect.quote.encode()
        self._read = 0
        self._ahead = self._first()
        self._passed = 0
        self._declared: tuple[Told, ...] = ()

    def _first(self) -> bytes:
        first = self._line().removeprefix(BOM)
        if not first.endswith(b"\n") and b"\r" in first.removesuffix(b"\r"):
            raise ReadError("F212", value="CR", expected="LF | CR LF")
        return first

    def line(self) -> bytes:
        """The next line; empty at the end. Raises ReadError F204 for one beyond the limit."""
        line, self._ahead = self._ahead or self._line(), b""
        self._passed += line != b""
        return line

    def record(self) -> bytes:
        """The next line, and those after it up to the one that closes a quote which opens in it."""
        record = self.line()
        while self._mark and record.count(self._mark) % 2 == 1 and len(record) <= self._dialect.limits.line:
            more = self.line()
            if not more:
                break
            record += more
        return record

    def skip(self) -> None:
        """Go past the preamble and the control line. Raises ReadError F204, F220."""
        for _ in range(self._dialect.preamble):
            self.line()
        if self._dialect.head:
            self._declared = controls.told(self.line(), controls.HEAD, self._dialect.head, self._dialect)

    def parts(self) -> Iterator[Cut]:
        """What is left, in parts of whole records; the lines around them that are no records are only counted.

        Raises ReadError F204, F213 where the end of the last line is missing, F214 where the footer or the control line
        is, F220 where that cannot be read.
        """
        head, declared = self._passed, self._declared
        for cut in self._parts():
            yield replace(cut, head=head, declared=declared + cut.declared)
            head, declared = 0, ()

    def _parts(self) -> Iterator[Cut]:
        foot = len(self._dialect.footer) + (self._dialect.tail is not None)
        waiting: Cut | None = None
        for cut in self._placed():
            if waiting is None:
                waiting = cut
            elif _is_short(cut.shape, foot):
                waiting = waiting.joined(cut)  # the foot may begin in the part before
            else:
                yield waiting
                waiting = cut
        last = replace(waiting or Cut(b"", b""), last=True)
        if last.block and self._dialect.final_line_end and not last.block.endswith(b"\n"):
            raise ReadError("F213")
        yield last if last.unclosed else self._without_foot(last)

    def _placed(self) -> Iterator[Cut]:
        """The parts, and where each of them begins."""
        at = self._read - len(self._ahead)
        for cut in self._cuts():
            yield replace(cut, at=at)
            at += len(cut.block)

    def _cuts(self) -> Iterator[Cut]:
        rest, self._ahead = self._ahead, b""
        while True:
            read = self._whole_lines()
            block = rest + read
            rest = b""
            if not block:
                return
            if self._dialect.limits.line < self._part:
                self._check_lines(block)
            if not self._mark or self._mark not in block:
                yield Cut(block, block)
                continue
            block += self._until_closed(block)
            cut = self._whole(block)
            rest = block[len(cut.block) :]
            if rest and (not read or len(rest) > self._dialect.limits.field):
                yield replace(cut, unclosed=True)
                return
            if cut.block:
                yield cut

    def _whole_lines(self) -> bytes:
        """About as many bytes as a part has, up to the end of a line; empty at the end."""
        stream = self._stream
        if isinstance(stream, io.BufferedReader | io.BufferedRandom) and stream.seekable():
            # To add the end of a line to a part is to copy it, which costs as much as to read it.
            at = stream.tell()
            stream.seek(at + self._part - 1)
            size = self._part - 1 + len(self._line())
            stream.seek(at)
            return stream.read(size)
        read = stream.read(self._part)
        return read if not read or read.endswith(b"\n") else read + self._line()

    def _check_lines(self, block: bytes) -> None:
        """Longer lines than a part are met when they are read; shorter ones that are too long are looked for."""
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == LF)
        lengths = np.diff(np.append(ends, len(block) - 1), prepend=-1)
        limit = self._dialect.limits.line + 1  # a line end is no part of its line
        if lengths.max() > limit:
            raise ReadError("F204", value=str(lengths.max() - 1), expected=f"<= {limit - 1}")

    def _until_closed(self, block: bytes) -> bytes:
        """The lines that follow, up to the one that closes the open quote, if it closes soon."""
        more, is_open = b"", block.count(self._mark) % 2 == 1
        while is_open and len(more) <= self._dialect.limits.field:
            line = self._line()
            if not line:
                break
            more += line
            is_open ^= line.count(self._mark) % 2 == 1
        return more

    def _whole(self, block: bytes) -> Cut:
        """The records that the block holds whole."""
        if not self._mark or self._mark not in block:
            return Cut(block, block)
        shape = quoting.shape(block, self._dialect)
        return Cut(block[: shape.done], shape.hidden, shape.broken)

    def _without_foot(self, cut: Cut) -> Cut:
        """The last part without its last lines. Raises ReadError F214 where they do not begin as they should."""
        at = len(cut.block)
        for begins in reversed(self._dialect.footer):
            at = _line_before(cut, at)
            if not cut.block.startswith(begins.encode(), at):
                raise ReadError("F214", expected=begins)
        declared: tuple[Told, ...] = ()
        if self._dialect.tail:
            behind, at = at, _line_before(cut, at)
            declared = controls.told(cut.block[at:behind], controls.TAIL, self._dialect.tail, self._dialect)
        foot = cut.block[at:]
        broken = tuple(place for place in cut.broken if place < at)
        lines = foot.count(b"\n") + (foot != b"" and not foot.endswith(b"\n"))
        return replace(
            cut, block=cut.block[:at], shape=cut.shape[:at], broken=broken, foot=lines, declared=declared
        )  # fmt: skip

    def _line(self) -> bytes:
        limit = self._dialect.limits.line
        line = self._stream.readline(limit + 1)
        self._read += len(line)
        if len(line) > limit:
            if b"\n" not in line and b"\r" in line:
                raise ReadError("F212", value="CR", expected="LF | CR LF")
            raise ReadError("F204", value=f"> {limit}", expected=f"<= {limit}")
        return line


def _line_before(cut: Cut, at: int) -> int:
    """Where the line begins that ends before that place."""
    return cut.shape.rfind(b"\n", 0, max(at - 1, 0)) + 1


def _is_short(shape: bytes, lines: int) -> bool:
    """Whether there are at most so many lines; looked at from the start, nearly always for a few bytes."""
    at = -1
    for _ in range(lines + 1):
        at = shape.find(b"\n", at + 1)
        if at < 0:
            return True
    return False
