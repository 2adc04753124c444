"""A mapping is a file that says where each column of the target comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medpay_cli import config, layouts, plans
from medpay_cli.config import Document
from medpay_cli.errors import MedpayError
from medpay_cli.layouts import Layout
from medpay_cli.plans import Plan


@dataclass(frozen=True)
class Side:
    """The layout of a side, its dialect unless somebody says otherwise, and names of columns that may stand in a source
    beside those of its dialect."""

    layout: str
    dialect: str | None = None
    headings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MappingFile:
    """A mapping as it is written, not yet held against layouts; without sides it is the identity of any layout."""

    name: str
    document: Document
    source: Side | None = None
    target: Side | None = None

    def plan(self, source: Layout, target: Layout, given: Mapping[str, str] | None = None) -> Plan:
        """Hold it against both layouts, with what is given at the run. Raises MedpayError naming what is wrong."""
        return plans.held(self.name, self.document, source, target, given)


def load(name: str) -> MappingFile:
    """The mapping behind a shipped name or a user's FILE.toml. Raises MedpayError."""
    document = config.load(config.MAPPING, name)
    sides = [_side(document[side], name) if side in document else None for side in ("from", "to")]
    return MappingFile(name, document, *sides)


def checked(name: str) -> Plan:
    """A mapping held against the layouts that it names itself. Raises MedpayError; the identity has none."""
    found = load(name)
    if found.source is None or found.target is None:
        raise MedpayError("identity_has_no_layouts", name=name)
    return found.plan(layouts.load(found.source.layout), layouts.load(found.target.layout))


def _side(said: Document, name: str) -> Side:
    dialect = _beside(said["dialect"], name) if "dialect" in said else None
    return Side(_beside(said["layout"], name), dialect, said.get("headings", {}))


def _beside(text: str, name: str) -> str:
    """A file of the user's stands beside the mapping that names it."""
    is_file = text.endswith((config.LAYOUT.suffix, config.DIALECT.suffix)) and ":" not in text
    return str(Path(name).parent / text) if is_file and name.endswith(config.MAPPING.suffix) else text
