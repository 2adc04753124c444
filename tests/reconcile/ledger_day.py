"""One day of two ledgers that should agree, with planted differences: the truth is written first, then applied.

    python tests/reconcile/ledger_day.py OUTDIR --records 1000000 --seed 7 --differences 0.003

writes `hospital.txt` and `platform.txt` (3202 upload files), `edits.csv` (what was planted) and `truth.csv` (what
becomes of every planted key). It imports nothing of what it is used to test.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

AMOUNTS = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
FLAG = "refd_setl_flag"
COLUMNS = ("setl_id", "mdtrt_id", "psn_no", *AMOUNTS, FLAG)
# 14 digits before the point and 2 after it, in fen.
LARGEST = 9_999_999_999_999_999
UNTOUCHED = 2


@dataclass(frozen=True)
class Copy:
    """A record that stands in place of the agreed one.

    Its amounts are `times` the agreed ones; the edit's own amount column is moved by `step` × fen, or is
    `absent`, or `zero`; `next` has every amount of the next record with the same edit. Its flag is the `same`,
    the `other`, `absent`, or `unknown` to the code list.
    """

    times: int = 1
    step: int = 0
    amount: str = "number"
    flag: str = "same"


@dataclass(frozen=True)
class Outcome:
    """What becomes of one key: its class, and the records under it on each side.

    The key is the `same`, `empty`, or one that only looks alike: `similar` without leading zeros and in lower
    case, `blank` with a space behind it, `quoted` in quotation marks.
    """

    verdict: str
    ours: tuple[Copy, ...] = ()
    theirs: tuple[Copy, ...] = ()
    key: str = "same"


SAME, MORE, LESS = Copy(), Copy(step=1), Copy(step=-1)
ABSENT, ZERO = Copy(amount="absent"), Copy(amount="zero")
NEXT = Copy(amount="next")
OTHER, NO_FLAG, UNKNOWN = Copy(flag="other"), Copy(flag="absent"), Copy(flag="unknown")
ONLY_OURS, ONLY_THEIRS = Outcome("only_ours", ours=(SAME,)), Outcome("only_theirs", theirs=(SAME,))

EDITS: dict[str, tuple[Outcome, ...]] = {
    "only hospital": (ONLY_OURS,),
    "only platform": (ONLY_THEIRS,),
    "only hospital, three times": (Outcome("only_ours", ours=(SAME, SAME, MORE)),),
    "only platform, twice": (Outcome("only_theirs", theirs=(SAME, MORE)),),
    "only hospital, two flags": (Outcome("only_ours", ours=(SAME, OTHER)),),
    "only platform, amount absent": (Outcome("only_theirs", theirs=(ABSENT,)),),
    "key empty at hospital": (Outcome("only_ours", ours=(SAME,), key="empty"), ONLY_THEIRS),
    "key empty at platform": (ONLY_OURS, Outcome("only_theirs", theirs=(SAME,), key="empty")),
    "key empty at both": (
        Outcome("only_ours", ours=(SAME,), key="empty"),
        Outcome("only_theirs", theirs=(SAME,), key="empty"),
    ),
    "key written without zeros or capitals": (ONLY_OURS, Outcome("only_theirs", theirs=(SAME,), key="similar")),
    "key with a space behind it": (Outcome("only_ours", ours=(SAME,), key="blank"), ONLY_THEIRS),
    "key in quotation marks": (ONLY_OURS, Outcome("only_theirs", theirs=(SAME,), key="quoted")),
    "once to twice": (Outcome("duplicate", (SAME,), (SAME, SAME)),),
    "twice to once": (Outcome("duplicate", (SAME, SAME), (SAME,)),),
    "twice to three times": (Outcome("duplicate", (SAME, MORE), (SAME, MORE, MORE)),),
    "once to two parts of the same sum": (Outcome("duplicate", (SAME,), (Copy(times=0, step=1), LESS)),),
    "twice, one amount off": (Outcome("duplicate", (SAME, SAME), (SAME, MORE)),),
    "twice, offsetting": (Outcome("duplicate", (MORE, LESS), (SAME, SAME)),),
    "three times, other counts": (Outcome("duplicate", (SAME, SAME, MORE), (SAME, MORE, MORE)),),
    "twice, one flag off": (Outcome("duplicate", (SAME, SAME), (OTHER, SAME)),),
    "twice, flags exchanged": (
        Outcome("duplicate", (SAME, Copy(step=1, flag="other")), (OTHER, Copy(step=1, flag="same"))),
    ),
    "twice, absent against zero": (Outcome("duplicate", (SAME, ABSENT), (ZERO, SAME)),),
    "twice, no flag at hospital": (Outcome("duplicate", (NO_FLAG, NO_FLAG), (SAME, SAME)),),
    "amount": (Outcome("amount_differs", (SAME,), (MORE,)),),
    "amount, again": (Outcome("amount_differs", (MORE,), (SAME,)),),
    # Offset each other: the sums of both sides stay the same.
    "amounts of another record": (Outcome("amount_differs", (SAME,), (NEXT,)),),
    "amount and flag": (Outcome("amount_differs", (SAME,), (Copy(step=1, flag="other"),)),),
    "amount absent at hospital": (Outcome("amount_differs", (ABSENT,), (SAME,)),),
    "amount absent at platform": (Outcome("amount_differs", (SAME,), (ABSENT,)),),
    "amount zero against absent": (Outcome("amount_differs", (ZERO,), (ABSENT,)),),
    "flag": (Outcome("status_differs", (SAME,), (OTHER,)),),
    "flag absent at hospital": (Outcome("status_differs", (NO_FLAG,), (SAME,)),),
    "flag absent at platform": (Outcome("status_differs", (SAME,), (NO_FLAG,)),),
    "flag unknown at platform": (Outcome("status_differs", (SAME,), (UNKNOWN,)),),
    "flag, amount absent at both": (Outcome("status_differs", (ABSENT,), (Copy(amount="absent", flag="other"),)),),
    "flag absent at both": (Outcome("matched", (NO_FLAG,), (NO_FLAG,)),),
    "flag unknown at both": (Outcome("matched", (UNKNOWN,), (UNKNOWN,)),),
    "amount absent at both": (Outcome("matched", (ABSENT,), (ABSENT,)),),
    "twice at both": (Outcome("matched", (SAME, SAME), (SAME, SAME)),),
    "twice at both, in another order": (Outcome("matched", (SAME, MORE), (MORE, SAME)),),
    "three times at both": (Outcome("matched", (SAME, MORE, MORE), (MORE, SAME, MORE)),),
    "twice at both, one absent": (Outcome("matched", (SAME, ABSENT), (ABSENT, SAME)),),
    "twice at both, two flags": (Outcome("matched", (SAME, OTHER), (OTHER, SAME)),),
}


@dataclass(frozen=True)
class Day:
    """Two ledgers as text (absent = null), what was planted, and what becomes of every planted key.

    `edits` has one row per edited record, `truth` one per planted key: class, records of each side, and
    ours − theirs of every amount in fen. `agreed` counts the keys that nothing was done to.
    """

    hospital: pl.DataFrame
    platform: pl.DataFrame
    edits: pl.DataFrame
    truth: pl.DataFrame
    agreed: int

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the two files and the truth beside them; returns the two files."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = folder / "hospital.txt", folder / "platform.txt"
        for ledger, path in zip((self.hospital, self.platform), paths, strict=True):
            write_ledger(ledger, path)
        self.edits.write_csv(folder / "edits.csv")
        self.truth.write_csv(folder / "truth.csv")
        return paths


def write_ledger(ledger: pl.DataFrame, path: Path, end: str = "\n") -> None:
    """Write records as the 3202 upload file has them: TAB between fields, no header, no quotes."""
    ledger.write_csv(
        path, separator="\t", include_header=False, quote_style="never", line_terminator=end, null_value=""
    )


def make(records: int, seed: int = 1, differences: float = 0.003) -> Day:
    """A day of about `records` records a side, of which a share has an edit; every edit occurs at least twice."""
    rng = np.random.default_rng(seed)
    base = _agreed(records, rng)
    edits = _edits(base, max(round(records * differences), 2 * len(EDITS)), rng)
    truth = pl.concat(_truth(edits, edit, outcome) for edit in EDITS for outcome in EDITS[edit])
    rest = np.ones(base.height, bool)
    rest[edits["record"].to_numpy()] = False
    untouched = base.filter(pl.Series(rest))
    ours, theirs = (_spelt(_applied(untouched, edits, side), rng) for side in ("ours", "theirs"))
    return Day(ours, theirs, edits, truth, untouched.height)


def _agreed(records: int, rng: np.random.Generator) -> pl.DataFrame:
    """Records that both sides have, amounts in fen. A refund is a record of its own, with negative amounts."""
    least = 4 * len(EDITS) + UNTOUCHED
    if records < least:
        raise ValueError(f"at least {least} records are needed to plant every edit")
    number = np.arange(records)
    medfee = rng.integers(1, 3_000_000, records)
    large = rng.random(records) < 0.01
    # Whole powers of ten: every number of digits occurs, with room for what an edit adds.
    medfee[large] = 10 ** rng.integers(8, 16, int(large.sum())) - rng.integers(2_000_000, 9_000_000, int(large.sum()))
    medfee[rng.random(records) < 0.05] //= 100
    medfee[rng.random(records) < 0.05] *= 100
    np.minimum(medfee, LARGEST - 2_000_000, out=medfee)
    fund = medfee // rng.integers(1, 4, records)
    account = medfee - fund
    fund[rng.random(records) < 0.1] = 0
    account[rng.random(records) < 0.3] = 0
    medfee[rng.random(records) < 0.01] = 0
    medfee[0], medfee[1] = LARGEST, -LARGEST
    visit = number.copy()
    refunds = records // 30
    refund = number >= records - refunds
    refunded = rng.choice(records - refunds, refunds, replace=False)
    visit[refund] = refunded
    for amount in (medfee, fund, account):
        amount[refund] = -amount[refunded]
    columns = dict(zip(AMOUNTS, (medfee, fund, account), strict=True))
    # Half are digits only and too long for any whole number; all begin with a zero that means something.
    prefix = pl.when(pl.col("number") % 2 == 0).then(pl.lit("0330102")).otherwise(pl.lit("0330H02"))
    return pl.DataFrame({"number": number, "visit": visit, **columns}).select(
        pl.concat_str(prefix, _digits("number", 13)).alias("setl_id"),
        pl.concat_str(pl.lit("V"), _digits("visit", 12)).alias("mdtrt_id"),
        pl.concat_str(pl.lit("P"), _digits(pl.col("visit") // 3, 12)).alias("psn_no"),
        *AMOUNTS,
        pl.Series(FLAG, refund).cast(pl.Int64),
    )


def _digits(number: str | pl.Expr, width: int) -> pl.Expr:
    column = pl.col(number) if isinstance(number, str) else number
    return column.cast(pl.String).str.zfill(width)


def _edits(base: pl.DataFrame, count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Which records get which edit: the amount column it concerns, and by how many fen."""
    count = min(count, base.height // 2)
    chosen = UNTOUCHED + rng.choice(base.height - UNTOUCHED, count, replace=False)
    fen = rng.integers(2, 1_000_000, count)
    fen[rng.random(count) < 0.4] = 1
    fen *= rng.choice([-1, 1], count)
    names = list(EDITS)
    number = np.arange(count)
    return base[chosen].with_columns(
        record=pl.Series(chosen),
        edit=pl.Series([names[n % len(names)] for n in number]),
        column=pl.Series([AMOUNTS[n // len(names) % len(AMOUNTS)] for n in number]),
        fen=pl.Series(fen),
    )


def _truth(edits: pl.DataFrame, edit: str, outcome: Outcome) -> pl.DataFrame:
    def moved(name: str) -> pl.Expr:
        signed = [_amount(copy, name).fill_null(0) for copy in outcome.ours]
        signed += [-_amount(copy, name).fill_null(0) for copy in outcome.theirs]
        return pl.sum_horizontal(signed).alias(f"{name}_difference")

    return edits.filter(pl.col("edit") == edit).select(
        "edit",
        pl.lit(outcome.verdict).alias("class"),
        _key(outcome.key),
        pl.lit(len(outcome.ours), pl.Int64).alias("records_ours"),
        pl.lit(len(outcome.theirs), pl.Int64).alias("records_theirs"),
        *(moved(name) for name in AMOUNTS),
    )


def _applied(untouched: pl.DataFrame, edits: pl.DataFrame, side: str) -> pl.DataFrame:
    """The records of one side: the untouched ones, and every copy that the edits put there."""
    planted = [
        edits.filter(pl.col("edit") == edit).select(
            _key(outcome.key),
            "mdtrt_id",
            "psn_no",
            *(_amount(copy, name).alias(name) for name in AMOUNTS),
            _flag(copy),
        )
        for edit in EDITS
        for outcome in EDITS[edit]
        for copy in getattr(outcome, side)
    ]
    return pl.concat([untouched, *planted])


def _key(key: str) -> pl.Expr:
    agreed = pl.col("setl_id")
    return {
        "same": agreed,
        "empty": pl.lit(None, pl.String),
        "similar": agreed.str.strip_chars_start("0").str.to_lowercase(),
        "blank": agreed + " ",
        "quoted": pl.format('"{}"', agreed),
    }[key].alias("setl_id")


def _amount(copy: Copy, name: str) -> pl.Expr:
    if copy.amount == "next":
        return pl.col(name).gather((pl.int_range(pl.len()) + 1) % pl.len())
    agreed = pl.col(name) * copy.times
    edited = {
        "number": agreed + copy.step * pl.col("fen"),
        "absent": pl.lit(None, pl.Int64),
        "zero": pl.lit(0, pl.Int64),
    }[copy.amount]
    return pl.when(pl.col("column") == name).then(edited).otherwise(agreed)


def _flag(copy: Copy) -> pl.Expr:
    return {
        "same": pl.col(FLAG),
        "other": 1 - pl.col(FLAG),
        "absent": pl.lit(None, pl.Int64),
        "unknown": pl.lit(9, pl.Int64),
    }[copy.flag].alias(FLAG)


def _spelt(ledger: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The records as text in any order, each cell in one of the spellings that mean the same."""
    ledger = ledger[rng.permutation(ledger.height)]
    odd = {name: pl.Series(rng.integers(0, 16, ledger.height, dtype=np.uint8)) for name in COLUMNS}
    rarely = pl.Series(rng.random(ledger.height) < 0.001)
    return ledger.select(
        _or_absent(pl.col("setl_id"), odd["setl_id"]),
        _or_absent(pl.col("mdtrt_id"), odd["mdtrt_id"]),
        _or_absent(pl.when(~rarely).then("psn_no").alias("psn_no"), odd["psn_no"]),
        *(_or_absent(_yuan(name, odd[name]), odd[name]) for name in AMOUNTS),
        _or_absent(_code(odd[FLAG]), odd[FLAG]),
    )


def _yuan(name: str, odd: pl.Series) -> pl.Expr:
    fen = pl.col(name)
    sign = pl.when(fen < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    cents = (fen.abs() % 100).cast(pl.String).str.zfill(2)
    full = pl.concat_str(sign, (fen.abs() // 100).cast(pl.String), pl.lit("."), cents)
    short = full.str.strip_chars_end("0").str.strip_chars_end(".")
    spelt = pl.when(pl.lit(odd) < 3).then(short).otherwise(full)
    return (
        pl.when((fen == 0) & (pl.lit(odd) == 0)).then(pl.lit("-0.00"))
        .when((fen == 0) & (pl.lit(odd) == 1)).then(pl.lit("-0"))
        .when((fen == 0) & (pl.lit(odd) == 2)).then(pl.lit("0.0"))
        .otherwise(spelt)
        .alias(name)
    )  # fmt: skip


def _code(odd: pl.Series) -> pl.Expr:
    code = pl.col(FLAG).cast(pl.String)
    newest = (pl.lit(odd) < 4) & pl.col(FLAG).is_between(0, 1)
    return pl.when(newest).then(code.str.zfill(3)).otherwise(code).alias(FLAG)


def _or_absent(text: pl.Expr, odd: pl.Series) -> pl.Expr:
    """Absent is an empty cell or the word null."""
    return pl.coalesce(text, pl.when(pl.lit(odd) < 8).then(pl.lit("null")))


def main() -> None:
    parser = argparse.ArgumentParser(description=make.__doc__)
    parser.add_argument("folder", type=Path, metavar="OUTDIR")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--differences", type=float, default=0.003)
    asked = parser.parse_args()
    day = make(asked.records, asked.seed, asked.differences)
    for path, ledger in zip(day.write(asked.folder), (day.hospital, day.platform), strict=True):
        print(f"{path}: {ledger.height:,} records")
    for verdict, keys in day.truth.group_by("class").len().sort("class").iter_rows():
        print(f"{verdict}: {keys:,} planted keys")


if __name__ == "__main__":
    main()
