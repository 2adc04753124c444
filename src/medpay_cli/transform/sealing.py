"""A batch that is written: its number is claimed for ever, its files are named, and what says that they are whole comes
last of all."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import polars as pl

from medpay_cli import checks, dialects, files, formats, layouts, money
from medpay_cli.batches import Batches
from medpay_cli.batchfiles import (
    ALGORITHM,
    AMOUNT,
    BATCH,
    COUNT,
    DIGEST,
    HASH,
    MADE,
    NAME,
    PART,
    PART_OF_NAME,
    PARTS,
    SIZE,
    STEM,
    WHOLE,
    BatchFiles,
    is_value,
)  # fmt: skip
from medpay_cli.control import Tally
from medpay_cli.dialects import RECORDS, Dialect
from medpay_cli.errors import LockedError, MedpayError, RefusedError
from medpay_cli.layouts import Layout
from medpay_cli.manifests import digest, hasher, is_beside
from medpay_cli.parts import fitted
from medpay_cli.transform.nesting import Chunk
from medpay_cli.transform.publishing import Content, Part, numbered

# In the folder of the data files: which numbers were ever used there.
REGISTER = ".medpay-batches"
BEGUN, DONE = "begun", "done"
# The layouts that say how the values in control lines, names and manifests are written.
HELD_AGAINST = ("batch_header", "manifest")


@dataclass(frozen=True)
class Seal:
    """A batch in the making: its number, how its files are named, what is said of all of them, and of which layout its
    records are."""

    number: str
    batch: BatchFiles
    values: Mapping[str, str]
    layout: Layout
    folder: Path
    out: Path | None
    manifests: Batches

    def named(self, part: int) -> Path:
        """The data file of that number."""
        if self.batch.name is None:
            raise MedpayError("batch_name", path=self.folder)
        return self.folder / self.batch.name.filled({**self.values, PART_OF_NAME: f"{part:03}"})

    @property
    def is_numbered(self) -> bool:
        """Whether the name of a file says its number."""
        return bool(self.batch.name and PART_OF_NAME in self.batch.name.places)

    @property
    def said(self) -> dict[str, str]:
        """What the names of the data files say of all of them."""
        said = self.batch.said_by((self.out or self.named(1)).name)
        return {name: value for name, value in said.items() if name != PART_OF_NAME}

    def write(self, file: BinaryIO, dialect: Dialect, names: formats.Names, chunks: Iterable[Chunk]) -> Content:
        """Write records and take what the manifest says of those that it counts. Raises MedpayError where one is not as
        the name of the file says."""
        content = Content()

        def taken() -> Iterator[Chunk]:
            for chunk in chunks:
                for node, frame in chunk.items():
                    if node == dialect.counted:
                        self._count(content, frame)
                    content.tally.add(Tally.of(frame, (), self.said))
                yield chunk

        formats.write(file, dialect, names, taken())
        for name, other in content.tally.others.items():
            raise MedpayError("stamp_and_records", name=name, value=self.said[name], other=other or "-")
        return content

    def _count(self, content: Content, frame: pl.DataFrame) -> None:
        content.records += frame.height
        amounts = frame.select(
            money.amount(pl.col(one.name), one.digits, one.scale).alias(one.name) for one in self.layout.money
        )
        for name, more in money.sums(amounts).items():
            content.sums[name] = money.total([content.sums.get(name), more])
        content.tally.add(Tally.of(frame, [self.batch.hash] if self.batch.hash else [], {}))

    def publish(self, parts: list[Part]) -> list[Path]:
        """Write what stands beside files that are at their final names, all of it or nothing; where it is.

        Raises MedpayError where a run that was stopped left a file of the batch that is none of these.
        """
        left = {*self.manifests.holders(self.folder, self.batch, self.number)} - {part.path.name for part in parts}
        if left:
            raise MedpayError("batch_left", batch=self.number, names=", ".join(sorted(left)), path=self.folder)
        if self.batch.beside is None:
            return []
        rows = [self._row(number, part, len(parts)) for number, part in enumerate(parts, 1)]
        beside: dict[Path, list[Mapping[str, str]]] = {}
        for part, row in zip(parts, rows, strict=True):
            name = self.batch.beside_of(part.path.name, self.values)
            beside.setdefault(self.folder / str(name), []).append(row)
        used, written = fitted(dialects.load(self.batch.dialect, self.manifests.partner))
        ((node, layout),) = used.items()
        frames = {path: _frame(layout, some, path) for path, some in beside.items()}
        with files.together(*frames) as outputs:
            for frame, file in zip(frames.values(), outputs, strict=True):
                formats.write(file, written, {node: layout.names}, [{node: frame}])
        return [*frames]

    def _row(self, number: int, part: Part, count: int) -> dict[str, str]:
        """What is said of a file. Its digest is that of what lies on the disk by now."""
        content = part.content or Content()
        sums = {
            one.name: money.written(content.sums.get(one.name, money.total(())), one.scale) for one in self.layout.money
        }
        with files.reading(part.path), part.path.open("rb") as stream:
            made = digest(stream, self.batch.digest)
        return {
            **self.values,
            **sums,
            BATCH: self.number,
            NAME: part.path.name,
            SIZE: str(part.size),
            COUNT: str(content.records),
            ALGORITHM: self.batch.digest,
            DIGEST: made,
            PART: str(number),
            PARTS: str(count),
            **({AMOUNT: sums[self.batch.amount]} if self.batch.amount else {}),
            **({HASH: str(content.tally.hashes.get(self.batch.hash, 0))} if self.batch.hash else {}),
        }

    @contextlib.contextmanager
    def claimed(self) -> Iterator[Callable[[], None]]:
        """Hold the number while its files are written; what it gives is called when all of them are.

        Raises LockedError where another run writes batches there, RefusedError where the number was used.
        """
        path = self.folder / REGISTER
        with files.storage(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as err:
                raise LockedError("batch_locked", path=path) from err
            states = _states(path).get(self.number, ())
            if DONE in states:
                raise RefusedError("batch_used", batch=self.number, path=path)
            # Files of a run that stopped on its way are nobody's yet: their manifest is missing.
            holding = self.manifests.holders(self.folder, self.batch, self.number)
            holding = [one for one in holding if BEGUN not in states or is_beside(self.batch, one)]
            first = [self.named(1)] if self.out is None else [self.out, numbered(self.out, 1)]
            beside = [self.batch.beside_of(one.name, self.values) for one in first]
            holding += [name for name in beside if name and (self.folder / name).exists()]
            if holding:
                raise RefusedError("batch_used", batch=self.number, path=self.folder / holding[0])
            _append(handle, path, BEGUN, self.number)
            yield lambda: _append(handle, path, DONE, self.number)
        finally:
            os.close(handle)


def stamped(
    dialect: Dialect, layout: Layout, number: str | None, given: Mapping[str, str], out: Path, manifests: Batches
) -> tuple[Dialect, Seal | None, set[str]]:
    """The dialect with what its control lines say beside totals, the batch if it has a number, and the names of all
    that could be said.

    Raises MedpayError for what has to be given, and for a value that is no such value.
    """
    batch = dialect.batch
    if number is not None and batch is None:
        raise MedpayError("no_batch", dialect=dialect.name)
    says = {**(batch.says if batch else {}), **given, **({} if number is None else {BATCH: number})}
    sums = {RECORDS, "", *(one.name for one in layout.money)}
    lines = [name for one in (dialect.head, dialect.tail) if one for name in one.items if name not in sums]
    in_names: list[str] = []
    needed, optional = list(lines), set[str]()
    is_named = out.is_dir()
    if is_named and (batch is None or batch.name is None):
        raise MedpayError("batch_name", path=out)
    if batch and batch.name and is_named:
        in_names += [name for name in batch.name.places if name != PART_OF_NAME]
    if batch and number is not None and batch.beside:
        in_names += [name for name in batch.beside.places if name not in (WHOLE, STEM)]
        manifest = next(iter(fitted(dialects.load(batch.dialect, manifests.partner))[0].values()))
        free = [one for one in manifest.fields if one.name not in MADE | sums]
        needed += [one.name for one in free if one.required]
        optional = {one.name for one in free}
        hasher(batch.digest)
        amounts = [one.name for one in layout.money]
        for key, name, names in (("amount", batch.amount, amounts), ("hash", batch.hash, [*layout.names])):
            if name is not None and name not in names:
                raise MedpayError("batch_key", path=dialect.name, name=name, where=key, known=", ".join(names) or "-")
    if number is None and (is_named or (batch and batch.required)):
        raise MedpayError("stamps_asked", dialect=dialect.name, names="--batch-no ID")
    lacking = [name for name in dict.fromkeys((*needed, *in_names)) if name not in says]
    if lacking:
        options = ("--batch-no ID" if name == BATCH and batch else f"--set {name}=VALUE" for name in lacking)
        raise MedpayError("stamps_asked", dialect=dialect.name, names=", ".join(options))
    known = {*needed, *in_names, *optional} - {BATCH if batch else ""}
    values = {name: value for name, value in says.items() if name in known | {BATCH} | set(batch.says if batch else ())}
    _check_values(values, in_names)
    made = replace(dialect, stamps={name: values[name] for name in lines})
    if batch is None or number is None:
        return made, None, known
    seal = Seal(number, batch, values, layout, out if is_named else out.parent, None if is_named else out, manifests)
    for name, value in seal.said.items():
        if values.get(name, value) != value:
            raise MedpayError("stamp_and_records", name=name, value=value, other=values[name])
    return made, seal, known


def _check_values(values: Mapping[str, str], in_names: Iterable[str]) -> None:
    """Raises MedpayError for a value that its field does not permit, or that could not be told in a file name."""
    for name in in_names:
        if not is_value(values[name]):
            raise MedpayError("stamp_value", name=name, value=values[name], expected="0-9 A-Z a-z -")
    for kind in HELD_AGAINST:
        layout = layouts.load(kind)
        row = {name: values.get(name) for name in layout.names}
        frame = pl.DataFrame([row], dict.fromkeys(layout.names, pl.String))
        known = [one for one in checks.compile_layout(layout) if values.get(one.field.name) is not None]
        for check, _ in checks.flag(frame, tuple(known)).violations:
            name = check.field.name
            raise MedpayError("stamp_value", name=name, value=values[name], expected=f"{check.code} {check.expected}")


def _frame(layout: Layout, rows: list[Mapping[str, str]], path: Path) -> pl.DataFrame:
    """The rows of a manifest, held against its layout. Raises MedpayError."""
    cells = {name: [row.get(name) for row in rows] for name in layout.names}
    frame = pl.DataFrame(cells, dict.fromkeys(layout.names, pl.String))
    for check, found in checks.flag(frame, checks.compile_layout(layout)).violations:
        value = found[check.field.name][0]
        raise MedpayError("stamp_value", name=f"{path.name} {check.field.name}", value=value, expected=check.expected)
    return frame


def _states(path: Path) -> dict[str, list[str]]:
    """What the register says of each number; a last line that was cut off says nothing."""
    found: dict[str, list[str]] = {}
    with files.reading(path):
        text = path.read_text(encoding="utf-8")
    for line in text.split("\n")[:-1]:
        state, _, number = line.partition("\t")
        found.setdefault(number, []).append(state)
    return found


def _append(handle: int, path: Path, state: str, number: str) -> None:
    """One line more, on the disk."""
    with files.storage(path):
        size = os.fstat(handle).st_size
        is_cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, f"{chr(10) * is_cut}{state}\t{number}\n".encode())
        os.fsync(handle)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
