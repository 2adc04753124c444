"""layout.schema.json refuses by name whatever the compiled checks do not do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema_specifications import REGISTRY

from medpay_cli import config, layouts
from medpay_cli.errors import MedpayError

DRAFT = "https://json-schema.org/draft/2020-12"
# What the keywords of the draft that we do not have would look like beside a field that is well-formed.
REFUSED_IN_FIELD: dict[str, Any] = {
    "multipleOf": 0.01,
    "exclusiveMinimum": 0,
    "exclusiveMaximum": 1,
    "allOf": [{}],
    "anyOf": [{}],
    "oneOf": [{}],
    "not": {},
    "if": {},
    "then": {},
    "else": {},
    "items": {},
    "prefixItems": [{}],
    "contains": {},
    "minContains": 1,
    "maxContains": 1,
    "minItems": 1,
    "maxItems": 1,
    "uniqueItems": True,
    "unevaluatedItems": False,
    "properties": {},
    "required": [],
    "patternProperties": {},
    "additionalProperties": False,
    "propertyNames": {},
    "minProperties": 1,
    "maxProperties": 1,
    "unevaluatedProperties": False,
    "dependentSchemas": {},
    "dependentRequired": {},
    "dependencies": {},
    "contentEncoding": "base64",
    "contentMediaType": "text/plain",
    "contentSchema": {},
    "default": "1",
    "deprecated": True,
    "readOnly": True,
    "writeOnly": True,
    "definitions": {},
    "$id": "medpay:x",
    "$schema": f"{DRAFT}/schema",
    "$anchor": "x",
    "$dynamicAnchor": "x",
    "$dynamicRef": "#x",
    "$recursiveAnchor": "x",
    "$recursiveRef": "#",
    "$vocabulary": {},
    "$comment": "x",
    "$defs": {},
}
IN_FIELD = (
    *("$ref", "type", "title", "description", "minLength", "maxLength", "pattern", "format"),
    *("enum", "const", "minimum", "maximum", "examples"),
)
IN_LAYOUT = ("$schema", "$id", "$defs", "type", "title", "description", "properties", "required")
REFUSED_IN_LAYOUT = [keyword for keyword in (*IN_FIELD, *REFUSED_IN_FIELD) if keyword not in IN_LAYOUT]


@pytest.fixture
def fault(tmp_path):
    """The place and the reason of the MedpayError that a layout raises."""

    def raised(schema: dict[str, Any]) -> tuple[object, object]:
        path = tmp_path / "layout.json"
        path.write_text(json.dumps(schema), encoding="utf-8")
        with pytest.raises(MedpayError) as caught:
            config.load(config.LAYOUT, str(path))
        assert caught.value.key == "not_allowed"
        return caught.value.values["place"], caught.value.values["reason"]

    return raised


def layout(**field: Any) -> dict[str, Any]:
    """A layout of one field."""
    return {"type": "object", "properties": {"setl_id": {"type": "string", **field}}}


def test_every_keyword_of_the_draft_is_either_ours_or_refused():
    draft = REGISTRY.contents(f"{DRAFT}/schema")
    parts = [draft, *(REGISTRY.contents(f"{DRAFT}/{part['$ref']}") for part in draft["allOf"])]
    assert {keyword for part in parts for keyword in part["properties"]} == {*IN_FIELD, *REFUSED_IN_FIELD}


@pytest.mark.parametrize("keyword", REFUSED_IN_FIELD)
def test_keyword_is_refused_in_a_field_by_name(fault, keyword):
    assert fault(layout(**{keyword: REFUSED_IN_FIELD[keyword]})) == (
        "properties/setl_id",
        f"Additional properties are not allowed ('{keyword}' was unexpected)",
    )


@pytest.mark.parametrize("keyword", REFUSED_IN_LAYOUT)
def test_keyword_is_refused_at_the_top_by_name(fault, keyword):
    assert fault(layout() | {keyword: REFUSED_IN_FIELD.get(keyword)}) == (
        "/",
        f"Additional properties are not allowed ('{keyword}' was unexpected)",
    )


@pytest.mark.parametrize("keyword", ["multipleOf", "not", "$anchor"])
def test_keyword_is_refused_in_a_shared_definition_by_name(fault, keyword):
    assert fault(layout() | {"$defs": {"money": {keyword: REFUSED_IN_FIELD[keyword]}}}) == (
        "$defs/money",
        f"Additional properties are not allowed ('{keyword}' was unexpected)",
    )


@pytest.mark.parametrize("annotation", ["x-mask", "x_codes", "Title"])
def test_annotation_that_is_not_ours_is_refused_by_name(fault, annotation):
    assert fault(layout(**{annotation: "x"})) == (
        "properties/setl_id",
        f"Additional properties are not allowed ('{annotation}' was unexpected)",
    )


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "a", "^a", "a$", "a^b$c", "(^a$)", "(?i)^a$"),
        *("^\\d$", "^\\D$", "^[\\d]$", "^\\w+$", "^\\s$", "^\\ba$", "^\\p{Letter}$", "^\\P{L}$"),
        *("^(?=a)a$", "^(?!b)a$", "^(?<=a)b$", "^(?<!a)b$", "^(?P<name>a)$", "^(?i:a)$"),
    ],
)
def test_pattern_that_is_unanchored_or_not_the_same_in_every_engine_is_refused(fault, pattern):
    place, reason = fault(layout(pattern=pattern))
    assert place == "properties/setl_id/pattern"
    assert reason.startswith(f"{pattern!r} does not match")


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("type", ["string", "number"], "['string', 'number'] is not one of ['string', 'number', 'integer']"),
        ("type", "boolean", "'boolean' is not one of ['string', 'number', 'integer']"),
        ("format", "date-time", "'date-time' is not one of ['money', 'decimal', 'date', 'datetime']"),
        ("enum", [], "[] should be non-empty"),
        ("const", True, "True is not of type 'string', 'number'"),
        ("minLength", -1, "-1 is less than the minimum of 0"),
        ("maxLength", "3", "'3' is not of type 'integer'"),
        ("minimum", "0", "'0' is not of type 'number'"),
        (
            "$ref",
            "https://example.com/schema",
            "'https://example.com/schema' does not match '^(#|medpay:[a-z/]+#)/(\\\\$defs|properties)/[^/]+$'",
        ),
    ],
)
def test_keyword_with_a_value_that_is_not_ours_is_refused_in_its_place(fault, keyword, value, reason):
    assert fault(layout(**{keyword: value})) == (f"properties/setl_id/{keyword}", reason)


@pytest.mark.parametrize("schema", [True, False, None, [], "string"])
def test_field_that_is_no_table_is_refused(fault, schema):
    assert fault({"type": "object", "properties": {"setl_id": schema}}) == (
        "properties/setl_id",
        f"{schema!r} is not of type 'object'",
    )


# Each of these once loaded, and then stopped Polars or was judged otherwise than it reads.
@pytest.mark.parametrize(
    "field",
    [
        pytest.param({"pattern": "^a|b$"}, id="pattern anchored in each branch but not as a whole"),
        pytest.param({"pattern": "^a\\$"}, id="pattern whose last dollar is a dollar"),
        pytest.param({"pattern": "^a$\n"}, id="pattern with a newline after its end"),
        pytest.param({"pattern": "^($"}, id="pattern that is no regular expression"),
        pytest.param({"pattern": "^(a)\\1$"}, id="pattern with a back-reference"),
        pytest.param({"pattern": "^a{,3}$"}, id="pattern that Rust refuses"),
        pytest.param({"pattern": "^a++a$"}, id="pattern that is possessive in Python and not in Rust"),
        pytest.param({"pattern": "^[a-z&&[^b]]$"}, id="pattern with a set operation of Rust"),
        pytest.param({"pattern": "^[[:alpha:]]$"}, id="pattern with a class of Rust"),
        pytest.param({"pattern": "^\\<a$"}, id="pattern with a word boundary of Rust"),
        pytest.param({"$ref": "#"}, id="reference to the layout itself"),
        pytest.param({"$ref": "#setl_id"}, id="reference to an anchor"),
        pytest.param({"$ref": "#/properties"}, id="reference to what is no field"),
        pytest.param({"minimum": 10**30}, id="number that Decimal(38, 18) cannot hold"),
        pytest.param({"maximum": float("inf")}, id="number that JSON does not have"),
        pytest.param({"x-digits": 2, "x-scale": 4, "format": "money"}, id="more decimals than digits"),
    ],
)
def test_layout_that_cannot_be_checked_as_it_reads_is_refused(tmp_path, field):
    path = tmp_path / "layout.json"
    path.write_text(json.dumps({"type": "object", "properties": {"setl_id": field}}), encoding="utf-8")
    with pytest.raises(MedpayError):
        layouts.load(str(path))
