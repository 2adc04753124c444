"""Which shipped dialect a file is written in: never guessed, only the one that its first records all fit."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO, cast

from medpay_cli import dialects, findings, judging, layouts
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.findings import ERROR
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import known
from medpay_cli.formats.header import first_size, widest_delimiter
from medpay_cli.judging import NOT_JUDGED, Terms
from medpay_cli.layouts import Field, Layout

# So many records must fit; the bytes that are looked at for them are bounded too.
RECORDS = 1000
BYTES = 16 << 20


@dataclass(frozen=True)
class Candidate:
    """A dialect held against a file's first records: how many there were, how many fit, and what the first did not."""

    dialect: str
    layout: str
    records: int
    fits: int
    reason: str | None

    @property
    def is_match(self) -> bool:
        """Whether every record fits."""
        return self.records > 0 and self.fits == self.records

    def __str__(self) -> str:
        return f"{self.dialect} {self.fits}/{self.records}" + (f" ({self.reason})" if self.reason else "")


def candidates(text: Input, layout: str | None = None) -> list[Candidate]:
    """Every shipped dialect (of that layout, if one is named) held against a decoded input, the best first."""
    head, is_whole = _head(text)
    wanted = layouts.load(layout).id if layout else None
    found = []
    for name in dialects.names():
        dialect = dialects.load(name)
        used = layouts.load(dialect.layout)
        if dialect.format == "delimited" and wanted in (None, used.id):
            found.append(_held(text, head, used, dialect.fitted(used.names), is_whole=is_whole))
    return sorted(found, key=lambda one: (-one.fits, one.dialect))


def recognised(text: Input, layout: str | None = None) -> tuple[Layout, Dialect]:
    """The layout and the dialect of a decoded input.

    Raises MedpayError with the candidates where it is not clear, ReadError F208 where there is nothing to judge by.
    """
    return chosen(text, candidates(text, layout), layout)


def chosen(text: Input, found: list[Candidate], layout: str | None = None) -> tuple[Layout, Dialect]:
    """The only one of the candidates that every record fits. Raises what `recognised` raises."""
    first_size(text, Dialect("", ""))
    matches = [one for one in found if one.is_match]
    if len(matches) != 1:
        told = "; ".join(map(str, matches or found)) or "-"
        raise MedpayError("ambiguous" if matches else "not_recognised", path=text.path, found=told)
    used = layouts.load(layout or matches[0].layout)
    return used, dialects.load(matches[0].dialect).fitted(used.names)


def structure(text: Input, dialect: Dialect | None) -> tuple[Layout, Dialect]:
    """A layout that asserts nothing: as many fields as the header or the first record has.

    Raises MedpayError, ReadError F208 where there is no record, F204 where it has too many fields.
    """
    if dialect is None:
        mark, size = widest_delimiter(text)
        written = Dialect("", "", delimiter=mark, quote='"', widths=(size,))
    else:
        size = first_size(text, dialect)
        # The header is one line more that is no record.
        written = replace(
            dialect, header=False, preamble=dialect.preamble + dialect.header, widths=(size,), mixed_widths=False,
            shifted=(), headings={},
        )  # fmt: skip
    if size > written.limits.columns:
        raise ReadError("F204", value=str(size), expected=f"<= {written.limits.columns}")
    # Nothing is known of what stands in them: nobody sees it.
    notes = {"title": "列", "x-en": "column", "x-sensitivity": "direct"}
    fields = tuple(Field(str(number), required=False, asserted=(), notes=notes) for number in range(1, size + 1))
    return Layout("", fields, (), {}), written


def _held(text: Input, head: bytes, layout: Layout, dialect: Dialect, *, is_whole: bool) -> Candidate:
    def made(records: int, fits: int, reason: str | None) -> Candidate:
        return Candidate(dialect.name, layout.id, records, fits, reason)

    if dialect.encoding and known(dialect.encoding) != text.encoding and not head.isascii():
        return made(0, 0, f"{text.encoding}")
    if not is_whole:
        dialect = replace(dialect, footer=(), final_line_end=False)
    sample = replace(text, member=None, spool=cast("BinaryIO", io.BytesIO(head)))
    # A key repeated further down would be no reason either.
    judged = judging.judge_file(sample, layout, dialect, lambda *_: None, Terms(ignored=("B",)))
    first = next(iter(judged.findings.frames()), findings.none()).filter(severity=ERROR).head(1)
    reason = None if first.is_empty() else " ".join(filter(None, first.select("code", "field").row(0)))
    if judged.verdict.verdict == NOT_JUDGED:
        return made(judged.verdict.records, 0, reason)
    return made(judged.verdict.records, judged.verdict.records - judged.verdict.rejected, reason)


def _head(text: Input) -> tuple[bytes, bool]:
    """The first lines, and whether they are the whole file."""
    with text.open() as stream:
        lines = list(islice(iter(lambda: stream.readline(BYTES), b""), RECORDS + 50))
        size, kept = 0, []
        for line in lines:
            size += len(line)
            if size > BYTES:
                break
            kept.append(line)
        is_whole = len(kept) == len(lines) and not stream.read(1)
    return b"".join(kept[: None if is_whole else RECORDS]), is_whole
