"""The pages about rules: their lists are made from the rules, what they show works; `tox -e gen` writes them anew."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "rules"))
from record_cases import broken, profile, recorded

from medpay_cli import config, rules, waivers
from medpay_cli.rules import sentences, together

ROOT = Path(__file__).parents[2]
DOCS = {"en": ROOT / "docs" / "rules.md", "zh": ROOT / "docs" / "zh" / "规则.md"}
LABELS = tomllib.loads((ROOT / "docs" / "labels-of-reference.toml").read_text(encoding="utf-8"))
MAP = ROOT / "docs" / "rules-map.md"
REFERENCE = Path(os.environ.get("MEDPAY_CORPUS", "-")).parent / "reference"
PAGES = {code: config.load(config.RULE, code) for code in config.names(config.RULE) if code[0] in "CB"}
HEADS = {"en": ("code", "severity", "what is wrong", "source"), "zh": ("代码", "级别", "问题", "依据")}
SEVERITY = {"en": {"error": "error", "warning": "warning"}, "zh": {"error": "错误", "warning": "警告"}}
KIND_HEADS = {"en": ("KIND", "records", "rules"), "zh": ("种类", "记录", "规则")}


def table(heads, rows):
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows))


def listed(lang):
    rows = [
        (code, SEVERITY[lang][page["severity"]], page["title"][lang], page["source"]) for code, page in PAGES.items()
    ]
    return table(HEADS[lang], rows)


def against(lang):
    """The files that records are held against, and by which rules."""
    every = together.all_rules()
    other = {kind for one in every for kind in list(one.kinds)[1:]}
    named = {kind for kinds in together.AGAINST.values() for kind in kinds}
    kinds = {**together.AGAINST, **{kind: (kind,) for kind in sorted(other - named)}}
    rows = []
    for name, of in kinds.items():
        codes = sorted({one.code for one in every if set(list(one.kinds)[1:]) & set(of)})
        if codes:
            rows.append((f"`{name}`", ", ".join(f"`{kind}`" for kind in of), ", ".join(codes)))
    return table(KIND_HEADS[lang], rows)


MADE = {"list": listed, "against": against}


def made(lang):
    """A page with its made parts as they should be."""
    text = DOCS[lang].read_text(encoding="utf-8")
    for name, make in MADE.items():
        block = f"<!-- made: {name} -->\n{make(lang)}\n<!-- end -->"
        text = re.sub(rf"<!-- made: {name} -->\n.*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
    return text


def mapped():
    """The page of the labels."""
    rows = [
        (label, row["about"], ", ".join(row.get("codes", ())), LABELS["reasons"].get(row.get("reason"), ""))
        for label, row in LABELS["labels"].items()
    ]
    about = (
        "Made from docs/labels-of-reference.toml. A: relations between the amounts of settlements, K: of claims, "
        "W: what goes wrong in price files, PRC: prices, PAY: payment, CAT: catalogues, AUD: audits, COM: commercial "
        "insurance, FMT: formats, MON: money.\nA reason beside codes says what of the label is not built."
    )
    heads = ("label", "what it says", "found by", "not built, because")
    return f"# What the reference asks for\n\n{about}\n\n{table(heads, rows)}\n"


@pytest.mark.parametrize("lang", DOCS)
def test_the_lists_are_those_of_the_rules(lang):
    assert DOCS[lang].read_text(encoding="utf-8") == made(lang)


def test_the_map_is_that_of_the_table():
    assert MAP.read_text(encoding="utf-8") == mapped()


def test_every_code_of_a_label_exists_and_every_reason_is_given():
    known = set(config.names(config.RULE))
    for label, row in LABELS["labels"].items():
        assert set(row) <= {"about", "codes", "reason"}, label
        assert row.get("codes") or row.get("reason"), label
        assert set(row.get("codes", ())) <= known, label
        assert row.get("reason", "policy") in LABELS["reasons"], label
    assert {row.get("reason") for row in LABELS["labels"].values()} - {None} == set(LABELS["reasons"])


def test_every_rule_that_a_page_traces_to_a_label_stands_there():
    for code, page in PAGES.items():
        for label in re.findall(r"\b(?:PRC|PAY|CAT|AUD|COM|FMT|MON)-[0-9]{3}\b|\b[AK][0-9]{1,2}\b", page["source"]):
            assert code in LABELS["labels"][label].get("codes", ()), (code, label)


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference is not here")
def test_every_label_of_the_reference_has_a_row():
    policies = json.loads((REFERENCE / "policy.json").read_text(encoding="utf-8"))
    notes = (REFERENCE / "price-notes.md").read_text(encoding="utf-8")
    texts = "".join(path.read_text(encoding="utf-8") for path in REFERENCE.iterdir())
    labels = {one["id"] for one in policies["rules"]}
    labels |= set(re.findall(r"^\| (W[0-9]{2}) \|", notes, re.MULTILINE))
    labels |= set(re.findall(r"\b(?:PRC|PAY|CAT|AUD|COM|FMT|MON)-[0-9]{3}\b", texts))
    relations = {label for label in LABELS["labels"] if label[0] in "AK" and "-" not in label}
    assert labels == set(LABELS["labels"]) - relations
    assert len(labels) == 112


def blocks(kind):
    """The indented blocks of the recipe, in order."""
    text = DOCS["en"].read_text(encoding="utf-8").split("## Add a rule")[1]
    found = re.findall(rf"^   ```{kind}\n(.*?)^   ```", text, re.MULTILINE | re.DOTALL)
    return [re.sub("^   ", "", block, flags=re.MULTILINE) for block in found]


def test_the_recipe_of_a_rule_works(monkeypatch):
    rules.all_rules()
    monkeypatch.setattr(rules, "_RULES", [])
    (code,), (page, cases) = blocks("python"), map(tomllib.loads, blocks("toml"))
    exec(code, {"rule": rules.rule, "Sentence": rules.Sentence, "at_most": sentences.at_most})  # noqa: S102
    assert all(set(page[part]) == {"zh", "en"} for part in ("title", "message", "why", "fix"))
    example = page["example"]
    assert broken("C299", example["layout"], example["record"])[0] == [(example["field"], example["expected"])]
    assert broken("C299", example["layout"], example["record"] | example["right"]) == ([], {})
    for case in cases["case"]:
        layout, record, said = recorded(cases, case)
        unjudged = {"C299": case["unjudged"]} if "unjudged" in case else {}
        assert broken("C299", layout, record, profile(said)) == (list(case.get("found", {}).items()), unjudged)


@pytest.mark.parametrize("lang", DOCS)
def test_the_settings_that_the_pages_show_are_taken(tmp_path, lang):
    text = DOCS[lang].read_text(encoding="utf-8")
    partner, waived = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    config.check(tomllib.loads(partner), "config.schema.json", lang)
    (tmp_path / "waivers.toml").write_text(waived, encoding="utf-8")
    assert [one.code for one in waivers.load(tmp_path / "waivers.toml")] == ["C203"]
    said = tomllib.loads(partner)["partners"]["east"]["conventions"]
    schema = json.loads((ROOT / "schemas" / "config.schema.json").read_text(encoding="utf-8"))
    known = schema["properties"]["partners"]["additionalProperties"]["properties"]["conventions"]["properties"]
    assert said.keys() == known.keys()


def test_every_link_leads_to_a_file():
    for path in (*DOCS.values(), MAP):
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).is_file(), (path.name, link)


if __name__ == "__main__":
    for lang, path in DOCS.items():
        path.write_text(made(lang), encoding="utf-8")
    MAP.write_text(mapped(), encoding="utf-8")
