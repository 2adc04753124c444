"""What becomes of a file: accepted and rejected bytes, declared totals, rules left out, recognition."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from medpay_command import codes, judged, medpay, places

from medpay_cli import config, dialects, formats

UPLOAD = ("--dialect", "nhsa-3202-upload")
GOOD = b"S0001\tM0001\tP0001\t100.00\t60.00\t25.00\t0\n"
MORE = b"S0002\tM0002\tP0002\t23442.46\t18785.39\t170.04\t0\r\n"
WRONG = b"S0003\tM0003\tP0003\t1.005\t0\t0\t0\n"
SHORT = b"S0004\tM0004\tP0004\n"
LAST = b"S0005\tM0005\tP0005\t-4.52\t0.00\t-4.52\t1"
TWICE = b"S0001\tM0009\tP0009\t0\t0\t0\t0\n"

LAYOUT = {
    "type": "object",
    "properties": {
        "no": {"type": "string", "pattern": "^[0-9]{3}$"},
        "name": {"type": "string", "maxLength": 20, "x-sensitivity": "direct"},
        "fee": {"type": "number", "format": "money"},
    },
    "required": ["no", "fee"],
    "x-key": ["no"],
}
DIALECT = """\
title = { zh = "自定", en = "own" }
layout = "bill.json"
format = "delimited"
delimiter = ","
quote = '"'
header = true
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A user's folder."""
    monkeypatch.chdir(tmp_path)
    Path("bill.json").write_text(json.dumps(LAYOUT), encoding="utf-8")
    Path("bill.toml").write_text(DIALECT, encoding="utf-8")
    return tmp_path


def dialect(more: str, old: str = "", new: str = "") -> tuple[str, str]:
    """The user's dialect with more in it."""
    Path("own.toml").write_text(DIALECT.replace(old, new) + more, encoding="utf-8")
    return "--dialect", "own.toml"


def split(path: Path | str, *how: str, stdin: bytes = b"") -> tuple[int, bytes | None, bytes | None]:
    """The exit code, the accepted and the rejected bytes of a file."""
    answer = medpay("validate", path, *how, "--accepted", "yes", "--rejected", "no", stdin=stdin)
    return answer.exit_code, *(Path(name).read_bytes() if Path(name).exists() else None for name in ("yes", "no"))


@pytest.mark.usefixtures("folder")
def test_accepted_and_rejected_are_the_records_byte_for_byte():
    Path("a.txt").write_bytes(GOOD + b"\n" + WRONG + MORE + SHORT + LAST)
    assert split("a.txt", *UPLOAD) == (1, GOOD + MORE + LAST, WRONG + SHORT)


@pytest.mark.usefixtures("folder")
def test_every_record_of_a_repeated_key_is_rejected():
    Path("a.txt").write_bytes(GOOD + MORE + TWICE + LAST)
    assert split("a.txt", *UPLOAD) == (1, MORE + LAST, GOOD + TWICE)
    document = judged("a.txt", *UPLOAD)
    assert places(document) == [(1, 1, None, "B101"), (3, 3, None, "B101")]
    assert [(found["value"], found["key"]) for found in document["findings"]] == [("2", {"setl_id": "S0001"})] * 2
    [file] = document["files"]
    assert (file["accepted"], file["rejected_totals"]["medfee_sumamt"]) == (2, "100.00")


@pytest.mark.usefixtures("folder")
def test_a_repeated_key_stands_among_the_other_findings_in_order():
    Path("a.txt").write_bytes(GOOD + WRONG + TWICE + SHORT + WRONG.replace(b"1.005", b"1.00"))
    assert places(judged("a.txt", *UPLOAD)) == [
        (1, 1, None, "B101"),
        (2, 2, None, "B101"),
        (2, 2, "medfee_sumamt", "L103"),
        (3, 3, None, "B101"),
        (4, 4, None, "F101"),
        (5, 5, None, "B101"),
    ]


@pytest.mark.usefixtures("folder")
def test_why_is_told_by_row_and_line_of_the_input():
    Path("a.txt").write_bytes(b"\n" + GOOD + WRONG + SHORT + LAST)
    split("a.txt", *UPLOAD)
    rows = list(csv.reader(io.StringIO(Path("no.why.csv").read_text("utf-8"))))
    assert rows == [
        ["row", "line", "code", "field", "message"],
        ["2", "3", "L103", "medfee_sumamt",
         "medfee_sumamt total medical fee: '1.005' does not have the format money(16,2)"],
        ["3", "4", "F101", "", "record has 3 fields or columns, expected 7"],
    ]  # fmt: skip


CSV = '标题\nno,name,fee\n001,"王, 五",1.00\n002,"a""b\nc",2.00\n\n03,x,3.00\n004,d"e,4.00\n005,y,5.00\n合计,,15.00\n'
ACCEPTED = '标题\nno,name,fee\n001,"王, 五",1.00\n002,"a""b\nc",2.00\n005,y,5.00\n合计,,15.00\n'
REJECTED = '标题\nno,name,fee\n03,x,3.00\n004,d"e,4.00\n合计,,15.00\n'
AROUND = 'preamble = 1\nfooter = ["合计"]\n'


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-be", "utf-32", "utf-32-be", "big5"]
)
@pytest.mark.usefixtures("folder")
def test_both_read_in_the_dialect_and_the_encoding_of_the_input(encoding):
    def written(text: str) -> bytes:
        mark = "\ufeff" if encoding.endswith("-be") else ""
        return (mark + text.replace("标题", "標題").replace("合计", "合計")).encode(encoding)

    how = dialect(AROUND.replace("合计", "合計")), ("--encoding", "big5") if encoding == "big5" else ()
    Path("a.csv").write_bytes(written(CSV))
    options = [*how[0], *how[1]]
    assert split("a.csv", *options) == (1, written(ACCEPTED), written(REJECTED))
    [file] = judged("yes", *options)["files"]
    assert (file["verdict"], file["records"], file["totals"]) == ("valid", 3, {"fee": "8.00"})
    [file] = judged("no", *options)["files"]
    assert (file["records"], file["rejected"]) == (2, 2)


@pytest.mark.usefixtures("folder")
def test_packed_and_piped_input_gives_the_same_bytes():
    content = GOOD + WRONG + LAST
    Path("a.gz").write_bytes(gzip.compress(content))
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("x.txt", content)
    expected = (1, GOOD + LAST, WRONG)
    assert [split(path, *UPLOAD, stdin=content) for path in ("a.gz", "a.zip", "-")] == [expected] * 3


@pytest.mark.usefixtures("folder")
def test_a_file_that_is_not_judged_is_not_separated():
    Path("a.txt").write_bytes(GOOD + SHORT[:-1])
    assert split("a.txt", *UPLOAD) == (3, None, None)
    assert not Path("no.why.csv").exists()


@pytest.mark.usefixtures("folder")
def test_accepted_records_never_replace_the_input():
    Path("a.txt").write_bytes(GOOD + WRONG)
    Path("link").symlink_to("a.txt")
    for target in ("a.txt", "./a.txt", "link"):
        answer = medpay("validate", "a.txt", *UPLOAD, "--accepted", target)
        assert (answer.exit_code, answer.out) == (2, b"")
    assert Path("a.txt").read_bytes() == GOOD + WRONG


@pytest.mark.usefixtures("folder")
def test_records_of_two_files_are_not_mixed():
    Path("a.txt").write_bytes(GOOD)
    for option in (("--accepted", "yes"), ("--expect", "records=1")):
        assert medpay("validate", "a.txt", "a.txt", *UPLOAD, *option).exit_code == 2


@pytest.mark.usefixtures("folder")
def test_a_declared_count_or_sum_that_differs_leaves_the_file_unjudged():
    Path("a.txt").write_bytes(GOOD + MORE)
    assert judged("a.txt", *UPLOAD, "--expect", "records=2,medfee_sumamt=23542.46")["exit_code"] == 0
    document = judged("a.txt", *UPLOAD, "--expect", "records=3", "--expect", "acct_pay=195.05")
    assert (document["exit_code"], document["files"][0]["verdict"]) == (3, "not_judged")
    assert [(found["field"], found["value"], found["expected"]) for found in document["findings"]] == [
        ("records", "2", "3"),
        ("acct_pay", "195.04", "195.05"),
    ]


@pytest.mark.usefixtures("folder")
def test_a_side_of_a_reconcile_that_contradicts_its_totals_is_not_reconciled():
    Path("a.txt").write_bytes(GOOD + MORE)
    Path("request.json").write_text('{"data": {"medfee_sumamt": "23542.47"}}', encoding="utf-8")
    sides = ("reconcile", "a.txt", "a.txt", "--recipe", "ledger", "--format", "json")
    for option in (("--expect", "platform:records=3"), ("--totals", "theirs=request.json")):
        answer = medpay(*sides, *option)
        assert (answer.exit_code, answer.json["complete"]) == (3, False)
        assert [(one["side"], one["code"]) for one in answer.json["counts"]] == [("platform", "B201")]
    assert medpay(*sides, "--expect", "hospital:records=2", "--expect", "ours:acct_pay=195.04").exit_code == 0
    assert medpay(*sides, "--expect", "records=2").exit_code == 2


@pytest.mark.usefixtures("folder")
def test_a_file_without_records_is_valid_only_where_that_is_declared():
    Path("a.txt").write_bytes(b"")
    assert judged("a.txt", *UPLOAD)["exit_code"] == 3
    for option in (("--allow-empty",), ("--expect", "records=0")):
        document = judged("a.txt", *UPLOAD, *option)
        assert (document["exit_code"], document["files"][0]["verdict"]) == (0, "valid")


@pytest.mark.usefixtures("folder")
def test_rules_that_are_left_out_find_nothing_and_are_named():
    Path("a.txt").write_bytes(GOOD + WRONG + TWICE)
    document = judged("a.txt", *UPLOAD, "--ignore", "L103,B101")
    assert (document["exit_code"], document["findings"], document["ignored"]) == (0, [], ["B101", "L103"])
    assert codes(judged("a.txt", *UPLOAD, "--select", "B")) == {"B101": 2}
    said = medpay("validate", "a.txt", *UPLOAD, "--ignore", "L103,B101").out.decode().splitlines()
    assert said[-2:] == ["these rules were not held: B101, L103", "verdict: valid 1 (error 0, warning 0)"]


@pytest.mark.usefixtures("folder")
def test_rules_without_which_nothing_can_be_read_are_never_left_out():
    Path("a.txt").write_bytes(GOOD + SHORT)
    assert codes(judged("a.txt", *UPLOAD, "--select", "L")) == {"F101": 1}
    assert codes(judged("a.txt", *UPLOAD, "--ignore", "F")) == {"F101": 1}
    for option in (("--ignore", "F101"), ("--ignore", "F2"), ("--ignore", "X9"), ("--select", "")):
        assert medpay("validate", "a.txt", *UPLOAD, *option).exit_code == 2


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("content", "fail_on", "code"),
    [
        (GOOD + b"\n", "error", 0), (GOOD + b"\n", "warning", 1), (GOOD + b"\n", "never", 0), (GOOD, "warning", 0),
        (GOOD + WRONG, "never", 0), (GOOD + WRONG, "warning", 1), (b"x\n", "never", 3),
    ],
)  # fmt: skip
def test_findings_make_the_exit_code_from_the_severity_asked_for(content, fail_on, code):
    Path("a.txt").write_bytes(content)
    assert judged("a.txt", *UPLOAD, "--fail-on", fail_on)["exit_code"] == code


@pytest.mark.usefixtures("folder")
def test_structure_alone_is_checked_and_said():
    Path("a.csv").write_text('a,b;c,d\n1,"2\n3",4\n', encoding="utf-8")
    [file] = judged("a.csv", "--layout", "none")["files"]
    assert (file["layout"], file["verdict"], file["records"]) == (None, "structure_only", 2)
    Path("a.csv").write_text("a,b,c\n1,2\n", encoding="utf-8")
    document = judged("a.csv", "--layout", "none")
    assert (document["exit_code"], places(document)) == (1, [(2, 2, None, "F101")])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("content", ["", "\n\r\n"], ids=["empty", "blank"])
@pytest.mark.parametrize("how", [(), ("--layout", "none"), ("--layout", "ledger_detail")], ids=str)
def test_a_file_without_records_is_not_judged_whatever_was_named(content, how):
    Path("a.csv").write_text(content, encoding="utf-8")
    assert codes(judged("a.csv", *how)) == {"F208": 1}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("content", ["a b c\n", "a,b;c\n"], ids=["none", "a tie"])
def test_a_structure_that_no_delimiter_gives_is_usage(content):
    Path("a.csv").write_text(content, encoding="utf-8")
    answer = medpay("validate", "a.csv", "--layout", "none")
    assert (answer.exit_code, answer.out) == (2, b"")


@pytest.mark.usefixtures("folder")
def test_what_is_not_named_is_recognised_where_every_record_fits_one_dialect():
    Path("a.txt").write_bytes(GOOD * 1 + MORE + LAST)
    [file] = judged("a.txt")["files"]
    assert (file["layout"], file["dialect"], file["verdict"]) == ("ledger_detail.v1", "nhsa-3202-upload", "valid")


@pytest.mark.usefixtures("folder")
def test_one_record_that_fits_no_dialect_is_enough_to_stop():
    Path("a.txt").write_bytes(GOOD + WRONG)
    answer = medpay("validate", "a.txt")
    assert (answer.exit_code, answer.out) == (2, b"")
    assert "nhsa-3202-result 1/2 (L104 refd_setl_flag); nhsa-3202-upload 1/2 (L103 medfee_sumamt)" in answer.err


@pytest.mark.usefixtures("folder")
def test_a_fault_behind_the_first_thousand_records_does_not_hide_what_the_file_is():
    many = b"".join(GOOD.replace(b"S0001", b"S%05d" % number) for number in range(1200))
    Path("a.txt").write_bytes(many + WRONG)
    document = judged("a.txt")
    assert (document["exit_code"], places(document)) == (1, [(1201, 1201, "medfee_sumamt", "L103")])


@pytest.mark.usefixtures("folder")
def test_inspect_tells_what_a_file_is_and_why():
    Path("a.txt").write_bytes(b"\xef\xbb\xbf" + GOOD + MORE + LAST)
    answer = medpay("inspect", "a.txt", "--format", "json")
    [file] = answer.json["files"]
    assert answer.exit_code == 0
    assert {name: file[name] for name in ("encoding", "byte_order_mark", "line_ends", "final_line_end", "records")} == {
        "encoding": "utf-8",
        "byte_order_mark": True,
        "line_ends": {"LF": 1, "CR LF": 1},
        "final_line_end": False,
        "records": 3,
    }
    assert (file["dialect"], file["layout"], file["verdict"]) == ("nhsa-3202-upload", "ledger_detail.v1", "valid")
    assert file["totals"]["acct_pay"] == "190.52"
    first, *others = [(one["dialect"], one["fits"], one["records"]) for one in file["candidates"]]
    assert first == ("nhsa-3202-upload", 3, 3)
    assert {fits for _, fits, _ in others} == {0}
    in_lines = [name for name in config.names(config.DIALECT) if dialects.load(name).format in formats.IN_LINES]
    assert {first[0], *(name for name, _, _ in others)} == set(in_lines)


@pytest.mark.usefixtures("folder")
def test_inspect_looks_at_every_member_and_exits_with_2_where_one_is_not_recognised():
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("known.txt", GOOD)
        archive.writestr("unknown.txt", "a,b\n")
    answer = medpay("inspect", "a.zip", "--format", "json")
    assert (answer.exit_code, [file["dialect"] for file in answer.json["files"]]) == (2, ["nhsa-3202-upload", None])


HEADERS = {
    "no,name,fee": None,
    "no,fee,name": "2: fee → name",
    "NO,name,fee": "− no ('NO'?)",
    "no,name ,fee": "− name ('name '?)",
    "no,\uff4eame,fee": "− name ('\uff4eame'?)",
    "no,\u200bname,fee": "− name ('\\u200bname'?)",
    "no,name,fee,fee": "2 × fee",
    "no,name,fee,": "+ 1",
    "no,name": "− fee",
    "王五,001,1.00": "− no; − name; − fee; + 3",
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("header", HEADERS)
def test_all_that_is_wrong_with_a_header_is_one_finding(header):
    Path("a.csv").write_text(f"{header}\n001,x,1.00\n002,x\n", encoding="utf-8")
    document = judged("a.csv", "--dialect", "bill.toml")
    if HEADERS[header] is None:
        assert codes(document) == {"F101": 1}
        return
    assert [(found["code"], found["value"]) for found in document["findings"]] == [("F207", HEADERS[header])]


@pytest.mark.usefixtures("folder")
def test_a_header_under_another_delimiter_is_named():
    Path("a.csv").write_text("no;name;fee\n001;x;1.00\n", encoding="utf-8")
    [found] = judged("a.csv", "--dialect", "bill.toml")["findings"]
    assert (found["code"], found["value"], found["expected"]) == ("F201", ";: 3", ",: 3")


@pytest.mark.usefixtures("folder")
def test_a_header_further_down_is_named():
    Path("a.csv").write_text("二月账单\n\nno,name,fee\n001,x,1.00\n", encoding="utf-8")
    [found] = judged("a.csv", "--dialect", "bill.toml")["findings"]
    assert (found["code"], found["value"]) == ("F207", "3 (preamble = 2)")
    assert judged("a.csv", *dialect("preamble = 2\n"))["exit_code"] == 0


@pytest.mark.usefixtures("folder")
def test_columns_of_a_partner_s_own_names_and_order():
    Path("a.csv").write_text("金额,单号,备注,name\n1.00,001,,x\n", encoding="utf-8")
    own = 'free_order = true\nother_columns = true\n[headings]\n"金额" = "fee"\n"单号" = "no"\n'
    assert judged("a.csv", *dialect(own))["files"][0]["totals"] == {"fee": "1.00"}
    assert medpay("validate", "a.csv", *dialect('[headings]\n"金额" = "fees"\n')).exit_code == 2


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("no,name,fee\n001,x,1.00\n合计,,1.00\n", None),
        ("no,name,fee\n001,x,1.00\n合计,,1.00", None),
        ("no,name,fee\n001,x,1.00\n", "F214"),
        ("no,name,fee\n001,x,1.00\n合计,,1.00\n\n", "F214"),
        ("no,name,fee\n", "F214"),
        ("no,name,fee\n合计,,0\n", "F208"),
        ('no,name,fee\n001,"x,1.00\n合计,,1.00\n', "F205"),
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_a_file_with_a_footer_ends_in_it(content, code, quoted):
    text = content.replace("001,x,", '001,"x",') if quoted else content
    Path("a.csv").write_text(text, encoding="utf-8")
    document = judged("a.csv", *dialect('footer = ["合计"]\n'))
    assert codes(document) == ({code: 1} if code else {})


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("end", "code"), [("\n", 0), ("\r\n", 0), ("", 3), ("\r", 3)])
def test_a_dialect_that_requires_a_final_line_end(end, code):
    Path("a.csv").write_bytes(b"no,name,fee\n001,x,1.00" + end.encode())
    document = judged("a.csv", *dialect("final_line_end = true\n"))
    assert (document["exit_code"], codes(document)) == (code, {"F213": 1} if code else {})


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("content", "row"),
    [
        (f"001,{'x' * 11},1.00\n", 2),
        (f'001,"{"x" * 11}",1.00\n', 2),
        (f"001,x,1.00{',' * 40}\n", 2),
        (f"001,{'x' * 60},1.00\n", None),
    ],
    ids=["a field", "a quoted field", "columns", "a line"],
)
def test_what_is_beyond_a_limit_leaves_the_file_unjudged_and_is_named(content, row):
    Path("a.csv").write_text("no,name,fee\n002,y,1.00\n" + content + "003,z,1.00\n", encoding="utf-8")
    document = judged("a.csv", *dialect("[limits]\nfield = 10\nline = 60\ncolumns = 20\n"))
    assert (document["exit_code"], [(found["row"], found["code"]) for found in document["findings"]]) == (
        3, [(row, "F204")],
    )  # fmt: skip


@pytest.mark.usefixtures("folder")
def test_a_quote_that_never_closes_is_named_where_it_opens():
    rows = [f"{number:03},x,1.00\n" for number in range(1, 100)]
    rows[34] = '035,"x,1.00\n'
    Path("a.csv").write_text("no,name,fee\n" + "".join(rows), encoding="utf-8")
    document = judged("a.csv", "--dialect", "bill.toml")
    assert (document["exit_code"], places(document)) == (3, [(35, 36, None, "F205")])


@pytest.mark.usefixtures("folder")
def test_a_quote_that_never_closes_is_found_within_the_limit_of_a_field():
    rows = [f"{number:03},x,1.00\n" for number in range(1, 1000)]
    whole = "".join(rows) * 200
    Path("a.csv").write_text("no,name,fee\n" + whole.replace("035,x", '035,"x', 1), encoding="utf-8")
    document = judged("a.csv", "--dialect", "bill.toml")
    assert (document["exit_code"], places(document)[:1]) == (3, [(35, 36, None, "F205")])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("a\x00", "F107"), ("\x1b[31m", "F107"), ("\x7f", "F107"), ("a\u0085b", "F107"), ("a\u2028b", "F107"),
        ("\ufffe", "F107"), ("a\rb", "F107"), ("a\u200bb", "F108"), ("a\u202eb", "F108"), ("\ufeffa", "F108"),
        ("a\u00adb", "F108"), ("a\ufffdb", "F109"), ("王·五", None), ("（）“”…￥Ⅱ", None), ("𠮷", None),
        ('"a\nb"', None), ('"a\r\nb"', None), ('"a\tb"', None), ('"a\rb"', "F107"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_a_character_that_nobody_sees_rejects_its_record(cell, code, encoding):
    content = f"no,name,fee\n001,x,1.00\n002,{cell},1.00\n003,y,1.00\n"
    Path("a.csv").write_bytes(content.encode(encoding))
    document = judged("a.csv", "--dialect", "bill.toml", "--encoding", encoding)
    assert [(row, field, code) for row, _, field, code in places(document)] == ([(2, "name", code)] if code else [])


@pytest.mark.usefixtures("folder")
def test_line_ends_of_cr_only_are_named():
    Path("a.txt").write_bytes((GOOD + MORE).replace(b"\r\n", b"\n").replace(b"\n", b"\r"))
    [found] = judged("a.txt", *UPLOAD)["findings"]
    assert (found["code"], found["value"]) == ("F212", "CR")


@pytest.mark.usefixtures("folder")
def test_a_key_that_is_a_person_s_name_is_masked_in_every_report():
    Path("bill.json").write_text(json.dumps({**LAYOUT, "x-key": ["no", "name"]}), encoding="utf-8")
    Path("a.csv").write_text('no,name,fee\n001,"张""三",1.005\n002,李四,1e3\n', encoding="utf-8")
    outputs = ("--output", "ndjson:a.ndjson", "--output", "csv:out.csv")
    document = judged("a.csv", "--dialect", "bill.toml", *outputs)
    keys = [found["key"] for found in document["findings"]]
    assert keys == [{"no": "001", "name": "***"}, {"no": "002", "name": "***"}]
    assert [json.loads(line)["key"] for line in Path("a.ndjson").read_text("utf-8").splitlines()[:2]] == keys
    assert "三" not in Path("out.csv").read_text("utf-8")
    shown = judged("a.csv", "--dialect", "bill.toml", "--show-values")
    assert shown["findings"][0]["key"] == {"no": "001", "name": '张"三'}


FOOTER = 'footer = ["END"]\n'
NO_HEADER = ("header = true", "widths = [3]")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('001,a,1.00\nEND\n"002,b,7.00\n003,c,2.00\nEND\n', {"F101": 1, "F205": 1}),
        ('001,a,1.00\n"003\nEND",c,3.00\n', {"F214": 1}),
        ('001,a,1.00\n002,"b\nEND",3.00\nEND,"x\ny"\n', {}),
        ('001,a,1.00\nx"y\nEND"\n', {"F106": 1}),
    ],
)
def test_a_footer_is_looked_for_among_the_records_and_not_inside_quotes(content, expected):
    Path("a.csv").write_text(content, encoding="utf-8")
    how = dialect(FOOTER, *NO_HEADER)
    assert codes(judged("a.csv", *how)) == expected
    if not expected:
        assert split("a.csv", *how)[1:] == (content.encode(), b'END,"x\ny"\n')


BAD_AMOUNTS = b"".join(
    b"S%d\tM\tP\t%b\t0\t0\t0\n" % (number, amount)
    for number, amount in enumerate((b"1.245", b"1e3", b"+5.00", b"99999999999999999.99", b"2.00", *[b"1.00"] * 20))
)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("option", [(), ("--ignore", "L103"), ("--ignore", "L"), ("--select", "B101")], ids=str)
def test_totals_are_those_of_readable_cells_whichever_rules_are_left_out(option):
    Path("a.txt").write_bytes(BAD_AMOUNTS)
    assert judged("a.txt", *UPLOAD, *option)["files"][0]["totals"]["medfee_sumamt"] == "22.00"


@pytest.mark.usefixtures("folder")
def test_sums_beyond_38_digits_are_exact():
    big = {**LAYOUT["properties"], "fee": {"type": "number", "format": "money", "x-digits": 36, "x-scale": 2}}
    Path("bill.json").write_text(json.dumps({**LAYOUT, "properties": big}), encoding="utf-8")
    Path("a.csv").write_text("no,name,fee\n" + "".join(f"{n:03},x,{'9' * 34}.99\n" for n in range(200)), "utf-8")
    # Python's own sums end at 28 digits, so the helper that adds them up is not asked.
    document = medpay("validate", "a.csv", "--dialect", "bill.toml", "--format", "json").json
    total = document["files"][0]["totals"]["fee"]
    assert total == "1999999999999999999999999999999999998.00"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("widths", "code"), [((11, 11, 7), 3), ((11, 7, 7), 0), ((7, 11, 11), 0), ((7,), 0)])
def test_a_last_record_narrower_than_all_others_and_not_ended_is_cut_off(widths, code):
    cells = "P{n}\tM\tS\tH{n}\t3\t0\tmemo\t1.00\t1.00\t0\tx"
    records = ["\t".join(cells.format(n=n).split("\t")[:width]) for n, width in enumerate(widths)]
    Path("a.txt").write_text("\n".join(records), encoding="utf-8")
    document = judged("a.txt", "--dialect", "nhsa-3202-result")
    assert (document["exit_code"], codes(document)) == (code, {"F206": 1} if code else {})


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("around", ["", AROUND])
def test_a_day_without_records_is_separated_too(around):
    content = ("标题\nno,name,fee\n合计\n" if around else "no,name,fee\n").encode()
    Path("a.csv").write_bytes(content)
    assert split("a.csv", *dialect(around), "--allow-empty") == (0, content, content)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "more",
    [
        "[[shifted]]\nwidth = 3\nskip = 3\n", "[[shifted]]\nwidth = 9\nskip = 1\nempty = [1]\n",
        "preamble = 99999999999\n", "[limits]\nline = 99999999999999999999\n", "[limits]\ncolumns = 2\n",
    ],
)  # fmt: skip
def test_a_dialect_that_no_file_could_mean_is_usage(more):
    Path("a.csv").write_bytes(b"001,x,1.00\n")
    assert medpay("validate", "a.csv", *dialect(more, *NO_HEADER)).exit_code == 2


@pytest.mark.usefixtures("folder")
def test_structure_alone_keeps_to_the_header_and_preamble_of_a_dialect():
    Path("a.csv").write_text('标题\nno,name,fee\n001,"x\ny",1.00\n合计\n', encoding="utf-8")
    document = judged("a.csv", *dialect(AROUND), "--layout", "none", "--expect", "records=1")
    assert (document["exit_code"], document["files"][0]["verdict"]) == (0, "structure_only")
    Path("a.csv").write_text('"a\nb",c\n1,2\n', encoding="utf-8")
    assert judged("a.csv", "--layout", "none")["files"][0]["records"] == 2


@pytest.mark.usefixtures("folder")
def test_utf_16_leaves_the_order_of_bytes_to_the_mark():
    content = "\ufeff" + GOOD.decode()
    for order in ("le", "be"):
        Path("a.txt").write_bytes(content.encode(f"utf-16-{order}"))
        assert judged("a.txt", *UPLOAD, "--encoding", "UTF16")["files"][0]["encoding"] == f"utf-16-{order}"


@pytest.mark.usefixtures("folder")
def test_inspect_exits_with_3_where_validate_would():
    many = b"".join(GOOD.replace(b"S0001", b"S%05d" % number) for number in range(1200))
    Path("a.txt").write_bytes(many + SHORT[:-1])
    assert (medpay("inspect", "a.txt").exit_code, medpay("validate", "a.txt").exit_code) == (3, 3)


@pytest.mark.usefixtures("folder")
def test_nothing_is_written_where_one_output_has_no_folder():
    Path("a.txt").write_bytes(GOOD + WRONG)
    for more in (("--output", "json:nowhere/x"), ("--rejected", "nowhere/x"), ("--rejected", ".")):
        assert medpay("validate", "a.txt", *UPLOAD, "--accepted", "yes", *more).exit_code == 2
        assert not Path("yes").exists()


@pytest.mark.usefixtures("folder")
def test_a_name_or_number_in_a_column_that_is_not_its_own_is_hidden():
    Path("a.txt").write_text("T1\tM1\t张三丰\t李四\t110101199001011234\t2.00\t王\n", encoding="utf-8")
    document = judged("a.txt", *UPLOAD)
    assert {found["field"]: found["value"] for found in document["findings"]} == dict.fromkeys(
        ("medfee_sumamt", "fund_pay_sumamt", "refd_setl_flag"), "***"
    )
    assert "李四" not in medpay("validate", "a.txt", *UPLOAD).out.decode()


@pytest.mark.usefixtures("folder")
def test_broken_quotes_throughout_are_called_so():
    Path("a.csv").write_text('no,name,fee\n001,a"b,1.00\n002,"c"d,2.00\n', encoding="utf-8")
    document = judged("a.csv", "--dialect", "bill.toml")
    assert (document["exit_code"], codes(document)) == (3, {"F106": 2})


@pytest.mark.usefixtures("folder")
def test_the_fields_found_are_counted_below_the_header():
    Path("a.csv").write_text("no,name,fee\n001,1.00\n", encoding="utf-8")
    [found] = judged("a.csv", "--dialect", "bill.toml")["findings"]
    assert (found["code"], found["value"], found["expected"]) == ("F201", "TAB: 1; ,: 2", ",: 3")


@pytest.mark.usefixtures("folder")
def test_an_input_that_was_not_read_to_its_end_is_not_complete():
    Path("a.gz").write_bytes(gzip.compress(GOOD * 3)[:-9])
    document = judged("a.gz", *UPLOAD)
    assert (document["complete"], document["incomplete_reason"]) == (False, "not_read_to_the_end")
    Path("a.txt").write_bytes(GOOD + SHORT[:-1])
    assert judged("a.txt", *UPLOAD)["complete"] is True


@pytest.mark.usefixtures("folder")
def test_a_column_is_the_one_of_the_file():
    Path("a.csv").write_text("x,fee,name,no\n9,abc,b,001\n", encoding="utf-8")
    [found] = judged("a.csv", *dialect("free_order = true\nother_columns = true\n"))["findings"]
    assert (found["field"], found["column"]) == ("fee", 2)


@pytest.mark.usefixtures("folder")
def test_a_layout_is_looked_for_beside_the_dialect_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    Path("a.csv").write_text("no,name,fee\n001,x,1.00\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "below")
    assert judged("../a.csv", "--dialect", "../bill.toml")["exit_code"] == 0


@pytest.mark.usefixtures("folder")
def test_an_amount_is_never_folded_on_screen():
    Path("b.txt").write_bytes(b"".join(b"S%d\tM\tP" % n + b"\t-99999999999999.99" * 3 + b"\t0\n" for n in range(2000)))
    said = medpay("validate", "b.txt", *UPLOAD).out.decode()
    assert said.count("-199,999,999,999,999,980.00") == 3


@pytest.mark.usefixtures("folder")
def test_a_hidden_character_that_may_stand_does_not_hide_an_unreadable_amount():
    Path("a.txt").write_bytes(GOOD + MORE.replace(b"170.04", b"170.04\x00"))
    assert codes(judged("a.txt", *UPLOAD)) == {"F107": 1}
    assert codes(judged("a.txt", *UPLOAD, "--ignore", "F107")) == {"L102": 1}
