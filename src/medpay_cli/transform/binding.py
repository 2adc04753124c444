"""How inputs are read and where their records go: what is named, what the mapping names, or what is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medpay_cli import dialects, formats, judging, layouts, recognition
from medpay_cli.batches import Batches
from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.archive import Input
from medpay_cli.judging import Judgement, Terms
from medpay_cli.layouts import Layout
from medpay_cli.mappings import MappingFile, plans
from medpay_cli.partners import Partner
from medpay_cli.parts import Parts, counted, fitted
from medpay_cli.transform.converting import Conversion, Target, convert
from medpay_cli.transform.joining import Partners, partners
from medpay_cli.transform.sealing import Seal, stamped
from medpay_cli.transform.straight import Straight
from medpay_cli.validate import NO_DIALECT, NO_LAYOUT, named


@dataclass(frozen=True)
class Taken:
    """An input that was read: how, and what came of each of its nodes."""

    source: Input
    parts: Parts
    dialect: Dialect
    judgements: list[Judgement[Any]]
    conversions: dict[str | None, Conversion]


@dataclass(frozen=True)
class Chosen:
    """How the target is written: its layouts and its dialect; or each node as a file of its own in a zip archive."""

    parts: Parts
    dialect: Dialect
    members: Mapping[str | None, Dialect] = field(default_factory=dict)


@dataclass
class Binding:
    """How inputs are read and mapped; the target is that of the first one."""

    mapping: MappingFile
    out: Path
    layout: str | None
    dialect: str | None
    to_dialect: str | None
    given: Mapping[str, str]
    terms: Terms
    partner: Partner | None
    batch_no: str | None = None
    target: Chosen | None = None
    partners: tuple[Partners, ...] | None = None
    # The batch that is written, where there is one.
    seal: Seal | None = None
    # What stands beside the inputs.
    beside: Batches = field(default_factory=Batches)
    # Of a mapping of groups: what becomes of them, in which node.
    after: Target | None = None
    # Other inputs, by what the mapping calls them.
    others: Mapping[str, str] = field(default_factory=dict)
    # Where all inputs may go, if nothing has to be known before of what is written.
    straight: Straight | None = None

    def read(self, source: Input, broken: ReadError | None) -> Taken:
        """Judge and map an input. Raises MedpayError."""
        parts, written = NO_LAYOUT, NO_DIALECT
        try:
            if broken is not None:
                raise broken
            parts, written = self._source(source)
            terms, wrong = self.beside.held(source, written, counted(parts, written), self.terms)
        except ReadError as err:
            unread = judging.blank(source, next(iter(parts.values())), written)
            return Taken(source, parts, written, [judging.unreadable(unread, err)], {})
        if wrong:
            unread = judging.blank(source, next(iter(parts.values())), written)
            return Taken(source, parts, written, [judging.contradicted(unread, wrong)], {})
        is_first = self.target is None
        targets = self._targets(source, parts, written)
        if is_first:
            self._stamp()
        made, conversions = convert(source, parts, written, targets, terms, self._straight(targets, written))
        return Taken(source, parts, written, made, conversions)

    def _straight(self, targets: Mapping[str | None, Target], read: Dialect) -> Straight | None:
        """Where one file of one kind of records is written as they come. Raises AnewError where only some inputs are
        such."""
        chosen = self.target
        is_one = len(targets) == 1 and chosen is not None and not chosen.members
        if self.straight is None or chosen is None:
            return None
        if not is_one or self.seal or self.after or self.mapping.apart:
            self.straight.refuse()
            self.straight = None
            return None
        names = {node: layout.names for node, layout in chosen.parts.items()}
        key = next(iter(targets.values())).plan.target.key
        return self.straight.form(chosen.dialect, names, key, read)

    def _stamp(self) -> None:
        """What control lines, names and a manifest say beside totals. Raises MedpayError where it is not given, or too
        much is."""
        if self.target is None:
            return
        layout = counted(self.target.parts, self.target.dialect)
        written, self.seal, known = stamped(
            self.target.dialect, layout, self.batch_no, self.given, self.out, self.beside
        )
        self.target = replace(self.target, dialect=written)
        if set(self.given) - known - self._asked:
            names = ", ".join(sorted(known | self._asked)) or "-"
            raise MedpayError("mapping_asked", path=self.mapping.name, names=names, given=", ".join(self.given))

    @property
    def _asked(self) -> set[str]:
        """What the mapping asks for."""
        return set(self.mapping.document.get("asked", ()))

    def _source(self, source: Input) -> tuple[Parts, Dialect]:
        """What somebody names, else what the mapping names, else what is recognised."""
        node = self._node(source)
        if node is not None:
            form = self.dialect or formats.format_by(Path(source.member or source.path)) or "csv"
            return fitted(dialects.load(_full(form, node.layout) or form, self.partner), node.layout)
        usual = self.mapping.source
        layout = self.layout or (usual.layout if usual else None)
        dialect = _full(self.dialect or (usual.dialect if usual else None), layout)
        if dialect and dialects.load(dialect, self.partner).nodes:
            layout = self.layout  # its nodes have their own
        found = named(source, layout, dialect, self.partner)
        if found is None:
            found = recognition.recognised(source, self.terms.encoding, layout, self.partner)
        parts, written = found
        if written.nodes:
            return parts, written
        if usual and usual.headings:
            more = {name: meant for name, meant in usual.headings.items() if name not in written.headings}
            spared = frozenset(more.values()) - set(written.headings.values())
            written = replace(written, headings={**written.headings, **more}, spared=spared)
            written = written.fitted(parts[None].names)
        return parts, replace(written, layout=layout or written.layout)

    def _targets(self, source: Input, parts: Parts, written: Dialect) -> dict[str | None, Target]:
        """Which node of the target each node of the source goes to. Raises MedpayError."""
        if self.mapping.source is None or self.mapping.target is None:
            if (member := self._node(source)) is not None:
                self.target = self.target or Chosen(*fitted(dialects.load(self.to_dialect or "", self.partner)))
                return {None: Target(plans.identity(parts[None]), member.name, self.target.dialect)}
            chosen = self._identity(parts, written)
            alone = next(iter(chosen.parts)) if len(parts) == len(chosen.parts) == 1 else None
            return {
                node: Target(plans.identity(layout), node if len(parts) > 1 else alone, chosen.dialect)
                for node, layout in parts.items()
            }
        if self.mapping.nodes:
            chosen = self.target = self.target or Chosen(
                *fitted(dialects.load(self.to_dialect or str(self.mapping.target.dialect), self.partner))
            )
            made = self.mapping.of_nodes(parts, chosen.parts)
            return {node: Target(plan, goes_to, chosen.dialect) for node, (goes_to, plan) in made.items()}
        wanted = layouts.load(str(self.mapping.source.layout))
        node, layout = _only(parts, wanted, self.layout, written)
        target = layouts.load(str(self.mapping.target.layout))
        chosen = self._chosen(target)
        goes_to = _only(chosen.parts, target, None, chosen.dialect)[0]
        # What it does not ask for may be asked for by the dialect.
        given = {name: value for name, value in self.given.items() if name in self._asked}
        plan = self.mapping.plan(layout, target, given)
        if self.partners is None:
            reading = replace(self.terms, encoding=None, manifest=None, with_rules=True, allow_empty=True)
            self.partners = tuple(partners(plan, self.others, self.mapping.name, reading, self.partner))
        whole = Target(plan, goes_to, chosen.dialect, self.partners)
        self.after = whole if whole.plan.before else None
        return {node: replace(whole, plan=whole.plan.before or whole.plan)}

    def _node(self, source: Input) -> Node | None:
        """The node of the target whose records an input holds, by its name: files that were nodes of a message."""
        if self.mapping.source is not None or self.to_dialect in (None, *dialects.generic()):
            return None
        stem = Path(source.member or source.path).name.split(".")[0]
        nodes = dialects.load(self.to_dialect or "", self.partner).nodes
        return next((node for node in nodes if node.name == stem), None) if len(nodes) > 1 else None

    def _identity(self, parts: Parts, written: Dialect) -> Chosen:
        """The same layouts in the dialect that is asked for, else by the ending of the file, else the source's own."""
        if len(parts) == 1:
            return self._chosen(next(iter(parts.values())), written)
        word = self.to_dialect or formats.format_by(self.out)
        if word in dialects.generic() and self.out.suffix.lower() == ".zip":
            members = {one.name: dialects.load(f"{word}:{one.layout}", self.partner) for one in written.nodes}
            ready = {node: one.fitted(parts[node].names) for node, one in members.items()}
            self.target = Chosen(parts, next(iter(ready.values())), ready)
            return self.target
        chosen = self.target or Chosen(*fitted(dialects.load(self.to_dialect or written.name, self.partner)))
        if {node: one.schema for node, one in chosen.parts.items()} != {
            node: one.schema for node, one in parts.items()
        }:
            raise MedpayError("other_nodes", dialect=chosen.dialect.name, source=written.name)
        self.target = chosen
        return chosen

    def _chosen(self, target: Layout, source: Dialect | None = None) -> Chosen:
        if self.target is None:
            usual = self.mapping.target.dialect if self.mapping.target else None
            by_name = formats.format_by(self.out)
            name = self.to_dialect or usual or by_name or (source.name if source else None)
            if name is None:
                raise MedpayError("no_target_dialect", mapping=self.mapping.name, path=self.out)
            layout = str(self.mapping.target.layout) if self.mapping.target else self._written_as(source)
            dialect = dialects.load(_full(name, layout) or name, self.partner)
            if dialect.nodes:
                parts, ready = fitted(dialect)
            else:
                parts, ready = {None: target}, replace(dialect.fitted(target.names), layout=layout)
            self.target = Chosen(parts, ready)
        if target.schema not in [one.schema for one in self.target.parts.values()]:
            raise MedpayError("other_layout", dialect=self.target.dialect.name, layout=target.id)
        return self.target

    def _written_as(self, source: Dialect | None) -> str:
        """The name of the only layout of the source."""
        return source.parts[0].layout if source else ""


def _full(name: str | None, layout: str | None) -> str | None:
    """`csv` is `csv:LAYOUT`."""
    return f"{name}:{layout}" if name in dialects.generic() and layout else name


def _only(parts: Parts, wanted: Layout, asked: str | None, dialect: Dialect) -> tuple[str | None, Layout]:
    """The node of a layout. Raises MedpayError where there is none, or are several."""
    if len(parts) == 1 and asked:  # the mapping is held against what was asked for
        return next(iter(parts.items()))
    found = [(node, layout) for node, layout in parts.items() if layout.schema == wanted.schema]
    if len(found) != 1:
        raise MedpayError("mapping_node", layout=wanted.id, dialect=dialect.name, count=len(found))
    return found[0]
