"""A sample is invented data that a layout permits; a fault planted in it is one edit that one finding code names."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import islice
from math import gcd, prod
from typing import Any, BinaryIO

from medpay_cli import config, dialects, files, layouts
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError
from medpay_cli.layouts import Field, Layout

BATCH = 4096
# How often an optional cell is empty, and how many records are tried for one that a fault can be planted in.
EMPTY = 0.1
TRIES = 50
# No cell is written as long.
MOST = 1 << 20
# Encoded as a byte, in UTF-16 a half of a pair, that no text holds.
BAD = "\udcff"
DAYS = [(date(2025, 1, 1) + timedelta(days)).isoformat() for days in range(365)]
GB18030 = ("gbk", "gb2312")


@dataclass(frozen=True)
class Planted:
    """A fault: the code of its finding, where that stands, and what was made of what."""

    code: str
    row: int | None
    field: str | None
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Space:
    """The texts that a field may hold, numbered from 0."""

    size: int
    text: Callable[[int], str]


@dataclass(frozen=True)
class Sample:
    """A file to be: what fills its cells, and what was edited since; `lines` are edited records with their ends."""

    layout: Layout
    dialect: Dialect
    records: int
    seed: int
    header: tuple[str, ...]
    spaces: tuple[Space, ...]
    keys: tuple[int, ...]
    optional: tuple[int, ...]
    first_key: int
    step: int
    delimiter: str
    lines: dict[int, str] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields that a record holds."""
        return self.layout.fields[: len(self.spaces)]

    def cells(self, row: int, chance: random.Random, *, full: bool = False) -> list[str]:
        """The cells of a record; its key follows from its number alone, so that none is repeated."""
        draw = chance.random
        cells = [space.text(int(draw() * space.size)) for space in self.spaces]
        while any(null in cells for null in self.dialect.nulls):
            cells = [space.text(int(draw() * space.size)) for space in self.spaces]
        number = self.first_key + row * self.step
        for place in self.keys:
            number, digit = divmod(number, self.spaces[place].size)
            cells[place] = self.spaces[place].text(digit)
        for place in self.optional:
            if draw() < EMPTY and not full:
                cells[place] = ""
        return cells

    def line(self, cells: list[str]) -> str:
        """A record as it is written."""
        absent = _absent(self.dialect)
        return self.delimiter.join([cell or absent for cell in cells]) + "\n"

    def edited(self, row: int, line: str) -> Sample:
        """The same with another line for a record."""
        return replace(self, lines={**self.lines, row: line})

    def written(self) -> Iterator[str]:
        """The lines of the file."""
        chance = _chance(self.seed, "records")
        yield from ["TEST\n"] * self.dialect.preamble
        if self.header:
            yield self.delimiter.join(_quoted(name, self.dialect) for name in self.header) + "\n"
        for row in range(1, self.records + 1):
            line = self.line(self.cells(row, chance))
            yield self.lines.get(row, line)
        yield from (f"{begins}\n" for begins in self.dialect.footer)


def write(
    layout: str, dialect: str | None, records: int, seed: int, broken: tuple[str, ...], out: BinaryIO
) -> list[Planted]:
    """Write invented records of a layout in a dialect, the same for the same arguments, and say what is broken.

    Each code of `broken` is planted once, in a record of its own. Raises MedpayError, before anything is written,
    where no value can be invented for a field or no record can have a fault.
    """
    used, written = _chosen(layout, dialect)
    sample = _clean(used, written, records, seed)
    sample, planted = _broken(sample, tuple(dict.fromkeys(broken)))
    lines = sample.written()
    while batch := "".join(islice(lines, BATCH)):
        out.write(_encoded(batch, written))
    return planted


def _chosen(layout: str, dialect: str | None) -> tuple[Layout, Dialect]:
    used = layouts.load(layout)
    if dialect is None:
        delimited = [one for one in map(dialects.load, dialects.names()) if one.format == "delimited"]
        writing = [one.name for one in delimited if layouts.load(one.layout).id == used.id]
        if len(writing) > 1:
            raise MedpayError("name_dialect", layout=used.id, found=", ".join(writing))
        dialect = writing[0] if writing else f"csv:{layout}"
    named = dialects.load(dialect).fitted(used.names)
    if named.format != "delimited" or named.head or named.tail:
        raise MedpayError("cannot_sample", dialect=named.name)
    return used, named


def _chance(seed: int, purpose: str) -> random.Random:
    return random.Random(f"{seed} {purpose}")  # noqa: S311 - invented, not secret


def _clean(layout: Layout, dialect: Dialect, records: int, seed: int) -> Sample:
    width = len(layout.fields) if dialect.header else max(dialect.widths)
    beyond = [one for one in layout.fields[width:] if one.required or one.name in layout.key]
    if beyond:
        raise MedpayError("cannot_invent", path=layout.id, name=beyond[0].name, reason=f"widths {width}")
    spaces = tuple(_space(one, dialect, layout) for one in layout.fields[:width])
    keys = tuple(layout.names.index(name) for name in layout.key)
    size = prod(spaces[place].size for place in keys)
    if keys and records > size:
        raise MedpayError("few_keys", layout=layout.id, names=", ".join(layout.key), size=size, records=records)
    chance = _chance(seed, "keys")
    step = chance.randrange(size) or 1
    while gcd(step, size) > 1:
        step += 1
    headings = {name: heading for heading, name in dialect.headings.items()}
    header = tuple(headings.get(name, name) for name in layout.names) if dialect.header else ()
    optional = [place for place, one in enumerate(layout.fields[:width]) if not one.required and place not in keys]
    return Sample(
        layout, dialect, records, seed, header, spaces, keys, optional=tuple(optional) if width > 1 else (),
        first_key=chance.randrange(size), step=step, delimiter=dialect.delimiter,
    )  # fmt: skip


# What a field may hold.


def _space(one: Field, dialect: Dialect, layout: Layout) -> Space:
    """The first way to fill the field whose texts satisfy the layout and can be written."""

    def is_fine(text: str) -> bool:
        quoted = dialect.quote != "" and dialect.quote in text
        if not text or not text.isprintable() or text != text.strip() or quoted:
            return False
        return _is_writable(text, dialect) and not _violated(one, text)

    for space in _spaces(one, dialect, is_fine, unique=one.name in layout.key):
        if space.size and all(is_fine(space.text(number)) for number in (0, space.size // 2, space.size - 1)):
            return space
    reason = ", ".join(f"{keyword} {value}" for keyword, value in one.asserted)
    raise MedpayError("cannot_invent", path=layout.id, name=one.name, reason=reason)


def _spaces(one: Field, dialect: Dialect, is_fine: Callable[[str], bool], *, unique: bool) -> Iterator[Space]:
    """The ways to fill a field, the ones that know most of it first; examples are too few for a key."""
    listed = [_plain(value) for value in _values(one, "enum")[:1] for value in value]
    for values in (listed, [_plain(value) for value in _values(one, "const")]):
        fine = [text for text in values if is_fine(text)]
        yield Space(len(fine), fine.__getitem__)
    examples = [text for text in map(_plain, one.notes.get("examples", ())) if is_fine(text)]
    if not unique:
        yield Space(len(examples), examples.__getitem__)
    if one.form == "date":
        yield Space(len(DAYS), DAYS.__getitem__)
    elif one.form == "datetime":
        yield Space(len(DAYS) * 86400, _moment)
    elif one.form or one.types & {"number", "integer"}:
        yield _amounts(one)
    for pattern in _values(one, "pattern"):
        yield from _matching(one, pattern, dialect)
    yield _texts(one)
    yield Space(len(examples), examples.__getitem__)


def _values(one: Field, keyword: str) -> list[Any]:
    return [value for asserted, value in one.asserted if asserted == keyword]


def _plain(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _moment(second: int) -> str:
    return f"{DAYS[second // 86400]} {second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"


def _scale(one: Field) -> int:
    return 0 if "integer" in one.types else one.scale


def _amounts(one: Field) -> Space:
    """Numbers from one unit of the last decimal to 9,999.99, moved to where the bounds want them."""
    scale = _scale(one)
    usual = 10 ** (min(one.whole, 4) + scale) - 1
    least = [] if one.is_text else [_units(value, scale, ROUND_CEILING) for value in _values(one, "minimum")]
    most = [] if one.is_text else [_units(value, scale, ROUND_FLOOR) for value in _values(one, "maximum")]
    low = max(1, *least) if least else 1
    if most and min(most) < low:
        low = max(least, default=min(most) - usual)
    longest = min(_lengths(one)[1], 40) - (scale > 0) if one.is_text else 40
    high = min(low - 1 + usual, 10 ** (one.whole + scale) - 1, 10**longest - 1, *most)
    return Space(max(0, high - low + 1), lambda number: _amount(low + number, scale))


def _units(value: Any, scale: int, rounding: str) -> int:
    return int(Decimal(value).scaleb(scale).to_integral_value(rounding))


def _amount(units: int, scale: int) -> str:
    digits = f"{abs(units):0{scale + 1}}"
    return "-" * (units < 0) + (f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits)


def _texts(one: Field) -> Space:
    """A word that says that it is invented, and a number; the number alone where the field is short."""
    length = min(_lengths(one)[1], max(_lengths(one)[0], 12))
    word = ("假造" if one.sensitivity == "direct" else "TEST") if length >= 10 else ""
    return Space(10 ** min(12, length - len(word)), lambda number: f"{word}{number:0{length - len(word)}}")


def _lengths(one: Field) -> tuple[int, int]:
    return max(_values(one, "minLength"), default=0), min(_values(one, "maxLength"), default=MOST)


ATOM = re.compile(
    r"(?:\[((?:\\.|[^\]\\^])(?:\\.|[^\]\\])*)\]|\\([^a-zA-Z0-9])|([^\\\[\](){}?*+|.^$]))(?:\{(\d+)(,?)(\d*)\}|([?*+]))?"
)
RANGE = re.compile(r"\\?(.)(?:-\\?(.))?")
REPEATED = {"?": (0, 1), "*": (0, MOST), "+": (1, MOST), None: (1, 1)}


def _matching(one: Field, pattern: str, dialect: Dialect) -> Iterator[Space]:
    """Texts of a pattern that is a sequence of characters and classes, each perhaps repeated."""
    if ATOM.sub("", pattern[1:-1]):
        return
    alphabets: list[list[str]] = []
    atoms = list(ATOM.finditer(pattern[1:-1]))
    bounds = [_repeats(atom) for atom in atoms]
    room = min(_lengths(one)[1], max(_lengths(one)[0], 12)) - sum(least for least, _ in bounds)
    for atom, (least, most) in zip(atoms, bounds, strict=True):
        more = max(0, min(most - least, room))
        room -= more
        ranges = RANGE.findall(atom[1] or atom[2] or atom[3])
        letters = [chr(point) for first, last in ranges for point in range(ord(first), ord(last or first) + 1)]
        plain = [letter for letter in letters if letter.isalnum() and _is_writable(letter, dialect)]
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


# What the layout says of a cell, apart from `checks`: samples are what those are held against.

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?")


def _violated(one: Field, text: str) -> set[str]:
    """The keywords that a cell violates."""
    if not text:
        return {"required"} if one.required else set()
    number = None if one.is_text or not NUMBER.fullmatch(text) else Decimal(text)
    if one.types and not one.is_text and (number is None or ("integer" in one.types and number % 1)):
        return {"type"}
    return {keyword for keyword, value in one.asserted if not HOLDS[keyword](one, text, number, value)}


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


def _quoted(name: str, dialect: Dialect) -> str:
    """A name of the partner's own in the header; no invented cell needs quotes."""
    mark = dialect.quote
    return f"{mark}{name.replace(mark, mark * 2)}{mark}" if mark and {mark, dialect.delimiter} & {*name} else name


def _absent(dialect: Dialect) -> str:
    return dialect.nulls[0] if dialect.nulls else ""


def _encoded(text: str, dialect: Dialect) -> bytes:
    name = "gb18030" if dialect.encoding in GB18030 else dialect.encoding or "utf-8"
    return text.encode(name, "surrogatepass" if name.startswith("utf-16") else "surrogateescape")


def _is_writable(text: str, dialect: Dialect) -> bool:
    """Whether it stands in one cell of the dialect and is read as it was written."""
    try:
        _encoded(text, dialect)
    except UnicodeEncodeError:
        return False
    return dialect.delimiter not in text + dialect.delimiter[:-1] and text not in dialect.nulls


# Faults.

Change = tuple[str | None, str | None, str | None]  # field, old, new
Edited = tuple[Sample, Change] | None


def _broken(sample: Sample, codes: tuple[str, ...]) -> tuple[Sample, list[Planted]]:
    """The sample with every fault planted, each in a record of its own."""
    faults = config.parse(files.schemas() / "faults.toml")
    unknown = [code for code in codes if code not in faults]
    if unknown:
        raise MedpayError("unknown_fault", code=unknown[0], known=", ".join(faults))
    alone = [code for code in codes if faults[code].get("alone")]
    if alone and len(codes) > 1:
        raise MedpayError("fault_alone", code=alone[0])
    needed = len(codes) + 2
    if sample.records < needed and any(faults[code]["edit"] != "records" for code in codes):
        raise MedpayError("few_records", records=sample.records, needed=needed)
    chance = _chance(sample.seed, "faults")
    rows = chance.sample(range(2, max(needed, sample.records)), len(codes))
    planted = []
    for code, chosen in zip(codes, rows, strict=True):
        fault = faults[code]
        row = sample.records if fault["edit"] == "cut" else chosen
        made = EDITS[fault["edit"]](sample, fault, row, chance) if _is_possible(fault, sample.dialect) else None
        if made is None:
            raise MedpayError("fault_unfit", code=code, layout=sample.layout.id, dialect=sample.dialect.name)
        sample, (name, old, new) = made
        at = fault["finding"]
        place = (row if at in ("cell", "record") else None, name if at == "cell" else None)
        planted.append(Planted(code, *place, old, new))
    return sample, planted


def _is_possible(fault: config.Document, dialect: Dialect) -> bool:
    needs = fault.get("needs", [])
    return all(bool(getattr(dialect, need.removeprefix("not "))) != need.startswith("not ") for need in needs)


def _edit_cell(sample: Sample, fault: config.Document, row: int, chance: random.Random) -> Edited:
    """A cell becomes one of the fault's texts, in the first field where that breaks what it is to break; keys last."""
    breaks = fault.get("breaks")
    wanted = set() if breaks == "nothing" else {breaks}
    for _ in range(TRIES):
        cells = sample.cells(row, chance, full=True)
        for place in sorted(range(len(cells)), key=lambda place: (place in sample.keys, chance.random())):
            one, old = sample.fields[place], cells[place]
            for template in fault["new"]:
                new = template.format(**_words(one, old, sample.dialect))
                shown = new.replace(BAD, r"\xff") or _absent(sample.dialect)
                fits = one.is_text if breaks is None else _violated(one, new) == wanted
                if fits and (shown or len(cells) > 1) and (not new or _is_writable(new, sample.dialect)):
                    cells[place] = new
                    line = sample.line(cells)
                    return sample.edited(row, line), (one.name, old, shown)
    return None


def _words(one: Field, old: str, dialect: Dialect) -> dict[str, str]:
    """What stands for each name in a fault's texts; empty where the field has no such bound."""
    (shortest, longest), scale = _lengths(one), _scale(one)
    least = [_units(value, scale, ROUND_CEILING) for value in _values(one, "minimum")]
    most = [_units(value, scale, ROUND_FLOOR) for value in _values(one, "maximum")]
    return {
        "old": old, "head": old[:-1], "tail": old[-1:], "quote": dialect.quote, "bad": BAD,
        "wide": "1" + "0" * one.whole,
        "cut": old[: max(0, shortest - 1)],
        "padded": old.ljust(longest + 1, old[-1:]) if longest < MOST else "",
        "below": _amount(max(least) - 1, scale) if least else "",
        "above": _amount(min(most) + 1, scale) if most else "",
    }  # fmt: skip


def _drop(sample: Sample, _: config.Document, row: int, chance: random.Random) -> Edited:
    """Fields leave the middle, as few as make a width that is not allowed, nor with an empty field more."""
    cells = sample.cells(row, chance, full=True)
    allowed = (len(cells),) if sample.dialect.header else sample.dialect.widths
    for width in range(len(cells) - 1, 0, -1):
        if width not in allowed and width - 1 not in allowed:
            at = (width + 1) // 2
            line = sample.line(cells[:at] + cells[at + len(cells) - width :])
            return sample.edited(row, line), (None, str(len(cells)), str(width))
    return None


def _blank(sample: Sample, _: config.Document, row: int, chance: random.Random) -> Edited:
    """A blank line before a record."""
    line = "\n" + sample.line(sample.cells(row, chance))
    return sample.edited(row, line), (None, None, "")


def _cut(sample: Sample, _: config.Document, row: int, chance: random.Random) -> Edited:
    """The last record ends in the middle of a field so early that no permitted width has so few."""
    cells = sample.cells(row, chance, full=True)
    least = len(cells) if sample.dialect.header else min(sample.dialect.widths)
    if least < 2:
        return None
    kept = cells[: 2 if least > 2 else 1]
    kept[-1] = kept[-1][: (len(kept[-1]) + 1) // 2]
    line = sample.line(kept).removesuffix("\n")
    return sample.edited(row, line), (None, str(len(cells)), str(len(kept)))


def _key(sample: Sample, _: config.Document, row: int, chance: random.Random) -> Edited:
    """A record gets the key of the first one."""
    cells, first = sample.cells(row, chance), sample.cells(1, chance)
    if not sample.keys:
        return None
    old = sample.delimiter.join(cells[place] for place in sample.keys)
    for place in sample.keys:
        cells[place] = first[place]
    new = sample.delimiter.join(cells[place] for place in sample.keys)
    return sample.edited(row, sample.line(cells)), (None, old, new)


def _delimiter(sample: Sample, _: config.Document, __: int, ___: random.Random) -> Edited:
    """Another delimiter stands everywhere, so that every record has one field."""
    other = "|" if sample.delimiter != "|" else ";"
    if 1 in sample.dialect.widths:
        return None
    return replace(sample, delimiter=other), (None, sample.delimiter, other)


def _header(sample: Sample, _: config.Document, __: int, chance: random.Random) -> Edited:
    """A name of the header has a letter too many."""
    place = chance.randrange(len(sample.header))
    old = sample.header[place]
    new = f"{old}x"
    while new in (*sample.header, *sample.layout.names):
        new += "x"
    return replace(sample, header=(*sample.header[:place], new, *sample.header[place + 1 :])), (None, old, new)


def _records(sample: Sample, _: config.Document, __: int, ___: random.Random) -> Edited:
    """There is no record."""
    return replace(sample, records=0), (None, str(sample.records), "0")


EDITS: dict[str, Callable[[Sample, config.Document, int, random.Random], Edited]] = {
    "cell": _edit_cell,
    "drop": _drop,
    "blank": _blank,
    "cut": _cut,
    "key": _key,
    "delimiter": _delimiter,
    "header": _header,
    "records": _records,
}
