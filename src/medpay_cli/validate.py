"""Validate: hold files against a layout, and say what can be relied on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from medpay_cli import config, dialects, files, findings, judging, layouts, recognition, reports, separating
from medpay_cli.control import Declared
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.findings import ERROR, WARNING, FileVerdict, Findings, Outcome
from medpay_cli.formats import archive
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import decoded
from medpay_cli.judging import FOUND, NOT_JUDGED, STRUCTURE_ONLY, VALID, Judgement, Terms
from medpay_cli.layouts import Layout
from medpay_cli.reports import Style

NONE = "none"
NEVER = "never"


@dataclass(frozen=True)
class Targets:
    """Where the records go: accepted ones, rejected ones (and beside them why), each where asked for."""

    accepted: Path | None = None
    rejected: Path | None = None

    @property
    def why(self) -> Path | None:
        """Beside the rejected records."""
        return Path(f"{self.rejected}.why.csv") if self.rejected else None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that is asked for."""
        return tuple(path for path in (self.accepted, self.rejected, self.why) if path is not None)


@dataclass(frozen=True)
class _Made:
    """One input, how it was read, and what came of it."""

    source: Input
    layout: Layout
    judgement: Judgement[None]


def validate(
    paths: Iterable[str],
    layout: str | None = None,
    dialect: str | None = None,
    *,
    terms: Terms | None = None,
    fail_on: str = ERROR,
    targets: Targets | None = None,
    style: Style | None = None,
) -> Outcome:
    """Hold files against a layout (a shipped name, FILE.json or "none") in a dialect (a shipped name or FILE.toml).

    Whichever is not named follows from the other or is recognised. `fail_on` is the severity from which findings make
    the exit code 1. Records go to `targets` unless the file is not judged, words in the language of `style`. Wrong
    data is in the Outcome; raises MedpayError for what cannot be done as asked.
    """
    held = terms or Terms()
    _check_codes(held)
    paths = list(paths)
    if targets:
        files.check_targets(targets.paths, paths)
    sources = [opened for path in paths for opened in _opened(Source.parse(path))]
    one_only = {
        "--accepted, --rejected": targets not in (None, Targets()),
        "--expect, --totals": held.declared != Declared(),
    }
    for option, asked in one_only.items():
        if asked and len(sources) != 1:
            raise MedpayError("one_input_for", option=option, count=len(sources))
    made = [_judged(source, broken, layout, dialect, held) for source, broken in sources]
    # Those of the only file are not copied: there may be millions.
    found = made[0].judgement.findings if len(made) == 1 else Findings()
    for one in made if len(made) > 1 else ():
        found.extend(one.judgement.findings)
    fields = [field for one in made for field in one.layout.fields]
    outcome = Outcome(
        files=[one.judgement.verdict for one in made],
        findings=found,
        exit_code=exit_code([one.judgement.verdict for one in made], found, fail_on),
        titles={field.name: (field.title("zh"), field.title("en")) for field in fields},
        sensitivity={field.name: field.sensitivity for field in fields if field.sensitivity},
        plain=frozenset(field.name for field in fields if not field.is_text or field.codes or field.form),
        ignored=tuple(code for code in config.names(config.RULE) if _is_ignored(code, held)),
        selected=held.selected,
    )
    if targets and outcome.files[0].verdict != NOT_JUDGED:
        _separate(made[0], outcome, targets, style or Style("en"))
    return outcome


def exit_code(verdicts: list[FileVerdict], found: Findings, fail_on: str = ERROR) -> int:
    """0, 1, 3 or 4 as the verdicts of several files combine."""
    unjudged = sum(one.verdict == NOT_JUDGED for one in verdicts)
    if unjudged:
        return 3 if unjudged == len(verdicts) else 4
    if fail_on == NEVER:
        return 0
    return int(any(one.verdict == FOUND for one in verdicts) or (fail_on == WARNING and found.count(WARNING) > 0))


def _check_codes(terms: Terms) -> None:
    """Refuse a code that no rule has, and one that nobody can leave out. Raises MedpayError."""
    known = config.names(config.RULE)
    for option, prefixes in (("--select", terms.selected), ("--ignore", terms.ignored)):
        for prefix in prefixes:
            matching = [code for code in known if code.startswith(prefix)]
            if not matching or not prefix:
                raise MedpayError("unknown_code", option=option, code=prefix)
            if option == "--ignore" and all(findings.always_applies(code) for code in matching):
                raise MedpayError("always_applies", option=option, code=prefix)


def _is_ignored(code: str, terms: Terms) -> bool:
    return code.startswith(terms.ignored or ("-",)) and not findings.always_applies(code)


def _opened(source: Source) -> list[tuple[Input, ReadError | None]]:
    """What a PATH opens to; an archive that cannot be opened is one input, with the reason."""
    try:
        return [(one, None) for one in archive.inputs(source)]
    except ReadError as err:
        return [(Input(source.path, source.member), err)]


def _judged(source: Input, broken: ReadError | None, layout: str | None, dialect: str | None, terms: Terms) -> _Made:
    used, written = named(layout, dialect) or (NO_LAYOUT, dialects.load(dialect) if dialect else NO_DIALECT)
    try:
        if broken is not None:
            raise broken
        text = decoded(source, terms.encoding, written.encoding)
        if layout == NONE:
            used, written = recognition.structure(text, written if dialect else None)
        elif used is NO_LAYOUT:
            used, written = recognition.recognised(text, layout)
            text = decoded(source, terms.encoding, written.encoding)
    except ReadError as err:
        return _Made(source, used, judging.unreadable(judging.blank(source, used, written), err))
    made = judging.judge_file(text, used, written, lambda *_: None, terms)
    if layout == NONE and made.verdict.verdict == VALID:
        made.verdict.verdict = STRUCTURE_ONLY
    return _Made(source, used, made)


def named(layout: str | None, dialect: str | None) -> tuple[Layout, Dialect] | None:
    """The layout and dialect that were named, or follow from what was; None where the file must be looked at.

    Raises MedpayError.
    """
    if layout == NONE:
        return None
    if dialect is not None:
        written = dialects.load(dialect)
        used = layouts.load(layout or written.layout)
        return used, written.fitted(used.names)
    if layout is None:
        return None
    used = layouts.load(layout)
    delimited = [one for one in map(dialects.load, dialects.names()) if one.format == "delimited"]
    writing = [one for one in delimited if layouts.load(one.layout).id == used.id]
    if not writing:
        raise MedpayError("name_dialect", layout=used.id, found="-")
    return (used, writing[0].fitted(used.names)) if len(writing) == 1 else None


def _separate(made: _Made, outcome: Outcome, targets: Targets, style: Style) -> None:
    """All of the files, or none where one cannot be written."""
    with files.together(*targets.paths) as outputs:
        out = dict(zip(targets.paths, outputs, strict=True))
        accepted, rejected, why = (
            out[path] if path else None for path in (targets.accepted, targets.rejected, targets.why)
        )
        separating.separate(made.source, made.judgement, accepted, rejected)
        if why is not None:
            reports.write(outcome, "why", why, style)


NO_LAYOUT = Layout("", (), (), {})
NO_DIALECT = Dialect("", "")
