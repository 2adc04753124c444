"""The records of another input, held by their key: of each record of the source at most one partner, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from medpay_cli import judging, recognition
from medpay_cli.checks import Flagged
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.fingerprints import Flags
from medpay_cli.formats import Batch
from medpay_cli.judging import VALID, Terms
from medpay_cli.layouts import Layout
from medpay_cli.mappings.expressions import Formula, kinds_of, typed_as
from medpay_cli.mappings.joins import RECORDS, Join
from medpay_cli.mappings.plans import Plan
from medpay_cli.partners import Partner
from medpay_cli.parts import Parts
from medpay_cli.rules import together
from medpay_cli.validate import named, opened

# Of the key, of how many records have it, and which of the keys it is; no field can be called so.
BY, TIMES, NUMBER = "\x1fby", "\x1ftimes", "\x1fnumber"


@dataclass(frozen=True)
class Partners:
    """What a join finds: a row for each key, its columns as text, and which keys somebody has asked for."""

    join: Join
    path: str
    records: int
    by_key: pl.DataFrame
    asked: Flags = field(repr=False)

    @property
    def unasked(self) -> int:
        """How many records no record of the source has for a partner."""
        return self.records - int(self.by_key[NUMBER + RECORDS].filter(pl.Series(self.asked)).sum())

    def beside(self, records: pl.DataFrame, keys: list[pl.Series]) -> tuple[pl.DataFrame, pl.Series]:
        """The records with the columns of their partners, and how many partners each has."""
        names = [f"{BY}{at}" for at in range(len(keys))]
        asking = records.with_columns(one.alias(name) for one, name in zip(keys, names, strict=True))
        found = asking.join(self.by_key, on=names, how="left", maintain_order="left")
        # Threads only ever set it.
        self.asked[found[NUMBER].drop_nulls().to_numpy()] = True
        return found.drop(*names, TIMES, NUMBER, NUMBER + RECORDS), found[TIMES].fill_null(0)


def partners(
    plan: Plan, paths: Mapping[str, str], mapping: str, terms: Terms, partner: Partner | None
) -> list[Partners]:
    """What the joins of a mapping find in the inputs that are named at the run. Raises MedpayError for an input that
    cannot be relied on."""
    if {one.kind for one in plan.joins} != set(paths):
        wanted = ", ".join(one.kind for one in plan.joins) or "-"
        raise MedpayError("mapping_with", path=mapping, names=wanted, given=", ".join(paths) or "-")
    return [_read(one, paths[one.kind], terms, partner) for one in plan.joins]


def _read(join: Join, path: str, terms: Terms, partner: Partner | None) -> Partners:
    """All of an input's records, as far as the mapping wants them."""
    frames: list[pl.DataFrame] = []
    for source, broken in opened(Source.parse(path)):
        try:
            if broken is not None:
                raise broken
            found = named(source, join.origin if join.dialect is None else None, join.dialect, partner)
            parts, written = found or recognition.recognised(source, terms.encoding, join.origin, partner)
        except ReadError as err:
            raise MedpayError("with_wrong", kind=join.kind, path=path, rejected=0) from err
        node = _node(parts, join, path)
        current: list[list[pl.DataFrame]] = []

        def into(_: str | None, current: list[list[pl.DataFrame]] = current) -> list[pl.DataFrame]:
            current.append([])
            return current[-1]

        def needed(batch: Batch, flagged: Flagged, *_: Any, node: str | None = node) -> pl.DataFrame:
            return flagged.text.select(join.needed if batch.node == node else [])

        made = judging.judge_nodes(source, parts, written, needed, terms, into)
        wrong = [one.verdict for one in made if one.verdict.verdict != VALID]
        if wrong:
            raise MedpayError("with_wrong", kind=join.kind, path=path, rejected=sum(one.rejected for one in wrong))
        frames += [frame for one in made if one.verdict.node == node for frame in one.also]
    schema = dict.fromkeys(join.needed, pl.String)
    return _by_key(join, path, pl.concat([pl.DataFrame(schema=schema), *frames]))


def _node(parts: Parts, join: Join, path: str) -> str | None:
    found = [node for node, layout in parts.items() if layout.schema == join.layout.schema]
    if len(found) != 1:
        ids = ", ".join(layout.id for layout in parts.values())
        raise MedpayError("with_other", kind=join.kind, path=path, found=ids, known=join.layout.id)
    return found[0]


def _by_key(join: Join, path: str, text: pl.DataFrame) -> Partners:
    """One row for each key; a record with an empty part of it is nobody's partner."""
    if join.where is not None:
        text = text.filter(join.where.on(typed(join.layout, [join.where], text)).fill_null(value=False))
    records = text.height
    of_amounts = typed(join.layout, [*join.sums.values()], text)
    sums = [made.on(of_amounts).alias(_of(join, name)) for name, made in join.sums.items()]
    of_made = typed(join.layout, [*join.made.values()], text)
    columns = [join.made[name].on(of_made) if name in join.made else text[name] for name in join.by]
    keys = [column.alias(f"{BY}{at}") for at, column in enumerate(columns)]
    others = [text[column].alias(_of(join, column)) for column in join.copied]
    names = [one.name for one in keys]
    frame = pl.DataFrame([*keys, *others, *sums]).drop_nulls(names)
    several = [pl.col(one.name).n_unique() for one in others] if join.sums else [pl.len()]
    found = (
        frame.group_by(names, maintain_order=True)
        .agg(
            *(pl.col(one.name).first() for one in others),
            # A sum is known only where every amount is.
            *(together.total(one.name).cast(pl.String).alias(one.name) for one in sums),
            *([pl.len().cast(pl.String).alias(_of(join, RECORDS))] if join.sums else []),
            pl.max_horizontal(1, *several).cast(pl.Int64).alias(TIMES),
            pl.len().cast(pl.Int64).alias(NUMBER + RECORDS),
        )
        .with_row_index(NUMBER)
    )
    return Partners(join, path, records, found, np.zeros(found.height, np.bool_))


def _of(join: Join, name: str) -> str:
    return f"{join.kind}.{name}"


def typed(layout: Layout, formulas: list[Formula], text: pl.DataFrame) -> pl.DataFrame:
    """The columns of valid records that formulas take, amounts as Decimal."""
    kinds = kinds_of(layout)
    fields = {name for one in formulas for name in one.fields}
    return text.select(pl.col(name).cast(typed_as(kinds[name])) for name in text.columns if name in fields)
