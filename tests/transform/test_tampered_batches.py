"""A batch that we wrote, tampered with in many ways: each is refused before it is believed, with both numbers."""

from __future__ import annotations

import pytest
from batch_files import (
    DIALECT,
    FIRST,
    HEADER,
    MANIFEST,
    OF_EACH,
    ONE,
    ROW_1,
    ROW_2,
    SECOND,
    TWO,
    batch,
    copy,
    drop,
    judged,
    lies,
    put,
    rename,
    resealed,
    settled,
    sha,
    sub,
    swap,
    written,
)  # fmt: skip

BOTH = (FIRST, SECOND)
NAMES = f"{FIRST}, {SECOND}"
TWO_RECORDS = "A-001|H1||100.00\nA-002|H1|x|7.50\n"
TURNED = "A-002|H1|x|7.50\nA-001|H1||100.00\n"
NINE, TEN = "BILL_H1_20240131_B9_001.txt", "BILL_H1_20240131_B7_003.txt"


def of(code: str, field: str | None, value: str, expected: str, *files: str):
    """The finding in each of these files, in both where none is named."""
    return [(name, code, field, value, expected) for name in files or BOTH]


# What was done to the files, and what is said of them; written down before any of it was run.
TAMPERED = {
    # Bytes: the file is not the one of the manifest.
    "a fen more in a record": (
        [sub(FIRST, "||100.00", "||100.01")],
        of("B202", "digest SHA256", sha(ONE.replace("||100.00", "||100.01")), sha(ONE), FIRST),
    ),
    "a fen more, and in both control lines": (
        [
            sub(FIRST, "||100.00", "||100.01"),
            sub(FIRST, "|2|107.50\nA", "|2|107.51\nA"),
            sub(FIRST, "|107.50\n", "|107.51\n"),
        ],
        of(
            "B202",
            "digest SHA256",
            sha(ONE.replace("||100.00", "||100.01").replace("|107.50", "|107.51")),
            sha(ONE),
            FIRST,
        ),
    ),
    "a letter in a memo": (
        [sub(FIRST, "|x|", "|y|")],
        of("B202", "digest SHA256", sha(ONE.replace("|x|", "|y|")), sha(ONE), FIRST),
    ),
    "a record left out": ([sub(FIRST, "A-002|H1|x|7.50\n", "")], of("B202", "file_size", "54", "70", FIRST)),
    "a record twice": (
        [sub(SECOND, "A-003|H1||-0.02\n", "A-003|H1||-0.02\n" * 2)],
        of("B202", "file_size", "67", "51", SECOND),
    ),
    "the trailer cut off": ([sub(FIRST, "T|B7|2|107.50\n", "")], of("B202", "file_size", "56", "70", FIRST)),
    "the last line end cut off": (
        [sub(SECOND, "T|B7|1|-0.02\n", "T|B7|1|-0.02")],
        of("B202", "file_size", "50", "51", SECOND),
    ),
    "a byte behind the end": (
        [sub(SECOND, "T|B7|1|-0.02\n", "T|B7|1|-0.02\n\n")],
        of("B202", "file_size", "52", "51", SECOND),
    ),
    "nothing in the file": ([sub(SECOND, TWO, "")], of("B202", "file_size", "0", "51", SECOND)),
    "records in another order": (
        [sub(FIRST, TWO_RECORDS, TURNED)],
        of("B202", "digest SHA256", sha(ONE.replace(TWO_RECORDS, TURNED)), sha(ONE), FIRST),
    ),
    "the parts swapped": (
        [swap(FIRST, SECOND)],
        [*of("B202", "file_size", "51", "70", FIRST), *of("B202", "file_size", "70", "51", SECOND)],
    ),
    "one part twice instead of the other": ([copy(FIRST, SECOND)], of("B202", "file_size", "70", "51", SECOND)),
    # The manifest: what it says of the file is not so.
    "size in the manifest": ([sub(MANIFEST, "CLAIM,70,", "CLAIM,71,")], of("B202", "file_size", "70", "71", FIRST)),
    "digest in the manifest": (
        [sub(MANIFEST, sha(TWO), sha("x"))],
        of("B202", "digest SHA256", sha(TWO), sha("x"), SECOND),
    ),
    "algorithm in the manifest": (
        [sub(MANIFEST, f"SHA256,{sha(TWO)}", f"MD5,{sha(TWO)}")],
        of("F221", None, f"{MANIFEST}: digest {sha(TWO)}", "MD5", SECOND),
    ),
    "count in the manifest": ([sub(MANIFEST, ",70,2,", ",70,3,")], of("B201", "records", "2", "3", FIRST)),
    "sum in the manifest": ([sub(MANIFEST, "107.50", "107.05")], of("B201", "paid", "107.50", "107.05", FIRST)),
    "sign of the sum in the manifest": ([sub(MANIFEST, "-0.02", "0.02")], of("B201", "paid", "-0.02", "0.02", SECOND)),
    "hash total in the manifest": (
        [sub(MANIFEST, ",3,1,2", ",4,1,2")],
        of("B201", "hash_total bill_no", "3", "4", FIRST),
    ),
    "count and sum in the manifest": (
        [sub(MANIFEST, ",51,1,-0.02,", ",51,2,0.02,")],
        [*of("B201", "records", "1", "2", SECOND), *of("B201", "paid", "-0.02", "0.02", SECOND)],
    ),
    "day in a row of the manifest": (
        [sub(MANIFEST, "107.50,20240131", "107.50,20240130")],
        of("B204", "acct_date", f"{MANIFEST} 20240130", "file_name 20240131", FIRST),
    ),
    "type in a row of the manifest": (
        [sub(MANIFEST, f"{SECOND},CLAIM", f"{SECOND},RESULT")],
        of("B204", "file_type", f"{MANIFEST} RESULT", "dialect CLAIM", SECOND),
    ),
    "an amount that is none in the manifest": (
        [sub(MANIFEST, "107.50", "1e2")],
        of("F221", None, f"{MANIFEST}: L102 total_amt 1e2", "money(18,2)"),
    ),
    "a column gone from the manifest": (
        [sub(MANIFEST, "hash_total,", "")],
        of("F221", None, f"{MANIFEST}: F207 − hash_total", HEADER.strip().replace(",", ", ")),
    ),
    "manifest cut in the middle of a row": (
        [sub(MANIFEST, f",{sha(TWO)},,20240131081500,3,2,2\n", "")],
        of("F221", None, f"{MANIFEST}: F206 8", "14"),
    ),
    "manifest cut behind a row": (
        [sub(MANIFEST, ROW_2, "")],
        [
            *of("B203", "part_count", "1", "2", FIRST),
            *of("B203", "file_name", SECOND, FIRST, FIRST),
            *of("B203", "file_name", SECOND, f"{MANIFEST}: {FIRST}", SECOND),
        ],
    ),
    "manifest empty": (
        [sub(MANIFEST, HEADER + ROW_1 + ROW_2, "")],
        of("F221", None, f"{MANIFEST}: F208", "csv:manifest"),
    ),
    "a row twice in the manifest": (
        [sub(MANIFEST, ROW_2, ROW_2 * 2)],
        of("F221", None, f"{MANIFEST}: B101 2", "1"),
    ),
    "rows of the manifest swapped": (
        [sub(MANIFEST, ROW_1 + ROW_2, ROW_2 + ROW_1)],
        of("B203", "part_no", "2, 1", "1, 2"),
    ),
    "numbers of the parts swapped in the manifest": (
        [sub(MANIFEST, ",3,1,2", ",3,9,2"), sub(MANIFEST, ",3,2,2", ",3,1,2"), sub(MANIFEST, ",3,9,2", ",3,2,2")],
        [
            *of("B203", "part_no", "2, 1", "1, 2", FIRST),
            *of("B204", "part_no", f"{MANIFEST} 2", "file_name 1", FIRST),
            *of("B203", "part_no", "2, 1", "1, 2", SECOND),
            *of("B204", "part_no", f"{MANIFEST} 1", "file_name 2", SECOND),
        ],
    ),
    "a part more in the manifest": (
        [
            sub(
                MANIFEST,
                ROW_2,
                ROW_2 + ROW_2.replace(SECOND, TEN).replace(",2,2\n", ",3,2\n").replace(sha(TWO), sha("x")),
            )
        ],
        [
            *of("B203", "part_count", "3", "2", FIRST),
            *of("B203", "file_name", "-", TEN, FIRST),
            *of("B203", "part_count", "3", "2", SECOND),
            *of("B203", "file_name", "-", TEN, SECOND),
        ],
    ),
    # Files of the batch.
    "the manifest is missing": ([drop(MANIFEST)], of("F222", None, None, "{batch_no}.manifest")),
    "the manifest of another batch alone": (
        [rename(MANIFEST, "B8.manifest")],
        of("F222", None, None, "{batch_no}.manifest"),
    ),
    "a part is missing": ([drop(SECOND)], of("B203", "file_name", "-", SECOND, FIRST)),
    "a part renamed": (
        [rename(FIRST, "first.txt")],
        [
            *of("B203", "file_name", "first.txt", f"{MANIFEST}: {NAMES}", "first.txt"),
            *of("B203", "file_name", "-", FIRST, SECOND),
        ],
    ),
    "a part added": (
        [copy(SECOND, TEN)],
        of("B203", "file_name", TEN, NAMES) + of("B203", "file_name", TEN, f"{MANIFEST}: {NAMES}", TEN),
    ),
    "a part under the name of another batch": (
        [rename(FIRST, NINE)],
        [*of("F222", None, None, "{batch_no}.manifest", NINE), *of("B203", "file_name", "-", FIRST, SECOND)],
    ),
    # Whoever did it wrote size and digest anew.
    "resealed: a fen more in a record": (
        [sub(FIRST, "||100.00", "||100.01"), resealed],
        of("B201", "paid", "107.51", "107.50", FIRST),
    ),
    "resealed: a fen from one record to another": (
        [sub(FIRST, "||100.00", "||100.01"), sub(FIRST, "x|7.50", "x|7.49"), sub(FIRST, "A-002", "A-003"), resealed],
        of("B201", "hash_total bill_no", "4", "3", FIRST),
    ),
    "resealed: a record left out": (
        [sub(FIRST, "A-002|H1|x|7.50\n", ""), resealed],
        [
            *of("B201", "hash_total bill_no", "1", "3", FIRST),
            *of("B201", "paid", "100.00", "107.50", FIRST),
            *of("B201", "records", "1", "2", FIRST),
        ],
    ),
    "resealed: the key of a record": (
        [sub(SECOND, "A-003", "A-004"), resealed],
        of("B201", "hash_total bill_no", "4", "3", SECOND),
    ),
    "resealed: the trailer cut off": (
        [sub(FIRST, "T|B7|2|107.50\n", ""), resealed],
        of("F214", None, None, "T", FIRST),
    ),
    "resealed: the count in the head": (
        [sub(FIRST, "|B7|2|107.50\nA", "|B7|3|107.50\nA"), resealed],
        of("B201", "records", "2", "3", FIRST),
    ),
    "resealed: the day in the head": (
        [sub(FIRST, "H|20240131", "H|20240130"), resealed],
        of("B204", "acct_date", "head 20240130", f"file_name 20240131, {MANIFEST} 20240131", FIRST),
    ),
    "resealed: the batch number in the trailer": (
        [sub(SECOND, "T|B7", "T|B8"), resealed],
        of("B204", "batch_no", "tail B8", f"file_name B7, {MANIFEST} B7, head B7", SECOND),
    ),
    "resealed: the institution of a record": (
        [sub(FIRST, "A-002|H1", "A-002|H2"), resealed],
        of("B204", "sender_code", "records H2", "file_name H1", FIRST),
    ),
    "resealed: one part twice instead of the other": (
        [copy(SECOND, FIRST), resealed],
        [
            *of("B203", "digest", f"{SECOND} = {FIRST}", sha(TWO), FIRST),
            *of("B203", "digest", f"{SECOND} = {FIRST}", sha(TWO), SECOND),
        ],
    ),
    "resealed: another institution in the name": (
        [rename(FIRST, FIRST.replace("H1", "H2")), sub(MANIFEST, FIRST, FIRST.replace("H1", "H2"))],
        of("B204", "sender_code", "records H1", "file_name H2", FIRST.replace("H1", "H2")),
    ),
    "resealed: another day in the name": (
        [rename(FIRST, FIRST.replace("0131", "0130")), sub(MANIFEST, FIRST, FIRST.replace("0131", "0130"))],
        of("B204", "acct_date", f"{MANIFEST} 20240131", "file_name 20240130", FIRST.replace("0131", "0130")),
    ),
}


def refused(folder, edits, expected):
    """A batch with these edits is not judged, and this is said of it."""
    content = lies(folder)
    before = dict(content)
    for edit in edits:
        edit(content)
    assert content != before
    put(folder, content)
    names = [name for name in sorted(content) if name.endswith(".txt")]
    code, found = judged(folder, *names)
    unjudged = {one[0] for one in expected}
    assert (sorted(found, key=str), code) == (sorted(expected, key=str), 3 if len(unjudged) == len(names) else 4)


def test_what_we_write_is_what_stands_here_and_is_valid(tmp_path):
    assert written(tmp_path).exit_code == 0
    assert lies(tmp_path) == batch()
    assert judged(tmp_path, *BOTH) == (0, [])


@pytest.mark.parametrize(("edits", "expected"), TAMPERED.values(), ids=TAMPERED.keys())
def test_a_tampered_batch_is_refused_with_both_numbers(edits, expected, tmp_path):
    settled(tmp_path, DIALECT, batch())
    refused(tmp_path, edits, expected)


def test_there_are_enough_of_them():
    assert len(TAMPERED) >= 30


# Where each data file has its own `.ok`.
OK_1, OK_2 = FIRST.replace(".txt", ".ok"), SECOND.replace(".txt", ".ok")
LATER = FIRST.replace("20240131", "20240201")
TAMPERED_OK = {
    "size": ([sub(OK_1, "CLAIM,70,", "CLAIM,7,")], of("B202", "file_size", "70", "7", FIRST)),
    "hash total": ([sub(OK_2, ",3,2,2", ",2,2,2")], of("B201", "hash_total bill_no", "3", "2", SECOND)),
    "both swapped": (
        [swap(OK_1, OK_2)],
        [
            *of("B203", "file_name", FIRST, f"{OK_1}: {SECOND}", FIRST),
            *of("B203", "file_name", SECOND, f"{OK_2}: {FIRST}", SECOND),
        ],
    ),
    "one is missing": (
        [drop(OK_1)],
        [
            *of("F222", None, None, OK_1, FIRST),
            *of("B203", "part_count", "1", "2", SECOND),
            *of("B203", "file_name", FIRST, SECOND, SECOND),
        ],
    ),
    "a part is missing with its own": ([drop(OK_2), drop(SECOND)], of("B203", "part_count", "1", "2", FIRST)),
    "a part is missing without its own": ([drop(SECOND)], of("B203", "file_name", "-", SECOND, FIRST)),
    "the number of a part": (
        [sub(OK_2, ",3,2,2", ",3,3,2")],
        [*of("B203", "part_no", "1, 3", "1, 2"), *of("B204", "part_no", f"{OK_2} 3", "file_name 2", SECOND)],
    ),
    "the batch number again, on another day": (
        [
            copy(FIRST, LATER),
            copy(OK_1, LATER.replace(".txt", ".ok")),
            sub(LATER.replace(".txt", ".ok"), FIRST, LATER),
            sub(LATER.replace(".txt", ".ok"), "107.50,20240131", "107.50,20240201"),
        ],
        [
            *of("B205", "batch_no", "B7", f"{OK_1}, {LATER.replace('.txt', '.ok')}"),
            *of("B205", "batch_no", "B7", f"{OK_1}, {LATER.replace('.txt', '.ok')}", LATER),
        ],
    ),
}


def each() -> dict[str, bytes]:
    """The same batch with an `.ok` beside each file."""
    content = batch()
    del content[MANIFEST]
    return {**content, OK_1: (HEADER + ROW_1).encode(), OK_2: (HEADER + ROW_2).encode()}


def test_an_ok_beside_each_file_says_the_same(tmp_path):
    assert written(tmp_path, OF_EACH).exit_code == 0
    assert lies(tmp_path) == each()
    assert judged(tmp_path, *BOTH) == (0, [])


@pytest.mark.parametrize(("edits", "expected"), TAMPERED_OK.values(), ids=TAMPERED_OK.keys())
def test_a_tampered_ok_is_refused_with_both_numbers(edits, expected, tmp_path):
    settled(tmp_path, OF_EACH, each())
    refused(tmp_path, edits, expected)
