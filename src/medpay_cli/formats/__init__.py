"""Every reader yields text frames: ROW, LINE, PATH, one String column per layout field, absent = null.

Everything after the reader is format-blind. `read` runs a piece of work on each batch, in parallel and in order. A
format is a module: `scan` reads, `write` writes, both from the dialect's data.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar

from medpay_cli.parallel import in_order

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import polars as pl

    from medpay_cli.dialects import Dialect
    from medpay_cli.formats.archive import Input
    from medpay_cli.formats.lines import Span, Spans
    from medpay_cli.sieves import Sieve, Sifted

# No field can be called so: the names of a layout or a header hold no control character.
ROW, LINE, PATH = "\x1frow", "\x1fline", "\x1fpath"
PLACES = (ROW, LINE, PATH)

T = TypeVar("T")
R = TypeVar("R")
# Field names of each node in layout order; None is the node of a file that has only one kind of record.
Names = Mapping[str | None, tuple[str, ...]]


class LineKind(IntEnum):
    """What a line of a file is; the reader does not know which records will be rejected."""

    RECORD = 0
    REJECTED = 1
    BLANK = 2
    MORE = 3  # of the record above
    HEAD = 4


class Told(NamedTuple):
    """What a control line says: its place (head or tail), the name of the item, its text as it stands."""

    place: str
    name: str
    text: str


@dataclass(frozen=True)
class Batch:
    """A run of whole records of one node. Rows count from 1 within the batch until `placed` in the file.

    `text` holds the records that could be split into fields; `faults` the findings on the others (one each), warnings,
    and what the reader found wrong with single cells. `kinds` says what each line is, where a format has
    no lines of records what each record is. `is_odd` tells whether some character stands there that no cell should
    hold; `columns` says in which column (from 1) a field stands, where a format has columns.

    Of lines of text only: `lines` counts its lines (LINE counts from 1 within the batch too; in other formats it is
    the line in the file, or null). `permitted` are the widths that a record may
    have, `open_width` that of the last record of the file if its line has no end. `declared` is what the control lines
    around it say, `span` where its records stand in the bytes, if that is known. Where the reader had a sieve and used
    it, `sifted` says what came of that, and `text` holds only the fields that the sieve names as words.
    """

    text: pl.DataFrame
    faults: pl.DataFrame
    records: int
    kinds: np.ndarray[tuple[int], np.dtype[np.uint8]]
    is_odd: bool
    columns: Mapping[str, int] = field(default_factory=dict)
    node: str | None = None
    lines: int = 0
    fits: dict[int, int] = field(default_factory=dict)
    width: int | None = None
    widths: dict[int, int] = field(default_factory=dict)
    permitted: tuple[int, ...] = ()
    open_width: int | None = None
    declared: tuple[Told, ...] = ()
    sifted: Sifted | None = None
    span: Span | None = None


def of(name: str) -> Any:
    """The module of a format.

    `scan(source, dialect, names, width=None)` yields tasks, in file order, that each read one Batch: rows count from 1
    in it, LINE and PATH are those of the file (`rows` makes one); SIFTING formats take a `sieve` too.
    `write(out, dialect, names, chunks)` writes chunks of whole records, each a frame per node.
    """
    return importlib.import_module(FORMATS[name])


def write(out: BinaryIO, dialect: Dialect, names: Names, chunks: Iterable[Mapping[str | None, pl.DataFrame]]) -> None:
    """Write records in a dialect, as `scan` reads them. A chunk holds records and all that belongs to them.

    Raises MedpayError for what the dialect cannot express: a record is never written other than it is.
    """
    of(dialect.format).write(out, dialect, names, chunks)


def read(
    source: Input,
    dialect: Dialect,
    names: Names,
    work: Callable[[Batch], T],
    gather: Callable[[Iterator[tuple[Batch, T]]], R],
    sieves: Mapping[str | None, Sieve | None] | None = None,
) -> R:
    """Gather the work of every batch, in file order; a reader of lines sifts them through the sieve of its node.

    Where the dialect lets one width hold for a file, the first batch suggests it and the whole file decides:
    if that was wrong, everything is read once more with the right one. Raises ReadError.
    """
    scan = of(dialect.format).scan
    if sieves and dialect.format in SIFTING:
        scan = partial(scan, sieve=sieves.get(None))
    width: int | None = None
    while True:
        fits: dict[int, int] = {}
        used: list[int | None] = [None]

        def watched(
            batches: Iterator[tuple[Batch, T]], fits: dict[int, int] = fits, used: list[int | None] = used
        ) -> Iterator[tuple[Batch, T]]:
            for batch, result in batches:
                used[0] = batch.width
                for fitting, count in batch.fits.items():
                    fits[fitting] = fits.get(fitting, 0) + count
                yield batch, result

        result = gather(watched(_in_parallel(scan(source, dialect, names, width), dialect, work)))
        width = dialect.held_width(fits)
        if width == used[0] or not fits:
            return result


def prepared(source: Input, dialect: Dialect, asked: str | None) -> Input:
    """An input as its reader wants it: UTF-8, or the bytes as they are. Raises ReadError F210, F211."""
    from medpay_cli.formats.encoding import decoded

    if dialect.format in BINARY:
        return source
    declared = of(dialect.format).declared(source) if dialect.format == "xml" else None
    return decoded(source, asked, declared or dialect.encoding)


def again(
    source: Input,
    dialect: Dialect,
    names: Names,
    node: str | None,
    kinds: BinaryIO | None,
    wanted: np.ndarray[tuple[int], np.dtype[np.bool_]],
    spans: Spans | None = None,
) -> Iterator[pl.DataFrame]:
    """The wanted records of a node (of all of its records, in order) once more; ROW and LINE are those of the file.

    `kinds` says what each line is (LineKind), in formats whose records are lines, and `spans` where they stand: only
    theirs are read.

    Raises ReadError F215 where the source is another one by now, InternalError where they are not found again.
    """
    from medpay_cli.errors import InternalError

    try:
        yield from _again(source, dialect, names, node, kinds, wanted, spans)
    except (InternalError, IndexError):
        source.check_unchanged()
        raise
    source.check_unchanged()


def _again(
    source: Input,
    dialect: Dialect,
    names: Names,
    node: str | None,
    kinds: BinaryIO | None,
    wanted: np.ndarray[tuple[int], np.dtype[np.bool_]],
    spans: Spans | None,
) -> Iterator[pl.DataFrame]:
    import numpy as np
    import polars as pl

    from medpay_cli.errors import InternalError
    from medpay_cli.formats.lines import excerpt

    part = None
    if kinds is not None and not wanted.all():
        with source.open() as stream:
            part = spans.excerpt(stream, wanted) if spans else None
            part = part or excerpt(stream, kinds, wanted)
    rows, done, found = np.flatnonzero(wanted) + 1, 0, 0
    inside = replace(source, member=None, spool=part.text) if part else source
    if part and dialect.format != "ndjson":  # where an empty line is none of the records
        dialect = replace(dialect, preamble=dialect.preamble + 1)
    for batch, _ in _in_parallel(of(dialect.format).scan(inside, dialect, names), dialect, lambda _: None):
        if batch.node != node:
            continue
        place = batch.text[ROW].to_numpy() - 1 + done
        if part is None:
            kept = batch.text.with_columns(pl.Series(ROW, place + 1)).filter(pl.Series(wanted[place]))
        else:
            kept = batch.text.with_columns(
                pl.Series(ROW, rows[place], pl.UInt64), pl.Series(LINE, part.lines[place], pl.UInt64)
            )
        found += kept.height
        done += batch.records
        yield kept
    if found != len(rows):
        raise InternalError("tie_out", what="records read again", left=len(rows), right=found)


def format_by(path: Path) -> str | None:
    """The generic dialect that a file's name asks for; None where its ending says nothing."""
    name = path.with_suffix("") if path.suffix.lower() in (".gz", ".zip") else path
    known = {suffix: form for form, suffix in SUFFIXES.items()} | {".csv": "csv", ".tsv": "tsv"}
    return known.get(name.suffix.lower())


def letters(column: int) -> str:
    """The letters of a sheet's column, from 1: A, Z, AA."""
    name = ""
    while column:
        column, digit = divmod(column - 1, 26)
        name = chr(ord("A") + digit) + name
    return name


def _in_parallel(
    tasks: Iterator[Callable[[], Batch]], dialect: Dialect, work: Callable[[Batch], T]
) -> Iterator[tuple[Batch, T]]:
    def run(task: Callable[[], Batch]) -> tuple[Batch, T]:
        batch = _filled(task(), dialect)
        return batch, work(batch)

    return in_order(partial(run, task) for task in tasks)


def _filled(batch: Batch, dialect: Dialect) -> Batch:
    """With what fields hold that have no column."""
    import polars as pl

    given = {name: value for name, value in dialect.values.items() if name not in batch.columns}
    if not given:
        return batch
    values = [pl.lit(value).alias(name) for name, value in given.items()]
    sifted = batch.sifted
    if sifted is not None:
        of_some = sifted.records
        sifted = replace(
            sifted,
            suspects=sifted.suspects.with_columns(values),
            records=lambda chosen: of_some(chosen).with_columns(values),
        )
    return replace(batch, text=batch.text.with_columns(values), sifted=sifted)


FORMATS = {
    "delimited": "medpay_cli.formats.text.delimited",
    "json": "medpay_cli.formats.json.document",
    "ndjson": "medpay_cli.formats.json.ndjson",
    "xml": "medpay_cli.formats.xml.document",
    "xlsx": "medpay_cli.formats.xlsx.document",
    "parquet": "medpay_cli.formats.parquet",
    "fixed": "medpay_cli.formats.text.fixed",
}
# The ending of a file in a format; text has others too.
SUFFIXES = {"json": ".json", "ndjson": ".ndjson", "xml": ".xml", "xlsx": ".xlsx", "parquet": ".parquet"}
# Formats that are no text: nothing is decoded before they are read.
BINARY = ("xlsx", "parquet")
# Formats whose records may pass a sieve before they are split into fields.
SIFTING = ("delimited",)
# Formats in which a record is a line, or some whole lines.
IN_LINES = ("delimited", "fixed", "ndjson")
