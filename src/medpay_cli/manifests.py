"""What stands beside the files of a batch: where it lies, in a folder or among the members of an archive, what it says,
and the digests that it is held against."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from medpay_cli import dialects, files, judging
from medpay_cli.batchfiles import BATCH, NAME, STEM, WHOLE, BatchFiles
from medpay_cli.errors import ReadError, StorageError
from medpay_cli.findings import ERROR
from medpay_cli.formats import archive
from medpay_cli.formats.archive import Input
from medpay_cli.judging import VALID, Terms
from medpay_cli.partners import Partner
from medpay_cli.parts import fitted

UNREAD = "F221"
# What hashlib calls them, and how long they are; MD5 is only read.
ALGORITHMS = {"SHA256": ("sha256", 64), "SM3": ("sm3", 64), "MD5": ("md5", 32)}

Row = Mapping[str, str]


@dataclass(frozen=True)
class Manifest:
    """What stands beside data files, and its rows: one for each of them. It names no file where it is of one only."""

    path: Path
    rows: list[Row]

    def of(self, name: str) -> Row | None:
        """The row of a data file."""
        alone = self.rows[0] if len(self.rows) == 1 and NAME not in self.rows[0] else None
        return next((row for row in self.rows if row.get(NAME) == name), alone)


def read(path: Path, batch: BatchFiles, partner: Partner | None) -> Manifest:
    """The rows of a manifest, which is a file of a layout as any other. Raises ReadError F221."""
    parts, written = fitted(dialects.load(batch.dialect, partner))
    try:
        [source] = archive.inputs(files.Source.parse(str(path)))
    except ReadError as err:
        raise ReadError(UNREAD, f"{path.name}: {err.code} {err.value or ''}".rstrip(), written.name) from err
    made = judging.judge_nodes(source, parts, written, lambda each, *_: each.text, Terms(with_rules=False))[0]
    if made.verdict.verdict != VALID:
        first = next(made.findings.frames()).filter(severity=ERROR).row(0, named=True)
        told = " ".join(str(first[name]) for name in ("code", "field", "value") if first[name] is not None)
        raise ReadError(UNREAD, f"{path.name}: {told}", first["expected"] or written.name)
    names = next(iter(parts.values())).names
    frames = [text.select(names) for text in made.also]
    rows: list[Row] = [
        {name: cell for name, cell in row.items() if cell is not None} for one in frames for row in one.to_dicts()
    ]
    if len(rows) > 1 and not all(NAME in row for row in rows):
        raise ReadError(UNREAD, f"{path.name}: {len(rows)}", f"1, {NAME}")
    return Manifest(path, rows)


def place(source: Input, batch: BatchFiles) -> Path:
    """Where a file of a batch lies: in a folder, or in an archive (`archive.zip!/member`) with its manifest."""
    inside = Path(source.name)
    return inside if source.member is not None and named_in(inside.parent, batch) else Path(source.path)


def beside_in(dialect: str | None, partner: Partner | None) -> archive.Is:
    """Whether a member of an archive is a manifest by its name, in the dialect that was named."""
    if dialect is None or dialect in dialects.generic():
        return lambda _: False
    batch = dialects.load(dialect, partner).batch
    return lambda name: is_beside(batch, name)


def digest_of(source: Input, algorithm: str, batch: BatchFiles | None) -> str:
    """The digest of a file of a batch as it lies there."""
    is_inside = place(source, batch or BatchFiles()) != Path(source.path)
    with raw(source, is_inside=is_inside) as stream:
        return digest(stream, algorithm)


def digest(stream: BinaryIO, algorithm: str) -> str:
    """The digest of what a stream holds, in hexadecimal. Raises MedpayError where this Python cannot make it."""
    stream.seek(0)
    made = hasher(algorithm)
    while block := stream.read(1 << 20):
        made.update(block)
    return made.hexdigest()


def hasher(algorithm: str) -> hashlib._Hash:
    """What makes digests. Raises StorageError where the OpenSSL behind this Python has no such algorithm."""
    try:
        return hashlib.new(ALGORITHMS[algorithm][0], usedforsecurity=False)
    except ValueError as err:
        raise StorageError("no_digest", algorithm=algorithm) from err


def listed(folder: Path) -> list[str]:
    """The names of the files in a folder, or in one inside of an archive."""
    source = files.Source.parse(f"{folder}/")
    if source.member is not None:
        with files.reading(source.path), archive.opened(source.path) as opened:
            members = [one.filename for one in archive.vetted(opened)]
        here = [name.removeprefix(source.member) for name in members if name.startswith(source.member)]
        return sorted(name for name in here if "/" not in name)
    with files.reading(folder):
        return sorted(one.name for one in os.scandir(folder) if one.is_file())


def named_in(folder: Path, batch: BatchFiles) -> list[str]:
    """The names of all manifests of the dialect in a folder."""
    pattern = batch.beside
    return [name for name in listed(folder) if pattern.parsed(name) is not None] if pattern else []


def is_beside(batch: BatchFiles | None, name: str) -> bool:
    """Whether a file is a manifest by its name, and holds no records."""
    return bool(batch and batch.beside and batch.beside.parsed(name) is not None)


def agrees(batch: BatchFiles, name: str, said: Row) -> bool:
    """Whether the name of a manifest says what that of the data file does."""
    found = (batch.beside.parsed(name) if batch.beside else None) or {}
    return all(said.get(key, value) == value for key, value in found.items())


def may_be(batch: BatchFiles, path: Path, number: str | None) -> bool:
    """Whether a manifest may be of that batch, by its name or that of the file that it is beside."""
    found = (batch.beside.parsed(path.name) if batch.beside else None) or {}
    said = {**batch.said_by(data_name(batch, path.name)), **found}
    return number is not None and said.get(BATCH, number) == number


def data_name(batch: BatchFiles, name: str) -> str:
    """What the data file is called beside which a manifest of that name stands, where each has one."""
    found = (batch.beside.parsed(name) if batch.beside else None) or {}
    ending = PurePath(batch.name.text).suffix if batch.name else ""
    return found.get(WHOLE) or found.get(STEM, "") + ending


def is_one_of_several(source: Input) -> bool:
    with archive.opened(source.path) as opened:
        return len(archive.vetted(opened)) > 1


@contextlib.contextmanager
def raw(source: Input, *, is_inside: bool = False) -> Iterator[BinaryIO]:
    """The bytes of the file as they lie there, packed or not; of a member those that it has `is_inside`."""
    if is_inside:
        with source.open() as packed, archive.seekable(packed) as stream:
            yield stream
        return
    if source.spool is not None and source.path == "-":
        yield source.spool
        return
    with files.reading(source.path), Path(source.path).open("rb") as stream:
        yield stream
