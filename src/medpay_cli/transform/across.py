"""Keys that stand in several inputs: each of these alone has them only once."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from medpay_cli.formats import ROW
from medpay_cli.repeats import CANDIDATE_ROW, MARK, Candidates, Keys
from medpay_cli.transform.converting import Conversion


def reject_across(conversions: Sequence[Conversion]) -> None:
    """Reject every record whose key stands in several inputs. Raises AnewError where they do not wait."""
    if conversions[0].straight:
        conversions[0].straight.check_keys()
        return
    key = conversions[0].target.plan.target.key if len(conversions) > 1 else ()
    if not key:
        return
    keys = Keys(key)
    for one in conversions:
        keys.add(one.fingerprints(keys))
    found = keys.repeated()
    if found is None:
        return
    wanted, marks = keys.candidates(found)
    gathered, at, before = Candidates(key), 0, 0
    for one in conversions:
        gathered.begin(one.came)
        for frame in one.again(wanted[before : before + one.came]):
            here = pl.Series(MARK, marks[at : at + frame.height])
            gathered.add(frame.select(pl.col(ROW).alias(CANDIDATE_ROW), here, *key))
            at += frame.height
        before += one.came
    for one, times in zip(conversions, gathered.times(), strict=True):
        newly = (times[1:] > 1) & ~one.rejected
        if newly.any():
            one.reject(newly, times[1:])
