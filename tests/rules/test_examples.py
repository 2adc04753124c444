"""`medpay explain` shows an example of a finding; it is what the command finds, and the corrected one is right."""

from __future__ import annotations

import csv
import shlex
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
import example_files
from case_files import named, write
from medpay_command import codes, judged, medpay

from medpay_cli import config
from medpay_cli.rules import together

PAGES = {code: config.load(config.RULE, code) for code in config.names(config.RULE)}
EXAMPLES = {code: page["example"] for code, page in PAGES.items() if "example" in page}
# Of a rule about several kinds those of its example.
KINDS = {one.code: tuple(one.kinds) for one in together.all_rules() if one.at in EXAMPLES.get(one.code, {})}
# Those that are files and a command.
RUNS = {code: example for code, example in EXAMPLES.items() if "run" in example}
# What no file shows, and why.
WITHOUT = {"F215": "it takes another program that writes meanwhile: test_outcomes.py, test_together_cases.py"}


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
        assert ("  -> " in text) == (bool(example) and "sample" not in example)
        told = page["message"][lang].split("{expected}")[0].rsplit("}", 1)[-1]
        assert "  -> " not in text or told in text.split("  -> ")[1]


def after(folder, monkeypatch, files, run):
    """The exit code of a command over these files, and every finding it tells of; of a comparison every key that is not
    matched, under the class."""
    monkeypatch.chdir(folder)
    example_files.write(folder, files)
    words = shlex.split(run)
    answer = medpay(*words, "--format", "json", *(["--output-dir", "out"] if words[0] == "reconcile" else []))
    assert answer.err == ""
    told = [one for part in ("", "source", "target") for one in answer.json.get(part, answer.json).get("findings", [])]
    if words[0] == "reconcile":
        told = [{"code": one["code"], "side": one["side"], "field": one["field"]} for one in answer.json["counts"]]
        with (folder / "out" / "differences.csv").open(encoding="utf-8") as file:
            told += [{"code": CLASSES[one["class"]], "value": one["no"]} for one in csv.DictReader(file)]
    return answer.exit_code, told


CLASSES = {page["source"].removeprefix("reconcile, class "): code for code, page in PAGES.items() if code[0] == "D"}
SAID = ("side", "row", "field", "value", "expected")


@pytest.mark.parametrize("code", RUNS)
def test_the_example_of_files_is_what_is_found_in_them(tmp_path, monkeypatch, code):
    example = RUNS[code]
    exit_code, told = after(tmp_path, monkeypatch, example["files"], example["run"])
    found = {name: text for name, text in example["found"].items() if name != "also"}
    assert found in [{name: one[name] for name in SAID if one.get(name)} for one in told if one["code"] == code]
    assert {one["code"] for one in told} == {code, *example["found"].get("also", ())}
    assert (exit_code == 0) == (PAGES[code]["severity"] == "warning")


@pytest.mark.parametrize("code", RUNS)
def test_the_corrected_files_are_right(tmp_path, monkeypatch, code):
    example, right = RUNS[code], RUNS[code]["right"]
    files = example["files"] | right.get("files", {})
    assert right.keys() <= {"files", "run"}
    assert right.get("files", {}).keys() <= example["files"].keys()
    assert after(tmp_path, monkeypatch, files, right.get("run", example["run"])) == (0, [])


def test_every_rule_about_several_records_has_an_example():
    assert KINDS.keys() == {one.code for one in together.all_rules()}


def test_the_codes_without_an_example_are_known():
    assert PAGES.keys() - EXAMPLES.keys() == WITHOUT.keys()


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


@pytest.mark.parametrize(
    ("code", "lang", "text"),
    [
        (
            "F213", "en",
            "example: medpay validate day.txt --dialect ended.toml\n"
            "  ended.toml\n"
            '    title = { zh = "自定", en = "own" }\n'
            '    layout = "ledger_detail"\n'
            '    format = "delimited"\n'
            '    encoding = "utf-8"\n'
            '    delimiter = ","\n'
            "    final_line_end = true\n"
            "  day.txt\n"
            "    S1,V1,P1,100.00,60.00,25.00,0,\\n\n"
            "    S2,V2,P2,20.00,20.00,0.00,0,\n"
            "  -> the last line has no end, which this dialect requires: the file may be cut off\n"
            "corrected:\n"
            "  day.txt\n"
            "    S1,V1,P1,100.00,60.00,25.00,0,\n"
            "    S2,V2,P2,20.00,20.00,0.00,0,\n",
        ),
        (
            "F109", "zh",
            "示例: medpay validate day.txt --dialect nhsa-3202-upload\n"
            "  day.txt\n"
            "    S1\\tV1\\tP\\uFFFD1\\t100.00\\t60.00\\t25.00\\t0\n"
            "  -> 第 1 条: psn_no 人员编号：'P\uFFFD1' 含有替换字符，原文已丢失\n"
            "改正:\n"
            "  day.txt\n"
            "    S1\\tV1\\tP1\\t100.00\\t60.00\\t25.00\\t0\n",
        ),
        (
            "F209", "en",
            "example: medpay validate day.zip --dialect nhsa-3202-upload\n"
            "  day.zip\n"
            "    day.zip\n"
            "      day.txt\n"
            "        S1\\tV1\\tP1\\t100.00\\t60.00\\t25.00\\t0\n"
            "  -> archive refused: day.zip: archive inside (limit -)\n"
            "corrected:\n"
            "  day.zip\n"
            "    day.txt\n"
            "      S1\\tV1\\tP1\\t100.00\\t60.00\\t25.00\\t0\n",
        ),
    ],
)  # fmt: skip
def test_an_example_of_files_shows_what_cannot_be_seen(code, lang, text):
    assert medpay("explain", code, "--lang", lang).out.decode().endswith(f"\n{text}")
