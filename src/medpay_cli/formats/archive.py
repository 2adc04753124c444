"""What a PATH opens to: a plain file, standard input, a gzip file, or members of a zip archive."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source

ENCRYPTED = 0x1


@dataclass(frozen=True)
class Input:
    """One file to read, as often as needed."""

    path: str
    member: str | None = None
    spool: BinaryIO | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Its bytes. Raises ReadError F203 where an archive turns out to be broken, MedpayError where it is gone."""
        try:
            with self._open() as stream:
                yield stream
        except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as err:
            raise ReadError("F203", value=str(err)) from err

    @contextlib.contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        if self.spool is not None:
            self.spool.seek(0)
            yield self.spool
        elif self.member is not None:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                yield cast("BinaryIO", stream)
        elif self.path.endswith(".gz"):
            with gzip.open(self.path) as stream:
                yield cast("BinaryIO", stream)
        else:
            with Path(self.path).open("rb", buffering=1 << 20) as stream:
                yield stream


def inputs(source: Source) -> list[Input]:
    """What a PATH opens to; several only for `!/*`.

    Raises MedpayError where the file is missing or the member has to be named, ReadError F203 where the
    archive is broken.
    """
    if source.path == "-":
        # Read twice at times, so kept: in memory up to 64 MiB, then in an unnamed 0600 file.
        spool = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=64 << 20, prefix="medpay-"))  # noqa: SIM115
        shutil.copyfileobj(sys.stdin.buffer, spool, 1 << 20)
        return [Input("-", spool=spool)]
    path = Path(source.path)
    if not path.is_file():
        raise MedpayError("not_a_file" if path.exists() else "no_such_file", path=source.path)
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as err:
        raise MedpayError("cannot_read", path=path, reason=err.strerror) from err
    if not source.path.endswith(".zip"):
        if source.member is not None:
            raise MedpayError("not_an_archive", path=source.path)
        return [Input(source.path)]
    return _members(source)


def _members(source: Source) -> list[Input]:
    try:
        with zipfile.ZipFile(source.path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError) as err:
        raise ReadError("F203", value=str(err)) from err
    found = [info.filename for info in members]
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
    for info in members:
        if info.filename in chosen and info.flag_bits & ENCRYPTED:
            raise ReadError("F203", value=f"{info.filename}: encrypted")
    return [Input(source.path, member) for member in chosen]
