"""The same input gives the same bytes, wherever, whenever and by whomever it is read."""

from __future__ import annotations

import fcntl
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
# Name → environment and umask; each differs from here in several ways at once.
SURROUNDINGS = {
    "again": ({}, -1),
    "C": ({"LC_ALL": "C", "PYTHONUNBUFFERED": "1"}, -1),
    "POSIX without UTF-8": ({**BARE, "PYTHONHASHSEED": "7"}, 0o022),
    "zh_CN.GB18030": ({"LC_ALL": "zh_CN.GB18030", "TZ": "Asia/Shanghai"}, 0o000),
    "tr_TR.UTF-8": ({"LC_ALL": "tr_TR.UTF-8", "TZ": "America/New_York"}, 0o077),
    "ar_EG": ({"LC_ALL": "ar_EG", "TZ": "Nowhere/Never", "POLARS_MAX_THREADS": "1"}, -1),
}
LEDGER = ledger(12_000, every=7)
LANGUAGES = ["zh", pytest.param("en", marks=pytest.mark.full)]


@dataclass(frozen=True)
class Left:
    """What a command left behind."""

    exit_code: int
    out: bytes
    err: bytes
    files: dict[str, bytes]


@pytest.fixture(scope="session")
def locales(tmp_path_factory) -> Path:
    """A folder of locales, built once for all workers; without `localedef` the names mean C, as on most machines."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "locales"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, (definition, charmap) in LOCALES.items():
            if shutil.which("localedef") and not (folder / name).exists():
                built = ["localedef", "-i", definition, "-f", charmap, folder / name]
                subprocess.run(built, capture_output=True, check=False)
    return folder


def left(folder: Path, words: tuple[str, ...], environment: dict[str, str], umask: int) -> Left:
    """Run in a folder, and take away what was written."""
    (folder / "out").mkdir()
    done = run(*words, cwd=folder, environment=environment, umask=umask)
    files = contents(folder / "out")
    shutil.rmtree(folder / "out")
    return Left(done.returncode, done.stdout, done.stderr, files)


def everywhere(folder: Path, words: tuple[str, ...], locales: Path) -> tuple[Left, list[str]]:
    """What a command leaves here, and in which surroundings it leaves anything else."""
    here = left(folder, words, {}, -1)
    there = {
        name: left(folder, words, {"LOCPATH": str(locales), **environment}, umask)
        for name, (environment, umask) in SURROUNDINGS.items()
    }
    return here, [name for name, made in there.items() if made != here]


FORMS = ("text", "json", "ndjson", "csv", "parquet")
OUTPUTS = [word for form in FORMS for word in ("--output", f"{form}:out/report.{form}")]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_validation_is_the_same_everywhere(tmp_path, locales, lang):
    (tmp_path / "in.txt").write_bytes(LEDGER)
    words = ("validate", "in.txt", *UPLOAD, "--accepted", "out/A", "--rejected", "out/R", *OUTPUTS, "--lang", lang)
    here, different = everywhere(tmp_path, words, locales)
    assert (here.exit_code, here.err, len(here.files), different) == (1, b"", 8, [])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_reconciliation_is_the_same_everywhere(tmp_path, locales, lang):
    (tmp_path / "ours.txt").write_bytes(ledger(8_000))
    (tmp_path / "theirs.txt").write_bytes(ledger(8_000, first=4_000))
    words = ("reconcile", "ours.txt", "theirs.txt", "--recipe", "ledger", "--output-dir", "out", "--lang", lang)
    here, different = everywhere(tmp_path, words, locales)
    assert (here.exit_code, here.err, different) == (1, b"", [])
    assert {"summary.json", "differences.csv", "differences.parquet"} <= set(here.files)


SAID = {
    "a page": (("explain", "F101"), 0),
    "an error": (("validate", "nothing.txt", *UPLOAD), 2),
}


@pytest.mark.parametrize("name", SAID)
def test_chinese_is_said_in_the_characters_of_a_chinese_locale(tmp_path, locales, name):
    words, code = SAID[name]
    if not (locales / "zh_CN.GB18030").exists():
        pytest.skip("no localedef here to build zh_CN.GB18030 with")
    chinese = {"LC_ALL": "zh_CN.GB18030", "LOCPATH": str(locales), "PYTHONUTF8": "0"}
    here, there = (run(*words, "--lang", "zh", cwd=tmp_path, environment=one) for one in ({}, chinese))
    assert (here.returncode, there.returncode) == (code, code)
    assert (there.stdout.decode("gb18030"), there.stderr.decode("gb18030")) == (
        here.stdout.decode(), here.stderr.decode()
    )  # fmt: skip


@pytest.mark.parametrize("name", ["a page", "an error"])
def test_where_chinese_cannot_be_said_the_exit_code_is_the_same(tmp_path, name):
    words, code = SAID[name]
    done = run(*words, "--lang", "zh", cwd=tmp_path, environment={**BARE, "PYTHONIOENCODING": "iso-8859-6",
                                                                 "TMPDIR": str(tmp_path)})  # fmt: skip
    assert done.returncode == code


HERE, CHINA = {}, {"LC_ALL": "zh_CN.GB18030", "PYTHONUTF8": "0"}


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        pytest.param("结算.txt".encode(), HERE, id="UTF-8 here"),
        pytest.param("结算.txt".encode(), {"LC_ALL": "C"}, id="UTF-8 in C"),
        pytest.param("结算.txt".encode(), BARE, id="UTF-8 in POSIX without UTF-8"),
        pytest.param("结算.txt".encode("gb18030"), CHINA, id="GB18030 in China"),
        pytest.param("结算.txt".encode("gb18030"), HERE, id="GB18030 here"),
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_file_with_a_chinese_name_is_judged_in_every_locale(tmp_path, locales, name, environment, form):
    if environment is CHINA and not (locales / "zh_CN.GB18030").exists():
        pytest.skip("no localedef here to build zh_CN.GB18030 with")
    path = os.fsencode(tmp_path) + b"/" + name
    with open(path, "wb") as file:  # noqa: PTH123 - pathlib takes no bytes
        file.write(ledger(3))
    done = subprocess.run(
        [*MEDPAY, "validate", path, *UPLOAD, "--format", form], capture_output=True, check=False,
        env=surrounded({"LOCPATH": str(locales), "TMPDIR": str(tmp_path), **environment}),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
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
    code, shown = watched(("validate", "in.txt", *UPLOAD, "--output", "json:."), tmp_path)
    _, wiped, said = shown.rpartition(CLEANED)
    assert (code, wiped) == (2, CLEANED)
    assert said.startswith(b"error: .: ")


def test_nothing_is_shown_where_nobody_looks(tmp_path):
    (tmp_path / "in.txt").write_bytes(LEDGER)
    for words in (("validate", "in.txt"), ("validate", "in.txt", "--format", "json")):
        assert run(*words, *UPLOAD, cwd=tmp_path).stderr == b""
    done = run("reconcile", "in.txt", "in.txt", "--recipe", "ledger", cwd=tmp_path)
    assert done.stderr == b""
