"""Control lines: what the first and the last line declare is held against every record, and no tampering passes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from unittest import mock

import pytest
from text_files import LAYOUT, dialect, seen, written

from medpay_cli import dialects, layouts, recognition
from medpay_cli.control import Declared
from medpay_cli.errors import MedpayError
from medpay_cli.formats.text import cutting
from medpay_cli.judging import Terms
from medpay_cli.validate import Targets, validate

DELIMITED = """\
title = { zh = "账单", en = "bills" }
layout = "bill.json"
format = "delimited"
delimiter = "|"
encoding = "utf-8"
header = true
footer = ["END"]
[control]
head = ["", "batch_no", "records", "medfee_sumamt"]
head_begins = "H"
tail = ["", "records", "medfee_sumamt"]
tail_begins = "T"
"""
FILE = """\
H|20240131|3|107.48
bill_no|psn_name|memo|medfee_sumamt
001|甲||100.00
002|乙|x|7.50
003|丙||-0.02
T|3|107.48
END
"""
FIXED = """\
title = { zh = "账单", en = "bills" }
layout = "bill.json"
format = "fixed"
encoding = "gb18030"
counted_in = "bytes"
[positions]
bill_no = [1, 4]
psn_name = [5, 10]
medfee_sumamt = [12, 20]
[control]
head = { batch_no = [2, 9], records = [10, 13], medfee_sumamt = [14, 20] }
head_begins = "H"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A user's working folder."""
    monkeypatch.chdir(tmp_path)
    Path("bill.json").write_text(LAYOUT, encoding="utf-8")
    Path("bill.toml").write_text(DELIMITED, encoding="utf-8")
    Path("fixed.toml").write_text(FIXED, encoding="utf-8")
    return tmp_path


def outcome(content: str | bytes, how: str = "bill.toml", **terms: object):
    """Exit code, and code, field, value, expected of every finding."""
    Path("file.txt").write_bytes(content if isinstance(content, bytes) else content.encode())
    made = validate(["file.txt"], dialect=how, terms=Terms(**terms))
    found = [
        row for frame in made.findings.frames() for row in frame.select("code", "field", "value", "expected").rows()
    ]
    return made.exit_code, found


pytestmark = pytest.mark.usefixtures("folder")


def test_a_file_as_its_control_lines_declare_it_is_valid():
    assert outcome(FILE) == (0, [])


@pytest.mark.parametrize("part", [64, 16, 1])
def test_where_a_part_ends_changes_nothing(part):
    with mock.patch.object(cutting, "PART", part):
        assert outcome(FILE) == (0, [])
        assert outcome(FILE.removesuffix("\n")) == (0, [])
        assert outcome(FILE.replace("T|3|", "T|4|")) == (3, [contradicted("records", "3", "4")])
        assert outcome(FILE.replace("T|3|107.48\n", "")) == (3, [MISSING])


def test_a_first_line_of_nothing_but_totals_needs_two_words():
    Path("first.toml").write_text(
        'title = { zh = "一", en = "first" }\nlayout = "bill.json"\nformat = "delimited"\ndelimiter = "|"\n'
        '[control]\nhead = ["records", "medfee_sumamt"]\n',
        encoding="utf-8",
    )
    records = "001|甲||100\n002|乙|x|7.48\n"
    assert outcome(f"2|107.48\n{records}", "first.toml") == (0, [])
    assert outcome(f"2|107.480\n{records}", "first.toml") == (0, [])
    assert outcome(f"3|107.48\n{records}", "first.toml") == (3, [("B201", "records", "2", "3")])


def contradicted(name: str, found: str, declared: str):
    """A declared total that is another."""
    return ("B201", name, found, declared)


def unread(value: str, expected: str | None):
    """A control line that cannot be read."""
    return ("F220", None, value, expected)


MISSING = ("F214", None, None, "T")
FEWER = contradicted("records", "2", "3")
HEAD, HEADER, *REST = FILE.splitlines(keepends=True)
TAMPERED = {
    "head: a record more": ("H|20240131|3|", "H|20240131|4|", [contradicted("records", "3", "4")]),
    "head: a record fewer": ("H|20240131|3|", "H|20240131|2|", [contradicted("records", "3", "2")]),
    "head: no record": ("H|20240131|3|", "H|20240131|0|", [contradicted("records", "3", "0")]),
    "head: a fen more": ("|3|107.48\nb", "|3|107.49\nb", [contradicted("medfee_sumamt", "107.48", "107.49")]),
    "head: another sign": ("|3|107.48\nb", "|3|-107.48\nb", [contradicted("medfee_sumamt", "107.48", "-107.48")]),
    "tail: a record more": ("T|3|", "T|4|", [contradicted("records", "3", "4")]),
    "tail: a sum in fen": ("T|3|107.48", "T|3|10748", [contradicted("medfee_sumamt", "107.48", "10748")]),
    "both, each another": (
        "T|3|107.48", "T|5|1.00", [contradicted("records", "3", "5"), contradicted("medfee_sumamt", "107.48", "1.00")],
    ),
    "count and sum swapped in the head": ("|3|107.48\nb", "|107.48|3\nb", [unread("head: records", "N")]),
    "count and sum swapped in the tail": ("T|3|107.48", "T|107.48|3", [unread("tail: records", "N")]),
    "a record left out": (
        "002|乙|x|7.50\n", "", [FEWER, contradicted("medfee_sumamt", "99.98", "107.48")],
    ),
    "a record twice": (
        "001|甲||100.00\n", "001|甲||100.00\n" * 2,
        [contradicted("records", "4", "3"), contradicted("medfee_sumamt", "207.48", "107.48")],
    ),
    "a fen less in a record": ("100.00", "99.99", [contradicted("medfee_sumamt", "107.47", "107.48")]),
    "an amount moved into the memo": (
        "002|乙|x|7.50", "002|乙|7.50|", [contradicted("medfee_sumamt", "99.98", "107.48")],
    ),
    "the tail is missing": ("T|3|107.48\n", "", [MISSING]),
    "tail and footer are missing": ("T|3|107.48\nEND\n", "", [("F214", None, None, "END")]),
    "the footer before the tail": ("T|3|107.48\nEND\n", "END\nT|3|107.48\n", [("F214", None, None, "END")]),
    "a blank line before the footer": ("\nEND", "\n\nEND", [MISSING]),
    "another letter before the tail": ("T|3", "X|3", [MISSING]),
    "a small letter before the tail": ("T|3", "t|3", [MISSING]),
    "an item more in the tail": ("T|3|107.48", "T|3|107.48|x", [unread("tail: 4", "3")]),
    "two empty items more in the tail": ("T|3|107.48", "T|3|107.48||", [unread("tail: 5", "3")]),
    "an item fewer in the tail": ("T|3|107.48", "T|3", [unread("tail: 2", "3")]),
    "an item more in the head": ("20240131|", "2024|01|31|", [unread("head: 6", "4")]),
    "an item fewer in the head": ("20240131|", "", [unread("head: 3", "4")]),
    "the head is missing": ("H|20240131|3|107.48\n", "", [unread("head", "H")]),
    "another letter before the head": ("H|2", "B|2", [unread("head", "H")]),
    "a blank line before the head": ("H|2", "\nH|2", [unread("head", "H")]),
    "head and header swapped": (HEAD + HEADER, HEADER + HEAD, [unread("head", "H")]),
    "head and tail swapped": ("H|", "T|", [unread("head", "H")]),
    "no count": ("T|3|", "T||", [unread("tail: records", "N")]),
    "no sum": ("T|3|107.48", "T|3|", [unread("tail: medfee_sumamt", "N.NN")]),
    "a count with a point": ("T|3|", "T|3.0|", [unread("tail: records", "N")]),
    "a count below nothing": ("T|3|", "T|-3|", [unread("tail: records", "N")]),
    "a leading zero": ("T|3|", "T|03|", [unread("tail: records", "N")]),
    "a plus sign": ("T|3|107", "T|3|+107", [unread("tail: medfee_sumamt", "N.NN")]),
    "thousands apart": ("T|3|107.48", "T|3|1,07.48", [unread("tail: medfee_sumamt", "N.NN")]),
    "an exponent": ("T|3|107.48", "T|3|1.0748e2", [unread("tail: medfee_sumamt", "N.NN")]),
    "spaces around a sum": ("T|3|107.48", "T|3| 107.48", [unread("tail: medfee_sumamt", "N.NN")]),
    "full-width digits": ("T|3|", "T|３|", [unread("tail: records", "N")]),
    "a carriage return inside": ("T|3|", "T|3\r|", [unread("tail: records", "N")]),
    "a NUL at the end": ("107.48\nEND", "107.48\0\nEND", [unread("tail: medfee_sumamt", "N.NN")]),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), TAMPERED.values(), ids=TAMPERED.keys())
def test_a_tampered_file_is_refused_with_both_numbers(old, new, expected):
    assert FILE.count(old) >= 1
    assert outcome(FILE.replace(old, new)) == (3, expected)


def test_bytes_that_are_no_text_in_a_control_line_are_refused():
    assert outcome(FILE.encode().replace(b"T|3|", b"T|\xff|")) == (3, [unread("tail", "utf-8")])
    assert outcome(FILE.encode().replace(b"H|2", b"H|\xff")) == (3, [unread("head", "utf-8")])


def test_a_cut_file_is_never_valid():
    whole = FILE.encode()
    made = {size: outcome(whole[:size])[0] for size in range(len(whole) - 1)}
    assert {size: code for size, code in made.items() if code != 3} == {}
    assert outcome(whole[:-1]) == (0, [])


def test_a_cut_file_whose_tail_stands_last_passes_only_where_its_sum_is_the_same():
    Path("bill.toml").write_text(DELIMITED.replace('footer = ["END"]\n', ""), encoding="utf-8")
    whole = FILE.removesuffix("END\n").encode()
    assert [size for size in range(len(whole)) if outcome(whole[:size])[0] != 3] == [len(whole) - 1]


def test_one_contradiction_is_told_once_whoever_declares_it():
    content = FILE.replace("T|3|", "T|4|")
    found = [contradicted("records", "3", "4")]
    assert outcome(content, declared=Declared(4)) == (3, found)
    assert outcome(content, declared=Declared(5)) == (3, [contradicted("records", "3", "5"), *found])
    assert outcome(FILE, declared=Declared(3, {"medfee_sumamt": Decimal("107.48")})) == (0, [])


def test_no_records_are_as_declared_where_the_count_is_0():
    lines = FILE.splitlines(keepends=True)
    nothing = "".join([lines[0], lines[1], *lines[5:]])
    assert outcome(nothing.replace("|3|107.48", "|0|0.00")) == (0, [])
    assert outcome(nothing) == (3, [("F208", None, None, None)])


def test_rejected_records_count_and_their_readable_sums_do():
    content = FILE.replace("002|乙|x|7.50", "002|乙|x|x|7.50").replace("|3|107.48", "|3|99.98")
    assert outcome(content) == (1, [("F101", None, "5", "4")])


def test_control_lines_declare_the_accepted_and_the_rejected_records():
    Path("file.txt").write_text(FILE.replace("7.50", "7.505").replace("|3|107.48", "|3|99.98"), encoding="utf-8")
    validate(["file.txt"], dialect="bill.toml", targets=Targets(Path("good.txt"), Path("bad.txt")))
    lines = Path("file.txt").read_text(encoding="utf-8").splitlines()
    assert Path("good.txt").read_text(encoding="utf-8").splitlines() == [
        "H|20240131|2|99.98", *lines[1:3], lines[4], "T|2|99.98", "END",
    ]  # fmt: skip
    assert Path("bad.txt").read_text(encoding="utf-8").splitlines() == [
        "H|20240131|1|0.00", lines[1], lines[3], "T|1|0.00", "END",
    ]  # fmt: skip
    assert validate(["good.txt"], dialect="bill.toml").exit_code == 0
    fixed = Path("bad.txt").read_text(encoding="utf-8").replace("7.505", "7.50").replace("|1|0.00", "|1|7.50")
    Path("bad.txt").write_text(fixed, encoding="utf-8")
    assert validate(["bad.txt"], dialect="bill.toml").exit_code == 0


def test_control_lines_of_fixed_width_and_in_gbk_declare_them_too():
    head = "H20240131   3  99.98"
    lines = [head, "001 某甲      100.00", "002 ab         7.505", "003 乙         -0.02", ""]
    Path("file.txt").write_bytes("\r\n".join(lines).encode("gb18030"))
    validate(["file.txt"], dialect="fixed.toml", targets=Targets(Path("good.txt"), Path("bad.txt")))
    good, bad = (Path(name).read_bytes().decode("gb18030").split("\r\n") for name in ("good.txt", "bad.txt"))
    assert good == ["H20240131   2  99.98", lines[1], lines[3], ""]
    assert bad == ["H20240131   1   0.00", lines[2], ""]


def test_repeated_keys_are_found_between_control_lines():
    Path("bill.json").write_text(LAYOUT.replace('"properties"', '"x-key": ["bill_no"], "properties"'), encoding="utf-8")
    code, found = outcome(FILE.replace("003|丙", "001|丙"))
    assert (code, [row[:3] for row in found]) == (1, [("B101", None, "2"), ("B101", None, "2")])


def test_the_structure_alone_is_read_between_control_lines():
    Path("file.txt").write_text(FILE, encoding="utf-8")
    made = validate(["file.txt"], "none", "bill.toml")
    assert (made.exit_code, made.files[0].records, made.findings.total) == (0, 3, 0)


def test_control_lines_of_fixed_width_are_cut_at_their_columns():
    head = "H20240131   3 107.48"
    lines = [head, "001 某甲      100.00", "002 ab          7.50", "003 乙         -0.02", ""]
    content = "\n".join(lines).encode("gb18030")
    assert outcome(content, "fixed.toml") == (0, [])
    assert outcome(content.replace(b"   3 ", b"   4 "), "fixed.toml") == (3, [contradicted("records", "3", "4")])
    assert outcome(content.replace(b"   3 ", b"  3 "), "fixed.toml") == (3, [unread("head: 0", "3")])
    assert outcome(content.replace(b"107.48", b"1x7.48"), "fixed.toml") == (3, [unread("head: medfee_sumamt", "N.NN")])


def test_totals_are_written_at_their_columns():
    how = dialects.load("fixed.toml").fitted(layouts.load("bill.json").names)
    content = written(how, [("001", "某甲", None, "100.00"), ("002", "ab", None, "7.48")])
    assert content.decode("gb18030") == (
        "H           2 107.48\n"
        "001 某甲      100.00\n"
        "002 ab          7.48\n"
    )  # fmt: skip


def test_what_else_a_control_line_says_is_kept(tmp_path):
    how = dialect(tmp_path, DELIMITED.split("\n", 2)[2])
    assert seen(tmp_path, how, FILE.encode()).told == [
        ("head", "batch_no", "20240131"), ("head", "records", "3"), ("head", "medfee_sumamt", "107.48"),
        ("tail", "records", "3"), ("tail", "medfee_sumamt", "107.48"),
    ]  # fmt: skip


def test_totals_are_written_into_both_lines(tmp_path):
    how = dialect(tmp_path, DELIMITED.split("\n", 2)[2])
    records = [("001", "甲", None, "100"), ("002", "乙", "x", "7.5"), ("003", "丙", None, "-0.02")]
    assert written(how, records[:1], records[1:]).decode().splitlines() == [
        "H||3|107.48", "bill_no|psn_name|memo|medfee_sumamt", "001|甲||100", "002|乙|x|7.5", "003|丙||-0.02",
        "T|3|107.48", "END",
    ]  # fmt: skip


def test_an_amount_that_cannot_be_summed_is_not_written(tmp_path):
    how = dialect(tmp_path, DELIMITED.split("\n", 2)[2])
    with pytest.raises(MedpayError) as caught:
        written(how, [("001", None, None, "1")], [("002", None, None, "1.005")])
    assert caught.value.values == {"dialect": how.name, "name": "medfee_sumamt", "reason": "control", "row": 2}


@pytest.mark.parametrize(
    "control",
    [
        'head = ["records"]\nhead_begins = "3"', 'tail = ["records", "x"]\ntail_begins = "T"',
        'head = ["", "", "records"]\nhead_begins = "H|I|J"',
    ],
)  # fmt: skip
def test_a_beginning_that_leaves_no_room_for_a_count_is_not_written(tmp_path, control):
    how = dialect(tmp_path, f'format = "delimited"\ndelimiter = "|"\n[control]\n{control}\n')
    with pytest.raises(MedpayError, match="dialect_fault"):
        written(how, [("001", None, None, "1")])


@pytest.mark.parametrize(
    "body",
    [
        'format = "delimited"\ndelimiter = "|"\n[control]\nhead = { records = [1, 2] }',
        'format = "fixed"\npositions = { bill_no = [1, 2] }\n[control]\nhead = ["records"]',
        'format = "fixed"\npositions = { bill_no = [1, 2] }\n[control]\nhead = { records = [3, 2] }',
        'format = "json"\n[control]\nhead = ["records"]',
        'format = "delimited"\ndelimiter = "|"\n[control]\nhead = []',
        'format = "delimited"\ndelimiter = "|"\n[control]\nhead_begins = "H"',
        'format = "delimited"\ndelimiter = "|"\n[control]\n',
    ],
)
def test_a_control_table_that_means_nothing_is_refused(tmp_path, body):
    with pytest.raises(MedpayError) as caught:
        dialect(tmp_path, body)
    assert caught.value.key in ("dialect_fault", "not_allowed")


def test_the_totals_of_all_records_are_not_held_against_the_first_ones(monkeypatch):
    monkeypatch.setattr(recognition.dialects, "names", lambda: ["bill.toml"])
    head, header, *records, _, end = FILE.splitlines(keepends=True)
    count, total = 1200, "42992.00"
    totals = [f"H|1|{count}|{total}\n", f"T|{count}|{total}\n"]
    Path("file.txt").write_text("".join([totals[0], header, *records * 400, totals[1], end]), encoding="utf-8")
    assert head.startswith("H|")
    assert [made.dialect for made in validate(["file.txt"]).files] == ["bill.toml"]
    Path("file.txt").write_text("".join([totals[0].replace(total, "?"), header, *records]), encoding="utf-8")
    with pytest.raises(MedpayError, match="not_recognised"):
        validate(["file.txt"])
