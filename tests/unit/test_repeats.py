"""Repeated keys are found exactly, whatever their number and however unlucky their fingerprints."""

from unittest import mock

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medpay_cli import repeats

KEY = ("a", "b")


def counted(keys, at_once=repeats.AT_ONCE, batch=3, same_mark=False):
    """How often each record's key stands in the file, as medpay finds it: 0 where it is no candidate."""
    frames = [
        pl.DataFrame({"a": [a for a, _ in part], "b": [b for _, b in part]}, {"a": pl.String, "b": pl.String})
        for part in (keys[at : at + batch] for at in range(0, len(keys), batch))
    ]
    with mock.patch.object(repeats, "AT_ONCE", at_once):
        made = repeats.Keys(KEY)
        marks = [np.minimum(made.fingerprints(frame), 1) if same_mark else made.fingerprints(frame) for frame in frames]
        for words in marks:
            made.add(words)
        found = made.repeated()
        if found is None:
            return [0] * len(keys)
        gathered, row = repeats.Candidates(KEY), 0
        gathered.begin(len(keys))
        wanted, kept = made.candidates(found)
        assert kept.tolist() == np.concatenate(marks)[wanted].tolist()
        for frame, words in zip(frames, marks, strict=True):
            marked = frame.with_columns(
                pl.Series(repeats.MARK, words),
                pl.int_range(row + 1, row + 1 + frame.height, dtype=pl.UInt64).alias(repeats.CANDIDATE_ROW),
            )
            here = slice(row, row := row + frame.height)
            gathered.add(marked.filter(pl.Series(wanted[here])))
        (times,) = gathered.times()
    return [int(number) for number in times[1:]]


def repeated(keys):
    """Which records share their whole key with another one, plainly."""
    return [None not in key and keys.count(key) > 1 for key in keys]


words = st.sampled_from([None, "", "1", "2", "12", "é", "e\u0301"])


@given(st.lists(st.tuples(words, words), max_size=30), st.sampled_from([repeats.AT_ONCE, 4]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_key_is_repeated_exactly_where_another_record_has_it(keys, at_once, same_mark):
    times = counted(keys, at_once, same_mark=same_mark)
    assert [number > 1 for number in times] == repeated(keys)
    assert all(number in (0, 1) or number == keys.count(key) for number, key in zip(times, keys, strict=True))


def test_a_key_with_an_empty_part_is_never_repeated():
    assert counted([("1", None)] * 3 + [(None, None)] * 3) == [0] * 6


def test_parts_that_join_to_the_same_text_are_different_keys():
    assert [number > 1 for number in counted([("1", "23"), ("12", "3")] * 1)] == [False, False]


@pytest.mark.parametrize("at_once", [repeats.AT_ONCE, 1000])
def test_many_keys_in_several_rounds(at_once):
    keys = [(str(number % 4000), "x") for number in range(5000)]
    times = counted(keys, at_once, batch=700)
    assert [number > 1 for number in times] == [number % 4000 < 1000 for number in range(5000)]


def test_equal_fingerprints_of_different_keys_are_no_repetition():
    assert all(number < 2 for number in counted([(str(number), "x") for number in range(50)], same_mark=True))
