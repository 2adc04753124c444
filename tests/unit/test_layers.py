"""Imports point downwards only; heavy libraries stay where they belong."""

import ast
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "medpay_cli"
# From the top; a module may import modules of lower rows, and of its own row only in the last.
ROWS = (
    {"__main__"},
    {"cli"},
    {"transform"},
    {"validate", "reconcile", "inspection", "pages", "fieldpages", "published", "sampling"},
    {"pairing", "answers"},
    {"acknowledging", "recognition", "separating", "sides"},
    {"batches"},
    {"manifests"},
    {"evidence", "examples", "judging", "mappings", "recipes", "reports"},
    {"desk"},
    {"checks", "matching", "formats", "control", "parts", "rules"},
    {"screening", "repeats", "engines", "sieves"},
    {"layouts", "dialects", "money", "identifiers", "characters"},
    {
        "batchfiles",
        "findings",
        "config",
        "files",
        "partners",
        "waivers",
        "fingerprints",
        "frames",
        "parallel",
        "messages",
        "errors",
    },
)
LEVEL = {name: number for number, row in enumerate(ROWS) for name in row}
ONLY_IN = {
    "click": {"cli"},
    "rich": {"reports.console"},
    "narwhals": {"matching"},
    "numpy": {
        "answers",
        "characters",
        "desk",
        "fingerprints",
        "formats",
        "judging",
        "repeats",
        "screening",
        "separating",
        "sides",
        "transform",
    },
    "lxml": {
        "formats.xlsx.sheets",
        "formats.xlsx.workbook",
        "formats.xml.document",
        "formats.xml.records",
        "formats.xml.xsd",
    },
    "xlsxwriter": {"formats.xlsx.writing"},
    "duckdb": {"engines"},
    "pyspark": {"engines"},
    "fastexcel": set(),
    "jsonschema": {"config"},
}


@cache
def modules():
    """Every module with its tree, by name."""
    return dict(_parsed())


def _parsed():
    for path in sorted(SRC.rglob("*.py")):
        name = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "medpay_cli":
                yield from (f"medpay_cli.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("name", [name for name in modules() if name != "__init__"])
def test_imports_point_downwards(name):
    tree = modules()[name]
    here = name.split(".")[0]
    others = {
        parts[1] for parts in (one.split(".") for one in imported(tree)) if parts[0] == "medpay_cli" and parts[1:]
    }
    upwards = {
        other
        for other in others - {here, "__version__"}
        if LEVEL[other] < LEVEL[here] or (LEVEL[other] == LEVEL[here] != len(ROWS) - 1)
    }
    assert upwards == set()


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_stays_in_its_modules(library):
    users = {name for name, tree in modules().items() if library in {one.split(".")[0] for one in imported(tree)}}
    assert {
        user for user in users if user not in ONLY_IN[library] and user.split(".")[0] not in ONLY_IN[library]
    } == set()


def test_every_module_has_a_row():
    assert {name.split(".")[0] for name in modules()} - {"__init__"} == set(LEVEL)
