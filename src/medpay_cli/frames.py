"""Frames in order, in bounded memory: the first rows are held, the rest stands in a temporary file without a name."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

from medpay_cli import files

if TYPE_CHECKING:
    import polars as pl


class Frames:
    """Frames of one schema, appended and read again in the same order, as often as needed."""

    IN_MEMORY = 100_000
    # A reader makes wide text out of narrow rows: it gets few at a time.
    AT_ONCE = 20_000

    def __init__(self) -> None:
        self.height = 0
        self._held: list[pl.DataFrame] = []
        self._rows = 0
        self._file: BinaryIO | None = None
        self._ends: list[int] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Append a frame."""
        if frame.is_empty():
            return
        self._held.append(frame)
        self._rows += frame.height
        self.height += frame.height
        if self._rows >= self.IN_MEMORY:
            self._write()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        import polars as pl

        begin = 0
        for end in self._ends:
            file = cast("BinaryIO", self._file)
            file.seek(begin)
            yield from pl.read_ipc(io.BytesIO(file.read(end - begin))).iter_slices(self.AT_ONCE)
            begin = end
        for frame in self._held:
            yield from frame.iter_slices(self.AT_ONCE)

    def _write(self) -> None:
        import polars as pl

        if self._file is None:
            # Nobody can open it, and nothing is left of it when we are killed.
            self._file = files.spool(1)
        buffer = io.BytesIO()
        pl.concat(self._held).write_ipc(buffer, compression="zstd")
        self._file.seek(0, io.SEEK_END)
        self._file.write(buffer.getbuffer())
        self._ends.append(self._file.tell())
        self._held, self._rows = [], 0
