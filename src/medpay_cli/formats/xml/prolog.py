"""What stands before the first element of an XML document: read by ourselves, so that no parser meets a DOCTYPE."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import BinaryIO

from medpay_cli.errors import ReadError
from medpay_cli.formats.archive import Input

# The root's start tag must stand in so many bytes.
MOST = 1 << 20
_DECLARATION = re.compile(
    rb"""<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.[0-9]+"|'1\.[0-9]+')"""
    rb"""(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"(?P<a>[A-Za-z][\w.-]*)"|'(?P<b>[A-Za-z][\w.-]*)'))?"""
    rb"""(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>"""
)
_MISCELLANEOUS = re.compile(rb"(?:[ \t\r\n]+|<!--(?:[^-]|-[^-])*+-->|<\?[\s\S]*?\?>)*+")
_START = re.compile(rb"""<[^<>"'!?/](?:[^<>"']|"[^<"]*"|'[^<']*')*+>""")
# How a declaration begins where there is no byte order mark.
_WIDE = {b"<\0?\0": "utf-16-le", b"\0<\0?": "utf-16-be"}
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class Prolog:
    """Everything up to the root's start tag and that tag; what was read behind it; whether that is all there is.

    The declaration is blank, so that its encoding, which the bytes are no longer in, is followed by nobody.
    """

    before: bytes
    root: bytes
    rest: bytes
    is_whole: bool


def declared(source: Input) -> str | None:
    """The encoding that the XML declaration of an input names, as it stands before it is decoded."""
    with source.open() as stream:
        head = stream.read(1024)
    mark = next((one for one in _MARKS if head.startswith(one)), b"")
    wide = _MARKS.get(mark) or _WIDE.get(head[:4])
    if wide:
        head = head[len(mark) :].decode(wide, "replace").encode("ascii", "replace")
    found = _DECLARATION.match(head)
    name = found and (found["a"] or found["b"])
    if name and name.lower() == b"utf-16" and wide:
        return wide
    return name.decode() if name else None


def read(stream: BinaryIO) -> Prolog | None:
    """The beginning of a document; None of an empty file.

    Raises ReadError F217 where it declares a document type or entities, F216 where it is no XML, F204 where no root
    element begins within MOST bytes.
    """
    head = stream.read(MOST + 1)
    is_whole = len(head) <= MOST
    body = head.removeprefix(codecs.BOM_UTF8)
    if not body:
        return None
    at = 0
    if re.match(rb"<\?xml[ \t\r\n]", body):
        found = _DECLARATION.match(body)
        if not found:
            raise ReadError("F216", value="1:1: declaration")
        at = found.end()
        body = re.sub(rb"[^\r\n]", b" ", body[:at]) + body[at:]
    found = _MISCELLANEOUS.match(body, at)
    at = found.end() if found else at
    if body.startswith(b"<!", at) and not body.startswith(b"<!--", at):
        raise ReadError("F217", value=_place(body, at))
    root = _START.match(body, at)
    if root:
        return Prolog(body[:at], root[0], body[root.end() :], is_whole)
    if not is_whole:
        raise ReadError("F204", value=f"> {MOST}", expected=f"<= {MOST} B")
    raise ReadError("F216", value=f"{_place(body, at)}: root element")


def _place(body: bytes, at: int) -> str:
    line, start = body.count(b"\n", 0, at) + 1, body.rfind(b"\n", 0, at) + 1
    return f"{line}:{at - start + 1}"
