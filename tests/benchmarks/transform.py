"""Speed and memory of transform beside what Polars takes to scan the same text and write it, unchecked.

    python tests/benchmarks/transform.py [--records 1000000] [--runs 3] [--folder DIR]

Both ends are checked by us and neither by Polars. Every run is a process of its own, with its start; compare ratios,
not seconds. The memory at a tenth of the records stands beside that at all of them.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("setl_id", "mdtrt_id", "psn_no", "medfee_sumamt", "fund_pay_sumamt", "acct_pay", "refd_setl_flag")
MAPPING = """\
title = { zh = "b", en = "b" }
empty = ["exp_content"]
from = { layout = "ledger_detail.v1", dialect = "nhsa-3202-upload" }
to = { layout = "ledger_detail.v1", dialect = "nhsa-3202-upload" }
codes = { refd_setl_flag = { of = "refd_setl_flag", list = "refd_setl_flag", give = "same_as" } }

[columns]
setl_id = "setl_id"
mdtrt_id = "mdtrt_id"
psn_no = "psn_no"
medfee_sumamt = "medfee_sumamt"
fund_pay_sumamt = "medfee_sumamt - acct_pay"
acct_pay = "acct_pay"
"""
MAKE = """
import sys, polars as pl
row = pl.int_range(0, int(sys.argv[2]), eager=True)
text = row.cast(pl.String)
pl.DataFrame({"a": "S" + text.str.zfill(20), "b": "M" + text.str.zfill(20), "c": "P" + (row % 99_991).cast(pl.String),
    "d": (row * 7919 % 9_999_991).cast(pl.String) + ".25", "e": (row * 104_729 % 999_983).cast(pl.String) + ".10",
    "f": (row % 997).cast(pl.String) + ".00", "g": pl.repeat("0", len(row), eager=True)}
).write_csv(sys.argv[1], separator="\\t", include_header=False, quote_style="never")
"""
BARE = """
import sys, polars as pl
source, target, names = sys.argv[1], sys.argv[2], sys.argv[3].split(",")
frame = pl.scan_csv(source, separator="\\t", has_header=False, quote_char=None, schema=dict.fromkeys(names, pl.String))
if target.endswith(".parquet"):
    frame.sink_parquet(target)
else:
    frame.sink_csv(target, separator="\\t", include_header=False, quote_style="never")
"""
OURS = "from medpay_cli.cli import main; main()"


def measured(*command):
    """CPU seconds, wall seconds and peak MiB of one whole process."""
    begin = os.times().elapsed
    process = subprocess.Popen([sys.executable, "-c", *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: {command[1:]}")
    return usage.ru_utime + usage.ru_stime, os.times().elapsed - begin, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "medpay-bench-transform")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    (asked.folder / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    sizes = (asked.records // 10, asked.records)
    for size in sizes:
        measured(MAKE, str(asked.folder / f"{size}.txt"), str(size))
    jobs = {}
    for size in sizes:
        source = str(asked.folder / f"{size}.txt")
        for suffix in ("parquet", "txt"):
            target = str(asked.folder / f"out.{suffix}")
            jobs[size, suffix, "bare Polars"] = (BARE, source, target, ",".join(NAMES))
            ours = ("transform", source, "-o", target, "--dialect", "nhsa-3202-upload")
            jobs[size, suffix, "identity"] = (OURS, *ours, "--mapping", "identity")
            form = ("--to-dialect", "parquet") if suffix == "parquet" else ()
            jobs[size, suffix, "mapping"] = (OURS, *ours, "--mapping", str(asked.folder / "mapping.toml"), *form)
        jobs[size, "", "validate"] = (OURS, "validate", source, "--dialect", "nhsa-3202-upload")
    found = {job: [] for job in jobs}
    for _ in range(asked.runs):
        for job, command in jobs.items():
            found[job].append(measured(*command))
    for (size, suffix, name), rows in found.items():
        cpu, wall, peak = (statistics.median(column) for column in zip(*rows, strict=True))
        bare = statistics.median(row[0] for row in found.get((size, suffix, "bare Polars"), rows))
        told = f"{cpu:6.2f} s cpu {wall:6.2f} s {peak:6.0f} MiB {100 * bare / cpu:5.0f} %"
        print(f"{size:>10,} {suffix:<8} {name:<12} {told}")


if __name__ == "__main__":
    main()
