"""Quoted fields, token by token: correct before fast."""

from __future__ import annotations

import re

from medpay_cli.dialects import Dialect


def tokens(text: str, dialect: Dialect) -> tuple[list[tuple[int, list[str]]], int]:
    """Records as (line where they begin, cells), cells empty where the quoting is broken, and the number of lines."""
    mark, quote = re.escape(dialect.delimiter), re.escape(dialect.quote)
    cell = re.compile(rf"(?:{quote}((?:[^{quote}]|{quote}{quote})*){quote}|([^{quote}{mark}\r\n]*))({mark}|\r\n|\n|\Z)")
    records: list[tuple[int, list[str]]] = []
    cells: list[str] = []
    line = begun = 1
    at = 0
    while at < len(text):
        token = cell.match(text, at)
        if token is None:
            stop = text.find("\n", at)
            stop = len(text) if stop < 0 else stop + 1
            records.append((begun, []))
            line += text.count("\n", at, stop)
            cells, begun, at = [], line, stop
            continue
        quoted, bare, end = token.groups()
        cells.append(bare if quoted is None else quoted.replace(dialect.quote * 2, dialect.quote))
        line += text.count("\n", at, token.end())
        at = token.end()
        if end == dialect.delimiter and at < len(text):
            continue
        if end == dialect.delimiter:
            cells.append("")
        records.append((begun, cells))
        cells, begun = [], line
    return records, text.count("\n") + (not text.endswith("\n"))
