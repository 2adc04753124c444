"""Run `medpay` in a process of its own, in surroundings that a test chooses, and look at all that it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MEDPAY = (sys.executable, "-m", "medpay_cli")
UPLOAD = ("--dialect", "nhsa-3202-upload")
# What takes from root the right that makes a closed folder an open one.
MORTAL = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
# Set by whoever runs the tests, and no part of the surroundings under test unless a test sets it.
ELSEWHERE = (
    "LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LANGUAGE", "TZ", "PYTHONUTF8", "PYTHONCOERCECLOCALE",
    "PYTHONIOENCODING", "PYTHONUNBUFFERED", "NO_COLOR", "TERM", "COLUMNS",
)  # fmt: skip


def run(*args: object, environment: dict[str, str] | None = None, **options) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, in English unless the environment or an option says otherwise."""
    options = {"capture_output": True, "timeout": 300, "env": surrounded(environment), **options}
    return subprocess.run([*MEDPAY, *map(str, args)], check=False, **options)


def mortal(*words: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command as somebody to whom a closed file or folder is closed."""
    if os.geteuid() != 0:
        return run(*words)
    able = subprocess.run([*MORTAL, "true"], capture_output=True, check=False)
    if able.returncode:
        pytest.skip(f"root cannot lay down its rights here: {able.stderr.decode().strip()}")
    return subprocess.run(
        [*MORTAL, *MEDPAY, *map(str, words)], capture_output=True, check=False, env=surrounded(), timeout=60
    )


def surrounded(environment: dict[str, str] | None = None) -> dict[str, str]:
    """Our own environment without its language, time zone and terminal, and with what is given."""
    own = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return {**own, "MEDPAY_LANG": "en", **(environment or {})}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def ledger(records: int, *, every: int = 0, bad: str = "1.005", first: int = 0) -> bytes:
    """A 3202 upload of invented settlements; every n-th has an amount that is none."""
    return "".join(
        f"S{row:08}\tM{row}\tP{row % 997}\t{bad if every and row % every == 0 else f'{row}.00'}\t0.00\t0.00\t0\n"
        for row in range(first, first + records)
    ).encode()
