"""`medpay validate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medpay_cli.cli import options

if TYPE_CHECKING:
    from medpay_cli.partners import Partner

FORMATS = ("text", "json", "ndjson", "csv")
# Of a file; bytes that are no text do not go to stdout.
IN_FILES = (*FORMATS, "parquet")
FILE: dict[str, Any] = {"type": click.Path(path_type=Path), "metavar": "FILE"}


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--layout", metavar="ID|FILE.json|none", help="Record layout, newest version; none: structure only.")
@click.option("--dialect", metavar="NAME|FILE.toml", help="File habits; recognised where it is clear.")
@click.option("--encoding", metavar="NAME", help="Encoding of the files, before what the dialect declares.")
@click.option("--accepted", **FILE, help="Write the accepted records here, byte for byte.")
@click.option("--rejected", **FILE, help="Write the others here, and why into FILE.why.csv.")
@click.option("--select", metavar="CODES", help="Hold only these rules (prefixes, by comma).")
@click.option("--ignore", metavar="CODES", help="Leave these rules out (prefixes, by comma).")
@click.option(
    "--fail-on", type=click.Choice(["error", "warning", "never"]), default="error", help="From when to exit with 1."
)
@options.partner
@options.declared("records=N,COL=AMOUNT", "FILE")
@options.reports(FORMATS)
def command(
    paths: tuple[str, ...], layout: str | None, dialect: str | None, encoding: str | None, accepted: Path | None,
    rejected: Path | None, select: str | None, ignore: str | None, fail_on: str, expect: tuple[str, ...],
    totals: tuple[str, ...], allow_empty: bool, partner: Partner | None, **report: Any,
) -> int:  # fmt: skip
    """Example: medpay validate upload.zip --dialect nhsa-3202-upload

    Check files against a layout. PATH is a file, - for stdin, a .gz, a .zip or archive.zip!/member.
    """
    from medpay_cli import control
    from medpay_cli.judging import Terms
    from medpay_cli.validate import Targets, validate

    targets = Targets(accepted, rejected)
    options.check_targets(
        report, IN_FILES, [*paths, *totals, *options.own(layout, dialect), *options.read_by(partner)], targets.paths
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
                declared=control.joined([*map(control.expected, expect), *map(control.load, totals)]),
                allow_empty=allow_empty,
                tick=tick,
            ),
            fail_on=fail_on,
            targets=targets if targets.paths else None,
            style=options.style(report),
            partner=partner,
        )
    options.emit(outcome, IN_FILES, **report)
    return outcome.exit_code


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(code.strip() for code in text.split(",")) if text is not None else ()
