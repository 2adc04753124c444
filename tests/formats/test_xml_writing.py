"""What is written as XML is read back as it was, and what cannot be is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from xml_documents import FLAT, FLAT_NAMES, claims, other, read, records, source

from medpay_cli.dialects import Limits, Node
from medpay_cli.errors import MedpayError
from medpay_cli.formats.encoding import decoded
from medpay_cli.formats.xml import document as xml

HOSTILE = [
    "007", "99999999999999.99", "-0", "1e5", "<a>", "]]>", "&amp;", "&#13;", "'\"", "<!-- -->", "<![CDATA[x]]>", "\r\n",
    "\t", " ", "\r", "\n\n", "𠮷", "\u2028", "\x85", "\x7f", "\ufdd0", "€", "\u2014\u2015", "\u3000", "&nbsp;", "{}",
]  # fmt: skip
# Everything that XML 1.0 can hold.
CHARACTERS = st.characters(exclude_categories=("Cs",)).filter(
    lambda one: one not in "\ufffe\uffff" and (one >= " " or one in "\t\n\r")
)
CELL = st.one_of(st.none(), st.sampled_from(HOSTILE), st.text(CHARACTERS, min_size=1, max_size=8))


def frame(rows, names):
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def written(chunks, dialect=FLAT, names=None):
    out = io.BytesIO()
    xml.write(out, dialect, names or FLAT_NAMES, chunks)
    return out.getvalue()


def test_a_document_is_one_record_to_a_line():
    chunk = {None: frame([("1<2\n", None), (None, "张\r\t")], "ab")}
    assert written([chunk, chunk]).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<r>\n'
        "<x><a>1&lt;2&#10;</a></x>\n<x><b>张&#13;&#9;</b></x>\n"
        "<x><a>1&lt;2&#10;</a></x>\n<x><b>张&#13;&#9;</b></x>\n"
        "</r>\n"
    )


def test_no_records_are_a_document_too():
    assert written([]) == written([{None: frame([], "ab")}]) == b'<?xml version="1.0" encoding="UTF-8"?>\n<r>\n</r>\n'


@settings(max_examples=150, deadline=None)
@given(
    chunks=st.lists(st.lists(st.tuples(CELL, CELL), max_size=4), max_size=3),
    encoding=st.sampled_from(["utf-8", "gb18030", "gbk", "gb2312", "big5", "utf-16-le", "utf-16-be"]),
)
def test_what_was_written_is_read_back(chunks, encoding):
    dialect = other(encoding=encoding)
    content = written(({None: frame(rows, "ab")} for rows in chunks), dialect)
    text = decoded(replace(source(content), encoding=None), None, xml.declared(source(content)))
    rows = [row for task in xml.scan(text, dialect, FLAT_NAMES) for row in task().text.select("a", "b").rows()]
    assert rows == [row for rows in chunks for row in rows]
    # lxml alone reads the same from the raw bytes, by the declaration.
    theirs = [tuple(one.findtext(name) or None for name in "ab") for one in etree.fromstring(content)]
    assert theirs == rows or encoding == "gb2312"


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_nested_message_is_read_back(data):
    dialect, layouts = claims()
    names = {name: layout.names for name, layout in layouts.items()}
    numbers = data.draw(st.lists(st.text(CHARACTERS, min_size=1, max_size=3), unique=True, max_size=5))
    parts = [numbers[:2], numbers[2:]] if data.draw(st.booleans()) else [numbers]
    chunks, lines = [], []
    for number, part in enumerate(parts):
        of = [
            (one, *data.draw(st.tuples(CELL, CELL, CELL, CELL)))
            for one in part
            for _ in range(data.draw(st.integers(0, 2)))
        ]
        lines += of
        chunks.append(
            {
                "claim": frame([(one, None, "<", None, "1.00") for one in part], names["claim"]),
                "line": frame(of, names["line"]),
                **({"header": frame([("BX", None, "0")], names["header"])} if number == 0 else {}),
            }
        )
    texts, faults, counts = read(written(chunks, dialect, names), dialect, names)
    assert [row[3:] for row in texts["header"].rows()] == [("BX", None, "0")]
    assert ([row[3:] for row in texts["line"].rows()] if lines else []) == lines
    assert counts.get("claim", 0) == len(numbers)
    assert all(found.is_empty() for found in faults.values())


def test_several_kinds_of_records_each_stand_together():
    nodes = (Node("head", ("r",), "", repeated=False), Node("x", ("r", "s", "x"), ""), Node("y", ("r", "s", "y"), ""))
    names = {"head": ("n",), "x": ("a",), "y": ("b",)}
    dialect = other(nodes=nodes, namespace="u")
    chunks = [
        {"x": frame([("1",)], "a"), "y": frame([("2",)], "b")},
        {"head": frame([("0",)], "n"), "x": frame([("3",)], "a")},
    ]
    content = written(chunks, dialect, names)
    assert content.decode().split("\n", 1)[1] == (
        '<r xmlns="u">\n<n>0</n><s>\n<x><a>1</a></x>\n<x><a>3</a></x>\n<y><b>2</b></y>\n</s>\n</r>\n'
    )
    assert records(content, dialect, names) == {
        "head": [(2, "/r", "0")],
        "x": [(4, "/r/s/x[1]", "1"), (5, "/r/s/x[2]", "3")],
        "y": [(6, "/r/s/y[1]", "2")],
    }


@pytest.mark.parametrize("value", ["", "\x00", "\x0b", "\x1f", "\ufffe", "\uffff", "null", " x", "123456789"])
def test_a_value_that_would_read_back_as_another_is_refused(value):
    dialect = other(nulls=("null",), trim=True, limits=Limits(field=8))
    with pytest.raises(MedpayError, match=r"not_written: dialect=[\w.]*, place=b,"):
        written([{None: frame([("1", value)], "ab")}], dialect)


def line(*numbers):
    return frame([(one, "A", None, None, None) for one in numbers], ("claim_no", "item", "cnt", "pric", "grade"))


def claim(*numbers):
    return frame([(one, None, None, None, None) for one in numbers], ("claim_no", "name", "kind", "day", "amount"))


LOST = {
    "a line without a claim": [{"claim": claim("1"), "line": line("2")}],
    "a line without a number": [{"claim": claim(None), "line": line(None)}],
    "a line whose claim stands in another chunk": [{"claim": claim("1")}, {"line": line("1")}],
    "a line that could belong to two claims": [{"claim": claim("1", "1"), "line": line("1")}],
    "two headers": [{"header": frame([("1", None, "1")] * 2, ("batch_no", "sent", "claim_cnt"))}],
    "no header": [{"claim": claim("1")}],
    "records of no node": [{"other": line("1")}],
}


@pytest.mark.parametrize("name", LOST)
def test_a_record_without_a_place_is_refused(name):
    dialect, layouts = claims()
    header = {"header": frame([("BX", None, "0")], ("batch_no", "sent", "claim_cnt"))}
    chunks = LOST[name] if "header" in name else [header, *LOST[name]]
    with pytest.raises(MedpayError, match="not_written"):
        written(chunks, dialect, {node: layout.names for node, layout in layouts.items()})


def test_memory_stays_flat_over_chunks(tmp_path):
    """Chunks are asked for one by one, and written before the next."""
    sizes = []

    def chunks():
        for _ in range(3):
            sizes.append(Path(tmp_path / "out.xml").stat().st_size)
            yield {None: frame([("1", "2")] * 20_000, "ab")}

    with (tmp_path / "out.xml").open("wb", buffering=0) as out:
        xml.write(out, FLAT, FLAT_NAMES, chunks())
    assert sizes[0] < 100 < sizes[1] < sizes[2]
