"""`medpay reconcile` of generated ledger days, held against SQL over the same files and against what was planted."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import ledger_day
import polars as pl
import pytest
from conftest import present
from ledger_day import AMOUNTS, FLAG

HERE = Path(__file__).parent
RECIPE = HERE.parents[1] / "schemas" / "recipes" / "ledger.toml"
SIDES = {"ours": "hospital", "theirs": "platform"}
SWAPPED = {"only_ours": "only_theirs", "only_theirs": "only_ours"}
HEADER = (
    "class", "tier", "setl_id", "records_ours", "records_theirs",
    *(f"{name}_{what}" for name in AMOUNTS for what in ("ours", "theirs", "difference")),
    f"{FLAG}_ours", f"{FLAG}_theirs", "advice",
)  # fmt: skip
# Column numbers of one side's values, for exchanging the sides.
OURS, THEIRS = ([number for number, name in enumerate(HEADER) if name.endswith(f"_{side}")] for side in SIDES)
DIFFERENCE = [number for number, name in enumerate(HEADER) if name.endswith("_difference")]

Cells = tuple[str | None, ...]
Rows = list[Cells]


@dataclass(frozen=True)
class Report:
    """What one run of `medpay reconcile` left behind."""

    folder: Path
    exit_code: int
    printed: dict[str, Any]

    @cached_property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / "summary.json").read_text(encoding="utf-8"))

    @cached_property
    def csv(self) -> bytes:
        return (self.folder / "differences.csv").read_bytes()

    @cached_property
    def rows(self) -> Rows:
        """The rows of differences.csv below the header, an empty cell as None."""
        with (self.folder / "differences.csv").open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert tuple(header) == HEADER
        return [tuple(cell or None for cell in row) for row in rows]

    @property
    def classes(self) -> dict[str, dict[str, Any]]:
        """The classes that occur; one with nothing in it may be there or not."""
        return {name: sums for name, sums in self.summary["classes"].items() if sums["keys"]}

    @property
    def judged(self) -> dict[str, Any]:
        """What must not depend on how the files were written."""
        return {name: self.summary[name] for name in ("classes", "groups", "bridge")}


def reconcile(folder: Path, *words: str | Path) -> Report:
    command = [sys.executable, "-m", "medpay_cli", "reconcile", *map(str, words)]
    options = ["--recipe", "ledger", "--output-dir", str(folder), "--format", "json", "--lang", "en"]
    ran = subprocess.run([*command, *options], capture_output=True, check=False)
    assert ran.returncode in (0, 1), ran.stderr.decode()
    return Report(folder, ran.returncode, json.loads(ran.stdout))


@dataclass(frozen=True)
class Compared:
    """A generated day, what medpay made of it, and the tables of `semantics.sql` over the same two files."""

    day: ledger_day.Day
    report: Report
    sql: duckdb.DuckDBPyConnection

    def table(self, name: str) -> list[dict[str, Any]]:
        found = self.sql.execute(f"FROM {name}")
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((20_000, 1, 0.03, "polars"), id="20k-1"),
        pytest.param((20_000, 2, 0.03, "duckdb"), id="20k-2-duckdb"),
        pytest.param((20_000, 3, 0.3, "polars"), id="20k-3-many"),
        pytest.param((20_000, 3, 0.3, "spark"), id="20k-3-many-spark"),
        # More than one part of a file.
        pytest.param((120_000, 4, 0.003, "polars"), id="120k-4"),
        pytest.param((120_000, 4, 0.003, "duckdb"), id="120k-4-duckdb"),
        pytest.param((1_000_000, 5, 0.003, "polars"), id="1M-5", marks=pytest.mark.full),
        pytest.param((1_000_000, 6, 0.05, "polars"), id="1M-6-many", marks=pytest.mark.full),
        pytest.param((1_000_000, 6, 0.05, "duckdb"), id="1M-6-many-duckdb", marks=pytest.mark.full),
        pytest.param((1_000_000, 6, 0.05, "spark"), id="1M-6-many-spark", marks=pytest.mark.full),
    ],
)
def compared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compared]:
    records, seed, differences, engine = request.param
    folder = tmp_path_factory.mktemp("day")
    day = ledger_day.make(records, seed, differences)
    hospital, platform = day.write(folder)
    report = reconcile(folder / "out", hospital, platform, "--engine", present(engine))
    assert report.summary["engine"] == engine
    with duckdb.connect() as sql:
        sql.execute("SET VARIABLE ours = ?", [str(hospital)])
        sql.execute("SET VARIABLE theirs = ?", [str(platform)])
        sql.execute((HERE / "semantics.sql").read_text(encoding="utf-8"))
        yield Compared(day, report, sql)
    for path in (hospital, platform):
        path.unlink()


def test_the_classes_are_those_of_sql_in_keys_records_and_every_sum(compared: Compared) -> None:
    assert compared.report.classes == {
        row["class"]: {
            "keys": row["keys"],
            "records": _records(row),
            "repeated": row["repeated"],
            "tolerated": {},
            "by_tier": {},
            "amounts": _amounts(row),
        }
        for row in compared.table("classes")
    }


def test_the_groups_are_those_of_sql_per_canonical_refund_flag(compared: Compared) -> None:
    found = compared.report.summary["groups"]
    expected = [
        {"by": {FLAG: row[FLAG]}, "records": _records(row), "amounts": _amounts(row)}
        for row in compared.table("groups")
    ]
    assert sorted(found, key=_flag) == sorted(expected, key=_flag)


def test_the_bridge_is_that_of_sql_and_ties_to_the_fen(compared: Compared) -> None:
    bridge = {
        row.pop("amount"): {name: _written(value) for name, value in row.items()} for row in compared.table("bridge")
    }
    assert compared.report.summary["bridge"] == bridge
    assert all(amount["explained"] == amount["difference"] for amount in bridge.values())


def test_the_totals_of_each_side_are_those_of_sql(compared: Compared) -> None:
    expected = [
        {
            "name": SIDES[row["side"]],
            "records": row["records"],
            "keys": row["keys"],
            "amounts": {name: _written(row[name]) for name in AMOUNTS},
        }
        for row in sorted(compared.table("sides"), key=lambda row: row["side"])
    ]
    found = compared.report.summary["sides"]
    assert [{name: side[name] for name in expected[0]} for side in found] == expected


def test_missing_values_and_unknown_codes_are_counted_per_side_and_stop_nothing(compared: Compared) -> None:
    expected = [{"side": SIDES[row.pop("side")], **row, "severity": "error"} for row in compared.table("findings")]
    assert _sorted(compared.report.summary["counts"]) == _sorted(expected)
    assert compared.report.summary["complete"] is True


def test_every_row_of_differences_csv_is_the_one_of_sql(compared: Compared) -> None:
    advice = {name: text["en"] for name, text in tomllib.loads(RECIPE.read_text(encoding="utf-8"))["advice"].items()}
    expected = [
        tuple(_text(advice[row["class"]] if name == "advice" else row[name]) for name in HEADER)
        for row in compared.table("differences")
    ]
    assert sorted(compared.report.rows, key=_whole) == sorted(expected, key=_whole)


def test_differences_csv_is_sorted_by_class_and_key(compared: Compared) -> None:
    rows = compared.report.rows
    assert rows == sorted(rows, key=lambda row: (row[0], row[2] is None, (row[2] or "").encode()))


def test_differences_parquet_holds_the_rows_of_the_csv_with_exact_amounts(compared: Compared) -> None:
    frame = pl.read_parquet(compared.report.folder / "differences.parquet")
    amounts = [f"{name}_{what}" for name in AMOUNTS for what in ("ours", "theirs", "difference")]
    assert frame.columns == list(HEADER)
    assert frame.select(amounts).dtypes == [pl.Decimal(38, 2)] * len(amounts)
    # An absent status is null, not an empty text.
    assert [tuple(map(_text, row)) for row in frame.iter_rows()] == compared.report.rows


def test_every_planted_key_comes_out_as_it_was_written_down(compared: Compared) -> None:
    truth = compared.day.truth.filter(pl.col("class") != "matched").select(
        "class", "setl_id", "records_ours", "records_theirs", *(f"{name}_difference" for name in AMOUNTS)
    )
    planted = [(*map(_text, row[:4]), *(_written(Decimal(fen).scaleb(-2)) for fen in row[4:])) for row in truth.rows()]
    found = [(row[0], *row[2:5], *(row[number] for number in DIFFERENCE)) for row in compared.report.rows]
    assert sorted(found, key=_whole) == sorted(planted, key=_whole)


def test_what_was_not_edited_or_only_repeated_alike_is_matched(compared: Compared) -> None:
    alike = compared.day.truth.filter(pl.col("class") == "matched")
    matched = compared.report.classes["matched"]
    assert (matched["keys"], matched["repeated"], matched["records"]) == (
        compared.day.agreed + alike.height,
        alike.filter(pl.col("records_ours") > 1).height,
        {side: compared.day.agreed + alike[f"records_{side}"].sum() for side in SIDES},
    )


def test_stdout_carries_summary_json_and_differences_exit_with_1(compared: Compared) -> None:
    assert (compared.report.printed, compared.report.exit_code) == (compared.report.summary, 1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[ledger_day.Day, Path, Path, Report]:
    """A day of 2,000 records a side, 400 of them edited, and its report."""
    folder = tmp_path_factory.mktemp("small")
    day = ledger_day.make(2_000, seed=11, differences=0.2)
    hospital, platform = day.write(folder)
    return day, hospital, platform, reconcile(folder / "out", hospital, platform)


def _shuffled(ledger: pl.DataFrame, path: Path) -> Path:
    return _plain(ledger.sample(fraction=1.0, shuffle=True, seed=5), path)


def _turned(ledger: pl.DataFrame, path: Path) -> Path:
    return _plain(ledger.reverse(), path)


def _crlf(ledger: pl.DataFrame, path: Path) -> Path:
    ledger_day.write_ledger(ledger, path, end="\r\n")
    return path


def _plain(ledger: pl.DataFrame, path: Path) -> Path:
    ledger_day.write_ledger(ledger, path)
    return path


def _gz(ledger: pl.DataFrame, path: Path) -> Path:
    packed = path.with_suffix(".txt.gz")
    packed.write_bytes(gzip.compress(_plain(ledger, path).read_bytes()))
    return packed


def _zip(ledger: pl.DataFrame, path: Path) -> Path:
    packed = path.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(_plain(ledger, path), "ledger.txt")
    return packed


def _trailing_tab(ledger: pl.DataFrame, path: Path) -> Path:
    return _plain(ledger.with_columns(exp_content=pl.lit("")), path)


def _eight_columns(ledger: pl.DataFrame, path: Path) -> Path:
    return _plain(ledger.with_columns(exp_content=pl.lit("null")), path)


def _eight_columns_with_content(ledger: pl.DataFrame, path: Path) -> Path:
    return _plain(ledger.with_columns(exp_content=pl.lit('{"a":1}')), path)


def _no_last_line_end(ledger: pl.DataFrame, path: Path) -> Path:
    path.write_bytes(_plain(ledger, path).read_bytes().removesuffix(b"\n"))
    return path


def _byte_order_mark(ledger: pl.DataFrame, path: Path) -> Path:
    path.write_bytes(b"\xef\xbb\xbf" + _plain(ledger, path).read_bytes())
    return path


@pytest.mark.parametrize(
    ("hospital", "platform"),
    [
        (_shuffled, _turned),
        (_crlf, _plain),
        (_gz, _zip),
        (_trailing_tab, _eight_columns),
        (_eight_columns_with_content, _crlf),
        (_no_last_line_end, _byte_order_mark),
    ],
)
def test_how_the_files_are_written_changes_nothing(
    small: tuple[ledger_day.Day, Path, Path, Report],
    tmp_path: Path,
    hospital: Callable[[pl.DataFrame, Path], Path],
    platform: Callable[[pl.DataFrame, Path], Path],
) -> None:
    day, *_, plain = small
    paths = hospital(day.hospital, tmp_path / "h.txt"), platform(day.platform, tmp_path / "p.txt")
    report = reconcile(tmp_path / "out", *paths)
    assert (report.judged, report.csv) == (plain.judged, plain.csv)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("theirs={p}", "ours={h}"),
        ("ours={h}", "platform={p}"),
        ("platform={p}", "{h}"),
    ],
)
def test_a_named_side_is_bound_by_name_and_the_other_takes_what_is_left(
    small: tuple[ledger_day.Day, Path, Path, Report], tmp_path: Path, first: str, second: str
) -> None:
    _, hospital, platform, plain = small
    words = (word.format(h=hospital, p=platform) for word in (first, second))
    report = reconcile(tmp_path / "out", *words)
    assert (report.summary, report.csv) == (plain.summary, plain.csv)


@pytest.mark.parametrize("words", [("ours={h}", "hospital={p}"), ("platform={h}", "theirs={p}")])
def test_one_side_bound_twice_is_usage(
    small: tuple[ledger_day.Day, Path, Path, Report], words: tuple[str, str]
) -> None:
    _, hospital, platform, _ = small
    command = [sys.executable, "-m", "medpay_cli", "reconcile", "--recipe", "ledger"]
    ran = subprocess.run(
        [*command, *(word.format(h=hospital, p=platform) for word in words)], capture_output=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, b"")


def test_swapped_sides_swap_the_classes_and_negate_the_differences(
    small: tuple[ledger_day.Day, Path, Path, Report], tmp_path: Path
) -> None:
    _, hospital, platform, plain = small
    turned = reconcile(tmp_path / "out", platform, hospital)
    assert turned.classes == {
        SWAPPED.get(name, name): {**sums, "records": _turned_round(sums["records"]), "amounts": _all_turned(sums)}
        for name, sums in plain.classes.items()
    }
    assert turned.summary["groups"] == [
        {**group, "records": _turned_round(group["records"]), "amounts": _all_turned(group)}
        for group in plain.summary["groups"]
    ]
    assert sorted(map(_exchanged, turned.rows), key=_whole) == sorted((row[:-1] for row in plain.rows), key=_whole)


def test_a_side_against_itself_is_all_matched_but_for_records_without_a_key(
    small: tuple[ledger_day.Day, Path, Path, Report], tmp_path: Path
) -> None:
    day, hospital, *_ = small
    report = reconcile(tmp_path / "out", hospital, hospital)
    key = _keys(day.hospital)
    complete, empty = key.drop_nulls(), key.null_count()
    counted = {name: (sums["keys"], sums["records"], sums["repeated"]) for name, sums in report.classes.items()}
    assert empty > 0
    assert counted == {
        "matched": (
            complete.n_unique(),
            dict.fromkeys(SIDES, complete.len()),
            complete.value_counts().filter(pl.col("count") > 1).height,
        ),
        "only_ours": (empty, {"ours": empty, "theirs": 0}, 0),
        "only_theirs": (empty, {"ours": 0, "theirs": empty}, 0),
    }
    assert [row[2] for row in report.rows] == [None] * 2 * empty
    assert {amount["difference"] for amount in report.summary["bridge"].values()} == {"0.00"}


def test_a_side_with_every_key_complete_agrees_with_itself_and_exits_with_0(
    small: tuple[ledger_day.Day, Path, Path, Report], tmp_path: Path
) -> None:
    day, *_ = small
    path = _plain(day.hospital.filter(_keys(day.hospital).is_not_null()), tmp_path / "whole.txt")
    report = reconcile(tmp_path / "out", path, path)
    assert (report.exit_code, list(report.classes), report.rows) == (0, ["matched"], [])


def test_sums_beyond_whole_numbers_of_64_bits_do_not_wrap(tmp_path: Path) -> None:
    largest = Decimal("99999999999999.99")
    assert 1_000 * int(largest.scaleb(2)) > 2**63

    def records(keys: list[str], amount: Decimal) -> list[str]:
        return [f"{key}\tV1\tP1\t{amount}\t{amount}\t{-amount}\t0\n" for key in keys]

    both = [*(f"E{number}" for number in range(1_000)), *["R"] * 1_500]
    ours = [*records(both, largest), *records(["O"] * 2_000, largest), *records(["D"] * 1_200, largest)]
    theirs = [*records(both, largest), *records(["T"] * 3_000, -largest), *records(["D"] * 1_200, -largest)]
    paths = tmp_path / "hospital.txt", tmp_path / "platform.txt"
    for path, lines in zip(paths, (ours, theirs), strict=True):
        path.write_text("".join(lines), encoding="utf-8")
    report = reconcile(tmp_path / "out", *paths)

    def sums(ours: int, theirs: int) -> dict[str, dict[str, str]]:
        of = {"ours": ours * largest, "theirs": theirs * largest, "difference": (ours - theirs) * largest}
        turned = {name: _written(-amount) for name, amount in of.items()}
        straight = {name: _written(amount) for name, amount in of.items()}
        return {"medfee_sumamt": straight, "fund_pay_sumamt": straight, "acct_pay": turned}

    found = {name: (one["keys"], one["amounts"]) for name, one in report.classes.items()}
    assert found == {
        "matched": (1_001, sums(2_500, 2_500)),
        "only_ours": (1, sums(2_000, 0)),
        "only_theirs": (1, sums(0, -3_000)),
        "duplicate": (1, sums(1_200, -1_200)),
    }
    assert report.summary["groups"][0]["amounts"] == sums(5_700, -1_700)
    assert report.summary["bridge"]["acct_pay"] == {
        **sums(5_700, -1_700)["acct_pay"],
        "explained": _written(-7_400 * largest),
    }
    assert [(row[2], row[DIFFERENCE[0]]) for row in report.rows] == [
        ("D", _written(2_400 * largest)),
        ("O", _written(2_000 * largest)),
        ("T", _written(3_000 * largest)),
    ]


def _keys(ledger: pl.DataFrame) -> pl.Series:
    return ledger.select(pl.when(pl.col("setl_id") != "null").then("setl_id")).to_series()


def _records(row: dict[str, Any]) -> dict[str, int]:
    return {side: int(row[f"records_{side}"]) for side in SIDES}


def _amounts(row: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {
        name: {
            **{side: _written(row[f"{name}_{side}"]) for side in SIDES},
            "difference": _written(row[f"{name}_ours"] - row[f"{name}_theirs"]),
        }
        for name in AMOUNTS
    }


def _written(amount: Decimal) -> str:
    """Yuan with two decimals, never -0.00."""
    return f"{amount + 0:.2f}"


def _text(value: Any) -> str | None:
    if isinstance(value, Decimal):
        return _written(value)
    return None if value is None else str(value)


def _flag(group: dict[str, Any]) -> str:
    return group["by"][FLAG] or ""


def _sorted(counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(counts, key=lambda count: (count["side"], count["code"], count["field"]))


def _whole(row: Cells) -> list[tuple[bool, str]]:
    """A row as something to sort by."""
    return [(cell is None, cell or "") for cell in row]


def _turned_round(of: dict[str, Any]) -> dict[str, Any]:
    return {"ours": of["theirs"], "theirs": of["ours"]}


def _all_turned(sums: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {**_turned_round(of), "difference": _written(-Decimal(of["difference"]))}
        for name, of in sums["amounts"].items()
    }


def _exchanged(row: Cells) -> Cells:
    """A row of differences as the other order of the sides shows it, without the advice."""
    cells = list(row)
    cells[0] = SWAPPED.get(str(row[0]), row[0])
    for mine, other in zip(OURS, THEIRS, strict=True):
        cells[mine], cells[other] = row[other], row[mine]
    for number in DIFFERENCE:
        cells[number] = _written(-Decimal(str(row[number])))
    return tuple(cells[:-1])
