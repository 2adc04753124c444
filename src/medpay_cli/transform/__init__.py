"""Transform: records of one layout become records of another, checked on both ends, and not a fen is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import BinaryIO

import polars as pl

from medpay_cli import files, formats, manifests, mappings, money
from medpay_cli.batches import Batches
from medpay_cli.dialects import Dialect
from medpay_cli.errors import InternalError, MedpayError
from medpay_cli.files import Source
from medpay_cli.findings import ERROR, FileVerdict, Findings, Outcome
from medpay_cli.judging import NOT_JUDGED, Terms
from medpay_cli.layouts import Field
from medpay_cli.mappings import MappingFile
from medpay_cli.partners import Partner
from medpay_cli.reports import Style
from medpay_cli.transform import grouping, nesting, publishing
from medpay_cli.transform.aside import aside
from medpay_cli.transform.binding import Binding, Chosen, Taken
from medpay_cli.transform.converting import Conservation, Conversion, Target, reject_across
from medpay_cli.transform.families import reject_families
from medpay_cli.transform.publishing import Beside, Content, Limit, Part
from medpay_cli.validate import exit_code, opened


@dataclass(frozen=True)
class Amount:
    """What became of an amount of the target: what came in under the name of its source, went out, was rejected, and
    was left out by the mapping. Of an amount that the mapping makes only what went out is known."""

    node: str | None
    name: str
    scale: int
    out: Decimal
    source: str | None = None
    came: Decimal | None = None
    rejected: Decimal | None = None
    left_out: Decimal | None = None


@dataclass(frozen=True)
class Other:
    """An input that was joined: how many of its records the mapping wants, how many of them no record asked for."""

    kind: str
    path: str
    records: int
    unasked: int


@dataclass
class Transformation:
    """What `transform` did: both ends' findings, the files, and the balance of records and amounts."""

    mapping: str
    out: Path
    layout: str
    dialect: str
    source: Outcome
    target: Outcome
    exit_code: int
    parts: list[Part] = field(default_factory=list)
    rejected_files: list[str] = field(default_factory=list)
    # The number of the batch, and what was written beside its files.
    batch_no: str | None = None
    manifests: list[str] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)
    amounts: list[Amount] = field(default_factory=list)
    # Nodes of the source that the mapping does not take, and how many records each holds.
    unmapped: dict[str, int] = field(default_factory=dict)
    # Inputs that were joined.
    others: list[Other] = field(default_factory=list)
    incomplete: str | None = None


def transform(
    paths: Iterable[str],
    mapping: str,
    out: Path,
    *,
    layout: str | None = None,
    dialect: str | None = None,
    to_dialect: str | None = None,
    terms: Terms | None = None,
    given: Mapping[str, str] | None = None,
    others: Mapping[str, str] | None = None,
    accepted_only: bool = False,
    limit: Limit | None = None,
    style: Style | None = None,
    partner: Partner | None = None,
    batch_no: str | None = None,
) -> Transformation:
    """Map the records of all inputs, in order, to `out`, as a mapping (a shipped name or FILE.toml) says; what it
    asks for at the run is `given`, and what names, control lines and manifests say of a batch; the inputs that it joins
    are the `others`.

    With a `batch_no` what is written is that batch, for ever: its manifest comes last.

    Records with an error, on either end, stop it: nothing is written. With `accepted_only` they are left out, and stand
    beside `out` in the source's layout. Raises MedpayError for what cannot be done as asked, InternalError where
    records or amounts do not tie.
    """
    used = mappings.load(mapping)
    paths = list(paths)
    if others and "join" not in used.document:
        raise MedpayError("mapping_with", path=mapping, names="-", given=", ".join(others))
    if str(out) == "-":
        raise MedpayError("side_option", option="-o", text="-", form="OUT")
    files.check_targets((out,), [*paths, *(others or {}).values()])
    # What only writes records anew holds them against their layouts, not against what rules know of their content.
    held = replace(terms or Terms(), with_rules=used.source is not None)
    held = replace(held, profile=partner.profile) if partner else held
    used = used.under(held.profile.conventions)
    reading = Binding(used, out, layout, dialect, to_dialect, given or {}, held, partner, batch_no, others=others or {})
    reading.beside = Batches(partner, held.manifest)
    is_beside = manifests.beside_in(dialect or (used.source.dialect if used.source else None), partner)
    inputs = [one for path in paths for one in opened(Source.parse(path), is_beside)]
    taken = [reading.read(source, broken) for source, broken in inputs]
    reading.beside.check_whole()
    chosen = reading.target
    conversions = [of for one in taken for of in one.conversions.values()]
    for node in {of.target.node for of in conversions}:
        reject_across([of for of in conversions if of.target.node == node])
    is_judged = all(one.verdict.verdict != NOT_JUDGED for taking in taken for one in taking.judgements)
    if accepted_only and chosen and is_judged:
        reject_families(taken, chosen)
    result = _told(used, out, taken, chosen)
    result.others = [Other(one.join.kind, one.path, one.records, one.unasked) for one in reading.partners or ()]
    if not is_judged:
        return replace(result, incomplete="not_judged")
    if chosen is None or (result.exit_code and not accepted_only):
        return replace(result, incomplete="findings")
    if reading.seal and reading.seal.out is None:
        if limit and limit != Limit() and not reading.seal.is_numbered:
            raise MedpayError("dialect_fault", path=chosen.dialect.name, reason="batch name: {part}")
        result.out = reading.seal.named(1)
        files.check_targets((result.out,), paths)
    beside = aside(result.out, (result.source, result.target), taken, style or Style("en")) if result.exit_code else {}
    files.check_targets(beside, paths)
    with reading.seal.claimed() if reading.seal else contextlib.nullcontext(lambda: None) as done:
        if not _write(result, taken, chosen, limit or Limit(), beside, reading):
            return replace(result, exit_code=1, incomplete="findings")
        if reading.seal:
            # Behind the data for good: a file without its manifest is not there yet, never the reverse.
            result.batch_no = batch_no
            result.manifests = [files.shown(str(path)) for path in reading.seal.publish(result.parts)]
            done()
    result.rejected_files = [files.shown(str(path)) for path in beside]
    return replace(result, incomplete="accepted_only" if beside else None)


def _told(used: MappingFile, out: Path, taken: list[Taken], chosen: Chosen | None) -> Transformation:
    """What was found on both ends."""
    judgements = [made for one in taken for made in one.judgements]
    targets = [of.desk.made for one in taken for of in one.conversions.values() if of.desk]
    source_fields = [one for taking in taken for layout in taking.parts.values() for one in layout.fields]
    target_fields = [one for layout in chosen.parts.values() for one in layout.fields] if chosen else []
    worded = {name for one in taken for of in one.conversions.values() for name in of.target.plan.worded}
    source = _outcome([one.verdict for one in judgements], [one.findings for one in judgements], source_fields)
    target = _outcome([one.verdict for one in targets], [one.findings for one in targets], target_fields, worded)
    code = exit_code([[made.verdict for made in one.judgements] for one in taken], source.findings)
    if not code and target.findings.count(ERROR):
        code = 1
    unmapped = [
        made.verdict for one in taken for made in one.judgements if one.conversions
        and made.verdict.node not in one.conversions
    ]  # fmt: skip
    return Transformation(
        unmapped={str(of): sum(one.records for one in unmapped if one.node == of) for of in {v.node for v in unmapped}},
        mapping=used.name,
        out=out,
        layout=", ".join(one.id for one in chosen.parts.values()) if chosen else "",
        dialect=chosen.dialect.name if chosen else "",
        source=source,
        target=target,
        exit_code=code,
    )


def _outcome(
    verdicts: list[FileVerdict], found: list[Findings], fields: list[Field], worded: Collection[str] = ()
) -> Outcome:
    together = found[0] if len(found) == 1 else Findings()
    for one in found if len(found) > 1 else ():
        together.extend(one)
    return Outcome(
        files=verdicts,
        findings=together,
        exit_code=0,
        titles={one.name: (one.title("zh"), one.title("en")) for one in fields},
        sensitivity={one.name: one.sensitivity for one in fields if one.sensitivity},
        plain=frozenset(
            one.name for one in fields if (not one.is_text or one.codes or one.form) and one.name not in worded
        ),
    )


def _write(
    result: Transformation, taken: list[Taken], chosen: Chosen, limit: Limit, beside: Beside, reading: Binding
) -> bool:
    """Publish the accepted records, and only if everything ties; False where groups of them are wrong."""
    conversions = [of for one in taken for of in one.conversions.values()]
    balance = {of.target.node: (Conservation(), Conservation()) for of in conversions}
    names = {node: layout.names for node, layout in chosen.parts.items()}
    result.records = {"in": 0, "out": 0, "rejected": 0, "left_out": 0}
    written = _as_wide(chosen.dialect, taken)

    def frames(node: str | None) -> Iterator[pl.DataFrame]:
        for of in conversions:
            if of.target.node == node:
                yield from of.records(*balance[node])

    def write_chunks(file: BinaryIO, chunks: Iterable[nesting.Chunk]) -> Content | None:
        if reading.seal:
            return reading.seal.write(file, written, names, chunks)
        formats.write(file, written, names, chunks)
        return None

    named = reading.seal.named if reading.seal and reading.seal.out is None else None

    if chosen.members:
        # A file without records is none: nobody could judge it.
        full = [node for node in chosen.members if _accepted(conversions, node)]
        size = _published_members(result.out, chosen, full, frames, beside, partial(_prove, result, taken, balance))
        result.parts = [Part(result.out, result.records["out"], size)]
        return True
    if reading.mapping.apart:
        if limit != Limit():
            raise MedpayError("split_nodes", dialect=written.name)
        first = written.parts[0].name
        lists = nesting.apart(first, {node: frames(node) for node in balance}, reading.mapping.apart)
        count, prove = _accepted(conversions, first), partial(_prove, result, taken, balance)
        if named and count > 1 and not (reading.seal and reading.seal.is_numbered):
            raise MedpayError("dialect_fault", path=written.name, reason="batch name: {part}")
        each = _each_apart(lists, count, write_chunks, prove)
        result.parts = publishing.publish_each(result.out, written, [1] * count, each, beside, named)
        return True
    if len(balance) > 1:
        if limit != Limit():
            raise MedpayError("split_nodes", dialect=written.name)
        contents: list[Content | None] = []

        def nested(file: BinaryIO) -> None:
            chunks = nesting.chunks(written, {node: frames(node) for node in balance})
            contents.append(write_chunks(file, chunks))
            _prove(result, taken, balance)

        size = publishing.publish_whole(result.out, written, nested, beside)
        result.parts = [Part(result.out, result.records["out"], size, contents[-1])]
        return True
    (node,) = balance
    records: Iterator[pl.DataFrame] = frames(node)
    accepted = _accepted(conversions, node)
    if reading.after and reading.after.plan.before:
        text = _grouped(result, records, reading.after, chosen, written, reading.terms)
        if text is None:
            return False
        records, accepted = iter([text]), text.height

    def proved() -> Iterator[pl.DataFrame]:
        yield from records
        _prove(result, taken, balance)

    def write(file: BinaryIO, records: Iterable[pl.DataFrame]) -> Content | None:
        return write_chunks(file, ({node: one} for one in records))

    result.parts = publishing.publish(result.out, written, proved(), accepted, limit, write, beside, named)
    return True


def _grouped(
    result: Transformation, records: Iterator[pl.DataFrame], after: Target, chosen: Chosen, written: Dialect,
    terms: Terms,
) -> pl.DataFrame | None:  # fmt: skip
    """What becomes of the groups of the records; None where some of them are wrong."""
    assert after.plan.before is not None  # noqa: S101 - only called where there are groups
    found = grouping.groups(records, after.plan.before)
    made, text = grouping.judged(after.plan, found, result.out, after.node, written, terms)
    fields = [one for layout in chosen.parts.values() for one in layout.fields]
    result.target = _outcome([made.verdict], [made.findings], fields, after.plan.worded)
    return None if made.findings.count(ERROR) else text


def _accepted(conversions: list[Conversion], node: str | None) -> int:
    return sum(of.accepted for of in conversions if of.target.node == node)


def _published_members(
    out: Path, chosen: Chosen, full: list[str | None], frames: Callable[[str | None], Iterator[pl.DataFrame]],
    beside: Beside, prove: Callable[[], None],
) -> int:  # fmt: skip
    """An archive with a file for each node; its size."""

    def member(node: str | None, file: BinaryIO) -> None:
        records: Iterator[nesting.Chunk] = ({None: frame} for frame in frames(node))
        formats.write(file, chosen.members[node], {None: chosen.parts[node].names}, records)
        if node == full[-1]:
            prove()

    members = {str(node): (chosen.members[node], partial(member, node)) for node in full}
    return publishing.publish_members(out, members, beside)


def _each_apart(
    lists: Iterator[nesting.Chunk], count: int, write: Callable[[BinaryIO, Iterable[nesting.Chunk]], Content | None],
    prove: Callable[[], None],
) -> Callable[[BinaryIO], Content | None]:  # fmt: skip
    """Writes a message for each of so many records; before any of them is seen, everything has its place and ties."""
    left = iter(range(count - 1, -1, -1))

    def each(file: BinaryIO) -> Content | None:
        content = write(file, iter([next(lists)]))
        if next(left) == 0:
            next(lists, None)  # raises where records are left that belong to none
            prove()
        return content

    return each


def _as_wide(dialect: Dialect, taken: list[Taken]) -> Dialect:
    """In its own dialect a source keeps its width, where that has several."""
    widths = [of.width or 0 for one in taken for of in one.conversions.values()]
    same = all(one.dialect.name == dialect.name for one in taken)
    return replace(dialect, widths=(max(widths),)) if same and all(widths) else dialect


def _prove(
    result: Transformation, taken: list[Taken], balance: Mapping[str | None, tuple[Conservation, Conservation]]
) -> None:
    """What came in went out, was rejected or was left out, by count and to the fen, or nothing leaves this program."""
    conversions = [(one, node, of) for one in taken for node, of in one.conversions.items()]
    for goes_to, (out, rejected) in balance.items():
        here = [(one, node, of) for one, node, of in conversions if of.target.node == goes_to]
        verdicts = [next(made.verdict for made in one.judgements if made.verdict.node == node) for one, node, _ in here]
        plan = here[0][2].target.plan
        left = sum(of.left_out.records for *_, of in here)
        came = sum(verdict.records for verdict in verdicts)
        _tie("records", came, out.records + rejected.records + left)
        for name, count in (("in", came), ("out", out.records), ("rejected", rejected.records), ("left_out", left)):
            result.records[name] += count
        for one in plan.target.money:
            amount = Amount(goes_to, one.name, one.scale, money.total([out.sums.get(one.name)]))
            if source := plan.carried.get(one.name):
                amount = replace(
                    amount,
                    source=source,
                    came=money.total(verdict.totals[source] for verdict in verdicts),
                    rejected=money.total([rejected.sums.get(one.name)]),
                    left_out=money.total(of.left_out.sums.get(one.name) for *_, of in here),
                )
                gone = money.total([amount.out, amount.rejected, amount.left_out])
                _tie(f"{source} → {one.name}", amount.came, gone)
            result.amounts.append(amount)


def _tie(what: str, left: object, right: object) -> None:
    if left != right:
        raise InternalError("tie_out", what=what, left=left, right=right)
