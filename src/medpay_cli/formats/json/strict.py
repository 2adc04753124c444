"""JSON read strictly: numbers stay as they are written, and nothing passes that two readers could take for two things.

The standard library's scanner takes NaN, lone surrogates, a key that stands twice and any depth; here each is seen.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

MOST_DEEP = 100
BLANK = re.compile(r"[ \t\n\r]*")
# What the scanner takes for numbers, outside of text.
_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<found>NaN|-?Infinity)', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# Escape by escape, so that the one after an escaped backslash is none; a pair of surrogates is one.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<found>u[dD][89a-fA-F])|.)", re.DOTALL
)


class Malformed(Exception):
    """No JSON: the reason, without content, and where it stands in the text."""

    def __init__(self, reason: str, at: int) -> None:
        self.reason = reason
        self.at = at
        super().__init__(f"{at}: {reason}")


class TooDeep(Exception):
    """Nested deeper than any message is."""


class Repeated(dict[str, Any]):
    """An object in which some keys stand more than once; the last value of each is kept."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.names = tuple(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)


class Constant(Exception):
    """NaN or an infinity."""


class Strict:
    """A reader of JSON texts; `repeats` tells whether some key stood twice in the last value."""

    def __init__(self) -> None:
        self.repeats = False
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=str, parse_float=str, parse_constant=_refuse
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        self.repeats = True
        return Repeated(pairs)

    def value(self, text: str, at: int = 0, outside: int = 0) -> tuple[Any, int]:
        """The value that begins there, and where it ends; `outside` counts what it is nested in.

        Raises Malformed and TooDeep. Lone surrogates are for `check_surrogates` to find.
        """
        self.repeats = False
        try:
            value, end = self._decoder.raw_decode(text, at)
        except json.JSONDecodeError as err:
            raise Malformed(_reason(err.msg), err.pos) from None
        except Constant:
            raise Malformed("Expecting value", _first(_CONSTANT, text, at)) from None
        except RecursionError:
            raise TooDeep from None
        brackets = text.count("{", at, end) + text.count("[", at, end) + outside
        if brackets > MOST_DEEP and outside + depth(value) > MOST_DEEP:
            raise TooDeep
        return value, end

    def whole(self, text: str) -> Any:
        """The value that a text holds and nothing else. Raises Malformed and TooDeep."""
        value, end = self.value(text, past_blank(text, 0))
        end = past_blank(text, end)
        if end != len(text):
            raise Malformed("Extra data", end)
        check_surrogates(text)
        return value


def _refuse(_: str) -> None:
    raise Constant


def _reason(message: str) -> str:
    """The scanner's reason without the place or content that some versions put behind it."""
    return message.partition(": ")[0].removesuffix(" at").removesuffix(" starting")


def _first(pattern: re.Pattern[str], text: str, at: int) -> int:
    return next(match.start("found") for match in pattern.finditer(text, at) if match["found"])


def past_blank(text: str, at: int) -> int:
    """Where what is not blank begins."""
    found = BLANK.match(text, at)
    return found.end() if found else at


def check_surrogates(text: str) -> None:
    """Raises Malformed where half a character is escaped in well-formed JSON."""
    if _SURROGATE.search(text):
        lone = next((match for match in _ESCAPE.finditer(text) if match["found"]), None)
        if lone:
            raise Malformed("Lone surrogate", lone.start())


def depth(value: Any) -> int:
    """How deep objects and arrays stand in each other."""
    level, deep = [value] if isinstance(value, dict | list) else [], 0
    while level:
        deep += 1
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return deep


def holds_repeated(value: Any) -> bool:
    """Whether a key stands twice in some object of it."""
    if isinstance(value, dict):
        return isinstance(value, Repeated) or any(map(holds_repeated, value.values()))
    return isinstance(value, list) and any(map(holds_repeated, value))


def kind(value: Any) -> str:
    """What a value is; a number is text here."""
    if isinstance(value, dict):
        return "object"
    return {list: "array", str: "text", bool: "boolean"}.get(type(value), "null")


def pointer(key: str) -> str:
    """A key as a step of a JSON pointer."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
