"""`medpay show`."""

from __future__ import annotations

import click

from medpay_cli.cli import options

KINDS = ("layout", "dialect", "recipe", "rule")


@click.command("show")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@options.lang
def command(kind: str, name: str, lang: str | None) -> int:
    """Example: medpay show layout ledger_detail

    Show one layout (its fields), or the text of a dialect, recipe or rule. NAME may be a file of your own.
    """
    from medpay_cli import messages
    from medpay_cli.pages import page

    click.echo(page(kind, name, messages.language(lang)), nl=False)
    return 0
