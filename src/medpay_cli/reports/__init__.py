"""A report shows an outcome: one function per format, found by the outcome's kind and the format's name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

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


def write(outcome: Any, name: str, out: BinaryIO, style: Style) -> None:
    """Write `outcome` to `out` in the format `name`."""
    _table(type(outcome).__name__)[name](outcome, out, style)


def _table(kind: str) -> dict[str, Callable[[Any, BinaryIO, Style], None]]:
    from medpay_cli.reports import columns, inspection, machine, statement, statement_text, text

    reports: dict[str, dict[str, Callable[[Any, BinaryIO, Style], None]]] = {
        "Outcome": {
            "text": text.validation,
            "json": machine.validation_json,
            "ndjson": machine.validation_ndjson,
            "csv": machine.validation_csv,
            "parquet": columns.validation,
            "why": machine.why,
        },
        "Inspection": {"text": inspection.text, "json": inspection.to_json},
        "Reconciliation": {"text": statement_text.reconciliation, "json": statement.to_json},
    }
    return reports[kind]
