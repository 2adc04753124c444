"""Repeated keys are counted by the matching where that tells the same as findings on their records would."""

import json
import re

import ledger_day
import pytest
from click.testing import CliRunner

from medpay_cli import sides
from medpay_cli.cli.reconcile_ import command
from medpay_cli.desk import Desk


def summary(*words, code):
    """What is printed in JSON."""
    ran = CliRunner().invoke(
        command, [*map(str, words), "--recipe", "ledger", "--format", "json"], standalone_mode=False
    )
    assert (ran.exception, ran.return_value) == (None, code)
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("day")
    return ledger_day.make(2_000, seed=3, differences=0.5).write(folder)


@pytest.fixture
def told(monkeypatch):
    """How often findings on repeated keys were made."""
    made = []
    real = Desk.reject_repeated
    monkeypatch.setattr(Desk, "reject_repeated", lambda self, *of: made.append(of[0]) or real(self, *of))
    return made


def test_the_counts_are_those_of_findings_and_no_record_is_read_for_them(day, monkeypatch, engine, told):
    counted = summary(*day, "--engine", engine, code=1)
    assert told == []
    monkeypatch.setattr(sides, "_are_matched_alike", lambda *_: False)
    found = summary(*day, "--engine", engine, code=1)
    assert told == ["B101", "B101"]
    assert counted["counts"] == found["counts"]
    assert [row["count"] > 0 for row in counted["counts"] if row["code"] == "B101"] == [True, True]


def test_a_record_that_cannot_be_read_is_counted_with_its_key(tmp_path, told):
    """The matching does not see it: then there are findings, as many as in a side that is not matched at all."""
    line = "\t".join(("A", "M", "P", "12.50", "10.00", "2.50", "0"))
    broken = line.replace("12.50", "12.5O")
    for name, lines in (("ours", [line, broken]), ("theirs", [line, line.replace("A", "B", 1)])):
        (tmp_path / name).write_text("".join(f"{one}\n" for one in lines))
    words = (tmp_path / "ours", tmp_path / "theirs")
    matched = summary(*words, "--accepted-only", code=1)
    unmatched = summary(*words, code=3)
    assert matched["counts"] == unmatched["counts"]
    assert {row["code"]: row["count"] for row in matched["counts"]}["B101"] == 2
    assert told == ["B101", "B101"]


def test_a_side_that_is_not_matched_names_its_repeated_keys(tmp_path, told):
    line = "\t".join(("A", "M", "P", "12.50", "10.00", "2.50", "0"))
    (tmp_path / "ours").write_text(f"{line}\n{line}\n")
    (tmp_path / "theirs").write_text(f"{line}\n")
    words = [str(tmp_path / "ours"), str(tmp_path / "theirs"), "--expect", "theirs:records=2", "--lang", "en"]
    ran = CliRunner().invoke(command, [*words, "--recipe", "ledger"], standalone_mode=False)
    assert ran.return_value == 3
    assert re.search(r"B101\b", ran.output)
    assert told == ["B101"]
