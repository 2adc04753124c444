"""A sieve: one pattern for a whole line, made of one for each field that only valid cells match.

A line that passes needs no other check of these fields, and none of its columns has to be parsed for one. A pattern may
refuse what is valid, never pass what is not: what does not pass is looked at exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from medpay_cli import money
from medpay_cli.layouts import Field, code_list

if TYPE_CHECKING:
    import polars as pl

# What is a day for certain; a 29th of February is looked at.
DAY = r"[1-9][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
NUMBERS = ("money", "decimal")
# Stands in a pattern for any character but the delimiter and control characters of ASCII.
ANY = "\0"
# No pattern of a field matches one of these, but for ANY.
DELIMITERS = frozenset("\t|,;^!\x01\x02\x03\x04\x05\x06\x07\x1c\x1d\x1e\x1f")
# A pattern counts characters by a state for each: text that may be longer is measured on its own, and so is what would
# make the states of a line too many.
LONGEST, MOST = 64, 1500
MOST_CODES = 200

# A pattern whose every character and class is spelt out, so that it matches no delimiter.
_SPELT_OUT = re.compile(
    r"\^(?:[0-9A-Za-z-]|\\\.|\[(?:[0-9]-[0-9]|[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9A-Za-z])+\]|\(\?:|[()|?*+]|\{[0-9]+(?:,[0-9]*)?\})+\$"
)
_REPEATED_CLASS = re.compile(r"\^(\[[^\]]+\])\+\$")


class Patterns(NamedTuple):
    """What a line must match: one that is ASCII (in half the time), and any; and the places of columns (from 0) that
    match what stands for an absent cell, but must not be absent, or are parsed before anybody sees that."""

    of_ascii: str
    of_any: str
    filled: tuple[int, ...]


@dataclass(frozen=True)
class Sieve:
    """The patterns of the fields that have one, which of these must not be absent, the fields that somebody wants to
    read as text, and the decimals of amounts that are wanted as numbers."""

    patterns: Mapping[str, str]
    required: frozenset[str]
    words: frozenset[str]
    amounts: tuple[tuple[str, int], ...]

    def lines(
        self, columns: tuple[str, ...], delimiter: str, nulls: tuple[str, ...], given: Mapping[str, str]
    ) -> Patterns | None:
        """The patterns of a line of these columns (an empty name is an empty column), in which `nulls` stand for absent
        cells. None where they would tell nothing: a field must have a value that has no column and none of these
        `given` values, or cells may hold the delimiter."""
        if delimiter not in DELIMITERS:
            return None
        mark = ord(delimiter)
        of_ascii = r"[\x20-\x7e]" if mark < 0x20 else rf"[\x20-\x{mark - 1:02x}\x{mark + 1:02x}-\x7e]"
        of_any = rf"[^{literal(delimiter)}\x00-\x1f\x7f]"

        def is_matched(name: str, text: str) -> bool:
            return re.fullmatch(self.patterns[name].replace(ANY, of_any), text) is not None

        for name in self.patterns.keys() - set(columns):
            value = given.get(name, "")
            if not (is_matched(name, value) if value else name not in self.required):
                return None
        numbers = {name for name, _ in self.amounts}
        # No cell holds a delimiter, and what holds a digit may be parsed as a number.
        words = [null for null in nulls if delimiter not in null]
        dashes = [null for null in words if not re.search("[0-9]", null)]
        cells = []
        for name in columns:
            pattern = self.patterns.get(name, f"{ANY}*") if name else ""
            absent = "".join(f"|{literal(null)}" for null in (dashes if name in numbers else words))
            cells.append(pattern if name in self.required or name not in self.patterns else f"(?:{pattern}{absent})?")
        line = f"^{literal(delimiter).join(cells)}$"
        filled = [
            at
            for at, name in enumerate(columns)
            if name in self.required | numbers and any(is_matched(name, null) for null in nulls)
        ]
        return Patterns(line.replace(ANY, of_ascii), line.replace(ANY, of_any), tuple(filled))


@dataclass(frozen=True)
class Sifted:
    """What came of a part that went through a sieve: the records that did not pass, with all their columns, the amounts
    that were read as numbers, of all records (of those that did not pass they say nothing), and any `records` with all
    of their columns, by a flag for each."""

    suspects: pl.DataFrame
    amounts: pl.DataFrame
    records: Callable[[pl.Series], pl.DataFrame]


def sieve(fields: Iterable[Field], words: frozenset[str], amounts: Sequence[Field]) -> Sieve | None:
    """The sieve of a layout's fields, of which these are read as text and these as numbers; None where an amount has
    no pattern."""
    listed = list(fields)
    patterns = dict(_within(listed))
    if any(one.name not in patterns for one in amounts):
        return None
    required = frozenset(one.name for one in listed if one.required and one.name in patterns)
    others = {one.name for one in listed} - patterns.keys()
    numbers = tuple((one.name, one.scale) for one in amounts if one.name not in words)
    return Sieve(patterns, required, words | others, numbers)


def certain(field: Field) -> str | None:
    """A pattern that only cells match which violate nothing of a field; None where there is none."""
    keywords = [(keyword, value) for keyword, value in field.asserted if keyword != "type"]
    if field.open_codes or any(keyword == "enum" for keyword, _ in keywords):
        codes = _codes(field, keywords)
        return f"(?:{'|'.join(map(literal, codes))})" if codes else None
    if field.form in NUMBERS:
        return _number(field) if keywords == [("format", field.form)] else None
    return _text(keywords) if field.is_text else None


def _text(keywords: list[tuple[str, Any]]) -> str | None:
    """The same of text that is no code."""
    least = max([1, *(int(value) for keyword, value in keywords if keyword == "minLength")])
    most = min((int(value) for keyword, value in keywords if keyword == "maxLength"), default=None)
    if not least <= (least if most is None else most) <= LONGEST:
        return None
    many = f"{{{least},{'' if most is None else most}}}"
    rest = [pair for pair in keywords if pair[0] not in ("minLength", "maxLength")]
    if not rest:
        return f"{ANY}{many}"
    keyword, value = rest[0]
    if len(rest) == 1 and keyword == "pattern" and _SPELT_OUT.fullmatch(value):
        if repeated := _REPEATED_CLASS.fullmatch(value):
            return f"{repeated[1]}{many}"
        return f"(?:{value[1:-1]})" if most is None and least == 1 and not re.search(value, "") else None
    return _TIMES.get(value) if rest == [("format", value)] and most is None and least == 1 else None


_TIMES = {"date": DAY, "datetime": f"{DAY} {CLOCK}"}


def _within(fields: Iterable[Field]) -> Iterator[tuple[str, str]]:
    """The patterns of fields, as many as do not make too many states together."""
    states = 0
    for one in fields:
        pattern = certain(one)
        if pattern is None:
            continue
        counted = re.search(r"\{[0-9]+,([0-9]+)\}$", pattern)
        if pattern.startswith(ANY) and counted:
            states += int(counted[1])
            if states > MOST:
                continue
        yield one.name, pattern


def _number(field: Field) -> str | None:
    is_whole = "integer" in field.types
    if (is_whole and field.scale) or field.whole > money.WHOLE_DIGITS or not field.types <= {"number", "integer"}:
        return None
    return money.grammar(field.digits, field.scale)[1:-1]


def _codes(field: Field, keywords: list[tuple[str, Any]]) -> list[str] | None:
    """The codes that a field takes, as far as they violate nothing else; None where it takes others, or many."""
    lists = [value for keyword, value in keywords if keyword == "enum"]
    lists += [list(code_list(field.open_codes))] if field.open_codes else []
    if not lists or not field.is_text or any(keyword not in _OF_CODES for keyword, _ in keywords):
        return None
    found = [one for one in lists[0] if isinstance(one, str) and all(one in other for other in lists)]
    found = [one for one in found if one and all(_OF_CODES[keyword](one, value) for keyword, value in keywords)]
    is_spelt_out = all(DELIMITERS.isdisjoint(one) and one.isprintable() for one in found)
    return found if is_spelt_out and len(found) <= MOST_CODES else None


_OF_CODES: dict[str, Callable[[str, Any], bool]] = {
    "enum": lambda *_: True,
    "minLength": lambda code, least: len(code) >= int(least),
    "maxLength": lambda code, most: len(code) <= int(most),
    "pattern": lambda code, pattern: re.search(pattern, code, re.ASCII) is not None,
}  # fmt: skip


def literal(text: str) -> str:
    """A pattern of just this text, the same to Python and to Polars."""
    return "".join(one if one.isalnum() or ord(one) > 0xFF else f"\\x{ord(one):02x}" for one in text)
