"""Options that several commands share: one spelling, one order."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

import click

from medpay_cli import files
from medpay_cli.errors import MedpayError

if TYPE_CHECKING:
    from medpay_cli.partners import Partner
    from medpay_cli.reports import Style

F = TypeVar("F", bound=Callable[..., Any])


def reports(formats: tuple[str, ...]) -> Callable[[F], F]:
    """--format, --output, what the reports may show, and --lang."""
    colors = click.Choice(["auto", "always", "never"])
    several: dict[str, Any] = {"multiple": True, "metavar": "FORMAT:FILE"}
    shown: dict[str, Any] = {"type": click.IntRange(0), "default": 5, "show_default": True}
    added = [
        click.option("--format", "form", type=click.Choice(formats), default="text", help="What stdout carries."),
        click.option("--output", "outputs", help="Also write this report; may be repeated.", **several),
        click.option("--max-shown", help="Findings shown per code (text, junit, github).", **shown),
        click.option("--max-json", help="Findings per code (json).", **{**shown, "default": 1000}),
        click.option("--show-values", is_flag=True, help="Show personal data instead of masking it."),
        click.option("--color", type=colors, default="auto", help="Colour on stdout."),
        lang,
    ]

    def add(command: F) -> F:
        for option in reversed(added):
            command = option(command)
        return command

    return add


def declared(form: str, file: str) -> Callable[[F], F]:
    """--expect, --totals and --allow-empty."""
    several: dict[str, Any] = {"multiple": True}
    added = [
        click.option("--expect", metavar=form, help="Declared count and sums; otherwise exit 3.", **several),
        click.option(
            "--totals", metavar=file, help="What declares them: a 3201 or 3202 request, a manifest; none.", **several
        ),
        click.option("--allow-empty", is_flag=True, help="A file without records is valid."),
    ]

    def add(command: F) -> F:
        for option in reversed(added):
            command = option(command)
        return command

    return add


def parted(totals: Iterable[str]) -> tuple[list[str], str | None]:
    """The requests among --totals, and the manifest (`none`: there is none). Raises MedpayError where there are two of
    those."""
    from medpay_cli import control

    named = list(totals)
    requests = [path for path in read_for(named) if control.is_request(path)]
    manifests = [path for path in named if path not in requests]
    if len(manifests) > 1:
        raise MedpayError("declared_twice", name="manifest", one=manifests[0], other=manifests[1])
    return requests, manifests[0] if manifests else None


def read_for(totals: Iterable[str]) -> list[str]:
    """The files that --totals names."""
    from medpay_cli.batches import NONE

    return [path for path in totals if path != NONE]


@contextlib.contextmanager
def progress() -> Iterator[Callable[[int], None]]:
    """Count records on stderr while the work goes on, if a person is looking."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    done, shown = 0, 0.0

    def tick(records: int) -> None:
        nonlocal done, shown
        done += records
        if time.monotonic() - shown > 0.2:
            shown = time.monotonic()
            sys.stderr.write(f"\r{done:,} ")
            sys.stderr.flush()

    try:
        yield tick
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def lang(command: F) -> F:
    """--lang."""
    choice = click.Choice(["zh", "en"])
    return click.option("--lang", type=choice, envvar="MEDPAY_LANG", callback=_lang, help="Language of texts.")(command)


def style(report: dict[str, Any]) -> Style:
    """How files are written: the limits asked for, no colour."""
    from medpay_cli import messages
    from medpay_cli.reports import Style

    limits = {name: report[name] for name in ("max_shown", "max_json", "show_values")}
    return Style(lang=messages.language(report["lang"]), **limits)


def check_targets(
    report: dict[str, Any], formats: tuple[str, ...], inputs: Iterable[str], others: Iterable[Path] = ()
) -> None:
    """Before any work: refuse an --output that cannot be meant, or stands where an input or another output does."""
    files.check_targets([*others, *(path for _, path in _outputs(report, formats))], inputs)


def partner(command: F) -> F:
    """--partner and --config; the command gets the partner, or None."""

    @wraps(command)
    def run(*args: Any, partner: str | None, config_file: Path | None, **options: Any) -> Any:
        from medpay_cli import partners

        return command(*args, partner=partners.load(partner, config_file), **options)

    return _partner_options(cast("F", run), metavar="NAME")


def partner_of_sides(command: F) -> F:
    """--partner, perhaps of one side only, and --config; the command gets the texts and the file."""
    return _partner_options(command, metavar="[SIDE=]NAME", multiple=True)


def _partner_options(command: F, **named: Any) -> F:
    kind = click.Path(path_type=Path, readable=False)  # that it cannot be read is no usage
    file: dict[str, Any] = {"type": kind, "metavar": "FILE", "envvar": "MEDPAY_CONFIG"}
    command = click.option("--config", "config_file", help="Settings; ./medpay.toml if it exists.", **file)(command)
    whose = "Whose habits of [partners] in it hold."
    return click.option("--partner", envvar="MEDPAY_PARTNER", help=whose, **named)(command)


def read_by(*partners: Partner | None) -> list[str]:
    """The file that names the partners."""
    return [str(partner.file) for partner in partners if partner]


def own(*names: str | None) -> list[str]:
    """Those that are files of the user's."""
    return [name for name in names if name and name.endswith((".json", ".toml"))]


def emit(outcome: Any, formats: tuple[str, ...], **report: Any) -> None:
    """Write the files asked for, all or none, then stdout."""
    from dataclasses import replace

    from medpay_cli.reports import write

    plain, targets = style(report), _outputs(report, formats)
    with files.together(*(path for _, path in targets)) as outs:
        for (name, _), out in zip(targets, outs, strict=True):
            write(outcome, name, out, plain)
    coloured = report["color"] == "always" or (report["color"] == "auto" and _tty())
    with _stdout() as out:
        write(outcome, report["form"], out, replace(plain, color=coloured, width=_width()))


def _outputs(report: dict[str, Any], formats: tuple[str, ...]) -> list[tuple[str, Path]]:
    targets = []
    for text in report["outputs"]:
        name, mark, path = text.partition(":")
        if not mark or name not in formats or not path:
            raise MedpayError("side_option", option="--output", text=text, form=f"FORMAT:FILE ({', '.join(formats)})")
        targets.append((name, Path(path)))
    return targets


@contextlib.contextmanager
def _stdout() -> Iterator[BinaryIO]:
    """Standard output in bytes. Raises StorageError where it cannot be written."""
    with files.storage(Path("stdout")):
        raw = sys.stdout.buffer
        # Under PYTHONUNBUFFERED nobody would write what a short write leaves.
        if not isinstance(raw, io.RawIOBase):
            yield raw
            raw.flush()
            return
        out = io.BufferedWriter(raw)
        yield cast("BinaryIO", out)
        out.detach()


def _lang(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value:
        os.environ["MEDPAY_LANG"] = value  # errors that surface later speak the same language
    return value


def _tty() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
