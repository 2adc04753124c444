"""The command line starts without the libraries that the work needs."""

import subprocess
import sys

import pytest

HEAVY = ("polars", "numpy", "narwhals", "rich", "jsonschema", "lxml", "medpay_cli.reports", "medpay_cli.judging")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["validate", "--help"],
        ["reconcile", "--help"],
        ["demo", "--help"],
        ["sample", "--help"],
    ],
)
def test_help_imports_nothing_heavy(arguments):
    program = (
        "import sys; from medpay_cli.cli import cli\n"
        f"try: cli.main({arguments!r})\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["validate", "reconcile", "list", "show", "explain", "demo", "sample"])
def test_every_help_starts_with_an_example(command):
    done = subprocess.run(
        [sys.executable, "-m", "medpay_cli", command, "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n\n")[1].strip().startswith("Example: medpay ")
