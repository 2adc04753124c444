"""Speed and memory of transform beside what Polars takes to scan the same text and write it, unchecked; of messages.

    python tests/benchmarks/transform.py [--records 1000000] [--lists 20000] [--runs 3] [--folder DIR] [--keep]

Both ends are checked by us and neither by Polars. Every run is a process of its own, with its start; compare ratios of
CPU seconds, as what is written while it is read keeps several cores busy. The memory at a tenth of the records stands
beside that at all of them. Messages are told in MB of the message per CPU second.
"""

import argparse
from pathlib import Path

from processes import FOLDER, kept, measured, medians, python

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


# The same records as messages of one kind; a sampled list holds some of each node. What is read, what is written, how.
FLAT = (
    ("text to XML", "txt", "xml", "nhsa-3202-upload", "medpay-ledger-detail-xml"),
    ("XML to text", "xml", "back.txt", "medpay-ledger-detail-xml", "nhsa-3202-upload"),
    ("text to JSON", "txt", "json", "nhsa-3202-upload", "json"),
    ("JSON to text", "json", "back.txt", "json:ledger_detail", "nhsa-3202-upload"),
    ("text to NDJSON", "txt", "ndjson", "nhsa-3202-upload", "ndjson"),
    ("NDJSON to text", "ndjson", "back.txt", "ndjson:ledger_detail", "nhsa-3202-upload"),
)


def ours(source, target, mapping, dialect, to_dialect=None):
    """The command that transforms a file."""
    form = ("--to-dialect", to_dialect) if to_dialect else ()
    return python(OURS, "transform", source, "-o", target, "--mapping", mapping, "--dialect", dialect, *form)


def tables(asked):
    """Text to Parquet and to text, at a tenth of the records and at all of them."""
    mapping = asked.folder / "mapping.toml"
    mapping.write_text(MAPPING, encoding="utf-8")
    for size in (asked.records // 10, asked.records):
        source = asked.folder / f"{size}.txt"
        measured(python(MAKE, source, size))
        for name, target in (("parquet", asked.folder / "out.parquet"), ("text", asked.folder / "out.txt")):
            form = "parquet" if name == "parquet" else None
            found = medians({
                "bare Polars": python(BARE, source, target, ",".join(NAMES)),
                "medpay, identity": ours(source, target, "identity", "nhsa-3202-upload"),
                "medpay, mapping": ours(source, target, mapping, "nhsa-3202-upload", form),
                "medpay validate": python(OURS, "validate", source, "--dialect", "nhsa-3202-upload"),
            }, asked.runs)  # fmt: skip
            bare = found["bare Polars"][1]
            for who, (wall, cpu, peak) in found.items():
                told = f"{cpu:6.2f} s cpu {wall:6.2f} s {peak:6.0f} MiB {100 * bare / cpu:5.0f} %"
                print(f"{size:>10,} {name:<8} {who:<18} {told}")
            if asked.keep and size == asked.records:
                title = f"transform, {size:,} records of 7 columns, text to {name}; medians of {asked.runs} runs"
                rows = {who: (size, figures) for who, figures in found.items()}
                kept(f"transform-{size}-{name}", title, rows)


def messages(asked):
    """Ledgers as messages and back, and settlement lists with all their nodes."""
    base = asked.folder / str(asked.records)
    lists = asked.folder / f"lists-{asked.lists}.json"
    node = "medpay-settlement-lists"
    measured(
        python(OURS, "sample", "settlement_list", "--records", asked.lists, "--seed", 1, "--dialect", node, "-o", lists)
    )
    jobs = [
        (name, Path(f"{base}.{source}"), Path(f"{base}.{target}"), *dialects)
        for name, source, target, *dialects in FLAT
    ]
    jobs.append(("nested JSON to JSON", lists, asked.folder / "lists.json", node, None))
    for name, source, target, *dialects in jobs:
        wall, cpu, peak = medians({name: ours(source, target, "identity", *dialects)}, asked.runs)[name]
        size = (source if target.suffix == ".txt" else target).stat().st_size / 1e6
        print(f"{name:<20} {size:6.0f} MB {cpu:6.2f} s cpu {wall:6.2f} s {peak:6.0f} MiB {size / cpu:6.1f} MB/s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--lists", type=int, default=20_000, help="0 leaves messages out.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=FOLDER / "transform")
    parser.add_argument("--keep", action="store_true", help="Put the tables into docs/performance.json.")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    tables(asked)
    if asked.lists:
        messages(asked)


if __name__ == "__main__":
    main()
