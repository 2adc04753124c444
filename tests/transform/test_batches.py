"""A batch is written once: named, with what control lines and manifests say, its number used up for ever."""

from __future__ import annotations

import fcntl
import hashlib
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from batch_files import (
    DIALECT,
    FIRST,
    LAYOUT,
    MANIFEST,
    OF_EACH,
    ONE,
    SECOND,
    TWO,
    batch,
    judged,
    lies,
    put,
    settled,
    sha,
    sub,
    written,
)  # fmt: skip
from small import medpay

from medpay_cli.transform import sealing

REGISTER = ".medpay-batches"
GIVEN = ("--batch-no", "B7", "--set", "acct_date=20240131", "--set", "sender_code=H1")


def given(*without: str) -> tuple[str, ...]:
    """What has to be given, without some of it."""
    pairs = zip(GIVEN[::2], GIVEN[1::2], strict=True)
    return tuple(word for pair in pairs for word in pair if pair[1].partition("=")[0] not in without)


# Control lines.


def test_a_control_line_says_what_is_given_beside_the_true_totals(tmp_path):
    dialect = DIALECT.partition("[batch]")[0]
    answer = written(tmp_path, dialect, "bills.txt", "--set", "acct_date=20240131", "--set", "batch_no=B7")
    assert answer.exit_code == 2  # crt_time is asked for by nothing here
    (tmp_path / "bill.toml").write_text(dialect, encoding="utf-8")
    answer = medpay(
        "transform", tmp_path / "records.csv", "--mapping", "identity", "--layout", tmp_path / "bill.json",
        "--dialect", f"csv:{tmp_path / 'bill.json'}", "--to-dialect", tmp_path / "bill.toml", "-o", tmp_path / "b.txt",
        "--set", "acct_date=20240131", "--set", "batch_no=B7",
    )  # fmt: skip
    assert answer.exit_code == 0
    assert (tmp_path / "b.txt").read_text(encoding="utf-8") == (
        "H|20240131|B7|3|107.48\nA-001|H1||100.00\nA-002|H1|x|7.50\nA-003|H1||-0.02\nT|B7|3|107.48\n"
    )
    assert medpay("validate", tmp_path / "b.txt", "--dialect", tmp_path / "bill.toml").exit_code == 0


@pytest.mark.parametrize(
    ("without", "names"),
    [
        (("acct_date",), "--set acct_date=VALUE"),
        (("sender_code",), "--set sender_code=VALUE"),
        (("B7",), "--batch-no ID"),
        (("acct_date", "sender_code"), "--set acct_date=VALUE, --set sender_code=VALUE"),
    ],
)
def test_what_is_not_given_is_named(without, names, tmp_path):
    answer = written(tmp_path, DIALECT, None, *given(*without))
    told = f"what is written in dialect {tmp_path / 'bill.toml'} also says what has to be given: {names}\n"
    assert (answer.exit_code, answer.err) == (2, f"error: {told}")
    assert lies(tmp_path) == {}


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("acct_date=20241301", "acct_date: '20241301' is no such value (L106 "),
        ("acct_date=31.1.2024", "acct_date: '31.1.2024' is no such value (0-9 A-Z a-z -)"),
        ("sender_code=H1_2", "sender_code: 'H1_2' is no such value (0-9 A-Z a-z -)"),
        ("sender_code=../H1", "sender_code: '../H1' is no such value (0-9 A-Z a-z -)"),
        ("sender_code=H2", "sender_code: the name of the file says H2, what is in it H1"),
    ],
)
def test_a_value_that_its_field_or_a_record_contradicts_is_refused(option, told, tmp_path):
    answer = written(tmp_path, DIALECT, None, *given(option.partition("=")[0]), "--set", option)
    assert answer.exit_code == 2
    assert answer.err.startswith(f"error: {told}")
    assert lies(tmp_path) == {}


def test_more_than_what_is_asked_for_is_refused(tmp_path):
    answer = written(tmp_path, DIALECT, None, *GIVEN, "--set", "total_count=9")
    assert answer.exit_code == 2
    assert "acct_date, crt_time, enc_alg, file_type, sender_code" in answer.err


FIELDS = [('amount = "paid"', 'amount = "memo"'), ('hash = "bill_no"', 'hash = "bill"')]


@pytest.mark.parametrize(("old", "new"), FIELDS)
def test_a_total_of_a_field_that_the_records_lack_is_refused(old, new, tmp_path):
    answer = written(tmp_path, DIALECT.replace(old, new))
    assert (answer.exit_code, f"under {old.split()[0]} in [batch] of the dialect" in answer.err) == (2, True)
    assert lies(tmp_path) == {}


def test_a_dialect_without_batches_takes_no_number(tmp_path):
    answer = written(tmp_path, DIALECT.partition("[batch]")[0], "b.txt", *GIVEN)
    assert answer.exit_code == 2
    assert answer.err.startswith(f"error: dialect {tmp_path / 'bill.toml'} has no [batch]")


# Names and manifests.


def test_the_parts_of_a_batch_sum_up_to_the_whole(tmp_path):
    answer = written(tmp_path)
    assert answer.json["batch"] == {"batch_no": "B7", "files": [str(tmp_path / "out" / MANIFEST)]}
    rows = [line.split(",") for line in lies(tmp_path)[MANIFEST].decode().splitlines()[1:]]
    assert [(row[4], row[5], row[11]) for row in rows] == [("2", "107.50", "3"), ("1", "-0.02", "3")]
    assert (answer.json["records"]["out"], answer.json["amounts"][0]["out"]) == (3, "107.48")


def test_the_same_records_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert written(tmp_path / name).exit_code == 0
    assert lies(tmp_path / "a") == lies(tmp_path / "b") == batch()


def test_a_split_by_size_has_a_manifest_too(tmp_path):
    assert written(tmp_path).exit_code == 0
    size = len(ONE)
    with mock.patch("batch_files.medpay", lambda *words: medpay(*_by_size(words, size))):
        (tmp_path / "b").mkdir()
        assert written(tmp_path / "b").exit_code == 0
    assert lies(tmp_path / "b") == batch()


def _by_size(words, size):
    at = words.index("--split-rows")
    return (*words[:at], "--split-size", str(size), *words[at + 2 :])


def test_a_packed_batch_is_held_against_what_lies_there(tmp_path):
    assert written(tmp_path, OF_EACH, "bills.zip", *given("sender_code")).exit_code == 0
    made = lies(tmp_path)
    assert sorted(made) == ["bills-001.ok", "bills-001.zip", "bills-002.ok", "bills-002.zip"]
    row = made["bills-001.ok"].decode().splitlines()[1].split(",")
    assert row[1:6] == ["bills-001.zip", "CLAIM", str(len(made["bills-001.zip"])), "2", "107.50"]
    assert row[8] == hashlib.sha256(made["bills-001.zip"]).hexdigest()
    assert judged(tmp_path, "bills-001.zip", "bills-002.zip") == (0, [])


def test_an_ok_may_be_a_line_of_a_partner_s_own(tmp_path):
    """Flag, size, count and day."""
    ok = (
        'title = { zh = "标志", en = "flag file" }\nlayout = "ok.json"\nformat = "delimited"\ndelimiter = "|"\n'
        'encoding = "gbk"\ntrailing_delimiter = true\n'
    )
    (tmp_path / "ok.toml").write_text(ok, encoding="utf-8")
    fields = ("file_type", "file_size", "total_count", "acct_date")
    (tmp_path / "ok.json").write_text(
        '{"$id": "medpay:layouts/ok.v1", "title": "ok", "x-en": "ok", "type": "object", "properties": {'
        + ", ".join(f'"{name}": {{"$ref": "medpay:fields/exchange#/$defs/{name}"}}' for name in fields)
        + "}}",
        encoding="utf-8",
    )
    dialect = OF_EACH + 'dialect = "ok.toml"\n'
    dialect = dialect.replace('says = { file_type = "CLAIM" }\n', "") + 'says = { file_type = "CLAIM" }\n'
    assert written(tmp_path, dialect, None, *GIVEN).exit_code == 2  # there is no place for crt_time
    with mock.patch("batch_files.medpay", lambda *words: medpay(*_cut(words))):
        assert written(tmp_path, dialect, None, *GIVEN).exit_code == 0
    made = lies(tmp_path)
    beside = FIRST.replace(".txt", ".ok")
    assert made[beside] == b"CLAIM|70|2|20240131|\n"
    assert judged(tmp_path, FIRST, SECOND) == (0, [])
    put(tmp_path, {**made, beside: b"CLAIM|70|3|20240131|\n"})
    assert judged(tmp_path, FIRST) == (3, [(FIRST, "B201", "records", "2", "3")])
    put(tmp_path, {**made, beside: b"CLAIM|71|2|20240131|\n"})
    assert judged(tmp_path, FIRST) == (3, [(FIRST, "B202", "file_size", "70", "71")])


def _cut(words):
    at = words.index("crt_time=20240131081500")
    return (*words[: at - 1], *words[at + 1 :])


def test_digests_may_be_sm3(tmp_path):
    if "sm3" not in hashlib.algorithms_available:
        pytest.skip("this OpenSSL has no SM3")
    assert written(tmp_path, DIALECT + 'digest = "SM3"\n').exit_code == 0
    row = lies(tmp_path)[MANIFEST].decode().splitlines()[1].split(",")
    assert row[7:9] == ["SM3", hashlib.new("sm3", ONE.encode()).hexdigest()]
    assert judged(tmp_path, FIRST, SECOND) == (0, [])


def test_where_no_sm3_can_be_made_it_is_said_before_anything_is_written(tmp_path):
    with mock.patch.object(hashlib, "new", side_effect=ValueError("unsupported hash type sm3")):
        answer = written(tmp_path, DIALECT + 'digest = "SM3"\n')
    assert (answer.exit_code, answer.err) == (
        7,
        "error: the OpenSSL behind this Python cannot make SM3 digests; use one that can (a usual build from 3.0 on), "
        "or agree on SHA256\n",
    )
    assert lies(tmp_path) == {}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("{batch_no}_{part}", "{batch_no}{part}", "batch name: {batch_no}{part}"),
        ("{batch_no}_{part}", "{batch_no}x{part}", "batch name: {batch_no}x{part}"),
        ('"BILL_', '"../BILL_', "batch name '../BILL_{sender_code}_{acct_date}_{batch_no}_{part}.txt'"),
        ("{batch_no}.manifest", "{part}.manifest", "batch beside: part"),
        ("{batch_no}.manifest", "{name}", "batch beside '{name}'"),
        ("file_type =", "batch_no =", "batch says batch_no"),
    ],
)
def test_names_that_could_not_be_told_apart_are_refused(old, new, reason, tmp_path):
    answer = written(tmp_path, DIALECT.replace(old, new))
    assert (answer.exit_code, reason in answer.err) == (2, True)


# A number is used once.


def test_a_batch_number_is_never_used_again(tmp_path):
    assert written(tmp_path).exit_code == 0
    answer = written(tmp_path)
    assert (answer.exit_code, answer.err) == (
        6,
        f"error: batch number B7 cannot be used: {tmp_path / 'out' / REGISTER} shows that there is such a batch "
        "already; take a number that was never used\n",
    )
    assert lies(tmp_path) == batch()
    assert (tmp_path / "out" / REGISTER).read_text(encoding="utf-8") == "begun\tB7\ndone\tB7\n"


def test_nor_when_its_files_went_on_their_way(tmp_path):
    assert written(tmp_path).exit_code == 0
    put(tmp_path, {})
    (tmp_path / "out" / REGISTER).write_text("begun\tB7\ndone\tB7\n", encoding="utf-8")
    assert written(tmp_path).exit_code == 6


@pytest.mark.parametrize("name", [FIRST, SECOND, MANIFEST])
def test_nor_where_the_register_is_gone_but_a_file_of_it_is_there(name, tmp_path):
    assert written(tmp_path).exit_code == 0
    put(tmp_path, {name: lies(tmp_path)[name]})
    answer = written(tmp_path)
    assert (answer.exit_code, str(tmp_path / "out" / name) in answer.err) == (6, True)
    assert [*lies(tmp_path)] == [name]


def test_nor_where_only_what_stands_in_a_manifest_says_it(tmp_path):
    dialect = OF_EACH.replace('name = "BILL_{sender_code}_{acct_date}_{batch_no}_{part}.txt"\n', "")
    assert written(tmp_path, dialect, "a.txt", *given("sender_code")).exit_code == 0
    (tmp_path / "out" / REGISTER).unlink()
    assert written(tmp_path, dialect, "b.txt", *given("sender_code")).exit_code == 6


def test_another_number_beside_it_is_fine_and_a_manifest_is_never_replaced(tmp_path):
    dialect = OF_EACH.replace('name = "BILL_{sender_code}_{acct_date}_{batch_no}_{part}.txt"\n', "")
    eight = tuple(word.replace("B7", "B8") for word in given("sender_code"))
    assert written(tmp_path, dialect, "a.txt", *given("sender_code")).exit_code == 0
    assert written(tmp_path, dialect, "b.txt", *eight).exit_code == 0
    nine = tuple(word.replace("B7", "B9") for word in given("sender_code"))
    answer = written(tmp_path, dialect, "a.txt", *nine)
    assert (answer.exit_code, str(tmp_path / "out" / "a-001.ok") in answer.err) == (6, True)


def test_a_run_that_stopped_before_the_manifest_may_be_done_again(tmp_path):
    """Data without a manifest is not there yet, never the reverse."""
    with mock.patch.object(sealing.Seal, "publish", side_effect=KeyboardInterrupt):
        assert written(tmp_path).exit_code != 0
    assert [*lies(tmp_path)] == [FIRST, SECOND]
    assert judged(tmp_path, FIRST) == (3, [(FIRST, "F222", None, None, "{batch_no}.manifest")])
    assert written(tmp_path).exit_code == 0
    assert lies(tmp_path) == batch()
    assert written(tmp_path).exit_code == 6


def test_a_file_that_a_stopped_run_left_is_not_passed_off_as_part_of_the_batch(tmp_path):
    with mock.patch.object(sealing.Seal, "publish", side_effect=KeyboardInterrupt):
        assert written(tmp_path).exit_code != 0
    (tmp_path / "out" / SECOND).rename(tmp_path / "out" / SECOND.replace("_002", "_003"))
    answer = written(tmp_path)
    left = SECOND.replace("_002", "_003")
    assert (answer.exit_code, f"left when it was stopped: {left}; remove" in answer.err) == (2, True)
    assert MANIFEST not in lies(tmp_path)
    (tmp_path / "out" / left).unlink()
    assert written(tmp_path).exit_code == 0
    assert judged(tmp_path, FIRST, SECOND) == (0, [])


KILLED = """\
import os, signal, sys
from pathlib import Path
from medpay_cli import files
from medpay_cli.transform import sealing
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
count = 0
whole = files._Output.publish
def publish(self):
    global count
    whole(self)
    count += 1
    if count == {after}:
        die()
files._Output.publish = publish
if {after} == 0:
    sealing.Seal.write = die
from medpay_cli.cli import main
sys.argv[0] = "medpay"
main()
"""


@pytest.mark.parametrize(
    ("after", "there", "judged_as", "again"),
    [(0, [], None, 0), (1, [FIRST], 3, 0), (2, [FIRST, SECOND], 3, 0), (3, [MANIFEST, FIRST, SECOND], 0, 6)],
)
def test_wherever_a_run_is_killed_a_manifest_speaks_of_whole_files_only(after, there, judged_as, again, tmp_path):
    """Killed before anything is written, behind the first part, behind both, behind the manifest."""
    with mock.patch("batch_files.medpay", lambda *words: _killed(after, words)):
        assert written(tmp_path) == -signal.SIGKILL
    assert [*lies(tmp_path)] == there
    if judged_as is not None:
        assert judged(tmp_path, FIRST)[0] == judged_as
    assert written(tmp_path).exit_code == again
    assert lies(tmp_path) == batch()


def _killed(after: int, words: tuple[object, ...]) -> int:
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(after=after), *map(str, words)], capture_output=True, check=False
    )
    return done.returncode


def test_a_manifest_that_cannot_be_written_leaves_the_number_free(tmp_path):
    (tmp_path / "out" / MANIFEST).mkdir(parents=True)
    assert written(tmp_path).exit_code == 6  # something of that name stands there
    (tmp_path / "out" / MANIFEST).rmdir()
    assert written(tmp_path).exit_code == 0


def test_a_batch_with_an_error_uses_no_number(tmp_path):
    with mock.patch("batch_files.RECORDS", "bill_no,sender_code,memo,paid\nA-001,H1,,1.005\n"):
        assert written(tmp_path).exit_code == 1
    assert written(tmp_path).exit_code == 0


def test_a_cut_line_of_the_register_says_nothing(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / REGISTER).write_text("begun\tB6\ndone\tB7", encoding="utf-8")
    assert written(tmp_path).exit_code == 0
    assert (tmp_path / "out" / REGISTER).read_text(encoding="utf-8") == "begun\tB6\ndone\tB7\nbegun\tB7\ndone\tB7\n"


def test_two_runs_do_not_write_batches_into_one_folder_at_a_time(tmp_path):
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / REGISTER).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = written(tmp_path)
    assert (answer.exit_code, REGISTER in answer.err) == (5, True)
    assert lies(tmp_path) == {}


# Reading.


def test_the_parts_put_together_are_the_whole(tmp_path):
    assert written(tmp_path).exit_code == 0
    answer = merged(tmp_path, FIRST, SECOND)
    assert (answer.exit_code, answer.json["records"]["out"], answer.json["amounts"][0]["out"]) == (0, 3, "107.48")
    assert (tmp_path / "whole.csv").read_text() == (tmp_path / "records.csv").read_text()


def merged(folder: Path, *names: str):
    """Some parts as one file."""
    return medpay(
        "transform", *(folder / "out" / name for name in names), "--mapping", "identity", "--dialect",
        folder / "bill.toml", "--to-dialect", f"csv:{folder / 'bill.json'}", "-o", folder / "whole.csv",
        "--format", "json",
    )  # fmt: skip


def test_parts_in_another_order_or_not_all_of_them_are_not_put_together(tmp_path):
    settled(tmp_path, DIALECT, batch())
    answer = merged(tmp_path, SECOND, FIRST)
    assert (answer.exit_code, answer.err) == (
        2,
        f"error: batch B7 has the parts {FIRST}, {SECOND}, given are {SECOND}, {FIRST}; name all of them in that "
        "order, or one alone\n",
    )
    assert merged(tmp_path, FIRST).exit_code == 0


def test_a_part_that_is_not_the_one_of_its_manifest_stops_putting_together(tmp_path):
    content = batch()
    sub(SECOND, "-0.02\nT", "-0.03\nT")(content)
    settled(tmp_path, DIALECT, content)
    answer = merged(tmp_path, FIRST, SECOND)
    assert [(one["code"], one["field"]) for one in answer.json["source"]["findings"]] == [("B202", "digest SHA256")]
    assert (answer.exit_code, (tmp_path / "whole.csv").exists()) == (4, False)


def test_a_manifest_that_lies_elsewhere_is_named_with_totals(tmp_path):
    content = batch()
    (tmp_path / "elsewhere.csv").write_bytes(content.pop(MANIFEST))
    settled(tmp_path, DIALECT, content)
    option = ("--totals", tmp_path / "elsewhere.csv")
    assert judged(tmp_path, FIRST, options=option) == (0, [])
    (tmp_path / "elsewhere.csv").write_bytes(batch()[MANIFEST].replace(b",70,2,", b",70,1,"))
    assert judged(tmp_path, FIRST, options=option) == (3, [(FIRST, "B201", "records", "2", "1")])


def test_a_file_of_any_dialect_is_held_against_a_manifest_that_is_named(tmp_path):
    lines = "A-001,H1,,100.00\nA-002,H1,x,7.50\n"
    text = "bill_no,sender_code,memo,paid\n" + lines
    (tmp_path / "bill.json").write_text(LAYOUT, encoding="utf-8")
    (tmp_path / "b.csv").write_text(text, encoding="utf-8")
    row = {
        "batch_no": "B7",
        "file_name": "b.csv",
        "file_size": str(len(text)),
        "total_count": "2",
        "total_amt": "107.50",
    }
    for name, value, expected in (
        ("digest", sha(text), (0, [])),
        ("total_count", "3", (3, [("B201", "records", "2", "3")])),
        ("total_amt", "107.51", (3, [("B201", "paid", "107.50", "107.51")])),
        ("hash_total", "4", (3, [("B201", "hash_total bill_no", "3", "4")])),
        ("file_name", "c.csv", (3, [("B203", "file_name", "b.csv", "m.json: c.csv")])),
    ):
        cells = ", ".join(f'"{key}": "{held}"' for key, held in {**row, name: value}.items())
        (tmp_path / "m.json").write_text(f"[{{{cells}}}]", encoding="utf-8")
        answer = medpay(
            "validate", tmp_path / "b.csv", "--layout", tmp_path / "bill.json", "--dialect",
            f"csv:{tmp_path / 'bill.json'}", "--totals", tmp_path / "m.json", "--format", "json",
        )  # fmt: skip
        found = [tuple(one[key] for key in ("code", "field", "value", "expected")) for one in answer.json["findings"]]
        assert (answer.exit_code, found) == expected


def test_flags_of_other_files_ask_for_none(tmp_path):
    """An inbox that other partners use too."""
    dialect = OF_EACH.replace("required = true", "required = false")
    settled(tmp_path, dialect, {FIRST: ONE.encode(), "other.ok": b"1"})
    assert judged(tmp_path, FIRST) == (0, [])
    put(tmp_path, {FIRST: ONE.encode(), SECOND.replace(".txt", ".ok"): b"1"})
    assert judged(tmp_path, FIRST) == (3, [(FIRST, "F222", None, None, FIRST.replace(".txt", ".ok"))])


def test_a_file_without_its_manifest_is_judged_where_none_is_required(tmp_path):
    settled(tmp_path, DIALECT.replace("required = true", "required = false"), {FIRST: ONE.encode()})
    assert judged(tmp_path, FIRST) == (0, [])
    put(tmp_path, {SECOND: TWO.encode(), "B8.manifest": batch()[MANIFEST].replace(b"B7", b"B8")})
    assert judged(tmp_path, SECOND) == (3, [(SECOND, "F222", None, None, "{batch_no}.manifest")])


def reconciled(folder: Path, *options: object):
    """The folder of the batch against itself as it was."""
    recipe = (
        'title = { zh = "账单", en = "bills" }\nkey = ["bill_no"]\namounts = ["paid"]\ncompare = []\ngroups = []\n'
        'sides = [{ name = "ours", layout = "LAYOUT", dialect = "DIALECT" }, '
        '{ name = "theirs", layout = "LAYOUT", dialect = "DIALECT" }]\n'
    )
    text = recipe.replace("LAYOUT", str(folder / "bill.json")).replace("DIALECT", str(folder / "bill.toml"))
    (folder / "bills.toml").write_text(text, encoding="utf-8")
    return medpay(
        "reconcile", folder / "out", folder / "theirs", "--recipe", folder / "bills.toml", "--format", "json", *options
    )


def test_a_side_is_held_against_its_manifest_before_it_is_matched(tmp_path):
    for name in ("theirs", "out"):
        settled(tmp_path, DIALECT, batch())
        if name == "theirs":
            (tmp_path / "out").rename(tmp_path / "theirs")
    answer = reconciled(tmp_path)
    assert (answer.exit_code, answer.json["classes"]["matched"]["keys"]) == (0, 3)
    content = batch()
    sub(SECOND, "-0.02\nT", "-0.03\nT")(content)
    put(tmp_path, content)
    answer = reconciled(tmp_path)
    assert (answer.exit_code, [(one["code"], one["field"], one["count"]) for one in answer.json["counts"]]) == (
        3,
        [("B202", "digest SHA256", 1)],
    )
    put(tmp_path, {name: held for name, held in batch().items() if name != SECOND})
    answer = reconciled(tmp_path)
    assert (answer.exit_code, [one["code"] for one in answer.json["counts"]]) == (3, ["B203"])
    (tmp_path / "late.csv").write_bytes(batch()[MANIFEST].replace(b",51,1,", b",51,9,"))
    put(tmp_path, {name: held for name, held in batch().items() if name != MANIFEST})
    answer = reconciled(tmp_path, "--totals", f"ours={tmp_path / 'late.csv'}")
    assert (answer.exit_code, [(one["code"], one["field"]) for one in answer.json["counts"]]) == (
        3,
        [("B201", "records")],
    )


def test_what_is_set_aside_has_control_lines_of_its_own(tmp_path):
    """Rejected by the source (7.505) or by the target (a memo that is too long for it)."""
    text = (
        "H|20240131|B6|4|98.98\nA-001|H1||100.00\nA-002|H1|x|7.505\nA-003|H1|too long|-1.00\nA-004|H1||-0.02\n"
        "T|B6|4|98.98\n"
    )
    settled(tmp_path, DIALECT.partition("[batch]")[0], {"b6.txt": text.encode()})
    claim = LAYOUT.replace('"memo": {"title": "memo"', '"memo": {"maxLength": 3, "title": "memo"')
    (tmp_path / "claim.json").write_text(claim.replace("layouts/bill", "layouts/claim"), encoding="utf-8")
    (tmp_path / "mapping.toml").write_text(
        'title = { zh = "x", en = "x" }\n[from]\nlayout = "bill.json"\ndialect = "bill.toml"\n[to]\n'
        'layout = "claim.json"\ndialect = "csv"\n[columns]\nbill_no = "bill_no"\nsender_code = "sender_code"\n'
        'memo = "memo"\npaid = "paid"\n',
        encoding="utf-8",
    )
    answer = medpay(
        "transform", tmp_path / "out" / "b6.txt", "--mapping", tmp_path / "mapping.toml", "--accepted-only",
        "-o", tmp_path / "claims.csv",
    )  # fmt: skip
    assert answer.exit_code == 1
    assert (tmp_path / "claims.csv").read_text() == (
        "bill_no,sender_code,memo,paid\nA-001,H1,,100.00\nA-004,H1,,-0.02\n"
    )
    assert (tmp_path / "claims.csv.rejected").read_text() == (
        "H|20240131|B6|2|-1.00\nA-002|H1|x|7.505\nA-003|H1|too long|-1.00\nT|B6|2|-1.00\n"
    )
