"""Reconcile: read two sides strictly, match them, and explain every fen of the difference."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from medpay_cli import engines, files, matching, money, pairing, reports
from medpay_cli.engines import Cluster
from medpay_cli.errors import InternalError
from medpay_cli.findings import Findings, Outcome
from medpay_cli.formats import archive
from medpay_cli.judging import Terms
from medpay_cli.matching import MATCHED, OURS, SIDES, THEIRS, ClassSums, Compared, Group, Reconciliation, Side
from medpay_cli.partners import Partner
from medpay_cli.recipes import Recipe
from medpay_cli.reports import Style, statement
from medpay_cli.sides import OtherByNow, ReadSide, begun

if TYPE_CHECKING:
    import polars as pl

QUIET = {MATCHED, "reversed", "timing"}
LISTED_AT_ONCE = 100_000


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
    engine: str = engines.POLARS,
    cluster: Cluster | None = None,
    memory_limit: int | None = None,
) -> Reconciliation:
    """Match the two files in `sides` (side name → PATH) as the recipe says; amounts in yuan.

    `layout` and `dialect` replace the recipe's own for a side, `tolerance` a column's; a side is read on its `terms`,
    its dialect as its `partner` writes it. The `engine` (of engines.NAMES) never changes what is found; it keeps within
    so many bytes of memory, Spark on the `cluster`.
    Wrong data is in the result; raises MedpayError for what cannot be done as asked, InternalError where the bridge
    does not tie.
    """
    held, limit = cluster or Cluster(), memory_limit or engines.memory()
    name = engines.chosen(engine, held, sum(map(archive.size, sides.values())), limit)
    with pairing.opened(name, recipe, held, limit) as pair:
        reading = {
            name: begun(
                one.told(*(option.get(one.name) for option in (layout or {}, dialect or {}))),
                sides[one.name],
                replace((terms or {}).get(one.name) or Terms(), part=pairing.part(limit)),
                recipe,
                pair.take,
                (partner or {}).get(one.name),
            )
            for name, one in zip(SIDES, recipe.sides, strict=True)
        }
        # To read takes every core; what is left of it does not.
        with ThreadPoolExecutor(len(reading)) as pool:
            both = dict(zip(reading, pool.map(lambda finish: finish(), reading.values()), strict=True))
        compared = Compared(
            key=recipe.key,
            amounts={name: max(one.scales[name] for one in both.values()) for name in recipe.amounts},
            statuses=recipe.compare,
            tolerance={**recipe.tolerance, **(tolerance or {})},
            absent_is_zero=recipe.absent_is_zero,
        )
        left_out = sum(one.unreadable for one in both.values())
        if left_out or not all(one.is_judged for one in both.values()):
            both = {name: one.told for name, one in both.items()}
        is_matched = all(one.is_judged for one in both.values()) and (accepted_only or not left_out)
        unmatched = _unmatched(name, recipe, both, compared, noted=_noted(both, shown=not is_matched))
        if not is_matched:
            return unmatched
        try:
            matched = pair.match(both[OURS], both[THEIRS], compared)
        except OtherByNow as err:
            both = {name: err.side if one.side == err.side.side else one.told for name, one in both.items()}
            return _unmatched(name, recipe, both, compared, noted=_noted(both, shown=True))
    prove(unmatched.sides, matched.classes, compared)
    differs = any(sums.keys for name, sums in matched.classes.items() if name not in QUIET)
    return replace(
        unmatched,
        sides=tuple(replace(side, keys=matched.keys[name]) for side, name in zip(unmatched.sides, SIDES, strict=True)),
        counts=_counts(both, matched.repeated),
        classes=matched.classes,
        differences=pairing.joined(matched, compared),
        exit_code=int(differs or left_out > 0),
        incomplete="accepted_only" if left_out else None,
        seconds=pair.seconds,
    )


def _counts(both: Mapping[str, ReadSide], repeated: Mapping[str, int]) -> list[dict[str, Any]]:
    """What was found of the sides, and how often; the matching has found so many records with a repeated key."""
    return [{"side": one.side.name, **row} for name, one in both.items() for row in one.counted(repeated[name])]


def _unmatched(
    engine: str, recipe: Recipe, both: Mapping[str, ReadSide], compared: Compared, noted: Outcome
) -> Reconciliation:
    """What is known before the matching."""
    return Reconciliation(
        recipe=recipe.name,
        engine=engine,
        compared=compared,
        sides=tuple(_side(one, compared) for one in both.values()),
        counts=_counts(both, dict.fromkeys(SIDES, 0)),
        groups=_groups(both, recipe.groups, compared),
        classes=None,
        differences=None,
        advice=recipe.advice,
        exit_code=3,
        noted=noted,
        incomplete="unreadable_records",
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
    from medpay_cli.reports import workbook  # slow to load

    with files.storage(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = folder_files(folder)
    paths = paths if result.differences is not None else paths[2:]
    with files.together(*paths) as outputs:
        *lists, page, book, summary = outputs
        rows = None if result.differences is None else statement.differences(result, style)
        # A workbook is packed by one core; what is written stays in order, and so does what is said of a full disk.
        with ThreadPoolExecutor(1) as pool, files.spool() as packed:
            packing = pool.submit(workbook.reconciliation, result, packed, style, rows)
            if rows is not None:
                _write_lists(rows, *lists)
            reports.write(result, "html", page, style)
            packing.result()
            packed.seek(0)
            shutil.copyfileobj(packed, book, 1 << 20)
        reports.write(result, "json", summary, style)


def _write_lists(rows: pl.DataFrame, text: BinaryIO, typed: BinaryIO) -> None:
    """Write the differences as CSV and as Parquet."""
    # Polars writes to memory: a disk that fills up under it is no error that it can name.
    for number, some in enumerate(rows.iter_slices(LISTED_AT_ONCE) if rows.height else (rows,)):
        text.write(statement.as_text(some).write_csv(include_header=number == 0).encode())
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    typed.write(buffer.getbuffer())


def _side(side: ReadSide, compared: Compared) -> Side:
    """What can be said of a side before it is matched; its keys are counted by the matching."""
    return Side(
        name=side.side.name,
        title=side.side.title,
        path=side.path,
        layout=side.verdicts[0].layout,
        dialect=side.verdicts[0].dialect,
        records=side.records,
        keys=None,
        amounts={name: side.amounts[name] for name in compared.amounts},
        partner=side.verdicts[0].partner,
        beside=tuple(side.beside),
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


def _noted(both: Mapping[str, ReadSide], shown: bool) -> Outcome:
    """What was found while the sides were read; a report only shows it where nothing was matched."""
    together = Findings()
    for side in both.values() if shown else ():
        together.extend(side.findings)
    fields = [field for side in both.values() for field in side.layout.fields]
    return Outcome(
        files=[verdict for side in both.values() for verdict in side.verdicts if shown],
        findings=together,
        exit_code=0,
        titles={field.name: (field.title("zh"), field.title("en")) for field in fields},
        sensitivity={field.name: field.sensitivity for field in fields if field.sensitivity},
        plain=frozenset(field.name for field in fields if field.is_plain),
    )
