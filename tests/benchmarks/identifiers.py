"""Speed of each kind of identifier on a column of sound ones, and of python-stdnum beside it, in one process.

    python tests/benchmarks/identifiers.py [--values 1000000] [--runs 5] [--stdnum 20000]

Times are the shortest of several runs; CPU seconds count every thread and suffer less from a busy machine.
"""

import argparse
import random
import string
import time
from datetime import date, timedelta

import polars as pl
from stdnum.cn import ric, uscc

from medpay_cli import identifiers

X = pl.col("x")
CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# Letters and digits of one sound example: L is any letter, # any digit.
FORMS = {
    "institution": "H430102#####",
    "practitioner": "D430102######",
    "msgid": "H430102#####20240229235959####",
    "division": "430102",
    "drug_western": "XL##LLL###L############",
    "drug_patent": "ZL##LLL#############",
    "drug": "ZL##LLL#############",
    "herbal_piece": "T#########",
    "preparation": "BL##########",
    "consumable": "C###################",
    "service_item": "00#############",
    "catalogue_code": "XL##LLL###L############",
    "icd10": "A##.###x###",
    "icd9cm3": "36.####",
    "einvoice_code": "430601##",
    "einvoice_number": "##########",
    "einvoice_check": "L####L",
}


def citizen(chance):
    day = date(1940, 1, 1) + timedelta(chance.randrange(365 * 80))
    body = f"430102{day:%Y%m%d}{chance.randrange(1000):03}"
    return body + ric.calc_check_digit(body + "0")


def organisation(chance):
    body = "91430102" + "".join(chance.choices(CHARACTERS, k=9))
    return body + uscc.calc_check_digit(body)


def formed(form, chance):
    places = {"L": string.ascii_uppercase, "#": string.digits}
    return "".join(chance.choice(places.get(each, each)) for each in form)


def values(name, count):
    chance = random.Random(1)  # noqa: S311 - invented numbers
    if name == "citizen_id":
        made = [citizen(chance) for _ in range(min(count, 50_000))]
    elif name == "uscc":
        made = [organisation(chance) for _ in range(min(count, 50_000))]
    else:
        made = [formed(FORMS[name], chance) for _ in range(min(count, 50_000))]
    return pl.DataFrame({"x": (made * (count // len(made) + 1))[:count]})


def shortest(work, runs):
    """Wall and CPU seconds of the shortest run."""
    found = []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--values", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--stdnum", type=int, default=20_000)
    asked = parser.parse_args()
    print(f"{'kind':<16} {'what':<10} {'wall':>9} {'cpu':>9} {'a second':>12}")
    for name, kind in identifiers.kinds().items():
        frame = values(name, asked.values)
        told = {"malformed": identifiers.malformed(name, X), "damaged": identifiers.damaged(name, X)}
        if kind.place:
            told["unknown"] = identifiers.unknown(name, X)
        if name == "citizen_id":
            told |= {"birth": identifiers.birth(X), "sex": identifiers.sex(X)}
        if name == "catalogue_code":
            told["family"] = identifiers.family(X)
        if frame.select(told["malformed"].any()).item():
            raise SystemExit(f"the examples of {name} are not sound")
        # As a rule engine asks: all of them in one select.
        told["all"] = [each.alias(what) for what, each in told.items()]
        for what, expression in told.items():
            wall, cpu = shortest(lambda: frame.lazy().select(expression).collect(), asked.runs)  # noqa: B023
            print(f"{name:<16} {what:<10} {wall * 1e3:6.1f} ms {cpu * 1e3:6.1f} ms {asked.values / wall / 1e6:10.2f} M")
    for name, valid in (("citizen_id", ric.is_valid), ("uscc", uscc.is_valid)):
        texts = values(name, asked.stdnum)["x"].to_list()
        wall, cpu = shortest(lambda: [valid(text) for text in texts], 1)  # noqa: B023
        each = asked.stdnum / wall / 1e6
        print(f"{name:<16} {'stdnum':<10} {wall / asked.stdnum * 1e6:6.1f} µs {cpu / asked.stdnum * 1e6:6.1f} µs"
              f" {each:10.3f} M")  # fmt: skip


if __name__ == "__main__":
    main()
