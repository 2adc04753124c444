"""Screening sets aside only what is certain, and nothing at all where its proof fails."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from medpay_cli import recipes, reconcile, screening
from medpay_cli.screening import Screen


def candidates(ours, theirs):
    """The rows (from 0) of each side that are left to exact matching."""
    take = Screen(("k",), ("a",), 100).take
    schema = {"k": pl.String, "a": pl.Decimal(38, 2)}
    sides = [
        take(pl.DataFrame([(key, amount and Decimal(amount)) for key, amount in side], schema=schema, orient="row"))
        for side in (ours, theirs)
    ]
    found = [wanted.nonzero()[0].tolist() for wanted in screening.candidates(*([side] for side in sides))]
    repeated = tuple(_repeated([key for key, _ in side]) for side in (ours, theirs))
    # The same where each side has looked already for its repeated keys.
    assert [
        wanted.nonzero()[0].tolist() for wanted in screening.candidates(*([side] for side in sides), repeated)
    ] == found
    return tuple(found)


def _repeated(keys):
    return np.array([key is not None and keys.count(key) > 1 for key in keys], np.bool_)


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


def classes(folder, ours=OURS, theirs=THEIRS):
    """The number of keys in each class of a small reconcile."""
    for name, rows in (("ours", ours), ("theirs", theirs)):
        (folder / name).write_text("k,a\n" + "".join(f"{key},{amount}\n" for key, amount in rows))
    recipe = recipes.ad_hoc(("k",), ("a",), ())
    found = reconcile.reconcile({name: str(folder / name) for name in ("ours", "theirs")}, recipe).classes
    return {name: sums.keys for name, sums in found.items() if sums.keys}


KEY, CONTENT, THIRD = range(3)


@pytest.fixture
def colliding(monkeypatch):
    """Lets some of the three fingerprints have so few bits that nearly every record collides."""
    real = screening._mixed

    def collide(which, bits):
        made = iter(range(100))
        worse = lambda names: (real(names) % 2**bits) * 2 if next(made) % 3 in which else real(names)  # noqa: E731
        monkeypatch.setattr(screening, "_mixed", worse)

    return collide


@pytest.mark.parametrize("bits", [0, 1, 3, 5])
@pytest.mark.parametrize("which", [{KEY}, {CONTENT}, {THIRD}, {KEY, CONTENT}, {KEY, THIRD}])
def test_forced_collisions_change_no_result(colliding, tmp_path, which, bits):
    """Whatever else collides, 64 bits of the content are left, and those of the sums."""
    colliding(which, bits)
    for _ in range(5):
        assert classes(tmp_path) == CLASSES


# Count and sums tie although nothing agrees: only the third fingerprint can tell.
OFFSETTING = [("b", "2.00"), ("c", "3.00")], [("b", "3.00"), ("c", "2.00")], {"amount_differs": 2}
OTHER_KEY = [("c", "3.00")], [("x", "3.00")], {"only_ours": 1, "only_theirs": 1}


@pytest.mark.parametrize(("ours", "theirs", "expected"), [OFFSETTING, OTHER_KEY], ids=["offsetting", "other key"])
def test_pairs_of_equal_fingerprints_that_are_none_are_found_out_where_even_the_sums_tie(
    monkeypatch, tmp_path, ours, theirs, expected
):
    """As if the fingerprints of ours and theirs were equal by accident."""
    place = pl.int_range(pl.len()).cast(pl.UInt64) * 2
    real, made = screening._mixed, iter(range(3))
    monkeypatch.setattr(screening, "_mixed", lambda names: place if next(made) < THIRD else real(names))
    screened = []
    monkeypatch.setattr(screening, "candidates", lambda *sides: screened.append(real_candidates(*sides)) or screened[0])
    assert classes(tmp_path, ours, theirs) == expected
    assert [wanted.any() for wanted in screened[0]] == [False, False]  # they were all set aside at first


real_candidates = screening.candidates


def test_the_sum_of_the_third_fingerprint_wraps_at_64_bits_like_its_parts():
    screen = Screen(("k",), ("a",), 10**9)
    frame = pl.DataFrame({"k": [str(number) for number in range(1_000)], "a": [Decimal("1.00")] * 1_000})
    parts = [screen.take(frame[at : at + 100]) for at in range(0, 1_000, 100)]
    assert sum(part.checksum for part in parts) >= 2**64
    assert screening.checksum(parts) == screen.take(frame).checksum == screen.checksum(frame)


def test_too_many_records_are_not_screened():
    screen = Screen(("k",), ("a",), 5)
    frame = pl.DataFrame({"k": ["a", "b", "c"], "a": [Decimal("1.00")] * 3})
    first, second = screen.take(frame), screen.take(frame)
    assert (first.is_whole, second.is_whole) == (True, False)
    assert not any(one.is_whole or one.keys.size for one in screening.kept([first, second]))
    assert screening.kept([first, first])[1] is first
    assert first.checksum == second.checksum


@pytest.mark.parametrize("broken", ["checksum", "candidates"])
def test_a_failed_proof_hands_everything_to_exact_matching(monkeypatch, tmp_path, broken):
    if broken == "checksum":
        made = iter(range(10**6))
        monkeypatch.setattr(Screen, "checksum", lambda *_: next(made))
    else:  # pairs are set aside that are none

        def nothing(ours, theirs, _):
            return tuple(np.concatenate([one.states > 9 for one in side]) for side in (ours, theirs))

        monkeypatch.setattr(screening, "candidates", nothing)
    assert classes(tmp_path) == CLASSES
