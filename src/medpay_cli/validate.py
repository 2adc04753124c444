"""Validate: hold files against a layout, and say what can be relied on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medpay_cli import (
    acknowledging,
    answers,
    batches,
    config,
    dialects,
    files,
    findings,
    formats,
    judging,
    layouts,
    manifests,
    recognition,
    reports,
    separating,
)
from medpay_cli.acknowledging import Answered, Called
from medpay_cli.batches import Batches
from medpay_cli.control import Declared
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.findings import ERROR, WARNING, FileVerdict, Findings, Outcome
from medpay_cli.formats import IN_LINES, archive
from medpay_cli.formats.archive import Input
from medpay_cli.frames import Frames
from medpay_cli.judging import FOUND, NOT_JUDGED, STRUCTURE_ONLY, VALID, Judgement, Terms
from medpay_cli.layouts import Layout
from medpay_cli.partners import Partner
from medpay_cli.parts import Parts, counted, fitted, ids
from medpay_cli.reports import Style
from medpay_cli.rules import together

NONE = "none"
NEVER = "never"


@dataclass(frozen=True)
class Targets:
    """Where the records go: accepted ones, rejected ones (and beside them why), and what is answered for the batch,
    each where asked for."""

    accepted: Path | None = None
    rejected: Path | None = None
    ack: Path | None = None

    @property
    def why(self) -> Path | None:
        """Beside the rejected records."""
        return Path(f"{self.rejected}.why.csv") if self.rejected else None

    @property
    def records(self) -> tuple[Path, ...]:
        """Every file of records that is asked for, and why."""
        return tuple(path for path in (self.accepted, self.rejected, self.why) if path is not None)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that is asked for."""
        return (*self.records, *([self.ack] if self.ack else []))


@dataclass(frozen=True)
class _Made:
    """One input, how it was read, what is said of it beside it, and what came of each of its nodes."""

    source: Input
    layouts: Parts
    dialect: Dialect
    judgements: list[Judgement[Called | None]]
    said: Declared = field(default_factory=Declared)


def validate(
    paths: Iterable[str],
    layout: str | None = None,
    dialect: str | None = None,
    *,
    terms: Terms | None = None,
    fail_on: str = ERROR,
    targets: Targets | None = None,
    style: Style | None = None,
    partner: Partner | None = None,
    against: Iterable[tuple[str, str]] = (),
    answered: str | None = None,
) -> Outcome:
    """Hold files against a layout (a shipped name, FILE.json or "none") in a dialect (a shipped name or FILE.toml).

    Whichever is not named follows from the other or is recognised; a dialect is read as the `partner` writes it.
    `against` pairs a kind ("lines") with the PATH that holds such records: rules about several records look there too.
    What was sent is held against the acknowledgement `answered`: what that refuses is rejected.
    `fail_on` is the severity from which findings make the exit code 1. Records go to `targets` unless the file is not
    judged, words in the language of `style`. Wrong data is in the Outcome; raises MedpayError for what cannot be done
    as asked.
    """
    held = terms or Terms()
    held = replace(held, profile=partner.profile) if partner else held
    _check_codes(held)
    held = replace(held, against=_gathered(against, held, partner))
    paths = list(paths)
    if targets:
        files.check_targets(targets.paths, paths)
    is_beside = manifests.beside_in(dialect, partner)
    sources = [one for path in paths for one in opened(Source.parse(path), is_beside)]
    one_only = {
        "--accepted, --rejected": bool(targets and targets.records),
        "--expect, --totals": held.declared != Declared(),
    }
    for option, asked in one_only.items():
        if asked and len(sources) != 1:
            raise MedpayError("one_input_for", option=option, count=len(sources))
    wanted = targets or Targets()
    if answered and wanted.ack:
        raise MedpayError("ack_and_answered")
    beside, is_answered = Batches(partner, held.manifest), bool(answered or wanted.ack)
    made = [
        _judged(source, broken, layout, dialect, held, partner, beside, wanted, is_answered=is_answered)
        for source, broken in sources
    ]
    if answered:
        answers.hold([_answered(one) for one in made], answered, held, partner)
    judgements = [judgement for one in made for judgement in one.judgements]
    # Those of the only file are not copied: there may be millions.
    found = judgements[0].findings if len(judgements) == 1 else Findings()
    for judgement in judgements if len(judgements) > 1 else ():
        found.extend(judgement.findings)
    fields = [field for one in made for layout in one.layouts.values() for field in layout.fields]
    verdicts = [judgement.verdict for judgement in judgements]
    outcome = Outcome(
        files=verdicts,
        findings=found,
        exit_code=exit_code([[of.verdict for of in one.judgements] for one in made], found, fail_on),
        titles={field.name: (field.title("zh"), field.title("en")) for field in fields},
        sensitivity={field.name: field.sensitivity for field in fields if field.sensitivity},
        plain=frozenset(field.name for field in fields if field.is_plain),
        ignored=tuple(code for code in config.names(config.RULE) if _is_ignored(code, held)),
        not_judged=_not_judged(judgements),
        selected=held.selected,
        fail_on=fail_on,
    )
    _write(made, outcome, wanted, style or Style("en"), partner)
    return outcome


def exit_code(inputs: list[list[FileVerdict]], found: Findings, fail_on: str = ERROR) -> int:
    """0, 1, 3 or 4 as the verdicts of several inputs combine; one of which a node is not judged is not judged."""
    unjudged = sum(any(one.verdict == NOT_JUDGED for one in verdicts) for verdicts in inputs)
    if unjudged:
        return 3 if unjudged == len(inputs) else 4
    if fail_on == NEVER:
        return 0
    is_wrong = any(one.verdict == FOUND for verdicts in inputs for one in verdicts)
    return int(is_wrong or (fail_on == WARNING and found.count(WARNING) > 0))


def _gathered(against: Iterable[tuple[str, str]], terms: Terms, partner: Partner | None) -> dict[str, Frames]:
    """What rules look at in other files, by the kind of their records. Raises MedpayError where one cannot be relied
    on."""
    reading = Terms(profile=terms.profile, with_rules=False, gathers=True)
    found: dict[str, Frames] = {}
    for kind, path in against:
        known = together.AGAINST.get(kind, (kind,) if together.columns(kind) else ())
        if not known:
            raise MedpayError("against_kind", kind=kind, known=", ".join(together.AGAINST))
        made = [
            _judged(source, broken, None, None, reading, partner, Batches(partner), Targets())
            for source, broken in opened(Source.parse(path))
        ]
        fitting = [
            (layout.kind, judgement)
            for one in made
            for layout, judgement in zip(one.layouts.values(), one.judgements, strict=True)
            if layout.kind in known
        ]
        wrong = [one.verdict for each in made for one in each.judgements if one.verdict.verdict != VALID]
        if wrong:
            raise MedpayError("against_wrong", kind=kind, path=path, rejected=wrong[0].rejected)
        if not fitting:
            layouts_found = ", ".join(layout.id for one in made for layout in one.layouts.values())
            raise MedpayError("against_other", kind=kind, path=path, found=layouts_found, known=", ".join(known))
        for name, judgement in fitting:
            frames = found.setdefault(name, Frames())
            for frame in judgement.gathered:
                frames.add(frame)
    return {name: frames for name, frames in found.items() if frames.height}


def _not_judged(judgements: list[Judgement[Any]]) -> list[dict[str, Any]]:
    """What no rule could be held for, once for all files."""
    lacking: dict[tuple[str, tuple[str, ...]], int | None] = {}
    for judgement in judgements:
        for one in judgement.not_judged:
            known = lacking.setdefault((one["code"], tuple(one["missing"])), 0 if "records" in one else None)
            if known is not None:
                lacking[one["code"], tuple(one["missing"])] = known + one["records"]
    return [
        {"code": code, "missing": list(missing), **({} if count is None else {"records": count})}
        for (code, missing), count in sorted(lacking.items(), key=lambda item: item[0])
    ]


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


def opened(source: Source, is_beside: archive.Is = lambda _: False) -> list[tuple[Input, ReadError | None]]:
    """What a PATH opens to; an archive that cannot be opened is one input, with the reason."""
    try:
        return [(one, None) for one in archive.inputs(source, is_beside)]
    except ReadError as err:
        return [(Input(source.path, source.member), err)]


def _judged(
    source: Input, broken: ReadError | None, layout: str | None, dialect: str | None, terms: Terms,
    partner: Partner | None, beside: Batches, asked: Targets, *, is_answered: bool = False,
) -> _Made:  # fmt: skip
    in_lines, said = bool(asked.records), Declared()
    used, written = NO_LAYOUT, dialects.load(dialect, partner) if dialect else NO_DIALECT
    try:
        if in_lines:
            _check_in_lines(source, written)
        if broken is not None:
            # What was named is checked all the same.
            used, written = fitted(written, layout) if dialect and layout != NONE else (used, written)
            raise broken
        used, written = named(source, layout, dialect, partner) or (used, written)
        if layout == NONE:
            used, written = _structure(source, written if dialect else None, terms)
        elif used is NO_LAYOUT:
            used, written = recognition.recognised(source, terms.encoding, layout, partner)
        if in_lines:
            _check_in_lines(source, written)
        first = counted(used, written)
        said = Declared(facts=batches.facts(source, written))
        terms, wrong = beside.held(source, written, first, terms)
        said = terms.beside.get(source.name, said)
        if asked.ack:
            acknowledging.check(first, written, said)
        elif is_answered:
            acknowledging.check_answerable(first, written)
    except ReadError as err:
        unread = judging.blank(source, next(iter(used.values())), written)
        return _Made(source, used, written, [judging.unreadable(unread, err)], said)
    if wrong:
        return _Made(source, used, written, [judging.contradicted(judging.blank(source, first, written), wrong)], said)
    also = acknowledging.called if is_answered else lambda *_: None
    looks_at = acknowledging.LOOKS_AT if is_answered else frozenset()
    made = judging.judge_nodes(source, used, written, also, terms, looks_at=looks_at)
    for one in made:
        if layout == NONE and one.verdict.verdict == VALID:
            one.verdict.verdict = STRUCTURE_ONLY
    return _Made(source, used, written, made, said)


def _check_in_lines(source: Input, dialect: Dialect) -> None:
    """Refuse to part records that are no lines, before an hour is spent on judging them. Raises MedpayError."""
    if dialect.format not in IN_LINES or dialect.nodes:
        raise MedpayError("not_in_lines", path=source.path, format=dialect.format)


def _structure(source: Input, dialect: Dialect | None, terms: Terms) -> tuple[Parts, Dialect]:
    form = dialect.format if dialect else recognition.sniffed(source)
    if form != "delimited":
        raise MedpayError("structure_of_text_only", path=source.path, format=form)
    used, written = recognition.structure(formats.prepared(source, dialect or NO_DIALECT, terms.encoding), dialect)
    return {None: used}, written


def named(
    source: Input, layout: str | None, dialect: str | None, partner: Partner | None = None
) -> tuple[Parts, Dialect] | None:
    """The layouts and dialect that were named, or the only ones of the layout and the input's format, where a header
    is proof of one; None where the records must be looked at.

    Raises MedpayError.
    """
    if layout == NONE:
        return None
    if dialect is not None:
        return fitted(dialects.load(dialect, partner), layout)
    if layout is None:
        return None
    used = layouts.load(layout)
    writing = [one for name in dialects.names() if used.id in ids(one := dialects.load(name, partner))]
    forms = recognition.forms(source)
    writing = [one for one in writing if one.format in forms]
    if (also := recognition.generic(source, layout)) and not any(one.header for one in writing):
        return fitted(dialects.load(also))
    return fitted(writing[0], None if writing[0].nodes else layout) if len(writing) == 1 else None


def _write(made: list[_Made], outcome: Outcome, targets: Targets, style: Style, partner: Partner | None) -> None:
    """All of the files, or none where one cannot be written; no records of a file that is not judged."""
    records = targets.records if outcome.files[0].verdict != NOT_JUDGED else ()
    paths = (*records, *([targets.ack] if targets.ack else []))
    with files.together(*paths) as outputs:
        out = dict(zip(paths, outputs, strict=True))
        accepted, rejected, why, ack = (
            out.get(path) if path else None for path in (targets.accepted, targets.rejected, targets.why, targets.ack)
        )
        if records:
            separating.separate(made[0].source, made[0].judgements[0], accepted, rejected, made[0].dialect)
        if why is not None:
            reports.write(outcome, "why", why, style)
        if ack is not None and targets.ack is not None:
            acknowledging.write(targets.ack, ack, map(_answered, made), outcome, partner)


def _answered(one: _Made) -> Answered:
    return Answered(one.source, next(iter(one.layouts.values())), one.dialect, one.said, one.judgements[0])


NO_LAYOUT: Parts = {None: Layout("", (), (), {})}
NO_DIALECT = Dialect("", "")
