"""The figures in docs/performance.md and in the README are those that the benchmarks kept; `tox -e gen` writes them."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIGURES = json.loads((ROOT / "docs" / "performance.json").read_text(encoding="utf-8"))
# Where the tables stand, and which of them: all, or those whose name fits.
PAGES = {"docs/performance.md": "", "README.md": r"reconcile-30000000-0\.003|validate-10000000"}
BEGIN, END = "<!-- figures: made by tests/docs/test_performance.py -->\n", "<!-- end of the figures -->\n"


def tables(wanted):
    """Every wanted table as Markdown, each ratio to the row that is first."""
    made = []
    for name, table in sorted(FIGURES.items(), key=order):
        if not re.match(wanted, name):
            continue
        base = table["rows"][0]
        lines = ["| | records | seconds | CPU seconds | peak MiB | × the first |", "|---|---:|---:|---:|---:|---:|"]
        for row in table["rows"]:
            ratio = row["seconds"] / row["records"] / (base["seconds"] / base["records"])
            lines.append(
                f"| {row['name']} | {row['records']:,} | {row['seconds']:.2f} | {row['cpu']:.2f} | {row['MiB']:,} "
                f"| {ratio:.2f} |"
            )
        made.append(f"{table['title'][:1].upper()}{table['title'][1:]} ({table['date']}, {table['machine']}, "
                    f"{table['software']}):\n\n" + "\n".join(lines) + "\n")  # fmt: skip
    return "\n" + "\n".join(made) + "\n"


def order(item):
    """Validate before transform before reconcile, small before large."""
    work, records, *differences = item[0].split("-")
    return ("validate", "transform", "reconcile").index(work), int(records), *differences


def page(name):
    """The page as it should be."""
    text = (ROOT / name).read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + tables(PAGES[name]) + END + after


@pytest.mark.parametrize("name", PAGES)
def test_the_figures_are_those_that_the_benchmarks_kept(name):
    assert (ROOT / name).read_text(encoding="utf-8") == page(name)
    assert tables(PAGES[name]).count("\n| medpay") >= 1


if __name__ == "__main__":
    for name in PAGES:
        made = page(name)
        (ROOT / name).write_text(made, encoding="utf-8")
