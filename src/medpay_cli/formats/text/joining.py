"""Records joined to lines of delimited text, quoted where the dialect has quotes and a cell needs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, BinaryIO, cast

import numpy as np
import polars as pl

from medpay_cli import characters
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError
from medpay_cli.formats import Names
from medpay_cli.formats.cells import unshifted
from medpay_cli.formats.text import writing
from medpay_cli.formats.text.header import columns
from medpay_cli.formats.text.writing import Blocks, Chunks, Wrong

MARK = "\ufeff"


def write(out: BinaryIO, dialect: Dialect, fields: Names, chunks: Chunks) -> None:
    """Write records; without a header as many fields as the largest width has. Raises MedpayError."""
    names = fields[None]
    header = _header(names, dialect) if dialect.header else []
    absent = _absent(dialect)
    width = len(names) if dialect.header else max(dialect.widths)

    def lines(frame: pl.DataFrame, before: int) -> pl.Series | Blocks:
        plain = _plain(frame, names[:width], absent, dialect)
        if plain is not None:
            return plain
        writing.refuse(frame, dialect, before, _wrong(names, width, absent, dialect))
        # An empty line is no record, but quotes with nothing between them are one.
        nothing = dialect.quote * 2 if width == 1 and not absent else absent
        cells = [_quoted(pl.col(name), dialect).fill_null(nothing) for name in names[:width]]
        joined = pl.concat_str([*cells, *[pl.lit("")] * dialect.trailing_delimiter], separator=dialect.delimiter)
        made = frame.select(joined.alias("line")).to_series()
        _check_lines(made, names, before, dialect)
        return made

    writing.write(out, dialect, names, chunks, lines, header)


def _plain(frame: pl.DataFrame, names: tuple[str, ...], absent: str, dialect: Dialect) -> Blocks | None:
    """The lines of records, with their ends, as Polars writes them, four times as fast as cells are put together; None
    where it is not proven that every cell stands there as it is and reads back so.

    Of lines that hold as many delimiters and ends as there must be no cell holds one.
    """
    end = dialect.delimiter * dialect.trailing_delimiter + dialect.line_end
    ends = {"\n": 0, "\r\n": 1}.get(dialect.line_end)
    if ends is None or dialect.shifted or dialect.trim or len(names) < 2 or len(dialect.delimiter.encode()) > 1:
        return None
    kept = frame.select(names)
    if not all(dtype == pl.String for dtype in kept.dtypes) or not _are_usual(frame, kept, absent, dialect):
        return None
    blocks = Blocks()
    kept.write_csv(
        cast("IO[bytes]", blocks), separator=dialect.delimiter, line_terminator=end, include_header=False,
        null_value=absent, quote_style="never",
    )  # fmt: skip
    delimiters = len(names) - 1 + dialect.trailing_delimiter
    expected = {dialect.delimiter: delimiters * kept.height, "\n": kept.height, "\r": ends * kept.height, "\0": 0}
    raws = [np.frombuffer(block, np.uint8) for block in blocks]
    if any(sum(characters.count(raw, ord(mark)) for raw in raws) != times for mark, times in expected.items() if times):
        return None
    unusual = [mark for mark, times in expected.items() if not times]
    unusual += [dialect.quote] if dialect.quote else []
    if any(mark.encode() in block for mark in unusual for block in blocks):
        return None
    # A mark of several bytes may stand in two blocks.
    may_be_marked = dialect.quote and not all(block.isascii() for block in blocks)
    return None if may_be_marked and MARK.encode() in b"".join(blocks) else blocks


def _are_usual(frame: pl.DataFrame, kept: pl.DataFrame, absent: str, dialect: Dialect) -> bool:
    """Whether no cell is empty, too long or means that it is absent, no line can be too long, and nothing stands beyond
    the width."""
    sizes = kept.select(
        *(pl.col(name).str.len_bytes().max().fill_null(0).alias(f"{at} most") for at, name in enumerate(kept.columns)),
        *(pl.col(name).str.len_bytes().min().fill_null(1).alias(f"{at} least") for at, name in enumerate(kept.columns)),
    ).row(0)
    most, least = sizes[: kept.width], sizes[kept.width :]
    around = len(dialect.delimiter) * (kept.width + 1) + len(dialect.line_end)
    if min(least) == 0 or max(most) > dialect.limits.field:
        return False
    if sum(max(one, len(absent.encode())) for one in most) + around > dialect.limits.line:
        return False
    if any((kept[name] == word).any() for name in kept.columns for word in dialect.nulls):
        return False
    return all(frame[name].null_count() == frame.height for name in frame.columns if name not in kept.columns)


def _wrong(names: tuple[str, ...], width: int, absent: str, dialect: Dialect) -> Iterator[Wrong]:
    """What no cell may hold in the dialect; one beyond the width may hold nothing at all."""
    yield from writing.unwritable(names[:width], dialect)
    yield from ((name, f"widths {width}", pl.col(name).is_not_null()) for name in names[width:])
    if not dialect.quote:
        for number, name in enumerate(names[:width], 1):
            # The end of a cell and the separator behind it may look like a separator that begins earlier.
            is_followed = number < width or dialect.trailing_delimiter
            behind = dialect.delimiter[:-1] if is_followed else ""
            cell = pl.col(name).fill_null(absent) + behind if behind else pl.col(name)
            yield name, f"delimiter {dialect.delimiter!r}", cell.str.contains(dialect.delimiter, literal=True)
            yield name, "line end", pl.col(name).str.contains_any(["\n", "\r"])
    place = {name: pl.col(name) for name in names[:width]}
    for case in dialect.shifted:
        if case.width == width:
            numbered = {str(number): pl.col(name) for number, name in enumerate(names[:width], 1)}
            moved = unshifted(case, place, numbered, dialect)
            yield from ((name, "shifted", moved[name].ne_missing(cell)) for name, cell in place.items())


def _quoted(cell: pl.Expr, dialect: Dialect) -> pl.Expr:
    """The cell in quotes where it needs them; a byte order mark is none inside quotes."""
    if not dialect.quote:
        return cell
    needs = cell.str.contains_any([dialect.delimiter, dialect.quote, "\n", "\r"]) | cell.str.starts_with(MARK)
    doubled = cell.str.replace_all(dialect.quote, dialect.quote * 2, literal=True)
    return pl.when(needs).then(dialect.quote + doubled + dialect.quote).otherwise(cell)


def _check_lines(lines: pl.Series, names: tuple[str, ...], before: int, dialect: Dialect) -> None:
    """Refuse a record that would pass for a blank line, and one over several lines that no reader would wait for."""
    long = (lines.str.len_bytes() > dialect.limits.field) & lines.str.contains("\n", literal=True)
    for reason, wrong in (("blank line", lines == ""), (f"limits.field {dialect.limits.field}", long)):
        if wrong.any():
            raise writing.inexpressible(dialect, names[0], reason, before + (wrong.arg_max() or 0) + 1)


def _absent(dialect: Dialect) -> str:
    """What stands where there is nothing."""
    word = dialect.nulls[0] if dialect.nulls else ""
    is_split = any(mark in word for mark in (dialect.delimiter, "\n", "\r", "\0"))
    if is_split or (dialect.quote and dialect.quote in word):
        raise MedpayError("dialect_fault", path=dialect.name, reason="nulls")
    return word


def _header(names: tuple[str, ...], dialect: Dialect) -> list[str]:
    """The lines of the header, each name as the partner writes it in the first."""
    headings = {name: heading for heading, name in [*dialect.headings.items()][::-1]}
    texts = pl.DataFrame({"name": [headings.get(name, name) for name in names]})
    quoted = texts.select(_quoted(pl.col("name"), dialect)).to_series().to_list()
    line = dialect.delimiter.join([*quoted, *[""] * dialect.trailing_delimiter])
    if "\n" in line or columns(line.encode(), dialect) != names or len(names) > dialect.limits.columns:
        raise MedpayError("dialect_fault", path=dialect.name, reason="headings")
    return [line, *[dialect.delimiter * (len(names) - 1 + dialect.trailing_delimiter)] * (dialect.heads - 1)]
