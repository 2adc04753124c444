"""What was once accepted with other content, or made medpay fail: each case as it was found."""

import json
import sys
import zlib
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
sys.path.append(str(Path(__file__).parents[1] / "formats"))
from medpay_command import medpay
from workbooks import workbook

LAYOUT = {
    "title": "x",
    "type": "object",
    "x-key": ["id"],
    "properties": {"id": {"type": "string"}, "amt": {"type": "number", "format": "money"}},
    "required": ["id", "amt"],
}
DIALECT = (
    'title = { zh = "x", en = "x" }\nlayout = "l.json"\nformat = "delimited"\nencoding = "utf-8"\ndelimiter = ","\n'
)
RECIPE = """\
title = { zh = "x", en = "x" }
key = ["id"]
amounts = ["amt"]
[[sides]]
name = "ours"
title = { zh = "a", en = "a" }
layout = "l.json"
dialect = "d.toml"
[[sides]]
name = "theirs"
title = { zh = "b", en = "b" }
layout = "l.json"
dialect = "d.toml"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """The working folder, with a layout and a dialect of two columns."""
    monkeypatch.chdir(tmp_path)
    Path("l.json").write_text(json.dumps(LAYOUT))
    Path("d.toml").write_text(DIALECT)
    return tmp_path


def codes(content: bytes, *options: str) -> tuple[str, dict]:
    """The verdict on a file, and how often each code was found."""
    Path("a.csv").write_bytes(content)
    answer = medpay("validate", "a.csv", "--dialect", "d.toml", "--format", "json", *options)
    assert answer.exit_code in (0, 1, 3), answer.err
    return answer.json["files"][0]["verdict"], {one["code"]: one["count"] for one in answer.json["counts"]}


@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_part_that_begins_like_an_archive_is_read_as_it_stands(level):
    packed = zlib.compress(b"K1,1\n" * 60, level).replace(b"\n", b" ")
    verdict, found = codes(packed + b"\nA,1\nB,2\n")
    assert verdict == "findings"
    assert sum(found.values()) >= 1


@pytest.mark.parametrize(
    "first", [b"x\x01K", b"x\xda\x80K", b"x\x9cK", b"\x1f\x8bK", b"(\xb5/\xfdK", "xڀ".encode(), b"x", b"(\xc2\xb5"]
)
def test_no_first_cell_makes_the_reading_fail(first):
    _, found = codes(first + b",1\nB,2\n")
    assert set(found) <= {"F107", "F102", "F108"}


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"K\r"])
def test_a_record_read_again_is_no_beginning_of_a_file(mark):
    records = b"Z,1\n" + mark + b"K,2\n" + mark + b"K,2\nY,3\n"
    _, found = codes(records, "--ignore", "F107,F108,F109")
    assert found == {"B101": 2}


def test_sides_of_different_scales_are_compared_by_value():
    Path("l4.json").write_text(
        json.dumps(LAYOUT).replace('"format": "money"', '"format": "money", "x-digits": 16, "x-scale": 4')
    )
    Path("d4.toml").write_text(DIALECT.replace("l.json", "l4.json"))
    Path("a.csv").write_text("A,100.00\nB,-100.00\n")
    Path("b.csv").write_text("A,1.00\nB,-1.00\n")
    Path("r.toml").write_text(RECIPE.replace('"d.toml"', '"d4.toml"', 1).replace('"l.json"', '"l4.json"', 1))
    answer = medpay("reconcile", "a.csv", "b.csv", "--recipe", "r.toml", "--format", "json")
    assert answer.exit_code == 1, answer.err
    shown = {name: one["keys"] for name, one in answer.json["classes"].items() if one["keys"]}
    assert shown == {"amount_differs": 2}


def test_an_amount_of_more_digits_than_a_number_has_is_reconciled():
    Path("l.json").write_text(
        json.dumps(LAYOUT).replace('"format": "money"', '"format": "money", "x-digits": 30, "x-scale": 2')
    )
    Path("r.toml").write_text(RECIPE)
    Path("a.csv").write_text("A,1234567890123456789012345.00\nB,1\n")
    answer = medpay("reconcile", "a.csv", "a.csv", "--recipe", "r.toml", "--format", "json")
    assert answer.exit_code == 0, answer.err
    assert answer.json["classes"]["matched"]["amounts"]["amt"]["ours"] == "1234567890123456789012346.00"


def test_keys_are_compared_with_a_mark_in_front_of_one():
    Path("r.toml").write_text(RECIPE)
    Path("a.csv").write_bytes(b"Z,1\n\xef\xbb\xbfK,2\nY,3\n")
    Path("b.csv").write_bytes(b"Z,1\nK,2\nY,3\n")
    answer = medpay("reconcile", "a.csv", "b.csv", "--recipe", "r.toml", "--format", "json")
    shown = {name: one["keys"] for name, one in answer.json["classes"].items()}
    assert shown == {"matched": 2, "only_ours": 1, "only_theirs": 1}


def test_a_repeated_key_beyond_the_lines_that_the_parser_counts_is_found():
    Path("c.json").write_text(json.dumps({"title": "c", "type": "object", "properties": {"id": {"type": "string"}}}))
    child = {"title": "n", "type": "object", "x-key": ["no"], "properties": {"no": {"type": "string", "maxLength": 3}}}
    Path("n.json").write_text(json.dumps({**child, "properties": {"id": {"type": "string"}, **child["properties"]}}))
    Path("x.toml").write_text(
        'title = { zh = "x", en = "x" }\nformat = "xml"\n[nodes.c]\npath = "r/c"\nlayout = "c.json"\nrepeated = true\n'
        '[nodes.n]\npath = "r/c/n"\nlayout = "n.json"\nrepeated = true\nparent = "c"\nlink = ["id"]\n'
    )
    far = "\n" * 70_000
    Path("a.xml").write_text(f"<r><c><id>1</id><n><no>LONGER</no></n>{far}<n><no>A</no></n><n><no>A</no></n></c></r>")
    answer = medpay("validate", "a.xml", "--dialect", "x.toml", "--format", "json")
    assert [(one["code"], one["row"]) for one in answer.json["findings"]] == [("L108", 1), ("B101", 2), ("B101", 3)]


SHEET = "title = { zh = 'x', en = 'x' }\nlayout = 'l.json'\nformat = 'xlsx'\nheader = true\n"
HEAD = '<row r="1"><c r="A1" t="str"><v>id</v></c><c r="B1" t="str"><v>amt</v></c></row>'
ROW = '<row r="{n}"><c r="A{n}" t="str"><v>K{n}</v></c><c r="B{n}"><v>{n}</v></c></row>'
LAST = ROW.format(n=4)


@pytest.mark.parametrize(
    "rows",
    [
        f"<x>{ROW.format(n=3)}</x>",
        '<row r="3"><x><c r="A3" t="str"><v>K</v></c></x></row>',
        '<row r="3"><c r="A3" t="str"><v>K</v></c><c r="B3"><v>7<x/>00</v></c></row>',
        '<row r="3"><c r="A3" t="str"><v>K</v></c><c r="B3"><v>1</v><v>2</v></c></row>',
        '<row r="3"><c r="A3" t="inlineStr"><is><t>A</t></is><is><t>B</t></is></c><c r="B3"><v>2</v></c></row>',
        '<row r="3"><c r="A3" t="inlineStr"><is><t>1<x/>2</t></is></c><c r="B3"><v>2</v></c></row>',
        f"JUNK{ROW.format(n=3)}",
        ROW.format(n=3).removesuffix("</row>"),
        '<row r="2">' + ROW.format(n=3),
        f"</row>{ROW.format(n=3)}",
        '<row r="3"/><c r="A3" t="str"><v>K</v></c>',
    ],
)
def test_what_is_no_sheet_of_cells_is_not_read_as_one(rows):
    Path("x.toml").write_text(SHEET)
    Path("a.xlsx").write_bytes(workbook(HEAD + rows + LAST))
    answer = medpay("validate", "a.xlsx", "--dialect", "x.toml", "--format", "json")
    assert (answer.exit_code, [one["code"] for one in answer.json["counts"]]) == (3, ["F203"]), answer.json


def test_only_strings_are_counted_among_the_strings():
    Path("x.toml").write_text(SHEET)
    row = '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2"><v>1</v></c></row>'
    strings = "<si><t>A</t></si><junk/><si><t>B</t></si><si><t>C</t></si>"
    Path("a.xlsx").write_bytes(workbook(HEAD + row, strings=strings))
    answer = medpay("validate", "a.xlsx", "--dialect", "x.toml", "--format", "json")
    assert (answer.exit_code, [one["code"] for one in answer.json["counts"]]) == (3, ["F203"])


@pytest.mark.parametrize("quote", ['"', "'"])
def test_merged_and_hidden_parts_are_seen_however_their_attributes_are_quoted(quote):
    Path("x.toml").write_text(SHEET)
    hidden = ROW.format(n=3).replace('r="3">', f"r = {quote}3{quote} hidden = {quote}1{quote}>", 1)
    ranges = f"<mergeCell ref={quote}A2:A2{quote}/><mergeCell ref = {quote}A4:B4{quote}/>"
    merged = f"</sheetData><mergeCells>{ranges}</mergeCells>"
    Path("a.xlsx").write_bytes(workbook(HEAD + ROW.format(n=2) + hidden + LAST + merged))
    answer = medpay("validate", "a.xlsx", "--dialect", "x.toml", "--format", "json")
    assert {one["code"] for one in answer.json["counts"]} >= {"F117", "F118"}, answer.json
