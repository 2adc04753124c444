"""The example on the page of a code: what a file or record holds, what is found there, and what is right instead."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any

from medpay_cli import layouts, messages
from medpay_cli.config import Document
from medpay_cli.layouts import Layout
from medpay_cli.messages import Language

FOUND = "  -> "
# What a file is made of; all else is said behind its name.
PARTS = ("text", "members", "cells")
# How what cannot be seen is written; a line that ends otherwise than in LF shows how it ends.
ESCAPES = {"\t": "\\t", "\r": "\\r", "\n": "\\n", "\\": "\\\\"}


def shown(rule: Document, lang: Language) -> Iterator[str]:
    """The lines of an example: a record, tables of several kinds, a sample with such a fault, or files and a
    command."""
    example = rule.get("example", {})
    way = next((way for key, way in WAYS.items() if key in example), None)
    if way is not None:
        yield from way(rule, example, lang, messages.labels(lang))


def _sample(rule: Document, example: Document, _: Language, words: dict[str, str]) -> Iterator[str]:
    layout, indent = example["sample"], " " * (messages.wide(words["to_try"]) + 2)
    plant = f"--records 20 --seed 1 --broken {rule['code']} -o broken.txt"
    yield f"{words['to_try']}: medpay sample {layout} {plant}"
    yield f"{indent}medpay validate broken.txt --layout {layout}"


def _record(rule: Document, example: Document, lang: Language, words: dict[str, str]) -> Iterator[str]:
    record, name = example["record"], example["field"]
    found = {"field": name, "value": record.get(name), "expected": example["expected"]}
    yield f"{words['example']}: {example['layout']} {_pairs(record)}"
    yield f"{FOUND}{_message(rule, lang, layouts.load(example['layout']), found)}"
    yield f"{words['corrected']}: {_pairs(example['right'])}"


def _tables(rule: Document, example: Document, lang: Language, words: dict[str, str]) -> Iterator[str]:
    tables = {kind: table for kind, table in example.items() if isinstance(table, str) and "\n" in table}
    kind, table = next(iter(tables.items()))
    yield f"{words['example']}:"
    yield from _indented(tables)
    heads, *rows = csv.reader(table.strip("\n").splitlines())
    record = dict(zip(heads, rows[example["row"] - 1], strict=True))
    found = {name: example[name] for name in ("row", "field", "expected")} | {"value": record.get(example["field"])}
    yield f"{FOUND}{_place(found, words)}{_message(rule, lang, layouts.load(kind), found)}"
    yield f"{words['corrected']}:"
    yield from _indented(example["right"])


def _files(rule: Document, example: Document, lang: Language, words: dict[str, str]) -> Iterator[str]:
    found, right, layout = example["found"], example["right"], None
    if "layout" in example:
        own = example["files"].get(example["layout"])
        layout = layouts.build(json.loads(own), example["layout"]) if own else layouts.load(example["layout"])
    yield f"{words['example']}: medpay {example['run']}"
    yield from _contents(example["files"])
    yield f"{FOUND}{_place(found, words)}{_message(rule, lang, layout, found)}"
    yield f"{words['corrected']}: medpay {right['run']}" if "run" in right else f"{words['corrected']}:"
    yield from _contents(right.get("files", {}))


def _contents(files: Mapping[str, Any], indent: str = "  ") -> Iterator[str]:
    """Every file under its name: the lines of a text, the members of an archive, the cells of a workbook."""
    for name, content in files.items():
        said = content if isinstance(content, dict) else {"text": content}
        notes = ", ".join(f"{key} {_plain(value)}" for key, value in said.items() if key not in PARTS)
        yield f"{indent}{name} ({notes})" if notes else f"{indent}{name}"
        if "members" in said:
            yield from _contents(said["members"], indent + "  ")
        elif "cells" in said:
            yield from (f"{indent}  {' | '.join(map(_cell, cells))}" for cells in said["cells"])
        else:
            yield from (f"{indent}  {line}".rstrip() for line in _lines(said["text"]))


def _lines(text: str) -> list[str]:
    is_plain = text.endswith("\n") and "\r" not in text
    return ["".join(map(_visible, line[:-1] if is_plain else line)) for line in text.splitlines(keepends=True)]


def _visible(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    # U+FFFD is printable and says nothing.
    return character if character.isprintable() and character != "\ufffd" else f"\\u{ord(character):04X}"


def _cell(cell: Any) -> str:
    """Text in quotes, so that a number can be told from it."""
    if isinstance(cell, dict):
        return ", ".join(f"{key} {_plain(value)}" for key, value in cell.items())
    return f'"{cell}"' if isinstance(cell, str) else str(cell)


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _indented(tables: Mapping[str, str]) -> Iterator[str]:
    for kind, table in tables.items():
        yield f"  {kind}"
        yield from (f"    {line}" for line in table.strip("\n").splitlines())


def _pairs(record: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in record.items())


def _place(found: Mapping[str, Any], words: dict[str, str]) -> str:
    return f"{words['row'].replace('#', str(found['row']))}: " if "row" in found else ""


def _message(rule: Document, lang: Language, layout: Layout | None, found: Mapping[str, Any]) -> str:
    """The message of a finding, as a report words it."""
    name = found.get("field") or "-"
    field = layout.field(name) if layout else None
    words = {key: found.get(key) or "-" for key in ("field", "value", "expected")}
    return str(rule["message"][lang]).format(**words, title=field.title(lang) if field else name)


WAYS = {"sample": _sample, "record": _record, "run": _files, "row": _tables}
