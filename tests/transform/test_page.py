"""docs/transform.md followed word for word: a mapping is added as data only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medpay_cli import config

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = ROOT / "docs" / "transform.md", ROOT / "docs" / "zh" / "转换.md"


def blocks(kind: str, page: Path = ENGLISH) -> list[str]:
    """The blocks of one kind on the page."""
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def followed(tmp_path):
    """The folder after every command of the page, and what each of them said."""
    shown = {
        "json": ["my_bill.json", "my_claim.json", "my_payment.json"],
        "toml": ["my_mapping.toml", "my_joined.toml"],
        "csv": ["bills.csv", "expected.csv", "payments.csv", "expected_joined.csv"],
    }
    for kind, names in shown.items():
        for name, content in zip(names, blocks(kind), strict=True):
            (tmp_path / name).write_text(content, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "medpay"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m medpay_cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    where = os.environ.get("PYTHONPATH", "")
    env = {
        **os.environ, "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}", "MEDPAY_LANG": "en",
        "PYTHONPATH": str(Path(where).resolve()) if where else "",
    }  # fmt: skip
    done = {}
    for line in (line for block in blocks("sh") for line in block.splitlines()):
        done[line] = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line], cwd=tmp_path, env=env, text=True, capture_output=True,
            check=False,
        )  # fmt: skip
    return tmp_path, done


def test_a_mapping_is_added_by_following_the_page(followed):
    folder, done = followed
    assert {line: (one.returncode, one.stderr) for line, one in done.items() if one.returncode or one.stderr} == {}
    coverage, stopped, accepted, _, many, joined = (one.stdout for one in done.values())
    assert "9: expression 5, code table 1, constant 1, given at the run 1, declared empty 1" in coverage
    assert "row 3 (line 4): kind kind: the table has no 急诊 (it has 门诊 | 住院)" in stopped
    assert stopped.splitlines()[-1].startswith("nothing is written: there are errors")
    assert (folder / "claims.csv").read_text(encoding="utf-8") == (folder / "expected.csv").read_text(encoding="utf-8")
    rejected = (folder / "claims.csv.rejected").read_text(encoding="utf-8").splitlines()
    assert rejected[1:] == ["B0000003,急诊,2,1,2.00,1"]
    assert re.search(r"^records +4 +2 +1 +1$", accepted, re.MULTILINE)
    assert re.search(r"^records +500 ", many, re.MULTILINE)
    assert "party institution: payment (bill_no) has 2 records of that key, wanted is 1" in joined
    assert re.search(r"^records +4 +2 +1 +1$", joined, re.MULTILINE)
    assert (folder / "joined.csv").read_text("utf-8") == (folder / "expected_joined.csv").read_text("utf-8")


def test_every_shipped_mapping_is_named_on_both_pages():
    for page in (ENGLISH, CHINESE):
        named = set(re.findall(r"`([a-z0-9-]+)`", page.read_text(encoding="utf-8")))
        assert set(config.names(config.MAPPING)) - named == set()


def test_both_pages_show_the_same_mapping():
    assert blocks("toml", CHINESE) == blocks("toml")
