"""A message as XML, as JSON and as a set of delimited files is the same records, whichever way it goes round."""

import io
import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from medpay_cli import dialects, formats, layouts
from medpay_cli.dialects import Dialect
from medpay_cli.formats.archive import Input

FOLDER = Path(__file__).parents[2] / "fixtures" / "formats" / "claims-xml"
XML = dialects.load(str(FOLDER / "claims-xml.toml"))
JSON = replace(
    XML, name="claims-json", format="json", namespace="", nodes=tuple(
        replace(node, path={"header": ("output", "header"), "claim": ("output", "claims"),
                            "line": ("output", "claims", "lines")}[node.name]) for node in XML.nodes
    ), embedded=(("output",),),
)  # fmt: skip
NAMES = {node.name: layouts.load(node.layout).names for node in XML.nodes}
# As a partner without messages sends it: one file per node.
SET = {
    node: Dialect(f"claims-{node}", node, delimiter=",", quote='"', header=True).fitted(names)
    for node, names in NAMES.items()
}
TEXTS = [
    "A床位费",
    "B-<x>.",
    "a,b",
    'say "x"',
    "l1\nl2",
    "t\tt",
    "&amp;",
    "001",
    "1e5",
    "]]>",
    "𠮷",
    "\\n",
    "-0",
    "=1+1",
]
Records = dict[str, list[tuple[str | None, ...]]]


def message(chance: random.Random) -> Records:
    """The records of an invented message."""

    def cell() -> str | None:
        return chance.choice([None, *TEXTS, str(chance.randrange(10**6))])

    records: Records = {"header": [("BX0001", cell(), "3")], "claim": [], "line": []}
    for number in range(chance.randrange(4)):
        key = f"C-{number}{chance.choice(['', '<', '中', ' x'])}"
        records["claim"].append((key, cell(), cell(), cell(), f"{chance.randrange(10**6)}.{chance.randrange(10)}"))
        for _ in range(chance.randrange(3)):
            records["line"].append((key, cell() or "A", cell(), cell(), cell()))
    return records


def frames(records: Records) -> dict[str, pl.DataFrame]:
    """The same as text frames."""
    return {
        node: pl.DataFrame(rows, dict.fromkeys(NAMES[node], pl.String), orient="row") for node, rows in records.items()
    }


def written(dialect: Dialect, records: Records, names) -> bytes:
    """A file of these records."""
    out = io.BytesIO()
    formats.write(out, dialect, names, [{node: frames(records)[node or only(names)] for node in names}])
    return out.getvalue()


def only(names) -> str:
    """The node of a file that holds one."""
    return next(node for node, fields in NAMES.items() if fields == names[None])


def read(dialect: Dialect, content: bytes, names) -> Records:
    """The records of a file, read without a finding."""

    def gather(batches):
        found = {node: [] for node in names}
        for batch, _ in batches:
            assert batch.faults.is_empty(), batch.faults
            found[batch.node] += batch.text.select(names[batch.node]).rows()
        return found

    return formats.read(Input("-", spool=io.BytesIO(content)), dialect, names, lambda _: None, gather)


def around(records: Records) -> Records:
    """Written and read as XML, what was read as JSON, that as delimited files, and those as XML again."""
    seen = read(XML, written(XML, records, NAMES), NAMES)
    seen = read(JSON, written(JSON, seen, NAMES), NAMES)
    alone = {node: {None: names} for node, names in NAMES.items()}
    apart = {
        node: read(SET[node], written(SET[node], {node: rows}, alone[node]), alone[node])[None] if rows else []
        for node, rows in seen.items()
    }
    return read(XML, written(XML, apart, NAMES), NAMES)


def test_400_messages_go_round_without_loss():
    chance = random.Random(20241)  # noqa: S311
    for _ in range(400):
        records = message(chance)
        assert around(records) == records


@pytest.mark.full
def test_10_000_messages_go_round_without_loss():
    chance = random.Random(7)  # noqa: S311
    for _ in range(10_000):
        records = message(chance)
        assert around(records) == records
