"""A layout's pattern in the words of XML Schema, which anchors by itself and knows no lazy or grouped-only forms."""

from __future__ import annotations

import re

from medpay_cli.errors import MedpayError

_PART = re.compile(
    r"\\(?P<escaped>.)|(?P<group>\(\?:)|(?P<class>\[)|(?P<lazy>[*+?}]\?)|(?P<end>[\^$])|(?P<plain>.)", re.S
)
_ITEM = re.compile(r"\\(?P<escaped>.)|(?P<plain>.)", re.S)
# Escapes for characters that may stand in XML.
_MEANT = {"t": "\t", "n": "\n", "r": "\r"}
_SPECIAL = set("\\|.?*+(){}[]^-")


def translated(pattern: str, name: str) -> str:
    """An anchored pattern of a layout for `xs:pattern`. Raises MedpayError where XML Schema cannot say it."""
    text, at, made = pattern[1:-1], 0, list[str]()
    while at < len(text):
        part = _PART.match(text, at)
        assert part is not None  # noqa: S101 - some character always matches
        at = part.end()
        if part["end"]:
            raise MedpayError("xsd_pattern", name=name, pattern=pattern)
        if part["escaped"]:
            made.append(_literal(part["escaped"], name, pattern))
        elif part["group"]:
            made.append("(")
        elif part["class"]:
            items, at = _class(text, at, name, pattern)
            made.append(items)
        elif part["lazy"]:
            made.append(part["lazy"][0])
        else:
            # Here a dot is any character but a line feed; there it is no carriage return either.
            made.append("[^\n]" if part[0] == "." else part[0])
    return "".join(made)


def _literal(character: str, name: str, pattern: str) -> str:
    meant = _MEANT.get(character, character)
    if character.isalnum() and character not in _MEANT:
        raise MedpayError("xsd_pattern", name=name, pattern=pattern)
    return f"\\{meant}" if meant in _SPECIAL else meant


def _class(text: str, at: int, name: str, pattern: str) -> tuple[str, int]:
    """A class in brackets, from behind the opening one."""
    made = ["["]
    if text.startswith("^", at):
        made.append("^")
        at += 1
    first = True
    pending_range = False
    while first or not text.startswith("]", at):
        item = _ITEM.match(text, at)
        if item is None:
            raise MedpayError("xsd_pattern", name=name, pattern=pattern)
        at = item.end()
        is_range = item["plain"] == "-" and not first and not pending_range and not text.startswith("]", at)
        made.append(
            "-" if is_range else _literal(item["escaped"], name, pattern) if item["escaped"] else _kept(item[0])
        )
        pending_range, first = is_range, False
    return "".join(made) + "]", at + 1


def _kept(character: str) -> str:
    return f"\\{character}" if character in _SPECIAL else character
