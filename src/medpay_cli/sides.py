"""One side of a reconcile, a file or its parts: read strictly, kept as fingerprints and sums, read again where records
matter one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from medpay_cli import checks, dialects, files, formats, judging, layouts, manifests, money, screening
from medpay_cli.batches import Batches
from medpay_cli.checks import Flagged
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.findings import FileVerdict, Findings
from medpay_cli.fingerprints import Flags
from medpay_cli.formats import ROW, Batch, archive
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import agreed
from medpay_cli.formats.text.header import delimiter_for
from medpay_cli.judging import NOT_JUDGED, REPEATED, Judgement, Terms
from medpay_cli.layouts import Layout
from medpay_cli.matching import RECORDS
from medpay_cli.partners import Partner
from medpay_cli.parts import Parts, fitted
from medpay_cli.recipes import Recipe, RecipeSide
from medpay_cli.screening import Prints

# An ad-hoc amount: up to 14 digits before the point, as many after it as are seen on either side, 2 to 6.
AD_HOC_DIGITS, MOST_DECIMALS, LEAST_DECIMALS = 20, 6, 2
# So many codes that mean another one are told apart by comparing.
FEW_CODES = 8


# What becomes of the typed records of a batch: fingerprints, or a file for an engine.
Take = Callable[[pl.DataFrame], Prints | Path]


@dataclass(frozen=True)
class _Typed:
    """One batch: fingerprints, how many records cannot be read, sums of the others (in all and per group), the most
    decimals seen per amount, and where the others were written for an engine."""

    prints: Prints
    unreadable: int
    groups: pl.DataFrame
    decimals: dict[str, int]
    file: Path | None


@dataclass(frozen=True)
class ReadSide:
    """A side as it was read, part by part. `records` counts those that can be read, `amounts` sums them, `groups` does
    so per value of the recipe's group columns that the side has (RECORDS, and each amount). `beside` names what stands
    among the parts in a folder and was passed over."""

    side: RecipeSide
    path: str
    layout: Layout
    parts: list[Judgement[_Typed | None]]
    findings: Findings
    recipe: Recipe
    prints: screening.Side
    files: list[Path]
    records: int
    unreadable: int
    groups: pl.DataFrame
    amounts: dict[str, Decimal]
    scales: dict[str, int]
    beside: list[str] = field(default_factory=list)
    # Which of all records may have a key that stands several times here, if somebody looked.
    repeated: Flags | None = None
    # The same side where it turns out that it cannot be read.
    failed: Callable[[ReadError], ReadSide] | None = None
    untold: Untold | None = None

    @property
    def verdicts(self) -> list[FileVerdict]:
        """Those of its parts."""
        return [part.verdict for part in self.parts]

    @property
    def is_judged(self) -> bool:
        """Whether all of its parts are."""
        return all(one.verdict != NOT_JUDGED for one in self.verdicts)

    @property
    def told(self) -> ReadSide:
        """The same side with everything told that was found of it."""
        return self.untold.tell() if self.untold else self

    def counted(self, repeated: int) -> list[dict[str, Any]]:
        """The counts of what was found, sorted; the matching has found so many records with a repeated key."""
        rows = self.findings.counted()
        if self.untold and repeated:
            rows.append({"code": REPEATED, "field": None, "severity": self.untold.severity, "count": repeated})
        return sorted(rows, key=lambda row: (row["code"], row["field"] or ""))

    @property
    def decimals(self) -> dict[str, int]:
        """The scale in which each amount was read."""
        return {one.name: one.scale for one in self.layout.money if one.name in self.recipe.amounts}

    @property
    def nothing(self) -> pl.DataFrame:
        """No records, in the columns of `exact`."""
        empty = pl.DataFrame(schema=dict.fromkeys(self.layout.names, pl.String))
        return empty.select(self._columns)

    @property
    def _columns(self) -> list[pl.Expr]:
        names = (*self.recipe.key, *self.recipe.compare)
        words = {one.name: _word(one, self.recipe).alias(one.name) for one in self.layout.fields if one.name in names}
        amounts = {one.name: checks.typed(one).alias(one.name) for one in self.layout.money}
        return [*(words[name] for name in names), *(amounts[name] for name in self.recipe.amounts)]

    def exact(self, wanted: Flags) -> Iterator[pl.DataFrame]:
        """The wanted records (of all records of the side, in order): keys, statuses, and amounts in their own scale.

        Raises OtherByNow.
        """
        columns = self._columns
        try:
            for text in self._again(wanted):
                yield text.select(columns)
        except ReadError as err:
            raise OtherByNow(self.failed(err) if self.failed else self) from err

    def _again(self, wanted: Flags) -> Iterator[pl.DataFrame]:
        begin = 0
        for part in self.parts:
            some = wanted[begin : (begin := begin + part.verdict.records)]
            if some.any():
                yield from part.again(some)


@dataclass(frozen=True)
class Untold:
    """Repeated keys of a side on which there are no findings yet: the matching counts them too; to tell of them takes
    a second look at their records."""

    severity: str
    tell: Callable[[], ReadSide]


class OtherByNow(Exception):
    """A side that is read again is another one by now; it is unjudged in `side`."""

    def __init__(self, side: ReadSide) -> None:
        super().__init__(side.side.name)
        self.side = side


def read(
    side: RecipeSide, path: str, terms: Terms, recipe: Recipe, take: Take, partner: Partner | None = None
) -> ReadSide:
    """Read a side on its terms, as the partner writes it; of each batch `take` takes the fingerprints, or writes it.

    Raises MedpayError for what cannot be done as asked.
    """
    return begun(side, path, terms, recipe, take, partner)()


def begun(
    side: RecipeSide, path: str, terms: Terms, recipe: Recipe, take: Take, partner: Partner | None = None
) -> Callable[[], ReadSide]:
    """The same, read from front to back; what is called then does the rest, which hardly reads."""
    source = Source.parse(path)
    reading = _named(side, recipe, partner)
    used, written = reading.layout, reading.dialect
    blank = judging.blank(Input(source.path, source.member), used, written)
    beside = Batches(partner, terms.manifest)

    def is_beside(name: str) -> bool:
        return manifests.is_beside(written.batch, name)

    def failed(err: ReadError) -> ReadSide:
        return _gathered(side, path, used, [judging.unreadable(blank, err)], recipe)

    try:
        inputs = archive.parts(source, is_beside)
        unjudged: list[Judgement[_Typed | None]] = []
        for one in inputs:
            terms, wrong = beside.held(one, written, used, terms)
            if wrong:
                unjudged.append(judging.contradicted(judging.blank(one, used, written), wrong))
        if unjudged:
            return partial(_gathered, side, path, used, unjudged, recipe)
        beside.check_whole(sorted)
        texts = [replace(formats.prepared(one, written, terms.encoding), part=terms.part) for one in inputs]
        agreed(texts, terms.encoding or written.encoding)
        if side.dialect is None and texts:
            written = replace(written, delimiter=delimiter_for(texts[0], used.names))
        if not texts and not terms.allow_empty:
            raise ReadError(judging.EMPTY)
        typed = _typing(reading, recipe, take)
        # Rules say what is wrong with a record, not whether the other side has the same.
        on = replace(terms, with_rules=False)
        read = judging.begun(texts, reading.parts, written, typed, on, looks_at=_words(recipe)) if texts else None
    except ReadError as err:
        return partial(failed, err)

    def finished() -> ReadSide:
        untold = recipe.key if _are_matched_alike(reading, recipe, terms) else ()
        try:
            made = read.finished(untold) if read else [[Judgement[_Typed | None](blank, Findings())]]
            passed_over = _beside(source, inputs, is_beside)
        except ReadError as err:
            return failed(err)
        found = _gathered(side, path, used, [_one(nodes, reading.node) for nodes in made], recipe)
        found = replace(found, beside=passed_over, failed=failed)
        if read is None or not untold:
            return found

        def tell() -> ReadSide:
            parts = [_one(nodes, reading.node) for nodes in read.told(untold)]
            return replace(found, parts=parts, findings=_together(parts))

        return replace(found, untold=Untold(terms.severity(REPEATED), tell))

    return finished


def _are_matched_alike(reading: _Reading, recipe: Recipe, terms: Terms) -> bool:
    """Whether the matching finds the same repeated keys as the judging, and nothing else depends on them."""
    is_alone = len(reading.parts) == 1 and reading.layout.key == recipe.key and terms.applies(REPEATED)
    return is_alone and not terms.waivers and not terms.profile.refuse_from


def _beside(source: Source, inputs: list[Input], is_beside: archive.Is) -> list[str]:
    """What stands in the folder of a side and is no part. Raises ReadError F215 where the parts are others by now."""
    folder = Path(source.path)
    if not folder.is_dir():
        return []
    now, beside = archive.part_names(folder, is_beside)
    if now != [Path(one.path).name for one in inputs]:
        raise ReadError("F215", f"{len(now)} files", f"{len(inputs)} files")
    return [files.shown(name) for name in beside]


def _one(nodes: list[Judgement[_Typed | None]], node: str | None) -> Judgement[_Typed | None]:
    """The judgement on the node that is matched, with what was found of the others."""
    matched = next((one for one in nodes if one.verdict.node == node), nodes[0])
    for other in nodes:
        if other is not matched:
            matched.findings.extend(other.findings)
        if other.verdict.verdict == NOT_JUDGED:  # then the file is not judged
            matched.verdict.verdict = NOT_JUDGED
    return matched


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
    reading: _Reading, recipe: Recipe, take: Take
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
        taken = take(records)
        prints, file = (Prints.none(records.height), taken) if isinstance(taken, Path) else (taken, None)
        prints = prints.placed(rows, batch.records)
        sums = _summed(records, groups, recipe.amounts)
        return _Typed(prints, batch.records - records.height, sums, decimals, file)

    return typed


def _words(recipe: Recipe) -> frozenset[str]:
    """The fields that are looked at as text; decimals of an ad-hoc table are counted in it."""
    return frozenset((*recipe.key, *recipe.compare, *recipe.groups, *(() if recipe.name else recipe.amounts)))


def _word(field: layouts.Field, recipe: Recipe) -> pl.Expr:
    """Keys are compared as exact text; statuses and groups by the code that means the same."""
    same = layouts.canonical(field.codes) if field.codes and field.name not in recipe.key else {}
    column = pl.col(field.name)
    if len(same) > FEW_CODES:
        return column.replace(same)
    word = column
    for code, meaning in same.items():  # Polars takes ten times as long to look values up
        word = pl.when(column == code).then(pl.lit(meaning)).otherwise(word)
    return word.alias(field.name)


def _summed(records: pl.DataFrame, groups: list[str], amounts: tuple[str, ...]) -> pl.DataFrame:
    """Counts and sums per value of the group columns."""
    sums = (pl.len().cast(pl.Int64).alias(RECORDS), *(pl.col(name).sum() for name in amounts))
    every = records.select(sums)
    if not groups:
        return every
    if len(groups) == 1 and not records.is_empty():
        # Nearly all have one value: to group the others takes a fifth of the time.
        [name] = groups
        usual = records.get_column(name)[0]
        others = records.filter(pl.col(name).ne_missing(usual))
        if others.height * 4 < records.height:
            found = others.group_by(name).agg(sums)
            left = every - found.select(RECORDS, *amounts).sum()
            return pl.concat([found, left.with_columns(pl.lit(usual, pl.String).alias(name)).select(found.columns)])
    return records.group_by(groups).agg(sums)


def _added(parts: list[pl.DataFrame], groups: list[str], amounts: tuple[str, ...]) -> pl.DataFrame:
    """Counts and sums of several parts."""
    together = pl.concat(parts)
    sums = [pl.col(name).sum() for name in (RECORDS, *amounts)]
    return together.group_by(groups).agg(sums) if groups else together.select(sums)


def _decimals(text: pl.DataFrame, names: tuple[str, ...]) -> dict[str, int]:
    longest = text.select(pl.col(name).str.extract(r"\.([0-9]+)$").str.len_bytes().max() for name in names)
    return {name: min(count or 0, MOST_DECIMALS) for name, count in longest.row(0, named=True).items()}


def _gathered(
    side: RecipeSide, path: str, layout: Layout, made: list[Judgement[_Typed | None]], recipe: Recipe
) -> ReadSide:
    groups = [name for name in recipe.groups if layout.field(name) is not None]
    scale = {field.name: field.scale for field in layout.money if field.name in recipe.amounts}
    nothing: dict[str, Any] = dict.fromkeys(groups, pl.String) | {RECORDS: pl.Int64}
    nothing |= {name: pl.Decimal(38, scale[name]) for name in recipe.amounts}
    order = [*groups, RECORDS, *recipe.amounts]
    read = [typed for part in made for typed in part.also if typed is not None]
    parts = [pl.DataFrame(schema=nothing), *(typed.groups.select(order) for typed in read)]
    sums = _added(parts, groups, recipe.amounts)
    seen = [typed.decimals for typed in read]
    prints = screening.kept(typed.prints for typed in read)
    readable = sum(one.readable for one in prints)
    looked = [part.repeated[recipe.key] for part in made if recipe.key in part.repeated]
    for part in made:
        part.also.clear()
    return ReadSide(
        side=side,
        path=files.shown(path),
        layout=layout,
        parts=made,
        findings=_together(made),
        recipe=recipe,
        prints=prints,
        files=[typed.file for typed in read if typed.file is not None],
        records=readable,
        unreadable=sum(len(one.states) for one in prints) - readable,
        groups=sums,
        amounts={name: money.total(sums[name]) for name in recipe.amounts},
        scales={
            name: scale[name] if recipe.name else max([LEAST_DECIMALS, *(one[name] for one in seen)])
            for name in recipe.amounts
        },
        repeated=np.concatenate(looked) if made and len(looked) == len(made) else None,
    )


def _together(parts: list[Judgement[_Typed | None]]) -> Findings:
    """Those of all parts; of the only one they are not copied, for there may be millions."""
    if len(parts) == 1:
        return parts[0].findings
    found = Findings()
    for part in parts:
        found.extend(part.findings)
    return found
