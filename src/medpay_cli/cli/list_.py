"""`medpay list`."""

from __future__ import annotations

import click

from medpay_cli.cli import options

KINDS = ("layouts", "dialects", "mappings", "recipes", "rules")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS))
@options.lang
def command(kind: str, lang: str | None) -> int:
    """Example: medpay list dialects

    List what is shipped, a line each: name and title.
    """
    from medpay_cli import config, messages
    from medpay_cli.pages import listed

    found = listed(config.KINDS[kind], messages.language(lang))
    width = max(len(name) for name, _ in found)
    for name, title in found:
        click.echo(f"{name:<{width}}  {title}")
    return 0
