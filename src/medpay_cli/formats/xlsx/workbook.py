"""A workbook is an archive of XML parts: opened with the care of any archive, its markup held to what needs no DTD."""

from __future__ import annotations

import contextlib
import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

from lxml import etree

from medpay_cli.errors import ReadError
from medpay_cli.formats.archive import BROKEN, Input, bounded, opened, seekable, vetted
from medpay_cli.formats.xlsx import serials
from medpay_cli.formats.xlsx.serials import Kind

OLE2 = b"\xd0\xcf\x11\xe0"
# What is parsed as a whole: styles and lists of sheets.
LARGEST = 16 << 20
BLOCK = 4 << 20
# Comments, instructions and literal sections are told apart by their beginnings alone: in text `<` stands escaped.
ASIDE = re.compile(rb"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
DECLARED = re.compile(rb"<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
NO_TEXT = bytes(byte for byte in range(32) if byte not in b"\t\n\r")


@dataclass(frozen=True)
class Sheet:
    """A sheet of cells: its name, its part in the archive, whether it is hidden."""

    name: str
    part: str
    hidden: bool


@dataclass(frozen=True)
class Workbook:
    """The sheets in order, what each cell style makes of numbers, the part with shared strings."""

    archive: zipfile.ZipFile
    sheets: tuple[Sheet, ...]
    kinds: tuple[Kind, ...]
    strings: str | None
    since_1904: bool

    def blocks(self, part: str) -> Iterator[bytes]:
        """A part as `plain` markup. Raises ReadError F203, F209, F217."""
        info = _info(self.archive, part)
        with self.archive.open(info) as stream:
            yield from plain(bounded(stream, info.compress_size), part)


@contextlib.contextmanager
def workbook(source: Input) -> Iterator[Workbook]:
    """What is in a workbook. Raises ReadError F203 where it is damaged or none at all, F209 for an attack, F217."""
    try:
        with source.open() as stream, contextlib.ExitStack() as stack:
            file = stack.enter_context(seekable(stream))
            if file.read(len(OLE2)) == OLE2:
                raise ReadError("F203", value="OLE2 (.xls, or .xlsx with a password)", expected=".xlsx")
            archive = stack.enter_context(opened(file))
            vetted(archive)
            yield _described(archive)
    except (*BROKEN, etree.XMLSyntaxError) as err:
        raise ReadError("F203", value=type(err).__name__) from err


def _described(archive: zipfile.ZipFile) -> Workbook:
    main = next((target for kind, target in _related(archive, "").values() if kind == "officeDocument"), None)
    if main is None:
        raise ReadError("F203", value="officeDocument", expected=".xlsx")
    root, related = _tree(archive, main), _related(archive, main)
    parts = dict(related.values())
    return Workbook(
        archive=archive,
        sheets=tuple(_sheets(root, related)),
        kinds=tuple(_kinds(_tree(archive, parts["styles"]))) if "styles" in parts else (),
        strings=parts.get("sharedStrings"),
        since_1904=any(one.get("date1904") in ("1", "true") for one in root.iter("{*}workbookPr")),
    )


def _sheets(root: Any, related: dict[str, tuple[str, str]]) -> Iterator[Sheet]:
    for one in root.iter("{*}sheet"):
        link = next((value for name, value in one.items() if etree.QName(name).localname == "id"), "")
        kind, part = related.get(link, ("", ""))
        if kind == "worksheet":
            yield Sheet(one.get("name", ""), part, one.get("state", "visible") != "visible")


def _kinds(styles: Any) -> Iterator[Kind]:
    """What each style of cells makes of numbers."""
    codes = {one.get("numFmtId"): one.get("formatCode") for one in styles.iterfind("{*}numFmts/{*}numFmt")}
    for one in styles.iterfind("{*}cellXfs/{*}xf"):
        number = one.get("numFmtId", "0")
        yield serials.kind(int(number) if number.isdecimal() else 0, codes.get(number))


def _related(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """What a part refers to inside the archive: id → kind and part."""
    folder, name = posixpath.split(part)
    return {
        one.get("Id", ""): (
            one.get("Type", "").rpartition("/")[2],
            posixpath.normpath(posixpath.join("/" + folder, one.get("Target", ""))).lstrip("/"),
        )
        for one in _tree(archive, posixpath.join(folder, "_rels", f"{name}.rels"))
        if one.get("TargetMode") != "External"
    }


def _tree(archive: zipfile.ZipFile, part: str) -> Any:
    """A small part as a whole."""
    info = _info(archive, part)
    if info.file_size > LARGEST:
        raise ReadError("F209", value=f"{part}: {info.file_size} bytes", expected=f"<= {LARGEST}")
    with archive.open(info) as stream:
        return parsed(b"".join(plain(bounded(stream, info.compress_size), part)), part)


def _info(archive: zipfile.ZipFile, part: str) -> zipfile.ZipInfo:
    """A member of that name; some programs do not mind case."""
    found = next((one for one in archive.infolist() if one.filename.casefold() == part.casefold()), None)
    if found is None:
        raise ReadError("F203", value=f"− {part}", expected=".xlsx")
    if found.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ReadError("F203", value=f"{part}: compression {found.compress_type}")
    return found


def parsed(markup: bytes, part: str) -> Any:
    """The root element of `plain` markup. Raises ReadError F203 with the place, never with what stands there."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(markup, parser)
    except etree.XMLSyntaxError as err:
        raise damaged(part) from err


def damaged(part: str) -> ReadError:
    """The fault of a part that is no markup, or not the markup of a workbook."""
    return ReadError("F203", value=f"{part}: XML")


def plain(stream: BinaryIO, part: str) -> Iterator[bytes]:
    """Markup in blocks, without declaration, comments and literal sections, line ends as XML has them.

    What is left holds `<` only where a tag begins. Raises ReadError F217 for a DOCTYPE, F203 for what is no UTF-8 XML.
    """
    rest, is_first = b"", True
    while True:
        read = stream.read(BLOCK)
        block, rest = rest + read, b""
        if is_first:
            block, is_first = _undeclared(block, part), False
        if read and block.endswith(b"\r"):
            block, rest = block[:-1], b"\r"
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        # One letter is looked for five times as fast as two.
        if (b"!" in block and b"<!" in block) or (b"?" in block and b"<?" in block) or block.endswith(b"<"):
            block = ASIDE.sub(_literal, block)
            begins = re.search(rb"<[!?]|<$", block)
            if begins:
                block, rest = block[: begins.start()], block[begins.start() :] + rest
                if re.match(rb"<!(?:DOCTYPE|ENTITY)", rest):
                    raise ReadError("F217", value=part)
                if not read or len(rest) > LARGEST:
                    raise damaged(part)
        if len(block.translate(None, NO_TEXT)) != len(block):
            raise damaged(part)
        yield block
        if not read:
            return


def _undeclared(block: bytes, part: str) -> bytes:
    block = block.removeprefix(b"\xef\xbb\xbf")
    declared = DECLARED.match(block)
    # Markup in UTF-16 would hide what we look for; no program writes a workbook so.
    if block.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in block[:4]:
        raise ReadError("F203", value=f"{part}: UTF-16", expected="utf-8")
    if declared and declared[1].lower() not in (b"utf-8", b"us-ascii"):
        raise ReadError("F203", value=f"{part}: {declared[1].decode()}", expected="utf-8")
    return block


def _literal(aside: re.Match[bytes]) -> bytes:
    return escape(aside[1].decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape") if aside[1] else b""


class Elements:
    """The elements of one name in their container, in blocks of whole ones. `head` is what stands before them (first
    `start`, the tag of the element `root`) and, once they are read, `tail` what stands behind.

    Raises ReadError F203 where the markup ends before the container does, F204 for an element beyond the limit.
    """

    def __init__(self, blocks: Iterator[bytes], container: str, element: str, part: str, limit: int) -> None:
        self._blocks, self._element, self._container = blocks, element.encode(), container.encode()
        self._part, self._limit = part, limit
        begins = re.compile(rb"<((?:[\w.-]+:)?)%b(?:\s[^<>]*?)?(/?)>" % self._container)
        self._rest, found = b"", None
        for block in blocks:
            self._rest += block
            found = begins.search(self._rest)
            if found or len(self._rest) > LARGEST:
                break
        if found is None:
            raise damaged(part)
        self.prefix = found[1].decode()
        first = re.match(rb"\s*<([\w.:-]+)[^<>]*>", self._rest)
        self.root, self.start = (first[1], first[0]) if first else (b"", b"")
        self.head, self.tail = self._rest[: found.end()], b""
        self._rest = self._rest[found.end() :]
        if found[2]:
            self._rest = b"</%b%b>" % (found[1], self._container) + self._rest

    def __iter__(self) -> Iterator[bytes]:
        prefix = self.prefix.encode()
        begins, ends = (b"<" + prefix + self._element, b"</" + prefix + self._container)
        while True:
            end = self._rest.find(ends)
            if end >= 0:
                yield self._rest[:end]
                self.tail = self._rest[end:]
                for behind in self._blocks:
                    self.tail += behind
                    if len(self.tail) > LARGEST:
                        raise ReadError("F209", value=f"{self._part}: > {LARGEST}")
                if not self.tail.rstrip().endswith(b"</%b>" % self.root):
                    raise damaged(self._part)
                return
            cut = self._rest.rfind(begins)
            if cut > 0:
                yield self._rest[:cut]
                self._rest = self._rest[cut:]
            elif len(self._rest) > self._limit:
                raise ReadError("F204", value=f"> {self._limit}", expected=f"<= {self._limit}")
            block = next(self._blocks, None)
            if block is None:
                raise damaged(self._part)
            self._rest += block
