"""Frames in order, in bounded memory: the first rows are held, the rest stands in a temporary file without a name."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from medpay_cli import files

if TYPE_CHECKING:
    import polars as pl


# Name, and type and value where it holds one value throughout.
Columns = list[tuple[str, Any, Any]]


class _Blocks(list[bytes]):
    """What Polars writes, block by block; a buffer would grow by copying."""

    def write(self, block: bytes) -> int:
        """Take one more."""
        self.append(block)
        return len(block)


@dataclass(frozen=True)
class Packed:
    """A frame as bytes, in parts of at most AT_ONCE rows."""

    parts: Sequence[Sequence[bytes]]
    height: int
    columns: Columns


class Frames:
    """Frames of one schema, appended and read again in the same order, as often as needed."""

    IN_MEMORY = 100_000
    # A reader makes wide text out of narrow rows: it gets few at a time.
    AT_ONCE = 20_000
    # From so many rows on (half a gigabyte of findings) they are compressed: five times the work, a third of the bytes.
    MANY = 5_000_000

    def __init__(self, in_memory: int | None = IN_MEMORY) -> None:
        """So many rows are held; all of them where None is said."""
        self._most = in_memory
        self.height = 0
        self._held: list[pl.DataFrame] = []
        self._rows = 0
        self._file: BinaryIO | None = None
        # One query may read the same frames twice at a time.
        self._reading = threading.Lock()
        # Where each part ends, its columns, and what is added to which of them when it is read.
        self._parts: list[tuple[int, Columns, Mapping[str, int]]] = []

    @property
    def are_many(self) -> bool:
        """Whether what is packed from now on is to be small before it is fast."""
        return self.height >= self.MANY

    def add(self, frame: pl.DataFrame) -> None:
        """Append a frame."""
        if frame.is_empty():
            return
        self._held.append(frame)
        self._rows += frame.height
        self.height += frame.height
        if self._most is not None and self._rows >= self._most:
            self._write()

    def put(self, packed: Packed, shift: Mapping[str, int]) -> None:
        """Append a packed frame, so many added to these columns of it."""
        if self._held:
            self._write()
        self.height += packed.height
        self._store(packed, shift)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return (load() for load in self.loads())

    def loads(self) -> Iterator[Callable[[], pl.DataFrame]]:
        """Each part, read when it is called, in whatever thread."""
        begin = 0
        for end, columns, shift in self._parts:
            yield partial(self._load, begin, end, columns, shift)
            begin = end
        for frame in self._held:
            for some in frame.iter_slices(self.AT_ONCE):
                yield partial(_itself, some)

    def _load(self, begin: int, end: int, columns: Columns, shift: Mapping[str, int]) -> pl.DataFrame:
        import polars as pl

        file = cast("BinaryIO", self._file)
        with self._reading:
            file.seek(begin)
            block = file.read(end - begin)
        return pl.read_ipc_stream(block).select(_column(*column, shift.get(column[0])) for column in columns)

    def _write(self) -> None:
        import polars as pl

        self._store(packed(pl.concat(self._held), is_tight=self.are_many), {})
        self._held, self._rows = [], 0

    def _store(self, made: Packed, shift: Mapping[str, int]) -> None:
        if self._file is None:
            # Nobody can open it, and nothing is left of it when we are killed.
            self._file = files.spool(1)
        self._file.seek(0, io.SEEK_END)
        for part in made.parts:
            for block in part:
                self._file.write(block)
            self._parts.append((self._file.tell(), made.columns, shift))


def same(frame: pl.DataFrame) -> dict[str, Any]:
    """The columns of a frame that hold one value throughout, and that value; none where there are no rows."""
    import polars as pl

    if frame.is_empty():
        return {}
    first = frame.row(0, named=True)
    alike = frame.select(pl.all().eq_missing(pl.all().first()).all()).row(0, named=True)
    return {name: value for name, value in first.items() if alike[name]}


def packed(frame: pl.DataFrame, *, is_tight: bool) -> Packed:
    """A frame in less room: a column that holds one value throughout is only that value."""
    once = same(frame)
    if len(once) == frame.width:
        once.popitem()  # one column at least carries the number of rows
    parts = []
    for rows in frame.drop(once).iter_slices(Frames.AT_ONCE):
        parts.append(_Blocks())
        rows.write_ipc_stream(cast("BinaryIO", parts[-1]), compression="lz4" if is_tight else "uncompressed")
    columns = [(name, dtype if name in once else None, once.get(name)) for name, dtype in frame.schema.items()]
    return Packed(parts, frame.height, columns)


def _itself(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def _column(name: str, dtype: Any, value: Any, more: int | None) -> pl.Expr:
    import polars as pl

    column = pl.col(name) if dtype is None else pl.lit(value, dtype).alias(name)
    return column + more if more else column
