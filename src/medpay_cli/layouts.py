"""A layout says what one record looks like; everything about its fields is derived from it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from medpay_cli import config, files
from medpay_cli.config import Document
from medpay_cli.errors import MedpayError

# The keywords that assert something; `$ref` is resolved, the others only describe.
ASSERTIONS = (
    "type", "format", "enum", "const", "pattern", "minLength", "maxLength", "minimum", "maximum",
)  # fmt: skip


@dataclass(frozen=True)
class Field:
    """One field: what is asserted of its text, and what people should know of it."""

    name: str
    required: bool
    asserted: tuple[tuple[str, Any], ...]
    notes: Document

    @property
    def types(self) -> frozenset[str]:
        """The types it may have; empty when nothing is said."""
        return frozenset(value for keyword, value in self.asserted if keyword == "type")

    @property
    def is_text(self) -> bool:
        """Whether every value is text, even one that looks like a number."""
        return "string" in self.types

    @property
    def form(self) -> str | None:
        """Its format: money, decimal, date or datetime."""
        return next((value for keyword, value in self.asserted if keyword == "format"), None)

    @property
    def is_plain(self) -> bool:
        """Whether it holds numbers, days or codes, and a person's name only where columns have shifted."""
        return not self.is_text or any((self.codes, self.open_codes, self.form))

    @property
    def is_money(self) -> bool:
        """Whether its cells are amounts in yuan, summed in totals."""
        return self.form == "money"

    @property
    def digits(self) -> int:
        """All digits of a money or decimal field; 16 with 2 after the point is how NHSA writes money."""
        return int(self.notes.get("x-digits", 16))

    @property
    def scale(self) -> int:
        """The digits after the point."""
        return int(self.notes.get("x-scale", 2))

    @property
    def whole(self) -> int:
        """The digits before the point."""
        return self.digits - self.scale

    @property
    def codes(self) -> str | None:
        """The name of its code list."""
        return self.notes.get("x-codes")

    @property
    def open_codes(self) -> str | None:
        """The name of a list of known codes, where there may be others."""
        return self.notes.get("x-open-codes")

    @property
    def strict(self) -> Field:
        """As it is written: within what the narrowest of its sources says too."""
        bounds = self.notes.get("x-strict", {})
        narrower = [(keyword, bounds[keyword]) for keyword in ASSERTIONS if keyword in bounds]
        # Of two lengths the wider one says nothing more: one cause, one finding.
        longest = bounds.get("maxLength", float("inf"))
        kept = (pair for pair in self.asserted if pair[0] != "maxLength" or pair[1] < longest)
        return replace(self, required=self.required or "required" in bounds, asserted=(*kept, *narrower))

    @property
    def sensitivity(self) -> str | None:
        """`direct` (never shown), `identifier` (masked for people) or None."""
        return self.notes.get("x-sensitivity")

    @property
    def identifier(self) -> str | None:
        """Its kind of identifier, a name in `schemas/identifiers.toml`."""
        return self.notes.get("x-identifier")

    @property
    def identifier_when(self) -> dict[str, tuple[str, ...]]:
        """Where it is one: other fields of the record → the values that they must have; empty is everywhere."""
        return {name: tuple(values) for name, values in self.notes.get("x-identifier-when", {}).items()}

    def title(self, lang: str) -> str:
        """Its name for people."""
        return str(self.notes.get("x-en" if lang == "en" else "title") or self.notes.get("title") or self.name)


@dataclass(frozen=True)
class Layout:
    """One record kind: its fields in file order, its key, the JSON Schema that it came from, and what else is never
    repeated: fields that are so together."""

    id: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    schema: Document
    unique: tuple[tuple[str, ...], ...] = ()

    @property
    def kind(self) -> str:
        """Its name without the version."""
        return self.id.rpartition(".v")[0] or self.id

    @property
    def names(self) -> tuple[str, ...]:
        """The field names in file order."""
        return tuple(field.name for field in self.fields)

    @property
    def money(self) -> tuple[Field, ...]:
        """The fields that are summed in totals."""
        return tuple(field for field in self.fields if field.is_money)

    @property
    def identified(self) -> tuple[Field, ...]:
        """The identifiers, as far as the record holds what says whether they are any."""
        return tuple(one for one in self.fields if one.identifier and set(one.identifier_when) <= set(self.names))

    @property
    def strict(self) -> Layout:
        """The layout that records are written by, where this one is what they are read by."""
        return replace(self, fields=tuple(field.strict for field in self.fields))

    def field(self, name: str) -> Field | None:
        """The field of that name."""
        return next((field for field in self.fields if field.name == name), None)


def load(name: str) -> Layout:
    """The layout behind a shipped name or a user's FILE.json. Raises MedpayError."""
    return build(config.load(config.LAYOUT, name), name)


def build(schema: Document, origin: str) -> Layout:
    """Compile a JSON Schema of our subset into a Layout, every `$ref` resolved inside our own files."""
    required = set(schema.get("required", ()))
    properties: Document = schema["properties"]
    unique = tuple(map(tuple, schema.get("x-unique", ())))
    unknown = sorted(
        (required | {name for one in (schema.get("x-key", ()), *unique) for name in one}) - set(properties)
    )
    if unknown:
        raise MedpayError("layout_names", path=origin, names=", ".join(unknown))
    return Layout(
        id=str(schema.get("$id", origin)).removeprefix("medpay:layouts/"),
        fields=tuple(
            _field(name, name in required, tuple(_resolved(body, schema, origin)), origin)
            for name, body in properties.items()
        ),
        key=tuple(schema.get("x-key", ())),
        schema=schema,
        unique=unique,
    )


@cache
def names_of(name: str) -> tuple[str, ...]:
    """The field names of a layout, without compiling it. Raises MedpayError."""
    return tuple(config.load(config.LAYOUT, name)["properties"])


@cache
def required_of(name: str) -> frozenset[str]:
    """The names of the required fields of a layout, without compiling it. Raises MedpayError."""
    return frozenset(config.load(config.LAYOUT, name).get("required", ()))


@cache
def code_list(name: str) -> dict[str, dict[str, str]]:
    """A code list: code → its row of `schemas/codes/<name>.csv`."""
    path = files.schemas() / "codes" / f"{name}.csv"
    if not path.is_file():
        raise MedpayError("unknown_codes", name=name)
    with path.open(encoding="utf-8", newline="") as file:
        return {row["code"]: row for row in csv.DictReader(file)}


def canonical(name: str) -> dict[str, str]:
    """Code → the code that means the same in the first edition (column `same_as`)."""
    return {code: row["same_as"] for code, row in code_list(name).items() if row["same_as"]}


def _field(name: str, required: bool, bodies: tuple[Document, ...], origin: str) -> Field:
    asserted = []
    notes: Document = {}
    # What stands beside a $ref comes first and describes the field; both assert, and both narrow it for writing.
    for body in reversed(bodies):
        narrower = notes.get("x-strict", {}) | body.get("x-strict", {})
        notes |= {key: value for key, value in body.items() if key not in ASSERTIONS and key != "$ref"}
        notes |= {"x-strict": narrower} if narrower else {}
    for body in bodies:
        asserted += [(keyword, body[keyword]) for keyword in ASSERTIONS if keyword in body]
        if "x-codes" in body:
            asserted.append(("enum", list(code_list(body["x-codes"]))))
    if ("type", "integer") in asserted:
        asserted = [pair for pair in asserted if pair != ("type", "number")]  # every integer is a number
    field = Field(name, required, tuple(asserted), notes)
    if field.identifier and field.identifier not in _identifiers():
        raise MedpayError("unknown_identifier", name=field.identifier, known=", ".join(_identifiers()))
    fault = next(_faults(field, bodies), None)
    if fault:
        raise MedpayError("field_fault", path=origin, name=name, reason=fault)
    return field


def _faults(field: Field, bodies: tuple[Document, ...]) -> Iterator[str]:
    """What the schema of layouts cannot say: assertions that contradict each other or cannot be checked exactly."""
    if "string" in field.types and len(field.types) > 1:
        yield f"types {', '.join(sorted(field.types))}"
    if field.whole < 0:
        yield f"x-scale {field.scale} > x-digits {field.digits}"
    for body, referred in pairwise(bodies):
        for key in ("x-digits", "x-scale"):
            if key in body and key in referred and body[key] > referred[key]:
                yield f"{key} {body[key]} > {referred[key]} of $ref"
    for keyword, value in field.asserted:
        if keyword == "pattern" and not _is_sound(value):
            yield f"pattern {value}"
        for number in value if keyword == "enum" else [value]:
            if keyword in ("enum", "const", "minimum", "maximum") and not _is_exact(number):
                yield f"{keyword} {number}"


def _is_sound(pattern: str) -> bool:
    """Whether it is a regular expression anchored as a whole, not in each of its branches."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]", "", pattern)
    while (inner := re.sub(r"\([^()]*\)", "", plain)) != plain:
        plain = inner
    return "|" not in plain


def _is_exact(value: object) -> bool:
    """Whether it has at most 20 digits before the point and 18 after it, if it is a number."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return True
    number = Decimal(value)
    return number.is_finite() and number.adjusted() < 20 and int(number.normalize().as_tuple().exponent) >= -18


def _resolved(body: Document, root: Document, origin: str) -> Iterator[Document]:
    """The body and, while it refers on, what it refers to."""
    seen: set[tuple[int, str]] = set()
    while True:
        yield body
        ref = body.get("$ref")
        if ref is None:
            return
        if (id(root), ref) in seen:
            raise MedpayError("ref_loop", path=origin, ref=ref)
        seen.add((id(root), ref))
        base, _, pointer = ref.partition("#")
        if base:
            root = _shared(base, origin, ref)
        body = _at(root, pointer, origin, ref)


@cache
def _identifiers() -> tuple[str, ...]:
    return tuple(config.parse(files.schemas() / "identifiers.toml")["kinds"])


@cache
def _fields(name: str) -> Document:
    return config.parse(files.schemas() / "fields" / f"{name}.json")


def _shared(base: str, origin: str, ref: str) -> Document:
    name = base.removeprefix("medpay:fields/")
    if not (files.schemas() / "fields" / f"{name}.json").is_file():
        raise MedpayError("ref_missing", path=origin, ref=ref)
    return _fields(name)


def _at(root: Document, pointer: str, origin: str, ref: str) -> Document:
    place: Any = root
    for step in unquote(pointer).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(place, dict) or name not in place:
            raise MedpayError("ref_missing", path=origin, ref=ref)
        place = place[name]
    if not isinstance(place, dict):
        raise MedpayError("ref_missing", path=origin, ref=ref)
    return place
