"""The first lines of a delimited file: its header, and which delimiter would split it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain, pairwise

from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.archive import Input
from medpay_cli.formats.text.cutting import BOM
from medpay_cli.formats.text.quoting import cells, quoted_size

DELIMITERS = (",", "\t", ";", "|")
NAMES = {"\t": "TAB", " ": "SPACE"}
LONGEST_HEADER = 1 << 20
FAR = 20


def columns(line: bytes, dialect: Dialect, below: Sequence[bytes] = ()) -> tuple[str, ...]:
    """The names in a header line and those `below` it, each by the field that it means.

    A name above others counts together with each of them, else they count alone; never the one above alone, or a
    record that stands there would be lost. Raises ReadError F207 where a line cannot be split.
    """
    meant = meaning((), dialect)
    rows = [_split(one, dialect) for one in (line, *below)]
    if len(rows) == 1:
        return tuple(_meant(name, meant) or name for name in rows[0])
    found = []
    for parts in _downwards(rows):
        whole, lowest = "".join(parts), next((part for part in reversed(parts) if part), "")
        found.append(_meant(whole, meant) or _meant(lowest, meant) or whole)
    return tuple(found)


def _meant(name: str, meant: Mapping[str, str]) -> str | None:
    return meant.get(name) or meant.get(plain(name))


def _downwards(rows: Sequence[list[str]]) -> Iterator[list[str]]:
    """What stands in each column of a header, from top to bottom; a name reaches to the right over nothing, as long as
    something stands below."""
    size = max(map(len, rows))
    padded = [[*row, *[""] * (size - len(row))] for row in rows]
    for row, lower in reversed([*pairwise(padded)]):
        for column in range(1, size):
            if not row[column] and lower[column] and lower[column - 1]:
                row[column] = row[column - 1]
    yield from map(list, zip(*padded, strict=True))


def _split(line: bytes, dialect: Dialect) -> list[str]:
    record = line.removesuffix(b"\n").removesuffix(b"\r")
    try:
        found = cells(record, dialect) if dialect.quote else record.decode().split(dialect.delimiter)
    except UnicodeDecodeError as err:
        bad = f"0x{err.object[err.start]:02x} @ {dialect.above + 1}:{err.start + 1}"
        raise ReadError("F202", value=bad, expected=dialect.encoding) from err
    if not found:
        raise ReadError("F207", value=dialect.quote)
    if dialect.trailing_delimiter and found[-1] == "":
        found.pop()
    return found


def meaning(fields: tuple[str, ...], dialect: Dialect) -> dict[str, str]:
    """The field that a name in the header means, as it stands or as the eye sees it."""
    exact = {name: name for name in fields}
    exact |= {heading: field for heading, field in dialect.headings.items() if field in fields or not fields}
    seen: dict[str, set[str]] = {}
    for name, field in exact.items():
        seen.setdefault(plain(name), set()).add(field)
    return {name: min(meant) for name, meant in seen.items() if len(meant) == 1 and name} | exact


def check_header(
    header: tuple[str, ...], names: tuple[str, ...], dialect: Dialect, line: bytes, following: Iterator[bytes]
) -> None:
    """Refuse a header that is not the layout's: one finding for all that is wrong with it.

    Raises ReadError F204 (too many columns), F201 (another delimiter) and F207 (names repeated, missing, extra, out of
    order; or the header stands further down).
    """
    if len(header) > dialect.limits.columns:
        raise ReadError("F204", value=str(len(header)), expected=f"<= {dialect.limits.columns}")
    if not set(dialect.wanted(names)) <= set(header):
        _look_elsewhere(names, dialect, line, following)
    check_names(header, names, dialect)


def check_names(header: tuple[str, ...], names: tuple[str, ...], dialect: Dialect, wrong: Iterable[str] = ()) -> None:
    """Refuse columns that are not the layout's, whatever else is `wrong` with them.

    Raises ReadError F207: names repeated, missing, extra, out of order.
    """
    lacking = [name for name in dialect.wanted(names) if name not in header]
    others = [name for name in header if name not in names]
    wrong = [*wrong, *(f"{header.count(name)} × {name}" for name in names if header.count(name) > 1)]
    near = near_names(others, lacking)
    wrong += [f"− {name}" + (f" ({near[name]!r}?)" if name in near else "") for name in lacking]
    if others and not dialect.other_columns:
        # The first record of a file without a header may stand here: only names near ours are shown.
        extra = len([name for name in others if name not in near.values()])
        wrong += [f"+ {extra}"] * (extra > 0)
    ordered = [name for name in header if name in names]
    if not wrong and not dialect.free_order and ordered != [name for name in names if name in header]:
        there = [name for name in names if name in header]
        first, expected = next(pair for pair in zip(ordered, there, strict=True) if pair[0] != pair[1])
        wrong.append(f"{header.index(first) + 1}: {first} → {expected}")
    if wrong:
        raise ReadError("F207", value="; ".join(wrong), expected=", ".join(dialect.wanted(names)))


def near_names(found: Iterable[str], wanted: Iterable[str]) -> dict[str, str]:
    """Wanted name → the found one that is near it; the others found may be somebody's data."""
    seen = {plain(name): name for name in found}
    near = {}
    for name in wanted:
        match = get_close_matches(plain(name), list(seen), n=1, cutoff=0.75)
        if match:
            near[name] = seen.pop(match[0])
    return near


def plain(name: str) -> str:
    """A name without what the eye does not see: width, case, spaces, hidden characters."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name)).casefold()


def split_counts(source: Input, skipped: int) -> str:
    """How many fields most of the first records have under each delimiter that splits them: `TAB: 1; SPACE: 5`.

    `skipped` lines stand before the first record.
    """
    delimiters = ("\t", "|", ",", ";", " ")
    with source.open() as stream:
        lines = stream.read(1 << 16).decode("utf-8", "replace").splitlines()[skipped:1000]
    usual = {mark: Counter(line.count(mark) + 1 for line in lines if line).most_common(1) for mark in delimiters}
    return "; ".join(
        f"{named(mark)}: {counts[0][0]}"
        for position, (mark, counts) in enumerate(usual.items())
        if counts and (counts[0][0] > 1 or position == 0)
    )


def delimiter_for(source: Input, wanted: tuple[str, ...]) -> str:
    """The one of , TAB ; | under which the header holds every wanted column. Raises MedpayError."""
    line = first_line(source)
    found = list(_splitting(line, wanted, Dialect("", "", quote='"')))
    if len(found) != 1:
        near = near_names(re.split(r"[,\t;|]", line.decode("utf-8", "replace").strip()), wanted)
        raise MedpayError(
            "header_lacks", path=source.path, names=", ".join(wanted), found=", ".join(near.values()) or "-"
        )
    return found[0]


def widest_delimiter(source: Input) -> tuple[str, int]:
    """The one of , TAB ; | that splits the first record into most fields, and how many.

    Raises MedpayError where none or several do, ReadError F208 where there is no record.
    """
    sizes = delimiter_counts(source)
    most = max(sizes.values())
    widest = [mark for mark in DELIMITERS if sizes[named(mark)] == most]
    if most == 1 or len(widest) > 1:
        told = "; ".join(f"{name}: {size}" for name, size in sizes.items())
        raise MedpayError("no_delimiter", path=source.path, found=told)
    return widest[0], most


def delimiter_counts(source: Input) -> dict[str, int]:
    """Into how many fields each of , TAB ; | splits the first record. Raises ReadError F208."""
    return {named(mark): first_size(source, Dialect("", "", delimiter=mark, quote='"')) for mark in DELIMITERS}


def first_size(source: Input, dialect: Dialect) -> int:
    """The number of fields of the header, else of the first record. Raises ReadError F208 where there is none."""
    with source.open() as stream:
        skipped = [stream.readline(LONGEST_HEADER) for _ in range(dialect.above)]
        head = stream.read(LONGEST_HEADER)
    record = (head if skipped else head.removeprefix(BOM)).lstrip(b"\r\n")
    if not record:
        raise ReadError("F208")
    size = quoted_size(record, dialect) if dialect.quote else None
    return size or record.partition(b"\n")[0].count(dialect.delimiter.encode()) + 1


def first_line(source: Input) -> bytes:
    """The first line (with those that a quote in it reaches into), without a byte order mark."""
    with source.open() as stream:
        line = stream.readline(LONGEST_HEADER)
        while line.count(b'"') % 2 == 1 and (more := stream.readline(LONGEST_HEADER)) and len(line) < LONGEST_HEADER:
            line += more
    return line.removeprefix(BOM)


def named(mark: str) -> str:
    """A delimiter as people write it."""
    return NAMES.get(mark, mark)


def _look_elsewhere(names: tuple[str, ...], dialect: Dialect, line: bytes, following: Iterator[bytes]) -> None:
    """Say so where the header has another number of lines, where another delimiter would split it, or where it stands
    further down."""
    below = next(following, b"")
    for lines, more in ((1, []), (2, [below])):
        if lines != dialect.heads and _holds(line, names, dialect, more):
            raise ReadError("F207", value=f"header_lines = {lines}", expected=f"header_lines = {dialect.heads}")
    other = next(_splitting(line, names, dialect), None)
    if other is not None:
        raise ReadError(
            "F201", value=f"{named(other)}: {len(names)}", expected=f"{named(dialect.delimiter)}: {len(names)}"
        )
    for number, lower in zip(range(1, FAR), chain([below], following), strict=False):
        if next(_splitting(lower, names, dialect), None) == dialect.delimiter:
            at = dialect.preamble + number
            raise ReadError(
                "F207", value=f"{dialect.above + number + 1} (preamble = {at})", expected=str(dialect.above + 1)
            )


def _splitting(line: bytes, wanted: tuple[str, ...], dialect: Dialect) -> Iterator[str]:
    """The delimiters under which a line holds every wanted name."""
    for mark in dict.fromkeys((dialect.delimiter, *DELIMITERS)):
        if _holds(line, wanted, replace(dialect, delimiter=mark)):
            yield mark


def _holds(line: bytes, wanted: tuple[str, ...], dialect: Dialect, below: Sequence[bytes] = ()) -> bool:
    """Whether a header names every wanted field."""
    try:
        return set(dialect.wanted(wanted)) <= set(columns(line, dialect, below))
    except ReadError:
        return False
