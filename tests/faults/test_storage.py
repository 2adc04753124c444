"""A disk that is full, a folder that is closed, a target that is something else, an input that grows: nothing is lost,
nothing is half there, and the exit code says whose fault it was."""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from surroundings import MEDPAY, UPLOAD, contents, ledger, mortal, run, surrounded

from medpay_cli import screening, separating

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from medpay_command import medpay

OLD = b"what stood here before\n"
FULL = Path("/dev/full")
# Enough for a target larger than the small disk, whatever is written of a record.
RECORDS = 30_000


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A disk of one MiB."""
    disk = tmp_path / "small disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def upload(tmp_path) -> Path:
    """A small upload with accepted and rejected records."""
    path = tmp_path / "upload.txt"
    path.write_bytes(ledger(40, every=4))
    return path


@pytest.fixture
def clean(tmp_path) -> Path:
    """A small upload in which nothing is wrong."""
    path = tmp_path / "clean.txt"
    path.write_bytes(ledger(40))
    return path


def refused(answer, code: int, target: Path) -> None:
    """One line that names the target, and the exit code."""
    said = answer.stderr.decode() if isinstance(answer, subprocess.CompletedProcess) else answer.err
    left = answer.returncode if isinstance(answer, subprocess.CompletedProcess) else answer.exit_code
    assert (left, said.count("\n")) == (code, 1), said
    assert str(target) in said


# Where each writes, which is the argument, and which records make it large.
TARGETS = {
    "--accepted": ("A", "--accepted", "{}", 0),
    "--rejected": ("R", "--rejected", "{}", 1),
    "--output json": ("F", "--output", "json:{}", 1),
    "--output ndjson": ("F", "--output", "ndjson:{}", 1),
    "--output csv": ("F", "--output", "csv:{}", 1),
}


@pytest.mark.parametrize("before", [None, OLD], ids=["absent", "old"])
@pytest.mark.parametrize("name", TARGETS)
def test_a_disk_that_fills_up_is_7_and_the_target_stays_as_it_was(tmp_path, small_disk, name, before):
    file, option, form, every = TARGETS[name]
    source, target = tmp_path / "in.txt", small_disk / file
    source.write_bytes(ledger(RECORDS, every=every))
    if before is not None:
        target.write_bytes(before)
    answer = medpay("validate", source, *UPLOAD, option, form.format(target), "--max-json", RECORDS)
    refused(answer, 7, target)
    assert contents(small_disk) == ({} if before is None else {file: before})


@pytest.mark.parametrize("before", [None, OLD], ids=["absent", "old"])
@pytest.mark.parametrize("suffix", ["txt", "parquet"])
def test_a_disk_that_fills_up_is_7_and_the_target_of_a_transform_stays_as_it_was(tmp_path, small_disk, suffix, before):
    source, target = tmp_path / "in.txt", small_disk / f"T.{suffix}"
    source.write_bytes(ledger(RECORDS))
    if before is not None:
        target.write_bytes(before)
    filled(small_disk, 8_192)
    refused(medpay("transform", source, *UPLOAD, "--mapping", "identity", "-o", target), 7, target)
    (small_disk / "filler").unlink()
    assert contents(small_disk) == ({} if before is None else {target.name: before})


def test_a_disk_that_fills_up_is_no_matter_where_nothing_is_to_be_written(tmp_path, small_disk):
    source, target = tmp_path / "in.txt", small_disk / "T"
    source.write_bytes(ledger(RECORDS) + ledger(1, every=1, first=RECORDS))
    answer = medpay("transform", source, *UPLOAD, "--mapping", "identity", "-o", target)
    assert (answer.exit_code, answer.err, contents(small_disk)) == (1, "", {})


DIFFERENCES = ("differences.csv", "differences.parquet", "report.html", "report.xlsx", "summary.json")


def filled(disk: Path, left: int) -> None:
    """Leave so many bytes free, in whole pages."""
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(b"0" * (free.f_bavail * free.f_frsize - left))


@pytest.mark.parametrize("before", [None, OLD], ids=["absent", "old"])
def test_a_disk_that_fills_up_is_7_and_findings_in_parquet_stay_as_they_were(tmp_path, small_disk, before):
    source, target = tmp_path / "in.txt", small_disk / "F"
    source.write_bytes(ledger(RECORDS, every=1))
    if before is not None:
        target.write_bytes(before)
    filled(small_disk, 65_536)
    refused(medpay("validate", source, *UPLOAD, "--output", f"parquet:{target}"), 7, target)
    (small_disk / "filler").unlink()
    assert contents(small_disk) == ({} if before is None else {"F": before})


@pytest.mark.parametrize("before", [None, OLD], ids=["absent", "old"])
@pytest.mark.parametrize(
    "file",
    [
        "differences.csv",
        "differences.parquet",
        "report.html",
        "report.xlsx",
        "summary.json",
    ],
)
def test_a_disk_that_fills_up_is_7_and_differences_stay_as_they_were(tmp_path, small_disk, file, before):
    ours, theirs = tmp_path / "ours.txt", tmp_path / "theirs.txt"
    ours.write_bytes(ledger(1500))
    theirs.write_bytes(ledger(1500, first=1500))
    words = ("reconcile", ours, theirs, "--recipe", "ledger", "--output-dir")
    assert medpay(*words, tmp_path / "roomy").exit_code == 1
    whole, folder = contents(tmp_path / "roomy"), small_disk / "out"
    folder.mkdir()
    at = DIFFERENCES.index(file)
    stayed = {} if before is None else dict.fromkeys(DIFFERENCES[at:], before)
    for name, content in stayed.items():
        (folder / name).write_bytes(content)
    filled(small_disk, sum(-(-len(whole[name]) // 4096) * 4096 for name in DIFFERENCES[:at]))
    answer = medpay(*words, folder)
    assert contents(folder) == stayed
    refused(answer, 7, folder / file)


def test_where_the_accepted_cannot_be_written_no_rejected_are_seen(tmp_path, small_disk, upload):
    out = tmp_path / "out"
    out.mkdir()
    filled(small_disk, 0)
    answer = medpay("validate", upload, *UPLOAD, "--accepted", small_disk / "A", "--rejected", out / "R")
    refused(answer, 7, small_disk / "A")
    assert (set(contents(small_disk)), contents(out)) == ({"filler"}, {})


def test_where_the_rejected_cannot_be_written_no_accepted_are_seen(tmp_path, small_disk, upload):
    out = tmp_path / "out"
    out.mkdir()
    filled(small_disk, 0)
    answer = medpay("validate", upload, *UPLOAD, "--accepted", out / "A", "--rejected", small_disk / "R")
    refused(answer, 7, small_disk)
    assert (set(contents(small_disk)), contents(out)) == ({"filler"}, {})


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_reconciliation_that_cannot_be_said_is_7(clean, form):
    with FULL.open("w") as full:
        done = run("reconcile", clean, clean, "--recipe", "ledger", "--format", form, stdout=full,
                   stderr=subprocess.PIPE, capture_output=False)  # fmt: skip
    refused(done, 7, Path("stdout"))


# An unbuffered stdout, as in most containers, says how many bytes it took; nobody writes the rest.
UNBUFFERED = [(form, "1") for form in ("json", "text")]


@pytest.mark.parametrize(("form", "unbuffered"), [("json", ""), ("csv", ""), ("text", ""), *UNBUFFERED])
def test_a_reader_that_leaves_is_141_in_every_format(tmp_path, form, unbuffered):
    path = tmp_path / "in.txt"
    path.write_bytes(ledger(5000, every=1))
    words = ["validate", path, *UPLOAD, "--format", form, "--max-json", 5000, "--max-shown", 5000]
    command = " ".join(f"'{word}'" for word in (*MEDPAY, *words))
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, check=False, env=surrounded({"PYTHONUNBUFFERED": unbuffered}),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(("form", "unbuffered"), [("json", ""), *UNBUFFERED])
def test_a_report_of_which_a_part_finds_room_is_7(tmp_path, small_disk, form, unbuffered):
    path = tmp_path / "in.txt"
    path.write_bytes(ledger(RECORDS, every=1))
    with (small_disk / "report").open("wb") as report:
        done = run("validate", path, *UPLOAD, "--format", form, "--max-json", 15_000, "--max-shown", 15_000,
                   stdout=report, stderr=subprocess.PIPE, capture_output=False,
                   environment={"PYTHONUNBUFFERED": unbuffered})  # fmt: skip
    refused(done, 7, Path("stdout"))


def test_a_temporary_folder_that_fills_up_is_7_and_named(tmp_path, small_disk):
    path = tmp_path / "in.txt"
    wrong = "1.005\t1.005\t1.005\t9"
    path.write_text("".join(f"S{row * 7919 % 10**9}\tM{row}\tP\t{wrong}\n" for row in range(8 * RECORDS)))
    done = run("validate", path, *UPLOAD, environment={"TMPDIR": str(small_disk)})
    assert (done.returncode, done.stdout, contents(small_disk)) == (7, b"", {})
    refused(done, 7, small_disk)


@pytest.mark.parametrize(("option", "form"), [("--accepted", "{}"), ("--rejected", "{}"), ("--output", "json:{}")])
def test_a_folder_that_may_not_be_written_is_7(tmp_path, upload, option, form):
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "F").write_bytes(OLD)
    folder.chmod(0o555)
    refused(mortal("validate", upload, *UPLOAD, option, form.format(folder / "F")), 7, folder / "F")
    assert contents(folder) == {"F": OLD}


def test_a_folder_that_may_not_be_written_is_7_for_a_reconciliation_too(tmp_path, clean):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    for folder in (closed, closed / "made"):
        refused(mortal("reconcile", clean, clean, "--recipe", "ledger", "--output-dir", folder), 7, folder)
    assert list(closed.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "form"),
    [("--accepted", "{}"), ("--rejected", "{}"), ("--output", "ndjson:{}"), ("--output", "csv:{}")],
)
def test_a_missing_folder_is_usage(tmp_path, upload, option, form):
    target = tmp_path / "nowhere" / "F"
    refused(medpay("validate", upload, *UPLOAD, option, form.format(target)), 2, target)
    assert not target.parent.exists()


@pytest.mark.parametrize(
    ("option", "form"),
    [
        ("--accepted", "{}"),
        ("--rejected", "{}"),
        ("--output", "json:{}"),
    ],
)
def test_a_folder_in_the_place_of_a_target_is_usage(tmp_path, upload, option, form):
    target = tmp_path / "out" / "F"
    target.mkdir(parents=True)
    refused(medpay("validate", upload, *UPLOAD, option, form.format(target)), 2, target)
    assert contents(tmp_path / "out") == {}
    assert target.is_dir()


def test_a_folder_in_the_place_of_the_accepted_leaves_no_rejected_alone(tmp_path, upload):
    out = tmp_path / "out"
    (out / "A").mkdir(parents=True)
    refused(medpay("validate", upload, *UPLOAD, "--accepted", out / "A", "--rejected", out / "R"), 2, out / "A")
    assert contents(out) == {}


def test_a_file_in_the_place_of_the_output_folder_is_usage(tmp_path, clean):
    target = tmp_path / "out"
    target.write_bytes(OLD)
    refused(medpay("reconcile", clean, clean, "--recipe", "ledger", "--output-dir", target), 2, target)
    assert target.read_bytes() == OLD


@pytest.mark.parametrize(("option", "form"), [("--accepted", "{}"), ("--rejected", "{}"), ("--output", "csv:{}")])
def test_a_link_in_the_place_of_a_target_is_not_followed(tmp_path, upload, option, form):
    other, link = tmp_path / "other", tmp_path / "link"
    other.write_bytes(OLD)
    link.symlink_to(other)
    answer = medpay("validate", upload, *UPLOAD, option, form.format(link))
    assert other.read_bytes() == OLD
    assert (answer.exit_code, link.is_symlink()) in ((1, False), (2, True), (7, True))


def test_links_in_the_place_of_the_differences_are_not_followed(tmp_path, clean):
    other, out = tmp_path / "other", tmp_path / "out"
    other.write_bytes(OLD)
    out.mkdir()
    for name in DIFFERENCES:
        (out / name).symlink_to(other)
    medpay("reconcile", clean, clean, "--recipe", "ledger", "--output-dir", out)
    assert other.read_bytes() == OLD


@pytest.mark.parametrize(("option", "form"), [("--accepted", "{}"), ("--rejected", "{}"), ("--output", "json:{}")])
def test_a_pipe_in_the_place_of_a_target_stays_a_pipe(tmp_path, upload, option, form):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    answer = medpay("validate", upload, *UPLOAD, option, form.format(pipe))
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert answer.exit_code in {2, 7}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device, or replace one")
def test_a_device_in_the_place_of_a_target_stays_a_device(tmp_path, upload):
    device = tmp_path / "null"
    os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    medpay("validate", upload, *UPLOAD, "--output", f"json:{device}")
    assert stat.S_ISCHR(device.lstat().st_mode)


@pytest.mark.parametrize("made", ["the same path", "a link", "a second name"])
@pytest.mark.parametrize("option", ["--accepted", "--rejected"])
def test_the_input_is_no_target_of_records(tmp_path, upload, option, made):
    content, target = upload.read_bytes(), tmp_path / "target"
    if made == "the same path":
        target = upload
    elif made == "a link":
        target.symlink_to(upload)
    else:
        target.hardlink_to(upload)
    refused(medpay("validate", upload, *UPLOAD, option, target), 2, target)
    assert upload.read_bytes() == content


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "text"])
def test_the_input_is_no_target_of_a_report(upload, form):
    content = upload.read_bytes()
    answer = medpay("validate", upload, *UPLOAD, "--output", f"{form}:{upload}")
    assert upload.read_bytes() == content
    refused(answer, 2, upload)


ONE_TARGET = {
    "two record files": ("--accepted", "{0}/F", "--rejected", "{0}/F"),
    "two record files by two names": ("--accepted", "{0}/F", "--rejected", "{0}/../{1}/F"),
    "accepted and why": ("--accepted", "{0}/F.why.csv", "--rejected", "{0}/F"),
    "records and a report": ("--accepted", "{0}/F", "--output", "json:{0}/F"),
    "two reports": ("--output", "csv:{0}/F", "--output", "json:{0}/F"),
}


@pytest.mark.parametrize("name", ONE_TARGET)
def test_two_outputs_at_one_target_are_refused(tmp_path, upload, name):
    out = tmp_path / "out"
    out.mkdir()
    answer = medpay("validate", upload, *UPLOAD, *(word.format(out, out.name) for word in ONE_TARGET[name]))
    assert (answer.exit_code, contents(out)) == (2, {})


@pytest.mark.parametrize("mask", [0o000, 0o022], ids=["umask 000", "umask 022"])
def test_what_is_written_is_private_under_every_umask(tmp_path, upload, clean, mask):
    out = tmp_path / "out"
    out.mkdir()
    outputs = [word for form in ("json", "ndjson", "csv", "text") for word in ("--output", f"{form}:out/{form}")]
    run("validate", upload, *UPLOAD, "--accepted", "out/A", "--rejected", "out/R", *outputs, cwd=tmp_path, umask=mask)
    run("reconcile", clean, clean, "--recipe", "ledger", "--output-dir", "out/made", cwd=tmp_path, umask=mask)
    modes = {str(path.relative_to(out)): stat.S_IMODE(path.stat().st_mode) for path in out.rglob("*")}
    assert modes.pop("made") == 0o700
    assert set(modes.values()) == {0o600}
    assert len(modes) == 12


@pytest.fixture
def growing(tmp_path) -> Iterator[Path]:
    """An upload to which another writer appends whole records without a pause."""
    path, left = tmp_path / "growing.txt", threading.Event()
    path.write_bytes(ledger(50_000))

    def append() -> None:
        with path.open("ab", buffering=0) as file:
            for first in itertools.count(50_000):
                if left.wait(0.01):
                    return
                file.write(ledger(1, first=first))

    writer = threading.Thread(target=append)
    writer.start()
    try:
        yield path
    finally:
        left.set()
        writer.join()


def test_an_input_that_grows_while_it_is_read_is_not_judged(tmp_path, growing):
    words = ("--accepted", tmp_path / "A", "--rejected", tmp_path / "R", "--format", "json")
    answer = medpay("validate", growing, *UPLOAD, *words)
    assert (answer.exit_code, answer.err) == (3, "")
    assert [(one["code"], one["row"]) for one in answer.json["findings"]] == [("F215", None)]
    assert set(contents(tmp_path)) == {growing.name}


def test_a_side_that_grows_while_it_is_read_is_not_matched(clean, growing):
    answer = medpay("reconcile", clean, growing, "--recipe", "ledger", "--format", "json")
    assert (answer.exit_code, answer.json["complete"]) == (3, False)
    assert [(one["side"], one["code"]) for one in answer.json["counts"]] == [("platform", "F215")]


def test_a_side_that_is_another_one_when_it_is_read_again_is_not_matched(clean, tmp_path, monkeypatch):
    other = tmp_path / "other.txt"
    other.write_bytes(clean.read_bytes().replace(b"\t0\n", b"\t1\n", 1))
    real = screening.candidates

    def changed(*sides):
        with other.open("ab") as file:
            file.write(ledger(1, first=90_000))
        return real(*sides)

    monkeypatch.setattr(screening, "candidates", changed)
    answer = medpay("reconcile", clean, other, "--recipe", "ledger", "--format", "json")
    assert (answer.exit_code, answer.json["complete"]) == (3, False)
    assert [(one["side"], one["code"]) for one in answer.json["counts"]] == [("platform", "F215")]


def test_an_input_that_changes_after_it_was_judged_leaves_no_records(tmp_path, upload, monkeypatch):
    out, separate = tmp_path / "out", separating.separate
    out.mkdir()

    def late(*args):
        with upload.open("ab") as file:
            file.write(ledger(1, first=40))
        separate(*args)

    monkeypatch.setattr(separating, "separate", late)
    answer = medpay("validate", upload, *UPLOAD, "--accepted", out / "A", "--rejected", out / "R")
    assert (answer.exit_code in {3, 7}, contents(out)) == (True, {})
    assert str(upload) in answer.err
