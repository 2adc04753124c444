"""The files of a case: CSV tables of a few columns, completed to whole records of their kind."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from pathlib import Path

from medpay_cli import layouts
from medpay_cli.rules import together

CASES = Path(__file__).parents[2] / "fixtures" / "rules"
FILLER = tomllib.loads((CASES / "filler.toml").read_text(encoding="utf-8"))


def completed(kind: str, table: str) -> list[dict[str, str]]:
    """The records of a table; what it does not name is empty, or a filler where it is required."""
    layout = layouts.load(kind)
    records = []
    for number, row in enumerate(csv.DictReader(io.StringIO(table.strip("\n"))), 1):
        assert set(row) <= set(layout.names), row
        filler = {name: _numbered(text, number) for name, text in FILLER.get(kind, {}).items()}
        records.append({**dict.fromkeys(layout.names, ""), **filler, **row})
    return records


def _numbered(text: str, number: int) -> str:
    return re.sub("#+", lambda place: str(number).zfill(len(place[0])), text)


def write(folder: Path, kind: str, table: str) -> Path:
    """A CSV file of the records of a table."""
    path = folder / f"{kind}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, layouts.load(kind).names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(completed(kind, table))
    return path


def named(kind: str) -> str:
    """What people call a kind of record in `--against`."""
    return next((name for name, kinds in together.AGAINST.items() if kind in kinds), kind)
