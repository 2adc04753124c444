"""Price lists of provinces and batches of insurers, in the shipped dialects."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from medpay_cli import dialects, formats, layouts, recognition, sampling
from medpay_cli.errors import MedpayError
from medpay_cli.files import Source
from medpay_cli.formats import archive
from medpay_cli.inspection import inspect
from medpay_cli.judging import Terms
from medpay_cli.validate import validate

HEADER = (
    '项目编码,项目名称,项目内涵,除外内容,计价单位,三级 价格（元）,"二级\n价格",一级价格,计价说明,医保支付类别,'
    "执行日期,终止日期\n"
)
ITEM = "001102000011000,互联网复诊,随诊,,次,7,7,7,,乙,2022-12-01,\n"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "layouts"


def opened(path):
    [source] = archive.inputs(Source(str(path)))
    return source


def read(path, name: str) -> pl.DataFrame:
    """The cells of a file in a dialect, those of the layout only."""
    dialect = dialects.load(name)
    names = layouts.names_of(dialect.layout)
    return formats.read(
        formats.prepared(opened(path), dialect, None), dialect.fitted(names), {None: names}, lambda batch: batch.text,
        lambda batches: pl.concat([text for _, text in batches]).select(names),
    )  # fmt: skip


def told(frame: pl.DataFrame) -> list[dict[str, str]]:
    """The cells that are not absent."""
    return [{name: cell for name, cell in row.items() if cell is not None} for row in frame.to_dicts()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_price_list_is_known_by_its_headings_however_they_are_broken(tmp_path, encoding):
    (tmp_path / "list.csv").write_text(HEADER + ITEM, encoding=encoding)
    assert recognition.recognised(opened(tmp_path / "list.csv"), None)[1].name == "shaanxi-price-list"
    assert told(read(tmp_path / "list.csv", "shaanxi-price-list")) == [
        {
            "item_code": "001102000011000", "item_name": "互联网复诊", "service_content": "随诊", "billing_unit": "次",
            "price_kind": "fixed", "price_lv3": "7", "price_lv2": "7", "price_lv1": "7", "admdvs": "610000",
            "begndate": "2022-12-01",
        }
    ]  # fmt: skip


def test_a_column_of_a_heading_must_be_there(tmp_path):
    (tmp_path / "list.csv").write_text(HEADER.replace("计价单位", "没有") + ITEM, encoding="utf-8")
    outcome = validate([str(tmp_path / "list.csv")], dialect="shaanxi-price-list")
    [frame] = outcome.findings.frames()
    assert (outcome.exit_code, frame.select("code", "value").rows()) == (3, [("F207", "− billing_unit")])


def test_a_list_with_the_prices_of_three_parts_is_ambiguous(tmp_path):
    heads = ["项目编码", "项目名称", "项目内涵", "除外内容", "计价单位", "计价说明", "begndate"]
    heads += [f"{kind}类{part}" for part in ("苏南", "苏中", "苏北") for kind in "三二一"]
    cells = ["001102000011000", "互联网复诊", "", "", "次", "", "2022-12-01", *"987654321"]
    (tmp_path / "list.csv").write_text(",".join(heads) + "\n" + ",".join(cells) + "\n", encoding="utf-8")
    with pytest.raises(MedpayError) as refused:
        recognition.recognised(opened(tmp_path / "list.csv"), None)
    parts = [f"jiangsu-price-list-{part}" for part in ("subei", "sunan", "suzhong")]
    assert (refused.value.key, refused.value.values["found"]) == ("ambiguous", "; ".join(f"{one} 1/1" for one in parts))
    prices = [read(tmp_path / "list.csv", one)["price_lv3", "price_lv1"].row(0) for one in parts]
    assert prices == [("3", "1"), ("9", "7"), ("6", "4")]


def test_the_sheet_of_the_province_is_read_below_its_title(tmp_path):
    heads = ["河南省项目编码", "国家代码", "项目名称", "项目内涵", "除外内容", "计价单位"]
    heads += ["市三档", "市二档", "市一档", "说明", "政策号"]
    rows = [["河南省价格"], [], [], heads, ["1", "001102000011000", "复诊", "", "", "次", "9", "8", "7", "", "X1号"]]
    with xlsxwriter.Workbook(tmp_path / "list.xlsx", {"strings_to_numbers": False}) as book:
        sheet = book.add_worksheet("服务项目映射库")
        for number, cells in enumerate(rows):
            sheet.write_row(number, 0, [cell or None for cell in cells])
        book.add_worksheet("停用").write_string("A1", "另一张表")
    assert told(read(tmp_path / "list.xlsx", "henan-price-list-xlsx")) == [
        {
            "item_code": "001102000011000", "item_name": "复诊", "billing_unit": "次", "price_lv3": "9",
            "price_lv2": "8", "price_lv1": "7", "establishment_basis": "X1号", "price_kind": "fixed",
            "admdvs": "410000",
        }
    ]  # fmt: skip


BATCHES = {
    "insurer-claims-gbk": "commercial_claim.v1",
    "insurer-claims-gbk-result": "insurer_result.v1",
    "insurer-payment-gbk": "payment_return.v1",
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_of_an_insurer_is_written_with_its_totals_and_known_again(name, tmp_path):
    names = layouts.names_of(BATCHES[name])
    lines = (FIXTURES / BATCHES[name] / "pass.txt").read_text(encoding="utf-8").splitlines()
    cells = [[cell or None for cell in line.split("\t")] for line in lines]
    frame = pl.DataFrame(cells, dict.fromkeys(names, pl.String), orient="row")
    out = io.BytesIO()
    formats.write(out, dialects.load(name).fitted(names), {None: names}, [{None: frame}])
    first, second, *_ = out.getvalue().decode("gbk").splitlines()
    assert (first.split("|")[1], second[-1]) == (str(len(lines)), "|")
    (tmp_path / "batch.txt").write_bytes(out.getvalue())
    assert recognition.recognised(opened(tmp_path / "batch.txt"), "gbk")[1].name == name
    assert read(tmp_path / "batch.txt", name).equals(frame)


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_that_shows_itself_as_gbk_is_known_where_nothing_is_named(name, tmp_path):
    with (tmp_path / "batch.txt").open("wb") as out:
        sampling.write(BATCHES[name], name, 20, 1, (), out)
    outcome = validate([str(tmp_path / "batch.txt")])
    [file] = outcome.files
    assert (outcome.exit_code, file.dialect, file.encoding, file.records) == (0, name, "gb18030", 20)


def batch(path, name: str, encoding: str) -> Path:
    """A batch of claims in which every person has this name."""
    out = io.BytesIO()
    sampling.write("commercial_claim", "insurer-claims-gbk", 20, 1, (), out)
    path.write_bytes(out.getvalue().decode("gbk").replace("假造", name).encode(encoding))
    return path


def test_a_batch_of_which_the_encoding_cannot_be_told_is_refused_with_what_it_could_be(tmp_path):
    """陆 and 卢 of GBK are valid UTF-8 too, 假 is not."""
    mixed = batch(tmp_path / "mixed.txt", "陆卢", "gbk")
    mixed.write_bytes(mixed.read_bytes().replace("陆卢".encode("gbk"), "假造".encode("gbk")).replace(
        "假造".encode("gbk"), "陆卢".encode("gbk"), 1))  # fmt: skip
    with pytest.raises(MedpayError) as refused:
        validate([str(mixed)])
    assert (refused.value.key, refused.value.values["found"]) == ("encoding_undecided", "insurer-claims-gbk 20/20")
    inspected = inspect(str(mixed))
    assert (inspected.exit_code, [one.dialect for one in inspected.files[0].nearest]) == (2, ["insurer-claims-gbk"])
    for named in ({"dialect": "insurer-claims-gbk"}, {"layout": "commercial_claim"}, {"terms": Terms(encoding="gbk")}):
        assert validate([str(mixed)], **named).exit_code == 0


@pytest.mark.parametrize(("name", "encoding"), [("陆卢", "gbk"), ("假造", "utf-8")])
def test_a_batch_in_another_encoding_than_the_dialect_declares_is_named_for_it(name, encoding, tmp_path):
    with pytest.raises(MedpayError) as refused:
        validate([str(batch(tmp_path / "batch.txt", name, encoding))])
    told = "insurer-claims-gbk 0/20 (encoding utf-8 != gbk)"
    assert (refused.value.key, refused.value.values["found"]) == ("not_recognised", told)


def test_a_damaged_file_that_fits_no_dialect_is_not_judged(tmp_path):
    (tmp_path / "list.csv").write_bytes("编码,陆\n".encode() + "假造,1\n".encode("gbk"))
    outcome = validate([str(tmp_path / "list.csv")])
    assert (outcome.exit_code, [code for code, _, _ in outcome.findings.counts]) == (3, ["F211"])
