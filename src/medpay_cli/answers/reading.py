"""An acknowledgement as it was received, taken apart: what it says of each file, and what of each record."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import polars as pl

from medpay_cli import control, dialects, files, judging
from medpay_cli.acknowledging import CLAIM, FILE
from medpay_cli.errors import ReadError
from medpay_cli.findings import ERROR
from medpay_cli.formats import ROW, Batch, archive
from medpay_cli.judging import VALID, Terms
from medpay_cli.partners import Partner
from medpay_cli.parts import fitted

UNREAD = "F223"
BATCH, DIGEST, AMOUNT, STATUS, CODE = "orig_batch_no", "orig_digest", "accept_amt", "ack_status", "err_code"
RECEIVED, ACCEPTED, REJECTED = "recv_count", "accept_count", "reject_count"
# What every row says of its file.
SAID = (BATCH, DIGEST, RECEIVED, ACCEPTED, REJECTED, AMOUNT)
NUMBERS = {**dict.fromkeys((RECEIVED, ACCEPTED, REJECTED), control.NUMBER_OF_RECORDS), AMOUNT: control.AMOUNT}
ROW_NUMBER = "^-?[0-9]{1,18}$"
# What a row says of a record.
TOLD = ("ack_level", STATUS, "row_no", CLAIM, "field_code", CODE, "err_msg_zh", "err_msg_en")
# Which row of the acknowledgement it is; no column can be called so.
AT = "\x1fat"


@dataclass(frozen=True)
class Answer:
    """What an acknowledgement says of one file: every different thing that stands in a column, the rows about the file,
    and those about records (AT and TOLD, `row_no` whole)."""

    facts: dict[str, list[str]]
    of_file: pl.DataFrame
    of_records: pl.DataFrame

    def said(self, name: str) -> str | None:
        """What is said of the file in a column; the first where it is several things."""
        return next(iter(self.facts[name]), None)

    def number(self, name: str) -> Decimal | None:
        """The same where it is a number."""
        said = self.said(name)
        return None if said is None else Decimal(said)


def read(path: str, dialect: str, partner: Partner | None) -> list[Answer]:
    """The answers in a file, one for each file that it answers, in order. Raises ReadError F223 where it cannot be
    relied on, MedpayError where it cannot be opened as asked."""
    parts, written = fitted(dialects.load(dialect, partner))
    name, frames, before = Path(path).name, list[pl.DataFrame](), 0
    try:
        sources = archive.inputs(files.Source.parse(path))
    except ReadError as err:
        raise ReadError(UNREAD, f"{name}: {err.code} {err.value or ''}".rstrip(), written.name) from err
    for source in sources:
        made = judging.judge_nodes(source, parts, written, _kept, Terms(with_rules=False))[0]
        if made.verdict.verdict != VALID:
            first = next(made.findings.frames()).filter(severity=ERROR).row(0, named=True)
            told = " ".join(str(first[one]) for one in ("code", "row", "field", "value") if first[one] is not None)
            raise ReadError(UNREAD, f"{name}: {told}", first["expected"] or written.name)
        for records, frame in made.also:
            frames.append(frame.with_columns(pl.col(AT) + before))
            before += records
    return _by_file(pl.concat(frames), name)


def _kept(batch: Batch, *_: object) -> tuple[int, pl.DataFrame]:
    """How many rows a batch has, and the columns that matter; a partner's own layout may lack some."""
    text = batch.text
    names = dict.fromkeys((*SAID, *TOLD))
    column = {name: pl.col(name) if name in text.columns else pl.lit(None, pl.String).alias(name) for name in names}
    column[DIGEST] = column[DIGEST].str.to_lowercase()
    return batch.records, text.select(pl.col(ROW).alias(AT), *column.values())


def _by_file(rows: pl.DataFrame, name: str) -> list[Answer]:
    """Rows of one digest are about one file; without digests, those of one number. Raises ReadError F223 for a number
    that is none: a layout of the user's need not say so."""
    no_rows = rows["row_no"].filter(~rows["row_no"].str.contains(ROW_NUMBER))
    if no_rows.len():
        raise ReadError(UNREAD, f"{name}: row_no {no_rows[0]}", "N")
    rows = rows.with_columns(pl.col("row_no").cast(pl.Int64))
    answers = []
    for _, own in rows.group_by(pl.coalesce(DIGEST, BATCH), maintain_order=True):
        facts = {name: own[name].drop_nulls().unique(maintain_order=True).to_list() for name in SAID}
        for column, form in NUMBERS.items():
            wrong = [said for said in facts[column] if not form.fullmatch(said)]
            if wrong:
                raise ReadError(UNREAD, f"{name}: {column} {wrong[0]}", "N" if column != AMOUNT else "N.NN")
        facts[AMOUNT] = _different(facts[AMOUNT])
        names_none = pl.col("row_no").is_null() & pl.col(CLAIM).is_null()
        is_of_file = (pl.col("ack_level") == FILE).fill_null(names_none) & pl.col("row_no").is_null()
        told = own.select(AT, *TOLD)
        answers.append(Answer(facts, told.filter(is_of_file), told.filter(~is_of_file)))
    return answers


def _different(amounts: list[str]) -> list[str]:
    """Amounts, each once, however it is written."""
    return list({Decimal(one): one for one in reversed(amounts)}.values())[::-1]
