"""A layout as others read it: a JSON Schema, an XML Schema, the header of a CSV file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from medpay_cli import layouts
from medpay_cli.config import Document
from medpay_cli.layouts import Field, Layout

COMMENT = (
    "Standalone: every $ref is resolved. It describes the cells of a file as text: every value is a string as it "
    "stands there, a cell with nothing in it is left out of the object. So that any JSON Schema validator can hold it, "
    "numbers and our formats money, decimal, date and datetime (named in x-format) are patterns: an amount has no plus "
    "sign, exponent, separators or leading zeros, at most x-digits digits, x-scale of them after the point. Patterns "
    "are anchored and ASCII. What text cannot be compared with stands in x-minimum and x-maximum and is not asserted "
    "here. x-key names the fields that no two records of a file share, x-unique others that they do not share together."
)


def published(name: str, form: str) -> str:
    """The text of a layout in one of FORMS. Raises MedpayError."""
    return FORMS[form](layouts.load(name))


def _json_schema(layout: Layout) -> str:
    described = ("title", "x-en", "description", "x-source", "x-note", "x-confidence", "x-key", "x-unique")
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"medpay:published/{layout.id}",
        "$comment": COMMENT,
        **{key: layout.schema[key] for key in described if key in layout.schema},
        "type": "object",
        "properties": {one.name: _property(one) for one in layout.fields},
        "required": [one.name for one in layout.fields if one.required],
    }
    return json.dumps(document, ensure_ascii=False, indent=2, default=_plain) + "\n"


def _property(one: Field) -> Document:
    notes = {key: value for key, value in one.notes.items() if key.startswith("x-") or key in ("title", "description")}
    if "examples" in one.notes:
        notes["examples"] = [_plain(value) for value in one.notes["examples"]]
    if one.form:
        notes["x-format"] = one.form
    if one.form in ("money", "decimal"):
        notes |= {"x-digits": one.digits, "x-scale": one.scale}
    notes |= {f"x-{keyword}": _plain(value) for keyword, value in one.asserted if keyword in ("minimum", "maximum")}
    kinds = [] if one.is_text else [_together(_of_number(one))]
    kinds += [_together(_of_text(one))] if one.is_text or not one.types else []
    return {**notes, "type": "string", **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})}


def _together(asserted: Iterator[Document]) -> Document:
    """Each keyword once, and what would stand twice beside it."""
    body: Document = {}
    more = []
    for one in asserted:
        if body.keys() & one.keys():
            more.append(one)
        else:
            body |= one
    return {**body, **({"allOf": more} if more else {})}


def _of_text(one: Field) -> Iterator[Document]:
    # An empty cell is none.
    yield {"minLength": max((value for keyword, value in one.asserted if keyword == "minLength"), default=1) or 1}
    for keyword, value in one.asserted:
        if keyword in ("enum", "const"):
            words = value if keyword == "enum" else [value]
            yield (
                {"enum": [word for word in words if isinstance(word, str)]}
                if any(isinstance(word, str) for word in words)
                else {"not": {}}
            )
        elif keyword == "format":
            yield {"pattern": _written(one)}
        elif keyword in ("pattern", "maxLength"):
            yield {keyword: value}


def _of_number(one: Field) -> Iterator[Document]:
    from medpay_cli import money
    from medpay_cli.formats.xml.xsd import INTEGER, equal

    if one.form:
        yield {"pattern": _written(one)}
    if one.form is None or "integer" in one.types or one.whole > money.WHOLE_DIGITS:
        yield {"pattern": f"^{INTEGER}$" if "integer" in one.types else money.NUMBER}
    for keyword, value in one.asserted:
        if keyword in ("enum", "const"):
            numbers = [item for item in (value if keyword == "enum" else [value]) if not isinstance(item, str)]
            alike = "|".join(equal(Decimal(number)) for number in numbers)
            yield {"pattern": f"^(?:{alike})$"} if numbers else {"not": {}}


def _written(one: Field) -> str:
    """The pattern of a format."""
    from medpay_cli import money
    from medpay_cli.formats.xml.xsd import DATE, DATETIME

    if one.form in ("money", "decimal"):
        return money.grammar(one.digits, one.scale)
    return f"^{DATE if one.form == 'date' else DATETIME}$"


def _plain(value: Any) -> Any:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _xml_schema(layout: Layout) -> str:
    from medpay_cli.dialects import Dialect
    from medpay_cli.formats.xml import xsd

    return xsd.schema(Dialect(layout.id, layout.id, format="xml"), {None: layout}).decode()


def _csv_header(layout: Layout) -> str:
    return ",".join(layout.names) + "\n"


FORMS: dict[str, Callable[[Layout], str]] = {
    "json-schema": _json_schema,
    "xsd": _xml_schema,
    "csv-header": _csv_header,
}
