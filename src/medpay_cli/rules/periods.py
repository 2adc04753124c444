"""Of what is valid for a time, only one record holds on a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from medpay_cli import config
from medpay_cli.rules import EXPECTED
from medpay_cli.rules.sentences import is_code
from medpay_cli.rules.together import NUMBER, together

_LAST = "\x1flast"
OPEN = pl.date(9999, 12, 31)
DAYS = ("begndate", "enddate")
# Whose records hold for a time, and what they hold for.
OF = {
    "price_limit": ("hilist_code", "hilist_lmtpric_type", "insu_admdvs"),
    "selfpay_ratio": ("hilist_code", "selfpay_prop_psn_type", "selfpay_prop_type", "insu_admdvs"),
    "item_mapping": ("fixmedins_hilist_id", "list_type"),
    "price_item": ("item_code", "admdvs", "hosp_lv", "fixmedins_code"),
}
# A price may be of every level and of every institution.
OPTIONAL = ("hosp_lv", "fixmedins_code")
# Records that were taken out of force do not count.
FLAGGED = ("price_limit", "selfpay_ratio")


def _day(name: str) -> pl.Expr:
    return pl.col(name).str.to_date("%Y-%m-%d", strict=False)


def _overlapping(
    of: Sequence[str], key: Sequence[str], *, flagged: bool, is_inclusive: bool
) -> Callable[..., pl.LazyFrame]:
    """The records that begin before an earlier one of the same has ended."""

    def judge(**frames: pl.LazyFrame) -> pl.LazyFrame:
        frame = next(iter(frames.values()))
        is_keyed = pl.all_horizontal(pl.col(name).is_not_null() for name in key)
        # A repeated key is told as such.
        once = frame.filter(~is_keyed | (pl.col(NUMBER) == pl.col(NUMBER).min().over(key)))
        held = once.filter(is_code("vali_flag", "1")) if flagged else once
        begins, earlier = pl.col("begndate"), pl.col(_LAST)
        last = pl.col("enddate").cum_max().shift(1).over(of, order_by=["begndate", NUMBER])
        return (
            held.with_columns(_day("begndate"), _day("enddate").fill_null(OPEN))
            .filter(begins.is_not_null(), *(pl.col(name).is_not_null() for name in of if name not in OPTIONAL))
            .with_columns(last.alias(_LAST))
            .filter(begins <= earlier if is_inclusive else begins < earlier)
            .select(NUMBER, pl.concat_str(pl.lit("> " if is_inclusive else ">= "), earlier).alias(EXPECTED))
        )

    return judge


for _kind, _of in OF.items():
    _key = tuple(config.load(config.LAYOUT, _kind)["x-key"])
    _columns = tuple(dict.fromkeys((*_of, *DAYS, *_key, *(("vali_flag",) if _kind in FLAGGED else ()))))
    for _said in ("inclusive", "exclusive"):
        together("B323", "begndate", conventions={"enddate": _said}, **{_kind: _columns})(
            _overlapping(_of, _key, flagged=_kind in FLAGGED, is_inclusive=_said == "inclusive")
        )
