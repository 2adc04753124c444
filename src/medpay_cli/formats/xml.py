"""XML, read as a stream: records are taken out of the tree as their elements end, and the rest of it must be what the
dialect's nodes say.

lxml is given bytes that we read, never a path, and nothing before the root element: see `prolog`. It counts lines
wrongly beyond 65,534, and keeps what it once allocated; so every few thousand lines a new parser goes on between two
records, told which elements are open.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, BinaryIO
from xml.sax.saxutils import quoteattr

from lxml import etree

from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.formats import Batch, Names, prolog
from medpay_cli.formats.archive import Input
from medpay_cli.formats.elements import XSI, Place, tree
from medpay_cli.formats.prolog import Prolog, declared
from medpay_cli.formats.rows import Fault, Rows
from medpay_cli.formats.xml_writing import write

__all__ = ("declared", "scan", "write")

BATCH = 20_000
# Bytes that are parsed at a time, and lines after which a parser is replaced: what two pieces and so many lines hold
# is within what lxml can count.
PIECE = 30_000
LINES = 4_000
COUNTED = 65_535
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
SAFE = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
PARSER: dict[str, Any] = {**SAFE, "remove_comments": True, "remove_pis": True, "encoding": "utf-8"}
TOO_DEEP = "Excessive depth"

Cells = dict[str, str | None]
Element = Any  # lxml has no types


def scan(source: Input, dialect: Dialect, names: Names, width: int | None = None) -> Iterator[Callable[[], Batch]]:
    """Tasks that each put together a batch of one node's records. Raises ReadError for what stops the reading."""
    top = tree(dialect, names)
    with source.open() as stream:
        head = prolog.read(stream)
        if head is None:
            return
        valid = _Valid(source.encoding or dialect.encoding or "utf-8")
        reader = _Reader(top, dialect, valid.block(head.before + head.root), head.root)
        for block in _blocks(head, stream):
            reader.read(valid.block(block, final=not block))
            yield from reader.batches(BATCH)
        yield from reader.batches(1)


def _blocks(head: Prolog, stream: BinaryIO) -> Iterator[bytes]:
    """What stands behind the root's start tag; the last block is empty."""
    for at in range(0, len(head.rest), PIECE):
        yield head.rest[at : at + PIECE]
    while block := stream.read(PIECE) if not head.is_whole else b"":
        yield block
    yield b""


class _Valid:
    """Sees that blocks go on being UTF-8. Records cannot be told apart by lines: one bad byte stops the file."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._line = 1

    def block(self, block: bytes, *, final: bool = False) -> bytes:
        """The same bytes. Raises ReadError F202."""
        try:
            self._decoder.decode(block, final=final)
        except UnicodeDecodeError as err:
            line = self._line + err.object[: err.start].count(b"\n")
            # From another encoding the byte is a stand-in.
            byte = f"0x{err.object[err.start]:02x} " if self._encoding == "utf-8" else ""
            raise ReadError("F202", value=f"{byte}@ {line}", expected=self._encoding) from err
        self._line += block.count(b"\n")
        return block


@dataclass
class _Open:
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
    taken: list[_Open] = field(default_factory=list)


class _Reader:
    """The state between two pieces: the open elements around records that stand by themselves, and what was read."""

    def __init__(self, top: Place, dialect: Dialect, start: bytes, tag: bytes) -> None:
        self._dialect = dialect
        prefix = f"{{{dialect.namespace}}}" if dialect.namespace else ""
        self._names = {prefix + name: name for place in top for name in (place.name, *place.fields)}
        self._streams = [prefix + place.name for place in top if place.holds_streams]
        self._fields = {
            place.path: {prefix + name: name for name in place.fields} for place in top
        }
        self._rows = {place.node.name: Rows.of(place.node.name, place.fields) for place in top if place.node}
        ends = {place.name for place in top if place.is_stream}
        self._end = re.compile(rb"</(?:[^\s<>/:]+:)?(?:%s)[ \t\r\n]*>" % "|".join(map(re.escape, ends)).encode())
        self._carried = b""
        self._since = 0
        self._parser: Any = None
        # Where the document has been read to, and where the parser began (its first line holds a prefix of so many).
        self.line, self._column = 1, 0
        self._began = (1, 0, 0)
        root = self._root(start)
        self._moved(start)
        self._open: list[_Open | None] = []
        self._entered(root, top, None, self.line)
        self._restart(b"</" + re.split(rb"[\s/]", tag[1:])[0] + b">" if tag.endswith(b"/>") else b"")

    def _root(self, start: bytes) -> Element:
        """The root element without its content."""
        parser = etree.XMLParser(**PARSER)
        try:
            return etree.fromstring(start[:-1].removesuffix(b"/") + b"/>", parser)
        except etree.XMLSyntaxError as err:
            raise self._not_well_formed(parser.error_log) from err

    def read(self, block: bytes) -> None:
        """Take in the next bytes, up to the last end of a record in them; an empty block is the end."""
        carried = self._carried + block
        ends = [found.end() for found in self._end.finditer(carried)] if block else []
        ends = ends or [len(carried)]
        # A parser may miss its turn where the last end tag stands in a comment: then each is tried.
        at, is_overdue = 0, self.line - self._began[0] > 2 * LINES
        for end in ends if is_overdue else ends[-1:]:
            self._piece(carried[at:end])
            at = end
        self._carried = carried[at:]
        if not block:
            try:
                self._parser.close()
            except etree.XMLSyntaxError as err:
                raise self._not_well_formed(self._parser.feed_error_log) from err

    def _piece(self, piece: bytes) -> None:
        # An end tag in a comment ends nothing: only what the last byte itself ends lies between two records.
        self._feed(piece[:-1])
        is_between = self._feed(piece[-1:])
        self._moved(piece)
        self._since = 0 if is_between else self._since + len(piece)
        if is_between and self.line - self._began[0] > LINES:
            self._restart()
        if self._since > self._dialect.limits.line:
            raise ReadError("F204", value=str(self._since), expected=f"<= {self._dialect.limits.line} B")

    def _feed(self, part: bytes) -> bool:
        """Parse on; whether the last thing was the end of a record."""
        if not part:
            return False
        try:
            self._parser.feed(part)
        except etree.XMLSyntaxError as err:
            raise self._not_well_formed(self._parser.feed_error_log) from err
        # lxml says nothing of some errors until the end, and would take what follows for a new document.
        if any(map(_is_error, self._parser.feed_error_log)):
            raise self._not_well_formed(self._parser.feed_error_log)
        return self._take()

    def batches(self, least: int) -> Iterator[Callable[[], Batch]]:
        """What was read, once some node has so many records."""
        if max(rows.records for rows in self._rows.values()) >= least:
            for name, rows in self._rows.items():
                if rows.records:
                    self._rows[name] = Rows.of(name, tuple(rows.columns))
                    yield partial(rows.batch, self._dialect)

    def _moved(self, piece: bytes) -> None:
        lines = piece.count(b"\n")
        self.line += lines
        last = len(piece[piece.rfind(b"\n") + 1 :].decode(errors="ignore"))
        self._column = last if lines else self._column + last

    def _restart(self, more: bytes = b"") -> None:
        """A new parser, told of the open elements."""
        opened = [one for one in self._open if one is not None]
        for above, one in pairwise(opened):
            self._settle(above, one.element)
        if self._parser is not None:
            self._settle(opened[-1], opened[-1].element[-1])
        prefix = b"".join(_start_tag(one.element) for one in opened)
        self._parser = etree.XMLPullParser(("start", "end"), tag=self._streams, **PARSER)
        self._parser.feed(prefix)
        for one, (_, element) in zip(opened, self._parser.read_events(), strict=True):
            one.element = element
        self._began = (self.line, self._column, len((prefix + more).decode()))
        if more:
            self._parser.feed(more)
            self._take()

    def _line(self, element: Element) -> int | None:
        line: int = element.sourceline
        return self._began[0] + line - 1 if line < COUNTED else None

    def _take(self) -> bool:
        """Deal with the elements that began or ended; whether the last thing was the end of a record."""
        is_between = False
        for event, element in self._parser.read_events():
            if event == "start":
                above = self._open[-1]
                place = None
                if above is not None and element.getparent() is above.element:
                    place = above.place.inner.get(self._names[element.tag])
                if place is None or not place.holds_streams:
                    self._open.append(None)
                else:
                    self._entered(element, place, above, self._line(element))
                is_between = False
            else:
                one = self._open.pop()
                if one is not None:
                    self._left(one)
                is_between = one is not None and one.place.is_stream and bool(self._open)
        return is_between

    def _entered(self, element: Element, place: Place, above: _Open | None, line: int | None) -> None:
        if above is None and element.tag not in self._streams[:1]:
            wanted = etree.QName(self._dialect.namespace or None, place.name)
            raise ReadError("F218", value=f"/{_shown(etree.QName(element))}", expected=f"/{_shown(wanted)}")
        self._open.append(self._begun(element, place, above, line))

    def _begun(self, element: Element, place: Place, above: _Open | None, line: int | None) -> _Open:
        """An element of a place begins: it may be the only one, and only a record's may have attributes."""
        path = f"{above.path if above else ''}/{place.name}"
        if above is not None:
            count = above.counts[place.name] = above.counts.get(place.name, 0) + 1
            if place.is_repeated:
                path += f"[{count}]"
            elif count > 1:
                raise ReadError("F218", value=f"{path} × {count}", expected="1")
        one = _Open(place, self._fields[place.path], element, path, line)
        if element.attrib and not self._dialect.other_columns:
            for name in element.keys():  # noqa: SIM118 - no dictionary
                if name not in ALLOWED:
                    shown = f"@{etree.QName(name).localname}"
                    if place.node is None:
                        raise ReadError("F218", value=f"{path}/{shown}", expected="−")
                    one.faults["F112", None, shown] = None
        return one

    def _left(self, one: _Open) -> None:
        """An element ends: nothing of it stays in the tree, and nothing before it either."""
        self._close(one)
        above = self._open[-1] if self._open else None
        if one.place.is_stream:
            self._put(one, {})
        elif above is not None:
            self._handed(one, above)
        if above is not None:
            self._settle(above, one.element)
            one.element.clear(keep_tail=True)

    def _settle(self, one: _Open, until: Element) -> None:
        """Read and drop what stands in an open element before one of its children."""
        text = one.element.text
        if text and text.strip(BLANK):
            self._stray(one)
        while (first := one.element[0]) is not until:
            self._meet(one, (first,))
            one.element.remove(first)

    def _close(self, one: _Open) -> None:
        """Read all that is still in an element, and see that nothing is missing."""
        text = one.element.text
        if text and text.strip(BLANK):
            self._stray(one)
        self._meet(one, one.element)
        for place in one.place.inner.values():
            if place.is_required and place.name not in one.counts:
                raise ReadError("F218", value="−", expected=f"{one.path}/{place.name}")

    def _meet(self, one: _Open, children: Iterable[Element]) -> None:
        """Children, and the text behind each: fields, steps towards other records, or strangers."""
        names, cells = one.names, one.cells
        for child in children:
            name = names.get(child.tag)
            if name is None:
                self._other(one, child)
            elif name in cells:
                one.refused = one.refused or ("F111", name, None)
                one.ambiguous.add(name)
            else:
                cells[name] = child.text
                if len(child) or child.attrib:
                    self._structure(one, name, child)
            tail = child.tail
            if tail and tail.strip(BLANK):
                self._stray(one)

    def _other(self, one: _Open, child: Element) -> None:
        """An element that is no field."""
        place = one.place.inner.get(self._names.get(child.tag, ""))
        if place is None:
            self._stranger(one, child)
        elif not place.holds_streams:  # the others were met when they began and ended
            inner = self._begun(child, place, one, self._line(child))
            self._close(inner)
            self._handed(inner, one)

    def _handed(self, inner: _Open, one: _Open) -> None:
        """A record that belongs to the one around it waits there: what links them may stand further down."""
        if inner.place.node is None:
            one.taken += inner.taken
            one.faults |= inner.faults
        else:
            one.taken.append(inner)

    def _structure(self, one: _Open, name: str, child: Element) -> None:
        """A field that is more than text."""
        if len(child):
            one.refused = one.refused or ("F112", name, "<" + etree.QName(child[0]).localname + ">")
        for key, value in child.items():
            is_nil = {"true": True, "1": True, "false": False, "0": False}.get(value.strip(BLANK))
            if key not in ALLOWED and (key != NIL or is_nil is None or (is_nil and child.text)):
                one.faults["F112", name, f"@{etree.QName(key).localname}"] = None

    def _stranger(self, one: _Open, child: Element) -> None:
        """An element that nothing is known of."""
        if self._dialect.other_columns:
            return
        name = etree.QName(child)
        if one.place.node is None or (name.namespace or "") != self._dialect.namespace:
            raise ReadError("F218", value=f"{one.path}/{_shown(name)}", expected=_expected(one.place))
        one.faults["F110", None, name.localname] = None
        if len(one.faults) > self._dialect.limits.columns:
            raise ReadError("F204", value=str(len(one.faults)), expected=f"<= {self._dialect.limits.columns}")

    def _stray(self, one: _Open) -> None:
        """Text beside elements."""
        if one.place.node is None and one.place.holds_streams:
            raise ReadError("F218", value=f"{one.path}/text()", expected=_expected(one.place))
        one.faults["F112", None, "text()"] = None

    def _put(self, one: _Open, around: Mapping[str | None, Cells]) -> None:
        """A record, and behind it those that belong to it."""
        node = one.place.node
        assert node is not None  # noqa: S101 - only places of nodes are put
        rows, cells = self._rows[node.name], one.cells
        above = around.get(node.parent, {})
        for name in node.link:
            given, own = above.get(name) or None, cells.get(name) or None
            if given is None or own not in (None, given):
                one.faults["F113", name, own] = None
            cells[name] = own or given
        if one.refused:
            code, name, value = one.refused
            rows.refuse(code, one.line, one.path, field=name, value=value)
        else:
            row = rows.add(cells, one.line, one.path)
            rows.faults += [
                Fault(code, row, one.line, one.path, name, value=value) for code, name, value in one.faults
            ]
        known = {name: None if name in one.ambiguous else value for name, value in cells.items()}
        for inner in one.taken:
            self._put(inner, {**around, node.name: known})

    def _not_well_formed(self, log: Iterable[Any]) -> ReadError:
        """Where and why, without a word of what stands there: lxml's own message may quote it."""
        entry = next(filter(_is_error, log), None)
        if entry is None:
            return ReadError("F216", value=f"{self.line}:{self._column + 1}: XML")
        line, column, prefix = self._began
        shown = entry.column - prefix + column if entry.line == 1 else entry.column
        reason = entry.type_name.removeprefix("ERR_").removeprefix("NS_ERR_").replace("_", " ").lower()
        place = f"{line + entry.line - 1}:{max(shown, 1)}"
        if TOO_DEEP in entry.message:
            return ReadError("F218", value=f"{place}: > 256", expected="<= 256")
        if entry.type_name in ("ERR_RESOURCE_LIMIT", "ERR_NAME_TOO_LONG"):
            return ReadError("F204", value=f"{place}: {reason}", expected=f"<= {self._dialect.limits.field} B")
        return ReadError("F216", value=f"{place}: {reason}")


def _is_error(entry: Any) -> bool:
    return bool(entry.level >= etree.ErrorLevels.ERROR)


def _shown(name: Any) -> str:
    """A name and its namespace."""
    return f"{name.localname} {{{name.namespace}}}" if name.namespace else str(name.localname)


def _expected(place: Place) -> str:
    return " | ".join(place.inner)


def _start_tag(element: Element) -> bytes:
    """An element's start tag, with every namespace that is in force in it and no other attribute."""
    spaces = {None: "", **element.nsmap}
    told = "".join(
        f" xmlns{f':{prefix}' if prefix else ''}={quoteattr(uri or '')}" for prefix, uri in spaces.items()
    )
    name = etree.QName(element).localname
    return f"<{f'{element.prefix}:' if element.prefix else ''}{name}{told}>".encode()
