"""What a settlement's amounts owe each other: who pays the fee, and what the fee is made of."""

from __future__ import annotations

import polars as pl

from medpay_cli.rules import Sentence, rule
from medpay_cli.rules.sentences import any_of, equal, inside, is_code, less, true


@rule("C201")
def fee_is_not_what_its_scopes_sum_to() -> Sentence:
    """The fee is what is out of scope, above limits, paid first by the person, and in scope."""
    return equal("medfee_sumamt", "fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")


@rule("C202")
def fund_total_is_not_the_sum_of_the_funds() -> Sentence:
    """The funds pay what each of them pays."""
    # Company supplement and the fund for the disabled are missing in older editions.
    return equal(
        "fund_pay_sumamt", "hifp_pay", "cvlserv_pay", any_of("hifes_pay"), "hifmi_pay", "hifob_pay",
        any_of("hifdm_pay"), "maf_pay", "oth_pay",
    )  # fmt: skip


@rule("C203")
def fee_is_not_what_is_paid_for_it() -> Sentence:
    """Funds, the person and the hospital together bear the fee."""
    return equal("medfee_sumamt", "fund_pay_sumamt", "psn_part_amt", "hosp_part_amt")


@rule("C205", acct_mulaid="inside")
def person_does_not_pay_from_account_and_cash() -> Sentence:
    """The person pays from the account and in cash."""
    return equal("psn_part_amt", "acct_pay", "psn_cash_pay")


@rule("C205", acct_mulaid="added")
def person_does_not_pay_from_both_accounts_and_cash() -> Sentence:
    """The person pays from the account, the family's account beside it, and in cash."""
    return equal("psn_part_amt", "acct_pay", any_of("acct_mulaid_pay"), "psn_cash_pay")


@rule("C206", acct_mulaid="inside")
def family_account_is_not_inside_the_account() -> Sentence:
    """What the family's account pays is part of what the account pays."""
    return inside("acct_mulaid_pay", "acct_pay")


@rule("C207")
def refunded_fee_is_not_what_was_paid_for_it() -> Sentence:
    """Refund answers that name no share of person and hospital name what they paid instead."""
    unnamed = pl.col("psn_part_amt").is_null() & pl.col("hosp_part_amt").is_null()
    return equal("medfee_sumamt", "fund_pay_sumamt", "psn_pay", "ownpay_hosp_part", where=unnamed)


@rule("C208", cash_payamt="medfee_less_fund")
def cash_is_not_what_the_funds_leave() -> Sentence:
    """At this partner the cash of a request is whatever the funds do not pay."""
    return equal("cash_payamt", "medfee_sumamt", less("fund_pay_sumamt"))


@rule("C211")
def charge_item_is_not_what_its_classes_sum_to() -> Sentence:
    """A charge item is class A, class B, paid by the person alone, and other."""
    return equal("amt", "claa_sumfee", "clab_amt", "fulamt_ownpay_amt", "oth_amt")


@rule("C212")
def own_and_shared_payment_is_not_account_and_cash() -> Sentence:
    """Of the settlement list: what the person pays alone and shares is paid from the account and in cash."""
    return equal("psn_selfpay", "acct_pay", "psn_cashpay", less("psn_ownpay"))


@rule("C214")
def cleared_fee_is_not_what_is_paid_for_it() -> Sentence:
    """Of a clearing application: what the fund is asked for, cash and accounts make up the fee."""
    return equal("medfee_sumamt", "fund_appy_sum", "cash_payamt", "acct_pay", mark="fund_appy_sum")


@rule("C133")
def sign_does_not_fit_the_refund_flag() -> Sentence:
    """A refund takes back: its amounts are negative or nothing; those of a settlement are not negative."""
    amounts = ("medfee_sumamt", "fund_pay_sumamt", "acct_pay")
    refund, normal = is_code("refd_setl_flag", "1"), is_code("refd_setl_flag", "0")
    given = pl.all_horizontal(pl.col(name).is_not_null() for name in (*amounts, "setl_id"))
    negative = pl.any_horizontal(pl.col(name) < 0 for name in amounts)
    positive = pl.any_horizontal(pl.col(name) > 0 for name in amounts)
    shown = pl.concat_str((pl.concat_str(pl.lit(f"{name} "), pl.col(name)) for name in amounts), separator=", ")
    return true(pl.when(given).then(~(refund & positive) & ~(normal & negative)), "refd_setl_flag", shown)
