"""The texts that a field may hold: invented, permitted by its layout, and such as its dialect can write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from math import prod
from typing import Any

from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError
from medpay_cli.layouts import Field, Layout, code_list
from medpay_cli.sampling.identities import KINDS
from medpay_cli.sampling.permitted import MOST, decimals, highest, lengths, lowest, stated, violated
from medpay_cli.sampling.tying import written

DAYS = [(date(2025, 1, 1) + timedelta(days)).isoformat() for days in range(365)]
GB18030 = ("gbk", "gb2312")


@dataclass(frozen=True)
class Space:
    """The texts that a field may hold, numbered from 0."""

    size: int
    text: Callable[[int], str]


def space_of(
    one: Field, dialect: Dialect, layout: Layout, likewise: Iterable[Field] = (), *, is_key: bool = False
) -> Space:
    """The first way to fill the field whose texts satisfy the layout, and fields that say the same, and can be written.

    Raises MedpayError.
    """
    fields = (one, *likewise)

    def is_fine(text: str) -> bool:
        quoted = dialect.quote != "" and dialect.quote in text
        if not text or not text.isprintable() or text != text.strip() or quoted:
            return False
        return is_writable(text, dialect, one) and not any(violated(other, text) for other in fields)

    for space in _spaces(one, dialect, is_fine, is_key=is_key):
        if space.size and all(is_fine(space.text(number)) for number in (0, space.size // 2, space.size - 1)):
            return space
    reason = ", ".join(f"{keyword} {value}" for keyword, value in one.asserted)
    raise MedpayError("cannot_invent", path=layout.id, name=one.name, reason=reason)


def _spaces(one: Field, dialect: Dialect, is_fine: Callable[[str], bool], *, is_key: bool) -> Iterator[Space]:
    """The ways to fill a field, the ones that know most of it first; examples are too few for a key."""
    listed = [_plain(value) for value in stated(one, "enum")[:1] for value in value]
    listed = listed or (list(code_list(one.open_codes)) if one.open_codes else [])
    for values in (listed, [_plain(value) for value in stated(one, "const")]):
        fine = [text for text in values if is_fine(text)]
        yield Space(len(fine), fine.__getitem__)
    if one.identifier in KINDS:
        yield Space(*KINDS[one.identifier])
    examples = [text for text in map(_plain, one.notes.get("examples", ())) if is_fine(text)]
    if not is_key:
        yield Space(len(examples), examples.__getitem__)
    if one.form == "date":
        yield Space(len(DAYS), DAYS.__getitem__)
    elif one.form == "datetime":
        yield Space(len(DAYS) * 86400, _moment)
    elif one.form or one.types & {"number", "integer"}:
        yield _amounts(one, _room(one, dialect))
    for pattern in stated(one, "pattern"):
        yield from _matching(one, pattern, dialect)
    yield _texts(one, dialect)
    yield Space(len(examples), examples.__getitem__)


def _plain(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _moment(second: int) -> str:
    return f"{DAYS[second // 86400]} {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"


def _amounts(one: Field, room: int) -> Space:
    """Numbers from one unit of the last decimal to 9,999.99, moved to where the bounds want them."""
    scale = decimals(one)
    usual = 10 ** (min(one.whole, 4) + scale) - 1
    least, most = ([], []) if one.is_text else (lowest(one), highest(one))
    low = max(1, *least) if least else 1
    if most and min(most) < low:
        low = max(least, default=min(most) - usual)
    longest = min(lengths(one)[1] if one.is_text else 40, 40, room) - (scale > 0)
    high = min(low - 1 + usual, 10 ** (one.whole + scale) - 1, 10**longest - 1, *most)
    return Space(max(0, high - low + 1), lambda number: written(low + number, scale))


def _texts(one: Field, dialect: Dialect) -> Space:
    """A word that says that it is invented, and a number; the number alone where the field is short."""
    length = min(lengths(one)[1], max(lengths(one)[0], 12), _room(one, dialect))
    word = "假造" if one.sensitivity == "direct" and not dialect.counted_in else "TEST"
    word = word if length >= 10 else ""
    return Space(10 ** min(12, length - len(word)), lambda number: f"{word}{number:0{length - len(word)}}")


ATOM = re.compile(
    r"(?:\[((?:\\.|[^\]\\^])(?:\\.|[^\]\\])*)\]|\\([^a-zA-Z0-9])|([^\\\[\](){}?*+|.^$]))(?:\{(\d+)(,?)(\d*)\}|([?*+]))?"
)
OPTIONAL = re.compile(r"(?<!\\)\((?:\?:)?[^()\\\[\]]*(?:\[[^\[\]\\]*\][^()\\\[\]]*)*\)[?*]")
RANGE = re.compile(r"\\?(.)(?:-\\?(.))?")
REPEATED = {"?": (0, 1), "*": (0, MOST), "+": (1, MOST), None: (1, 1)}


def _matching(one: Field, pattern: str, dialect: Dialect) -> Iterator[Space]:
    """Texts of a pattern that is a sequence of characters and classes, each perhaps repeated; optional groups are left
    out."""
    sequence = OPTIONAL.sub("", pattern[1:-1])
    if ATOM.sub("", sequence):
        return
    alphabets: list[list[str]] = []
    atoms = list(ATOM.finditer(sequence))
    bounds = [_repeats(atom) for atom in atoms]
    room = min(lengths(one)[1], max(lengths(one)[0], 12), _room(one, dialect)) - sum(least for least, _ in bounds)
    for atom, (least, most) in zip(atoms, bounds, strict=True):
        more = max(0, min(most - least, room))
        room -= more
        ranges = RANGE.findall(atom[1] or atom[2] or atom[3])
        letters = [chr(point) for first, last in ranges for point in range(ord(first), ord(last or first) + 1)]
        plain = [letter for letter in letters if letter.isalnum() and is_writable(letter, dialect, one)]
        alphabets += [plain or letters] * (least + more)

    def text(number: int) -> str:
        letters = []
        for alphabet in reversed(alphabets):
            number, digit = divmod(number, len(alphabet))
            letters.append(alphabet[digit])
        return "".join(reversed(letters))

    yield Space(min(prod(map(len, alphabets)), 10**12), text)


def _repeats(atom: re.Match[str]) -> tuple[int, int]:
    least, comma, most, sign = atom.group(4, 5, 6, 7)
    if least is None:
        return REPEATED[sign]
    return int(least), int(most or (MOST if comma else least))


def encoded(text: str, dialect: Dialect) -> bytes:
    """The text in the encoding of the dialect."""
    name = "gb18030" if dialect.encoding in GB18030 else dialect.encoding or "utf-8"
    return text.encode(name, "surrogatepass" if name.startswith("utf-16") else "surrogateescape")


def is_writable(text: str, dialect: Dialect, one: Field) -> bool:
    """Whether it stands in the field's cell of the dialect and is read as it was written."""
    try:
        encoded(text, dialect)
    except UnicodeEncodeError:
        return False
    if dialect.format == "delimited" and dialect.delimiter in text + dialect.delimiter[:-1]:
        return False
    if dialect.format == "fixed" and (text != text.strip(" ") or _columns(text, dialect) > _room(one, dialect)):
        return False
    if dialect.format == "parquet" and dialect.numbers and one.form in ("money", "decimal"):
        # Its column holds amounts only.
        return not violated(replace(one, asserted=(("format", one.form),)), text)
    return text not in dialect.nulls


def _room(one: Field, dialect: Dialect) -> int:
    """The columns of a field's place in a line of fixed width."""
    first, last = dialect.positions.get(one.name, (1, MOST))
    return last - first + 1


def _columns(text: str, dialect: Dialect) -> int:
    return len(text.encode(dialect.counted_in)) if dialect.counted_in else len(text)
