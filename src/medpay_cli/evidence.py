"""What a file shows at first sight: enough to rule a dialect out without reading a single record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from medpay_cli import layouts
from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.formats.text.header import columns


@dataclass(frozen=True)
class Sight:
    """The beginning of a text in UTF-8."""

    head: bytes

    @cached_property
    def lines(self) -> list[bytes]:
        """Its lines, without their ends."""
        return [line.rstrip(b"\r\n") for line in self.head.split(b"\n")]

    @property
    def records(self) -> int:
        """How many lines hold something."""
        return sum(map(bool, self.lines))

    def against(self, dialect: Dialect) -> str | None:
        """The code of the finding that every record would have in this dialect; None where they must be looked at."""
        reasons = AGAINST.get(dialect.format, _nothing)(self, dialect)
        return next(reasons, None)


def _delimited(sight: Sight, dialect: Dialect) -> Iterator[str]:
    fields = layouts.names_of(dialect.layout)
    if dialect.header:
        try:
            found = columns(_joined(sight.lines[dialect.above :]), dialect)
        except ReadError:
            found = ()
        if not set(fields) <= set(found):
            yield "F207"
    elif not dialect.quote:
        # An empty field more at the end is always allowed.
        sizes = {width + more for width in dialect.widths or (len(fields),) for more in (0, 1)}
        mark = dialect.delimiter.encode()
        if not any(line.count(mark) + 1 in sizes for line in sight.lines if line):
            yield "F201"


def _nested(sight: Sight, dialect: Dialect) -> Iterator[str]:
    """The names on the way to a node must stand somewhere."""
    if not any(all(step.encode() in sight.head for step in node.path) for node in dialect.parts):
        yield "F218"


def _nothing(_: Sight, __: Dialect) -> Iterator[str]:
    yield from ()


def _joined(lines: list[bytes]) -> bytes:
    """The first line, with those that a quote in it reaches into."""
    first = b""
    for line in lines:
        first += line
        if first.count(b'"') % 2 == 0:
            break
        first += b"\n"
    return first


AGAINST = {"delimited": _delimited, "json": _nested, "ndjson": _nested, "xml": _nested}
