"""A folder of part files, or the members of an archive, is one side: the same as the whole file."""

import json
import zipfile

import ledger_day
import pytest
from click.testing import CliRunner

from medpay_cli import judging
from medpay_cli.cli.reconcile_ import command
from medpay_cli.errors import MedpayError

PLAIN = "A\tV\tP\t1.00\t1.00\t0\t0\n"


def reconcile(*words, code=1, out=None):
    """The JSON of a reconcile that ends with that code, without where the sides were read from."""
    options = ["--recipe", "ledger", "--format", "json", *(["--output-dir", str(out)] if out else [])]
    ran = CliRunner().invoke(command, [*map(str, words), *options], standalone_mode=False)
    assert (ran.exception, ran.return_value) == (None, code)
    found = json.loads(ran.stdout)
    for side in found["sides"]:
        del side["path"]
    return found


def split(path, folder, parts):
    """The lines of a file in so many files, in the order of their names."""
    folder.mkdir()
    lines = path.read_bytes().splitlines(keepends=True)
    size = -(-len(lines) // parts)
    for number in range(parts):
        (folder / f"part-{number:02}.txt").write_bytes(b"".join(lines[number * size : (number + 1) * size]))
    return folder


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """Two ledgers whose repeated keys stand far apart, and their report."""
    folder = tmp_path_factory.mktemp("day")
    made = ledger_day.make(2_000, seed=3, differences=0.3)
    hospital, platform = made.write(folder)
    return hospital, platform, reconcile(hospital, platform, out=folder / "out"), folder / "out"


@pytest.mark.parametrize("parts", [(1, 2), (7, 3), (40, 1)])
def test_parts_are_the_whole_file(day, tmp_path, parts):
    hospital, platform, whole, out = day
    repeated = [row for row in whole["counts"] if row["code"] == "B101"]
    assert len(repeated) == 2  # keys that stand in several parts, too
    sides = [
        split(path, tmp_path / name, count)
        for path, name, count in zip((hospital, platform), ("h", "p"), parts, strict=True)
    ]
    assert reconcile(*sides, out=tmp_path / "out") == whole
    for name in ("differences.csv", "differences.parquet"):
        assert (tmp_path / "out" / name).read_bytes() == (out / name).read_bytes()


def test_members_of_an_archive_are_parts_in_the_order_of_their_names(day, tmp_path):
    hospital, platform, whole, _ = day
    parts = sorted(split(hospital, tmp_path / "h", 3).iterdir(), reverse=True)
    with zipfile.ZipFile(tmp_path / "h.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            archive.write(part, part.name)
    assert reconcile(f"{tmp_path}/h.zip!/*", platform) == whole


def folder_of(tmp_path, **files):
    folder = tmp_path / "side"
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    (tmp_path / "whole.txt").write_text(PLAIN, encoding="utf-8")
    return folder, tmp_path / "whole.txt"


def text(*words):
    ran = CliRunner().invoke(command, [*map(str, words), "--recipe", "ledger", "--lang", "en"], standalone_mode=False)
    assert ran.exception is None
    return ran.return_value, ran.stdout


def test_a_side_of_which_a_part_is_not_judged_is_not_judged_and_the_finding_names_the_part(tmp_path):
    folder, whole = folder_of(tmp_path, a__txt=PLAIN, b__txt="only\tthree\tfields\n")
    code, said = text(folder, whole)
    assert code == 3
    assert "side/b.txt" in said


def test_a_wrong_record_is_named_with_its_part_and_the_line_in_it(tmp_path):
    folder, whole = folder_of(tmp_path, a__txt=PLAIN, b__txt=PLAIN.replace("A", "B") + PLAIN.replace("1.00", "x"))
    code, said = text(folder, whole)
    assert code == 3
    assert "side/b.txt row 2" in said


def test_an_empty_folder_cannot_be_judged(tmp_path):
    folder, whole = folder_of(tmp_path, _SUCCESS="", a__ok="2\n")
    assert reconcile(folder, whole, code=3)["counts"] == [
        {"side": "hospital", "code": "F208", "field": None, "severity": "error", "count": 1}
    ]
    assert reconcile(folder, whole, "--allow-empty")["classes"]["only_theirs"]["keys"] == 1


def test_an_empty_part_is_an_empty_file(tmp_path):
    folder, whole = folder_of(tmp_path, a__txt=PLAIN, b__txt="")
    assert reconcile(folder, whole, code=3)["complete"] is False
    assert reconcile(folder, whole, "--allow-empty", code=0)["sides"][0]["records"] == 1


def test_hidden_files_flags_and_what_other_programs_keep_are_no_parts(tmp_path):
    files = {"a__txt": PLAIN, "_SUCCESS": "", "__a__txt__crc": "?", "a__txt__ok": "1\n", "b__DONE": ""}
    folder, whole = folder_of(tmp_path, **files)
    assert (folder / ".a.txt.crc").exists()
    hospital, platform = reconcile(folder, whole, code=0)["sides"]
    assert hospital["records"] == 1
    assert hospital["passed_over"] == [".a.txt.crc", "_SUCCESS", "a.txt.ok", "b.DONE"]
    assert "passed_over" not in platform
    assert "no parts, not read: .a.txt.crc, _SUCCESS, a.txt.ok, b.DONE\n" in text(folder, whole)[1]


def test_a_folder_that_gets_a_part_while_it_is_read_is_not_judged(tmp_path, monkeypatch):
    folder, whole = folder_of(tmp_path, a__txt=PLAIN)
    real = judging.begun

    def slow(*words, **named):
        (folder / "b.txt").write_text(PLAIN)
        return real(*words, **named)

    monkeypatch.setattr(judging, "begun", slow)
    counts = reconcile(folder, whole, code=3)["counts"]
    assert [(row["side"], row["code"]) for row in counts] == [("hospital", "F215")]


def test_anything_else_in_the_folder_is_read_and_judged(tmp_path):
    folder, whole = folder_of(tmp_path, a__txt=PLAIN, readme__md="These are the ledgers of today.\n")
    reconcile(folder, whole, code=3)


def test_what_is_declared_of_a_side_is_declared_of_all_its_parts(tmp_path):
    folder, whole = folder_of(tmp_path, a__txt=PLAIN, b__txt=PLAIN.replace("A", "B"))
    assert reconcile(folder, whole, "--expect", "ours:records=2,medfee_sumamt=2.00")["complete"]
    counts = reconcile(folder, whole, "--expect", "ours:records=1", code=3)["counts"]
    assert [row["code"] for row in counts] == ["B201"]


def test_parts_taken_for_different_encodings_are_refused(tmp_path):
    folder = tmp_path / "side"
    folder.mkdir()
    (folder / "a.csv").write_text("编号,金额\n甲,1\n", encoding="gb18030")
    (folder / "b.csv").write_text("id,金额\n乙,1\n", encoding="utf-8")
    whole = tmp_path / "w.csv"
    whole.write_text("编号,金额\n甲,1\n", encoding="utf-8")
    words = [str(folder), str(whole), "--key", "编号", "--amount", "金额", "--format", "json"]
    ran = CliRunner().invoke(command, words, standalone_mode=False)
    assert [row["code"] for row in json.loads(ran.stdout)["counts"]] == ["F211"]
    assert ran.return_value == 3
    (folder / "b.csv").unlink()
    (folder / "b.csv").write_text("编号,金额\n乙,1\n", encoding="gb18030")
    ran = CliRunner().invoke(command, words, standalone_mode=False)
    assert (ran.return_value, json.loads(ran.stdout)["classes"]["matched"]["keys"]) == (1, 1)


def test_a_folder_in_the_folder_and_an_output_into_it_are_usage(tmp_path):
    folder, whole = folder_of(tmp_path, a__txt=PLAIN)
    for words in (("--output", f"json:{folder}/x.json"), ("--output-dir", str(folder))):
        with pytest.raises(MedpayError, match="same_file"):
            command.main([str(folder), str(whole), "--recipe", "ledger", *words], standalone_mode=False)
    (folder / "inner").mkdir()
    with pytest.raises(MedpayError, match="folder_inside"):
        command.main([str(folder), str(whole), "--recipe", "ledger"], standalone_mode=False)
