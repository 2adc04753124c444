"""Speed and memory of validate and reconcile beside the bare libraries, as whole processes, side by side in one run.

    python tests/benchmarks/first_cut.py [--records 1000000 5000000] [--runs 3] [--folder DIR]

Times are medians of whole processes; a peak is the largest resident set. Compare ratios, not seconds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
GENERATOR = HERE.parent / "reconcile" / "ledger_day.py"

BARE = """
import sys, polars as pl
schema = {str(n): pl.String for n in range(7)}
frame = pl.scan_csv(sys.argv[1], separator="\\t", has_header=False, schema=schema, quote_char=None)
print(frame.select(pl.all().str.len_bytes().sum()).collect(engine="streaming").row(0))
"""

# Group each side by key, full join, class, write the differences, sum up: the same work as `reconcile`, amounts cast
# by DuckDB without any check of their grammar.
DUCKDB = """
import sys, duckdb
ours, theirs, out = sys.argv[1:]
columns = "columns={'k':'VARCHAR','m':'VARCHAR','p':'VARCHAR','a':'VARCHAR','b':'VARCHAR','c':'VARCHAR','s':'VARCHAR'}"
def side(path):
    read = f"read_csv('{path}', delim='\\t', header=false, quote='', nullstr=['', 'null'], {columns})"
    sums = ", ".join(f"sum(try_cast({x} as decimal(16,2))) {x}" for x in "abc")
    return f"select k, count(*) n, {sums}, max(s) s from {read} group by k"
db = duckdb.connect()
db.sql(f'''create temp table joined as with o as ({side(ours)}), t as ({side(theirs)})
select coalesce(o.k, t.k) k, o.n on_, t.n tn, o.a oa, t.a ta, o.b ob, t.b tb, o.c oc, t.c tc, o.s os, t.s ts,
  case when t.n is null then 'only_ours' when o.n is null then 'only_theirs' when o.n > 1 or t.n > 1 then 'duplicate'
       when o.a <> t.a or o.b <> t.b or o.c <> t.c then 'amount_differs' when o.s <> t.s then 'status_differs'
       else 'matched' end class
from o full join t on o.k = t.k''')
db.sql(f"copy (select * from joined where class <> 'matched' order by class, k) to '{out}' (header)")
print(db.sql("select class, count(*), sum(oa), sum(ta), sum(ob), sum(tb), sum(oc), sum(tc) from joined group by class"))
"""


def measured(command):
    """Seconds, CPU seconds and peak MiB of one whole process."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"failed: {command}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compared(title, commands, runs):
    """Run the commands in turn, the first once more to warm up, and print their medians beside the last one's."""
    found = {name: [] for name in commands}
    measured(next(iter(commands.values())))
    for _ in range(runs):
        for name, command in commands.items():
            found[name].append(measured(command))
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    base = medians[list(commands)[-1]][0]
    for name, (wall, cpu, peak) in medians.items():
        print(f"{title:<24} {name:<16} {wall:7.2f} s {cpu:7.2f} s cpu {peak:7.0f} MiB {wall / base:6.2f} x")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, nargs="*", default=[1_000_000, 5_000_000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "medpay-bench")
    asked = parser.parse_args()
    medpay = [sys.executable, "-m", "medpay_cli"]
    for records in asked.records:
        folder = asked.folder / str(records)
        if not (folder / "hospital.txt").exists():
            folder.mkdir(parents=True, exist_ok=True)
            made = [GENERATOR, folder, "--records", str(records), "--seed", "1", "--differences", "0.003"]
            subprocess.run([sys.executable, *map(str, made)], check=True, stdout=subprocess.DEVNULL)
        ours, theirs = (str(folder / f"{name}.txt") for name in ("hospital", "platform"))
        compared(
            f"validate {records:,}",
            {
                "medpay": [*medpay, "validate", ours, "--dialect", "nhsa-3202-upload"],
                "bare Polars parse": [sys.executable, "-c", BARE, ours],
            },
            asked.runs,
        )
        compared(
            f"reconcile {records:,}",
            {
                "medpay": [
                    *medpay,
                    "reconcile",
                    ours,
                    theirs,
                    "--recipe",
                    "ledger",
                    "--output-dir",
                    str(folder / "out"),
                ],
                "DuckDB full join": [sys.executable, "-c", DUCKDB, ours, theirs, str(folder / "duckdb.csv")],
            },
            asked.runs,
        )


if __name__ == "__main__":
    main()
