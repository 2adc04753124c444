"""Validate: hold files against a layout, and say what can be relied on."""

from __future__ import annotations

from collections.abc import Iterable

from medpay_cli import dialects, judging, layouts
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.findings import FileVerdict, Findings, Outcome
from medpay_cli.formats import archive
from medpay_cli.formats.archive import Input
from medpay_cli.judging import FOUND, NOT_JUDGED, Judgement, Terms
from medpay_cli.layouts import Layout


def validate(
    paths: Iterable[str], layout: str | None = None, dialect: str | None = None, *, encoding: str | None = None
) -> Outcome:
    """Hold files against a layout (a shipped name or FILE.json) in a dialect (a shipped name or FILE.toml).

    One of the two is enough where the dialect names the layout, or one shipped dialect writes it. Wrong data is
    in the Outcome; raises MedpayError for what cannot be done as asked.
    """
    used, written = chosen(layout, dialect)
    judgements = [made for path in paths for made in _judged(Source.parse(path), used, written, encoding)]
    found = Findings()
    for made in judgements:
        found.extend(made.findings)
    return Outcome(
        files=[made.verdict for made in judgements],
        findings=found,
        exit_code=exit_code([made.verdict for made in judgements]),
        titles={field.name: (field.title("zh"), field.title("en")) for field in used.fields},
        sensitivity={field.name: field.sensitivity for field in used.fields if field.sensitivity},
    )


def chosen(layout: str | None, dialect: str | None) -> tuple[Layout, Dialect]:
    """The layout and dialect to use; whichever was not named follows from the other. Raises MedpayError."""
    if layout is None and dialect is None:
        raise MedpayError("name_layout")
    if dialect is not None:
        written = dialects.load(dialect)
        used = layouts.load(layout or written.layout)
        return used, written.fitted(used.names)
    wanted = layouts.load(str(layout))
    writing = [one for one in map(dialects.load, dialects.names()) if layouts.load(one.layout).id == wanted.id]
    if len(writing) != 1:
        raise MedpayError("name_dialect", layout=wanted.id, found=", ".join(one.name for one in writing) or "-")
    return wanted, writing[0]


def exit_code(verdicts: list[FileVerdict]) -> int:
    """0, 1, 3 or 4 as the verdicts of several files combine."""
    unjudged = sum(one.verdict == NOT_JUDGED for one in verdicts)
    if unjudged:
        return 3 if unjudged == len(verdicts) else 4
    return int(any(one.verdict == FOUND for one in verdicts))


def _judged(source: Source, layout: Layout, dialect: Dialect, encoding: str | None) -> list[Judgement[None]]:
    try:
        inputs = archive.inputs(source)
    except ReadError as err:
        return [judging.unreadable(judging.blank(Input(source.path, source.member), layout, dialect), err)]
    return [judging.judge_file(one, layout, dialect, lambda *_: None, Terms(encoding)) for one in inputs]
