"""Every layout has a dialect per format without a file of its own, and its files are known by their columns."""

from __future__ import annotations

import io

import polars as pl
import pytest

from medpay_cli import dialects, evidence, formats, layouts, recognition
from medpay_cli.files import Source
from medpay_cli.formats import archive
from medpay_cli.formats.archive import Input

VISIT = {
    "mdtrt_id": "TEST1", "psn_no": "TEST2", "med_type": "11", "begntime": "2024-03-01 08:00:00",
}  # fmt: skip
CANCELLED = [b"fixmedins_code", b"fixmedins_hilist_id", b"list_type", b"med_list_codg"]
FORMS = sorted(dialects.generic())


def written(layout: str, form: str, cells: dict[str, str], path) -> Input:
    """A file of one record in a generic dialect."""
    names = layouts.names_of(layout)
    dialect = dialects.load(f"{form}:{layout}").fitted(names)
    frame = pl.DataFrame({name: [cells.get(name)] for name in names}, dict.fromkeys(names, pl.String))
    with path.open("wb") as out:
        formats.write(out, dialect, {None: names}, [{None: frame}])
    [source] = archive.inputs(Source(str(path)))
    return source


@pytest.mark.parametrize("form", [form for form in FORMS if form != "xml"])
def test_a_file_under_the_names_of_one_layout_is_known_for_what_it_is(form, tmp_path):
    source = written("visit", form, VISIT, tmp_path / f"a.{form}")
    parts, dialect = recognition.recognised(source, None)
    assert (dialect.name, parts[None].id) == (f"{form}:visit.v1", "visit.v1")


def test_a_layout_of_the_users_own_is_written_and_known_too(tmp_path):
    own = tmp_path / "own.json"
    own.write_text('{"title": "t", "x-en": "t", "type": "object", "properties": {"a": {"type": "string"}}}')
    source = written(str(own), "parquet", {"a": "1"}, tmp_path / "a.parquet")
    assert recognition.recognised(source, None, str(own))[1].name == f"parquet:{own}"


@pytest.mark.parametrize(
    ("head", "form", "layout"),
    [
        (b"psn_no,mdtrt_id\n", "delimited", None),
        (b",".join(CANCELLED[1:]) + b"\n", "delimited", None),
        (b",".join(CANCELLED[::-1]) + b"\n", "delimited", "csv:item_mapping_cancel.v1"),
        (b"\t".join(CANCELLED) + b"\r\n", "delimited", "tsv:item_mapping_cancel.v1"),
        (b'[{"stmt_rslt": "0"}]', "json", "json:ledger_total_result.v1"),
        (b'{"stmt_rslt": "0"}\n{}', "json", "ndjson:ledger_total_result.v1"),
        (b'{"stmt_rslt": "0", "else": 1}\n', "json", None),
        (b"[1]", "json", None),
        (b"{", "json", None),
    ],
)  # fmt: skip
def test_only_the_columns_of_exactly_one_layout_name_it(head, form, layout):
    assert evidence.generic(Input("-", spool=io.BytesIO(head)), form, head, None) == layout
