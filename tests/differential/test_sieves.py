"""Whatever passes a sieve python-jsonschema finds valid, and a file is judged the same with a sieve as without."""

from __future__ import annotations

import io
import random
import re
import sys
from pathlib import Path
from unittest import mock

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medpay_cli import characters, config, desk, dialects, formats, judging, layouts, sampling, sieves
from medpay_cli.files import Source
from medpay_cli.formats import archive
from medpay_cli.formats.text import cutting, delimited
from medpay_cli.formats.text.sifting import Lines
from medpay_cli.judging import Terms
from medpay_cli.parts import fitted

from . import oracle, own_files
from .test_layouts import cases

sys.path.append(str(Path(__file__).parents[1] / "reading"))
import damaged

DELIMITERS = sorted(sieves.DELIMITERS)
# One field of each kind that has a pattern.
KINDS = {
    (sieves.certain(field), str(field.asserted), field.open_codes, field.digits, field.scale): pytest.param(
        field, id=f"{name}-{field.name}"
    )
    for name in config.names(config.LAYOUT)
    for field in layouts.load(name).fields
    if sieves.certain(field) is not None
}


def test_what_passes_violates_nothing_that_a_sieve_judges():
    rng = random.Random(7)  # noqa: S311
    passed = valid = 0
    for case, count in cases(rng, 1):
        layout = case.layout
        made = sieves.sieve(layout.fields, frozenset(), ())
        patterns = made.lines(layout.names, "\t", (), {})
        judge = oracle.validator(layout)
        rows = [row for row in case.rows(rng, count // 4) if _is_plain(row)]
        block = "".join("\t".join(row[name] or "" for name in layout.names) + "\n" for row in rows).encode()
        lines = Lines.of(block, patterns, "\t", ()) if rows else None
        for row, passes in zip(rows, lines.passing if lines else (), strict=False):
            wrong = {name for name, _ in oracle.violations(judge, oracle.instance(row, layout))}
            assert not (passes and wrong & made.patterns.keys()), (layout.id, row, wrong)
            passed += passes
            valid += not wrong & made.patterns.keys()
    assert passed > 1500
    assert passed > valid * 0.6, (passed, valid)


def _is_plain(row: dict[str, str | None]) -> bool:
    """Whether a line of text can say it: an empty cell is absent."""
    text = "".join(filter(None, row.values()))
    return not re.search("[\t\r\n]", text) and "" not in row.values() and not characters.suspected(text.encode())


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("field", KINDS.values())
@given(data=st.data())
def test_a_pattern_matches_no_delimiter_and_only_what_is_valid(field, data):
    pattern = sieves.certain(field).replace(sieves.ANY, "[ -~\u4e00-\u9fff]")
    text = data.draw(st.from_regex(pattern, fullmatch=True))
    assert sieves.ANY in sieves.certain(field) or not sieves.DELIMITERS.intersection(text)
    layout = layouts.Layout("", (field,), (), {"type": "object", "properties": {field.name: _schema(field)}})
    assert oracle.violations(oracle.validator(layout), oracle.instance({field.name: text}, layout)) == set()


def _schema(field: layouts.Field) -> dict:
    found = {keyword: value for keyword, value in field.asserted if keyword != "maxLength"}
    lengths = [value for keyword, value in field.asserted if keyword == "maxLength"]
    found |= {"maxLength": min(lengths)} if lengths else {}
    found |= {key: value for key, value in field.notes.items() if key in ("x-open-codes", "x-digits", "x-scale")}
    return found


NO_TERMS = Terms()
# A file in a dialect, and what its lines are broken with.
FILES = {
    "nhsa-3202-upload": None, "nhsa-3202-result": None, "insurer-claims-gbk": None, "nhsa-1301-catalogue": None,
    "tsv:settlement": None, "csv:fee_line": None, "csv:price_item": None, "tsv:commercial_claim": None,
}  # fmt: skip
MESS = (*damaged.STRANGE, *damaged.BROKEN[:6], *damaged.NO_AMOUNTS, b"\t", b"|", b"x" * 70, "贵" * 45, b"2026-02-30")
MESS = tuple(one.encode() if isinstance(one, str) else one for one in MESS)


def judged(
    path: Path, layout: layouts.Layout, dialect: dialects.Dialect, terms: Terms = NO_TERMS, *, sifts: bool
) -> tuple:
    """Everything that a judgement says, and how many parts were sifted."""
    sifted = []

    def also(batch: formats.Batch, flagged: object, amounts: pl.DataFrame, fine: object) -> tuple:
        sifted.append(batch.sifted is not None)
        key = batch.text.select(formats.ROW, formats.LINE, *layout.key)
        return key.rows(), [str(row) for row in amounts.rows()], list(fine)

    real = sieves.sieve
    with (
        mock.patch.object(cutting, "PART", 2000),
        mock.patch.object(desk.sieves, "sieve", real if sifts else (lambda *_: None)),
    ):
        looks_at = frozenset(layout.key)
        [made] = judging.judge_nodes(
            archive.inputs(Source(str(path)))[0], {None: layout}, dialect, also, terms, looks_at=looks_at
        )
    found = [row for frame in made.findings.frames() for row in frame.rows()]
    made.lines.seek(0)
    gathered = [frame.rows() for frame in made.gathered]
    repeated = {names: flags.tolist() for names, flags in made.repeated.items()}
    said = (
        made.verdict, found, dict(made.findings.counts), made.also, made.lines.read(), made.not_judged, gathered,
        repeated, made.said,
    )  # fmt: skip
    return said, sum(sifted), len(sifted)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seeds", [range(12), pytest.param(range(12, 300), marks=pytest.mark.full)])
def test_a_file_is_judged_the_same_with_a_sieve_as_without(tmp_path, name, seeds):
    used_by, dialect = fitted(dialects.load(name), None)
    [layout] = used_by.values()
    path = tmp_path / "file.txt"
    used = sound = 0
    for seed in seeds:
        rng = random.Random(f"{name}{seed}")  # noqa: S311
        out = io.BytesIO()
        sampling.write(layout.id.rpartition("/")[2], name, 60, seed, (), out)
        lines = out.getvalue().splitlines(keepends=True)
        for _ in range(rng.choice((0, 1, 2, 5, 40))):
            _break(rng, lines, dialect.delimiter.encode())
        path.write_bytes(b"".join(lines))
        with_one, sifted, _ = judged(path, layout, dialect, sifts=True)
        without, none, _ = judged(path, layout, dialect, sifts=False)
        assert with_one == without, (name, seed)
        assert none == 0
        assert with_one[0].verdict != judging.NOT_JUDGED or with_one[1]
        sound += with_one[0].verdict != judging.NOT_JUDGED
        used += sifted
    assert used > len(seeds)
    assert sound > len(seeds) / 4


def _break(rng: random.Random, lines: list[bytes], mark: bytes) -> None:
    """Put something into a cell, a line too much, or a line end that is none."""
    at = rng.randrange(len(lines))
    cells = lines[at].rstrip(b"\r\n").split(mark)
    if rng.random() < 0.85:
        cells[rng.randrange(len(cells))] = rng.choice(MESS)
    lines[at] = mark.join(cells) + rng.choice((b"\n",) * 12 + (b"\r\n", b"\n\n", b""))


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 200), marks=pytest.mark.full)])
def test_a_file_of_ones_own_is_judged_the_same_with_a_sieve_as_without(tmp_path, seeds):
    path = tmp_path / "file.txt"
    used = count = 0
    for seed in seeds:
        rng = random.Random(f"own{seed}")  # noqa: S311
        for file in own_files.files(own_files.case(rng), rng, 20):
            path.write_bytes(file.content)
            terms = own_files.terms(rng, file.layout, str(path))
            with mock.patch.object(delimited, "SUSPICIOUS", rng.choice((1, 4))):
                with_one, sifted, _ = judged(path, file.layout, file.dialect, terms, sifts=True)
            without, none, _ = judged(path, file.layout, file.dialect, terms, sifts=False)
            assert with_one == without, (seed, file)
            assert none == 0
            used += sifted > 0
            count += 1
    assert used > count / 8, (used, count)


def own(document: dict, **fields: dict) -> layouts.Layout:
    """A user's own layout."""
    return layouts.build({"type": "object", "properties": fields, **document}, "own.v1")


def text(delimiter: str = "|", **said: object) -> dialects.Dialect:
    """A dialect of lines without a header."""
    return dialects.Dialect("own", "own.v1", delimiter=delimiter, encoding="utf-8", **said)


FEE, WORD = {"type": "number", "format": "money"}, {"type": "string", "maxLength": 9}
# What once was judged otherwise, or not at all, behind a sieve: a layout, a dialect, a file, its findings and the sums
# of its amounts.
OTHERWISE = {
    "an amount stands for nothing": (
        own({}, a=WORD, fee=FEE), text(nulls=("9.99", "1e3")), b"w|9.99\nw|1.00\nw|1e3\nw|2.00\n" * 9, [], "27.00",
    ),
    "nothing is written with the delimiter": (
        own({}, a=WORD, b=WORD, c=WORD), text(nulls=("-|-",)), b"w|y|z\n" * 9 + b"-|-|y|z\n",
        [(10, "F101", None)], None,
    ),
    "a shifted record is told by what is empty": (
        own({"required": ["b"]}, a=WORD, b=WORD, c=WORD),
        text(shifted=(dialects.Shifted(3, 2, empty=(3,)),)), b"w|y|z\n" * 9 + b"w|y|\n", [(10, "L101", "b")], None,
    ),
    "what one record lacks another has too much": (
        own({}, a=WORD, b=WORD, c=WORD), text(), b"w|y|z\n" * 9 + b"w|y\nw|y|z|\n" + b"w|y|z\n",
        [(10, "F101", None)], None,
    ),
    "an amount is unique": (
        own({"x-key": ["a"], "x-unique": [["a", "fee"]]}, a=WORD, fee=FEE), text(),
        b"".join(b"w%d|1.00\n" % number for number in range(9)), [], "9.00",
    ),
    "a rule is broken between delimiters that cannot be seen": (
        own({"$id": "medpay:layouts/fee_line.v1"}, det_item_fee_sumamt=FEE, pric=FEE, cnt=FEE), text("\x01"),
        b"6.00\x012.00\x013.00\n" * 9 + b"7.00\x012.00\x013.00\n", [(10, "C204", "det_item_fee_sumamt")], "61.00",
    ),
    "a pattern is larger than an engine takes": (
        own({}, **{f"f{number}": {"type": "string", "pattern": "^[0-9A-Za-z]{1,1000}$"} for number in range(250)}),
        text(), b"w|" * 249 + b"-\n" + b"w|" * 249 + b"w\n", [(1, "L106", "f249")], None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_once_was_judged_otherwise(tmp_path, name):
    layout, dialect, content, expected, fees = OTHERWISE[name]
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    (verdict, found, *_), *_ = judged(path, layout, dialect.fitted(layout.names), sifts=True)
    assert [(row[5], row[0], row[7]) for row in found] == expected
    assert [str(total) for total in verdict.totals.values()][:1] == ([fees] if fees else [])
    assert verdict.verdict == ("findings" if expected else "valid")
