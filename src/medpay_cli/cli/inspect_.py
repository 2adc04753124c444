"""`medpay inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from medpay_cli.cli import options

if TYPE_CHECKING:
    from medpay_cli.partners import Partner

FORMATS = ("text", "json")


@click.command("inspect")
@click.argument("path", metavar="PATH")
@click.option("--encoding", metavar="NAME", help="Encoding of the file, if you know it.")
@options.partner
@options.reports(FORMATS)
def command(path: str, encoding: str | None, partner: Partner | None, **report: Any) -> int:
    """Example: medpay inspect upload.zip

    Say what a file is, with the evidence: encoding, line ends, dialect and layout, counts and totals.
    Exit code 2 where it is not recognised.
    """
    from medpay_cli.inspection import inspect

    options.check_targets(report, FORMATS, [path, *options.read_by(partner)])
    inspection = inspect(path, encoding, partner)
    options.emit(inspection, FORMATS, **report)
    return inspection.exit_code
