"""Records that stand in one message with a record that stands once: they name it, and sum up to what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from medpay_cli.dialects import Dialect, Node
from medpay_cli.parts import Parts
from medpay_cli.sampling.records import Records, node_records
from medpay_cli.sampling.sample import drawing
from medpay_cli.sampling.tying import CENTS, Cells, units, written

Texts = dict[str, str]
# Kinds of payment that are no fund's: of the account, and the hospital's share. What else begins so is none either.
ACCOUNT, HOSPITAL, FUND = "310200", "999996", "310100"
NO_FUNDS = ("3102", "99999")


@dataclass(frozen=True)
class Beside:
    """What names the record that stands once, what of it cannot be told in so few records, and what each of these says:
    the cells of one of `count` from its number, its drawn cells and the record that stands once."""

    link: str
    too_much: Callable[[int], tuple[str, ...]]
    said: Callable[[Texts, Texts, int, int], Texts]


def _funds(settlement: Texts, drawn: Texts, number: int, count: int) -> Texts:
    """The second is paid by the account and the third by the hospital; the others share what the funds pay."""
    kind = drawn.get("fund_pay_type", FUND)
    if number in (2, 3):
        kind, amount = (ACCOUNT, "acct_pay") if number == 2 else (HOSPITAL, "hosp_part_amt")
        return {"fund_pay_type": kind, "fund_payamt": settlement[amount]}
    place, places = (1 if number == 1 else number - 2), max(1, count - 2)
    kind = FUND if kind.startswith(NO_FUNDS) else kind
    return {"fund_pay_type": kind, "fund_payamt": _share(_cents(settlement, "fund_pay_sumamt"), place, places)}


def _payments(settled: Texts, _: Texts, number: int, count: int) -> Texts:
    return {"fund_payamt": _share(_cents(settled, "acct_pay", "psn_selfpay"), number, count)}


def _items(settled: Texts, _: Texts, number: int, count: int) -> Texts:
    """They cost what the payments and the cash pay."""
    return {"amt": _share(_cents(settled, "acct_pay", "psn_selfpay", "psn_cashpay"), number, count)}


# The kinds of the record that stands once, and of those beside it.
BESIDE: Mapping[tuple[str, str], Beside] = {
    ("settlement", "settlement_fund"): Beside(
        "setl_id", lambda count: ("acct_pay", "hosp_part_amt")[max(0, count - 1) :], _funds
    ),
    ("settlement_list", "settlement_list_payinfo"): Beside("setl_id", lambda _: (), _payments),
    ("settlement_list", "settlement_list_iteminfo"): Beside("setl_id", lambda _: (), _items),
}


def records_of(dialect: Dialect, parts: Parts, seed: int, records: int) -> dict[str | None, Records]:
    """The records of every node, where there are so many of each that stands in no other. Raises MedpayError."""
    made = {node.name: node_records(node, dialect, parts, seed) for node in dialect.parts}
    for head, node, beside in pairs(dialect, parts):
        tied = node_records(replace(node, link=(beside.link,)), dialect, parts, seed)
        count = min([records, *(one.size for one in tied.numberings)])
        one = made[head.name]
        too_much = [one.names.index(name) for name in beside.too_much(count) if name in one.names]
        if too_much:
            made[head.name] = one = replace(one, among=_emptied(too_much))
        texts = dict(zip(one.names, one.cells(1, drawing(seed, head)), strict=True))
        made[node.name] = replace(tied, among=_said(beside, texts, tied.names, count))
    return made


def pairs(dialect: Dialect, parts: Parts) -> Iterator[tuple[Node, Node, Beside]]:
    """Each node that stands once, with one beside it that says the same in parts."""
    tops = [node for node in dialect.parts if node.parent is None]
    for head in tops:
        for node in tops:
            beside = BESIDE.get((parts[head.name].kind, parts[node.name].kind))
            if beside and node.repeated and not head.repeated:
                yield head, node, beside


def _emptied(places: list[int]) -> Callable[[Cells, int], None]:
    def among(cells: Cells, _: int) -> None:
        for place in places:
            cells[place] = "0.00"

    return among


def _said(beside: Beside, head: Texts, names: tuple[str, ...], count: int) -> Callable[[Cells, int], None]:
    def among(cells: Cells, row: int) -> None:
        drawn = dict(zip(names, cells, strict=True))
        for name, text in {beside.link: head[beside.link], **beside.said(head, drawn, row, count)}.items():
            cells[names.index(name)] = text

    return among


def _cents(record: Texts, *names: str) -> int:
    return sum(units(record[name], CENTS) for name in names)


def _share(amount: int, number: int, count: int) -> str:
    """One of `count` parts of an amount that sum up to it."""
    return written(amount * number // count - amount * (number - 1) // count, CENTS)
