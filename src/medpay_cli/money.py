"""Exact amounts: the text grammar first, then a cast that cannot lose a digit."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact, InvalidOperation

import polars as pl

# Every number that we read fits Decimal(38, 18): 20 digits before the point, 18 after it.
WHOLE_DIGITS = 20
FRACTION_DIGITS = 18
NUMBER = r"^-?(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?$"
EXACT = pl.Decimal(38, FRACTION_DIGITS)
# Python's default context rounds sums to 28 digits without a word; this one raises instead.
_CONTEXT = Context(prec=76, traps=[Inexact, InvalidOperation])


def grammar(digits: int, scale: int) -> str:
    """The pattern of an amount with at most `digits` digits in all, `scale` of them after the point.

    No plus sign, exponent, spaces, separators or leading zeros; fewer decimals than the scale are fine.
    """
    whole = digits - scale - 1
    fraction = rf"(?:\.[0-9]{{1,{scale}}})?" if scale else ""
    return rf"^-?(?:0|[1-9][0-9]{{0,{whole}}}){fraction}$" if whole >= 0 else rf"^-?0{fraction}$"


def fits(column: pl.Expr, digits: int, scale: int) -> pl.Expr:
    """True where the text is an amount of that grammar; null where it is absent."""
    return column.str.contains(grammar(digits, scale))


def amount(column: pl.Expr, digits: int, scale: int) -> pl.Expr:
    """The amount as Decimal(38, scale); null where the text is absent or outside the grammar."""
    # Polars rounds half to even when it casts text with more decimals: the grammar stands before the cast.
    return pl.when(fits(column, digits, scale)).then(column).cast(pl.Decimal(38, scale), strict=False)


def yuan(value: Decimal | int) -> pl.Expr:
    """An amount that is the same for every record."""
    return pl.lit(str(value)).cast(pl.Decimal(38, max(2, -int(Decimal(value).as_tuple().exponent))))


def product(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """The product of two columns of at most 13 digits before the point and 6 after it, rounded half up to the fen;
    negative ones away from zero. A Decimal(38, 2)."""
    exact = _millionths(left) * _millionths(right)
    fen = (exact.abs() + _HALF_A_FEN) // (2 * _HALF_A_FEN) * exact.sign()
    # The only way from whole fen to a Decimal of yuan that divides nothing.
    return (fen.cast(pl.Decimal(38, 0)) * pl.lit("0.01").cast(pl.Decimal(38, 2))).cast(pl.Decimal(38, 2))


def is_product(whole: pl.Expr, left: pl.Expr, right: pl.Expr, tolerance: Decimal) -> pl.Expr:
    """Whether an amount is that product, within a tolerance in yuan; null where one of the three is absent."""
    exact = _millionths(left) * _millionths(right)
    amount = _millionths(whole) * 10**6
    # No division, which is slow on 128 bits: what rounds to an amount is less than half a fen away from it, or just so.
    off = exact.abs() - amount * exact.sign()
    slack = int(tolerance.scaleb(12))
    is_nothing = (exact == 0) & (amount.abs() <= slack)
    return is_nothing | ((exact != 0) & (off >= -_HALF_A_FEN - slack) & (off < _HALF_A_FEN + slack))


# In the unit of a product of millionths, 10^-12 yuan.
_HALF_A_FEN = 5 * 10**9


def _millionths(column: pl.Expr) -> pl.Expr:
    return column.cast(pl.Decimal(38, 6)).to_physical()


def round_half_up(amounts: pl.Expr, scale: int) -> pl.Expr:
    """Decimals of that scale, half away from zero: a refund is rounded as what it takes back."""
    # Polars' own default, and its cast to fewer decimals, round half to even.
    return amounts.round(scale, mode="half_away_from_zero").cast(pl.Decimal(38, scale))


def exact_product(left: pl.Expr, right: pl.Expr, decimals: int, scale: int) -> pl.Expr:
    """Decimal times Decimal, which have so many `decimals` together, rounded once to `scale`.

    Where the digits do not fit Decimal(38) a PolarsError is raised at work.
    """
    # Polars rounds a product to the scale of its left side, which here holds every digit.
    return round_half_up(left.cast(pl.Decimal(38, decimals)) * right, scale)


def total(values: Iterable[Decimal | None]) -> Decimal:
    """The exact sum; absent values add nothing."""
    result = Decimal(0)
    for value in values:
        if value is not None:
            result = _CONTEXT.add(result, value)
    return result


def sums(amounts: pl.DataFrame) -> dict[str, Decimal]:
    """The exact sum of every column."""
    try:
        return amounts.sum().row(0, named=True) if amounts.width else {}
    except pl.exceptions.PolarsError:  # beyond 38 digits
        return {name: total(amounts[name]) for name in amounts.columns}


def written(value: Decimal, scale: int) -> str:
    """An amount as we write it everywhere: yuan with exactly `scale` decimals, never `-0.00`."""
    exact = value.quantize(Decimal(1).scaleb(-scale), context=_CONTEXT)
    return f"{abs(exact) if exact == 0 else exact:f}"
