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
    """The name of an engine; where it is not there the test is skipped, but never in CI."""
    reason = MISSING[request.param]
    if reason:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return request.param
