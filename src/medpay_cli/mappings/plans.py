"""A plan is a mapping held against both layouts: every column of the target has its source, and all of it is exact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from medpay_cli import layouts
from medpay_cli.config import Document
from medpay_cli.errors import MedpayError
from medpay_cli.layouts import Field, Layout
from medpay_cli.mappings import joins
from medpay_cli.mappings.expressions import MOST_DIGITS, TEXT, Formula, InexactError, Kind, Kinds, formula, kinds_of
from medpay_cli.mappings.joins import Join

# How a target column is covered, in the order in which `show` tells them.
EXPRESSION, CODES, CONSTANT, ASKED, EMPTY = "expression", "codes", "constant", "asked", "empty"
WAYS = (EXPRESSION, CODES, CONSTANT, ASKED, EMPTY)
# What a mapping of groups calls the number of records of a group.
RECORDS = "records"


@dataclass(frozen=True)
class Column:
    """A target column: a formula, through a code table where there is one; a constant; or nothing.

    `repaired` is the source's column of which it is a repair: where it differs from that, somebody is told.
    """

    name: str
    formula: Formula | None = None
    table: Mapping[str, str] | None = None
    constant: str | None = None
    repaired: str | None = None
    is_asked: bool = False
    said: str = ""

    @property
    def way(self) -> str:
        """How it is covered."""
        if self.is_asked:
            return ASKED
        if self.formula is None:
            return EMPTY if self.constant is None else CONSTANT
        return EXPRESSION if self.table is None else CODES

    @property
    def copied(self) -> str | None:
        """The source's column whose text it takes as it stands."""
        return self.formula.field if self.formula and self.table is None else None


@dataclass(frozen=True)
class Plan:
    """A mapping between two layouts, proved: every target column in its order, and which records are wanted.

    Of groups of records `before` says what becomes of each record: the columns of the group, and the amounts to sum.
    Then the source is the group, and its number of records.
    """

    source: Layout
    target: Layout
    columns: tuple[Column, ...]
    where: Formula | None = None
    unfilled: Mapping[str, str] | None = None
    before: Plan | None = None
    joins: tuple[Join, ...] = ()

    @property
    def kinds(self) -> dict[str, Kind]:
        """What the source's fields, and those of other inputs, are in expressions."""
        return kinds_of(self.source) | {name: kind for one in self.joins for name, kind in one.kinds.items()}

    @property
    def where_joins(self) -> bool:
        """Whether other inputs have a say in which records are wanted."""
        return self.where is not None and any(self.where.fields & one.taken for one in self.joins)

    @property
    def carried(self) -> dict[str, str]:
        """Amounts that are copied as they stand: target column → source column."""
        fields = {one.name for one in self.source.money}
        wanted = {one.name for one in self.target.money}
        copied = {one.name: one.copied for one in self.columns if one.name in wanted and one.copied}
        return {name: field for name, field in copied.items() if field in fields}

    @property
    def worded(self) -> frozenset[str]:
        """Target columns in whose place the source has words or marks of its own, which a finding must name."""
        return frozenset(one.name for one in self.columns if one.table is not None or one.repaired)

    @property
    def is_identity(self) -> bool:
        """Whether every record stays as it is."""
        return not (self.where or self.joins) and self.source.schema == self.target.schema and all(
            one.copied == one.name for one in self.columns
        )  # fmt: skip


def identity(layout: Layout) -> Plan:
    """Every record as it stands."""
    kinds = kinds_of(layout)
    return Plan(layout, layout, tuple(Column(name, formula(f'"{name}"', kinds), said=name) for name in layout.names))


def held(name: str, document: Document, source: Layout, target: Layout, given: Mapping[str, str] | None = None) -> Plan:
    """The plan of a mapping, `given` what is asked for at the run (None where it is only looked at).

    Raises MedpayError naming what is wrong in it.
    """
    if document.get("identity"):
        if source.schema != target.schema or document.keys() - {"title", "source", "identity", "from", "to"}:
            raise MedpayError("identity_only", path=name, source=source.id, target=target.id)
        return identity(source)
    if "group" not in document:
        return _Lint(name, document, source, target, given).plan()
    before = _Lint(name, document, source, target, given).before()
    rest = {key: value for key, value in document.items() if key != "where"}
    after = _Lint(name, rest, _with_count(before.target), target, given).plan()
    return replace(after, before=before)


@dataclass(frozen=True)
class _Lint:
    name: str
    document: Document
    source: Layout
    target: Layout
    given: Mapping[str, str] | None

    def plan(self) -> Plan:
        """Raises MedpayError."""
        self._check_covered()
        joined = joins.held(self.name, self.document, self.source)
        kinds = kinds_of(self.source) | {name: kind for one in joined for name, kind in one.kinds.items()}
        sql = {**self._said("columns"), **dict(self._split())}
        made = {name: self._expression(name, text, kinds) for name, text in sql.items()}
        made |= {name: Column(name, constant=text, said=text) for name, text in self._said("constants").items()}
        made |= self._asked()
        for name, said in self._said("repairs").items():
            made[name] = replace(self._expression(name, said["as"], kinds), repaired=said["of"])
            self._formula(name, f'"{said["of"]}"', kinds)
        made |= {name: self._codes(name, said, kinds) for name, said in self._said("codes").items()}
        where = self.document.get("where")
        wanted = self._where(where, kinds) if where else None
        formulas = [*(one.formula for one in made.values()), wanted]
        fields = frozenset(name for one in formulas if one for name in one.fields)
        return Plan(
            self.source,
            self._without_requirements(),
            tuple(made.get(name, Column(name)) for name in self.target.names),
            wanted,
            self._said("unfilled"),
            joins=tuple(one.taking(fields) for one in joined),
        )

    def before(self) -> Plan:
        """What becomes of each record before the groups are summed."""
        kinds = kinds_of(self.source)
        group = [self._formula(name, f'"{name}"', kinds) for name in self.document["group"]]
        sums = {name: self._formula(name, sql, kinds) for name, sql in self._said("sums").items()}
        twice = {*self.document["group"]} & {*sums, RECORDS} | {*sums} & {RECORDS}
        if twice:
            raise self._error("mapping_twice", names=", ".join(sorted(twice)), layout=self.source.id)
        for name, made in sums.items():
            if made.kind.name not in ("amount", "count"):
                raise self._error("mapping_inexact", name=name, expression=self._said("sums")[name], reason=made.kind)
        columns = [Column(one.field or "", one) for one in group] + [Column(*pair) for pair in sums.items()]
        fields = [_text(str(one.field), self.source) for one in group]
        fields += [_amount(name, made, self.source) for name, made in sums.items()]
        where = self.document.get("where")
        middle = Layout("", tuple(fields), (), {})
        return Plan(self.source, middle, tuple(columns), self._where(where, kinds) if where else None)

    def _asked(self) -> dict[str, Column]:
        """What is said at the run."""
        names = self.document.get("asked", ())
        given = self.given
        if given is None:
            return {name: Column(name, is_asked=True) for name in names}
        if set(names) != set(given):
            raise self._error("mapping_asked", names=", ".join(names) or "-", given=", ".join(given) or "-")
        return {name: Column(name, constant=given[name], is_asked=True) for name in names}

    def _said(self, key: str) -> Document:
        return dict(self.document.get(key, {}))

    def _check_covered(self) -> None:
        """Every target column exactly once."""
        split = [name for one in self.document.get("splits", ()) for name in (*one["shares"], one["remainder"])]
        named = [*split, *self.document.get("empty", ()), *self.document.get("asked", ())]
        for key in ("columns", "repairs", "constants", "codes"):
            named += self._said(key)
        # What is filled in some records only is given all the same.
        named += [name for name in self._said("unfilled") if name not in self._said("columns")]
        required = {one.name for one in self.target.fields if one.required}
        optional = {name for name in self._said("unfilled") if name not in required}
        for fault, names in (
            ("mapping_unknown", set(named) - set(self.target.names)),
            ("mapping_twice", {name for name in named if named.count(name) > 1}),
            ("mapping_uncovered", set(self.target.names) - set(named)),
            ("mapping_reason", required & set(self.document.get("empty", ()))),
            ("mapping_needless", optional),
        ):
            if names:
                raise self._error(fault, names=", ".join(sorted(names)), layout=self.target.id)

    def _error(self, key: str, **values: object) -> MedpayError:
        return MedpayError(key, path=self.name, **values)

    def _split(self) -> Iterator[tuple[str, str]]:
        """The columns of each split as SQL: what the shares leave goes to one of them."""
        for one in self.document.get("splits", ()):
            whole = f"({one['whole']})"
            shares = {name: f"share({whole}, ({ratio}))" for name, ratio in one["shares"].items()}
            yield from shares.items()
            yield one["remainder"], " - ".join([whole, *shares.values()])

    def _formula(self, name: str, sql: str, kinds: Kinds) -> Formula:
        try:
            return formula(sql, kinds)
        except InexactError as err:
            raise self._error("mapping_inexact", name=name, expression=sql, reason=err) from err

    def _expression(self, name: str, sql: str, kinds: Kinds) -> Column:
        made = self._formula(name, sql, kinds)
        reason = _unfit(made, next(one for one in self.target.fields if one.name == name), kinds)
        if reason:
            raise self._error("mapping_inexact", name=name, expression=sql, reason=reason)
        return Column(name, made, said=sql)

    def _codes(self, name: str, said: Document, kinds: Kinds) -> Column:
        made = self._formula(name, said["of"], kinds)
        if made.kind != TEXT:
            raise self._error("mapping_inexact", name=name, expression=said["of"], reason=made.kind)
        table = said.get("table") or self._listed(name, said)
        return Column(name, made, table, said=f"{said['of']} → {said.get('list') or len(table)}")

    def _listed(self, name: str, said: Document) -> dict[str, str]:
        """A code list as a table; of several codes for one word, that of the first edition."""
        by, give = said.get("by", "code"), said.get("give", "code")
        rows = sorted(layouts.code_list(said["list"]).values(), key=lambda row: bool(row["same_as"]))
        table: dict[str, str] = {}
        for row in rows:
            given = row["same_as"] or row["code"] if give == "same_as" else row[give]
            if row[by] and given and table.setdefault(row[by], given) != given and not row["same_as"]:
                raise self._error("mapping_two_codes", name=name, list=said["list"], value=row[by])
        return table

    def _where(self, sql: str, kinds: Kinds) -> Formula:
        made = self._formula("where", sql, kinds)
        if made.kind.name != "truth":
            raise self._error("mapping_inexact", name="where", expression=sql, reason=made.kind)
        return made

    def _without_requirements(self) -> Layout:
        """The target as it is held: what the mapping may leave unfilled is not asked for."""
        unfilled = self._said("unfilled")
        fields = (replace(one, required=one.required and one.name not in unfilled) for one in self.target.fields)
        return replace(self.target, fields=tuple(fields)) if unfilled else self.target


def _unfit(made: Formula, field: Field, kinds: Kinds) -> str | None:
    """Why a formula is none for a column: amounts come from amounts, with no digit more than the column has."""
    if made.field:
        return None
    if made.kind.name not in ("text", "amount", "count"):
        return str(made.kind)
    if field.form not in ("money", "decimal"):
        return None
    if made.kind.is_amount and made.kind.scale > field.scale:
        return f"{made.kind} → {field.form}({field.digits},{field.scale})"
    if made.kind == TEXT and any(kinds[name] != TEXT for name in made.fields):
        return f"text → {field.form}({field.digits},{field.scale})"
    return None


def _text(name: str, source: Layout) -> Field:
    """A column of the group, as it is known to people."""
    known = source.field(name)
    return Field(name, False, (("type", "string"),), known.notes if known else {})


def _amount(name: str, made: Formula, source: Layout) -> Field:
    """A sum of a group: as many digits as there are."""
    known = source.field(made.field or name) or source.field(name)
    notes = {**(known.notes if known else {}), "x-digits": MOST_DIGITS, "x-scale": made.kind.scale}
    form = "money" if made.kind.is_amount else "decimal"
    return Field(name, False, (("type", "number"), ("format", form)), notes)


def _with_count(middle: Layout) -> Layout:
    """The columns of a group, its sums, and how many records it has."""
    count = Field(RECORDS, True, (("type", "number"), ("format", "decimal")), {"x-digits": 18, "x-scale": 0})
    return replace(middle, fields=(*middle.fields, count))
