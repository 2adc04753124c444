"""Every command that the documents show is run here; the two set-up commands are run by `.ci/run`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "docs" / "zh" / "快速开始.md"
SET_UP = "python3 -m venv .venv && "


def blocks(path, kind="sh"):
    return re.findall(rf"^```{kind}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run(script, folder):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env={**os.environ, "PATH": path}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=lambda page: page.name)
def test_the_commands_of_the_first_page_work(page, tmp_path):
    assert run("medpay demo demo", tmp_path).returncode == 0
    commands = [line for block in blocks(page) for line in block.splitlines() if not line.startswith(SET_UP)]
    assert len(commands) >= 9
    codes = {command: run(command, tmp_path).returncode for command in commands}
    assert {command: code for command, code in codes.items() if code not in (0, 1)} == {}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "differences.csv",
        "differences.parquet",
        "report.html",
        "report.xlsx",
        "summary.json",
    ]


def test_both_pages_set_up_with_the_same_two_commands():
    english, chinese = ([block for block in blocks(page) if block.startswith(SET_UP)] for page in (ENGLISH, CHINESE))
    assert english == chinese
    assert len(english) == 2


def test_both_pages_name_the_same_exit_codes():
    english, chinese = (
        [re.findall("[0-9]+", row) for row in re.findall(r"^\| ([0-9、, ]+) \|", page.read_text("utf-8"), re.MULTILINE)]
        for page in (ENGLISH, CHINESE)
    )
    assert english == chinese


LAYOUTS = ROOT / "docs" / "layouts.md"


@pytest.fixture
def followed(tmp_path):
    """The page docs/layouts.md, followed word for word: what each of its commands said."""
    shown = {
        "json": ["my_bill.json"],
        "toml": [
            *("my_bill.toml", "prices.toml", "prices_xlsx.toml", "notice.toml"),
            *("control.toml", "fixed.toml", "medpay.toml"),
        ],
        "csv": ["partner.csv", "prices.csv", "anhui.csv"],
        "text": ["control.txt", "fixed.txt"],
    }
    for kind, names in shown.items():
        for name, content in zip(names, blocks(LAYOUTS, kind), strict=True):
            (tmp_path / name).write_text(content, encoding="utf-8")
    commands = [line for block in blocks(LAYOUTS) for line in block.splitlines()]
    return {command: run(command, tmp_path) for command in commands}, tmp_path


def test_every_command_about_layouts_and_dialects_works(followed):
    done, _ = followed
    assert len(done) == 19
    assert {command: (one.returncode, one.stderr) for command, one in done.items() if one.returncode} == {}


def test_a_partner_s_file_is_judged_as_the_page_says(followed):
    done, folder = followed
    (lines,) = [one.stdout.splitlines() for command, one in done.items() if " february.csv --dialect" in command]
    assert lines[0] == "L103 wrong format (error 1)"
    assert "  records 4, accepted 3, rejected 1" in lines
    assert (folder / "february.csv").read_bytes() == (folder / "partner.csv").read_text("utf-8").encode("gb18030")


def test_the_accepted_and_rejected_bills_are_the_sample(followed):
    _, folder = followed
    lines = [(folder / name).read_bytes().splitlines() for name in ("good.csv", "bad.csv", "broken.csv")]
    good, bad, whole = ([line for line in one if line.startswith(b"B")] for one in lines)
    assert sorted(good + bad) == sorted(whole)
    assert len(whole) - len(good) >= 4
