"""Text files written and read as the program does it, without a command around it."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from medpay_cli import dialects, formats
from medpay_cli.dialects import Dialect
from medpay_cli.formats.archive import Input

NAMES = ("bill_no", "psn_name", "memo", "medfee_sumamt")
LAYOUT = """{
  "$id": "medpay:layouts/bill.v1", "title": "账单", "x-en": "bill", "type": "object",
  "properties": {
    "bill_no": {"type": "string", "title": "单号", "x-en": "number"},
    "psn_name": {"type": "string", "title": "姓名", "x-en": "name"},
    "memo": {"type": "string", "title": "备注", "x-en": "memo"},
    "medfee_sumamt": {"$ref": "medpay:fields/nhsa#/$defs/medfee_sumamt"}
  }
}
"""
Cells = tuple[str | None, ...]


@dataclass(frozen=True)
class Seen:
    """Records as tuples of cells, and what else a reader says of a file."""

    records: list[Cells]
    faults: list[tuple[int | None, int | None, str, str | None]]
    kinds: list[int]
    told: list[tuple[str, str, str]]


def dialect(folder: Path, body: str) -> Dialect:
    """A user's own dialect of bills."""
    (folder / "bill.json").write_text(LAYOUT, encoding="utf-8")
    path = folder / "bill.toml"
    path.write_text('title = { zh = "账单", en = "bills" }\nlayout = "bill.json"\n' + body, encoding="utf-8")
    return dialects.load(str(path)).fitted(NAMES)


def written(how: Dialect, *chunks: list[Cells]) -> bytes:
    """The file of some records."""
    out = io.BytesIO()
    frames = [pl.DataFrame(records, dict.fromkeys(NAMES, pl.String), orient="row") for records in chunks]
    formats.write(out, how, {None: NAMES}, ({None: frame} for frame in frames))
    return out.getvalue()


def seen(folder: Path, how: Dialect, content: bytes) -> Seen:
    """What is read of a file, rows and lines counted from its start. Raises ReadError."""
    path = folder / "file.txt"
    path.write_bytes(content)
    text = formats.prepared(Input(str(path)), how, None)

    def gather(batches) -> Seen:
        made, rows, lines = Seen([], [], [], []), 0, 0
        for batch, _ in batches:
            assert batch.records == batch.text.height + batch.faults.filter(severity="error")["row"].n_unique()
            made.records.extend(batch.text.select(NAMES).rows())
            faults = batch.faults.with_columns(pl.col("row") + rows, pl.col("line") + lines)
            made.faults.extend(faults.select("row", "line", "code", "value").rows())
            made.kinds.extend(batch.kinds.tolist())
            made.told.extend(batch.declared)
            rows, lines = rows + batch.records, lines + batch.lines
        assert lines == len(made.kinds)
        return made

    return formats.read(text, replace(how, encoding=text.encoding), {None: NAMES}, lambda _: None, gather)
