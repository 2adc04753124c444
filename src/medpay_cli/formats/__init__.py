"""Every reader yields text frames: ROW, LINE, one String column per layout field, absent = null.

Everything after the reader is format-blind. `read` runs a piece of work on each batch, in parallel and in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from medpay_cli.parallel import in_order

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from medpay_cli.dialects import Dialect
    from medpay_cli.formats.archive import Input

# No field can be called so: the names of a layout or a header hold no control character.
ROW, LINE = "\x1frow", "\x1fline"

T = TypeVar("T")
R = TypeVar("R")


class LineKind(IntEnum):
    """What a line of a file is; the reader does not know which records will be rejected."""

    RECORD = 0
    REJECTED = 1
    BLANK = 2
    MORE = 3  # of the record above
    HEAD = 4


@dataclass(frozen=True)
class Batch:
    """A run of whole records. Rows and lines count from 1 within the batch until `placed` in the file.

    `text` holds the records that fit; `faults` the findings on those that do not (a record finding each, except
    warnings), so records = text.height + faults that are errors. `kinds` says what each line is, `is_odd` whether
    some character stands there that no cell should hold. `header` names the file's columns, `permitted` are the widths
    that a record may have, `open_width` that of the last record of the file if its line has no end.
    """

    text: pl.DataFrame
    faults: pl.DataFrame
    records: int
    lines: int
    fits: dict[int, int]
    width: int | None
    widths: dict[int, int]
    kinds: np.ndarray[tuple[int], np.dtype[np.uint8]]
    is_odd: bool
    header: tuple[str, ...] | None
    permitted: tuple[int, ...]
    open_width: int | None


def read(
    source: Input,
    dialect: Dialect,
    names: tuple[str, ...],
    work: Callable[[Batch], T],
    gather: Callable[[Iterator[tuple[Batch, T]]], R],
) -> R:
    """Gather the work of every batch, in file order.

    Where the dialect lets one width hold for a file, the first batch suggests it and the whole file decides:
    if that was wrong, everything is read once more with the right one. Raises ReadError.
    """
    from medpay_cli.formats.delimited import scan

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

        result = gather(watched(_in_parallel(scan(source, dialect, names, width), work)))
        width = dialect.held_width(fits)
        if width == used[0] or not fits:
            return result


def _in_parallel(tasks: Iterator[Callable[[], Batch]], work: Callable[[Batch], T]) -> Iterator[tuple[Batch, T]]:
    def run(task: Callable[[], Batch]) -> tuple[Batch, T]:
        batch = task()
        return batch, work(batch)

    return in_order(partial(run, task) for task in tasks)
