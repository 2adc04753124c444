"""Five hundred invented people stand in files full of faults; nobody reads their names in anything but the records."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import polars as pl
import pytest
from surroundings import contents, run

PEOPLE = 500
DIRECT = ("name", "certno", "tel", "address", "card")
IDENTIFIERS = ("psn_no", "mdtrt_id")
# What a value looks like wherever it turns up, also in the middle of others; only planted ones are counted.
LOOKS = {
    "name": r"测试[甲乙丙丁][0-9]{4}",
    "certno": r"999999[0-9]{11}[0-9X]",
    "tel": r"199[0-9]{8}",
    "address": r"虚构省虚构市[0-9]{4}号",
    "card": r"629999[0-9]{13}",
    "psn_no": r"P9999[0-9]{8}",
    "mdtrt_id": r"M9999[0-9]{8}",
}
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

LAYOUT = {
    "title": "虚构就诊",
    "type": "object",
    "properties": {
        "seq": {"type": "string", "maxLength": 12, "title": "序号"},
        "name": {"type": "string", "maxLength": 5, "title": "姓名", "x-sensitivity": "direct"},
        "certno": {"type": "string", "pattern": "^[1-8][0-9]{16}[0-9X]$", "title": "证件号", "x-sensitivity": "direct"},
        "tel": {"type": "string", "enum": ["0"], "title": "电话", "x-sensitivity": "direct"},
        "address": {"type": "string", "format": "date", "title": "地址", "x-sensitivity": "direct"},
        "card": {"type": "number", "format": "decimal", "x-digits": 6, "x-scale": 2, "title": "卡号",
                 "x-sensitivity": "direct"},
        "psn_no": {"type": "string", "pattern": "^[0-9]{8}$", "title": "人员编号", "x-sensitivity": "identifier"},
        "mdtrt_id": {"type": "string", "minLength": 30, "title": "就诊ID", "x-sensitivity": "identifier"},
        "paid": {"type": "number", "format": "money", "x-digits": 16, "x-scale": 2, "title": "金额"},
        "flag": {"type": "string", "title": "标志"},
    },
    "required": ["seq", "paid"],
    "x-key": ["seq"],
}  # fmt: skip
# The same fields, but nothing is asked of them: for reconciling, where what cannot be read stops the work.
OPEN = {
    **LAYOUT,
    "x-key": list(IDENTIFIERS),
    "properties": {
        name: {key: value for key, value in field.items() if key in ("type", "title", "x-sensitivity")}
        | ({"format": "money", "x-digits": 16, "x-scale": 2} if name == "paid" else {"type": "string"})
        for name, field in LAYOUT["properties"].items()
    },
}
DIALECT = """\
title = {{ zh = "虚构文件", en = "invented file" }}
layout = "{layout}.json"
format = "delimited"
encoding = "utf-8"
delimiter = "|"
quote = '{quote}'
header = {header}
"""
DIALECTS = {
    "plain": {"layout": "layout", "quote": "", "header": "false"},
    "headed": {"layout": "layout", "quote": "", "header": "true"},
    "quoted": {"layout": "layout", "quote": '"', "header": "false"},
    "open": {"layout": "open", "quote": "", "header": "false"},
}
RECIPE = """\
title = { zh = "虚构对账", en = "invented reconciliation" }
key = ["psn_no", "mdtrt_id"]
amounts = ["paid"]
compare = ["flag"]
[[sides]]
name = "ours"
layout = "open.json"
dialect = "open.toml"
[[sides]]
name = "theirs"
layout = "open.json"
dialect = "open.toml"
"""


def certno(number: int) -> str:
    """An identity number of a region that does not exist, with its check character."""
    body = f"999999{19500101 + number % 28}{number:03}"
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


def person(number: int) -> dict[str, str]:
    """One invented person."""
    return {
        "name": f"测试{'甲乙丙丁'[number % 4]}{number:04}",
        "certno": certno(number),
        "tel": f"1990000{number:04}",
        "address": f"虚构省虚构市{number:04}号",
        "card": f"629999000000000{number:04}",
        "psn_no": f"P999900000{number:03}",
        "mdtrt_id": f"M999900000{number:03}",
    }


EVERYBODY = [person(number) for number in range(PEOPLE)]
PLANTED = {kind: {one[kind] for one in EVERYBODY} for kind in (*DIRECT, *IDENTIFIERS)}


def cells(number: int, paid: str = "1.00", **other: str) -> list[str]:
    """A record of a person; every cell breaks what the layout asks of it."""
    return [f"{number}", *{**EVERYBODY[number], **other}.values(), paid, "0"]


def records(number: int, *, quoted: bool = False) -> list[bytes]:
    """A person's record, once as it is and three times as wrong in other ways as a file can be wrong."""
    plain, one = "|".join(cells(number)), EVERYBODY[number]
    name, raw = one["name"].encode(), plain.encode()
    wrong = [
        raw,  # a repeated key
        "|".join(cells(number, "1.005", **{kind: f"{one[kind]}\x01" for kind in one})).encode(),
        "|".join(cells(number, "1e3", **{kind: f"\u200b{one[kind]}" for kind in one})).encode(),
        "|".join(cells(number, **{kind: f"{one[kind]}\ufffd" for kind in one})).encode(),
        raw + b"|" + name,
        name,
        name + b"|" + raw,
        b"",
        raw.replace(name, name + b"\xff"),
        raw[:-5],
        *([raw.replace(name, name + b'"' + one["tel"].encode()), b'"' + name + b'"' + raw] * quoted),
    ]
    return [raw, *(wrong[(number + step) % len(wrong)] for step in (0, 3, 6))]


HEADER = "|".join(LAYOUT["properties"]).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The working folder of a user whose files hold everybody."""
    made = tmp_path_factory.mktemp("user")
    (made / "layout.json").write_text(json.dumps(LAYOUT, ensure_ascii=False), encoding="utf-8")
    (made / "open.json").write_text(json.dumps(OPEN, ensure_ascii=False), encoding="utf-8")
    (made / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    for name, words in DIALECTS.items():
        (made / f"{name}.toml").write_text(DIALECT.format(**words), encoding="utf-8")
    for name in ("plain", "quoted"):
        lines = [line for number in range(PEOPLE) for line in records(number, quoted=name == "quoted")]
        (made / f"{name}.txt").write_bytes(b"\n".join(lines) + b"\n")
    (made / "headed.txt").write_bytes(HEADER + b"\n" + (made / "plain.txt").read_bytes())
    once = ["|".join(cells(number, f"{number}.00")) for number in range(PEOPLE)]
    other = [line.replace(".00|0", ".01|1") for line in once[1::2]] + once[:20:2] * 2
    for name, lines in (("ours", once), ("theirs", other)):
        (made / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


def seen(content: bytes) -> dict[str, int]:
    """How many of each kind of planted value stand in some output."""
    text = content.decode("utf-8", "replace")
    found = {kind: set(re.findall(f"(?=({look}))", text)) & PLANTED[kind] for kind, look in LOOKS.items()}
    return {kind: len(values) for kind, values in found.items() if values}


def outputs(folder: Path, tmp_path: Path, *words: object) -> dict[str, dict[str, int]]:
    """What is seen of the people in stdout, stderr and every file that a command writes below `out`."""
    out = tmp_path / "out"
    out.mkdir()
    done = run(*(str(word).replace("OUT", str(out)) for word in words), cwd=folder, environment={"TMPDIR": str(out)})
    assert done.returncode in {1, 2, 3}, done.stderr.decode()
    assert done.stdout or done.stderr
    written = {"stdout": done.stdout, "stderr": done.stderr, **contents(out)}
    return {name: seen(as_text(content)) for name, content in written.items()}


def as_text(content: bytes) -> bytes:
    """Parquet as text, everything else as it is."""
    return pl.read_parquet(content).write_csv().encode() if content.startswith(b"PAR1") else content


FORMS = ("text", "json", "ndjson", "csv", "parquet", "sarif", "junit", "github", "html")
ALL = [word for form in FORMS for word in ("--output", f"{form}:OUT/report.{form}")]
RECORDS = ("--accepted", "OUT/A", "--rejected", "OUT/R")
# Nothing is cut short: whoever is shown at all is shown in full.
UNLIMITED = ("--max-shown", 100_000, "--max-json", 100_000)
IDS = dict.fromkeys(IDENTIFIERS, PEOPLE)
EVERYONE = dict.fromkeys(PLANTED, PEOPLE)
NOBODY: dict[str, int] = {}


@pytest.mark.parametrize("name", ["plain", "headed", "quoted"])
def test_people_are_only_in_the_records_and_identifiers_in_what_an_auditor_reads(folder, tmp_path, name):
    words = ("validate", f"{name}.txt", "--dialect", f"{name}.toml", *RECORDS, *ALL, *UNLIMITED)
    assert outputs(folder, tmp_path, *words) == {
        "stdout": NOBODY,
        "stderr": NOBODY,
        "report.text": NOBODY,
        "report.json": IDS,
        "report.ndjson": IDS,
        "report.csv": IDS,
        "report.parquet": IDS,
        "report.sarif": NOBODY,
        "report.junit": NOBODY,
        "report.github": NOBODY,
        "report.html": NOBODY,
        "A": NOBODY,  # nobody's record is accepted
        "R": EVERYONE,
        "R.why.csv": IDS,
    }


def test_what_is_asked_to_be_shown_is_shown_so_these_tests_can_fail(folder, tmp_path):
    words = ("validate", "plain.txt", "--dialect", "plain.toml", *ALL, *UNLIMITED, "--show-values")
    made = outputs(folder, tmp_path, *words)
    assert made.pop("stderr") == NOBODY
    assert made == dict.fromkeys(("stdout", *(f"report.{form}" for form in FORMS)), EVERYONE)


@pytest.mark.parametrize("limits", [(), ("--max-shown", 100_000)], ids=["first ones", "all"])
def test_a_reconciliation_shows_no_identifiers_to_people_but_names_them_in_the_differences(folder, tmp_path, limits):
    words = ("reconcile", "ours.txt", "theirs.txt", "--recipe", "recipe.toml", "--output-dir", "OUT/made", *limits,
             "--output", "json:OUT/report.json", "--output", "text:OUT/report.text")  # fmt: skip
    made = outputs(folder, tmp_path, *words)
    assert made.pop("made/differences.csv") == IDS
    assert set(made) == {
        "stdout", "stderr", "report.json", "report.text", "made/summary.json", "made/differences.parquet",
        "made/report.html", "made/report.xlsx",
    }  # fmt: skip
    assert seen(unpacked(tmp_path / "out" / "made" / "report.xlsx")) == IDS
    made.pop("made/report.xlsx")
    made.pop("made/differences.parquet")
    assert list(made.values()) == [NOBODY] * 6


def unpacked(path: Path) -> bytes:
    """All that stands in a workbook."""
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


def test_a_reconciliation_asked_to_show_identifiers_does(folder, tmp_path):
    words = ("reconcile", "ours.txt", "theirs.txt", "--recipe", "recipe.toml", "--show-values", "--max-shown", 100_000)
    assert outputs(folder, tmp_path, *words) == {"stdout": IDS, "stderr": NOBODY}


def test_a_side_that_cannot_be_read_shows_nobody(folder, tmp_path):
    words = ("reconcile", "ours.txt", "plain.txt", "--recipe", "recipe.toml", "--max-shown", 100_000)
    assert outputs(folder, tmp_path, *words) == {"stdout": NOBODY, "stderr": NOBODY}


# A file taken for another one: the first record for a header, a person for a column, one layout for the other.
MISTAKEN = {
    "a record for a header": ("plain.txt", "--dialect", "headed.toml"),
    "a record for a header in quotes": ("quoted.txt", "--dialect", "quoted.toml", "--layout", "open.json"),
    "another dialect": ("plain.txt", "--dialect", "nhsa-3202-upload"),
    "another dialect of nearly this width": ("plain.txt", "--dialect", "nhsa-3202-result"),
    "another encoding": ("plain.txt", "--dialect", "plain.toml", "--encoding", "utf-16-le"),
    "a dialect to be recognised": ("plain.txt",),
    "a dialect to be recognised under a layout": ("plain.txt", "--layout", "ledger_detail"),
    "any structure": ("plain.txt", "--layout", "none"),
    "any structure under a header": ("headed.txt", "--layout", "none", "--dialect", "headed.toml"),
    "wrong totals": ("ours.txt", "--dialect", "open.toml", "--expect", "records=1,paid=1.00"),
    "a total of a column that is none": ("ours.txt", "--dialect", "open.toml", "--expect", "certno=1.00"),
    "a request that is none": ("ours.txt", "--dialect", "open.toml", "--totals", "plain.txt"),
    "a layout that is none": ("ours.txt", "--dialect", "open.toml", "--layout", "plain.json"),
    "a dialect that is none": ("ours.txt", "--dialect", "ours.toml"),
}


@pytest.mark.parametrize("case", MISTAKEN)
def test_a_file_that_is_mistaken_for_another_shows_nobody(folder, tmp_path, case):
    for name, source in (("ours.toml", "ours.txt"), ("plain.json", "plain.txt")):
        (folder / name).write_bytes((folder / source).read_bytes())
    words = ("--output", "json:OUT/report.json", *UNLIMITED)
    made = outputs(folder, tmp_path, "validate", *MISTAKEN[case], *words)
    # Identifiers stand there on purpose.
    audited = made.pop("report.json", NOBODY)
    assert not set(audited) & set(DIRECT)
    assert made == {"stdout": NOBODY, "stderr": NOBODY}


@pytest.mark.parametrize(
    "words",
    [("--key", "psn_no", "--amount", "paid"), ("--key", "测试甲0000", "--amount", "paid"), ("--recipe", "ledger")],
    ids=["columns of a header that is not there", "a column of a record", "another recipe"],
)
def test_sides_that_are_mistaken_for_others_show_nobody(folder, tmp_path, words):
    if "测试甲0000" in words:
        # What the user writes may be said again; nothing else may.
        assert outputs(folder, tmp_path, "reconcile", "ours.txt", "theirs.txt", *words)["stderr"] in (
            {"name": 1}, NOBODY
        )  # fmt: skip
        return
    assert outputs(folder, tmp_path, "reconcile", "ours.txt", "theirs.txt", *words) == {
        "stdout": NOBODY, "stderr": NOBODY
    }  # fmt: skip


def keyed(folder: Path, tmp_path: Path, *words: object) -> dict[str, dict[str, int]]:
    """What is seen of direct values where one of them is the key."""
    layout = {**LAYOUT, "x-key": ["certno"]}
    (folder / "keyed.json").write_text(json.dumps(layout, ensure_ascii=False), encoding="utf-8")
    words = ("validate", "plain.txt", "--dialect", "plain.toml", "--layout", "keyed.json", *words)
    made = outputs(folder, tmp_path, *words)
    return {name: {kind: found[kind] for kind in DIRECT if kind in found} for name, found in made.items()}


def test_a_key_that_is_a_direct_value_is_hidden_from_people(folder, tmp_path):
    assert keyed(folder, tmp_path, *UNLIMITED) == {"stdout": NOBODY, "stderr": NOBODY}


def test_a_key_that_is_a_direct_value_is_hidden_from_auditors_too(folder, tmp_path):
    made = keyed(folder, tmp_path, *ALL, *UNLIMITED, "--format", "ndjson")
    assert set(map(str, made.values())) == {str(NOBODY)}
