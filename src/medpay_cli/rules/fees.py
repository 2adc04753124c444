"""What a fee line owes itself: its amount, and how much of it the person pays first."""

from __future__ import annotations

import polars as pl

from medpay_cli.rules import Sentence, rule
from medpay_cli.rules.sentences import equal, is_code, product, true


@rule("C204")
def line_is_not_price_times_count() -> Sentence:
    """The line is its unit price times its count, rounded half up to the fen."""
    return product("det_item_fee_sumamt", "pric", "cnt")


@rule("C210")
def line_is_not_what_its_scopes_sum_to() -> Sentence:
    """The line is what is out of scope, above limits, paid first by the person, and in scope."""
    return equal("det_item_fee_sumamt", "fulamt_ownpay_amt", "overlmt_amt", "preselfpay_amt", "inscp_scp_amt")


@rule("C132")
def ratio_does_not_fit_the_class_of_the_line() -> Sentence:
    """Class A costs the person nothing first, class C everything, class B something in between."""
    return _ratio_fits("chrgitm_lv")


@rule("C132")
def ratio_does_not_fit_the_class_of_the_item() -> Sentence:
    """The same of a price item."""
    return _ratio_fits("pay_class")


def _ratio_fits(name: str) -> Sentence:
    ratio = pl.col("selfpay_prop")
    is_a, is_b, is_c = (is_code(name, code, of="chrgitm_lv") for code in ("01", "02", "03"))
    fits = pl.when(is_a).then(ratio == 0).when(is_b).then((ratio > 0) & (ratio < 1)).when(is_c).then(ratio == 1)
    expected = pl.when(is_a).then(pl.lit("0")).when(is_b).then(pl.lit("0 < x < 1")).otherwise(pl.lit("1"))
    return true(fits, "selfpay_prop", pl.concat_str(pl.lit(f"{name} "), pl.col(name), pl.lit(": "), expected))
