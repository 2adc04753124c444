"""Parquet is read as text, and nothing that may have lost a digit is taken for an amount."""

import io
from datetime import date, datetime, time
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbooks import cells, dialect

from medpay_cli import formats
from medpay_cli.dialects import Limits, Node
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats import ROW, parquet

AB = ("a", "b")
LEDGER = ("setl_id", "medfee_sumamt")


def ours(**more):
    return dialect(format="parquet", **more)


def file(frame, **more):
    out = io.BytesIO()
    frame.write_parquet(out, **more)
    return out.getvalue()


def written(records, dialect, names=AB, chunk=3):
    out = io.BytesIO()
    frames = [
        {
            None: pl.DataFrame(records[at : at + chunk], dict.fromkeys(names, pl.String), orient="row").with_row_index(
                ROW
            )
        }
        for at in range(0, len(records), chunk)
    ]
    formats.write(out, dialect, {None: names}, frames)
    return out.getvalue()


def refused(content, dialect=None, names=AB):
    with pytest.raises(ReadError) as stopped:
        cells(content, dialect or ours(), names)
    return stopped.value.code, stopped.value.value


TEXT = st.text(st.characters(codec="utf-8"), max_size=9) | st.sampled_from(
    ["=1+1", "-0", "1e5", "007", "99999999999999.99"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(TEXT | st.none(), TEXT | st.none()), max_size=12), st.sampled_from([2, 50_000]))
def test_what_is_written_is_read_again(monkeypatch, records, most):
    monkeypatch.setattr(parquet, "RECORDS", most)
    assert cells(written(records, ours()), ours(), AB) == (
        [tuple(one or None for one in record) for record in records],
        [],
    )


@given(
    st.lists(
        st.decimals(-(10**14), 10**14, places=2).map(
            lambda one: min(max(one, Decimal("-99999999999999.99")), Decimal("99999999999999.99"))
        ),
        max_size=9,
    )
)
@settings(deadline=None)
def test_amounts_are_exact_decimals_where_the_dialect_says_so(amounts):
    used = ours(layout="ledger_detail", numbers=True)
    made = written([(str(at), f"{amount:f}") for at, amount in enumerate(amounts)], used, LEDGER)
    assert pl.read_parquet(io.BytesIO(made)).schema == {"setl_id": pl.String, "medfee_sumamt": pl.Decimal(16, 2)}
    assert cells(made, used, LEDGER) == ([(str(at), f"{amount + 0:f}") for at, amount in enumerate(amounts)], [])


@pytest.mark.parametrize("amount", ["1.234", "1e5", "007", "100000000000000.00", "1,000", " 1", "x"])
def test_a_text_that_is_no_amount_is_not_written_as_one(amount):
    with pytest.raises(MedpayError) as stopped:
        written([("1", "1.00"), ("2", amount)], ours(layout="ledger_detail", numbers=True), LEDGER)
    assert (stopped.value.key, stopped.value.values["place"]) == ("not_written", "medfee_sumamt")


@pytest.mark.parametrize("records", [[("null", "1")], [("1", "null")]])
def test_a_word_that_means_absent_is_not_written(records):
    with pytest.raises(MedpayError) as stopped:
        written(records, ours(nulls=("null",)))
    assert stopped.value.key == "not_written"


def test_nodes_are_files_of_their_own():
    for act in (lambda used: written([], used), lambda used: cells(b"", used, AB)):
        with pytest.raises(MedpayError):
            act(ours(nodes=(Node("x", ("x",), ""),)))


def test_the_same_records_make_the_same_bytes(monkeypatch):
    monkeypatch.setattr(parquet, "RECORDS", 4)
    records = [(str(at), None) for at in range(11)]
    assert written(records, ours()) == written(records, ours(), chunk=2) == written(records, ours(), chunk=11)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series(["001", "", None, " x\n"]), ["001", None, None, " x\n"]),
        (pl.Series(["甲", "乙"], dtype=pl.Categorical), ["甲", "乙"]),
        (pl.Series([2**63 - 1, -1, None]), ["9223372036854775807", "-1", None]),
        (pl.Series([Decimal("1.50"), Decimal("-0.01")], dtype=pl.Decimal(38, 2)), ["1.50", "-0.01"]),
        (pl.Series([Decimal("9" * 20 + ".99")], dtype=pl.Decimal(38, 2)), ["9" * 20 + ".99"]),
        (pl.Series([date(2022, 12, 1)]), ["2022-12-01"]),
        (pl.Series([datetime(2022, 12, 1, 1, 2, 3)]), ["2022-12-01 01:02:03"]),
        (pl.Series([datetime(2022, 12, 1)]), ["2022-12-01 00:00:00"]),
        (pl.Series([datetime(2022, 12, 1, 1, 2, 3, 500_000)]), ["2022-12-01 01:02:03.500"]),
        (pl.Series([None, None], dtype=pl.Null), [None, None]),
    ],
)  # fmt: skip
def test_exact_types_are_text(column, expected):
    assert cells(file(pl.DataFrame({"a": column})), ours(), ("a",)) == ([(one,) for one in expected], [])


@pytest.mark.parametrize(
    "column",
    [
        [1.5],
        [True],
        [b"x"],
        [[1]],
        [{"x": 1}],
        [time(1)],
        pl.Series([datetime(2022, 12, 1)]).dt.replace_time_zone("UTC"),
    ],
)
def test_other_types_are_refused_by_name(column):
    frame = pl.DataFrame({"a": column, "b": ["x"]})
    assert refused(file(frame)) == ("F207", f"a: {frame.schema['a']}")


@pytest.mark.parametrize(
    ("names", "more", "expected"),
    [
        (("a", "c"), {}, "− b; + 1"),
        (("a", "b", "c"), {}, "+ 1"),
        (("a",), {}, "− b"),
        (("a", "b", "x"), {"headings": {"x": "a"}}, "2 × a"),
    ],
)
def test_columns_that_are_not_the_layouts_are_refused(names, more, expected):
    assert refused(file(pl.DataFrame({name: ["1"] for name in names})), ours(**more)) == ("F207", expected)


def test_columns_are_found_by_name_and_others_may_stand_beside_them():
    made = file(pl.DataFrame({"x": [1.5], "乙": ["2"], "a": ["1"]}))
    assert cells(made, ours(headings={"乙": "b"}, other_columns=True), AB) == ([("1", "2")], [])


def test_no_records_and_no_columns():
    assert cells(written([], ours()), ours(), AB) == ([], [])
    assert refused(file(pl.DataFrame())) in {("F207", "− a; − b"), ("F203", "Parquet: ComputeError")}


def test_a_file_that_claims_more_records_than_it_can_hold_is_refused():
    made = file(pl.DataFrame({"a": pl.repeat("x", 30_000_000, eager=True)}), row_group_size=30_000_000)
    assert refused(made, names=("a",))[0] == "F209"


def test_too_many_columns_are_refused():
    assert refused(file(pl.DataFrame({name: ["1"] for name in "abc"})), ours(limits=Limits(columns=2))) == ("F204", "3")


GOOD = file(pl.DataFrame({"a": [f"{at}x" for at in range(40)], "b": ["1.00"] * 40}), row_group_size=10)


def test_a_file_cut_anywhere_is_refused():
    assert {refused(GOOD[:size])[0] for size in range(len(GOOD))} == {"F203"}


def test_a_file_cut_at_its_front_is_refused():
    assert {refused(GOOD[size:])[0] for size in range(1, len(GOOD), 7)} <= {"F203", "F207"}
