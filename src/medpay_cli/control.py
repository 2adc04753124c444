"""Control totals: the number of records and the sums that somebody declared beside a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from pathlib import Path
from typing import Any

from medpay_cli import config, layouts, money
from medpay_cli.dialects import RECORDS
from medpay_cli.errors import MedpayError

# The count in a 3201 or 3202 request: settlements, which are the records of a detail file.
COUNT = "fixmedins_setl_cnt"
REQUESTS = ("3201", "3202")
AMOUNT = re.compile(money.grammar(24, 6))
NUMBER_OF_RECORDS = re.compile("0|[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class Declared:
    """What was declared: the number of records (None where nothing was said of it) and sums in yuan."""

    records: int | None = None
    amounts: Mapping[str, Decimal] = field(default_factory=dict)

    def joined(self, other: Declared) -> Declared:
        """Both declarations. Raises MedpayError where they contradict each other."""
        if None not in (self.records, other.records) and self.records != other.records:
            raise MedpayError("declared_twice", name=RECORDS, one=self.records, other=other.records)
        for name in self.amounts.keys() & other.amounts.keys():
            if self.amounts[name] != other.amounts[name]:
                raise MedpayError("declared_twice", name=name, one=self.amounts[name], other=other.amounts[name])
        records = self.records if self.records is not None else other.records
        return Declared(records, {**self.amounts, **other.amounts})

    def contradicted(self, records: int, totals: Mapping[str, Decimal]) -> Iterator[tuple[str, str, str]]:
        """What was found otherwise: name, found, declared. Raises MedpayError for a sum that nothing has."""
        unknown = sorted(self.amounts.keys() - totals.keys())
        if unknown:
            raise MedpayError("no_such_total", names=", ".join(unknown), known=", ".join(totals) or "-")
        if self.records is not None and self.records != records:
            yield RECORDS, str(records), str(self.records)
        for name, amount in self.amounts.items():
            if totals[name] != amount:
                yield name, str(totals[name]), str(amount)


def expected(text: str) -> Declared:
    """`records=3,medfee_sumamt=107.48`. Raises MedpayError."""
    made = Declared()
    for part in text.split(","):
        name, mark, value = part.partition("=")
        if not mark or not name:
            raise MedpayError("side_option", option="--expect", text=text, form="records=N,COL=AMOUNT")
        made = made.joined(declared(name, value, "--expect"))
    return made


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
