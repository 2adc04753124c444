"""The XML Schemas of the shipped dialects, as they are committed; `tox -e gen` writes them anew."""

from pathlib import Path

import pytest
from lxml import etree

from medpay_cli import dialects, layouts
from medpay_cli.formats.xml import xsd

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "schemas" / "xsd"
NESTED = ROOT / "fixtures" / "formats" / "claims-xml"
# Dialect → where its schema stands.
CASES = {name: FOLDER / f"{name}.xsd" for name in dialects.names() if dialects.load(name).format == "xml"} | {
    str(NESTED / "claims-xml.toml"): NESTED / "claims-xml.xsd"
}


def produced(name):
    dialect = dialects.load(name)
    return xsd.schema(dialect, {node.name: layouts.load(node.layout) for node in dialect.parts})


@pytest.mark.parametrize("name", CASES, ids=lambda name: Path(name).stem)
def test_the_schema_is_the_committed_one(name):
    assert produced(name).decode() == CASES[name].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES, ids=lambda name: Path(name).stem)
def test_the_schema_is_a_schema(name):
    etree.XMLSchema(etree.fromstring(produced(name)))


def test_every_schema_belongs_to_a_dialect():
    assert set(FOLDER.iterdir()) <= set(CASES.values())


def test_the_nested_example_is_valid():
    schema = etree.XMLSchema(etree.parse(NESTED / "claims-xml.xsd"))
    schema.assertValid(etree.parse(NESTED / "batch.xml"))


if __name__ == "__main__":
    for name, path in CASES.items():
        path.write_bytes(produced(name))
