"""What invented records owe themselves: fields that follow from others are worked out after all of them are drawn.

Written apart from `rules`: samples are what those are held against. A tie applies wherever a record holds the fields
that it names; of a name that ends in "?" the cell may be empty, and then counts as nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medpay_cli.layouts import Field
from medpay_cli.sampling.identities import birth_of, sex_of

Cells = list[str]
Work = Callable[[Cells], None]


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


@dataclass(frozen=True)
class Tied:
    """What is worked out in the records of a layout, in order, from which fields that are never left empty, and which
    of them follow from others."""

    work: tuple[Work, ...] = ()
    filled: frozenset[str] = frozenset()
    derived: frozenset[str] = frozenset()


def tied(fields: Sequence[Field]) -> Tied:
    """The ties of records that hold these fields."""
    held = {one.name: Held(place, one) for place, one in enumerate(fields)}
    work, filled, derived = [], set[str](), set[str]()
    for tie in TIES:
        if set(tie.needs) <= set(held):
            bound = tie.bind(held)
            if bound:
                work.append(bound)
                filled.update(tie.needs)
                derived.update(tie.derived)
    return Tied(tuple(work), frozenset(filled), frozenset(derived))


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


def shares(whole: str, percents: Mapping[str, int], rest: str | None = None) -> Tie:
    """Amounts are shares of another one, and one of them is what the others leave of it."""
    needed, optional = _split(tuple(percents))
    percent = {name.removesuffix("?"): value for name, value in percents.items()}
    last = (rest,) if rest else ()

    def bind(held: Mapping[str, Held]) -> Work | None:
        names = [name for name in percent if name in held]
        places = _amounts(held, (whole, *names, *last))
        if places is None:
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


CENTS = 2
FUNDS = ("hifp_pay", "cvlserv_pay", "hifes_pay?", "hifmi_pay", "hifob_pay", "hifdm_pay?", "maf_pay", "oth_pay")
SCOPES = {"fulamt_ownpay_amt": 10, "preselfpay_amt": 8}
REFUND = ("1", "001")
TIES: tuple[Tie, ...] = (
    # Of a ledger: no more is paid than it costs. What follows says more where a record holds more.
    shares("medfee_sumamt", {"fund_pay_sumamt?": 60, "acct_pay?": 20}),
    # A settlement: the funds, the person and the hospital bear the fee, which is made of scopes.
    total("fund_pay_sumamt", *FUNDS),
    total("psn_part_amt", "acct_pay", "psn_cash_pay"),
    shares("acct_pay", {"acct_mulaid_pay": 50}),
    total("medfee_sumamt", "fund_pay_sumamt", "psn_part_amt", "hosp_part_amt"),
    shares("medfee_sumamt", {**SCOPES, "overlmt_selfpay": 5}, rest="inscp_scp_amt"),
    # A commercial claim: the same fee, and what the person claims of the cash; another insurer's share is inside of it.
    shares("psn_cash_pay", {"claim_amt": 60, "other_comm_pay?": 30}),
    total("medfee_sumamt", "fund_pay_sumamt", "acct_pay", "psn_cash_pay", "hosp_part_amt?",
          when={"one_stop_flag": ("0",)}),
    total("medfee_sumamt", "fund_pay_sumamt", "acct_pay", "psn_cash_pay", "hosp_part_amt?", "other_comm_pay?",
          when={"one_stop_flag": ("1",)}),
    shares("medfee_sumamt", {**SCOPES, "overlmt_selfpay?": 5}, rest="inscp_amt"),
    only_when("orig_claim_no", "claim_freq", ("7", "8")),
    # A fee line.
    product("det_item_fee_sumamt", "pric", "cnt"),
    shares("det_item_fee_sumamt", {**SCOPES, "overlmt_amt": 5}, rest="inscp_scp_amt"),
    ratio_of("chrgitm_lv", "selfpay_prop"),
    ratio_of("pay_class", "selfpay_prop"),
    # A settlement list: what the person pays; a charge item by its classes.
    total("psn_selfpay", "acct_pay", "psn_cashpay"),
    shares("psn_selfpay", {"psn_ownpay": 30}, rest="psn_selfpay"),
    shares("amt", {"claa_sumfee": 50, "clab_amt": 30, "fulamt_ownpay_amt": 10}, rest="oth_amt"),
    # Clearing, and the totals of a request.
    total("medfee_sumamt", "fund_appy_sum", "cash_payamt", "acct_pay"),
    total("medfee_sumamt", "fund_pay_sumamt", "cash_payamt"),
    shares("medfee_sumamt", {"optins_pay_sumamt": 70}),
    # An insurer's result: all of it follows from the fee.
    shares("medfee_sumamt", {"eligible_amt": 90}, rest="deduct_amt"),
    shares("eligible_amt", {"other_payer_amt": 10, "ded_applied": 5}),
    at_most_one("pay_ratio"),
    benefit(),
    total("pay_amt", "calc_amt"),
    shares("calc_amt", {"refuse_amt": 20, "psn_amt": 10}),
    turned("rev_flag", ("R",), "pay_amt", "medfee_sumamt", "eligible_amt", "other_payer_amt", "ded_applied",
           "deduct_amt", "over_limit_amt?", "calc_amt", "refuse_amt", "psn_amt"),
    # A line of it: an adjustment is not nothing, so it is what is drawn, and the line more than that.
    total("line_amt", "adj_amt", "line_pay_amt"),
    # A payment of one claim.
    turned("line_kind", ("REV",), "pay_amt"),
    signed("pay_amt_total", "pay_amt", "line_kind", ("PAY", "REV")),
    # Refunds are negative.
    turned("refd_setl_flag", REFUND, "medfee_sumamt?", "fund_pay_sumamt?", "acct_pay?", "pay_amt?"),
    # Persons, codes, days.
    person("certno"),
    family("med_list_codg", "list_type"),
    in_order("accident_date", "begndate", "enddate"),
    in_order("begin_date", "end_date"),
    in_order("prior_visit_date", "begntime", "endtime"),
    in_order("stmt_begndate", "stmt_enddate"),
    in_order("setl_begn_date", "setl_end_date"),
    in_order("adm_time", "dscg_time"),
    in_order("rx_time", "review_machine_at", "review_human_at", "dispensed_at"),
)  # fmt: skip
# Fields that no two records share, where the record holds the first ones too.
ALONE: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("claim_no", "claim_freq", "bill_no"), ("bill_no",)),
    (("pay_batch_no", "pay_amt_total"), ("pay_batch_no",)),
    (("claim_no", "line_amt", "adj_amt"), ("claim_no",)),
)
# What is added up over records that share a field: one that is there twice would be counted twice.
ADDED_UP = {("pay_batch_no", "pay_amt_total"): ("pay_amt",)}


def added_up(names: Collection[str]) -> tuple[str, ...]:
    """The fields whose sum over several records stands in each of them."""
    return tuple(name for held, added in ADDED_UP.items() if set(held) <= set(names) for name in added)


def alone(names: Collection[str]) -> Iterator[tuple[str, ...]]:
    """The fields that no two records share, beside their key."""
    return (unshared for held, unshared in ALONE if set(held) <= set(names))
