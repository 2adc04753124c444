"""What a ledger request states of a period: the totals of its settlements."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from medpay_cli import money
from medpay_cli.rules import EXPECTED
from medpay_cli.rules.sentences import is_code
from medpay_cli.rules.together import NUMBER, together, total

_SUM, _KNOWN, _LOOSE = "\x1fsum ", "\x1fknown", "\x1floose"
GROUP, AMOUNTS, COUNT = ("insutype", "clr_type"), ("medfee_sumamt", "fund_pay_sumamt", "acct_pay"), "fixmedins_setl_cnt"
PERIOD = ("stmt_begndate", "stmt_enddate", "refd_setl_flag")
TOTAL = (*GROUP, "setl_optins", *PERIOD, *AMOUNTS, COUNT)
SETTLED = (*GROUP, "clr_optins", "setl_time", *AMOUNTS)
REQUEST = ("clr_type", "setl_optins", *PERIOD, "cash_payamt")
OF_PERSONS = ("clr_type", "clr_optins", "setl_time", "medfee_sumamt")
NONE = pl.lit("0").cast(pl.Decimal(38, 0))
# A settlement has no refund flag; what it takes back is negative.
IS_REFUND = pl.col("medfee_sumamt") < 0


@together("B312", "medfee_sumamt", conventions={"count": "rows"}, ledger_total=TOTAL, settlement=SETTLED)
def total_is_not_of_its_settlements(ledger_total: pl.LazyFrame, settlement: pl.LazyFrame) -> pl.LazyFrame:
    """The totals of insurance, kind of clearing and office are those of their settlements, each of which counts."""
    return _totals(ledger_total, settlement, pl.len())


@together("B312", "medfee_sumamt", conventions={"count": "net"}, ledger_total=TOTAL, settlement=SETTLED)
def total_is_not_of_its_settlements_less_refunds(ledger_total: pl.LazyFrame, settlement: pl.LazyFrame) -> pl.LazyFrame:
    """At this partner refunds are taken from the count."""
    return _totals(ledger_total, settlement, pl.when(IS_REFUND).then(-1).otherwise(1).sum())


@together("B316", "cash_payamt", conventions={"cash_payamt": "psn_cash_pay"}, ledger_detail_request=REQUEST,
          settlement=(*OF_PERSONS, "psn_cash_pay"))  # fmt: skip
def cash_is_not_what_persons_paid(ledger_detail_request: pl.LazyFrame, settlement: pl.LazyFrame) -> pl.LazyFrame:
    """At this partner the cash of a request is what persons paid in cash."""
    return _cash(ledger_detail_request, settlement, "psn_cash_pay")


@together("B316", "cash_payamt", conventions={"cash_payamt": "psn_part_amt"}, ledger_detail_request=REQUEST,
          settlement=(*OF_PERSONS, "psn_part_amt"))  # fmt: skip
def cash_is_not_what_persons_bore(ledger_detail_request: pl.LazyFrame, settlement: pl.LazyFrame) -> pl.LazyFrame:
    """At this partner the cash of a request is what persons bore, from accounts too."""
    return _cash(ledger_detail_request, settlement, "psn_part_amt")


def _totals(ledger_total: pl.LazyFrame, settlement: pl.LazyFrame, count: pl.Expr) -> pl.LazyFrame:
    asked = ledger_total.rename({"setl_optins": "clr_optins"})
    of_group = pl.all_horizontal(pl.col(name) == pl.col(f"{name}_right") for name in GROUP)
    sums = (
        _settled(asked.select(NUMBER, "clr_optins", *GROUP, *PERIOD), settlement, of_group)
        .group_by(NUMBER)
        .agg(*(total(name).alias(_SUM + name) for name in AMOUNTS), count.cast(pl.Decimal(38, 0)).alias(_SUM + COUNT))
    )
    said = {**{name: f"Σ {name}" for name in AMOUNTS}, COUNT: COUNT}
    return _untied(asked, sums, _is_loose(settlement, *GROUP), said)


def _cash(request: pl.LazyFrame, settlement: pl.LazyFrame, name: str) -> pl.LazyFrame:
    asked = request.rename({"setl_optins": "clr_optins"})
    # The first edition asks for all kinds of clearing at once.
    of_kind = pl.col("clr_type").is_null() | (pl.col("clr_type") == pl.col("clr_type_right"))
    sums = (
        _settled(asked.select(NUMBER, "clr_optins", "clr_type", *PERIOD), settlement, of_kind)
        .group_by(NUMBER)
        .agg(total(name).alias(_SUM + "cash_payamt"))
    )
    return _untied(asked, sums, _is_loose(settlement, "clr_type"), {"cash_payamt": f"Σ {name}"})


def _settled(asked: pl.LazyFrame, settlement: pl.LazyFrame, of_group: pl.Expr) -> pl.LazyFrame:
    """The settlements that each statement speaks of: of its office, group and period, without refunds where it says
    so."""
    day = pl.col("setl_time").str.slice(0, 10)
    # Settlements that name no day are taken to be of the period: they were named for it.
    in_time = day.is_null() | day.is_between(pl.col("stmt_begndate"), pl.col("stmt_enddate"))
    without_refunds = is_code("refd_setl_flag", "0").fill_null(value=False)
    return asked.join(settlement, on="clr_optins").filter(of_group, in_time, ~(without_refunds & IS_REFUND))


def _is_loose(settlement: pl.LazyFrame, *group: str) -> pl.LazyFrame:
    """Whether some settlement may belong to any statement, for want of an office or a group."""
    names = ("clr_optins", *group)
    return settlement.select(pl.any_horizontal(pl.col(name).is_null() for name in names).any().alias(_LOOSE))


def _untied(asked: pl.LazyFrame, sums: pl.LazyFrame, loose: pl.LazyFrame, said: Mapping[str, str]) -> pl.LazyFrame:
    """The statements that are not what their settlements sum to, one without settlements nothing."""
    known = pl.col(_KNOWN).is_not_null()
    nothing = {name: NONE if name == COUNT else money.yuan(0) for name in said}
    found = {name: pl.when(known).then(_SUM + name).otherwise(nothing[name]) for name in said}
    tied = pl.all_horizontal(pl.col(name) == of for name, of in found.items()).fill_null(value=False)
    told = pl.concat_str((_told(said[name], pl.col(name), of) for name, of in found.items()), separator=", ")
    return (
        asked.join(sums.with_columns(pl.lit(value=True).alias(_KNOWN)), on=NUMBER, how="left")
        .join(loose, how="cross")
        .filter(pl.col(_LOOSE) | ~tied)
        .select(NUMBER, pl.when(~pl.col(_LOOSE)).then(told).alias(EXPECTED))
    )


def _told(label: str, stated: pl.Expr, found: pl.Expr) -> pl.Expr:
    """The arithmetic: `Σ acct_pay 4.52 (Δ 0.00)`."""
    off = stated - found
    return pl.concat_str(pl.lit(f"{label} "), found, pl.lit(" (Δ "), off, pl.lit(")"))
