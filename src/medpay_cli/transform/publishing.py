"""Records written to files that are seen whole or not at all: packed by the ending of their name, and in parts."""

from __future__ import annotations

import contextlib
import gzip
import io
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl

from medpay_cli import files, formats
from medpay_cli.control import Tally
from medpay_cli.dialects import Dialect
from medpay_cli.errors import InternalError, MedpayError

# The same records give the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)
# A part is tried with so many records first, and again where it becomes too large or far too small.
GUESS, SMALLER, SMALL = 50_000, 0.95, 0.6
# So many files are open at a time.
MOST_PARTS = 500


@dataclass(frozen=True)
class Limit:
    """The most that a part holds: records, or bytes of its file."""

    rows: int | None = None
    size: int | None = None


@dataclass
class Content:
    """How many records a part has, and what they sum up to."""

    records: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)


@dataclass(frozen=True)
class Part:
    """A file that was written."""

    path: Path
    records: int
    size: int
    content: Content | None = None


Frames = Iterator[pl.DataFrame]
# Writes some frames; what they hold, where somebody wants to know.
Write = Callable[[BinaryIO, Iterable[pl.DataFrame]], "Content | None"]
# The path of a part by its number.
Named = Callable[[int], Path]
Beside = Mapping[Path, Callable[[BinaryIO], None]]


def publish(
    out: Path, dialect: Dialect, frames: Frames, records: int, limit: Limit, write: Write, beside: Beside,
    named: Named | None = None,
) -> list[Part]:  # fmt: skip
    """Write frames, of so many records together, to `out` or, with a limit, to its parts, which have their own names or
    its with a number, and other files `beside` it: all of them or none.

    `write` writes some frames. Raises what writing raises, StorageError, and MedpayError for a record that is larger
    than a part may be.
    """
    called = named or partial(numbered, out)
    if limit.size is not None:
        return _by_size(out, dialect, frames, limit.size, write, beside, called)
    most = limit.rows or max(records, 1)
    _check_parts(out, -(-records // most))
    sizes = [min(most, records - first) for first in range(0, records, most)] or [0]
    paths = [out] if limit.rows is None else [called(number) for number in range(1, len(sizes) + 1)]
    queue = _Queue(frames)
    contents: list[Content | None] = []
    with files.together(*paths, *beside) as outputs:
        for path, file, size in zip(paths, outputs, sizes, strict=False):
            with _packed(file, path, dialect) as inner:
                contents.append(write(inner, queue.take(size)))
        queue.check_end()
        written = [file.tell() for file in outputs[: len(paths)]]
        _write_beside(beside, outputs[len(paths) :])
    return [Part(*one) for one in zip(paths, sizes, written, contents, strict=True)]


def publish_whole(out: Path, dialect: Dialect, write: Callable[[BinaryIO], None], beside: Beside) -> int:
    """Write one file, and others `beside` it, all of them or none; the size of the file."""
    with files.together(out, *beside) as outputs:
        with _packed(outputs[0], out, dialect) as inner:
            write(inner)
        _write_beside(beside, outputs[1:])
        return outputs[0].tell()


def publish_each(
    out: Path, dialect: Dialect, records: Sequence[int], write: Callable[[BinaryIO], Content | None], beside: Beside,
    named: Named | None = None,
) -> list[Part]:  # fmt: skip
    """Write as many files as there are numbers of records, one after the other, and others `beside` them, all of them
    or none."""
    _check_parts(out, len(records))
    paths = [(named or partial(numbered, out))(number) for number in range(1, len(records) + 1)]
    contents = []
    with files.together(*paths, *beside) as outputs:
        for path, file in zip(paths, outputs, strict=False):
            with _packed(file, path, dialect) as inner:
                contents.append(write(inner))
        written = [file.tell() for file in outputs[: len(paths)]]
        _write_beside(beside, outputs[len(paths) :])
    return [Part(*one) for one in zip(paths, records, written, contents, strict=True)]


def publish_members(
    out: Path, members: Mapping[str, tuple[Dialect, Callable[[BinaryIO], None]]], beside: Beside
) -> int:
    """Write an archive of several files, each named and in its dialect; its size."""
    with files.together(out, *beside) as outputs:
        with zipfile.ZipFile(outputs[0], "w") as archive:
            for name, (dialect, write) in members.items():
                with archive.open(_member(name, dialect), "w", force_zip64=True) as inner:
                    write(cast("BinaryIO", inner))
        _write_beside(beside, outputs[1:])
        return outputs[0].tell()


def _by_size(
    out: Path, dialect: Dialect, frames: Frames, most: int, write: Write, beside: Beside, named: Named
) -> list[Part]:
    """Parts as large as they may be, put together aside: nobody knows how many there will be."""
    queue = _Queue(frames)
    made: list[tuple[Path, int, BinaryIO, Content | None]] = []
    guess = GUESS
    while True:
        records = list(queue.take(guess))
        height = sum(one.height for one in records)
        if not height and made:
            break
        _check_parts(out, len(made) + 1)
        path, spool = named(len(made) + 1), files.spool(1 << 20)
        with _packed(spool, path, dialect) as inner:
            content = write(inner, records)
        size = spool.tell()
        if size > most:
            if height <= 1:
                raise MedpayError("part_too_large", path=path, size=size, most=most)
            queue.back(records)
            guess = max(min(int(height * most / size * SMALLER), height - 1), 1)
            continue
        if height == guess and size < most * SMALL:
            queue.back(records)
            guess = max(int(height * most / max(size, 1) * SMALLER), height + 1)
            continue
        made.append((path, height, spool, content))
        if not height:
            break
    queue.check_end()
    with files.together(*(path for path, *_ in made), *beside) as outputs:
        for (_, _, spool, _), file in zip(made, outputs, strict=False):
            spool.seek(0)
            shutil.copyfileobj(spool, file, 1 << 20)
        _write_beside(beside, outputs[len(made) :])
        return [Part(path, height, spool.tell(), content) for path, height, spool, content in made]


def _write_beside(beside: Beside, outputs: list[BinaryIO]) -> None:
    for write, file in zip(beside.values(), outputs, strict=True):
        write(file)


def _check_parts(out: Path, count: int) -> None:
    if count > MOST_PARTS:
        raise MedpayError("many_parts", path=out, count=count, most=MOST_PARTS)


class _Queue:
    """Frames from which so many records are taken at a time, and to which some can be given back."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._waiting: list[pl.DataFrame] = []

    def take(self, records: int) -> Iterator[pl.DataFrame]:
        """The next records, at most so many."""
        while records > 0:
            frame = self._waiting.pop(0) if self._waiting else next(self._frames, None)
            if frame is None:
                return
            now = frame.head(records)
            records -= now.height
            if now.height < frame.height:
                self._waiting.insert(0, frame.slice(now.height))
            yield now

    def check_end(self) -> None:
        """Raises InternalError where more records are left than were counted; what made the frames comes to its end."""
        left = sum(frame.height for frame in (*self._waiting, *self._frames))
        if left:
            raise InternalError("tie_out", what="records", left=left, right=0)

    def back(self, frames: list[pl.DataFrame]) -> None:
        """Put records back to the front."""
        self._waiting[:0] = frames


def numbered(out: Path, number: int) -> Path:
    """The path of a part."""
    return out.with_name(f"{out.stem}-{number:03}{out.suffix}")


def as_wide(dialect: Dialect, sources: Sequence[tuple[str, int | None]]) -> Dialect:
    """In its own dialect what is written keeps the width of its sources, each a dialect and its width, where that has
    several."""
    widths = [width or 0 for _, width in sources]
    same = all(name == dialect.name for name, _ in sources)
    return replace(dialect, widths=(max(widths),)) if same and all(widths) else dialect


@contextlib.contextmanager
def _packed(file: BinaryIO, path: Path, dialect: Dialect) -> Iterator[BinaryIO]:
    """Where the records of a file go: into the only member of a `.zip`, through gzip for `.gz`, else as they are."""
    if path.suffix.lower() == ".zip":
        with (
            zipfile.ZipFile(file, "w") as archive,
            archive.open(_member(path.stem, dialect), "w", force_zip64=True) as inner,
        ):
            yield cast("BinaryIO", inner)
    elif path.suffix.lower() == ".gz":
        with _OneWay("", "wb", fileobj=file, mtime=0) as inner:
            yield cast("BinaryIO", inner)
    else:
        yield file


class _OneWay(gzip.GzipFile):
    """Nobody goes back in it: a format that would (a workbook is an archive) has to find that out before it writes."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation("seek")


def _member(name: str, dialect: Dialect) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name if Path(name).suffix else name + _suffix(dialect), EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    return member


def _suffix(dialect: Dialect) -> str:
    return formats.SUFFIXES.get(
        dialect.format, ".csv" if dialect.delimiter == "," and dialect.format == "delimited" else ".txt"
    )
