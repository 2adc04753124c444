"""A batch that arrives in an archive with its manifest beside the data: held as if it lay in a folder."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from batch_files import (
    DIALECT,
    FIRST,
    HEADER,
    LAYOUT,
    MANIFEST,
    OF_EACH,
    ONE,
    ROW_1,
    ROW_2,
    SECOND,
    TWO,
    Edit,
    Files,
    batch,
    copy,
    drop,
    rename,
    sha,
    sub,
    swap,
)
from small import medpay


def packed(folder: Path, content: Files, dialect: str = DIALECT, inside: str = "") -> Path:
    """The batch in an archive."""
    (folder / "bill.json").write_text(LAYOUT, encoding="utf-8")
    (folder / "bill.toml").write_text(dialect, encoding="utf-8")
    made = folder / "b7.zip"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in content.items():
            out.writestr(inside + name, text)
    return made


def judged(path: object, folder: Path, *options: object):
    """Exit code, and of every finding the member, code, field, what was found and what was declared; and the members
    that were judged."""
    answer = medpay("validate", path, "--dialect", folder / "bill.toml", "--format", "json", *options)
    if not answer.out:
        return answer.exit_code, answer.err, []
    document = json.loads(answer.out)
    found = [
        (one["member"], one["code"], one["field"], one["value"], one["expected"]) for one in document["findings"]
    ]  # fmt: skip
    return answer.exit_code, found, [(one["member"], one["records"]) for one in document["files"]]


@pytest.mark.parametrize("inside", ["", "2024/01/"])
def test_the_members_of_an_archive_are_held_against_the_manifest_among_them(tmp_path, inside):
    made = packed(tmp_path, batch(), inside=inside)
    assert judged(f"{made}!/*", tmp_path) == (0, [], [(inside + FIRST, 2), (inside + SECOND, 1)])
    assert judged(f"{made}!/{inside}{SECOND}", tmp_path) == (0, [], [(inside + SECOND, 1)])


def of_each() -> Files:
    """Each data file with its own manifest."""
    one, two = (name.replace(".txt", ".ok") for name in (FIRST, SECOND))
    return {FIRST: ONE.encode(), one: (HEADER + ROW_1).encode(), SECOND: TWO.encode(), two: (HEADER + ROW_2).encode()}


def test_every_member_may_have_its_own(tmp_path):
    made = packed(tmp_path, of_each(), OF_EACH)
    assert judged(f"{made}!/*", tmp_path) == (0, [], [(FIRST, 2), (SECOND, 1)])


def test_the_only_data_file_beside_its_manifest_need_not_be_named(tmp_path):
    row = ROW_1.replace(",1,2\n", ",1,1\n")
    made = packed(tmp_path, {FIRST: ONE.encode(), MANIFEST: (HEADER + row).encode()})
    assert judged(made, tmp_path) == (0, [], [(FIRST, 2)])


# The edits, which members are not judged, and what is found of one of them.
WRONG: dict[str, tuple[list[Edit], tuple]] = {
    "a record was changed": ([sub(FIRST, "|x|", "|y|")], (FIRST, "B202", "digest SHA256")),
    "a byte more": ([sub(SECOND, "T|", "T |")], (SECOND, "B202", "file_size")),
    "a member is missing": ([drop(SECOND)], (FIRST, "B203", "file_name")),
    "a member was renamed": ([rename(SECOND, SECOND.replace("002", "003"))], (FIRST, "B203", "file_name")),
    "a member more": ([copy(SECOND, SECOND.replace("002", "003"))], (FIRST, "B203", "file_name")),
    "two changed places": ([swap(FIRST, SECOND)], (FIRST, "B202", "file_size")),
    "the manifest counts otherwise": ([sub(MANIFEST, ",2,107.50,", ",3,107.50,")], (FIRST, "B201", "records")),
    "the manifest is of another batch": (
        [sub(MANIFEST, f"B7,{FIRST}", f"B8,{FIRST}"), sub(MANIFEST, f"B7,{SECOND}", f"B8,{SECOND}")],
        (FIRST, "B204", "batch_no"),
    ),
    "the manifest is broken": ([sub(MANIFEST, ",2,107.50,", ",two,107.50,")], (FIRST, "F221", None)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_disagrees_in_an_archive_leaves_it_unjudged(tmp_path, name):
    edits, expected = WRONG[name]
    content = batch()
    for edit in edits:
        edit(content)
    code, found, _ = judged(f"{packed(tmp_path, content)}!/*", tmp_path)
    assert code in (3, 4)
    assert expected in [one[:3] for one in found]


def test_a_manifest_that_must_be_there_may_be_missing_inside_too(tmp_path):
    content = batch()
    drop(MANIFEST)(content)
    code, found, _ = judged(f"{packed(tmp_path, content)}!/*", tmp_path)
    assert (code, {one[1] for one in found}) == (3, {"F222"})


def test_an_archive_with_a_manifest_beside_it_is_held_as_before(tmp_path):
    made = packed(tmp_path, {"any.txt": ONE.encode()}, OF_EACH.replace("required = true\n", ""))
    content = made.read_bytes()
    row = ROW_1.replace(FIRST, "b7.zip").replace(f",{len(ONE)},", f",{len(content)},").replace(sha(ONE), sha(content))
    (tmp_path / "b7.ok").write_text(HEADER + row.replace(",1,2\n", ",1,1\n"), encoding="utf-8")
    assert judged(made, tmp_path)[:2] == (0, [])


def test_a_batch_in_an_archive_becomes_one_file(tmp_path):
    made = packed(tmp_path, batch())
    answer = medpay(
        "transform", f"{made}!/*", "--mapping", "identity", "--dialect", tmp_path / "bill.toml", "--to-dialect",
        f"csv:{tmp_path / 'bill.json'}", "-o", tmp_path / "whole.csv",
    )  # fmt: skip
    assert (answer.exit_code, answer.err) == (0, "")
    assert (tmp_path / "whole.csv").read_text(encoding="utf-8").splitlines()[1:] == [
        "A-001,H1,,100.00", "A-002,H1,x,7.50", "A-003,H1,,-0.02",
    ]  # fmt: skip
    answer = medpay(
        "transform", f"{made}!/{SECOND}", f"{made}!/{FIRST}", "--mapping", "identity", "--dialect",
        tmp_path / "bill.toml", "--to-dialect", f"csv:{tmp_path / 'bill.json'}", "-o", tmp_path / "other.csv",
    )  # fmt: skip
    assert (answer.exit_code, FIRST in answer.err) == (2, True)


LEDGER = """\
title = { zh = "x", en = "x" }
layout = "ledger_detail.v1"
delimiter = "\\t"
widths = [7]
format = "delimited"

[batch]
name = "day_{batch_no}_{part}.txt"
beside = "{batch_no}.manifest"
amount = "medfee_sumamt"
required = true
"""


def test_a_side_may_be_a_batch_in_an_archive(tmp_path):
    one, two = (f"S{number}\tV\tP\t{number}.00\t0.00\t0.00\t0\n" for number in (1, 2))
    rows = [
        f"B7,day_B7_00{number}.txt,,{len(text)},1,{number}.00,20240131,SHA256,{sha(text)},,20240131081500,,{number},2\n"
        for number, text in enumerate((one, two), 1)
    ]
    content = {
        "day_B7_001.txt": one.encode(),
        "day_B7_002.txt": two.encode(),
        MANIFEST: (HEADER + "".join(rows)).encode(),
    }
    made = packed(tmp_path, content)
    (tmp_path / "day.toml").write_text(LEDGER, encoding="utf-8")
    (tmp_path / "theirs.txt").write_text(one + two, encoding="utf-8")
    sides = (f"hospital={made}!/*", f"platform={tmp_path / 'theirs.txt'}")
    options = ("--recipe", "ledger", "--dialect", f"hospital={tmp_path / 'day.toml'}", "--format", "json")
    answer = medpay("reconcile", *sides, *options)
    assert (answer.exit_code, answer.err) == (0, "")
    assert json.loads(answer.out)["classes"]["matched"]["keys"] == 2
    sub(MANIFEST, ",1,2.00,", ",1,2.01,")(content)
    packed(tmp_path, content)
    answer = medpay("reconcile", *sides, *options)
    assert (answer.exit_code, b"B201" in answer.out) == (3, True)


def test_an_acknowledgement_names_the_member_as_its_manifest_does(tmp_path):
    made = packed(tmp_path, batch())
    ack = tmp_path / "ack.csv"
    assert judged(f"{made}!/*", tmp_path, "--ack", ack)[0] == 0
    assert {line.split(",")[2] for line in ack.read_text(encoding="utf-8").splitlines()[1:]} == {sha(ONE), sha(TWO)}
    assert judged(f"{made}!/*", tmp_path, "--answered", ack)[:2] == (0, [])
