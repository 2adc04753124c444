"""The field pages of the shipped layouts, as they are committed; `tox -e gen` writes them anew."""

import re
from pathlib import Path

import pytest

from medpay_cli import config, fieldpages, files, layouts

FOLDER = files.schemas() / "pages"
PAGES = fieldpages.pages()


def cells(line):
    """The cells of a row of a table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_the_committed_one(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]


def test_every_page_belongs_to_a_layout():
    assert {path.name for path in FOLDER.iterdir()} == PAGES.keys()


@pytest.mark.parametrize("name", [name for name in PAGES if name != fieldpages.INDEX])
def test_every_field_stands_in_a_row_of_nine_cells(name):
    rows = [cells(line) for line in PAGES[name].splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {9}
    assert [row[0].strip("`") for row in rows[2:]] == list(layouts.load(name.rsplit(".", 2)[0]).names)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file(name):
    links = re.findall(r"\]\(([^)]*)\)", PAGES[name])
    assert [link for link in links if not (FOLDER / link).is_file()] == []


def test_every_layout_is_listed_in_both_languages():
    shipped = config.names(config.LAYOUT)
    assert all(f"({name}.{lang}.md)" in PAGES[fieldpages.INDEX] for name in shipped for lang in ("zh", "en"))


def test_what_would_break_a_table_does_not():
    schema = {"type": "object", "title": "t", "properties": {"a": {
        "type": "string", "title": "x|y", "pattern": "^(?:a|b)$", "x-note": "1\n2 <b>"}}}  # fmt: skip
    page = fieldpages.page(layouts.build(schema, "own.json"), "en")
    assert cells(page.splitlines()[-1]) == ["`a`", "x\\|y", "string", "", "", "`^(?:a\\|b)$`", "", "", "1 2 &lt;b>"]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.md"):
        Path(old).unlink()
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
