"""The layouts of a dialect's nodes, loaded and held against what the dialect says of them."""

from __future__ import annotations

from medpay_cli import layouts
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError
from medpay_cli.layouts import Layout

# The layout of each node; None is that of a file with one kind of record.
Parts = dict[str | None, Layout]


def fitted(dialect: Dialect, layout: str | None = None) -> tuple[Parts, Dialect]:
    """The layouts of a dialect's nodes, and the dialect ready for reading; `layout` replaces the only one.

    Raises MedpayError.
    """
    if not dialect.nodes:
        used = layouts.load(layout or dialect.layout)
        return {None: used}, dialect.fitted(used.names)
    if layout is not None:
        raise MedpayError("nodes_have_layouts", dialect=dialect.name)
    parts = {node.name: layouts.load(node.layout) for node in dialect.nodes}
    dialect.check_links({name: one.names for name, one in parts.items()})
    return parts, dialect


def counted(parts: Parts, dialect: Dialect) -> Layout:
    """The layout of the records that are counted and summed up where something is declared of a file."""
    return parts.get(dialect.counted) or next(iter(parts.values()))


def ids(dialect: Dialect) -> set[str]:
    """The layouts that a dialect writes."""
    return {layouts.load(node.layout).id for node in dialect.parts}
