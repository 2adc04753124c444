"""Our reader and checks, and lxml with the generated XSD, give one verdict on thousands of mutated documents."""

from __future__ import annotations

import copy
import random
import sys
from collections import Counter
from decimal import Decimal

import pytest
from lxml import etree
from xml_documents import CLAIMS, claims, described, read

from medpay_cli import checks, layouts
from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.xml import xsd
from medpay_cli.formats.xml.xsd_patterns import translated

SEED = 20240229
COUNT = 1500
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XML = "http://www.w3.org/XML/1998/namespace"
VALUES = [
    None, "", " ", "0", "-0", "-0.00", "00", "1", "1.0", "1.50", "1.500", "2.00", "+1", "1e5", "1.", ".5", " 1 ", "1 ",
    "99999999999999.99", "999999999999999.99", "0.123", "0.1234", "123456789", "-1", "100000", "100001", "1,000", "１",
    "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2024-2-1", "2024-13-01", "2024-04-31", "0999-01-01",
    "0000-01-01", "2024-01-31Z", " 2024-01-31", "2024-01-31 10:15:00", "2024-01-31T10:15:00", "2024-01-31 24:00:00",
    "2024-02-30 10:15:00", "2024-01-31 10:15:60", "张三", "张三李四王", "𠮷𠮷𠮷𠮷", "𠮷𠮷𠮷𠮷𠮷", "住院", "住院 ", "3",
    "C-1",
    "C-2", "B-<x>.", "A", "A1", "A床", "A床/", "B-]", "Ax\ny", "A\r", "A.....", "A......", "BX0001", "bx0001",
    "BX00011",
    "x" * 30, "x" * 31, "null", "a&b", "\t", "\u3000", "\u00a0", "e\u0301",
]  # fmt: skip


def text(element, rng):
    """Another value in a leaf."""
    leaves = [one for one in element.iter(etree.Element) if not len(one)]
    rng.choice(leaves).text = rng.choice(VALUES)


def chosen(element, rng):
    """Any element but the root."""
    return rng.choice([one for one in element.iter(etree.Element) if one is not element])


def drop(element, rng):
    one = chosen(element, rng)
    one.getparent().remove(one)


def repeat(element, rng):
    one = chosen(element, rng)
    one.addnext(copy.deepcopy(one))


def swap(element, rng):
    one = chosen(element, rng)
    one.getparent().insert(0, one)


def rename(element, rng):
    one = chosen(element, rng)
    space = f"{{{etree.QName(element).namespace}}}" if element.tag.startswith("{") else ""
    one.tag = rng.choice(
        [f"{space}other", f"{space}claim_no", f"{space}line", "{urn:x}claim", chosen(element, rng).tag]
    )


def move(element, rng):
    one, other = chosen(element, rng), rng.choice(list(element.iter(etree.Element)))
    if other is not one and one not in other.iterancestors():
        other.append(one)


def attribute(element, rng):
    name = rng.choice(["k", f"{{{XSI}}}nil", f"{{{XML}}}space", f"{{{XML}}}lang", "{urn:x}k"])
    value = rng.choice(["true", "false", "1", " 1 ", "yes", ""])
    rng.choice(list(element.iter(etree.Element))).set(name, "preserve" if name.endswith("space") else value)


def empty(element, rng):
    one = chosen(element, rng)
    for child in list(one):
        one.remove(child)
    one.text = None


def beside(element, rng):
    chosen(element, rng).tail = rng.choice(["\n", " \t", "x", "\u3000", "\u00a0"])


def comment(element, rng):
    one = rng.choice(list(element.iter(etree.Element)))
    one.insert(rng.randint(0, len(one)), rng.choice([etree.Comment(" 张三 "), etree.PI("p", "x")]))


MUTATIONS = (text, text, text, text, drop, repeat, swap, rename, move, attribute, empty, beside, comment)


# Why the two may differ, for reasons that lie outside of our code.
def has_spaced_bound(root):
    return any((one.text or "") != (one.text or "").strip() for one in root.iter("{*}claim_cnt"))


def has_own_link(root):
    return any(one.getparent().tag.endswith("}line") for one in root.iter("{*}claim_no"))


def has_attribute_of_no_meaning(root):
    return any(f"{{{XML}}}space" in one.attrib for one in root.iter(etree.Element))


def has_nil_false(root):
    return any(one.get(f"{{{XSI}}}nil", "").strip() in ("false", "0") for one in root.iter(etree.Element))


CAUSES = {
    "xs:decimal takes spaces around a number, and a bound needs xs:decimal": has_spaced_bound,
    "XSD 1.0 cannot say that a child's field equals its parent's": has_own_link,
    "xml:space is allowed by the XML recommendation, by XSD only where it is declared": has_attribute_of_no_meaning,
    "xsi:nil='false' says nothing, but XSD forbids it beside what is not nillable": has_nil_false,
}


def our_verdict(content, dialect, used):
    try:
        texts, faults, _ = read(content, dialect, {name: layout.names for name, layout in used.items()})
    except ReadError:
        return False
    return not any(frame.height for frame in faults.values()) and not any(
        checks.flag(frame, checks.compile_layout(used[node])).violations for node, frame in texts.items()
    )


def ledger():
    dialect, used = described("medpay-ledger-detail-xml")
    names = used["record"].names
    rows = [("S1", "M1", "P1", "10.00", "5", "0.00", "0", "{}"), ("S2", "M2", "P2", "-10.5", "-5", "0", "1", None)]
    cells = ["".join(f"<{name}>{cell}</{name}>" for name, cell in zip(names, row, strict=True) if cell) for row in rows]
    return dialect, used, ("<ledger>" + "".join(f"<record>{one}</record>" for one in cells) + "</ledger>").encode()


def nested():
    return *claims(), (CLAIMS / "batch.xml").read_bytes()


@pytest.mark.parametrize("made", [ledger, nested], ids=["ledger", "claims"])
def test_one_verdict_on_mutated_documents_or_a_named_cause(made, capsys):
    dialect, used, content = made()
    schema = etree.XMLSchema(etree.fromstring(xsd.schema(dialect, used)))
    rng = random.Random(SEED)  # noqa: S311
    seen, unexplained = Counter(), {}
    for _ in range(COUNT):
        root = etree.fromstring(content)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            rng.choice(MUTATIONS)(root, rng)
            if len(root) == 0:
                break
        mutated = etree.tostring(root, encoding="utf-8")
        ours, theirs = our_verdict(mutated, dialect, used), schema.validate(etree.fromstring(mutated))
        cause = next((name for name, holds in CAUSES.items() if holds(root)), None)
        seen["valid" if ours else "invalid"] += 1
        if ours != theirs:
            seen[cause] += 1
            if cause is None:
                unexplained.setdefault(str(schema.error_log.last_error), (ours, theirs, mutated.decode()))
    with capsys.disabled():
        print("", dict(seen), sep="\n", file=sys.stderr)
    assert unexplained == {}
    assert min(seen["valid"], seen["invalid"]) > COUNT / 5
    assert sum(seen.values()) - seen["valid"] - seen["invalid"] < COUNT / 20


WIDE = {
    "type": "object",
    "properties": {
        "t": {"type": "string", "minLength": 2, "maxLength": 3},
        "p": {"type": "string", "pattern": '^[^a-c\\]^-]+?(?:x|\\$|\\"){1,2}$', "maxLength": 5},
        "c": {"type": "string", "const": "是"},
        "n": {"type": "number", "enum": [0, Decimal("-1.5"), 20]},
        "i": {"type": "integer", "minimum": -3, "maximum": 12},
        "d": {"type": "string", "format": "date", "enum": ["2024-02-29", "2024-02-30"]},
        "m": {"type": "number", "format": "money", "x-digits": 4, "x-scale": 0},
        "u": {"maxLength": 3},
    },
    "required": ["t", "m"],
}
CELLS = {
    "t": ["ab", "abc", "a", "abcd", "", "𠮷𠮷𠮷", "é1"],
    "p": ["zx", "z$", 'z"x', "zzzzx", "ax", "]x", "^x", "-x", "zy", "\nx", "张x", "zxxxxx", ""],
    "c": ["是", "否", "是 ", ""],
    "n": ["0", "-0", "0.0", "-1.5", "-1.50", "1.5", "20", "20.000", "2", "020", "x", ""],
    "i": ["-3", "-4", "12", "12.0", "12.5", "13", "-0", "1e1", ""],
    "d": ["2024-02-29", "2024-02-30", "2024-01-01", ""],
    "m": ["9999", "10000", "-9999", "0", "1.0", ""],
    "u": ["abc", "abcd", "12345", "12.5", ""],
}


def test_every_keyword_means_the_same_in_the_schema():
    layout = layouts.build(WIDE, "wide.json")
    dialect, used = Dialect("wide.toml", "", format="xml", nodes=(Node(None, ("r", "x"), ""),)), {None: layout}
    schema = etree.XMLSchema(etree.fromstring(xsd.schema(dialect, used)))
    fine = {name: values[0] for name, values in CELLS.items()}
    differing = []
    for name, values in CELLS.items():
        for value in values:
            root = etree.Element("r")
            record = etree.SubElement(root, "x")
            for field, cell in {**fine, name: value}.items():
                etree.SubElement(record, field).text = cell
            content = etree.tostring(root, encoding="utf-8")
            if our_verdict(content, dialect, used) != schema.validate(root):
                differing.append((name, value))
    assert differing == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^[0-9]{18}$", "[0-9]{18}"),
        ("^(?:a|b)+?\\.x$", "(a|b)+\\.x"),
        ("^[-+]?\\/[]a]$", "[\\-\\+]?/[\\]a]"),
        ("^a.$", "a[^\n]"),
        ("^[^^\\-z]$", "[^\\^\\-z]"),
        ("^[a-]$", "[a\\-]"),
    ],
)
def test_a_pattern_is_translated(pattern, expected):
    assert translated(pattern, "f") == expected


def test_a_pattern_that_xml_schema_cannot_say_is_refused_by_name():
    with pytest.raises(MedpayError, match="xsd_pattern: name=f"):
        translated("^(a|^b)$", "f")


def test_other_columns_and_repeated_children_make_a_schema_too():
    nodes = (
        Node("claim", ("r", "claim"), ""),
        Node("line", ("r", "claim", "line"), "", parent="claim", link=("n",)),
    )
    layout = layouts.build({"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}, "n.json")
    for other_columns in (False, True):
        dialect = Dialect("d.toml", "", format="xml", nodes=nodes, other_columns=other_columns)
        schema = etree.XMLSchema(etree.fromstring(xsd.schema(dialect, {"claim": layout, "line": layout})))
        content = b"<r><claim><n>1</n><line/><line><n>1</n></line></claim></r>"
        extra = b'<r><claim k="1"><n>1</n><k xmlns="urn:x"/></claim></r>'
        assert schema.validate(etree.fromstring(content))
        assert schema.validate(etree.fromstring(extra)) is other_columns
        assert our_verdict(content, dialect, {"claim": layout, "line": layout})
        assert our_verdict(extra, dialect, {"claim": layout, "line": layout}) is other_columns
