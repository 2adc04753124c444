"""A report shows an outcome: one function per format, found by the outcome's kind and the format's name."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    from medpay_cli.messages import Language


@dataclass(frozen=True)
class Style:
    """How to show it: language, limits, and whether a person's data may be seen."""

    lang: Language
    max_shown: int = 5
    max_json: int = 1000
    show_values: bool = False
    color: bool = False
    width: int = 100


class Paper(Protocol):
    """What a report for people is told to, in the order in which it is read: a terminal, or a page of HTML."""

    def title(self, text: str) -> None:
        """A section begins."""

    def line(self, text: str = "") -> None:
        """A line of text; an empty one ends a section."""

    def item(self, text: str) -> None:
        """One of several things below a title."""

    def remark(self, text: str) -> None:
        """What to know of the things below a title."""

    def note(self, label: str, text: str) -> None:
        """The same, with what it is about before it."""

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1) -> None:
        """A table; the first `left` columns are text, the others numbers."""

    def verdict(self, text: str, level: str) -> None:
        """What it comes to: `good`, `bad` or `unknown`."""


def write(outcome: Any, name: str, out: BinaryIO, style: Style) -> None:
    """Write `outcome` to `out` in the format `name`."""
    module, function = REPORTS[type(outcome).__name__][name]
    getattr(importlib.import_module(f"medpay_cli.reports.{module}"), function)(outcome, out, style)


# The kind of an outcome → format → module and function; what writes workbooks is slow to load.
REPORTS = {
    "Outcome": {
        "text": ("text", "validation"),
        "json": ("machine", "validation_json"),
        "ndjson": ("machine", "validation_ndjson"),
        "csv": ("machine", "validation_csv"),
        "parquet": ("columns", "validation"),
        "why": ("machine", "why"),
        "sarif": ("sarif", "validation"),
        "junit": ("junit", "validation"),
        "github": ("github", "validation"),
        "html": ("html", "validation"),
        "xlsx": ("workbook", "validation"),
    },
    "Inspection": {"text": ("inspection", "text"), "json": ("inspection", "to_json")},
    "Transformation": {"text": ("transformation", "text"), "json": ("transformation", "to_json")},
    "Reconciliation": {
        "text": ("statement_text", "reconciliation"),
        "json": ("statement", "to_json"),
        "html": ("html", "reconciliation"),
        "xlsx": ("workbook", "reconciliation"),
    },
}
