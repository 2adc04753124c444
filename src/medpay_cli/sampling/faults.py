"""A fault is one edit of a clean sample that one finding code names; which edits there are is data in faults.toml."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from medpay_cli import config, files
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError
from medpay_cli.layouts import Field
from medpay_cli.sampling import text
from medpay_cli.sampling.permitted import MOST, decimals, highest, lengths, lowest, stated, violated
from medpay_cli.sampling.records import chance_of
from medpay_cli.sampling.sample import Sample
from medpay_cli.sampling.spaces import is_writable
from medpay_cli.sampling.ties import added_up
from medpay_cli.sampling.tying import units, written

# How many records are tried for one that a fault can be planted in.
TRIES = 50
# Encoded as a byte, in UTF-16 a half of a pair, that no text holds.
BAD = "\udcff"


@dataclass(frozen=True)
class Planted:
    """A fault: the code of its finding, where that stands, and what was made of what, in which field if in another."""

    code: str
    row: int | None
    field: str | None
    old: str | None
    new: str | None
    node: str | None = None
    edited: str | None = None


# Where the finding stands, old, new, and the field that was edited where the finding stands elsewhere.
Change = tuple[str | None, str | None, str | None, *tuple[str, ...]]
Edited = tuple[Sample, Change] | None


def broken_by(sample: Sample, codes: tuple[str, ...]) -> tuple[Sample, list[Planted]]:
    """The sample with every fault planted, each in a record of its own. Raises MedpayError."""
    faults = config.parse(files.schemas() / "faults.toml")
    del faults["none"]  # why there is no fault for a rule
    unknown = [code for code in codes if code not in faults]
    if unknown:
        raise MedpayError("unknown_fault", code=unknown[0], known=", ".join(faults))
    alone = [code for code in codes if faults[code].get("alone")]
    if alone and len(codes) > 1:
        raise MedpayError("fault_alone", code=alone[0])
    if not sample.node.repeated and len(codes) > 1:
        raise MedpayError("one_record", dialect=sample.dialect.name, codes=", ".join(codes))
    # A record that stands once is broken itself; elsewhere the first one and the last stay whole.
    whole = 2 if sample.node.repeated else 0
    needed = len(codes) + whole
    if sample.count < needed and any(faults[code]["edit"] != "records" for code in codes):
        raise MedpayError("few_records", records=sample.count, needed=needed)
    chance = chance_of(sample.seed, "faults")
    rows = chance.sample(range(2, max(needed, sample.count)), len(codes)) if whole else [1] * len(codes)
    planted = []
    for code, chosen in zip(codes, rows, strict=True):
        fault = faults[code]
        row = sample.count if fault["edit"] == "cut" else chosen
        made = EDITS[fault["edit"]](sample, fault, row, chance) if _is_possible(fault, sample) else None
        if made is None:
            raise MedpayError("fault_unfit", code=code, layout=sample.records.layout.id, dialect=sample.dialect.name)
        sample, (name, old, new, *more) = made
        at = fault["finding"]
        place = (row if at in ("cell", "record") else None, name if at == "cell" else None)
        planted.append(Planted(code, *place, old, new, sample.node.name, *more))
    return sample, planted


def _is_possible(fault: config.Document, sample: Sample) -> bool:
    needs = fault.get("needs", [])
    if not all(bool(getattr(sample.dialect, need.removeprefix("not "))) != need.startswith("not ") for need in needs):
        return False
    is_of_cells = fault["edit"] in ("key", "change") or fault.get("breaks", "nothing") != "nothing"
    return sample.is_text or is_of_cells


def _edit_cell(sample: Sample, fault: config.Document, row: int, chance: random.Random) -> Edited:
    """A cell becomes one of the fault's texts, in the first field where that breaks what it is to break; keys last."""
    breaks, records, dialect = fault.get("breaks"), sample.records, sample.dialect
    wanted = set() if breaks == "nothing" else {breaks}
    for _ in range(TRIES):
        cells = records.cells(row, chance, full=True)
        for place in sorted(range(len(cells)), key=lambda place: (place in records.numbered, chance.random())):
            one, old = records.fields[place], cells[place]
            for template in fault["new"] if one.name not in sample.whole else ():
                new = template.format(**_words(one, old, dialect))
                shown = new.replace(BAD, r"\xff") or text.absent_in(dialect)
                fits = one.is_text if breaks is None else violated(one, new) == wanted
                is_seen = shown or len(cells) > 1
                if fits and is_seen and (not new or is_writable(new, dialect, one)):
                    edited = [*cells[:place], new, *cells[place + 1 :]]
                    return sample.with_cells(row, cells, edited), (one.name, old, shown)
    return None


def _change(sample: Sample, fault: config.Document, row: int, chance: random.Random) -> Edited:
    """A cell becomes another that its layout permits, but not a rule about its record."""
    records = sample.records
    for change in fault["changes"]:
        for place in _changeable(sample, change):
            one = records.fields[place]
            for _ in range(TRIES):
                cells = records.cells(row, chance, full=True)
                for name in change.get("empty", ()):
                    cells[records.names.index(name)] = ""
                texts = dict(zip(records.names, cells, strict=True))
                told = texts[change.get("of", one.name)]
                fits = all(texts[name] in codes for name, codes in change.get("when", {}).items())
                for new in _changed(told, change, one) if told and fits else ():
                    is_fine = not violated(one, new) and (not new or is_writable(new, sample.dialect, one))
                    if new != cells[place] and is_fine:
                        edited = [*cells[:place], new, *cells[place + 1 :]]
                        at = change.get("at", one.name)
                        also = (one.name,) if at != one.name else ()
                        return sample.with_cells(row, cells, edited), (at, cells[place], new, *also)
    return None


def _changeable(sample: Sample, change: config.Document) -> list[int]:
    """The places of the fields that may be changed, if records hold what they must."""
    records = sample.records
    held = set(records.names)
    needed = {*change.get("with", ()), *change.get("when", ()), *change.get("empty", ()), change.get("of")} - {None}
    needed |= {change["at"]} if "at" in change else set()
    if not needed <= held or not held.isdisjoint(change.get("without", ())):
        return []
    kinds = change.get("kinds", ())
    return [
        place
        for place, one in enumerate(records.fields)
        if (one.name == change.get("field") or (one.identifier in kinds and one in records.layout.identified))
        and one.name not in sample.whole
        and (one.form or stated(one, "pattern") or not change.get("formed"))
    ]


def _changed(old: str, change: config.Document, one: Field) -> list[str]:
    if "new" in change:
        return [template.format(head=old[:-1]) for template in change["new"]]
    scale = decimals(one)
    amount = units(old, scale)
    return [written(2 * amount if change["by"] == "twice" else amount + (1 if amount >= 0 else -1), scale)]


def _words(one: Field, old: str, dialect: Dialect) -> dict[str, str]:
    """What stands for each name in a fault's texts; empty where the field has no such bound."""
    (shortest, longest), scale = lengths(one), decimals(one)
    least, most = lowest(one), highest(one)
    return {
        "old": old, "head": old[:-1], "tail": old[-1:], "quote": dialect.quote, "bad": BAD,
        "wide": "1" + "0" * one.whole,
        "cut": old[: max(0, shortest - 1)],
        "padded": old.ljust(longest + 1, old[-1:] or "0") if longest < MOST else "",
        "below": written(max(least) - 1, scale) if least else "",
        "above": written(min(most) + 1, scale) if most else "",
    }  # fmt: skip


def _drop(sample: Sample, _: config.Document, row: int, chance: random.Random) -> Edited:
    """Fields leave the middle, as few as make a width that is not allowed, nor with an empty field more."""
    cells = sample.records.cells(row, chance, full=True)
    allowed = (len(cells),) if sample.dialect.header else sample.dialect.widths
    for width in range(len(cells) - 1, 0, -1):
        if width not in allowed and width - 1 not in allowed:
            at = (width + 1) // 2
            line = text.line_of(sample, cells[:at] + cells[at + len(cells) - width :])
            return sample.with_line(row, line), (None, str(len(cells)), str(width))
    return None


def _blank(sample: Sample, _: config.Document, row: int, chance: random.Random) -> Edited:
    """A blank line before a record."""
    line = sample.dialect.line_end + text.line_of(sample, sample.records.cells(row, chance))
    return sample.with_line(row, line), (None, None, "")


def _cut(sample: Sample, _: config.Document, row: int, chance: random.Random) -> Edited:
    """The last record ends in the middle of a field so early that no permitted width has so few."""
    cells = sample.records.cells(row, chance, full=True)
    least = len(cells) if sample.dialect.header else min(sample.dialect.widths)
    if least < 2:
        return None
    kept = cells[: 2 if least > 2 else 1]
    kept[-1] = kept[-1][: (len(kept[-1]) + 1) // 2]
    line = text.line_of(sample, kept).removesuffix(sample.dialect.line_end)
    return sample.with_line(row, line), (None, str(len(cells)), str(len(kept)))


def _key(sample: Sample, _: config.Document, row: int, chance: random.Random) -> Edited:
    """A record is the first one over again, with its key."""
    records = sample.records
    cells, edited = records.cells(row, chance), records.cells(1, sample.chance)
    places = [records.names.index(name) for name in records.layout.key]
    if row == 1 or not places or not sample.whole.isdisjoint(records.layout.key):
        return None
    for name in added_up(records.names):
        edited[records.names.index(name)] = "0.00"
    # What else is never repeated is not repeated.
    for place in {records.names.index(name) for one in records.layout.unique for name in one}.difference(places):
        edited[place] = cells[place]
    old, new = (sample.delimiter.join(some[place] for place in places) for some in (cells, edited))
    return sample.with_cells(row, cells, edited), (None, old, new)


def _delimiter(sample: Sample, _: config.Document, __: int, ___: random.Random) -> Edited:
    """Another delimiter stands everywhere, so that every record has one field."""
    other = "|" if sample.delimiter != "|" else ";"
    if 1 in sample.dialect.widths:
        return None
    return replace(sample, delimiter=other), (None, sample.delimiter, other)


def _header(sample: Sample, _: config.Document, __: int, chance: random.Random) -> Edited:
    """A name that the header must have gets a letter too many."""
    names = sample.records.layout.names
    place = chance.choice([names.index(name) for name in sample.dialect.wanted(names)])
    old = sample.header[place]
    new = f"{old}x"
    while new in (*sample.header, *sample.records.layout.names):
        new += "x"
    return replace(sample, header=(*sample.header[:place], new, *sample.header[place + 1 :])), (None, old, new)


def _records(sample: Sample, _: config.Document, __: int, ___: random.Random) -> Edited:
    """There is no record."""
    return replace(sample, count=0), (None, str(sample.count), "0")


EDITS: dict[str, Callable[[Sample, config.Document, int, random.Random], Edited]] = {
    "cell": _edit_cell,
    "change": _change,
    "drop": _drop,
    "blank": _blank,
    "cut": _cut,
    "key": _key,
    "delimiter": _delimiter,
    "header": _header,
    "records": _records,
}
