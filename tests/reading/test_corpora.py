"""Files and strings that others collected to break readers: the same text comes back, or it is refused by code."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from medpay_cli import dialects, formats, layouts
from medpay_cli.findings import Outcome
from medpay_cli.formats.archive import Input
from medpay_cli.formats.encoding import decoded
from medpay_cli.validate import Targets, validate

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

TEXT = {"type": "string"}
Cells = dict[str, str | None]


def made(folder: Path, fields: dict[str, dict], dialect: str, content: bytes) -> Path:
    """A file, with a layout of these fields and a dialect beside it."""
    (folder / "layout.json").write_text(json.dumps({"type": "object", "properties": fields}), encoding="utf-8")
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

    return formats.read(source, dialect, {None: layout.names}, lambda _: None, gather)


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
    fields = dict.fromkeys(truth[0], TEXT)
    path = made(tmp_path, fields, QUOTED, (SPECTRUM / "csvs" / f"{name}.csv").read_bytes())
    assert read(path) == ({row: present(record) for row, record in enumerate(truth, 1)}, {})


FIELDS = {"row": TEXT, "paid": {"type": "number", "format": "money"}, "first": TEXT, "last": TEXT}
FORMS = {"quoted": QUOTED, "tabs": TABS}
# Control characters other than line ends and TAB, noncharacters; zero width, soft hyphen, direction.
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]"
    "|[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)


def naughty(form: str) -> list[list[str]]:
    """A record of every naughty string, which stands in both its text fields."""
    texts = json.loads(STRINGS.read_text(encoding="utf-8"))
    # Without quotes no field can hold a TAB or a line end.
    fitting = texts if form == "quoted" else [text for text in texts if not set(text) & set("\t\n\r")]
    return [[str(row), "1.00", text, text] for row, text in enumerate(fitting, 1)]


def written(form: str, records: list[list[str]]) -> bytes:
    """All records in one file: a CSV with every cell in quotes, or TABs and no header."""
    if form == "tabs":
        return "".join("\t".join(record) + "\n" for record in records).encode()
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([list(FIELDS), *records])
    return file.getvalue().encode()


def held(form: str, content: bytes) -> list[list[str]]:
    """The records of such a file as Python reads them."""
    text = content.decode()
    if form == "tabs":
        return [line.split("\t") for line in text.removesuffix("\n").split("\n")]
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:]


@dataclass(frozen=True)
class Separated:
    """What became of the naughty strings."""

    outcome: Outcome
    accepted: list[list[str]]
    rejected: list[list[str]]


@pytest.fixture(params=FORMS)
def form(request) -> str:
    """How the strings are written."""
    return request.param


@pytest.fixture
def path(tmp_path, form) -> Path:
    """The file of the naughty strings."""
    return made(tmp_path, FIELDS, FORMS[form], written(form, naughty(form)))


@pytest.fixture
def separated(tmp_path, form, path) -> Separated:
    """The strings validated, their records apart."""
    accepted, rejected = tmp_path / "accepted", tmp_path / "rejected"
    outcome = validate(
        [str(path)], str(tmp_path / "layout.json"), str(tmp_path / "dialect.toml"), targets=Targets(accepted, rejected)
    )
    return Separated(outcome, *(held(form, one.read_bytes()) for one in (accepted, rejected)))


def test_every_naughty_string_comes_back_from_every_field(form, path):
    truth = [present(dict(zip(FIELDS, record, strict=True))) for record in naughty(form)]
    assert read(path) == (dict(enumerate(truth, 1)), {})


def test_naughty_strings_are_rejected_where_they_hide_a_character(form, separated):
    assert separated.rejected == [record for record in naughty(form) if HIDDEN.search(record[2])]


def test_all_other_naughty_strings_are_accepted_as_they_are(form, separated):
    assert separated.accepted == [record for record in naughty(form) if not HIDDEN.search(record[2])]


def test_naughty_strings_are_rejected_by_the_codes_of_hidden_characters_alone(separated):
    assert {code for code, _, _ in separated.outcome.findings.counts} == {"F107", "F108"}


def test_every_naughty_string_is_accepted_or_rejected(form, separated):
    counts = len(separated.accepted), len(separated.rejected)
    assert counts == {"quoted": (489, 20), "tabs": (489, 19)}[form]


def test_a_hidden_character_is_found_under_a_layout_without_amounts(tmp_path):
    path = made(tmp_path, {"row": TEXT}, TABS, "1\n2\u200b\n".encode())
    outcome = validate([str(path)], str(tmp_path / "layout.json"), str(tmp_path / "dialect.toml"))
    assert (outcome.exit_code, outcome.files[0].rejected) == (1, 1)
