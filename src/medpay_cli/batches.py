"""A file of a batch is held against its manifest, its own name and its neighbours before any record is read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from medpay_cli import control, formats, manifests
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
    BatchFiles,
)  # fmt: skip
from medpay_cli.control import Declared
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.archive import Input
from medpay_cli.judging import Terms
from medpay_cli.layouts import Layout
from medpay_cli.manifests import UNREAD, Manifest, Row
from medpay_cli.partners import Partner

OTHER_FILE, OTHER_FILES, DISAGREEING, USED_AGAIN, MISSING = "B202", "B203", "B204", "B205", "F222"
# Said instead of a manifest: there is none.
NONE = "none"


class Contradiction(NamedTuple):
    """The code of a finding, the field it is about, what is there and what should be."""

    code: str
    field: str
    value: str
    expected: str


@dataclass
class Batches:
    """The manifests beside files, read once each; the one that was `named` is that of every file, with NONE no file
    has one."""

    partner: Partner | None = None
    named: str | None = None
    # By the number of a batch: the names of its files in order, and of those that were read.
    seen: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    _manifests: dict[Path, Manifest] = field(default_factory=dict)
    _digests: dict[tuple[str, str], str] = field(default_factory=dict)

    def held(self, source: Input, dialect: Dialect, layout: Layout, terms: Terms) -> tuple[Terms, list[Contradiction]]:
        """The terms with what is declared of a file beside it, and what is wrong with the file already.

        Raises ReadError where its manifest is missing or cannot be read, MedpayError where something in it cannot be
        verified.
        """
        batch = dialect.batch or BatchFiles()
        path = manifests.place(source, batch) if self.named is None else Path(source.path)
        facts = _facts(batch, path.name)
        manifest = self._manifest(path, batch, facts)
        row = manifest.of(path.name) if manifest else None
        if manifest is None:
            declared, wrong = Declared(facts=_told(facts)), list[Contradiction]()
        elif row is None:
            named = ", ".join(str(one.get(NAME)) for one in manifest.rows)
            return terms, [Contradiction(OTHER_FILES, NAME, path.name, f"{manifest.path.name}: {named}")]
        else:
            said = {key: value for key, value in row.items() if key in (BATCH, PART, ALGORITHM) or key not in MADE}
            facts = {
                name: [*facts.get(name, []), *_saying(manifest.path.name, name, said)] for name in {**facts, **said}
            }
            declared = _declared(row, batch, layout, manifest, facts)
            wrong = [*self._neighbours(path, batch, manifest, row), *self._bytes(source, path, batch, row, manifest)]
        wrong += [Contradiction(DISAGREEING, *one) for one in declared.disagreeing({})]
        if source.member is not None and path == Path(source.path) and manifests.is_one_of_several(source):
            declared = Declared()  # what is said holds for all members together
        return replace(terms, beside={**terms.beside, source.name: declared}), wrong

    def check_whole(self, order: Callable[[list[str]], list[str]] = list) -> None:
        """Refuse to put some parts of a batch together, or all in another order, where that matters. Raises
        MedpayError."""
        for number, (names, read) in self.seen.items():
            if len(read) > 1 and order(read) != order(names):
                raise MedpayError("parts_of_batch", batch=number, names=", ".join(names), given=", ".join(read))

    def holders(self, folder: Path, batch: BatchFiles, number: str) -> list[str]:
        """The files in a folder that are of a batch: by their names, and manifests also by what stands in them."""
        found = [name for name in manifests.listed(folder) if batch.said_by(name).get(BATCH) == number]
        for name in manifests.named_in(folder, batch):
            with contextlib.suppress(ReadError):
                if manifests.may_be(batch, folder / name, number) and any(
                    row.get(BATCH) == number for row in self._read(folder / name, batch).rows
                ):
                    found.append(name)
        return found

    def _manifest(self, path: Path, batch: BatchFiles, facts: Mapping[str, list[tuple[str, str]]]) -> Manifest | None:
        """The manifest of a file. Raises ReadError F222 where there should be one, F221 where there are two."""
        if self.named == NONE:
            return None
        if self.named is not None:
            # Where no dialect says how a manifest is written, its ending does.
            form = formats.format_by(Path(self.named))
            usual = replace(batch, dialect=f"{form}:manifest" if form else batch.dialect)
            return self._read(Path(self.named), batch if batch.beside else usual)
        if batch.beside is None or str(path) == "-":
            return None
        said = {name: pairs[0][1] for name, pairs in facts.items()}
        others = manifests.named_in(path.parent, batch)
        if batch.is_of_each:
            own = batch.beside_of(path.name, said)
            if own in others:
                return self._read(path.with_name(str(own)), batch)
            expected = own or batch.beside.text
            others = [name for name in others if batch.name is None or batch.said_by(manifests.data_name(batch, name))]
        else:
            found = [self._read(path.with_name(name), batch) for name in others if manifests.agrees(batch, name, said)]
            naming = [one for one in found if one.of(path.name)]
            if len(naming) > 1:
                raise ReadError(UNREAD, ", ".join(one.path.name for one in naming), "1")
            if found:
                return (naming or found)[0]
            expected = batch.beside.text
        if batch.required or others:
            raise ReadError(MISSING, expected=expected)
        return None

    def _read(self, path: Path, batch: BatchFiles) -> Manifest:
        """A manifest, read once. Raises ReadError F221."""
        if path not in self._manifests:
            self._manifests[path] = manifests.read(path, batch, self.partner)
        return self._manifests[path]

    def _neighbours(self, path: Path, batch: BatchFiles, own: Manifest, row: Row) -> Iterator[Contradiction]:
        """What is wrong with the other files of the batch, and with their order."""
        number = row.get(BATCH)
        others = [own]
        if self.named is None and batch.beside:
            paths = [path.with_name(name) for name in manifests.named_in(path.parent, batch)]
            others += [
                self._read(one, batch) for one in paths if one != own.path and manifests.may_be(batch, one, number)
            ]
        same = [one for one in others if one is own or (number and any(row.get(BATCH) == number for row in one.rows))]
        rows = [row for one in same for row in one.rows if number is None or row.get(BATCH) == number]
        if batch.is_of_each or len(same) == 1:
            parts = [row.get(PART) for row in rows]
            again = [
                one.path.name for one in same if len(same) > 1 and any(parts.count(r.get(PART)) > 1 for r in one.rows)
            ]
        else:
            again = [one.path.name for one in same]
        if again:
            yield Contradiction(USED_AGAIN, BATCH, str(number), ", ".join(sorted(again)))
            return
        numbers = [_whole(row, PART, own) for row in rows if PART in row]
        counts = {_whole(row, PARTS, own) for row in rows if PARTS in row}
        yield from _wrong_parts(len(rows), numbers if not batch.is_of_each else sorted(numbers), counts)
        if batch.is_of_each:
            rows = sorted(rows, key=lambda one: (int(one.get(PART, 0)), one.get(NAME, "")))
        names = [row.get(NAME, path.name) for row in rows]
        if number:
            self.seen.setdefault(number, (names, []))[1].append(path.name)
        for name in names:
            if Path(name).name != name or name not in manifests.listed(path.parent):
                yield Contradiction(OTHER_FILES, NAME, "-", name)
        known = {*names, *manifests.named_in(path.parent, batch)}
        for name in manifests.listed(path.parent) if number else ():
            if name not in known and batch.said_by(name).get(BATCH) == number:
                yield Contradiction(OTHER_FILES, NAME, name, ", ".join(names))
        digests = [(row[DIGEST].lower(), row.get(NAME, "")) for row in rows if DIGEST in row]
        for digest, name in digests:
            first = next(other for same_digest, other in digests if same_digest == digest)
            if first != name:
                yield Contradiction(OTHER_FILES, DIGEST, f"{name} = {first}", digest)

    def _bytes(
        self, source: Input, path: Path, batch: BatchFiles, row: Row, manifest: Manifest
    ) -> Iterator[Contradiction]:
        """Whether the file is the one of the manifest: where its size is another its digest is not even made."""
        is_inside = path != Path(source.path)
        with manifests.raw(source, is_inside=is_inside) as stream:
            size = stream.seek(0, os.SEEK_END)
        if SIZE in row and _whole(row, SIZE, manifest) != size:
            yield Contradiction(OTHER_FILE, SIZE, str(size), row[SIZE])
        elif DIGEST in row:
            algorithm = row.get(ALGORITHM, batch.digest)
            if algorithm not in manifests.ALGORITHMS or len(row[DIGEST]) != manifests.ALGORITHMS[algorithm][1]:
                raise ReadError(UNREAD, f"{manifest.path.name}: {DIGEST} {row[DIGEST]}", algorithm)
            known = (str(path), algorithm)
            if known not in self._digests:
                with manifests.raw(source, is_inside=is_inside) as stream:
                    self._digests[known] = manifests.digest(stream, algorithm)
            if self._digests[known] != row[DIGEST].lower():
                yield Contradiction(OTHER_FILE, f"{DIGEST} {algorithm}", self._digests[known], row[DIGEST])


def _declared(
    row: Row, batch: BatchFiles, layout: Layout, manifest: Manifest, facts: Mapping[str, list[tuple[str, str]]]
) -> Declared:
    """What a row declares. Raises MedpayError where it gives a total that nobody says what of it is."""
    sums = [one.name for one in layout.money]
    amounts = {name: Decimal(row[name]) for name in sums if name in row and name not in MADE}
    hashes: dict[str, int] = {}
    if AMOUNT in row:
        of = batch.amount or (sums[0] if len(sums) == 1 else None)
        if of not in sums:
            raise MedpayError(
                "batch_key", path=manifest.path, name=AMOUNT, where="amount", known=", ".join(sums) or "-"
            )
        amounts[of] = Decimal(row[AMOUNT])
    if HASH in row:
        of = batch.hash or (layout.key[0] if len(layout.key) == 1 else None)
        if of not in layout.names:
            raise MedpayError("batch_key", path=manifest.path, name=HASH, where="hash", known=", ".join(layout.names))
        hashes[of] = _whole(row, HASH, manifest)
    return Declared(_whole(row, COUNT, manifest) if COUNT in row else None, amounts, hashes, _told(facts))


def _whole(row: Row, name: str, manifest: Manifest) -> int:
    """A number of a row. Raises ReadError F221 where it is none: a layout of the user's need not say so."""
    if not control.NUMBER_OF_RECORDS.fullmatch(row[name]):
        raise ReadError(UNREAD, f"{manifest.path.name}: {name} {row[name]}", "N")
    return int(row[name])


def facts(source: Input, dialect: Dialect) -> dict[str, tuple[tuple[str, str], ...]]:
    """What the dialect and the name of a file say of it."""
    batch = dialect.batch or BatchFiles()
    return _told(_facts(batch, manifests.place(source, batch).name))


def _facts(batch: BatchFiles, name: str) -> dict[str, list[tuple[str, str]]]:
    """What the dialect and the name of a file say of it."""
    facts = {key: [("dialect", value)] for key, value in batch.says.items()}
    for key, value in batch.said_by(name).items():
        one = (PART, str(int(value))) if key == PART_OF_NAME and value.isdigit() else (key, value)
        facts.setdefault(one[0], []).append((NAME, one[1]))
    return facts


def _saying(who: str, name: str, said: Row) -> list[tuple[str, str]]:
    return [(who, said[name])] if name in said else []


def _told(facts: Mapping[str, list[tuple[str, str]]]) -> dict[str, tuple[tuple[str, str], ...]]:
    return {name: tuple(pairs) for name, pairs in facts.items()}


def _wrong_parts(files_named: int, numbers: list[int], counts: set[int]) -> Iterator[Contradiction]:
    """Whether the numbers of the parts are one after the other, and as many as there should be."""
    wanted = list(range(1, files_named + 1))
    if counts - {files_named}:
        yield Contradiction(OTHER_FILES, PARTS, str(files_named), ", ".join(map(str, sorted(counts))))
    elif numbers and numbers != wanted:
        yield Contradiction(OTHER_FILES, PART, ", ".join(map(str, numbers)), ", ".join(map(str, wanted)))
