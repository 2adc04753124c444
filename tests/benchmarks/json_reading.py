"""Speed and memory of reading JSON into text frames beside bare decoders, as whole processes in one run.

    python tests/benchmarks/json_reading.py [--records 400000] [--runs 3] [--folder DIR]

msgspec is no dependency of ours: install it to see its figures. Its numbers become floats, and it takes a key that
stands twice; with columns it does what a reader has to do besides. Compare ratios, not seconds.
"""

import json

from processes import asked, medians, python

FIELDS = (
    *("setl_id", "mdtrt_id", "psn_no", "psn_name", "certno", "gend", "brdy", "insutype", "psn_type", "med_type"),
    *("setl_time", "medfee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt"),
    *("fund_pay_sumamt", "psn_part_amt", "acct_pay", "psn_cash_pay", "refd_setl_flag"),
)
OURS = f"""
import sys
from medpay_cli import formats
from medpay_cli.dialects import Dialect
from medpay_cli.formats.archive import Input
names = {{None: {FIELDS!r}}}
heights = lambda batches: sum(batch.text.height for batch, _ in batches)
print(formats.read(Input(sys.argv[2]), Dialect("d", "l", format=sys.argv[1]), names, lambda batch: None, heights))
"""
MSGSPEC = f"""
import sys, msgspec
record = msgspec.defstruct("Record", [(name, str | float | None, None) for name in {FIELDS!r}])
decode = msgspec.json.Decoder(record).decode
"""
LINES = MSGSPEC + "print(sum(decode(line) is not None for line in open(sys.argv[2], 'rb')))"
FRAMES = (
    MSGSPEC
    + f"""
import polars as pl
from itertools import islice
lines, height = open(sys.argv[2], 'rb'), 0
while some := [decode(line) for line in islice(lines, 20000)]:
    height += pl.DataFrame({{name: [getattr(one, name) for one in some] for name in {FIELDS!r}}}, strict=False).height
print(height)
"""
)
STANDARD = "import sys, json; print(len(json.load(open(sys.argv[2], 'rb'))))"
POLARS = "import sys, polars as pl; print(pl.read_ndjson(sys.argv[2]).height)"


def record(number):
    """One invented settlement of about 500 bytes."""
    texts = (f"S{number:013}", f"M{number:013}", f"P{number:013}", "测试人员", f"{number:018}", "1", "1950-01-01")
    texts += ("310", "12", "21", "2024-01-31 11:08:17")
    amounts = (number % 9999 + place / 10 + 0.05 for place in range(9))
    values = (*texts, *(round(amount, 2) for amount in amounts), "0" if number % 3 else None)
    return dict(zip(FIELDS, values, strict=True))


def make(folder, records):
    """The same records as lines, compact and as Python writes them, and as one document."""
    paths = [folder / f"{name}.{records}.{suffix}" for name, suffix in FILES]
    if not all(path.exists() for path in paths):
        with paths[0].open("w") as compact, paths[1].open("w") as spaced, paths[2].open("w") as whole:
            for number in range(records):
                text = json.dumps(record(number), ensure_ascii=False, separators=(",", ":"))
                compact.write(text + "\n")
                spaced.write(json.dumps(record(number)) + "\n")
                whole.write(("," if number else "[") + text)
            whole.write("]")
    return paths


FILES = (("compact", "ndjson"), ("escaped", "ndjson"), ("document", "json"))
READERS = {
    "ndjson": {"medpay": OURS, "Polars (floats)": POLARS, "msgspec + columns": FRAMES, "msgspec structs": LINES},
    "json": {"medpay": OURS, "json.load": STANDARD},
}


def main():
    given = asked(records=400_000)
    for path, (name, kind) in zip(make(given.folder, given.records), FILES, strict=True):
        size = path.stat().st_size / 1e6
        commands = {reader: python(program, kind, path) for reader, program in READERS[kind].items()}
        for reader, (wall, cpu, peak) in medians(commands, given.runs).items():
            rates = f"{size / wall:6.0f} MB/s {size / cpu:6.0f} MB/s of CPU {peak:7.0f} MiB"
            print(f"{name:<10} {size:6.0f} MB {reader:<20} {rates}")


if __name__ == "__main__":
    main()
