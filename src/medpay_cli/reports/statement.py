"""The reconciliation statement: sides, classes, the bridge to the fen, and the list of differences."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, BinaryIO

import polars as pl

from medpay_cli import messages, money
from medpay_cli.matching import CLASS, CLASSES, MATCHED, RECORDS, SIDES, ClassSums, Group, Reconciliation, of
from medpay_cli.reports import Style
from medpay_cli.reports.machine import HIDDEN, masked_value

# No column of anybody's is called so.
PLACE = "\x1fplace"


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
                **({"partner": side.partner} if side.partner else {}),
                "records": side.records,
                "keys": side.keys,
                "amounts": {name: _written(result, name, amount) for name, amount in side.amounts.items()},
                **({"passed_over": list(side.beside)} if side.beside else {}),
            }
            for side in result.sides
        ],
        "groups": [_group(result, group) for group in result.groups],
    }
    if result.seconds:
        made["seconds"] = {what: round(number, 3) for what, number in result.seconds.items()}
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


def labels(result: Reconciliation, style: Style) -> dict[str, str]:
    """The words of a report, the sides called by their names."""
    ours, theirs = (side.title[style.lang] for side in result.sides)
    words = messages.labels(style.lang)
    return {key: text.replace("{ours}", ours).replace("{theirs}", theirs) for key, text in words.items()}


def verdict(result: Reconciliation, words: dict[str, str]) -> str:
    """What it comes to, in a line."""
    if result.classes is None:
        return f"{words['verdict']}: {words['unjudged']}"
    unequal = sum(sums.keys for name, sums in result.classes.items() if name != MATCHED)
    found = words["differs"].replace("#", f"{unequal:,}") if unequal else words["agrees"]
    rest = f"; {words['left_out']}" if result.incomplete else ""
    return f"{words['verdict']}: {found}{rest}"


def explained(result: Reconciliation, name: str) -> Decimal:
    """The sum over the classes of (ours − theirs)."""
    sums = [one.amounts[name] for one in (result.classes or {}).values()]
    return money.total(amount for one in sums for amount in (one["ours"], -one["theirs"]))


def differences(result: Reconciliation, style: Style) -> pl.DataFrame:
    """One row per key of every class but matched, and of what was tolerated; sorted by class and key.

    Amounts are Decimal in yuan, absent where a side has none; a difference counts an absent amount as 0. Direct values
    are hidden, identifiers whole.
    """
    on = result.compared
    rows = result.differences
    assert rows is not None  # noqa: S101 - only called where there is a match
    advice = {name: text[style.lang] for name, text in result.advice.items()}
    fixed = ["class", "tier", *(f"records_{side}" for side in SIDES), "advice"]
    columns = {"class": pl.col(CLASS), "tier": pl.lit(None, pl.Int64)}
    keys = {_free(name, "key", [*columns, *fixed]): name for name in on.key}
    columns |= {column: pl.col(name) for column, name in keys.items()}
    columns |= {f"records_{side}": pl.col(of(RECORDS, side)) for side in SIDES}
    for name in on.amounts:
        ours, theirs = (pl.col(of(name, side)) for side in SIDES)
        amounts = {f"{name}_{side}": amount_of(name, side) for side in SIDES} | {f"{name}_difference": ours - theirs}
        columns |= {_free(column, "amount", [*columns, *fixed]): amount for column, amount in amounts.items()}
    statuses: dict[str, str] = {}
    for name in on.statuses:
        for side in SIDES:
            column = _free(f"{name}_{side}", "status", [*columns, *fixed])
            statuses[column] = name
            columns[column] = pl.col(of(name, side))
    order = [column for column in columns if column != "tier"]
    columns["advice"] = pl.col(CLASS).replace_strict(advice, default=None, return_dtype=pl.String)
    made = rows.select(column.alias(name) for name, column in columns.items())
    # A key stands in one row; only records with an empty key part are told apart by everything else.
    alone = pl.any_horizontal(pl.col(order[1 : 1 + len(on.key)]).is_null())
    placed = [
        made.filter(~alone).with_columns(pl.lit(0, pl.Int64).alias(PLACE)),
        made.filter(alone).sort(order, nulls_last=True).with_columns(pl.int_range(pl.len()).alias(PLACE)),
    ]
    in_order = pl.concat(placed).sort([*order[: 1 + len(on.key)], PLACE], nulls_last=True).drop(PLACE)
    hidden = [shown(pl.col(column), name, result, style) for column, name in (keys | statuses).items()]
    return in_order.with_columns(hidden)


def shown(value: pl.Expr, name: str, result: Reconciliation, style: Style, *, people: bool = False) -> pl.Expr:
    """What may be seen of the values of a field: nothing of direct ones, for `people` a part of identifiers."""
    level = None if style.show_values else result.noted.sensitivity.get(name)
    if level == "direct":
        return pl.when(value.is_not_null()).then(pl.lit(HIDDEN)).alias(value.meta.output_name())
    return masked_value(value).alias(value.meta.output_name()) if level and people else value


def amount_of(name: str, side: str) -> pl.Expr:
    """A side's amount; absent where none of its records has one."""
    return pl.when(pl.col(of(name, side, "present")) > 0).then(of(name, side))


def _free(name: str, kind: str, taken: list[str]) -> str:
    """The name of a column, told apart where another column is already called so."""
    while name in taken:
        name = f"{kind}_{name}"
    return name


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
