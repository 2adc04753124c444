"""Price lists of provinces as people keep them: what no list may hold is found, and the day of the notice is given."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from medpay_command import judged, medpay, places

# The first columns of a list, those of its prices, and the ones behind them; 序号 and the like are nobody's field.
LISTS = {
    "anhui-price-list": (
        ("序号", "项目代码", "项目名称", "服务产出", "价格构成", "计价单位"),
        ("价格\n（元）",),
        ("计价说明", "支付分类"),
    ),
    "henan-price-list": (
        ("河南省项目编码", "国家代码", "项目名称", "项目内涵", "除外内容", "计价单位"),
        ("市三档", "市二档", "市一档"),
        ("说明", "政策号"),
    ),
    "jiangsu-price-list-sunan": (
        ("序号", "项目编码", "项目名称", "项目内涵", "除外内容", "计价 单位"),
        ("三类苏南", "二类苏南", "一类苏南"),
        ("说明", "备注"),
    ),
    "shaanxi-price-list": (
        ("序号", "项目编码", "项目名称", "项目内涵", "除外内容", "计价单位"),
        ("三级 价格(元)", "二级价格", "一级价格"),
        ("计价说明", "执行日期", "终止日期"),
    ),
}
DATED = {"shaanxi-price-list"}
FIELDS = {"anhui-price-list": ("price",)}
PRICES = ("price_lv3", "price_lv2", "price_lv1")
# Code and price as they were typed, and what is wrong with each.
TYPED = [
    ("001102000011000", "7", []),
    ("1.1102E+14", "22", ["code"]),
    ("'001102000030000", "15", ["code"]),
    ("００１１０２００００５００００", "10", ["code"]),
    ("001110000030000", "400.00元", ["price"]),
    ("001110000010000", "自主定价", ["price"]),
    ("001102000010700；001102000010800", "7", ["code"]),
    ("110200006-a", "0", []),
    ("001109000050000", '"1,200.5"', ["price"]),
    ("", "5", ["absent"]),
]
VALUES = {"anhui-price-list": "340000", "henan-price-list": "410000", "jiangsu-price-list-sunan": "320000"}


def dirty(name: str) -> str:
    """The list of a province; its title lines cut off, as an export leaves it."""
    before, prices, behind = LISTS[name]
    heads = ",".join(f'"{head}"' for head in (*before, *prices, *behind))
    dated = ("", "2025-01-01", "") if name in DATED else ("", "乙")
    lines = [
        ",".join((str(number), code, "互联网复诊", "", "", "次", *[price] * len(prices), *dated))
        for number, (code, price, _) in enumerate(TYPED, 1)
    ]
    return "\r\n".join([heads, *lines, ""])


def expected(name: str, first: int) -> list:
    """What is found in every record, in the order of the report; the header stands above line `first`."""
    fields = FIELDS.get(name, PRICES)
    found = []
    for row, (_, _, wrong) in enumerate(TYPED, 1):
        at = (row, row + first - 1)
        found += [(*at, "item_code", "L106")] if "code" in wrong else []
        found += [(*at, "item_code", "L101")] if "absent" in wrong else []
        found += sorted((*at, field, "L102") for field in fields) if "price" in wrong else []
    return found


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The list of a province in an encoding, in a folder where the notice's day is told to medpay.toml."""
    monkeypatch.chdir(tmp_path)

    def of(name: str, encoding: str) -> Path:
        Path("list.csv").write_bytes(dirty(name).encode(encoding))
        if name not in DATED:
            Path("medpay.toml").write_text(
                f'[partners.notice.dialects.{name}.values]\nadmdvs = "{VALUES[name]}"\nprice_kind = "fixed"\n'
                'begndate = "2025-01-01"\n',
                encoding="utf-8",
            )
        return Path("list.csv")

    return of


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
@pytest.mark.parametrize("name", LISTS)
def test_what_no_price_list_may_hold_is_found(name, encoding, written):
    partner = () if name in DATED else ("--partner", "notice")
    document = judged(written(name, encoding), "--dialect", name, *partner)
    # A heading with a line break takes one line more.
    first = 2 + sum("\n" in head for heads in LISTS[name] for head in heads)
    assert places(document) == expected(name, first)
    assert (document["exit_code"], document["files"][0]["accepted"]) == (1, 2)


@pytest.mark.parametrize("name", [name for name in LISTS if name not in DATED])
def test_without_the_day_of_the_notice_no_record_is_accepted(name, written):
    document = judged(written(name, "utf-8"), "--dialect", name)
    lacking = [one for one in places(document) if one[2] == "begndate"]
    assert [(row, code) for row, _, _, code in lacking] == [(row, "L101") for row in range(1, len(TYPED) + 1)]
    assert document["files"][0]["accepted"] == 0


@pytest.mark.parametrize("name", LISTS)
def test_a_list_without_a_fault_is_known_by_its_headings_and_a_dirty_one_is_told_what_it_is_near(name, written):
    options = ("--layout", "price_item", *(() if name in DATED else ("--partner", "notice")))
    path = written(name, "gb18030")
    answer = medpay("validate", path, *options)
    assert (answer.exit_code, f"records that fit: {name} 2/10" in answer.err) == (2, True)
    lines = path.read_bytes().split(b"\r\n")
    path.write_bytes(b"\r\n".join([lines[0], lines[1], b""]))
    [file] = judged(path, *options)["files"]
    assert (file["dialect"], file["encoding"], file["verdict"]) == (name, "gb18030", "valid")
