"""What `show layout --as` writes means for others what the layout means for us."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import jsonschema
import pytest
from lxml import etree

from medpay_cli import checks, config, formats, layouts, sampling
from medpay_cli.cli.show_ import FORMS
from medpay_cli.dialects import Dialect
from medpay_cli.formats.archive import Input
from medpay_cli.parts import fitted
from medpay_cli.published import FORMS as WRITTEN
from medpay_cli.published import published

LAYOUTS = config.names(config.LAYOUT)
OWN = {
    "type": "object",
    "properties": {
        "anything": {},
        "free": {"enum": [1, "x"]},
        "five": {"enum": [5, Decimal("0.5")]},
        "one": {"type": "integer", "const": 1, "minimum": 0},
        "rate": {"type": "number"},
        "money": {"type": "string", "format": "money", "maxLength": 6},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "datetime"},
        "both": {"$ref": "#/$defs/base", "pattern": "^.*b$"},
    },
    "$defs": {"base": {"type": "string", "pattern": "^a.*$", "minLength": 3}},
    "required": ["rate"],
}
TEXTS = [
    "1", "1.0", "1.5", "01", "-0", "0.5", "0.50", "5", "5.00", "1e2", "x", "ab", "aab", "ba", "99999.99", "9999.999",
    "100.00", "2024-02-29", "2023-02-29", "2024-02-29 23:59:59", "2024-02-29 24:00:00", "+1", ".5", "\uff15", " 1",
    "1" * 21,
]  # fmt: skip


def validator(name):
    document = json.loads(published(name, "json-schema"))
    jsonschema.Draft202012Validator.check_schema(document)
    assert "$ref" not in json.dumps(document).replace("every $ref", "")
    return jsonschema.Draft202012Validator(document)


def accepted(name, records):
    """Whether each record (as text cells) satisfies the published schema."""
    judge = validator(name)
    return [judge.is_valid({key: cell for key, cell in one.items() if cell}) for one in records]


def sampled(name, *broken):
    """Records of a sample as they are read, and which of them are broken."""
    parts, dialect = fitted(Dialect("json", name, format="json"))
    out = io.BytesIO()
    planted = sampling.draw(parts, dialect, len(broken) + 4, 7, broken, out)
    source = Input("-", spool=io.BytesIO(out.getvalue()))
    names = {None: parts[None].names}
    records = formats.read(
        source, dialect, names, lambda _: None,
        lambda batches: [row for batch, _ in batches for row in batch.text.select(names[None]).rows(named=True)],
    )  # fmt: skip
    return records, {one.row for one in planted}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_json_schema_of_a_layout_refuses_what_we_refuse(name):
    layout = layouts.load(name)
    keywords = {keyword for one in layout.fields for keyword, _ in one.asserted if keyword != "type"}
    keywords |= {"type"} if any(one.types & {"number", "integer"} for one in layout.fields) else set()
    records, broken = sampled(name, *sorted(checks.CODES[keyword] for keyword in keywords))
    assert accepted(name, records) == [row not in broken for row in range(1, len(records) + 1)]


def test_the_json_schema_of_any_field_refuses_what_we_refuse(tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps(OWN, default=float), encoding="utf-8")
    from medpay_cli.sampling.permitted import violated

    layout = layouts.load(str(path))
    for one in layout.fields:
        for text in TEXTS:
            record = {"rate": "1", one.name: text}
            is_ours = not violated(one, text) - {"minimum", "maximum"}
            assert accepted(str(path), [record]) == [is_ours], (one.name, text)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_xml_schema_of_a_layout_takes_its_sample(name):
    parts, dialect = fitted(Dialect("xml", name, format="xml"))
    out = io.BytesIO()
    sampling.draw(parts, dialect, 3, 7, (), out)
    schema = etree.XMLSchema(etree.fromstring(published(name, "xsd").encode()))
    schema.assertValid(etree.fromstring(out.getvalue()))


def test_the_header_is_the_names_by_comma():
    assert published("ledger_total", "csv-header") == ",".join(layouts.load("ledger_total").names) + "\n"


def test_the_command_knows_every_form():
    assert tuple(WRITTEN) == FORMS
