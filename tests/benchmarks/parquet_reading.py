"""Speed and memory of reading Parquet as text beside Polars alone.

python tests/benchmarks/parquet_reading.py [--records 2000000] [--runs 3] [--folder DIR]
"""

import argparse
import sys
import tempfile
from pathlib import Path

import polars as pl
from first_cut import compared

OURS = """
import sys
from medpay_cli import formats
from medpay_cli.dialects import Dialect
from medpay_cli.formats.archive import Input
names = tuple(f"f{at}" for at in range(10))
dialect = Dialect("d", "", format="parquet")
count = lambda batches: sum(batch.records for batch, _ in batches)
print(formats.read(Input(sys.argv[1]), dialect, {None: names}, lambda _: None, count))
"""
BARE = """
import sys, polars as pl
print(pl.read_parquet(sys.argv[1]).select(pl.all().cast(pl.String)).shape)
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "medpay-bench")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    path = asked.folder / f"{asked.records}.parquet"
    if not path.exists():
        row = pl.int_range(asked.records, eager=True)
        texts = {f"f{at}": (row * 97 + at).cast(pl.String).str.zfill(15) for at in range(5)}
        amounts = {f"f{at}": (row * 31 % (10**7 + at)).cast(pl.Decimal(16, 2)) / 100 for at in range(5, 10)}
        frame = pl.DataFrame(texts | amounts).with_columns(pl.col("^f[5-9]$").cast(pl.Decimal(16, 2)))
        frame.write_parquet(path, row_group_size=100_000)
    commands = {"ours": [sys.executable, "-c", OURS, str(path)], "Polars": [sys.executable, "-c", BARE, str(path)]}
    compared(f"parquet {path.stat().st_size / 1e6:.0f} MB", commands, asked.runs)


if __name__ == "__main__":
    main()
