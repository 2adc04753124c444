"""Whole processes, measured side by side: what every benchmark here has in common."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(tempfile.gettempdir()) / "medpay-bench"
# The figures of docs/performance.md; `tests/docs/test_performance.py` makes the page and a section of the README of it.
FIGURES = Path(__file__).parents[2] / "docs" / "performance.json"


def python(program, *arguments):
    """The command that runs a program text."""
    return [sys.executable, "-c", program, *map(str, arguments)]


# A process inherits the peak of the one that starts it, and ours has made the files: a small one starts it instead.
STARTER = """
import os, resource, sys, time
out, *command = sys.argv[1:]
begun = time.perf_counter()
opened = [(os.POSIX_SPAWN_OPEN, 1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
_, status = os.waitpid(os.posix_spawnp(command[0], command, os.environ, file_actions=opened), 0)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = time.perf_counter() - begun
print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))
"""


def measured(command, permitted=(0,), out=os.devnull):
    """Seconds, CPU seconds and peak MiB (of itself or its largest child) of one process, from its start to its end;
    what it says goes to `out`."""
    told = subprocess.run(python(STARTER, out, *command), check=True, capture_output=True, text=True).stdout.split()
    *figures, status = map(float, told)
    if int(status) not in permitted:
        raise SystemExit(f"failed: {command}")
    return figures


def medians(commands, runs, permitted=(0,), made=()):
    """Median seconds, CPU seconds and peak of each command, run in turn; what they have `made` is removed before."""
    found = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            for path in made:
                path.unlink(missing_ok=True)
            found[name].append(measured(command, permitted))
    return {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}


def compared(title, commands, runs, made=()):
    """Run the commands in turn, the first once more to warm up, and print their medians beside the last one's.

    Findings and differences (exit 1) are no failure.
    """
    measured(next(iter(commands.values())), (0, 1))
    found = medians(commands, runs, (0, 1), made)
    base = found[list(commands)[-1]][0]
    for name, (wall, cpu, peak) in found.items():
        print(f"{title:<24} {name:<16} {wall:7.2f} s {cpu:7.2f} s cpu {peak:7.0f} MiB {wall / base:6.2f} x")


def asked(**sizes):
    """--runs, --folder (which exists then), and the sizes with their defaults."""
    parser = argparse.ArgumentParser()
    for name, default in sizes.items():
        several = {"nargs": "*"} if isinstance(default, list) else {}
        parser.add_argument(f"--{name}", type=int, default=default, **several)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    found = parser.parse_args()
    found.folder.mkdir(parents=True, exist_ok=True)
    return found


def kept(table, title, rows):
    """Put a table into FIGURES in place of the one before: for each name, what it was given (records), and its seconds,
    CPU seconds and peak MiB."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    named = (version(name) for name in ("polars", "duckdb"))
    figures[table] = {
        "title": title,
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} CPUs, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') >> 30} GiB",
        "software": f"Python {platform.python_version()}, Polars {next(named)}, DuckDB {next(named)}",
        "rows": [
            {"name": name, "records": records, "seconds": round(wall, 2), "cpu": round(cpu, 2), "MiB": round(peak)}
            for name, (records, (wall, cpu, peak)) in rows.items()
        ],
    }
    FIGURES.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
