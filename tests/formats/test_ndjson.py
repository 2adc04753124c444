"""One JSON object per line: the fast way reads what the strict way reads, and each line stands for itself."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from json_files import CLAIM_NAMES, CLAIMS, LINES, NAMES, batches, cells, faults, frame, places, text_of

from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.json import flat, ndjson, nodes
from medpay_cli.formats.json.strict import MOST_DEEP
from medpay_cli.formats.text import cutting

UTF_8 = replace(LINES, encoding="utf-8")
MESSAGES = replace(CLAIMS, format="ndjson")


def dumped(value, **how):
    return json.dumps(value, ensure_ascii=False, **how).encode()


def read(content, dialect=UTF_8, names=NAMES):
    """All that is known of each batch."""
    return [
        (
            batch.text.rows(),
            batch.faults.rows(),
            batch.records,
            batch.kinds.tolist(),
            batch.lines,
        )
        for batch in batches(content, dialect, names)
    ]


def left_over(block, keys=None):
    """Which lines need a closer look."""
    return flat.split(block, keys or flat.Keys(NAMES[None])).left.tolist()


def slowly(content, dialect=UTF_8, names=NAMES):
    """The same, every line read strictly."""
    whole = flat.split

    def nothing(block, keys):
        lines = whole(block, keys)
        return replace(lines, left=np.ones(len(lines.ends), np.bool_))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat, "split", nothing)
        return read(content, dialect, names)


PIECES = st.sampled_from(
    [
        "{", "}", '{"', '"}', '"', '":', '":"', '","', ",", ":", ": ", ", ", " ", "a", "b", "c", "A", "", "\t", "\r",
        "\x00", "\\", '\\"', "\\\\", "\\n", "\\x", "\\u0041", "\\ud83d\\ude00", "\\ud800", "a\\u0062", "\x7f", "\ufeff",
        "\u2028", "[", "]", "{}", "1", "0", "-", "-0", ".5", "1.50", "1e3", "null", "true", "nul", "NaN", "中", "😀",
        '"a":1', '"b":"x"', '"c":null', '{"a":"1","b":2}',
    ]
)  # fmt: skip
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=6),
    st.sampled_from(['"', "\\", "\\\\", "null", "1", "", "\r", "\x00", "\ud800", "0012", "a\u200bb"]),
    st.sampled_from([[], {}, {"a": 1}, [{"a": 1}], -0.0, 1e300, 10**20]),
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "aa", "", "a\\u0062"]), VALUES, max_size=4)
STYLES = st.sampled_from([(",", ":"), (", ", ": "), (",", ": "), (" , ", " : "), (",\t", ":")])


@st.composite
def written(draw):
    """A line as programs write it, sometimes with a byte too many, too few or another one."""
    line = json.dumps(draw(OBJECTS), ensure_ascii=draw(st.booleans()), separators=draw(STYLES))
    content = bytearray(line.encode(errors="replace"))
    if content and draw(st.booleans()):
        at = draw(st.integers(0, len(content) - 1))
        content[at : at + draw(st.integers(0, 1))] = draw(
            st.sampled_from([b"", b'"', b"\\", b",", b":", b"\xff", b" ", b"0", b"}", b"\x01"])
        )
    return bytes(content)


@given(
    st.lists(st.one_of(written(), st.lists(PIECES, max_size=10).map(lambda some: "".join(some).encode())), max_size=6),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.booleans(),
)
@example([b'{"a":"1","a":"2"}', b'{"a":1,"b":"x" }', b'{"a":"x"}{"b":"y"}'], b"\n", True, False)
@example([b'{"a":"\\\\","b":"1"}', b'{"a":","}', b'{"a":1,"b"}', b'{"a":1,}', b'{"a":"b":"c"}'], b"\n", False, False)
@example([b'{"a":"\xff"}', b'{"a":"x"}', b'{"\xff":"x"}'], b"\n", True, False)
@example([b'{"a":"1"},', b'{"a":"1"} ', b' {"a":"1"}', b'{"a":"1","b":nul}', b'{"a": null}'], b"\n", True, False)
@settings(max_examples=1500, deadline=None)
def test_the_fast_way_reads_what_the_strict_way_reads(lines, end, is_closed, others):
    content = end.join(lines) + (end if is_closed else b"")
    dialect = replace(UTF_8, other_columns=others)
    try:
        expected = slowly(content, dialect)
    except ReadError as err:
        with pytest.raises(ReadError) as caught:
            read(content, dialect)
        assert str(caught.value) == str(err)
    else:
        assert read(content, dialect) == expected


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(max_size=5)), max_size=20))
@settings(max_examples=60, deadline=None)
def test_small_pieces_make_no_difference(records):
    content = b"".join(dumped(one) + b"\n" for one in records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat, "PIECE", 10)
        small = read(content)
    assert small == read(content)


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":"1","b":2.50,"c":null}',
        b'{"a": "1", "b": -0, "c": "\\u4e2d\\n"}',
        b'{"c":"x"}\r',
        '{"b":"测试","a":1E+3}'.encode(),
    ],
)
def test_usual_lines_are_read_the_fast_way(line):
    assert left_over(line + b"\n" + line + b"\n") == [False, False]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b'{"a":true}',
        b'{"d":1}',
        b'{"a":"\\""}',
        b'{"a":1,"a":2}',
        b'{"a":01}',
        b'{"a":"\t"}',
        b'{"a":"\\ud800"}',
    ],
)
def test_unusual_lines_are_looked_at(line):
    assert left_over(b'{"a":"1"}\n' + line + b"\n") == [False, True]


def test_long_names_are_compared_whole():
    names = ["hilist_pric_uplmt_amt", "hilist_pric_uqlmt_amt", "hilist_lmtpric_type", "a" * 40]
    keys = flat.Keys(names)
    lines = [
        f'{{"{name}":"1"}}'.encode() for name in [*names, "hilist_pric_uxlmt_amt", "a" * 41, "a" * 20 + "b" + "a" * 19]
    ]
    found = flat.split(b"\n".join(lines), keys)
    known = [name for name, left in zip(names, found.left.tolist(), strict=False) if not left]
    # Of two names that differ only in the middle one may need a closer look; another name is never taken for one.
    assert {"hilist_lmtpric_type", "a" * 40} <= set(known)
    assert found.left.tolist()[4:] == [True, True, True]
    assert [found.cells[name][names.index(name)] for name in known] == ["1"] * len(known)


def test_other_columns_of_the_first_line_cost_nothing():
    dialect = replace(UTF_8, other_columns=True)
    content = b'{"a":"1","z":5}\n{"z":"x","a":"2"}\n{"y":[1],"a":"3"}\n'
    assert cells(content, dialect) == [("1", None, None), ("2", None, None), ("3", None, None)]
    assert faults(content, dialect) == []


def test_lines_and_rows_count_from_the_start_of_the_batch():
    content = b'{"a":1}\n\n \t\n{"a":2}\r\nx\n{"a":3}'
    ((text, _, records, kinds, lines),) = read(content)
    assert [record[:4] for record in text] == [(1, 1, None, "1"), (2, 4, None, "2"), (4, 6, None, "3")]
    assert (records, kinds, lines) == (4, [0, 2, 2, 0, 0, 0], 6)
    assert faults(content, UTF_8) == [
        (None, None, "F104", None), (None, None, "F104", None), (3, None, "F103", "1: Expecting value"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "code", "value"),
    [
        (b'{"a":1', "F103", "7: Expecting ',' delimiter"),
        (b"[]", "F103", "1: array"),
        (b'"x"', "F103", "1: text"),
        (b'{"a":1}{"a":2}', "F103", "8: Extra data"),
        (b'{"a":1,"a":2}', "F111", "a"),
        (b'{"a":"\xff"}', "F102", "0xff @ 7"),
        (b'{"a":"\\udfff"}', "F103", "7: Lone surrogate"),
        (b'{"a":' + b"[" * MOST_DEEP + b"]" * MOST_DEEP + b"}", "F218", "> 100"),
        (b"[" * 100_000, "F218", "> 100"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_alone(line, code, value):
    content = b'{"a":1}\n' + line + b'\n{"a":3}\n'
    assert cells(content, UTF_8) == [("1", None, None), ("3", None, None)]
    assert faults(content, UTF_8) == [(2, None, code, value)]


def test_a_bad_byte_of_another_encoding_is_named_without_its_stand_in():
    assert faults(b'{"a":"\xff"}\n', replace(LINES, encoding="gb18030")) == [(1, None, "F102", None)]


def test_a_file_cut_anywhere_has_the_records_before_the_cut():
    content = '{"a":"中","b":1}\n{"a":"x","b":22}\n'.encode()
    whole = [("中", "1", None), ("x", "22", None)]
    ends = [at for at in range(len(content) + 1) if content[:at].count(b"}") and content[at - 1 : at] in (b"}", b"\n")]
    for size in range(len(content) + 1):
        records, codes = cells(content[:size], UTF_8), [code for _, _, code, _ in faults(content[:size], UTF_8)]
        assert records == whole[: content[:size].count(b"}")]
        assert codes == ([] if size in (0, *ends) else ["F206"])


def test_a_byte_order_mark_and_no_records():
    assert cells(b"\xef\xbb\xbf" + b'{"a":1}\n', UTF_8) == [("1", None, None)]
    for content in (b"", b"\xef\xbb\xbf"):
        assert read(content) == [([], [], 0, [], 0)]


def test_unusual_characters_are_announced_escaped_or_not():
    for content, is_odd in (
        (b'{"a":"x"}', False),
        (b'{"a":"\\u4e2d"}', False),
        ('{"a":"x\u200by"}'.encode(), True),
        (b'{"a":"x\\u200by"}', True),
        (b'{"a":"\\"\\u0000"}', True),
        (b'{"a":"\\"x"}', False),
    ):
        (batch,) = batches(content, UTF_8, NAMES)
        assert batch.is_odd is is_odd


def test_a_line_beyond_the_limit_stops_the_file():
    dialect = replace(UTF_8, limits=replace(UTF_8.limits, line=20))
    with pytest.raises(ReadError, match="F204"):
        read(b'{"a":1}\n{"a":"0123456789012345"}\n', dialect)


def test_parts_are_read_one_by_one(monkeypatch):
    monkeypatch.setattr(cutting, "PART", 16)
    content = b"".join(b'{"a":%d}\n' % n for n in range(9))
    found = read(content)
    assert len(found) > 2
    assert [record[3] for text, *_ in found for record in text] == [str(n) for n in range(9)]
    assert sum(lines for *_, lines in found) == 9


def test_short_lines_of_a_long_layout_come_in_smaller_batches(monkeypatch):
    monkeypatch.setattr(ndjson, "CELLS", 6)
    found = read(b"".join(b'{"a":%d}\n' % n for n in range(5)) + b'{"a":')
    assert [lines for *_, lines in found] == [2, 1, 3]
    assert [record[3] for text, *_ in found for record in text] == [str(n) for n in range(5)]
    assert found[-1][1][0][0] == "F206"


MESSAGE = {"output": {"claims": [{"id": "1", "detail": {"lines": [{"code": "x"}, {"code": "y"}]}}]}, "infno": 1}


def test_messages_are_read_line_by_line():
    content = dumped(MESSAGE) + b"\n\n" + dumped(MESSAGE) + b"\n"
    assert cells(content, MESSAGES, CLAIM_NAMES, "line") == [("1", "x", None), ("1", "y", None)] * 2
    assert places(content, MESSAGES, CLAIM_NAMES, "line") == [
        (1, 1, "/output/claims/0/detail/lines/0"),
        (2, 1, "/output/claims/0/detail/lines/1"),
        (3, 3, "/output/claims/0/detail/lines/0"),
        (4, 3, "/output/claims/0/detail/lines/1"),
    ]
    assert faults(content, MESSAGES, CLAIM_NAMES, "claim") == [(None, None, "F104", None)]
    assert [batch.lines for batch in batches(content, MESSAGES, CLAIM_NAMES)] == [0, 0]


@pytest.mark.parametrize(
    ("line", "code", "value"),
    [
        (b"{}", "F218", " (claim): 0"),
        (dumped({"output": {"claims": [{"id": "1"}, 5]}}), "F218", "/output/claims/1: text"),
        (b'{"a":1,"a":2,"output":{"claims":{"id":"1"}}}', "F103", "1: Repeated key"),
        (b'{"output":{"claims":[{"id":"1","detail":{},"detail":{}}]}}', "F218", "/output/claims/0/detail: 2"),
        (b"[]", "F103", "1: array"),
        (b"{", "F103", "2: Expecting property name enclosed in double quotes"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_whole(line, code, value):
    content = dumped(MESSAGE) + b"\n" + line + b"\n" + dumped(MESSAGE) + b"\n"
    assert cells(content, MESSAGES, CLAIM_NAMES, "claim") == [("1", None), ("1", None)]
    assert cells(content, MESSAGES, CLAIM_NAMES, "line") == [("1", "x", None), ("1", "y", None)] * 2
    assert faults(content, MESSAGES, CLAIM_NAMES, "claim") == [(2, None, code, value)]


def test_a_message_cut_off_is_said_to_be():
    content = dumped(MESSAGE) + b"\n" + dumped(MESSAGE)
    assert faults(content[:-1], MESSAGES, CLAIM_NAMES, "claim") == [(2, None, "F206", f"@ {len(dumped(MESSAGE))}")]
    assert faults(content, MESSAGES, CLAIM_NAMES, "claim") == []


def test_messages_come_in_batches(monkeypatch):
    monkeypatch.setattr(nodes, "RECORDS", 2)
    found = batches((dumped(MESSAGE) + b"\n") * 3, MESSAGES, CLAIM_NAMES)
    assert [(batch.node, batch.records) for batch in found] == [
        ("line", 2), ("claim", 2), ("line", 2), ("line", 2), ("claim", 1),
    ]  # fmt: skip


TEXTS = st.one_of(
    st.none(),
    st.sampled_from(
        ["0012", "99999999999999.99", "-0", "1e5", '"', "\\", "</a>", "a,b\tc\r\n", "😀", "null", "\x00\x7f"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
)
RECORDS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=8)


@given(st.lists(RECORDS, max_size=3))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_again(chunks):
    content = text_of(LINES, NAMES, *({None: frame(records, NAMES[None])} for records in chunks))
    expected = [one for records in chunks for one in records]
    assert cells(content, LINES) == expected
    assert content.count(b"\n") == len(expected)
    assert faults(content, LINES) == []


def test_each_record_is_a_line_of_its_own():
    records = frame([("1", None, '中"'), (None, None, None)], NAMES[None])
    assert text_of(LINES, NAMES, {None: records}, {None: records.clear()}) == '{"a":"1","c":"中\\""}\n{}\n'.encode()
    assert text_of(replace(LINES, encoding="gb18030"), NAMES, {None: records})[:16] == b'{"a":"1","c":"\xd6\xd0'
    with pytest.raises(MedpayError, match="not_written"):
        text_of(replace(LINES, encoding="big5"), NAMES, {None: frame([("😀", None, None)], NAMES[None])})
    with pytest.raises(MedpayError, match="not_written"):
        text_of(replace(LINES, limits=replace(LINES.limits, line=7)), NAMES, {None: records})


def test_each_message_is_a_line_of_its_own():
    claims = frame([("1", "9.50"), ("2", None)], CLAIM_NAMES["claim"])
    lines = frame([("2", "x", "1.5")], CLAIM_NAMES["line"])
    content = text_of(MESSAGES, CLAIM_NAMES, {"claim": claims, "line": lines})
    assert content == (
        b'{"output":{"claims":[{"id":"1","fee":"9.50"}]}}\n'
        b'{"output":{"claims":[{"id":"2","detail":{"lines":[{"code":"x","amount":"1.5"}]}}]}}\n'
    )
    assert cells(content, MESSAGES, CLAIM_NAMES, "line") == lines.rows()


def test_a_chunk_of_nodes_side_by_side_is_one_message():
    parts = (Node("one", ("x",), "l", repeated=False), Node("many", ("y",), "l"))
    dialect = Dialect("d", "l", format="ndjson", nodes=parts)
    names = {"one": ("a",), "many": ("a",)}
    chunk = {"one": frame([("1",)], ("a",)), "many": frame([("2",), ("3",)], ("a",))}
    content = text_of(dialect, names, chunk, chunk)
    assert content == b'{"x":{"a":"1"},"y":[{"a":"2"},{"a":"3"}]}\n' * 2
    assert cells(content, dialect, names, "one") == [("1",), ("1",)]
    with pytest.raises(MedpayError, match="not_written"):
        text_of(dialect, names, {"one": frame([("1",), ("2",)], ("a",))})
