"""One JSON document: what is read of it is what it says, or it is refused; what is written is read as the same."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from json_files import CLAIM_NAMES, CLAIMS, FLAT, NAMES, batches, cells, faults, frame, places, text_of

from medpay_cli import layouts
from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.json import document as documents
from medpay_cli.formats.json import nodes, strict

CLAIM = {"id": "1", "fee": "9.50", "detail": {"lines": [{"code": "x", "amount": 1.5}, {"code": "y", "amount": "2"}]}}
MESSAGE = {"infno": "1", "output": {"claims": [CLAIM, {"id": "2", "fee": 1}], "n": 2}, "sign": [1, {"a": None}]}


def dumped(value):
    return json.dumps(value, ensure_ascii=False).encode()


def refused(content, dialect=FLAT, names=NAMES):
    """The code and value of the error that a document ends with."""
    with pytest.raises(ReadError) as caught:
        batches(content, dialect, names)
    return caught.value.code, caught.value.value


@pytest.mark.parametrize(
    "number", ["1E3", "-0", "99999999999999.99", "0.10", "1e-2", "1" * 400, "12345678901234567890"]
)
def test_a_number_is_kept_as_it_is_written(number):
    assert cells(f'[{{"a":{number},"b":"{number}"}}]'.encode()) == [(number, number, None)]


def test_null_and_empty_text_are_absent():
    assert cells(b'[{"a":null,"b":"","c":"0"},{}]') == [(None, None, "0"), (None, None, None)]


def test_words_that_mean_absent_are_absent():
    assert cells(b'[{"a":"null","b":"NULL"}]', replace(FLAT, nulls=("null",))) == [(None, "NULL", None)]


def test_escapes_mean_what_they_escape():
    content = rb'[{"a":"\u4e2d\ud83d\ude00","b":"\"\\\/\t","c":"\\ud800"}]'
    assert cells(content) == [("中😀", '"\\/\t', "\\ud800")]


def test_a_single_object_is_one_record():
    assert cells(b'\xef\xbb\xbf {"a":"1"}\n') == [("1", None, None)]
    assert places(b'{"a":"1"}') == [(1, None, "")]


def test_a_record_is_named_by_its_pointer():
    dialect = Dialect("d", "l", format="json", nodes=(Node("n", ("x~y", "list"), "l"),))
    content = dumped([{"x~y": {"list": [{"a": 1}, {"a": 2}]}}, {"x~y": {"list": {"a": 3}}}])
    assert places(content, dialect, {"n": ("a",)}, "n") == [
        (1, None, "/0/x~0y/list/0"),
        (2, None, "/0/x~0y/list/1"),
        (3, None, "/1/x~0y/list"),
    ]


@pytest.mark.parametrize("content", [b"[]", b" [ ] \n", b"null"])
def test_a_document_without_records_has_one_empty_batch(content):
    (batch,) = batches(content, FLAT, NAMES)
    assert (batch.records, batch.text.height, batch.faults.height) == (0, 0, 0)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"", "1:1: Expecting value"),
        (b"\xef\xbb\xbf", "1:1: Expecting value"),
        (b'[{"a":1}\n,]', "2:2: Expecting value"),
        (b'[{"a":1}] []', "1:11: Extra data"),
        (b'{"a":1}{"a":2}', "1:8: Extra data"),
        (b'[{"a":1} {"a":2}]', "1:10: Expecting ',' delimiter"),
        (b'[{"a":NaN}]', "1:7: Expecting value"),
        (b'[{"a":"NaN","b":-Infinity}]', "1:17: Expecting value"),
        (b'[{"a":01}]', "1:8: Expecting ',' delimiter"),
        (b'[{"a":1.}]', "1:8: Expecting ',' delimiter"),
        (b'[{"a":+1}]', "1:7: Expecting value"),
        (b'[{"a":"\\ud800"}]', "1:8: Lone surrogate"),
        (b'[{"a":"\\udc00\\ud800"}]', "1:8: Lone surrogate"),
        (b'[{"a":"\\x"}]', "1:8: Invalid \\escape"),
        (b'[{"a":"x\ty"}]', "1:9: Invalid control character"),
        (b'[{"a":"x\ny"}]', "1:9: Invalid control character"),
        (b'[{"a":"x', "1:7: Unterminated string"),
        (b"[{'a':1}]", "1:3: Expecting property name enclosed in double quotes"),
        (b'[{"a":\xa01}]', None),
    ],
)
def test_a_document_that_is_not_well_formed_is_refused_with_its_place(content, value):
    if value is None:
        content = content.decode("latin-1").encode()
        value = "1:7: Expecting value"
    assert refused(content) == ("F216", value)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"output":{"claims":[{"id":"1"}]},"output":{}}', "1:35: Repeated key"),
        (b'{"x":{"a":1,"a":2},"output":{"claims":[{"id":"1"}]}}', "1:6: Repeated key"),
        (b'{"output":{"claims":[{"id":"1","detail":{"lines":[],"lines":[]}}]}}', "1:22: Repeated key"),
        (b'{"output":{"claims":[{"id":"1"}]},}', "1:35: Expecting property name enclosed in double quotes"),
        (b'{"output" {}}', "1:11: Expecting ':' delimiter"),
    ],
)
def test_a_key_that_stands_twice_around_the_records_is_refused(content, value):
    assert refused(content, CLAIMS, CLAIM_NAMES) == ("F216", value)


def test_a_record_with_a_key_twice_is_refused_and_the_others_are_read():
    content = b'[{"a":1,"a":1},{"a":2},{"b":{"x":1,"x":2}},{"q":1,"q":1}]'
    assert cells(content) == [("2", None, None)]
    assert faults(content) == [(1, None, "F111", "a"), (3, None, "F111", "b"), (4, None, "F111", "q")]


def test_structure_in_a_field_is_a_fault_of_its_cell():
    content = b'[{"a":[80,"x"],"b":true,"c":"z"},{"a":{},"b":false}]'
    assert cells(content) == [(None, "true", "z"), (None, "false", None)]
    assert faults(content) == [
        (1, "a", "F112", "array"),
        (1, "b", "F112", "boolean"),
        (2, "a", "F112", "object"),
        (2, "b", "F112", "boolean"),
    ]


def test_a_field_that_the_layout_lacks_is_found_unless_the_dialect_allows_others():
    content = b'[{"a":1,"A":2,"z":{"y":[]}}]'
    assert cells(content) == [("1", None, None)]
    assert faults(content) == [(1, None, "F110", "A"), (1, None, "F110", "z")]
    assert faults(content, replace(FLAT, other_columns=True)) == []


def test_a_record_with_too_many_fields_is_refused():
    dialect = replace(FLAT, limits=replace(FLAT.limits, columns=2))
    assert faults(b'[{"a":1,"b":2,"c":3}]', dialect) == [(1, None, "F204", "3")]


@pytest.mark.parametrize("deep", [strict.MOST_DEEP - 1, strict.MOST_DEEP, 500, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded(deep, opening, closing):
    content = ('[{"a":' + opening * (deep - 1) + "1" + closing * (deep - 1) + "}]").encode()
    if deep < strict.MOST_DEEP:
        assert [code for _, _, code, _ in faults(content)] == ["F112"]
    else:
        assert refused(content) == ("F218", "> 100")


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"a":' * 200_000])
def test_an_abyss_is_refused(content):
    assert refused(content) == ("F218", "> 100")


def test_bytes_that_are_no_text_are_refused_with_their_line():
    assert refused(b'[{"a":"1"},\n{"a":"\xff"}]', replace(FLAT, encoding="utf-8")) == ("F202", "0xff @ 2:7")
    assert refused(b'[{"a":"1"},\n{"a":"\xff"}]', replace(FLAT, encoding="gb18030")) == ("F202", "@ 2")


def test_a_document_beyond_a_limit_is_refused(monkeypatch):
    monkeypatch.setattr(documents, "MOST_BYTES", 10)
    assert refused(b'[{"a":"1"}]') == ("F204", "> 10 B")
    monkeypatch.setattr(documents, "MOST_BYTES", 100)
    monkeypatch.setattr(documents, "MOST_MEMORY", 300)
    assert refused(b'[{"a":"1"}]') == ("F204", "472 B")


def test_nodes_are_read_with_what_they_take_from_their_parents():
    content = dumped(MESSAGE)
    assert cells(content, CLAIMS, CLAIM_NAMES, "claim") == [("1", "9.50"), ("2", "1")]
    assert cells(content, CLAIMS, CLAIM_NAMES, "line") == [("1", "x", "1.5"), ("1", "y", "2")]
    assert places(content, CLAIMS, CLAIM_NAMES, "line") == [
        (1, None, "/output/claims/0/detail/lines/0"),
        (2, None, "/output/claims/0/detail/lines/1"),
    ]
    assert [faults(content, CLAIMS, CLAIM_NAMES, node) for node in CLAIM_NAMES] == [[], []]


@pytest.mark.parametrize(
    ("claim", "cell", "value"),
    [
        ({"detail": {"lines": [{"id": "7"}]}}, "7", "7"),
        ({"id": None, "detail": {"lines": [{}]}}, None, None),
        ({"id": "1", "detail": {"lines": [{"id": "7"}]}}, "7", "7"),
        ({"id": "1", "detail": {"lines": [{"id": 1}]}}, "1", ...),
        ({"id": "1", "detail": {"lines": [{"id": ""}]}}, "1", ...),
    ],
)
def test_a_line_that_does_not_fit_its_claim_is_found(claim, cell, value):
    content = dumped({"output": {"claims": [claim]}})
    assert cells(content, CLAIMS, CLAIM_NAMES, "line") == [(cell, None, None)]
    expected = [] if value is ... else [(1, "id", "F113", value)]
    assert faults(content, CLAIMS, CLAIM_NAMES, "line") == expected


def test_lines_of_a_claim_that_cannot_be_read_have_no_parent():
    content = b'{"output":{"claims":[{"id":"1","id":"1","detail":{"lines":[{"code":"x"}]}}]}}'
    assert faults(content, CLAIMS, CLAIM_NAMES, "claim") == [(1, None, "F111", "id")]
    assert faults(content, CLAIMS, CLAIM_NAMES, "line") == [(1, "id", "F113", None)]


def test_a_stray_key_between_a_claim_and_its_lines_belongs_to_the_claim():
    content = dumped({"output": {"claims": [{"id": "1", "detail": {"lines": [], "note": 1}}]}})
    assert faults(content, CLAIMS, CLAIM_NAMES, "claim") == [(1, None, "F110", "note")]


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ({}, " (claim): 0"),
        ({"output": None}, " (claim): 0"),
        ({"output": {"claims": []}}, " (claim): 0"),
        ({"output": "x"}, "/output: text"),
        ({"output": {"claims": [[CLAIM]]}}, "/output/claims/0: array"),
        ({"output": {"claims": [CLAIM, None]}}, "/output/claims/1: null"),
        ({"output": {"claims": [CLAIM, 5]}}, "/output/claims/1: text"),
        (
            {"output": {"claims": [{"id": "1", "detail": {"lines": [True]}}]}},
            "/output/claims/0/detail/lines/0: boolean",
        ),
    ],
)
def test_a_structure_that_the_dialect_does_not_describe_is_refused(message, value):
    assert refused(dumped(message), CLAIMS, CLAIM_NAMES) == ("F218", value)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ('{"x":[{"a":1}]}', "/x: array"),
        ('[{"x":{"a":1}},{"x":{"a":2}}]', " (n): 2"),
        ('{"x":"a"}', "/x: text"),
    ],
)
def test_a_node_that_stands_once_stands_once(content, value):
    dialect = Dialect("d", "l", format="json", nodes=(Node("n", ("x",), "l", repeated=False),))
    assert refused(content.encode(), dialect, {"n": ("a",)}) == ("F218", value)
    assert cells(b'{"x":{"a":1}}', dialect, {"n": ("a",)}, "n") == [("1",)]
    assert cells(b'{"x":null}', dialect, {"n": ("a",)}, "n") == []


def test_text_that_holds_json_is_read_as_strictly():
    dialect = replace(CLAIMS, embedded=(("output",),))
    embedded = dumped({"output": json.dumps(MESSAGE["output"])})
    assert cells(embedded, dialect, CLAIM_NAMES, "line") == [("1", "x", "1.5"), ("1", "y", "2")]
    assert cells(dumped(MESSAGE), dialect, CLAIM_NAMES, "line") == [("1", "x", "1.5"), ("1", "y", "2")]
    assert refused(dumped({"output": '{"claims":[{"id":NaN}]}'}), dialect, CLAIM_NAMES) == (
        "F216",
        "1:12: embedded 18: Expecting value",
    )
    assert refused(dumped({"output": '{"claims":[{"id":"\\ud800"}]}'}), dialect, CLAIM_NAMES)[0] == "F216"
    assert refused(dumped({"output": '{"claims":1,"claims":[{}]}'}), dialect, CLAIM_NAMES)[0] == "F216"
    assert refused(dumped({"output": "[" * 500}), dialect, CLAIM_NAMES)[0] in ("F216", "F218")
    assert refused(dumped({"output": ""}), dialect, CLAIM_NAMES) == ("F218", " (claim): 0")


def test_a_document_cut_anywhere_is_refused():
    for content, dialect, names in (
        (dumped(MESSAGE), CLAIMS, CLAIM_NAMES),
        ('[{"a":"中"},{"a":1}]'.encode(), FLAT, NAMES),
    ):
        for size in range(len(content)):
            assert refused(content[:size], replace(dialect, encoding="utf-8"), names)[0] in ("F216", "F202")


def test_batches_are_cut_by_records(monkeypatch):
    monkeypatch.setattr(nodes, "RECORDS", 2)
    found = batches(dumped([{"a": str(n)} for n in range(5)]), FLAT, NAMES)
    assert [batch.records for batch in found] == [2, 2, 1]
    assert [batch.text["\x1frow"].to_list() for batch in found] == [[1, 2], [1, 2], [1]]
    assert [batch.text["\x1fpath"].to_list() for batch in found] == [["/0", "/1"], ["/2", "/3"], ["/4"]]


@pytest.mark.parametrize(
    "names", [{"claim": ("id", "detail"), "line": ("id",)}, {"claim": ("id",), "line": ("a",)}], ids=["both", "no link"]
)
def test_nodes_that_contradict_their_layouts_are_a_fault_of_the_dialect(names):
    with pytest.raises(MedpayError, match="dialect_fault"):
        batches(b"{}", CLAIMS, names)


TEXTS = st.one_of(
    st.none(),
    st.sampled_from(
        ["0012", "99999999999999.99", "-0", "1e5", '"', "\\", "\\u0041", "</a>", "a,b\tc\r\n", "😀", "null", "\x00\x7f"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
)
RECORDS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=8)


@pytest.mark.parametrize("numbers", [False, True])
@given(chunks=st.lists(RECORDS, max_size=3))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_again(tmp_path_factory, numbers, chunks):
    layout = tmp_path_factory.mktemp("layouts") / "flat.json"
    properties = {"a": {"type": "string"}, "b": {"type": "number"}, "c": {"type": "string"}}
    layout.write_text(json.dumps({"type": "object", "properties": properties}), encoding="utf-8")
    dialect = replace(FLAT, numbers=numbers, nodes=(Node("n", ("x", 'y"z'), str(layout)),))
    content = text_of(dialect, {"n": NAMES[None]}, *({"n": frame(records, NAMES[None])} for records in chunks))
    assert cells(content, dialect, {"n": NAMES[None]}, "n") == [one for records in chunks for one in records]


def test_fields_that_are_numbers_are_written_as_numbers_where_they_are(tmp_path):
    layout = tmp_path / "l.json"
    properties = {"a": {"type": "string"}, "b": {"type": "number"}}
    layout.write_text(json.dumps({"type": "object", "properties": properties}), encoding="utf-8")
    dialect = replace(FLAT, layout=str(layout), numbers=True)
    records = frame([("1", "1.50"), ("2", "01"), ("3", "x"), ("4", None), ("5", "1E3")], ("a", "b"))
    written = text_of(dialect, {None: ("a", "b")}, {None: records})
    assert written == b'[{"a":"1","b":1.50},{"a":"2","b":"01"},{"a":"3","b":"x"},{"a":"4"},{"a":"5","b":1E3}]\n'
    assert layouts.load(str(layout)).names == ("a", "b")


def test_lines_are_written_into_their_claims():
    claims = frame([("1", "9.50"), ("2", "1")], CLAIM_NAMES["claim"])
    lines = frame([("1", "x", "1.5"), ("2", "z", None), ("1", "y", "2")], CLAIM_NAMES["line"])
    chunk = {"claim": claims, "line": lines}
    expected = (
        b'{"output":{"claims":['
        b'{"id":"1","fee":"9.50","detail":{"lines":[{"code":"x","amount":"1.5"},{"code":"y","amount":"2"}]}},'
        b'{"id":"2","fee":"1","detail":{"lines":[{"code":"z"}]}}]}}\n'
    )
    assert text_of(CLAIMS, CLAIM_NAMES, chunk) == expected
    embedded = replace(CLAIMS, embedded=(("output",),))
    written = text_of(embedded, CLAIM_NAMES, chunk)
    assert json.loads(json.loads(written)["output"]) == json.loads(expected)["output"]
    assert cells(written, embedded, CLAIM_NAMES, "line") == [("1", "x", "1.5"), ("1", "y", "2"), ("2", "z", None)]


@given(
    st.lists(
        st.tuples(TEXTS, st.lists(st.tuples(TEXTS, TEXTS), max_size=3)),
        min_size=1,
        max_size=5,
        unique_by=lambda one: one[0],
    ),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_claims_and_lines_that_are_written_are_read_again(claims, is_embedded):
    dialect = replace(CLAIMS, embedded=(("output",), ("output", "claims", "detail")) if is_embedded else ())
    chunk = {
        "claim": frame([(str(n), fee) for n, (fee, _) in enumerate(claims)], CLAIM_NAMES["claim"]),
        "line": frame([(str(n), *one) for n, (_, lines) in enumerate(claims) for one in lines], CLAIM_NAMES["line"]),
    }
    content = text_of(dialect, CLAIM_NAMES, chunk)
    for node, records in chunk.items():
        assert cells(content, dialect, CLAIM_NAMES, node) == records.rows()


@pytest.mark.parametrize(
    ("claims", "lines"),
    [
        ([("1", None)], [("2", "x", None)]),
        ([("1", None)], [(None, "x", None)]),
        ([("1", None), ("1", "5")], [("1", "x", None)]),
        ([], []),
    ],
    ids=["no such claim", "no claim", "two claims", "none, but required"],
)
def test_what_cannot_be_nested_is_not_written(claims, lines):
    chunk = {"claim": frame(claims, CLAIM_NAMES["claim"]), "line": frame(lines, CLAIM_NAMES["line"])}
    with pytest.raises(MedpayError, match="not_written"):
        text_of(CLAIMS, CLAIM_NAMES, chunk)


@pytest.mark.parametrize(
    ("dialect", "cell"),
    [
        (replace(FLAT, nulls=("null",)), "null"),
        (replace(FLAT, trim=True), " x"),
        (replace(FLAT, limits=replace(FLAT.limits, field=3)), "四x"),
    ],
)
def test_a_cell_that_would_be_read_as_another_is_not_written(dialect, cell):
    assert text_of(dialect, NAMES, {None: frame([("x", None, None)], NAMES[None])}) == b'[{"a":"x"}]\n'
    with pytest.raises(MedpayError, match="not_written"):
        text_of(dialect, NAMES, {None: frame([(None, cell, None)], NAMES[None])})


def test_nodes_side_by_side_are_gathered():
    dialect = Dialect(
        "d",
        "l",
        format="json",
        nodes=(Node("one", ("x", "one"), "l", repeated=False), Node("many", ("x", "many"), "l")),
    )
    names = {"one": ("a",), "many": ("a",)}
    chunks = ({"one": frame([("1",)], ("a",)), "many": frame([("2",)], ("a",))}, {"many": frame([("3",)], ("a",))})
    assert text_of(dialect, names, *chunks) == b'{"x":{"one":{"a":"1"},"many":[{"a":"2"},{"a":"3"}]}}\n'
    assert text_of(dialect, names) == b"{}\n"
    with pytest.raises(MedpayError, match="not_written"):
        text_of(dialect, names, *chunks, {"one": frame([("4",)], ("a",))})
