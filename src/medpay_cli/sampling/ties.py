"""What invented records owe themselves: fields that follow from others are worked out after all of them are drawn.

A tie applies wherever a record holds the fields that it names, whatever its layout.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from medpay_cli.layouts import Field
from medpay_cli.sampling.tying import (
    Held,
    Tie,
    Work,
    at_most_one,
    benefit,
    family,
    in_order,
    only_when,
    person,
    product,
    ratio_of,
    rising,
    shares,
    signed,
    total,
    turned,
)  # fmt: skip


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


FUNDS = ("hifp_pay", "cvlserv_pay", "hifes_pay?", "hifmi_pay", "hifob_pay", "hifdm_pay?", "maf_pay", "oth_pay")
SCOPES = {"fulamt_ownpay_amt": 10, "preselfpay_amt": 8}
REFUND = ("1", "001")
TIES: tuple[Tie, ...] = (
    # Ratios and prices.
    *(at_most_one(ratio) for ratio in ("selfpay_prop", "pay_ratio", "pay_ratio_uninsured")),
    rising("price_lv1", "price_lv2", "price_lv3"),
    # A ledger: no more is paid than it costs.
    shares("medfee_sumamt", {"fund_pay_sumamt?": 60, "acct_pay?": 20}, unless="psn_cash_pay"),
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
