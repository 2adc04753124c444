"""Bytes of delimited files, sound and damaged, put together by a seeded generator."""

from __future__ import annotations

import random

from plain_reader import BOM, Description

SOUND = (
    b"P0001", b"100.00", b"-4.52", b"0", b"null", b"", "医疗机构多 310".encode(), b"H00000000001202401311015000001",
)  # fmt: skip
AMOUNTS = (b"0", b"-0", b"0.00", b"-4.52", b"100", b"1.5", b"99999999999999.99")
NO_AMOUNTS = (
    b"", b"null", b"00", b"01.00", b"1.", b".5", b"+1", b"1.234", b"1e3", b" 1.00", b"1,000.00", b"--1", b"-",
    b"100000000000000.00", "１.00".encode(), b"1.00\r", b"1.00\x00", b"NaN",
)  # fmt: skip
# Text that some reader somewhere treats as more than text.
STRANGE = (
    b"NULL", b"Null", b"null ", b" null", b"nullnull", b"\\N", b"NA", b'"', b'""', b'"a', b'a"b', b"'", b"#", b"\\",
    b" ", b" x ", b",", b"|", b";", b"\t", b"a\rb", b"\r", b"\rnull", b"null\r", b"\x00", b"null\x00", b"\x01\x02",
    b"\x07", b"\x08", b"\x0b", b"\x0c", b"\x1a", b"\x1b[31m", b"\x1c\x1d\x1e\x1f", b"\x7f", BOM, BOM + b"a",
    "\u0085".encode(), "\u00a0".encode(), "\u2028\u2029".encode(), "\ufffd\ufffe\uffff".encode(), "e\u0301".encode(),
    "\U0010ffff".encode(), "陆卢毛鲁".encode(), "𠮷".encode(), "👩🏽‍⚕️".encode(),
)  # fmt: skip
# Cut, overlong, surrogate, beyond Unicode, GB18030; heads and tails that would fit together across a separator.
BROKEN = (
    b"\xff", b"\x80", b"\xe4", b"\xe4\xb8", b"\xb8\xad", b"\xad", b"\xf0\x9f\x91", b"\xa9", b"\xc0\x80", b"ok\xe4",
    b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb", b"\xbf", "医保".encode("gb18030"),
)  # fmt: skip
LINE_ENDS = (b"\n", b"\r\n")
ODD_ENDS = (
    b"\r\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\r\n\n", b" \n", b"\n \n", b"\n\t\n", b"\n\x00\n", b"\n\r\r\n",
)  # fmt: skip


def content(rng: random.Random, how: Description) -> bytes:
    """A file of a few to a few hundred records: sound throughout, with a fault here and there, or a mess."""
    mess = rng.choice((0.0, 0.0, 0.01, 0.05, 0.3, 1.0))
    usual_end = rng.choice(LINE_ENDS)
    usual_width, trailing = rng.choice(how.widths), rng.random() < 0.3
    mixing = rng.choice((0.0, 0.0, 0.1, 0.5))
    pieces = [rng.choice((b"", b"", b"", BOM, BOM + BOM, BOM[:2], b"\n", BOM + b"\r\n"))] if mess else []
    for _ in range(rng.choice((0, 1, 2, 5, 20, 60, 200))):
        width = rng.choice(how.widths) if rng.random() < mixing else usual_width
        extra = trailing if rng.random() >= mixing else rng.random() < 0.5
        pieces.append(record(rng, how, width, damaged=rng.random() < mess) + delimiter(how) * extra)
        pieces.append(rng.choice(LINE_ENDS + ODD_ENDS) if rng.random() < mess else usual_end)
    if rng.random() < 0.5 and len(pieces) > 1:
        pieces[-1] = rng.choice((b"", b"", b"\r", delimiter(how), b"\n\n"))
    made = b"".join(pieces)
    return made[: rng.randrange(len(made))] if made and rng.random() < 0.1 else made


def record(rng: random.Random, how: Description, width: int, *, damaged: bool) -> bytes:
    """A record of about `width` fields."""
    cells = rng.choices(SOUND, k=width)
    if how.shifted and width >= 10 and rng.random() < 0.7:
        cells = _near_shifted(rng) if width == 11 else [*cells[:7], *rng.choices(AMOUNTS, k=3)]
    if damaged:
        for number in rng.sample(range(len(cells)), k=rng.choice((0, 1, 1, len(cells)))):
            cells[number] = rng.choice(rng.choices((STRANGE, BROKEN, SOUND), weights=(6, 2, 2))[0])
        cells = rng.choice((cells, cells, cells, cells[:-1], cells[1:], cells * 2, [*cells, b""], [*cells, b"", b""],
                            [*cells, b"x"], [*cells, b"null"], [b""] * len(cells)))  # fmt: skip
    if how.quote:
        cells = _in_quotes(rng, cells, damaged=damaged)
    return delimiter(how).join(cells)


# What only quotes allow in a cell, and quotes in wrong places.
INSIDE = (b",", b"\n", b"\r\n", b"\r", b'""', b"a,b", b"\n\n", b"", b"null", b'a""b', "医，保".encode(), b"\x1e", BOM)
MISPLACED = (b'"', b'a"', b'"a"b', b'"a', b'""a', b'"""', b'a""b', b'" ",', b'"\r', b'"a"\r')


def _in_quotes(rng: random.Random, cells: list[bytes], *, damaged: bool) -> list[bytes]:
    """The cells, some of them in quotes, some with quotes in wrong places."""
    usual = rng.choice((0.0, 0.2, 1.0))
    quoted = [
        b'"' + cell.replace(b'"', b'""') + rng.choice((b"", b"", b"", *INSIDE)) + b'"' if rng.random() < usual else cell
        for cell in cells
    ]
    if damaged and quoted and rng.random() < 0.5:
        quoted[rng.randrange(len(quoted))] = rng.choice(MISPLACED)
    return quoted


def delimiter(how: Description) -> bytes:
    """The delimiter in bytes."""
    return how.delimiter.encode()


def _near_shifted(rng: random.Random) -> list[bytes]:
    """Eleven columns that are ten fields, or nearly so."""
    seventh = rng.choice((b"", b"", b"", b"null", b" ", b"x"))
    eighth = rng.choice((b"memo", "数据不一致 310".encode(), b"", b"null", *AMOUNTS[:2], NO_AMOUNTS[5]))
    last = [rng.choice(AMOUNTS if rng.random() < 0.9 else NO_AMOUNTS) for _ in range(3)]
    return [*rng.choices(SOUND, k=6), seventh, eighth, *last]
