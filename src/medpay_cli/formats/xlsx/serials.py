"""What a number cell of a workbook says to its reader: an exact number, a day, a time.

A number cell holds a double. Its shortest decimal form is what was typed (19.989999999999998 is how Excel stores 19.99)
as long as that has 15 digits; with more, what was typed can no longer be known.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from enum import IntEnum

MOST_DIGITS = 15
# Numbers in this form, of so many characters, are already as they should read.
PLAIN = r"^(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9])$"
NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
DAY = 24 * 60 * 60 * 1000
LAST_DAY = date(9999, 12, 31)


class Kind(IntEnum):
    """How a number format shows a number."""

    NUMBER = 0
    DATE = 1
    TIME = 2
    SCIENTIFIC = 3


# Formats known by number alone (ECMA-376, 18.8.30; 27 to 36 and 50 to 58 are days and times in Chinese editions).
KNOWN: dict[int, Kind] = (
    dict.fromkeys((11, 48), Kind.SCIENTIFIC)
    | dict.fromkeys((*range(14, 18), 22, *range(27, 32), 36, *range(50, 55), 57, 58), Kind.DATE)
    | dict.fromkeys((*range(18, 22), *range(32, 36), *range(45, 48), 55, 56), Kind.TIME)
)


def kind(number: int, code: str | None) -> Kind:
    """What a number format makes of a number, from its own code if it has one."""
    if code is None:
        return KNOWN.get(number, Kind.NUMBER)
    elapsed = re.search(r"\[[hms]+\]", code, re.IGNORECASE)
    bare = re.sub(r'"[^"]*"|\\.|[_*].|\[[^\]]*\]|general|am/pm|a/p', "", code, flags=re.IGNORECASE).partition(";")[0]
    if re.search(r"[0#?]e[-+]", bare, re.IGNORECASE):
        return Kind.SCIENTIFIC
    if re.search("[yd]", bare, re.IGNORECASE):
        return Kind.DATE
    if elapsed or re.search("[hs]", bare, re.IGNORECASE):
        return Kind.TIME
    return Kind.DATE if re.search("m", bare, re.IGNORECASE) else Kind.NUMBER


def shown(stored: str, kind: Kind, *, since_1904: bool = False) -> tuple[str, str | None]:
    """The text of a number cell, and the code of what is wrong with it; then the text may be as it is stored."""
    if NUMBER.fullmatch(stored) is None:
        return stored, "F115"
    value = float(stored)
    if kind in (Kind.DATE, Kind.TIME):
        moment = _moment(value, kind, since_1904=since_1904)
        if moment is not None:
            return moment, None
    vanished = value == 0 and re.search("[1-9]", re.split("[eE]", stored)[0])
    exact = Decimal(repr(value)) if abs(value) < 10**MOST_DIGITS and not vanished else None
    if exact is None or len(exact.normalize().as_tuple().digits) > MOST_DIGITS:
        return stored, "F114"
    text = f"{exact.normalize():f}" if exact else "0"
    # How it is stored tells nothing: Java programs write every amount from ten million up like 1.2345678E7.
    return text, "F116" if kind == Kind.SCIENTIFIC else None


def _moment(value: float, kind: Kind, *, since_1904: bool) -> str | None:
    """A day, with the time if there is one, or a time that has passed; None where no such day exists."""
    if not 0 <= value <= 3_000_000:
        return None
    days, rest = divmod(round(value * DAY), DAY)
    seconds, thousandths = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    fraction = f".{thousandths:03}" if thousandths else ""
    if kind == Kind.TIME:
        return f"{days * 24 + hour:02}:{minute:02}:{second:02}{fraction}"
    # Excel took over from Lotus that 1900 was a leap year: its day 60 never was.
    first = date(1904, 1, 1) if since_1904 else date(1899, 12, 30) if days > 60 else date(1899, 12, 31)
    if not since_1904 and (days < 1 or days == 60 or days > (LAST_DAY - first).days):
        return None
    if since_1904 and days > (LAST_DAY - first).days:
        return None
    day = (first + timedelta(days)).isoformat()
    return f"{day} {hour:02}:{minute:02}:{second:02}{fraction}" if rest else day
