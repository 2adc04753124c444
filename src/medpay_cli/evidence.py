"""What a file shows at first sight: enough to rule a dialect out without reading a single record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from medpay_cli import config, formats, layouts
from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.formats.archive import Input
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
            first, *below = _records(sight.lines[dialect.above :], dialect.heads)
            found = columns(first, dialect, below)
        except ReadError:
            found = ()
        if not set(dialect.wanted(fields)) <= set(found):
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


def _records(lines: list[bytes], count: int = 1) -> list[bytes]:
    """The first lines, each with those that a quote in it reaches into."""
    found = [b""]
    for line in lines:
        found[-1] += line
        if found[-1].count(b'"') % 2:
            found[-1] += b"\n"
        elif len(found) == count:
            break
        else:
            found.append(b"")
    return found


AGAINST = {"delimited": _delimited, "json": _nested, "ndjson": _nested, "xml": _nested}


def generic(source: Input, form: str, head: bytes, layout: str | None) -> str | None:
    """The generic dialect (`csv:visit.v1`) that the columns of a file name: those of exactly one layout.

    In JSON an absent cell has no key, so there a record's keys are enough that hold all which are required. Of a
    `layout` that somebody named most names are enough: what the others lack is for the reader to say.
    """
    for name, found in NAMED[form](source, head) if form in NAMED else ():
        if layout:
            fitting = [layout] if _are_mostly(found, {*layouts.names_of(layout)}, form) else []
        else:
            fitting = [one for one in config.names(config.LAYOUT) if _are_those_of(found, one, form)]
        if len(fitting) == 1:
            return f"{name}:{fitting[0]}"
    return None


def _are_those_of(found: set[str], layout: str, form: str) -> bool:
    names = {*layouts.names_of(layout)}
    return found == names or (form == "json" and layouts.required_of(layout) <= found <= names)


def _are_mostly(found: set[str], names: set[str], form: str) -> bool:
    return 2 * len(found & names) > len(found if form == "json" else names)


Named = Iterator[tuple[str, set[str]]]


def _in_text(_: Input, head: bytes) -> Named:
    [line] = _records([line.rstrip(b"\r") for line in head.split(b"\n", 50)[:50]])
    for name, mark in (("csv", ","), ("tsv", "\t")):
        try:
            yield name, {*columns(line, Dialect("", "", delimiter=mark, quote='"'))}
        except ReadError:
            continue


def _in_json(_: Input, head: bytes) -> Named:
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    is_array = text.startswith("[")
    try:
        first, _end = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode(text[is_array:].lstrip())
    except (ValueError, RecursionError):
        return
    if isinstance(first, dict):
        yield "json" if is_array else "ndjson", {*first}


def _in_workbook(source: Input, _: bytes) -> Named:
    yield from _in_table(source, "xlsx")


def _in_parquet(source: Input, _: bytes) -> Named:
    yield from _in_table(source, "parquet")


def _in_table(source: Input, form: str) -> Named:
    try:
        yield form, {*formats.of(form).named(source)}
    except ReadError:
        return


NAMED: dict[str, Callable[[Input, bytes], Named]] = {
    "delimited": _in_text, "json": _in_json, "xlsx": _in_workbook, "parquet": _in_parquet,
}  # fmt: skip
