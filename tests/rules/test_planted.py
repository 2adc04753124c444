"""Of settlements and their lines, every violation that is planted is found where it stands, and nothing else."""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from planted import FILES, drawn, planted

from medpay_cli import layouts

# Settlements, and how many records have each fault.
SMALL, FULL = (5_000, 6), (200_000, 300)
# What else lies before the judge of a file.
AGAINST = {
    "settlement": {"lines": "fee_line", "funds": "settlement_fund"},
    "fee_line": {"settlements": "settlement"},
    "fee_line_result": {},
}


def write(folder: Path, frames: dict[str, pl.DataFrame]) -> None:
    folder.mkdir()
    for file in FILES:
        names = layouts.load(file).names
        absent = [pl.lit(None, pl.String).alias(name) for name in names if name not in frames[file].columns]
        frames[file].with_columns(absent).select(names).write_csv(folder / f"{file}.csv")


def judged(file: str, whole: Path, against: Path, out: Path):
    """The findings (record from 0, field, code) and the document of `medpay validate` on a file."""
    held = [part for kind, of in AGAINST[file].items() for part in ("--against", f"{kind}={against / f'{of}.csv'}")]
    command = [
        *(sys.executable, "-m", "medpay_cli", "validate", whole / f"{file}.csv", "--layout", file, *held),
        *("--output", f"csv:{out / 'findings.csv'}", "--output", f"json:{out / 'all.json'}"),
    ]
    begun = time.perf_counter()
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    took, memory = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with (out / "findings.csv").open(encoding="utf-8-sig", newline="") as text:
        found = [(int(one["row"]) - 1, one["field"] or None, one["code"]) for one in csv.DictReader(text)]
    document = json.loads((out / "all.json").read_text(encoding="utf-8"))
    print(f"\n{file}: {document['files'][0]['records']} records, {len(found)} findings, {took:.1f} s, "
          f"<= {memory / 1024:.0f} MiB", file=sys.stderr)  # fmt: skip
    return found, document


def every_planted_violation_is_found(tmp_path, count, of_each):
    made = planted(drawn(count, 11), of_each, 12)
    write(tmp_path / "whole", made.whole)
    write(tmp_path / "against", made.against)
    assert len(made.truth) > 60 * of_each
    found = set()
    for file in AGAINST:
        some, _ = judged(file, tmp_path / "whole", tmp_path / "against", tmp_path)
        assert len(some) == len(set(some))
        found |= {(file, *place) for place in some}
    missed, invented = made.truth - found, found - made.truth
    assert (sorted(missed, key=str)[:5], sorted(invented, key=str)[:5]) == ([], [])


def nothing_is_found_where_nothing_is_planted(tmp_path, count):
    write(tmp_path / "clean", drawn(count, 13))
    for file in AGAINST:
        found, document = judged(file, tmp_path / "clean", tmp_path / "clean", tmp_path)
        assert (found, document["exit_code"], document["files"][0]["verdict"]) == ([], 0, "valid")


def test_every_planted_violation_is_found_and_nothing_else(tmp_path):
    every_planted_violation_is_found(tmp_path, *SMALL)


def test_nothing_is_found_in_a_clean_draw(tmp_path):
    nothing_is_found_where_nothing_is_planted(tmp_path, SMALL[0])


@pytest.mark.full
def test_every_planted_violation_is_found_among_two_million_lines(tmp_path):
    every_planted_violation_is_found(tmp_path, *FULL)


@pytest.mark.full
def test_nothing_is_found_in_a_clean_draw_of_two_million_lines(tmp_path):
    nothing_is_found_where_nothing_is_planted(tmp_path, FULL[0])
