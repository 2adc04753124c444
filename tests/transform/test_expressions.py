"""Expressions over amounts: each exact, or refused before anything is read."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_UP, Decimal, localcontext

import polars as pl
import pytest

from medpay_cli.mappings.expressions import TEXT, InexactError, Kind, formula, typed_as

KINDS = {
    "amount": Kind("amount", 14, 2),
    "other": Kind("amount", 14, 2),
    "pric": Kind("amount", 10, 6),
    "cnt": Kind("amount", 12, 4),
    "ratio": Kind("amount", 1, 4),
    "kind": TEXT,
    "name": TEXT,
}


def values(sql: str, **cells: list[str | None]) -> list[str | None]:
    """What an expression makes of some records, as text."""
    typed = pl.DataFrame(
        {name: pl.Series(of, dtype=pl.String).cast(typed_as(KINDS[name])) for name, of in cells.items()}
    )
    return formula(sql, KINDS).on(typed).cast(pl.String).to_list()


def refused(sql: str) -> str:
    """Why an expression is refused."""
    with pytest.raises(InexactError) as why:
        formula(sql, KINDS)
    return str(why.value)


def test_an_amount_times_a_hundred_keeps_every_fen():
    assert values("amount * 100", amount=["0.01", "-0.05", "99999999999999.99"]) == [
        "1.00",
        "-5.00",
        "9999999999999999.00",
    ]


def test_an_amount_less_one_keeps_every_fen():
    assert values("amount - 1", amount=["0.29", "99999999999999.99", None]) == ["-0.71", "99999999999998.99", None]


def test_a_third_of_an_amount_is_refused():
    assert refused("amount / 3") == "Div"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("amount - 0.005", "0.285"), ("amount + other", "0.99"), ("1 - amount", "0.71"), ("-amount", "-0.29"),
        ("amount * 0.7", "0.203"), ("COALESCE(amount, 0)", "0.29"), ("ABS(-amount)", "0.29"),
        ("GREATEST(amount, other)", "0.70"), ("CASE WHEN kind = '1' THEN amount ELSE 0 END", "0.29"),
        ("CASE WHEN kind IN ('2', '3') THEN amount END", None), ("NULLIF(amount, 0.29)", None),
        ("IF(amount BETWEEN 0.285 AND 0.289, 'in', 'out')", "out"), ("IF(amount < 0.2901, 'less', 'more')", "less"),
        ("IF(amount IS DISTINCT FROM 0.291, 'other', 'same')", "other"),
        ("IF(amount = 0.2904, 'same', 'other')", "other"),
        ("IF(amount <> 0.29, 'other', 'same')", "same"), ("COALESCE(NULL, amount, 0.001)", "0.290"),
        ("amount || '元'", "0.29元"), ("IF(amount > 0.285, 'more', 'less')", "more"),
        ("round_half_up(amount, 1)", "0.3"), ("share(amount, 0.5)", "0.15"), ("amount - share(amount, 0.5)", "0.14"),
        ("amount - round_half_up(share(amount, 0.5) * 0.5, 2)", "0.21"),
    ],
)  # fmt: skip
def test_what_is_let_through_is_exact(sql, expected):
    assert values(sql, amount=["0.29"], other=["0.70"], kind=["1"]) == [expected]


@pytest.mark.parametrize(
    "sql",
    [
        "amount % 3", "ROUND(amount, 1)", "FLOOR(amount)", "CEIL(amount)", "SQRT(amount)", "POWER(amount, 2)",
        "amount * 1e3", "CAST(amount AS DOUBLE)", "CAST(amount AS BIGINT)", "CAST(amount AS DECIMAL(16, 1))",
        "CAST(kind AS DECIMAL(16, 2))", "kind::float", "amount + kind", "kind * 2", "amount IN (1, 2)",
        "amount = '0.29'", "COALESCE(amount, 'x')", "CASE WHEN kind = '1' THEN amount ELSE 'x' END", "AVG(amount)",
        "SUM(amount)", "SUM(amount) OVER ()", "NOW()", "(SELECT 1)", "amount AS x", "amount, other", "nobody",
        "pric * cnt * amount", "money_product(pric, kind)", "money_product(pric)", "money_product(pric, cnt",
        "round_half_up(pric, cnt)", "share(amount, ratio, 1)", "STRFTIME(name, '%Y')", "",
    ],
)  # fmt: skip
def test_what_could_lose_a_digit_or_means_something_else_is_refused(sql):
    assert refused(sql)


def exact(left: str, right: str, scale: int) -> str:
    """Half up by Python's decimals."""
    with localcontext() as context:
        context.prec = 80
        return str((Decimal(left) * Decimal(right)).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP))


def drawn(chance: random.Random, whole: int, scale: int) -> str:
    digits = chance.randint(0, 10 ** chance.randint(1, whole + scale) - 1)
    return str(Decimal(chance.choice((-1, 1)) * digits).scaleb(-scale).quantize(Decimal(1).scaleb(-scale)))


def test_a_product_is_that_of_pythons_decimals_rounded_half_up():
    chance = random.Random(7)  # noqa: S311
    prices, counts = [drawn(chance, 10, 6) for _ in range(20_000)], [drawn(chance, 12, 4) for _ in range(20_000)]
    prices += ["0.125000", "-0.125000", "9999999999.999999", "-0.004999", "0.005000"]
    counts += ["1", "1", "999999999999.9999", "1", "-1"]
    found = values("money_product(pric, cnt)", pric=prices, cnt=counts)
    expected = [exact(*pair, 2) for pair in zip(prices, counts, strict=True)]
    assert [Decimal(one) for one in found] == [Decimal(one) for one in expected]
    assert found[-5:] == ["0.13", "-0.13", "9999999999999998000000.00", "0.00", "-0.01"]


def test_shares_and_what_is_left_are_the_whole():
    chance = random.Random(8)  # noqa: S311
    amounts = [drawn(chance, 14, 2) for _ in range(5_000)]
    ratios = [str(Decimal(chance.randint(0, 10_000)).scaleb(-4)) for _ in range(5_000)]
    part = values("share(amount, ratio)", amount=amounts, ratio=ratios)
    rest = values("amount - share(amount, ratio)", amount=amounts, ratio=ratios)
    assert [Decimal(one) for one in part] == [Decimal(exact(*pair, 2)) for pair in zip(amounts, ratios, strict=True)]
    assert [Decimal(a) + Decimal(b) for a, b in zip(part, rest, strict=True)] == [Decimal(one) for one in amounts]


def test_a_call_inside_quotes_is_text():
    assert values("name || 'share(amount, ratio)'", name=["x"]) == ["xshare(amount, ratio)"]


def test_half_width_folds_digits_and_marks():
    assert values("half_width(name)", name=["　１，２００．５０（元） ", None]) == ["1,200.50(元)", None]


def test_the_fields_of_an_expression_are_told():
    made = formula("CASE WHEN kind = 'amount' THEN share(amount, ratio) ELSE other END", KINDS)
    assert (made.fields, made.field, made.kind.scale) == ({"kind", "amount", "ratio", "other"}, None, 2)
    assert formula('"amount"', KINDS).field == "amount"
