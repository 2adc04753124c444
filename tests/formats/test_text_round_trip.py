"""What is written as text reads back cell by cell, or it is not written."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from text_files import NAMES, dialect, seen, written

from medpay_cli.errors import MedpayError
from medpay_cli.formats.text import cutting, writing


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the users' own files are."""
    return tmp_path_factory.mktemp("text")


HOSTILE = (
    " ", "a ", " a", "\ta", "a\u3000", '"', '""', 'a"b', '"a"', "a,b", ",", "|", "||", "@|", "|@", "a|@|b", "|@|",
    "\t", "\n", "\r", "a\r", "\ra", "\r\n", "a\nb", "\0", "a\0", "\x1d", "\x1e", "\ufeff", "\ufeffa", "\ufdd0", "믯뾿",
    "ㄱㆄ㎕", "\u3184\u3395", "null", "NULL", "-", "T", "T|1", "合计", "END", "-0", "1e5", "007", "99999999999999.99",
    "<a>&amp;</a>", "医", "医保", "𠮷", "🏥", "é", "·", "—", "€", "陆卢毛鲁", "x" * 40, "医" * 20, "\x85", "\u2028",
)  # fmt: skip
PLAIN = ("a", "B7", "007", "-0", "1e5", "99999999999999.99", "x-y_z", "0")
AMOUNTS = ("0", "0.00", "-4.52", "99999999999999.99", "7", "1.5")


def cells(text: st.SearchStrategy[str], amounts: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str | None, ...]]:
    """Records."""
    return st.tuples(*[st.none() | text] * 3, st.none() | amounts)


hostile = st.sampled_from(PLAIN) | st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=5)
any_records = st.lists(cells(hostile, st.sampled_from(AMOUNTS) | hostile), max_size=5)
plain_records = st.lists(cells(st.sampled_from(PLAIN), st.sampled_from(AMOUNTS)), max_size=9)


def toml(**keys: object) -> str:
    """The keys of a dialect; a key that is None is left out."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items() if value is not None)


ENCODINGS = (None, "utf-8", "gb18030", "gbk", "gb2312", "big5", "utf-16-le", "utf-16-be")


@st.composite
def delimited(draw, *, plain: bool = False) -> str:
    """Dialects of delimited text, nearly all that there could be; `plain` ones can write plain cells."""
    odd = [] if plain else ["ab"]
    delimiter = draw(st.sampled_from(["\t", ",", "|", "~", "|@|", "||", "\x1d\x1e", "||||||||", *odd]))
    header = draw(st.booleans())
    body = toml(
        format="delimited",
        delimiter=delimiter,
        quote=draw(st.sampled_from(["", '"'])) if len(delimiter) == 1 else None,
        encoding=draw(st.sampled_from(ENCODINGS)),
        header=header,
        nulls=draw(st.sampled_from([None, ["null"], ["-", "null"], [""], ["", "null"], ["*" if plain else "|"]])),
        preamble=draw(st.sampled_from([0, 0, 2])),
        footer=draw(st.sampled_from([None, ["END"], ["合" if plain else "合计", "END"]])),
        trim=draw(st.sampled_from([None, None, True])),
        widths=None if header else draw(st.sampled_from([None, [4], [1], [3, 4], [2, 3]])),
        mixed_widths=draw(st.sampled_from([None, True])),
        trailing_delimiter=draw(st.sampled_from([None, True])),
        line_end=draw(st.sampled_from([None, "\r\n"])),
        final_line_end=draw(st.sampled_from([None, True])),
    )
    if header and draw(st.booleans()):
        body += '[headings]\n"姓名" = "psn_name"\n"名" = "psn_name"\n'
    limits = "" if plain else draw(st.sampled_from(["", "", "[limits]\nfield = 30\nline = 60\n"]))
    return body + limits + draw(control())


@st.composite
def control(draw) -> str:
    """No control lines, or some."""
    lines = {
        "head": ["", "batch_no", "records", "medfee_sumamt"], "head_begins": "H",
        "tail": ["records", "medfee_sumamt"],
    }  # fmt: skip
    chosen = draw(st.sampled_from([[], [], ["head"], ["head", "head_begins"], ["tail"], list(lines)]))
    return "[control]\n" + toml(**{key: lines[key] for key in chosen}) if chosen else ""


@st.composite
def fixed(draw, *, plain: bool = False) -> str:
    """Dialects of lines of fixed width; `plain` ones can write plain cells."""
    encoding = draw(st.sampled_from(ENCODINGS))
    counted = draw(st.booleans()) and encoding in ("gb18030", "gbk", "gb2312", "big5")
    gap = draw(st.sampled_from([0, 0, 3]))
    order = draw(st.permutations(NAMES))
    places = {name: [1 + n * (20 + gap), 20 + n * (20 + gap)] for n, name in enumerate(order)}
    body = toml(
        format="fixed",
        encoding=encoding,
        counted_in="bytes" if counted else None,
        nulls=draw(st.sampled_from([None, ["null"]])),
        preamble=draw(st.sampled_from([0, 2])),
        footer=draw(st.sampled_from([None, ["合" if plain else "合计", "END"]])),
        trim=draw(st.sampled_from([None, True])),
        line_end=draw(st.sampled_from([None, "\r\n"])),
        widths=draw(st.sampled_from([None, [100]])),
    )
    if draw(st.booleans()):
        head = "head = { batch_no = [2, 9], records = [10, 20], medfee_sumamt = [21, 60] }\n"
        body += f"[control]\n{head}head_begins = 'H'\ntail = {{ records = [3, 12] }}\ntail_begins = '合'\n"
    return body + "[positions]\n" + toml(**places)


slow = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("kind", [delimited(), fixed()], ids=["delimited", "fixed"])
@given(data=st.data(), part=st.sampled_from([8 << 20, 32, 1]))
@slow
def test_any_cells_read_back_as_they_are_or_are_not_written(folder, kind, data, part):
    how = dialect(folder, data.draw(kind))
    records = data.draw(any_records)
    with mock.patch.object(writing, "AT_ONCE", 2), mock.patch.object(cutting, "PART", part):
        try:
            content = written(how, records[:3], records[3:])
        except MedpayError as err:
            assert err.key in ("cannot_express", "dialect_fault")
            event(str(err.values.get("reason")).split(" ")[0])
            return
        event("written")
        found = seen(folder, how, content)
    assert found.records == records
    assert found.faults == []


@pytest.mark.parametrize("kind", [delimited(plain=True), fixed(plain=True)], ids=["delimited", "fixed"])
@given(data=st.data(), part=st.sampled_from([8 << 20, 32, 1]))
@slow
def test_plain_cells_are_always_written(folder, kind, data, part):
    how = dialect(folder, data.draw(kind))
    records = data.draw(plain_records)
    width = len(NAMES) if how.header or how.format == "fixed" else max(how.widths)
    records = [record[:width] + (None,) * (len(NAMES) - width) for record in records]
    if width == 1 and not how.quote:
        records = [("a", *record[1:]) for record in records]
    with mock.patch.object(writing, "AT_ONCE", 2), mock.patch.object(cutting, "PART", part):
        found = seen(folder, how, written(how, records[:3], records[3:]))
    assert found.records == records
    assert found.faults == []
