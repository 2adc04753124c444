"""Batches of messages whose records stand in each other: numbered, named, and held against their manifests."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from batch_files import sha
from small import medpay
from test_families import RIGHT, changed, message, settled
from test_nodes import CLAIMS

BATCH = """
[batch]
name = "BILLS_{acct_date}_{batch_no}_{part}.FORM"
beside = "{batch_no}.manifest"
amount = "amount"
hash = "bill_no"
"""
SENT = "BILLS_20240131_B7_001"


def given(folder: Path, form: str = "json", more: str = "") -> None:
    """Dialects with a batch."""
    settled(folder)
    text = (folder / f"{form}.toml").read_text(encoding="utf-8")
    (folder / "batch.toml").write_text(text + BATCH.replace("FORM", form) + more, encoding="utf-8")
    (folder / "in.json").write_text(json.dumps(message(*RIGHT)), encoding="utf-8")
    (folder / "sent").mkdir()


def sent(folder: Path, *options: object):
    """The bills as a batch."""
    return medpay(
        "transform", folder / "in.json", "--mapping", "identity", "--dialect", folder / "json.toml", "--to-dialect",
        folder / "batch.toml", "-o", folder / "sent", "--batch-no", "B7", "--set", "acct_date=20240131", "--format",
        "json", *options,
    )  # fmt: skip


def manifest(folder: Path) -> dict[str, str]:
    with (folder / "sent" / "B7.manifest").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    return {name: cell for name, cell in row.items() if cell}


def judged(folder: Path, form: str = "json", *options: object):
    """Exit code, and of every finding code, node, field, found and expected."""
    answer = medpay(
        "validate", folder / "sent" / f"{SENT}.{form}", "--dialect", folder / "batch.toml", "--format", "json", *options
    )
    found = [
        (one["code"], one["field"], one["value"], one["expected"]) for one in json.loads(answer.out)["findings"]
    ]  # fmt: skip
    return answer.exit_code, found


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_message_is_a_batch_whose_manifest_counts_the_records_of_the_first_node(tmp_path, form):
    given(tmp_path, form)
    answer = sent(tmp_path)
    assert (answer.exit_code, answer.err) == (0, "")
    content = (tmp_path / "sent" / f"{SENT}.{form}").read_bytes()
    assert manifest(tmp_path) == {
        "batch_no": "B7", "file_name": f"{SENT}.{form}", "file_size": str(len(content)), "total_count": "3",
        "total_amt": "6.95", "acct_date": "20240131", "digest_alg": "SHA256", "digest": sha(content),
        "hash_total": "6", "part_no": "1", "part_count": "1",
    }  # fmt: skip
    assert judged(tmp_path, form) == (0, [])
    back = medpay(
        "transform", tmp_path / "sent" / f"{SENT}.{form}", "--mapping", "identity", "--dialect",
        tmp_path / "batch.toml", "--to-dialect", tmp_path / "json.toml", "-o", tmp_path / "back.json",
    )  # fmt: skip
    assert back.exit_code == 0
    assert json.loads((tmp_path / "back.json").read_bytes()) == message(*RIGHT)


def test_another_node_may_be_the_one_that_counts(tmp_path):
    given(tmp_path, more='node = "part"\n')
    assert sent(tmp_path).exit_code == 0
    # 0.40 + 0.60 + 4.00, of bills 1, 1 and 2.
    told = manifest(tmp_path)
    assert (told["total_count"], told["total_amt"], told["hash_total"]) == ("3", "5.00", "4")
    assert judged(tmp_path) == (0, [])


# What is changed in the manifest, and what is found of it.
WRONG = {
    "count": (",3,6.95,", ",4,6.95,", [("B201", "records", "3", "4")]),
    "sum": (",3,6.95,", ",3,6.96,", [("B201", "amount", "6.95", "6.96")]),
    "hash": (",6,1,1", ",7,1,1", [("B201", "hash_total bill_no", "6", "7")]),
    "number": ("B7,", "B8,", [("B204", "batch_no", "B7.manifest B8", "file_name B7")]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_manifest_says_otherwise_leaves_the_message_unjudged(tmp_path, name):
    old, new, expected = WRONG[name]
    given(tmp_path)
    sent(tmp_path)
    path = tmp_path / "sent" / "B7.manifest"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert judged(tmp_path) == (3, expected)


def test_a_message_that_was_changed_is_not_the_one_of_its_manifest(tmp_path):
    given(tmp_path)
    sent(tmp_path)
    path = tmp_path / "sent" / f"{SENT}.json"
    path.write_text(path.read_text(encoding="utf-8").replace("0.40", "0.41"), encoding="utf-8")
    code, [(found, field, *_)] = judged(tmp_path)
    assert (code, found, field) == (3, "B202", "digest SHA256")


def test_a_number_is_used_once_for_messages_too(tmp_path):
    given(tmp_path)
    sent(tmp_path)
    assert sent(tmp_path).exit_code == 6


def test_accepted_bills_alone_are_the_batch(tmp_path):
    given(tmp_path)
    (tmp_path / "in.json").write_text(json.dumps(message(*changed((0, 0, 1)))), encoding="utf-8")
    assert sent(tmp_path).exit_code == 1
    assert not list((tmp_path / "sent").glob("*.json"))
    assert sent(tmp_path, "--accepted-only").exit_code == 1
    told = manifest(tmp_path)
    assert (told["total_count"], told["total_amt"]) == ("2", "3.95")
    assert judged(tmp_path) == (0, [])


HEADED = """
[batch]
name = "CLAIMS_{batch_no}.xml"
beside = "{stem}.ok"
node = "claim"
amount = "amount"
"""


def claims(folder: Path, name: str) -> int:
    """The claims as a batch of that number, whose header says BX0001."""
    for one in CLAIMS.iterdir():
        shutil.copy(one, folder)
    own = folder / "claims-xml.toml"
    (folder / "batch.toml").write_text(own.read_text(encoding="utf-8") + HEADED, encoding="utf-8")
    (folder / "sent").mkdir(exist_ok=True)
    return medpay(
        "transform", folder / "batch.xml", "--mapping", "identity", "--dialect", own, "--to-dialect",
        folder / "batch.toml", "-o", folder / "sent", "--batch-no", name,
    ).exit_code  # fmt: skip


def test_a_header_that_names_another_batch_is_neither_written_nor_believed(tmp_path):
    assert claims(tmp_path, "BX0002") == 2
    assert claims(tmp_path, "BX0001") == 0
    [row] = csv.DictReader((tmp_path / "sent" / "CLAIMS_BX0001.ok").read_text(encoding="utf-8").splitlines())
    assert (row["total_count"], row["total_amt"]) == ("3", "100000000000301.14")
    (tmp_path / "sent" / "CLAIMS_BX0001.xml").rename(tmp_path / "CLAIMS_BX0002.xml")
    answer = medpay(
        "validate", tmp_path / "CLAIMS_BX0002.xml", "--dialect", tmp_path / "batch.toml", "--totals", "none",
        "--format", "json",
    )  # fmt: skip
    found = [(one["code"], one["field"], one["value"]) for one in json.loads(answer.out)["findings"]]
    assert (answer.exit_code, found) == (3, [("B204", "batch_no", "records BX0001")])


def test_messages_apart_are_the_parts_of_a_batch(tmp_path):
    given(tmp_path)
    mapping = (
        'title = { zh = "x", en = "x" }\nfrom = { dialect = "json.toml" }\nto = { dialect = "batch.toml" }\n'
        'apart = ["bill_no"]\n[nodes.bill]\nfrom = "bill"\nidentity = true\n'
    )
    (tmp_path / "mapping.toml").write_text(mapping, encoding="utf-8")
    answer = medpay(
        "transform", tmp_path / "in.json", "--mapping", tmp_path / "mapping.toml", "-o", tmp_path / "sent",
        "--batch-no", "B7", "--set", "acct_date=20240131",
    )  # fmt: skip
    assert (answer.exit_code, answer.err) == (0, "")
    with (tmp_path / "sent" / "B7.manifest").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(one["file_name"][-8:], one["total_count"], one["total_amt"], one["part_no"]) for one in rows] == [
        ("001.json", "1", "3.00", "1"), ("002.json", "1", "4.00", "2"), ("003.json", "1", "-0.05", "3"),
    ]  # fmt: skip
    names = [tmp_path / "sent" / one["file_name"] for one in rows]
    assert medpay("validate", *names, "--dialect", tmp_path / "batch.toml").exit_code == 0
    assert medpay("validate", names[1], "--dialect", tmp_path / "batch.toml").exit_code == 0


def test_a_node_that_counts_must_be_one_of_the_dialect(tmp_path):
    given(tmp_path, more='node = "bills"\n')
    answer = sent(tmp_path)
    assert (answer.exit_code, "batch node bills: bill, item, part" in answer.err) == (2, True)
