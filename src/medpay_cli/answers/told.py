"""What is found of records that were answered for, or of which an answer says nothing."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from medpay_cli import findings
from medpay_cli.acknowledging import CLAIM, Answered
from medpay_cli.answers.reading import AT, CODE, STATUS
from medpay_cli.answers.records import REFUSING, WHY, Records
from medpay_cli.desk import key_of
from medpay_cli.findings import ERROR, FileVerdict
from medpay_cli.formats import LINE, PATH, ROW
from medpay_cli.judging import Terms
from medpay_cli.layouts import Layout

REFUSED, REMARKED, SILENT, STRAY = "B207", "B208", "B209", "B210"
# A shorter cell of a person is no word of which anything could be known.
SHORTEST = 2
HIDDEN = "***"
NUMBERS = r"[0-9]{10,}[0-9Xx]?"
_TEXT, _FIELD, _LEVEL = "\x1ftext", "\x1ffield", "\x1flevel"


def words() -> pl.Expr:
    """The words of the receiver: the code and the message, in both languages where there are two."""
    messages = pl.concat_list("err_msg_zh", "err_msg_en").list.drop_nulls().list.unique(maintain_order=True)
    said = pl.concat_list(pl.concat_list(CODE).list.drop_nulls(), messages).list.join(" | ")
    return pl.when(said != "").then(said).alias(_TEXT)


def without_numbers(said: pl.Expr) -> pl.Expr:
    """Words without what may be the number of a card or a telephone."""
    return said.str.replace_all(NUMBERS, HIDDEN)


def of_records(text: pl.DataFrame, found: Records, one: Answered, terms: Terms) -> pl.DataFrame:
    """The findings on some records, sorted by record."""
    number = text[ROW].to_numpy() - 1
    marked = text.with_columns(
        pl.Series(_LEVEL + "refused", found.refused[number]), pl.Series(_LEVEL + "silent", found.silent[number])
    )
    reasons = found.reasons.select(
        pl.col("row_no").cast(pl.UInt64).alias(ROW), pl.col("field_code").alias(_FIELD), words(),
        pl.col(STATUS).is_in(REFUSING).alias(_LEVEL),
    )  # fmt: skip
    given = marked.join(reasons, on=ROW, how="inner", maintain_order="left")
    refusing = given.filter(_LEVEL)
    bare = marked.filter(_LEVEL + "refused").join(refusing.select(ROW), on=ROW, how="anti")
    remarks = given.filter(~pl.col(_LEVEL)) if terms.applies(REMARKED) else given.clear()
    nothing = [pl.lit(None, pl.String).alias(name) for name in (_FIELD, _TEXT)]
    parts = [
        (REFUSED, ERROR, refusing),
        (REFUSED, ERROR, bare.with_columns(nothing)),
        (REMARKED, terms.severity(REMARKED), remarks),
        (SILENT, ERROR, marked.filter(_LEVEL + "silent").with_columns(nothing)),
    ]
    frames = [_frame(code, level, rows, one) for code, level, rows in parts if rows.height]
    return pl.concat(frames).sort("row", "field", "code", maintain_order=True) if frames else findings.none()


def _frame(code: str, level: str, rows: pl.DataFrame, one: Answered) -> pl.DataFrame:
    verdict, layout = one.made.verdict, one.layout
    named = rows[_FIELD].drop_nulls().unique().to_list()
    own = [name for name in named if name in layout.names]
    is_own = pl.col(_FIELD).is_in(own)
    value = pl.coalesce(
        pl.lit(None, pl.String), *(pl.when(pl.col(_FIELD) == name).then(pl.col(name)) for name in own)
    )  # fmt: skip
    said = _discreet(layout)
    # A field that the layout does not have is a word of the receiver's.
    told = pl.when(is_own | pl.col(_FIELD).is_null()).then(said).otherwise(pl.col(_FIELD) + ": " + said)
    return findings.frame(
        code, rows, severity=level, file=verdict.path, member=verdict.member, node=verdict.node,
        row=pl.col(ROW), line=pl.col(LINE), field=pl.when(is_own).then(_FIELD), value=value, expected=told,
        key=key_of(layout), path=pl.col(PATH) if PATH in rows.columns else None,
    )  # fmt: skip


def _discreet(layout: Layout) -> pl.Expr:
    """The words of the receiver without what the record itself says of a person."""
    said = pl.col(_TEXT)
    names = [field.name for field in layout.fields if field.sensitivity == "direct"]
    if not names:
        return without_numbers(said)
    # A name may stand in a longer one, which goes first.
    length = pl.element().str.len_chars()
    cells = pl.concat_list(names).list.eval(pl.element().filter(length >= SHORTEST))
    cells = cells.list.eval(pl.element().sort_by(length, descending=True))
    for number in range(len(names)):
        cell = cells.list.get(number, null_on_oob=True)
        said = pl.when(cell.is_not_null()).then(said.str.split(cell).list.join(HIDDEN)).otherwise(said)
    return without_numbers(said)


def stray(rows: pl.DataFrame, name: str, verdict: FileVerdict) -> Iterator[pl.DataFrame]:
    """The findings on answers for records that were never sent; they stand in no record of ours."""
    if rows.is_empty():
        return
    is_named = pl.col(CLAIM).is_not_null() & ~pl.col("outside")
    place = pl.lit(f"{name} ") + pl.col(AT).cast(pl.String) + ": " + pl.col(WHY)
    yield findings.frame(
        STRAY, rows.sort(AT), file=verdict.path, member=verdict.member, node=verdict.node,
        field=pl.when(is_named).then(pl.lit(CLAIM)).otherwise(pl.lit("row_no")),
        value=pl.when(is_named).then(CLAIM).otherwise(pl.col("row_no").cast(pl.String)), expected=place,
    )  # fmt: skip
