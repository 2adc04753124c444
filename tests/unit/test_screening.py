"""Screening sets aside only what is certain, and nothing at all where its proof fails."""

from decimal import Decimal

import polars as pl
import pytest

from medpay_cli import recipes, reconcile, screening


def candidates(ours, theirs):
    """The rows (from 0) of each side that are left to exact matching."""
    take = screening.fingerprinting(("k",), ("a",))
    schema = {"k": pl.String, "a": pl.Decimal(38, 2)}
    sides = [
        take(pl.DataFrame([(key, amount and Decimal(amount)) for key, amount in side], schema=schema, orient="row"))
        for side in (ours, theirs)
    ]
    return tuple(wanted.nonzero()[0].tolist() for wanted in screening.candidates(*sides))


def test_pairs_with_the_same_content_are_set_aside():
    assert candidates([("x", "1.00"), ("y", "2.00")], [("y", "2.00"), ("x", "1.00")]) == ([], [])


def test_a_difference_leaves_both_records_to_exact_matching():
    assert candidates([("x", "1.00"), ("y", "2.00")], [("x", "1.01"), ("y", "2.00")]) == ([0], [0])


def test_every_record_of_a_repeated_key_is_left_even_where_one_pair_agrees():
    assert candidates([("x", "1.00"), ("x", "2.00")], [("x", "1.00")]) == ([0, 1], [0])


def test_a_record_with_an_empty_key_is_left():
    assert candidates([(None, "1.00")], [(None, "1.00")]) == ([0], [0])


def test_absent_and_zero_are_not_the_same():
    assert candidates([("x", None)], [("x", "0.00")]) == ([0], [0])


def test_two_empty_sides_set_nothing_aside():
    assert candidates([], []) == ([], [])


OURS = [("a", "1.00"), ("b", "2.00"), ("c", "3.00"), ("d", "4.00"), ("e", "5.00")]
THEIRS = [("a", "1.00"), ("b", "2.01"), ("x", "3.00"), ("d", "4.00"), ("d", "4.00")]
CLASSES = {"matched": 1, "amount_differs": 1, "only_ours": 2, "only_theirs": 1, "duplicate": 1}


def classes(folder):
    """The number of keys in each class of a small reconcile."""
    for name, rows in (("ours", OURS), ("theirs", THEIRS)):
        (folder / name).write_text("k,a\n" + "".join(f"{key},{amount}\n" for key, amount in rows))
    recipe = recipes.ad_hoc(("k",), ("a",), ())
    found = reconcile.reconcile({name: str(folder / name) for name in ("ours", "theirs")}, recipe).classes
    return {name: sums.keys for name, sums in found.items()}


@pytest.mark.parametrize("bits", [0, 1, 3, 5])
def test_forced_collisions_change_no_result(monkeypatch, tmp_path, bits):
    """With fingerprints of a few bits nearly every record collides; the classes must stay the same."""
    real = screening._mixed
    monkeypatch.setattr(screening, "_mixed", lambda hashes: (real(hashes) % 2**bits) * 2)
    assert classes(tmp_path) == CLASSES


@pytest.mark.parametrize("broken", ["checksum", "candidates"])
def test_a_failed_proof_hands_everything_to_exact_matching(monkeypatch, tmp_path, broken):
    if broken == "checksum":
        monkeypatch.setattr(screening.Prints, "checksum", lambda self, _: id(self))
    else:  # pairs are set aside that are none
        nothing = lambda ours, theirs: (ours.states > 9, theirs.states > 9)  # noqa: E731
        monkeypatch.setattr(screening, "candidates", nothing)
    assert classes(tmp_path) == CLASSES
