"""What people read, letter by letter; `tox -e gen` writes the files anew, a person reads the difference."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "fixtures" / "golden"
BROKEN = ["validate", "broken.txt", "--dialect", "nhsa-3202-upload"]
CASES = {
    "validate-broken.en.txt": BROKEN,
    "validate-broken.zh.txt": [*BROKEN, "--lang", "zh"],
    "validate-broken.json": [*BROKEN, "--format", "json"],
    "validate-broken.csv": [*BROKEN, "--format", "csv"],
    "validate-broken.sarif": [*BROKEN, "--format", "sarif"],
    "validate-broken.junit.xml": [*BROKEN, "--format", "junit"],
    "validate-broken.github.zh.txt": [*BROKEN, "--format", "github", "--lang", "zh"],
    "validate-result.zh.txt": ["validate", "result.txt", "--dialect", "nhsa-3202-result", "--lang", "zh"],
    "reconcile-ledger.en.txt": ["reconcile", "hospital.txt", "platform.txt", "--recipe", "ledger"],
    "reconcile-ledger.zh.txt": ["reconcile", "hospital.txt", "platform.txt", "--recipe", "ledger", "--lang", "zh"],
    "reconcile-ledger.json": ["reconcile", "hospital.txt", "platform.txt", "--recipe", "ledger", "--format", "json"],
    "show-layout.zh.txt": ["show", "layout", "ledger_result", "--lang", "zh"],
    "inspect-result.zh.txt": ["inspect", "result.txt", "--lang", "zh"],
    "inspect-broken.en.txt": ["inspect", "broken.txt"],
    "inspect-result.json": ["inspect", "result.txt", "--format", "json"],
    "validate-structure.zh.txt": ["validate", "broken.txt", "--layout", "none", "--lang", "zh"],
    "explain.en.txt": ["explain", "L103"],
}


def produced(arguments):
    command = [sys.executable, "-m", "medpay_cli", *arguments]
    place = ROOT / "schemas" / "demo"
    done = subprocess.run(command, cwd=place, capture_output=True, check=False, env={"PATH": "", "LANG": "C"})
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", CASES)
def test_the_output_is_the_golden_file(name):
    assert produced(CASES[name]).decode() == (GOLDEN / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    for name, arguments in CASES.items():
        (GOLDEN / name).write_bytes(produced(arguments))
