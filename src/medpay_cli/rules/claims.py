"""What a commercial claim and its result owe themselves."""

from __future__ import annotations

import polars as pl

from medpay_cli import money
from medpay_cli.rules import Sentence, rule
from medpay_cli.rules.sentences import Part, any_of, at_most, equal, is_code, true


@rule("C221")
def more_is_claimed_than_others_leave() -> Sentence:
    """A claim is for what neither the funds nor another insurer nor the hospital bears."""
    return at_most(
        "claim_amt", "medfee_sumamt", Part("fund_pay_sumamt", is_less=True), _taken("other_comm_pay"),
        _taken("hosp_part_amt"),
    )  # fmt: skip


@rule("C222")
def claimed_fee_is_not_what_is_paid_for_it() -> Sentence:
    """Fund, account, cash and hospital bear the fee; another insurer's share is inside the cash."""
    return equal(
        "medfee_sumamt", "fund_pay_sumamt", "acct_pay", "psn_cash_pay", any_of("hosp_part_amt"),
        where=is_code("one_stop_flag", "0", of="yes_no"),
    )  # fmt: skip


@rule("C222")
def one_stop_fee_is_not_what_is_paid_for_it() -> Sentence:
    """Settled in one stop, another insurer's share was taken off at the window and stands beside the cash."""
    return equal(
        "medfee_sumamt", "fund_pay_sumamt", "acct_pay", "psn_cash_pay", any_of("hosp_part_amt"),
        any_of("other_comm_pay"), where=is_code("one_stop_flag", "1", of="yes_no"),
    )  # fmt: skip


@rule("C223")
def follow_up_names_no_original() -> Sentence:
    """A replacement or void says which claim it takes the place of."""
    follows = is_code("claim_freq", "7", "8")
    fits = ~follows | pl.col("orig_claim_no").is_not_null()
    return true(fits, "claim_freq", "orig_claim_no", optional=("orig_claim_no",))


@rule("C224", benefit="of_eligible")
def benefit_is_not_what_the_terms_give() -> Sentence:
    """At this partner: what is eligible, less other payers and the deductible, times the ratio, less what is above the
    limit."""
    base = pl.col("eligible_amt") - pl.col("other_payer_amt") - pl.col("ded_applied")
    over = pl.col("over_limit_amt").fill_null(money.yuan(0))
    benefit = money.product(base, pl.col("pay_ratio")) - over
    shown = pl.concat_str(
        pl.lit("(eligible_amt "), "eligible_amt", pl.lit(" - other_payer_amt "), "other_payer_amt",
        pl.lit(" - ded_applied "), "ded_applied", pl.lit(") x pay_ratio "), "pay_ratio",
        pl.lit(" - over_limit_amt "), over, pl.lit(" = "), benefit,
    )  # fmt: skip
    off = (pl.col("calc_amt") - benefit).abs()
    return Sentence("calc_amt", lambda tolerance: off <= money.yuan(tolerance), shown, frozenset({"over_limit_amt"}))


@rule("C225")
def payment_has_the_wrong_sign_for_its_kind() -> Sentence:
    """Only a reversal takes money back."""
    is_reversal = is_code("rev_flag", "R")
    paid = pl.col("pay_amt")
    shown = pl.when(is_reversal).then(pl.lit("rev_flag R: <= 0")).otherwise(pl.lit("rev_flag N | C: >= 0"))
    return true(pl.when(is_reversal).then(paid <= 0).when(~is_reversal).then(paid >= 0), "pay_amt", shown)


@rule("C226")
def adjustment_adjusts_nothing() -> Sentence:
    """An adjustment is never of 0.00."""
    return true(pl.col("adj_amt") != 0, "adj_amt", "<> 0.00")


@rule("C227")
def eligible_amount_is_more_than_the_fee() -> Sentence:
    """No more can be eligible than was charged."""
    charged, eligible = pl.col("medfee_sumamt"), pl.col("eligible_amt")
    shown = pl.concat_str(pl.lit("<= medfee_sumamt "), charged)
    return true(eligible.abs() <= charged.abs(), "eligible_amt", shown)


def _taken(name: str) -> Part:
    return Part(name, is_less=True, is_optional=True)
