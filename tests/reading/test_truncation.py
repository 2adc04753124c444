"""A file cut off anywhere is not taken for a whole one."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from mutations import CHARGES_DIALECT, CHARGES_LAYOUT

from medpay_cli import config
from medpay_cli.control import Declared
from medpay_cli.errors import MedpayError
from medpay_cli.judging import Terms
from medpay_cli.validate import validate

NOTES = ("内科门诊", '"门诊, 复诊"', '"第一行\n第二行"', '"备注 ""加急"" 处理"', "检验")


def amounts(records: int) -> list[Decimal]:
    """Amounts of which none ends in a zero: cut by one digit it is another amount."""
    return [Decimal(f"{n}{n % 10}.{n % 7}5") for n in range(1, records + 1)]


def charges(records: int) -> bytes:
    """A CSV with quotes, its last column an amount."""
    lines = ["bill,card,note,day,kind,paid\n"] + [
        f"99010500000000{n:04},0000{n:04},{NOTES[n % 5]},2025-01-{n:02},A1,{paid}\n"
        for n, paid in enumerate(amounts(records), 1)
    ]
    return "".join(lines).encode()


def ledger(records: int) -> bytes:
    """TABs, no header."""
    lines = [
        f"99010520250000{n:04}\tM000{n:04}\tP000{n:04}\t{fee}\t{n}.10\t0.0{n % 10}\t{n % 2}\n"
        for n, fee in enumerate(amounts(records), 1)
    ]
    return "".join(lines).encode()


def declared(name: str, records: int) -> Declared:
    """What the sender says of the whole file."""
    return Declared(records, {name: sum(amounts(records), Decimal(0))})


def record_ends(content: bytes) -> list[int]:
    """The cuts behind a record, but for the whole file."""
    return [size for size in range(1, len(content)) if content[:size].endswith(b"\n")]


LEDGER_DIALECT = """\
title = { zh = "明细", en = "detail" }
layout = "ledger_detail"
format = "delimited"
encoding = "utf-8"
delimiter = "\\t"
widths = [7, 8]
"""
# 1 KB in the default run, 2 KB in the full one; each test takes every fourth cut, so that several workers share them.
STEP = 4
every_share = pytest.mark.parametrize("share", range(STEP))
sizes_of_charges = pytest.mark.parametrize("records", [15, pytest.param(30, marks=pytest.mark.full)])
sizes_of_ledgers = pytest.mark.parametrize("records", [20, pytest.param(40, marks=pytest.mark.full)])


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working folder of a user, whose layout and dialect are parsed once."""
    monkeypatch.chdir(tmp_path)
    Path("charges.json").write_text(CHARGES_LAYOUT, encoding="utf-8")
    Path("charges.toml").write_text(CHARGES_DIALECT, encoding="utf-8")
    Path("ledger.toml").write_text(LEDGER_DIALECT, encoding="utf-8")
    Path("ended.toml").write_text(f"{LEDGER_DIALECT}final_line_end = true\n", encoding="utf-8")
    monkeypatch.setattr(config, "load", cache(config.load))
    return tmp_path


def exit_code(path: str, dialect: str, declared: Declared | None) -> int:
    """What a file comes to."""
    layout = "charges.json" if dialect == "charges" else None
    terms = Terms(declared=declared or Declared())
    try:
        return validate([path], layout, f"{dialect}.toml", terms=terms).exit_code
    except MedpayError:
        return 2


def exit_codes(
    content: bytes, sizes: Iterable[int], dialect: str, declared: Declared | None = None, name: str = "cut.txt"
) -> dict[int, int]:
    """What the file comes to when only so many of its bytes are left."""
    made = {}
    for size in sizes:
        Path(name).write_bytes(content[:size])
        made[size] = exit_code(name, dialect, declared)
    return made


def of(code: int, made: dict[int, int]) -> list[int]:
    """The cuts with that exit code."""
    return [size for size, found in made.items() if found == code]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("dialect", "content", "told"),
    [
        ("charges", charges(15), declared("paid", 15)),
        ("charges", charges(15)[:-1], declared("paid", 15)),
        ("ledger", ledger(20), declared("medfee_sumamt", 20)),
        ("ledger", ledger(20)[:-1], declared("medfee_sumamt", 20)),
        ("ended", ledger(20), declared("medfee_sumamt", 20)),
    ],
    ids=["charges", "charges, not ended", "ledger", "ledger, not ended", "ledger that must be ended"],
)
def test_the_whole_file_is_valid_as_declared(dialect, content, told):
    assert exit_codes(content, [len(content)], dialect, told) == {len(content): 0}


@every_share
@sizes_of_charges
@pytest.mark.usefixtures("folder")
def test_charges_cut_anywhere_are_refused_where_count_and_sum_are_declared(records, share):
    whole = charges(records)
    # Without its last line end alone the file is whole.
    sizes = range(share, len(whole) - 1, STEP)
    assert of(3, exit_codes(whole, sizes, "charges", declared("paid", records))) == list(sizes)


@every_share
@sizes_of_ledgers
@pytest.mark.usefixtures("folder")
def test_a_ledger_that_must_end_in_a_line_end_passes_for_whole_only_where_a_record_ends(records, share):
    # Nothing in such a file tells that others are missing: this is why count and sum are declared.
    whole = ledger(records)
    sizes = range(share, len(whole), STEP)
    ends = record_ends(whole)
    assert exit_codes(whole, sizes, "ended") == {size: 0 if size in ends else 3 for size in sizes}


@pytest.mark.usefixtures("folder")
@sizes_of_ledgers
def test_a_ledger_cut_where_a_record_ends_is_refused_where_count_and_sum_are_declared(records):
    ends = record_ends(ledger(records))
    assert of(3, exit_codes(ledger(records), ends, "ended", declared("medfee_sumamt", records))) == ends


@pytest.mark.usefixtures("folder")
def test_a_ledger_cut_inside_its_last_record_is_never_valid():
    whole = ledger(20)
    begins = whole.rindex(b"\n", 0, -1) + 1
    behind_last_tab = whole.rindex(b"\t") + 1
    made = exit_codes(whole, range(begins + 1, len(whole) - 1), "ledger")
    # Behind the last TAB there are as many fields as there should be, and the flag is empty.
    assert made == {size: 1 if size == behind_last_tab else 3 for size in made}


def zipped(content: bytes) -> bytes:
    """A zip archive of one member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("charges.csv", content)
    return file.getvalue()


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("zip", zipped)], ids=["gz", "zip"])
@pytest.mark.usefixtures("folder")
def test_an_archive_cut_anywhere_is_refused(ending, pack):
    packed = pack(charges(30))
    made = exit_codes(packed, range(len(packed)), "charges", name=f"cut.csv.{ending}")
    assert of(3, made) == list(range(len(packed)))


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("zip", zipped)], ids=["gz", "zip"])
@pytest.mark.usefixtures("folder")
def test_a_whole_archive_is_valid(ending, pack):
    packed = pack(charges(30))
    made = exit_codes(packed, [len(packed)], "charges", name=f"whole.csv.{ending}")
    assert made == {len(packed): 0}
