"""The compiled checks say of every generated row what python-jsonschema says."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import polars as pl
import pytest

from medpay_cli import checks, config
from medpay_cli.layouts import Layout

from . import generated, oracle
from .generated import Case, Row

KEYWORDS = {code: keyword for keyword, code in checks.CODES.items()}
# How many rows a table has: one alone, a few, many.
TABLES = (1, 9, 290)
SEED = 3202

Violation = tuple[int, str, str]


@dataclass(repr=False)
class Run:
    """What was compared, and every disagreement: which side alone flags what in which field → a cell."""

    rows: int = 0
    valid: int = 0
    single: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    disagreements: dict[str, str | None] = field(default_factory=dict)
    seconds: float = 0.0

    def report(self) -> Iterator[str]:
        """How much was compared, and how often each keyword was violated."""
        yield f"compiled checks and python-jsonschema: {self.rows} rows in {self.seconds:.1f} s"
        yield f"{self.valid / self.rows:.0%} valid, {self.single / self.rows:.0%} with one fault"
        yield ", ".join(f"{keyword} {self.hits[keyword]}" for keyword in checks.CODES)

    def compare(self, layout: Layout, rows: list[Row]) -> None:
        """Hold one table against both sides."""
        judge = oracle.validator(layout)
        each = [oracle.violations(judge, oracle.instance(row, layout)) for row in rows]
        theirs = {(number, *violation) for number, found in enumerate(each) for violation in found}
        ours = compiled(layout, rows)
        self.rows += len(rows)
        self.valid += sum(not found for found in each)
        self.single += sum(len(found) == 1 for found in each)
        self.hits.update(keyword for _, _, keyword in theirs)
        for side, only in (("compiled checks", ours - theirs), ("oracle", theirs - ours)):
            for number, name, keyword in sorted(only):
                asserted = layout.field(name).asserted
                self.disagreements.setdefault(f"only the {side}: {keyword} of {asserted}", rows[number][name])


def compiled(layout: Layout, rows: list[Row]) -> set[Violation]:
    """Every (row, field, keyword) that the compiled checks flag."""
    text = pl.DataFrame(rows, schema=dict.fromkeys(layout.names, pl.String)).with_row_index("row")
    flagged = checks.flag(text, checks.compile_layout(layout), ("row",))
    return {(row, check.field.name, KEYWORDS[check.code]) for check, rows in flagged.violations for row in rows["row"]}


def cases(rng: random.Random, times: int) -> Iterator[tuple[Case, int]]:
    """Shipped layouts, one layout with every keyword, and random layouts; each with its number of rows."""
    for name in config.names(config.LAYOUT):
        yield generated.case(config.load(config.LAYOUT, name), rng), 500 * times
    yield generated.case(generated.EVERY_KEYWORD, rng), 2000 * times
    for _ in range(40 * times):
        yield generated.drawn(rng), 300


@pytest.fixture(scope="module", params=[1, pytest.param(20, marks=pytest.mark.full)])
def run(request):
    started, made = time.perf_counter(), Run()
    rng = random.Random(SEED)  # noqa: S311
    for case, count in cases(rng, request.param):
        rows = case.rows(rng, count)
        sizes = iter(lambda: rng.choice(TABLES), 0)
        while table := list(islice(rows, next(sizes))):
            made.compare(case.layout, table)
    made.seconds = time.perf_counter() - started
    return made


def test_compiled_checks_and_jsonschema_flag_the_same_cells(run, capsys):
    with capsys.disabled():
        # Standard error reaches the terminal from a worker of pytest-xdist too.
        print("", *run.report(), sep="\n", file=sys.stderr)
    shortest = sorted(run.disagreements.items(), key=lambda one: len(str(one)))[:30]
    assert not shortest, "\n".join(f"{place}: {cell!r}" for place, cell in shortest)


def test_three_rows_in_ten_are_valid_and_three_have_one_fault(run):
    assert run.valid / run.rows >= 0.3
    assert run.single / run.rows >= 0.3


def test_every_keyword_is_violated_two_hundred_times(run):
    assert {keyword: run.hits[keyword] for keyword in checks.CODES if run.hits[keyword] < 200} == {}
