"""The sender holds what it sent against the answer: who was accepted, who was refused and why, and whether it ties."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest
from batch_files import DIALECT, FIRST, SECOND, TWO, batch, settled, sha
from small import medpay
from test_acknowledgements import HEADER, without_manifest

SENT = "H|20240131|B7|4|114.98\nA-001|H1||100.00\nA-002|H1|x|7.50\nA-003|H1||7.48\nA-004|H1|y|0.00\nT|B7|4|114.98\n"
# Received, accepted, refused, and the sum of the accepted.
THREE = ("4", "3", "1", "107.48")

Row = dict[str, str]


def file(status: str, counts: tuple[str, ...], **other: str) -> Row:
    """A row about the file."""
    said = dict(zip(("recv_count", "accept_count", "reject_count", "accept_amt"), counts, strict=True))
    return {"ack_level": "1", "ack_status": status, "orig_batch_no": "B7", "orig_digest": sha(SENT), **said, **other}


def record(status: str, row_no: str, counts: tuple[str, ...] = THREE, **other: str) -> Row:
    """A row about a record."""
    return {**file(status, counts), "ack_level": "3", "row_no": row_no, **other}


def each(statuses: str, counts: tuple[str, ...] = THREE) -> list[Row]:
    """A row about each record."""
    return [record(status, str(number), counts) for number, status in enumerate(statuses, 1)]


REASON = {"field_code": "paid", "err_code": "E12", "err_level": "E", "err_msg_zh": "金额超限", "err_msg_en": "too much"}
REFUSED = [file("P", THREE), *each("ARAA"), record("R", "2", **REASON)]


def arrived(folder: Path, rows: list[Row], sent: str = SENT, dialect: str | None = None, columns: list[str] = HEADER):
    """The batch as it was sent, and the answer to it."""
    settled(folder, dialect or without_manifest(), {FIRST: sent.encode()})
    answer(folder, rows, columns)


def answer(folder: Path, rows: list[Row], columns: list[str] = HEADER) -> None:
    with (folder / "ack.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def held(folder: Path, *options: object, names: tuple[str, ...] = (FIRST,)):
    """Exit code, and of every finding row, code, field, what was sent and what is answered."""
    made = medpay(
        "validate", *(folder / "out" / name for name in names), "--dialect", folder / "bill.toml",
        "--answered", folder / "ack.csv", "--format", "json", *options,
    )  # fmt: skip
    assert made.err == ""
    document = json.loads(made.out)
    found = [
        (one["row"], one["code"], one["field"], one["value"], one["expected"]) for one in document["findings"]
    ]  # fmt: skip
    return made.exit_code, found, document["files"]


def split(folder: Path, *options: object):
    """The same, and the accepted and the rejected records, and why."""
    targets = ("--accepted", folder / "good.txt", "--rejected", folder / "bad.txt")
    code, found, _ = held(folder, *targets, *options)
    made = [folder / name for name in ("good.txt", "bad.txt", "bad.txt.why.csv")]
    return code, found, [one.read_text(encoding="utf-8") if one.exists() else None for one in made]


def test_what_we_answer_for_a_right_batch_accepts_all_that_was_sent(tmp_path):
    settled(tmp_path, DIALECT, batch())
    names = [tmp_path / "out" / name for name in (FIRST, SECOND)]
    assert medpay("validate", *names, "--dialect", tmp_path / "bill.toml", "--ack", tmp_path / "ack.csv").exit_code == 0
    code, found, files = held(tmp_path, names=(FIRST, SECOND))
    assert (code, found) == (0, [])
    assert [(one["verdict"], one["accepted"], one["accepted_totals"]) for one in files] == [
        ("valid", 2, {"paid": "107.50"}), ("valid", 1, {"paid": "-0.02"}),
    ]  # fmt: skip


def test_a_refused_record_is_told_with_its_reason_and_set_apart_as_it_was_sent(tmp_path):
    arrived(tmp_path, REFUSED)
    code, found, (good, bad, why) = split(tmp_path)
    assert (code, found) == (1, [(2, "B207", "paid", "7.50", "E12 | 金额超限 | too much")])
    assert good == (
        "H|20240131|B7|3|107.48\nA-001|H1||100.00\nA-003|H1||7.48\nA-004|H1|y|0.00\nT|B7|3|107.48\n"
    )  # fmt: skip
    assert bad == "H|20240131|B7|1|7.50\nA-002|H1|x|7.50\nT|B7|1|7.50\n"
    assert why == (
        "row,line,code,field,message\n"
        "2,3,B207,paid,paid paid: refused by the receiver: E12 | 金额超限 | too much\n"
    )  # fmt: skip


def test_a_refusal_without_a_reason_is_told_all_the_same(tmp_path):
    arrived(tmp_path, [file("P", THREE), *each("APAA")])
    assert held(tmp_path)[:2] == (1, [(2, "B207", None, None, None)])


def test_what_was_refused_can_be_corrected_and_sent_under_a_new_number(tmp_path):
    arrived(tmp_path, REFUSED)
    split(tmp_path)
    bad = tmp_path / "bad.txt"
    bad.write_text(bad.read_text(encoding="utf-8").replace("7.50", "5.00"), encoding="utf-8")
    again = medpay(
        "transform", bad, "--mapping", "identity", "--dialect", tmp_path / "bill.toml", "--to-dialect",
        tmp_path / "bill.toml", "--totals", "none", "-o", tmp_path / "out", "--batch-no", "B8",
        "--set", "sender_code=H1", "--set", "acct_date=20240201",
    )  # fmt: skip
    assert again.exit_code == 0, again.err
    made = tmp_path / "out" / "BILL_H1_20240201_B8_001.txt"
    assert made.read_text(encoding="utf-8") == "H|20240201|B8|1|5.00\nA-002|H1|x|5.00\nT|B8|1|5.00\n"


def test_a_record_that_nobody_answered_for_is_never_accepted(tmp_path):
    arrived(tmp_path, [file("P", THREE), *each("ARA")])
    code, found, (good, bad, _) = split(tmp_path, "--ignore", "B3")
    assert (code, found) == (1, [(2, "B207", None, None, None), (4, "B209", None, None, None)])
    assert "A-004" not in good
    assert bad == "H|20240131|B7|2|7.50\nA-002|H1|x|7.50\nA-004|H1|y|0.00\nT|B7|2|7.50\n"


@pytest.mark.parametrize("code", ["B207", "B209", "B210"])
def test_nobody_leaves_out_what_an_answer_says(tmp_path, code):
    arrived(tmp_path, REFUSED)
    made = medpay(
        "validate", tmp_path / "out" / FIRST, "--dialect", tmp_path / "bill.toml", "--answered", tmp_path / "ack.csv",
        "--ignore", code,
    )  # fmt: skip
    assert (made.exit_code, code in made.err) == (2, True)


def test_a_remark_is_told_and_the_record_accepted(tmp_path):
    four = ("4", "4", "0", "114.98")
    arrived(tmp_path, [file("E", four), *each("AEAA", four), record("E", "2", four, **REASON)])
    code, found, files = held(tmp_path)
    assert (code, found) == (0, [(2, "B208", "paid", "7.50", "E12 | 金额超限 | too much")])
    assert (files[0]["verdict"], files[0]["accepted"]) == ("valid", 4)
    assert held(tmp_path, "--fail-on", "warning")[0] == 1
    assert held(tmp_path, "--ignore", "B208")[:2] == (0, [])


def test_a_remark_that_is_an_error_to_a_partner_rejects_the_record(tmp_path):
    four = ("4", "4", "0", "114.98")
    arrived(tmp_path, [file("E", four), *each("AEAA", four), record("E", "2", four, **REASON)])
    (tmp_path / "medpay.toml").write_text('[partners.p.severity]\nB208 = "error"\n', encoding="utf-8")
    code, _, files = held(tmp_path, "--partner", "p", "--config", tmp_path / "medpay.toml")
    assert (code, files[0]["accepted"], files[0]["rejected_totals"]) == (1, 3, {"paid": "7.50"})


def test_what_is_said_of_the_whole_file_is_told_and_refuses_nothing(tmp_path):
    four = ("4", "4", "0", "114.98")
    arrived(tmp_path, [file("E", four), file("E", four, err_code="W9", err_msg_en="late"), *each("AAAA", four)])
    code, found, files = held(tmp_path)
    assert (code, found, files[0]["verdict"]) == (0, [(None, "B208", None, None, "W9 | late")], "valid")


STRAYS = {
    "a row behind the last": ({"row_no": "5"}, ("row_no", "5", "ack.csv 6: 1..4")),
    "a row before the first": ({"row_no": "-1"}, ("row_no", "-1", "ack.csv 6: 1..4")),
    "neither row nor name": ({"row_no": ""}, ("row_no", None, "ack.csv 6: 1 x, 0 x")),
    "a name that nothing sent has": ({"row_no": "", "claim_no": "C9"}, ("claim_no", "C9", "ack.csv 6: 1 x, 0 x")),
}


@pytest.mark.parametrize("name", STRAYS)
def test_an_answer_for_a_record_that_was_never_sent_is_told(tmp_path, name):
    change, (field, value, place) = STRAYS[name]
    four = ("4", "4", "0", "114.98")
    rows = [file("A", four), *each("AAAA", four), {**record("R", "", four, **REASON), **change}]
    arrived(tmp_path, rows)
    code, found, _ = held(tmp_path)
    assert (code, found) == (1, [(None, "B210", field, value, place)])


# What the answer says, and what is found of it: the number of what was sent, and that of the answer.
NUMBERS = {
    "fewer received": (("3", "3", "1", "107.48"), [("recv_count", "4", "3"),
                       ("recv_count", "accept_count + reject_count = 4", "3")]),
    "more received": (("5", "3", "1", "107.48"), [("recv_count", "4", "5")]),
    "fewer accepted": (("4", "2", "1", "107.48"), [("accept_count", "3", "2")]),
    "more refused": (("4", "3", "2", "107.48"), [("reject_count", "1", "2"),
                     ("recv_count", "accept_count + reject_count = 5", "4")]),
    "a fen less": (("4", "3", "1", "107.47"), [("accept_amt", "107.48", "107.47")]),
    "the sum of all": (("4", "3", "1", "114.98"), [("accept_amt", "107.48", "114.98")]),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_do_not_tie_leave_the_batch_unjudged_and_nothing_is_written(tmp_path, name):
    counts, expected = NUMBERS[name]
    arrived(tmp_path, [{**row, **file("P", counts)} | {"ack_level": row["ack_level"], "ack_status": row["ack_status"]}
                       for row in REFUSED])  # fmt: skip
    code, found, written = split(tmp_path)
    assert (code, written) == (3, [None, None, None])
    assert found == [(2, "B207", "paid", "7.50", "E12 | 金额超限 | too much"),
                     *((None, "B201", *one) for one in expected)]  # fmt: skip


# Records 2 and 4 are not answered for; 7.50 and 0.00.
OPEN = {
    "counted as accepted": (("4", "4", "0", "114.98"), 1),
    "counted as refused": (("4", "2", "2", "107.48"), 1),
    "not counted": (("4", "2", "0", "107.48"), 1),
    "accepted without their sum": (("4", "4", "0", "107.48"), 3),
    "more than there are": (("4", "5", "0", "114.98"), 3),
}


@pytest.mark.parametrize("name", OPEN)
def test_records_without_an_answer_may_have_been_counted_as_either(tmp_path, name):
    counts, expected = OPEN[name]
    rows = [file("P", counts), record("A", "1", counts), record("A", "3", counts)]
    arrived(tmp_path, rows)
    code, found, _ = held(tmp_path)
    assert code == expected
    assert {(row, of) for row, of, *_ in found if row} == {(2, "B209"), (4, "B209")}


def test_an_answer_that_names_only_what_it_refuses_accepts_the_others_where_everything_ties(tmp_path):
    arrived(tmp_path, [file("P", THREE), record("R", "2", **REASON)])
    code, found, files = held(tmp_path)
    assert (code, found) == (1, [(2, "B207", "paid", "7.50", "E12 | 金额超限 | too much")])
    assert (files[0]["accepted"], files[0]["rejected"]) == (3, 1)
    answer(tmp_path, [file("A", ("4", "4", "0", "114.98"))])
    assert held(tmp_path)[:2] == (0, [])
    answer(tmp_path, [file("A", ("4", "4", "0", "114.97"))])
    assert held(tmp_path)[:2] == (3, [(None, "B201", "accept_amt", "114.98", "114.97")])
    answer(tmp_path, [file("A", ("4", "3", "0", "114.98"))])
    assert [one[:2] for one in held(tmp_path)[1]] == [(number, "B209") for number in (1, 2, 3, 4)]


def test_a_file_that_is_refused_as_a_whole_comes_back_whole(tmp_path):
    none = ("4", "0", "4", "0.00")
    arrived(tmp_path, [file("R", none), file("R", none, err_code="B202", err_msg_en="another digest")])
    code, found, (_, bad, why) = split(tmp_path)
    assert code == 1
    assert found == [
        *((number, "B207", None, None, None) for number in (1, 2, 3, 4)),
        (None, "B207", None, None, "B202 | another digest"),
    ]
    assert bad == SENT
    assert why.count("B207") == 4


# Fields of the answer that are of another batch, and what is found.
OTHER = {
    "number": ({"orig_batch_no": "B8"}, [("orig_batch_no", "B7", "ack.csv B8")]),
    "digest": ({"orig_digest": "0" * 64}, [("orig_digest", sha(SENT), "ack.csv " + "0" * 64)]),
    "both": ({"orig_batch_no": "B8", "orig_digest": "0" * 64},
             [("orig_batch_no", "B7", "ack.csv B8"), ("orig_digest", sha(SENT), "ack.csv " + "0" * 64)]),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_the_answer_to_another_batch_is_none_to_this(tmp_path, name):
    change, expected = OTHER[name]
    arrived(tmp_path, [{**row, **change} for row in REFUSED])
    code, found, written = split(tmp_path)
    assert (code, written) == (3, [None, None, None])
    assert [one[1:] for one in found if one[0] is None] == [("B204", *one) for one in expected]


def test_a_digest_is_known_by_any_algorithm_and_in_either_case(tmp_path):
    for made in (sha(SENT).upper(), hashlib.md5(SENT.encode()).hexdigest()):  # noqa: S324 - the name of a file
        folder = tmp_path / made[:4]
        folder.mkdir()
        arrived(folder, [{**row, "orig_digest": made} for row in REFUSED])
        assert held(folder)[0] == 1


def test_rows_that_say_different_things_of_the_file_leave_it_unjudged(tmp_path):
    arrived(tmp_path, [file("P", ("4", "4", "0", "114.98")), *REFUSED[1:]])
    code, found, _ = held(tmp_path)
    said = [one[1:] for one in found if one[1] == "B204"]
    assert code == 3
    assert said == [
        ("B204", "accept_count", "4", "ack.csv 3"), ("B204", "reject_count", "0", "ack.csv 1"),
        ("B204", "accept_amt", "114.98", "ack.csv 107.48"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([file("P", THREE), *each("ARAA"), record("A", "2")], ("ack_status", "row 2: A", "ack.csv R")),
        ([file("A", THREE), *each("ARAA")], ("ack_status", "ack.csv A", "reject_count 1")),
        ([file("R", THREE), *each("ARAA")], ("ack_status", "ack.csv R", "accept_count 3")),
    ],
)
def test_an_answer_that_contradicts_itself_is_not_believed(tmp_path, rows, found):
    arrived(tmp_path, rows)
    code, told, _ = held(tmp_path)
    assert code == 3
    assert (None, "B204", *found) in told


def test_what_the_receiver_writes_of_a_person_is_not_repeated(tmp_path):
    claims = tmp_path / "c.csv"
    sample = medpay(
        "sample", "commercial_claim", "--dialect", "csv:commercial_claim", "--records", 2, "--seed", 1, "-o", claims
    )
    assert sample.exit_code == 0
    with claims.open(encoding="utf-8", newline="") as read:
        first, second = csv.DictReader(read)
    (tmp_path / "claims.toml").write_text(CLAIMS, encoding="utf-8")
    said = f"{second['insured_name']} {second['certno']} 13800000000 的姓名不符"
    whole = {
        "orig_batch_no": "-", "orig_digest": sha(claims.read_bytes()), "recv_count": "2", "accept_count": "1",
        "reject_count": "1", "accept_amt": first["claim_amt"],
    }  # fmt: skip
    row = {"ack_level": "3", "ack_status": "R", "row_no": "2", "claim_no": second["claim_no"], "field_code": "certno",
           "err_code": "E7", "err_msg_zh": said}  # fmt: skip
    answer(tmp_path, [{"ack_level": "1", "ack_status": "P", **whole}, {**whole, **row}])
    made = medpay(
        "validate", claims, "--dialect", tmp_path / "claims.toml", "--answered", tmp_path / "ack.csv",
        "--format", "json", "--rejected", tmp_path / "bad.csv",
    )  # fmt: skip
    [found] = json.loads(made.out)["findings"]
    assert (made.exit_code, found["field"], found["value"]) == (1, "certno", "***")
    assert found["expected"] == "E7 | *** *** *** 的姓名不符"
    assert second["insured_name"] not in (tmp_path / "bad.csv.why.csv").read_text(encoding="utf-8")


CLAIMS = (
    'title = { zh = "x", en = "x" }\nlayout = "commercial_claim"\nformat = "delimited"\ndelimiter = ","\n'
    'quote = \'"\'\nheader = true\n[batch]\namount = "claim_amt"\n'
)


def test_a_refused_claim_is_sent_again_as_a_replacement_under_its_own_number(tmp_path):
    claims = tmp_path / "c.csv"
    medpay("sample", "commercial_claim", "--dialect", "csv:commercial_claim", "--records", 3, "--seed", 2, "-o", claims)
    with claims.open(encoding="utf-8", newline="") as read:
        sent = list(csv.DictReader(read))
    (tmp_path / "claims.toml").write_text(CLAIMS, encoding="utf-8")
    whole = {
        "orig_batch_no": "-", "orig_digest": sha(claims.read_bytes()), "recv_count": "3", "accept_count": "2",
        "reject_count": "1", "accept_amt": yuan(cents(sent[0]) + cents(sent[2])),
    }  # fmt: skip
    # Claims are found by their own number where no row is told.
    rows = [
        {"ack_level": "3", "ack_status": "R" if one is sent[1] else "A", "claim_no": one["claim_no"]} for one in sent
    ]
    answer(tmp_path, [{"ack_level": "1", "ack_status": "P", **whole}, *({**whole, **row} for row in rows)])
    made = medpay(
        "validate", claims, "--dialect", tmp_path / "claims.toml", "--answered", tmp_path / "ack.csv",
        "--rejected", tmp_path / "bad.csv",
    )  # fmt: skip
    assert made.exit_code == 1, made.out
    again = medpay(
        "transform", tmp_path / "bad.csv", "--mapping", "claim-to-replacement", "--dialect", tmp_path / "claims.toml",
        "--to-dialect", "csv:commercial_claim", "-o", tmp_path / "again.csv",
    )  # fmt: skip
    assert again.exit_code == 0, again.out
    with (tmp_path / "again.csv").open(encoding="utf-8", newline="") as read:
        [one] = csv.DictReader(read)
    assert (one["claim_no"], one["claim_freq"]) == (sent[1]["claim_no"], "7")
    assert one["orig_claim_no"] == (sent[1]["orig_claim_no"] or sent[1]["claim_no"])
    assert one["claim_amt"] == sent[1]["claim_amt"]


def cents(claim: Row) -> int:
    return int(claim["claim_amt"].replace(".", ""))


def yuan(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}"


def test_a_claim_number_that_is_not_that_of_the_row_or_stands_twice_is_no_record(tmp_path):
    bill = SENT.replace("A-001|H1||", "A-001|H1|C1|").replace("|x|", "|C2|").replace("A-003|H1||", "A-003|H1|C2|")
    arrived(tmp_path, [], bill)
    for name in ("bill.json", "bill.toml"):
        held_by = tmp_path / name
        held_by.write_text(held_by.read_text(encoding="utf-8").replace('"memo"', '"claim_no"'), encoding="utf-8")
    four = ("4", "4", "0", "114.98")
    rows = [file("A", four), record("A", "1", four, claim_no="C1"), record("A", "2", four, claim_no="C9"),
            record("A", "", four, claim_no="C2"), record("A", "4", four, claim_no="y")]  # fmt: skip
    answer(tmp_path, [{**row, "orig_digest": sha(bill)} for row in rows])
    code, found, _ = held(tmp_path)
    assert (code, found) == (1, [
        (2, "B209", None, None, None),
        (3, "B209", None, None, None),
        (None, "B210", "claim_no", "C9", "ack.csv 3: C2"),
        (None, "B210", "claim_no", "C2", "ack.csv 4: 1 x, 2 x"),
    ])  # fmt: skip


def test_parts_are_known_by_their_digests_and_an_answer_for_a_part_that_is_not_given_is_told(tmp_path):
    settled(tmp_path, DIALECT, batch())
    names = [tmp_path / "out" / name for name in (FIRST, SECOND)]
    medpay("validate", *names, "--dialect", tmp_path / "bill.toml", "--ack", tmp_path / "ack.csv")
    code, found, _ = held(tmp_path)
    assert (code, found) == (1, [(None, "B210", "orig_digest", sha(TWO), "ack.csv")])


ANSWERS = """\
title = { zh = "对方回执", en = "their answers" }
layout = "their.json"
format = "delimited"
delimiter = "|"
"""
THEIRS = {
    "title": "对方回执", "x-en": "their answers", "type": "object",
    "properties": {
        name: {"$ref": f"medpay:fields/exchange#/$defs/{name}"}
        for name in ("orig_batch_no", "ack_level", "ack_status", "row_no", "err_code", "err_msg_zh")
    },
    "required": ["orig_batch_no", "ack_status"],
}  # fmt: skip


def test_a_partner_answers_in_a_layout_of_its_own_without_digests_or_counts(tmp_path):
    dialect = without_manifest().replace("[batch]\n", '[batch]\nanswers = "their.toml"\n')
    arrived(tmp_path, [], dialect=dialect)
    (tmp_path / "their.json").write_text(json.dumps(THEIRS, ensure_ascii=False), encoding="utf-8")
    (tmp_path / "their.toml").write_text(ANSWERS, encoding="utf-8")
    lines = ["B7|1|P|||", "B7|3|A|1||", "B7|3|R|2|E12|金额超限", "B7|3|A|3||", "B7|3|A|4||"]
    (tmp_path / "ack.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert held(tmp_path)[:2] == (1, [(2, "B207", None, None, "E12 | 金额超限")])
    (tmp_path / "ack.csv").write_text("\n".join(lines).replace("B7", "B8") + "\n", encoding="utf-8")
    assert held(tmp_path)[:2] == (3, [
        (None, "B204", "orig_batch_no", "B7", "ack.csv B8"), (None, "B204", "orig_digest", sha(SENT), "ack.csv -"),
    ])  # fmt: skip


def test_numbers_of_a_layout_that_does_not_say_so_are_held_all_the_same(tmp_path):
    dialect = without_manifest().replace("[batch]\n", '[batch]\nanswers = "their.toml"\n')
    arrived(tmp_path, [], dialect=dialect)
    texts = {name: {"type": "string", "title": name, "x-en": name} for name in (
        "orig_batch_no", "ack_status", "recv_count", "accept_amt", "row_no"
    )}  # fmt: skip
    (tmp_path / "their.json").write_text(json.dumps({**THEIRS, "properties": texts}), encoding="utf-8")
    (tmp_path / "their.toml").write_text(ANSWERS, encoding="utf-8")
    said = {
        "B7|P|4|107.48|\nB7|A|4|107.48|1\nB7|R|4|107.48|2\nB7|A|4|107.480|3\nB7|A|4|107.48|04\n": (1, ["B207"]),
        "B7|P|four|107.48|\nB7|A|four|107.48|1\n": (3, ["F223"]),
        "B7|P|4|1e2|\nB7|A|4|1e2|1\n": (3, ["F223"]),
        "B7|A|4|114.98|\nB7|R|4|114.98|two\n": (3, ["F223"]),
    }  # fmt: skip
    for text, expected in said.items():
        (tmp_path / "ack.csv").write_text(text, encoding="utf-8")
        code, found, _ = held(tmp_path)
        assert (code, [one[1] for one in found]) == expected, text


def test_an_answer_is_written_as_the_dialect_says(tmp_path):
    settled(tmp_path, DIALECT.replace("[batch]\n", '[batch]\nanswers = "their.toml"\n'), batch())
    (tmp_path / "their.json").write_text(json.dumps(THEIRS, ensure_ascii=False), encoding="utf-8")
    (tmp_path / "their.toml").write_text(ANSWERS, encoding="utf-8")
    names = [tmp_path / "out" / name for name in (FIRST, SECOND)]
    medpay("validate", names[0], "--dialect", tmp_path / "bill.toml", "--ack", tmp_path / "ack.txt")
    assert (tmp_path / "ack.txt").read_text(encoding="utf-8") == "B7|1|A|||\nB7|3|A|1||\nB7|3|A|2||\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [({"accept_amt": "107.485"}, "L103 2 accept_amt 107.485"), ({"ack_status": "Z"}, "L104 2 ack_status Z")],
)
def test_an_answer_that_is_wrong_itself_is_not_believed(tmp_path, change, told):
    arrived(tmp_path, [REFUSED[0], {**REFUSED[1], **change}, *REFUSED[2:]])
    code, found, _ = held(tmp_path)
    assert (code, [(one[1], one[3]) for one in found]) == (3, [("F223", f"ack.csv: {told}")])


def test_a_record_of_ours_that_cannot_be_read_keeps_its_own_finding(tmp_path):
    sent = SENT.replace("A-002|H1|x|7.50", "A-002|H1|7.50").replace("|4|114.98", "|4|107.48")
    rows = [{**row, "orig_digest": sha(sent)} for row in [file("P", THREE), *each("ARAA")]]
    arrived(tmp_path, rows, sent)
    code, found, files = held(tmp_path)
    assert (code, [one[:2] for one in found]) == (1, [(2, "F101")])
    assert (files[0]["accepted"], files[0]["accepted_totals"]) == (3, {"paid": "107.48"})


def test_an_acknowledgement_is_not_what_was_sent(tmp_path):
    arrived(tmp_path, REFUSED)
    made = medpay("validate", tmp_path / "ack.csv", "--answered", tmp_path / "out" / FIRST)
    assert (made.exit_code, "medpay validate SENT --answered ACK" in made.err) == (2, True)


def test_writing_one_answer_and_reading_another_at_once_is_refused(tmp_path):
    arrived(tmp_path, REFUSED)
    made = medpay(
        "validate", tmp_path / "out" / FIRST, "--dialect", tmp_path / "bill.toml", "--answered", tmp_path / "ack.csv",
        "--ack", tmp_path / "x.csv",
    )  # fmt: skip
    assert (made.exit_code, "--ack writes" in made.err) == (2, True)


def test_an_answer_to_a_file_in_which_records_stand_in_each_other_is_refused(tmp_path):
    message = Path(__file__).parents[2] / "fixtures" / "mappings"
    made = medpay(
        "validate", next(message.glob("settlement-list-to-nhsa-4101/*.json")), "--dialect", "nhsa-4101-request",
        "--answered", tmp_path / "ack.csv",
    )  # fmt: skip
    assert (made.exit_code, "leave --ack and --answered out" in made.err) == (2, True)


def test_what_comes_back_is_what_was_sent_whatever_is_answered(tmp_path):
    """Every combination of answers for three records of four: accepted and rejected together are the batch."""
    amounts = (10000, 750, 748, 0)
    arrived(tmp_path, [])
    for number in range(3**3):
        statuses = [*(" AR"[number // 3**at % 3] for at in range(3)), "A"]
        accepted = [cent for status, cent in zip(statuses, amounts, strict=True) if status == "A"]
        counts = ("4", str(len(accepted)), str(statuses.count("R")), yuan(sum(accepted)))
        rows = [record(one, str(at), counts) for at, one in enumerate(statuses, 1) if one != " "]
        answer(tmp_path, [file("P", counts), *rows])
        code, found, [told] = held(tmp_path)
        assert code == (0 if statuses == list("AAAA") else 1), statuses
        assert told["accepted"] == len(accepted), statuses
        assert told["accepted_totals"]["paid"] == counts[3]
        assert told["accepted"] + told["rejected"] == 4
        assert {row for row, *_ in found} == {at for at, one in enumerate(statuses, 1) if one != "A"}


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "xml", "xlsx", "parquet"])
def test_what_was_sent_may_be_of_any_format(tmp_path, form):
    settled(tmp_path, without_manifest(), {FIRST: SENT.encode()})
    sent, bill = tmp_path / f"sent.{form}", str(tmp_path / "bill.json")
    made = medpay(
        "transform", tmp_path / "out" / FIRST, "--mapping", "identity", "--dialect", tmp_path / "bill.toml",
        "--to-dialect", f"{form}:{bill}", "-o", sent,
    )  # fmt: skip
    assert made.exit_code == 0
    answer(tmp_path, [{**row, "orig_digest": sha(sent.read_bytes())} for row in REFUSED])
    told = medpay(
        "validate", sent, "--dialect", f"{form}:{bill}", "--answered", tmp_path / "ack.csv", "--format", "json",
    )  # fmt: skip
    assert told.exit_code == 1, told.err
    document = json.loads(told.out)
    [found] = document["findings"]
    assert (found["row"], found["code"], found["value"], found["key"]) == (2, "B207", "7.50", {"bill_no": "A-002"})
    assert document["files"][0]["rejected_totals"] == {"paid": "7.50"}
    answer(tmp_path, [{**row, "orig_digest": "0" * 64} for row in REFUSED])
    assert medpay("validate", sent, "--dialect", f"{form}:{bill}", "--answered", tmp_path / "ack.csv").exit_code == 3


@pytest.mark.parametrize("form", ["json", "ndjson", "xml", "xlsx", "parquet"])
def test_an_answer_may_be_of_any_format_that_one_is_written_in(tmp_path, form):
    settled(tmp_path, DIALECT, batch())
    sent, ack = tmp_path / "out" / FIRST, tmp_path / f"ack.{form}"
    assert medpay("validate", sent, "--dialect", tmp_path / "bill.toml", "--ack", ack).exit_code == 0
    told = medpay("validate", sent, "--dialect", tmp_path / "bill.toml", "--answered", ack, "--format", "json")
    assert (told.exit_code, json.loads(told.out)["findings"]) == (0, [])
