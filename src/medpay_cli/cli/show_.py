"""`medpay show`."""

from __future__ import annotations

import click

from medpay_cli.cli import options
from medpay_cli.errors import MedpayError

KINDS = ("layout", "dialect", "mapping", "recipe", "rule")
FORMS = ("json-schema", "xsd", "csv-header")


@click.command("show")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option("--as", "form", type=click.Choice(FORMS), help="A layout as a schema for others, or as a header.")
@options.lang
def command(kind: str, name: str, form: str | None, lang: str | None) -> int:
    """Example: medpay show layout ledger_detail

    Show one layout (its fields), the coverage of a mapping, or the text of a dialect, recipe or rule.
    NAME may be a file of your own.
    """
    from medpay_cli import messages
    from medpay_cli.pages import page
    from medpay_cli.published import published

    if form is not None and kind != "layout":
        raise MedpayError("shown_as_layout", form=form, kind=kind)
    click.echo(published(name, form) if form else page(kind, name, messages.language(lang)), nl=False)
    return 0
