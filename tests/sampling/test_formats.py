"""Every shipped layout's sample is valid in every format, and broken exactly where it says in those of single cells."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from medpay_cli import checks, config, dialects, formats, judging, layouts, sampling
from medpay_cli.dialects import ControlLine, Dialect
from medpay_cli.errors import MedpayError
from medpay_cli.formats.archive import Input
from medpay_cli.parts import fitted

LAYOUTS = config.names(config.LAYOUT)
# A handful that has every keyword of the shipped ones; all of them stand under the marker `full`.
SOME = ("ledger_detail.v1", "settlement.v1", "price_item.v1", "commercial_claim.v1", "institution.v1")
NESTED = Path(__file__).parents[2] / "fixtures" / "formats"
CLAIMS = dialects.load(str(NESTED / "claims-xml" / "claims-xml.toml"))


def fixed(layout: str) -> Dialect:
    """Every field in a place of its own, wide enough for all that is invented and for a text that is too long."""
    places, behind = {}, 0
    for one in layouts.load(layout).fields:
        wide = max(40, 2 * max((value + 1 for keyword, value in one.asserted if keyword == "maxLength"), default=0))
        places[one.name] = (behind + 1, behind + wide)
        behind += wide
    return Dialect("fixed", layout, format="fixed", positions=places)


def controlled(layout: str) -> Dialect:
    """Text whose first line declares the count and the first sum, whose last one the count."""
    sums = [one.name for one in layouts.load(layout).money][:1]
    head = ControlLine(("", dialects.RECORDS, *sums), begins="H")
    return Dialect("controlled", layout, delimiter="|@|", head=head, tail=ControlLine(("", dialects.RECORDS), "T"))


MADE = {
    "csv": lambda layout: Dialect("csv", layout, delimiter=",", quote='"', header=True, line_end="\r\n"),
    "tsv": lambda layout: Dialect("tsv", layout, trailing_delimiter=True),
    "controlled": controlled,
    "fixed": fixed,
    "fixed bytes": lambda layout: replace(fixed(layout), encoding="gb18030", counted_in="gb18030"),
    "json": lambda layout: Dialect("json", layout, format="json"),
    "json numbers": lambda layout: Dialect("json", layout, format="json", numbers=True),
    "ndjson": lambda layout: Dialect("ndjson", layout, format="ndjson", nulls=("-",)),
    "xml": lambda layout: Dialect("xml", layout, format="xml"),
    "xlsx": lambda layout: Dialect("xlsx", layout, format="xlsx", header=True),
    "parquet": lambda layout: Dialect("parquet", layout, format="parquet"),
    "parquet numbers": lambda layout: Dialect("parquet", layout, format="parquet", numbers=True),
}
assert {make(SOME[0]).format for make in MADE.values()} == set(formats.FORMATS)
OF_CELLS = ("csv", "json", "xml", "xlsx")


def drawn(dialect: Dialect, records: int, *broken: str, seed: int = 7):
    """The bytes of a sample, and what is broken in it."""
    parts, used = fitted(dialect)
    out = io.BytesIO()
    planted = sampling.draw(parts, used, records, seed, broken, out)
    return out.getvalue(), planted


def judged(dialect: Dialect, content: bytes):
    """Node → how many records there are, and the findings (node, row, field, code)."""
    parts, used = fitted(dialect)
    made = judging.judge_nodes(Input("-", spool=io.BytesIO(content)), parts, used, lambda *_: None, judging.Terms())
    found = [
        (one.verdict.node, *place)
        for one in made
        for frame in one.findings.frames()
        for place in frame.select("row", "field", "code").rows()
    ]
    return {one.verdict.node: one.verdict.records for one in made}, found


def counted(dialect: Dialect):
    """The node whose records are counted: the first that may be repeated and stands in no other."""
    tops = [node for node in dialect.parts if node.parent is None]
    return next((node for node in tops if node.repeated), tops[0])


def possible(dialect: Dialect) -> list[str]:
    """The codes of every keyword that the layout asserts of a field that no control line sums and no child links to."""
    node = counted(dialect)
    whole = {name for line in (dialect.head, dialect.tail) if line for name in line.items}
    whole |= {name for one in dialect.nodes if one.parent == node.name for name in one.link}
    fields = [one for one in layouts.load(node.layout).fields if one.name not in whole]
    keywords = {keyword for one in fields for keyword, _ in one.asserted if keyword != "type"}
    keywords |= {"type"} if any(one.types & {"number", "integer"} for one in fields) else set()
    keywords |= {"required"} if any(one.required for one in fields) else set()
    return sorted({checks.CODES[keyword] for keyword in keywords})


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sample_is_valid_in_every_format(layout, name):
    dialect = MADE[name](layout)
    content, planted = drawn(dialect, 3)
    assert planted == []
    assert judged(dialect, content) == ({None: 3}, [])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sample_keeps_to_the_strict_layout(layout):
    dialect = MADE["csv"](layout)
    content, _ = drawn(dialect, 200)
    written = {None: layouts.load(layout).strict}
    source = Input("-", spool=io.BytesIO(content))
    [made] = judging.judge_nodes(source, written, dialect, lambda *_: None, judging.Terms())
    assert (made.verdict.records, made.findings.counts) == (200, {})


def every_fault_is_found(layout, name):
    """All that a layout can have at once, each in a record of its own; then the repeated key."""
    dialect = MADE[name](layout)
    codes = possible(dialect)
    content, planted = drawn(dialect, len(codes) + 2, *codes)
    records, found = judged(dialect, content)
    assert records == {None: len(codes) + 2}
    assert sorted(found, key=str) == sorted(((None, one.row, one.field, one.code) for one in planted), key=str)
    assert [one.code for one in planted] == codes
    if layouts.load(layout).key:
        content, [repeated] = drawn(dialect, 3, "B101")
        assert judged(dialect, content)[1] == [(None, row, None, "B101") for row in (1, repeated.row)]


@pytest.mark.parametrize("name", OF_CELLS)
@pytest.mark.parametrize("layout", SOME)
def test_every_fault_of_a_cell_is_found_where_it_was_planted(layout, name):
    every_fault_is_found(layout, name)


@pytest.mark.full
@pytest.mark.parametrize("name", [one for one in MADE if one != "parquet numbers"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_fault_of_every_layout_is_found_where_it_was_planted(layout, name):
    every_fault_is_found(layout, name)


@pytest.mark.parametrize("code", ["F101", "F102", "F104", "F107", "F108", "F206", "F208"])
@pytest.mark.parametrize("name", [one for one in MADE if one not in ("csv", "tsv")])
def test_a_fault_of_the_text_cannot_be_planted_elsewhere(name, code):
    with pytest.raises(MedpayError) as refused:
        drawn(MADE[name]("ledger_detail.v1"), 10, code)
    assert (refused.value.key, refused.value.values["code"]) == ("fault_unfit", code)


def test_a_field_that_a_control_line_sums_is_never_broken():
    dialect = controlled("ledger_detail.v1")
    for seed in range(40):
        content, [planted] = drawn(dialect, 3, "L103", seed=seed)
        assert planted.field != dialect.head.items[2]
        assert judged(dialect, content)[1] == [(None, planted.row, planted.field, "L103")]


@pytest.mark.parametrize("name", MADE)
def test_the_same_seed_gives_the_same_bytes(name):
    made = [hashlib.sha256(drawn(MADE[name]("settlement.v1"), 50, seed=seed)[0]).digest() for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


@pytest.mark.parametrize("form", ["xml", "json", "xlsx"])
def test_a_nested_sample_has_parents_and_children_that_link_to_them(form):
    dialect = replace(CLAIMS, format=form, namespace=CLAIMS.namespace if form == "xml" else "", header=form == "xlsx")
    content, _ = drawn(dialect, 200)
    records, found = judged(dialect, content)
    assert found == []
    assert (records["header"], records["claim"]) == (1, 200)
    # 0 to 3 each.
    assert 200 < records["line"] < 400
    assert drawn(dialect, 200)[0] == content


@pytest.mark.parametrize("records", [0, 1, 3, 4096, 4097])
def test_a_nested_sample_has_as_many_records_as_asked_for(records):
    dialect = replace(CLAIMS, format="ndjson", namespace="", nodes=tuple(
        replace(node, path=node.path[2:], parent=node.parent) for node in CLAIMS.nodes[1:]))  # fmt: skip
    content, _ = drawn(dialect, records)
    assert content.count(b"\n") == records
    if records:
        assert judged(dialect, content)[0]["claim"] == records


def test_a_fault_of_a_nested_sample_stands_in_a_record_that_is_counted():
    content, planted = drawn(CLAIMS, 10, "L101", "L103", "L104", "L108")
    assert {one.node for one in planted} == {"claim"}
    assert "claim_no" not in {one.field for one in planted}
    assert sorted(judged(CLAIMS, content)[1]) == sorted((one.node, one.row, one.field, one.code) for one in planted)


def test_a_key_that_children_link_to_is_never_repeated():
    with pytest.raises(MedpayError) as refused:
        drawn(CLAIMS, 10, "B101")
    assert refused.value.key == "fault_unfit"


def test_children_whose_key_is_partly_their_parent_s_are_never_repeated(tmp_path):
    parent = {"type": "object", "x-key": ["a"], "properties": {"a": {"type": "string", "maxLength": 4}}}
    child = {"type": "object", "x-key": ["a", "b"], "properties": {
        "a": {"type": "string", "pattern": "^[0-9]{4}$"}, "b": {"type": "string", "enum": ["1", "2"]}}}  # fmt: skip
    for name, schema in (("parent", parent), ("child", child)):
        (tmp_path / f"{name}.json").write_text(json.dumps(schema), encoding="utf-8")
    (tmp_path / "nested.toml").write_text(
        'title = { zh = "", en = "" }\nformat = "json"\n'
        '[nodes.parent]\npath = "all"\nlayout = "parent.json"\nrepeated = true\n'
        '[nodes.child]\npath = "all/some"\nlayout = "child.json"\nrepeated = true\nparent = "parent"\nlink = ["a"]\n',
        encoding="utf-8",
    )
    dialect = dialects.load(str(tmp_path / "nested.toml"))
    content, _ = drawn(dialect, 500)
    records, found = judged(dialect, content)
    assert found == []
    assert 300 < records["child"] <= 1000


def test_the_only_record_of_a_message_takes_one_fault():
    content, [planted] = drawn(dialects.load("nhsa-3201-request"), 1, "L103")
    assert judged(dialects.load("nhsa-3201-request"), content)[1] == [("data", 1, planted.field, "L103")]
    with pytest.raises(MedpayError) as refused:
        drawn(dialects.load("nhsa-3201-request"), 9, "L103", "L108")
    assert refused.value.key == "one_record"


@pytest.mark.parametrize("path", sorted(NESTED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_sample_of_every_example_dialect_is_valid(path):
    dialect = dialects.load(str(path))
    content, _ = drawn(dialect, 20 if dialect.parts[0].repeated else 1)
    records, found = judged(dialect, content)
    assert found == []
    assert min(records.values()) > 0


def test_the_layout_of_a_nested_sample_is_that_of_its_first_node():
    with pytest.raises(MedpayError) as refused:
        sampling.write("ledger_detail", str(NESTED / "claims-xml" / "claims-xml.toml"), 3, 7, (), io.BytesIO())
    assert refused.value.key == "first_layout"
