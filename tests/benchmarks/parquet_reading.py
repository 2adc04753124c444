"""Speed and memory of reading Parquet as text beside Polars alone.

python tests/benchmarks/parquet_reading.py [--records 2000000] [--runs 3] [--folder DIR]
"""

import polars as pl
from processes import asked, compared, python

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
    given = asked(records=2_000_000)
    path = given.folder / f"{given.records}.parquet"
    if not path.exists():
        row = pl.int_range(given.records, eager=True)
        texts = {f"f{at}": (row * 97 + at).cast(pl.String).str.zfill(15) for at in range(5)}
        amounts = {f"f{at}": (row * 31 % (10**7 + at)).cast(pl.Decimal(16, 2)) / 100 for at in range(5, 10)}
        frame = pl.DataFrame(texts | amounts).with_columns(pl.col("^f[5-9]$").cast(pl.Decimal(16, 2)))
        frame.write_parquet(path, row_group_size=100_000)
    commands = {"ours": python(OURS, path), "Polars": python(BARE, path)}
    compared(f"parquet {path.stat().st_size / 1e6:.0f} MB", commands, given.runs)


if __name__ == "__main__":
    main()
