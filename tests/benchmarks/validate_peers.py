"""Validate beside other validators: one file of 25 columns and some sixty checks, one record in a hundred wrong.

    python tests/benchmarks/validate_peers.py [--records 1000000] [--runs 3] [--folder DIR] [--peers PYTHON]
        [--only medpay ...]

All of them read the same file and must find exactly the records that were made wrong, or the run stops. They hold the
schema that `medpay show layout visits.json --as json-schema` publishes, so nobody has rules of their own. `--peers` is
the interpreter of an environment that has them: jsonschema, jsonschema-rs, fastjsonschema, pandera[polars],
dataframely, frictionless, duckdb. Slow ones get the first records of the file only, as many as the table says: compare
records per second. Beside them stands what only reads: Polars' own parse of every cell as text.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from processes import kept, measured, python

HERE = Path(__file__).parent
LAYOUT = HERE / "visits.json"
PART = 1_000_000
# One cell of a wrong record, and what stands in it instead.
FAULTS = [
    ("mdtrt_id", None), ("setl_id", "S" * 31), ("gend", "3"), ("brdy", "1980-02-30"), ("age", "41.555"),
    ("insutype", "31O"), ("setl_time", "2026-03-01 24:00:00"), ("psn_setlway", "3"), ("medfee_sumamt", "1,234.50"),
    ("hifp_pay", "12.345"), ("psn_cash_pay", "1e3"), ("acct_pay", None), ("clr_type", "一一"), ("begndate", "2026/3/1"),
    ("medins_setl_id", "M" * 31),
]  # fmt: skip

HEAD = """
import csv, json, sys
path, published = sys.argv[1:3]
schema = json.load(open(published))
fields, required = schema["properties"], set(schema["required"])
def rows():
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\\t", quoting=csv.QUOTE_NONE):
            yield {name: text for name, text in row.items() if text}
"""
PEERS = {
    "jsonschema": (50_000, """
from jsonschema import Draft202012Validator
held = Draft202012Validator(schema)
print(sum(1 for row in rows() if any(True for _ in held.iter_errors(row))))
"""),
    "frictionless": (200_000, """
import os
from frictionless import Dialect, Resource, Schema
from frictionless.formats import CsvControl
keys = ("minLength", "maxLength", "pattern", "enum")
def field(name, said):
    held = {key: said[key] for key in keys if key in said} | ({"required": True} if name in required else {})
    return {"name": name, "type": "string", "constraints": held}
made = Schema.from_descriptor({"fields": [field(*one) for one in fields.items()]})
dialect = Dialect(controls=[CsvControl(delimiter="\\t", quote_char="\\x01")])
os.chdir(os.path.dirname(path))  # it takes no absolute paths
report = Resource(os.path.basename(path), format="csv", schema=made, dialect=dialect).validate(limit_errors=10**9)
print(len({error[0] for error in report.flatten(["rowNumber"])}))
"""),
    "fastjsonschema": (1_000_000, """
import fastjsonschema
held = fastjsonschema.compile({**schema, "$schema": "http://json-schema.org/draft-07/schema#"})
wrong = 0
for row in rows():
    try:
        held(row)
    except fastjsonschema.JsonSchemaException:
        wrong += 1
print(wrong)
"""),
    "jsonschema-rs": (1_000_000, """
import jsonschema_rs
held = jsonschema_rs.validator_for(schema)
print(sum(1 for row in rows() if not held.is_valid(row)))
"""),
    "pandera (polars)": (None, """
import polars as pl, pandera.polars as pa
frame = pl.read_csv(path, separator="\\t", quote_char=None, schema={name: pl.String for name in fields})
def checks(said):
    if "pattern" in said: yield pa.Check.str_matches(said["pattern"])
    if "enum" in said: yield pa.Check.isin(said["enum"])
    if "minLength" in said or "maxLength" in said:
        yield pa.Check.str_length(said.get("minLength", 0), said.get("maxLength"))
columns = {name: pa.Column(pl.String, list(checks(said)), nullable=name not in required)
           for name, said in fields.items()}
try:
    pa.DataFrameSchema(columns).validate(frame, lazy=True)
    print(0)
except pa.errors.SchemaErrors as err:
    print(err.failure_cases["index"].n_unique())
"""),
    "dataframely": (None, """
import polars as pl, dataframely as dy
frame = pl.read_csv(path, separator="\\t", quote_char=None, schema={name: pl.String for name in fields})
def column(name, said):
    listed = said.get("enum")
    return dy.String(nullable=name not in required, min_length=said.get("minLength"), max_length=said.get("maxLength"),
                     regex=said.get("pattern"), check=(lambda cell: cell.is_in(listed)) if listed else None)
made = type("Visits", (dy.Schema,), {name: column(name, said) for name, said in fields.items()})
good, failure = made.filter(frame)
failure.counts()
print(len(failure))
"""),
    "DuckDB CASE": (None, """
import duckdb
def tests(name, said):
    if name in required: yield f"{name} is null", name
    if "pattern" in said: yield f"not regexp_matches({name}, '{said['pattern']}')", name
    if "enum" in said: yield f"{name} not in ({', '.join(repr(one) for one in said['enum'])})", name
    if "maxLength" in said: yield f"length({name}) > {said['maxLength']}", name
every = [one for item in fields.items() for one in tests(*item)]
columns = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in fields) + "}"
case = "case " + " ".join(f"when {test} then '{name}'" for test, name in every) + " end"
db = duckdb.connect()
db.execute("set enable_progress_bar = false")
read = f"read_csv('{path}', delim='\\t', header=true, quote='', nullstr=[''], columns={columns})"
db.execute(f"create table wrong as select * from (select *, {case} as fault from {read}) where fault is not null")
print(db.execute("select count(*) from wrong").fetchone()[0])
"""),
}  # fmt: skip
PARSE = """
import polars as pl
read = pl.scan_csv(path, separator="\\t", quote_char=None, schema={name: pl.String for name in fields})
read.select(pl.all().str.len_bytes().sum()).collect(engine="streaming")
print("-")
"""


def made(records, seed):
    """Visits whose every cell is as the layout wants it."""
    draw = np.random.default_rng(seed)
    number = pl.Series(np.arange(seed * PART, seed * PART + records)).cast(pl.String).str.zfill(12)
    day = pl.Series(np.datetime64("2026-03-01") + draw.integers(0, 28, records)).cast(pl.String)
    clock = pl.Series(draw.integers(0, 86_400, records))
    parts = (clock // 3600, clock // 60 % 60, clock % 60)
    time = pl.select(pl.concat_str(*(part.cast(pl.String).str.zfill(2) for part in parts), separator=":")).to_series()

    def amount(most):
        fen = pl.Series(draw.integers(0, most, records))
        return (fen // 100).cast(pl.String) + "." + (fen % 100).cast(pl.String).str.zfill(2)

    def one_of(*codes):
        return pl.Series(np.array(codes)[draw.integers(0, len(codes), records)])

    ids = {"mdtrt_id": "V" + number, "setl_id": "330H0200" + number, "psn_no": "P" + number}
    fees = ("medfee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt", "hifp_pay",
            "fund_pay_sumamt", "psn_part_amt", "acct_pay", "psn_cash_pay")  # fmt: skip
    codes = {
        "psn_cert_type": ("01", "02", "03"), "gend": ("1", "2", "9"), "age": ("41", "7", "68"),
        "insutype": ("310", "390"), "psn_setlway": ("01", "02"), "med_type": ("11", "12", "21"),
        "clr_type": ("11", "21"),
    }  # fmt: skip
    return pl.DataFrame({
        **ids, **{name: amount(3_000_000) for name in fees}, **{name: one_of(*of) for name, of in codes.items()},
        "brdy": pl.Series(np.datetime64("1940-01-01") + draw.integers(0, 25_000, records)).cast(pl.String),
        "setl_time": day + " " + time, "medins_setl_id": "M" + number, "begndate": day, "enddate": day,
    })  # fmt: skip


def write(folder, records, names):
    """The file, and which of its records are wrong, numbered from 0."""
    wrong = []
    with (folder / "visits.part").open("wb") as out:
        for seed in range(-(-records // PART)):
            height = min(PART, records - seed * PART)
            frame = made(height, seed).select(names)
            draw = np.random.default_rng(1_000 + seed)
            rows = np.sort(draw.choice(height, height // 100, replace=False))
            kind = draw.integers(0, len(FAULTS), len(rows))
            for number, (name, text) in enumerate(FAULTS):
                hit = np.zeros(height, np.bool_)
                hit[rows[kind == number]] = True
                frame = frame.with_columns(
                    pl.when(pl.Series(hit)).then(pl.lit(text, pl.String)).otherwise(name).alias(name)
                )
            wrong.append(rows + seed * PART)
            frame.write_csv(out, separator="\t", include_header=seed == 0, quote_style="never")
    np.save(folder / "wrong.npy", np.concatenate(wrong))
    (folder / "visits.part").rename(folder / "visits.txt")


def head(path, records):
    """The first records of the file, in one of its own."""
    part = path.with_name(f"visits-{records}.txt")
    with path.open("rb") as read, part.open("wb") as out:
        for _, line in zip(range(records + 1), read, strict=False):
            out.write(line)
    return part


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "medpay-bench")
    parser.add_argument("--peers", default=sys.executable)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--keep", action="store_true", help="Put the table into docs/performance.json.")
    given = parser.parse_args()
    medpay = [sys.executable, "-m", "medpay_cli"]
    folder = given.folder / f"visits-{given.records}"
    folder.mkdir(parents=True, exist_ok=True)
    published = folder / "visits.schema.json"
    show = [*medpay, "show", "layout", str(LAYOUT), "--as", "json-schema"]
    published.write_bytes(subprocess.run(show, check=True, capture_output=True).stdout)
    if not (folder / "visits.txt").exists():
        write(folder, given.records, list(pl.read_json(published)["properties"].struct.fields))
    wrong, path = np.load(folder / "wrong.npy"), folder / "visits.txt"
    validate = [*medpay, "validate", str(path), "--layout", str(LAYOUT), "--format", "json"]
    commands = {
        "bare parse: Polars, all as text": (given.records, python(HEAD + PARSE, path, published)),
        "medpay, checks of the layout": (given.records, [*validate, "--ignore", "B,C"]),
        "medpay, and rules": (given.records, validate),
    }
    for name, (most, script) in PEERS.items():
        records = min(given.records, most or given.records)
        piece = path if records == given.records else head(path, records)
        commands[name] = (records, [given.peers, "-c", HEAD + script, str(piece), str(published)])
    commands = {name: one for name, one in commands.items() if name.startswith(tuple(given.only))}
    found = {name: [] for name in commands}
    for _ in range(given.runs):
        for name, (records, command) in commands.items():
            found[name].append(measured(command, (0, 1), folder / "printed"))
            hold(name, (folder / "printed").read_text(), int(np.searchsorted(wrong, records)))
    size = path.stat().st_size / 2**20
    print(f"{given.records:,} records, {size:,.0f} MiB, {len(wrong):,} of them wrong, medians of {given.runs} runs")
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    base = None
    for name, (records, _) in commands.items():
        wall, cpu, peak = medians[name]
        base = base or wall / records
        print(f"{name:<32} {records:>11,} {wall:8.2f} s {cpu:8.2f} s cpu {peak:7.0f} MiB {records / wall:12,.0f} /s "
              f"{wall / records / base:8.2f} x")  # fmt: skip

    if given.keep:
        what = f"{given.records:,} records of 25 columns and 57 checks, one record in a hundred wrong"
        title = f"validate, {what}; medians of {given.runs} runs"
        kept(f"validate-{given.records}", title, {name: (commands[name][0], one) for name, one in medians.items()})


def hold(name, printed, planted):
    """Stop where somebody finds other records than those that were made wrong."""
    # The amounts are drawn and owe each other nothing: rules find more.
    if name.startswith("bare") or name == "medpay, and rules":
        return
    found = json.loads(printed)["files"][0]["rejected"] if name.startswith("medpay") else int(printed or -1)
    if found != planted:
        raise SystemExit(f"{name}: found {found} of {planted}")


if __name__ == "__main__":
    main()
