"""Reconcile beside the bare libraries: a day of two ledgers, the truth written first, every result held against it.

    python tests/benchmarks/reconcile_day.py [--records 1000000] [--differences 0.003 0.2] [--runs 3] [--folder DIR]
        [--only medpay ...]

Times are medians of whole processes run in turn, a peak is the largest resident set of a process and its children
taken one by one. Compare ratios within a run, not seconds. Every row must find the planted numbers of keys, or the
run stops; medpay must find their records and every sum too.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "reconcile"))
import ledger_day  # noqa: E402
from processes import kept, measured  # noqa: E402

AMOUNTS = ledger_day.AMOUNTS
PART = 1_000_000
SIDES = ("hospital", "platform")
CLASSES = ("matched", "only_ours", "only_theirs", "duplicate", "amount_differs", "status_differs")
SLOW = {"pandas": 1_000_000}  # not run beyond

# The floors do the reading of both sides and nothing else; the peers all of `reconcile`: class of every key, sums per
# class, a file of differences. None of the peers looks at the grammar of an amount, a width or an encoding.
COLUMNS = ["k", "mdtrt", "psn", "m", "f", "a", "s"]
HEAD = f"""
import sys, polars as pl
ours, theirs, out = sys.argv[1:]
names = {COLUMNS!r}
def scan(path):
    read = pl.scan_csv(path, separator="\\t", has_header=False, schema=dict.fromkeys(names, pl.String), quote_char=None,
                       null_values=["null"])
    code = pl.col("s").replace({{"000": "0", "001": "1"}})
    return read.select("k", *(pl.col(n).cast(pl.Decimal(38, 2)) for n in "mfa"), code)
def done(classes):
    print("\\n".join(f"{{name}} {{keys}}" for name, keys in classes))
"""
FLOOR = f"""{HEAD}
for path in (ours, theirs):
    kept = pl.col("k").hash(), pl.struct("k", "m", "f", "a", "s").hash().alias("row")
    read = scan(path).select(*kept, "m", "f", "a").collect(engine="streaming")
    read.select("m", "f", "a").sum()
"""
STRICT = """
import sys
from medpay_cli import recipes, screening, sides
from medpay_cli.judging import Terms
recipe = recipes.load("ledger")
take = screening.Screen(recipe.key, (*recipe.amounts, *recipe.compare), 10**12).take
kept = [sides.read(one, path, Terms(), recipe, take) for one, path in zip(recipe.sides, sys.argv[1:])]
"""
CLASS = """
lone = pl.col("k").is_null()
def differs(x, y):
    return x.ne_missing(y)
def total(x):  # absent is not zero
    return pl.when(pl.col(x).count() > 0).then(pl.col(x).sum()).alias(x)
n, t = pl.col("on").fill_null(0), pl.col("tn").fill_null(0)
amounts = pl.any_horizontal(differs(pl.col(f"o{x}"), pl.col(f"t{x}")) for x in "mfa")
status = differs(pl.col("os"), pl.col("ts"))
twice = (n > 1) | (t > 1)
def word(text):
    return pl.lit(text)
# Of a key that stands several times only the sums are compared here: matched or not, it is counted as `twice`.
verdict = (pl.when(t == 0).then(word("only_ours")).when(n == 0).then(word("only_theirs"))
    .when(twice).then(word("twice"))
    .when(amounts).then(word("amount_differs")).when(status).then(word("status_differs")).otherwise(word("matched")))
"""
JOIN = f"""{HEAD}{CLASS}
def side(path, mark):
    whole = scan(path)
    def grouped(frame):
        return frame.group_by("k").agg(pl.len().alias(mark + "n"), *(total(x).alias(mark + x) for x in "mfa"),
                                       pl.col("s").max().alias(mark + "s"))
    lost = whole.filter(lone).select("k", pl.lit(1, pl.UInt32).alias(mark + "n"),
        *(pl.col(x).alias(mark + x) for x in "mfas"))
    return grouped(whole.filter(~lone)), lost
(o, o1), (t, t1) = side(ours, "o"), side(theirs, "t")
joined = pl.concat([o.join(t, on="k", how="full", coalesce=True), o1, t1], how="diagonal")
found = joined.with_columns(verdict.alias("c")).collect(engine="streaming")
found.filter(pl.col("c") != "matched").sort("c", "k").write_csv(out)
sums = found.group_by("c").agg(pl.len(), *(pl.col(side + x).sum() for side in "ot" for x in "mfa"))
done(sums.select("c", "len").rows())
"""
UNION = f"""{HEAD}{CLASS}
def one(mark, other):
    here, zero = pl.lit(1, pl.UInt32), pl.lit(0, pl.UInt32)
    return ("k", here.alias(mark + "n"), zero.alias(other + "n"), *(pl.col(x).alias(mark + x) for x in "mfas"))
both = pl.concat([scan(ours).select(one("o", "t")), scan(theirs).select(one("t", "o"))], how="diagonal")
sums = [pl.col(side + "n").sum() for side in "ot"] + [total(side + x) for side in "ot" for x in "mfa"]
sums += [pl.col(side + "s").max() for side in "ot"]
grouped = both.filter(~lone).group_by("k").agg(sums)
found = pl.concat([grouped, both.filter(lone)], how="diagonal").with_columns(verdict.alias("c"))
found = found.collect(engine="streaming")
found.filter(pl.col("c") != "matched").sort("c", "k").write_csv(out)
sums = found.group_by("c").agg(pl.len(), *(pl.col(side + x).sum() for side in "ot" for x in "mfa"))
done(sums.select("c", "len").rows())
"""
DUCKDB = """
import sys, duckdb
ours, theirs, out = sys.argv[1:]
columns = "columns={'k':'VARCHAR','i':'VARCHAR','p':'VARCHAR','m':'VARCHAR','f':'VARCHAR','a':'VARCHAR','s':'VARCHAR'}"
def side(path):
    read = f"read_csv('{path}', delim='\\t', header=false, quote='', nullstr=['', 'null'], {columns})"
    sums = ", ".join(f"sum({x}::decimal(16,2)) {x}" for x in "mfa")
    code = "case s when '000' then '0' when '001' then '1' else s end"
    rest = ", ".join(f"{x}::decimal(16,2) {x}" for x in "mfa")
    return (f"select k, count(*) n, {sums}, max({code}) s from {read} where k is not null group by k "
            f"union all select k, 1, {rest}, {code} from {read} where k is null")
db = duckdb.connect()
db.execute("set enable_progress_bar = false")
db.sql(f'''create temp table joined as with o as ({side(ours)}), t as ({side(theirs)})
select coalesce(o.k, t.k) k, o.n on_, t.n tn, o.m om, t.m tm, o.f of, t.f tf, o.a oa, t.a ta, o.s os, t.s ts,
  case when t.n is null then 'only_ours' when o.n is null then 'only_theirs' when o.n > 1 or t.n > 1 then 'twice'
       when o.m is distinct from t.m or o.f is distinct from t.f or o.a is distinct from t.a then 'amount_differs'
       when o.s is distinct from t.s then 'status_differs' else 'matched' end class
from o full join t on o.k = t.k''')
db.sql(f"copy (select * from joined where class <> 'matched' order by class, k) to '{out}' (header)")
for name, keys, *_ in db.sql("select class, count(*), sum(om), sum(tm), sum(of), sum(tf), sum(oa), sum(ta) from joined "
                             "group by class").fetchall():
    print(name, keys)
"""
PANDAS = f"""
import sys, pandas as pd
from decimal import Decimal
ours, theirs, out = sys.argv[1:]
def side(path):
    read = pd.read_csv(path, sep="\\t", header=None, names={COLUMNS!r}, dtype=str, quoting=3, na_values=["null", ""],
                       keep_default_na=False, usecols=list("kmfas"))
    for x in "mfa":  # in fen
        read[x] = read[x].map(lambda text: int(Decimal(text) * 100), na_action="ignore").astype("Int64")
    read["s"] = read["s"].replace({{"000": "0", "001": "1"}})
    read.loc[read["k"].isna(), "k"] = [f"{{path}}-{{i}}" for i in range(read["k"].isna().sum())]
    grouped = read.groupby("k")
    return pd.concat([grouped.size().rename("n"), *(grouped[x].sum(min_count=1) for x in "mfa"), grouped["s"].max()],
                     axis=1)
both = side(ours).join(side(theirs), how="outer", lsuffix="o", rsuffix="t")
n, t = both["no"].fillna(0), both["nt"].fillna(0)
def differs(x):
    a, b = both[x + "o"], both[x + "t"]
    return ((a != b).fillna(True).astype(bool)) & ~(a.isna() & b.isna())
both["c"] = "matched"
both.loc[differs("s"), "c"] = "status_differs"
both.loc[differs("m") | differs("f") | differs("a"), "c"] = "amount_differs"
both.loc[(n > 1) | (t > 1), "c"] = "twice"
both.loc[n == 0, "c"] = "only_theirs"
both.loc[t == 0, "c"] = "only_ours"
both[both["c"] != "matched"].sort_values("c").to_csv(out)
both.groupby("c")[["mo", "mt", "fo", "ft", "ao", "at"]].sum()
for name, keys in both["c"].value_counts().items():
    print(name, keys)
"""


SCRIPTS = {
    "floor: Polars scan, keys hashed": FLOOR,
    "floor: strict reading": STRICT,
    "Polars full join": JOIN,
    "Polars union + group": UNION,
    "DuckDB full join": DUCKDB,
    "pandas outer join": PANDAS,
}


def write_day(folder, records, differences):
    """Both ledgers, in parts with keys of their own, theirs in another order; before them what is in them."""
    parts = range(-(-records // PART))
    truth = {name: {"keys": 0, "records": [0, 0], "twice": 0, **dict.fromkeys(AMOUNTS, 0)} for name in CLASSES}
    folder.mkdir(parents=True, exist_ok=True)
    for number in parts:
        day = ledger_day.make(min(PART, records - number * PART), number + 1, differences)
        add(truth, day)
        for side in SIDES:
            key = pl.when(pl.col("setl_id") != "null").then(pl.col("setl_id") + f"{number:03}")
            ledger_day.write_ledger(getattr(day, side).with_columns(key), folder / f"{side}.{number}")
    (folder / "truth.json").write_text(json.dumps(truth))
    for side, order in zip(SIDES, (parts, reversed(parts)), strict=True):
        with (folder / f"{side}.part").open("wb") as out:
            for number in order:
                piece = folder / f"{side}.{number}"
                with piece.open("rb") as read:
                    shutil.copyfileobj(read, out, 1 << 20)
                piece.unlink()
        (folder / f"{side}.part").rename(folder / f"{side}.txt")


def add(truth, day):
    """What was planted in a part of the day."""
    ours, theirs = pl.col("records_ours"), pl.col("records_theirs")
    sums = (pl.col(f"{name}_difference").sum().alias(name) for name in AMOUNTS)
    twice = ((ours > 1) | (theirs > 1)) & (ours > 0) & (theirs > 0)
    counted = day.truth.group_by("class").agg(
        pl.len().alias("keys"), ours.sum(), theirs.sum(), twice.sum().alias("twice"), *sums
    )
    for name, keys, mine, other, often, *moved in counted.rows():
        found = truth[name]
        found["keys"] += keys
        found["twice"] += often
        found["records"] = [found["records"][0] + mine, found["records"][1] + other]
        for amount, fen in zip(AMOUNTS, moved, strict=True):
            found[amount] += fen
    truth["matched"]["keys"] += day.agreed
    truth["matched"]["records"] = [one + day.agreed for one in truth["matched"]["records"]]


def hold(name, printed, truth, summary):
    """Stop where a result is not what was planted."""
    if name.startswith("floor"):
        return
    if name.startswith("medpay"):
        found = json.loads(summary.read_text())["classes"]
        wrong = {
            (verdict, what): (is_, should)
            for verdict, planted in truth.items()
            for what, is_, should in medpay_claims(found.get(verdict), planted)
            if is_ != should
        }
    else:
        counted = {verdict: int(keys) for verdict, keys in map(str.split, filter(None, printed.splitlines()))}
        planted = {verdict: one["keys"] - one["twice"] for verdict, one in truth.items()}
        planted["twice"] = planted.pop("duplicate") + sum(one["twice"] for one in truth.values())
        wrong = {one: (counted.get(one, 0), keys) for one, keys in planted.items() if counted.get(one, 0) != keys}
    if wrong:
        raise SystemExit(f"{name}: not what was planted (found, planted): {wrong}")


def medpay_claims(found, planted):
    """What medpay says of a class, and what is true of it."""
    if found is None:
        yield "keys", 0, planted["keys"]
        return
    yield "keys", found["keys"], planted["keys"]
    yield "records", [found["records"][side] for side in ("ours", "theirs")], planted["records"]
    for name in AMOUNTS:
        yield name, Decimal(found["amounts"][name]["difference"]), Decimal(planted[name]).scaleb(-2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--differences", type=float, nargs="*", default=[0.003, 0.2])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "medpay-bench" / "day")
    parser.add_argument("--only", nargs="*", help="Rows whose name begins so.")
    parser.add_argument("--medpay", nargs="*", default=[""], help="Options of a further row each: '--engine duckdb'.")
    parser.add_argument("--pandas", default=sys.executable, help="The interpreter of an environment that has it.")
    parser.add_argument("--keep", action="store_true", help="Put the tables into docs/performance.json.")
    asked = parser.parse_args()
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} before")
    for records in asked.records:
        for differences in asked.differences:
            bench(asked, records, differences)
    print(f"load {os.getloadavg()[0]:.1f} after")


def bench(asked, records, differences):
    """One table."""
    folder = asked.folder / f"{records}-{differences}"
    if not all((folder / f"{side}.txt").exists() for side in SIDES):
        write_day(folder, records, differences)
    truth = json.loads((folder / "truth.json").read_text())
    sides = [str(folder / f"{side}.txt") for side in SIDES]
    medpay = [sys.executable, "-m", "medpay_cli", "reconcile", *sides, "--recipe", "ledger"]
    medpay += ["--output-dir", str(folder / "out"), "--format", "json"]
    commands = {f"medpay {words}".strip(): [*medpay, *words.split()] for words in asked.medpay}
    for name, script in SCRIPTS.items():
        own = asked.pandas if name.startswith("pandas") else sys.executable
        commands[name] = [own, "-c", script, *sides, str(folder / "other.csv")]
    wanted = asked.only or [""]
    commands = {
        name: command
        for name, command in commands.items()
        if name.startswith(tuple(wanted)) and records <= SLOW.get(name.split()[0], records)
    }
    found = {name: [] for name in commands}
    for _ in range(asked.runs):
        for name, command in commands.items():
            found[name].append(measured(command, (0, 1) if name.startswith("medpay") else (0,), folder / "printed"))
            hold(name, (folder / "printed").read_text(), truth, folder / "out" / "summary.json")
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    base = medians.get("floor: strict reading", next(iter(medians.values())))[0]
    print(f"\n{records:,} records a side, {differences:.1%} differences, {asked.runs} runs")
    for name, (wall, cpu, peak) in medians.items():
        print(f"{name:<34} {wall:7.2f} s {cpu:7.2f} s cpu {peak:7.0f} MiB {wall / base:6.2f} x", flush=True)
    if asked.keep:
        title = f"reconcile, {records:,} records a side, {differences:.1%} of them differ; medians of {asked.runs} runs"
        kept(f"reconcile-{records}-{differences}", title, {name: (records, one) for name, one in medians.items()})


if __name__ == "__main__":
    main()
