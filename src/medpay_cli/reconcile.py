"""Reconcile: read two sides strictly, match them, and explain every fen of the difference."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import polars as pl

from medpay_cli import files, matching, money, reports, screening
from medpay_cli.errors import InternalError
from medpay_cli.findings import Findings, Outcome
from medpay_cli.judging import NOT_JUDGED, Terms
from medpay_cli.matching import MATCHED, OURS, SIDES, THEIRS, ClassSums, Compared, Group, Matched, Reconciliation, Side
from medpay_cli.partners import Partner
from medpay_cli.recipes import Recipe
from medpay_cli.reports import Style, statement
from medpay_cli.screening import WHOLE, Flags
from medpay_cli.sides import ReadSide, read

QUIET = {MATCHED, "reversed", "timing"}


def reconcile(
    sides: Mapping[str, str],
    recipe: Recipe,
    *,
    layout: Mapping[str, str] | None = None,
    dialect: Mapping[str, str] | None = None,
    terms: Mapping[str, Terms] | None = None,
    tolerance: Mapping[str, Decimal] | None = None,
    accepted_only: bool = False,
    partner: Mapping[str, Partner] | None = None,
) -> Reconciliation:
    """Match the two files in `sides` (side name → PATH) as the recipe says; amounts in yuan.

    `layout` and `dialect` replace the recipe's own for a side, `tolerance` a column's; a side is read on its `terms`,
    its dialect as its `partner` writes it.
    Wrong data is in the result; raises MedpayError for what cannot be done as asked, InternalError where the bridge
    does not tie.
    """
    take = screening.fingerprinting(recipe.key, (*recipe.amounts, *recipe.compare))
    both = {
        name: read(
            one.told(*(option.get(one.name) for option in (layout or {}, dialect or {}))),
            sides[one.name],
            (terms or {}).get(one.name) or Terms(),
            recipe,
            take,
            (partner or {}).get(one.name),
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
    names = ("differences.csv", "differences.parquet", "report.html", "report.xlsx", "summary.json")
    return tuple(folder / name for name in names)


def write_folder(result: Reconciliation, folder: Path, style: Style) -> None:
    """Write the summary, the differences and both reports into a folder, made where it is missing."""
    with files.storage(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    contents: dict[str, bytes] = {}
    if result.differences is not None:
        rows = statement.differences(result, style)
        # Polars writes to memory: a disk that fills up under it is no error that it can name.
        for name, write in (
            ("differences.csv", statement.as_text(rows).write_csv),
            ("differences.parquet", rows.write_parquet),
        ):
            buffer = io.BytesIO()
            write(buffer)
            contents[name] = buffer.getvalue()
    for name, form in (("report.html", "html"), ("report.xlsx", "xlsx"), ("summary.json", "json")):
        buffer = io.BytesIO()
        reports.write(result, form, buffer, style)
        contents[name] = buffer.getvalue()
    with files.together(*(folder / name for name in contents)) as outputs:
        for out, content in zip(outputs, contents.values(), strict=True):
            out.write(content)


def _side(side: ReadSide, compared: Compared) -> Side:
    """What can be said of a side before it is matched; its keys are counted by the matching."""
    return Side(
        name=side.side.name,
        title=side.side.title,
        path=side.path,
        layout=side.made.verdict.layout,
        dialect=side.made.verdict.dialect,
        records=side.records,
        keys=None,
        amounts={name: side.amounts[name] for name in compared.amounts},
        partner=side.made.verdict.partner,
    )


def _groups(both: Mapping[str, ReadSide], by: tuple[str, ...], compared: Compared) -> list[Group]:
    """Counts and sums per value of the group columns that both sides have."""
    columns = [name for name in by if all(name in one.groups.columns for one in both.values())]
    found: dict[tuple[str | None, ...], Group] = {}
    for side, made in both.items() if columns else ():
        for row in made.groups.iter_rows(named=True):
            values = tuple(row[name] for name in columns)
            group = found.setdefault(values, Group(dict(zip(columns, values, strict=True))))
            here = {one: one == side for one in SIDES}
            records = {one: row[matching.RECORDS] * here[one] for one in SIDES}
            amounts = {name: {one: row[name] * here[one] for one in SIDES} for name in compared.amounts}
            group.sums.add(ClassSums(records=records, amounts=amounts))
    return [found[values] for values in sorted(found, key=lambda values: tuple(value or "" for value in values))]


@dataclass(frozen=True)
class _Aside:
    """What one side has set aside: all of it less what is left, so each side is counted on its own."""

    records: int
    sums: dict[str, Decimal]
    checksum: int

    @classmethod
    def of(cls, side: ReadSide, wanted: Flags, left: pl.DataFrame) -> _Aside:
        remaining = left.select(*side.amounts).sum().row(0, named=True)
        return cls(
            records=side.records - left.height,
            sums={name: money.total((amount, -remaining[name])) for name, amount in side.amounts.items()},
            checksum=side.prints.checksum((side.prints.states == WHOLE) & ~wanted),
        )


def _match(both: Mapping[str, ReadSide], compared: Compared) -> Matched:
    """Clean pairs are set aside by their fingerprints, the rest is read again and matched exactly."""
    ours, theirs = both[OURS], both[THEIRS]
    # A fingerprint is taken of an amount's digits alone: of other scales they say nothing.
    wanted = (
        screening.candidates(ours.prints, theirs.prints)
        if ours.decimals == theirs.decimals
        else (screening.everything(ours.prints), screening.everything(theirs.prints))
    )
    left = [side.exact(some, compared.amounts) for side, some in zip((ours, theirs), wanted, strict=True)]
    aside, others = (_Aside.of(side, some, rest) for side, some, rest in zip((ours, theirs), wanted, left, strict=True))
    if aside != others:
        # The proof fails: exact matching takes over.
        left = [side.exact(screening.everything(side.prints), compared.amounts) for side in (ours, theirs)]
        aside = replace(aside, records=0, sums=dict.fromkeys(aside.sums, Decimal(0)))
    matched = matching.match(left[0].lazy(), left[1].lazy(), compared)
    clean = ClassSums(
        keys=aside.records,
        records=dict.fromkeys(SIDES, aside.records),
        amounts={name: dict.fromkeys(SIDES, amount) for name, amount in aside.sums.items()},
    )
    matched.classes.setdefault(MATCHED, ClassSums()).add(clean)
    listed = matched.listed
    for side, records in zip(SIDES, left, strict=True):
        listed = _joined(listed, records, side, compared)
    return replace(matched, listed=listed, keys={side: keys + aside.records for side, keys in matched.keys.items()})


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


def _noted(both: Mapping[str, ReadSide]) -> Outcome:
    """What was found while the sides were read."""
    together = Findings()
    for side in both.values():
        together.extend(side.made.findings)
    fields = [field for side in both.values() for field in side.layout.fields]
    return Outcome(
        files=[side.made.verdict for side in both.values()],
        findings=together,
        exit_code=0,
        titles={field.name: (field.title("zh"), field.title("en")) for field in fields},
        sensitivity={field.name: field.sensitivity for field in fields if field.sensitivity},
        plain=frozenset(field.name for field in fields if field.is_plain),
    )
