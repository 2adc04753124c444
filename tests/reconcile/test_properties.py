"""Small random ledgers and tables, held against the semantics in plain Python."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import plain_matching as plain
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_matching import Record, Terms

from medpay_cli import recipes
from medpay_cli.cli.reconcile_ import command
from medpay_cli.errors import MedpayError
from medpay_cli.matching import Reconciliation
from medpay_cli.recipes import Recipe, RecipeSide
from medpay_cli.reconcile import reconcile
from medpay_cli.reports import Style, statement

COLUMNS = ("setl_id", "mdtrt_id", "psn_no", "medfee_sumamt", "fund_pay_sumamt", "acct_pay", "refd_setl_flag")
AMOUNTS = COLUMNS[3:6]
SAME_AS = {"000": "0", "001": "1"}
NAMES = {"zh": "-", "en": "-"}
LEDGERS = (
    RecipeSide("hospital", "ledger_detail.v1", "nhsa-3202-upload", NAMES),
    RecipeSide("platform", "ledger_detail.v1", "nhsa-3202-upload", NAMES),
)
# What an ad-hoc cell is trimmed of, as far as it is written here.
BLANKS = " \u3000"

Row = tuple[str, ...]


# --- ledgers --------------------------------------------------------------------------------------------------------

KEYS = ["1", "1", "01", "A", "a", "A ", "甲", "", "null"]
MONEY = ["0", "0.00", "-0.00", "-0", "0.01", "0.02", "1", "1.0", "1.00", "1.01", "1.5", "-1.50", "", "null"]
LARGE = ["99999999999999.99", "-99999999999999.99", "99999999999999.98"]
# What a cell of each column may hold.
CELLS = {
    "setl_id": KEYS,
    "mdtrt_id": ["V1", "V2", "v1", "", "null"],
    "psn_no": ["P1", "P2", ""],
    **dict.fromkeys(AMOUNTS, MONEY + LARGE),
    "refd_setl_flag": ["0", "000", "1", "001", "9", "", "null"],
}
TOLERANCES = [Decimal(text) for text in ("0", "0.005", "0.01", "0.015", "0.02", "1", "1.5")]


@dataclass(frozen=True)
class Ledgers:
    """Two 3202 ledgers of few keys, and a recipe over them."""

    ours: list[Row]
    theirs: list[Row]
    recipe: Recipe

    def reconcile(self, folder: Path, **options: Any) -> Reconciliation:
        paths = {}
        for side, rows in zip(LEDGERS, (self.ours, self.theirs), strict=True):
            path = folder / f"{side.name}.txt"
            path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8", newline="")
            paths[side.name] = str(path)
        return reconcile(paths, self.recipe, **options)

    @property
    def terms(self) -> Terms:
        return Terms(
            amounts=dict.fromkeys(self.recipe.amounts, 2),
            statuses=self.recipe.compare,
            groups=self.recipe.groups,
            tolerance=self.recipe.tolerance,
            absent_is_zero=self.recipe.absent_is_zero,
        )

    def records(self, rows: list[Row]) -> list[Record]:
        return [self._record(dict(zip(COLUMNS, map(_cell, row), strict=True))) for row in rows]

    def _record(self, cells: dict[str, str | None]) -> Record:
        coded = cells | {"refd_setl_flag": SAME_AS.get(cells["refd_setl_flag"] or "", cells["refd_setl_flag"])}
        return Record(
            key=tuple(cells[name] for name in self.recipe.key),
            amounts=tuple(_amount(cells[name]) for name in self.recipe.amounts),
            statuses=tuple(coded[name] for name in self.recipe.compare),
            groups=tuple(coded[name] for name in self.recipe.groups),
        )


@st.composite
def ledgers(draw: st.DrawFn) -> Ledgers:
    # Few values in a column, so that keys repeat.
    drawn = {name: st.sampled_from(draw(_some(values))) for name, values in CELLS.items()}
    row = st.tuples(*drawn.values())
    ours = draw(st.lists(row, min_size=1, max_size=10))
    theirs = [_changed(draw, one, drawn) for one in ours if draw(st.integers(0, 9))]
    theirs += draw(st.lists(row, min_size=not theirs, max_size=2))
    return Ledgers(ours, draw(st.permutations(theirs)), draw(ledger_recipes()))


def _some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=4)


def _changed(draw: st.DrawFn, row: Row, drawn: dict[str, st.SearchStrategy[str]]) -> Row:
    """The same record, perhaps with another cell, or with an absent amount where ours is zero and the reverse."""
    kind = draw(st.sampled_from(["same", "other", "zero"]))
    if kind == "same":
        return row
    cells = dict(zip(COLUMNS, row, strict=True))
    name = draw(st.sampled_from(AMOUNTS if kind == "zero" else COLUMNS))
    if kind == "other":
        cells[name] = draw(drawn[name])
    elif not Decimal(_cell(cells[name]) or 0):
        cells[name] = "0.00" if _cell(cells[name]) is None else ""
    return tuple(cells.values())


@st.composite
def ledger_recipes(draw: st.DrawFn) -> Recipe:
    one, several = st.just(("setl_id",)), [("mdtrt_id", "psn_no"), ("psn_no", "setl_id"), COLUMNS[:3]]
    key = draw(one | st.sampled_from(several))
    amounts = tuple(draw(st.lists(st.sampled_from(AMOUNTS), min_size=1, unique=True)))
    others = [name for name in ("refd_setl_flag", "mdtrt_id", "psn_no") if name not in key]
    return Recipe(
        name="random",
        sides=LEDGERS,
        key=key,
        amounts=amounts,
        compare=tuple(draw(st.lists(st.sampled_from(others), unique=True))),
        groups=draw(st.sampled_from([(), ("refd_setl_flag",), ("psn_no", "refd_setl_flag")])),
        tolerance=draw(st.dictionaries(st.sampled_from(amounts), st.sampled_from(TOLERANCES))),
        absent_is_zero=draw(st.booleans()),
    )


# --- tables ---------------------------------------------------------------------------------------------------------

TEXTS = ["1", "1", "01", "A", "a", "null", "甲", "x,y", 'q"q', "a;b|c", "two\nlines", "a\tb", "", ""]
EXACT = [
    "", "0", "-0.000", "0.00", "1", "1.0", "1.000000", "1.000001", "0.01", "0.010001", "-2.25",
    "99999999999999.999999", "-99999999999999.999999",
]  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A value with blanks around it, in quotes or not."""

    value: str
    before: str = ""
    behind: str = ""
    quoted: bool = False

    @property
    def text(self) -> str:
        return self.before + self.value + self.behind

    def written(self, delimiter: str) -> str:
        if self.quoted or any(mark in self.text for mark in (delimiter, '"', "\n", "\r")):
            return '"' + self.text.replace('"', '""') + '"'
        return self.text


@dataclass(frozen=True)
class Written:
    """How one table is written."""

    order: list[str]
    delimiter: str
    end: str
    mark: str
    ended: bool

    def bytes(self, rows: list[dict[str, Cell]]) -> bytes:
        lines = [[Cell(name).written(self.delimiter) for name in self.order]]
        lines += [[row[name].written(self.delimiter) for name in self.order] for row in rows]
        text = self.end.join(self.delimiter.join(line) for line in lines)
        return (self.mark + text + (self.end if self.ended else "")).encode()


@dataclass(frozen=True)
class Tables:
    """Two tables with headers, their columns in any order, and what to compare."""

    ours: list[dict[str, Cell]]
    theirs: list[dict[str, Cell]]
    written: tuple[Written, Written]
    recipe: Recipe

    def write(self, folder: Path) -> dict[str, str]:
        paths = {}
        for name, rows, how in zip(("ours", "theirs"), (self.ours, self.theirs), self.written, strict=True):
            path = folder / f"{name}.csv"
            path.write_bytes(how.bytes(rows))
            paths[name] = str(path)
        return paths

    def reconcile(self, folder: Path, **options: Any) -> Reconciliation:
        return reconcile(self.write(folder), self.recipe, **options)

    @property
    def terms(self) -> Terms:
        cells = [row[name].value for name in self.recipe.amounts for row in (*self.ours, *self.theirs)]
        seen = {
            name: [len(row[name].value.partition(".")[2]) for row in (*self.ours, *self.theirs)]
            for name in self.recipe.amounts
        }
        assert cells
        return Terms(
            amounts={name: max(2, *decimals) for name, decimals in seen.items()},
            statuses=self.recipe.compare,
            tolerance=self.recipe.tolerance,
            absent_is_zero=self.recipe.absent_is_zero,
        )

    def records(self, rows: list[dict[str, Cell]]) -> list[Record]:
        return [
            Record(
                key=tuple(row[name].value or None for name in self.recipe.key),
                amounts=tuple(_amount(row[name].value or None) for name in self.recipe.amounts),
                statuses=tuple(row[name].value or None for name in self.recipe.compare),
            )
            for row in rows
        ]

    @property
    def trimmed(self) -> Counter[tuple[str, str]]:
        """How many cells of each named column have blanks around them, per side."""
        named = {*self.recipe.key, *self.recipe.amounts, *self.recipe.compare}
        return Counter(
            (side, name)
            for side, rows in (("ours", self.ours), ("theirs", self.theirs))
            for row in rows
            for name, cell in row.items()
            if name in named and cell.text != cell.value
        )


def cells(values: list[str]) -> st.SearchStrategy[Cell]:
    around = st.sampled_from(["", "", "", *BLANKS, "  "])
    return st.builds(Cell, st.sampled_from(values), around, around, st.booleans())


@st.composite
def tables(draw: st.DrawFn) -> Tables:
    words = draw(st.permutations(["A", "结算 ID", "x,y", 'say "k"', "a|b", "c;d"]))
    keys, compare = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    key, statuses = tuple(words[:keys]), tuple(words[keys : keys + compare])
    amounts = ("金额", "fee")[: draw(st.integers(1, 2))]
    columns = {
        **{name: cells(draw(_some(TEXTS))) for name in (*key, *statuses)},
        **dict.fromkeys(amounts, cells(EXACT)),
        **dict.fromkeys(words[5:6] if keys + compare < 5 else (), cells(TEXTS)),
    }
    ours = draw(st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=6))
    theirs = []
    for row in ours:
        if draw(st.integers(0, 9)):
            name = draw(st.sampled_from([None, *columns]))
            theirs.append(row if name is None else row | {name: draw(columns[name])})
    theirs += draw(st.lists(st.fixed_dictionaries(columns), min_size=not theirs, max_size=3))
    made = recipes.ad_hoc(key, amounts, statuses)
    return Tables(
        ours,
        draw(st.permutations(theirs)),
        (draw(writings(list(columns))), draw(writings(list(columns)))),
        replace(
            made,
            tolerance=draw(st.dictionaries(st.sampled_from(amounts), st.sampled_from(TOLERANCES))),
            absent_is_zero=draw(st.booleans()),
        ),
    )


@st.composite
def writings(draw: st.DrawFn, columns: list[str]) -> Written:
    return Written(
        order=draw(st.permutations(columns)),
        delimiter=draw(st.sampled_from(",\t;|")),
        end=draw(st.sampled_from(["\n", "\r\n"])),
        mark=draw(st.sampled_from(["", "\ufeff"])),
        ended=draw(st.booleans()),
    )


# --- claims ---------------------------------------------------------------------------------------------------------


def often(few: int, many: int) -> pytest.MarkDecorator:
    """The number of examples: a few, the same ones every time; many others with -m full."""
    return pytest.mark.parametrize("examples", [few, pytest.param(many, marks=pytest.mark.full)])


def hold(claim: Callable[[Any], None], examples: int, cases: st.SearchStrategy[Any]) -> None:
    """Let a claim hold for so many examples."""
    limits = settings(
        max_examples=examples,
        derandomize=examples < 1_000,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    limits(given(cases)(claim))()


def fewer(examples: int, engine: str) -> int:
    """Spark takes seconds for each."""
    return max(1, examples // 60) if engine == "spark" else examples


@often(60, 1_200)
def test_what_becomes_of_two_ledgers_is_what_plain_python_says(examples: int, tmp_path: Path, engine: str) -> None:
    def claim(case: Ledgers) -> None:
        result = case.reconcile(tmp_path, engine=engine)
        assert result.engine == engine
        assert (_summary(result), _rows(result)) == (_expected(case), _expected_rows(case))

    hold(claim, fewer(examples, engine), ledgers())


@often(60, 1_200)
def test_what_becomes_of_two_tables_with_headers_is_what_plain_python_says(
    examples: int, tmp_path: Path, engine: str
) -> None:
    def claim(case: Tables) -> None:
        result = case.reconcile(tmp_path, engine=engine)
        assert (_summary(result), _rows(result)) == (_expected(case), _expected_rows(case))

    hold(claim, fewer(examples, engine), tables())


@often(20, 1_000)
def test_every_record_is_in_exactly_one_class_and_every_fen_is_explained(examples: int, tmp_path: Path) -> None:
    def claim(case: Ledgers | Tables) -> None:
        found = statement.document(case.reconcile(tmp_path))
        classes = found["classes"].values()
        counted = [sum(one["records"][side] for one in classes) for side in ("ours", "theirs")]
        assert counted == [len(case.ours), len(case.theirs)]
        for name, bridge in found["bridge"].items():
            moved = [Decimal(one["amounts"][name]["difference"]) for one in classes]
            sides = [Decimal(side["amounts"][name]) for side in found["sides"]]
            assert Decimal(bridge["difference"]) == sides[0] - sides[1] == sum(moved)
            assert bridge["explained"] == bridge["difference"]

    hold(claim, examples, st.one_of(ledgers(), tables()))


@often(20, 500)
def test_every_trimmed_cell_of_a_table_is_a_warning(examples: int, tmp_path: Path) -> None:
    def claim(case: Tables) -> None:
        counts = [one for one in statement.document(case.reconcile(tmp_path))["counts"] if one["code"] != "B101"]
        assert {(one["code"], one["severity"]) for one in counts} <= {("F105", "warning")}
        assert {(one["side"], one["field"]): one["count"] for one in counts} == case.trimmed

    hold(claim, examples, tables())


UNREADABLE = ["1.234", "+1", "1,000.00", " 1", "1.", ".5", "01.00", "1e3", "abc", "999999999999999.00", "１"]


@often(20, 500)
def test_unreadable_records_stop_the_matching_or_are_left_out_when_told_so(examples: int, tmp_path: Path) -> None:
    def claim(drawn: tuple[Ledgers, list[tuple[bool, str, int]]]) -> None:
        case, bad = drawn
        spoilt = {True: list(case.ours), False: list(case.theirs)}
        for side, amount, place in bad:
            cells = dict(zip(COLUMNS, case.ours[0], strict=True)) | {case.recipe.amounts[0]: amount}
            spoilt[side].insert(place, tuple(cells.values()) if amount else ("short", "record"))
        told = replace(case, ours=spoilt[True], theirs=spoilt[False])
        stopped = statement.document(told.reconcile(tmp_path))
        assert (stopped["exit_code"], stopped["complete"], "classes" in stopped) == (3, False, False)
        rest = told.reconcile(tmp_path, accepted_only=True)
        assert _summary(rest) == _expected(case) | {"exit_code": 1}
        assert statement.document(rest)["complete"] is False

    bad = st.tuples(st.booleans(), st.sampled_from([*UNREADABLE, ""]), st.integers(0, 3))
    hold(claim, examples, st.tuples(ledgers(), st.lists(bad, min_size=1, max_size=3)))


def test_the_key_option_takes_several_columns_and_reads_each_side_in_its_own_delimiter(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.csv", tmp_path / "theirs.txt"
    ours.write_text('收费编号,日期,金额,状态\nA,"1 ",1.50,x\nA,2,2,x\nB,1,3,x\n', encoding="utf-8")
    theirs.write_text("状态|金额|日期|收费编号\nx|1.5|1|A\ny|2.00|2|A\nx|3.001|1|B\n", encoding="utf-8")
    words = ["--key", "收费编号,日期", "--amount", "金额", "--compare", "状态", "--output-dir", str(tmp_path / "out")]
    medpay = [sys.executable, "-m", "medpay_cli", "reconcile"]
    ran = subprocess.run([*medpay, str(ours), str(theirs), *words, "--lang", "en"], capture_output=True, check=False)
    assert ran.returncode == 1, ran.stderr.decode()
    assert (tmp_path / "out" / "differences.csv").read_text(encoding="utf-8").splitlines() == [
        "class,tier,收费编号,日期,records_ours,records_theirs,金额_ours,金额_theirs,金额_difference,状态_ours,状态_theirs,advice",
        "amount_differs,,B,1,1,1,3.000,3.001,-0.001,x,x,",
        "status_differs,,A,2,1,1,2.000,2.000,0.000,x,y,",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("--key", ",", "--amount", "fee"),
        ("--key", "id", "--amount", ","),
        ("--key", "id,id", "--amount", "fee"),
        ("--key", "id", "--amount", "fee,fee"),
        ("--key", "fee", "--amount", "fee"),
        ("--key", "id", "--amount", "fee", "--compare", "fee"),
        ("--key", "id", "--amount", "fee", "--compare", "st,st"),
        ("--key", "id", "--amount", "fee", "--compare", "id"),
        ("--key", "id", "--amount", "fee", "--tolerance", "fee=1e40"),
    ],
)
def test_column_lists_with_gaps_or_repeats_are_usage_or_work_but_never_a_bug(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id,fee,st\nA,1.00,x\nB,2.00,\n", encoding="utf-8")
    try:
        code = command.main([str(path), str(path), *words], standalone_mode=False)
    except MedpayError as err:
        code = err.exit_code
    assert code in (0, 2)


@pytest.mark.parametrize(
    ("tolerance", "theirs", "verdict"),
    [
        ("0.005", "1.01", "amount_differs"),
        ("0.015", "1.01", "matched"),
        ("0.015", "1.02", "amount_differs"),
        ("0.015", "0.98", "amount_differs"),
        ("0.025", "1.02", "matched"),
        ("0.025", "1.03", "amount_differs"),
        ("1E-7", "1.00", "matched"),
        ("1E+1", "11", "matched"),
        ("1E+1", "11.01", "amount_differs"),
    ],
)
def test_a_tolerance_is_never_rounded(tolerance: str, theirs: str, verdict: str, tmp_path: Path, engine: str) -> None:
    row = ("S1", "V1", "P1", "1.00", "0", "0", "0")
    made = Recipe("random", LEDGERS, ("setl_id",), AMOUNTS, tolerance={"medfee_sumamt": Decimal(tolerance)})
    case = Ledgers([row], [(*row[:3], theirs, *row[4:])], made)
    assert list(_summary(case.reconcile(tmp_path, engine=engine))["classes"]) == [verdict]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_errors_that_offset_each_other_are_found_though_all_totals_are_equal(amount: str, tmp_path: Path) -> None:
    def ledger(first: str, second: str) -> list[Row]:
        changed = {"S8": first, "S9": second}
        rows = [dict.fromkeys(COLUMNS, "1.00") | {"setl_id": f"S{number}", amount: str(number)} for number in range(10)]
        return [tuple((row | {amount: changed.get(row["setl_id"], row[amount])}).values()) for row in rows]

    made = Recipe("random", LEDGERS, ("setl_id",), AMOUNTS)
    case = Ledgers(ledger("8.00", "9.00"), ledger("9.00", "8.00"), made)
    assert [row[:4] for row in _rows(case.reconcile(tmp_path))] == [
        ("amount_differs", "S8", 1, 1),
        ("amount_differs", "S9", 1, 1),
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (["", "1"], ["0.00", "1"], "matched"),
        (["", "", "1"], ["0", "null", "1"], "matched"),
        (["", "1"], ["1", "1"], "duplicate"),
        ([""], ["0"], "matched"),
        ([""], ["0.01"], "amount_differs"),
    ],
)
def test_absent_is_zero_where_a_recipe_says_so(
    ours: list[str], theirs: list[str], verdict: str, tmp_path: Path, engine: str
) -> None:
    made = Recipe("random", LEDGERS, ("setl_id",), ("medfee_sumamt",), absent_is_zero=True)
    sides = ([("S1", "V1", "P1", amount, "0", "0", "0") for amount in amounts] for amounts in (ours, theirs))
    found = Ledgers(*sides, made).reconcile(tmp_path, engine=engine)
    assert list(_summary(found)["classes"]) == [verdict]


def test_a_side_without_a_status_in_any_of_its_records_shows_none(tmp_path: Path, engine: str) -> None:
    row = ("S1", "V1", "P1", "1.00", "0", "0", "")
    made = Recipe("random", LEDGERS, ("setl_id",), ("medfee_sumamt",), ("refd_setl_flag",))
    case = Ledgers([row, row], [row, (*row[:6], "1")], made)
    assert _rows(case.reconcile(tmp_path, engine=engine)) == [
        ("duplicate", "S1", 2, 2, "2.00", "2.00", "0.00", None, "1")
    ]


@pytest.mark.parametrize("place", ["key", "amounts", "compare"])
@pytest.mark.parametrize(
    "name",
    ["row", "line", "side", "class", "tier", "repeated", "unequal", "records", "records_ours", "b_ours", "advice"],
)  # fmt: skip
def test_a_column_may_have_any_name(name: str, place: str, tmp_path: Path) -> None:
    columns = {"key": "a", "amounts": "b", "compare": "c"} | {place: name}
    how = Written(list(columns.values()), ",", "\n", "", ended=True)
    rows = [
        dict(zip(columns.values(), map(Cell, cells), strict=True))
        for cells in (("A", "1.00", "x"), ("A", "1.00", "y"), ("B", "1.00", "x"), ("C", "1.50", "x"), ("D", "1", "x"))
    ]
    theirs = [rows[0], rows[2] | {columns["amounts"]: Cell("2")}, rows[3] | {columns["compare"]: Cell("z")}, rows[4]]
    made = recipes.ad_hoc((columns["key"],), (columns["amounts"],), (columns["compare"],))
    case = Tables(rows, theirs, (how, how), made)
    result = case.reconcile(tmp_path)
    assert (_summary(result), _rows(result)) == (_expected(case), _expected_rows(case))


def _cell(text: str) -> str | None:
    return None if text in ("", "null") else text


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _summary(result: Reconciliation) -> dict[str, Any]:
    """What the document says of the matching."""
    found = statement.document(result)
    sides = [{name: side[name] for name in ("records", "keys", "amounts")} for side in found["sides"]]
    groups = sorted(found["groups"], key=lambda group: str(group["by"]))
    # A class with nothing in it may be there or not.
    classes = {name: one for name, one in found["classes"].items() if one["keys"]}
    return {"classes": classes, "bridge": found["bridge"], "exit_code": found["exit_code"]} | {
        "sides": sides,
        "groups": groups,
    }


def _expected(case: Ledgers | Tables) -> dict[str, Any]:
    ours, theirs, terms = case.records(case.ours), case.records(case.theirs), case.terms
    classes = plain.classes(plain.match(ours, theirs, terms), terms)
    return {
        "classes": classes,
        "bridge": plain.bridge(ours, theirs, terms),
        "exit_code": int(set(classes) != {"matched"}),
        "sides": [plain.side(ours, terms), plain.side(theirs, terms)],
        "groups": sorted(plain.groups(ours, theirs, terms), key=lambda group: str(group["by"])),
    }


def _rows(result: Reconciliation) -> list[tuple[Any, ...]]:
    """The rows of differences without tier and advice, amounts written out, sorted."""
    frame = statement.as_text(statement.differences(result, Style("en")))
    return sorted(((verdict, *cells) for verdict, _, *cells, _ in frame.rows()), key=str)


def _expected_rows(case: Ledgers | Tables) -> list[tuple[Any, ...]]:
    terms = case.terms
    keys = plain.match(case.records(case.ours), case.records(case.theirs), terms)
    return sorted(plain.differences(keys, terms), key=str)
