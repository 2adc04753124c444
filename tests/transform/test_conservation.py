"""Over generated inputs: nothing is lost by a mapping, and a document comes back from other formats as it was."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import cases
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from small import medpay

from medpay_cli import config, dialects, layouts, mappings, sampling
from medpay_cli.errors import MedpayError

FAULTS = ("L101", "L102", "L103", "L104", "L108", "B101", "F101")
SIDED = [name for name in config.names(config.MAPPING) if mappings.load(name).source and name not in cases.NODED]
FLAT = [name for name in SIDED if not {"group", "nodes"} & mappings.load(name).document.keys()]
NESTED = [name for name in dialects.names() if dialects.load(name).nodes]
SEEDS = range(3)
# A run takes a second: what fails is small enough as it was drawn.
EXAMPLES = settings(
    max_examples=4, deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip


def sampled(layout: str, dialect: str, records: int, seed: int, broken: tuple[str, ...]) -> bytes:
    """A file with as many of the faults as its records can have."""
    while True:
        out = io.BytesIO()
        try:
            sampling.write(layout, dialect, records, seed, broken, out)
        except MedpayError as err:
            if err.values.get("code") not in broken:
                raise
            broken = tuple(code for code in broken if code != err.values["code"])
        else:
            return out.getvalue()


def rows(content: bytes, header: list[str] | None, delimiter: str) -> list[dict[str, str]]:
    """The records of a file by Python's own reader."""
    lines = csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter)
    names = header or next(lines)
    # Of a record that has other fields than the header nobody knows which are amounts.
    return [dict(zip(names, line, strict=True)) if len(line) == len(names) else {} for line in lines]


def total(records: list[dict[str, str]], name: str) -> Decimal:
    """The sum of the cells that are amounts."""
    found = Decimal(0)
    for record in records:
        try:
            found += Decimal(record.get(name) or "0")
        except InvalidOperation:
            continue
    return found


@dataclass(frozen=True)
class Run:
    """A mapping run on invented records: what came in, went out and was set aside, read without medpay."""

    told: dict
    came: list[dict[str, str]]
    went: list[dict[str, str]]
    gone: list[dict[str, str]]
    exit_code: int

    @property
    def rejected(self) -> list[dict[str, str]]:
        """The records that were set aside, as far as their amounts are any."""
        return [record for record in self.gone if record]


def ran(name: str, folder: Path, seed: int, records: int, faults: tuple[str, ...], lonely: int) -> Run:
    """Run a mapping with --accepted-only."""
    layout = mappings.load(name).source.layout
    content = filled(name, sampled(layout, f"tsv:{layout}", records, seed, faults))
    (folder / "in.tsv").write_bytes(content)
    came = rows(content, None, "\t")
    answer = medpay(
        "transform", folder / "in.tsv", "--mapping", name, "--dialect", f"tsv:{layout}", "--to-dialect", "csv", "-o",
        folder / "out.csv", "--accepted-only", "--format", "json", *cases.given(name),
        *cases.beside(name, came, folder, lonely=lonely),
    )  # fmt: skip
    assert answer.err == ""
    assert answer.json["written"], answer.json
    aside = folder / "out.csv.rejected"
    gone = rows(aside.read_bytes(), None, "\t") if aside.exists() else []
    return Run(answer.json, came, rows((folder / "out.csv").read_bytes(), None, ","), gone, answer.exit_code)


def filled(name: str, content: bytes) -> bytes:
    """The same records, with some columns as real ones have them."""
    header, *lines = content.decode().split("\n")
    names = header.split("\t")
    made = []
    for number, line in enumerate(lines):
        cells = line.split("\t")
        for column, values in cases.FILLED.get(name, {}).items() if len(cells) == len(names) else ():
            if column in names:
                cells[names.index(column)] = values[number % len(values)]
        made.append("\t".join(cells))
    return "\n".join([header, *made]).encode()


def test_every_shipped_mapping_has_a_case():
    assert cases.covered() == set(config.names(config.MAPPING))


@pytest.mark.parametrize("name", SIDED)
@EXAMPLES
@given(
    seed=st.integers(0, 999_999), records=st.integers(40, 120), lonely=st.integers(0, 5),
    faults=st.lists(st.sampled_from(FAULTS), unique=True).map(tuple),
)  # fmt: skip
def test_what_comes_in_goes_out_or_is_rejected(name, seed, records, lonely, faults):
    with tempfile.TemporaryDirectory() as folder:
        run = ran(name, Path(folder), seed, records, faults, lonely)
    left = run.told["records"]["left_out"]
    of_groups = cases.SUMMED.get(name)
    out = len(run.came) - len(run.gone) - left
    assert run.told["records"] == {"in": records, "out": out, "rejected": len(run.gone), "left_out": left}
    assert (len(run.came), run.exit_code) == (records, int(bool(run.gone)))
    if of_groups is None:
        assert len(run.went) == out
        held_flat(name, run)
    else:
        held_in_groups(name, run, of_groups)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", cases.NODED)
def test_a_message_for_each_record_holds_all_that_stood_in_it(tmp_path, name, seed):
    dialect = mappings.load(name).source.dialect
    content = sampled(dialects.load(dialect).nodes[0].layout, dialect, 9, seed, ())
    (tmp_path / "in.json").write_bytes(content)
    answer = medpay(
        "transform", tmp_path / "in.json", "--mapping", name, "-o", tmp_path / "out.json", "--format", "json"
    )
    assert (answer.exit_code, answer.err) == (0, "")
    before = json.loads(content)["lists"]
    after = [json.loads(path.read_bytes())["input"] for path in sorted(tmp_path.glob("out-*.json"))]
    again = [{**one["setlinfo"], **{node: some for node, some in one.items() if node != "setlinfo"}} for one in after]
    assert again == before
    for node, amounts in cases.NODED[name].items():
        records = before if node == "setlinfo" else [record for one in before for record in one.get(node, ())]
        told = {one["column"]: one["out"] for one in answer.json["amounts"] if one["node"] == node}
        assert {column: total(records, column) for column in amounts} == {
            column: Decimal(amount) for column, amount in told.items() if column in amounts
        }


@pytest.mark.parametrize("name", SIDED)
def test_some_records_of_every_case_go_out(tmp_path, name):
    assert ran(name, tmp_path, 5, 80, (), 6).went


def held_flat(name: str, run: Run) -> None:
    """Every amount that a mapping copies: in = out + rejected + left out, by sums of our own."""
    [plan] = mappings.checked(name)
    by_name = {one["column"]: one for one in run.told["amounts"]}
    for target, source in plan.carried.items():
        outside = [record for record in run.came if not _is_amount(record.get(source, ""))]
        assert outside == [] or len(run.gone) >= len(outside)
        sums = [total(run.went, target), total([one for one in run.gone if one not in outside], source)]
        came = total([one for one in run.came if one not in outside], source)
        told = {key: Decimal(by_name[target][key]) for key in ("in", "out", "rejected", "left_out")}
        assert [told["in"], told["out"], told["rejected"]] == [came, *sums]
        assert came == sum(sums) + told["left_out"]
    assert by_name.keys() == {one.name for one in plan.target.money}


def held_in_groups(name: str, run: Run, summed: dict[str, str]) -> None:
    """Every sum of all groups is that of the records that were taken, and so is their number."""
    for target, source in summed.items():
        bad = [record for record in run.rejected if not _is_amount(record.get(source, ""))]
        came = total([one for one in run.came if one not in bad], source)
        gone = total([one for one in run.rejected if one not in bad], source)
        assert total(run.went, target) == came - gone
    if counted := cases.COUNTED.get(name):
        assert total(run.went, counted) == run.told["records"]["out"]


def _is_amount(text: str) -> bool:
    """An amount as the platform writes it, to the fen."""
    digits = text.removeprefix("-")
    whole, _, fen = digits.partition(".")
    return text == "" or (
        digits.replace(".", "", 1).isascii()
        and whole.isdigit()
        and (whole == "0" or whole[0] != "0")
        and len(whole) <= 14
        and ("." not in digits or (fen.isdigit() and len(fen) <= 2))
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FLAT)
def test_without_a_fault_nothing_is_rejected(tmp_path, name, seed):
    sides = mappings.load(name)
    text = f"tsv:{sides.source.layout}"
    (tmp_path / "in.tsv").write_bytes(filled(name, sampled(sides.source.layout, text, 200, seed, ())))
    answer = medpay(
        "transform", tmp_path / "in.tsv", "--mapping", name, "--dialect", text, "--to-dialect", "csv", "-o",
        tmp_path / "out.csv", "--format", "json", *cases.given(name),
        *cases.beside(name, rows((tmp_path / "in.tsv").read_bytes(), None, "\t"), tmp_path),
    )  # fmt: skip
    # Invented records keep to their layouts, not to what rules know of real ones.
    assert {one["code"] for one in answer.json["source"]["findings"] if not one["code"].startswith("C")} <= {"L111"}
    wrong = [one for one in answer.json["target"]["findings"] if one["severity"] == "error"]
    wrong_before = [one for one in answer.json["source"]["findings"] if one["severity"] == "error"]
    assert (answer.exit_code == 1) == bool(wrong or wrong_before)
    # A source may promise less than its target needs.
    assert {one["code"] for one in wrong if not one["code"].startswith("C")} <= {"L101", "L102", "L103", "M101"}


@pytest.mark.parametrize(
    "layout", ["ledger_detail", "fee_line", "settlement", "commercial_claim", "price_item", "bank_line"]
)
def test_a_file_comes_back_through_every_format(tmp_path, layout):
    path = tmp_path / "0.csv"
    path.write_bytes(sampled(layout, f"csv:{layout}", 200, 5, ()))
    steps = ["xml", "json", "tsv", "xlsx", "ndjson", "parquet", "csv"]
    before = f"csv:{layout}"
    for number, form in enumerate(steps, 1):
        following = tmp_path / f"{number}.{form}"
        answer = medpay(
            "transform", path, "--mapping", "identity", "--dialect", before, "--to-dialect", form, "-o", following
        )
        assert (answer.exit_code, answer.err) == (0, "")
        path, before = following, f"{form}:{layout}"
    assert rows(path.read_bytes(), None, ",") == rows((tmp_path / "0.csv").read_bytes(), None, ",")


def other_format(dialect: str, path: Path) -> Path:
    """The same nodes in the other of XML and JSON."""
    document = dict(dialects.document(dialect))
    nodes = document["nodes"]
    form = "xml" if document["format"] == "json" else "json"
    lines = ['title = { zh = "x", en = "x" }', f'format = "{form}"']
    for name, body in nodes.items():
        root = "" if form == "json" or _has_root(nodes) else "root/"
        lines += [f"[nodes.{name}]", f'path = "/{root}{body["path"].strip("/")}"', f'layout = "{body["layout"]}"']
        lines += [f"{key} = true" for key in ("repeated", "required") if body.get(key)]
        lines += [f'parent = "{body["parent"]}"', f"link = {list(body['link'])}"] if "parent" in body else []
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _has_root(nodes: dict) -> bool:
    tops = {body["path"].strip("/").split("/")[0] for body in nodes.values()}
    return len(tops) == 1 and tops != {""} and all("/" in body["path"].strip("/") for body in nodes.values())


@pytest.mark.parametrize("name", NESTED)
def test_a_message_comes_back_from_the_other_of_xml_and_json(tmp_path, name):
    first = dialects.load(name).nodes[0].layout
    (tmp_path / "first").write_bytes(sampled(first, name, 12, 3, ()))
    other = other_format(name, tmp_path / "other.toml")
    for source, dialect, target, out in (
        ("first", name, name, "again"), ("first", name, other, "second"), ("second", other, name, "third"),
    ):  # fmt: skip
        answer = medpay(
            "transform", tmp_path / source, "--mapping", "identity", "--dialect", dialect, "--to-dialect", target, "-o",
            tmp_path / out,
        )  # fmt: skip
        assert (answer.exit_code, answer.err) == (0, ""), out
    assert (tmp_path / "third").read_bytes() == (tmp_path / "again").read_bytes() == (tmp_path / "first").read_bytes()
    assert layouts.load(first).names


@pytest.mark.parametrize("seed", SEEDS)
def test_the_totals_of_groups_are_those_of_the_accepted_records(tmp_path, seed):
    content = sampled("settlement", "tsv:settlement", 300, seed, FAULTS)
    (tmp_path / "in.tsv").write_bytes(content)
    answer = medpay(
        "transform", tmp_path / "in.tsv", "--mapping", "settlement-to-nhsa-3201", "--dialect", "tsv", "--to-dialect",
        "csv", "-o", tmp_path / "out.csv", "--accepted-only", "--format", "json", "--set",
        "stmt_begndate=2024-03-01", "--set", "stmt_enddate=2024-03-31",
    )  # fmt: skip
    # Every group needs its three columns, which no settlement has to have.
    assert {one["code"] for one in answer.json["target"]["findings"]} <= {"L101", "L104", "L111"}
    mapping = MAPPING_OF_ALL.replace("FOLDER", str(tmp_path))
    (tmp_path / "sums.toml").write_text(mapping, encoding="utf-8")
    (tmp_path / "sums.json").write_text(SUMS, encoding="utf-8")
    answer = medpay(
        "transform", tmp_path / "in.tsv", "--mapping", tmp_path / "sums.toml", "--dialect", "tsv", "-o",
        tmp_path / "sums.csv", "--accepted-only", "--format", "json",
    )  # fmt: skip
    came = rows(content, None, "\t")
    gone = rows((tmp_path / "sums.csv.rejected").read_bytes(), None, "\t")
    bad = [record for record in gone if record]
    kept = [record for record in came if record and record not in bad]
    expected: dict[str, list[Decimal | int]] = {}
    for record in kept:
        group = expected.setdefault(record["insutype"], [Decimal(0), Decimal(0), 0])
        group[0] += Decimal(record["medfee_sumamt"])
        group[1] += Decimal(record["medfee_sumamt"]) - Decimal(record["acct_pay"])
        group[2] += 1
    found = {one["insutype"]: [Decimal(one["medfee"]), Decimal(one["rest"]), int(one["count"])] for one in
             rows((tmp_path / "sums.csv").read_bytes(), None, ",")}  # fmt: skip
    assert found == expected
    assert list(found) == sorted(expected)
    assert answer.json["records"] == {"in": 300, "out": len(kept), "rejected": len(gone), "left_out": 0}


MAPPING_OF_ALL = """\
title = { zh = "x", en = "x" }
group = ["insutype"]
from = { layout = "settlement.v1", dialect = "tsv" }
to = { layout = "FOLDER/sums.json", dialect = "csv" }
sums = { whole = "medfee_sumamt", rest = "medfee_sumamt - acct_pay" }
columns = { insutype = "insutype", medfee = "whole", rest = "rest", count = "records" }
"""
SUMS = """{"$id": "medpay:layouts/sums.v1", "title": "s", "x-en": "s", "type": "object", "x-key": ["insutype"],
"properties": {"insutype": {"type": "string", "title": "i", "x-en": "i"},
"medfee": {"type": "number", "format": "money", "x-digits": 20, "x-scale": 2, "title": "m", "x-en": "m"},
"rest": {"type": "number", "format": "money", "x-digits": 20, "x-scale": 2, "title": "r", "x-en": "r"},
"count": {"type": "number", "format": "decimal", "x-digits": 10, "x-scale": 0, "title": "c", "x-en": "c"}}}"""


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("name", NESTED)
def test_a_message_comes_back_from_a_file_for_each_node(tmp_path, name, form):
    nodes = dialects.load(name).nodes
    (tmp_path / "first").write_bytes(sampled(nodes[0].layout, name, 12, 3, ()))
    if len(nodes) == 1:
        target, source, words = tmp_path / "node", tmp_path / "node", ("--dialect", f"{form}:{nodes[0].layout}")
    else:
        target, source, words = tmp_path / "nodes.zip", f"{tmp_path / 'nodes.zip'}!/*", ()
    identity = ("--mapping", "identity")
    steps = (
        (tmp_path / "first", *identity, "--dialect", name, "--to-dialect", form, "-o", target),
        (source, *identity, *words, "--to-dialect", name, "-o", tmp_path / "again"),
    )
    for step in steps:
        answer = medpay("transform", *step)
        assert (answer.exit_code, answer.err) == (0, "")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "first").read_bytes()
