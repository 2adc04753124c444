"""What is answered for files of a batch: first each file, then records that cannot be read as they should, then what
became of every record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

from medpay_cli import dialects, formats, manifests, money
from medpay_cli.batchfiles import ALGORITHM, BATCH, BatchFiles
from medpay_cli.control import Declared
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError
from medpay_cli.findings import ERROR, Outcome
from medpay_cli.formats import ROW, Batch, lines
from medpay_cli.formats.archive import Input
from medpay_cli.judging import NOT_JUDGED, Judgement
from medpay_cli.layouts import Layout
from medpay_cli.partners import Partner
from medpay_cli.parts import fitted
from medpay_cli.reports import Style
from medpay_cli.reports.machine import worded

LAYOUT, CLAIM = "acknowledgement", "claim_no"
# What is read of records that are answered.
LOOKS_AT = frozenset({CLAIM})
FILE, RECORD, BUSINESS = "1", "2", "3"
ACCEPTED, WITH_ERRORS, PARTLY, REFUSED = "A", "E", "P", "R"
# Findings of these families are about how a record is written, all others about what it says.
STRUCTURE = ("F", "L")
LEVELS = {ERROR: "E", "warning": "W"}
# What is longer than its column ends so.
CUT = "…"
# Where nobody says the number of a batch that could not be read.
UNKNOWN = "-"
AT_ONCE = 100_000

# The records of a batch, and what they are called by.
Called = tuple[int, pl.DataFrame]


@dataclass(frozen=True)
class Answered:
    """A file that is answered: how it was read, and what came of it."""

    source: Input
    layout: Layout
    dialect: Dialect
    said: Declared
    made: Judgement[Called | None]


def called(batch: Batch, *_: object) -> Called:
    """What the records of a batch are called by."""
    return batch.records, batch.text.select(ROW, *(CLAIM,) * (CLAIM in batch.text.columns))


def check(layout: Layout, dialect: Dialect, said: Declared) -> None:
    """Before an hour is spent on judging: raises MedpayError for what has no batch number or no amount, and for an
    answer, which nobody answers."""
    check_answerable(layout, dialect)
    items = [name for line in (dialect.head, dialect.tail) if line for name in line.items]
    if BATCH not in (*said.facts, *items):
        raise MedpayError("ack_no_batch", dialect=dialect.name)


def check_answerable(layout: Layout, dialect: Dialect) -> None:
    """The same, whatever its number is."""
    if layout.kind == LAYOUT:
        raise MedpayError("ack_of_ack", layout=layout.id)
    if dialect.nodes:
        raise MedpayError("answer_nodes", dialect=dialect.name)
    amount_of(layout, dialect)


def write(path: Path, out: BinaryIO, answered: Iterable[Answered], outcome: Outcome, partner: Partner | None) -> None:
    """Write the acknowledgement of files, in the dialect that theirs names, else in the format that its ending says."""
    answered = list(answered)
    parts, dialect = fitted(dialects.load(written_as(path, answered), partner))
    ((node, layout),) = parts.items()
    rows = (frame for one in answered for frame in _rows(one, outcome))
    formats.write(out, dialect, {node: layout.names}, ({node: _fitting(frame, layout)} for frame in rows))


def written_as(path: Path, files: list[Answered]) -> str:
    """The dialect of an acknowledgement of files: what theirs says, else what its ending does, CSV where that says
    nothing."""
    batch = files[0].dialect.batch
    said = batch.answers if batch else None
    return said or f"{formats.format_by(path) or 'csv'}:{LAYOUT}"


def _rows(one: Answered, outcome: Outcome) -> Iterator[pl.DataFrame]:
    """The rows about a file, layer by layer."""
    verdict = one.made.verdict
    is_judged = verdict.verdict != NOT_JUDGED
    rejected = verdict.rejected if is_judged else verdict.records
    totals = []
    if is_judged:
        amount = amount_of(one.layout, one.dialect)
        totals = [verdict.totals[amount], -verdict.rejected_totals[amount]]
    counts = {"recv_count": verdict.records, "accept_count": verdict.records - rejected, "reject_count": rejected}
    said = said_of(one)
    usual = (one.dialect.batch or BatchFiles()).digest
    batch = {
        "orig_batch_no": said.get(BATCH, UNKNOWN),
        "orig_digest": manifests.digest_of(one.source, said.get(ALGORITHM, usual), one.dialect.batch),
        **{name: str(count) for name, count in counts.items()},
        "accept_amt": money.written(money.total(totals), 2),
    }
    level = (
        REFUSED
        if not is_judged or (rejected and rejected == verdict.records)
        else PARTLY if rejected else WITH_ERRORS if one.made.findings.total else ACCEPTED
    )  # fmt: skip
    whole = pl.DataFrame({name: [value] for name, value in {**batch, "ack_level": FILE, "ack_status": level}.items()})
    yield whole
    constants = [pl.lit(value).alias(name) for name, value in batch.items()]
    of_file, of_record = pl.col("row").is_null(), pl.col("row").is_not_null()
    is_structure = pl.col("code").str.slice(0, 1).is_in(STRUCTURE)
    yield from _told(one, outcome, FILE, of_file, constants)
    if not is_judged:
        return  # of a file that is refused no record is answered
    yield from _told(one, outcome, RECORD, of_record & is_structure, constants)
    yield from _told(one, outcome, BUSINESS, of_record & ~is_structure, constants)
    yield from _every(one, constants)


def said_of(one: Answered) -> dict[str, str]:
    """What is said of a file, by its manifest and its name before its control lines."""
    return {**one.made.said, **{name: said[-1][1] for name, said in one.said.facts.items()}}


def amount_of(layout: Layout, dialect: Dialect) -> str:
    """The amount that is accepted. Raises MedpayError where nobody says which that is."""
    names = [one.name for one in layout.money]
    of = (dialect.batch.amount if dialect.batch else None) or (names[0] if len(names) == 1 else None)
    if of not in names:
        known = ", ".join(names) or "-"
        raise MedpayError("batch_key", path=dialect.name, name="accept_amt", where="amount", known=known)
    return of


def _told(
    one: Answered, outcome: Outcome, level: str, chosen: pl.Expr, constants: list[pl.Expr]
) -> Iterator[pl.DataFrame]:
    """A row for each finding of a layer, in both languages, nobody's data in it."""
    names = names_of(one)
    for found in one.made.findings.frames():
        some = found.filter(chosen)
        if some.is_empty():
            continue
        zh, en = (worded(some, outcome, Style(lang), people=True) for lang in ("zh", "en"))
        is_error = pl.col("severity") == ERROR
        row = zh.select(
            *constants,
            pl.lit(level).alias("ack_level"),
            pl.when(is_error).then(pl.lit(REFUSED)).otherwise(pl.lit(WITH_ERRORS)).alias("ack_status"),
            pl.col("row").alias("row_no"),
            pl.col("field").alias("field_code"),
            pl.col("value").alias("bad_value"),
            pl.col("code").alias("err_code"),
            pl.col("severity").replace(LEVELS).alias("err_level"),
            pl.col("message").alias("err_msg_zh"),
        ).with_columns(en["message"].alias("err_msg_en"))
        yield row.join(names, on="row_no", how="left", maintain_order="left") if names.width > 1 else row


def _every(one: Answered, constants: list[pl.Expr]) -> Iterator[pl.DataFrame]:
    """A row for each record: accepted or not."""
    wrong = pl.Series("wrong", lines.rejected(one.made.lines))
    names = names_of(one)
    for first in range(0, len(wrong), AT_ONCE):
        some = wrong.slice(first, AT_ONCE).to_frame().with_row_index("row_no", first + 1)
        rows = some.select(
            *constants,
            pl.lit(BUSINESS).alias("ack_level"),
            pl.when("wrong").then(pl.lit(REFUSED)).otherwise(pl.lit(ACCEPTED)).alias("ack_status"),
            pl.col("row_no").cast(pl.UInt64),
        )
        yield rows.join(names, on="row_no", how="left", maintain_order="left") if names.width > 1 else rows


def names_of(one: Answered) -> pl.DataFrame:
    """What each record that could be read is called by."""
    frames, before = [], 0
    for also in one.made.also:
        records, frame = also or (0, pl.DataFrame({ROW: pl.Series([], dtype=pl.UInt64)}))
        frames.append(frame.rename({ROW: "row_no"}).with_columns((pl.col("row_no") + before).cast(pl.UInt64)))
        before += records
    return pl.concat(frames) if frames else pl.DataFrame(schema={"row_no": pl.UInt64})


def _fitting(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The columns of the layout; what is too long for one ends in a mark that says so."""
    columns = []
    for one in layout.fields:
        column = pl.col(one.name).cast(pl.String) if one.name in frame.columns else pl.lit(None, pl.String)
        most = dict(one.asserted).get("maxLength")
        if most is not None:
            is_long = column.str.len_chars() > most
            column = pl.when(is_long).then(column.str.slice(0, most - 1) + CUT).otherwise(column)
        columns.append(column.alias(one.name))
    return frame.select(columns)
