"""What was sent is held against the answer to it: every record was accepted, refused or not answered for, and the
numbers of both sides tie."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl

from medpay_cli import checks, findings, manifests, money
from medpay_cli.acknowledging import UNKNOWN, Answered, amount_of, names_of, said_of, written_as
from medpay_cli.answers import records, told
from medpay_cli.answers.reading import (
    ACCEPTED,
    AMOUNT,
    BATCH,
    CODE,
    DIGEST,
    RECEIVED,
    REJECTED,
    SAID,
    STATUS,
    Answer,
    read,
)
from medpay_cli.answers.records import Records
from medpay_cli.batchfiles import ALGORITHM, BatchFiles
from medpay_cli.batchfiles import BATCH as NUMBER
from medpay_cli.desk import added, file_of
from medpay_cli.errors import ReadError, StorageError
from medpay_cli.findings import ERROR
from medpay_cli.formats import IN_LINES, ROW, lines
from medpay_cli.judging import FOUND, NOT_JUDGED, VALID, Terms
from medpay_cli.partners import Partner

CONTRADICTED, DISAGREEING = "B201", "B204"
# What the status of a file says of the number of its records that were accepted, or refused: there are none.
NONE_OF = {"A": REJECTED, "E": REJECTED, "R": ACCEPTED}


def hold(sent: list[Answered], path: str, terms: Terms, partner: Partner | None) -> None:
    """Hold files that were judged against the answer to them: what was refused, or not answered for, is rejected; a
    file whose answer contradicts it is not judged. Raises MedpayError where the answer cannot be opened as asked."""
    judged = [one for one in sent if one.made.verdict.verdict != NOT_JUDGED]
    if not judged:
        return
    name = Path(path).name
    try:
        answers = read(path, written_as(Path(path), sent), partner)
    except ReadError as err:
        for one in judged:
            _unjudge(one, err.code, [(None, err.value, err.expected)])
        return
    taken = []
    for one in judged:
        answer = _of(one, answers, name)
        if answer is not None:
            taken.append(answer)
            _hold(one, answer, name, terms)
    # Where one file was sent and all is about another, that is told of the file already.
    for answer in answers if taken else ():
        if not any(answer is one for one in taken):
            _add(judged[-1], told.STRAY, [(DIGEST, answer.said(DIGEST) or answer.said(BATCH), name)])


def _of(one: Answered, answers: list[Answer], name: str) -> Answer | None:
    """The answer to a file; None where there is none, which leaves the file unjudged."""
    digests = list(_digests(one, {len(answer.said(DIGEST) or "") for answer in answers}))
    number = said_of(one).get(NUMBER)
    for answer in answers:
        if answer.said(DIGEST) in digests:
            return answer
    # Where digests are not told, the number has to do.
    named = [answer for answer in answers if answer.said(DIGEST) is None and answer.said(BATCH) == number]
    if number is not None and len(named) == 1:
        return named[0]
    numbers = ", ".join(dict.fromkeys(answer.said(BATCH) or UNKNOWN for answer in answers))
    if number is not None and number not in numbers.split(", "):
        _unjudge(one, DISAGREEING, [(BATCH, number, f"{name} {numbers}")])
    others = ", ".join(dict.fromkeys(answer.said(DIGEST) or UNKNOWN for answer in answers))
    _unjudge(one, DISAGREEING, [(DIGEST, digests[0], f"{name} {others}")])
    return None


def _digests(one: Answered, lengths: set[int]) -> Iterator[str]:
    """The digests of a file: by the algorithm that is agreed, then by the others; an answer does not say by which."""
    usual = said_of(one).get(ALGORITHM, (one.dialect.batch or BatchFiles()).digest)
    yield manifests.digest_of(one.source, usual, one.dialect.batch)
    for algorithm, (_, length) in manifests.ALGORITHMS.items():
        if algorithm != usual and length in lengths:
            with contextlib.suppress(StorageError):
                yield manifests.digest_of(one.source, algorithm, one.dialect.batch)


def _hold(one: Answered, answer: Answer, name: str, terms: Terms) -> None:
    verdict = one.made.verdict
    found = records.resolved(answer, names_of(one), verdict.records)
    wrong = [
        (column, said[0], f"{name} {', '.join(said[1:])}") for column in SAID if len(said := answer.facts[column]) > 1
    ]
    number, own = said_of(one).get(NUMBER), answer.said(BATCH)
    if number is not None and own not in (None, UNKNOWN, number):
        wrong.append((BATCH, number, f"{name} {own}"))
    status = _status(answer)
    none_of = NONE_OF.get(status or "")
    if none_of is not None and answer.number(none_of):
        wrong.append((STATUS, f"{name} {status}", f"{none_of} {answer.said(none_of)}"))
    wrong += [(STATUS, f"row {row}: A", f"{name} R") for row in found.contradictory]
    if status == "R":
        wrong += [(STATUS, f"row {row}: A", f"{name} R") for row in found.only("accepted")[:1]]
        found = found.refused_whole()
    elif found.is_of_others_only and _ties(answer, found):
        found = found.accepted_else()
    left_out = _reject(one, found, terms)
    of_file = _reasons(answer, refused=status == "R")
    if status == "R":
        _add(one, told.REFUSED, [(None, None, "; ".join(of_file) or status)])
    elif terms.applies(told.REMARKED):
        _add(one, told.REMARKED, [(None, None, said) for said in of_file], terms.severity(told.REMARKED))
    for frame in told.stray(found.stray, name, verdict):
        one.made.findings.add(frame)
        verdict.verdict = FOUND
    amount = amount_of(one.layout, one.dialect)
    sums = {
        "accepted": money.total([verdict.totals[amount], -left_out["refused"][amount], -left_out["silent"][amount]])
    }
    sums["silent"] = left_out["silent"][amount]
    _unjudge(one, DISAGREEING, wrong)
    _unjudge(one, CONTRADICTED, _numbers(answer, found, sums, verdict.scales[amount]))


def _status(answer: Answer) -> str | None:
    """What became of the file: rows that give a reason say it only where no other does."""
    rows = answer.of_file.filter(pl.col(CODE).is_null())
    known = (rows if rows.height else answer.of_file)[STATUS].drop_nulls().unique(maintain_order=True).to_list()
    return "R" if "R" in known else next(iter(known), None)


def _reasons(answer: Answer, *, refused: bool) -> list[str]:
    """What is said of a file as a whole; of one that was refused only why."""
    rows = answer.of_file.filter(pl.col(CODE).is_not_null() & ((pl.col(STATUS) == "R") | (not refused)))
    return rows.select(told.without_numbers(told.words())).to_series().drop_nulls().to_list()


def _ties(answer: Answer, found: Records) -> bool:
    """Whether an answer that names only what it refuses counts all others as accepted."""
    accepted = found.count("accepted") + found.count("silent")
    return answer.number(ACCEPTED) == accepted and answer.number(REJECTED) == found.count("refused")


def _numbers(answer: Answer, found: Records, sums: dict[str, Decimal], scale: int) -> Iterator[tuple[str, str, str]]:
    """Where the numbers of the answer are not those of what was sent. A record that is not answered for may have been
    counted as either."""
    accepted, refused, silent = (found.count(one) for one in ("accepted", "refused", "silent"))
    told_of = {name: answer.number(name) for name in (RECEIVED, ACCEPTED, REJECTED)}
    ranges = {
        RECEIVED: (found.height, found.height),
        ACCEPTED: (accepted, accepted + silent),
        REJECTED: (refused, refused + silent),
    }
    for name, (least, most) in ranges.items():
        said = told_of[name]
        if said is not None and not least <= said <= most:
            yield name, str(least) if least == most else f"{least}..{most}", str(said)
    both = [told_of[name] for name in (ACCEPTED, REJECTED)]
    if None not in both and told_of[RECEIVED] is not None and sum(filter(None, both)) > (told_of[RECEIVED] or 0):
        yield RECEIVED, f"{ACCEPTED} + {REJECTED} = {sum(filter(None, both))}", str(told_of[RECEIVED])
    said = answer.number(AMOUNT)
    # Which of the silent ones are in the sum is only known where all or none of them are counted.
    possible = {accepted: sums["accepted"], accepted + silent: money.total([sums["accepted"], sums["silent"]])}
    expected = possible.get(int(told_of[ACCEPTED] or 0), sums["accepted"] if not silent else None)
    if said is not None and expected is not None and said != expected:
        yield AMOUNT, money.written(expected, scale), str(answer.said(AMOUNT))


def _reject(one: Answered, found: Records, terms: Terms) -> dict[str, dict[str, Decimal]]:
    """Put a finding on every record that is not accepted without a word, reject those that are not, and say what
    amounts these have."""
    made, verdict = one.made, one.made.verdict
    left_out = {name: dict.fromkeys(verdict.totals, Decimal(0)) for name in ("refused", "silent", "newly")}
    before = lines.rejected(made.lines)
    readable = np.zeros(verdict.records, np.bool_)
    readable[names_of(one)["row_no"].to_numpy() - 1] = True
    newly = (found.refused | found.silent) & readable
    if terms.applies(told.REMARKED) and terms.severity(told.REMARKED) == ERROR:  # to this partner
        newly |= found.remarked & readable
    wanted = (newly | found.remarked) & readable
    marks = {"refused": found.refused, "silent": found.silent, "newly": newly & ~before}

    def frames() -> Iterator[pl.DataFrame]:
        for text in made.again(wanted):
            rows = text[ROW].to_numpy() - 1
            amounts = text.select(checks.typed(field).alias(field.name) for field in one.layout.money)
            for name, marked in marks.items():
                left_out[name] = added(left_out[name], money.sums(amounts.filter(pl.Series(marked[rows]))))
            yield told.of_records(text, found, one, terms)

    if wanted.any():
        made.findings.merge(frames(), "line" if one.dialect.format in IN_LINES else "row")
        lines.reject(made.lines, newly)
        verdict.rejected += int((newly & ~before).sum())
        verdict.rejected_totals = added(verdict.rejected_totals, left_out["newly"])
        if verdict.verdict == VALID and made.findings.count(ERROR):
            verdict.verdict = FOUND
    return left_out


def _unjudge(one: Answered, code: str, found: Iterable[tuple[str | None, str | None, str | None]]) -> None:
    told_of = list(found)
    if told_of:
        _add(one, code, told_of)
        one.made.verdict.verdict = NOT_JUDGED


def _add(
    one: Answered, code: str, found: Iterable[tuple[str | None, str | None, str | None]], severity: str = ERROR
) -> None:
    """Findings about a file as a whole: field, what was sent, what is answered."""
    verdict = one.made.verdict
    if verdict.verdict == VALID and severity == ERROR:
        verdict.verdict = FOUND
    for field, value, expected in found:
        one.made.findings.add(
            findings.frame(
                code, file_of(verdict), severity=severity, file=pl.col("file"), member=pl.col("member"),
                node=verdict.node, field=field, value=value, expected=expected,
            )
        )  # fmt: skip
