"""Records that are read column by column are read as the parser reads them, and only where they are plain."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xml_documents import FLAT, FLAT_NAMES, claims, other, read

from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import ReadError
from medpay_cli.formats.xml import document as xml
from medpay_cli.formats.xml.elements import tree
from medpay_cli.formats.xml.plain import Plain

# Two levels of children, one without an element of its own around it, and a node that is not repeated.
DEEP = Dialect(
    "deep.toml",
    "",
    format="xml",
    nodes=(
        Node("x", ("r", "s", "x"), ""),
        Node("y", ("r", "s", "x", "y"), "", parent="x", link=("a",)),
        Node("z", ("r", "s", "x", "y", "w", "z"), "", parent="x", link=("a",), required=True, repeated=False),
        Node("v", ("r", "s", "v"), ""),
    ),
)
DEEP_NAMES = {"x": ("a", "b"), "y": ("a", "c"), "z": ("a", "c", "b"), "v": ("b",)}
PLAIN = ["1", "", " ", "&amp;lt;", "张三", "]]", "\n", "\t", "\r\n", "￥"]
TEXTS = [
    "1",
    "",
    " ",
    "&amp;lt;",
    "&#13;",
    "张三",
    "]]",
    "\n",
    "\t",
    "\r\n",
    "\r",
    "&bad;",
    "a>b",
    "\x01",
    "\ufffe",
    "￥",
]
SPLICES = [
    "<x>", "</x>", "<y>", "</y>", "<w>", "</w>", "<z/>", "<b/>", "<b>", "</b>", "<a>2</a>", "<!-- </x> -->", "<k/>",
    "x",
    "<![CDATA[", "]]>", "<?p?>", " ", "\n", ">", "<", "<b k='1'/>", "<b >1</b>", "</s>", "<s>", "<v/>", "<v></v>",
    "&lt;",
]  # fmt: skip


def outcome(content, dialect, names):
    try:
        texts, faults, counts = read(content, dialect, names)
    except ReadError as err:
        return err.code in ("F216", "F218") or err.code
    return (
        {node: frame.rows() for node, frame in texts.items() if frame.height},
        {node: frame.rows() for node, frame in faults.items() if frame.height},
        counts,
    )


def document(rng, faults):
    """A document of deep records, with some text spliced in between its tags."""

    def field(name):
        return f"<{name}>{rng.choice(PLAIN if rng.random() < 0.99 else TEXTS) if rng.random() < 0.8 else '7'}</{name}>"

    def shuffled(*parts):
        return "".join(rng.sample(parts, len(parts)))

    def child(number):
        strange = [f"<a>{number}</a>", "<a>x</a>", "<b/>", "<c/>", "<w/>", "<w><z/></w>"]
        odd = rng.choice(strange) if rng.random() < 0.05 else ""
        inner = "<z>" + shuffled(field("c"), field("b")) + "</z>"
        twice = inner if rng.random() < 0.02 else ""
        return f"<y>{shuffled(field('c'), '<w>' + inner + twice + '</w>', odd)}</y>"

    records = []
    for number in range(rng.randint(1, 8)):
        children = "".join(child(number) for _ in range(rng.choice([0, 1, 2])))
        records.append(f"<x>{shuffled(f'<a>{number}</a>', field('b'), children)}</x>")
        records.append(rng.choice(["", "\n", "<v><b>1</b></v>", "\r\n  "]))
    text = "<r><s>" + "".join(records) + "</s></r>"
    for _ in range(faults):
        at = rng.choice([place for place, one in enumerate(text) if one in "<>"]) + rng.choice([0, 1])
        text = text[:at] + rng.choice(SPLICES + TEXTS) + text[at:]
    return text.encode()


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 10**9), faults=st.sampled_from([0, 0, 1, 1, 2]), block=st.integers(20, 3000))
def test_plain_records_are_read_as_the_parser_reads_them(seed, faults, block):
    content = document(random.Random(seed), faults)  # noqa: S311
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml, "BLOCK", block)
        mixed = outcome(content, DEEP, DEEP_NAMES)
        patch.setattr(Plain, "taken", lambda *_: None)
        assert outcome(content, DEEP, DEEP_NAMES) == mixed


def passed_by(content, dialect, names):
    """How many records the parser did not see."""
    seen = []
    whole = Plain.taken

    def counted(self, *args):
        taken = whole(self, *args)
        seen.append(0 if taken is None else sum(frame.height for frame in taken.values()))
        return taken

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plain, "taken", counted)
        read(content, dialect, names)
    return sum(seen)


def test_plain_records_are_not_parsed():
    content = b"<r>" + b"<x>\n<a>1&amp;</a><b/></x>\r\n" * 100 + b"</r>"
    assert passed_by(content, FLAT, FLAT_NAMES) == 99
    prefixed = b'<p:r xmlns:p="u">' + b"<p:x><p:a>1</p:a></p:x>" * 100 + b"</p:r>"
    assert passed_by(prefixed, other(namespace="u"), FLAT_NAMES) == 99
    nil = b'<r xmlns:i="http://www.w3.org/2001/XMLSchema-instance">' + b'<x><a i:nil="true"/></x>' * 100 + b"</r>"
    assert passed_by(nil, FLAT, FLAT_NAMES) == 99
    dialect, layouts = claims()
    names = {name: layout.names for name, layout in layouts.items()}
    claim = b"<claim><lines><line><item>A</item></line></lines><claim_no>1</claim_no></claim>"
    nested = b'<batch xmlns="urn:example:claims"><header/><claims>' + claim * 100 + b"</claims></batch>"
    assert passed_by(nested, dialect, names) == 198


PLAINLY = b"<x><a>1</a><y><w><z><c>2</c></z></w></y></x>"
NOT_PLAIN = {
    "an attribute": b"<x k='1'/>",
    "nil without a namespace": b'<x><b xsi:nil="true"/></x>',
    "a record that is empty": b"<x/>",
    "a reference by number": b"<x><a>&#65;</a></x>",
    "a comment": b"<x><!-- --></x>",
    "a carriage return": b"<x><a>\r</a></x>",
    "a character that XML lacks": b"<x><a>\xef\xbf\xbf</a></x>",
    "an unknown element": b"<x><k/></x>",
    "a field twice": b"<x><a>1</a><a>1</a></x>",
    "the end of CDATA": b"<x><a>]]></a></x>",
    "text in a record": b"<x>1</x>",
    "an element in a field": b"<x><a><b/></a></x>",
    "a field of another place": b"<x><a>1</a><c>1</c></x>",
    "a field outside of a record": b"<a>1</a>",
    "a place within itself": b"<x><x><a>1</a></x></x>",
    "a record of another place": b"<x><a>1</a><z/></x>",
    "an end too many": b"<x></x></x>",
    "an end that is missing": b"<x>",
    "tags crossed": b"<x><y></x></y>",
    "a single node twice": b"<x><a>1</a><y><w><z><c/></z><z><c/></z></w></y></x>",
    "a required node that is missing": b"<x><a>1</a><y></y></x>",
    "a link of its own": b"<x><a>1</a><y><a>1</a><w><z></z></w></y></x>",
    "a link that is missing": b"<x><y><w><z></z></w></y></x>",
    "an empty link": b"<x><a></a><y><w><z></z></w></y></x>",
    "a link that means absent": b"<x><a>null</a><y><w><z></z></w></y></x>",
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_the_parser(name):
    place = Plain(tree(DEEP, DEEP_NAMES).inner["s"].inner["x"], None, None, frozenset(("null",)))
    assert place.taken(PLAINLY, 1, "/r/s", 0) is not None
    assert place.taken(PLAINLY + NOT_PLAIN[name], 1, "/r/s", 0) is None


def test_elements_may_have_chinese_names():
    dialect = other(nodes=(Node(None, ("账单", "记录"), ""),))
    content = ("<账单>" + "<记录><a>1</a></记录>" * 100 + "</账单>").encode()
    assert passed_by(content, dialect, FLAT_NAMES) == 99
    assert read(content, dialect)[2] == {None: 100}


def test_places_are_right_behind_records_that_were_not_parsed():
    content = b"<r>" + b"\n<x><a>1</a></x>" * 1000 + b"\n<x><a>1</a></y>\n</r>"
    with pytest.raises(ReadError) as caught:
        read(content)
    assert (caught.value.code, caught.value.value) == ("F216", "1002:16: tag name mismatch")


def test_what_is_plain_is_found_again_between_what_is_not():
    """One in ten thousand records holds a comment; most others are read without the parser."""
    plain, odd = b"<x><a>1</a><b>2</b></x>\n", b"<x><a>1<!-- --></a><b>2</b></x>\n"
    content = b"<r>" + b"".join(plain * 9_999 + odd for _ in range(9)) + b"</r>"
    assert passed_by(content, FLAT, FLAT_NAMES) > 60_000
    assert read(content)[2] == {None: 90_000}
    assert passed_by(b"<r>" + odd * 20_000 + b"</r>", FLAT, FLAT_NAMES) == 0


def test_names_of_both_a_field_and_an_element_are_never_plain():
    dialect = replace(FLAT, nodes=(Node(None, ("r", "a"), ""),))
    content = b"<r>" + b"<a><a>1</a></a>" * 3 + b"</r>"
    assert passed_by(content, dialect, FLAT_NAMES) == 0
    assert read(content, dialect)[0][None].select("a").rows() == [("1",)] * 3
