"""Speed and memory of reading and judging XML beside lxml's own `iterparse` with the schema, as whole processes.

    python tests/benchmarks/xml_reading.py [--mib 100 1000] [--runs 3] [--folder DIR]

Times are medians of whole processes; a peak is the largest resident set. `attributes` is a file in which no piece is
plain, so that the parser meets every record.
"""

from pathlib import Path

from processes import asked, medians, python

ROOT = Path(__file__).parents[2]
XSD = ROOT / "schemas" / "xsd" / "medpay-ledger-detail-xml.xsd"
# No node of its own, so that `judge_file` takes it; the same elements otherwise.
DIALECT = """
import sys
from medpay_cli import formats, judging, layouts
from medpay_cli.dialects import Dialect, Node
from medpay_cli.formats import archive
from medpay_cli.formats.xml import document as xml
layout = layouts.load("ledger_detail")
dialect = Dialect("ledger", layout.id, format="xml", encoding="utf-8", nodes=(Node(None, ("ledger", "record"), ""),))
source = archive.inputs(judging.files.Source(sys.argv[1]))[0]
"""
SCAN = DIALECT + "print(sum(task().records for task in xml.scan(source, dialect, {None: layout.names})))"
JUDGE = DIALECT + (
    "made = judging.judge_file(source, layout, dialect, lambda *_: None, judging.Terms())\n"
    "print(made.verdict.records, made.verdict.totals)"
)
ITERPARSE = """
import sys
from lxml import etree
schema = etree.XMLSchema(file=sys.argv[2])
count = 0
for _, record in etree.iterparse(sys.argv[1], tag="record", schema=schema):
    cells = {child.tag: child.text for child in record}
    count += 1
    record.clear()
    while record.getprevious() is not None:
        del record.getparent()[0]
print(count)
"""


def made(path, size, attribute):
    """A ledger of invented records, about so many bytes."""
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n<ledger>\n')
        number = 0
        while file.tell() < size if number % 1000 == 0 else True:
            yuan = f"{number % 100_000}.{number % 100:02}"
            file.write(
                f"<record><setl_id>{number:024}</setl_id><mdtrt_id>{number * 7:018}</mdtrt_id>"
                f"<psn_no>{number * 13:020}</psn_no><medfee_sumamt>{yuan}</medfee_sumamt>"
                f"<fund_pay_sumamt>{yuan}</fund_pay_sumamt><acct_pay>0.00</acct_pay>"
                f"<refd_setl_flag{attribute}>0</refd_setl_flag></record>\n"
            )
            number += 1
        file.write("</ledger>\n")


def main():
    given = asked(mib=[100, 1000])
    for size in given.mib:
        for kind, attribute in (("plain", ""), ("attributes", ' xml:space="default"')):
            path = given.folder / f"{kind}-{size}.xml"
            if not path.exists():
                made(path, size << 20, attribute)
            commands = {
                "scan": python(SCAN, path),
                "judge_file": python(JUDGE, path),
                "iterparse, schema": python(ITERPARSE, path, XSD),
            }
            if attribute:  # which the schema does not declare
                del commands["iterparse, schema"]
            for name, (seconds, _, peak) in medians(commands, given.runs).items():
                speed = path.stat().st_size / 1e6 / seconds
                print(f"{kind:<12}{size:>5} MiB  {name:<18}{seconds:8.2f} s {speed:7.1f} MB/s {peak:6.0f} MiB")


if __name__ == "__main__":
    main()
