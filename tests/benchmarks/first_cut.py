"""Speed and memory of validate and reconcile beside the bare libraries, as whole processes, side by side in one run.

    python tests/benchmarks/first_cut.py [--records 1000000 5000000] [--runs 3] [--folder DIR]

Times are medians of whole processes; a peak is the largest resident set. Compare ratios, not seconds.
"""

import subprocess
import sys
from pathlib import Path

from processes import asked, compared, python

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


def main():
    given = asked(records=[1_000_000, 5_000_000])
    medpay = [sys.executable, "-m", "medpay_cli"]
    for records in given.records:
        folder = given.folder / str(records)
        if not (folder / "hospital.txt").exists():
            folder.mkdir(parents=True, exist_ok=True)
            made = [GENERATOR, folder, "--records", str(records), "--seed", "1", "--differences", "0.003"]
            subprocess.run([sys.executable, *map(str, made)], check=True, stdout=subprocess.DEVNULL)
        ours, theirs = (str(folder / f"{name}.txt") for name in ("hospital", "platform"))
        compared(
            f"validate {records:,}",
            {
                "medpay": [*medpay, "validate", ours, "--dialect", "nhsa-3202-upload"],
                "bare Polars parse": python(BARE, ours),
            },
            given.runs,
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
                "DuckDB full join": python(DUCKDB, ours, theirs, folder / "duckdb.csv"),
            },
            given.runs,
        )


if __name__ == "__main__":
    main()
