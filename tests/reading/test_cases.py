"""What `medpay validate` says of one file after another: verdict, counts, totals, exit code."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import stat
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from medpay_command import codes, judged, medpay, medpay_process, places, ties

from medpay_cli.errors import MedpayError
from medpay_cli.formats.text import cutting
from medpay_cli.validate import validate

CORPUS = os.environ.get("MEDPAY_CORPUS")
UPLOAD = ("--dialect", "nhsa-3202-upload")
RESULT = ("--dialect", "nhsa-3202-result")

CODE_OR_NUMBER = re.compile(r"[A-Z][0-9]{3}|[0-9](?:[0-9,.]*[0-9])?")
CHINESE = re.compile("[\u4e00-\u9fff]")

FIRST = "S0001\tM0001\tP0001\t100.00\t60.00\t25.00\t0"
SECOND = "S0002\tM0002\tP0002\t23442.46\t18785.39\t170.04\t0"
REFUND = "S0003\tM0002\tP0002\t-4.52\t0.00\t-4.52\t1"
BALANCED = "P0001\tM0001\tS0001\tH01\t0\t0\t对平\t100.00\t60.00\t25.00"
CENTRE_HAS_MORE = "P0009\tnull\tnull\tH09\t1\t0\t中心多 310\t12.00\t7.00\t0.00"
SHIFTED = "P0003\tM0003\tS0004\tH04\t2\t1\t\t医疗机构多 310\t-4.52\t0.00\t-4.52"


def text(*records: str, end: str = "\n") -> bytes:
    """A file of these records, every one ended."""
    return "".join(record + end for record in records).encode()


def written(folder: Path, content: bytes, name: str = "file.txt") -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(content)
    return path


def packed(folder: Path, **members: bytes) -> Path:
    """A zip archive of members `<name>.txt`, stored as they are."""
    path = folder / "batch.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.txt", content)
    return path


# exit, verdict, records, accepted, (medfee_sumamt, fund_pay_sumamt, acct_pay), findings by code
ALL_OF_UPLOAD = (0, "valid", 4, 4, ("23542.46", "18845.39", "195.04"), {})
ALL_OF_RESULT = (0, "valid", 3, 3, ("107.48", "67.00", "20.48"), {})
SAMPLES = {
    "synthetic_3202_upload_7col_crlf.txt": (UPLOAD, ALL_OF_UPLOAD),
    "synthetic_3202_upload_7col_lf_no_final_newline.txt": (UPLOAD, ALL_OF_UPLOAD),
    "synthetic_3202_upload_7col_trailing_tab_crlf.txt": (UPLOAD, ALL_OF_UPLOAD),
    "synthetic_3202_upload_8col_null.txt": (UPLOAD, ALL_OF_UPLOAD),
    "synthetic_3202_upload_hardcoded_zero_trailing_tab_lf.txt": (
        UPLOAD, (0, "valid", 4, 4, ("23542.46", "18845.39", "0.00"), {"C133": 1})),
    "synthetic_3202_upload_legacy_space_5col.txt": (
        UPLOAD, (3, "not_judged", 4, 0, ("0.00", "0.00", "0.00"), {"F201": 1})),
    "synthetic_3202_upload.zip": (UPLOAD, ALL_OF_UPLOAD),
    "synthetic_3202_result_7col_first_edition.txt": (
        RESULT, (0, "valid", 3, 3, ("0.00", "0.00", "0.00"), {})),
    "synthetic_3202_result_10col.txt": (RESULT, ALL_OF_RESULT),
    "synthetic_3202_result_11col_new_codes.txt": (RESULT, ALL_OF_RESULT),
    "synthetic_3202_result_extra_empty_column_quirk.txt": (RESULT, ALL_OF_RESULT),
    "synthetic_3202_result.zip": (RESULT, ALL_OF_RESULT),
    "synthetic_3202_request.json": (
        UPLOAD, (3, "not_judged", 33, 0, ("0.00", "0.00", "0.00"), {"F201": 1})),
}  # fmt: skip


@pytest.mark.skipif(CORPUS is None, reason="MEDPAY_CORPUS is not set")
class TestSamples:
    """The invented 3202 files of the shared corpus."""

    folder = Path(CORPUS or ".") / "nhsa-samples"

    @pytest.mark.parametrize("name", SAMPLES)
    def test_a_sample_is_judged_as_written_here(self, name):
        dialect, expected = SAMPLES[name]
        document = judged(self.folder / name, *dialect)
        [file] = document["files"]
        totals = tuple(file["totals"][column] for column in ("medfee_sumamt", "fund_pay_sumamt", "acct_pay"))
        found = document["exit_code"], file["verdict"], file["records"], file["accepted"], totals, codes(document)
        assert found == expected

    def test_every_sample_is_in_the_table(self):
        assert {path.name for path in self.folder.glob("synthetic_3202_*")} == set(SAMPLES)


def test_ten_and_shifted_eleven_columns_in_one_result_file_are_valid(tmp_path):
    again = SHIFTED.replace("H04", "H05")
    document = judged(written(tmp_path, text(BALANCED, SHIFTED, CENTRE_HAS_MORE, again)), *RESULT)
    [file] = document["files"]
    assert (document["exit_code"], file["verdict"], file["records"], document["findings"]) == (0, "valid", 4, [])
    assert file["totals"] == {"medfee_sumamt": "102.96", "fund_pay_sumamt": "67.00", "acct_pay": "15.96"}


def test_eleven_columns_with_a_memo_are_not_shifted(tmp_path):
    # The seventh column is filled, so the eighth is an amount and this one is wrong.
    document = judged(written(tmp_path, text(BALANCED, SHIFTED.replace("\t\t", "\tx\t"))), *RESULT)
    assert places(document) == [(2, 2, "medfee_sumamt", "L102")]


def test_the_minority_of_two_widths_is_ragged(tmp_path):
    document = judged(written(tmp_path, text(FIRST + "\tnull", SECOND, REFUND + "\tnull")), *UPLOAD)
    [file] = document["files"]
    assert (document["exit_code"], file["verdict"], file["records"], file["rejected"]) == (1, "findings", 3, 1)
    assert places(document) == [(2, 2, None, "F101")]
    assert (document["findings"][0]["value"], document["findings"][0]["expected"]) == ("7", "8")
    assert file["totals"]["medfee_sumamt"] == "95.48"


def test_the_smaller_of_two_equally_frequent_widths_holds(tmp_path):
    document = judged(written(tmp_path, text(FIRST + "\tnull", SECOND)), *UPLOAD)
    assert document["exit_code"] == 1
    assert places(document) == [(1, 1, None, "F101")]
    assert (document["findings"][0]["value"], document["findings"][0]["expected"]) == ("8", "7")


def test_a_trailing_tab_on_some_records_makes_none_ragged(tmp_path):
    document = judged(written(tmp_path, text(FIRST, SECOND + "\t", REFUND)), *UPLOAD)
    assert (document["exit_code"], document["findings"]) == (0, [])
    assert document["files"][0]["totals"]["medfee_sumamt"] == "23537.94"


def test_trailing_tabs_on_most_records_make_none_ragged(tmp_path):
    document = judged(written(tmp_path, text(FIRST + "\t", SECOND + "\t", REFUND)), *UPLOAD)
    assert (document["exit_code"], document["findings"]) == (0, [])


def test_blank_lines_are_warnings_and_no_records(tmp_path):
    document = judged(written(tmp_path, text(FIRST, "", SECOND, "\r")), *UPLOAD)
    [file] = document["files"]
    assert (document["exit_code"], file["verdict"], file["records"], file["rejected"]) == (0, "valid", 2, 0)
    assert places(document) == [(None, 2, None, "F104"), (None, 4, None, "F104")]
    assert document["counts"] == [{"code": "F104", "field": None, "severity": "warning", "count": 2}]


def test_another_delimiter_throughout_is_not_judged(tmp_path):
    path = written(tmp_path, b"S0001 M0001 P0001 100.00 60.00\r\nS0002 M0002 P0002 23442.46 18785.39\r\n")
    document = judged(path, *UPLOAD)
    assert (document["exit_code"], document["files"][0]["verdict"]) == (3, "not_judged")
    [found] = document["findings"]
    assert (found["code"], found["value"], found["expected"]) == ("F201", "TAB: 1; SPACE: 5", "TAB: 7 | 8")
    assert found["message"] == "no record fits: found TAB: 1; SPACE: 5 fields, expected TAB: 7 | 8"


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\r\n\n"], ids=["nothing", "a mark", "blank lines"])
def test_a_file_without_records_is_not_judged(tmp_path, content):
    document = judged(written(tmp_path, content), *UPLOAD)
    assert (document["exit_code"], document["files"][0]["verdict"]) == (3, "not_judged")
    assert (document["files"][0]["records"], codes(document)) == (0, {"F208": 1})


def test_a_last_record_cut_off_leaves_the_file_unjudged(tmp_path):
    document = judged(written(tmp_path, text(FIRST, SECOND) + b"S0003\tM0002\tP00"), *UPLOAD)
    assert (document["exit_code"], document["files"][0]["verdict"]) == (3, "not_judged")
    assert places(document) == [(3, 3, None, "F206")]
    assert document["findings"][0]["message"] == (
        "the last record is not complete (3, expected 7) and has no line end: the file was cut off"
    )


def test_a_last_record_that_is_short_but_ended_is_ragged(tmp_path):
    document = judged(written(tmp_path, text(FIRST, SECOND, "S0003\tM0002\tP00")), *UPLOAD)
    assert (document["exit_code"], places(document)) == (1, [(3, 3, None, "F101")])


BROKEN_ARCHIVES = {
    "cut.gz": gzip.compress(text(FIRST, SECOND))[:-12],
    "changed.gz": gzip.compress(text(FIRST, SECOND))[:-8] + bytes(8),
    "plain.gz": text(FIRST, SECOND),
    "cut.zip": b"PK\x03\x04" + bytes(60),
    "plain.zip": text(FIRST, SECOND),
    "empty.zip": b"",
}


@pytest.mark.parametrize("name", BROKEN_ARCHIVES)
def test_a_broken_archive_is_not_judged(tmp_path, name):
    document = judged(written(tmp_path, BROKEN_ARCHIVES[name], name), *UPLOAD)
    assert (document["exit_code"], document["files"][0]["verdict"], codes(document)) == (3, "not_judged", {"F203": 1})


def damaged_member(path: Path, content: bytes) -> None:
    """Change one byte of a stored member, so that its checksum is wrong."""
    whole = path.read_bytes()
    at = whole.index(content)
    path.write_bytes(whole[: at + 1] + b"?" + whole[at + 2 :])


def test_a_zip_member_with_a_wrong_checksum_is_not_judged(tmp_path):
    path = packed(tmp_path, only=text(FIRST, SECOND))
    damaged_member(path, text(FIRST))
    document = judged(path, *UPLOAD)
    assert (document["exit_code"], codes(document)) == (3, {"F203": 1})


def test_a_zip_with_two_members_is_refused_with_their_names(tmp_path):
    path = packed(tmp_path, monday=text(FIRST), tuesday=text(SECOND))
    answer = medpay("validate", path, *UPLOAD)
    assert (answer.exit_code, answer.out) == (2, b"")
    assert answer.err == (
        f"error: {path}: several members; name one with {path}!/MEMBER or all with {path}!/*: monday.txt, tuesday.txt\n"
    )


def test_a_named_member_is_read_alone(tmp_path):
    path = packed(tmp_path, monday=text(FIRST), tuesday=text(SECOND))
    [file] = judged(f"{path}!/tuesday.txt", *UPLOAD)["files"]
    assert (file["path"], file["member"], file["verdict"]) == (str(path), "tuesday.txt", "valid")
    assert file["totals"]["medfee_sumamt"] == "23442.46"


def test_a_member_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    path = packed(tmp_path, monday=text(FIRST), tuesday=text(SECOND))
    answer = medpay("validate", f"{path}!/friday.txt", *UPLOAD)
    assert (answer.exit_code, answer.out) == (2, b"")
    assert answer.err == f"error: {path}: no member 'friday.txt'; it holds: monday.txt, tuesday.txt\n"


def test_all_members_are_judged_one_by_one(tmp_path):
    path = packed(tmp_path, monday=text(FIRST), tuesday=text(SECOND, "x"))
    document = judged(f"{path}!/*", *UPLOAD)
    assert [(file["member"], file["verdict"]) for file in document["files"]] == [
        ("monday.txt", "valid"),
        ("tuesday.txt", "findings"),
    ]
    assert [(found["member"], found["row"], found["code"]) for found in document["findings"]] == [
        ("tuesday.txt", 2, "F101")
    ]
    assert document["exit_code"] == 1


def test_one_unreadable_member_of_several_is_exit_4(tmp_path):
    path = packed(tmp_path, monday=text(FIRST), tuesday=text(SECOND))
    damaged_member(path, text(SECOND))
    document = judged(f"{path}!/*", *UPLOAD)
    assert [(file["member"], file["verdict"]) for file in document["files"]] == [
        ("monday.txt", "valid"),
        ("tuesday.txt", "not_judged"),
    ]
    assert [(found["member"], found["code"]) for found in document["findings"]] == [("tuesday.txt", "F203")]
    assert document["exit_code"] == 4


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_changed_byte_in_an_archive_changes_no_total_in_silence(tmp_path, method):
    path = tmp_path / "batch.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("一月.txt", text(FIRST, SECOND, REFUND))
    whole = path.read_bytes()
    sound = validate([str(path)], dialect=UPLOAD[1]).files[0].totals
    wrong = {}
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            outcome = validate([str(path)], dialect=UPLOAD[1])
        except MedpayError:
            continue
        except Exception as err:
            wrong[at] = repr(err)
            continue
        if outcome.exit_code != 3 and outcome.files[0].totals != sound:
            wrong[at] = str(outcome.files[0].totals)
    assert wrong == {}


def test_one_encrypted_member_refuses_the_whole_archive(tmp_path):
    path = packed(tmp_path, monday=text(FIRST), tuesday=text(SECOND))
    whole = bytearray(path.read_bytes())
    entry = whole.rindex(b"PK\x01\x02")  # tuesday's in the central directory
    whole[entry + 8] |= 1
    path.write_bytes(whole)
    document = judged(f"{path}!/*", *UPLOAD)
    assert (document["exit_code"], codes(document)) == (3, {"F209": 1})
    assert document["findings"][0]["value"] == "tuesday.txt: encrypted"


def test_all_members_of_an_archive_without_any_prove_nothing(tmp_path):
    assert medpay("validate", f"{packed(tmp_path)}!/*", *UPLOAD).exit_code in (2, 3)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("member", ["", "!/*", "!/day.txt"])
def test_two_members_of_the_same_name_are_not_told_apart_in_silence(tmp_path, member):
    path = tmp_path / "batch.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("day.txt", text(FIRST))
        archive.writestr("day.txt", text(SECOND))
    assert medpay("validate", f"{path}{member}", *UPLOAD).exit_code in (2, 3)


def test_a_member_packed_in_a_way_that_cannot_be_unpacked_is_not_judged(tmp_path):
    path = packed(tmp_path, only=text(FIRST))
    whole = bytearray(path.read_bytes())
    deflate64 = b"\x09\x00"
    whole[8:10] = deflate64  # of the local header
    entry = whole.index(b"PK\x01\x02")
    whole[entry + 10 : entry + 12] = deflate64
    path.write_bytes(whole)
    document = judged(path, *UPLOAD)
    assert (document["exit_code"], codes(document)) == (3, {"F203": 1})


def test_a_missing_file_is_refused(tmp_path):
    answer = medpay("validate", tmp_path / "none.txt", *UPLOAD)
    assert (answer.exit_code, answer.out) == (2, b"")
    assert answer.err == f"error: {tmp_path}/none.txt: no such file; check the path\n"


def test_a_folder_is_refused(tmp_path):
    answer = medpay("validate", tmp_path, *UPLOAD)
    assert (answer.exit_code, answer.out) == (2, b"")
    assert answer.err == f"error: {tmp_path}: not a file; name a file, or archive.zip!/member\n"


def test_several_files_combine_to_the_worst_verdict_unless_some_are_unjudged(tmp_path):
    good, wrong = written(tmp_path, text(FIRST), "good"), written(tmp_path, text(SECOND, "x"), "wrong")
    empty, other = written(tmp_path, b"", "empty"), written(tmp_path, b"a b c\n", "other")
    assert judged(good, good, *UPLOAD)["exit_code"] == 0
    assert judged(good, wrong, *UPLOAD)["exit_code"] == 1
    assert judged(empty, other, *UPLOAD)["exit_code"] == 3
    assert judged(good, wrong, empty, *UPLOAD)["exit_code"] == 4


def test_a_file_that_is_not_utf8_throughout_is_not_judged(tmp_path):
    content = text(BALANCED, CENTRE_HAS_MORE).decode().encode("gb18030")
    document = judged(written(tmp_path, content), *RESULT)
    assert (document["exit_code"], document["files"][0]["verdict"]) == (3, "not_judged")
    [found] = document["findings"]
    assert (found["code"], found["expected"], found["message"]) == ("F202", "utf-8", "this is no utf-8 text: 0xb6 @ 27")


def test_one_undecodable_record_leaves_the_others_judged(tmp_path):
    bad = CENTRE_HAS_MORE.encode("gb18030")
    document = judged(written(tmp_path, text(BALANCED) + bad + b"\n" + text(SHIFTED)), *RESULT)
    [file] = document["files"]
    assert (document["exit_code"], file["verdict"], file["records"], file["rejected"]) == (1, "findings", 3, 1)
    assert file["totals"] == {"medfee_sumamt": "95.48", "fund_pay_sumamt": "60.00", "acct_pay": "20.48"}
    [found] = document["findings"]
    assert (found["code"], found["row"], found["line"], found["value"]) == ("F102", 2, 2, "0xd6 @ 25")


def test_a_record_that_breaks_the_layout_is_rejected_with_its_money(tmp_path):
    path = written(tmp_path, text(FIRST, SECOND.replace("170.04", "170.045"), REFUND.replace("\t1", "\t9")))
    document = judged(path, *UPLOAD)
    [file] = document["files"]
    assert (document["exit_code"], file["records"], file["accepted"], file["rejected"]) == (1, 3, 1, 2)
    assert places(document) == [(2, 2, "acct_pay", "L103"), (3, 3, "refd_setl_flag", "L104")]
    assert file["accepted_totals"] == {"medfee_sumamt": "100.00", "fund_pay_sumamt": "60.00", "acct_pay": "25.00"}
    assert file["rejected_totals"] == {
        "medfee_sumamt": "23437.94", "fund_pay_sumamt": "18785.39", "acct_pay": "-4.52",
    }  # fmt: skip


# A result file with most kinds of fault, and values that a report has to write with care.
MESSY = (
    text(BALANCED, "", SHIFTED, BALANCED.replace("\t0\t0", "\t7\t0"))
    + text('P"0002\tM,2\tS;2\tH\r02\t"8"\t0,1\t\x00\x1b[31m\t1,00\t1.005\t٣', end="\r\n")
    + CENTRE_HAS_MORE.encode("gb18030")
    + b"\n"
    + text("P\tM", BALANCED + "\tx\ty", *[CENTRE_HAS_MORE.replace("12.00", f"{n}.123") for n in range(6)])
)


@pytest.fixture
def messy(tmp_path) -> Path:
    """The messy file."""
    return written(tmp_path, MESSY)


def lines_of(path: Path, *more: str) -> list[dict]:
    """What ndjson says."""
    return [
        json.loads(line) for line in medpay("validate", path, *RESULT, "--format", "ndjson", *more).out.splitlines()
    ]


def test_the_messy_file_is_judged_record_by_record(messy):
    document = judged(messy, *RESULT)
    [file] = document["files"]
    assert (document["exit_code"], file["records"], file["rejected"]) == (1, 13, 12)
    assert codes(document) == {
        "B101": 8, "F101": 2, "F102": 1, "F104": 1, "F107": 2, "L102": 2, "L103": 7, "L104": 3,
    }  # fmt: skip
    assert file["totals"]["medfee_sumamt"] == "195.48"
    assert file["accepted_totals"]["medfee_sumamt"] == "-4.52"


def test_ndjson_ends_with_the_summary_after_every_finding(messy):
    *findings, summary = lines_of(messy)
    assert {line["type"] for line in findings} == {"finding"}
    assert summary["type"] == "summary"
    assert len(findings) == summary["findings_total"] == 26
    ties(summary)


def test_ndjson_and_json_say_the_same(messy):
    *findings, summary = lines_of(messy)
    document = judged(messy, *RESULT)
    assert document.pop("findings") == [{k: v for k, v in found.items() if k != "type"} for found in findings]
    assert document == {key: value for key, value in summary.items() if key != "type"}


def test_csv_holds_what_ndjson_holds(messy):
    answer = medpay("validate", messy, *RESULT, "--format", "csv")
    *findings, _ = lines_of(messy)
    rows = list(csv.DictReader(io.StringIO(answer.out.decode(), newline="")))
    for row in rows:
        row["key"] = json.loads(row["key"]) if row["key"] else None
    expected = [
        {name: value if name == "key" else "" if value is None else str(value) for name, value in found.items()}
        for found in findings
    ]
    assert answer.exit_code == 1
    assert [{"type": "finding", **row} for row in rows] == expected


def test_json_holds_so_many_findings_of_each_code_and_counts_them_all(messy):
    whole, short = judged(messy, *RESULT), judged(messy, *RESULT, "--max-json", "2")
    assert (short["findings_shown"], short["findings_total"]) == (14, 26)
    assert short["counts"] == whole["counts"]
    seen: dict[str, int] = {}
    kept = []
    for found in whole["findings"]:
        seen[found["code"]] = seen.get(found["code"], 0) + 1
        if seen[found["code"]] <= 2:
            kept.append(found)
    assert short["findings"] == kept


def test_no_findings_are_shown_where_none_are_asked_for(messy):
    document = judged(messy, *RESULT, "--max-json", "0")
    assert (document["findings"], document["findings_shown"], document["findings_total"]) == ([], 0, 26)


@pytest.mark.parametrize("form", ["text", "json", "ndjson", "csv"])
def test_two_runs_write_the_same_bytes(messy, form):
    first, second = (
        medpay_process("validate", messy, *RESULT, "--format", form, PYTHONHASHSEED=seed) for seed in ("1", "2")
    )
    assert first == second
    assert (first.exit_code, first.err) == (1, "")


@pytest.mark.parametrize("form", ["text", "json", "ndjson", "csv"])
def test_the_parts_a_file_is_read_in_do_not_show(messy, form):
    whole = medpay("validate", messy, *RESULT, "--format", form)
    for part in (256, 64, 1):
        with mock.patch.object(cutting, "PART", part):
            assert medpay("validate", messy, *RESULT, "--format", form) == whole


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_findings_beyond_memory_come_back_in_order(messy, form):
    whole = medpay("validate", messy, *RESULT, "--format", form)
    with mock.patch.object(cutting, "PART", 64), mock.patch("medpay_cli.frames.Frames.IN_MEMORY", 3):
        assert medpay("validate", messy, *RESULT, "--format", form) == whole


def test_standard_input_and_archives_are_judged_as_the_plain_file(messy, tmp_path):
    plain = judged(messy, *RESULT)
    others = [
        judged("-", *RESULT, stdin=MESSY),
        judged(written(tmp_path, gzip.compress(MESSY), "file.txt.gz"), *RESULT),
        judged(packed(tmp_path, file=MESSY), *RESULT),
    ]

    def content(document: dict) -> dict:
        [file] = document["files"]
        hidden = {"path": None, "member": None, "file": None}
        return {
            **document,
            "files": [{**file, **hidden}],
            "findings": [{**found, **hidden} for found in document["findings"]],
        }

    assert [document["files"][0]["path"] for document in others] == [
        "-", str(tmp_path / "file.txt.gz"), str(tmp_path / "batch.zip"),
    ]  # fmt: skip
    for other in others:
        assert content(other) == content(plain)


def test_standard_input_of_a_process_is_judged():
    answer = medpay_process("validate", "-", *UPLOAD, "--format", "json", stdin=text(FIRST, SECOND))
    assert (answer.exit_code, answer.err) == (0, "")
    assert answer.json["files"][0]["totals"]["medfee_sumamt"] == "23542.46"


def test_json_in_chinese_and_english_differs_in_messages_only(messy):
    documents = [judged(messy, *RESULT, "--lang", lang) for lang in ("zh", "en")]
    chinese, english = ([found.pop("message") for found in one["findings"]] for one in documents)
    assert documents[0] == documents[1]
    assert all(CHINESE.search(message) for message in chinese)
    assert not any(CHINESE.search(message) for message in english)


def test_text_in_chinese_and_english_has_the_same_codes_and_numbers(messy):
    answers = [medpay("validate", messy, *RESULT, "--lang", lang) for lang in ("zh", "en")]
    assert [(answer.exit_code, answer.err) for answer in answers] == [(1, ""), (1, "")]
    pages = [answer.out.decode().splitlines() for answer in answers]
    assert len(pages[0]) > 40
    # Words may stand in another order, so the numbers of a line are compared sorted.
    chinese, english = ([sorted(CODE_OR_NUMBER.findall(line)) for line in page] for page in pages)
    assert chinese == english


# Long enough that every one of these fields breaks its layout and is reported with its value.
PERSON, VISIT = "PERSON" + "7" * 30, "VISIT" + "8" * 30
MEMO, EXTENSION = "REMARK" + "9" * 600, "EXTENSION" + "6" * 5000


@pytest.fixture
def planted(tmp_path) -> Path:
    """A result file with a person in every sensitive field."""
    return written(tmp_path, f"{PERSON}\t{VISIT}\tS1\tH1\t0\t0\t{MEMO}\t1.00\t1.00\t0.00\t{EXTENSION}\n".encode())


def shown(path: Path, *more: str) -> set[str]:
    """Which of the planted values stand in stdout."""
    answer = medpay("validate", path, *RESULT, *more)
    assert (answer.exit_code, answer.err) == (1, "")
    printed = answer.out.decode().replace("\n", "")
    planted = {"psn_no": PERSON, "mdtrt_id": VISIT, "memo": MEMO, "exp_content": EXTENSION}
    return {name for name, value in planted.items() if value[:12] in printed}


def test_text_shows_nobody(planted):
    assert shown(planted) == set()


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_machine_reports_show_identifiers_and_nothing_direct(planted, form):
    assert shown(planted, "--format", form) == {"psn_no", "mdtrt_id"}


@pytest.mark.parametrize("form", ["text", "json", "ndjson", "csv"])
def test_show_values_shows_them(planted, form):
    assert shown(planted, "--format", form, "--show-values") == {"psn_no", "mdtrt_id", "memo", "exp_content"}


def test_a_direct_value_is_hidden_whole_and_an_identifier_is_not_in_json(planted):
    values = {found["field"]: found["value"] for found in judged(planted, *RESULT)["findings"]}
    assert values == {"psn_no": PERSON, "mdtrt_id": VISIT, "memo": "***", "exp_content": "***"}


def test_a_report_in_a_file_is_the_owner_s_alone(messy, tmp_path):
    report = tmp_path / "report.json"
    answer = medpay("validate", messy, *RESULT, "--format", "json", "--output", f"json:{report}")
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert report.read_bytes() == answer.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.txt", "report.json"]
