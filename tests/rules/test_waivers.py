"""Who answers for which findings: what a waiver covers, what it cannot, and when it ends."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from case_files import write
from medpay_command import medpay

LINES = "claim_no,line_no\nC1,1\nC1,3\n"
WAIVER = '[[waivers]]\ncode = "B315"\nreason = "line 2 is on its way"\nowner = "wang"\nuntil = {until}\n{more}\n'


def judged(folder, until="2026-12-31", more="", as_of="2026-11-25"):
    path = write(folder, "commercial_claim_line", LINES)
    (folder / "w.toml").write_text(WAIVER.format(until=until, more=more), encoding="utf-8")
    return medpay(
        "validate", path, "--dialect", "csv:commercial_claim_line", "--select", "B315", "--waivers", folder / "w.toml",
        "--as-of", as_of, "--fail-on", "warning", "--format", "json",
    )  # fmt: skip


def found(answer):
    return answer.exit_code, [(one["code"], one["severity"]) for one in answer.json["counts"]]


@pytest.mark.parametrize("more", ["", 'key = { claim_no = "C1" }', 'field = "line_no"', 'file = "commercial*.csv"'])
def test_what_somebody_answers_for_is_counted_and_fails_nothing(tmp_path, more):
    assert found(judged(tmp_path, more=more)) == (0, [("B315", "waived")])


@pytest.mark.parametrize(
    "more", ['key = { claim_no = "C2" }', 'key = { spec = "" }', 'field = "spec"', 'file = "other*.csv"']
)
def test_what_nobody_answers_for_stays_what_it_is(tmp_path, more):
    assert found(judged(tmp_path, more=more)) == (1, [("B315", "warning")])


@pytest.mark.parametrize(("as_of", "is_over"), [("2026-12-31", False), ("2027-01-01", True)])
def test_a_waiver_holds_on_its_last_day_and_no_longer(tmp_path, as_of, is_over):
    code, counts = found(judged(tmp_path, as_of=as_of))
    assert (code, ("B315", "warning") in counts) == (int(is_over), is_over)


@pytest.mark.parametrize("until", ['"soon"', "2026-12-31T10:00:00", "7"])
def test_a_last_day_that_is_none_is_refused_by_name(tmp_path, until):
    answer = judged(tmp_path, until=until)
    assert (answer.exit_code, "waivers/0/until" in answer.err) == (2, True)


@pytest.mark.parametrize("code", ["F101", "L103", "B201"])
def test_what_cannot_be_read_cannot_be_waived(tmp_path, code):
    path = write(tmp_path, "commercial_claim_line", LINES)
    (tmp_path / "w.toml").write_text(WAIVER.format(until="2026-12-31", more="").replace("B315", code), encoding="utf-8")
    answer = medpay("validate", path, "--dialect", "csv:commercial_claim_line", "--waivers", tmp_path / "w.toml")
    assert (answer.exit_code, f"{code} cannot be waived" in answer.err) == (2, True)
