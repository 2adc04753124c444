"""The same input gives the same bytes, wherever, whenever and by whomever it is read."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from surroundings import MEDPAY, UPLOAD, contents, ledger, run, surrounded

# Locale → (definition, character map): built for the test, because few machines have them.
LOCALES = {
    "zh_CN.GB18030": ("zh_CN", "GB18030"),
    "tr_TR.UTF-8": ("tr_TR", "UTF-8"),
    "ar_EG": ("ar_EG", "ISO-8859-6"),
}
BARE = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SURROUNDINGS = {
    "again": {},
    "C": {"LC_ALL": "C"},
    "POSIX without UTF-8": BARE,
    **{name: {"LC_ALL": name} for name in LOCALES},
    "Shanghai": {"TZ": "Asia/Shanghai"},
    "New York": {"TZ": "America/New_York"},
    "no such time zone": {"TZ": "Nowhere/Never"},
    "no buffer": {"PYTHONUNBUFFERED": "1"},
    "another hash seed": {"PYTHONHASHSEED": "7"},
    "one thread": {"POLARS_MAX_THREADS": "1"},
}
MASKS = {"umask 000": 0o000, "umask 077": 0o077}
# Big enough for several batches at once, and findings of several kinds.
LEDGER = ledger(30_000, every=7)


@dataclass(frozen=True)
class Left:
    """What a command left behind."""

    exit_code: int
    out: bytes
    err: bytes
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def locales(tmp_path_factory) -> Path:
    """A folder of locales."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        return folder
    for name, (definition, charmap) in LOCALES.items():
        subprocess.run(["localedef", "-i", definition, "-f", charmap, folder / name], capture_output=True, check=False)
    return folder


def left(folder: Path, words: tuple[str, ...], environment: dict[str, str], umask: int = -1) -> Left:
    """Run in a folder, and take away what was written."""
    (folder / "out").mkdir()
    done = run(*words, cwd=folder, environment=environment, umask=umask)
    files = contents(folder / "out")
    shutil.rmtree(folder / "out")
    return Left(done.returncode, done.stdout, done.stderr, files)


def everywhere(folder: Path, words: tuple[str, ...], locales: Path) -> tuple[Left, list[str]]:
    """What a command leaves here, and in which surroundings it leaves anything else."""
    here = left(folder, words, {})
    different = [
        name for name, environment in SURROUNDINGS.items()
        if left(folder, words, {"LOCPATH": str(locales), **environment}) != here
    ]  # fmt: skip
    different += [name for name, mask in MASKS.items() if left(folder, words, {}, mask) != here]
    return here, different


OUTPUTS = [word for form in ("text", "json", "ndjson", "csv") for word in ("--output", f"{form}:out/report.{form}")]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_validation_is_the_same_everywhere(tmp_path, locales, lang):
    (tmp_path / "in.txt").write_bytes(LEDGER)
    words = ("validate", "in.txt", *UPLOAD, "--accepted", "out/A", "--rejected", "out/R", *OUTPUTS, "--lang", lang)
    here, different = everywhere(tmp_path, words, locales)
    assert (here.exit_code, here.err, len(here.files), different) == (1, b"", 7, [])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_reconciliation_is_the_same_everywhere(tmp_path, locales, lang):
    (tmp_path / "ours.txt").write_bytes(ledger(20_000))
    (tmp_path / "theirs.txt").write_bytes(ledger(20_000, first=10_000))
    words = ("reconcile", "ours.txt", "theirs.txt", "--recipe", "ledger", "--output-dir", "out", "--lang", lang)
    here, different = everywhere(tmp_path, words, locales)
    assert (here.exit_code, here.err, different) == (1, b"", [])
    assert {"summary.json", "differences.csv", "differences.parquet"} <= set(here.files)


@pytest.mark.parametrize(
    "words", [("explain", "F101"), ("list", "rules"), ("validate", "nothing.txt", *UPLOAD)], ids=str
)
def test_chinese_words_reach_a_terminal_in_every_locale(tmp_path, locales, words):
    here, different = everywhere(tmp_path, (*words, "--lang", "zh"), locales)
    assert here.exit_code in {0, 2}
    assert different == []


NAMES = {"结算.txt".encode(): "结算.txt", b"\xbd\xe1\xcb\xe3.txt": None}


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C"}, BARE, {"LC_ALL": "zh_CN.GB18030"}], ids=str)
@pytest.mark.parametrize("name", NAMES, ids=["a name in UTF-8", "a name in GB18030"])
def test_a_file_with_a_chinese_name_is_judged_in_every_locale(tmp_path, locales, name, environment):
    path = os.fsencode(tmp_path) + b"/" + name
    with open(path, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(ledger(3))
    for form in ("text", "json", "ndjson", "csv"):
        done = subprocess.run(
            [*MEDPAY, "validate", path, *UPLOAD, "--format", form], capture_output=True, check=False,
            env=surrounded({"LOCPATH": str(locales), **environment}),
        )  # fmt: skip
        assert (form, done.returncode, done.stderr) == (form, 0, b"")
        done.stdout.decode()


def watched(words: tuple[object, ...], folder: Path) -> tuple[int, bytes]:
    """Run a command whose stderr is a terminal, and say what was shown there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*MEDPAY, *map(str, words)], cwd=folder, env=surrounded(), stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while block := os.read(ours, 1 << 16):
                shown += block
        except OSError:
            pass  # what a terminal says when its last writer has left
        finally:
            os.close(ours)
        return process.wait(), shown


CLEANED = b"\r\x1b[K"


def test_progress_is_shown_to_a_terminal_and_wiped_away(tmp_path):
    (tmp_path / "in.txt").write_bytes(LEDGER)
    code, shown = watched(("validate", "in.txt", *UPLOAD), tmp_path)
    assert code == 1
    counted, wiped, after = shown.rpartition(CLEANED)
    assert (wiped, after) == (CLEANED, b"")
    assert counted.startswith(b"\r")
    assert counted.strip().replace(b",", b"").split()[-1].isdigit()


def test_progress_is_wiped_before_an_error_is_said(tmp_path):
    (tmp_path / "in.txt").write_bytes(LEDGER)
    code, shown = watched(("validate", "in.txt", *UPLOAD, "--output", "json:nowhere/F"), tmp_path)
    progress, wiped, said = shown.rpartition(CLEANED)
    assert (code, wiped) == (2, CLEANED)
    assert said.startswith(b"error: nowhere/F: ")


def test_nothing_is_shown_where_nobody_looks(tmp_path):
    (tmp_path / "in.txt").write_bytes(LEDGER)
    for words in (("validate", "in.txt"), ("validate", "in.txt", "--format", "json")):
        assert run(*words, *UPLOAD, cwd=tmp_path).stderr == b""
    done = run("reconcile", "in.txt", "in.txt", "--recipe", "ledger", cwd=tmp_path)
    assert done.stderr == b""
