"""What stands in an XML document is read as it stands, or refused by place; nothing else is ever opened."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xml_documents import CLAIMS, FLAT, FLAT_NAMES, cells, claims, found, other, read, records, source

from medpay_cli.dialects import Limits, Node
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.archive import Input
from medpay_cli.formats.xml import document as xml

CORPUS = os.environ.get("MEDPAY_CORPUS")
XSI = b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def test_a_record_is_read_as_it_stands():
    content = b'<?xml version="1.0"?>\n<r>\n<x><a> 007\n</a><b>99999999999999.99</b></x>\n<x><b>-0</b></x></r>'
    assert records(content) == {None: [(3, "/r/x[1]", " 007\n", "99999999999999.99"), (5, "/r/x[2]", None, "-0")]}
    assert found(content) == []


def test_text_may_be_written_as_references_cdata_or_around_comments():
    content = b"<r><x><a>&lt;&#13;&#x5F20;<![CDATA[<&amp;]]>1<!-- 2 -->3<?p 4?>5</a></x></r>"
    assert cells(content) == {None: [("<\r张<&amp;135", None)]}


@pytest.mark.parametrize("empty", [b"<a/>", b"<a></a>", b"", b'<a xsi:nil="true"/>', b'<a xsi:nil="1"></a>'])
def test_an_empty_element_is_absent(empty):
    content = b"<r " + XSI + b"><x>" + empty + b"<b>1</b></x></r>"
    assert (cells(content), found(content)) == ({None: [(None, "1")]}, [])


def test_the_nested_example_is_read_into_a_frame_per_node():
    dialect, layouts = claims()
    content = (CLAIMS / "batch.xml").read_bytes()
    names = {name: layout.names for name, layout in layouts.items()}
    assert records(content, dialect, names) == {
        "header": [(3, "/batch/header", "BX0001", "2024-02-29 23:59:59", "3")],
        "claim": [
            (10, "/batch/claims/claim[1]", "C-1", None, None, "2024-02-29", "301.25"),
            (19, "/batch/claims/claim[2]", "C-2", "张三", "住院", "2023-12-31", "-0.10"),
            (20, "/batch/claims/claim[3]", "C-3", None, None, "2000-02-29", "99999999999999.99"),
        ],
        "line": [
            (12, "/batch/claims/claim[1]/lines/line[1]", "C-1", "A床位费", "2.5", "120.500", "1.50"),
            (13, "/batch/claims/claim[1]/lines/line[2]", "C-1", "B-<x>.", None, "0", None),
        ],
    }
    assert found(content, dialect, names) == []


FAULTS = {
    "an unknown element": (b"<x><a>1</a><c>2</c></x>", [(None, 1, 1, None, "F110", "c")]),
    "a field twice": (b"<x><a>1</a><a/></x>", [(None, 1, 1, "a", "F111", "a")]),
    "an attribute of a field": (b'<x><a k="1">1</a></x>', [(None, 1, 1, "a", "F112", "@k")]),
    "an attribute of a record": (b'<x k="1"><a>1</a></x>', [(None, 1, 1, None, "F112", "@k")]),
    "an element in a field": (b"<x><a>1<k/></a></x>", [(None, 1, 1, "a", "F112", "<k>")]),
    "text beside fields": (b"<x><a>1</a>2</x>", [(None, 1, 1, None, "F112", "text()")]),
    "text before fields": (b"<x>2<a>1</a></x>", [(None, 1, 1, None, "F112", "text()")]),
    "a wide space beside fields": ("<x>\u3000<a>1</a></x>".encode(), [(None, 1, 1, None, "F112", "text()")]),
    "a value that claims to be nil": (b'<x><a xsi:nil="true">1</a></x>', [(None, 1, 1, "a", "F112", "@nil")]),
    "a nil that is no truth value": (b'<x><a xsi:nil="yes"/></x>', [(None, 1, 1, "a", "F112", "@nil")]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_record_that_is_more_than_its_fields_is_found_and_the_next_is_read(name):
    record, expected = FAULTS[name]
    content = b"<r " + XSI + b">" + record + b"<x><b>1</b></x></r>"
    texts, _, counts = read(content)
    assert found(content) == expected
    assert (counts, texts[None].drop("\x1frow").rows()[-1]) == ({None: 2}, (1, "/r/x[2]", None, "1"))


def test_other_columns_may_stand_anywhere_where_the_dialect_says_so():
    content = b'<r v="1"><k><x><a>0</a></x></k><x k="1"><c><a>1</a></c><y:a xmlns:y="u">2</y:a><a>3</a></x></r>'
    assert cells(content, other(other_columns=True)) == {None: [("3", None)]}
    assert found(content, other(other_columns=True)) == []


STRUCTURES = {
    "another root": (b"<q/>", "/q"),
    "a root of another namespace": (b'<r xmlns="u"/>', "/r {u}"),
    "a record of another namespace": (b'<r><x xmlns="u"/></r>', "/r/x {u}"),
    "a field of another namespace": (b'<r><x><a xmlns="u"/></x></r>', "/r/x[1]/a {u}"),
    "an element outside of every path": (b"<r><x/><k/></r>", "/r/k"),
    "a record under an unknown element": (b"<r><k><x/></k></r>", "/r/k"),
    "text outside of records": (b"<r><x/>1</r>", "/r/text()"),
    "an attribute of the root": (b'<r v="1"><x/></r>', "/r/@v"),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_another_structure_stops_the_reading(name):
    content, place = STRUCTURES[name]
    assert found(content) == [("F218", place)]


def test_a_node_that_is_not_repeated_stands_once_and_a_required_one_at_least_once():
    one = other(nodes=(Node(None, ("r", "x"), "", repeated=False, required=True),))
    assert found(b"<r><x/></r>", one) == []
    assert found(b"<r><x/><x/></r>", one) == [("F218", "/r/x × 2")]
    with pytest.raises(ReadError) as caught:
        read(b"<r/>", one)
    assert (caught.value.code, caught.value.value, caught.value.expected) == ("F218", "−", "/r/x")


def test_a_link_that_is_missing_or_contradicted_is_found():
    dialect, layouts = claims()
    names = {name: layout.names for name, layout in layouts.items()}
    line = b"<lines><line><claim_no>2</claim_no></line></lines>"
    content = (
        b'<batch xmlns="urn:example:claims"><header/><claims>'
        b"<claim>" + line + b"<claim_no>1</claim_no></claim>\n"
        b"<claim>" + line + b"<claim_no>2</claim_no></claim>\n"
        b"<claim>" + line + b"</claim>\n"
        b"<claim>" + line + b"<claim_no>2</claim_no><claim_no>3</claim_no></claim></claims></batch>"
    )
    assert found(content, dialect, names) == [
        ("claim", 4, 4, "claim_no", "F111", "claim_no"),
        ("line", 1, 1, "claim_no", "F113", "2"),
        ("line", 3, 3, "claim_no", "F113", "2"),
        ("line", 4, 4, "claim_no", "F113", "2"),
    ]


BROKEN = {
    "cut": (b"<r>\n<x><a>1</a></x>", "2:16: tag not finished"),
    "a second root": (b"<r/>\n<r/>", "2:1: document end"),
    "tags crossed": ("<r><x><a>张三</x></r>".encode(), "1:16: tag name mismatch"),
    "an unknown entity": (b"<r><x><a>\n&foo;</a></x></r>", "2:6: undeclared entity"),
    "a control character": (b"<r><x><a>\x01</a></x></r>", "1:10: invalid char"),
    "a prefix that is not declared": (b"<r><y:x/></r>", "1:8: undefined namespace"),
    "a less-than sign": ("<r><x><a>王<五</a></x></r>".encode(), None),
    "only spaces": (b" \n", "2:1: root element"),
    "text": (b"a\tb\n", "1:1: root element"),
    "a declaration that is none": (b'<?xml version="2.0"?><r/>', "1:1: declaration"),
    "a comment in a comment": (b"<r><!-- <!-- --> --></r>", None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_well_formed_is_refused_with_its_place_and_none_of_its_content(name):
    content, place = BROKEN[name]
    [(code, value)] = found(content)
    assert code == "F216"
    assert place in (None, value)
    assert not {*"张三王五"} & {*value}


def test_an_empty_file_has_no_records():
    assert read(b"") == read(b"<r/>") == read(b"<r></r>") == ({}, {}, {})


def test_every_cut_is_refused():
    content = '<?xml version="1.0"?><r><x><a>张</a></x><!-- c --><x><b><![CDATA[1]]></b></x></r>'.encode()
    codes = {found(content[:size])[0][0] for size in range(1, len(content))}
    assert codes == {"F216", "F202"}
    assert found(content) == []


def test_bytes_that_are_no_text_stop_the_reading_with_their_line():
    assert found(b"<r>\n<x><a>\xff</a></x></r>") == [("F202", "0xff @ 2")]
    assert found(b"<r>\n<x/>\n<!-- \xe5\xbc -->" + b" " * 100_000 + b"</r>") == [("F202", "0xe5 @ 3")]
    from_elsewhere = Input("-", spool=io.BytesIO(b"<r>\xff</r>"), encoding="gb18030")
    with pytest.raises(ReadError) as caught:
        list(xml.scan(from_elsewhere, FLAT, FLAT_NAMES))
    assert (caught.value.code, caught.value.value, caught.value.expected) == ("F202", "@ 1", "gb18030")


@pytest.mark.parametrize("named", ["GB18030", "UTF-16", "ISO-8859-1", "UTF-7", "x-unknown"])
def test_the_bytes_are_utf_8_whatever_the_declaration_says(named):
    content = f'\ufeff<?xml version="1.0"\n encoding="{named}" ?>\n<r><x><a>张三é</a></x></r>'.encode()
    assert records(content) == {None: [(3, "/r/x[1]", "张三é", None)]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<?xml version='1.0' encoding='GBK' standalone='yes'?><r/>", "GBK"),
        (b'<?xml version="1.0"?><r/>', None),
        (b"<r/>", None),
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>', "utf-8"),
        ('\ufeff<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16-be"), "utf-16-be"),
        ('<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16-le"), "utf-16-le"),
        (b"", None),
    ],
)
def test_the_declared_encoding_is_read_from_the_raw_bytes(content, expected):
    assert xml.declared(source(content)) == expected


# What no business message holds.

ATTACKS = {
    "laughs": b'<!DOCTYPE r [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><r><x><a>&b;</a></x></r>',
    "quadratic": b'<!DOCTYPE r [<!ENTITY a "' + b"x" * 100_000 + b'">]><r>' + b"&a;" * 100_000 + b"</r>",
    "file": b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r><x><a>&a;</a></x></r>',
    "network": b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r/>',
    "parameter": b'<!DOCTYPE r [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x.dtd"> %a;]><r/>',
    "behind comments": b"<?xml version='1.0'?><!-- <r> --><?p <r?>\n<!DOCTYPE r><r/>",
    "an entity alone": b"<!ENTITY a 'b'><r/>",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_doctype_is_refused_before_anything_is_parsed(name, monkeypatch):
    monkeypatch.setattr(xml, "etree", None)
    begun = time.process_time()
    [(code, _)] = found(ATTACKS[name])
    assert (code, time.process_time() - begun < 1) == ("F217", True)


BOMBS = {
    "deep": (b"<r>" + b"<x>" * 300, "F218"),
    "very deep": (b"<r><x>" + b"<a>" * 1_000_000, "F218"),
    "a long name": (b"<r><" + b"a" * 20_000_000, "F204"),
    "a long text": (b"<r><x><a>" + b"1" * 20_000_000, "F204"),
    "a long comment": (b"<r><!--" + b"1" * 12_000_000, "F216"),
    "many attributes": (b"<r " + b" ".join(b'a%d="1"' % one for one in range(200_000)) + b"/>", "F204"),
    "a prolog without end": (b"<!--" + b"-\n" * 2_000_000, "F204"),
    "many strangers": (b"<r><x>" + b"".join(b"<y%d/>" % one for one in range(400_000)) + b"</x></r>", "F204"),
    "a doctype in the content": (b"<r><!DOCTYPE r></r>", "F216"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name):
    content, expected = BOMBS[name]
    begun = time.process_time()
    [(code, _)] = found(content)
    assert code == expected
    assert time.process_time() - begun < 1


def test_a_record_without_end_is_refused_at_the_limit_of_a_line():
    """What is parsed waits in memory until its record ends."""
    content = b"<r><x>" + b"<a/>" * 1_000_000
    assert found(content, other(limits=Limits(line=1 << 20)))[0][0] == "F204"
    assert found(content[:1_000_000], other(limits=Limits(line=1 << 20)))[0][0] == "F216"


def test_nothing_but_the_input_is_opened(tmp_path):
    """In a process of its own: an audit hook cannot be taken off."""
    program = """
import sys
from medpay_cli.formats.xml import document as xml
from medpay_cli.errors import ReadError
sys.path.insert(0, sys.argv[1])
from xml_documents import FLAT, FLAT_NAMES
from medpay_cli.formats.archive import Input
from test_xml_reading import ATTACKS
documents = [*ATTACKS.values(), b'<?xml-stylesheet href="http://127.0.0.1:9/a.xsl"?>'
    b'<r xmlns:xi="http://www.w3.org/2001/XInclude"><x><xi:include href="/etc/passwd"/></x></r>',
    b'<r xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://127.0.0.1:9/a.xsd">'
    b'<x><a>1</a></x></r>']
list(task() for task in xml.scan(Input(sys.argv[2]), FLAT, FLAT_NAMES))
opened = []
def hook(event, args):
    if event.startswith(('open', 'socket')):
        opened.append((event, args[0]))
sys.addaudithook(hook)
for document in documents:
    with open(sys.argv[2], 'wb') as file:
        file.write(document)
    opened.clear()
    try:
        list(task() for task in xml.scan(Input(sys.argv[2]), FLAT, FLAT_NAMES))
    except ReadError:
        pass
    assert [str(path) for _, path in opened] == [sys.argv[2]], opened
"""
    path = tmp_path / "a.xml"
    path.write_bytes(b"<r><x><c/></x></r>")
    done = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parent), str(path)], capture_output=True, check=False
    )
    assert done.stderr.decode() == ""


@pytest.mark.skipif(not CORPUS, reason="MEDPAY_CORPUS names no folder")
def test_every_known_attack_is_refused():
    folder = Path(CORPUS or "") / "xml-attacks"
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".xml", ".xsl", ".xsd")]
    codes = {path.name: found(path.read_bytes())[0][0] for path in files}
    with_doctype = {path.name for path in files if b"<!DOCTYPE" in path.read_bytes()}
    assert {name for name, code in codes.items() if code == "F217"} == with_doctype
    assert set(codes.values()) <= {"F217", "F218"}


# Pieces, lines, parsers that follow one another.


def test_lines_and_paths_are_right_beyond_what_the_parser_can_count():
    content = b"<r>" + b"".join(b"\n<!-- </x> -->\n<x>\n\n<a>%d</a></x>" % one for one in range(60_000)) + b"</r>"
    got = records(content)[None]
    assert got == [(3 + 4 * one, f"/r/x[{one + 1}]", str(one), None) for one in range(60_000)]


def test_a_line_that_the_parser_cannot_count_is_left_out():
    content = b"<r>" + b"\n" * 70_000 + b"<x/><x><a>1</a></x></r>"
    assert records(content) == {None: [(None, "/r/x[1]", None, None), (None, "/r/x[2]", "1", None)]}


PARTS = [
    b"<x><a>1</a></x>", b"<x>\n<b>&lt;</b></x>", b"\n\n", b"<!-- </x> -->", b"<x/>", b"<![CDATA[]]>", b"<?p </x>?>",
    b"<x><a><![CDATA[</x>]]></a></x>", b"<x><c/><a>2</a></x>", b"<x><a><x></x></a></x>", b"<x ><b\n>3</b></x\n>",
    b"<x k='</x>'/>", b"<x k='>'><a>4</a></x>", b"<k/>", b"1", b"<x><x>", b"</x>", b"<y:x xmlns:y='u'/>", b"\r\n",
    b"<x><a>5</a>\r\n</x>", "<x><a>张</a></x>".encode(), b"<x><a/><a/></x>",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(st.sampled_from(PARTS), max_size=12),
    block=st.integers(1, 200),
    piece=st.integers(1, 40),
    lines=st.integers(0, 3),
)
def test_pieces_and_parsers_make_no_difference(parts, block, piece, lines):
    content = b"<r>" + b"".join(parts) + b"</r>"
    whole = (found(content), _read_or_not(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml, "PIECE", piece)
        patch.setattr(xml, "BLOCK", block)
        patch.setattr(xml, "LINES", lines)
        patch.setattr(xml, "BATCH", 2)
        assert _same_place(found(content)) == _same_place(whole[0])
        assert _read_or_not(content) == whole[1]


def _read_or_not(content):
    try:
        return records(content)
    except ReadError:
        return None


def _same_place(findings):
    """The code of what stops the reading; lxml names one column or the next, as it is given the bytes."""
    return [one[0] if len(one) == 2 else one for one in findings]


# Wrong in two places at least: the first one is told.
TWICE = {
    "text, then a root that ends twice": (b"<r>1<x/></r></r>", "F218"),
    "a root that ends twice, then text": (b"<r><x/></r></r><r>1</r>", "F216"),
    "a stranger, then a reference to nothing": (b"<r><x/><k/><x><a>1</a></x><x>&nope;</x></r>", "F218"),
    "a reference to nothing, then a stranger": (b"<r><x>&nope;</x><k/><x/></r>", "F216"),
    "text, then a byte that is none": (b"<r>1<x/>\n<x>\xff</x></r>", "F218"),
    "a byte that is none, then text": (b"<r><x>\xff</x>1<x/></r>", "F202"),
    "an end without a beginning, then a byte that is none": (b"<r></x>\xff\xff</r>", "F216"),
    "text, then half a character": (b"<r>1<x/>\n\xe5\xbc", "F218"),
    "an attribute twice in the record behind a stranger": (b"<r><k/><x/><x a='1' a='2'/></r>", "F218"),
}


@pytest.mark.parametrize("name", TWICE)
def test_what_is_wrong_first_is_told_wherever_a_block_ends(monkeypatch, name):
    content, expected = TWICE[name]
    for piece in (1, 5, 30_000):
        monkeypatch.setattr(xml, "PIECE", piece)
        for block in range(1, len(content) + 2):
            monkeypatch.setattr(xml, "BLOCK", block)
            assert [code for code, _ in found(content)] == [expected], (piece, block)


def test_namespaces_of_open_elements_go_on_in_the_next_parser(monkeypatch):
    monkeypatch.setattr(xml, "BLOCK", 20)
    monkeypatch.setattr(xml, "LINES", -1)
    nodes = (Node(None, ("r", "s", "x"), ""),)
    rows = b"<p:x><q:a>1</q:a></p:x>\n<q:x><p:a>2</p:a></q:x>\n<p:x><p:b>3</p:b></p:x>"
    inner = b'<p:s xmlns="" xmlns:q="u&amp;">' + rows + b"</p:s>"
    content = b'<p:r xmlns:p="u&amp;" xmlns="v">' + inner + b"</p:r>"
    assert records(content, other(nodes=nodes, namespace="u&")) == {
        None: [(1, "/r/s/x[1]", "1", None), (2, "/r/s/x[2]", "2", None), (3, "/r/s/x[3]", None, "3")]
    }


def test_fields_around_many_records_are_kept_while_parsers_change(monkeypatch):
    monkeypatch.setattr(xml, "BLOCK", 30)
    monkeypatch.setattr(xml, "LINES", -1)
    nodes = (Node("batch", ("r",), "", repeated=False), Node("row", ("r", "s", "x"), ""))
    names = {"batch": ("n", "m"), "row": ("a",)}
    rows = b"".join(b"<x><a>%d</a></x>\n" % one for one in range(9))
    content = b"<r>\n<n>1</n><s>" + rows + b"</s><m>2</m></r>"
    assert cells(content, other(nodes=nodes), names) == {"batch": [("1", "2")], "row": [(str(n),) for n in range(9)]}


def test_a_field_beyond_the_limit_is_found():
    assert found(b"<r><x><a>123456</a></x></r>", other(limits=Limits(field=5))) == [(None, 1, 1, None, "F204", "6")]


@pytest.mark.parametrize(
    "nodes",
    [
        (Node("a", ("r", "x"), ""), Node("b", ("q", "y"), "")),
        (Node("a", (), ""),),
        (Node("a", ("r", "x y"), ""),),
        (Node("a", ("r",), ""), Node("b", ("r", "y"), "")),
        (Node("a", ("r", "x"), ""), Node("b", ("r", "x", "n"), "", parent="a", link=("n",))),
        (Node("a", ("r", "x"), ""), Node("b", ("r", "x", "y"), "", parent="a", link=("k",))),
    ],
)
def test_nodes_that_no_document_could_hold_are_refused(nodes):
    with pytest.raises(MedpayError, match="dialect_fault"):
        read(b"<r/>", other(nodes=nodes), {"a": ("n",), "b": ("n",)})


def test_a_link_that_means_absent_links_nothing():
    nodes = (Node("x", ("r", "x"), ""), Node("y", ("r", "x", "y"), "", parent="x", link=("a",)))
    content = b"<r><x><a>null</a><y/></x></r>"
    assert found(content, other(nodes=nodes, nulls=("null",)), {"x": ("a",), "y": ("a",)}) == [
        ("y", 1, 1, "a", "F113", None)
    ]
