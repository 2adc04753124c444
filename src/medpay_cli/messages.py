"""The words we say, in Chinese and English, from `schemas/messages.toml`.

Codes, keys, numbers and exit codes never depend on the language.
"""

from __future__ import annotations

import os
import tomllib
import unicodedata
from functools import cache
from typing import Literal, cast

from medpay_cli import files

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def language(asked: str | None = None) -> Language:
    """The language of this run: asked for, else MEDPAY_LANG, else the locale (zh* is Chinese), else English."""
    for name in (asked, os.environ.get("MEDPAY_LANG")):
        if name in LANGUAGES:
            return name
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"


def text(key: str, lang: Language, **values: object) -> str:
    """The sentence `key` with its placeholders filled; a missing key is a bug and raises KeyError."""
    return catalogue()[key][lang].format(**values)


@cache
def labels(lang: Language) -> dict[str, str]:
    """The words of text reports in one language, from `schemas/labels.toml`."""
    with (files.schemas() / "labels.toml").open("rb") as file:
        return {key: words[lang] for key, words in tomllib.load(file).items()}


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Every sentence: key → language → text."""
    with (files.schemas() / "messages.toml").open("rb") as file:
        return cast("dict[str, dict[str, str]]", tomllib.load(file))


def wide(text: str) -> int:
    """How many letters wide a text is shown: a Han character takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
