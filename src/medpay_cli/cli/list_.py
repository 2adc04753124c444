"""`medpay list`."""

from __future__ import annotations

import click

from medpay_cli.cli import options

KINDS = ("layouts", "dialects", "recipes", "rules")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS))
@options.lang
def command(kind: str, lang: str | None) -> int:
    """Example: medpay list dialects

    List what is shipped, a line each: name and title.
    """
    from medpay_cli import config, messages
    from medpay_cli.pages import title

    chosen = config.KINDS[kind]
    names = config.names(chosen)
    width = max(map(len, names))
    for name in names:
        click.echo(f"{name:<{width}}  {title(chosen, name, messages.language(lang))}")
    return 0
