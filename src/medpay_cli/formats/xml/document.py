"""XML, read as a stream: plain records column by column, all others by lxml, which is also the judge of the whole.

lxml is given bytes that we read, never a path, and nothing before the root element: see `prolog`. It counts lines
wrongly beyond 65,534, and keeps what it once allocated; so every few thousand lines a new parser goes on between two
records, told which elements are open. That is also how plain records can pass it by.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, BinaryIO
from xml.sax.saxutils import quoteattr

import polars as pl
from lxml import etree

from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.formats import ROW, Batch, Names, rows
from medpay_cli.formats.archive import Input
from medpay_cli.formats.rows import Rows
from medpay_cli.formats.xml import prolog
from medpay_cli.formats.xml.elements import XSI, Place, tree
from medpay_cli.formats.xml.plain import Plain
from medpay_cli.formats.xml.prolog import Prolog, declared
from medpay_cli.formats.xml.records import Element, Records
from medpay_cli.formats.xml.writing import write

__all__ = ("declared", "scan", "write")

BATCH = 20_000
BLOCK = 1 << 20
# Bytes that are parsed at a time, and lines after which a parser is replaced: what two pieces and so many lines hold
# is within what lxml can count.
PIECE = 30_000
LINES = 4_000
COUNTED = 65_535
MOST_MISSES = 15
SAFE = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
PARSER: dict[str, Any] = {**SAFE, "remove_comments": True, "remove_pis": True, "encoding": "utf-8"}
TOO_DEEP = "Excessive depth"


def scan(source: Input, dialect: Dialect, names: Names, width: int | None = None) -> Iterator[Callable[[], Batch]]:
    """Tasks that each put together a batch of one node's records. Raises ReadError for what stops the reading."""
    top = tree(dialect, names)
    with source.open() as stream:
        head = prolog.read(stream)
        if head is None:
            return
        valid = _Valid(source.encoding or dialect.encoding or "utf-8")
        valid.block(head.before + head.root)
        reader = _Reader(top, dialect, head.before + head.root, head.root)
        for block in _blocks(head, stream):
            try:
                valid.block(block, final=not block)
            except ReadError:
                reader.rest(valid.good)  # what is wrong before it is met first, wherever a block ends
                raise
            reader.read(block)
            yield from reader.batches(BATCH)
        yield from reader.batches(0)


def _blocks(head: Prolog, stream: BinaryIO) -> Iterator[bytes]:
    """What stands behind the root's start tag; the last block is empty."""
    for at in range(0, len(head.rest), BLOCK):
        yield head.rest[at : at + BLOCK]
    while block := stream.read(BLOCK) if not head.is_whole else b"":
        yield block
    yield b""


class _Valid:
    """Sees that blocks go on being UTF-8. Records cannot be told apart by lines: one bad byte stops the file."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._line = 1
        self.good = b""

    def block(self, block: bytes, *, final: bool = False) -> None:
        """Raises ReadError F202; `good` is then what stands before the bad byte in the block."""
        try:
            self._decoder.decode(block, final=final)
        except UnicodeDecodeError as err:
            # The object begins with what was left of the block before.
            self.good = block[: max(len(block) - len(err.object) + err.start, 0)]
            line = self._line + err.object[: err.start].count(b"\n")
            # From another encoding the byte is a stand-in.
            byte = f"0x{err.object[err.start]:02x} " if self._encoding == "utf-8" else ""
            raise ReadError("F202", value=f"{byte}@ {line}", expected=self._encoding) from err
        self._line += block.count(b"\n")


class _Reader:
    """Where a document has been read to: the parser, the records that passed it by, and the records it met."""

    def __init__(self, top: Place, dialect: Dialect, start: bytes, tag: bytes) -> None:
        self._dialect = dialect
        self._records = Records(top, dialect, self._line)
        ends = "|".join(re.escape(place.name) for place in top if place.is_stream)
        self._end = re.compile(rb"</(?:[^\s<>/:]+:)?(?:%s)[ \t\r\n]*>" % ends.encode())
        self._carried = b""
        self._since = 0
        self._parser: Any = None
        # The place of the record that was last read, if nothing stands behind it yet; whether the parser knows of it.
        self._between: Place | None = None
        self._is_stale = False
        self._plains: dict[tuple[tuple[str, ...], str, str | None], Plain] = {}
        self._nulls = frozenset(dialect.nulls)
        # How much is tried at a time; how often in turn nothing was plain; how many pieces to parse before the next.
        self._size, self._misses, self._wait = BLOCK, 0, 0
        self._frames: dict[str | None, list[pl.DataFrame]] = {}
        self._ready: list[Callable[[], Batch]] = []
        # Where the document has been read to, and where the parser began (its first line holds a prefix of so many).
        self._at, self._column = 1, 0
        self._began = (1, 0, 0)
        root = self._root(start)
        self._moved(start)
        self._records.root(root, self._at)
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
        at = 0
        while block and (taken := self._plainly(carried, at) or self._stretch(carried, at)):
            at += taken
        if not at or not block:
            at = self._piece(carried[at:]) + at
        self._carried = carried[at:]
        if not block:
            self._finish()

    def rest(self, good: bytes) -> None:
        """Take in the last bytes before what stops the reading."""
        if good:
            self.read(good)
        if self._carried:
            self._piece(self._carried)

    def _stretch(self, carried: bytes, at: int) -> int:
        """Parse on to the last end of a record in so many bytes; how many bytes that was.

        It is the first end where one may have been missed: in a comment an end tag ends nothing.
        """
        last = 0
        for found in self._end.finditer(carried, at):
            if last and found.end() - at > PIECE:
                break
            last = found.end()
            if self._between is None:
                break
        self._wait = max(self._wait - 1, 0)
        return self._piece(carried[at:last]) if last else 0

    def batches(self, least: int) -> Iterator[Callable[[], Batch]]:
        """What was read, once there are so many records."""
        waiting = sum(frame.height for frames in self._frames.values() for frame in frames)
        if max(waiting, *(some.records for some in self._records.rows.values())) >= least:
            self._flush()
        ready, self._ready = self._ready, []
        yield from ready

    def _flush(self) -> None:
        """Whatever was read becomes a batch: never are there both records that were parsed and plain ones."""
        for name, some in self._records.rows.items():
            if some.records:
                self._records.rows[name] = Rows.of(name, tuple(some.columns))
                self._ready.append(partial(some.batch, self._dialect))
        for name, frames in self._frames.items():
            self._ready.append(partial(_together, name, frames, self._dialect))
        self._frames = {}

    def _plainly(self, carried: bytes, at: int) -> int:
        """Read the whole records that stand where the last one ended, if all are plain; how many bytes that was.

        A part that is not is halved. Where even little of it is plain, more and more is parsed before the next try.
        """
        place = self._between
        around = self._records.open[-1] if place is not None and place.is_repeated else None
        if place is None or around is None or self._wait:
            return 0
        name = _qualified(around.element, place.name)
        nil = _nil(around.element)
        made = Plain(place, around.element.prefix, nil, self._nulls)
        plain = self._plains.setdefault((place.path, name, nil), made)
        mark = f"</{name}>".encode()
        while True:
            end = carried.rfind(mark, at, at + self._size)
            if end < 0:
                return 0
            piece = carried[at : end + len(mark)]
            taken = plain.taken(piece, self._at, around.path, around.counts[place.name])
            if taken is not None:
                break
            if self._size <= 2 * PIECE:
                self._misses = min(2 * self._misses + 1, MOST_MISSES)
                self._wait = self._misses
                return 0
            self._size //= 2
        self._size, self._misses = min(2 * self._size, BLOCK), 0
        if not self._frames:
            self._flush()
        for node, frame in taken.items():
            if frame.height:
                self._frames.setdefault(node, []).append(frame)
        around.counts[place.name] += taken[place.node.name if place.node else None].height
        self._moved(piece)
        self._is_stale = True
        return len(piece)

    def _piece(self, piece: bytes) -> int:
        """Parse on, up to what may be the end of a record; how many bytes that was."""
        if self._is_stale:
            self._restart()
        if self._frames:
            self._flush()
        # An end tag in a comment ends nothing: only what the last byte itself ends lies between two records.
        self._feed(piece[:-1])
        self._between = self._feed(piece[-1:])
        self._moved(piece)
        self._since = 0 if self._between else self._since + len(piece)
        if self._between and self._at - self._began[0] > LINES:
            self._restart()
        if self._since > self._dialect.limits.line:
            raise ReadError("F204", value=str(self._since), expected=f"<= {self._dialect.limits.line} B")
        return len(piece)

    def _feed(self, part: bytes) -> Place | None:
        """Parse on; the place of the record whose end was the last thing."""
        if not part:
            return None
        try:
            self._parser.feed(part)
        except etree.XMLSyntaxError as err:
            self._meet_before(self._parser.feed_error_log)
            raise self._not_well_formed(self._parser.feed_error_log) from err
        # lxml says nothing of some errors until the end, and would take what follows for a new document.
        if any(map(_is_error, self._parser.feed_error_log)):
            self._meet_before(self._parser.feed_error_log)
            raise self._not_well_formed(self._parser.feed_error_log)
        return self._meet()

    def _meet_before(self, log: Iterable[Any]) -> None:
        """What stands before an error is told first, wherever the part that holds both began.

        Behind one that is not fatal, of namespaces, the parser goes on: nobody knows what it met before.
        """
        entry = next(filter(_is_error, log), None)
        if entry is not None and entry.level == etree.ErrorLevels.FATAL:
            self._meet()

    def _meet(self) -> Place | None:
        """The elements that began and ended; the place of the record whose end was the last thing."""
        ended = None
        for event, element in self._parser.read_events():
            if event == "start":
                self._records.starts(element)
                ended = None
            else:
                ended = self._records.ends()
        return ended

    def _finish(self) -> None:
        if self._is_stale:
            self._restart()
        try:
            self._parser.close()
        except etree.XMLSyntaxError as err:
            raise self._not_well_formed(self._parser.feed_error_log) from err

    def _moved(self, piece: bytes) -> None:
        lines = piece.count(b"\n")
        self._at += lines
        last = len(piece[piece.rfind(b"\n") + 1 :].decode(errors="ignore"))
        self._column = last if lines else self._column + last

    def _restart(self, more: bytes = b"") -> None:
        """A new parser, told of the open elements."""
        opened = self._records.settle()
        prefix = b"".join(_start_tag(one.element) for one in opened)
        self._parser = etree.XMLPullParser(("start", "end"), tag=self._records.streams, **PARSER)
        self._parser.feed(prefix)
        for one, (_, element) in zip(opened, self._parser.read_events(), strict=True):
            one.element = element
        self._began = (self._at, self._column, len((prefix + more).decode()))
        self._is_stale = False
        self._feed(more)

    def _line(self, element: Element) -> int | None:
        line: int = element.sourceline
        return self._began[0] + line - 1 if line < COUNTED else None

    def _not_well_formed(self, log: Iterable[Any]) -> ReadError:
        """Where and why, without a word of what stands there: lxml's own message may quote it."""
        entry = next(filter(_is_error, log), None)
        if entry is None:
            return ReadError("F216", value=f"{self._at}:{self._column + 1}: XML")
        line, column, prefix = self._began
        shown = entry.column - prefix + column if entry.line == 1 else entry.column
        reason = entry.type_name.removeprefix("ERR_").removeprefix("NS_ERR_").replace("_", " ").lower()
        place = f"{line + entry.line - 1}:{max(shown, 1)}"
        if TOO_DEEP in entry.message:
            return ReadError("F218", value=f"{place}: > 256", expected="<= 256")
        if entry.type_name in ("ERR_RESOURCE_LIMIT", "ERR_NAME_TOO_LONG"):
            return ReadError("F204", value=f"{place}: {reason}", expected=f"<= {self._dialect.limits.field} B")
        return ReadError("F216", value=f"{place}: {reason}")


def _together(node: str | None, frames: list[pl.DataFrame], dialect: Dialect) -> Batch:
    frame = pl.concat(frames).with_row_index(ROW, 1).with_columns(pl.col(ROW).cast(pl.UInt64))
    return rows.batch(node, frame, [], frame.height, dialect)


def _is_error(entry: Any) -> bool:
    return bool(entry.level >= etree.ErrorLevels.ERROR)


def _qualified(element: Element, name: str) -> str:
    """A name as it is written beside this element."""
    return f"{element.prefix}:{name}" if element.prefix else name


def _nil(element: Element) -> str | None:
    """How xsi:nil is written in this element."""
    prefix = next((prefix for prefix, uri in element.nsmap.items() if uri == XSI and prefix), None)
    return f' {prefix}:nil="true"' if prefix else None


def _start_tag(element: Element) -> bytes:
    """An element's start tag, with every namespace that is in force in it and no other attribute."""
    spaces = {None: "", **element.nsmap}
    told = "".join(f" xmlns{f':{prefix}' if prefix else ''}={quoteattr(uri or '')}" for prefix, uri in spaces.items())
    return f"<{_qualified(element, etree.QName(element).localname)}{told}>".encode()
