"""What a layout calls unique beside its key is never repeated in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from case_files import write
from medpay_command import codes, judged, medpay

OWN = {
    "type": "object",
    "x-key": ["no"],
    "x-unique": [["seal"], ["day", "turn"]],
    "properties": {
        "no": {"type": "string"},
        "seal": {"type": "string"},
        "day": {"type": "string"},
        "turn": {"type": "string"},
        "amount": {"type": "number", "format": "money"},
    },
}


@pytest.fixture
def found(tmp_path):
    """What is found of some records of the user's own layout: row, field, value, expected, code."""
    (tmp_path / "own.json").write_text(json.dumps(OWN), encoding="utf-8")

    def run(*records, more=()):
        path = tmp_path / "own.csv"
        path.write_text("\n".join(["no,seal,day,turn,amount", *records, ""]), encoding="utf-8")
        (tmp_path / "own.toml").write_text(
            f'layout = "{tmp_path / "own.json"}"\ntitle = {{ zh = "x", en = "x" }}\nformat = "delimited"\n'
            'delimiter = ","\nheader = true\n',
            encoding="utf-8",
        )
        document = judged(path, "--layout", tmp_path / "own.json", "--dialect", tmp_path / "own.toml", *more)
        told = [(one["row"], one["field"], one["value"], one["expected"], one["code"]) for one in document["findings"]]
        return told, document["files"][0]

    return run


def test_every_record_of_a_repeated_value_is_rejected(found):
    told, file = found("1,A,d1,1,1.00", "2,B,d1,2,2.00", "3,A,d1,3,4.00", "4,A,d1,4,8.00")
    assert told == [(row, "seal", "3", "seal", "B102") for row in (1, 3, 4)]
    assert (file["accepted"], file["accepted_totals"], file["rejected_totals"]) == (
        1, {"amount": "2.00"}, {"amount": "13.00"},
    )  # fmt: skip


def test_fields_may_be_unique_together_only(found):
    told, _ = found("1,A,d1,1,", "2,B,d1,2,", "3,C,d2,1,", "4,D,d1,1,")
    assert told == [(1, "day", "2", "day, turn", "B102"), (4, "day", "2", "day, turn", "B102")]


def test_an_empty_part_is_never_a_repeated_one(found):
    assert found("1,,d1,,", "2,,d1,,")[0] == []


def test_a_record_that_repeats_its_key_too_is_rejected_once(found):
    told, file = found("1,A,d1,1,1.00", "1,A,d2,2,2.00")
    assert told == [(1, None, "2", "1", "B101"), (1, "seal", "2", "seal", "B102"),
                    (2, None, "2", "1", "B101"), (2, "seal", "2", "seal", "B102")]  # fmt: skip
    assert (file["rejected"], file["rejected_totals"]) == (2, {"amount": "3.00"})


def test_it_can_be_left_out_alone(found):
    assert [one[4] for one in found("1,A,d1,1,", "1,A,d2,2,", more=("--ignore", "B102"))[0]] == ["B101", "B101"]
    assert [one[4] for one in found("1,A,d1,1,", "1,A,d2,2,", more=("--ignore", "B101"))[0]] == ["B102", "B102"]


def test_a_message_of_a_hospital_settles_once(tmp_path):
    path = write(tmp_path, "settlement", "setl_id,medins_setl_id\nS1,M1\nS2,M2\nS3,M1\n")
    document = judged(path, "--layout", "settlement", "--dialect", "csv:settlement", "--select", "B1")
    assert codes(document) == {"B102": 2}
    assert [one["key"] for one in document["findings"]] == [{"setl_id": "S1"}, {"setl_id": "S3"}]


def test_a_sample_repeats_nothing_that_is_unique(tmp_path):
    medpay("sample", "settlement", "--records", 500, "--seed", 7, "--dialect", "csv:settlement", "-o", tmp_path / "s")
    document = judged(tmp_path / "s", "--layout", "settlement", "--dialect", "csv:settlement", "--select", "B102")
    assert (document["files"][0]["records"], document["findings"]) == (500, [])


def test_a_field_that_the_layout_lacks_is_refused(tmp_path):
    (tmp_path / "own.json").write_text(json.dumps(OWN | {"x-unique": [["sael"]]}), encoding="utf-8")
    (tmp_path / "own.csv").write_text("no\n1\n", encoding="utf-8")
    answer = medpay("validate", tmp_path / "own.csv", "--layout", tmp_path / "own.json", "--dialect", "csv:settlement")
    assert answer.exit_code == 2
    assert "sael" in answer.err
