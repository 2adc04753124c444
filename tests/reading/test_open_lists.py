"""An unknown code of an open list is told and not refused; one that is malformed, or of a closed list, is refused."""

import json
from pathlib import Path

import pytest
from medpay_command import judged

LAYOUT = {
    "type": "object",
    "properties": {
        "visit": {"type": "string", "title": "医疗类别", "x-en": "kind", "maxLength": 4, "x-open-codes": "med_type"},
        "refund": {"type": "string", "title": "标志", "x-en": "flag", "x-codes": "refd_setl_flag"},
    },
}
# The second and the third code of visit are well formed; nobody knows 9X1, and 11111 is too long to be known.
RECORDS = "visit,refund\n11,0\n9X1,0\n11111,0\n11,7\n,0\n"


@pytest.fixture
def validated(tmp_path, monkeypatch):
    """What `medpay validate` says of the records, with more options."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "visit.json").write_text(json.dumps(LAYOUT), encoding="utf-8")
    path = tmp_path / "visit.csv"

    def of(records, *options):
        path.write_text(records, encoding="utf-8")
        return judged(path, "--dialect", f"csv:{tmp_path / 'visit.json'}", *options)

    return of


def test_unknown_and_malformed_codes_are_told_apart(validated):
    document = validated(RECORDS)
    found = [(one["row"], one["field"], one["code"], one["severity"]) for one in document["findings"]]
    assert found == [
        (2, "visit", "L111", "warning"),
        (3, "visit", "L108", "error"),
        (4, "refund", "L104", "error"),
    ]
    [file] = document["files"]
    assert (file["accepted"], file["rejected"]) == (3, 2)


def test_a_file_with_unknown_codes_is_valid_and_says_so(validated):
    document = validated("visit,refund\n9X1,0\n")
    assert (document["exit_code"], document["files"][0]["verdict"]) == (0, "valid")
    assert document["counts"] == [{"code": "L111", "field": "visit", "severity": "warning", "count": 1}]
    assert (document["findings"][0]["value"], document["findings"][0]["expected"]) == ("9X1", "med_type")


def test_a_name_in_a_column_of_codes_is_never_shown(validated):
    document = validated("visit,refund\n张三丰,0\n", "--output", "csv:found.csv")
    assert [(one["code"], one["value"]) for one in document["findings"]] == [("L111", "***")]
    assert "张三丰" not in Path("found.csv").read_text(encoding="utf-8")
    assert validated("visit,refund\n张三丰,0\n", "--show-values")["findings"][0]["value"] == "张三丰"


def test_a_warning_can_be_made_to_count(validated):
    assert validated("visit,refund\n9X1,0\n", "--fail-on", "warning")["exit_code"] == 1
    assert validated("visit,refund\n9X1,0\n", "--ignore", "L111")["findings"] == []
