"""The kinds of ties between fields of an invented record: sums, shares, products, signs, days in order.

Written apart from `rules`: samples are what those are held against. Of a name that ends in "?" the cell may be empty or
not held at all, and then counts as nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from medpay_cli.layouts import Field
from medpay_cli.sampling.identities import birth_of, sex_of

Cells = list[str]
Work = Callable[[Cells], None]
CENTS = 2


@dataclass(frozen=True)
class Held:
    """A field that a record holds, and where."""

    place: int
    field: Field

    @property
    def is_amount(self) -> bool:
        """Whether any number of its digits may stand in it."""
        bounded = {"enum", "const", "pattern", "minimum", "maximum", "minLength"}
        return self.field.form in ("money", "decimal") and not bounded & {keyword for keyword, _ in self.field.asserted}


@dataclass(frozen=True)
class Tie:
    """The fields without which it does not apply, those that it looks at too, what it works out, and how."""

    needs: tuple[str, ...]
    also: tuple[str, ...]
    derived: tuple[str, ...]
    bind: Callable[[Mapping[str, Held]], Work | None]


def units(text: str, scale: int) -> int:
    """An amount in units of its last decimal; nothing where there is none."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(scale, "0")) if text else 0


def written(amount: int, scale: int) -> str:
    """An amount of so many units of its last decimal."""
    digits = f"{abs(amount):0{scale + 1}}"
    return "-" * (amount < 0) + (f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits)


def part_of(amount: int, percent: int) -> int:
    """A share of an amount, towards nothing."""
    share = abs(amount) * percent // 100
    return share if amount >= 0 else -share


def _split(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The needed ones, and those that may be empty or not held at all."""
    return (
        tuple(name for name in names if not name.endswith("?")),
        tuple(name.removesuffix("?") for name in names if name.endswith("?")),
    )


def _amounts(held: Mapping[str, Held], names: Sequence[str]) -> list[int] | None:
    """The places of amounts, as far as held; None where one is no plain amount, or their scales differ."""
    some = [held[name] for name in names if name in held]
    alike = len({one.field.scale for one in some}) == 1 and all(one.is_amount for one in some)
    return [one.place for one in some] if alike else None


def total(whole: str, *parts: str, when: Mapping[str, Collection[str]] | None = None) -> Tie:
    """An amount is a sum; `when` certain codes stand in other fields."""
    needed, optional = _split(parts)
    conditions = when or {}

    def bind(held: Mapping[str, Held]) -> Work | None:
        places = _amounts(held, (whole, *needed, *optional))
        if places is None:
            return None
        target, *terms = places
        scale = held[whole].field.scale
        asked = [(held[name].place, codes) for name, codes in conditions.items()]

        def work(cells: Cells) -> None:
            if cells[target] and all(cells[place] in codes for place, codes in asked):
                cells[target] = written(sum(units(cells[place], scale) for place in terms), scale)

        return work

    return Tie((whole, *needed, *conditions), optional, (whole,), bind)


def shares(whole: str, percents: Mapping[str, int], rest: str | None = None, unless: str | None = None) -> Tie:
    """Amounts are shares of another one, and one of them is what the others leave of it; not where `unless` is held."""
    needed, optional = _split(tuple(percents))
    percent = {name.removesuffix("?"): value for name, value in percents.items()}
    last = (rest,) if rest else ()

    def bind(held: Mapping[str, Held]) -> Work | None:
        names = [name for name in percent if name in held]
        places = _amounts(held, (whole, *names, *last))
        if places is None or unless in held:
            return None
        of = places[0]
        parts = [(place, percent[name]) for name, place in zip(names, places[1:], strict=False)]
        scale = held[whole].field.scale

        def work(cells: Cells) -> None:
            amount = left = units(cells[of], scale)
            for place, share in parts:
                if cells[place]:
                    part = part_of(amount, share)
                    left -= part
                    cells[place] = written(part, scale)
            if rest:
                cells[places[-1]] = written(left, scale)

        return work

    return Tie((whole, *needed, *last), optional, (*percent, *last), bind)


def product(whole: str, left: str, right: str) -> Tie:
    """An amount is a product, rounded half up."""

    def bind(held: Mapping[str, Held]) -> Work | None:
        names = (whole, left, right)
        if not all(held[name].is_amount for name in names):
            return None
        target, one, other = (held[name].place for name in names)
        scale, first, second = (held[name].field.scale for name in names)
        if first + second <= scale:
            return None
        fine = 10 ** (first + second - scale)

        def work(cells: Cells) -> None:
            exact = units(cells[one], first) * units(cells[other], second)
            cells[target] = written((exact + fine // 2) // fine, scale)

        return work

    return Tie((whole, left, right), (), (whole,), bind)


def turned(flag: str, codes: Collection[str], *amounts: str) -> Tie:
    """Amounts of a refund or a reversal are negative."""
    needed, optional = _split(amounts)

    def bind(held: Mapping[str, Held]) -> Work | None:
        mark = held[flag].place
        places = [held[name].place for name in (*needed, *optional) if name in held and held[name].is_amount]

        def work(cells: Cells) -> None:
            if cells[mark] in codes:
                for place in places:
                    if cells[place].strip("0."):
                        cells[place] = f"-{cells[place].lstrip('-')}"

        return work

    return Tie((flag, *needed), optional, (*needed, *optional), bind)


def in_order(*names: str) -> Tie:
    """Days that are there do not lie before the one before: an ISO day or time is moved by years, other text copied."""

    def bind(held: Mapping[str, Held]) -> Work | None:
        some = [held[name] for name in names if name in held]

        def work(cells: Cells) -> None:
            begun: Held | None = None
            for one in some:
                if begun is not None and cells[one.place]:
                    cells[one.place] = _not_before(cells[begun.place], begun.field, cells[one.place], one.field)
                begun = one if cells[one.place] else begun

        return work if len(some) > 1 else None

    return Tie((), names, (), bind)


def _not_before(begun: str, begin: Field, ended: str, end: Field) -> str:
    are_iso = begin.form in ISO and end.form in ISO
    width = 10 if begin.form != end.form else len(ended)
    if ended[:width] >= begun[:width] or not (are_iso or begin.form is end.form):
        return ended
    if not are_iso:
        return begun
    return f"{int(begun[:4]) + (ended[4:width] < begun[4:width])}{ended[4:]}"


ISO = ("date", "datetime")


def person(number: str) -> Tie:
    """Sex and birth are those of a citizen's number, and the record says that it is one."""

    def bind(held: Mapping[str, Held]) -> Work | None:
        field = held[number].field
        if field.identifier != "citizen_id":
            return None
        at = held[number].place
        marks = [(held[name].place, codes[0]) for name, codes in field.identifier_when.items() if name in held]
        sex, birth = held.get("gend"), held.get("brdy")

        def work(cells: Cells) -> None:
            text = cells[at]
            for place, code in marks:
                cells[place] = code
            if sex and cells[sex.place]:
                cells[sex.place] = sex_of(text)
            if birth and cells[birth.place]:
                born = birth_of(text)
                cells[birth.place] = f"{born[:4]}-{born[4:6]}-{born[6:]}" if birth.field.form in ISO else born

        return work

    return Tie((number,), ("gend", "brdy"), ("gend", "brdy"), bind)


def ratio_of(level: str, ratio: str) -> Tie:
    """Class A costs the person nothing first, class C everything, class B something in between."""

    def bind(held: Mapping[str, Held]) -> Work:
        place, of, scale = held[ratio].place, held[level].place, held[ratio].field.scale
        whole = 10**scale

        def work(cells: Cells) -> None:
            if cells[place] and cells[of]:
                code = cells[of].lstrip("0")
                between = units(cells[place], scale) % (whole - 1) + 1
                cells[place] = written({"1": 0, "3": whole}.get(code, between), scale)

        return work

    return Tie((level, ratio), (), (ratio,), bind)


def at_most_one(ratio: str) -> Tie:
    """A ratio is at most 1."""

    def bind(held: Mapping[str, Held]) -> Work | None:
        place, scale = held[ratio].place, held[ratio].field.scale

        def work(cells: Cells) -> None:
            cells[place] = written(units(cells[place], scale) % (10**scale + 1), scale)

        return work if held[ratio].is_amount else None

    return Tie((ratio,), (), (ratio,), bind)


def rising(*names: str) -> Tie:
    """Amounts that are there are in order."""

    def bind(held: Mapping[str, Held]) -> Work | None:
        places = _amounts(held, names)
        scale = held[names[0]].field.scale

        def work(cells: Cells) -> None:
            there = [place for place in places or () if cells[place]]
            for place, amount in zip(there, sorted(units(cells[place], scale) for place in there), strict=True):
                cells[place] = written(amount, scale)

        return work if places else None

    return Tie((), names, (), lambda held: bind(held) if set(names) <= set(held) else None)


def family(code: str, listed: str) -> Tie:
    """A catalogue code stands under the list type of its family."""

    def bind(held: Mapping[str, Held]) -> Work | None:
        if "list_type" not in (held[listed].field.codes, held[listed].field.open_codes):
            return None
        at, place = held[code].place, held[listed].place

        def work(cells: Cells) -> None:
            cells[place] = FAMILIES.get(cells[at][:1], "201")

        return work if held[code].field.identifier == "catalogue_code" else None

    return Tie((code, listed), (), (listed,), bind)


# By the first letter; items of service are digits.
FAMILIES = {"X": "101", "Z": "104", "T": "102", "C": "301"}


def only_when(name: str, flag: str, codes: Collection[str]) -> Tie:
    """A field is filled where a flag has these codes, and empty elsewhere."""

    def bind(held: Mapping[str, Held]) -> Work | None:
        at, mark = held[name].place, held[flag].place

        def work(cells: Cells) -> None:
            if cells[mark] not in codes:
                cells[at] = ""

        return None if held[name].field.strict.required else work

    return Tie((name, flag), (), (), bind)


def signed(whole: str, part: str, flag: str, codes: Collection[str]) -> Tie:
    """An amount is another one where a flag has these codes, and elsewhere what that takes away."""

    def bind(held: Mapping[str, Held]) -> Work | None:
        places = _amounts(held, (whole, part))
        mark, scale = held[flag].place, held[whole].field.scale

        def work(cells: Cells) -> None:
            amount = units(cells[places[1]], scale) if places else 0
            cells[held[whole].place] = written(amount if cells[mark] in codes else -amount, scale)

        return work if places else None

    return Tie((whole, part, flag), (), (whole,), bind)


def benefit() -> Tie:
    """What an insurer reckons: what is eligible, less other payers and the deductible, times the ratio, less what is
    above the limit."""
    names = ("calc_amt", "eligible_amt", "other_payer_amt", "ded_applied")

    def bind(held: Mapping[str, Held]) -> Work | None:
        places = _amounts(held, (*names, *(("over_limit_amt",) if "over_limit_amt" in held else ())))
        if places is None or held["calc_amt"].field.scale != CENTS:
            return None
        calculated, eligible, other, deducted, *over = places
        ratio, scale = held["pay_ratio"].place, held["pay_ratio"].field.scale

        def work(cells: Cells) -> None:
            base = units(cells[eligible], CENTS) - units(cells[other], CENTS) - units(cells[deducted], CENTS)
            gross = (base * units(cells[ratio], scale) + 10**scale // 2) // 10**scale
            for place in over:
                if cells[place]:
                    cells[place] = written(part_of(gross, 10), CENTS)
                    gross -= part_of(gross, 10)
            cells[calculated] = written(gross, CENTS)

        return work

    return Tie((*names, "pay_ratio"), ("over_limit_amt",), ("calc_amt", "over_limit_amt"), bind)
