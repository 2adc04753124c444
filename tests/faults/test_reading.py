"""A disk that fails under an input, an input that may not be read or is gone: exit 7, and the input is named."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import sys
import zipfile
from pathlib import Path

import pytest
from surroundings import UPLOAD, ledger, mortal, run

from medpay_cli.formats.archive import Input

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from medpay_command import medpay

# Nothing is mapped where it begins: it opens, and the first read fails.
BROKEN = Path("/proc/self/mem")
RECORDS = 2_000
# File → dialect.
FILES = {
    "a.txt": "nhsa-3202-upload",
    "a.gz": "nhsa-3202-upload",
    "a.zip": "nhsa-3202-upload",
    **{f"a.{form}": f"{form}:ledger_detail" for form in ("csv", "json", "ndjson", "xml", "xlsx", "parquet")},
}


class Failing(io.RawIOBase):
    """What a disk gives of a file before it fails."""

    def __init__(self, content: bytes, good: int) -> None:
        self._inside, self._good = io.BytesIO(content), good

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, *place: int) -> int:
        return self._inside.seek(*place)

    def tell(self) -> int:
        return self._inside.tell()

    def readinto(self, buffer) -> int:
        at = self._inside.tell()
        if at + len(buffer) > self._good:
            raise OSError(errno.EIO, "Input/output error")
        return self._inside.readinto(buffer)


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> Path:
    """The same kind of records in every format."""
    folder = tmp_path_factory.mktemp("samples")
    for name, dialect in FILES.items():
        plain = folder / ("a.txt" if dialect == "nhsa-3202-upload" else name)
        made = medpay("sample", "ledger_detail", "--records", RECORDS, "--seed", 1, "--dialect", dialect, "-o", plain)
        assert made.exit_code == 0, made.err
    content = (folder / "a.txt").read_bytes()
    (folder / "a.gz").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.txt", content)
    return folder


def unread(answer, code: int, name: object, reason: str) -> None:
    """Nothing on stdout, and one line that names the input."""
    advice = "check the file, the permissions and the disk"
    assert (answer.exit_code, answer.out) == (code, b"")
    assert answer.err == f"error: {name}: cannot be read ({reason}); {advice}\n"


@pytest.mark.parametrize("share", [0.0, 0.6], ids=["at once", "on the way"])
@pytest.mark.parametrize("name", FILES)
def test_a_disk_that_fails_under_an_input_is_7_and_names_it(samples, monkeypatch, name, share):
    real = Input._open

    @contextlib.contextmanager
    def failing(source: Input):
        with real(source) as stream:
            content = stream.read()
        yield io.BufferedReader(Failing(content, int(share * len(content))), 512)

    monkeypatch.setattr(Input, "_open", failing)
    unread(medpay("validate", samples / name, "--dialect", FILES[name]), 7, samples / name, "Input/output error")


@pytest.mark.skipif(not BROKEN.is_file(), reason="no /proc here")
@pytest.mark.parametrize("command", ["validate", "inspect", "reconcile"])
def test_a_file_that_opens_but_does_not_read_is_7(tmp_path, command):
    good = tmp_path / "good.txt"
    good.write_bytes(ledger(3))
    more = {"validate": UPLOAD, "inspect": (), "reconcile": (good, "--recipe", "ledger")}[command]
    unread(medpay(command, BROKEN, *more), 7, BROKEN, "Input/output error")


def test_an_input_that_vanishes_between_two_readings_is_7(tmp_path, monkeypatch):
    path = tmp_path / "upload.txt"
    path.write_bytes(ledger(3))
    real, opened = Input._open, []

    def vanishing(source: Input):
        if opened:
            path.unlink(missing_ok=True)
        opened.append(source)
        return real(source)

    monkeypatch.setattr(Input, "_open", vanishing)
    unread(medpay("validate", path, *UPLOAD), 7, path, "No such file or directory")


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "zip"])
def test_an_input_that_may_not_be_read_is_7(tmp_path, packed):
    path = tmp_path / ("upload.zip" if packed else "upload.txt")
    path.write_bytes(ledger(3))
    path.chmod(0)
    closed(("validate", path, *UPLOAD), path)


def test_an_input_in_a_folder_that_may_not_be_entered_is_7(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir()
    path = folder / "upload.txt"
    path.write_bytes(ledger(3))
    folder.chmod(0)
    try:
        closed(("validate", path, *UPLOAD), path)
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("option", ["--layout", "--dialect", "--totals", "--config"])
def test_a_file_of_settings_that_may_not_be_read_is_7(tmp_path, option):
    path, upload = tmp_path / ("own.json" if option == "--layout" else "own.toml"), tmp_path / "upload.txt"
    upload.write_bytes(ledger(3))
    path.write_text("", encoding="utf-8")
    path.chmod(0)
    words = {"--layout": UPLOAD, "--dialect": (), "--totals": UPLOAD, "--config": (*UPLOAD, "--partner", "x")}[option]
    closed(("validate", upload, *words, option, path), path)


def closed(words: tuple[object, ...], path: Path) -> None:
    """Exit 7 naming the path, for one who is not root."""
    done = mortal(*words)
    said = f"error: {path}: cannot be read (Permission denied); check the file, the permissions and the disk\n"
    assert (done.returncode, done.stdout, done.stderr.decode()) == (7, b"", said)


def test_a_folder_for_a_file_is_usage(tmp_path):
    upload = tmp_path / "upload.txt"
    upload.write_bytes(ledger(3))
    answer = medpay("validate", tmp_path, *UPLOAD)
    assert (answer.exit_code, answer.out) == (2, b"")
    assert answer.err == f"error: {tmp_path}: not a file; name a file, or archive.zip!/member\n"
    for option in ("--totals", "--config"):
        more = (*UPLOAD, option, tmp_path, *(("--partner", "x") if option == "--config" else ()))
        unread(medpay("validate", upload, *more), 2, tmp_path, "Is a directory")


@pytest.mark.skipif(not BROKEN.is_file(), reason="no /proc here")
def test_standard_input_that_cannot_be_read_is_7():
    with BROKEN.open("rb") as file:
        done = run("validate", "-", *UPLOAD, stdin=file)
    said = "error: -: cannot be read (Input/output error); check the file, the permissions and the disk\n"
    assert (done.returncode, done.stdout, done.stderr.decode()) == (7, b"", said)
