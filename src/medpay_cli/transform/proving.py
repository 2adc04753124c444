"""What came in went out, was rejected or was left out, by count and to the fen, or nothing leaves this program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from medpay_cli import money
from medpay_cli.errors import InternalError
from medpay_cli.transform.balance import Conservation
from medpay_cli.transform.binding import Taken
from medpay_cli.transform.told import Amount, Transformation

# By node of the target: what is written of its records, and what is rejected.
Balance = Mapping[str | None, tuple[Conservation, Conservation]]


def prove(result: Transformation, taken: list[Taken], balance: Balance) -> None:
    """Tell the records and amounts of the balance. Raises InternalError where they do not tie."""
    conversions = [(one, node, of) for one in taken for node, of in one.conversions.items()]
    for goes_to, (out, rejected) in balance.items():
        here = [(one, node, of) for one, node, of in conversions if of.target.node == goes_to]
        verdicts = [next(made.verdict for made in one.judgements if made.verdict.node == node) for one, node, _ in here]
        plan = here[0][2].target.plan
        left = sum(of.left_out.records for *_, of in here)
        came = sum(verdict.records for verdict in verdicts)
        _tie("records", came, out.records + rejected.records + left)
        for name, count in (("in", came), ("out", out.records), ("rejected", rejected.records), ("left_out", left)):
            result.records[name] += count
        for one in plan.target.money:
            amount = Amount(goes_to, one.name, one.scale, money.total([out.sums.get(one.name)]))
            if source := plan.carried.get(one.name):
                amount = replace(
                    amount,
                    source=source,
                    came=money.total(verdict.totals[source] for verdict in verdicts),
                    rejected=money.total([rejected.sums.get(one.name)]),
                    left_out=money.total(of.left_out.sums.get(one.name) for *_, of in here),
                )
                gone = money.total([amount.out, amount.rejected, amount.left_out])
                _tie(f"{source} → {one.name}", amount.came, gone)
            result.amounts.append(amount)


def _tie(what: str, left: object, right: object) -> None:
    if left != right:
        raise InternalError("tie_out", what=what, left=left, right=right)
