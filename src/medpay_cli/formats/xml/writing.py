"""XML written so that it reads back as it was: elements only, a record to a line, spaces nowhere else.

Records of nodes that belong to no other stand in the order in which they come; where there are several such nodes each
one's wait in a file of its own until the end.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from functools import cache
from typing import BinaryIO

import polars as pl

from medpay_cli import files
from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError
from medpay_cli.formats import Names
from medpay_cli.formats.cells import BLANKS, not_written
from medpay_cli.formats.encoding import known
from medpay_cli.formats.xml.elements import Place, tree

# As references, so that no reader takes a line end for another or a tab for a space.
ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
FORBIDDEN = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x{FFFE}\x{FFFF}]"
# A character that these lack, or that is read as another one, is written as a reference.
NARROW = ("gbk", "gb2312", "big5")
MARKS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
LABELS = {"utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
TEXT, KEY = "\x1ftext", "\x1fkey"
Chunk = Mapping[str | None, pl.DataFrame]


def write(out: BinaryIO, dialect: Dialect, names: Names, chunks: Iterable[Chunk]) -> None:
    """Write records of every node; the fields that link one to the record around it stand there alone.

    Raises MedpayError for a cell that no XML of the dialect can hold, and for records without a place.
    """
    _Writer(out, dialect, tree(dialect, names)).write(chunks)


class _Writer:
    def __init__(self, out: BinaryIO, dialect: Dialect, top: Place) -> None:
        self._out = out
        self._dialect = dialect
        self._top = top
        self._encoding = dialect.encoding or "utf-8"
        if self._encoding in NARROW:
            lacking = [
                name for place in top for name in (place.name, *place.fields) if not _is_written(name, self._encoding)
            ]
            if lacking:
                raise MedpayError("dialect_fault", path=dialect.name, reason=f"{self._encoding}: {lacking[0]}")
        self._streams = [place for place in top if place.is_stream]
        self._spools = {place.path: files.spool() for place in self._streams} if len(self._streams) > 1 else {}
        self._written = dict.fromkeys((place.path for place in self._streams), 0)

    def write(self, chunks: Iterable[Chunk]) -> None:
        """The whole document."""
        name = LABELS.get(self._encoding, self._encoding.upper())
        self._out.write(MARKS.get(self._encoding, b""))
        self._put(f'<?xml version="1.0" encoding="{name}"?>\n')
        opening, closing = self._around()
        if not self._spools:
            self._put(opening)
        for chunk in chunks:
            unknown = [node for node, frame in chunk.items() if node not in self._nodes and frame.height]
            if unknown:
                raise not_written(self._dialect, unknown[0], "no such node")
            for place in self._streams:
                self._records(place, chunk)
        for place in self._streams:
            is_bound = place.is_required or place is self._top or _holds_streams(place)
            if is_bound and not self._written[place.path]:
                raise not_written(self._dialect, _name(place), "required")
        if self._spools:
            self._element(self._top)
        else:
            self._put(closing)

    @property
    def _nodes(self) -> set[str | None]:
        return {place.node.name for place in self._top if place.node}

    def _around(self) -> tuple[str, str]:
        """The tags around the records of the only stream."""
        path = self._streams[0].path[:-1]
        opening = "".join(f"<{name}{self._namespace(depth)}>\n" for depth, name in enumerate(path))
        return opening, "".join(f"</{name}>\n" for name in reversed(path))

    def _namespace(self, depth: int) -> str:
        return f' xmlns="{_escaped(self._dialect.namespace)}"' if depth == 0 and self._dialect.namespace else ""

    def _element(self, place: Place) -> None:
        """An element that holds streams, its records taken from their files."""
        spool = self._spools.get(place.path)
        if spool is not None and not _holds_streams(place):
            spool.seek(0)
            shutil.copyfileobj(spool, self._out, 1 << 20)
            return
        self._put(f"<{place.name}{self._namespace(len(place.path) - 1)}>\n")
        if spool is not None:
            spool.seek(0)
            shutil.copyfileobj(spool, self._out, 1 << 20)
        for one in place.inner.values():
            if one.holds_streams:
                self._element(one)
        self._put(f"</{place.name}>\n")

    def _records(self, place: Place, chunk: Chunk) -> None:
        """Write a chunk's records of a stream, or put them by."""
        node = place.node
        assert node is not None  # noqa: S101 - a stream has a node
        frame = chunk.get(node.name)
        if frame is None or frame.is_empty():
            frame = _none(place)
        self._written[place.path] += frame.height
        if not place.is_repeated and self._written[place.path] > 1:
            raise not_written(self._dialect, _name(place), f"{self._written[place.path]} > 1")
        text = self._rendered(place, frame, chunk, is_bare=_holds_streams(place))
        spool = self._spools.get(place.path, self._out)
        for start in range(0, len(text), 10_000):
            self._put("".join(text[start : start + 10_000]), spool)

    def _rendered(self, place: Place, frame: pl.DataFrame, chunk: Chunk, *, is_bare: bool = False) -> pl.Series:
        """Each record as text, with those that belong to it; `is_bare` without its own tags."""
        parts = [_field(name) for name in place.fields if name not in place.link]
        self._vet(place, frame)
        content = frame.select(pl.concat_str(pl.repeat("", pl.len()), *parts)).to_series()
        for inner in (one for one in place.inner.values() if not one.holds_streams):
            content += self._inner(inner, frame, chunk)
        root = self._namespace(len(place.path) - 1)
        return content if is_bare else f"<{place.name}{root}>" + content + f"</{place.name}>\n"

    def _inner(self, place: Place, frame: pl.DataFrame, chunk: Chunk) -> pl.Series:
        """What stands in each record of `frame` at a place: records that belong to it, or an element around such."""
        if place.node is None:
            content = pl.repeat("", frame.height, eager=True)
            for one in place.inner.values():
                content += self._inner(one, frame, chunk)
            around = pl.DataFrame({TEXT: content}).select(
                pl.when(pl.col(TEXT) == "").then(pl.lit("")).otherwise(
                    pl.concat_str(pl.lit(f"<{place.name}>"), TEXT, pl.lit(f"</{place.name}>"))
                )
            )  # fmt: skip
            return around.to_series()
        below = chunk.get(place.node.name)
        records = _none(place) if below is None or below.is_empty() else below
        link = list(place.link)
        if reason := _unmatched(place.node, records, frame):
            raise not_written(self._dialect, _name(place), reason)
        inner = records.select(link).with_columns(
            self._rendered(place, records, chunk).str.strip_chars_end("\n").alias(TEXT)
        )
        together = inner.group_by(link, maintain_order=True).agg(
            pl.col(TEXT).str.join(""), pl.col(TEXT).len().alias(KEY)
        )
        joined = frame.select(link).join(together, on=link, how="left", maintain_order="left")
        most = joined[KEY].max()
        if not place.is_repeated and isinstance(most, int) and most > 1:
            raise not_written(self._dialect, _name(place), f"{most} > 1")
        if place.is_required and joined[KEY].null_count():
            raise not_written(self._dialect, _name(place), "required")
        return joined[TEXT].fill_null("")

    def _vet(self, place: Place, frame: pl.DataFrame) -> None:
        """Raises MedpayError where a cell would be read as something else."""
        for name in place.fields:
            cell = pl.col(name)
            bad = (cell == "") | cell.str.contains(FORBIDDEN) | cell.is_in(list(self._dialect.nulls))
            bad |= cell.str.len_bytes() > self._dialect.limits.field
            if self._dialect.trim:
                bad |= cell.str.strip_chars(BLANKS) != cell
            if frame.select(bad.any()).item():
                raise not_written(self._dialect, name, "would be read as another")

    def _put(self, text: str, out: BinaryIO | None = None) -> None:
        target = self._out if out is None else out
        if self._encoding in NARROW and not text.isascii():
            text = text.translate({ord(one): f"&#{ord(one)};" for one in set(text) if not _is_in(one, self._encoding)})
        target.write(text.encode(self._encoding))


@cache
def _is_in(character: str, encoding: str) -> bool:
    try:
        return character.encode(encoding).decode(known(encoding)) == character
    except UnicodeError:
        return False


def _is_written(name: str, encoding: str) -> bool:
    return all(_is_in(one, encoding) for one in name)


def _holds_streams(place: Place) -> bool:
    return any(one.holds_streams for one in place.inner.values())


def _field(name: str) -> pl.Expr:
    text = pl.col(name).str.replace_many(ESCAPED)
    return pl.concat_str(pl.lit(f"<{name}>"), text, pl.lit(f"</{name}>")).fill_null("")


def _none(place: Place) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(place.fields, pl.String))


def _unmatched(node: Node, records: pl.DataFrame, around: pl.DataFrame) -> str | None:
    """Why a record's place is not one certain record around it."""
    link = list(node.link)
    places = around.select(link).group_by(link).len(KEY)
    found = records.select(link).join(places, on=link, how="left")
    lost = found[KEY].null_count()
    if lost:
        return f"{', '.join(link)}: {lost} × 0"
    return f"{', '.join(link)}: > 1" if (found[KEY] > 1).any() else None


def _name(place: Place) -> str | None:
    return place.node.name if place.node else None


def _escaped(text: str) -> str:
    return re.sub('[&<>"]', lambda found: f"&#{ord(found[0])};", text)
