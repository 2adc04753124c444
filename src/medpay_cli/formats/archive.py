"""What a PATH opens to: a plain file, standard input, a gzip file, members of a zip archive, the parts in a folder."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import lzma
import os
import re
import shutil
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from medpay_cli import files
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source

ENCRYPTED = 0x1
# What a damaged archive makes the standard library raise.
BROKEN = (
    zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, UnicodeDecodeError,
    NotImplementedError,
)  # fmt: skip
# What stands beside the parts in a folder and is none of them: hidden files, what other programs keep for themselves
# (_SUCCESS), and flags that say a part is complete.
BESIDE = re.compile(r"[._].*|.*\.(?:ok|done)", re.IGNORECASE | re.DOTALL)
ARCHIVES = (".zip", ".gz", ".7z", ".rar", ".xz", ".bz2", ".tar", ".tgz")
# Caps on what an archive may claim or turn out to be. Ledgers compress 5 to 30 times; a small file may do better.
MOST_MEMBERS = 10_000
MOST_RATIO = 200
MOST_BYTES = 256 << 30
FREE = 1 << 20


@dataclass(frozen=True)
class Input:
    """One file to read, as often as needed; once decoded, `encoding` names what it was written in.

    `stamp` holds its size and time when it was opened: with another stamp it is another file. `part` is how many bytes
    of text are read at a time, where memory is short.
    """

    path: str
    member: str | None = None
    spool: BinaryIO | None = None
    encoding: str | None = None
    stamp: str | None = None
    part: int | None = None

    @property
    def name(self) -> str:
        """What it is called: a path, or `archive.zip!/member`."""
        return str(Source(self.path, self.member))

    def check_unchanged(self) -> None:
        """Raises ReadError F215 where the file is no longer the one that was opened."""
        now = _stamp(self.path)
        if now != self.stamp:
            raise ReadError("F215", value=now, expected=self.stamp)

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes. Raises ReadError F203 where an archive turns out to be broken, StorageError where what lies there
        cannot be read or is gone."""
        with files.reading(self.path):
            try:
                with self._open() as stream:
                    yield stream
            except (*BROKEN, OSError) as err:
                if _is_damage(err) and (self.member is not None or _is_gzip(self.path)):
                    raise ReadError("F203", value=str(err)) from err
                raise

    @contextlib.contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        if self.spool is not None:
            self.spool.seek(0)
            yield self.spool
        elif self.member is not None:
            with opened(self.path) as archive, archive.open(self.member) as stream:
                yield bounded(stream, archive.getinfo(self.member).compress_size)
        elif _is_gzip(self.path):
            with gzip.open(self.path) as stream:
                yield bounded(stream, Path(self.path).stat().st_size)
        else:
            with Path(self.path).open("rb", buffering=1 << 20) as stream:
                yield stream


def _is_damage(err: Exception) -> bool:
    """Whether it is the archive that is wrong: bz2 says so in an OSError without a number, an offset before the
    beginning has one; a disk that fails has another."""
    return not isinstance(err, OSError) or err.errno in (None, errno.EINVAL)


def _stamp(path: str) -> str | None:
    """The size and time of a file; None for standard input."""
    if path == "-":
        return None
    try:
        state = Path(path).stat()
    except OSError as err:
        return err.strerror
    written = datetime.fromtimestamp(state.st_mtime_ns // 10**9, UTC).isoformat()
    return f"{state.st_size} B, {written}.{state.st_mtime_ns % 10**9:09}"


def _is_gzip(path: str) -> bool:
    return path.lower().endswith(".gz")


def bounded(stream: Any, compressed: int) -> BinaryIO:
    """What is decompressed from so many bytes, up to the bound. Reading raises ReadError F209 beyond it."""
    return cast("BinaryIO", io.BufferedReader(Bounded(stream, compressed), 1 << 20))


@contextlib.contextmanager
def seekable(stream: BinaryIO) -> Iterator[BinaryIO]:
    """The same bytes from their beginning, for a format that is not read from front to back."""
    if stream.seekable():
        stream.seek(0)
        yield stream
        return
    with contextlib.closing(files.spool()) as spool:
        shutil.copyfileobj(stream, spool, 1 << 20)
        spool.seek(0)
        yield spool


Is = Callable[[str], bool]


def inputs(source: Source, is_beside: Is = lambda _: False) -> list[Input]:
    """What a PATH opens to; several only for `!/*`. A member that stands beside the others is one only where it is
    named.

    Raises MedpayError where the file is missing or the member has to be named, StorageError where it cannot be read,
    ReadError F203 where the archive is broken.
    """
    if source.path == "-":
        spool = files.spool()
        with files.reading(source.path):
            shutil.copyfileobj(sys.stdin.buffer, spool, 1 << 20)
        return [Input("-", spool=spool)]
    with files.reading(source.path):
        path, stamp = Path(source.path), _stamp(source.path)
        if not path.is_file():
            raise MedpayError("not_a_file" if path.exists() else "no_such_file", path=source.path)
        with path.open("rb") as file:
            file.read(1)
    if not source.path.lower().endswith(".zip"):
        if source.member is not None:
            raise MedpayError("not_an_archive", path=source.path)
        return [Input(source.path, stamp=stamp)]
    return _members(source, stamp, is_beside)


def parts(source: Source, is_beside: Is = lambda _: False) -> list[Input]:
    """What a side opens to: one file, or the parts in a folder or an archive (`!/*`) in the order of their names.

    Raises what `inputs` raises, and MedpayError for a folder in the folder.
    """
    folder = Path(source.path)
    if source.path == "-" or not folder.is_dir():
        return sorted(inputs(source, is_beside), key=lambda one: (one.member or "").encode())
    if source.member is not None:
        raise MedpayError("not_an_archive", path=source.path)
    found = []
    for name in part_names(folder, is_beside)[0]:
        path = folder / name
        if path.is_dir():
            raise MedpayError("folder_inside", path=folder, name=name)
        try:
            found += inputs(Source(str(path)))
        except ReadError as err:
            raise ReadError(err.code, f"{name}: {err.value}", err.expected) from err
    return found


def size(path: str) -> int:
    """About how many bytes a side holds; 0 where nobody knows before it is read."""
    one = Path(Source.parse(path).path)
    with contextlib.suppress(OSError):
        files_of = [part for part in one.iterdir() if part.is_file()] if one.is_dir() else [one]
        packed = {part: 10 if part.name.lower().endswith(ARCHIVES) else 1 for part in files_of}
        return sum(part.stat().st_size * times for part, times in packed.items())
    return 0


def part_names(folder: Path, is_beside: Is = lambda _: False) -> tuple[list[str], list[str]]:
    """The names of the parts in a folder, and of what stands beside them, each in order. Raises MedpayError."""
    try:
        names = sorted((path.name for path in folder.iterdir()), key=os.fsencode)
    except OSError as err:
        raise MedpayError("cannot_read", path=folder, reason=err.strerror) from err
    beside = [name for name in names if BESIDE.fullmatch(name) or is_beside(name)]
    return [name for name in names if name not in {*beside}], beside


def _members(source: Source, stamp: str | None, is_beside: Is) -> list[Input]:
    with files.reading(source.path):
        try:
            with opened(source.path) as archive:
                members = vetted(archive)
        except (*BROKEN, OSError) as err:
            if not _is_damage(err):
                raise
            raise ReadError("F203", value=str(err)) from err
    everything = [info.filename for info in members]
    is_named = source.member not in (None, "*")
    found = everything if is_named else [name for name in everything if not is_beside(Path(name).name)]
    if not found:
        raise ReadError("F208")
    if source.member == "*":
        chosen = found
    elif source.member is not None:
        chosen = [name for name in found if name == source.member]
        if not chosen:
            raise MedpayError("no_such_member", path=source.path, member=source.member, found=", ".join(found))
    elif len(found) == 1:
        chosen = found
    else:
        raise MedpayError("which_member", path=source.path, found=", ".join(found) or "-")
    return [Input(source.path, member, stamp=stamp) for member in chosen]


def opened(file: str | BinaryIO) -> zipfile.ZipFile:
    """The archive, with names that are not marked as UTF-8 read as GB18030, as Windows in China writes them.

    Raises ReadError F209 where it has too many members to list them, and what is in BROKEN.
    """
    with Path(file).open("rb") if isinstance(file, str) else contextlib.nullcontext(file) as stream:
        count = _member_count(stream)
    if count > MOST_MEMBERS:
        raise ReadError("F209", value=f"{count} members", expected=f"<= {MOST_MEMBERS}")
    try:
        return zipfile.ZipFile(file, metadata_encoding="gb18030")
    except UnicodeDecodeError:
        return zipfile.ZipFile(file)


def _member_count(file: BinaryIO) -> int:
    """The number of members in the end record, read without parsing the directory; 0 where there is no end record."""
    size = file.seek(0, 2)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 12:
        return 0
    count: int = struct.unpack_from("<H", tail, at + 10)[0]
    wide = tail.rfind(b"PK\x06\x06", 0, at)
    return struct.unpack_from("<Q", tail, wide + 32)[0] if wide >= 0 and len(tail) >= wide + 40 else count


def vetted(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members, unless one is what no partner sends: overlap, bombs, encryption, links, archives in archives, names
    that lead away.

    The overlap check is ours because zipfile has none before Python 3.13. Raises ReadError F209.
    """
    members = [info for info in archive.infolist() if not info.is_dir()]
    file = archive.fp
    assert file is not None  # noqa: S101 - an archive just opened has its file
    ends = [archive.start_dir]
    for info in sorted(members, key=lambda one: one.header_offset, reverse=True):
        if info.header_offset < 0:
            raise zipfile.BadZipFile(f"{info.filename}: {info.header_offset}")
        file.seek(info.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
        end = info.header_offset + 30 + name + extra + info.compress_size
        if end > ends[-1]:
            raise ReadError("F209", value=f"{info.filename}: overlap")
        ends.append(info.header_offset)
    total = 0
    seen: set[str] = set()
    for info in members:
        total += info.file_size
        name_parts = info.filename.replace("\\", "/").split("/")
        reason = {
            "encrypted": info.flag_bits & ENCRYPTED,
            "name repeated": info.filename in seen,
            "link": stat.S_ISLNK(info.external_attr >> 16),
            "archive inside": info.filename.lower().endswith(ARCHIVES),
            "name": ".." in name_parts or name_parts[0] == "" or ":" in name_parts[0] or "\0" in info.orig_filename,
            f"> {MOST_RATIO}:1": info.file_size > max(FREE, MOST_RATIO * info.compress_size),
        }
        wrong = next((word for word, holds in reason.items() if holds), None)
        if wrong:
            raise ReadError("F209", value=f"{info.filename}: {wrong}")
        seen.add(info.filename)
    if total > MOST_BYTES:
        raise ReadError("F209", value=f"{total} bytes", expected=f"<= {MOST_BYTES}")
    return members


class Bounded(io.RawIOBase):
    """A stream of decompressed bytes that stops a bomb: at most `ratio` times the compressed size, and a total."""

    def __init__(self, stream: BinaryIO, compressed: int) -> None:
        self._stream = stream
        self._left = min(max(FREE, MOST_RATIO * compressed), MOST_BYTES)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer. Raises ReadError F209 beyond the bound."""
        block = self._stream.read(len(buffer))
        self._left -= len(block)
        if self._left < 0:
            raise ReadError("F209", value=f"> {MOST_RATIO}:1")
        buffer[: len(block)] = block
        return len(block)
