"""A sample is invented data that a layout permits; a fault planted in it is one edit that one finding code names."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from medpay_cli import dialects, layouts
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError
from medpay_cli.parts import Parts, fitted
from medpay_cli.sampling import text
from medpay_cli.sampling.beside import pairs, records_of
from medpay_cli.sampling.faults import Planted, broken_by
from medpay_cli.sampling.records import inner_nodes
from medpay_cli.sampling.sample import Sample

__all__ = ["Planted", "draw", "write"]


def write(
    layout: str, dialect: str | None, records: int, seed: int, broken: tuple[str, ...], out: BinaryIO
) -> list[Planted]:
    """Write invented records of a layout in a dialect, the same for the same arguments, and say what is broken.

    Of a dialect with nodes `layout` is that of the first one; `records` are those of its first node that may be
    repeated and stands in no other, and each has up to three of every node inside. Each code of `broken` is planted
    once, in a record of its own. Raises MedpayError, before anything is written, where no value can be invented for a
    field or no record can have a fault.
    """
    parts, used = _chosen(layout, dialect)
    return draw(parts, used, records, seed, broken, out)


def draw(
    parts: Parts, dialect: Dialect, records: int, seed: int, broken: tuple[str, ...], out: BinaryIO
) -> list[Planted]:
    """The same in a dialect that is at hand with its layouts."""
    sample, planted = broken_by(_clean(parts, dialect, records, seed), tuple(dict.fromkeys(broken)))
    if sample.is_text:
        text.write(sample, out)
    else:
        from medpay_cli.sampling import messages  # as its writers need Polars

        messages.write(sample, parts, out)
    return planted


def _chosen(layout: str, dialect: str | None) -> tuple[Parts, Dialect]:
    used = layouts.load(layout)
    if dialect is None:
        known = [one for one in map(dialects.load, dialects.names()) if layouts.load(one.layout).id == used.id]
        writing = [one for one in known if one.format == "delimited"] or known
        if len(writing) > 1:
            raise MedpayError("name_dialect", layout=used.id, found=", ".join(one.name for one in writing))
        dialect = writing[0].name if writing else f"csv:{layout}"
    named = dialects.load(dialect)
    if named.nodes:
        first = layouts.load(named.nodes[0].layout)
        if first.schema != used.schema:
            raise MedpayError("first_layout", dialect=named.name, layout=first.id)
        return fitted(named)
    parts, named = fitted(named, layout)
    return parts, replace(named, layout=layout)


def _clean(parts: Parts, dialect: Dialect, records: int, seed: int) -> Sample:
    tops = [node for node in dialect.parts if node.parent is None]
    node = next((one for one in tops if one.repeated), tops[0])
    layout = parts[node.name]
    every = records_of(dialect, parts, seed, records)
    made = every[node.name]
    size = min((one.size for one in made.numberings), default=records)
    if records > size:
        raise MedpayError("few_keys", layout=layout.id, names=", ".join(layout.key), size=size, records=records)
    declared = [item for line in (dialect.head, dialect.tail) if line for item in line.items]
    linked = [name for one in inner_nodes(node, dialect) if node.name for name in one.link]
    linked += [beside.link for _, one, beside in pairs(dialect, parts) if one == node]
    return Sample(
        every,
        dialect,
        records if node.repeated else min(records, 1),
        seed,
        node,
        whole=frozenset((*declared, *linked)),
        header=text.header_of(layout, dialect),
        delimiter=dialect.delimiter,
    )
