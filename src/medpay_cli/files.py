"""Where our data files are, what a PATH argument means, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

from medpay_cli.errors import MedpayError, StorageError


@cache
def schemas() -> Path:
    """The folder of layouts, dialects, rules and texts: inside the wheel, or beside `src` in a checkout."""
    here = Path(__file__).parent
    for place in (here / "schemas", here.parents[1] / "schemas"):
        if (place / "layout.schema.json").is_file():
            return place
    raise MedpayError("schemas_missing", place=here / "schemas")


@dataclass(frozen=True)
class Source:
    """A PATH argument: a file, `-` for standard input, or `archive.zip!/member`."""

    path: str
    member: str | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """Split `archive.zip!/member`; everything else is a plain path."""
        path, mark, member = text.partition("!/")
        return cls(path, member if mark else None)

    def __str__(self) -> str:
        return self.path if self.member is None else f"{self.path}!/{self.member}"


def spool() -> BinaryIO:
    """A place for an input that is read twice: in memory up to 64 MiB, then an unnamed 0600 file."""
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=64 << 20, prefix="medpay-"))


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Write `path` so that it is seen whole or not at all: temp beside it, 0600, fsync, rename, folder fsync.

    What runs that were killed left of it is swept first. Raises StorageError when the folder cannot be written or the
    disk is full.
    """
    with storage(path):
        _sweep(path)
        handle, part = _part(path)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                part.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            part.unlink(missing_ok=True)


def _part(path: Path) -> tuple[int, Path]:
    """A new file beside `path`, locked for as long as it is open: so another run knows that somebody writes it."""
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with contextlib.suppress(OSError):  # a file system without locks has no sweep either
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.suppress(FileNotFoundError):
            if part.stat().st_ino == os.fstat(handle).st_ino:
                return handle, part
        os.close(handle)  # swept by another run before the lock held


def _sweep(path: Path) -> None:
    """Remove our own leftovers of `path` that no living run has locked."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.part")
    leftovers: list[Path] = []
    with contextlib.suppress(PermissionError):
        leftovers = [one for one in path.parent.iterdir() if ours.fullmatch(one.name)]
    for other in leftovers:
        with contextlib.suppress(OSError):
            handle = os.open(other, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                other.unlink()
            finally:
                os.close(handle)


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Name `path` in every storage failure inside: a missing folder is usage, the rest is the environment."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as err:
        raise MedpayError("cannot_write", path=path, reason=err.strerror) from err
    except OSError as err:
        if err.errno in (errno.EPIPE, None):
            raise
        raise StorageError("cannot_write", path=path, reason=err.strerror) from err
