"""What several records owe each other: sums of parts, pairs, sequences."""

from __future__ import annotations

import polars as pl

from medpay_cli import money
from medpay_cli.rules import EXPECTED
from medpay_cli.rules.sentences import is_code
from medpay_cli.rules.together import NUMBER, together, total

_FOUND, _WHOLE = "\x1ffound", "\x1fwhole"
_KNOWN = pl.lit(value=True).alias("known")
ZERO = money.yuan(0)
_DAY = pl.col("fee_ocur_time").str.slice(0, 10)


@together("B301", "medfee_sumamt", settlement=("setl_id", "medfee_sumamt", "psn_cash_pay"),
          settlement_fund=("setl_id", "fund_payamt"))  # fmt: skip
def payments_do_not_sum_to_what_is_not_cash(settlement: pl.LazyFrame, settlement_fund: pl.LazyFrame) -> pl.LazyFrame:
    """Every payment of a settlement but cash is listed: funds, account, the hospital's share."""
    whole = pl.col("medfee_sumamt") - pl.col("psn_cash_pay")
    return _untied(settlement, whole, _sums(settlement_fund, "setl_id", "fund_payamt"), "setl_id", "fund_payamt")


@together("B302", "fund_pay_sumamt", settlement=("setl_id", "fund_pay_sumamt"),
          settlement_fund=("setl_id", "fund_pay_type", "fund_payamt"))  # fmt: skip
def funds_do_not_sum_to_the_fundtotal(settlement: pl.LazyFrame, settlement_fund: pl.LazyFrame) -> pl.LazyFrame:
    """Without the account (3102..) and the hospital (99999.) the list is the fund total."""
    kind = pl.col("fund_pay_type")
    funds = settlement_fund.with_columns(
        fund_payamt=pl.when(kind.str.starts_with("3102") | kind.str.starts_with("99999"))
        .then(pl.when(pl.col("fund_payamt").is_not_null()).then(ZERO))
        .when(kind.is_not_null())
        .then("fund_payamt")
    )
    whole = pl.col("fund_pay_sumamt")
    return _untied(settlement, whole, _sums(funds, "setl_id", "fund_payamt"), "setl_id", "fund_payamt")


@together("B303", "medfee_sumamt", settlement=("mdtrt_id", "medfee_sumamt"),
          fee_line=("mdtrt_id", "det_item_fee_sumamt"))  # fmt: skip
def lines_of_a_visit_do_not_sum_to_its_fee(settlement: pl.LazyFrame, fee_line: pl.LazyFrame) -> pl.LazyFrame:
    """What is settled of a visit is what its lines cost; refunds are negative in both."""
    return _untied_groups(
        settlement, "medfee_sumamt", _sums(fee_line, "mdtrt_id", "det_item_fee_sumamt"), "mdtrt_id",
        "det_item_fee_sumamt",
    )  # fmt: skip


@together("B304", "setl_id", settlement_list=("setl_id", "psn_cashpay"),
          settlement_list_iteminfo=("setl_id", "amt"), settlement_list_payinfo=("setl_id", "fund_payamt"))  # fmt: skip
def items_of_a_list_are_not_what_is_paid(
    settlement_list: pl.LazyFrame, settlement_list_iteminfo: pl.LazyFrame, settlement_list_payinfo: pl.LazyFrame
) -> pl.LazyFrame:
    """The charge items of a settlement list cost what its payments and cash pay."""
    paid = _sums(settlement_list_payinfo, "setl_id", "fund_payamt").rename({_FOUND: _WHOLE})
    lists = settlement_list.join(paid, on="setl_id", how="left")
    whole = pl.col(_WHOLE) + pl.col("psn_cashpay")
    return _untied(lists, whole, _sums(settlement_list_iteminfo, "setl_id", "amt"), "setl_id", "amt")


@together("B305", "setl_id", settlement_list=("setl_id",), settlement_list_iteminfo=("setl_id", "amt"),
          settlement=("setl_id", "medfee_sumamt"))  # fmt: skip
def items_of_a_list_do_not_sum_to_its_settlement(
    settlement_list: pl.LazyFrame, settlement_list_iteminfo: pl.LazyFrame, settlement: pl.LazyFrame
) -> pl.LazyFrame:
    """The charge items of a settlement list cost what was settled."""
    settled = _sums(settlement, "setl_id", "medfee_sumamt").rename({_FOUND: _WHOLE})
    lists = settlement_list.join(settled, on="setl_id", how="left")
    items = _sums(settlement_list_iteminfo, "setl_id", "amt")
    return _untied(lists, pl.col(_WHOLE), items, "setl_id", "amt")


@together("B306", "pay_amt", insurer_result=("claim_no", "rev_flag", "pay_amt", "refuse_amt", "psn_amt"),
          commercial_claim=("claim_no", "claim_freq", "claim_amt"))  # fmt: skip
def result_does_not_account_for_the_claim(insurer_result: pl.LazyFrame, commercial_claim: pl.LazyFrame) -> pl.LazyFrame:
    """What was claimed is paid, refused, or left to the person."""
    # A void or a replacement is a claim of its own: which one was decided on cannot be told.
    claims = commercial_claim.group_by("claim_no").agg(
        pl.when((pl.len() == 1) & is_code("claim_freq", "1").all()).then(pl.col("claim_amt").first()).alias(_FOUND)
    )
    # A reversal alone decides nothing: beside it stand what it takes back and what takes its place.
    kinds = [is_code("rev_flag", code).sum().over("claim_no") for code in "NRC"]
    is_whole = (pl.col("rev_flag").null_count().over("claim_no") == 0) & (kinds[1] <= pl.min_horizontal(kinds))
    parts = pl.when(is_whole).then(pl.col("pay_amt") + pl.col("refuse_amt") + pl.col("psn_amt"))
    results = insurer_result.with_columns(parts.alias(_WHOLE))
    return _untied_groups(results, _WHOLE, claims, "claim_no", "claim_amt", orphans=True)


@together("B307", "pay_amt", insurer_result=("claim_no", "policy_no", "duty_code", "medfee_sumamt", "pay_amt"),
          insurer_result_line=("claim_no", "adj_amt"))  # fmt: skip
def adjustments_do_not_explain_what_was_paid(
    insurer_result: pl.LazyFrame, insurer_result_line: pl.LazyFrame
) -> pl.LazyFrame:
    """The fee less every adjustment, of claim and lines, is what was paid."""
    # Each duty of each policy repeats the fee of the claim; a reversal takes it back.
    duties = insurer_result.group_by("claim_no", "policy_no", "duty_code").agg(
        pl.col(NUMBER).min(), total("medfee_sumamt"), total("pay_amt")
    )
    claims = (
        duties.filter(pl.col("claim_no").is_not_null())
        .group_by("claim_no")
        .agg(pl.col(NUMBER).min(), _same("medfee_sumamt"), total("pay_amt"))
    )
    adjusted = _sums(insurer_result_line, "claim_no", "adj_amt")
    return _untied(claims, pl.col("medfee_sumamt") - pl.col("pay_amt"), adjusted, "claim_no", "adj_amt")


@together("B308", "line_pay_amt", insurer_result_line=("claim_no", "line_no", "line_amt", "adj_amt", "line_pay_amt"))
def adjustments_do_not_explain_the_line(insurer_result_line: pl.LazyFrame) -> pl.LazyFrame:
    """A line less its adjustments is what was paid for it."""
    line = ("claim_no", "line_no")
    told = pl.concat_str(pl.lit("line_amt "), pl.col("line_amt"), pl.lit(" - adj_amt "), pl.col(_FOUND))
    lines = (
        insurer_result_line.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in line))
        .group_by(line)
        .agg(pl.col(NUMBER).min(), _same("line_amt"), _same("line_pay_amt"), total("adj_amt").alias(_FOUND))
    )
    told = pl.when(pl.col("line_pay_amt").is_not_null()).then(told)
    return lines.filter(_differ(pl.col("line_amt") - pl.col("line_pay_amt"))).select(NUMBER, told.alias(EXPECTED))


@together("B309", "pay_amt_total", payment_return=("pay_batch_no", "pay_amt_total", "line_kind", "pay_amt"))
def payments_do_not_sum_to_the_batch(payment_return: pl.LazyFrame) -> pl.LazyFrame:
    """A payment is its claims less what is kept back at the level of the provider, and every record says so."""
    paid = pl.when(pl.col("line_kind").is_in(["PAY", "REV"])).then("pay_amt").otherwise(-pl.col("pay_amt"))
    paid = pl.when(pl.col("line_kind").is_not_null()).then(paid)
    batches = _sums(payment_return.with_columns(paid.alias(_WHOLE)), "pay_batch_no", _WHOLE)
    return (
        payment_return.join(batches, on="pay_batch_no")
        .filter(_differ(pl.col("pay_amt_total")))
        .group_by("pay_batch_no", "pay_amt_total")
        .agg(pl.col(NUMBER).min(), pl.col(_FOUND).max())
        .select(NUMBER, _said("pay_amt", pl.col("pay_amt_total")))
    )


@together("B310", "medfee_sumamt", commercial_claim=("claim_no", "claim_freq", "medfee_sumamt"),
          commercial_claim_line=("claim_no", "det_item_fee_sumamt"))  # fmt: skip
def lines_do_not_sum_to_the_claim(commercial_claim: pl.LazyFrame, commercial_claim_line: pl.LazyFrame) -> pl.LazyFrame:
    """The lines of a claim cost what it says."""
    sums = _sums(commercial_claim_line, "claim_no", "det_item_fee_sumamt")
    return _untied(_only_once(commercial_claim), pl.col("medfee_sumamt"), sums, "claim_no", "det_item_fee_sumamt")


@together("B311", "medfee_sumamt", commercial_claim=("claim_no", "claim_freq", "medfee_sumamt"),
          einvoice=("claim_no", "total_amt"))  # fmt: skip
def invoices_do_not_sum_to_the_claim(commercial_claim: pl.LazyFrame, einvoice: pl.LazyFrame) -> pl.LazyFrame:
    """The invoices of a claim, red ones negative, are about what it costs."""
    sums = _sums(einvoice, "claim_no", "total_amt")
    return _untied(_only_once(commercial_claim), pl.col("medfee_sumamt"), sums, "claim_no", "total_amt")


@together("B313", "orig_settle_serial_no",
          insurer_result=("settle_serial_no", "policy_no", "duty_code", "rev_flag", "orig_settle_serial_no", "pay_amt",
                          "refuse_amt", "psn_amt"))  # fmt: skip
def reversal_does_not_negate_its_original(insurer_result: pl.LazyFrame) -> pl.LazyFrame:
    """Where both stand in the file, a reversal has every amount of its original, negated."""
    amounts = ("pay_amt", "refuse_amt", "psn_amt")
    originals = insurer_result.filter(~is_code("rev_flag", "R")).select(
        pl.col("settle_serial_no").alias("orig_settle_serial_no"), "policy_no", "duty_code", *amounts
    )
    key = ["orig_settle_serial_no", "policy_no", "duty_code"]
    negated = pl.all_horizontal(pl.col(name) == -pl.col(f"{name}_right") for name in amounts)
    told = pl.concat_str(
        (pl.concat_str(pl.lit(f"{name} "), -pl.col(f"{name}_right")) for name in amounts), separator=", "
    )
    is_known = pl.all_horizontal(pl.col(name).is_not_null() for name in amounts)
    return (
        insurer_result.filter(is_code("rev_flag", "R"))
        .join(originals, on=key)
        .filter(~negated.fill_null(value=False))
        .group_by(NUMBER)
        .agg(pl.when(is_known).then(told).min().alias(EXPECTED))
    )


@together("B314", "bill_no", commercial_claim=("claim_no", "claim_freq", "bill_no"))
def invoice_is_claimed_twice(commercial_claim: pl.LazyFrame) -> pl.LazyFrame:
    """An invoice pays for one claim."""
    told = pl.concat_str(pl.lit("claim_no "), pl.col("claim_no").unique().sort().str.join(", "))
    return (
        commercial_claim.filter(is_code("claim_freq", "1"), pl.col("bill_no").is_not_null())
        .group_by("bill_no")
        .agg(NUMBER, told.alias(EXPECTED), pl.col("claim_no").n_unique().alias(_FOUND))
        .filter(pl.col(_FOUND) > 1)
        .explode(NUMBER)
        .select(NUMBER, EXPECTED)
    )


@together("B315", "line_no", commercial_claim_line=("claim_no", "line_no"))
def lines_of_a_claim_are_not_numbered_in_turn(commercial_claim_line: pl.LazyFrame) -> pl.LazyFrame:
    """The lines of a claim are numbered from 1, none left out."""
    number = pl.col("line_no").cast(pl.Int64, strict=False)
    return (
        commercial_claim_line.filter(pl.col("claim_no").is_not_null(), pl.col("line_no").is_not_null())
        .group_by("claim_no")
        .agg(
            pl.col(NUMBER).min(), ((number.min() == 1) & (number.max() == number.n_unique())).alias(_FOUND),
            number.n_unique().alias(_WHOLE),
        )
        .filter(~pl.col(_FOUND))
        .select(NUMBER, pl.format("1..{}", pl.col(_WHOLE)).alias(EXPECTED))
    )  # fmt: skip


@together(
    "B321", "fee_ocur_time", fee_line=("mdtrt_id", "fee_ocur_time"), settlement=("mdtrt_id", "begndate", "enddate")
)
def fee_is_of_another_time_than_its_stay(fee_line: pl.LazyFrame, settlement: pl.LazyFrame) -> pl.LazyFrame:
    """A fee occurs between the first and the last day of what is settled."""
    days = ("begndate", "enddate")
    stays = settlement.group_by("mdtrt_id").agg(pl.col("begndate").min(), pl.col("enddate").max(), _all_known(*days))
    inside = _DAY.is_between("begndate", "enddate")
    return _out_of_time(fee_line, stays, inside, pl.format("{}..{}", *days))


@together("B322", "fee_ocur_time", fee_line=("mdtrt_id", "fee_ocur_time"), visit=("mdtrt_id", "begntime"))
def fee_is_older_than_its_visit(fee_line: pl.LazyFrame, visit: pl.LazyFrame) -> pl.LazyFrame:
    """No fee occurs before the day on which the visit begins."""
    begins = visit.group_by("mdtrt_id").agg(pl.col("begntime").min().str.slice(0, 10), _all_known("begntime"))
    return _out_of_time(fee_line, begins, pl.col("begntime") <= _DAY, pl.format(">= {}", "begntime"))


def _all_known(*names: str) -> pl.Expr:
    """Whether every record of a group says them."""
    return pl.all_horizontal(pl.col(name).is_not_null().all() for name in names).alias("known")


def _out_of_time(fees: pl.LazyFrame, times: pl.LazyFrame, inside: pl.Expr, told: pl.Expr) -> pl.LazyFrame:
    """Fees that are not inside the time of their visit; nobody can tell where a day or the visit is not said. A visit
    that is not at hand is no fault."""
    is_at_hand = pl.col("known").is_not_null() | pl.col("mdtrt_id").is_null()
    is_known = pl.col("known") & _DAY.is_not_null()
    return (
        fees.join(times, on="mdtrt_id", how="left")
        .filter(is_at_hand, ~inside.fill_null(value=False))
        .select(NUMBER, pl.when(is_known).then(told).alias(EXPECTED))
    )


def _same(name: str) -> pl.Expr:
    """What all of some records say, those aside that say nothing."""
    return pl.when(pl.col(name).min() == pl.col(name).max()).then(pl.col(name).min()).alias(name)


def _sums(frame: pl.LazyFrame, by: str, name: str) -> pl.LazyFrame:
    return frame.group_by(by).agg(total(name).alias(_FOUND))


def _said(name: str, whole: pl.Expr) -> pl.Expr:
    """The arithmetic: `Σ fund_payamt 99.99 (Δ 0.01)`."""
    return pl.concat_str(
        pl.lit(f"Σ {name} "), pl.col(_FOUND), pl.lit(" (Δ "), whole - pl.col(_FOUND), pl.lit(")")
    ).alias(EXPECTED)


def _untied(records: pl.LazyFrame, whole: pl.Expr, sums: pl.LazyFrame, by: str, name: str) -> pl.LazyFrame:
    """Records that are not what their parts sum to; of one without parts nobody can tell, unless it is nothing."""
    joined = records.join(sums.with_columns(_KNOWN), on=by, how="left")
    is_nothing = pl.col("known").is_null() & (whole == ZERO)
    found = pl.when(is_nothing).then(ZERO).otherwise(pl.col(_FOUND)).alias(_FOUND)
    return joined.with_columns(found).filter(_differ(whole)).select(NUMBER, _said(name, whole))


def _untied_groups(
    records: pl.LazyFrame, whole: str, sums: pl.LazyFrame, by: str, name: str, *, orphans: bool = False
) -> pl.LazyFrame:
    """The first record of each group that is not what its parts sum to; one without parts sums to nothing, or nobody
    can tell where there may be orphans."""
    groups = records.filter(pl.col(by).is_not_null()).group_by(by).agg(pl.col(NUMBER).min(), total(whole).alias(_WHOLE))
    joined = groups.join(sums.with_columns(_KNOWN), on=by, how="left")
    if not orphans:
        found = pl.when(pl.col("known").is_null()).then(ZERO).otherwise(pl.col(_FOUND)).alias(_FOUND)
        joined = joined.with_columns(found)
    return joined.filter(_differ(pl.col(_WHOLE))).select(NUMBER, _said(name, pl.col(_WHOLE)))


def _differ(whole: pl.Expr) -> pl.Expr:
    """Where the parts are not the whole, or nobody can tell."""
    return ~(whole == pl.col(_FOUND)).fill_null(value=False)


def _only_once(claims: pl.LazyFrame) -> pl.LazyFrame:
    """The fee of claims that were sent once: of a replaced one it cannot be told whose parts stand beside it."""
    is_once = (pl.len().over("claim_no") == 1) & is_code("claim_freq", "1") & pl.col("claim_no").is_not_null()
    return claims.with_columns(pl.when(is_once).then("medfee_sumamt").alias("medfee_sumamt"))
