"""Read and write JSON in tests: bytes in, cells and findings out."""

import io
from dataclasses import replace

import polars as pl

from medpay_cli import dialects, formats, layouts
from medpay_cli.dialects import Dialect, Node
from medpay_cli.formats import LINE, PATH, ROW
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import decoded

FLAT = Dialect("flat", "flat", format="json")
LINES = Dialect("lines", "flat", format="ndjson")
NAMES = {None: ("a", "b", "c")}
# A claim with its lines, inside an envelope.
CLAIMS = Dialect(
    "claims",
    "claim",
    format="json",
    nodes=(
        Node("claim", ("output", "claims"), "claim", repeated=True, required=True),
        Node("line", ("output", "claims", "detail", "lines"), "line", True, False, "claim", ("id",)),
    ),
)
CLAIM_NAMES = {"claim": ("id", "fee"), "line": ("id", "code", "amount")}


def batches(content, dialect, names):
    """What is read of some bytes, batch by batch."""
    source = decoded(Input("-", spool=io.BytesIO(content)), None, dialect.encoding)
    written = replace(dialect, encoding=source.encoding)
    return [task() for task in formats.of(dialect.format).scan(source, written, names)]


def cells(content, dialect=FLAT, names=NAMES, node=None):
    """The cells of a node's records that could be read."""
    found = [batch.text for batch in batches(content, dialect, names) if batch.node == node]
    return pl.concat(found).select(names[node]).rows()


def places(content, dialect=FLAT, names=NAMES, node=None):
    """Row, line and path of each record that could be read."""
    found = [batch.text for batch in batches(content, dialect, names) if batch.node == node]
    return pl.concat(found).select(ROW, LINE, PATH).rows()


def faults(content, dialect=FLAT, names=NAMES, node=None):
    """Row, field, code and value of each finding."""
    found = [batch.faults for batch in batches(content, dialect, names) if batch.node == node]
    return pl.concat(found).select("row", "field", "code", "value").rows()


def frame(records, names):
    """Records as a text frame."""
    return pl.DataFrame(records, dict.fromkeys(names, pl.String), orient="row")


def text_of(dialect, names, *chunks):
    """What is written of chunks."""
    out = io.BytesIO()
    formats.write(out, dialect, names, chunks)
    return out.getvalue()


def described(path):
    """A dialect file, and the fields of its nodes."""
    dialect = dialects.load(str(path))
    return dialect, {part.name: layouts.load(part.layout).names for part in dialect.parts}
