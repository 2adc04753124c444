"""`medpay sample`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from medpay_cli.cli import options

# Of what is broken, said only where there is something to say.
BESIDES = ("node", "edited")


@click.command("sample")
@click.argument("layout", metavar="LAYOUT")
@click.option("--records", type=click.IntRange(0), required=True, metavar="N", help="How many records.")
@click.option("--seed", type=int, required=True, metavar="S", help="The same seed gives the same bytes.")
@click.option("--broken", multiple=True, metavar="CODE", help="Plant the fault of this finding; may be repeated.")
@click.option("--dialect", metavar="NAME|FILE.toml", help="File habits; follows from the layout where it is clear.")
@click.option("-o", "out", required=True, metavar="OUT", help="The file to write; - for stdout.")
@options.lang
def command(
    layout: str, records: int, seed: int, broken: tuple[str, ...], dialect: str | None, out: str, lang: str | None
) -> int:
    """Example: medpay sample ledger_detail --records 1000 --seed 7 -o sample.txt

    Write invented records of a LAYOUT, in any format. Of a nested message LAYOUT is that of the first node, and each
    record has up to three of every node inside. What --broken plants is named on stdout, a JSON line
    each (on stderr with -o -).
    """
    from medpay_cli import files, sampling

    if out == "-":
        planted = sampling.write(layout, dialect, records, seed, broken, sys.stdout.buffer)
    else:
        files.check_targets([Path(out)], options.own(layout, dialect))
        with files.whole(Path(out)) as file:
            planted = sampling.write(layout, dialect, records, seed, broken, file)
    for one in planted:
        told = {name: value for name, value in asdict(one).items() if name not in BESIDES or value is not None}
        click.echo(json.dumps(told, ensure_ascii=False), err=out == "-")
    return 0
