"""Every shipped layout has records that it permits and records that it refuses, in `fixtures/layouts/`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from medpay_command import judged

from medpay_cli import config

FIXTURES = Path(__file__).parents[2] / "fixtures" / "layouts"
LAYOUTS = config.names(config.LAYOUT)
PLAIN = """\
title = {{ zh = "文本", en = "text" }}
layout = "{layout}"
format = "delimited"
encoding = "utf-8"
delimiter = "\\t"
"""


@pytest.fixture
def verdict(tmp_path):
    """What `medpay validate` says of a fixture: TAB-separated, without a header, every field of the layout."""

    def of(layout: str, name: str):
        dialect = tmp_path / "plain.toml"
        dialect.write_text(PLAIN.format(layout=layout), encoding="utf-8")
        return judged(FIXTURES / layout / name, "--dialect", dialect)

    return of


def test_every_layout_has_fixtures_and_no_fixture_is_left_over():
    assert sorted(path.name for path in FIXTURES.iterdir()) == LAYOUTS


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_records_that_a_layout_permits_are_valid(layout, verdict):
    document = verdict(layout, "pass.txt")
    assert (document["exit_code"], document["findings"]) == (0, [])
    assert document["files"][0]["records"] >= 2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_records_that_a_layout_refuses_are_refused_for_what_is_wrong(layout, verdict):
    expected = tomllib.loads((FIXTURES / layout / "fail.toml").read_text(encoding="utf-8"))["findings"]
    document = verdict(layout, "fail.txt")
    found = {(one["row"], one["field"], one["code"]) for one in document["findings"]}
    assert document["exit_code"] == 1
    assert found == {(one["row"], one.get("field"), one["code"]) for one in expected}


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name.startswith("catalogue_")])
def test_a_catalogue_file_is_recognised_for_what_it_is(layout):
    [file] = judged(FIXTURES / layout / "pass.txt")["files"]
    assert (file["layout"], file["verdict"]) == (layout, "valid")
