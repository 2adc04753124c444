"""Screening sets aside only what is certain, and nothing at all where its proof fails."""

from decimal import Decimal

import polars as pl
import pytest

from medpay_cli import recipes, reconcile, screening

LEDGER = recipes.load("ledger")


def side(rows):
    return pl.DataFrame(rows, schema={"k": pl.String, "a": pl.String}, orient="row").with_columns(
        pl.col("a").cast(pl.Decimal(38, 2))
    )


def screened(ours, theirs):
    add = screening.fingerprinting(("k",), ("a",))
    return screening.screen(add(side(ours)), add(side(theirs)), ("a",))


def left(frame):
    return sorted(frame.select("k", pl.col("a").cast(pl.String)).rows(), key=str)


def test_pairs_with_the_same_content_are_set_aside():
    made = screened([("x", "1.00"), ("y", "2.00")], [("y", "2.00"), ("x", "1.00")])
    assert (made.pairs, made.sums, made.ours.height, made.theirs.height) == (2, {"a": Decimal("3.00")}, 0, 0)


def test_a_difference_leaves_both_records_to_exact_matching():
    made = screened([("x", "1.00"), ("y", "2.00")], [("x", "1.01"), ("y", "2.00")])
    assert (left(made.ours), left(made.theirs)) == ([("x", "1.00")], [("x", "1.01")])


def test_every_record_of_a_repeated_key_is_left_even_where_one_pair_agrees():
    made = screened([("x", "1.00"), ("x", "2.00")], [("x", "1.00")])
    assert (left(made.ours), left(made.theirs)) == ([("x", "1.00"), ("x", "2.00")], [("x", "1.00")])


def test_a_record_with_an_empty_key_is_left():
    made = screened([(None, "1.00")], [(None, "1.00")])
    assert (made.pairs, left(made.ours), left(made.theirs)) == (0, [(None, "1.00")], [(None, "1.00")])


def test_absent_and_zero_are_not_the_same():
    assert screened([("x", None)], [("x", "0.00")]).pairs == 0


def test_two_empty_sides_set_nothing_aside():
    assert screened([], []).pairs == 0


@pytest.mark.parametrize("bits", [0, 1, 3, 5])
def test_forced_collisions_change_no_result(monkeypatch, tmp_path, bits):
    """With fingerprints of a few bits nearly every record collides; the classes must stay the same."""
    ours = [("a", "1.00"), ("b", "2.00"), ("c", "3.00"), ("d", "4.00"), ("e", "5.00")]
    theirs = [("a", "1.00"), ("b", "2.01"), ("x", "3.00"), ("d", "4.00"), ("d", "4.00")]
    for name, rows in (("ours", ours), ("theirs", theirs)):
        (tmp_path / name).write_text("k,a\n" + "".join(f"{key},{amount}\n" for key, amount in rows))
    recipe = recipes.ad_hoc(("k",), ("a",), ())
    paths = {name: str(tmp_path / name) for name in ("ours", "theirs")}
    real = screening._mixed
    monkeypatch.setattr(screening, "_mixed", lambda hashes: (real(hashes) % 2**bits) * 2)
    classes = reconcile.reconcile(paths, recipe).classes
    assert {name: sums.keys for name, sums in classes.items()} == {
        "matched": 1,
        "amount_differs": 1,
        "only_ours": 2,
        "only_theirs": 1,
        "duplicate": 1,
    }


def test_a_failed_proof_hands_everything_to_exact_matching(monkeypatch):
    monkeypatch.setattr(screening, "_checksum", id)
    made = screened([("x", "1.00")], [("x", "1.00")])
    assert (made.pairs, made.ours.height, made.theirs.height) == (0, 1, 1)
