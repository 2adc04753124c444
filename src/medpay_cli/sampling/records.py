"""Invented records: cells drawn from the spaces of their fields, keys that follow from the number of the record."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import gcd, prod

from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError
from medpay_cli.layouts import Field, Layout
from medpay_cli.parts import Parts
from medpay_cli.sampling.spaces import Space, space_of
from medpay_cli.sampling.ties import alone, tied
from medpay_cli.sampling.tying import Cells, Work

# How often an optional cell is empty.
EMPTY = 0.1
# The key of lines that are numbered in turn: one that stands alone is the first.
IN_TURN = ("claim_no", "line_no")


@dataclass(frozen=True)
class Numbering:
    """Fields whose texts together are never repeated: they follow from the number of the record."""

    places: tuple[int, ...]
    size: int
    first: int
    step: int
    # Whether it is so in the whole file, or only within the record around.
    is_whole: bool


@dataclass(frozen=True)
class Records:
    """How the records of one layout are filled; a field without a space comes from the record around.

    `among` makes the cells of a record by its number those that stand with it in a message; then follows `work`, what
    the fields of a record owe each other.
    """

    layout: Layout
    fields: tuple[Field, ...]
    spaces: tuple[Space | None, ...]
    numberings: tuple[Numbering, ...]
    optional: tuple[int, ...]
    nulls: tuple[str, ...]
    work: tuple[Work, ...] = ()
    among: Callable[[Cells, int], None] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that a record holds."""
        return tuple(one.name for one in self.fields)

    @property
    def numbered(self) -> frozenset[int]:
        """The places of its keys."""
        return frozenset(place for one in self.numberings for place in one.places)

    def cells(self, row: int, chance: random.Random, *, full: bool = False) -> Cells:
        """The cells of a record; its keys follow from its number alone, so that none is repeated."""
        draw = chance.random
        cells = self._drawn(chance)
        while any(null in cells for null in self.nulls if null):
            cells = self._drawn(chance)
        for numbering in self.numberings:
            number = numbering.first + row * numbering.step
            for place in numbering.places:
                space = self.spaces[place]
                assert space is not None  # noqa: S101 - what is numbered is invented
                number, digit = divmod(number, space.size)
                cells[place] = space.text(digit)
        for place in self.optional:
            if draw() < EMPTY and not full:
                cells[place] = ""
        if self.among:
            self.among(cells, row)
        for work in self.work:
            work(cells)
        return cells

    def _drawn(self, chance: random.Random) -> Cells:
        draw = chance.random
        return [space.text(int(draw() * space.size)) if space else "" for space in self.spaces]


def chance_of(seed: int, purpose: str) -> random.Random:
    """What is drawn for a purpose, the same for the same seed."""
    return random.Random(f"{seed} {purpose}")  # noqa: S311 - invented, not secret


def inner_nodes(node: Node, dialect: Dialect) -> list[Node]:
    """The nodes whose records stand in those of a node."""
    return [one for one in dialect.nodes if one.parent == node.name]


def node_records(node: Node, dialect: Dialect, parts: Parts, seed: int) -> Records:
    """The records of a node as they can be written, within the strict layout. Raises MedpayError where a field cannot
    be filled.

    Neither a key nor what the records inside link to is ever repeated; what a record links to comes from around it.
    """
    layout = parts[node.name]
    fields = _held(layout, dialect)
    beyond = [one for one in layout.fields if one not in fields and (one.strict.required or one.name in layout.key)]
    if beyond:
        reason = "positions" if dialect.format == "fixed" else f"widths {len(fields)}"
        raise MedpayError("cannot_invent", path=layout.id, name=beyond[0].name, reason=reason)
    inner = inner_nodes(node, dialect)
    ties = tied(fields)
    held = {one.name for one in fields}
    unique = (one for one in layout.unique if held.issuperset(one))
    sets = _tightest([layout.key, *unique, *(one.link for one in inner), *alone(held)])
    # Whatever follows from other fields tells no records apart.
    sets = [some for one in sets if (some := tuple(name for name in one if name not in ties.derived))]
    keys = {name for one in sets for name in one}
    is_first = layout.key == IN_TURN and not node.link

    def space(one: Field) -> Space | None:
        if one.name in node.link:
            return None
        if is_first and one.name == IN_TURN[-1]:
            return Space(1, lambda _: "1")
        likewise = [field for child in inner for field in parts[child.name].strict.fields if field.name == one.name]
        return space_of(one.strict, dialect, layout, likewise, is_key=one.name in keys)

    spaces = tuple(map(space, fields))
    names = [one.name for one in fields]
    chance = chance_of(seed, f"keys {node.name}" if node.name else "keys")
    numberings = [_numbering(one, names, spaces, chance) for one in sets]
    optional = [
        place
        for place, one in enumerate(fields)
        if not one.strict.required and not {one.name} & {*keys, *layout.key, *node.link, *ties.filled}
    ]
    if dialect.format != "delimited" and len(optional) == len(fields):
        # A record with nothing in it is none in a workbook.
        optional = optional[1:]
    return Records(
        layout, fields, spaces, tuple(numberings), optional=tuple(optional) if len(fields) > 1 else (),
        nulls=dialect.nulls, work=ties.work,
    )  # fmt: skip


def _numbering(
    wanted: tuple[str, ...], names: list[str], spaces: tuple[Space | None, ...], chance: random.Random
) -> Numbering:
    invented = {place: space for name in wanted if (space := spaces[place := names.index(name)]) is not None}
    size = prod(space.size for space in invented.values())
    step = chance.randrange(size) or 1
    while gcd(step, size) > 1:
        step += 1
    return Numbering(tuple(invented), size, chance.randrange(size), step, is_whole=len(invented) == len(wanted))


def _held(layout: Layout, dialect: Dialect) -> tuple[Field, ...]:
    """The fields that a record of the dialect holds."""
    if dialect.format == "fixed":
        return tuple(one for one in layout.fields if one.name in dialect.positions)
    if dialect.format == "delimited" and not dialect.header:
        return layout.fields[: max(dialect.widths)]
    return layout.fields


def _tightest(sets: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Without those that hold another: then they are not repeated either."""
    some = list(dict.fromkeys(filter(None, sets)))
    return [one for one in some if not any({*other} < {*one} for other in some)]
