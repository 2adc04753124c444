"""Every rule about several records by the command itself: its cases are tables in `fixtures/rules`."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from case_files import CASES, completed, named, write
from medpay_command import judged, medpay

from medpay_cli import config
from medpay_cli.rules import together

RULES: dict[str, list[together.Together]] = {}
for each in together.all_rules():
    RULES.setdefault(each.code, []).append(each)
FILES = {code: CASES / f"{code}.toml" for code in RULES}
FOUND = {code: tomllib.loads(path.read_text(encoding="utf-8")) for code, path in FILES.items() if path.is_file()}


def stated():
    for code, file in FOUND.items():
        for case in file["case"]:
            yield pytest.param(code, case, id=f"{code}: {case['is']}")


@pytest.mark.parametrize(("code", "case"), list(stated()))
def test_the_cases_of_a_rule(tmp_path, code, case):
    one = next(rule for rule in RULES[code] if rule.at in case)
    paths = {kind: write(tmp_path, kind, case[kind]) for kind in one.kinds if kind in case}
    against = [text for kind in paths if kind != one.at for text in ("--against", f"{named(kind)}={paths[kind]}")]
    partner = []
    if "partner" in case:
        (tmp_path / "medpay.toml").write_text(f"[partners.p]\n{case['partner']}\n", encoding="utf-8")
        partner = ["--config", tmp_path / "medpay.toml", "--partner", "p"]
    document = judged(
        paths[one.at], "--layout", one.at, "--dialect", f"csv:{one.at}", *against, *partner, "--select", f"F,L,{code}"
    )
    found = [(each["row"], each["expected"]) for each in document["findings"] if each["code"] == code]
    assert found == [tuple(pair) for pair in case.get("found", [])]
    assert {each["field"] for each in document["findings"] if each["code"] == code} <= {one.field}
    assert sorted({each["code"] for each in document["findings"]} - {code}) == case.get("also", [])
    lacking = [each.get("records", each["missing"]) for each in document["not_judged"] if each["code"] == code]
    assert lacking == case.get("not_judged", [])
    level = config.load(config.RULE, code)["severity"]
    assert document["exit_code"] == int(bool("also" in case or ("found" in case and level == "error")))


@pytest.mark.parametrize("code", RULES)
def test_every_rule_has_cases_of_each_sort(code):
    cases = FOUND[code]["case"]
    one = RULES[code][0]
    assert {rule.at for rule in RULES[code]} <= {kind for case in cases for kind in case}
    assert any("found" in case for case in cases)
    assert any("found" not in case and "not_judged" not in case for case in cases)
    assert any("also" in case for case in cases), "no case of a value that its layout refuses"
    if len(one.kinds) > 1:
        assert any(case.get("not_judged") and not set(one.kinds) <= set(case) for case in cases), "no missing kind"


NESTED = """
title = { zh = "就诊与明细", en = "visits and their lines" }
format = "json"
[nodes.visit]
path = "/visits"
layout = "visit"
repeated = true
[nodes.line]
path = "/lines"
layout = "fee_line"
repeated = true
"""


def test_a_fee_is_not_judged_where_a_visit_of_its_message_does_not_say_when_it_begins(tmp_path):
    visits = "mdtrt_id,begntime\nV1,2026-03-02 08:00:00\nV1,\nV2,\n"
    lines = (
        "mdtrt_id,fee_ocur_time\nV1,2026-03-01 08:00:00\nV1,2026-03-02 00:00:00\nV2,2026-03-01 08:00:00\n"
        "V3,2026-03-01 08:00:00\n"
    )
    message = {"visits": completed("visit", visits), "lines": completed("fee_line", lines)}
    (tmp_path / "own.toml").write_text(NESTED, encoding="utf-8")
    (tmp_path / "day.json").write_text(json.dumps(message), encoding="utf-8")
    document = judged(tmp_path / "day.json", "--dialect", tmp_path / "own.toml", "--select", "L,B322")
    assert {one["code"] for one in document["findings"]} == {"L101"}
    assert document["not_judged"] == [{"code": "B322", "missing": [], "records": 2}]


def test_a_file_that_changes_before_its_wrong_records_are_read_again_is_not_judged(tmp_path, monkeypatch):
    path = write(tmp_path, "commercial_claim_line", "claim_no,line_no\nC1,2\n")
    told = together.judged

    def changing(*given):
        path.write_bytes(path.read_bytes() + b"\n")
        return told(*given)

    monkeypatch.setattr(together, "judged", changing)
    answer = medpay("validate", path, "--dialect", "csv:commercial_claim_line", "--select", "B315", "--format", "json")
    assert (answer.exit_code, [one["code"] for one in answer.json["findings"]]) == (3, ["F215"])
