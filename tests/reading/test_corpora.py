"""Files and strings that others collected to break readers: the same text comes back, or it is refused by code."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from medpay_cli import dialects, formats, layouts
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import decoded
from medpay_cli.validate import validate

if "MEDPAY_CORPUS" not in os.environ:
    pytest.skip("MEDPAY_CORPUS is not set; .ci/run points it at ../shared/data", allow_module_level=True)

SPECTRUM = Path(os.environ["MEDPAY_CORPUS"]) / "csv-spectrum"
STRINGS = Path(os.environ["MEDPAY_CORPUS"]) / "naughty-strings" / "blns.json"
DIALECT = """\
title = {{ zh = "文本", en = "text" }}
layout = "{layout}"
format = "delimited"
encoding = "utf-8"
delimiter = "{delimiter}"
"""
QUOTED = DIALECT.format(layout="layout.json", delimiter=",") + "quote = '\"'\nheader = true\nfree_order = true\n"
TABS = DIALECT.format(layout="layout.json", delimiter="\\t")

Cells = dict[str, str | None]


def made(folder: Path, names: list[str], dialect: str, content: bytes) -> Path:
    """A file, with a layout of text fields and a dialect beside it."""
    layout = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    (folder / "layout.json").write_text(json.dumps(layout), encoding="utf-8")
    (folder / "dialect.toml").write_text(dialect, encoding="utf-8")
    path = folder / "file.txt"
    path.write_bytes(content)
    return path


def read(path: Path) -> tuple[dict[int, Cells], dict[int, str]]:
    """The records that fit by row, and the codes of the others: what the reader makes of a file."""
    layout = layouts.load(str(path.with_name("layout.json")))
    dialect = dialects.load(str(path.with_name("dialect.toml"))).fitted(layout.names)
    source = decoded(Input(str(path)), None, dialect.encoding)

    def gather(batches) -> tuple[dict[int, Cells], dict[int, str]]:
        records, faults, before = {}, {}, 0
        for batch, _ in batches:
            for record in batch.text.select(formats.ROW, *layout.names).to_dicts():
                records[before + record.pop(formats.ROW)] = record
            faults |= {before + row: code for row, code in batch.faults.select("row", "code").rows() if row}
            before += batch.records
        return records, faults

    return formats.read(source, dialect, layout.names, lambda _: None, gather)


def present(record: dict[str, str]) -> Cells:
    """A record as it should come back: what is empty is absent."""
    return {name: value or None for name, value in record.items()}


# None of these breaks a rule of ours: every one is read.
SPECTRUM_FILES = (
    "comma_in_quotes", "empty", "empty_crlf", "escaped_quotes", "json", "newlines", "newlines_crlf",
    "quotes_and_newlines", "simple", "simple_crlf", "utf8",
)  # fmt: skip


def test_every_file_of_csv_spectrum_is_listed_here():
    assert sorted(path.stem for path in (SPECTRUM / "csvs").glob("*.csv")) == sorted(SPECTRUM_FILES)


@pytest.mark.parametrize("name", SPECTRUM_FILES)
def test_a_file_of_csv_spectrum_reads_as_its_json_says(tmp_path, name):
    truth = json.loads((SPECTRUM / "json" / f"{name}.json").read_text(encoding="utf-8"))
    path = made(tmp_path, list(truth[0]), QUOTED, (SPECTRUM / "csvs" / f"{name}.csv").read_bytes())
    assert read(path) == ({row: present(record) for row, record in enumerate(truth, 1)}, {})


def strings() -> list[str]:
    """Every naughty string."""
    return json.loads(STRINGS.read_text(encoding="utf-8"))


def in_quotes(records: list[list[str]]) -> bytes:
    """A CSV in which every cell is quoted, written by Python."""
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(records)
    return file.getvalue().encode()


def naughty(folder: Path, form: str) -> tuple[Path, list[Cells]]:
    """All strings in one file, each in both text fields of a record, and what should come back."""
    names = ["row", "first", "last"]
    if form == "quoted":
        records = [[str(row), text, text] for row, text in enumerate(strings(), 1)]
        return made(folder, names, QUOTED, in_quotes([names, *records])), _cells(names, records)
    fitting = [text for text in strings() if not set(text) & set("\t\n\r")]
    records = [[str(row), text, text] for row, text in enumerate(fitting, 1)]
    content = "".join("\t".join(record) + "\n" for record in records).encode()
    # What the last column does not hold is one field too many to this reader, or one more that is empty.
    return made(folder, names, TABS, content), _cells(names, records)


def _cells(names: list[str], records: list[list[str]]) -> list[Cells]:
    return [present(dict(zip(names, record, strict=True))) for record in records]


forms = pytest.mark.parametrize("form", ["quoted", "tabs"])


@forms
def test_every_naughty_string_comes_back_from_every_field(tmp_path, form):
    path, truth = naughty(tmp_path, form)
    records, faults = read(path)
    assert faults == {}
    assert records == dict(enumerate(truth, 1))


# Strings with characters that no cell should hold, by hand from `blns.json`: control, invisible, replacement.
REJECTED = {"quoted": 0, "tabs": 0}


@forms
def test_a_naughty_string_is_accepted_whole_or_rejected_by_code(tmp_path, form):
    path, truth = naughty(tmp_path, form)
    outcome = validate([str(path)], str(tmp_path / "layout.json"), str(tmp_path / "dialect.toml"))
    rejected = {found["row"] for found in outcome.findings}
    print(outcome.files[0], len(rejected), outcome.findings.counts)
    assert 0
