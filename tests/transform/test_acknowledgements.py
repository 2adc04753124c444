"""What is answered for a batch: the file, its records, its business; the answer is a file of its own layout."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from batch_files import DIALECT, FIRST, MANIFEST, ONE, batch, put, settled, sha, sub
from small import medpay

HEADER = [
    "ack_level", "orig_batch_no", "orig_digest", "ack_status", "recv_count", "accept_count", "reject_count",
    "accept_amt", "row_no", "claim_no", "field_code", "bad_value", "err_code", "err_level", "err_msg_zh", "err_msg_en",
]  # fmt: skip
# What the rows say beside the number, the digest and the counts of the file.
KEPT = ("ack_level", "ack_status", "row_no", "claim_no", "field_code", "bad_value", "err_code", "err_level")


def answered(folder: Path, *options: object, names: tuple[str, ...] = (FIRST,), ack: str = "ack.csv"):
    """Exit code of a validate with --ack."""
    return medpay(
        "validate", *(folder / "out" / name for name in names), "--dialect", folder / "bill.toml", "--ack",
        folder / ack, *options,
    ).exit_code  # fmt: skip


def rows(folder: Path) -> list[dict[str, str]]:
    """The acknowledgement."""
    with (folder / "ack.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == HEADER
        return list(reader)


def kept(found: list[dict[str, str]]) -> list[tuple[str, ...]]:
    """What differs from row to row."""
    return [tuple(row[name] for name in KEPT) for row in found]


def counts(found: list[dict[str, str]]) -> set[tuple[str, ...]]:
    """What is the same in every row."""
    names = ("orig_batch_no", "orig_digest", "recv_count", "accept_count", "reject_count", "accept_amt")
    return {tuple(row[name] for name in names) for row in found}


def without_manifest() -> str:
    """The dialect of files that are named and have control lines only."""
    return DIALECT.replace('beside = "{batch_no}.manifest"\n', "").replace('amount = "paid"\n', "").replace(
        'hash = "bill_no"\n', "").replace("required = true\n", "")  # fmt: skip


def test_a_batch_that_is_right_is_accepted_record_by_record(tmp_path):
    settled(tmp_path, DIALECT, batch())
    assert answered(tmp_path) == 0
    found = rows(tmp_path)
    assert kept(found) == [
        ("1", "A", "", "", "", "", "", ""), ("3", "A", "1", "", "", "", "", ""), ("3", "A", "2", "", "", "", "", ""),
    ]  # fmt: skip
    assert counts(found) == {("B7", sha(ONE), "2", "2", "0", "107.50")}
    assert medpay("validate", tmp_path / "ack.csv", "--layout", "acknowledgement").exit_code == 0


TEXT = (
    "H|20240131|B7|5|114.98\nA-001|H1||100.00\nA-002|H1|x|7.505\nA-003|H1||7.50\nA-003|H1||7.48\nA-005|H1\n"
    "T|B7|5|114.98\n"
)


def test_records_that_are_wrong_are_told_layer_by_layer(tmp_path):
    settled(tmp_path, without_manifest(), {FIRST: TEXT.encode()})
    assert answered(tmp_path) == 1
    found = rows(tmp_path)
    assert kept(found) == [
        ("1", "P", "", "", "", "", "", ""),
        ("2", "R", "2", "", "paid", "7.505", "L103", "E"),
        ("2", "R", "5", "", "", "2", "F101", "E"),
        ("3", "R", "3", "", "", "2", "B101", "E"),
        ("3", "R", "4", "", "", "2", "B101", "E"),
        ("3", "A", "1", "", "", "", "", ""),
        ("3", "R", "2", "", "", "", "", ""),
        ("3", "R", "3", "", "", "", "", ""),
        ("3", "R", "4", "", "", "", "", ""),
        ("3", "R", "5", "", "", "", "", ""),
    ]
    assert counts(found) == {("B7", sha(TEXT), "5", "1", "4", "100.00")}
    [told] = [row for row in found if row["err_code"] == "L103"]
    assert (told["err_msg_zh"], told["err_msg_en"]) == (
        "paid paid：'7.505' 不符合格式 money(16,2)", "paid paid: '7.505' does not have the format money(16,2)",
    )  # fmt: skip


def test_a_file_that_is_not_judged_is_refused_as_a_whole(tmp_path):
    content = batch()
    sub(FIRST, "|x|", "|y|")(content)
    settled(tmp_path, DIALECT, content)
    assert answered(tmp_path) == 3
    found = rows(tmp_path)
    assert kept(found) == [
        ("1", "R", "", "", "", "", "", ""),
        ("1", "R", "", "", "digest SHA256", sha(content[FIRST])[:59] + "…", "B202", "E"),
    ]
    assert counts(found) == {("B7", sha(content[FIRST]), "0", "0", "0", "0.00")}
    put(tmp_path, {**batch(), MANIFEST: batch()[MANIFEST].replace(b",70,2,", b",70,3,")})
    assert answered(tmp_path) == 3
    found = rows(tmp_path)
    assert kept(found)[1:] == [("1", "R", "", "", "records", "2", "B201", "E")]
    assert counts(found) == {("B7", sha(ONE), "2", "0", "2", "0.00")}


def test_a_file_whose_manifest_is_missing_is_answered_by_the_number_in_its_name(tmp_path):
    settled(tmp_path, DIALECT, {FIRST: ONE.encode()})
    assert answered(tmp_path) == 3
    assert (rows(tmp_path)[0]["orig_batch_no"], rows(tmp_path)[1]["err_code"]) == ("B7", "F222")


def test_claims_are_named_and_nobody_s_data_is_told(tmp_path):
    source = tmp_path / "c.csv"
    sample = medpay(
        "sample", "commercial_claim", "--dialect", "csv:commercial_claim", "--records", 3, "--seed", 1, "-o", source
    )
    assert sample.exit_code == 0
    with source.open(encoding="utf-8", newline="") as file:
        claims = list(csv.DictReader(file))
    claims[1]["certno"] = "11010519491231002Q"
    with source.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, claims[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(claims)
    row = {"batch_no": "B7", "file_name": "c.csv", "file_size": str(source.stat().st_size), "total_count": "3"}
    (tmp_path / "m.json").write_text(json.dumps([row]), encoding="utf-8")
    document = (
        'title = { zh = "x", en = "x" }\nlayout = "commercial_claim"\nformat = "delimited"\ndelimiter = ","\n'
        'quote = \'"\'\nheader = true\n[batch]\nbeside = "{stem}.ok"\namount = "claim_amt"\n'
    )
    (tmp_path / "claims.toml").write_text(document, encoding="utf-8")
    (tmp_path / "c.ok").write_text(",".join(OK) + "\n" + ",".join(row.get(name, "") for name in OK) + "\n")
    answer = medpay(
        "validate", source, "--dialect", tmp_path / "claims.toml", "--ack", tmp_path / "ack.csv", "--format", "json"
    )
    assert answer.exit_code == 1
    found = rows(tmp_path)
    assert [row["claim_no"] for row in found if row["ack_level"] == "3" and not row["err_code"]] == [
        one["claim_no"] for one in claims
    ]
    wrong = [row for row in found if row["field_code"] == "certno"]
    assert {(row["row_no"], row["bad_value"]) for row in wrong} == {("2", "***")}
    assert "11010519491231002Q" not in (tmp_path / "ack.csv").read_text(encoding="utf-8")


OK = (
    "batch_no", "file_name", "file_type", "file_size", "total_count", "total_amt", "acct_date", "digest_alg", "digest",
    "enc_alg", "crt_time", "hash_total", "part_no", "part_count",
)  # fmt: skip


@pytest.mark.parametrize("ending", ["json", "xlsx", "xml"])
def test_the_ending_says_how_an_acknowledgement_is_written(ending, tmp_path):
    settled(tmp_path, DIALECT, batch())
    name = f"ack.{ending}"
    assert answered(tmp_path, ack=name) == 0
    answer = medpay(
        "validate", tmp_path / name, "--dialect", f"{ending}:acknowledgement", "--format", "json"
    )  # fmt: skip
    assert (answer.exit_code, answer.json["files"][0]["records"]) == (0, 3)


def test_where_nothing_holds_a_number_no_acknowledgement_is_promised(tmp_path):
    dialect = DIALECT.partition("[control]")[0]
    settled(tmp_path, dialect, {"a.txt": b"A-001|H1||1.00\n"})
    assert answered(tmp_path, names=("a.txt",)) == 2
    assert not (tmp_path / "ack.csv").exists()


def test_an_acknowledgement_is_not_acknowledged(tmp_path):
    settled(tmp_path, DIALECT, batch())
    assert answered(tmp_path) == 0
    answer = medpay("validate", tmp_path / "ack.csv", "--layout", "acknowledgement", "--ack", tmp_path / "b.csv")
    assert (answer.exit_code, "acknowledgement.v1 is an acknowledgement itself" in answer.err) == (2, True)


@pytest.mark.parametrize(("most", "status", "accepted"), [(4, "R", "0"), (5, "P", "1")])
def test_a_partner_may_refuse_a_file_as_a_whole_from_so_many_wrong_records_on(most, status, accepted, tmp_path):
    settled(tmp_path, without_manifest(), {FIRST: TEXT.encode()})
    (tmp_path / "medpay.toml").write_text(f"[partners.x]\nrefuse_from = {most}\n", encoding="utf-8")
    options = ("--partner", "x", "--config", tmp_path / "medpay.toml", "--accepted", tmp_path / "good.txt")
    assert answered(tmp_path, *options, "--rejected", tmp_path / "bad.txt") == 1
    found = rows(tmp_path)
    assert (found[0]["ack_status"], found[0]["accept_count"]) == (status, accepted)
    assert [row["err_msg_en"] for row in found if row["err_code"] == "B206"] == [
        "4 records are wrong, and from 4 on the whole file is refused"
    ] * (status == "R")
    records = [line for line in (tmp_path / "good.txt").read_text().splitlines() if line[0] == "A"]
    assert len(records) == int(accepted)
    assert {row["ack_status"] for row in found if row["row_no"] == "1"} == {"A" if accepted == "1" else "R"}
