"""The dirty price lists of the corpus: every cell comes back as it stands, and what no price list may hold is found."""

import csv
import io
import json
import os
from pathlib import Path

import pytest

from medpay_cli import dialects, formats, judging, layouts
from medpay_cli.formats.archive import Input

CORPUS = os.environ.get("MEDPAY_CORPUS")
FOLDER = Path(__file__).parents[2] / "fixtures" / "formats"
# Row → (field, code), written by hand from the file.
FOUND = {
    2: [("item_code", "L106")],
    3: [("item_code", "L106")],
    4: [("item_code", "L106")],
    5: [("item_code", "L106")],
    6: [("begndate", "L103"), ("pric_l3", "L102")],
    7: [("begndate", "L103")],
    8: [("pric_l1", "L102"), ("pric_l2", "L102"), ("pric_l3", "L102")],
    11: [("item_code", "L106")],
    12: [("item_code", "L106")],
    14: [("pric_l1", "L102"), ("pric_l2", "L102"), ("pric_l3", "L102")],
}
# What only a rule can say: order of the levels' prices, overlapping periods, a price of nothing.
BY_RULE = {9, 10, 13}

pytestmark = pytest.mark.skipif(not CORPUS, reason="MEDPAY_CORPUS is not set; .ci/run points it at ../shared/data")


@pytest.fixture(params=["dirty_prices_utf8bom.csv", "dirty_prices_gb18030.csv"])
def path(request) -> Path:
    """The list in each of its encodings."""
    return Path(CORPUS) / "nhsa-samples" / request.param


def judged(path: Path):
    """The judgement, with the cells of each batch."""
    layout = layouts.load(str(FOLDER / "price_list.json"))
    dialect = dialects.load(str(FOLDER / "price_list_csv.toml")).fitted(layout.names)
    cells = lambda batch, *_: batch.text.select(formats.ROW, *layout.names).rows()  # noqa: E731
    return judging.judge_file(Input(str(path), stamp=None), layout, dialect, cells, judging.Terms())


@pytest.fixture
def made(path, monkeypatch):
    """The judgement on a list."""
    monkeypatch.setattr(Input, "check_unchanged", lambda _: None)
    return judged(path)


def test_every_cell_comes_back_as_it_stands(made, path):
    encoding = "gb18030" if "gb18030" in path.name else "utf-8-sig"
    _, *records = csv.reader(io.StringIO(path.read_text(encoding=encoding), newline=""))
    read = [row[1:] for batch in made.also for row in batch]
    assert read == [tuple(cell or None for cell in record) for record in records]


def test_the_damage_is_found_where_it_is(made):
    found: dict[int, list] = {}
    for some in made.findings.frames():
        for row, field, code in some.select("row", "field", "code").rows():
            found.setdefault(row, []).append((field, code))
    assert found == FOUND


def test_every_row_that_the_corpus_names_is_found_or_is_the_business_of_a_rule(path):
    expected = json.loads((path.parent / "dirty_prices_expected.json").read_text(encoding="utf-8"))["expected"]
    assert {int(row) for row in expected} == set(FOUND) | BY_RULE
