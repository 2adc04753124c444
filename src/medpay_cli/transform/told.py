"""What is told of a transform: both ends' findings, the files, and the balance of records and amounts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from medpay_cli.findings import ERROR, FileVerdict, Findings, Outcome
from medpay_cli.layouts import Field
from medpay_cli.mappings import MappingFile
from medpay_cli.transform.binding import Chosen, Taken
from medpay_cli.transform.publishing import Part
from medpay_cli.validate import exit_code


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


def told(used: MappingFile, out: Path, taken: list[Taken], chosen: Chosen | None) -> Transformation:
    """What was found on both ends."""
    judgements = [made for one in taken for made in one.judgements]
    targets = [of.desk.made for one in taken for of in one.conversions.values() if of.desk]
    source_fields = [one for taking in taken for layout in taking.parts.values() for one in layout.fields]
    target_fields = [one for layout in chosen.parts.values() for one in layout.fields] if chosen else []
    worded = {name for one in taken for of in one.conversions.values() for name in of.target.plan.worded}
    source = outcome([one.verdict for one in judgements], [one.findings for one in judgements], source_fields)
    target = outcome([one.verdict for one in targets], [one.findings for one in targets], target_fields, worded)
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


def outcome(
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
