"""Frames in order, in bounded memory: the first rows are held, the rest stands in a temporary file without a name."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
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
        # Where each block ends, and what is added to which of its columns when it is read.
        self._blocks: list[tuple[int, Mapping[str, int]]] = []

    def add(self, frame: pl.DataFrame) -> None:
        """Append a frame."""
        if frame.is_empty():
            return
        self._held.append(frame)
        self._rows += frame.height
        self.height += frame.height
        if self._rows >= self.IN_MEMORY:
            self._write()

    def put(self, packed: bytes, height: int, shift: Mapping[str, int]) -> None:
        """Append a packed frame, so many added to these columns of it."""
        if self._held:
            self._write()
        self.height += height
        self._store(packed, shift)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        import polars as pl

        begin = 0
        for end, shift in self._blocks:
            file = cast("BinaryIO", self._file)
            file.seek(begin)
            frame = pl.read_ipc(io.BytesIO(file.read(end - begin)))
            for rows in frame.iter_slices(self.AT_ONCE):
                yield rows.with_columns(pl.col(name) + number for name, number in shift.items())
            begin = end
        for frame in self._held:
            yield from frame.iter_slices(self.AT_ONCE)

    def _write(self) -> None:
        import polars as pl

        self._store(packed(pl.concat(self._held)), {})
        self._held, self._rows = [], 0

    def _store(self, block: bytes, shift: Mapping[str, int]) -> None:
        if self._file is None:
            # Nobody can open it, and nothing is left of it when we are killed.
            self._file = files.spool(1)
        self._file.seek(0, io.SEEK_END)
        self._file.write(block)
        self._blocks.append((self._file.tell(), shift))


def packed(frame: pl.DataFrame) -> bytes:
    """A frame as bytes, in a tenth of the room."""
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="zstd")
    return buffer.getvalue()
