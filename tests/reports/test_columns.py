"""Findings in Parquet are those of the CSV report, as another program reads both."""

import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from medpay_command import medpay

UPLOAD = ("--dialect", "nhsa-3202-upload")
GOOD = "S{0}\tM1\tP1\t10.00\t7.00\t0.00\t0\n"
DECIMALS = "S{0}\tM2\tP2\t1.005\t7.00\t0.00\t9\n"
SHORT = "S{0}\tM3\tP3\t10.00\n"
ODD = 'S{0}\tM"4\t张三\t1e3\t"1,5"\t张三\t\x01\n'
COLUMNS = {
    "code": "VARCHAR", "severity": "VARCHAR", "file": "VARCHAR", "member": "VARCHAR", "node": "VARCHAR",
    "row": "BIGINT", "line": "BIGINT", "field": "VARCHAR", "column": "BIGINT", "path": "VARCHAR", "value": "VARCHAR",
    "expected": "VARCHAR", "message": "VARCHAR", "key": "VARCHAR",
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Works where its files are."""
    monkeypatch.chdir(tmp_path)


def reported(text: str, *words: object) -> None:
    """Make views `ours` and `csv` of what DuckDB reads of the Parquet and of the CSV report on a file."""
    Path("in.txt").write_text(text, encoding="utf-8")
    answer = medpay("validate", "in.txt", *UPLOAD, "--output", "parquet:out.parquet", "--output", "csv:out.csv", *words)
    assert answer.err == ""
    options = "header=true, quote='\"', escape='\"', new_line='\\n', strict_mode=false, allow_quoted_nulls=false"
    duckdb.sql("create or replace view ours as from 'out.parquet'")
    duckdb.sql(f"create or replace view csv as from read_csv('out.csv', columns={COLUMNS}, {options})")


def rows(query: str) -> list[tuple]:
    """What a query finds."""
    return duckdb.sql(query).fetchall()


def types() -> dict[str, str]:
    """The columns of the Parquet report."""
    return {name: kind for name, kind, *_ in rows("describe ours")}


MIXED = "".join(line.format(row) for row in range(15_000) for line in (GOOD, DECIMALS, SHORT, ODD))


@pytest.mark.parametrize("words", [(), ("--lang", "zh"), ("--show-values",)], ids=str)
def test_every_finding_of_the_csv_report_stands_in_the_parquet_one(words):
    reported(MIXED, *words)
    assert types() == COLUMNS
    # Three of the four records of a key have the width of one; three of their cells are no numbers.
    assert rows("select code, count(*) from ours group by code order by code") == [
        ("B101", 45_000), ("F101", 15_000), ("F107", 15_000), ("L102", 45_000), ("L103", 15_000),
        ("L104", 15_000),
    ]  # fmt: skip
    assert rows("from ours limit 50000") == rows("from csv limit 50000")
    assert rows("from ours offset 120000") == rows("from csv offset 120000")
    assert rows("select count(*) from (from ours except all from csv)") == [(0,)]


def test_without_findings_there_are_still_columns():
    reported(GOOD)
    assert (types(), rows("from ours"), rows("from csv")) == (COLUMNS, [], [])


def test_what_shows_a_person_is_hidden():
    reported("S1\tM1\t张三丰丰丰\t张三丰丰丰\t110101199003071234\t0.00\t0\n")
    assert rows("select field, value from ours order by 1") == [
        ("fund_pay_sumamt", "***"), ("medfee_sumamt", "***"),
    ]  # fmt: skip
    reported("S1\tM1\t张三丰丰丰\t张三丰丰丰\t110101199003071234\t0.00\t0\n", "--show-values")
    assert rows("select field, value from ours order by 1") == [
        ("fund_pay_sumamt", "110101199003071234"), ("medfee_sumamt", "张三丰丰丰"),
    ]  # fmt: skip


def test_it_goes_to_files_only():
    Path("in.txt").write_text(GOOD, encoding="utf-8")
    answer = medpay("validate", "in.txt", *UPLOAD, "--format", "parquet")
    assert (answer.exit_code, answer.out) == (2, b"")
    assert "'parquet' is not one of" in answer.err


ENDLESS = """
import itertools, signal
import polars as pl
from medpay_cli.formats.parquet import sink

def end(number, _):
    raise SystemExit(128 + number)

signal.signal(signal.SIGTERM, end)
frame = pl.DataFrame({"a": ["x"] * 1000})

def frames():
    yield frame
    print("begun", flush=True)
    yield from itertools.repeat(frame)

with open("/dev/null", "wb") as out:
    sink(out, frame.schema, frames())
"""


def test_a_signal_ends_the_writing_at_once():
    with subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE) as process:
        assert process.stdout.read(5) == b"begun"
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(20) == 128 + signal.SIGTERM
        finally:
            process.kill()
