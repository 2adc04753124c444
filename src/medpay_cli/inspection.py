"""Inspect: what a file is, with the evidence, and nothing guessed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from medpay_cli import files, formats, judging, recognition
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.findings import FileVerdict
from medpay_cli.formats import archive
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import MARKS
from medpay_cli.formats.text.header import delimiter_counts
from medpay_cli.judging import NOT_JUDGED, Terms
from medpay_cli.partners import Partner
from medpay_cli.recognition import Candidate

BLOCK = 16 << 20
NOT_RECOGNISED, UNREADABLE = 2, 3


@dataclass
class Inspected:
    """One input: how it is packed and written, what it could be, and what it holds if that is clear.

    `size` and `lines` are those of the text; `delimiters` says into how many fields each one splits the first record.
    `reason` is the code of the finding that stopped the reading.
    """

    path: str
    member: str | None
    format: str = ""
    size: int = 0
    encoding: str | None = None
    mark: bool = False
    line_ends: dict[str, int] = field(default_factory=dict)
    is_ended: bool = True
    delimiters: dict[str, int] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)
    verdicts: list[FileVerdict] = field(default_factory=list)
    reason: str | None = None

    @property
    def nearest(self) -> list[Candidate]:
        """The candidates that people are told of."""
        return recognition.nearest(self.candidates)


@dataclass(frozen=True)
class Inspection:
    """Every input behind a PATH."""

    files: list[Inspected]

    @property
    def exit_code(self) -> int:
        """0, or 2 where an input is not recognised, 3 where one cannot be read."""
        if any(one.reason or any(of.verdict == NOT_JUDGED for of in one.verdicts) for one in self.files):
            return UNREADABLE
        return 0 if all(one.verdicts for one in self.files) else NOT_RECOGNISED


def inspect(path: str, encoding: str | None = None, partner: Partner | None = None) -> Inspection:
    """Look at a file, or at every member of an archive. Raises MedpayError where there is none."""
    source = Source.parse(path)
    if source.path.lower().endswith(".zip") and source.member is None:
        source = replace(source, member="*")
    try:
        inputs = archive.inputs(source)
    except ReadError as err:
        return Inspection([Inspected(files.shown(source.path), source.member, reason=err.code)])
    return Inspection([_inspected(one, encoding, partner) for one in inputs])


def _inspected(source: Input, encoding: str | None, partner: Partner | None) -> Inspected:
    made = Inspected(files.shown(source.path), source.member)
    try:
        with source.open() as stream:
            head = stream.read(4)
        made.mark = any(head.startswith(mark) for mark, _ in MARKS)
        made.format = recognition.sniffed(source)
        text = formats.prepared(source, Dialect("", "", format=made.format), encoding)
        made.encoding = text.encoding
        _count(made, text)
        if made.format == "delimited":
            made.delimiters = delimiter_counts(text)
        made.candidates = recognition.candidates(text, encoding, partner=partner)
        parts, dialect = recognition.chosen(text, made.candidates, partner=partner)
        made.format = dialect.format
    except ReadError as err:
        if err.code == recognition.UNDECIDED:
            made.candidates = recognition.undecided(source, partner=partner)
        made.reason = None if made.candidates else err.code
        return made
    except MedpayError as err:
        if err.key not in ("not_recognised", "ambiguous"):
            raise
        return made
    made.verdicts = [one.verdict for one in judging.judge_nodes(text, parts, dialect, lambda *_: None, Terms())]
    return made


def _count(made: Inspected, text: Input) -> None:
    """Bytes and line ends of the text."""
    both = lone = returns = 0
    last = b""
    with text.open() as stream:
        while block := stream.read(BLOCK):
            made.size += len(block)
            both += (last + block).count(b"\r\n")
            lone += block.count(b"\n")
            returns += block.count(b"\r")
            last = block[-1:]
    found = {"LF": lone - both, "CR LF": both, "CR": returns - both}
    if made.format in formats.BINARY:
        return
    made.line_ends = {name: count for name, count in found.items() if count}
    made.is_ended = last == b"\n"
