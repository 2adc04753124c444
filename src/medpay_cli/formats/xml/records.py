"""What the elements of an XML document hold: records of the dialect's nodes, and nothing but them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from lxml import etree

from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.formats.rows import Fault, Rows
from medpay_cli.formats.xml.elements import XSI, Place

BLANK = " \t\r\n"
NIL = f"{{{XSI}}}nil"
# Attributes that say nothing about the content.
ALLOWED = frozenset(
    (
        "{http://www.w3.org/XML/1998/namespace}space",
        f"{{{XSI}}}schemaLocation",
        f"{{{XSI}}}noNamespaceSchemaLocation",
    )
)

Cells = dict[str, str | None]
Element = Any  # lxml has no types


@dataclass(slots=True)
class Open:
    """An element of a place: what was met in it so far. `taken` are the records of the nodes that belong to it."""

    place: Place
    names: Mapping[str, str]
    element: Element
    path: str
    line: int | None
    counts: dict[str, int] = field(default_factory=dict)
    cells: Cells = field(default_factory=dict)
    faults: dict[tuple[str, str | None, str | None], None] = field(default_factory=dict)
    refused: tuple[str, str, str | None] | None = None
    ambiguous: set[str] = field(default_factory=set)
    taken: list[Open] = field(default_factory=list)


class Records:
    """The elements that are open around records, and the records read since they were last taken away.

    `line` tells the line of an element. Elements of places that hold streams are met when they begin and end, all
    others when the one around them ends; what was met is dropped from the tree.
    """

    def __init__(self, top: Place, dialect: Dialect, line: Callable[[Element], int | None]) -> None:
        self._dialect = dialect
        self._top = top
        self._line = line
        prefix = f"{{{dialect.namespace}}}" if dialect.namespace else ""
        self._names = {prefix + name: name for place in top for name in (place.name, *place.fields)}
        self._fields = {place.path: {prefix + name: name for name in place.fields} for place in top}
        self.streams = [prefix + place.name for place in top if place.holds_streams]
        self.open: list[Open | None] = []
        self.rows = {place.node.name: Rows.of(place.node.name, place.fields) for place in top if place.node}

    def root(self, element: Element, line: int) -> None:
        """The document begins."""
        if element.tag != self.streams[0]:
            wanted = etree.QName(self._dialect.namespace or None, self._top.name)
            raise ReadError("F218", value=f"/{_shown(etree.QName(element))}", expected=f"/{_shown(wanted)}")
        self.open.append(self._begun(element, self._top, None, line))

    def starts(self, element: Element) -> None:
        """An element of the name of a stream, or of one around such, begins."""
        above = self.open[-1]
        place = None
        if above is not None and element.getparent() is above.element:
            place = above.place.inner.get(self._names.get(element.tag, ""))
        is_met = place is not None and place.holds_streams
        self.open.append(self._begun(element, place, above, self._line(element)) if is_met and place else None)

    def ends(self) -> Place | None:
        """It ends; its place, if it was a record with others beside it."""
        one = self.open.pop()
        if one is None:
            return None
        self._left(one)
        return one.place if one.place.is_stream and self.open else None

    def settle(self) -> list[Open]:
        """Read and drop all that stands before and between the open elements, so that they may go on in another tree;
        the last thing that ended was a record."""
        opened = [one for one in self.open if one is not None]
        for above, one in pairwise(opened):
            self._settle(above, one.element)
        if len(opened[-1].element):
            self._settle(opened[-1], opened[-1].element[-1])
        return opened

    def _begun(self, element: Element, place: Place, above: Open | None, line: int | None) -> Open:
        """An element of a place begins: it may be the only one, and only a record's may have attributes."""
        path = f"{above.path if above else ''}/{place.name}"
        if above is not None:
            count = above.counts[place.name] = above.counts.get(place.name, 0) + 1
            if place.is_repeated:
                path += f"[{count}]"
            elif count > 1:
                raise ReadError("F218", value=f"{path} × {count}", expected="1")
        one = Open(place, self._fields[place.path], element, path, line)
        if element.attrib and not self._dialect.other_columns:
            for name in element.keys():  # noqa: SIM118 - no dictionary
                if name not in ALLOWED:
                    shown = f"@{etree.QName(name).localname}"
                    if place.node is None:
                        raise ReadError("F218", value=f"{path}/{shown}", expected="−")
                    one.faults["F112", None, shown] = None
        return one

    def _left(self, one: Open) -> None:
        """An element ends: nothing of it stays in the tree, and nothing before it either."""
        self._close(one)
        above = self.open[-1] if self.open else None
        if one.place.is_stream:
            self._put(one, {})
        elif above is not None:
            self._handed(one, above)
        if above is not None:
            self._settle(above, one.element)
            one.element.clear(keep_tail=True)

    def _settle(self, one: Open, until: Element) -> None:
        """Read and drop what stands in an open element before one of its children."""
        text = one.element.text
        if text and text.strip(BLANK):
            self._stray(one)
        while (first := one.element[0]) is not until:
            self._meet(one, (first,))
            one.element.remove(first)

    def _close(self, one: Open) -> None:
        """Read all that is still in an element, and see that nothing is missing."""
        text = one.element.text
        if text and text.strip(BLANK):
            self._stray(one)
        self._meet(one, one.element)
        for place in one.place.inner.values():
            if place.is_required and place.name not in one.counts:
                raise ReadError("F218", value="−", expected=f"{one.path}/{place.name}")

    def _meet(self, one: Open, children: Iterable[Element]) -> None:
        """Children, and the text behind each: fields, steps towards other records, or strangers."""
        names, cells = one.names, one.cells
        for child in children:
            name = names.get(child.tag)
            if name is None:
                self._other(one, child)
            elif name in cells:
                one.refused = one.refused or ("F111", name, name)
                one.ambiguous.add(name)
            else:
                cells[name] = child.text
                if len(child) or child.attrib:
                    self._structure(one, name, child)
            tail = child.tail
            if tail and tail.strip(BLANK):
                self._stray(one)

    def _other(self, one: Open, child: Element) -> None:
        """An element that is no field."""
        place = one.place.inner.get(self._names.get(child.tag, ""))
        if place is None:
            self._stranger(one, child)
        elif not place.holds_streams:  # the others were met when they began and ended
            inner = self._begun(child, place, one, self._line(child))
            self._close(inner)
            self._handed(inner, one)

    def _handed(self, inner: Open, one: Open) -> None:
        """A record that belongs to the one around it waits there: what links them may stand further down."""
        if inner.place.node is None:
            one.taken += inner.taken
            one.faults |= inner.faults
        else:
            one.taken.append(inner)

    def _structure(self, one: Open, name: str, child: Element) -> None:
        """A field that is more than text."""
        if len(child):
            one.refused = one.refused or ("F112", name, "<" + etree.QName(child[0]).localname + ">")
        for key, value in child.items():
            is_nil = {"true": True, "1": True, "false": False, "0": False}.get(value.strip(BLANK))
            if key not in ALLOWED and (key != NIL or is_nil is None or (is_nil and child.text)):
                one.faults["F112", name, f"@{etree.QName(key).localname}"] = None

    def _stranger(self, one: Open, child: Element) -> None:
        """An element that nothing is known of."""
        if self._dialect.other_columns:
            return
        name = etree.QName(child)
        if one.place.node is None or (name.namespace or "") != self._dialect.namespace:
            raise ReadError("F218", value=f"{one.path}/{_shown(name)}", expected=_expected(one.place))
        one.faults["F110", None, name.localname] = None
        if len(one.faults) > self._dialect.limits.columns:
            raise ReadError("F204", value=str(len(one.faults)), expected=f"<= {self._dialect.limits.columns}")

    def _stray(self, one: Open) -> None:
        """Text beside elements."""
        if one.place.node is None and one.place.holds_streams:
            raise ReadError("F218", value=f"{one.path}/text()", expected=_expected(one.place))
        one.faults["F112", None, "text()"] = None

    def _told(self, text: str | None) -> str | None:
        """A link; None where it is written, but means absent."""
        return None if not text or text in self._dialect.nulls else text

    def _put(self, one: Open, around: Mapping[str | None, Cells]) -> None:
        """A record, and behind it those that belong to it."""
        node = one.place.node
        assert node is not None  # noqa: S101 - only places of nodes are put
        rows, cells = self.rows[node.name], one.cells
        above = around.get(node.parent, {})
        for name in node.link:
            given, own = self._told(above.get(name)), self._told(cells.get(name))
            if given is None or own not in (None, given):
                one.faults["F113", name, own] = None
            cells[name] = own or given
        if one.refused:
            code, name, value = one.refused
            rows.refuse(code, one.line, one.path, field=name, value=value)
        else:
            row = rows.add(cells, one.line, one.path)
            rows.faults += [Fault(code, row, one.line, one.path, name, value=value) for code, name, value in one.faults]
        if one.taken:
            known = {name: None if name in one.ambiguous else value for name, value in cells.items()}
            for inner in one.taken:
                self._put(inner, {**around, node.name: known})


def _shown(name: Any) -> str:
    """A name and its namespace."""
    return f"{name.localname} {{{name.namespace}}}" if name.namespace else str(name.localname)


def _expected(place: Place) -> str:
    return " | ".join(place.inner)
