"""`medpay explain` shows an example of a finding; it is what the command finds, and the corrected one is right."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from case_files import named, write
from medpay_command import codes, judged, medpay

from medpay_cli import config
from medpay_cli.rules import together

PAGES = {code: config.load(config.RULE, code) for code in config.names(config.RULE)}
EXAMPLES = {code: page["example"] for code, page in PAGES.items() if "example" in page}
# Of a rule about several kinds those of its example.
KINDS = {one.code: tuple(one.kinds) for one in together.all_rules() if one.at in EXAMPLES.get(one.code, {})}
# Faults of files and formats that no sample plants yet, and what only a comparison or a partner shows.
WITHOUT = {
    "B102", "B201", "B901", "B902",
    "D101", "D102", "D103", "D104", "D105",
    "F103", "F105", "F109", "F110", "F111", "F112", "F113", "F114", "F115", "F116", "F117", "F118", "F119",
    "F202", "F203", "F204", "F209", "F210", "F211", "F212", "F213", "F214", "F215", "F216", "F217", "F218", "F219",
    "F220",
    "L105", "L107", "L109", "L110",
}  # fmt: skip


def found(folder, code, example, tables):
    """Row and text of what a rule finds in the tables of an example."""
    at, *others = KINDS[code]
    paths = {kind: write(folder, kind, tables[kind]) for kind in KINDS[code]}
    (folder / "medpay.toml").write_text(f"[partners.p]\n{example.get('partner', '')}\n", encoding="utf-8")
    document = judged(
        paths[at], "--layout", at, "--dialect", f"csv:{at}", "--config", folder / "medpay.toml", "--partner", "p",
        *(text for kind in others for text in ("--against", f"{named(kind)}={paths[kind]}")), "--select", f"F,L,{code}",
    )  # fmt: skip
    assert document["not_judged"] == []
    return [(one["row"], one["field"], one["expected"]) for one in document["findings"]]


@pytest.mark.parametrize("code", KINDS)
def test_the_example_of_a_rule_about_several_records_is_what_it_finds(tmp_path, code):
    example = EXAMPLES[code]
    told = found(tmp_path, code, example, example)
    assert told[0] == (example["row"], example["field"], example["expected"])
    assert {text for _, _, text in told} == {example["expected"]}


@pytest.mark.parametrize("code", KINDS)
def test_the_corrected_tables_are_right(tmp_path, code):
    example = EXAMPLES[code]
    assert found(tmp_path, code, example, example | example["right"]) == []


@pytest.mark.parametrize("code", [code for code, example in EXAMPLES.items() if "sample" in example])
def test_what_to_try_has_the_finding(tmp_path, monkeypatch, code):
    monkeypatch.chdir(tmp_path)
    page = medpay("explain", code, "--lang", "en").out.decode()
    commands = [shlex.split(line.split("medpay ")[1]) for line in page.splitlines() if "medpay " in line]
    sample, validate = (command for command in commands if command[0] in ("sample", "validate"))
    assert medpay(*sample).exit_code == 0
    assert code in codes(judged(*validate[1:]))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_code_explains_itself_and_shows_its_example(lang):
    for code, page in PAGES.items():
        answer = medpay("explain", code, "--lang", lang)
        text = answer.out.decode()
        assert (answer.exit_code, answer.err) == (0, "")
        assert text.startswith(f"{code} {page['title'][lang]}")
        example = page.get("example", {})
        assert ("broken.txt" in text) == ("sample" in example)
        assert ("  -> " in text) == ("expected" in example)
        told = page["message"][lang].split("{expected}")[0].rsplit("}", 1)[-1]
        assert "  -> " not in text or told in text.split("  -> ")[1]


def test_every_rule_about_several_records_has_an_example():
    assert KINDS.keys() == {one.code for one in together.all_rules()}


def test_the_codes_without_an_example_are_known():
    assert PAGES.keys() - EXAMPLES.keys() == WITHOUT


def test_an_example_reads_as_a_report_does():
    assert (
        medpay("explain", "B315", "--lang", "en")
        .out.decode()
        .endswith(
            "example:\n"
            "  commercial_claim_line\n"
            "    claim_no,line_no\n"
            "    CL1,1\n"
            "    CL1,3\n"
            "  -> row 1: line_no line control number: numbers must be 1..2\n"
            "corrected:\n"
            "  commercial_claim_line\n"
            "    claim_no,line_no\n"
            "    CL1,1\n"
            "    CL1,2\n"
        )
    )
