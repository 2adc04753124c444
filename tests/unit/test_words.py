"""Every text exists in Chinese and English, with the same placeholders; every code has its page."""

import re
import tomllib
from pathlib import Path

import pytest

from medpay_cli import checks, config, files, findings, layouts, messages

ROOT = Path(__file__).parents[2]
SCHEMAS = files.schemas()
PLACES = re.compile(r"\{[a-z]+\}")


def bilingual():
    for path in (SCHEMAS / "messages.toml", SCHEMAS / "labels.toml"):
        for key, texts in tomllib.loads(path.read_text(encoding="utf-8")).items():
            yield f"{path.name}:{key}", texts
    for code in config.names(config.RULE):
        for part in ("title", "message", "why", "fix"):
            yield f"{code}:{part}", findings.rule(code)[part]


@pytest.mark.parametrize(("key", "texts"), list(bilingual()), ids=lambda value: str(value)[:30])
def test_both_languages_say_the_same(key, texts):
    assert set(texts) == set(messages.LANGUAGES)
    assert sorted(PLACES.findall(texts["zh"])) == sorted(PLACES.findall(texts["en"]))


def test_every_finding_code_in_the_program_has_a_page_and_every_page_is_used():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    used = set(re.findall(r'"([FLCBPM][0-9]{3})"', source))
    pages = {code for code in config.names(config.RULE) if not code.startswith("D")}
    assert used == pages


def test_every_error_key_in_the_program_has_a_text():
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    used = set(re.findall(r'(?:MedpayError|StorageError|InternalError)\(\s*"([a-z_]+)"', source))
    assert used <= set(messages.catalogue())
    assert used >= {"unknown_name", "tie_out", "cannot_write"}


def test_message_templates_use_only_what_a_finding_knows():
    for code in config.names(config.RULE):
        places = set(PLACES.findall(findings.rule(code)["message"]["en"]))
        assert places <= {"{field}", "{title}", "{value}", "{expected}", "{line}"}


def test_every_keyword_has_a_code_of_its_own():
    assert set(checks.KEYWORDS) | {"required", "x-open-codes"} == set(checks.CODES)
    assert len(set(checks.CODES.values())) == len(checks.CODES)
    assert set(layouts.ASSERTIONS) == set(checks.KEYWORDS)


@pytest.mark.parametrize("kind", [config.LAYOUT, config.DIALECT, config.RECIPE], ids=lambda kind: kind.name)
def test_shipped_files_keep_to_their_schema(kind):
    for name in config.names(kind):
        config.check(config.parse(config.locate(kind, name)), kind.schema, name)


@pytest.mark.parametrize(
    ("asked", "environment", "expected"),
    [
        ("zh", {"MEDPAY_LANG": "en"}, "zh"),
        (None, {"MEDPAY_LANG": "zh", "LANG": "en_US.UTF-8"}, "zh"),
        (None, {"LC_ALL": "zh_CN.GB18030", "LANG": "C"}, "zh"),
        (None, {"LC_MESSAGES": "zh_TW"}, "zh"),
        (None, {"LANG": "tr_TR.UTF-8"}, "en"),
        (None, {}, "en"),
    ],
)
def test_the_language_follows_option_then_variable_then_locale(monkeypatch, asked, environment, expected):
    for name in ("MEDPAY_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert messages.language(asked) == expected
