"""Which encoding an input is in, decided over all of it and never guessed, and its text as strict UTF-8.

A byte order mark decides; else what was asked for or what the dialect declares; only when nothing is declared, strict
UTF-8 and then strict GB18030. 930 characters of GB2312 (surnames among them) are also valid UTF-8, and a cut UTF-8
text can decode as GB18030: a file with valid multi-byte UTF-8 before its first bad byte is refused as mixed or damaged.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from medpay_cli import files
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.archive import Input

UTF_8, GB18030 = "utf-8", "gb18030"
# Longest first: the mark of UTF-32-LE begins with that of UTF-16-LE.
MARKS = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
# What a label means; GB2312 and GBK are written where GB18030 is meant.
KNOWN = {
    "utf-8": UTF_8, "gb18030": GB18030, "gbk": GB18030, "gb2312": GB18030, "cp936": GB18030, "big5": "big5",
    "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be", "utf-32-le": "utf-32-le", "utf-32-be": "utf-32-be",
    "utf-16": "utf-16-le", "utf-32": "utf-32-le",
}  # fmt: skip
# Encodings in which a letter of ASCII is one byte.
BYTES = (UTF_8, GB18030, "big5")
BLOCK = 1 << 20
# Files from here on are looked at from two places at the same time.
LARGE = 64 << 20
# A folder may have many parts, and all of them are read again.
HELD = 4 << 20
# Never part of UTF-8, so the reader finds the record that holds it.
BAD = "\udcff"


def known(name: str) -> str:
    """The encoding that a label means. Raises MedpayError."""
    if _label(name) not in KNOWN:
        raise MedpayError("unknown_encoding", name=name, known=", ".join(sorted(KNOWN)))
    return KNOWN[_label(name)]


def _label(name: str | None) -> str:
    """How we write an encoding; utf-16 and utf-32 leave the order of bytes to the mark."""
    label = (name or "").lower().replace("_", "-")
    return label if label in KNOWN else label.replace("utf", "utf-", 1)


def decoded(source: Input, asked: str | None, declared: str | None) -> Input:
    """The same input as UTF-8: bad bytes as 0xFF, a line still a line; `encoding` names what it was written in.

    Raises ReadError F210 (a byte order mark against `asked`) and F211 (mixed or damaged).
    """
    if source.encoding is not None:
        return source
    with source.open() as stream:
        head = stream.read(4)
    mark = next((name for mark, name in MARKS if head.startswith(mark)), None)
    wanted = known(asked) if asked else None
    if mark and wanted and mark != wanted and _label(asked) != mark.rpartition("-")[0]:
        raise ReadError("F210", value=mark, expected=wanted)
    name = mark or wanted or (known(declared) if declared else None)
    if (name or UTF_8) in BYTES and _is_wide(source):
        raise ReadError("F202", value="0x00 (UTF-16? UTF-32?)", expected=name or f"{UTF_8} | {GB18030}")
    name = name or _found(source)
    return replace(source, encoding=name, spool=source.spool if name == UTF_8 else _as_utf_8(source, name))


def agreed(parts: Sequence[Input], declared: str | None) -> None:
    """Raise ReadError F211 where nothing declares an encoding and parts of one file look as if written in two.

    As in one file, text that could be both is not taken for one beside text that is the other.
    """
    found = {one.encoding for one in parts}
    if declared is not None or not {UTF_8, GB18030} <= found:
        return
    for one in parts:
        if one.encoding == UTF_8 and not _is_ascii(one):
            raise ReadError("F211", value=f"{Path(one.path).name}: {UTF_8}", expected=GB18030)


def _is_ascii(source: Input) -> bool:
    """Whether no character stands there, a byte order mark neither, that GB18030 writes otherwise."""
    with source.open() as stream:
        while block := stream.read(BLOCK):
            if not block.isascii():
                return False
    return True


def _is_wide(source: Input) -> bool:
    """Whether a file without a mark is full of NUL, as no text of bytes is: one in twenty of the first ones."""
    with source.open() as stream:
        head = stream.read(4096)
    return head.count(0) * 20 > len(head) and len(head) > 3


def _found(source: Input) -> str:
    """Strict UTF-8 over the whole input, else strict GB18030 under the guard."""
    if _is_utf_8(source):
        return UTF_8
    bad, multibyte = _first_bad(source, UTF_8)
    if bad is None:
        return UTF_8
    if multibyte:
        raise ReadError("F211", value=bad, expected=UTF_8)
    bad, _ = _first_bad(source, GB18030)
    if bad is not None:
        raise ReadError("F211", value=bad, expected=f"{UTF_8} | {GB18030}")
    return GB18030


def _is_utf_8(source: Input) -> bool:
    """Whether all of it is, ten times faster than it is decoded; of a large file both halves at the same time."""
    with source.open() as stream:
        middle = _middle(stream)
    spans = [(0, middle), (middle, None)] if middle else [(0, None)]
    with ThreadPoolExecutor(len(spans)) as pool:
        return all(pool.map(lambda span: _is_utf_8_within(source, *span), spans))


def _middle(stream: BinaryIO) -> int | None:
    """Where a line begins about halfway through a large file that can be read from there."""
    if not isinstance(stream, io.BufferedReader) or not stream.seekable():
        return None
    size = stream.seek(0, io.SEEK_END)
    if size < LARGE:
        return None
    stream.seek(size // 2)
    return stream.tell() if stream.readline(BLOCK).endswith(b"\n") else None


def _is_utf_8_within(source: Input, begin: int, end: int | None) -> bool:
    rest = b""
    with source.open() as stream:
        if begin:
            stream.seek(begin)
        at = begin
        while block := stream.read(BLOCK if end is None else min(BLOCK, end - at)):
            at += len(block)
            block, rest = _whole_characters(rest + block if rest else block)
            if not _holds_text(block):
                return False
    return _holds_text(rest)


def _whole_characters(block: bytes) -> tuple[bytes, bytes]:
    """The block without a character of UTF-8 that may go on behind it, and that."""
    for back in range(1, min(len(block), 3) + 1):
        if block[-back] >= 0xC0:
            return block[:-back], block[-back:]
        if block[-back] < 0x80:
            break
    return block, b""


def _holds_text(block: bytes) -> bool:
    import polars as pl

    try:
        return block.isascii() or len(pl.Series([block]).cast(pl.String)) == 1
    except pl.exceptions.ComputeError:
        return False


def _first_bad(source: Input, name: str) -> tuple[str | None, bool]:
    """The first byte that is no text, as `0xca @ line:column` (None if there is none), and whether any multi-byte
    character stands before it."""
    decoder = codecs.getincrementaldecoder(name)()
    line, column, multibyte = 1, 1, False
    with source.open() as stream:
        while True:
            block = stream.read(BLOCK)
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as err:
                good = err.object[: err.start]
                line += good.count(b"\n")
                column = len(good) - good.rfind(b"\n") + (column - 1 if b"\n" not in good else 0)
                return f"0x{err.object[err.start]:02x} @ {line}:{column}", multibyte or not good.isascii()
            if not block:
                return None, multibyte
            multibyte = multibyte or not text.isascii()
            read = text.encode(name)
            line += read.count(b"\n")
            column = len(read) - read.rfind(b"\n") + (column - 1 if b"\n" not in read else 0)


def _as_utf_8(source: Input, name: str) -> BinaryIO:
    """The whole input in UTF-8, spooled."""
    spool = files.spool(HELD)
    decoder = codecs.getincrementaldecoder(name)(errors="medpay-bad")
    with source.open() as stream:
        while True:
            block = stream.read(BLOCK)
            spool.write(decoder.decode(block, final=not block).encode(UTF_8, "medpay-bad"))
            if not block:
                return spool


def _bad(err: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(err, UnicodeDecodeError):
        return BAD, err.end
    if isinstance(err, UnicodeEncodeError):
        return b"\xff" * (err.end - err.start), err.end
    raise err


codecs.register_error("medpay-bad", _bad)
