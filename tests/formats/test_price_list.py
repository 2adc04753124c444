"""A price list as people keep one: every cell and every doubt about it."""

import io
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from workbooks import read

from medpay_cli import dialects, layouts
from medpay_cli.formats.xlsx import workbook as parts

FOLDER = Path(__file__).parents[2] / "fixtures" / "formats"
NAMES = layouts.load(str(FOLDER / "price_list.json")).names
TITLES = (
    "项目编码", "项目\n名称", "项目内涵", "除外内容", "计价 单位", ("价格（元）", "三级"), ("价格（元）", "二级\n"),
    ("价格（元）", "一级"), "计价说明", "医保支付类别", "执行日期", "终止日期",
)  # fmt: skip
FROM = date(2022, 12, 1)
# As it was typed.
TYPED = [
    ("001102000011000", "互联网复诊", "随诊", None, "次", 7, 7.0, "7", None, "乙", FROM, None),
    (1102000010000, "普通门诊诊查费", None, None, "次", 7, 7, 7, None, "甲", FROM, None),
    (1.1102e14, "专家门诊诊查费", None, None, "次", 22, 22, 22, None, "甲", FROM, None),
    ("'001102000030000", "急诊诊查费", None, None, "次", 15, 15, 15, None, "甲", FROM, None),
    ("００１１０２００００５００００", "住院诊查费", None, None, "日", 10, 10, 8, None, "甲", FROM, None),
    ("001110000030000", "远程会诊", None, None, "小时/次", "400.00元", 300, 200, None, "乙", 20230101, None),
    ("001110000020000", "院内会诊", None, None, "次", 40, 30, 20, None, "甲", 45170, None),
    ("001110000010000", "院际会诊", None, None, "次", "自主定价", "自主定价", "自主定价", None, "丙", FROM, None),
    ("001201000010000", "护理", None, None, "日", 19.99, 0.1 + 0.7, 20000, None, "甲", FROM, None),
    (330102199001011234, "复诊", None, None, "次", "=7*2", "#N/A", 8, None, "乙", FROM, date(2023, 12, 31)),
    ("001109000050000", "急诊观察床位费", None, None, "日", "1，200.5", "-", "无", None, "甲", FROM, None),
]  # fmt: skip
DAY = ("2022-12-01", None)
EXPECTED = [
    ("001102000011000", "互联网复诊", "随诊", None, "次", "7", "7", "7", None, "乙", "2022-12-01", None),
    ("1102000010000", "普通门诊诊查费", None, None, "次", "7", "7", "7", None, "甲", "2022-12-01", None),
    ("111020000000000", "专家门诊诊查费", None, None, "次", "22", "22", "22", None, "甲", "2022-12-01", None),
    ("'001102000030000", "急诊诊查费", None, None, "次", "15", "15", "15", None, "甲", "2022-12-01", None),
    ("００１１０２００００５００００", "住院诊查费", None, None, "日", "10", "10", "8", None, "甲", "2022-12-01", None),
    ("001110000030000", "远程会诊", None, None, "小时/次", "400.00元", "300", "200", None, "乙", "20230101", None),
    ("001110000020000", "院内会诊", None, None, "次", "40", "30", "20", None, "甲", "45170", None),
    ("001110000010000", "院际会诊", None, None, "次", *["自主定价"] * 3, None, "丙", "2022-12-01", None),
    ("001201000010000", "护理", *[None] * 2, "日", "19.99", "0.7999999999999999", "20000", None, "甲", *DAY),
    ("3.301021990010113e+17", "复诊", None, None, "次", "=7*2", "#N/A", "8", None, "乙", "2022-12-01", "2023-12-31"),
    ("001109000050000", "急诊观察床位费", None, None, "日", "1，200.5", "-", "无", None, "甲", "2022-12-01", None),
]  # fmt: skip
LINES = (4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15)
FAULTS = [
    ("F118", None, None, None, "草稿"),
    ("F118", None, "C:C", "item_cont", "C"),
    ("F119", 5, "A5", "item_code", "1102000010000"),
    ("F116", 6, "A6", "item_code", "111020000000000"),
    ("F118", 7, None, None, "7"),
    ("F104", 9, None, None, None),
    ("F119", 10, "K10", "begndate", "20230101"),
    ("F119", 11, "K11", "begndate", "45170"),
    ("F117", 12, "I12:I13", "prc_memo", "I12:I13"),
    ("F117", 13, "I12:I13", "prc_memo", "I12:I13"),
    ("F114", 13, "G13", "pric_l2", "0.7999999999999999"),
    ("F114", 14, "A14", "item_code", "3.301021990010113e+17"),
    ("F115", 14, "G14", "pric_l2", "#N/A"),
    ("F115", 14, "F14", "pric_l3", "=7*2"),
]


def price_list():
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"] = "某市医疗服务价格表（2022 年版）"
    for column, title in enumerate(TITLES, 1):
        upper, *lower = (title,) if isinstance(title, str) else title
        sheet.cell(2, column, upper if column not in (7, 8) else None)
        if lower:
            sheet.cell(3, column, *lower)
    for line, record in zip(LINES, TYPED, strict=True):
        for column, typed in enumerate(record, 1):
            sheet.cell(line, column, typed)
    sheet["A6"].number_format = "0.00E+00"
    sheet["K6"].number_format = 'yyyy"年"m"月"d"日"'
    sheet["A17"] = "注：价格含税。"
    sheet["A40"].number_format = "0.00"
    for merged in ("A1:L1", "F2:H2", *(f"{letter}2:{letter}3" for letter in "ABCDEIJKL"), "I12:I13", "A17:L17"):
        sheet.merge_cells(merged)
    sheet.row_dimensions[7].hidden = True
    sheet.column_dimensions["C"].hidden = True
    hidden = book.create_sheet("草稿")
    hidden["A1"], hidden.sheet_state = "旧价格", "hidden"
    book.create_sheet("空")
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize("block", [50, 4 << 20])
def test_a_price_list_reads_as_it_was_typed_and_every_doubt_is_told(monkeypatch, block):
    monkeypatch.setattr(parts, "BLOCK", block)
    text, faults, records = read(price_list(), dialects.load(str(FOLDER / "price_list.toml")), {None: NAMES})
    rows = [(at, line, *cells) for at, (line, cells) in enumerate(zip(LINES, EXPECTED, strict=True), 1)]
    assert (text, faults, records) == ({None: rows}, {None: FAULTS}, {None: 11})
