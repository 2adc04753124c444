"""Every format keeps the same promises: what is written is read as the same cells, or is not written at all."""

from __future__ import annotations

import io
import json
import os
from itertools import pairwise, product
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medpay_cli import formats, judging, layouts
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.archive import Input

NAMES = ("code", "name", "note", "paid")
BILL = str(Path(__file__).parents[2] / "fixtures" / "formats" / "bill.json")
LAYOUT = layouts.load(BILL)
# One dialect at least per format: how our own writer is asked to write it.
DIALECTS = {
    "csv": Dialect("csv", BILL, delimiter=",", quote='"', header=True),
    "csv gb18030": Dialect("csv", BILL, delimiter=",", quote='"', header=True, encoding="gb18030"),
    "tsv": Dialect("tsv", BILL, widths=(4,), nulls=("null",)),
    "bars": Dialect("bars", BILL, delimiter="|@|", widths=(4,)),
    "fixed": Dialect(
        "fixed", BILL, format="fixed",
        positions={"code": (1, 200), "name": (201, 400), "note": (401, 600), "paid": (601, 620)},
    ),
    "json": Dialect("json", BILL, format="json"),
    "json numbers": Dialect("json", BILL, format="json", numbers=True),
    "ndjson": Dialect("ndjson", BILL, format="ndjson"),
    "xml": Dialect("xml", BILL, format="xml"),
    "xml gb18030": Dialect("xml", BILL, format="xml", encoding="gb18030"),
    "xlsx": Dialect("xlsx", BILL, format="xlsx", header=True),
    "parquet": Dialect("parquet", BILL, format="parquet"),
}  # fmt: skip
HOSTILE = [
    None, "0", "00123", "-0", "1e5", "1E+3", "99999999999999.99", "123456789012345678", "true", "null", "NULL", "N/A",
    "=1+1", "+1", "-1", "@SUM(A1)", "http://x.example/?a=1&b=2", 'a "quoted" word', '"', "'", "a,b", "a\tb", "a|b",
    "a|@|b", "a\nb", "a\r\nb", "a\rb", " lead", "trail ", "　全角　", "<b>&amp;</b>", "]]>", "<!--", "\\u0041", "\\",
    "中文 𠮷 😀", "é", "e\u0301", "﷽" * 3, "0x1F", "2024-02-30", "45170", "1/2", "_x000D_", "\u2028", "\u200b",
    "\ufeffx",
    "\x00", "\x01", "\x7f", "\ufffe", "x" * 190,
]  # fmt: skip
assert set(formats.FORMATS) == {dialect.format for dialect in DIALECTS.values()}


@pytest.fixture(params=DIALECTS)
def dialect(request) -> Dialect:
    """Each of the dialects, ready for reading."""
    return DIALECTS[request.param].fitted(NAMES)


def frame(records) -> pl.DataFrame:
    """Records as a text frame."""
    return pl.DataFrame(records, dict.fromkeys(NAMES, pl.String), orient="row")


def written(dialect: Dialect, records) -> bytes:
    """The file of some records."""
    out = io.BytesIO()
    formats.write(out, dialect, {None: NAMES}, [{None: frame(records)}])
    return out.getvalue()


def judged(dialect: Dialect, content: bytes, also=lambda *_: None):
    """The judgement on a file."""
    source = Input("-", spool=io.BytesIO(content))
    return judging.judge_file(source, LAYOUT, dialect, also, judging.Terms(allow_empty=True))


def cells(dialect: Dialect, content: bytes):
    """The records of a file as they are read; raises AssertionError where it is not read as a whole."""
    made = judged(dialect, content, lambda batch, *_: batch.text.select(NAMES).rows())
    assert made.verdict.verdict != judging.NOT_JUDGED, list(made.findings.frames())
    found = [record for batch in made.also for record in batch]
    assert len(found) == made.verdict.records
    return found


def survives(dialect: Dialect, records) -> bool:
    """Whether records are written: then they are read as the same; the writer refuses what would not be."""
    try:
        content = written(dialect, records)
    except MedpayError as err:
        assert err.key != "bug"
        return False
    assert cells(dialect, content) == records
    return True


def test_plain_records_are_read_as_they_were_written(dialect):
    records = [(f"C{number:03}", "普通门诊诊查费", None, f"{number}.50") for number in range(200)]
    assert survives(dialect, records)
    made = judged(dialect, written(dialect, records))
    assert (made.verdict.verdict, made.verdict.records, str(made.verdict.totals["paid"])) == ("valid", 200, "20000.00")


def test_no_records_at_all_are_read_as_none(dialect):
    content = written(dialect, [])
    assert cells(dialect, content) == []
    refused = judging.judge_file(
        Input("-", spool=io.BytesIO(content)), LAYOUT, dialect, lambda *_: None, judging.Terms()
    )
    assert (refused.verdict.verdict, refused.findings.by_code()) == ("not_judged", {"F208": 1})


def test_an_empty_file_is_no_valid_one(dialect):
    made = judging.judge_file(Input("-", spool=io.BytesIO(b"")), LAYOUT, dialect, lambda *_: None, judging.Terms())
    assert (made.verdict.verdict, made.findings.total) == ("not_judged", 1)


@pytest.mark.parametrize("place", range(3), ids=NAMES[:3])
def test_a_hostile_text_in_any_field_comes_back_or_is_refused(dialect, place):
    kept = 0
    for text in HOSTILE:
        record = ["C1", "n", "m", "1.00"]
        record[place] = text
        kept += survives(dialect, [("C0", "n", None, "0.10"), tuple(record)])
    assert kept >= 20


def test_hostile_texts_side_by_side_come_back_or_are_refused(dialect):
    """Pairwise: each text beside each other one, in many records of one file where they can be written."""
    alone = [text for text in HOSTILE if survives(dialect, [("C1", text, text, "1.00")])]
    records = [(f"C{number}", *pair, "1.00") for number, pair in enumerate(product(alone, repeat=2))]
    assert survives(dialect, records)


def test_the_naughty_strings_come_back_or_are_refused(dialect):
    corpus = os.environ.get("MEDPAY_CORPUS")
    if not corpus:
        pytest.skip("MEDPAY_CORPUS is not set; .ci/run points it at ../shared/data")
    naughty = json.loads((Path(corpus) / "naughty-strings" / "blns.json").read_text(encoding="utf-8"))
    texts = [text for text in naughty if text and len(text) <= 190]
    fine = [text for text in texts if survives(dialect, [("C1", text, text, "1.00")])]
    assert len(fine) > 300
    assert survives(dialect, [(f"C{number}", *pair, "1.00") for number, pair in enumerate(pairwise(fine))])


texts = st.one_of(st.none(), st.sampled_from(HOSTILE), st.text(min_size=1, max_size=20))


@settings(max_examples=60, deadline=None)
@given(records=st.lists(st.tuples(texts, texts, texts, st.sampled_from(["0", "-1.5", "12.34", None])), max_size=8))
@pytest.mark.parametrize("name", DIALECTS)
def test_any_records_come_back_or_are_refused(name, records):
    survives(DIALECTS[name].fitted(NAMES), records)


def test_an_amount_that_is_none_is_found_in_every_format(dialect):
    records = [
        ("C1", "n", None, "1.00"),
        ("C2", "n", None, "1.005"),
        ("C3", "n", None, None),
        ("C4", "n", None, "0.10"),
    ]
    made = judged(dialect, written(dialect, records))
    found = [row for some in made.findings.frames() for row in some.select("row", "field", "code").rows()]
    assert found == [(2, "paid", "L103"), (3, "paid", "L101")]
    assert (made.verdict.rejected, str(made.verdict.totals["paid"])) == (2, "1.10")


def test_a_file_cut_off_anywhere_is_never_read_as_another(dialect):
    """Cut at every byte (of a small file): refused, with findings, or exactly the records before the cut."""
    records = [(f"C{number}", "普通门诊", "说明" if number % 2 else None, f"{number}.25") for number in range(4)]
    content = written(dialect, records)
    step = max(len(content) // 400, 1)
    for end in range(0, len(content), step):
        try:
            made = judged(dialect, content[:end], lambda batch, *_: batch.text.select(NAMES).rows())
        except ReadError as err:
            pytest.fail(f"{end}: {err}")
        if made.verdict.verdict == "valid":
            found = [record for batch in made.also for record in batch]
            whole = records[: len(found)]
            # Text without a final line end may lose digits of its last cell: --expect and final_line_end are for that.
            in_lines = dialect.format in ("delimited", "fixed") and found[:-1] == whole[:-1]
            assert found == whole or in_lines, end


def test_the_same_records_are_the_same_bytes(dialect):
    records = [("C1", "名称", None, "1.00"), ("C2", None, "x", "2.5")]
    assert written(dialect, records) == written(dialect, records)


def test_bytes_that_are_anything_are_judged_in_every_format(dialect):
    for content in (b"\x00" * 300, b"\xff\xfe" * 200, b"PK\x03\x04" + b"\x00" * 200, b"<" * 500, b"[" * 500, b"{" * 99,
                    b"\xd0\xcf\x11\xe0" * 30, b"PAR1" * 20, bytes(range(256)) * 4):  # fmt: skip
        made = judged(dialect, content)
        assert made.verdict.verdict in ("not_judged", "findings")
