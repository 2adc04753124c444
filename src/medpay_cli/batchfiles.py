"""The files of a batch: how they are named, and what stands beside them to say what each of them holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Any

# The columns of a manifest, or of a control line, that say something of one data file, and never the same of all.
BATCH, NAME, SIZE, COUNT, AMOUNT = "batch_no", "file_name", "file_size", "total_count", "total_amt"
HASH, ALGORITHM, DIGEST, PART, PARTS = "hash_total", "digest_alg", "digest", "part_no", "part_count"
MADE = frozenset((BATCH, NAME, SIZE, COUNT, AMOUNT, HASH, ALGORITHM, DIGEST, PART, PARTS))
# In the name of a data file: its number, written with three digits; in that of a file beside: the data file's name.
PART_OF_NAME, WHOLE, STEM = "part", "name", "stem"
# How the file beside is written where nothing is said of it.
USUAL = "csv:manifest"
_PLACE = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
# What stands for a value in a name; whatever stands between two values must be something else, or none could be told.
_VALUE = "[0-9A-Za-z-]+"


@dataclass(frozen=True)
class Pattern:
    """A file name with places for values: `CLAIM_{acct_date}_{batch_no}_{part}.txt`."""

    text: str

    @property
    def places(self) -> tuple[str, ...]:
        """The names of its values."""
        return tuple(_PLACE.findall(self.text))

    def filled(self, values: Mapping[str, str]) -> str:
        """The name with these values."""
        return _PLACE.sub(lambda place: values[place[1]], self.text)

    def parsed(self, name: str) -> dict[str, str] | None:
        """What a name says; None where it is no such name."""
        found = self._regex.fullmatch(name)
        return found.groupdict() if found else None

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        pieces = _PLACE.split(self.text)
        made = "".join(
            re.escape(piece) if number % 2 == 0 else f"(?P<{piece}>{'.+' if piece in (WHOLE, STEM) else _VALUE})"
            for number, piece in enumerate(pieces)
        )
        return re.compile(made, re.DOTALL)

    def faults(self, key: str) -> Iterator[str]:
        """What is wrong with it."""
        pieces = _PLACE.split(self.text)
        if "/" in self.text or self.text.startswith(".") or {"{", "}", "\0"} & set("".join(pieces[::2])):
            yield f"batch {key} {self.text!r}"
        if len(set(self.places)) < len(self.places):
            yield f"batch {key}: {', '.join(self.places)}"
        for before, between, after in zip(pieces[1::2], pieces[2::2], pieces[3::2], strict=False):
            if re.fullmatch(_VALUE, between or "-"):
                yield f"batch {key}: {{{before}}}{between}{{{after}}}"


def is_value(text: str) -> bool:
    """Whether it can stand for a value in a name."""
    return re.fullmatch(_VALUE, text) is not None


@dataclass(frozen=True)
class BatchFiles:
    """How the files of a batch are named (`name`), and what stands `beside` them, in which `dialect`.

    `amount` is the field that total_amt sums up, `hash` that whose digits hash_total does, `digest` the algorithm that
    is used, `says` what holds for every batch. Where the file beside is `required`, a data file alone is not there yet.
    Acknowledgements are written as the dialect `answers` says, else as their ending does. Of a message of several nodes
    the records of `node` are counted and summed up, of the first one where nothing is said.
    """

    name: Pattern | None = None
    beside: Pattern | None = None
    dialect: str = USUAL
    amount: str | None = None
    hash: str | None = None
    digest: str = "SHA256"
    says: Mapping[str, str] = field(default_factory=dict)
    required: bool = False
    answers: str | None = None
    node: str | None = None

    @property
    def is_of_each(self) -> bool:
        """Whether a file stands beside each data file, not one beside all of them."""
        return bool(self.beside and {WHOLE, STEM} & set(self.beside.places))

    def said_by(self, name: str) -> dict[str, str]:
        """What the name of a data file says."""
        return (self.name.parsed(name) if self.name else None) or {}

    def beside_of(self, name: str, values: Mapping[str, str]) -> str | None:
        """The name of the file beside; None where these values do not say it."""
        if self.beside is None:
            return None
        known = {**values, WHOLE: name, STEM: PurePath(name).stem}
        return self.beside.filled(known) if set(self.beside.places) <= known.keys() else None


def built(document: Mapping[str, Any] | None, dialect: str = USUAL, answers: str | None = None) -> BatchFiles | None:
    """What a dialect's table `[batch]` says."""
    if document is None:
        return None
    name, beside = (Pattern(document[key]) if key in document else None for key in ("name", "beside"))
    same = {key: document[key] for key in ("amount", "hash", "digest", "says", "required", "node") if key in document}
    return BatchFiles(name, beside, dialect, answers=answers, **same)


def faults(batch: BatchFiles | None) -> Iterator[str]:
    """What the schema of dialects cannot say of the files of a batch."""
    if batch is None:
        return
    if batch.name:
        yield from batch.name.faults("name")
        yield from (f"batch name: {{{name}}}" for name in batch.name.places if name in (WHOLE, STEM))
    if batch.beside:
        yield from batch.beside.faults("beside")
        if {WHOLE, STEM} <= set(batch.beside.places) or PART_OF_NAME in batch.beside.places:
            yield f"batch beside: {', '.join(batch.beside.places)}"
        if batch.beside.text in ("{name}", batch.name.text if batch.name else ""):
            yield f"batch beside {batch.beside.text!r}"
    yield from (f"batch says {name}" for name in sorted(MADE & set(batch.says)))
