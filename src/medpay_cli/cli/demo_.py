"""`medpay demo`."""

from __future__ import annotations

from pathlib import Path

import click

from medpay_cli.cli import options


@click.command("demo")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@options.lang
def command(directory: Path, lang: str | None) -> int:
    """Example: medpay demo demo

    Write a small invented hospital day into DIR and print what to try with it.
    """
    from medpay_cli import files, messages
    from medpay_cli.errors import MedpayError

    originals = sorted((files.schemas() / "demo").iterdir())
    ours = {original.name for original in originals}
    with files.storage(directory):
        directory.mkdir(parents=True, exist_ok=True)
        if any(path.name not in ours for path in directory.iterdir()):
            raise MedpayError("not_empty", path=directory)
    for original in originals:
        with files.whole(directory / original.name) as out:
            out.write(original.read_bytes())
    click.echo(messages.text("demo", messages.language(lang), directory=directory))
    return 0
