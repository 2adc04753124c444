"""One JSON object per line: each is a record, or a message with records of several nodes.

Lines of flat records are split on their bytes (`flat`); what does not pass there, and every message, is read one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import polars as pl

from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats import LINE, PATH, ROW, Batch, LineKind, Names, flat, rows
from medpay_cli.formats.archive import Input
from medpay_cli.formats.composing import Composer
from medpay_cli.formats.cutting import Cut, Cutter
from medpay_cli.formats.nodes import Found, Records
from medpay_cli.formats.rows import Fault
from medpay_cli.formats.strict import MOST_DEEP, Malformed, Strict, TooDeep, kind

BLANKS = b" \t\r\n"

Task = Callable[[], Batch]


def scan(source: Input, dialect: Dialect, names: Names, width: int | None = None) -> Iterator[Task]:
    """Tasks that each make one Batch of one node. Raises ReadError for what stops the reading of a file."""
    with source.open() as stream:
        parts = Cutter(stream, replace(dialect, quote="", footer=())).parts()
        yield from _messages(parts, dialect, names) if dialect.nodes else _parts(parts, dialect, names)


def write(out: BinaryIO, dialect: Dialect, names: Names, chunks: Iterable[Mapping[str | None, pl.DataFrame]]) -> None:
    """Write a line for each record of the outermost node, or for each chunk where there is none. Raises MedpayError."""
    composer = Composer(dialect, names)
    for chunk in chunks:
        if all(frame.is_empty() for frame in chunk.values()):
            continue
        lines = composer.messages(chunk)
        longest = max((len(line.encode()) for line in lines), default=0)
        if longest > dialect.limits.line:
            raise MedpayError("not_in_json", dialect=dialect.name, node=None, reason=f"{longest} B")
        out.write(composer.encoded("".join(f"{line}\n" for line in lines)))


def _messages(parts: Iterator[Cut], dialect: Dialect, names: Names) -> Iterator[Task]:
    records, before = Records(dialect, names), 0
    for cut in parts:
        lines = _lines(cut.block)
        for number, raw in enumerate(lines, before + 1):
            if not raw.strip(BLANKS):
                records.note(Fault("F104", None, number))
                continue
            try:
                _find(records, raw, dialect, is_open=cut.last and not cut.block.endswith(b"\n") and raw is lines[-1])
                records.take(number)
            except ReadError as err:
                records.refuse(err.code, err.value, err.expected, number)
            yield from records.ready()
        before += len(lines)
        yield from records.rest(last=cut.last)


def _parts(parts: Iterator[Cut], dialect: Dialect, names: Names) -> Iterator[Task]:
    keys: flat.Keys | None = None
    for cut in parts:
        keys = keys or flat.Keys(_known(cut.block, dialect, names[None]))
        yield _Part(cut, dialect, names, keys).read


def _known(block: bytes, dialect: Dialect, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names that lines may hold without a closer look: where there may be others, those of the first line."""
    if len(names) > dialect.limits.columns:
        return ()
    if dialect.other_columns:
        try:
            first = Strict().whole(block.partition(b"\n")[0].decode())
        except (UnicodeDecodeError, Malformed, TooDeep):
            return names
        if isinstance(first, dict) and len(first) <= dialect.limits.columns:
            return (*names, *(key for key in first if key not in names))
    return names


def _lines(block: bytes) -> list[bytes]:
    lines = block.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def _find(records: Records, raw: bytes, dialect: Dialect, is_open: bool) -> None:
    """Find the records of a line. Raises ReadError with what is wrong with it; `is_open` means that its end is
    missing."""
    try:
        try:
            value = records.strict.whole(raw.decode())
        except (UnicodeDecodeError, Malformed) as err:
            if is_open:
                place = err.start if isinstance(err, UnicodeDecodeError) else err.at
                raise ReadError("F206", value=f"@ {place + 1}", expected="{…}") from None
            raise
        if not isinstance(value, dict):
            raise Malformed(kind(value), 0)
        records.visit(value, records.top, "")
        records.close()
    except UnicodeDecodeError as err:
        # From another encoding the byte is a stand-in.
        bad = f"0x{raw[err.start]:02x} @ {err.start + 1}" if dialect.encoding in (None, "utf-8") else None
        raise ReadError("F102", value=bad, expected=dialect.encoding or "utf-8") from None
    except Malformed as err:
        raise ReadError("F103", value=f"{err.at + 1}: {err.reason}", expected="{…}") from None
    except TooDeep:
        raise ReadError("F218", value=f"> {MOST_DEEP}", expected=f"<= {MOST_DEEP}") from None


@dataclass(frozen=True)
class _Part:
    """Some lines, each a flat record, and how to read them."""

    cut: Cut
    dialect: Dialect
    names: Names
    keys: flat.Keys

    def read(self) -> Batch:
        """All at once, but for those that need a closer look."""
        block, names = self.cut.block, self.names[None]
        lines = flat.split(block, self.keys)
        size = len(lines.ends)
        blank = np.zeros(size, np.bool_)
        met: list[tuple[int, Found | ReadError]] = []
        records = Records(self.dialect, self.names)
        for number in np.flatnonzero(lines.left).tolist():
            raw = block[lines.ends[number - 1] + 1 if number else 0 : lines.ends[number]]
            if not raw.strip(BLANKS):
                blank[number] = True
                continue
            try:
                _find(records, raw, self.dialect, is_open=self.cut.last and lines.ends[number] == len(block))
                met += [(number, found) for found in records.found()]
            except ReadError as err:
                met.append((number, err))
                records.found()
        row = np.cumsum(~blank)
        faults = [Fault("F104", None, number + 1) for number in np.flatnonzero(blank).tolist()]
        slow: list[tuple[int, Found]] = []
        for number, one in met:
            at = {"row": int(row[number]), "line": number + 1}
            if isinstance(one, ReadError):
                faults.append(Fault(one.code, **at, value=one.value, expected=one.expected))
            elif one.code:
                faults.append(Fault(one.code, **at, value=one.value))
            else:
                slow.append((number, one))
                faults += [Fault(code, **at, field=name, value=value) for code, name, value in one.faults]
        places = {ROW: pl.Series(row, dtype=pl.UInt64), LINE: pl.int_range(1, size + 1, dtype=pl.UInt64, eager=True)}
        text = pl.DataFrame(places).with_columns(pl.lit(None, pl.String).alias(PATH), *lines.cells.select(names))
        text = text.filter(~lines.left) if lines.left.any() else text
        if slow:
            chosen = [number for number, _ in slow]
            frame = pl.DataFrame(
                {name: [found.cells.get(name) for _, found in slow] for name in names}, dict.fromkeys(names, pl.String)
            )
            read = pl.DataFrame(places)[chosen].with_columns(pl.lit(None, pl.String).alias(PATH), *frame)
            text = pl.concat([text, read]).sort(ROW)
        made = rows.batch(
            None, text, faults, int((~blank).sum()), self.dialect, is_odd=None if slow and not lines.is_odd else lines.is_odd
        )
        return replace(made, lines=size, kinds=np.where(blank, LineKind.BLANK, LineKind.RECORD).astype(np.uint8))
