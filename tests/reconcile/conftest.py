"""The engines that every recipe case runs on."""

import importlib.util
import os
import shutil

import pytest

MISSING = {
    "polars": None,
    "duckdb": None if importlib.util.find_spec("duckdb") else "duckdb is not installed",
    "spark": (
        "pyspark is not installed" if not importlib.util.find_spec("pyspark")
        else None if shutil.which("java") or os.environ.get("JAVA_HOME") else "Spark needs Java, which is not installed"
    ),
}  # fmt: skip


@pytest.fixture(params=MISSING, scope="module")
def engine(request):
    """The name of an engine."""
    return present(request.param)


def present(name):
    """The same name; where the engine is not there the test is skipped, but never in CI."""
    if MISSING[name]:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING[name])
    return name
