"""Exit codes that a scheduler relies on, whatever happens to the pipe, the disk or the program."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

GOOD = "S1\tM1\tP1\t1.00\t0.00\t0.00\t0\n"
BAD = "S2\tM2\tP2\t1.005\t0.00\t0.00\t0\n"
FULL = Path("/dev/full")
MEDPAY = [sys.executable, "-m", "medpay_cli"]


@pytest.fixture
def upload(tmp_path):
    path = tmp_path / "upload.txt"
    path.write_text(GOOD + BAD * 3)
    return path


def run(*arguments, **options):
    return subprocess.run([*MEDPAY, *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def test_a_closed_pipe_is_141_and_not_findings(tmp_path):
    path = tmp_path / "big.txt"
    path.write_text(BAD * 200_000)
    command = f"{sys.executable} -m medpay_cli validate {path} --dialect nhsa-3202-upload --format ndjson"
    shell = command + " | head -1 >/dev/null; exit ${PIPESTATUS[0]}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("form", ["text", "json", "ndjson", "csv"])
def test_a_full_disk_is_7(upload, form):
    with FULL.open("w") as full:
        done = subprocess.run(
            [*MEDPAY, "validate", upload, "--dialect", "nhsa-3202-upload", "--format", form],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 7
    assert "cannot be written" in done.stderr


def test_a_missing_output_folder_is_usage(upload):
    done = run("validate", upload, "--dialect", "nhsa-3202-upload", "--output", "json:nowhere/out.json", "--lang", "zh")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere/out.json：无法写入" in done.stderr


def test_outputs_are_private_and_whole(upload, tmp_path):
    target = tmp_path / "out.json"
    run("validate", upload, "--dialect", "nhsa-3202-upload", "--output", f"json:{target}")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_usage_is_2_with_the_cure_in_both_languages(upload):
    english, chinese = (
        run("validate", upload, "--dialect", "nhsa-3202-uplod", "--lang", lang) for lang in ("en", "zh")
    )
    assert (english.returncode, chinese.returncode) == (2, 2)
    assert "near: nhsa-3202-upload" in english.stderr
    assert "相近的有：nhsa-3202-upload" in chinese.stderr


def test_an_unknown_option_is_2():
    assert run("validate", "x", "--nonsense").returncode == 2


def test_a_bug_is_70_and_its_log_holds_no_value(upload, tmp_path):
    program = (
        "import medpay_cli.judging as j\n"
        "def broken(*_, **__): raise RuntimeError('P0001 sec' + 'ret')\n"
        "j.Desk.work = broken\n"
        "from medpay_cli.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "validate", upload, "--dialect", "nhsa-3202-upload"],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    logs = list(tmp_path.glob("medpay-*.log"))
    assert (done.returncode, done.stdout, len(logs)) == (70, "", 1)
    assert "secret" not in done.stderr + logs[0].read_text()


def listens(process, number):
    """Whether it has a handler for a signal, as Linux tells."""
    caught = Path(f"/proc/{process.pid}/status").read_text().split("SigCgt:")[1].split()[0]
    return int(caught, 16) >> (number - 1) & 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_leaves_nothing_behind(tmp_path, number, code):
    path, target = tmp_path / "in.txt", tmp_path / "out.ndjson"
    path.write_text(BAD * 1_500_000)
    process = subprocess.Popen(
        [*MEDPAY, "validate", path, "--dialect", "nhsa-3202-upload", "--output", f"ndjson:{target}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    # On a busy machine it may take a while until it listens at all.
    while not all(listens(process, one) for one in (signal.SIGTERM, signal.SIGHUP)):
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    assert process.wait(timeout=60) == code
    assert sorted(one.name for one in tmp_path.iterdir()) == ["in.txt"]


@pytest.mark.parametrize("amount", ["1_0", "１", " 1", "1e2", "-1", "NaN", ".5", ""])
def test_a_tolerance_is_a_plain_amount(upload, amount):
    done = run("reconcile", upload, upload, "--recipe", "ledger", "--tolerance", f"acct_pay={amount}", "--lang", "en")
    assert (done.returncode, done.stderr) == (2, f"error: --tolerance 'acct_pay={amount}': write it as COL=AMOUNT\n")
