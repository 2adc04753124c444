"""What rules about records cost beside the checks of their layout: whole processes, in turn, medians and ratios.

    python tests/benchmarks/rules.py [--records 1000000] [--runs 5] [--layout fee_line] [--folder DIR]

The lines tie and have no findings. Compare ratios of CPU seconds where the machine is shared.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import polars as pl
from processes import measured

from medpay_cli import layouts

sys.path.append(str(Path(__file__).parents[1] / "rules"))
from planted import LINES, drawn

CHUNK = 50_000
JUDGED = {
    "layout alone": ("--ignore", "C,B"),
    "and rules about a record": ("--ignore", "B"),
    "and repeated keys": ("--ignore", "C"),
    "everything": (),
}


def written(layout: str, records: int, path: Path) -> None:
    """Records of a layout, TAB-separated below a header, with every field of it."""
    names = layouts.load(layout).names
    each = 1 if layout == "settlement" else LINES
    with path.open("wb") as file:
        for chunk in range(-(-records // (CHUNK * each))):
            frame = drawn(CHUNK, chunk)[layout]
            keys = [(pl.lit(f"{chunk:03}") + pl.col(name)).alias(name) for name in layouts.load(layout).key]
            absent = [pl.lit(None, pl.String).alias(name) for name in names if name not in frame.columns]
            text = frame.with_columns(*keys, *absent).select(names).head(records - chunk * CHUNK * each)
            text.write_csv(file, separator="\t", include_header=chunk == 0, quote_style="never")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--layout", default="fee_line", choices=["fee_line", "fee_line_result", "settlement"])
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder) / "lines.txt"
        written(args.layout, args.records, path)
        command = [sys.executable, "-m", "medpay_cli", "validate", str(path), "--dialect", f"tsv:{args.layout}"]
        print(f"{args.layout}: {args.records} records, {path.stat().st_size / 2**20:.0f} MiB, {args.runs} runs")
        taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in JUDGED}
        measured([*command, "--ignore", "C,B"])
        for _ in range(args.runs):
            for name, options in JUDGED.items():
                taken[name].append(measured([*command, *options]))
        base = taken["layout alone"]
        for name, runs in taken.items():
            wall, cpu, memory = (statistics.median(each) for each in zip(*runs, strict=True))
            ratios = [
                statistics.median(one[at] / usual[at] for one, usual in zip(runs, base, strict=True)) for at in (0, 1)
            ]
            print(f"{name:26} {wall:7.2f} s x{ratios[0]:.2f}   CPU {cpu:7.2f} s x{ratios[1]:.2f}   {memory:6.0f} MiB")


if __name__ == "__main__":
    main()
