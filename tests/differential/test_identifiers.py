"""Citizen IDs and credit codes beside python-stdnum: where the two disagree, the reason has a name."""

import random
from collections import Counter
from datetime import date, timedelta

import polars as pl
import pytest
from stdnum.cn import ric, uscc
from stdnum.exceptions import InvalidComponent

from medpay_cli import identifiers, layouts

AS_OF = date(2026, 11, 25)
LISTED = [code for code, row in layouts.code_list("admdvs").items() if row["level"] == "county"]
CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
sizes = pytest.mark.parametrize("size", [10_000, pytest.param(100_000, marks=pytest.mark.full)])


def sound(name, texts):
    frame = pl.DataFrame({"x": texts}, schema={"x": pl.String})
    return frame.select(~identifiers.malformed(name, pl.col("x"), AS_OF)).to_series().to_list()


def compared(name, texts, accepts, reasons):
    """How often which reason explains a disagreement; a text that none explains stands for itself."""
    found = Counter()
    for text, ours in zip(texts, sound(name, texts), strict=True):
        theirs = accepts(text)
        if ours == theirs:
            found["both accept" if ours else "both refuse"] += 1
        else:
            found[next((reason for reason, holds in reasons[ours].items() if holds(text)), text)] += 1
    print(name, dict(found.most_common()))
    return found


def citizens(size):
    chance = random.Random(11643)  # noqa: S311 - invented numbers
    return [chance.choice(CHANGES)(citizen(chance), chance) for _ in range(size)]


def citizen(chance):
    """A number whose check digit holds; its division or its day may be none."""
    place = chance.choice([*[chance.choice(LISTED)] * 12, f"{chance.randrange(10**6):06}", "810000", "820000", "830000",
                           f"9{chance.randrange(10**5):05}"])  # fmt: skip
    first, years = chance.choice([(1870, 190), *[(1950, 75)] * 4])
    day = date(first, 1, 1) + timedelta(chance.randrange(365 * years))
    body = f"{place}{day:%Y%m%d}{chance.randrange(1000):03}"
    return body + ric.calc_check_digit(body + "0")


def no_day(number, chance):
    body = number[:6] + chance.choice(["19800230", "19810229", "19000229", "19811301", "19810431", "19810100"])
    body += number[14:17]
    return body + ric.calc_check_digit(body + "0")


def swapped(number, first, second):
    places = list(number)
    places[first], places[second] = places[second], places[first]
    return "".join(places)


def changed(number, characters, chance):
    place = chance.randrange(18)
    return number[:place] + chance.choice(characters) + number[place + 1 :]


CHANGES = [
    *[lambda number, _: number] * 6,
    lambda number, chance: changed(number, "0123456789X", chance),
    lambda number, chance: swapped(number, *chance.sample(range(18), 2)),
    no_day,
    lambda number, _: number[:6] + number[8:17],
    lambda number, _: number.lower(),
    lambda number, chance: chance.choice([" {}", "{} ", "{}\n"]).format(number),
    lambda number, _: number.translate({ord(digit): ord(digit) - ord("0") + ord("０") for digit in "0123456789"}),
    lambda number, chance: number[: chance.randrange(19)] + chance.choice(["", "0", "X"]),
    lambda _, chance: f"{chance.randrange(10**18):018}",
]


def not_in_its_list(text):
    try:
        ric.get_birth_place(text)
    except (InvalidComponent, KeyError):
        return ric.calc_check_digit(text) == text[-1].upper()
    return False


def accepted(text):
    # It knows no county there and trips over it.
    try:
        return ric.is_valid(text)
    except KeyError:
        return False


CITIZENS = {
    # We accept, they refuse.
    True: {
        "15 digits": lambda text: len(text) == 15,
        "card of a foreigner": lambda text: text[0] == "9",
        "permit of Taiwan": lambda text: text.startswith("83"),
        "division not listed, or not in that year": not_in_its_list,
    },
    # They accept, we refuse.
    False: {
        "blanks, or digits of another script": lambda text: text.upper() != ric.compact(text) or not text.isascii(),
        "born in the future": lambda text: ric.get_birth_date(text) > AS_OF,
        "born before 1900": lambda text: ric.get_birth_date(text) < date(1900, 1, 1),
    },
}


@sizes
def test_citizen_ids_are_judged_as_by_stdnum_but_for_named_reasons(size):
    found = compared("citizen_id", citizens(size), accepted, CITIZENS)
    assert found.keys() == {"both accept", "both refuse", *CITIZENS[True], *CITIZENS[False]}


def test_births_are_those_of_stdnum():
    texts = [text for text in citizens(2_000) if len(text) == 18]
    frame = pl.DataFrame({"x": texts})
    told = frame.select("x", identifiers.birth(pl.col("x"), AS_OF).alias("born")).drop_nulls()
    assert told.height > 500
    assert [ric.get_birth_date(text) for text in told["x"]] == told["born"].to_list()


def organisation(chance):
    first = chance.choice(["91", "92", "52", "11", "Y1", "N2", "A1"])
    body = first + chance.choice(LISTED) + "".join(chance.choices(CHARACTERS, k=9))
    return body + uscc.calc_check_digit(body)


ORGANISED = [
    *[lambda code, _: code] * 4,
    lambda code, chance: changed(code, CHARACTERS + "IOSVZ", chance),
    lambda code, chance: swapped(code, *chance.sample(range(18), 2)),
    lambda code, _: code.lower(),
    lambda code, _: f"{code[:8]}-{code[8:]}",
    lambda code, chance: code[: chance.randrange(18)],
    lambda _, chance: "".join(chance.choices(CHARACTERS, k=18)),
]
ORGANISATIONS = {
    True: {"letters in the first two places": lambda text: not text[:2].isdigit()},
    False: {"small letters, blanks or strokes": lambda text: text != uscc.compact(text)},
}


@sizes
def test_credit_codes_are_judged_as_by_stdnum_but_for_named_reasons(size):
    chance = random.Random(32100)  # noqa: S311 - invented numbers
    texts = [chance.choice(ORGANISED)(organisation(chance), chance) for _ in range(size)]
    found = compared("uscc", texts, uscc.is_valid, ORGANISATIONS)
    assert found.keys() == {"both accept", "both refuse", *ORGANISATIONS[True], *ORGANISATIONS[False]}
