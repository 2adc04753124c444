"""Where the records of a dialect's nodes stand among the elements of an XML document: one tree for reader, writer and
XSD."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError
from medpay_cli.formats import Names

XSI = "http://www.w3.org/2001/XMLSchema-instance"
NAME = re.compile(r"[^\W\d][\w.-]*")


@dataclass(frozen=True)
class Place:
    """An element on the way to records: one of a node (its fields are elements in it), or one that only holds others.

    `fields` are the names of the node's columns, of which `link` come from the record around it.
    """

    path: tuple[str, ...]
    node: Node | None
    fields: tuple[str, ...]
    inner: Mapping[str, Place]

    @cached_property
    def name(self) -> str:
        """Its local name."""
        return self.path[-1]

    @cached_property
    def link(self) -> tuple[str, ...]:
        """The fields that its records take from the one around them."""
        return self.node.link if self.node else ()

    @cached_property
    def is_repeated(self) -> bool:
        """Whether several may stand beside each other."""
        return self.node is not None and self.node.repeated

    @cached_property
    def is_stream(self) -> bool:
        """Whether its records belong to no other one."""
        return self.node is not None and self.node.parent is None

    @cached_property
    def holds_streams(self) -> bool:
        """Whether such records are, or stand in it."""
        return self.is_stream or any(one.holds_streams for one in self.inner.values())

    @cached_property
    def is_required(self) -> bool:
        """Whether one at least must stand there."""
        return self.node.required if self.node else any(one.is_required for one in self.inner.values())

    def __iter__(self) -> Iterator[Place]:
        yield self
        for one in self.inner.values():
            yield from one


def tree(dialect: Dialect, names: Names) -> Place:
    """The root element. Raises MedpayError for nodes that no document could hold."""
    roots = {node.path[:1] for node in dialect.parts}
    reason = next(_faults(dialect, names), None)
    if len(roots) != 1 or reason:
        shown = reason or "nodes: " + ", ".join("/" + "/".join(root) for root in sorted(roots))
        raise MedpayError("dialect_fault", path=dialect.name, reason=shown)
    return _place(roots.pop(), dialect, names)


def _place(path: tuple[str, ...], dialect: Dialect, names: Names) -> Place:
    node = next((one for one in dialect.parts if one.path == path), None)
    below = [one.path[: len(path) + 1] for one in dialect.parts if one.path[: len(path)] == path != one.path]
    inner = {one[-1]: _place(one, dialect, names) for one in dict.fromkeys(below)}
    return Place(path, node, names[node.name] if node else (), inner)


def _faults(dialect: Dialect, names: Names) -> Iterator[str]:
    known = {one.name: one for one in dialect.parts}
    for node in dialect.parts:
        shown = f"nodes {node.name}: "
        around = [one for one in dialect.parts if one.path == node.path[: len(one.path)] and one != node]
        if not node.path or not all(map(NAME.fullmatch, node.path)):
            yield f"{shown}path /{'/'.join(node.path)}"
        # Nobody could tell from its rows in which of the records they stood.
        if node.parent is None and any(one.repeated for one in around):
            yield f"{shown}parent"
        for one in around:
            if node.path[len(one.path)] in names[one.name]:
                yield f"{shown}{node.path[len(one.path)]} is a field of {one.name}"
        for side in (node, known[node.parent]) if node.parent else ():
            yield from (f"{shown}link {name} ({side.name})" for name in node.link if name not in names[side.name])
