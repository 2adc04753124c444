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


def one(expression):
    return pl.select(expression).item()


def number(text):
    return pl.lit(text).cast(pl.Decimal(38, 6))


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


@pytest.mark.parametrize(
    ("text", "digits", "scale", "is_amount"),
    [
        ("0.99", 2, 2, True), ("1.00", 2, 2, False), ("-0.99", 2, 2, True), ("0.999", 2, 2, False),
        ("9.99", 3, 2, True), ("10.00", 3, 2, False), ("9", 3, 2, True),
        ("9", 1, 0, True), ("10", 1, 0, False), ("0", 0, 0, True), ("1", 0, 0, False),
    ],
)  # fmt: skip
def test_the_digits_before_the_point_are_those_that_the_scale_leaves(text, digits, scale, is_amount):
    assert one(money.fits(pl.lit(text), digits, scale)) is is_amount


@pytest.mark.parametrize(("whole", "fraction", "is_number"), [(20, 18, True), (21, 18, False), (20, 19, False)])
def test_a_number_has_20_digits_before_the_point_and_18_after_it(whole, fraction, is_number):
    text = f"-{'9' * whole}.{'9' * fraction}"
    assert one(pl.lit(text).str.contains(money.NUMBER)) is is_number
    assert (money.WHOLE_DIGITS, money.FRACTION_DIGITS) == (20, 18)
    if is_number:
        assert one(pl.lit(text).cast(money.EXACT)) == Decimal(text)


def test_the_largest_amount_of_38_digits_keeps_them():
    text = "9" * 36 + ".99"
    assert one(money.amount(pl.lit(text), 38, 2)) == Decimal(text)


def test_an_amount_that_38_digits_do_not_hold_is_none():
    assert one(money.amount(pl.lit("9" * 38 + ".99"), 40, 2)) is None


@pytest.mark.parametrize(
    ("value", "scale"),
    [(0, 2), (5, 2), (Decimal("0.5"), 2), (Decimal("0.05"), 2), (Decimal("0.005"), 3), (Decimal("-0.0005"), 4),
     (Decimal("9" * 36 + ".99"), 2)],
)  # fmt: skip
def test_a_fixed_amount_has_every_digit_and_two_decimals_at_least(value, scale):
    made = pl.select(money.yuan(value).alias("x"))
    assert (made.schema["x"], made.item()) == (pl.Decimal(38, scale), Decimal(value))


# left, right, their product rounded half up
PRODUCTS = [
    ("1.005", "1", "1.01"), ("1.004999", "1", "1.00"), ("-1.005", "1", "-1.01"), ("-1.004999", "1", "-1.00"),
    ("0.005", "1", "0.01"), ("0.004999", "1", "0.00"), ("-0.005", "1", "-0.01"), ("-0.004999", "-1", "0.00"),
    ("0", "5", "0.00"), ("0.333333", "3", "1.00"), ("2.5", "2.002", "5.01"), ("-1.5", "-0.01", "0.02"),
    ("0.000001", "0.000001", "0.00"), ("12.34", "56.78", "700.67"),
    ("9999999999999.999999", "9999999999999.999999", "99999999999999999980000000.00"),
    ("-9999999999999.999999", "0.015", "-150000000000.00"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "made"), PRODUCTS)
def test_a_product_is_rounded_half_up_to_the_fen(left, right, made):
    frame = pl.select(money.product(number(left), number(right)).alias("x"))
    assert (frame.schema["x"], frame.item()) == (pl.Decimal(38, 2), Decimal(made))


FEN = Decimal("0.01")


@pytest.mark.parametrize(("left", "right", "made"), PRODUCTS)
@pytest.mark.parametrize(("fen_off", "tolerance", "holds"), [
    (0, "0", True), (1, "0", False), (-1, "0", False), (1, "0.01", True), (-1, "0.01", True), (2, "0.01", False),
    (-2, "0.01", False), (5, "0.05", True), (-6, "0.05", False),
])  # fmt: skip
def test_an_amount_is_a_product_within_a_tolerance(left, right, made, fen_off, tolerance, holds):
    whole = number(str(Decimal(made) + fen_off * FEN))
    assert one(money.is_product(whole, number(left), number(right), Decimal(tolerance))) is holds


@pytest.mark.parametrize(("whole", "left", "right"), [(None, "1", "1"), ("1", None, "1"), ("1", "1", None)])
def test_a_product_of_what_is_absent_is_not_judged(whole, left, right):
    given = [pl.lit(None, pl.Decimal(38, 6)) if text is None else number(text) for text in (whole, left, right)]
    assert one(money.is_product(*given, Decimal(0))) is None


@pytest.mark.parametrize(
    ("text", "scale", "rounded"),
    [("1.245", 2, "1.25"), ("1.235", 2, "1.24"), ("-1.245", 2, "-1.25"), ("1.244999", 2, "1.24"), ("0.5", 0, "1"),
     ("-0.5", 0, "-1"), ("2.5", 0, "3"), ("1.2", 4, "1.2000")],
)  # fmt: skip
def test_half_is_rounded_away_from_zero(text, scale, rounded):
    made = pl.select(money.round_half_up(number(text), scale).alias("x"))
    assert (made.schema["x"], str(made.item())) == (pl.Decimal(38, scale), rounded)


@pytest.mark.parametrize(
    ("left", "right", "scale", "made"),
    [("1.005000", "1.0000", 2, "1.01"), ("-1.005000", "1.0000", 2, "-1.01"), ("0.333333", "0.5000", 2, "0.17"),
     ("0.333333", "0.5000", 6, "0.166667"), ("1.000000", "0.0001", 4, "0.0001")],
)  # fmt: skip
def test_a_product_of_decimals_is_rounded_once(left, right, scale, made):
    factor = pl.lit(right).cast(pl.Decimal(20, 4))
    frame = pl.select(money.exact_product(pl.lit(left).cast(pl.Decimal(20, 6)), factor, 10, scale).alias("x"))
    assert (frame.schema["x"], str(frame.item())) == (pl.Decimal(38, scale), made)


def test_a_product_of_38_digits_keeps_them():
    most, one_whole = pl.lit("9" * 28).cast(pl.Decimal(38, 6)), pl.lit("1.0000").cast(pl.Decimal(20, 4))
    assert one(money.exact_product(most, one_whole, 10, 10)) == Decimal("9" * 28)


def test_a_product_that_38_digits_do_not_hold_is_an_error():
    with pytest.raises(pl.exceptions.PolarsError):
        one(money.exact_product(number("9" * 29), number("9" * 29), 12, 2))


def test_what_is_absent_adds_nothing():
    assert money.total([Decimal("1.10"), None, Decimal("-0.05")]) == Decimal("1.05")
    assert str(money.total([])) == "0"


def test_a_total_of_more_than_76_digits_is_an_error_and_not_rounded():
    most = Decimal("9" * 76)
    assert money.total([most]) == most
    with pytest.raises(Inexact):
        money.total([most, Decimal("0.1")])


def test_the_sums_of_columns_are_exact_beyond_38_digits_too():
    most = "9" * 36 + ".99"
    frame = pl.DataFrame({"a": [most, most], "b": ["1.00", None]}).cast(pl.Decimal(38, 2))
    assert money.sums(frame) == {"a": Decimal("1" + "9" * 36 + ".98"), "b": Decimal("1.00")}
    assert money.sums(frame.head(1)) == {"a": Decimal(most), "b": Decimal("1.00")}
    assert money.sums(pl.DataFrame()) == {}


def test_a_total_beyond_28_digits_stays_exact():
    huge = Decimal("12345678901234567890123456.78")
    assert money.total([huge] * 1000) == Decimal("12345678901234567890123456780.00")


def test_writing_never_rounds():
    with pytest.raises(Inexact):
        money.written(Decimal("1.005"), 2)


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [("5", 2, "5.00"), ("-0.00", 2, "0.00"), ("-0.01", 2, "-0.01"), ("1E+3", 2, "1000.00"), ("0", 0, "0"),
     ("0.0000", 4, "0.0000"), ("12.5", 4, "12.5000"), ("9" * 40, 2, "9" * 40 + ".00")],
)  # fmt: skip
def test_an_amount_is_written_with_its_decimals_and_no_negative_nothing(value, scale, text):
    assert money.written(Decimal(value), scale) == text


def test_scale_zero_has_no_point():
    assert pl.Series(["1", "1.0", "12"]).to_frame("x").select(money.fits(pl.col("x"), 2, 0)).to_series().to_list() == [
        True,
        False,
        True,
    ]
