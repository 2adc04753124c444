"""The first lines of a delimited file: its header, and which delimiter would split it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches

from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.archive import Input
from medpay_cli.formats.quoting import tokens

LONGEST_LINE = 16 << 20
BOM = b"\xef\xbb\xbf"
NAMES = {"\t": "TAB", " ": "SPACE"}


def columns(line: bytes, dialect: Dialect) -> tuple[str, ...]:
    """The names in a header line. Raises ReadError F207 where it cannot be split."""
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError as err:
        raise ReadError("F202", expected=dialect.encoding) from err
    if not dialect.quote:
        return tuple(text.split(dialect.delimiter))
    records, _ = tokens(text, dialect)
    if len(records) != 1:
        raise ReadError("F207", value=text[:80])
    return tuple(records[0][1])


def check_header(header: tuple[str, ...], names: tuple[str, ...], dialect: Dialect) -> None:
    """Refuse a header that repeats or lacks a name of the layout, or has another one. Raises ReadError F207."""
    wrong = [f"{header.count(name)} × {name}" for name in names if header.count(name) > 1]
    lacking = [name for name in names if name not in header]
    wrong += [f"− {name}" for name in lacking]
    others = [name for name in header if name not in names]
    if others and not dialect.other_columns:
        # The first record of a file without a header may stand here: only names near ours are shown.
        near = near_names(others, lacking)
        wrong += [f"+ {name}" for name in near] + [f"+ {len(others) - len(near)}"] * (len(others) > len(near))
    if wrong:
        raise ReadError("F207", value="; ".join(wrong), expected=", ".join(names))


def near_names(found: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Those of the names found that are near one of the wanted ones; the others may be somebody's data."""
    return [name for name in found if get_close_matches(name.strip().lower(), list(wanted), cutoff=0.75)]


def split_counts(source: Input, delimiters: tuple[str, ...] = ("\t", "|", ",", ";", " ")) -> str:
    """How many fields most of the first records have under each delimiter that splits them: `TAB: 1; SPACE: 5`."""
    with source.open() as stream:
        lines = stream.read(1 << 16).decode("utf-8", "replace").splitlines()[:1000]
    usual = {mark: Counter(line.count(mark) + 1 for line in lines if line).most_common(1) for mark in delimiters}
    return "; ".join(
        f"{NAMES.get(mark, mark)}: {counts[0][0]}"
        for position, (mark, counts) in enumerate(usual.items())
        if counts and (counts[0][0] > 1 or position == 0)
    )


def delimiter_for(source: Input, wanted: tuple[str, ...]) -> str:
    """The one of , TAB ; | under which the header holds every wanted column. Raises MedpayError."""
    with source.open() as stream:
        line = stream.readline(LONGEST_LINE).removeprefix(BOM)
    found = []
    for mark in (",", "\t", ";", "|"):
        try:
            if set(wanted) <= set(columns(line, Dialect("", "", delimiter=mark, quote='"'))):
                found.append(mark)
        except ReadError:
            continue
    if len(found) != 1:
        near = near_names(re.split(r"[,\t;|]", line.decode("utf-8", "replace").strip()), wanted)
        raise MedpayError("header_lacks", path=source.path, names=", ".join(wanted), found=", ".join(near) or "-")
    return found[0]
