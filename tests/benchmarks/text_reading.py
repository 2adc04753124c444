"""Speed and memory of text files: several characters between fields, lines of fixed width, and the writing of both.

    python tests/benchmarks/text_reading.py [--records 1000000] [--runs 3] [--folder DIR]

Reading stands beside Polars' CSV parser on the same records with TABs, writing beside its `write_csv`. Every run is a
process of its own, with its start; compare ratios, not seconds.
"""

from pathlib import Path

from processes import asked, medians, python

NAMES = ("bill_no", "psn_name", "memo", "medfee_sumamt")
LAYOUT = """{"$id": "medpay:layouts/bench.v1", "title": "b", "x-en": "b", "type": "object", "properties": {
"bill_no": {"type": "string"}, "psn_name": {"type": "string"}, "memo": {"type": "string"},
"medfee_sumamt": {"$ref": "medpay:fields/nhsa#/$defs/medfee_sumamt"}}}"""
HEAD = 'title = { zh = "b", en = "b" }\nlayout = "bench.json"\nencoding = "utf-8"\n'
POSITIONS = "[positions]\nbill_no = [1, 20]\npsn_name = [21, 30]\nmemo = [31, 60]\nmedfee_sumamt = [61, 76]\n"
DIALECTS = {
    "tab": 'format = "delimited"\ndelimiter = "\\t"\n',
    "|@|": 'format = "delimited"\ndelimiter = "|@|"\n',
    "quoted": 'format = "delimited"\ndelimiter = ","\nquote = \'"\'\n',
    "control": 'format = "delimited"\ndelimiter = "\\t"\n[control]\nhead = ["records", "medfee_sumamt"]\n',
    "fixed": f'format = "fixed"\n{POSITIONS}',
    "fixed gbk": f'format = "fixed"\ncounted_in = "bytes"\n{POSITIONS}',
}
COMMON = """
import sys, resource, polars as pl
from dataclasses import replace
from pathlib import Path
from medpay_cli import dialects, formats
from medpay_cli.formats.archive import Input
names = ("bill_no", "psn_name", "memo", "medfee_sumamt")
def frame(n, first=0):
    row = pl.int_range(first, first + n, eager=True)
    text = row.cast(pl.String)
    return pl.DataFrame({"bill_no": "B" + text.str.zfill(17), "psn_name": "NAME" + text.str.slice(-3),
        "memo": pl.select(pl.when(pl.lit(row) % 3 > 0).then(pl.lit("门诊 " + text))).to_series(),
        "medfee_sumamt": (row % 9973).cast(pl.String) + ".25"})
"""
READ = """
how = dialects.load(sys.argv[1]).fitted(names)
source = formats.prepared(Input(sys.argv[2]), how, None)
def count(batches): return sum(batch.text.height for batch, _ in batches)
print(formats.read(source, replace(how, encoding=source.encoding), {None: names}, lambda batch: None, count))
"""
WRITE = """
how = dialects.load(sys.argv[1]).fitted(names)
n = int(sys.argv[3])
with open(sys.argv[2], "wb") as out:
    formats.write(out, how, {None: names}, ({None: frame(50_000, at)} for at in range(0, n, 50_000)))
"""
BARE_READ = """
print(pl.read_csv(sys.argv[2], separator="\\t", has_header=False, quote_char=None,
                  schema=dict.fromkeys(names, pl.String)).height)
"""
BARE_WRITE = """
n = int(sys.argv[3])
with open(sys.argv[2], "wb") as out:
    for at in range(0, n, 50_000):
        frame(50_000, at).write_csv(out, separator="\\t", include_header=False, quote_style="never")
"""


def main():
    given = asked(records=1_000_000)
    (given.folder / "bench.json").write_text(LAYOUT, encoding="utf-8")
    paths = {}
    for name, body in DIALECTS.items():
        toml = given.folder / f"{name.replace('|', 'I')}.toml"
        head = HEAD.replace("utf-8", "gbk") if name == "fixed gbk" else HEAD
        toml.write_text(head + body, encoding="utf-8")
        paths[name] = (str(toml), str(toml.with_suffix(".txt")))
    jobs = {("write", name): python(COMMON + WRITE, *path, given.records) for name, path in paths.items()}
    jobs["write", "bare Polars"] = python(COMMON + BARE_WRITE, "-", given.folder / "bare.txt", given.records)
    jobs |= {("read", name): python(COMMON + READ, *path) for name, path in paths.items()}
    jobs["read", "bare Polars"] = python(COMMON + BARE_READ, "-", paths["tab"][1])
    for (kind, name), (_, cpu, peak) in medians(jobs, given.runs).items():
        size = Path(paths.get(name, paths["tab"])[1]).stat().st_size / 1e6
        print(f"{kind:<6} {name:<12} {size:7.0f} MB {cpu:6.2f} s cpu {size / cpu:6.0f} MB/s {peak:6.0f} MiB")


if __name__ == "__main__":
    main()
