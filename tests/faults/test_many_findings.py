"""However many findings there are, every one is written and counted, in memory that does not grow with them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from surroundings import MEDPAY, UPLOAD, surrounded

# A process of its own asks what its only child took at most: KiB on Linux.
MEASURED = """
import json, resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(json.dumps([ended, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024]))
"""
# Three amounts that are none, a flag that no list has, and a key that is too long: five findings a record.
WRONG = "S{row:030}\tM\tP\t1.005\t1.005\t1.005\t9\n"
CODES = {"L103": 3, "L104": 1, "L108": 1}
GIB = 1 << 30
BATCH = 100_000


@dataclass(frozen=True)
class Measured:
    """What a run wrote, and how much memory it took at most."""

    document: dict
    lines: dict[str, int]
    peak: int


def judged(folder: Path, findings: int) -> Measured:
    """Validate a file with so many findings."""
    records = findings // 5
    with (folder / "in.txt").open("w", encoding="utf-8") as file:
        for first in range(0, records, BATCH):
            file.write("".join(WRONG.format(row=row) for row in range(first, min(first + BATCH, records))))
    forms = ("ndjson", "csv", "parquet", "json")
    outputs = [word for form in forms for word in ("--output", f"{form}:out.{form}")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *MEDPAY, "validate", "in.txt", *UPLOAD, *outputs],
        cwd=folder, env=surrounded(), capture_output=True, check=True,
    )  # fmt: skip
    ended, peak = json.loads(done.stdout)
    assert (ended, done.stderr) == (1, b"")
    lines = {}
    for form in ("ndjson", "csv"):
        with (folder / f"out.{form}").open("rb") as file:
            lines[form] = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    [[lines["parquet"]]] = duckdb.sql(f"select count(*) from '{folder}/out.parquet'").fetchall()
    return Measured(json.loads((folder / "out.json").read_text(encoding="utf-8")), lines, peak)


def told(made: Measured, findings: int) -> None:
    """Every finding is a line or a row, beside the summary and the header; the json counts are exact."""
    records = findings // 5
    counts: dict[str, int] = {}
    for one in made.document["counts"]:
        counts[one["code"]] = counts.get(one["code"], 0) + one["count"]
    assert made.lines == {"ndjson": findings + 1, "csv": findings + 1, "parquet": findings}
    assert counts == {code: each * records for code, each in CODES.items()}
    assert made.document["findings_total"] == findings
    assert made.document["findings_shown"] == 1000 * len(CODES)
    assert [made.document["files"][0][name] for name in ("records", "accepted", "rejected")] == [records, 0, records]


def test_300_000_findings_are_all_written_and_counted(tmp_path, record_property):
    made = judged(tmp_path, 300_000)
    record_property("peak", made.peak)
    told(made, 300_000)
    assert made.peak <= GIB


@pytest.mark.full
def test_10_000_000_findings_take_the_memory_of_5_000_000(tmp_path, record_property):
    peaks = []
    for findings in (5_000_000, 10_000_000):
        made = judged(tmp_path, findings)
        told(made, findings)
        peaks.append(made.peak)
        record_property(f"peak_{findings}", made.peak)
        print(f"{findings:,} findings: {made.peak / 2**20:,.0f} MiB")
    assert peaks[1] <= GIB
    assert peaks[1] <= 1.2 * peaks[0]
