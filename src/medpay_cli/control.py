"""Control totals: the number of records and the sums that somebody declared beside a file."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

import polars as pl

from medpay_cli import config, files, layouts, money
from medpay_cli.batchfiles import HASH, NAME
from medpay_cli.dialects import RECORDS
from medpay_cli.errors import MedpayError

# The count in a 3201 or 3202 request: settlements, which are the records of a detail file.
COUNT = "fixmedins_setl_cnt"
REQUESTS = ("3201", "3202")
AMOUNT = re.compile(money.grammar(24, 6))
NUMBER_OF_RECORDS = re.compile("0|[1-9][0-9]{0,17}")


# A hash total keeps so many digits of what it sums up, and of the sum.
HASH_DIGITS = 10


@dataclass(frozen=True)
class Declared:
    """What was declared: the number of records (None where nothing was said of it), sums in yuan, hash totals by the
    field that they sum up, and what else was said of the file: who says which value of what."""

    records: int | None = None
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    hashes: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def joined(self, other: Declared) -> Declared:
        """Both declarations. Raises MedpayError where they contradict each other."""
        if None not in (self.records, other.records) and self.records != other.records:
            raise MedpayError("declared_twice", name=RECORDS, one=self.records, other=other.records)
        for name in self.amounts.keys() & other.amounts.keys():
            if self.amounts[name] != other.amounts[name]:
                raise MedpayError("declared_twice", name=name, one=self.amounts[name], other=other.amounts[name])
        records = self.records if self.records is not None else other.records
        facts = {**self.facts, **other.facts}
        for name in self.facts.keys() & other.facts.keys():
            facts[name] = (*self.facts[name], *other.facts[name])
        return Declared(records, {**self.amounts, **other.amounts}, {**self.hashes, **other.hashes}, facts)

    @property
    def constants(self) -> dict[str, str]:
        """What the name of the file says: in a field that is called so every record has that value."""
        return {name: value for name, said in self.facts.items() for who, value in said if who == NAME}

    def disagreeing(self, others: Mapping[str, str | None]) -> Iterator[tuple[str, str, str]]:
        """What different ones, or the records (`others`), say otherwise: name, what the last says, what others do."""
        for name, said in self.facts.items():
            known = [f"{who} {value}" for who, value in said]
            if name in others:
                known.append(f"{RECORDS} {others[name] or '-'}")
            if name in others or len({value for _, value in said}) > 1:
                yield name, known[-1], ", ".join(known[:-1])

    def contradicted(
        self, records: int, totals: Mapping[str, Decimal], hashes: Mapping[str, int] | None = None
    ) -> Iterator[tuple[str, str, str]]:
        """What was found otherwise: name, found, declared. Raises MedpayError for a sum that nothing has."""
        unknown = sorted(self.amounts.keys() - totals.keys())
        if unknown:
            raise MedpayError("no_such_total", names=", ".join(unknown), known=", ".join(totals) or "-")
        if self.records is not None and self.records != records:
            yield RECORDS, str(records), str(self.records)
        for name, amount in self.amounts.items():
            if totals[name] != amount:
                yield name, str(totals[name]), str(amount)
        for name, wanted in self.hashes.items():
            found = (hashes or {}).get(name, 0)
            if found != wanted:
                yield f"{HASH} {name}", str(found), str(wanted)


@dataclass
class Tally:
    """What is taken of records for a batch: hash totals of these fields, and the first value (None where one is absent)
    in a field that is another than it should be."""

    hashes: dict[str, int] = field(default_factory=dict)
    others: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, text: pl.DataFrame, hashed: Iterable[str], constants: Mapping[str, str]) -> Tally:
        """That of some records; a field that they lack has none."""
        made = cls({name: hash_total(text[name]) for name in hashed if name in text.columns})
        for name, value in constants.items():
            if name in text.columns and not (other := text[name].filter(text[name].ne_missing(value))).is_empty():
                made.others[name] = other[0]
        return made

    def add(self, other: Tally) -> None:
        """Some more, that come behind."""
        self.hashes.update({name: _last(self.hashes.get(name, 0) + more) for name, more in other.hashes.items()})
        self.others = {**other.others, **self.others}


def hash_total(cells: pl.Series) -> int:
    """The sum of the numbers that the digits in each cell are, as far as the last ten digits tell."""
    digits = cells.str.replace_all("[^0-9]", "").str.slice(-HASH_DIGITS)
    return _last(int(digits.set(digits == "", None).cast(pl.Int64).sum()))


def _last(number: int) -> int:
    return int(number % 10**HASH_DIGITS)


def expected(text: str) -> Declared:
    """`records=3,medfee_sumamt=107.48`. Raises MedpayError."""
    made = Declared()
    for part in text.split(","):
        name, mark, value = part.partition("=")
        if not mark or not name:
            raise MedpayError("side_option", option="--expect", text=text, form="records=N,COL=AMOUNT")
        made = made.joined(declared(name, value, "--expect"))
    return made


def is_request(path: str) -> bool:
    """Whether a file is no manifest but a JSON object, as a request is. Raises StorageError."""
    with files.reading(path), contextlib.suppress(FileNotFoundError, IsADirectoryError), Path(path).open("rb") as file:
        return file.read(1 << 10).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    return True


def load(path: str) -> Declared:
    """The count and the sums of a 3201 or 3202 request, in its envelope or only its data. Raises MedpayError."""
    document = config.parse(Path(path))
    node: Any = document
    for step in ("input", "data"):
        node = node.get(step, node) if isinstance(node, dict) else node
    if not isinstance(node, dict) or str(document.get("infno", REQUESTS[0])) not in REQUESTS:
        raise MedpayError("no_totals", path=path)
    made = Declared()
    for name in (COUNT, *(one.name for one in layouts.load("ledger_total").money)):
        if name in node:
            made = made.joined(declared(RECORDS if name == COUNT else name, str(node[name]), path))
    if made == Declared():
        raise MedpayError("no_totals", path=path)
    return made


def joined(declarations: Iterable[Declared]) -> Declared:
    """Everything that was declared. Raises MedpayError where it contradicts itself."""
    return reduce(Declared.joined, declarations, Declared())


def declared(name: str, value: str, origin: str) -> Declared:
    """One count or sum as it was written. Raises MedpayError where it is no number."""
    if not (NUMBER_OF_RECORDS if name == RECORDS else AMOUNT).fullmatch(value):
        raise MedpayError("declared_fault", path=origin, name=name, value=value)
    return Declared(int(value)) if name == RECORDS else Declared(amounts={name: Decimal(value)})
