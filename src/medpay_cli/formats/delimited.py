"""Delimited text, read strictly: the width of every record is established on the bytes before Polars parses them.

Polars alone pads short records with nulls, drops a byte order mark or a stray carriage return at the start of a
buffer, and gives up on a long record; here each of these is seen first. A part of the file whose records all have
the same separators as its first one (nearly every part) goes to Polars whole, the rest is sorted out by width.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from medpay_cli import findings, money
from medpay_cli.dialects import Dialect, Shifted
from medpay_cli.errors import InternalError, ReadError
from medpay_cli.formats import LINE, ROW, Batch
from medpay_cli.formats.archive import Input
from medpay_cli.formats.header import BOM, LONGEST_LINE, check_header, columns
from medpay_cli.formats.quoting import tokens

PART = 16 << 20
PIECE = 1 << 18
LF, CR = 10, 13
BLANKS = " \t\u00a0\u3000"

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Whole = np.ndarray[tuple[int], np.dtype[np.int64]]
Fault = tuple[int, int, str, str | None]  # row, line, code, value
FAULT = {"row": pl.UInt64, "line": pl.UInt64, "code": pl.String, "value": pl.String}


def scan(
    source: Input, dialect: Dialect, names: tuple[str, ...], width: int | None = None
) -> Iterator[Callable[[], Batch]]:
    """Tasks that each read one part of the file into a Batch of the columns `names`, in file order.

    `width` is the one that holds for the whole file; without it the first part decides where the dialect needs
    one. Raises ReadError F204 for a line beyond the limit, F205 for a quote that never closes.
    """
    with source.open() as stream:
        rest = _line(stream.readline).removeprefix(BOM)
        header: tuple[str, ...] | None = None
        if dialect.header and rest:
            header, rest = columns(rest, dialect), b""
            check_header(header, names, dialect)
            dialect = replace(dialect, widths=(len(header),))
        first = True
        for block, last in _parts(stream, dialect, rest):
            part = _Part(block, dialect, names, header, width, last, starts_at=2 if first and header else 1)
            if first and width is None:
                width = dialect.held_width(part.read().fits)
                part = replace(part, width=width)
            first = False
            yield part.read


def _parts(stream: object, dialect: Dialect, rest: bytes) -> Iterator[tuple[bytes, bool]]:
    """Cut the stream after line ends (outside quotes), and say which part is the last."""
    read, readline = stream.read, stream.readline  # type: ignore[attr-defined]
    mark = dialect.quote.encode()
    waiting: bytes | None = None
    while block := rest + read(PART):
        rest = b""
        if not block.endswith(b"\n"):
            block += _line(readline)
        while mark and block.count(mark) % 2:
            more = _line(readline)
            if not more:
                raise ReadError("F205")
            block += more
        if waiting is not None:
            yield waiting, False
        waiting = block
    if waiting is not None:
        yield waiting, True


def _line(readline: Callable[[int], bytes]) -> bytes:
    line = readline(LONGEST_LINE)
    if len(line) == LONGEST_LINE:
        raise ReadError("F204", value=f"> {LONGEST_LINE}", expected=f"<= {LONGEST_LINE}")
    return line


@dataclass(frozen=True)
class _Group:
    """Records with the same number of fields: their row and line numbers, and one column per field (`1`, `2`, …),
    None where no width fits them."""

    size: int
    rows: Whole
    lines: Whole
    fields: pl.DataFrame | None


@dataclass(frozen=True)
class _Part:
    """Some whole records, and how to read them."""

    block: bytes
    dialect: Dialect
    names: tuple[str, ...]
    header: tuple[str, ...] | None
    width: int | None
    last: bool
    starts_at: int

    def read(self) -> Batch:
        """Split into fields, decide which records fit, and name their columns."""
        if self.dialect.quote and self.dialect.quote.encode() in self.block:
            groups, faults, records, lines = self._quoted()
        else:
            split = self._regular()
            groups, faults, records, lines = split if split is not None else self._irregular()
        return self._batch(groups, faults, records, lines)

    @property
    def _allowed(self) -> tuple[int, ...]:
        return (self.width,) if self.width is not None else self.dialect.widths

    def _regular(self) -> tuple[list[_Group], list[Fault], int, int] | None:
        """One group, if every record is as wide as the first one; None otherwise.

        Polars refuses a record with too many fields and pads one with too few. So where it accepts the part, and the
        part holds exactly the delimiters that full records have, no record can be short either.
        """
        raw = np.frombuffer(self.block, np.uint8)
        first = self.block.find(b"\n")
        size = self.block.count(self.dialect.delimiter.encode(), 0, first if first >= 0 else len(self.block)) + 1
        ends = _count(raw, LF)
        records = ends + int(raw[-1] != LF)
        if _count(raw, ord(self.dialect.delimiter)) != (size - 1) * records or self._is_tricky(raw, size):
            return None
        fields = self._parse(self.block, size)
        if fields is None:
            return None
        if fields.height != records:
            raise InternalError("tie_out", what="records", left=records, right=fields.height)
        if size not in self._allowed and fields.to_series(size - 1).null_count() < records:
            return None
        numbers = np.arange(records, dtype=np.int64)
        group = _Group(size, numbers + 1, numbers + self.starts_at, fields)
        return [group], [], records, records + self.starts_at - 1

    def _is_tricky(self, raw: Bytes, size: int) -> bool:
        """What Polars drops without a word at the ends of its buffer, a stray carriage return, and a blank line that
        could pass for a record of one field."""
        returns = _count(raw, CR)
        return (
            self.block.startswith((BOM, b"\r", b"\n"))
            or self.block.endswith((b"\r", self.dialect.delimiter.encode()))
            or (returns > 0 and returns != self.block.count(b"\r\n"))
            or (size == 1 and (b"\n\n" in self.block or b"\n\r\n" in self.block))
        )

    def _irregular(self) -> tuple[list[_Group], list[Fault], int, int]:
        """Group the lines by their number of fields; blank and undecodable lines become faults."""
        raw = np.frombuffer(self.block, np.uint8)
        ends = np.flatnonzero(raw == LF).astype(np.int64)
        if raw[-1] != LF:
            ends = np.append(ends, len(raw))
        starts = np.concatenate(([0], ends[:-1] + 1)).astype(np.int64)
        terminated = (ends < len(raw)) & (ends > starts)
        stops = ends - (terminated & (raw[np.maximum(ends - 1, 0)] == CR))
        delimiters = np.flatnonzero(raw == ord(self.dialect.delimiter))
        sizes = np.searchsorted(delimiters, stops) - np.searchsorted(delimiters, starts) + 1
        blank = stops == starts
        rows = np.cumsum(~blank)
        lines = np.arange(len(ends), dtype=np.int64) + self.starts_at
        faults: list[Fault] = [(0, int(line), "F104", None) for line in lines[blank]]
        odd = np.zeros(len(ends), bool)
        carriage = np.flatnonzero(raw == CR)
        owner = np.searchsorted(ends, carriage)
        odd[owner[carriage != stops[owner]]] = True
        # Polars drops a byte order mark at the start of its buffer: any line may come to stand there.
        marks = np.flatnonzero(raw == BOM[0])
        odd[np.searchsorted(ends, marks[np.isin(marks, starts)])] = True
        readable = ~blank
        for _ in range(2):
            groups = self._groups(starts, ends, stops, sizes, rows, lines, readable, odd)
            if groups is not None:
                break
            undecodable, values = self._undecodable(starts, stops)
            faults += [
                (int(rows[i]), int(lines[i]), "F102", value) for i, value in zip(undecodable, values, strict=True)
            ]
            readable[undecodable] = False
        else:
            raise InternalError("not_reproduced", what="undecodable lines")
        return groups, faults, int(rows[-1]), len(ends) + self.starts_at - 1

    def _groups(
        self, starts: Whole, ends: Whole, stops: Whole, sizes: Whole, rows: Whole, lines: Whole,
        readable: np.ndarray[tuple[int], np.dtype[np.bool_]], odd: np.ndarray[tuple[int], np.dtype[np.bool_]],
    ) -> list[_Group] | None:  # fmt: skip
        """The readable lines by their number of fields; None where some are not UTF-8."""
        raw = np.frombuffer(self.block, np.uint8)
        spans = np.minimum(ends + 1, len(raw)) - starts
        parsed = {width + more for width in self.dialect.widths for more in (0, 1)}
        groups = []
        try:
            for size in map(int, np.unique(sizes[readable])):
                chosen = readable & (sizes == size)
                plain = chosen & ~odd
                if size not in parsed:
                    # Ragged whatever they hold, and perhaps a hundred thousand fields wide: only looked at.
                    raw[np.repeat(chosen, spans)].tobytes().decode()
                    groups.append(_Group(size, rows[chosen], lines[chosen], None))
                    continue
                if plain.any():
                    fields = self._parse(raw[np.repeat(plain, spans)].tobytes(), size)
                    if fields is None:
                        return None
                    groups.append(_Group(size, rows[plain], lines[plain], fields))
                strange = np.flatnonzero(chosen & odd)
                if len(strange):
                    texts = [self.block[starts[number] : stops[number]].decode() for number in strange]
                    cells = [text.split(self.dialect.delimiter) for text in texts]
                    groups.append(_Group(size, rows[strange], lines[strange], _frame(cells)))
        except UnicodeDecodeError:
            return None
        return groups

    def _parse(self, block: bytes, size: int) -> pl.DataFrame | None:
        """Polars' parser; None where the bytes are not UTF-8 or a record has more fields than `size`."""
        try:
            return pl.read_csv(
                block, separator=self.dialect.delimiter, has_header=False, quote_char=None,
                schema={str(number + 1): pl.String for number in range(size)},
            )  # fmt: skip
        except pl.exceptions.ComputeError as err:
            if any(reason in str(err) for reason in ("utf-8", "more fields")):
                return None
            raise

    def _undecodable(self, starts: Whole, stops: Whole) -> tuple[Whole, list[str | None]]:
        """The lines that are not UTF-8, with their first bad byte where the file itself claims to be UTF-8."""
        bad, values = [], list[str | None]()
        for number, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
            try:
                self.block[start:stop].decode()
            except UnicodeDecodeError as err:
                bad.append(number)
                own = self.dialect.encoding == "utf-8"
                values.append(f"0x{err.object[err.start]:02x} @ {err.start + 1}" if own else None)
        return np.array(bad, np.int64), values

    def _quoted(self) -> tuple[list[_Group], list[Fault], int, int]:
        """Records with quoted fields, token by token: correct before fast."""
        text = self.block.decode(errors="surrogateescape")
        records, line_count = tokens(text, self.dialect)
        faults: list[Fault] = []
        by_size: dict[int, list[tuple[int, int, list[str]]]] = {}
        row = 0
        for line, cells in records:
            number = line + self.starts_at - 1
            if cells == [""]:
                faults.append((0, number, "F104", None))
                continue
            row += 1
            if not cells:
                faults.append((row, number, "F106", None))
            elif any(SURROGATE.search(cell) for cell in cells):
                faults.append((row, number, "F102", None))
            else:
                by_size.setdefault(len(cells), []).append((row, number, cells))
        groups = [
            _Group(
                size,
                np.array([r for r, _, _ in found], np.int64),
                np.array([n for _, n, _ in found], np.int64),
                _frame([cells for _, _, cells in found]),
            )
            for size, found in by_size.items()
        ]
        return groups, faults, row, line_count + self.starts_at - 1

    def _batch(self, groups: list[_Group], faults: list[Fault], records: int, lines: int) -> Batch:
        found = Counter[int]()
        fits = Counter[int]()
        texts: list[pl.DataFrame] = []
        ragged: list[pl.DataFrame] = []
        for group in groups:
            found[group.size] += len(group.rows)
            numbers = {ROW: pl.Series(group.rows, dtype=pl.UInt64), LINE: pl.Series(group.lines, dtype=pl.UInt64)}
            if group.fields is None:
                ragged.append(pl.DataFrame(numbers).select(*_fault_of(group.size)))
                continue
            spare = group.fields.to_series(group.size - 1).null_count()
            if group.size in self.dialect.widths:
                fits[group.size] += len(group.rows)
            if group.size - 1 in self.dialect.widths:
                fits[group.size - 1] += spare
            frame = group.fields.with_columns(**numbers)
            if group.size in self._allowed:
                width = group.size
            elif group.size - 1 in self._allowed and spare:
                width = group.size - 1
                ragged.append(frame.filter(pl.col(str(group.size)).is_not_null()).select(*_fault_of(group.size)))
                frame = frame.filter(pl.col(str(group.size)).is_null())
            else:
                ragged.append(frame.select(*_fault_of(group.size)))
                continue
            texts.append(self._named(frame, width))
        text = pl.concat(texts) if texts else _empty(self.names)
        if len(texts) > 1:
            text = text.sort(ROW)
        wrong = pl.concat([pl.DataFrame(faults, FAULT, orient="row"), *ragged])
        text, trimmed = self._trimmed(text)
        return Batch(text, self._findings(wrong, records, trimmed), records, lines, dict(fits), self.width, dict(found))

    def _named(self, frame: pl.DataFrame, width: int) -> pl.DataFrame:
        """The layout's columns out of a record's fields; literal nulls become absent."""
        names = self.header if self.header is not None else self.names[:width]
        place = {name: pl.col(str(number)) for number, name in enumerate(names, 1)}
        for case in self.dialect.shifted:
            if case.width == width:
                place |= _unshifted(case, place, self.dialect)
        return frame.select(
            ROW,
            LINE,
            *(
                _absent(place[name], self.dialect).alias(name) if name in place else pl.lit(None, pl.String).alias(name)
                for name in self.names
            ),
        )

    def _trimmed(self, text: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
        if not self.dialect.trim:
            return text, []
        cells = {name: pl.col(name).str.strip_chars(BLANKS) for name in self.names}
        notes = [
            findings.frame(
                "F105",
                text.filter(cell != pl.col(name)),
                row=pl.col(ROW),
                line=pl.col(LINE),
                field=name,
                value=pl.col(name),
            )
            for name, cell in cells.items()
        ]
        stripped = text.with_columns(pl.when(cell != "").then(cell).alias(name) for name, cell in cells.items())
        return stripped, [note for note in notes if not note.is_empty()]

    def _findings(self, wrong: pl.DataFrame, records: int, notes: list[pl.DataFrame]) -> pl.DataFrame:
        expected = " | ".join(str(width) for width in self._allowed)
        if self.last and not self.block.endswith(b"\n") and not wrong.is_empty():
            short = (pl.col("code") == "F101") & (pl.col("row") == records)
            short &= pl.col("value").cast(pl.UInt32, strict=False) < min(self._allowed)
            wrong = wrong.with_columns(code=pl.when(short).then(pl.lit("F206")).otherwise("code"))
        frames = [
            findings.frame(
                str(code),
                rows,
                row=pl.when(pl.col("row") > 0).then("row"),
                line=pl.col("line"),
                value=pl.col("value"),
                expected=expected if code in ("F101", "F206") else self.dialect.encoding if code == "F102" else None,
            )
            for (code,), rows in wrong.partition_by("code", as_dict=True, maintain_order=True).items()
        ]
        together = pl.concat([findings.none(), *frames, *notes])
        return together.sort("line", "field", "code", maintain_order=True)


def _count(raw: Bytes, byte: int) -> int:
    """How often a byte occurs; in pieces that stay in the processor's cache, for half the time of one sweep."""
    return sum(int(np.count_nonzero(raw[at : at + PIECE] == byte)) for at in range(0, len(raw), PIECE))


SURROGATE = re.compile("[\ud800-\udfff]")


def _unshifted(case: Shifted, place: dict[str, pl.Expr], dialect: Dialect) -> dict[str, pl.Expr]:
    """The fields of a record in which column `skip` is none, wherever the case's conditions hold."""
    is_amount = money.grammar(16, 2)
    columns = {number: _absent(pl.col(str(number)), dialect) for number in range(1, case.width + 1)}
    holds = pl.all_horizontal(
        *(columns[number].is_null() for number in case.empty),
        *(columns[number].str.contains(is_amount).fill_null(value=False) for number in case.amount),
        *(~columns[number].str.contains(is_amount).fill_null(value=False) for number in case.not_amount),
    )
    kept = [number for number in columns if number != case.skip]
    return {
        name: pl.when(holds).then(pl.col(str(kept[index])) if index < len(kept) else None).otherwise(cell)
        for index, (name, cell) in enumerate(place.items())
    }


def _absent(cell: pl.Expr, dialect: Dialect) -> pl.Expr:
    if len(dialect.nulls) == 1:
        return pl.when(cell != dialect.nulls[0]).then(cell)
    return pl.when(~cell.is_in(dialect.nulls)).then(cell) if dialect.nulls else cell


def _fault_of(size: int) -> tuple[pl.Expr, ...]:
    return (
        pl.col(ROW).alias("row"),
        pl.col(LINE).alias("line"),
        pl.lit("F101").alias("code"),
        pl.lit(str(size)).alias("value"),
    )


def _frame(cells: list[list[str]]) -> pl.DataFrame:
    frame = pl.DataFrame(
        {str(number + 1): [record[number] for record in cells] for number in range(len(cells[0]))},
        schema_overrides={str(number + 1): pl.String for number in range(len(cells[0]))},
    )
    return frame.with_columns(pl.when(pl.all() != "").then(pl.all()))


def _empty(names: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(schema={ROW: pl.UInt64, LINE: pl.UInt64, **dict.fromkeys(names, pl.String)})
