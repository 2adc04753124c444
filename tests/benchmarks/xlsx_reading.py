"""Speed and memory of reading a workbook, with every check of its cells, beside fastexcel, which has none.

    python tests/benchmarks/xlsx_reading.py [--records 200000] [--runs 3] [--folder DIR]

Three workbooks of 20 columns: text in the cells (as xlsxwriter and LibreOffice write), text shared and doubles in 17
digits (as Excel writes), and cells written in an unusual way, which lxml parses. Compare ratios, not seconds.
"""

import random
import sys
import zipfile
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "formats"))
from processes import asked, compared, python
from workbooks import workbook

COLUMNS = 20
OURS = f"""
import sys
from medpay_cli import formats
from medpay_cli.dialects import Dialect
from medpay_cli.formats.archive import Input
names = tuple(f"f{{at}}" for at in range({COLUMNS}))
dialect = Dialect("d", "", format="xlsx", header=True)
count = lambda batches: sum(batch.records for batch, _ in batches)
print(formats.read(Input(sys.argv[1]), dialect, {{None: names}}, lambda _: None, count))
"""
BARE = """
import sys, fastexcel
sheet = fastexcel.read_excel(sys.argv[1]).load_sheet(0, header_row=None, dtypes="string")
print(sheet.to_polars().shape)
"""


def shared(at, number):
    """Text by its number among the shared strings."""
    return f'<c r="{at}" t="s"><v>{number}</v></c>'


def inline(at, number):
    """Text in its cell."""
    return f'<c r="{at}" t="inlineStr"><is><t>{number:015}</t></is></c>'


def unusual(at, number):
    """Text in its cell, attributes the other way round."""
    return f'<c t="inlineStr" r="{at}"><is><t>{number:015}</t></is></c>'


def made(path, records, text):
    """Half of the columns are text, half are amounts."""
    drawn = random.Random(1)  # noqa: S311 - nothing is secret
    rows = ["".join(f'<c r="{chr(65 + at)}1" t="str"><v>f{at}</v></c>' for at in range(COLUMNS))]
    for line in range(2, records + 2):
        texts = [text(f"{chr(65 + at)}{line}", (line - 2) * 10 + at) for at in range(10)]
        digits = ".17g" if text is shared else ""
        amounts = [
            f'<c r="{chr(75 + at)}{line}"><v>{drawn.randrange(10**7) / 100:{digits}}</v></c>' for at in range(10)
        ]
        rows.append("".join(texts + amounts))
    sheet = "".join(f'<row r="{line}" spans="1:20">{row}</row>' for line, row in enumerate(rows, 1))
    strings = "".join(f"<si><t>{number:015}</t></si>" for number in range(records * 10)) if text is shared else None
    path.write_bytes(workbook(sheet, strings=strings))


def main():
    given = asked(records=200_000)
    for text in (inline, shared, unusual):
        path = given.folder / f"{text.__name__}-{given.records}.xlsx"
        if not path.exists():
            child = get_context("spawn").Process(target=made, args=(path, given.records, text))  # memory is inherited
            child.start()
            child.join()
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist()) / 1e6
        commands = {"ours, audited": python(OURS, path), "fastexcel": python(BARE, path)}
        compared(f"{text.__name__} {size:.0f} MB", commands, given.runs)


if __name__ == "__main__":
    main()
