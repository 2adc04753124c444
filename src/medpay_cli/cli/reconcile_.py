"""`medpay reconcile`."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medpay_cli.cli import options
from medpay_cli.errors import MedpayError

if TYPE_CHECKING:
    from medpay_cli.control import Declared
    from medpay_cli.partners import Partner
    from medpay_cli.recipes import Recipe

FORMATS = ("text", "json")
OUTPUTS = (*FORMATS, "html", "xlsx")
ENGINES = ("auto", "polars", "duckdb", "spark")


@click.command("reconcile")
@click.argument("sides", nargs=2, required=True, metavar="SIDE SIDE")
@click.option("--recipe", metavar="NAME|FILE.toml", help="What is matched on what.")
@click.option("--key", metavar="A[,B]", help="Ad hoc: key columns of two tables with headers.")
@click.option("--amount", metavar="X[,Y]", help="Ad hoc: amounts to compare.")
@click.option("--compare", metavar="C[,D]", help="Ad hoc: other columns that must be equal.")
@click.option(
    "--output-dir", type=click.Path(path_type=Path), metavar="DIR", help="Write summary.json and differences.* here."
)
@click.option("--layout", "layouts", multiple=True, metavar="SIDE=ID", help="Read this side in another layout.")
@click.option("--dialect", "dialects", multiple=True, metavar="SIDE=NAME", help="Read this side in another dialect.")
@click.option("--encoding", "encodings", multiple=True, metavar="SIDE=NAME", help="This side's encoding.")
@click.option("--tolerance", "tolerances", multiple=True, metavar="COL=AMOUNT", help="Amount within which COL agrees.")
@options.partner_of_sides
@options.declared("SIDE:records=N,COL=AMOUNT", "SIDE=FILE")
@click.option("--accepted-only", is_flag=True, help="Leave unreadable records out instead of stopping.")
@click.option(
    "--engine", type=click.Choice(["auto", "polars", "duckdb", "spark"]), default="auto", help="Matches on it."
)
@click.option("--memory-limit", metavar="SIZE", help="Such as 2GiB; three quarters of the memory unless said.")
@options.reports(FORMATS)
def command(
    sides: tuple[str, str], recipe: str | None, key: str | None, amount: str | None, compare: str | None,
    output_dir: Path | None, layouts: tuple[str, ...], dialects: tuple[str, ...], encodings: tuple[str, ...],
    tolerances: tuple[str, ...], expect: tuple[str, ...], totals: tuple[str, ...], allow_empty: bool,
    accepted_only: bool, engine: str, memory_limit: str | None, partner: tuple[str, ...], config_file: Path | None,
    **report: Any,
) -> int:  # fmt: skip
    """Example: medpay reconcile hospital.txt platform.txt --recipe ledger --output-dir out

    Match two sides and explain every difference to the fen. SIDE is a PATH, in the recipe's order, or NAME=PATH.
    """
    from medpay_cli import engines
    from medpay_cli.judging import Terms
    from medpay_cli.reconcile import folder_files, reconcile, write_folder

    used = _recipe(recipe, key, amount, compare)
    names = [side.name for side in used.sides]
    bound = _bound(sides, names)
    made = folder_files(output_dir) if output_dir and output_dir.is_dir() else ()
    partners = _partners(partner, config_file, names)
    options.check_targets(report, OUTPUTS, [*bound.values(), *options.read_by(*partners.values())], made)
    encoding, declared = _by_side("--encoding", encodings, names), _declared(expect, totals, names)
    with options.progress() as tick:
        result = reconcile(
            bound,
            used,
            layout=_by_side("--layout", layouts, names),
            dialect=_by_side("--dialect", dialects, names),
            terms={
                name: Terms(
                    encoding=encoding.get(name),
                    declared=declared[name][0],
                    manifest=declared[name][1],
                    allow_empty=allow_empty,
                    tick=tick,
                )
                for name in names
            },
            tolerance=_tolerance(tolerances, used.amounts),
            accepted_only=accepted_only,
            partner=partners,
            engine=engine,
            cluster=engines.cluster(config_file),
            memory_limit=_size(memory_limit),
        )
    if result.engine != engines.POLARS:
        seconds = ", ".join(f"{what} {number:.1f} s" for what, number in result.seconds.items())
        click.echo(f"{result.engine}: {seconds}", err=True)
    if output_dir is not None:
        write_folder(result, output_dir, options.style(report))
    options.emit(result, OUTPUTS, **report)
    return result.exit_code


def _recipe(name: str | None, key: str | None, amount: str | None, compare: str | None) -> Recipe:
    from medpay_cli import recipes

    if name is not None and not (key or amount or compare):
        return recipes.load(name)
    if name is not None or key is None or amount is None:
        raise MedpayError("key_or_recipe")
    return recipes.ad_hoc(_words(key), _words(amount), _words(compare or ""))


def _size(text: str | None) -> int | None:
    """2GiB, 500MB, 1073741824."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,15})(?:([KMGT])(i?)B?)?", text.strip(), re.ASCII | re.IGNORECASE)
    if found is None:
        raise MedpayError("not_a_size", option="--memory-limit", text=text)
    number, unit, binary = found.groups()
    power = " KMGT".index(unit.upper()) if unit else 0
    return int(number) * int((1024 if binary else 1000) ** power)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _bound(sides: tuple[str, ...], names: list[str]) -> dict[str, str]:
    """PATHs in the recipe's order, NAME=PATH by name."""
    bound: dict[str, str] = {}
    for text in sides:
        name, mark, path = text.partition("=")
        if mark and (known := _known(name, names)):
            bound[known] = path
    free = iter(name for name in names if name not in bound)
    for text in sides:
        if not _known(text.partition("=")[0], names) or "=" not in text:
            bound[next(free, "")] = text
    if set(bound) != set(names):
        raise MedpayError("two_sides", names=" / ".join(names))
    return bound


def _known(name: str, names: list[str]) -> str | None:
    return {**dict(zip(("ours", "theirs"), names, strict=True)), **{one: one for one in names}}.get(name)


def _by_side(option: str, texts: tuple[str, ...], names: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not value:
            raise MedpayError("side_option", option=option, text=text, form="SIDE=NAME")
        known = _known(name, names)
        if known is None:
            raise MedpayError("unknown_side", name=name, names=", ".join(names))
        found[known] = value
    return found


def _partners(texts: tuple[str, ...], file: Path | None, names: list[str]) -> dict[str, Partner]:
    """The partner of each side: NAME is that of all, SIDE=NAME that of one."""
    from medpay_cli import partners

    partners.load(None, file)  # which refuses settings that nobody could mean
    whole = {name: text for text in texts if "=" not in text for name in names}
    chosen = whole | _by_side("--partner", tuple(text for text in texts if "=" in text), names)
    loaded = {name: partners.load(text, file) for name, text in chosen.items()}
    return {name: one for name, one in loaded.items() if one is not None}


def _declared(
    expect: tuple[str, ...], totals: tuple[str, ...], names: list[str]
) -> dict[str, tuple[Declared, str | None]]:
    """What was declared of each side, SIDE:records=N,COL=AMOUNT and SIDE=FILE, and its manifest."""
    from medpay_cli import control

    said, files = _of_sides("--expect", expect, ":", names), _of_sides("--totals", totals, "=", names)
    found = {}
    for name in names:
        requests, manifest = options.parted(files[name])
        found[name] = (
            control.joined([*map(control.expected, said[name]), *map(control.load, requests)]),
            manifest,
        )
    return found


def _of_sides(option: str, texts: tuple[str, ...], mark: str, names: list[str]) -> dict[str, list[str]]:
    """What an option says of each side. Raises MedpayError."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for text in texts:
        side, _, value = text.partition(mark)
        known = _known(side, names)
        if known is None or not value:
            raise MedpayError("side_option", option=option, text=text, form=f"SIDE{mark}… ({', '.join(names)})")
        found[known].append(value)
    return found


def _tolerance(texts: tuple[str, ...], amounts: tuple[str, ...]) -> dict[str, Decimal]:
    found = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]+)?", value, re.ASCII):
            raise MedpayError("side_option", option="--tolerance", text=text, form="COL=AMOUNT")
        if name not in amounts:
            raise MedpayError("unknown_column", option="--tolerance", name=name, names=", ".join(amounts))
        found[name] = Decimal(value)
    return found
