"""Killed at any moment, a command leaves every target as it was or whole; the next run is as if nothing had been."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from surroundings import MEDPAY, UPLOAD, contents, ledger, run, surrounded

RECORDS = 100_000
OLD = b"what stood here before\n"
KILLED = -9


@dataclass(frozen=True)
class Command:
    """A command that writes, run in the folder of its inputs; its targets are below `out`."""

    words: tuple[str, ...]
    targets: tuple[str, ...]
    inputs: dict[str, bytes]
    code: int = 1


def validate() -> Command:
    return Command(
        ("validate", "in.txt", *UPLOAD, "--accepted", "out/A", "--rejected", "out/R", "--output", "ndjson:out/F"),
        ("A", "R", "R.why.csv", "F"),
        {"in.txt": ledger(RECORDS, every=4)},
    )


def reconcile() -> Command:
    return Command(
        ("reconcile", "ours.txt", "theirs.txt", "--recipe", "ledger", "--output-dir", "out"),
        ("summary.json", "differences.csv", "differences.parquet", "report.html", "report.xlsx"),
        {"ours.txt": ledger(RECORDS), "theirs.txt": ledger(RECORDS, first=RECORDS // 10)},
    )


def transform() -> Command:
    words = ("transform", "in.txt", *UPLOAD, "--mapping", "identity", "-o", "out/T.parquet")
    return Command(words, ("T.parquet",), {"in.txt": ledger(3 * RECORDS)}, 0)


COMMANDS = {"validate": validate, "reconcile": reconcile, "transform": transform}


def unkilled(command: Command, folder: Path) -> tuple[dict[str, bytes], float]:
    """What a run writes, and how long the faster of two takes."""
    took = []
    for _ in range(2):
        begun = time.monotonic()
        assert run(*command.words, cwd=folder).returncode == command.code
        took.append(time.monotonic() - begun)
    return contents(folder / "out"), min(took)


def killed(command: Command, folder: Path, after: float) -> int:
    """How a run ended that was killed so many seconds after its start."""
    with subprocess.Popen(
        [*MEDPAY, *command.words], cwd=folder, env=surrounded(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        time.sleep(after)
        process.kill()
        return process.wait()


def laid(folder: Path, command: Command, before: bytes | None) -> None:
    """Every target absent, or with what stood there before; leftovers of earlier kills stay where they are."""
    for name in command.targets:
        (folder / "out" / name).unlink(missing_ok=True)
        if before is not None:
            (folder / "out" / name).write_bytes(before)


def found(folder: Path, command: Command) -> dict[str, bytes | None]:
    """What stands at the targets."""
    paths = {name: folder / "out" / name for name in command.targets}
    return {name: path.read_bytes() if path.exists() else None for name, path in paths.items()}


@pytest.mark.parametrize("moments", [8, pytest.param(50, marks=pytest.mark.full)])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_kill_at_any_moment_leaves_targets_old_or_whole_and_the_next_run_alone(
    tmp_path, record_property, name, moments
):
    command = COMMANDS[name]()
    (tmp_path / "out").mkdir()
    for path, content in command.inputs.items():
        (tmp_path / path).write_bytes(content)
    whole, took = unkilled(command, tmp_path)
    assert sorted(whole) == sorted(command.targets)
    ends, partial = [], []
    for moment in range(moments):
        before = OLD if moment % 2 else None
        laid(tmp_path, command, before)
        ends.append(killed(command, tmp_path, took * moment / (moments - 1)))
        partial += [
            (moment, target) for target, content in found(tmp_path, command).items()
            if content not in (before, whole[target])
        ]  # fmt: skip
    record_property("killed", ends.count(KILLED))
    assert partial == []
    # Otherwise nothing was tried: the runs were over before they were killed.
    assert ends.count(KILLED) >= moments // 4
    assert run(*command.words, cwd=tmp_path).returncode == command.code
    assert contents(tmp_path / "out") == whole
