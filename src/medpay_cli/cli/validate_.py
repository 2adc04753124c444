"""`medpay validate`."""

from __future__ import annotations

from typing import Any

import click

from medpay_cli.cli import options

FORMATS = ("text", "json", "ndjson", "csv")


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--layout", metavar="ID|FILE.json", help="Record layout; newest version unless named.")
@click.option("--dialect", metavar="NAME|FILE.toml", help="File habits; follows from the layout where it is clear.")
@click.option("--encoding", metavar="NAME", help="Encoding of the files, before what the dialect declares.")
@options.reports(FORMATS)
def command(
    paths: tuple[str, ...], layout: str | None, dialect: str | None, encoding: str | None, **report: Any
) -> int:
    """Example: medpay validate upload.zip --dialect nhsa-3202-upload

    Check files against a layout. PATH is a file, - for stdin, a .gz, a .zip or archive.zip!/member.
    """
    from medpay_cli.validate import validate

    outcome = validate(paths, layout, dialect, encoding=encoding)
    options.emit(outcome, FORMATS, **report)
    return outcome.exit_code
