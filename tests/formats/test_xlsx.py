"""Workbooks are read as exactly as Excel knows them, and what makes a cell doubtful is said."""

import gzip
import io
import struct
import time
import zipfile
from datetime import date, datetime, timedelta
from decimal import Decimal

import fastexcel
import openpyxl
import polars as pl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbooks import MAIN, cells, dialect, part, read, row, styles, workbook

from medpay_cli import formats
from medpay_cli.dialects import Limits, Node
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats.archive import Input
from medpay_cli.formats.xlsx import serials, sheets
from medpay_cli.formats.xlsx import workbook as parts
from medpay_cli.formats.xlsx import writing as sheet_writing
from medpay_cli.formats.xlsx.serials import Kind

AB = ("a", "b")
HEAD = row(1, "a", "b")


def refused(content, dialect=None, names=AB):
    """The code and value of what stops the reading."""
    with pytest.raises(ReadError) as stopped:
        cells(content, dialect or globals()["dialect"](), names)
    return stopped.value.code, stopped.value.value


def number(stored, style="", names=("a",)):
    """What a single number cell reads as, and the code of its fault."""
    made = workbook(
        f'{row(1, "a")}<row r="2"><c r="A2"{style}><v>{stored}</v></c></row>',
        styles=styles(14, "h:mm", "0.00E+00", 'yyyy"年"m"月"d"日"', 22),
    )
    records, faults = cells(made, dialect(), names)
    return records[0][0], *(fault[0] for fault in faults)


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("19.989999999999998", ("19.99",)),
        ("19.99", ("19.99",)),
        ("5", ("5",)),
        ("5.0", ("5",)),
        ("100", ("100",)),
        ("1.50", ("1.5",)),
        (".5", ("0.5",)),
        ("-0", ("0",)),
        ("-0.5", ("-0.5",)),
        ("1.0000000000000001E-5", ("0.00001",)),
        ("123456789012345", ("123456789012345",)),
        ("99999999999.99", ("99999999999.99",)),
        ("1E+15", ("1E+15", "F114")),
        ("1000000000000000", ("1000000000000000", "F114")),
        ("330102199001011234", ("330102199001011234", "F114")),
        ("99999999999999.99", ("99999999999999.99", "F114")),
        ("0.30000000000000004", ("0.30000000000000004", "F114")),
        ("1e400", ("1e400", "F114")),
        ("1e-400", ("1e-400", "F114")),
        ("1.1102E+14", ("111020000000000",)),
        ("1.23456789E7", ("12345678.9",)),
        ("0E5", ("0",)),
        ("NaN", ("NaN", "F115")),
    ],
)
def test_a_number_reads_as_what_was_typed_or_not_at_all(stored, expected):
    assert number(stored) == expected


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6))
def test_a_number_of_up_to_fifteen_digits_comes_back_from_its_double(typed):
    plain = f"{typed.normalize():f}" if typed else "0"
    stored = f"{float(typed):.17g}"
    polars = pl.Series([stored]).cast(pl.Float64).cast(pl.String).str.strip_suffix(".0")[0]
    assert serials.shown(stored, Kind.NUMBER)[0] == plain
    assert polars == plain or "e" in polars or polars == "-0"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_polars_writes_a_double_as_shortly_as_python(value):
    written = pl.Series([value]).cast(pl.String)[0]
    assert pl.Series([repr(value)]).cast(pl.Float64)[0] == value
    assert Decimal(written) == Decimal(repr(value))


@pytest.mark.parametrize(
    ("stored", "style", "expected"),
    [
        ("44896", ' s="1"', ("2022-12-01",)),
        ("44896", ' s="4"', ("2022-12-01",)),
        ("44896.424444444446", ' s="5"', ("2022-12-01 10:11:12",)),
        ("0.5", ' s="2"', ("12:00:00",)),
        ("1.5", ' s="2"', ("36:00:00",)),
        ("1", ' s="1"', ("1900-01-01",)),
        ("59", ' s="1"', ("1900-02-28",)),
        ("60", ' s="1"', ("60",)),
        ("61", ' s="1"', ("1900-03-01",)),
        ("2958465", ' s="1"', ("9999-12-31",)),
        ("2958466", ' s="1"', ("2958466",)),
        ("-1", ' s="1"', ("-1",)),
        ("111020000000000", ' s="3"', ("111020000000000", "F116")),
        ("44896", "", ("44896",)),
    ],
)
def test_a_number_format_says_what_a_number_means(stored, style, expected):
    assert number(stored, style) == expected


def test_days_count_from_1904_where_the_workbook_says_so():
    made = workbook(
        f'{row(1, "a")}<row r="2"><c r="A2" s="1"><v>43434</v></c></row>',
        styles=styles(14), properties='<workbookPr date1904="1"/>',
    )  # fmt: skip
    assert cells(made, dialect(), ("a",)) == ([("2022-12-01",)], [])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("General", Kind.NUMBER), ("0.00", Kind.NUMBER), ('#,##0.00"元"', Kind.NUMBER), ("@", Kind.NUMBER),
        ('General;[Red]"day"', Kind.NUMBER), ("[$¥-804]#,##0.00", Kind.NUMBER), ("yyyy-mm-dd", Kind.DATE),
        ('yyyy"年"m"月"d"日"', Kind.DATE), ("[$-804]aaaa;@", Kind.NUMBER), ("mmm-yy", Kind.DATE), ("m", Kind.DATE),
        ("yyyy-mm-dd hh:mm:ss", Kind.DATE), ("h:mm AM/PM", Kind.TIME), ("[h]:mm:ss", Kind.TIME), ("mm:ss.0", Kind.TIME),
        ("0.00E+00", Kind.SCIENTIFIC), ("##0.0E+0", Kind.SCIENTIFIC), (r"\d0", Kind.NUMBER), ("_d0*y", Kind.NUMBER),
    ],
)  # fmt: skip
def test_a_number_format_of_its_own_is_understood(code, expected):
    assert serials.kind(170, code) == expected


@given(st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)).map(lambda one: one.replace(microsecond=0)))
def test_every_second_since_march_1900_comes_back(moment):
    past = moment - datetime(1899, 12, 30)
    stored = repr(past / timedelta(days=1))
    day = moment.date().isoformat()
    assert serials.shown(stored, Kind.DATE) == (
        day if moment.time().isoformat() == "00:00:00" else f"{day} {moment.time()}",
        None,
    )


# ---------------------------------------------------------------- text


def test_text_stands_as_it_is_whoever_wrote_it():
    strings = (
        '<si><t>a</t></si><si><t>b</t></si><si><t xml:space="preserve"> 001 </t></si>'
        '<si><r><rPr><b/></rPr><t>甲</t></r><r><t xml:space="preserve"> 类</t></r>'
        '<rPh sb="0" eb="1"><t>jia</t></rPh></si>'
        '<si><t>医院</t><rPh sb="0" eb="2"><t>yiyuan</t></rPh><phoneticPr fontId="1"/></si><si><t/></si>'
        "<si><t>a&amp;b&lt;c&#65;</t></si><si><t>1_x000D_\n2_x005F_x000D__xD800_</t></si><si/>"
    )
    shared = [f'<c r="{"AB"[at % 2]}{at // 2 + 1}" t="s"><v>{at}</v></c>' for at in range(9)]
    rows = "".join(f'<row r="{at + 1}">{"".join(shared[2 * at : 2 * at + 2])}</row>' for at in range(5))
    inline = (
        row(6, "<![CDATA[<x>&]]>", "1,200.50")
        + '<row r="7"><c r="A7" t="b"><v>1</v></c><c r="B7" t="str"><f>A1</f><v>f</v></c></row>'
    )
    records, faults = cells(workbook(rows + inline, strings=strings), dialect(), AB)
    assert records == [
        (" 001 ", "甲 类"), ("医院", None), ("a&b<cA", "1\r\n2_x000D__xD800_"), ("<x>&", "1,200.50"), ("TRUE", "f"),
    ]  # fmt: skip
    assert faults == [("F104", 5, None, None, None)]


def test_rows_and_cells_without_addresses_follow_on_one_another(monkeypatch):
    monkeypatch.setattr(parts, "BLOCK", 100)
    made = workbook(
        '<row><c t="str"><v>a</v></c><c t="str"><v>b</v></c></row>'
        + "".join(f"<row><c><v>{at}</v></c><c><v>{at * 2}</v></c></row>" for at in range(9))
        + '<row r="21"><c><v>9</v></c></row><row><c><v>10</v></c></row>'
    )
    text, faults, _ = read(made, dialect(), {None: AB})
    lines = [*range(2, 11), 21, 22]
    assert text == {None: [(at + 1, lines[at], str(at), str(at * 2) if at < 9 else None) for at in range(11)]}
    assert [fault[:2] for fault in faults[None]] == [("F104", line) for line in range(11, 21)]


def test_a_prefix_before_every_name_changes_nothing():
    sheet = f"""<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1" t="str"><x:v>a</x:v></x:c></x:row>
        <x:row r="2"><x:c r="A2"><x:v>19.989999999999998</x:v></x:c></x:row></x:sheetData></x:worksheet>"""
    assert cells(workbook(sheet.encode()), dialect(), ("a",)) == ([("19.99",)], [])


LETTERS = st.characters(codec="utf-8") | st.sampled_from(list("<>&\"'=\t\n\r_x0D\u3000\U00020000\ufeff\x01"))
WORDS = ("=1+1", "http://x", "-0", "1e5", "007", "99999999999999.99", "_x000D_", "]]>", "<!--", "null", " a ")
HARD = st.text(LETTERS, max_size=12) | st.sampled_from(WORDS)
RECORDS = st.lists(st.tuples(HARD | st.none(), HARD | st.none()).filter(any), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(RECORDS, st.booleans(), st.sampled_from([40, 4 << 20]))
def test_what_is_written_is_read_again(monkeypatch, records, header, block):
    monkeypatch.setattr(parts, "BLOCK", block)
    used = dialect(header=header, footer=("合计",) if header else ())
    assert cells(written(records, used), used, AB) == ([tuple(one or None for one in record) for record in records], [])


def written(records, dialect, names=AB, chunk=5):
    out = io.BytesIO()
    frames = [
        {None: pl.DataFrame(records[at : at + chunk], dict.fromkeys(names, pl.String), orient="row")}
        for at in range(0, len(records), chunk)
    ]
    formats.write(out, dialect, {None: names}, frames)
    return out.getvalue()


def test_openpyxl_reads_the_same_out_of_what_we_write():
    made = written([("=1+1", "http://x"), ("001", "1\n2")], dialect(headings={"单号": "a"}))
    sheet = openpyxl.load_workbook(io.BytesIO(made)).active
    assert [[(cell.value, cell.data_type) for cell in row] for row in sheet.iter_rows()] == [
        [("单号", "s"), ("b", "s")], [("=1+1", "s"), ("http://x", "s")], [("001", "s"), ("1\n2", "s")],
    ]  # fmt: skip
    assert sheet.freeze_panes == "A2"


@pytest.mark.parametrize(
    ("records", "more", "place"),
    [
        ([("x" * 32_768, None)], {}, "A2"),
        ([("\U00020000" * 16_384, None)], {}, "A2"),
        ([(None, None)], {}, "2:2"),
        ([("null", "1")], {"nulls": ("null",)}, "a"),
        ([(" a", "1")], {"trim": True}, "a"),
    ],
)
def test_what_would_not_be_read_again_is_not_written(records, more, place):
    with pytest.raises(MedpayError) as stopped:
        written(records, dialect(**more))
    assert (stopped.value.key, stopped.value.values["place"]) == ("not_written", place)


def test_a_sheet_is_full_at_its_last_row(monkeypatch):
    monkeypatch.setattr(sheet_writing, "MOST_ROWS", 3)
    assert cells(written([("1", "2"), ("3", "4")], dialect()), dialect(), AB)[0] == [("1", "2"), ("3", "4")]
    with pytest.raises(MedpayError):
        written([("1", "2")] * 3, dialect())


def test_a_sheet_name_that_excel_refuses_is_refused():
    with pytest.raises(MedpayError) as stopped:
        written([("1", "2")], dialect(sheet="a/b"))
    assert stopped.value.key == "dialect_fault"


def test_amounts_are_numbers_where_the_dialect_says_so_and_a_double_holds_them():
    names = ("setl_id", "medfee_sumamt")
    amounts = ["1.50", "19.99", "-0.01", "9999999999999.99", "99999999999999.99", "1e5", "007"]
    used = dialect(layout="ledger_detail", numbers=True)
    made = written([(f"{at:03}", amount) for at, amount in enumerate(amounts)], used, names)
    sheet = openpyxl.load_workbook(io.BytesIO(made)).active
    assert [(sheet.cell(at, 2).value, sheet.cell(at, 2).number_format) for at in range(2, 9)] == [
        (1.5, "0.00"), (19.99, "0.00"), (-0.01, "0.00"), (9999999999999.99, "0.00"), ("99999999999999.99", "General"),
        ("1e5", "General"), ("007", "General"),
    ]  # fmt: skip
    assert [record[1] for record in cells(made, used, names)[0]] == ["1.5", *amounts[1:]]


def test_the_same_records_make_the_same_bytes():
    records = [("1", "2"), ("3", None)] * 4
    assert written(records, dialect()) == written(records, dialect(), chunk=3)


NODES = (
    Node("bill", ("bill",), "", repeated=True, required=True),
    Node("line", ("bill", "line"), "", repeated=True, parent="bill", link=("bill_no",)),
    Node("head", ("head",), "", repeated=False),
)
NODE_NAMES = {"bill": ("bill_no", "paid"), "line": ("bill_no", "fee"), "head": ("sender",)}


def nested(**rows):
    out = io.BytesIO()
    frames = {
        name: pl.DataFrame(records, dict.fromkeys(NODE_NAMES[name], pl.String), orient="row")
        for name, records in rows.items()
    }
    formats.write(out, dialect(nodes=NODES), NODE_NAMES, [frames, frames])
    return out.getvalue()


def test_a_nested_message_is_a_sheet_per_node():
    text, faults, records = read(
        nested(bill=[("B1", "1.00")], line=[("B1", "0.40"), ("B1", "0.60")]), dialect(nodes=NODES), NODE_NAMES
    )
    assert text == {
        "bill": [(1, 2, "B1", "1.00"), (2, 3, "B1", "1.00")],
        "line": [(at, at + 1, "B1", "0.40" if at % 2 else "0.60") for at in range(1, 5)],
    }
    assert (faults, records) == ({"bill": [], "line": []}, {"bill": 2, "line": 4})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("line", "head"), ("F218", "− bill")),
        (("bill", "other"), ("F219", "other")),
        (("bill", "head"), ("F218", "2 × head")),
    ],
)
def test_sheets_that_are_not_the_nodes_are_refused(names, expected):
    made = workbook(
        [row(1, *NODE_NAMES.get(name, ("x",))) + row(2, "1") + row(3, "2") for name in names],
        names=names,
        states=["visible"] * 2,
    )
    with pytest.raises(ReadError) as stopped:
        read(made, dialect(nodes=NODES), NODE_NAMES)
    assert (stopped.value.code, stopped.value.value) == expected


# ---------------------------------------------------------------- where the records stand


def test_the_only_visible_sheet_with_content_is_read():
    made = workbook(
        [HEAD + row(2, "1", "2"), row(1, "x"), row(1)], names=("p", "q", "r"), states=("visible", "hidden", "visible")
    )
    assert cells(made, dialect(), AB) == ([("1", "2")], [("F118", None, None, None, "q")])


@pytest.mark.parametrize(
    ("states", "sheet", "expected"),
    [
        (("visible", "visible"), None, ("F219", "p, q")),
        (("hidden", "veryHidden"), None, ("F219", "p, q")),
        (("visible", "hidden"), "x", ("F219", "p, q")),
    ],
)
def test_which_sheet_is_never_guessed(states, sheet, expected):
    assert refused(workbook([HEAD, HEAD], names=("p", "q"), states=states), dialect(sheet=sheet)) == expected


def test_a_sheet_that_hides_its_unused_rows_hides_no_record():
    # zeroHeight is about rows without an element: every row that holds a cell has one, and is seen unless it says so.
    made = io.BytesIO()
    with xlsxwriter.Workbook(made) as book:
        sheet = book.add_worksheet()
        sheet.set_default_row(hide_unused_rows=True)
        for at, record in enumerate([("a", "b"), ("1", "2"), ("3", "4")]):
            sheet.write_row(at * 3, 0, record)
    assert b'zeroHeight="1"' in zipfile.ZipFile(made).read("xl/worksheets/sheet1.xml")
    found, faults = cells(made.getvalue(), dialect(), AB)
    assert found == [("1", "2"), ("3", "4")]
    assert [(code, line) for code, line, *_ in faults] == [("F104", line) for line in (2, 3, 5, 6)]


def test_a_named_sheet_is_read_even_if_it_is_hidden():
    made = workbook([HEAD + row(2, "1", "2"), row(1, "x")], names=("p", "q"), states=("hidden", "visible"))
    assert cells(made, dialect(sheet="p"), AB) == ([("1", "2")], [("F118", None, None, None, "p")])


@pytest.mark.parametrize(
    ("rows", "merged", "more", "expected"),
    [
        (row(1, "a", "c", "b"), "", {}, ("F207", "+ 1")),
        (row(1, "a", "a", "b"), "", {}, ("F207", "2 × a")),
        (row(1, "a", "bb"), "", {}, ("F207", "− b; + 1")),
        (row(1, "x", "y"), "", {}, ("F219", "prices")),
        (row(51, "a", "b"), "", {}, ("F219", "prices")),
        (row(1, "a", "b"), "", {"preamble": 1}, ("F219", "prices")),
        (row(1, "a", "b", "b"), "B1:C1", {}, ("F207", "2 × b")),
    ],
)
def test_a_header_that_is_not_the_layouts_is_refused(rows, merged, more, expected):
    assert refused(workbook(f"{rows}</sheetData>{merge(merged)}"), dialect(**more)) == expected


def merge(*ranges):
    return "".join(["<mergeCells>", *(f'<mergeCell ref="{one}"/>' for one in ranges if one), "</mergeCells>"])


@pytest.mark.parametrize(
    ("rows", "merged", "more"),
    [
        (HEAD + row(2, "1", "2"), (), {}),
        (row(1, "b", "a") + row(2, "2", "1"), (), {}),
        (row(1, "Ａ", "\n b ") + row(2, "1", "2"), (), {}),
        (row(1, "标题") + row(3, "a", "b") + row(4, "1", "2"), ("A1:B1",), {}),
        (row(1, "标题") + row(2, "a", "b") + row(4, "1", "2"), ("A1:B1", "A2:A3", "B2:B3"), {}),
        (
            row(1, "说明", "a", "b") + row(2, "x", "a", "b") + row(3, "x", "1", "2"),
            (),
            {"preamble": 1, "other_columns": True},
        ),
        (
            row(1, "价格（元）") + row(2, "三级", "二级") + row(3, "1", "2"),
            ("A1:B1",),
            {"headings": {"三级": "a", "价格二级": "c", "价格（元）\n二级": "b"}},
        ),
        (row(1, "a", "价格") + row(2, None, "元") + row(3, "1", "2"), ("A1:A2",), {"headings": {"价格元": "b"}}),
        (row(1, None, "价格") + row(2, "a", "b") + row(3, "1", "2"), ("B1:C1",), {}),
        (HEAD + row(2, "1", "2") + row(3, "注：x"), ("A3:B3",), {"footer": ("注",)}),
        (row(1, "1", "2"), (), {"header": False}),
        (row(1, "x") + row(3, "1", "2"), (), {"header": False, "preamble": 2}),
    ],
)
def test_the_records_are_found_below_the_header(rows, merged, more):
    headings = {name: field for name, field in more.get("headings", {}).items() if field in AB}
    made = workbook(f"{rows}</sheetData>{merge(*merged)}")
    records, faults = cells(made, dialect(**more | {"headings": headings}), AB)
    assert (records, [fault for fault in faults if fault[0] != "F104"]) == ([("1", "2")], [])


def test_the_first_of_repeated_headers_counts():
    assert cells(workbook(HEAD + row(2, "1", "2") + row(3, "a", "b")), dialect(), AB) == ([("1", "2"), ("a", "b")], [])


def test_a_record_wider_than_the_header_is_refused():
    made = workbook(HEAD + row(2, "1", "2", "3") + row(3, "1") + row(4, None, None, "3"))
    records = read(made, dialect(), {None: AB})
    assert records == (
        {None: [(2, 3, "1", None)]},
        {None: [("F101", 2, "C2", None, "3"), ("F101", 4, "C4", None, "3")]},
        {None: 3},
    )


def test_other_columns_may_hold_anything():
    made = workbook(row(1, "a", "x", "b") + '<row r="2"><c r="B2" t="e"><v>#N/A</v></c><c r="C2"><v>2</v></c></row>')
    assert cells(made, dialect(other_columns=True), AB) == ([(None, "2")], [])


def test_blank_rows_are_told_between_records_and_ignored_behind_them():
    made = workbook(HEAD + row(2) + row(3, "1") + row(5, "2") + row(6, "") + '<row r="7" ht="9"/>')
    assert cells(made, dialect(), AB) == (
        [("1", None), ("2", None)],
        [("F104", 2, None, None, None), ("F104", 4, None, None, None)],
    )


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (row(2, "1") + row(3, "制表") + row(4, "审核"), None),
        (row(2, "1") + row(4, "审核"), "制表"),
        (row(2, "审核"), "制表"),
        ("", "制表"),
    ],
)
@pytest.mark.parametrize("block", [40, 4 << 20])
def test_a_footer_that_is_missing_means_that_the_sheet_was_cut_off(monkeypatch, rows, expected, block):
    monkeypatch.setattr(parts, "BLOCK", block)
    used = dialect(footer=("制表", "审核"))
    if expected is None:
        assert cells(workbook(HEAD + rows), used, AB) == ([("1", None)], [])
        return
    with pytest.raises(ReadError) as stopped:
        cells(workbook(HEAD + rows), used, AB)
    assert (stopped.value.code, stopped.value.expected) == ("F214", expected)


def test_without_a_header_the_columns_are_the_fields_up_to_the_width():
    used = dialect(header=False, widths=(1,))
    assert cells(workbook(row(1, "1") + row(2, "1", "2")), used, AB) == ([("1", None)], [("F101", 2, "B2", None, "2")])


@pytest.mark.parametrize(
    "made", [workbook(""), workbook(row(1)), workbook([])], ids=["no rows", "blank", "no sheet"] if False else None
)
def test_an_empty_workbook_holds_no_records(made):
    assert cells(made, dialect(), AB) == ([], [])


def test_a_header_alone_holds_no_records():
    assert read(workbook(HEAD), dialect(), {None: AB}) == ({}, {}, {})


# ---------------------------------------------------------------- doubtful cells


def test_every_doubtful_cell_is_told_at_its_place():
    cells_ = (
        '<row r="2"><c r="A2"><v>330102199001011234</v></c><c r="B2"><f>A2*2</f></c></row>'
        '<row r="3" hidden="1"><c r="A3" s="1"><v>111020000000000</v></c><c r="B3" t="e"><v>#REF!</v></c></row>'
        '<row r="4"><c r="A4" t="str"><f t="shared" si="0"/><v></v></c><c r="B4"><f t="shared" si="0"/><v/></c></row>'
        '<row r="5"><c r="A5"><f>1+1</f><v>2</v></c></row><row r="6"><c r="B6"><v>7</v></c></row>'
    )
    made = workbook(
        HEAD + cells_ + "</sheetData>" + merge("A5:A6", "D2:E9"), styles=styles("0.00E+00"),
        head='<cols><col min="1" max="1" width="9"/><col min="2" max="3" width="9" hidden="1"/></cols>',
    )  # fmt: skip
    assert cells(made, dialect(), AB) == (
        [("330102199001011234", "=A2*2"), ("111020000000000", "#REF!"), (None, "="), ("2", None), (None, "7")],
        [
            ("F118", None, "B:B", "b", "B"),
            ("F114", 2, "A2", "a", "330102199001011234"),
            ("F115", 2, "B2", "b", "=A2*2"),
            ("F118", 3, None, None, "3"),
            ("F116", 3, "A3", "a", "111020000000000"),
            ("F115", 3, "B3", "b", "#REF!"),
            ("F115", 4, "B4", "b", "="),
            ("F117", 5, "A5:A6", "a", "A5:A6"),
            ("F117", 6, "A5:A6", "a", "A5:A6"),
        ],
    )


def test_a_number_in_a_field_of_text_is_told_and_a_day_is_none():
    names = ("setl_id", "medfee_sumamt")
    made = workbook(
        row(1, *names)
        + '<row r="2"><c r="A2"><v>1102</v></c><c r="B2"><v>5</v></c></row>'
        + '<row r="3"><c r="A3" s="1"><v>44896</v></c></row>',
        styles=styles(14),
    )
    assert cells(made, dialect(layout="ledger_detail"), names) == (
        [("1102", "5"), ("2022-12-01", None)], [("F119", 2, "A2", "setl_id", "1102")],
    )  # fmt: skip


# ---------------------------------------------------------------- attacks and damage


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


GOOD = workbook(HEAD + row(2, "1", "2") + row(3, "3", "4"), strings="<si><t>x</t></si>")


def lying(content):
    """The same, with a sheet that is said to be small."""
    whole = bytearray(zipped([*members(content)[:-1], ("xl/worksheets/sheet1.xml", b" " * (8 << 20))]))
    at = whole.rfind(b"PK\x01\x02")
    struct.pack_into("<I", whole, at + 24, 1000)
    return bytes(whole)


ATTACKS = {
    "a bomb": zipped([*members(GOOD), ("xl/media/x", b"0" * (256 << 20))]),
    "a link": zipped([*members(GOOD), ("../x", b"")]),
    "an archive inside": zipped([*members(GOOD), ("x.zip", b"")]),
    "too many members": zipped((f"{at}", b"") for at in range(10_001)),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_before_anything_is_read(attack):
    begun = time.perf_counter()
    assert refused(ATTACKS[attack])[0] == "F209"
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("packed", ["x.xlsx", "x.xlsx.gz", "x.zip"])
def test_a_workbook_is_read_wherever_it_lies(tmp_path, packed):
    path = tmp_path / packed
    member = "in.xlsx" if packed == "x.zip" else None
    path.write_bytes({"x.xlsx": GOOD, "x.xlsx.gz": gzip.compress(GOOD), "x.zip": zipped([("in.xlsx", GOOD)])}[packed])
    found = formats.read(
        Input(str(path), member), dialect(), {None: AB}, lambda _: None, lambda made: [b.records for b, _ in made]
    )
    assert found == [2]


def test_two_cells_far_apart_take_no_memory_and_no_time():
    begun = time.perf_counter()
    made = workbook(HEAD + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    records, faults = cells(made, dialect(), AB)
    assert (records, len(faults), faults[-1]) == ([], 1_048_575, ("F101", 1_048_576, "XFD1048576", None, "16384"))
    assert time.perf_counter() - begun < 5


END = "</sheetData></worksheet>"
ENTITY = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
OUTSIDE = {
    "no archive": (b"a,b\n1,2\n", "F203"),
    "nothing": (b"", "F203"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "F203"),
    "another archive": (zipped([("a.txt", b"x")]), "F203"),
    "a size that lies": (lying(GOOD), "F203"),
    "a DOCTYPE": (workbook(part(END, ENTITY)), "F217"),
    "UTF-16": (workbook(part(END, encoding="utf-16")), "F203"),
    "another encoding": (workbook(part(END, '<?xml version="1.0" encoding="gbk"?>')), "F203"),
    "no UTF-8": (workbook(part(row(1, "测") + END, encoding="gbk")), "F203"),
    "an unknown entity": (workbook(row(1, "&x;")), "F203"),
    "a control character": (workbook(row(1, "\x01")), "F203"),
    "no end of the sheet": (workbook(part(HEAD)), "F203"),
    "no end of the part": (workbook(part(f"{HEAD}</sheetData>")), "F203"),
    "a comment without end": (workbook(part(f"{HEAD}<!-- {END}")), "F203"),
    "elements that cross": (workbook('<row r="1"><c r="A1"><v>1</c></v></row>'), "F203"),
    "no such string": (workbook('<row r="1"><c r="A1" t="s"><v>7</v></c></row>', strings="<si><t>x</t></si>"), "F203"),
    "no such type": (workbook('<row r="1"><c r="A1" t="q"><v>7</v></c></row>'), "F203"),
    "a cell that stands twice": (workbook('<row r="1"><c r="A1"><v>7</v></c><c r="A1"><v>8</v></c></row>'), "F203"),
    "cells out of order": (workbook(row(2, "a", "b") + row(1, "1", "2")), "F203"),
    "a row too many": (workbook('<row r="1048577"><c r="A1048577"><v>7</v></c></row>'), "F204"),
}


@pytest.mark.parametrize("what", OUTSIDE)
@pytest.mark.parametrize("block", [64, 4 << 20])
def test_what_is_no_workbook_is_refused_by_name(monkeypatch, what, block):
    monkeypatch.setattr(parts, "BLOCK", block)
    content, code = OUTSIDE[what]
    assert refused(content)[0] == code


def test_a_row_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(parts, "BLOCK", 1 << 10)
    made = workbook("".join(["<row>", '<c t="str"><v>x</v></c>' * 9000, "</row>"]))
    assert refused(made, dialect(limits=Limits(line=64 << 10)))[0] == "F204"


def test_a_workbook_cut_anywhere_is_refused():
    assert {refused(GOOD[:size])[0] for size in range(len(GOOD))} == {"F203"}


def test_a_workbook_with_a_bad_byte_anywhere_is_refused_or_reads_the_same():
    right = cells(GOOD, dialect(), AB)
    for at in range(len(GOOD)):
        bad = bytearray(GOOD)
        bad[at] ^= 0x41
        try:
            assert cells(bytes(bad), dialect(), AB) == right, at
        except ReadError as err:
            assert err.code in ("F203", "F209", "F218", "F219", "F207"), at


# ---------------------------------------------------------------- a second opinion


CELL = st.one_of(
    st.none(), st.integers(-(10**14), 10**14), st.decimals(-(10**6), 10**6, places=2).map(float), st.booleans(),
    st.dates(date(1900, 3, 1)), st.datetimes(datetime(1900, 3, 1)).map(lambda one: one.replace(microsecond=0)),
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(lambda text: text[0] != "="),
)  # fmt: skip


def expected(cell):
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return f"{Decimal(repr(cell)).normalize():f}" if cell else "0"
    if isinstance(cell, datetime) and cell.time().isoformat() == "00:00:00":
        return cell.date().isoformat()
    return None if cell is None else str(cell)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELL, CELL, CELL).filter(lambda cells: any(cell is not None for cell in cells)), max_size=8))
def test_a_workbook_of_openpyxl_reads_as_it_was_filled_matched_or_parsed(monkeypatch, records):
    book = openpyxl.Workbook()
    book.active.append(["a", "b", "c"])
    for record in records:
        book.active.append(record)
    file = io.BytesIO()
    book.save(file)
    texts = [tuple(map(expected, record)) for record in records]
    assert cells(file.getvalue(), dialect(), "abc") == (texts, [])
    with monkeypatch.context() as patched:
        patched.setattr(sheets, "_matched", lambda *_: None)
        assert cells(file.getvalue(), dialect(), "abc") == (texts, [])


@settings(deadline=None)
@given(RECORDS.filter(bool))
def test_fastexcel_reads_the_same_text(records):
    made = written(records, dialect())
    found = fastexcel.read_excel(made).load_sheet(0, header_row=None, skip_rows=1, dtypes="string").to_polars()
    assert found.rows() == [tuple(one or None for one in record) for record in records]
