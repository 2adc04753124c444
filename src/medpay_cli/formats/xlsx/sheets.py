"""The cells of a sheet and the shared strings, out of their markup.

Nearly every program writes a cell in one of a few ways: these are split and matched by Polars, and a block in which a
single piece is anything else is parsed by lxml, to the same columns. Nothing is skipped: pieces and matches must tile
the block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import polars as pl
from lxml import etree

from medpay_cli.errors import ReadError
from medpay_cli.formats.xlsx import serials
from medpay_cli.formats.xlsx.serials import Kind
from medpay_cli.formats.xlsx.workbook import Elements, Workbook, damaged, parsed
from medpay_cli.parallel import in_order

MOST_ROWS, MOST_COLUMNS = 1 << 20, 1 << 14
ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&"}  # & last
# How Excel writes a character that XML cannot hold.
ESCAPED = r"_x[0-9A-Fa-f]{4}_"
# How a string is pronounced (rPh) is no part of it.
RUNS = etree.XPath("*[local-name()='t'] | *[local-name()='r']/*[local-name()='t']")
HIDDEN_ROW = re.compile(rb"""<(?:[\w.-]+:)?row\s[^<>]*?hidden\s*=\s*["'](?:1|true)["'][^<>]*>""")
ROW_NUMBER = re.compile(rb"""\sr\s*=\s*["']([0-9]{1,9})["']""")
# What may stand in a string, and in a cell once each.
IN_STRING, IN_CELL = ("t", "r", "rPh", "phoneticPr"), ("f", "v", "is", "extLst")
LOGICAL = {"0": "FALSE", "1": "TRUE"}
PLACE = "^([A-Z]{1,3})([0-9]{1,7})$"
Whole = np.ndarray[tuple[int], np.dtype[np.int64]]


def letters(column: int) -> str:
    """What stands over a column: A for 1."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


@cache
def column_of(name: str) -> int:
    """The column under these letters."""
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - 64
    return number


class Contents:
    """What the cells of a workbook hold: `blocks` of a sheet become frames of its non-empty cells.

    A frame has `row`, `column`, `text`, the `code` of what is wrong with the cell, whether it `is_number` (no text and
    no day), and whether its row `is_hidden`.
    """

    def __init__(self, workbook: Workbook, limit: int) -> None:
        self._workbook, self._limit = workbook, limit
        self._kinds = pl.Series(workbook.kinds or [Kind.NUMBER], dtype=pl.UInt8)
        self._strings = self._shared()

    def elements(self, part: str) -> Elements:
        """The rows of a sheet as markup."""
        return Elements(self._workbook.blocks(part), "sheetData", "row", part, self._limit)

    def frames(self, rows: Elements, part: str) -> Iterator[pl.DataFrame]:
        """The non-empty cells, in order, some whole rows at a time. Raises ReadError F203, F204."""
        return in_order(self._tasks(rows, part))

    def _tasks(self, rows: Elements, part: str) -> Iterator[Callable[[], pl.DataFrame]]:
        before = 0
        for block in rows:
            yield partial(self._read, block, rows, before, part)
            before = _last_row(block, rows.prefix, before)

    def _read(self, block: bytes, rows: Elements, before: int, part: str) -> pl.DataFrame:
        raw = _matched(block, rows.prefix)
        if raw is None:
            raw = _walked(block, rows, before, part)
        hidden = [int(row) for tag in HIDDEN_ROW.findall(block) for row in ROW_NUMBER.findall(tag)]
        return self._meant(raw, part).with_columns(is_hidden=pl.col("row").is_in(hidden))

    def _meant(self, raw: pl.DataFrame, part: str) -> pl.DataFrame:
        """What the cells of a block say."""
        if raw.filter((pl.col("row") > MOST_ROWS) | (pl.col("column") > MOST_COLUMNS)).height:
            raise ReadError("F204", value=part, expected=f"<= {MOST_ROWS} × {MOST_COLUMNS}")
        known = ("s", "str", "inlineStr", "b", "e", "n", "d")
        raw = raw.with_columns(
            pl.col("type").fill_null("n"), pl.when(pl.col("value") != "").then("value"), code=pl.lit(None, pl.String)
        )
        if not raw["type"].is_in(known).all():
            raise damaged(part)
        kind = (
            pl.col("style")
            .fill_null(0)
            .replace_strict(dict(enumerate(self._kinds)), default=int(Kind.NUMBER), return_dtype=pl.UInt8)
        )
        raw = self._numbers(self._texts(raw.with_columns(kind=kind), part))
        is_unknown = pl.col("formula").is_not_null() & pl.col("value").is_null() & (pl.col("type") != "str")
        return (
            raw.with_columns(
                text=pl.when(is_unknown).then("=" + pl.col("formula")).otherwise("value"),
                code=pl.when(is_unknown | (pl.col("type") == "e")).then(pl.lit("F115")).otherwise("code"),
                is_number=(pl.col("type") == "n") & ~pl.col("kind").is_in([int(Kind.DATE), int(Kind.TIME)]),
            )
            .filter(pl.col("text").is_not_null())
            .select("row", "column", "text", "code", "is_number")
        )

    def _texts(self, raw: pl.DataFrame, part: str) -> pl.DataFrame:
        """The same with the value of every cell that is no number."""
        kinds = set(raw["type"].unique())
        value, kind = pl.col("value"), pl.col("type")
        if "s" in kinds:
            place = raw.select(pl.when(kind == "s").then(value).cast(pl.UInt32, strict=False)).to_series()
            lacking = raw.filter(
                (kind == "s") & value.is_not_null() & (place >= len(self._strings)).fill_null(value=True)
            )
            if lacking.height:
                raise damaged(part)
            shared = self._strings.gather(place)
            raw = raw.with_columns(value=pl.when(kind == "s").then(shared).otherwise("value"))
        if kinds & {"str", "inlineStr"}:
            raw = _unescaped(raw, "value", kind.is_in(["str", "inlineStr"]))
        if "b" in kinds:
            raw = raw.with_columns(value=pl.when(kind == "b").then(value.replace(LOGICAL)).otherwise("value"))
        if "d" in kinds:
            day = value.str.replace("T", " ", literal=True).str.strip_suffix(" 00:00:00")
            raw = raw.with_columns(value=pl.when(kind == "d").then(day).otherwise("value"))
        return raw.with_columns(pl.when(pl.col("value") != "").then("value"))

    def _numbers(self, raw: pl.DataFrame) -> pl.DataFrame:
        """The same with the value of every number cell, and what is wrong with it."""
        value = pl.col("value")
        is_usual = pl.col("kind") == Kind.NUMBER
        odd = raw.select((pl.col("type") == "n") & value.is_not_null() & ~(is_usual & _is_plain(value))).to_series()
        if not odd.any():
            return raw
        at = odd.arg_true()
        some = raw.select(value, "kind")[at]
        # Excel stores one amount in three like 19.989999999999998: Polars writes a double as shortly as Python does.
        short = value.cast(pl.Float64, strict=False).cast(pl.String).str.strip_suffix(".0")
        is_short = is_usual & _is_plain(short) & (short != "0")
        some = some.with_columns(shown=pl.when(is_short).then(short), code=pl.lit(None, pl.String))
        rest = some.filter(pl.col("shown").is_null()).select("value", "kind").unique()
        if rest.height:
            read = [
                (stored, kind, *serials.shown(stored, Kind(kind), since_1904=self._workbook.since_1904))
                for stored, kind in rest.iter_rows()
            ]
            names = {"value": pl.String, "kind": pl.UInt8, "shown": pl.String, "code": pl.String}
            some = some.select("value", "kind", short="shown").join(
                pl.DataFrame(read, names, orient="row"), on=["value", "kind"], how="left", maintain_order="left"
            )
            some = some.with_columns(shown=pl.coalesce("short", "shown"))
        return raw.with_columns(raw["value"].scatter(at, some["shown"]), raw["code"].scatter(at, some["code"]))

    def _shared(self) -> pl.Series:
        """The strings that cells refer to by number."""
        part = self._workbook.strings
        if part is None:
            return pl.Series(dtype=pl.String)
        items = Elements(self._workbook.blocks(part), "sst", "si", part, self._limit)
        parts = list(in_order(partial(_strings, block, items, part) for block in items))
        return pl.concat(parts) if parts else pl.Series(dtype=pl.String)


@cache
def _patterns(prefix: str) -> tuple[str, str, str]:
    """How a cell is written behind `<c `, a shared string behind `<si>`, and what may stand between the cells."""
    p = re.escape(prefix)
    rows = rf"(?:\s*</?{p}row(?:\s[^<>]*)?>)*\s*"
    text = rf'<{p}t(?: xml:space="preserve")?(?:/>|>(?P<text>[^<]*)</{p}t>)'
    style, kind = r'(?: s="(?P<s{}>[0-9]{{1,6}})")?', r'(?: t="(?P<type>[a-zA-Z]+)")?'
    cell = (
        rf'^r="(?P<letters>[A-Z]{{1,3}})(?P<row>[0-9]{{1,7}})"{style.format(1)}{kind}{style.format(2)}(?:/>|>'
        rf"(?:<{p}f(?:\s[^<>]*)?(?:/>|>(?P<formula>[^<]*)</{p}f>))?"
        rf'(?:<{p}v(?: xml:space="preserve")?(?:/>|>(?P<value>[^<]*)</{p}v>)|<{p}is>{text}</{p}is>)?'
        rf"</{p}c>){rows}$"
    )
    return cell, rf"^{text}</{p}si>\s*$", f"^{rows}$"


def _pieces(block: bytes, tag: str) -> pl.Series | None:
    """The text of a block between these tags; None where it holds more than the usual entities."""
    text = block.decode()
    if "&" in text and text.count("&") != sum(map(text.count, ENTITIES)):
        return None
    return pl.Series("piece", [text]).str.split(tag).explode()


def _matched(block: bytes, prefix: str) -> pl.DataFrame | None:
    """The cells of a block, if all of it is written in the usual ways."""
    cell, _, between = _patterns(prefix)
    if b"]]>" in block or not _is_in_rows(block, prefix.encode()):
        return None
    pieces = _pieces(block, f"<{prefix}c ")
    if pieces is None or not re.search(between, pieces[0] or ""):
        return None
    # The formula of a shared one is empty: that it is there shows in the piece.
    found = pieces[1:].str.extract_groups(cell).struct.unnest()
    if found["letters"].null_count():
        return None
    is_formula = pieces[1:].str.contains(f"<{prefix}f[ />]") if f"<{prefix}f".encode() in block else pl.lit(value=False)
    found = found.with_columns(
        pl.when(is_formula).then(pl.col("formula").fill_null("")).alias("formula"),
        pl.coalesce("value", "text").alias("value"),
    )
    raw = _numbered(found, pl.col("row"), pl.col("letters"), pl.coalesce("s1", "s2"))
    if b"&" in block:
        raw = raw.with_columns(_without_entities(pl.col(name)) for name in ("formula", "value"))
    return raw


def _is_in_rows(block: bytes, prefix: bytes) -> bool:
    """Whether the rows of a block open and close in turn, with every cell inside one."""
    is_open = False
    for close, alone in re.findall(rb"<(/?)%brow(?:\s[^<>]*?)?(/?)>" % prefix, block):
        if bool(close) != is_open or (is_open and alone):
            return False
        is_open = not close and not alone
    outside = rb"(?:</%brow\s*>|<%brow(?:\s[^<>]*)?/>)\s*<%bc[\s/>]" % (prefix, prefix, prefix)
    return not is_open and re.search(outside, block) is None


def _check_inside(element: Any, allowed: Sequence[str], part: str, *, once: bool = False) -> None:
    """Raises ReadError F203 where something else stands in an element, or something twice."""
    names = [child.tag for child in element]
    space = element.tag.rpartition("}")[0]
    known = {f"{space}}}{name}" if space else name for name in allowed}
    texts = [element.text, *(child.tail for child in element)]
    if not known.issuperset(names) or any(text and text.strip() for text in texts):
        raise damaged(part)
    if once and len(set(names)) < len(names):
        raise damaged(part)


def _walked(block: bytes, rows: Elements, before: int, part: str) -> pl.DataFrame:
    """The cells of a block, whatever way they are written."""
    cells: list[tuple[str | None, ...]] = []
    at = before
    root = parsed(rows.start + block + b"</%b>" % rows.root, part)
    _check_inside(root, ("row",), part)
    for row in root:
        _check_inside(row, ("c", "extLst"), part)
        number = row.get("r", str(at + 1))
        if not re.fullmatch("[0-9]{1,7}", number):
            raise damaged(part)
        at, last = int(number), ""
        space = row.tag.removesuffix("row")
        formulas, values, inlines, cell_tag = (space + name for name in ("f", "v", "is", "c"))
        for cell in row:
            if cell.tag != cell_tag:
                continue
            last = cell.get("r") or f"{letters(column_of(last.rstrip('0123456789')) + 1)}{at}"
            formula = value = None
            _check_inside(cell, IN_CELL, part, once=True)
            for child in cell:
                if child.tag in (values, formulas) and len(child):
                    raise damaged(part)
                if child.tag == values:
                    value = child.text
                elif child.tag == inlines:
                    value = _text(child, part)
                elif child.tag == formulas:
                    formula = child.text or ""
            cells.append((last, cell.get("s"), cell.get("t"), formula, value))
    names = ("place", "style", "type", "formula", "value")
    found = pl.DataFrame(
        dict(zip(names, zip(*cells, strict=True), strict=True)) if cells else {}, dict.fromkeys(names, pl.String)
    )
    place, style = pl.col("place"), pl.col("style")
    if not found.select(place.str.contains(PLACE).all() & style.str.contains("^[0-9]{1,9}$").all()).item():
        raise damaged(part)
    return _numbered(found, place.str.extract(PLACE, 2), place.str.extract(PLACE, 1), style)


def _numbered(found: pl.DataFrame, row: pl.Expr, column: pl.Expr, style: pl.Expr) -> pl.DataFrame:
    """Cells with their row, column (from its letters) and style as numbers."""
    names = found.select(column.unique()).to_series()
    return found.select(
        row.cast(pl.UInt32).alias("row"),
        column.replace_strict(names, [column_of(name) for name in names], return_dtype=pl.UInt32).alias("column"),
        style.cast(pl.UInt32).alias("style"),
        "type",
        "formula",
        "value",
    )


def _strings(block: bytes, items: Elements, part: str) -> pl.Series:
    """The shared strings of a block."""
    pieces = _pieces(block, f"<{items.prefix}si>")
    found = pl.DataFrame()
    if pieces is not None and not (pieces[0] or "").strip():
        pattern = _patterns(items.prefix)[1]
        found = pl.DataFrame({"text": pieces[1:].str.extract(pattern, 1).fill_null("")})
        if not pieces[1:].str.contains(pattern).all():
            pieces = None
    if pieces is None or (pieces[0] or "").strip():
        root = parsed(items.start + block + b"</%b>" % items.root, part)
        _check_inside(root, ("si",), part)
        found = pl.DataFrame({"text": [_text(one, part) for one in root]}, {"text": pl.String})
    elif b"&" in block:
        found = found.with_columns(_without_entities(pl.col("text")))
    return _unescaped(found, "text", pl.lit(value=True))["text"]


def _text(item: Any, part: str) -> str:
    """The text of a string in one style or several. Raises ReadError F203 where something else stands in it."""
    _check_inside(item, IN_STRING, part)
    if any(len(run) for run in RUNS(item)):
        raise damaged(part)
    return "".join(run.text or "" for run in RUNS(item))


def _is_plain(number: pl.Expr) -> pl.Expr:
    """Whether a number reads as it should."""
    return number.str.contains(serials.PLAIN) & (number.str.len_bytes() <= serials.MOST_DIGITS)


def _without_entities(cell: pl.Expr) -> pl.Expr:
    for entity, character in ENTITIES.items():
        cell = cell.str.replace_all(entity, character, literal=True)
    return cell


def _unescaped(frame: pl.DataFrame, name: str, where: pl.Expr) -> pl.DataFrame:
    """The same with the characters in place of what Excel writes for them."""
    escaped = frame.filter(where & pl.col(name).str.contains(ESCAPED))[name].unique()
    if escaped.is_empty():
        return frame
    meant = {text: re.sub(ESCAPED, _character, text) for text in escaped}
    return frame.with_columns(pl.when(where).then(pl.col(name).replace(meant)).otherwise(name).alias(name))


def _character(escape: re.Match[str]) -> str:
    number = int(escape[0][2:6], 16)
    return escape[0] if 0xD800 <= number < 0xE000 else chr(number)


def _last_row(block: bytes, prefix: str, before: int) -> int:
    """The number of the last row of a block; rows without one follow on the row above."""
    at, unnumbered = len(block), 0
    while (at := block.rfind(b"<%brow" % prefix.encode(), 0, at)) >= 0:
        numbered = ROW_NUMBER.search(block[at : block.find(b">", at)])
        if numbered:
            return int(numbered[1]) + unnumbered
        unnumbered += 1
    return before + unnumbered


def key(cells: pl.DataFrame) -> Whole:
    """A number per cell that grows along the rows and down the sheet."""
    keys: Whole = cells["row"].to_numpy().astype(np.int64) * MOST_COLUMNS + cells["column"].to_numpy() - 1
    return keys
