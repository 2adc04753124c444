"""Separators of several characters: while a part is read, one byte that it does not hold stands for each of them.

They are replaced from the left and never overlap, as text is split everywhere: `a|@|@|b` is `a` and `@|b`.
"""

from __future__ import annotations

import string
from dataclasses import replace

from medpay_cli.dialects import Dialect
from medpay_cli.formats.text.cutting import Cut

# A TAB and marks first: with a control character a part looks as if there were one in its cells.
STAND_INS = tuple(
    bytes([byte])
    for byte in (*b"\t", *string.punctuation.encode(), *string.ascii_letters.encode(), *range(0x20, 0x7F), *range(0x7F))
    if byte not in b"\r\n"
)


def shortened(cut: Cut, dialect: Dialect) -> tuple[Cut, Dialect] | None:
    """The part with separators of one byte, and the dialect for it; None where it holds every byte of ASCII."""
    stand_in = next((byte for byte in STAND_INS if byte not in cut.block), None)
    if stand_in is None:
        return None
    block = cut.block.replace(dialect.delimiter.encode(), stand_in)
    return replace(cut, block=block, shape=block), replace(dialect, delimiter=stand_in.decode())
