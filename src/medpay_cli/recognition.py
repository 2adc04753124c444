"""Which shipped dialect a file is written in: never guessed, only the one that its first records all fit."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from itertools import islice
from typing import BinaryIO, cast

from medpay_cli import dialects, evidence, findings, formats, judging, layouts
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.evidence import Sight
from medpay_cli.findings import ERROR
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import MARKS, known
from medpay_cli.formats.text.header import first_size, widest_delimiter
from medpay_cli.judging import NOT_JUDGED, Terms
from medpay_cli.layouts import Field, Layout
from medpay_cli.partners import Partner
from medpay_cli.parts import Parts, fitted, ids

UNDECIDED = "F211"
# So many candidates are named where nothing fits, none of them so far from fitting.
NEAREST, FAR = 3, 2
# So many records must fit; the bytes that are looked at for them are bounded too.
RECORDS = 1000
# Findings on records that have other names or another shape than the dialect says.
STRANGE = {"F101", "F102", "F103", "F110", "F111", "F112", "F113"}
BYTES = 16 << 20
# How the reason begins where everything fits but the encoding.
ENCODING = "encoding"


@dataclass(frozen=True)
class Candidate:
    """A dialect held against a file's first records: how many there were, how many fit, and what the first did not.

    `is_named` tells that the header, or the names and paths of the document, are the dialect's, whatever stands in its
    cells.
    """

    dialect: str
    layout: str
    records: int
    fits: int
    reason: str | None
    is_named: bool = False

    @property
    def is_match(self) -> bool:
        """Whether every record fits."""
        return self.records > 0 and self.fits == self.records

    @property
    def distance(self) -> int:
        """How far it is from fitting: cells that are wrong (0), records of another shape or in another encoding (1),
        another file (2)."""
        reason = self.reason or ""
        return 0 if reason[:1] in ("", "L", "B") else 1 if reason.startswith(("F1", ENCODING)) else 2

    def __str__(self) -> str:
        return f"{self.dialect} {self.fits}/{self.records}" + (f" ({self.reason})" if self.reason else "")


def sniffed(source: Input) -> str:
    """The format by the first bytes: delimited where nothing says otherwise."""
    with source.open() as stream:
        head = stream.read(1 << 12)
    for begin, form in MAGIC.items():
        if head.startswith(begin):
            return form
    plain = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return FIRST.get(plain[:1], "delimited")


# How formats that are no text begin, and the first letter of those that are.
MAGIC = {b"PK\x03\x04": "xlsx", b"\xd0\xcf\x11\xe0": "xlsx", b"PAR1": "parquet"}
FIRST = {b"<": "xml", b"{": "json", b"[": "json"}
# A file that begins so may also be of these formats.
ALSO = {"json": ("json", "ndjson"), "delimited": ("delimited", "fixed")}


def forms(source: Input) -> tuple[str, ...]:
    """The formats that a file which begins so may be of."""
    form = sniffed(source)
    return ALSO.get(form, (form,))


def generic(source: Input, layout: str) -> str | None:
    """The generic dialect of a layout, where the columns of a file are named as its fields."""
    form = sniffed(source)
    if form in formats.BINARY:
        return evidence.generic(source, form, b"", layout)
    with source.open() as stream:
        head = stream.read(1 << 20)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            head = head.removeprefix(mark).decode(encoding, "replace").encode()
            break
    return evidence.generic(source, form, head, layout)


def candidates(
    source: Input, asked: str | None, layout: str | None = None, partner: Partner | None = None
) -> list[Candidate]:
    """Every shipped dialect (of that layout, if one is named), as the partner writes it, held against an input, the
    best first.

    `asked` is the encoding that somebody named. Raises ReadError where the input cannot be decoded.
    """
    form = sniffed(source)
    possible = ALSO.get(form, (form,))
    text = formats.prepared(source, Dialect("", "", format=form), asked)
    begun = None if form in formats.BINARY else _head(text)
    also = evidence.generic(text if begun else source, form, begun.head if begun else b"", layout)
    found = [
        _against(dialect, text, begun)
        for dialect in (dialects.load(name, partner) for name in [*dialects.names(), *([also] if also else ())])
        if dialect.format in possible and (layout is None or layouts.load(layout).id in ids(dialect))
    ]
    return sorted(found, key=lambda one: (-one.fits, one.distance, one.dialect))


def undecided(source: Input, layout: str | None = None, partner: Partner | None = None) -> list[Candidate]:
    """For an input whose encoding nobody can tell: those dialects that declare one in which every record fits."""
    found = []
    for dialect in (dialects.load(name, partner) for name in dialects.names()):
        if (
            dialect.encoding
            and dialect.format in forms(source)
            and (not layout or layouts.load(layout).id in ids(dialect))
        ):
            text = formats.prepared(source, dialect, None)
            found.append(_against(dialect, text, _head(text)))
    return [one for one in found if one.is_match]


def nearest(found: list[Candidate]) -> list[Candidate]:
    """Those that some record fits; where there are none, the first few whose records look like it."""
    return [one for one in found if one.fits] or [one for one in found if one.distance < FAR][:NEAREST]


def recognised(
    source: Input, asked: str | None, layout: str | None = None, partner: Partner | None = None
) -> tuple[Parts, Dialect]:
    """The layouts and the dialect of an input.

    Raises MedpayError with the candidates where it is not clear, ReadError F208 where there is nothing to judge by.
    """
    try:
        found = candidates(source, asked, layout, partner)
    except ReadError as err:
        fitting = undecided(source, layout, partner) if err.code == UNDECIDED else []
        if not fitting:
            raise
        told = "; ".join(map(str, fitting))
        raise MedpayError("encoding_undecided", path=source.path, place=err.value, found=told) from err
    return chosen(source, found, layout, partner)


def chosen(
    source: Input, found: list[Candidate], layout: str | None = None, partner: Partner | None = None
) -> tuple[Parts, Dialect]:
    """The only one of the candidates that every record fits, else the only one by its names.

    Raises what `recognised` raises.
    """
    with source.open() as stream:
        if not stream.read(1 << 16).strip(b"\xef\xbb\xbf\xff\xfe\0\r\n"):
            raise ReadError("F208")
    matches = [one for one in found if one.is_match] or [one for one in found if one.is_named]
    if len(matches) != 1:
        told = "; ".join(map(str, matches or nearest(found))) or "-"
        raise MedpayError("ambiguous" if matches else "not_recognised", path=source.path, found=told)
    dialect = dialects.load(matches[0].dialect, partner)
    return fitted(dialect, None if dialect.nodes else layout)


def structure(text: Input, dialect: Dialect | None) -> tuple[Layout, Dialect]:
    """A layout that asserts nothing: as many fields as the header or the first record has.

    Raises MedpayError, ReadError F208 where there is no record, F204 where it has too many fields.
    """
    if dialect is None:
        mark, size = widest_delimiter(text)
        written = Dialect("", "", delimiter=mark, quote='"', widths=(size,))
    else:
        size = first_size(text, dialect)
        # The control line and the header are lines more that are no records.
        written = replace(
            dialect, header=False, preamble=dialect.above + dialect.heads, head=None, widths=(size,),
            mixed_widths=False, shifted=(), headings={},
        )  # fmt: skip
    if size > written.limits.columns:
        raise ReadError("F204", value=str(size), expected=f"<= {written.limits.columns}")
    # Nothing is known of what stands in them: nobody sees it.
    notes = {"title": "列", "x-en": "column", "x-sensitivity": "direct"}
    fields = tuple(Field(str(number), required=False, asserted=(), notes=notes) for number in range(1, size + 1))
    return Layout("", fields, (), {}), written


def _against(dialect: Dialect, text: Input, begun: _Begun | None) -> Candidate:
    """A dialect held against an input, of a text against its first lines."""
    if begun and (reason := begun.sight.against(dialect)):
        shown = ", ".join(node.layout for node in dialect.parts)
        return Candidate(dialect.name, shown, begun.sight.records if reason == "F201" else 0, 0, reason)
    parts, written = fitted(dialect)
    if begun and written.format in formats.IN_LINES:
        return _held_in_lines(text, begun, parts, written)
    return _held(text, parts, written)


def _held_in_lines(text: Input, begun: _Begun, parts: Parts, dialect: Dialect) -> Candidate:
    if not begun.is_whole:
        dialect = replace(dialect, footer=(), tail=None, final_line_end=False)
    sample = replace(text, member=None, spool=cast("BinaryIO", io.BytesIO(begun.head)))
    made = _held(sample, parts, dialect)
    if made.is_match and dialect.encoding and known(dialect.encoding) != text.encoding and not begun.head.isascii():
        return replace(made, fits=0, reason=f"{ENCODING} {text.encoding} != {dialect.encoding}", is_named=False)
    return made


def _held(sample: Input, parts: Parts, dialect: Dialect) -> Candidate:
    # A key repeated further down, or a sum that does not tie, would be no reason either.
    terms = Terms(ignored=("B",), with_rules=False, at_most=RECORDS)
    judged = judging.judge_nodes(sample, parts, dialect, lambda *_: None, terms)
    records = sum(one.verdict.records for one in judged)
    rejected = sum(one.verdict.rejected for one in judged)
    frames = (frame for one in judged for frame in one.findings.frames())
    first = next(frames, findings.none()).filter(severity=ERROR).head(1)
    reason = None if first.is_empty() else " ".join(filter(None, first.select("code", "field").row(0)))
    is_judged = all(one.verdict.verdict != NOT_JUDGED for one in judged)
    names = dialect.header or dialect.format not in formats.IN_LINES or dialect.format == "ndjson"
    names = names and not (dialect.other_columns or dialect.missing_columns)  # these say little of a file
    is_strange = any(code in STRANGE for one in judged for code, _, _ in one.findings.counts)
    return Candidate(
        dialect=dialect.name,
        layout=_shown(parts),
        records=records,
        fits=records - rejected if is_judged else 0,
        reason=reason,
        is_named=names and records > 0 and is_judged and not is_strange,
    )


def _shown(parts: Parts) -> str:
    return ", ".join(layout.id for layout in parts.values())


@dataclass(frozen=True)
class _Begun:
    """The first lines of a text, what they show at first sight, and whether they are the whole file."""

    head: bytes
    sight: Sight
    is_whole: bool


def _head(text: Input) -> _Begun:
    with text.open() as stream:
        lines = list(islice(iter(lambda: stream.readline(BYTES), b""), RECORDS + 50))
        size, kept = 0, []
        for line in lines:
            size += len(line)
            if size > BYTES:
                break
            kept.append(line)
        is_whole = len(kept) == len(lines) and not stream.read(1)
    head = b"".join(kept[: None if is_whole else RECORDS])
    return _Begun(head, Sight(head), is_whole)
