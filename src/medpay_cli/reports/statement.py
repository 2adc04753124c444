"""The reconciliation statement: sides, classes, the bridge to the fen, and the list of differences."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO

import polars as pl

from medpay_cli import money
from medpay_cli.matching import CLASSES, SIDES, ClassSums, Group, Reconciliation
from medpay_cli.reports import Style

if TYPE_CHECKING:
    from medpay_cli.messages import Language


def document(result: Reconciliation) -> dict[str, Any]:
    """The summary as `medpay/reconcile/1`; amounts are strings in yuan."""
    made: dict[str, Any] = {
        "schema": "medpay/reconcile/1",
        "recipe": result.recipe,
        "engine": result.engine,
        "complete": result.incomplete is None,
        "exit_code": result.exit_code,
        "counts": result.counts,
        "sides": [
            {
                "name": side.name,
                "path": side.path,
                "layout": side.layout,
                "dialect": side.dialect,
                "records": side.records,
                "keys": side.keys,
                "amounts": {name: _written(result, name, amount) for name, amount in side.amounts.items()},
            }
            for side in result.sides
        ],
        "groups": [_group(result, group) for group in result.groups],
    }
    if result.incomplete:
        made["incomplete_reason"] = result.incomplete
    if result.classes is not None:
        made["classes"] = {name: _class(result, result.classes[name]) for name in ordered(result)}
        made["bridge"] = {name: _bridge(result, name) for name in result.compared.amounts}
    return made


def ordered(result: Reconciliation) -> list[str]:
    """The classes that occur, matched first."""
    found = result.classes or {}
    return [name for name in ("matched", *CLASSES[:-1]) if name in found]


def explained(result: Reconciliation, name: str) -> Decimal:
    """The sum over the classes of (ours − theirs)."""
    sums = [one.amounts[name] for one in (result.classes or {}).values()]
    return money.total(amount for one in sums for amount in (one["ours"], -one["theirs"]))


def differences(result: Reconciliation, lang: Language) -> pl.DataFrame:
    """One row per key of every class but matched, and of what was tolerated; sorted by class and key.

    Amounts are Decimal in yuan, absent where a side has none; a difference counts an absent amount as 0.
    """
    on = result.compared
    rows = result.differences
    assert rows is not None  # noqa: S101 - only called where there is a match
    advice = {name: text[lang] for name, text in result.advice.items()}
    amounts = [
        column
        for name in on.amounts
        for column in (
            *(
                pl.when(pl.col(f"{name}_{side}_present") > 0).then(f"{name}_{side}").alias(f"{name}_{side}")
                for side in SIDES
            ),
            (pl.col(f"{name}_ours") - pl.col(f"{name}_theirs")).alias(f"{name}_difference"),
        )
    ]
    return rows.select(
        "class",
        pl.lit(None, pl.Int64).alias("tier"),
        *on.key,
        *(f"records_{side}" for side in SIDES),
        *amounts,
        *(f"{name}_{side}" for name in on.statuses for side in SIDES),
        pl.col("class").replace_strict(advice, default=None, return_dtype=pl.String).alias("advice"),
    ).sort("class", *on.key, *(f"{name}_ours" for name in on.amounts), nulls_last=True)


def as_text(rows: pl.DataFrame) -> pl.DataFrame:
    """The same table with every amount written out, for CSV."""
    return rows.with_columns(pl.col(pl.Decimal).cast(pl.String))


def to_json(result: Reconciliation, out: BinaryIO, style: Style) -> None:
    """Write the summary."""
    import json

    out.write(json.dumps(document(result), ensure_ascii=False, indent=1).encode() + b"\n")


def _group(result: Reconciliation, group: Group) -> dict[str, Any]:
    return {"by": group.by, "records": group.sums.records, "amounts": _amounts(result, group.sums)}


def _class(result: Reconciliation, sums: ClassSums) -> dict[str, Any]:
    return {
        "keys": sums.keys,
        "records": sums.records,
        "repeated": sums.repeated,
        "tolerated": {
            name: {"keys": keys, "difference": _written(result, name, gap)}
            for name, (keys, gap) in sums.tolerated.items()
        },
        "by_tier": {},
        "amounts": _amounts(result, sums),
    }


def _bridge(result: Reconciliation, name: str) -> dict[str, str]:
    ours, theirs = (side.amounts[name] for side in result.sides)
    made = {
        "ours": ours,
        "theirs": theirs,
        "difference": money.total((ours, -theirs)),
        "explained": explained(result, name),
    }
    return {key: _written(result, name, amount) for key, amount in made.items()}


def _amounts(result: Reconciliation, sums: ClassSums) -> dict[str, dict[str, str]]:
    return {
        name: {
            **{side: _written(result, name, of[side]) for side in SIDES},
            "difference": _written(result, name, money.total((of["ours"], -of["theirs"]))),
        }
        for name, of in sums.amounts.items()
    }


def _written(result: Reconciliation, name: str, amount: Decimal) -> str:
    return money.written(amount, result.compared.amounts[name])
