"""Transform: records of one layout become records of another, checked on both ends, and not a fen is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from medpay_cli import files, manifests, mappings
from medpay_cli.batches import Batches
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.formats.archive import Input
from medpay_cli.judging import NOT_JUDGED, Terms
from medpay_cli.partners import Partner
from medpay_cli.reports import Style
from medpay_cli.transform import told, writing
from medpay_cli.transform.across import reject_across
from medpay_cli.transform.aside import aside
from medpay_cli.transform.binding import Binding
from medpay_cli.transform.families import reject_families
from medpay_cli.transform.publishing import Limit
from medpay_cli.transform.straight import AnewError, Straight
from medpay_cli.transform.told import Other, Transformation
from medpay_cli.validate import opened


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
    is_beside = manifests.beside_in(dialect or (used.source.dialect if used.source else None), partner)
    inputs = [one for path in paths for one in opened(Source.parse(path), is_beside)]
    reading = Binding(used, out, layout, dialect, to_dialect, given or {}, held, partner, batch_no, others=others or {})
    # What is left out, and how large a part is, shows in the end only; a device has no place where nobody sees it.
    if not accepted_only and limit in (None, Limit()) and not files.is_device(out):
        with contextlib.suppress(AnewError), Straight(out, len(inputs)) as straight:
            return _transformed(replace(reading, straight=straight), inputs, paths, limit, style, accepted_only)
    return _transformed(reading, inputs, paths, limit, style, accepted_only)


def _transformed(
    reading: Binding, inputs: list[tuple[Input, ReadError | None]], paths: list[str], limit: Limit | None,
    style: Style | None, accepted_only: bool,
) -> Transformation:  # fmt: skip
    """The same of opened inputs. Raises AnewError."""
    used, out = reading.mapping, reading.out
    reading.beside = Batches(reading.partner, reading.terms.manifest)
    taken = [reading.read(source, broken) for source, broken in inputs]
    reading.beside.check_whole()
    chosen = reading.target
    conversions = [of for one in taken for of in one.conversions.values()]
    for node in {of.target.node for of in conversions}:
        reject_across([of for of in conversions if of.target.node == node])
    is_judged = all(one.verdict.verdict != NOT_JUDGED for taking in taken for one in taking.judgements)
    if accepted_only and chosen and is_judged:
        reject_families(taken, chosen)
    result = told.told(used, out, taken, chosen)
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
        if not writing.write(result, taken, chosen, limit or Limit(), beside, reading):
            return replace(result, exit_code=1, incomplete="findings")
        if reading.seal:
            # Behind the data for good: a file without its manifest is not there yet, never the reverse.
            result.batch_no = reading.batch_no
            result.manifests = [files.shown(str(path)) for path in reading.seal.publish(result.parts)]
            done()
    result.rejected_files = [files.shown(str(path)) for path in beside]
    return replace(result, incomplete="accepted_only" if beside else None)
