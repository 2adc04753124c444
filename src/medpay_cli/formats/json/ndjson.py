"""One JSON object per line: each is a record, or a message with records of several nodes.

Lines of flat records are split on their bytes (`flat`); what does not pass there, and any message, is read one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
import polars as pl

from medpay_cli.dialects import Dialect
from medpay_cli.errors import ReadError
from medpay_cli.formats import LINE, PATH, ROW, Batch, LineKind, Names, rows
from medpay_cli.formats.archive import Input
from medpay_cli.formats.cells import not_written
from medpay_cli.formats.encoding import UTF_8
from medpay_cli.formats.json import flat
from medpay_cli.formats.json.composing import Composer
from medpay_cli.formats.json.nodes import CELLS, Found, Records
from medpay_cli.formats.json.strict import MOST_DEEP, Malformed, Strict, TooDeep, kind
from medpay_cli.formats.rows import Fault
from medpay_cli.formats.text.cutting import Cut, Cutter

BLANKS = b" \t\r\n"
OBJECT = "{…}"

Task = Callable[[], Batch]


def scan(source: Input, dialect: Dialect, names: Names, width: int | None = None) -> Iterator[Task]:
    """Tasks that each make one Batch of one node. Raises ReadError for what stops the reading of a file."""
    with source.open() as stream:
        parts = Cutter(stream, replace(dialect, quote="", footer=()), source.part).parts()
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
            raise not_written(dialect, dialect.layout, f"{longest} B")
        out.write(composer.encoded("".join(f"{line}\n" for line in lines)))


def _messages(parts: Iterator[Cut], dialect: Dialect, names: Names) -> Iterator[Task]:
    records, before = Records(dialect, names), 0
    for cut in parts:
        lines = _lines(cut.block)
        for number, raw in enumerate(lines, before + 1):
            if not raw.strip(BLANKS):
                records.note(Fault("F104", None, number))
                continue
            _find(records, raw, dialect, is_open=cut.last and not cut.block.endswith(b"\n") and raw is lines[-1])
            records.take(number)
            yield from records.ready()
        before += len(lines)
        yield from records.rest(last=cut.last)


def _parts(parts: Iterator[Cut], dialect: Dialect, names: Names) -> Iterator[Task]:
    keys: flat.Keys | None = None
    for cut in parts:
        keys = keys or flat.Keys(_known(cut.block, dialect, names[None]))
        for part in _bounded(cut, max(len(keys.names), len(names[None]))):
            yield _Part(part, dialect, names, keys).read


def _bounded(cut: Cut, fields: int) -> Iterator[Cut]:
    """The same lines in parts that are no larger once every line has all fields."""
    middle = cut.block.find(b"\n", len(cut.block) // 2) + 1
    if cut.block.count(b"\n") * fields <= CELLS or middle in (0, len(cut.block)):
        yield cut
        return
    yield from _bounded(replace(cut, block=cut.block[:middle], last=False), fields)
    yield from _bounded(replace(cut, block=cut.block[middle:]), fields)


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
    """Find the records of a line, or refuse it; `is_open` means that its end is missing."""
    try:
        try:
            value = records.strict.whole(raw.decode())
        except (UnicodeDecodeError, Malformed) as err:
            if is_open:
                place = err.start if isinstance(err, UnicodeDecodeError) else err.at
                raise ReadError("F206", value=f"@ {place + 1}", expected=OBJECT) from None
            raise
        if not isinstance(value, dict):
            raise Malformed(kind(value), 0)
        records.visit(value, records.top, "")
        records.close()
    except UnicodeDecodeError as err:
        # From another encoding the byte is a stand-in.
        bad = f"0x{raw[err.start]:02x} @ {err.start + 1}" if dialect.encoding in (None, UTF_8) else None
        records.refuse(ReadError("F102", value=bad, expected=dialect.encoding or UTF_8))
    except Malformed as err:
        records.refuse(ReadError("F103", value=f"{err.at + 1}: {err.reason}", expected=OBJECT))
    except TooDeep:
        records.refuse(ReadError("F218", value=f"> {MOST_DEEP}", expected=f"<= {MOST_DEEP}"))
    except ReadError as err:
        records.refuse(err)


@dataclass(frozen=True)
class _Part:
    """Some lines, each a flat record, and how to read them."""

    cut: Cut
    dialect: Dialect
    names: Names
    keys: flat.Keys

    def read(self) -> Batch:
        """All at once, but for those that need a closer look."""
        lines = flat.split(self.cut.block, self.keys)
        slow = dict(self._looked_at(lines))
        blank = np.zeros(len(lines.ends), np.bool_)
        blank[[number for number, found in slow.items() if found is None]] = True
        row = np.cumsum(~blank)
        faults: list[Fault] = []
        for number, found in slow.items():
            at = number + 1
            faults += [Fault("F104", None, at)] if found is None else found.placed(int(row[number]), at, None)
        places = pl.DataFrame({ROW: row, LINE: np.arange(1, len(blank) + 1)}, {ROW: pl.UInt64, LINE: pl.UInt64})
        places = places.with_columns(pl.lit(None, pl.String).alias(PATH))
        text = places.with_columns(lines.cells.select(self.names[None]))
        readable = {number: found.cells for number, found in slow.items() if found and not found.code}
        if slow:
            columns = {name: [cells.get(name) for cells in readable.values()] for name in self.names[None]}
            more = places[list(readable)].with_columns(pl.DataFrame(columns, dict.fromkeys(columns, pl.String)))
            text = pl.concat([text.filter(~lines.left), more]).sort(ROW)
        # The bytes do not show what stands there escaped.
        is_odd = None if readable and not lines.is_odd else lines.is_odd
        made = rows.batch(None, text, faults, int(np.count_nonzero(~blank)), self.dialect, is_odd=is_odd)
        kinds = np.where(blank, LineKind.BLANK, LineKind.RECORD).astype(np.uint8)
        return replace(made, lines=len(blank), kinds=kinds)

    def _looked_at(self, lines: flat.Lines) -> Iterator[tuple[int, Found | None]]:
        """The lines left over by their number from 0; None for a blank one."""
        block, records = self.cut.block, Records(self.dialect, self.names)
        for number in np.flatnonzero(lines.left).tolist():
            raw = block[lines.ends[number - 1] + 1 if number else 0 : lines.ends[number]]
            if not raw.strip(BLANKS):
                yield number, None
                continue
            _find(records, raw, self.dialect, is_open=self.cut.last and lines.ends[number] == len(block))
            (found,) = records.found()
            yield number, found
