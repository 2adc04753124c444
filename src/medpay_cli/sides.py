"""One side of a reconcile: read strictly, kept as fingerprints and sums, read again where records matter one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from medpay_cli import checks, dialects, formats, judging, layouts, money
from medpay_cli.checks import Flagged
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.formats import ROW, Batch, archive
from medpay_cli.formats.archive import Input
from medpay_cli.formats.text.header import delimiter_for
from medpay_cli.judging import NOT_JUDGED, Judgement, Terms
from medpay_cli.layouts import Layout
from medpay_cli.matching import RECORDS
from medpay_cli.partners import Partner
from medpay_cli.parts import Parts, fitted
from medpay_cli.recipes import Recipe, RecipeSide
from medpay_cli.screening import LEFT_OUT, Flags, Prints

# An ad-hoc amount: up to 14 digits before the point, as many after it as are seen on either side, 2 to 6.
AD_HOC_DIGITS, MOST_DECIMALS, LEAST_DECIMALS = 20, 6, 2


@dataclass(frozen=True)
class _Typed:
    """One batch: fingerprints, how many records cannot be read, sums of the others (in all and per group), and the
    most decimals seen per amount."""

    prints: Prints
    unreadable: int
    groups: pl.DataFrame
    decimals: dict[str, int]


@dataclass(frozen=True)
class ReadSide:
    """A side as it was read. `records` counts those that can be read, `amounts` sums them, `groups` does so per value
    of the recipe's group columns that the side has (RECORDS, and each amount)."""

    side: RecipeSide
    layout: Layout
    made: Judgement[_Typed | None]
    recipe: Recipe
    prints: Prints
    records: int
    unreadable: int
    groups: pl.DataFrame
    amounts: dict[str, Decimal]
    scales: dict[str, int]

    @property
    def path(self) -> str:
        """Where it was read from."""
        verdict = self.made.verdict
        return verdict.path if verdict.member is None else f"{verdict.path}!/{verdict.member}"

    @property
    def decimals(self) -> dict[str, int]:
        """The scale in which each amount was read."""
        return {one.name: one.scale for one in self.layout.money if one.name in self.recipe.amounts}

    def exact(self, wanted: Flags, scales: Mapping[str, int]) -> pl.DataFrame:
        """The wanted records (of all records of the file, in order): keys, statuses, and amounts of these scales."""
        names = dict.fromkeys((*self.recipe.key, *self.recipe.compare))
        columns = [
            *(_word(one, self.recipe).alias(one.name) for one in self.layout.fields if one.name in names),
            *(
                checks.typed(one).cast(pl.Decimal(38, scales[one.name])).alias(one.name)
                for one in self.layout.money
                if one.name in self.recipe.amounts
            ),
        ]
        empty = pl.DataFrame(schema=dict.fromkeys(self.layout.names, pl.String)).select(columns)
        again = self.made.again(wanted) if wanted.any() else ()
        return pl.concat([empty, *(text.select(columns) for text in again)]).select(*names, *self.recipe.amounts)


def read(
    side: RecipeSide,
    path: str,
    terms: Terms,
    recipe: Recipe,
    take: Callable[[pl.DataFrame], Prints],
    partner: Partner | None = None,
) -> ReadSide:
    """Read a side on its terms, as the partner writes it; `take` takes the fingerprints.

    Raises MedpayError for what cannot be done as asked.
    """
    source = Source.parse(path)
    reading = _named(side, recipe, partner)
    used, written = reading.layout, reading.dialect
    try:
        inputs = archive.inputs(source)
        if len(inputs) != 1:
            raise MedpayError("one_input", path=path)
        text = formats.prepared(inputs[0], written, terms.encoding)
        if side.dialect is None:
            written = replace(written, delimiter=delimiter_for(text, used.names))
    except ReadError as err:
        verdict = judging.blank(Input(source.path, source.member), used, written)
        return _gathered(side, used, judging.unreadable(verdict, err), recipe)
    typed = _typing(reading, recipe, take)
    # Rules say what is wrong with a record, not whether the other side has the same.
    made = judging.judge_nodes(text, reading.parts, written, typed, replace(terms, with_rules=False))
    matched = next(one for one in made if one.verdict.node == reading.node)
    for other in made:
        if other is not matched:
            matched.findings.extend(other.findings)
        if other.verdict.verdict == NOT_JUDGED:  # then the file is not judged
            matched.verdict.verdict = NOT_JUDGED
    return _gathered(side, used, matched, recipe)


@dataclass(frozen=True)
class _Reading:
    """How a side is read: its dialect, the layout of every node, and the node that is matched."""

    parts: Parts
    node: str | None
    dialect: Dialect

    @property
    def layout(self) -> Layout:
        """That of the node that is matched."""
        return self.parts[self.node]


def _named(side: RecipeSide, recipe: Recipe, partner: Partner | None) -> _Reading:
    """The layout and dialect of a side; an ad-hoc table has one made up of the named columns."""
    if side.dialect is None:
        amount = {"type": "number", "format": "money", "x-digits": AD_HOC_DIGITS, "x-scale": MOST_DECIMALS}
        columns: dict[str, Any] = {name: {"type": "string"} for name in (*recipe.key, *recipe.compare)}
        columns |= dict.fromkeys(recipe.amounts, amount)
        made = layouts.build({"type": "object", "properties": columns, "x-key": recipe.key}, "")
        table = Dialect("", "", quote='"', header=True, other_columns=True, free_order=True, trim=True)
        return _Reading({None: made}, None, table)
    written = dialects.load(side.dialect, partner)
    parts, written = fitted(written, None if written.nodes else side.layout)
    wanted = (*recipe.key, *recipe.amounts, *recipe.compare)
    lacking = {node: [name for name in wanted if used.field(name) is None] for node, used in parts.items()}
    # Of a nested message the first node that can be matched, or the one whose layout was named.
    named = layouts.load(side.layout).id if side.layout else None
    chosen = [node for node, names in lacking.items() if not names and named in (None, parts[node].id)]
    if not chosen:
        node = min(lacking, key=lambda node: len(lacking[node]))
        raise MedpayError("side_lacks", side=side.name, layout=parts[node].id, names=", ".join(lacking[node]) or "-")
    used = parts[chosen[0]]
    for name in recipe.amounts:
        if name not in (field.name for field in used.money):
            raise MedpayError("not_an_amount_field", side=side.name, layout=used.id, name=name)
    return _Reading(parts, chosen[0], written)


def _typing(
    reading: _Reading, recipe: Recipe, take: Callable[[pl.DataFrame], Prints]
) -> Callable[[Batch, Flagged, pl.DataFrame, object], _Typed | None]:
    """The work per batch: canonical text of keys, statuses and groups beside the amounts, fingerprinted and summed."""
    layout = reading.layout
    amounts = [field for field in layout.money if field.name in recipe.amounts]
    names = (*recipe.key, *recipe.compare, *recipe.groups)
    words = [_word(field, recipe) for field in layout.fields if field.name in names]
    groups = [name for name in recipe.groups if layout.field(name) is not None]
    lost = pl.any_horizontal(checks.is_outside(one) for one in amounts)

    def typed(batch: Batch, flagged: Flagged, exact: pl.DataFrame, _: object) -> _Typed | None:
        if batch.node != reading.node:
            return None
        records = flagged.text.select(words).hstack(exact.select(one.name for one in amounts))
        rows = flagged.text[ROW].to_numpy() - 1
        unreadable = flagged.suspects.filter(lost)[ROW]
        if len(unreadable):
            readable = ~flagged.text[ROW].is_in(unreadable.implode())
            records, rows = records.filter(readable), rows[readable.to_numpy()]
        decimals = {} if recipe.name is not None else _decimals(batch.text, recipe.amounts)
        prints = _placed(take(records), rows, batch.records)
        return _Typed(prints, batch.records - records.height, _summed(records, groups, recipe.amounts), decimals)

    return typed


def _word(field: layouts.Field, recipe: Recipe) -> pl.Expr:
    """Keys are compared as exact text; statuses and groups by the code that means the same."""
    same = layouts.canonical(field.codes) if field.codes and field.name not in recipe.key else {}
    return pl.col(field.name).replace(same) if same else pl.col(field.name)


def _placed(prints: Prints, rows: Any, records: int) -> Prints:
    """Fingerprints of all records of a batch, of which these rows can be read."""
    if len(rows) == records:
        return prints
    made = Prints(np.full(records, LEFT_OUT, np.uint8), np.zeros(records, np.uint64), np.zeros(records, np.uint64))
    made.states[rows], made.keys[rows], made.contents[rows] = prints.states, prints.keys, prints.contents
    return made


def _summed(records: pl.DataFrame, groups: list[str], amounts: tuple[str, ...]) -> pl.DataFrame:
    """Counts and sums per value of the group columns."""
    sums = (pl.len().cast(pl.Int64).alias(RECORDS), *(pl.col(name).sum() for name in amounts))
    return records.group_by(groups).agg(sums) if groups else records.select(sums)


def _added(parts: list[pl.DataFrame], groups: list[str], amounts: tuple[str, ...]) -> pl.DataFrame:
    """Counts and sums of several parts."""
    together = pl.concat(parts)
    sums = [pl.col(name).sum() for name in (RECORDS, *amounts)]
    return together.group_by(groups).agg(sums) if groups else together.select(sums)


def _decimals(text: pl.DataFrame, names: tuple[str, ...]) -> dict[str, int]:
    longest = text.select(pl.col(name).str.extract(r"\.([0-9]+)$").str.len_bytes().max() for name in names)
    return {name: min(count or 0, MOST_DECIMALS) for name, count in longest.row(0, named=True).items()}


def _gathered(side: RecipeSide, layout: Layout, made: Judgement[_Typed | None], recipe: Recipe) -> ReadSide:
    groups = [name for name in recipe.groups if layout.field(name) is not None]
    scale = {field.name: field.scale for field in layout.money if field.name in recipe.amounts}
    nothing: dict[str, Any] = dict.fromkeys(groups, pl.String) | {RECORDS: pl.Int64}
    nothing |= {name: pl.Decimal(38, scale[name]) for name in recipe.amounts}
    order = [*groups, RECORDS, *recipe.amounts]
    read = [typed for typed in made.also if typed is not None]
    parts = [pl.DataFrame(schema=nothing), *(typed.groups.select(order) for typed in read)]
    sums = _added(parts, groups, recipe.amounts)
    seen = [typed.decimals for typed in read]
    prints = Prints.joined(typed.prints for typed in read)
    made.also.clear()
    return ReadSide(
        side=side,
        layout=layout,
        made=made,
        recipe=recipe,
        prints=prints,
        records=int((prints.states != LEFT_OUT).sum()),
        unreadable=int((prints.states == LEFT_OUT).sum()),
        groups=sums,
        amounts={name: money.total(sums[name]) for name in recipe.amounts},
        scales={
            name: scale[name] if recipe.name else max([LEAST_DECIMALS, *(one[name] for one in seen)])
            for name in recipe.amounts
        },
    )
