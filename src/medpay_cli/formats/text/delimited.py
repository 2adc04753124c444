"""Delimited text, read strictly: the width of every record is established on the bytes before Polars parses them.

Polars alone pads short records with nulls, drops a byte order mark or a stray carriage return at the start of a
buffer, and gives up on a long record; here each of these is seen first. A part of the file whose records all have
the same separators as its first one (nearly every part) goes to Polars whole, the rest is sorted out by width.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from medpay_cli import characters, findings
from medpay_cli.characters import CR, LF, count
from medpay_cli.dialects import Dialect, Shifted
from medpay_cli.errors import InternalError
from medpay_cli.formats import LINE, ROW, Batch, LineKind, Names
from medpay_cli.formats.archive import Input
from medpay_cli.formats.cells import AMOUNT, absent, trimmed, unshifted
from medpay_cli.formats.lines import Span
from medpay_cli.formats.text.cutting import BOM, Cut, Cutter
from medpay_cli.formats.text.header import check_header, columns
from medpay_cli.formats.text.joining import write
from medpay_cli.formats.text.quoting import cells
from medpay_cli.formats.text.separators import shortened
from medpay_cli.formats.text.sifting import Lines, is_odd, parsed
from medpay_cli.sieves import Patterns, Sieve, Sifted

__all__ = ("scan", "write")

# One that a part does not hold stands for a line end inside quotes while Polars parses.
# How zlib, gzip and zstd begin.
PACKED = (b"x", b"\x1f", b"(")
STAND_INS = tuple(bytes([byte]) for byte in range(0x1E, 0x0D, -1))

# Where one line in so many does not pass a sieve, all columns are read.
SUSPICIOUS = 4

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Whole = np.ndarray[tuple[int], np.dtype[np.int64]]
Fault = tuple[int, int, str, str | None]  # row, line, code, value
FAULT = {"row": pl.UInt64, "line": pl.UInt64, "code": pl.String, "value": pl.String}


def scan(
    source: Input, dialect: Dialect, fields: Names, width: int | None = None, sieve: Sieve | None = None
) -> Iterator[Callable[[], Batch]]:
    """Tasks that each read one part of the file into a Batch of the columns `fields[None]`, in file order; with a
    `sieve` only what it wants of lines that pass it.

    `width` is the one that holds for the whole file; without it the first part decides where the dialect needs
    one. Raises ReadError for what stops the reading of a file.
    """
    names = fields[None]
    with source.open() as stream:
        cutter = Cutter(stream, dialect, source.part)
        cutter.skip()
        header: tuple[str, ...] | None = None
        if dialect.header and (line := cutter.record()):
            header = columns(line, dialect, [cutter.record() for _ in range(dialect.heads - 1)])
            check_header(header, names, dialect, line, iter(cutter.line, b""))
            dialect = replace(dialect, widths=(len(header),))
        chances = _Chances()
        for number, cut in enumerate(cutter.parts()):
            part = _Part(cut, dialect, names, header, width, sieve, chances)
            if number == 0 and width is None:
                width = dialect.held_width(part.read().fits)
                part = replace(part, width=width)
            yield part.read


@dataclass(frozen=True)
class _Group:
    """Records with the same number of fields: their row and line numbers, and one column per field (`1`, `2`, …),
    None where no width fits them."""

    size: int
    rows: Whole
    lines: Whole
    fields: pl.DataFrame | None


@dataclass(frozen=True)
class _Split:
    """The records of a part by their size; the lines where records begin, blank lines, and what is wrong so far."""

    groups: list[_Group]
    lines: Whole
    blank: Whole = field(default_factory=lambda: np.empty(0, np.int64))
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class _Spans:
    """Where records begin and end in the bytes (`stops` is before the line end), and what is known of each."""

    starts: Whole
    ends: Whole
    stops: Whole
    sizes: Whole
    rows: Whole
    lines: Whole


@dataclass
class _Chances:
    """Of the parts of a file that go through a sieve: where that did not help, the next ones are not tried."""

    AFTER = 15

    passed_over: int = 0

    def lose(self) -> None:
        """It did not help."""
        self.passed_over = self.AFTER

    def has_one(self) -> bool:
        """Whether the next part is tried. Parts are read at the same time: a miscount costs time only."""
        if self.passed_over > 0:
            self.passed_over -= 1
            return False
        return True


@dataclass(frozen=True)
class _Part:
    """Some whole records, and how to read them; a delimiter was `longer` than it is now by so many bytes."""

    cut: Cut
    dialect: Dialect
    names: tuple[str, ...]
    header: tuple[str, ...] | None
    width: int | None
    sieve: Sieve | None = None
    chances: _Chances = field(default_factory=_Chances)
    longer: int = 0

    def read(self) -> Batch:
        """Split into fields, decide which records fit, and name their columns."""
        longer = len(self.dialect.delimiter) - 1
        short = shortened(self.cut, self.dialect) if longer else None
        return replace(self, cut=short[0], dialect=short[1], longer=longer)._read() if short else self._read()

    def _read(self) -> Batch:
        if (sifted := self._sifted()) is not None:
            return sifted
        empty = np.empty(0, np.int64)
        split = (self._regular() or self._irregular()) if self.cut.block else _Split([], empty)
        if self.cut.unclosed:
            line = self.cut.block.count(b"\n") + self.cut.head + 1
            fault = (len(split.lines) + 1, line, "F205", None)
            split = replace(split, lines=np.append(split.lines, line), faults=[*split.faults, fault])
        return self._batch(split)

    def _cases(self, width: int) -> list[Shifted]:
        """How records of a width may have a column too many."""
        return [case for case in self.dialect.shifted if case.width == width]

    @property
    def _allowed(self) -> tuple[int, ...]:
        return (self.width,) if self.width is not None else self.dialect.widths

    @cached_property
    def _is_quoted(self) -> bool:
        return bool(self.dialect.quote) and self.dialect.quote.encode() in self.cut.block

    @cached_property
    def _ends(self) -> int:
        """How many line ends there are; numpy counts without the interpreter's lock."""
        return count(np.frombuffer(self.cut.block, np.uint8), LF)

    @cached_property
    def _holds_line_ends(self) -> bool:
        """Whether line ends stand inside quotes."""
        return self._is_quoted and self.cut.block.count(b"\n") != self.cut.shape.count(b"\n")

    @cached_property
    def _stand_in(self) -> bytes | None:
        """For line ends inside quotes, if there are any."""
        return next((byte for byte in STAND_INS if byte not in self.cut.block), None) if self._holds_line_ends else None

    @cached_property
    def _body(self) -> bytes:
        """The bytes to parse: every line end is one of the records."""
        if self._stand_in is None:
            return self.cut.block
        raw, shape = (np.frombuffer(part, np.uint8) for part in (self.cut.block, self.cut.shape))
        body = raw.copy()
        body[(raw == LF) & (shape != LF)] = self._stand_in[0]
        return body.tobytes()

    @property
    def _is_plain_only(self) -> bool:
        """Whether no byte is left that could stand for what Polars must not see."""
        return len(self.dialect.delimiter) > 1 or (self._holds_line_ends and self._stand_in is None)

    def _regular(self) -> _Split | None:
        """One group, if every record is as wide as the first one; None otherwise.

        Polars refuses a record with too many fields and pads one with too few. So where it accepts the part, and the
        part holds exactly the delimiters that full records have, no record can be short either.
        """
        if self.cut.broken or self._is_plain_only:
            return None
        shape = self.cut.shape
        raw = np.frombuffer(shape, np.uint8)
        first = shape.find(b"\n")
        size = shape.count(self.dialect.delimiter.encode(), 0, first if first >= 0 else len(shape)) + 1
        ends = count(raw, LF)
        records = ends + int(raw[-1] != LF)
        if count(raw, ord(self.dialect.delimiter)) != (size - 1) * records or self._is_tricky(raw, size):
            return None
        fields = self._parse(self._body, size)
        if fields is None:
            return None
        if fields.height != records:
            raise InternalError("tie_out", what="records", left=records, right=fields.height)
        if size not in self._allowed and fields.to_series(size - 1).null_count() < records:
            return None
        lines = np.arange(records, dtype=np.int64) + self.cut.head + 1
        if self._holds_line_ends:
            lines = self._line_of(np.concatenate(([0], np.flatnonzero(raw == LF)[: records - 1] + 1)).astype(np.int64))
        return _Split([_Group(size, np.arange(1, records + 1, dtype=np.int64), lines, fields)], lines)

    def _sieved(self) -> tuple[Sieve, tuple[str, ...], int, Patterns] | None:
        """The sieve, the columns, how many fields a line has, and the patterns that it must match, where the lines of
        the part may go through the sieve."""
        sieve, block, mark = self.sieve, self.cut.block, self.dialect.delimiter
        is_plain = not (self._is_quoted or self._is_plain_only or self.cut.unclosed or self.dialect.trim)
        if sieve is None or not block or not is_plain or block[:1] in PACKED or not self.chances.has_one():
            return None
        first = block.find(b"\n")
        size = block.count(mark.encode(), 0, first if first >= 0 else len(block)) + 1
        width = next((one for one in (size, size - 1) if one in self._allowed), 0)
        columns = self.header or self.names[:width]
        # A record that has such amounts cannot be a shifted one.
        cases = self._cases(width)
        placed = {columns[at - 1] for case in cases for at in case.not_amount}
        is_told = all(case.not_amount for case in cases)
        if not (is_told and all(f"^{sieve.patterns.get(name)}$" == AMOUNT for name in placed)):
            return None
        sieve = replace(sieve, required=sieve.required | placed)
        if width != len(columns) or self._is_tricky(np.frombuffer(block, np.uint8), size):
            return None
        given = {name: value for name, value in self.dialect.values.items() if name not in columns}
        is_given = any(name in given for name, _ in sieve.amounts)
        patterns = (
            None if is_given else sieve.lines((*columns, *("",) * (size - width)), mark, self.dialect.nulls, given)
        )
        return (sieve, columns, size, patterns) if patterns and columns else None

    def _sifted(self) -> Batch | None:
        """The part where its lines go through the sieve and all have the same number of fields; None otherwise.

        A line that passes has the delimiters of a full record, for no pattern matches one; those of the others are
        counted.
        """
        found = self._sieved()
        if found is None:
            return None
        sieve, columns, size, patterns = found
        block, mark = self.cut.block, self.dialect.delimiter
        records = self._ends + (not block.endswith(b"\n"))
        lines = Lines.of(block, patterns, mark, self.dialect.nulls)
        if lines is None or len(lines.text) != records or lines.longest > self.dialect.limits.field:
            return None
        places = np.arange(1, records + 1, dtype=np.int64)
        numbers = pl.DataFrame({ROW: places, LINE: places + self.cut.head}, {ROW: pl.UInt64, LINE: pl.UInt64})

        def whole(chosen: pl.Series) -> pl.DataFrame | None:
            """All columns of some lines, where they are as wide as the others."""
            some, here = lines.joined(chosen), numbers.filter(chosen)
            is_plain = lines.are_full(chosen, mark, size) and not is_odd(some, mark)
            fields = self._parse(some, size) if some and is_plain else None
            if not some:
                fields = pl.DataFrame(schema=_columns(size))
            if fields is None or fields.height != here.height:
                return None
            is_wider = len(columns) < size and fields.to_series(size - 1).null_count() < here.height
            return None if is_wider else self._named(fields.hstack(here), len(columns))

        every: list[pl.DataFrame] = []

        def again(chosen: pl.Series) -> pl.DataFrame:
            """The same, where they have been looked at already; where many are chosen, others will be."""
            if not every and int(chosen.sum()) * SUSPICIOUS > records:
                self.chances.lose()
                fields = self._parse(block, size)
                every.extend([self._named(fields.hstack(numbers), len(columns))] if fields is not None else [])
            found = every[0].filter(chosen) if every else whole(chosen)
            if found is None:
                raise InternalError("not_reproduced", what="lines")
            return found

        suspects = whole(~lines.passing) if lines.refused * SUSPICIOUS <= records else None
        if suspects is None:
            self.chances.lose()
            return None
        words, amounts = parsed(block, columns, size, sieve, mark)
        if lines.has_nulls:
            words = words.select(absent(pl.col(name), self.dialect) for name in words.columns)
        lacking = [pl.lit(None, pl.String).alias(name) for name in sieve.words if name not in columns]
        text = numbers.hstack(words).with_columns(lacking)
        if self._cases(len(columns)):
            text = pl.concat([text.filter(lines.passing), suspects.select(text.columns)]).sort(ROW)
        lacking = [
            pl.lit(None, pl.Decimal(38, scale)).alias(name) for name, scale in sieve.amounts if name not in columns
        ]
        amounts = numbers.hstack(amounts).with_columns(lacking).drop(ROW, LINE)
        fits = {size: records} if size in self.dialect.widths else {}
        if size - 1 in self.dialect.widths:
            fits[size - 1] = lines.spare(mark)
        batch = self._made(_Split([], numbers[LINE].to_numpy()), text, findings.none(), fits, {size: records}, size)
        # Of other line ends nobody knows here how long they are.
        lengths = lines.lengths if b"\r" not in block and self.longer == 0 else None
        span = None if lengths is None else Span(self.cut.at, self.cut.head + 1, lengths)
        return replace(batch, sifted=Sifted(suspects, amounts, again), span=span)

    def _is_tricky(self, raw: Bytes, size: int) -> bool:
        """What Polars drops without a word at the ends of its buffer, a stray carriage return, and a blank line that
        could pass for a record of one field."""
        shape = self.cut.shape
        returns = count(raw, CR) if b"\r" in shape else 0
        return (
            shape.startswith((BOM, b"\r", b"\n"))
            or shape.endswith((b"\r", self.dialect.delimiter.encode()))
            or (returns > 0 and returns != shape.count(b"\r\n"))
            or (size == 1 and (b"\n\n" in shape or b"\n\r\n" in shape or self._is_quoted))
        )

    def _line_of(self, starts: Whole) -> Whole:
        """The line in which each of these bytes stands."""
        ends = np.flatnonzero(np.frombuffer(self.cut.block, np.uint8) == LF)
        return np.searchsorted(ends, starts).astype(np.int64) + self.cut.head + 1

    def _irregular(self) -> _Split:
        """Group the records by their number of fields; blank and undecodable ones become faults."""
        raw = np.frombuffer(self.cut.shape, np.uint8)
        ends = np.flatnonzero(raw == LF).astype(np.int64)
        if raw[-1] != LF:
            ends = np.append(ends, len(raw))
        starts = np.concatenate(([0], ends[:-1] + 1)).astype(np.int64)
        terminated = (ends < len(raw)) & (ends > starts)
        stops = ends - (terminated & (raw[np.maximum(ends - 1, 0)] == CR))
        delimiters = self._delimiters()
        sizes = np.searchsorted(delimiters, stops) - np.searchsorted(delimiters, starts) + 1
        blank = stops == starts
        rows = np.cumsum(~blank)
        lines = self._line_of(starts)
        faults: list[Fault] = [(0, int(line), "F104", None) for line in lines[blank]]
        odd = np.zeros(len(ends), bool)
        carriage = np.flatnonzero(raw == CR)
        owner = np.searchsorted(ends, carriage)
        odd[owner[carriage != stops[owner]]] = True
        # Polars drops a byte order mark at the start of its buffer: any line may come to stand there.
        marks = np.flatnonzero(raw == BOM[0])
        odd[np.searchsorted(ends, marks[(marks == 0) | (raw[marks - 1] == LF)])] = True
        if self._is_quoted:
            odd |= sizes == 1  # "" alone is a record, an empty line is none
        if self._is_plain_only:
            odd[:] = True
        broken = np.zeros(len(ends), bool)
        broken[np.searchsorted(starts, self.cut.broken)] = True
        faults += [(int(rows[i]), int(lines[i]), "F106", None) for i in np.flatnonzero(broken)]
        readable = ~blank & ~broken
        for _ in range(2):
            groups = self._groups(_Spans(starts, ends, stops, sizes, rows, lines), readable, odd)
            if groups is not None:
                break
            undecodable, values = self._undecodable(starts, stops, readable)
            faults += [
                (int(rows[i]), int(lines[i]), "F102", value) for i, value in zip(undecodable, values, strict=True)
            ]
            readable[undecodable] = False
        else:
            raise InternalError("not_reproduced", what="undecodable lines")
        return _Split(groups, lines[~blank], lines[blank], faults)

    def _delimiters(self) -> Whole:
        """Where each one begins."""
        mark, shape = self.dialect.delimiter.encode(), self.cut.shape
        if len(mark) > 1:
            return np.array([found.start() for found in re.finditer(re.escape(mark), shape)], np.int64)
        return np.flatnonzero(np.frombuffer(shape, np.uint8) == mark[0]).astype(np.int64)

    def _groups(self, spans: _Spans, readable: Flags, odd: Flags) -> list[_Group] | None:
        """The readable records by their number of fields; None where some are not UTF-8."""
        raw = np.frombuffer(self._body, np.uint8)
        lengths = np.minimum(spans.ends + 1, len(raw)) - spans.starts
        parsed = {width + more for width in self.dialect.widths for more in (0, 1)}
        groups = []
        try:
            for size in np.flatnonzero(np.bincount(spans.sizes[readable])).tolist():
                chosen = readable & (spans.sizes == size)
                plain = chosen & ~odd
                if size not in parsed:
                    # Ragged whatever they hold, and perhaps a hundred thousand fields wide: only looked at.
                    raw[np.repeat(chosen, lengths)].tobytes().decode()
                    groups.append(_Group(size, spans.rows[chosen], spans.lines[chosen], None))
                    continue
                if plain.any():
                    fields = self._parse(raw[np.repeat(plain, lengths)].tobytes(), size)
                    if fields is None:
                        return None
                    groups.append(_Group(size, spans.rows[plain], spans.lines[plain], fields))
                strange = np.flatnonzero(chosen & odd)
                if len(strange):
                    cells = [self._cells(spans.starts[number], spans.stops[number]) for number in strange]
                    groups.append(_Group(size, spans.rows[strange], spans.lines[strange], _frame(cells)))
        except UnicodeDecodeError:
            return None
        return groups

    def _cells(self, start: int, stop: int) -> list[str]:
        record = self.cut.block[start:stop]
        return cells(record, self.dialect) if self._is_quoted else record.decode().split(self.dialect.delimiter)

    def _parse(self, block: bytes, size: int) -> pl.DataFrame | None:
        """Polars' parser; None where the bytes are not UTF-8 or a record has more fields than `size`."""
        # Polars unpacks bytes that begin like an archive: then a record of our own stands before them.
        is_masked = block[:1] in PACKED
        if is_masked:
            block = b"0" + self.dialect.delimiter.encode() * (size - 1) + b"\n" + block
        try:
            fields = pl.read_csv(
                block, separator=self.dialect.delimiter, has_header=False,
                quote_char=self.dialect.quote if self._is_quoted else None,
                schema=_columns(size),
            )  # fmt: skip
        except pl.exceptions.ComputeError as err:
            if any(reason in str(err) for reason in ("utf-8", "more fields")):
                return None
            raise
        if is_masked:
            fields = fields.slice(1)
        if self._stand_in is not None:
            fields = fields.with_columns(pl.all().str.replace_all(self._stand_in.decode(), "\n", literal=True))
        return fields.with_columns(pl.when(pl.all() != "").then(pl.all())) if self._is_quoted else fields

    def _undecodable(self, starts: Whole, stops: Whole, readable: Flags) -> tuple[Whole, list[str | None]]:
        """The records that are not UTF-8, with their first bad byte where the file itself claims to be UTF-8: from
        another encoding it is a stand-in."""
        bad, values = [], list[str | None]()
        for number in np.flatnonzero(readable).tolist():
            try:
                self.cut.block[starts[number] : stops[number]].decode()
            except UnicodeDecodeError as err:
                bad.append(number)
                own = self.dialect.encoding == "utf-8"
                at = err.start + 1 + self.longer * err.object.count(self.dialect.delimiter.encode(), 0, err.start)
                values.append(f"0x{err.object[err.start]:02x} @ {at}" if own else None)
        return np.array(bad, np.int64), values

    def _batch(self, split: _Split) -> Batch:
        found = Counter[int]()
        fits = Counter[int]()
        texts: list[pl.DataFrame] = []
        ragged: list[pl.DataFrame] = []
        for group in split.groups:
            found[group.size] += len(group.rows)
            numbers = {ROW: pl.Series(group.rows, dtype=pl.UInt64), LINE: pl.Series(group.lines, dtype=pl.UInt64)}
            if group.fields is None:
                ragged.append(pl.DataFrame(numbers).select(*self._wrong(group.size)))
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
                ragged.append(frame.filter(pl.col(str(group.size)).is_not_null()).select(*self._wrong(group.size)))
                frame = frame.filter(pl.col(str(group.size)).is_null())
            else:
                ragged.append(frame.select(*self._wrong(group.size)))
                continue
            texts.append(self._named(frame, width))
        text = pl.concat(texts) if texts else _empty(self.names)
        if len(texts) > 1:
            text = text.sort(ROW)
        long = self._too_long(text)
        wrong = pl.concat([pl.DataFrame(split.faults, FAULT, orient="row"), *ragged, long])
        if not long.is_empty():
            text = text.filter(~pl.col(ROW).is_in(long["row"].implode()))
        text, notes = trimmed(text, self.names) if self.dialect.trim else (text, [])
        open_width = next((group.size for group in split.groups if len(split.lines) in group.rows), None)
        wrong = self._findings(wrong, len(split.lines), notes)
        made = self._made(split, text, wrong, dict(fits), dict(found), open_width)
        return replace(made, is_odd=characters.suspected(self.cut.block))

    def _made(
        self, split: _Split, text: pl.DataFrame, faults: pl.DataFrame, fits: dict[int, int], found: dict[int, int],
        open_width: int | None,
    ) -> Batch:  # fmt: skip
        """The batch of these records, `open_width` of the last one."""
        block = self.cut.block
        lines = self.cut.head + self._ends + (block != b"" and not block.endswith(b"\n")) + self.cut.unclosed
        is_open = self.cut.last and block != b"" and not block.endswith(b"\n")
        return Batch(
            text=text,
            faults=faults,
            records=len(split.lines),
            lines=lines + self.cut.foot,
            fits=fits,
            width=self.width,
            widths=found,
            kinds=self._kinds(split, lines),
            is_odd=False,
            columns={name: number for number, name in enumerate(self.header or self.names, 1)},
            permitted=self._allowed,
            open_width=open_width if is_open else None,
            declared=self.cut.declared,
        )

    def _kinds(self, split: _Split, lines: int) -> Bytes:
        """What each line is: see LineKind."""
        kinds = np.full(lines + self.cut.foot, LineKind.MORE, np.uint8)
        kinds[: self.cut.head] = kinds[lines:] = LineKind.HEAD
        kinds[split.lines - 1] = LineKind.RECORD
        kinds[split.blank - 1] = LineKind.BLANK
        return kinds

    def _wrong(self, size: int) -> tuple[pl.Expr, ...]:
        """The fault of a record with that many fields."""
        code = "F204" if size > self.dialect.limits.columns else "F101"
        return (
            pl.col(ROW).alias("row"),
            pl.col(LINE).alias("line"),
            pl.lit(code).alias("code"),
            pl.lit(str(size)).alias("value"),
        )

    def _too_long(self, text: pl.DataFrame) -> pl.DataFrame:
        """The faults of records with a field beyond the limit."""
        lengths = [pl.col(name).str.len_bytes() for name in self.names]
        longest, limit = pl.max_horizontal(lengths), self.dialect.limits.field
        most = text.select(pl.max_horizontal(length.max() for length in lengths)).item() or 0
        beyond = text.filter(longest > limit) if most > limit else text.clear()
        return beyond.select(
            pl.col(ROW).alias("row"), pl.col(LINE).alias("line"), pl.lit("F204").alias("code"),
            longest.cast(pl.String).alias("value"),
        )  # fmt: skip

    def _named(self, frame: pl.DataFrame, width: int) -> pl.DataFrame:
        """The layout's columns out of a record's fields; literal nulls become absent."""
        names = self.header if self.header is not None else self.names[:width]
        place = {name: pl.col(str(number)) for number, name in enumerate(names, 1)}
        for case in self._cases(width):
            place |= unshifted(case, place, {name: pl.col(name) for name in frame.columns}, self.dialect)
        return frame.select(
            ROW,
            LINE,
            *(
                absent(place[name], self.dialect).alias(name) if name in place else pl.lit(None, pl.String).alias(name)
                for name in self.names
            ),
        )

    def _findings(self, wrong: pl.DataFrame, records: int, notes: list[pl.DataFrame]) -> pl.DataFrame:
        widths = " | ".join(str(width) for width in self._allowed)
        if self.cut.last and not self.cut.block.endswith(b"\n") and not wrong.is_empty():
            short = (pl.col("code") == "F101") & (pl.col("row") == records)
            short &= pl.col("value").cast(pl.UInt32, strict=False) < min(self._allowed)
            wrong = wrong.with_columns(code=pl.when(short).then(pl.lit("F206")).otherwise("code"))
        limits = self.dialect.limits
        expected = {"F101": widths, "F206": widths, "F102": self.dialect.encoding}
        expected["F204"] = f"<= {limits.field} B, {limits.columns}"
        frames = [
            findings.frame(
                str(code),
                rows,
                row=pl.when(pl.col("row") > 0).then("row"),
                line=pl.col("line"),
                value=pl.col("value"),
                expected=expected.get(str(code)),
            )
            for (code,), rows in wrong.partition_by("code", as_dict=True, maintain_order=True).items()
        ]
        together = pl.concat([findings.none(), *frames, *notes])
        return together.sort("line", "field", "code", maintain_order=True)


def _columns(size: int) -> dict[str, type[pl.String]]:
    return {str(number + 1): pl.String for number in range(size)}


def _frame(cells: list[list[str]]) -> pl.DataFrame:
    columns = _columns(len(cells[0]))
    frame = pl.DataFrame({name: [record[at] for record in cells] for at, name in enumerate(columns)}, columns)
    return frame.with_columns(pl.when(pl.all() != "").then(pl.all()))


def _empty(names: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame(schema={ROW: pl.UInt64, LINE: pl.UInt64, **dict.fromkeys(names, pl.String)})
