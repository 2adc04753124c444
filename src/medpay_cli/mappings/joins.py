"""A join takes columns of another input: by a key, with one partner for each record or the sums of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from medpay_cli import config, dialects, layouts
from medpay_cli.config import Document
from medpay_cli.errors import MedpayError
from medpay_cli.layouts import Layout
from medpay_cli.mappings.expressions import COUNT, MOST_DIGITS, TEXT, Formula, InexactError, Kind, formula, kinds_of

# What a join of sums calls the number of partners; so many more digits has a sum of very many of them.
RECORDS, MORE = "records", 10
FINDING, LEFT_OUT, EMPTY = "finding", "left_out", "empty"


@dataclass(frozen=True)
class Join:
    """Another input, and how its records are found: `by` gives each column of its key, one that it has or one that is
    `made` of those, as a formula over the source.

    Without `sums` a record has one partner at most; with sums all partners count, and a column that is no sum must be
    the same in all of them. `if_none` says what becomes of a record without a partner.
    """

    kind: str
    layout: Layout
    # Its name, or a user's file; and how its records are written, which is recognised unless said.
    origin: str
    dialect: str | None
    by: Mapping[str, Formula]
    made: Mapping[str, Formula] = field(default_factory=dict)
    sums: Mapping[str, Formula] = field(default_factory=dict)
    where: Formula | None = None
    if_none: str = FINDING
    taken: frozenset[str] = frozenset()

    @property
    def kinds(self) -> dict[str, Kind]:
        """What its columns are in expressions of the mapping: `kind.column`."""
        kinds = kinds_of(self.layout)
        if self.sums:
            kinds |= {name: _sum(made.kind) for name, made in self.sums.items()} | {RECORDS: COUNT}
        return {f"{self.kind}.{name}": kind for name, kind in kinds.items()}

    @property
    def copied(self) -> list[str]:
        """The columns of its records that are taken, other than sums."""
        made = {*self.sums, RECORDS} if self.sums else set()
        return [name for name in self.layout.names if f"{self.kind}.{name}" in self.taken and name not in made]

    @property
    def needed(self) -> list[str]:
        """Everything that has to be read of its records."""
        formulas = [*self.made.values(), *self.sums.values(), *([self.where] if self.where else [])]
        names = {*self.by, *self.copied, *(name for one in formulas for name in one.fields)}
        return [name for name in self.layout.names if name in names]

    def taking(self, fields: frozenset[str]) -> Join:
        """The same, of which these columns are taken."""
        return replace(self, taken=frozenset(name for name in fields if name in self.kinds))


def held(name: str, document: Document, source: Layout) -> list[Join]:
    """The joins of a mapping, held against their layouts and the source's. Raises MedpayError."""
    return [_held(name, kind, said, source) for kind, said in document.get("join", {}).items()]


def _held(name: str, kind: str, said: Document, source: Layout) -> Join:
    origin = beside(said["layout"], name)
    layout = layouts.load(origin)
    place = f"{name} [join.{kind}]"
    kinds = kinds_of(layout)

    def proved(column: str, sql: str, over: Mapping[str, Kind]) -> Formula:
        try:
            return formula(sql, over)
        except InexactError as err:
            raise MedpayError("mapping_inexact", path=place, name=column, expression=sql, reason=err) from err

    made = {column: proved(column, sql, kinds) for column, sql in said.get("made", {}).items()}
    unknown = [column for column in said["key"] if (made[column].kind if column in made else kinds.get(column)) != TEXT]
    clash = {*said.get("sums", {}), *made} & {*layout.names, RECORDS} | {one for one in source.names if "." in one}
    if unknown or clash:
        raise MedpayError("mapping_join", path=place, names=", ".join([*unknown, *sorted(clash)]), layout=layout.id)
    by = {column: proved(column, sql, kinds_of(source)) for column, sql in said["key"].items()}
    sums = {column: proved(column, sql, kinds) for column, sql in said.get("sums", {}).items()}
    where = proved("where", said["where"], kinds) if "where" in said else None
    wrong = [(column, said["key"][column], one.kind) for column, one in by.items() if one.kind != TEXT]
    wrong += [(column, said["sums"][column], one.kind) for column, one in sums.items() if not one.kind.is_amount]
    wrong += [("where", said["where"], where.kind)] if where and where.kind.name != "truth" else []
    for column, sql, reason in wrong:
        raise MedpayError("mapping_inexact", path=place, name=column, expression=sql, reason=reason)
    dialect = beside(said["dialect"], name) if "dialect" in said else None
    dialect = f"{dialect}:{origin}" if dialect in dialects.generic() else dialect
    return Join(kind, layout, origin, dialect, by, made, sums, where, said.get("if_none", FINDING))


def beside(text: str, name: str) -> str:
    """A file of the user's stands beside the mapping that names it."""
    is_file = text.endswith((config.LAYOUT.suffix, config.DIALECT.suffix)) and ":" not in text
    return str(Path(name).parent / text) if is_file and name.endswith(config.MAPPING.suffix) else text


def _sum(kind: Kind) -> Kind:
    return Kind("amount", min(kind.whole + MORE, MOST_DIGITS - kind.scale), kind.scale)
