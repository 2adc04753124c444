"""Every shipped mapping turns its `in` into its `out`, byte for byte: `fixtures/mappings/<name>/`.

What it joins stands beside it as `with.<name>.*`.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from small import medpay

from medpay_cli import config

FOLDER = Path(__file__).parents[2] / "fixtures" / "mappings"


def test_every_mapping_has_a_fixture_and_no_fixture_is_left_over():
    assert sorted(path.name for path in FOLDER.iterdir()) == config.names(config.MAPPING)


@pytest.mark.parametrize("name", config.names(config.MAPPING))
def test_in_becomes_out(tmp_path, name):
    folder = FOLDER / name
    [before], afters = (sorted(folder.glob(f"{end}*")) for end in ("in.", "out"))
    options = folder / "options.toml"
    asked = tomllib.loads(options.read_text(encoding="utf-8")) if options.exists() else {}
    others = [("--with", f"{path.name.split('.')[1]}={path}") for path in sorted(folder.glob("with.*"))]
    answer = medpay(
        "transform", before, "--mapping", name, "-o", tmp_path / f"out{afters[0].suffix}", "--format", "json",
        *asked.get("words", ()), *(word for words in others for word in words),
    )  # fmt: skip
    found = [*answer.json["source"]["findings"], *answer.json["target"]["findings"]] if answer.out else answer.err
    assert answer.exit_code == asked.get("exit_code", 0), found
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir() if ".rejected" not in path.name}
    assert made == {path.name: path.read_text(encoding="utf-8") for path in afters}
    told = sorted(([one["row"] or "-", one["code"], one["field"]] for one in found), key=str)
    assert told == sorted(asked.get("findings", []), key=str)
