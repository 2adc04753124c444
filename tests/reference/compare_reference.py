"""Every layout beside the reference tables that it was made from, field by field: what differs, and the stated reason.

    python tests/reference/compare_reference.py [FOLDER]

The folder is the argument, else MEDPAY_REFERENCE, else `../shared/reference` beside the checkout.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from medpay_cli import config, layouts
from medpay_cli.layouts import Field, Layout

ROOT = Path(__file__).parents[2]

# A table of the reference: transaction, direction and node, or for files and queries the transaction alone.
Table = tuple[str, ...]
SETTLING = ("2206", "2207", "2208", "2303", "2304", "2305")
HEADS = ("batch_header.v1", "batch_trailer.v1", "manifest.v1")
TABLES: dict[str, tuple[Table, ...]] = {
    "visit.v1": (("2203", "in", "mdtrtinfo"), ("2203A", "in", "mdtrtinfo")),
    "diagnosis.v1": (("2203", "in", "diseinfo"), ("2203A", "in", "diseinfo")),
    "fee_line.v1": (("2204", "in", "feedetail"), ("2301", "in", "feedetail")),
    "fee_line_result.v1": (("2204", "out", "result"), ("2301", "out", "result")),
    "settlement.v1": tuple((number, "out", "setlinfo") for number in SETTLING),
    "settlement_fund.v1": tuple((number, "out", "setldetail") for number in SETTLING),
    "settlement_list.v1": (("4101", "in", "setlinfo"), ("4101A", "in", "setlinfo")),
    "settlement_list_payinfo.v1": (("4101", "in", "payinfo"),),
    "settlement_list_opspdiseinfo.v1": (("4101", "in", "opspdiseinfo"), ("4101A", "in", "opspdiseinfo")),
    "settlement_list_diseinfo.v1": (("4101", "in", "diseinfo"), ("4101A", "in", "diseinfo")),
    "settlement_list_iteminfo.v1": (("4101", "in", "iteminfo"),),
    "settlement_list_oprninfo.v1": (("4101", "in", "oprninfo"), ("4101A", "in", "oprninfo")),
    "settlement_list_icuinfo.v1": (("4101", "in", "icuinfo"), ("4101A", "in", "icuinfo")),
    "settlement_list_bldinfo.v1": (("4101A", "in", "bldinfo"),),
    "clearing.v1": (("3203", "in", "data"), ("3203", "out", "result")),
    "crossregion_clearing.v1": (("3260", "out", "data"),),
    "crossregion_confirm.v1": (("3261", "in", "detail"),),
    "catalogue_1301.v1": (("1301",),),
    "catalogue_1302.v1": (("1302",),),
    "catalogue_1303.v1": (("1303",),),
    "catalogue_1305.v0": (("1305", "16"),),
    "catalogue_1305.v1": (("1305",),),
    "catalogue_1306.v1": (("1306",), ("1306A",)),
    "catalogue_1307.v1": (("1307",),),
    "catalogue_1308.v1": (("1308",),),
    "catalogue_1309.v1": (("1309",),),
    "catalogue_1320.v1": (("1320",),),
    "catalogue_1321.v1": (("1321",),),
    "price_limit.v1": (("1318",),),
    "selfpay_ratio.v1": (("1319",),),
    "item_mapping.v1": (("3301",),),
    "item_mapping_cancel.v1": (("3302",),),
    "commercial_claim.v1": (("commercial_claim_file",),),
    "commercial_claim_line.v1": (("commercial_claim_line",),),
    "einvoice.v1": (("einvoice_block",),),
    "attachment.v1": (("attachment_index",),),
    "coverage.v1": (("coverage_file",),),
    "insurer_result.v1": (("claim_result_file",),),
    "insurer_result_line.v1": (("claim_result_line",),),
    "payment_return.v1": (("settlement_return_file",),),
    "insurer_ledger.v1": (("reconciliation_file",),),
    "acknowledgement.v1": (("ack_file",),),
    **dict.fromkeys(HEADS, (("batch_envelope",),)),
    "ledger_total.v1": (("3201", "in", "data"),),
    "ledger_total_result.v1": (("3201", "out", "stmtinfo"),),
    "ledger_detail_request.v1": (("3202", "in", "data"),),
    "ledger_detail.v1": (("3202_upload_file", "in", "(file)"),),
    "ledger_result.v1": (("3202_result_file", "out", "(file)"),),
}
# Made by us from prose: no table to hold them against.
OURS = {
    "commercial_difference.v1",
    "ledger_difference.v1",
    "price_item.v1",
    "price_list.v1",
    "institution.v1",
    "online_visit.v1",
    "prescription.v1",
    "product.v1",
    "bank_line.v1",
}

NUMBERS = ("数值型", "decimal", "int", "number")
DAYS = {"日期型": "date", "date": "date", "日期时间型": "datetime", "datetime": "datetime"}
# Why a field that the reference says is coded takes codes beside those of its list.
OPEN = "regions have codes of their own (nhsa-codelists: scope local, live), so an unknown one is a warning"
# A date or time without separators is text of this length, held by a pattern.
COMPACT = {"6", "8", "14"}


@dataclass(frozen=True)
class Stated:
    """What one table says of one field."""

    table: str
    type: str
    length: str
    required: bool | None
    is_coded: bool


@dataclass(frozen=True)
class Difference:
    """Where a layout says something else than the reference, and why."""

    layout: str
    field: str
    kind: str
    reference: str
    ours: str
    reason: str


def folder() -> Path | None:
    """Where the reference tables are, if they are anywhere."""
    place = Path(os.environ.get("MEDPAY_REFERENCE") or ROOT.parent / "shared" / "reference")
    return place if place.is_dir() else None


def compare(place: Path) -> list[Difference]:
    """Every difference between a layout and its tables, in the order of the layouts and of their fields."""
    return [one for name in TABLES for one in _differences(layouts.load(name), stated(place, name))]


def stated(place: Path, name: str) -> dict[str, list[Stated]]:
    """Field → what each table of a layout says of it, in the order of the tables."""
    found: dict[str, list[Stated]] = {}
    for table in TABLES[name]:
        seen = set()
        for row in _rows(place, table):
            # One table of the reference keeps a slip of its source: "/vali_flag vali_flag".
            code = row["code"].removeprefix("/")
            if code not in seen:
                found.setdefault(code, []).append(_stated(row, table))
                seen.add(code)
    return found


def _stated(row: dict[str, Any], table: Table) -> Stated:
    required = {"Y": True, "N": False, "C": False}.get(row.get("required"), row.get("required"))
    said = row.get("disagreements") or ()
    if any(text.startswith("required") for text in said):
        required = None
    lengths = [row.get("length"), *(found for text in said if text.startswith("length") for found in _numbers(text))]
    # Some tables state a length of a date or of a number's digits as "18,2"; the largest that any build states counts.
    largest = max((str(one) for one in lengths if one), key=lambda one: int(one.split(",")[0]), default="")
    return Stated(table[0], row["type"] or "", largest, required, bool(row.get("codelist")))


def _numbers(text: str) -> list[str]:
    return re.findall(r"=(\d+)", text)


def _rows(place: Path, table: Table) -> list[dict[str, Any]]:
    if len(table) == 3:
        number, direction, name = table
        return next(
            node["fields"]
            for node in _read(place, "nhsa-transactions")[number]["nodes"]
            if (node["direction"], node["node"]) == (direction, name) or name == "(file)"
        )
    catalogues = _read(place, "nhsa-catalogues")
    if table[0] in catalogues:
        columns = int(table[1]) if len(table) == 2 else None
        return catalogues[table[0]]["fields"][:columns]
    return _read(place, "commercial")[table[0]]["fields"]


@cache
def _read(place: Path, name: str) -> Any:
    return json.loads((place / f"{name}.json").read_text(encoding="utf-8"))


def _differences(layout: Layout, tables: dict[str, list[Stated]]) -> Iterator[Difference]:
    def differs(field: str, kind: str, reference: str, ours: str, reason: str) -> Difference:
        return Difference(layout.id, field, kind, reference, ours, reason)

    elsewhere = {name for one in HEADS for name in layouts.load(one).names} if layout.id in HEADS else set()
    for code, said in tables.items():
        field = layout.field(code)
        if field is None:
            if code not in elsewhere:
                yield differs(code, "lost", said[0].table, "", "")
            continue
        reason = _reason(field)
        for kind, reference, ours in _of_field(field, said):
            yield differs(code, kind, reference, ours, reason or _of_layout(layout, kind))
        if field.open_codes and any(one.is_coded for one in said):
            yield differs(code, "opened", "coded", f"open list {field.open_codes}", OPEN)
        missing = sorted({table[0] for table in TABLES[layout.id]} - {one.table for one in said})
        always = all(one.required is True for one in said) and not missing
        if field.required and not always:
            yield differs(code, "hardened", _required(said, missing), "required", reason)
        if always and not field.required:
            yield differs(code, "softened", _required(said, missing), "optional", reason)
    for field in layout.fields:
        if field.name not in tables:
            yield differs(field.name, "added", "", "", _reason(field))


def _reason(field: Field) -> str:
    strict = field.notes.get("x-strict", {})
    narrower = f"{strict['maxLength']} on write ({strict['source']})" if "maxLength" in strict else ""
    return str(field.notes.get("x-note") or narrower or field.notes.get("description", ""))


def _of_layout(layout: Layout, kind: str) -> str:
    """A reason that is one for every field of a layout."""
    return str(layout.schema.get("x-note", "")) if kind == "length" and layout.id.startswith("catalogue") else ""


def _required(said: list[Stated], missing: list[str]) -> str:
    words = {True: "required", False: "optional", None: "not said or disputed"}
    return "; ".join([f"{one.table} {words[one.required]}" for one in said] + [f"not in {table}" for table in missing])


def _of_field(field: Field, said: list[Stated]) -> Iterator[tuple[str, str, str]]:
    """Differences of type and length, each as kind, reference, ours."""
    for one in said:
        if one.type and not _is_of_type(field, one):
            yield "type", f"{one.table} {one.type} {one.length}".strip(), _shown(field)
    lengths = {one.length for one in said if one.length and one.type not in NUMBERS}
    asserted = dict(field.asserted)
    longest = max((int(length.split(",")[0]) for length in lengths), default=0)
    if not longest or not field.is_text or field.form:
        return
    if field.codes:
        over = [code for code in layouts.code_list(field.codes) if len(code) > longest]
        if over:
            yield "length", str(longest), f"codes of {max(map(len, over))}"
    elif "pattern" not in asserted or "maxLength" in asserted:
        ours = asserted.get("maxLength")
        if ours != longest:
            yield "shorter" if ours is not None and ours < longest else "length", str(longest), str(ours or "any")


def _is_of_type(field: Field, one: Stated) -> bool:
    if one.type in NUMBERS:
        digits, _, scale = one.length.partition(",")
        is_same = not digits or (field.digits, field.scale) == (int(digits), int(scale or 0))
        return not field.is_text and field.form in ("money", "decimal") and is_same
    if one.type in DAYS:
        if one.length in COMPACT:
            return field.is_text and "pattern" in dict(field.asserted)
        return field.form == DAYS[one.type]
    if one.type == "time":
        return field.is_text and "pattern" in dict(field.asserted)
    return field.is_text and field.form is None


def _shown(field: Field) -> str:
    asserted = dict(field.asserted)
    if field.form in ("money", "decimal"):
        return f"{field.form}({field.digits},{field.scale})"
    return str(field.form or asserted.get("type"))


def table(differences: list[Difference]) -> str:
    """The differences as lines of columns."""
    heads = Difference("layout", "field", "what", "reference", "ours", "reason")
    rows = [(one.layout, one.field, one.kind, one.reference, one.ours, one.reason) for one in (heads, *differences)]
    widths = [min(max(len(row[column]) for row in rows), 60) for column in range(5)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True)), row[5]]).rstrip()
        for row in rows
    )


def main() -> int:
    """Print the table; 1 where a difference has no reason."""
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else folder()
    if place is None:
        print("no reference tables: name their folder, or set MEDPAY_REFERENCE")
        return 2
    found = compare(place)
    print(table(found))
    unexplained = [one for one in found if not one.reason]
    compared = sum(len(stated(place, name)) for name in TABLES)
    print(f"\n{len(TABLES)} layouts, {compared} fields, {len(found)} differences, {len(unexplained)} without a reason")
    without = sorted(set(config.names(config.LAYOUT)) - set(TABLES))
    print(f"without a table: {', '.join(without)}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
