"""Documents go from JSON through XML and a file for each node back to JSON; each is read here without medpay."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from small import medpay
from test_conservation import NESTED, other_format, sampled

from medpay_cli import dialects, layouts

Content = dict[str, list[dict[str, str]]]
# Of JSON documents; those that are XML already come back by test_conservation.
OF_JSON = [name for name in NESTED if dialects.document(name)["format"] == "json"]
COUNTS = [len(OF_JSON), pytest.param(10_000, marks=pytest.mark.full)]


def paths(name: str) -> dict[str, list[str]]:
    """Node → the steps to it from the top of the document."""
    return {node: body["path"].strip("/").split("/") for node, body in dialects.document(name)["nodes"].items()}


def of_json(content: bytes, name: str) -> Content:
    """The records of each node, numbers as they are written."""
    document = json.loads(content, parse_float=str, parse_int=str)
    embedded = [path.strip("/") for path in dialects.document(name).get("embedded", ())]
    for key in embedded:
        if isinstance(document.get(key), str):
            document[key] = json.loads(document[key], parse_float=str, parse_int=str)
    return {node: list(_reached(document, steps)) for node, steps in paths(name).items()}


def _reached(part: Any, steps: list[str]) -> Any:
    if isinstance(part, list):
        for one in part:
            yield from _reached(one, steps)
    elif not steps:
        yield {key: cell for key, cell in part.items() if cell is not None and not isinstance(cell, dict | list)}
    elif steps[0] in part:
        yield from _reached(part[steps[0]], steps[1:])


def of_xml(content: bytes, name: str, root: str) -> Content:
    """The same, from XML whose root may be one that JSON has not."""
    top = etree.fromstring(content)
    found = {}
    for node, steps in paths(name).items():
        inner = steps[0 if root else 1 :]
        elements = top.findall("/".join(inner)) if inner else [top]
        found[node] = [{cell.tag: cell.text for cell in one if not len(cell) and cell.text} for one in elements]
    return found


def of_csv(path: Path, name: str) -> Content:
    """The same, from a CSV file for each node, or the only one."""
    nodes = list(paths(name))
    if len(nodes) == 1:
        return {nodes[0]: _records(path.read_bytes())}
    with zipfile.ZipFile(path) as archive:
        held = {member.rpartition(".")[0]: archive.read(member) for member in archive.namelist()}
    return {node: _records(held[node]) if node in held else [] for node in nodes}


def _records(content: bytes) -> list[dict[str, str]]:
    lines = csv.DictReader(io.StringIO(content.decode(), newline=""))
    return [{key: cell for key, cell in one.items() if cell} for one in lines]


def alike(content: Content, name: str) -> Content:
    """Only the fields of each node's layout: in JSON those of the records around stand further out."""
    nodes = dialects.load(name).nodes
    names = {node.name: set(layouts.load(node.layout).names) for node in nodes}
    links = {node.name: set(getattr(node, "link", ()) or ()) for node in nodes}
    return {
        node: [{key: cell for key, cell in one.items() if key in names[node] - links[node]} for one in records]
        for node, records in content.items()
    }


def around(name: str, folder: Path, seed: int, other: Path) -> list[Content]:
    """What a document holds at each step: JSON, XML, CSV, JSON."""
    first = dialects.load(name).nodes[0].layout
    made = sampled(first, name, 1 + seed % 4, seed, ())
    (folder / "first.json").write_bytes(made)
    single = len(paths(name)) == 1
    table = folder / ("node.csv" if single else "nodes.zip")
    source = table if single else f"{table}!/*"
    words = ("--dialect", f"csv:{first}") if single else ()
    for step in (
        (folder / "first.json", "--dialect", name, "--to-dialect", other, "-o", folder / "second.xml"),
        (folder / "second.xml", "--dialect", other, "--to-dialect", "csv", "-o", table),
        (source, *words, "--to-dialect", name, "-o", folder / "last.json"),
    ):
        answer = medpay("transform", *step, "--mapping", "identity")
        assert (answer.exit_code, answer.err) == (0, ""), (name, seed, answer.out.decode())
    last = (folder / "last.json").read_bytes()
    root = "root" if "root/" in other.read_text(encoding="utf-8") else ""
    xml = of_xml((folder / "second.xml").read_bytes(), name, root)
    assert last == made
    return [alike(one, name) for one in (of_json(made, name), xml, of_csv(table, name), of_json(last, name))]


@pytest.mark.parametrize("count", COUNTS)
def test_documents_hold_the_same_in_every_format(tmp_path, count):
    others = {name: other_format(name, tmp_path / f"{name}.toml") for name in OF_JSON}
    records = 0
    for seed in range(count):
        name = OF_JSON[seed % len(OF_JSON)]
        before, *after = around(name, tmp_path, seed, others[name])
        assert after == [before] * 3, (name, seed)
        records += sum(map(len, before.values()))
    assert records > count
