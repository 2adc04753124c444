"""`medpay transform`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medpay_cli.cli import options
from medpay_cli.errors import MedpayError

if TYPE_CHECKING:
    from medpay_cli.partners import Partner

FORMATS = ("text", "json")
FILE: dict[str, Any] = {"type": click.Path(path_type=Path), "metavar": "OUT"}
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@click.command("transform")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--mapping", required=True, metavar="NAME|FILE.toml", help="What becomes of each column.")
@click.option(
    "-o",
    "out",
    required=True,
    **FILE,
    help="The file (.zip, .gz pack it), or a folder.",
)
@click.option("--layout", metavar="ID|FILE.json", help="Read the source in another layout.")
@click.option("--dialect", metavar="NAME|FILE.toml", help="Read the source in another dialect.")
@click.option(
    "--to-dialect", metavar="NAME|FILE.toml", help="Write the target in another dialect, e.g. csv or parquet."
)
@click.option("--encoding", metavar="NAME", help="Encoding of the source, before what its dialect declares.")
@click.option("--set", "given", multiple=True, metavar="COL=VALUE", help="What mapping or dialect asks for at the run.")
@click.option("--with", "others", multiple=True, metavar="NAME=PATH", help="An input that the mapping joins.")
@click.option("--batch-no", metavar="ID", help="Write this batch: named, with its manifest; never the same twice.")
@click.option("--totals", metavar="FILE", help="The manifest of the source, where it is not beside it; or none.")
@click.option("--accepted-only", is_flag=True, help="Leave records with errors out; they go to OUT.rejected.")
@click.option("--split-rows", type=click.IntRange(1), metavar="N", help="Parts OUT-001, … of N records at most.")
@click.option("--split-size", metavar="SIZE", help="Parts of SIZE at most: bytes, or with K, M, G.")
@click.option("--allow-empty", is_flag=True, help="A file without records is none the worse.")
@options.partner
@options.reports(FORMATS)
def command(
    paths: tuple[str, ...], mapping: str, out: Path, layout: str | None, dialect: str | None, to_dialect: str | None,
    encoding: str | None, given: tuple[str, ...], others: tuple[str, ...], batch_no: str | None, totals: str | None,
    accepted_only: bool, split_rows: int | None, split_size: str | None, allow_empty: bool, partner: Partner | None,
    **report: Any,
) -> int:  # fmt: skip
    """Example: medpay transform 1305.zip --mapping nhsa-1305-to-price-item -o prices.csv

    Map records from one layout to another, both ends checked and every amount accounted for. Nothing is written where
    a record of either end has an error.
    """
    from medpay_cli.judging import Terms
    from medpay_cli.transform import transform
    from medpay_cli.transform.publishing import Limit

    if split_rows is not None and split_size is not None:
        raise MedpayError("one_split")
    beside = _given("--with", others, "NAME=PATH")
    read = [
        *paths,
        *beside.values(),
        *options.read_for([totals] if totals else []),
        *options.own(layout, dialect, to_dialect, mapping),
        *options.read_by(partner),
    ]
    options.check_targets(report, FORMATS, read, [out])
    with options.progress() as tick:
        result = transform(
            paths,
            mapping,
            out,
            layout=layout,
            dialect=dialect,
            to_dialect=to_dialect,
            given=_given("--set", given, "COL=VALUE"),
            others=beside,
            terms=Terms(encoding=encoding, manifest=totals, allow_empty=allow_empty, tick=tick),
            accepted_only=accepted_only,
            limit=Limit(split_rows, _bytes(split_size)),
            style=options.style(report),
            partner=partner,
            batch_no=batch_no,
        )
    options.emit(result, FORMATS, **report)
    return result.exit_code


def _given(option: str, texts: tuple[str, ...], form: str) -> dict[str, str]:
    """`stmt_begndate=2024-03-01`. Raises MedpayError."""
    found: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name or not value or name in found:
            raise MedpayError("side_option", option=option, text=text, form=form)
        found[name] = value
    return found


def _bytes(text: str | None) -> int | None:
    """`64M` as bytes. Raises MedpayError."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]*)([KMG]?)", text, re.ASCII)
    if found is None:
        raise MedpayError("side_option", option="--split-size", text=text, form="N, NK, NM, NG")
    return int(found[1]) * UNITS[found[2]]
