"""One JSON document: records in arrays, or in the nodes of a message.

Only its text is in memory as a whole: what leads to the records is read step by step, and they one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO

from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.formats import Batch, Names
from medpay_cli.formats.archive import Input
from medpay_cli.formats.cells import not_written
from medpay_cli.formats.json.composing import Composer, gathered
from medpay_cli.formats.json.nodes import Records, Step
from medpay_cli.formats.json.strict import MOST_DEEP, Malformed, TooDeep, check_surrogates, past_blank, pointer
from medpay_cli.formats.text.cutting import BOM

if TYPE_CHECKING:
    import polars as pl

# A document whose values would take more is not read (F204): bytes of the text, and an estimate of bytes in memory.
MOST_BYTES = 512 << 20
MOST_MEMORY = 3 << 30
# What is kept for each of them, measured where millions of records stand in a single one: 455 B for {"code":"x"}.
COSTS = {"{": 400, "[": 72, ",": 72}

Task = Callable[[], Batch]


def scan(source: Input, dialect: Dialect, names: Names, width: int | None = None) -> Iterator[Task]:
    """Tasks that each make one Batch of one node. Raises ReadError where the document cannot be judged."""
    document = _Document(_text(source, dialect), Records(dialect, names))
    try:
        yield from document.read()
    except Malformed as err:
        raise ReadError("F216", value=f"{document.place(err.at)}: {err.reason}") from None
    except TooDeep:
        raise ReadError("F218", value=f"> {MOST_DEEP}", expected=f"<= {MOST_DEEP}") from None


def _text(source: Input, dialect: Dialect) -> str:
    with source.open() as stream:
        raw = stream.read(MOST_BYTES + 1).removeprefix(BOM)
    if len(raw) > MOST_BYTES:
        raise ReadError("F204", value=f"> {MOST_BYTES} B", expected=f"<= {MOST_BYTES} B")
    memory = sum(raw.count(mark.encode()) * cost for mark, cost in COSTS.items())
    if memory > MOST_MEMORY:
        raise ReadError("F204", value=f"{memory} B", expected=f"<= {MOST_MEMORY} B")
    try:
        return raw.decode()
    except UnicodeDecodeError as err:
        line = raw.count(b"\n", 0, err.start) + 1
        column = err.start - raw.rfind(b"\n", 0, err.start)
        # From another encoding the byte is a stand-in, and the column another one.
        bad = f"0x{raw[err.start]:02x} @ {line}:{column}" if dialect.encoding in (None, "utf-8") else f"@ {line}"
        raise ReadError("F202", value=bad, expected=dialect.encoding or "utf-8") from None


def write(out: BinaryIO, dialect: Dialect, names: Names, chunks: Iterable[Mapping[str | None, pl.DataFrame]]) -> None:
    """Write one document, chunk by chunk where all records stand in one array. Raises MedpayError."""
    composer = Composer(dialect, names)
    left = MOST_BYTES
    for text in _pieces(composer, chunks):
        block = composer.encoded(text)
        left -= len(block)
        if left < 0:
            raise not_written(dialect, dialect.layout, f"> {MOST_BYTES} B")
        out.write(block)


def _pieces(composer: Composer, chunks: Iterable[Mapping[str | None, pl.DataFrame]]) -> Iterator[str]:
    node = composer.outermost
    if node is None or not node.repeated or composer.embeds(node):
        yield composer.document(gathered(chunks)) + "\n"
        return
    yield "".join("{" + json.dumps(key, ensure_ascii=False) + ":" for key in node.path) + "["
    comma = ""
    for chunk in chunks:
        if texts := composer.records(chunk):
            yield comma + ",".join(texts)
            comma = ","
    if not comma:
        composer.document({})  # refuses where a record is required
    yield "]" + "}" * len(node.path) + "\n"


class _Document:
    """A text on its way: what was read of it is in `records`."""

    def __init__(self, text: str, records: Records) -> None:
        self._text = text
        self._records = records

    def place(self, at: int) -> str:
        """`line:column`, both from 1."""
        line, before = self._text.count("\n", 0, at) + 1, self._text.rfind("\n", 0, at)
        return f"{line}:{at - before}"

    def read(self) -> Iterator[Task]:
        """Raises Malformed, TooDeep, and ReadError F218."""
        check_surrogates(self._text)
        at = yield from self._value(past_blank(self._text, 0), self._records.top, "", 0)
        at = past_blank(self._text, at)
        if at != len(self._text):
            raise Malformed("Extra data", at)
        self._records.close()
        yield from self._records.rest()

    def _value(self, at: int, step: Step, path: str, outside: int, element: bool = False) -> Generator[Task, None, int]:
        """Read what begins there, and tell where it ends."""
        begins = self._text[at : at + 1]
        if begins == "[" and not element and (step.node is None or step.node.repeated):
            return (yield from self._elements(at + 1, step, path, outside + 1))
        if begins == "{" and step.node is None:
            return (yield from self._members(at + 1, step, path, outside + 1))
        end = self._taken(at, step, path, outside, element)
        yield from self._records.ready()
        return end

    def _taken(self, at: int, step: Step, path: str, outside: int, element: bool) -> int:
        """Take in the records of a value, and tell where it ends."""
        value, end = self._records.strict.value(self._text, at, outside)
        try:
            self._records.visit(value, step, path, element)
        except Malformed as err:
            raise Malformed(err.reason, at) from None
        self._records.take()
        return end

    def _elements(self, at: int, step: Step, path: str, outside: int) -> Generator[Task, None, int]:
        at = past_blank(self._text, at)
        if self._text.startswith("]", at):
            return at + 1
        place = 0
        while True:
            # Records close behind each other are most of a document: nothing else is made for them.
            while step.node and self._text.startswith("{", at):
                at = self._taken(at, step, f"{path}/{place}", outside, element=True)
                if self._records.is_ready or not self._text.startswith(",{", at):
                    break
                at, place = at + 1, place + 1
            else:
                at = yield from self._value(at, step, f"{path}/{place}", outside, element=True)
            yield from self._records.ready()
            at, ended = self._next(at, "]")
            if ended:
                return at
            place += 1

    def _members(self, at: int, step: Step, path: str, outside: int) -> Generator[Task, None, int]:
        """The members of an object that only leads on; what else stands in it is the envelope."""
        at = past_blank(self._text, at)
        if self._text.startswith("}", at):
            return at + 1
        seen: set[str] = set()
        while True:
            if not self._text.startswith('"', at):
                raise Malformed("Expecting property name enclosed in double quotes", at)
            key, end = self._records.strict.value(self._text, at)
            if key in seen:
                raise Malformed("Repeated key", at)
            seen.add(key)
            at = past_blank(self._text, end)
            if not self._text.startswith(":", at):
                raise Malformed("Expecting ':' delimiter", at)
            at = past_blank(self._text, at + 1)
            if key in step.steps:
                at = yield from self._value(at, step.steps[key], path + pointer(key), outside)
            else:
                at = self._envelope(at, outside)
            at, ended = self._next(at, "}")
            if ended:
                return at

    def _envelope(self, at: int, outside: int) -> int:
        """Behind a value that belongs to no record."""
        _, end = self._records.strict.value(self._text, at, outside)
        if self._records.strict.repeats:
            raise Malformed("Repeated key", at)
        return end

    def _next(self, at: int, closing: str) -> tuple[int, bool]:
        """Where the next element begins behind a comma, or what is behind the closing bracket."""
        at = past_blank(self._text, at)
        if self._text.startswith(closing, at):
            return at + 1, True
        if not self._text.startswith(",", at):
            raise Malformed("Expecting ',' delimiter", at)
        return past_blank(self._text, at + 1), False
