"""XML documents of tests: where dialects and layouts come from, and what our reader makes of bytes."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import polars as pl

from medpay_cli import dialects, layouts
from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import ReadError
from medpay_cli.formats import PATH, ROW
from medpay_cli.formats.archive import Input
from medpay_cli.formats.xml import document as xml

ROOT = Path(__file__).parents[2]
CLAIMS = ROOT / "fixtures" / "formats" / "claims-xml"
# One kind of record under /r, with the fields a and b.
FLAT = Dialect("flat.toml", "", format="xml", encoding="utf-8", nodes=(Node(None, ("r", "x"), ""),))
FLAT_NAMES = {None: ("a", "b")}


@cache
def described(name: str):
    """A dialect, and the layout of each of its nodes."""
    dialect = dialects.load(name)
    return dialect, {node.name: layouts.load(node.layout) for node in dialect.parts}


def claims():
    """The dialect and layouts of the nested example."""
    return described(str(CLAIMS / "claims-xml.toml"))


def source(content: bytes) -> Input:
    """An input that holds these bytes, already decoded."""
    return Input("-", spool=io.BytesIO(content), encoding="utf-8")


def read(content: bytes, dialect: Dialect = FLAT, names=None):
    """Everything that is read: node → text frame, node → faults, node → number of records; rows count on."""
    names = names or FLAT_NAMES
    texts, faults, counts = {}, {}, {}
    for task in xml.scan(source(content), dialect, names):
        batch = task()
        before = counts.get(batch.node, 0)
        texts.setdefault(batch.node, []).append(batch.text.with_columns(pl.col(ROW) + before))
        faults.setdefault(batch.node, []).append(batch.faults.with_columns(pl.col("row") + before))
        counts[batch.node] = before + batch.records
    return (
        {node: pl.concat(frames) for node, frames in texts.items()},
        {node: pl.concat(frames) for node, frames in faults.items()},
        counts,
    )


def records(content: bytes, dialect: Dialect = FLAT, names=None):
    """The cells of the records that could be read, with their lines and paths, by node."""
    texts, _, _ = read(content, dialect, names)
    return {node: frame.drop(ROW).rows() for node, frame in texts.items()}


def found(content: bytes, dialect: Dialect = FLAT, names=None):
    """The findings, as (node, row, line, field, code, value); of a file that cannot be read its only one."""
    try:
        _, faults, _ = read(content, dialect, names)
    except ReadError as err:
        return [(err.code, err.value)]
    return [
        (node, *row)
        for node, frame in faults.items()
        for row in frame.select("row", "line", "field", "code", "value").rows()
    ]


def cells(content: bytes, dialect: Dialect = FLAT, names=None):
    """The cells alone."""
    texts, _, _ = read(content, dialect, names)
    return {node: frame.drop(ROW, "\x1fline", PATH).rows() for node, frame in texts.items()}


def other(**changes) -> Dialect:
    """The flat dialect, changed."""
    return replace(FLAT, **changes)
