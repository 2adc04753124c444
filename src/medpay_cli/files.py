"""Where our data files are, what a PATH argument means, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

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


class _Spool(tempfile.SpooledTemporaryFile[bytes]):
    """Names the folder of temporary files where it is full."""

    def write(self, block: Any) -> int:
        with storage(Path(tempfile.gettempdir())):
            return super().write(block)

    def seek(self, *place: int) -> int:
        with storage(Path(tempfile.gettempdir())):
            return super().seek(*place)


def spool(held: int = 8 << 20) -> BinaryIO:
    """A place for what is read twice: that many bytes in memory, then a file without a name, 0600.

    Raises StorageError.
    """
    return cast("BinaryIO", _Spool(max_size=held, prefix="medpay-"))


@contextlib.contextmanager
def workspace(parent: Path | None = None) -> Iterator[Path]:
    """A folder for files that another program opens by name, 0700; removed at the end, or by a later run if we are
    killed. Raises StorageError."""
    place = parent or Path(tempfile.gettempdir())
    with storage(place):
        _sweep_workspaces(place)
        while True:
            folder = Path(tempfile.mkdtemp(prefix="medpay-", suffix=".work", dir=place))
            handle = os.open(folder, os.O_RDONLY)
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.is_dir():
                break
            os.close(handle)  # swept by another run before the lock held
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _sweep_workspaces(place: Path) -> None:
    """Remove the folders of our own that no living run has locked."""
    for other in place.glob("medpay-*.work"):
        with contextlib.suppress(OSError):
            handle = os.open(other, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(other, ignore_errors=True)
            finally:
                os.close(handle)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Write `path` so that it is seen whole or not at all. Raises what `together` raises."""
    with together(path) as (out,):
        yield out


@contextlib.contextmanager
def together(*paths: Path) -> Iterator[list[BinaryIO]]:
    """Write files so that all of them are seen whole, or none: temp beside each, 0600, fsync, rename, folder fsync.

    What killed runs left of them is swept first. A link is replaced, not followed; a device is written as it is.
    Raises StorageError when a folder cannot be written or the disk is full, MedpayError for what can be no file.
    """
    outputs: list[_Output] = []
    try:
        for path in paths:
            with storage(path):
                outputs.append(_Output.of(path))
        yield [output.file for output in outputs]
        for output in outputs:
            output.settle()
        for output in outputs:
            output.publish()
    finally:
        for output in outputs:
            output.discard()


def check_targets(targets: Iterable[Path], inputs: Iterable[str] = ()) -> None:
    """Refuse a target that is an input or a file in one, one for two outputs, and one without a folder.

    Raises MedpayError.
    """
    taken = {_identity(Path(Source.parse(text).path)) for text in inputs if text != "-"}
    for path in targets:
        if not is_device(path):
            if taken & {_identity(path), _identity(path.parent)}:
                raise MedpayError("same_file", path=path)
            if not path.parent.is_dir():
                raise MedpayError("cannot_write", path=path, reason=os.strerror(errno.ENOENT))
            taken.add(_identity(path))


class _Named(io.FileIO):
    """A file that is named where it cannot be written, and leaves memory for the disk while more of it is made."""

    AT_ONCE = 16 << 20

    def __init__(self, handle: int, path: Path) -> None:
        super().__init__(handle, "wb")
        self._path = path
        self._written = self._sent = 0

    def write(self, block: Any) -> int:
        with storage(self._path):
            written = super().write(block)
        self._written += written
        if self._written - self._sent >= self.AT_ONCE:
            self._send()
        return written

    def _send(self) -> None:
        # The kernel begins to write what is new, forgets what is written, and nobody waits: fsync finds little to do,
        # and a large report takes no memory from others. New pages cost a virtual machine ten times what used ones do.
        if hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(self.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._sent = self._written


@dataclass(frozen=True)
class _Output:
    """A file in the making: what is written to, and where; a device has no other place in the meantime."""

    file: BinaryIO
    path: Path
    part: Path | None

    @classmethod
    def of(cls, path: Path) -> _Output:
        if is_device(path):
            return cls(cast("BinaryIO", io.BufferedWriter(_Named(os.open(path, os.O_WRONLY), path))), path, None)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.exists() and not path.is_file():
            raise MedpayError("cannot_write", path=path, reason="no file")
        _sweep(path)
        handle, part = _part(path)
        return cls(cast("BinaryIO", io.BufferedWriter(_Named(handle, path))), path, part)

    def settle(self) -> None:
        """All bytes are on the disk."""
        with storage(self.path):
            self.file.flush()
            if self.part is not None:
                os.fsync(self.file.fileno())

    def publish(self) -> None:
        """It is seen under its name, also after a crash."""
        if self.part is None:
            return
        with storage(self.path):
            self.part.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Nothing is left of it but what was published."""
        with contextlib.suppress(OSError, MedpayError):
            self.file.close()
        if self.part is not None:
            self.part.unlink(missing_ok=True)


def is_device(path: Path) -> bool:
    """Whether it is written as it is, with no other place in the meantime."""
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


def _identity(path: Path) -> object:
    """The same for two paths that mean one file."""
    try:
        found = path.stat()
    except OSError:
        return path.parent.resolve() / path.name
    return found.st_dev, found.st_ino


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
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError) as err:
        raise MedpayError("cannot_write", path=path, reason=err.strerror) from err
    except OSError as err:
        if err.errno in (errno.EPIPE, None):
            raise
        raise StorageError("cannot_write", path=path, reason=err.strerror) from err


@contextlib.contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Name `path` where it cannot be read (a failing disk, a permission, a file that is gone). Raises StorageError."""
    try:
        yield
    except BrokenPipeError:
        raise  # somebody else's: nothing is written to what is read
    except OSError as err:
        raise StorageError("cannot_read", path=path, reason=err.strerror or type(err).__name__) from err


def shown(path: str) -> str:
    """A path as text: one that the file system names in another encoding is read as UTF-8 if it is, else escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
