"""Parquet: columns by name, as text; a type that cannot hold an exact amount or a plain text is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from threading import Event
from typing import Any, BinaryIO, cast

import polars as pl
from polars.io.plugins import register_io_source

from medpay_cli import layouts, money
from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.formats import LINE, PATH, ROW, Batch, Names
from medpay_cli.formats.archive import FREE, MOST_RATIO, Input, seekable
from medpay_cli.formats.cells import check_kept, not_written
from medpay_cli.formats.rows import batch
from medpay_cli.formats.text.header import check_names

# Of a row group that we write, and of a batch that we read.
RECORDS = 50_000
# Seconds after which a signal is seen that came just before the waiting for a thread began.
WAIT = 0.5
TEXTS = (pl.String, pl.Categorical, pl.Enum, pl.Null)


def named(source: Input) -> tuple[str, ...]:
    """The names of its columns. Raises ReadError."""
    with source.open() as stream, seekable(stream) as file, _damage(file):
        return tuple(pl.scan_parquet(file, glob=False, hive_partitioning=False).collect_schema())


def scan(source: Input, dialect: Dialect, names: Names, width: int | None = None) -> Iterator[Callable[[], Batch]]:
    """Tasks that each read some records into a Batch. Raises ReadError for what stops the reading of a file."""
    _only(dialect)
    with source.open() as stream, contextlib.ExitStack() as stack:
        file = stack.enter_context(seekable(stream))
        size = file.seek(0, 2)
        file.seek(0)
        with _damage(file):
            frame = pl.scan_parquet(file, glob=False, hive_partitioning=False)
            schema = frame.collect_schema()
            records = frame.select(pl.len()).collect().item()
        if records > max(FREE, MOST_RATIO * size):
            raise ReadError("F209", value=f"{records}", expected=f"<= {max(FREE, MOST_RATIO * size)}")
        if len(schema) > dialect.limits.columns:
            raise ReadError("F204", value=str(len(schema)), expected=f"<= {dialect.limits.columns}")
        fields = {name: dialect.headings.get(name, name) for name in schema}
        texts = {name: _text(name, schema[name]) for name in schema if fields[name] in names[None]}
        inexact = [f"{name}: {schema[name]}" for name, text in texts.items() if text is None]
        check_names(tuple(fields.values()), names[None], replace(dialect, free_order=True), inexact)
        places = {fields[name]: number for number, name in enumerate(schema, 1) if name in texts}
        cells = {fields[name]: text for name, text in texts.items() if text is not None}
        with _damage(file):
            parts = frame.select(
                cells.get(name, pl.lit(None, pl.String)).alias(name) for name in names[None]
            ).collect_batches(chunk_size=RECORDS, maintain_order=True)
        while True:
            with _damage(file):
                part = next(parts, None)
            if part is None:
                return
            yield partial(_batch, part, places, dialect)


def _only(dialect: Dialect) -> None:
    if dialect.nodes:
        raise not_written(dialect, "nodes", f"{len(dialect.nodes)} > 1")


@contextlib.contextmanager
def _damage(file: BinaryIO) -> Iterator[None]:
    """What Polars says of a damaged file may hold a part of it: only that it is damaged is told.

    It says the same of one that a failing disk does not give: that one is read again to hear of it as an OSError.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as err:
        file.seek(0)
        while file.read(1 << 20):
            pass
        raise ReadError("F203", value=f"Parquet: {type(err).__name__}") from err


def _text(name: str, dtype: pl.DataType) -> pl.Expr | None:
    """A column as text; None where its type is none of ours. A float may have lost digits of an amount."""
    cell = pl.col(name)
    if isinstance(dtype, TEXTS) or dtype.is_integer() or dtype.is_decimal():
        return cell.cast(pl.String)
    if dtype == pl.Date:
        return cell.dt.to_string("%Y-%m-%d")
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
        return cell.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
    return None


def _batch(part: pl.DataFrame, places: Mapping[str, int], dialect: Dialect) -> Batch:
    text = part.select(
        pl.int_range(1, part.height + 1, dtype=pl.UInt64).alias(ROW),
        pl.lit(None, pl.UInt64).alias(LINE),
        pl.lit(None, pl.String).alias(PATH),
        *part.columns,
    )
    return replace(batch(None, text, [], part.height, dialect), columns=places)


def write(out: BinaryIO, dialect: Dialect, names: Names, chunks: Iterable[Mapping[str | None, pl.DataFrame]]) -> None:
    """Write text, with `numbers` amounts as exact decimals (read again they are equal, 1.5 as 1.50). The same records
    give the same bytes, in whatever chunks they come.

    Raises MedpayError for a text that is no amount where the column holds amounts, and for nodes: one file holds one.
    """
    _only(dialect)
    types: dict[str, Any] = dict.fromkeys(names[None], pl.String)
    types |= _decimals(dialect, names[None]) if dialect.numbers else {}
    frames = (_typed(chunk[None], types, dialect) for chunk in chunks)
    # Of digits the first level makes fewer bytes than the usual one, in half its time.
    sink(out, types, frames, compression="zstd", compression_level=1)


def sink(out: BinaryIO, types: Mapping[str, Any], frames: Iterable[pl.DataFrame], **options: Any) -> None:
    """Write frames of these types in bounded memory: the same rows give the same bytes, in whatever frames they come.
    `options` are those of Polars.

    Raises what `frames` or `out` raise.
    """
    failed: list[BaseException] = []
    stopped = Event()

    def given(*_: Any) -> Iterator[pl.DataFrame]:
        with _kept(failed):
            yield from takewhile(lambda _: not stopped.is_set(), frames)

    def write() -> None:
        rows = register_io_source(given, schema=types)
        target = cast("BinaryIO", _Out(out, failed))
        rows.sink_parquet(target, row_group_size=RECORDS, maintain_order=True, **options)

    # In a thread of its own: Polars would hold up a signal to end until everything is written.
    with ThreadPoolExecutor(1) as thread:
        try:
            written = thread.submit(write)
            while not wait([written], WAIT).done:
                pass
            written.result()
        except Exception as err:
            raise (failed or [err])[0] from None
        finally:
            stopped.set()


@contextlib.contextmanager
def _kept(failed: list[BaseException]) -> Iterator[None]:
    """Keep what was raised: Polars makes another of it."""
    try:
        yield
    except Exception as err:
        failed.append(err)
        raise


@dataclass(frozen=True)
class _Out:
    """What Polars writes to."""

    out: BinaryIO
    failed: list[BaseException]

    def write(self, block: bytes) -> int:
        """Pass it on."""
        with _kept(self.failed):
            return self.out.write(block)


def _decimals(dialect: Dialect, names: tuple[str, ...]) -> dict[str, pl.Decimal]:
    return {
        field.name: pl.Decimal(field.digits, field.scale)
        for field in layouts.load(dialect.layout).fields
        if field.name in names and field.form in ("money", "decimal")
    }


def _typed(frame: pl.DataFrame, types: Mapping[str, Any], dialect: Dialect) -> pl.DataFrame:
    """The records with each column in its type, none other than it was."""
    text = frame.select(tuple(types))
    check_kept(text, tuple(types), dialect)
    text = text.with_columns(pl.when(pl.all() != "").then(pl.all()))
    for name, dtype in types.items():
        if dtype != pl.String and not text.select(money.fits(pl.col(name), dtype.precision, dtype.scale).all()).item():
            raise not_written(dialect, name, str(dtype))
    return text.select(pl.col(name).cast(dtype) for name, dtype in types.items())
