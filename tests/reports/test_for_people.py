"""The page of HTML and the workbook: the figures of the text report, nothing of the data as markup, formula or link."""

import base64
import hashlib
import io
import json
import os
import re
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from medpay_command import medpay

from medpay_cli.formats.xlsx import writing
from medpay_cli.reports import sheets, workbook

ROOT = Path(__file__).parents[2]
DEMO, GOLDEN = ROOT / "schemas" / "demo", ROOT / "fixtures" / "golden"
UPLOAD = ("--dialect", "nhsa-3202-upload")
LEDGER = ("hospital.txt", "platform.txt", "--recipe", "ledger")
CASES = {
    "validate-broken.en.html": ("validate", "broken.txt", *UPLOAD, "--lang", "en"),
    "validate-broken.zh.html": ("validate", "broken.txt", *UPLOAD, "--lang", "zh"),
    "reconcile-ledger.zh.html": ("reconcile", *LEDGER, "--lang", "zh"),
}
HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)> " onmouseover="x\' {{7*7}} ]]> <!-- &amp; \x07\u202e'
# Everything that the page is made of.
TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "b", "br", "ul", "li", "div", "table",
    "thead", "tbody", "tr", "th", "td", "footer",
}  # fmt: skip


def written(form, *words):
    """What an --output holds."""
    target = Path("made")
    answer = medpay(*words, "--output", f"{form}:{target}")
    assert answer.err == ""
    return target.read_bytes()


def in_demo(words):
    """The page of a golden file, made in the folder of the demonstration."""
    before = Path.cwd()
    target = before / "page.html"
    os.chdir(DEMO)
    try:
        assert medpay(*words, "--output", f"html:{target}").err == ""
    finally:
        os.chdir(before)
    return target.read_bytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with two sides, and a record in which everything that could be taken for something else is."""
    monkeypatch.chdir(tmp_path)
    layout = {
        "title": "t", "type": "object", "required": ["fee"], "x-key": ["no"],
        "properties": {
            "no": {"type": "string", "title": "no"},
            "memo": {"type": "string", "title": "memo", "maxLength": 3},
            "fee": {"type": "number", "format": "money", "x-digits": 16, "x-scale": 2, "title": "fee"},
        },
    }  # fmt: skip
    Path("own.json").write_text(json.dumps(layout), encoding="utf-8")
    Path("own.toml").write_text(
        'title = { zh = "t", en = "t" }\nlayout = "own.json"\nformat = "delimited"\ndelimiter = "|"\nheader = true\n',
        encoding="utf-8",
    )
    quiet = HOSTILE.replace("\x07\u202e", "")
    Path("hostile.txt").write_text(f"no|memo|fee\n1|{quiet}|1.00\n2|{HOSTILE}|1.00\n", encoding="utf-8")
    Path("ours.csv").write_text("no,fee\n=1+1,10.00\nhttp://x.test,2.50\n007,99999999999999.99\n1,0.1\n", "utf-8")
    Path("theirs.csv").write_text("no,fee\n=1+1,10.01\n007,1234567890123.45\n1,0.10\n", "utf-8")
    return tmp_path


AD_HOC = ("reconcile", "ours.csv", "theirs.csv", "--key", "no", "--amount", "fee")


# HTML


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("folder")
def test_the_page_is_the_golden_one(name):
    assert in_demo(CASES[name]).decode() == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words", [("validate", "hostile.txt", "--dialect", "own.toml"), AD_HOC], ids=["validate", "reconcile"]
)
@pytest.mark.usefixtures("folder")
def test_nothing_that_a_file_holds_is_markup(words):
    page = html.document_fromstring(written("html", *words, "--max-shown", "100"))
    elements = [one for one in page.iter() if isinstance(one.tag, str)]
    assert {one.tag for one in elements} <= TAGS
    assert not [one for one in page.iter() if not isinstance(one.tag, str)]  # no comment, no instruction
    names = {name for one in elements for name in one.attrib}
    assert names == {"lang", "charset", "http-equiv", "content", "name", "class", "scope"}
    assert all(one.get("class") in ("number", "inner", "note", "wide", "verdict bad", None) for one in elements)


@pytest.mark.usefixtures("folder")
def test_what_a_file_holds_is_shown_as_it_stands_but_for_what_cannot_be_seen():
    page = html.document_fromstring(written("html", "validate", "hostile.txt", "--dialect", "own.toml"))
    items = [one.text_content() for one in page.iter("li")]
    quiet = HOSTILE.replace("\x07\u202e", "")
    assert f"row 1 (line 2): memo memo: '{quiet}' is too long, length <= 3" in items
    assert any(r"&amp; \x07\x202e" in one for one in items)


@pytest.mark.usefixtures("folder")
def test_the_page_follows_no_style_but_its_own_and_loads_nothing():
    content = written("html", *AD_HOC)
    page = html.document_fromstring(content)
    (style,) = page.iter("style")
    (policy,) = [one.get("content") for one in page.iter("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'", f"style-src 'sha256-{digest}'", "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip
    assert not re.search(rb"<script|<link|<iframe|@import|url\(|\shref=|\ssrc=", content)


@pytest.mark.usefixtures("folder")
def test_the_page_opens_with_the_verdict_and_says_what_is_not_shown():
    page = html.document_fromstring(written("html", *AD_HOC, "--max-shown", "1", "--lang", "en"))
    (verdict,) = page.find_class("verdict")
    assert (verdict.get("class"), verdict.text_content()) == ("verdict bad", "verdict: differences in 3 keys")
    notes = [one.text_content() for one in page.find_class("note")]
    assert "… 1 more" in notes


# Workbooks


def book(content):
    """Sheet → rows of values; nothing in it is a formula or a link."""
    read = openpyxl.load_workbook(io.BytesIO(content))
    for sheet in read:
        assert not sheet._hyperlinks
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in read}


def test_the_workbook_of_a_ledger_holds_the_bridge_to_the_fen(folder, monkeypatch):
    monkeypatch.chdir(DEMO)
    assert medpay("reconcile", *LEDGER, "--output-dir", folder / "out").exit_code == 1
    found = book((folder / "out" / "report.xlsx").read_bytes())
    assert list(found) == ["summary", "bridge", "differences"]
    assert found["summary"][0][0] == "verdict: differences in 4 keys"
    assert found["bridge"] == [
        ["where the difference comes from, to the fen", "medfee_sumamt", "fund_pay_sumamt", "acct_pay"],
        ["hospital", 25342.41, 20074.76, 702.4],
        ["− platform", 25494.41, 20221.75, 707.4],
        ["= difference", -152, -146.99, -5],
        ["    matched", 0, 0, 0],
        ["    only hospital", 58, 0, 58],
        ["    only platform", -210, -147, -63],
        ["    amounts differ", 0, 0.01, 0],
        ["    statuses differ", 0, 0, 0],
        ["= all classes", -152, -146.99, -5],
    ]
    heads, *rows = found["differences"]
    place = [heads.index(name) for name in ("class", "setl_id", "fund_pay_sumamt_ours", "fund_pay_sumamt_theirs")]
    assert [[row[at] for at in place] for row in rows] == [
        ["amount_differs", "S0002", 18785.39, 18785.38],
        ["only_ours", "S0006", 0, None],
        ["only_theirs", "S0009", None, 147],
        ["status_differs", "S0008", 52.5, 52.5],
    ]


@pytest.mark.usefixtures("folder")
def test_keys_are_text_and_an_amount_beyond_fifteen_digits_is_too():
    heads, *rows = book(written("xlsx", *AD_HOC))["differences"]
    place = [heads.index(name) for name in ("no", "fee_ours", "fee_theirs")]
    assert [[row[at] for at in place] for row in rows] == [
        ["007", "99999999999999.99", 1234567890123.45],
        ["=1+1", 10, 10.01],
        ["http://x.test", 2.5, None],
    ]


@pytest.mark.usefixtures("folder")
def test_the_same_sides_give_the_same_workbook():
    assert written("xlsx", *AD_HOC) == written("xlsx", *AD_HOC)


@pytest.mark.usefixtures("folder")
def test_the_workbook_of_a_validation_holds_every_finding_whole():
    words = ("validate", "hostile.txt", "--dialect", "own.toml")
    found = book(written("xlsx", *words))
    assert list(found) == ["summary", "count", "findings"]
    lines = [json.loads(line) for line in medpay(*words, "--format", "ndjson").out.splitlines()][:-1]
    heads, *rows = found["findings"]
    assert [(row[0], row[heads.index("row")], row[heads.index("field")]) for row in rows] == [
        (one["code"], one["row"], one["field"]) for one in lines
    ]
    at = heads.index("value")
    assert [row[at] for row in rows if row[0] == "L108"] == [HOSTILE.replace("\x07\u202e", "")]
    assert [row[0] for row in found["count"][1:]] == sorted({one["code"] for one in lines})


@pytest.mark.usefixtures("folder")
def test_what_no_sheet_has_rows_for_goes_on_in_the_next(monkeypatch):
    monkeypatch.setattr(sheets, "MOST_ROWS", 3)
    found = book(written("xlsx", *AD_HOC))
    names = [name for name in found if name.startswith("differences")]
    assert names == ["differences", "differences 2"]
    assert [found[name][0] for name in names] == [found["differences"][0]] * 2
    assert [len(found[name]) for name in names] == [3, 2]


@pytest.mark.usefixtures("folder")
def test_of_many_differences_a_workbook_lists_the_first_of_each_class_and_says_how_many_there_are(monkeypatch):
    monkeypatch.setattr(workbook, "MOST_OF_A_CLASS", 1)
    Path("mine.csv").write_text("no,fee\n1,1.00\n2,1.00\n3,1.00\n4,1.00\n", encoding="utf-8")
    Path("yours.csv").write_text("no,fee\n4,2.00\n", encoding="utf-8")
    words = ("reconcile", "mine.csv", "yours.csv", "--key", "no", "--amount", "fee")
    found = book(written("xlsx", *words))
    rows = found["differences"]
    assert [row[:1] + row[2:3] for row in rows[1:3]] == [["amount_differs", "4"], ["only_ours", "1"]]
    assert rows[3][0].startswith("only ours: 3 rows, of which this workbook lists the first 1;")
    assert rows[3][0] in [row[0] for row in found["summary"] if row]


HARD = ["", "=1+1", "  spaced ", "a<b>&c", "<r>rich</r>", "_x0041_", "\x07", "\U0001f600" * 5_000, "中文", None]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(max_size=6), st.sampled_from(HARD)),
            st.one_of(st.none(), st.integers(-(10**6), 10**6)),
            st.one_of(st.none(), st.decimals(Decimal(-(10**15)), Decimal(10**15), places=2)),
        ),
        max_size=12,
    )
)
def test_rows_put_together_by_columns_are_those_that_are_written_cell_by_cell(rows):
    schema = {"text": pl.String, "count": pl.Int64, "fee": pl.Decimal(38, 2)}
    frame = pl.DataFrame(rows, schema, orient="row")
    made = []
    for one_by_one in (0, 100):
        buffer = io.BytesIO()
        with pytest.MonkeyPatch.context() as patch, writing.made(buffer) as made_book:
            patch.setattr(sheets, "LOOKED_AT", one_by_one)
            sheet = sheets.Sheets(made_book, "all")
            sheet.put_all(frame)
            sheet.put_all(frame)
            sheet.finish()
        made.append([[(cell.value, cell.number_format) for cell in row] for row in load(buffer)])
    assert made[0] == made[1]


def load(buffer):
    """The cells of the only sheet, as another library reads them."""
    return list(openpyxl.load_workbook(buffer).worksheets[0].iter_rows())


@pytest.mark.usefixtures("folder")
def test_a_text_that_no_cell_has_room_for_says_how_long_it_is():
    Path("long.txt").write_text(f"no|memo|fee\n1|{'x' * 40_000}|1.00\n", encoding="utf-8")
    heads, row = book(written("xlsx", "validate", "long.txt", "--dialect", "own.toml"))["findings"]
    assert row[heads.index("value")] == "x" * 8_000 + "… (40,000)"


@pytest.mark.usefixtures("folder")
def test_what_reads_like_an_escape_of_excel_stays_what_it_is():
    Path("escape.txt").write_text("no|memo|fee\n1|a_x0041_b|1.00\n", encoding="utf-8")
    content = written("xlsx", "validate", "escape.txt", "--dialect", "own.toml")
    # ECMA-376, ST_Xstring: _x005F_ stands for the underscore before what would else be read as A.
    cells = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet3.xml")
    assert b"<t>a_x005F_x0041_b</t>" in cells


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff"])
@pytest.mark.usefixtures("folder")
def test_the_markup_of_a_workbook_is_well_formed_whatever_a_file_holds(character):
    Path("odd.txt").write_text(f"no|memo|fee\n1|a{character}b|1.00\n", encoding="utf-8")
    content = written("xlsx", "validate", "odd.txt", "--dialect", "own.toml")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            etree.fromstring(archive.read(name))
    heads, row = book(content)["findings"]
    assert row[heads.index("value")] == f"a\\x{ord(character):02x}b"


def test_a_workbook_that_fails_leaves_nothing_in_the_temporary_folder(folder, monkeypatch):
    waiting = folder / "waiting"
    waiting.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(waiting))
    monkeypatch.setattr(sheets.Sheets, "finish", lambda _: pytest.fail("stopped"))
    with pytest.raises(pytest.fail.Exception):
        medpay(*AD_HOC, "--output", "xlsx:made")
    assert list(waiting.iterdir()) == []
    assert not Path("made").exists()


# Both, and the list of differences


RECIPE = """\
title = { zh = "t", en = "t" }
key = ["certno"]
amounts = ["paid"]
compare = ["name", "visit"]
[[sides]]
name = "ours"
layout = "people.json"
dialect = "people.toml"
[[sides]]
name = "theirs"
layout = "people.json"
dialect = "people.toml"
"""
PEOPLE = {"certno": "direct", "name": "direct", "visit": "identifier"}


def test_direct_values_are_hidden_also_where_they_are_keys_and_statuses(folder):
    fields = {name: {"type": "string", "title": name, "x-sensitivity": level} for name, level in PEOPLE.items()}
    money = {"type": "number", "format": "money", "x-digits": 16, "x-scale": 2, "title": "paid"}
    layout = {"title": "t", "type": "object", "properties": {**fields, "paid": money}, "x-key": ["certno"]}
    Path("people.json").write_text(json.dumps(layout), encoding="utf-8")
    Path("people.toml").write_text(Path("own.toml").read_text().replace("own.json", "people.json"), encoding="utf-8")
    Path("recipe.toml").write_text(RECIPE, encoding="utf-8")
    Path("a.txt").write_text("certno|name|visit|paid\nCERTNO1111|NAMEAAAA|VISITAAAA|1.00\n", encoding="utf-8")
    Path("b.txt").write_text("certno|name|visit|paid\nCERTNO1111|NAMEBBBB|VISITBBBB|1.00\n", encoding="utf-8")
    seen = {}
    for name, more in (("masked", ()), ("shown", ("--show-values",))):
        answer = medpay("reconcile", "a.txt", "b.txt", "--recipe", "recipe.toml", "--output-dir", name, *more)
        assert answer.exit_code == 1, answer.err
        out = folder / name
        texts = {
            "stdout": answer.out.decode(),
            "differences.csv": (out / "differences.csv").read_text("utf-8"),
            "report.html": (out / "report.html").read_text("utf-8"),
            "report.xlsx": str(book((out / "report.xlsx").read_bytes())),
        }
        for file, text in texts.items():
            seen[name, file] = [word for word in ("CERTNO1111", "NAMEAAAA", "NAMEBBBB", "VISITAAAA") if word in text]
    whole = ["CERTNO1111", "NAMEAAAA", "NAMEBBBB", "VISITAAAA"]
    assert seen == {
        ("masked", "stdout"): [],
        ("masked", "differences.csv"): ["VISITAAAA"],
        ("masked", "report.html"): [],
        ("masked", "report.xlsx"): ["VISITAAAA"],
        **{("shown", file): whole for file in ("stdout", "differences.csv", "report.html", "report.xlsx")},
    }


if __name__ == "__main__":
    for name, words in CASES.items():
        (GOLDEN / name).write_bytes(in_demo(words))
