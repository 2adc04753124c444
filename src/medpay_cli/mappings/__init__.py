"""A mapping is a file that says where each column of the target comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from medpay_cli import config, dialects, layouts
from medpay_cli.config import Document
from medpay_cli.errors import MedpayError
from medpay_cli.layouts import Layout
from medpay_cli.mappings import plans
from medpay_cli.mappings.joins import beside
from medpay_cli.mappings.plans import Plan
from medpay_cli.parts import Parts, fitted


@dataclass(frozen=True)
class Side:
    """The layout of a side (none where it is a message of several nodes), its dialect unless somebody says otherwise,
    and names of columns that may stand in a source beside those of its dialect."""

    layout: str | None
    dialect: str | None = None
    headings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MappingFile:
    """A mapping as it is written, not yet held against layouts; without sides it is the identity of any layout."""

    name: str
    document: Document
    source: Side | None = None
    target: Side | None = None

    @property
    def nodes(self) -> dict[str, Document]:
        """Of messages: node of the target → what becomes of the records of a node of the source."""
        return dict(self.document.get("nodes", {}))

    @property
    def apart(self) -> tuple[str, ...]:
        """Columns by which each record of the first node, and all that have the same in them, is a file of its own."""
        return tuple(self.document.get("apart", ()))

    def under(self, conventions: Mapping[str, str]) -> MappingFile:
        """The mapping as it is where a partner has these conventions."""
        document = dict(self.document)
        for convention, variants in self.document.get("variants", {}).items():
            for key, said in variants.get(conventions.get(convention), {}).items():
                document[key] = {**document.get(key, {}), **said} if isinstance(said, dict) else said
        return replace(self, document=document)

    def of_nodes(self, source: Parts, target: Parts) -> dict[str, tuple[str, Plan]]:
        """Node of the source → node of the target, and the plan between them. Raises MedpayError."""
        made: dict[str, tuple[str, Plan]] = {}
        for node, said in self.nodes.items():
            before = said["from"]
            if before in made or before not in source or node not in target:
                raise MedpayError("mapping_nodes", path=self.name, source=before, target=node)
            document = {key: value for key, value in said.items() if key != "from"}
            if set(self.apart) - set(target[node].names):
                raise MedpayError("apart_columns", path=self.name, columns=", ".join(self.apart))
            made[before] = node, plans.held(f"{self.name} [nodes.{node}]", document, source[before], target[node], {})
        return made

    def plan(self, source: Layout, target: Layout, given: Mapping[str, str] | None = None) -> Plan:
        """Hold it against both layouts, with what is given at the run. Raises MedpayError naming what is wrong."""
        return plans.held(self.name, self.document, source, target, given)


def load(name: str) -> MappingFile:
    """The mapping behind a shipped name or a user's FILE.toml. Raises MedpayError."""
    document = config.load(config.MAPPING, name)
    sides = [_side(document[side], name) if side in document else None for side in ("from", "to")]
    return MappingFile(name, document, *sides)


def checked(name: str) -> list[Plan]:
    """A mapping held against the layouts that it names itself, node by node. Raises MedpayError; the identity of any
    layout names none."""
    found = load(name)
    if found.source is None or found.target is None:
        return []
    if found.nodes:
        source, target = (fitted(dialects.load(str(side.dialect)))[0] for side in (found.source, found.target))
        return [plan for _, plan in found.of_nodes(source, target).values()]
    before, after = layouts.load(str(found.source.layout)), layouts.load(str(found.target.layout))
    for convention, variants in found.document.get("variants", {}).items():
        for value in variants:
            found.under({convention: value}).plan(before, after)
    return [found.plan(before, after)]


def _side(said: Document, name: str) -> Side:
    dialect = beside(said["dialect"], name) if "dialect" in said else None
    layout = beside(said["layout"], name) if "layout" in said else None
    return Side(layout, dialect, said.get("headings", {}))
