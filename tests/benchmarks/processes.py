"""Whole processes, measured side by side: what every benchmark here has in common."""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.gettempdir()) / "medpay-bench"


def python(program, *arguments):
    """The command that runs a program text."""
    return [sys.executable, "-c", program, *map(str, arguments)]


# A process inherits the peak of the one that starts it, and ours has made the files: a small one starts it instead.
STARTER = """
import os, sys, time
begun = time.perf_counter()
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent), 0)
print(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
      os.waitstatus_to_exitcode(status))
"""


def measured(command, permitted=(0,)):
    """Seconds, CPU seconds and peak MiB of one process, from its start to its end."""
    told = subprocess.run(python(STARTER, *command), check=True, capture_output=True, text=True).stdout.split()
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
