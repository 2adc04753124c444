"""Reconcile: read two sides strictly, match them, and explain every fen of the difference."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from medpay_cli import checks, dialects, files, judging, layouts, matching, money, reports, screening
from medpay_cli.checks import Flagged
from medpay_cli.dialects import Dialect
from medpay_cli.errors import InternalError, MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.findings import Findings, Outcome
from medpay_cli.formats import ROW, Batch, archive
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import decoded
from medpay_cli.formats.header import delimiter_for
from medpay_cli.judging import NOT_JUDGED, Judgement, Terms
from medpay_cli.layouts import Layout
from medpay_cli.matching import MATCHED, OURS, SIDES, THEIRS, ClassSums, Compared, Group, Matched, Reconciliation, Side
from medpay_cli.recipes import Recipe, RecipeSide
from medpay_cli.reports import Style, statement

Fingerprint = Callable[[pl.DataFrame], pl.DataFrame]
QUIET = {MATCHED, "reversed", "timing"}
# An ad-hoc amount: up to 14 digits before the point, as many after it as are seen on either side, 2 to 6.
AD_HOC_DIGITS, MOST_DECIMALS, LEAST_DECIMALS = 20, 6, 2


@dataclass(frozen=True)
class _Typed:
    """One batch: key and status text, exact amounts, the number of records with an unreadable amount, and the
    most decimals seen per amount."""

    records: pl.DataFrame
    unreadable: int
    decimals: dict[str, int]


@dataclass(frozen=True)
class _Read:
    """One side as it was read."""

    side: RecipeSide
    layout: Layout
    made: Judgement[_Typed]
    records: pl.DataFrame
    unreadable: int
    scales: dict[str, int]


def reconcile(
    sides: Mapping[str, str],
    recipe: Recipe,
    *,
    layout: Mapping[str, str] | None = None,
    dialect: Mapping[str, str] | None = None,
    terms: Mapping[str, Terms] | None = None,
    tolerance: Mapping[str, Decimal] | None = None,
    accepted_only: bool = False,
) -> Reconciliation:
    """Match the two files in `sides` (side name → PATH) as the recipe says; amounts in yuan.

    `layout` and `dialect` replace the recipe's own for a side, `tolerance` a column's; a side is read on its `terms`.
    Wrong data is in the result; raises MedpayError for what cannot be done as asked, InternalError where the bridge
    does not tie.
    """
    fingerprint = screening.fingerprinting(recipe.key, (*recipe.amounts, *recipe.compare))
    both = {
        name: _read(
            one.told(*(option.get(one.name) for option in (layout or {}, dialect or {}))),
            sides[one.name],
            (terms or {}).get(one.name) or Terms(),
            recipe,
            fingerprint,
        )
        for name, one in zip(SIDES, recipe.sides, strict=True)
    }
    compared = Compared(
        key=recipe.key,
        amounts={name: max(one.scales[name] for one in both.values()) for name in recipe.amounts},
        statuses=recipe.compare,
        tolerance={**recipe.tolerance, **(tolerance or {})},
        absent_is_zero=recipe.absent_is_zero,
    )
    left_out = sum(one.unreadable for one in both.values())
    result = Reconciliation(
        recipe=recipe.name,
        engine="polars",
        compared=compared,
        sides=tuple(_side(one, compared) for one in both.values()),
        counts=[{"side": one.side.name, **row} for one in both.values() for row in one.made.findings.counted()],
        groups=_groups(both, recipe.groups, compared),
        classes=None,
        differences=None,
        advice=recipe.advice,
        exit_code=3,
        noted=_noted(both),
        incomplete="unreadable_records",
    )
    if any(one.made.verdict.verdict == NOT_JUDGED for one in both.values()) or (left_out and not accepted_only):
        return result
    matched = _match(both, compared)
    prove(result.sides, matched.classes, compared)
    differs = any(sums.keys for name, sums in matched.classes.items() if name not in QUIET)
    return replace(
        result,
        sides=tuple(replace(side, keys=matched.keys[name]) for side, name in zip(result.sides, SIDES, strict=True)),
        classes=matched.classes,
        differences=matched.listed,
        exit_code=int(differs or left_out > 0),
        incomplete="accepted_only" if left_out else None,
    )


def prove(sides: tuple[Side, ...], classes: Mapping[str, ClassSums], compared: Compared) -> None:
    """Every record and every fen of both sides is in exactly one class, or no report leaves this program."""
    for side, name in zip(sides, SIDES, strict=True):
        counted = sum(sums.records[name] for sums in classes.values())
        if counted != side.records:
            raise InternalError("tie_out", what=f"records {name}", left=side.records, right=counted)
        for column in compared.amounts:
            explained = money.total(sums.amounts[column][name] for sums in classes.values())
            if explained != side.amounts[column]:
                raise InternalError("tie_out", what=f"{column} {name}", left=side.amounts[column], right=explained)


def folder_files(folder: Path) -> tuple[Path, ...]:
    """What `write_folder` writes into a folder."""
    return tuple(folder / name for name in ("differences.csv", "differences.parquet", "summary.json"))


def write_folder(result: Reconciliation, folder: Path, style: Style) -> None:
    """Write summary.json, differences.csv and differences.parquet into a folder, made where it is missing."""
    with files.storage(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    contents: dict[str, bytes] = {}
    if result.differences is not None:
        rows = statement.differences(result, style.lang)
        # Polars writes to memory: a disk that fills up under it is no error that it can name.
        for name, write in (
            ("differences.csv", statement.as_text(rows).write_csv),
            ("differences.parquet", rows.write_parquet),
        ):
            buffer = io.BytesIO()
            write(buffer)
            contents[name] = buffer.getvalue()
    buffer = io.BytesIO()
    reports.write(result, "json", buffer, style)
    contents["summary.json"] = buffer.getvalue()
    with files.together(*(folder / name for name in contents)) as outputs:
        for out, content in zip(outputs, contents.values(), strict=True):
            out.write(content)


def _read(side: RecipeSide, path: str, terms: Terms, recipe: Recipe, fingerprint: Fingerprint) -> _Read:
    source = Source.parse(path)
    used, written = _named(side, recipe)
    try:
        inputs = archive.inputs(source)
        if len(inputs) != 1:
            raise MedpayError("one_input", path=path)
        text = decoded(inputs[0], terms.encoding, written.encoding)
        if side.dialect is None:
            written = replace(written, delimiter=delimiter_for(text, used.names))
    except ReadError as err:
        verdict = judging.blank(Input(source.path, source.member), used, written)
        return _gathered(side, used, judging.unreadable(verdict, err), recipe)
    made = judging.judge_file(text, used, written, _typing(used, recipe, fingerprint), terms)
    return _gathered(side, used, made, recipe)


def _named(side: RecipeSide, recipe: Recipe) -> tuple[Layout, Dialect]:
    """The layout and dialect of a side; an ad-hoc table has one made up of the named columns."""
    if side.dialect is None:
        amount = {"type": "number", "format": "money", "x-digits": AD_HOC_DIGITS, "x-scale": MOST_DECIMALS}
        columns: dict[str, Any] = {name: {"type": "string"} for name in (*recipe.key, *recipe.compare)}
        columns |= dict.fromkeys(recipe.amounts, amount)
        made = layouts.build({"type": "object", "properties": columns, "x-key": recipe.key}, "")
        return made, Dialect("", "", quote='"', header=True, other_columns=True, free_order=True, trim=True)
    written = dialects.load(side.dialect)
    used = layouts.load(side.layout or written.layout)
    lacking = [name for name in (*recipe.key, *recipe.amounts, *recipe.compare) if used.field(name) is None]
    if lacking:
        raise MedpayError("side_lacks", side=side.name, layout=used.id, names=", ".join(lacking))
    for name in recipe.amounts:
        if name not in (field.name for field in used.money):
            raise MedpayError("not_an_amount_field", side=side.name, layout=used.id, name=name)
    return used, written.fitted(used.names)


def _typing(
    layout: Layout, recipe: Recipe, fingerprint: Fingerprint
) -> Callable[[Batch, Flagged, pl.DataFrame], _Typed]:
    """The work per batch: canonical text of keys, statuses and groups beside the amounts, both fingerprinted."""
    amounts = [field for field in layout.money if field.name in recipe.amounts]
    names = (*recipe.key, *recipe.compare, *recipe.groups)
    # Keys are compared as exact text; statuses and groups by the code that means the same.
    words = [
        pl.col(field.name) if field.name in recipe.key else _canonical(field)
        for field in layout.fields
        if field.name in names
    ]
    lost = pl.any_horizontal(checks.is_outside(one) for one in amounts)

    def typed(batch: Batch, flagged: Flagged, exact: pl.DataFrame) -> _Typed:
        records = flagged.text.select(words).hstack(exact.select(one.name for one in amounts))
        unreadable = flagged.suspects.filter(lost)[ROW]
        if len(unreadable):
            records = records.filter(~flagged.text[ROW].is_in(unreadable.implode()))
        decimals = {} if recipe.name is not None else _decimals(batch.text, recipe.amounts)
        return _Typed(fingerprint(records), batch.records - records.height, decimals)

    return typed


def _canonical(field: layouts.Field) -> pl.Expr:
    same = layouts.canonical(field.codes) if field.codes else {}
    return pl.col(field.name).replace(same) if same else pl.col(field.name)


def _decimals(text: pl.DataFrame, names: tuple[str, ...]) -> dict[str, int]:
    longest = text.select(pl.col(name).str.extract(r"\.([0-9]+)$").str.len_bytes().max() for name in names)
    return {name: min(count or 0, MOST_DECIMALS) for name, count in longest.row(0, named=True).items()}


def _gathered(side: RecipeSide, layout: Layout, made: Judgement[_Typed], recipe: Recipe) -> _Read:
    frames = [typed.records for typed in made.also]
    if not frames:
        texts = dict.fromkeys((*recipe.key, *recipe.compare, *recipe.groups), pl.String)
        numbers = dict.fromkeys(screening.FINGERPRINTS, pl.UInt64)
        frames = [
            pl.DataFrame(schema=texts | numbers | {field.name: pl.Decimal(38, field.scale) for field in layout.money})
        ]
    seen = [typed.decimals for typed in made.also]
    scales = {
        field.name: field.scale if recipe.name else max([LEAST_DECIMALS, *(one[field.name] for one in seen)])
        for field in layout.money
    }
    return _Read(side, layout, made, pl.concat(frames), sum(typed.unreadable for typed in made.also), scales)


def _side(read: _Read, compared: Compared) -> Side:
    """What can be said of a side before it is matched; its keys are counted by the matching."""
    verdict = read.made.verdict
    return Side(
        name=read.side.name,
        title=read.side.title,
        path=verdict.path if verdict.member is None else f"{verdict.path}!/{verdict.member}",
        layout=verdict.layout,
        dialect=verdict.dialect,
        records=read.records.height,
        keys=None,
        amounts=read.records.select(*compared.amounts).sum().row(0, named=True),
    )


def _groups(both: Mapping[str, _Read], by: tuple[str, ...], compared: Compared) -> list[Group]:
    """Counts and sums per value of the group columns that both sides have."""
    columns = [name for name in by if all(name in one.records.columns for one in both.values())]
    found: dict[tuple[str | None, ...], Group] = {}
    for side, read in both.items() if columns else ():
        sums = read.records.group_by(columns).agg(
            pl.len().alias(matching.RECORDS), *(pl.col(name).sum() for name in compared.amounts)
        )
        for row in sums.iter_rows(named=True):
            values = tuple(row[name] for name in columns)
            group = found.setdefault(values, Group(dict(zip(columns, values, strict=True))))
            here = {one: one == side for one in SIDES}
            records = {one: row[matching.RECORDS] * here[one] for one in SIDES}
            amounts = {name: {one: row[name] * here[one] for one in SIDES} for name in compared.amounts}
            group.sums.add(ClassSums(records=records, amounts=amounts))
    return [found[values] for values in sorted(found, key=lambda values: tuple(value or "" for value in values))]


def _match(both: Mapping[str, _Read], compared: Compared) -> Matched:
    """Clean pairs are set aside by their fingerprints, the rest is matched exactly."""
    screened = screening.screen(both[OURS].records, both[THEIRS].records, tuple(compared.amounts))
    ours, theirs = (
        side.select(
            *dict.fromkeys((*compared.key, *compared.statuses)),
            *(pl.col(name).cast(pl.Decimal(38, scale)) for name, scale in compared.amounts.items()),
        )
        for side in (screened.ours, screened.theirs)
    )
    matched = matching.match(ours.lazy(), theirs.lazy(), compared)
    clean = ClassSums(
        keys=screened.pairs,
        records=dict.fromkeys(SIDES, screened.pairs),
        amounts={name: dict.fromkeys(SIDES, amount) for name, amount in screened.sums.items()},
    )
    matched.classes.setdefault(MATCHED, ClassSums()).add(clean)
    listed = matched.listed
    for side, records in ((OURS, ours), (THEIRS, theirs)):
        listed = _joined(listed, records, side, compared)
    return replace(matched, listed=listed, keys={side: keys + screened.pairs for side, keys in matched.keys.items()})


def _joined(shown: pl.DataFrame, records: pl.DataFrame, side: str, compared: Compared) -> pl.DataFrame:
    """Where a side has several records of a key: its different statuses joined by `;`, sorted."""
    repeated = shown.filter(matching.REPEATED).select(compared.key)
    if repeated.is_empty() or not compared.statuses:
        return shown
    words = {name: pl.col(name).drop_nulls().unique().sort().str.join(";") for name in compared.statuses}
    joined = (
        records.join(repeated, on=compared.key, how="semi")
        .group_by(compared.key)
        .agg(pl.when(word != "").then(word).alias(matching.of(name, side)) for name, word in words.items())
    )
    return shown.update(joined, on=list(compared.key), how="left")


def _noted(both: Mapping[str, _Read]) -> Outcome:
    """What was found while the sides were read."""
    together = Findings()
    for read in both.values():
        together.extend(read.made.findings)
    fields = [field for read in both.values() for field in read.layout.fields]
    return Outcome(
        files=[read.made.verdict for read in both.values()],
        findings=together,
        exit_code=0,
        titles={field.name: (field.title("zh"), field.title("en")) for field in fields},
        sensitivity={field.name: field.sensitivity for field in fields if field.sensitivity},
        plain=frozenset(field.name for field in fields if not field.is_text or field.codes or field.form),
    )
