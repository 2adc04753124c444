"""Amounts are exact: the traps that were measured, each by name."""

from decimal import Decimal, Inexact

import polars as pl
import pytest

from medpay_cli import money

REFUSED = [
    "1e3",
    "+1.00",
    " 1.00",
    "1.00 ",
    "1,234.50",
    "１２",
    ".5",
    "5.",
    "01.00",
    "1.005",
    "--1",
    "",
    "-",
    "NaN",
    "0x1",
    "1.00\n",
]
ACCEPTED = {"0": "0.00", "-0.00": "0.00", "4.5": "4.50", "-4.52": "-4.52", "99999999999999.99": "99999999999999.99"}


def cast(text):
    return pl.DataFrame({"x": [text]}, schema={"x": pl.String}).select(money.amount(pl.col("x"), 16, 2)).item()


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_plain_amount_is_not_cast(text):
    assert cast(text) is None


@pytest.mark.parametrize(("text", "amount"), ACCEPTED.items())
def test_plain_amounts_keep_every_digit(text, amount):
    assert money.written(cast(text), 2) == amount


def test_an_amount_with_three_decimals_is_not_rounded_half_to_even():
    assert pl.Series(["1.245"]).cast(pl.Decimal(16, 2)).item() == Decimal("1.24")  # what Polars alone does
    assert cast("1.245") is None


def test_one_digit_more_than_the_layout_is_refused():
    assert cast("999999999999999.99") is None


def test_a_total_beyond_28_digits_stays_exact():
    huge = Decimal("12345678901234567890123456.78")
    assert money.total([huge] * 1000) == Decimal("12345678901234567890123456780.00")


def test_writing_never_rounds():
    with pytest.raises(Inexact):
        money.written(Decimal("1.005"), 2)


def test_scale_zero_has_no_point():
    assert pl.Series(["1", "1.0", "12"]).to_frame("x").select(money.fits(pl.col("x"), 2, 0)).to_series().to_list() == [
        True,
        False,
        True,
    ]
