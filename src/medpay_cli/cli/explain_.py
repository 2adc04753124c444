"""`medpay explain`."""

from __future__ import annotations

import click

from medpay_cli.cli import options


@click.command("explain")
@click.argument("code")
@options.lang
def command(code: str, lang: str | None) -> int:
    """Example: medpay explain L103

    Explain a finding code: what it means, why it matters, how to fix it.
    """
    from medpay_cli import messages
    from medpay_cli.pages import page

    click.echo(page("rule", code.upper(), messages.language(lang)), nl=False)
    return 0
