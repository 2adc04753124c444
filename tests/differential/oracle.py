"""What python-jsonschema says of a row: the second implementation that the compiled checks are held against.

Nothing here calls `medpay_cli.checks`; formats and code lists are read and judged in plain Python.
"""

from __future__ import annotations

import csv
import datetime
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from medpay_cli import files, money
from medpay_cli.layouts import Layout

# Codes of our own, and the keyword that JSON Schema knows them by.
SPELT = {"x-codes": "enum"}
_NUMBER = re.compile(money.NUMBER)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})")
# Escapes and classes are passed over, so that only a `$` that means the end is left.
_END = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", re.DOTALL)


def instance(row: dict[str, str | None], layout: Layout) -> dict[str, str | Decimal]:
    """The JSON object that a text row means, for both sides."""
    return {
        field.name: text if "string" in field.types or not _NUMBER.fullmatch(text) else Decimal(text)
        for field in layout.fields
        if (text := row[field.name]) is not None
    }


def validator(layout: Layout) -> Draft202012Validator:
    """The oracle of a layout; a reference reaches our own files and nothing else."""
    return _Validator(layout.schema, registry=_registry(), format_checker=_FORMATS)


def violations(judge: Draft202012Validator, value: dict[str, str | Decimal]) -> set[tuple[str, str]]:
    """Every (field, keyword) that the object violates; a violated type silences the field's other keywords, and every
    keyword the annotation of an open list, which is ours."""
    found = set()
    for error in judge.iter_errors(value):
        if error.validator == "required":
            found |= {(name, "required") for name in judge.schema["required"] if name not in value}
        else:
            found.add((str(error.absolute_path[0]), SPELT.get(error.validator, error.validator)))
    untyped = {name for name, keyword in found if keyword == "type"}
    malformed = {name for name, keyword in found if keyword != "x-open-codes"}
    return {
        (name, keyword)
        for name, keyword in found
        if keyword == "type" or name not in (malformed if keyword == "x-open-codes" else untyped)
    }


@cache
def _registry() -> Registry:
    documents = [
        json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        for path in sorted((files.schemas() / "fields").glob("*.json"))
    ]
    return Registry().with_resources((each["$id"], DRAFT202012.create_resource(each)) for each in documents)


@cache
def _codes(name: str) -> frozenset[str]:
    with (files.schemas() / "codes" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["code"] for row in csv.DictReader(file))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Python's `$` also matches before a final newline; JSON Schema's does not.
    return re.compile(_END.sub(lambda part: r"\Z" if part[0] == "$" else part[0], pattern))


def _is_number(_: object, value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_integer(_: object, value: object) -> bool:
    return _is_number(_, value) and value == int(value)


def _pattern(judge: Any, pattern: str, value: object, _: object) -> Iterator[ValidationError]:
    if judge.is_type(value, "string") and not _compiled(pattern).search(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _x_codes(_: Any, name: str, value: object, __: object) -> Iterator[ValidationError]:
    if value not in _codes(name):
        yield ValidationError(f"{value!r} is not in {name}")


def _format(judge: Any, name: str, value: Any, schema: dict[str, Any]) -> Iterator[ValidationError]:
    if name in ("money", "decimal"):
        # A number is judged as it was written; `f` keeps every zero and never writes an exponent.
        text = value if isinstance(value, str) else f"{value:f}"
        fits = _is_amount(text, schema.get("x-digits", 16), schema.get("x-scale", 2))
    else:
        fits = judge.format_checker.conforms(value, name)
    if not fits:
        yield ValidationError(f"{value!r} is not a {name}")


def _is_amount(text: str, digits: int, scale: int) -> bool:
    whole, point, fraction = text.removeprefix("-").partition(".")
    if not _is_digits(whole) or (point and not _is_digits(fraction)):
        return False
    if whole != "0" and (whole.startswith("0") or len(whole) > digits - scale):
        return False
    return len(fraction) <= scale


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_date(value: object) -> bool:
    """RFC 3339 full-date; years before 1000 are typing errors here."""
    if not isinstance(value, str):
        return True
    parts = _DATE.fullmatch(value)
    return bool(parts) and int(parts[1]) >= 1000 and _made(datetime.date, parts)


def _is_datetime(value: object) -> bool:
    """A date, one space, hours to seconds; there is no 24:00:00 and no leap second."""
    if not isinstance(value, str):
        return True
    clock = _CLOCK.fullmatch(value[11:])
    return _is_date(value[:10]) and value[10:11] == " " and bool(clock) and _made(datetime.time, clock)


def _made(kind: type, parts: re.Match[str]) -> bool:
    try:
        kind(*map(int, parts.groups()))
    except ValueError:
        return False
    return True


_FORMATS = FormatChecker(formats=())
_FORMATS.checks("date")(_is_date)
_FORMATS.checks("datetime")(_is_datetime)

_Validator = extend(
    Draft202012Validator,
    {"pattern": _pattern, "format": _format, "x-codes": _x_codes, "x-open-codes": _x_codes},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"number": _is_number, "integer": _is_integer}),
)
