"""How many columns text takes where a host system counts bytes: a Han character of GB18030 takes two.

Text is widened so that its characters can be counted and cut instead: each is followed by a FILLER for every further
byte.
"""

from __future__ import annotations

from functools import cache

import numpy as np

# A noncharacter, which no text should hold: one that does cannot be widened.
FILLER = "\ufdd0"
# Pieces that stay in the processor's cache take half the time of one sweep.
PIECE = 1 << 16

Widths = np.ndarray[tuple[int], np.dtype[np.uint8]]


def widened(text: str, encoding: str) -> str:
    """The text, without FILLER, with as many characters as it has bytes in an encoding; as it is where none is named.

    A character that the encoding lacks counts 4.
    """
    if not encoding or text.isascii():
        return text
    return "".join(_widened(text[at : at + PIECE], encoding) for at in range(0, len(text), PIECE))


def _widened(text: str, encoding: str) -> str:
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    widths = _widths(encoding)[np.minimum(points, 0x10000)]
    behind = np.cumsum(widths, dtype=np.uint32)
    wide = np.full(behind[-1], ord(FILLER), np.uint32)
    wide[behind - widths] = points
    return wide.tobytes().decode("utf-32-le")


def narrowed(text: str) -> str:
    """Widened text as it was."""
    return text.replace(FILLER, "")


@cache
def _widths(encoding: str) -> Widths:
    """How wide every character of the basic plane is, and last all others."""
    points = (*range(0x10000), 0x10000)
    return np.array([_width(chr(point), encoding) for point in points], np.uint8)


def _width(character: str, encoding: str) -> int:
    try:
        return len(character.encode(encoding))
    except UnicodeEncodeError:
        return 4
