"""`medpay validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medpay_cli.cli import options
from medpay_cli.errors import MedpayError

if TYPE_CHECKING:
    from datetime import datetime

    from medpay_cli.partners import Partner

FORMATS = ("text", "json", "ndjson", "csv", "sarif", "junit", "github")
# Of a file; bytes that are no text do not go to stdout.
OUTPUTS = (*FORMATS, "parquet", "html", "xlsx")
FILE: dict[str, Any] = {"type": click.Path(path_type=Path, readable=False), "metavar": "FILE"}


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--layout", metavar="ID|FILE.json|none", help="Record layout, newest version; none: structure only.")
@click.option("--dialect", metavar="NAME|FILE.toml", help="File habits; recognised where it is clear.")
@click.option("--encoding", metavar="NAME", help="Encoding of the files, before what the dialect declares.")
@click.option("--accepted", **FILE, help="Write the accepted records here, byte for byte.")
@click.option("--rejected", **FILE, help="Write the others here, and why into FILE.why.csv.")
@click.option("--ack", **FILE, help="Write the acknowledgement of a batch here (.csv, .json, .xlsx).")
@click.option("--answered", metavar="ACK", help="Hold a batch that was sent against the acknowledgement of it.")
@click.option("--select", metavar="CODES", help="Hold only these rules (prefixes, by comma).")
@click.option("--ignore", metavar="CODES", help="Leave these rules out (prefixes, by comma).")
@click.option("--against", multiple=True, metavar="KIND=PATH", help="Hold records against those of another file.")
@click.option("--waivers", **FILE, help="Who answers for which findings, and until when.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="The day that counts; today.")
@click.option(
    "--fail-on", type=click.Choice(["error", "warning", "never"]), default="error", help="From when to exit with 1."
)
@options.partner
@options.declared("records=N,COL=AMOUNT", "FILE")
@options.reports(FORMATS)
def command(
    paths: tuple[str, ...], layout: str | None, dialect: str | None, encoding: str | None, accepted: Path | None,
    rejected: Path | None, ack: Path | None, answered: str | None, select: str | None, ignore: str | None,
    against: tuple[str, ...], waivers: Path | None, as_of: datetime | None, fail_on: str, expect: tuple[str, ...],
    totals: tuple[str, ...], allow_empty: bool, partner: Partner | None, **report: Any,
) -> int:  # fmt: skip
    """Example: medpay validate upload.zip --dialect nhsa-3202-upload

    Check files against a layout. PATH is a file, - for stdin, a .gz, a .zip or archive.zip!/member.
    """
    from datetime import date

    from medpay_cli import control
    from medpay_cli import waivers as waiving
    from medpay_cli.judging import Terms
    from medpay_cli.validate import Targets, validate

    targets = Targets(accepted, rejected, ack)
    requests, manifest = options.parted(totals)
    others = [_pair(text) for text in against]
    beside = [*options.read_for(totals), *([str(waivers)] if waivers else [])]
    named = [*(path for _, path in others), *beside, *([answered] if answered else [])]
    options.check_targets(
        report,
        OUTPUTS,
        [*paths, *named, *options.own(layout, dialect), *options.read_by(partner)],
        targets.paths,
    )
    with options.progress() as tick:
        outcome = validate(
            paths,
            layout,
            dialect,
            terms=Terms(
                encoding=encoding,
                selected=_codes(select),
                ignored=_codes(ignore),
                declared=control.joined([*map(control.expected, expect), *map(control.load, requests)]),
                manifest=manifest,
                allow_empty=allow_empty,
                waivers=waiving.load(waivers) if waivers else (),
                as_of=as_of.date() if as_of else date.today(),
                tick=tick,
            ),
            against=others,
            answered=answered,
            fail_on=fail_on,
            targets=targets if targets.paths else None,
            style=options.style(report),
            partner=partner,
        )
    options.emit(outcome, OUTPUTS, **report)
    return outcome.exit_code


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(code.strip() for code in text.split(",")) if text is not None else ()


def _pair(text: str) -> tuple[str, str]:
    """KIND=PATH. Raises MedpayError."""
    kind, mark, path = text.partition("=")
    if not mark or not kind or not path:
        raise MedpayError("side_option", option="--against", text=text, form="KIND=PATH")
    return kind, path
