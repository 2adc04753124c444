"""A batch of bills in two parts as it lies in a folder, written out by hand, and edits of it as data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from small import MONEY, layout, medpay

FIRST, SECOND, MANIFEST = "BILL_H1_20240131_B7_001.txt", "BILL_H1_20240131_B7_002.txt", "B7.manifest"
LAYOUT = layout(
    "bill",
    {"bill_no": {"type": "string"}, "sender_code": {"type": "string"}, "memo": {"type": "string"}, "paid": MONEY},
    "bill_no", "sender_code", key=("bill_no",),
)  # fmt: skip
DIALECT = """\
title = { zh = "账单", en = "bills" }
layout = "bill.json"
format = "delimited"
delimiter = "|"
encoding = "utf-8"

[control]
head = ["", "acct_date", "batch_no", "records", "paid"]
head_begins = "H"
tail = ["", "batch_no", "records", "paid"]
tail_begins = "T"

[batch]
name = "BILL_{sender_code}_{acct_date}_{batch_no}_{part}.txt"
beside = "{batch_no}.manifest"
amount = "paid"
hash = "bill_no"
required = true
says = { file_type = "CLAIM" }
"""
OF_EACH = DIALECT.replace('"{batch_no}.manifest"', '"{stem}.ok"')
RECORDS = "bill_no,sender_code,memo,paid\nA-001,H1,,100.00\nA-002,H1,x,7.50\nA-003,H1,,-0.02\n"
ONE = "H|20240131|B7|2|107.50\nA-001|H1||100.00\nA-002|H1|x|7.50\nT|B7|2|107.50\n"
TWO = "H|20240131|B7|1|-0.02\nA-003|H1||-0.02\nT|B7|1|-0.02\n"
HEADER = (
    "batch_no,file_name,file_type,file_size,total_count,total_amt,acct_date,digest_alg,digest,enc_alg,crt_time,"
    "hash_total,part_no,part_count\n"
)

Files = dict[str, bytes]
Edit = Callable[[Files], None]


def sha(content: bytes | str) -> str:
    """The digest that a manifest holds."""
    return hashlib.sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()


ROW_1 = f"B7,{FIRST},CLAIM,{len(ONE)},2,107.50,20240131,SHA256,{sha(ONE)},,20240131081500,3,1,2\n"
ROW_2 = f"B7,{SECOND},CLAIM,{len(TWO)},1,-0.02,20240131,SHA256,{sha(TWO)},,20240131081500,3,2,2\n"


def batch() -> Files:
    """The batch as it should be."""
    return {FIRST: ONE.encode(), SECOND: TWO.encode(), MANIFEST: (HEADER + ROW_1 + ROW_2).encode()}


def settled(folder: Path, dialect: str, content: Files) -> None:
    """A folder in which a batch has arrived."""
    (folder / "bill.json").write_text(LAYOUT, encoding="utf-8")
    (folder / "bill.toml").write_text(dialect, encoding="utf-8")
    (folder / "out").mkdir()
    put(folder, content)


def written(folder: Path, dialect: str = DIALECT, out: str | None = None, *options: str):
    """The same written by us, with more options."""
    (folder / "bill.json").write_text(LAYOUT, encoding="utf-8")
    (folder / "bill.toml").write_text(dialect, encoding="utf-8")
    (folder / "records.csv").write_text(RECORDS, encoding="utf-8")
    (folder / "out").mkdir(exist_ok=True)
    given = options or ("--batch-no", "B7", "--set", "acct_date=20240131", "--set", "sender_code=H1")
    return medpay(
        "transform", folder / "records.csv", "--mapping", "identity", "--layout", folder / "bill.json",
        "--dialect", "csv:" + str(folder / "bill.json"), "--to-dialect", folder / "bill.toml",
        "-o", folder / "out" if out is None else folder / "out" / out, "--split-rows", "2", "--format", "json",
        "--set", "crt_time=20240131081500", *given,
    )  # fmt: skip


def lies(folder: Path) -> Files:
    """What stands in the folder of the batch."""
    return {one.name: one.read_bytes() for one in sorted((folder / "out").iterdir()) if one.name[0] != "."}


def put(folder: Path, content: Files) -> None:
    """The folder of the batch holds these files and no other."""
    for one in (folder / "out").iterdir():
        one.unlink()
    for name, held in content.items():
        (folder / "out" / name).write_bytes(held)


def judged(folder: Path, *names: str, options: tuple[object, ...] = ()):
    """Exit code, and of every finding the file, code, field, what was found and what was declared."""
    answer = medpay(
        "validate", *(folder / "out" / name for name in names), "--dialect", folder / "bill.toml", "--format", "json",
        *options,
    )  # fmt: skip
    if not answer.out:
        return answer.exit_code, answer.err
    found = [
        (Path(one["file"]).name, one["code"], one["field"], one["value"], one["expected"])
        for one in json.loads(answer.out)["findings"]
    ]
    return answer.exit_code, found


def sub(name: str, old: str, new: str) -> Edit:
    """One text for another, which must stand there once."""

    def edit(content: Files) -> None:
        assert content[name].count(old.encode()) == 1, (name, old)
        content[name] = content[name].replace(old.encode(), new.encode())

    return edit


def drop(name: str) -> Edit:
    """A file is gone."""
    return lambda content: content.pop(name) and None


def rename(name: str, other: str) -> Edit:
    """A file is called otherwise."""

    def edit(content: Files) -> None:
        content[other] = content.pop(name)

    return edit


def copy(name: str, other: str) -> Edit:
    """A file is there a second time, or instead of another."""

    def edit(content: Files) -> None:
        content[other] = content[name]

    return edit


def swap(one: str, other: str) -> Edit:
    """What stands in two files changes places."""

    def edit(content: Files) -> None:
        content[one], content[other] = content[other], content[one]

    return edit


def resealed(content: Files) -> None:
    """Whoever changed the files wrote sizes and digests into the manifest anew."""
    for name, row in ((FIRST, ROW_1), (SECOND, ROW_2)):
        if name in content:
            size, made = row.split(",")[3], row.split(",")[8]
            held = content[MANIFEST].decode().replace(f",{size},", f",{len(content[name])},", 1)
            content[MANIFEST] = held.replace(made, sha(content[name])).encode()
