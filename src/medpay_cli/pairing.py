"""Pairing: two sides that were read are matched, on Polars behind a screen and within the memory, or by an engine."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal

import polars as pl

from medpay_cli import engines, matching, money, screening
from medpay_cli.engines import Cluster, Engine, Spill
from medpay_cli.errors import InternalError
from medpay_cli.fingerprints import Flags
from medpay_cli.formats.text.cutting import PART
from medpay_cli.frames import Frames
from medpay_cli.matching import MATCHED, SIDES, ClassSums, Compared, Matched
from medpay_cli.recipes import Recipe
from medpay_cli.screening import Screen
from medpay_cli.sides import ReadSide, Take

# Bytes of memory: what we are before we read, what reading takes for each byte of a part, what screening takes of each
# record, what matching does.
ALONE, READING, SCREENED, MATCHING = 192 << 20, 48, 36, 800
# Below one mebibyte a part has more work of its own than its records.
LEAST_PART = 1 << 20
# Each part of the keys is a file of each side, and so many rows of it wait in memory for their turn.
MOST_PARTS, WAITING = 200, 200_000


@dataclass(frozen=True)
class Pairing:
    """What is taken of every batch while the sides are read, and how they are matched then; `seconds` of it, where an
    engine does it."""

    take: Take
    match: Callable[[ReadSide, ReadSide, Compared], Matched]
    seconds: dict[str, float] = field(default_factory=dict)


@contextlib.contextmanager
def opened(name: str, recipe: Recipe, cluster: Cluster, limit: int) -> Iterator[Pairing]:
    """The pairing of an engine (of engines.NAMES, but auto) within so many bytes of memory."""
    columns = (recipe.key, recipe.amounts, recipe.compare)
    if name == engines.POLARS:
        room = max(limit - ALONE - READING * part(limit), limit // 4)
        screen = Screen(recipe.key, (*recipe.amounts, *recipe.compare), room // SCREENED)
        yield Pairing(screen.take, lambda ours, theirs, on: _on_polars(ours, theirs, on, screen, room))
        return
    place = matching.places(*columns)
    seconds: dict[str, float] = {}
    with engines.opened(name, cluster, limit) as (engine, spill):

        def match(ours: ReadSide, theirs: ReadSide, on: Compared) -> Matched:
            begun = time.perf_counter()
            mine, other = (_written(side, place, spill, engine) for side in (ours, theirs))
            matched = matching.match(mine, other, on.by_place, engine).called(on)
            seconds.update(conversion=spill.seconds, matching=time.perf_counter() - begun)
            return matched

        yield Pairing(lambda records: spill(_placed(records, place)), match, seconds)


def part(limit: int) -> int:
    """How many bytes of a text are read at a time: reading takes half of the memory at most."""
    return min(max((limit // 2 - ALONE) // READING, LEAST_PART), PART)


def joined(matched: Matched, on: Compared) -> pl.DataFrame:
    """The rows worth listing; where a side has several records of a key: its different statuses joined by `;`."""
    shown = matched.listed
    # One status is shown as it is.
    several = matched.several.filter(pl.len().over(*on.key, matching.SIDE) > 1) if matched.several.width else shown
    if several.is_empty() or not on.statuses:
        return shown
    words = {name: pl.col(name).drop_nulls().unique().sort().str.join(";") for name in on.statuses}
    for side, sign in zip(SIDES, (1, -1), strict=True):
        of_side = (
            several.filter(pl.col(matching.SIDE) == sign)
            .group_by(on.key)
            .agg(pl.when(word != "").then(word).alias(matching.of(name, side)) for name, word in words.items())
        )
        shown = shown.update(of_side, on=list(on.key), how="left")
    return shown


def _placed(records: pl.DataFrame, place: dict[str, str]) -> pl.DataFrame:
    return records.select(pl.col(name).alias(short) for name, short in place.items())


def _written(side: ReadSide, place: dict[str, str], spill: Spill, engine: Engine) -> object:
    """What was written of a side; nothing, in the same columns, where it has no records."""
    return engine.open(side.files or [spill(_placed(side.nothing, place))])


@dataclass(frozen=True)
class _Rest:
    """The records of a side that are matched exactly, by parts of the keys, and what is left of the side without them:
    both sides are counted on their own."""

    parts: list[Frames]
    records: int
    sums: dict[str, Decimal]
    checksum: int

    @classmethod
    def of(cls, side: ReadSide, wanted: Flags, on: Compared, screen: Screen, parts: int) -> _Rest:
        waiting = WAITING // parts if parts > 1 else None
        made = [Frames(waiting) for _ in range(parts)]
        records, sums, checksum = side.records, dict(side.amounts), screening.checksum(side.prints)
        for frame in side.exact(wanted):
            records -= frame.height
            found = money.sums(frame.select(*sums))
            sums = {name: money.total((amount, -found[name])) for name, amount in sums.items()}
            checksum = (checksum - screen.checksum(frame)) % 2**64
            scaled = _scaled(frame, on)
            if parts == 1:
                made[0].add(scaled)
                continue
            for number, some in screen.divided(scaled, parts):
                made[number].add(some)
        return cls(made, records, sums, checksum)


def _on_polars(ours: ReadSide, theirs: ReadSide, on: Compared, screen: Screen, room: int) -> Matched:
    """Clean pairs are set aside by their fingerprints, the rest is read again and matched exactly."""
    sides = (ours, theirs)
    every = tuple(screening.everything(side.prints) for side in sides)
    # A fingerprint is taken of an amount's digits alone: of other scales they say nothing.
    is_screened = ours.decimals == theirs.decimals and all(one.is_whole for side in sides for one in side.prints)
    repeated = (ours.repeated, theirs.repeated)
    wanted = screening.candidates(ours.prints, theirs.prints, repeated) if is_screened else every
    parts = _parts(wanted, room)
    rests = _rests(sides, wanted, on, screen, parts)
    aside, others = ((rest.records, rest.sums, rest.checksum) for rest in rests)
    if aside != others or not is_screened:
        if is_screened:  # the proof fails: exact matching takes over
            parts = _parts(every, room)
            rests = _rests(sides, every, on, screen, parts)
        if any(rest.records for rest in rests):
            raise InternalError("tie_out", what="records set aside", left=rests[0].records, right=rests[1].records)
    matched = Matched.nothing()
    for pair in zip(*(rest.parts for rest in rests), strict=True):
        mine, other = (pl.concat([_scaled(side.nothing, on), *part]) for side, part in zip(sides, pair, strict=True))
        found = matching.match(mine.lazy(), other.lazy(), on)
        if parts > 1:
            found = replace(found, listed=_alone(found.listed), several=_alone(found.several))
        matched = matched.and_of(found)
    return _with_clean(matched, rests[0])


def _rests(
    sides: tuple[ReadSide, ...], wanted: tuple[Flags, ...], on: Compared, screen: Screen, parts: int
) -> list[_Rest]:
    """What is left of each side; where memory does, they are read at the same time, for each waits for its lines most
    of it."""
    with ThreadPoolExecutor(len(sides) if parts == 1 else 1) as pool:
        return list(pool.map(lambda side, some: _Rest.of(side, some, on, screen, parts), sides, wanted))


def _alone(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows; taken out of a frame as they are, they keep the text of all of it in memory."""
    buffer = io.BytesIO()
    rows.write_ipc(buffer, compression="lz4")
    return pl.read_ipc(buffer.getvalue())


def _scaled(records: pl.DataFrame, on: Compared) -> pl.DataFrame:
    """No amount has more decimals than the scale that both sides are compared in."""
    return records.with_columns(pl.col(name).cast(pl.Decimal(38, scale)) for name, scale in on.amounts.items())


def _parts(wanted: tuple[Flags, ...], room: int) -> int:
    """How many parts of the keys let each of them fit."""
    return min(1 + MATCHING * sum(int(some.sum()) for some in wanted) // room, MOST_PARTS)


def _with_clean(matched: Matched, aside: _Rest) -> Matched:
    clean = ClassSums(
        keys=aside.records,
        records=dict.fromkeys(SIDES, aside.records),
        amounts={name: dict.fromkeys(SIDES, amount) for name, amount in aside.sums.items()},
    )
    matched.classes.setdefault(MATCHED, ClassSums()).add(clean)
    return replace(matched, keys={side: count + aside.records for side, count in matched.keys.items()})
