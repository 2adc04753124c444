"""The price list of a province that nobody shipped, added as data by docs/layouts.md alone, as CSV and as workbook."""

import csv
import re
import tomllib
from pathlib import Path

import openpyxl
import pytest
from medpay_command import judged, medpay, places

PAGE = Path(__file__).parents[2] / "docs" / "layouts.md"
COMMON = """\
title = { zh = "岭南省医疗服务价格目录", en = "price list of an invented province" }
layout = "price_item.v1"
header = true
footer = ["备注", "（二）"]
free_order = true
missing_columns = true
other_columns = true
"""
TEXT = 'format = "delimited"\nencoding = "gb18030"\ndelimiter = ","\nquote = \'"\'\npreamble = 2\nheader_lines = 2\n'
MEANT = """
[headings]
"医保项目代码" = "item_code"
"医保项目名称" = "item_name"
"服务内涵" = "service_content"
"不含费用" = "excluded_content"
"计费单位" = "billing_unit"
"基本医疗服务价格（元）三级医院" = "price_lv3"
"基本医疗服务价格（元）二级医院" = "price_lv2"
"基本医疗服务价格（元）一级及以下" = "price_lv1"
"计费说明" = "billing_note"
"文件依据" = "establishment_basis"

[values]
admdvs = "440000"
price_kind = "fixed"
begndate = "2025-07-01"
"""
TOPS = [
    *("序号", "医保项目\n代码", "医保项目名称", "服务内涵", "不含费用", "计费单位", "基本医疗服务价格(元)", None, None),
    *("计费说明", "支付类别", "文件依据"),
]
LOWER = [None] * 6 + ["三级医院", "二级 医院", "一级及以下"] + [None] * 3
BASIS = "虚构医保发〔2025〕1号"
RECORDS = [
    ["1", "001102000010000", "普通门诊诊查费", "挂号、\n诊查", None, "次", "10", "8.5", "6", None, "甲", BASIS],
    ["2", "001102000011000", "互联网复诊", None, "药品费, 材料费", "次", "10", "10", "10", "不另收挂号费", "乙", BASIS],
    ["3", "1.1102E+14", "专家门诊诊查费", None, None, "次", "22元", "20", "18", None, "甲", BASIS],
    ["4", "001110000030000", None, None, None, "小时", "300", "200", "100.5", None, "乙", BASIS],
]
TITLES = ["岭南省基本医疗服务价格项目目录（2025年版）", "制表日期：2025年6月1日"]
NOTES = ["备注：（一）表内价格为最高价，下浮不限。", "（二）自2025年7月1日起执行。"]
FOUND = [(3, "item_code", "L106"), (3, "price_lv3", "L102"), (4, "item_name", "L101")]


def as_csv(path: Path) -> None:
    """What a spreadsheet saves as CSV: the upper left cell of merged ones holds their text."""
    lines = [[TITLES[0]], [TITLES[1]], TOPS, LOWER, *RECORDS, [NOTES[0]], [NOTES[1]]]
    with path.open("w", encoding="gb18030", newline="") as file:
        csv.writer(file).writerows([*line, *[None] * (len(TOPS) - len(line))] for line in lines)


def as_workbook(path: Path) -> None:
    """The same as it was typed: prices are numbers, titles and notes are merged over the table."""
    book = openpyxl.Workbook()
    sheet = book.active
    for line in ([TITLES[0]], [TITLES[1]], TOPS, LOWER):
        sheet.append(line)
    for record in RECORDS:
        sheet.append([float(cell) if 6 <= at <= 8 and cell[-1].isdigit() else cell for at, cell in enumerate(record)])
    for note in NOTES:
        sheet.append([note])
    bottom = 4 + len(RECORDS)
    merged = ["A1:L1", "A2:L2", "G3:I3", *(f"{letter}3:{letter}4" for letter in "ABCDEFJKL")]
    for place in (*merged, f"A{bottom + 1}:L{bottom + 1}", f"A{bottom + 2}:L{bottom + 2}"):
        sheet.merge_cells(place)
    book.save(path)


KINDS = {"csv": (TEXT, as_csv), "xlsx": ('format = "xlsx"\n', as_workbook)}


@pytest.fixture(params=KINDS)
def added(request, tmp_path, monkeypatch) -> tuple[str, str]:
    """The folder of a user who wrote a dialect and has the list: both names."""
    monkeypatch.chdir(tmp_path)
    form, write = KINDS[request.param]
    Path("lingnan.toml").write_text(COMMON + form + MEANT, encoding="utf-8")
    write(Path(f"list.{request.param}"))
    return f"list.{request.param}", "lingnan.toml"


def test_the_list_is_judged_by_the_user_s_dialect(added):
    path, dialect = added
    document = judged(path, "--dialect", dialect)
    [file] = document["files"]
    assert [(row, field, code) for row, _, field, code in places(document)] == FOUND
    assert (document["exit_code"], file["layout"], file["records"], file["accepted"]) == (1, "price_item.v1", 4, 2)


def test_a_note_that_is_missing_means_that_the_list_was_cut_off(added):
    path, dialect = added
    Path(dialect).write_text(Path(dialect).read_text("utf-8").replace("（二）", "（三）"), encoding="utf-8")
    document = judged(path, "--dialect", dialect)
    assert (document["exit_code"], [code for *_, code in places(document)]) == (3, ["F214"])


def test_a_heading_that_is_another_is_told_by_its_field(added):
    path, dialect = added
    Path(dialect).write_text(Path(dialect).read_text("utf-8").replace("二级医院", "县级医院"), encoding="utf-8")
    document = judged(path, "--dialect", dialect)
    [finding] = document["findings"]
    assert (document["exit_code"], finding["code"], finding["value"]) == (3, "F207", "− price_lv2")


def test_invented_records_of_the_dialect_are_valid(added):
    path, dialect = added
    assert medpay("sample", "price_item", "--dialect", dialect, "--records", 20, "--seed", 1, "-o", path).exit_code == 0
    [file] = judged(path, "--dialect", dialect)["files"]
    assert (file["verdict"], file["records"]) == ("valid", 20)


def test_the_page_says_every_key_that_the_dialects_have():
    page = PAGE.read_text(encoding="utf-8")
    for form, _ in KINDS.values():
        document = tomllib.loads(COMMON + form + MEANT)
        told = re.findall(r"`\[?([a-z_0-9]+)\]?", page)
        assert [key for key in document if key not in ("title", "layout") and key not in told] == []
        assert [field for field in document["headings"].values() if field not in told] == []
