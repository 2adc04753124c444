"""What a layout says of a cell, apart from `checks`: samples are what those are held against."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from medpay_cli.layouts import Field, code_list

# No cell is written as long.
MOST = 1 << 20
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?")


def violated(one: Field, text: str) -> set[str]:
    """The keywords that a cell violates."""
    if not text:
        return {"required"} if one.required else set()
    number = None if one.is_text or not NUMBER.fullmatch(text) else Decimal(text)
    if one.types and not one.is_text and (number is None or ("integer" in one.types and number % 1)):
        return {"type"}
    found = {keyword for keyword, value in one.asserted if not HOLDS[keyword](one, text, number, value)}
    is_unknown = one.open_codes is not None and text not in code_list(one.open_codes)
    return found or ({"x-open-codes"} if is_unknown else set())


def _has_format(one: Field, text: str, number: Decimal | None, form: str) -> bool:
    if form in ("money", "decimal"):
        whole, _, fraction = text.removeprefix("-").partition(".")
        fits = whole == "0" or len(whole) <= one.whole
        return fits and len(fraction) <= one.scale and NUMBER.fullmatch(text) is not None
    shape = r"[1-9]\d{3}-\d\d-\d\d" + r" ([01]\d|2[0-3]):[0-5]\d:[0-5]\d" * (form == "datetime")
    return number is not None or (re.fullmatch(shape, text, re.ASCII) is not None and _is_day(text[:10]))


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_one_of(_: Field, text: str, number: Decimal | None, values: list[Any]) -> bool:
    return text in values if number is None else any(not isinstance(one, str) and one == number for one in values)


HOLDS: dict[str, Callable[[Field, str, Decimal | None, Any], bool]] = {
    "type": lambda *_: True,
    "format": _has_format,
    "enum": _is_one_of,
    "const": lambda one, text, number, value: _is_one_of(one, text, number, [value]),
    "pattern": lambda _, text, number, value: number is not None or re.search(value, text) is not None,
    "minLength": lambda _, text, number, value: number is not None or len(text) >= value,
    "maxLength": lambda _, text, number, value: number is not None or len(text) <= value,
    "minimum": lambda _, __, number, value: number is None or number >= value,
    "maximum": lambda _, __, number, value: number is None or number <= value,
}


def stated(one: Field, keyword: str) -> list[Any]:
    """What it asserts with a keyword."""
    return [value for asserted, value in one.asserted if asserted == keyword]


def lengths(one: Field) -> tuple[int, int]:
    """The fewest and the most characters."""
    return max(stated(one, "minLength"), default=0), min(stated(one, "maxLength"), default=MOST)


def decimals(one: Field) -> int:
    """The digits after the point."""
    return 0 if "integer" in one.types else one.scale


def _units(value: Any, scale: int, rounding: str) -> int:
    return int(Decimal(value).scaleb(scale).to_integral_value(rounding))


def lowest(one: Field) -> list[int]:
    """Its lower bounds, in units of its last decimal."""
    return [_units(value, decimals(one), ROUND_CEILING) for value in stated(one, "minimum")]


def highest(one: Field) -> list[int]:
    """Its upper bounds, in units of its last decimal."""
    return [_units(value, decimals(one), ROUND_FLOOR) for value in stated(one, "maximum")]
