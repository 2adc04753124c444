"""docs/batches.md followed word for word."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from small import medpay
from test_page import blocks

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = ROOT / "docs" / "batches.md", ROOT / "docs" / "zh" / "批次.md"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder with the files that the page shows."""
    for kind, name in (("toml", "my_bill.toml"), ("json", "my_bill.json"), ("csv", "bills.csv")):
        [content] = blocks(kind, ENGLISH)
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_page_works(folder):
    said = {}
    for line in (line for block in blocks("sh", ENGLISH) for line in block.splitlines()):
        word, *rest = shlex.split(line)
        if word == "mkdir":
            Path(*rest).mkdir()
        else:
            assert word == "medpay"
            said[line] = medpay(*rest)
    assert {line: (one.exit_code, one.err) for line, one in said.items() if one.exit_code} == {}
    assert sorted(path.name for path in Path("sent").iterdir()) == [
        ".medpay-batches", "B7.manifest", "BILL_H1_20240131_B7_001.txt", "BILL_H1_20240131_B7_002.txt",
    ]  # fmt: skip
    assert Path("whole.csv").read_text() == Path("bills.csv").read_text()


def test_rejected_records_are_corrected_and_sent_under_another_number(folder):
    wrong = "H|20240131|B6|3|107.48\nB0001|H1|100.00\nB0002|H1|7.505\nB0003|H1|7.48\n"
    Path("b6.txt").write_text(wrong)
    Path("sent").mkdir()
    answer = medpay(
        "validate", "b6.txt", "--dialect", "my_bill.toml", "--totals", "none", "--rejected", "bad.txt", "--accepted",
        "good.txt", "--ack", "ack.csv",
    )  # fmt: skip
    assert answer.exit_code == 1
    assert Path("bad.txt").read_text() == "H|20240131|B6|1|0.00\nB0002|H1|7.505\n"
    assert Path("good.txt").read_text() == "H|20240131|B6|2|107.48\nB0001|H1|100.00\nB0003|H1|7.48\n"
    Path("bad.txt").write_text("H|20240131|B6|1|7.50\nB0002|H1|7.50\n")
    assert medpay("validate", "bad.txt", "--dialect", "my_bill.toml", "--totals", "none").exit_code == 0
    answer = medpay(
        "transform", "bad.txt", "--mapping", "identity", "--dialect", "my_bill.toml", "--to-dialect", "my_bill.toml",
        "--totals", "none", "-o", "sent", "--batch-no", "B8", "--set", "sender_code=H1", "--set", "acct_date=20240201",
    )  # fmt: skip
    assert answer.exit_code == 0
    assert Path("sent/BILL_H1_20240201_B8_001.txt").read_text() == "H|20240201|B8|1|7.50\nB0002|H1|7.50\n"


def test_both_pages_show_the_same_dialect():
    assert blocks("toml", ENGLISH) == blocks("toml", CHINESE)
