"""What findings cost: validate with 0 %, 1 % and 100 % wrong records, also with every finding written to a file.

    python tests/benchmarks/many_findings.py [--records 5000000] [--runs 3] [--folder DIR]

Whole processes in turn, medians, beside the clean file; every finding is counted in what was written.
"""

import sys

import numpy as np
import polars as pl
from processes import asked, compared, measured

SHARES = {"0": 0.0, "1": 0.01, "100": 1.0}


def money(fen):
    """Amounts as text."""
    fen = pl.Series(fen)
    return (fen // 100).cast(pl.String) + "." + (fen % 100).cast(pl.String).str.zfill(2)


def generate(folder, records):
    """A file per share of wrong records: an amount with a decimal too many."""
    draw = np.random.default_rng(3)
    number = pl.Series(draw.permutation(records)).cast(pl.String).str.zfill(12)
    total = draw.integers(100, 3_000_000, records)
    clean = pl.DataFrame({
        "setl_id": "0330H0200" + number,
        "mdtrt_id": "V" + number,
        "psn_no": "P" + number,
        "medfee_sumamt": money(total),
        "fund_pay_sumamt": money(total // 2),
        "acct_pay": money(total - total // 2),
        "refd_setl_flag": pl.Series(np.where(draw.random(records) < 0.02, "1", "0")),
    })  # fmt: skip
    for name, share in SHARES.items():
        wrong = pl.Series(draw.random(records) < share)
        made = clean.with_columns(acct_pay=pl.when(wrong).then(pl.col("acct_pay") + "5").otherwise("acct_pay"))
        made.write_csv(folder / f"{name}.txt", separator="\t", include_header=False, quote_style="never")


def main():
    given = asked(records=5_000_000)
    folder = given.folder / f"findings-{given.records}"
    if not (folder / "100.txt").exists():
        folder.mkdir(parents=True, exist_ok=True)
        generate(folder, given.records)
    validate = [sys.executable, "-m", "medpay_cli", "validate", "--dialect", "nhsa-3202-upload"]
    commands = {f"{name} % wrong": [*validate, str(folder / f"{name}.txt")] for name in ("100", "1")}
    targets = {form: folder / f"found.{form}" for form in ("parquet", "csv", "ndjson")}
    for form, target in targets.items():
        commands[f"100 %, {form}"] = [*validate, str(folder / "100.txt"), "--output", f"{form}:{target}"]
    commands["clean"] = [*validate, str(folder / "0.txt")]
    compared(f"{given.records:,} records", commands, given.runs, targets.values())
    for form, target in targets.items():
        measured(commands[f"100 %, {form}"], (1,))
        if form == "parquet":
            found = pl.scan_parquet(target).select(pl.len()).collect().item()
        else:
            with target.open("rb") as lines:
                found = sum(1 for _ in lines) - 1  # a header, or the summary
        if found != given.records:
            raise SystemExit(f"{target}: {found} findings of {given.records}")
        print(f"{target.name}: {found:,} findings, {target.stat().st_size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
