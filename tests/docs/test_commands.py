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


def test_a_layout_and_a_dialect_of_ones_own_need_no_python(tmp_path):
    """The page docs/layouts.md, followed word for word."""
    page = ROOT / "docs" / "layouts.md"
    (tmp_path / "my_bill.json").write_text(blocks(page, "json")[0], encoding="utf-8")
    (tmp_path / "my_bill.toml").write_text(blocks(page, "toml")[0], encoding="utf-8")
    (tmp_path / "bills.txt").write_text("B000001|P1|2024-01-31|12.50\nB000002|null|2024-02-30|1e3\n", encoding="utf-8")
    (command,) = blocks(page)
    done = run(command.strip() + " --format csv", tmp_path)
    found = [line.split(",")[0::7][:2] for line in done.stdout.splitlines()[1:]]
    assert done.returncode == 1
    assert [(code, field) for code, field in found] == [("L103", "bill_date"), ("L102", "medfee_sumamt")]
