"""A target that is written while its records are still read and judged: nobody sees it before all of them are.

A thread of its own writes what it is handed. Where an error turns up, what it wrote is dropped; what cannot be decided
without seeing records once more, as a key that stands twice in the target or in two inputs, has everything done anew,
with the records in a spool.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import BinaryIO

import polars as pl

from medpay_cli import formats
from medpay_cli.dialects import Dialect
from medpay_cli.errors import InternalError
from medpay_cli.repeats import Keys
from medpay_cli.transform import publishing
from medpay_cli.transform.publishing import Part, as_wide

# So many frames wait for the thread that writes.
AHEAD = 2


class AnewError(Exception):
    """Records are needed once more that were not kept."""


class _DroppedError(Exception):
    """What was written so far is not wanted."""


class Straight:
    """The one file to be written, from `begin` to `finish`; whoever leaves it earlier drops it."""

    def __init__(self, out: Path, inputs: int) -> None:
        self._out, self._inputs = out, inputs
        self._node: str | None = None
        # Each with its width, and whether some of the last one was written.
        self._sources: list[tuple[str, int | None]] = []
        self._is_begun = False
        self._pen: _Pen | None = None
        self._is_open = False

    def __enter__(self) -> Straight:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def form(self, written: Dialect, names: formats.Names, key: tuple[str, ...], read: Dialect) -> Straight:
        """How records are written, and how those of the next input are read; no two of them may have the same key."""
        if not self._sources:
            # Each input knows its own keys; of several all of them are held together.
            self.keys = Keys(key) if key and self._inputs > 1 else None
        self._written, self._names = written, names
        self._sources.append((read.name, None))
        self._is_begun = False
        return self

    def refuse(self) -> None:
        """The next input cannot be written so. Raises AnewError where another one was."""
        if self._sources:
            raise AnewError

    def begin(self, node: str | None) -> None:
        """Begin with the first record of the next input, or with that input anew. Raises AnewError."""
        if len(self._sources) == 1:
            self.drop()
            self._is_open = True
            if self.keys:
                self.keys.cut(0)
        elif self._is_begun or node != self._node:
            raise AnewError
        self._node, self._is_begun = node, False

    def take(self, frame: pl.DataFrame, width: int | None) -> None:
        """Write some more records, of a source that is so wide. Nothing happens where they were dropped. Raises
        AnewError."""
        if not self._is_open:
            return
        if not self._is_begun:
            self._sources[-1] = (self._sources[-1][0], width)
            self._is_begun = True
            self._start()
        elif width != self._sources[-1][1]:
            raise AnewError
        if self._pen and frame.height:
            self._pen.frames.put(frame)

    def check_keys(self) -> None:
        """Raises AnewError where a key may stand in several inputs."""
        if self.keys and self.keys.repeated() is not None:
            raise AnewError

    def drop(self) -> None:
        """Nothing is left of what was written."""
        self._is_open = False
        if self._pen is not None:
            self._pen.stop(_DroppedError())
            self._pen = None

    def finish(self, records: int) -> Part:
        """Give the file its name. Raises what writing raised, InternalError where it holds another number of records,
        and AnewError where it was dropped."""
        if not self._is_open:
            raise AnewError
        self._start()
        pen = self._pen
        assert pen is not None  # noqa: S101 - just started
        pen.stop(records)
        if pen.failed is not None:
            raise pen.failed
        self._pen, self._is_open = None, False
        return Part(self._out, records, pen.size)

    def _start(self) -> None:
        """Begin the file, or make sure that the next source is no wider."""
        written = as_wide(self._written, self._sources)
        if self._pen is None:
            self._pen = _Pen(self._out, written, self._names, self._node)
        elif written != self._pen.written:
            raise AnewError


class _Pen(Thread):
    """Writes the frames in its queue until that says how many records there must have been, or why it is to stop."""

    def __init__(self, out: Path, written: Dialect, names: formats.Names, node: str | None) -> None:
        super().__init__(name="medpay-pen")
        self.frames: Queue[pl.DataFrame | int | _DroppedError] = Queue(AHEAD)
        self.failed: BaseException | None = None
        self.size = self._count = self._expected = 0
        self._out, self.written, self._names, self._node = out, written, names, node
        self.start()

    def stop(self, last: int | _DroppedError) -> None:
        """Wait for its end."""
        self.frames.put(last)
        self.join()

    def run(self) -> None:
        """Write. Whatever goes wrong is kept for who waits for us."""
        try:
            self.size = publishing.publish_whole(self._out, self.written, self._write, {})
        except BaseException as err:
            self.failed = err
        try:
            for _ in self._taken():  # nobody waits in vain for room
                pass
        except _DroppedError:
            pass

    def _write(self, file: BinaryIO) -> None:
        formats.write(file, self.written, self._names, ({self._node: frame} for frame in self._taken()))
        if self._count != self._expected:
            raise InternalError("tie_out", what="records", left=self._count, right=self._expected)

    def _taken(self) -> Iterator[pl.DataFrame]:
        while True:
            frame = self.frames.get()
            if isinstance(frame, pl.DataFrame):
                self._count += frame.height
                yield frame
                continue
            self.frames.put(frame)  # for whoever asks once more
            if isinstance(frame, _DroppedError):
                raise frame
            self._expected = frame
            return
