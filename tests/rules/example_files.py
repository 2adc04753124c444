"""The files of an example, made of what its data says: text, bytes, the members of an archive, cells of a workbook."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import xlsxwriter

Content = str | dict[str, Any]


def write(folder: Path, files: dict[str, Content]) -> None:
    """Every file of an example under its name."""
    for name, content in files.items():
        (folder / name).write_bytes(made(content))


def made(content: Content) -> bytes:
    """The bytes of a file: UTF-8 where it is text and says nothing else."""
    if isinstance(content, str):
        return content.encode()
    if "members" in content:
        whole = _archive(content["members"])
    elif "cells" in content:
        whole = _workbook(content)
    else:
        whole = content["text"].encode(content.get("encoding", "utf-8"))
    return whole[: content.get("cut", len(whole))] + bytes.fromhex(content.get("bytes", ""))


def _archive(members: dict[str, Content]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, made(content))
    return file.getvalue()


def _workbook(content: dict[str, Any]) -> bytes:
    """One sheet of cells: a text, a number, or a table of number or formula and how it is shown or what it gives."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet(content.get("sheet"))
        for row, cells in enumerate(content["cells"]):
            for column, cell in enumerate(cells):
                _put(book, sheet, (row, column), cell)
        for merged in content.get("merged", ()):
            first, last = merged.split(":")
            sheet.merge_range(f"{first}:{last}", content["cells"][int(first[1:]) - 1][ord(first[0]) - ord("A")])
        for number in content.get("hidden_rows", ()):
            sheet.set_row(number - 1, options={"hidden": True})
        for name in content.get("empty_sheets", ()):
            book.add_worksheet(name).write_string(0, 0, name)
    return file.getvalue()


def _put(book: xlsxwriter.Workbook, sheet: Any, place: tuple[int, int], cell: Any) -> None:
    if isinstance(cell, str):
        sheet.write_string(*place, cell)
    elif isinstance(cell, dict) and "formula" in cell:
        sheet.write_formula(*place, cell["formula"], None, cell["gives"])
    elif isinstance(cell, dict):
        sheet.write_number(*place, cell["number"], book.add_format({"num_format": cell["shown"]}))
    else:
        sheet.write_number(*place, cell)
