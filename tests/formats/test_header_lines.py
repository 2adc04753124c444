"""A header of several lines is read downwards, and no record is ever taken for a part of it."""

import io
from dataclasses import replace

import polars as pl
import pytest

from medpay_cli import dialects, formats, recognition
from medpay_cli.dialects import Dialect
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.files import Source
from medpay_cli.formats import archive
from medpay_cli.formats.archive import Input
from medpay_cli.validate import Targets, validate

NAMES = ("code", "high", "low", "note")
HEADINGS = {"编码": "code", "价格（元）三级": "high", "价格(元)二级": "low", "说明": "note"}
WRITTEN = Dialect(
    "two", "", delimiter=",", quote='"', header=True, header_lines=2, headings=HEADINGS, free_order=True,
    other_columns=True,
)  # fmt: skip
RECORDS = [("1", "9", "8", None), ("2", None, "7", "x,y")]
BELOW = '1,甲,9,8,\n2,乙,,7,"x,y"\n'


def cells(text: str, dialect: Dialect = WRITTEN) -> list[tuple]:
    """The records of a text."""
    return formats.read(
        Input("-", spool=io.BytesIO(text.encode()), encoding="utf-8"), dialect, {None: NAMES},
        lambda batch: batch.text.select(NAMES).rows(), lambda batches: [row for _, rows in batches for row in rows],
    )  # fmt: skip


@pytest.mark.parametrize(
    "header",
    [
        "编码,名称,价格（元）,,说明\n,,三级,二级,\n",
        '编码,名称,"价格\n(元)",,说明\n,,三级,二级,\n',
        "编码,名称,价格（元）三级,价格（元）二级,说明\n,,,,\n",
        "编码,名称,价格（元）,价格（元）,说明\n,,三级,二级\n",
        "项目,,价格（元）,,\n编码,名称,三级,二级,说明\n",
    ],
    ids=["merged", "broken over lines", "in the first line", "repeated", "names below"],
)
def test_a_name_above_others_counts_with_each_of_them(header):
    assert cells(header + BELOW) == RECORDS


def test_three_lines_are_read_downwards():
    dialect = Dialect("three", "", delimiter=",", quote='"', header=True, header_lines=3, headings={
        "编码": "code", "价格公立三级": "high", "价格公立二级": "low", "说明": "note"}, other_columns=True)  # fmt: skip
    assert cells("编码,名称,价格,,说明\n,,公立,,\n,,三级,二级,\n" + BELOW, dialect) == RECORDS


def test_a_record_is_never_taken_for_the_lower_line_of_a_header():
    with pytest.raises(ReadError) as refused:
        cells("编码,名称,价格（元）三级,价格（元）二级,说明\n" + BELOW)
    assert (refused.value.code, refused.value.value) == ("F207", "header_lines = 1")


def test_a_header_of_more_lines_than_the_dialect_says_is_told():
    with pytest.raises(ReadError) as refused:
        cells("编码,名称,价格（元）,,说明\n,,三级,二级,\n" + BELOW, replace(WRITTEN, header_lines=1))
    assert (refused.value.code, refused.value.value) == ("F207", "header_lines = 2")


def test_what_is_written_is_read_again():
    frame = pl.DataFrame(RECORDS, dict.fromkeys(NAMES, pl.String), orient="row")
    out = io.BytesIO()
    formats.write(out, WRITTEN, {None: NAMES}, [{None: frame}])
    assert out.getvalue().decode().splitlines()[:2] == ["编码,价格（元）三级,价格(元)二级,说明", ",,,"]
    assert cells(out.getvalue().decode()) == RECORDS


DIALECT = """\
title = { zh = "价格", en = "prices" }
layout = "price_item"
format = "delimited"
delimiter = ","
quote = '"'
header = true
header_lines = 2
missing_columns = true
other_columns = true
free_order = true
values = { price_kind = "fixed", admdvs = "440000", begndate = "2025-07-01" }
headings = { "编码" = "item_code", "名称" = "item_name", "价格三级" = "price_lv3", "价格二级" = "price_lv2" }
"""


def test_accepted_and_rejected_records_stand_below_the_whole_header(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.toml").write_text(DIALECT, encoding="utf-8")
    header = "编码,名称,价格,\n,,三级,二级\n"
    (tmp_path / "prices.csv").write_text(f"{header}11,甲,9,8\n12,乙,x,7\n", encoding="utf-8")
    targets = Targets(tmp_path / "good.csv", tmp_path / "bad.csv")
    outcome = validate(["prices.csv"], dialect="prices.toml", targets=targets)
    assert (outcome.exit_code, outcome.files[0].records) == (1, 2)
    assert targets.accepted.read_text(encoding="utf-8") == f"{header}11,甲,9,8\n"
    assert targets.rejected.read_text(encoding="utf-8") == f"{header}12,乙,x,7\n"
    again = validate([str(targets.rejected)], dialect="prices.toml")
    assert [frame.select("row", "line", "field", "code").rows() for frame in again.findings.frames()] == [
        [(1, 3, "price_lv3", "L102")]
    ]


def test_such_a_file_is_recognised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.toml").write_text(DIALECT, encoding="utf-8")
    (tmp_path / "prices.csv").write_text("编码,名称,价格,\n,,三级,二级\n11,甲,9,8\n", encoding="utf-8")
    monkeypatch.setattr(recognition.dialects, "names", lambda: ["prices.toml"])
    [source] = archive.inputs(Source("prices.csv"))
    assert recognition.recognised(source, None)[1].name == "prices.toml"


@pytest.mark.parametrize(
    ("old", "new"), [('"delimited"', '"xlsx"'), ("header = true", "header = false"), ("lines = 2", "lines = 0")]
)
def test_a_header_of_lines_is_one_of_delimited_text_with_a_header(tmp_path, old, new):
    (tmp_path / "prices.toml").write_text(DIALECT.replace(old, new), encoding="utf-8")
    (tmp_path / "prices.csv").write_text("编码\n1\n", encoding="utf-8")
    with pytest.raises(MedpayError):
        validate([str(tmp_path / "prices.csv")], dialect=str(tmp_path / "prices.toml"))


def test_without_the_key_a_header_is_one_line(tmp_path):
    (tmp_path / "prices.toml").write_text(DIALECT.replace("header_lines = 2\n", ""), encoding="utf-8")
    assert dialects.load(str(tmp_path / "prices.toml")).heads == 1
