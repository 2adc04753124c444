"""Records are written while they are read; what is seen is what it would be if all of them had waited."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import BILLS, CLAIMS, HEADER, MAPPING, codes, folder, medpay, transformed

from medpay_cli.errors import InternalError
from medpay_cli.transform import straight

UPLOAD = ("--dialect", "nhsa-3202-upload", "--mapping", "identity")
SHORT = MAPPING.replace('claim_no = "bill_no"', 'claim_no = "LEFT(bill_no, 2)"')


def ledger(records: int, last: str = "1.00") -> str:
    """A 3202 upload of invented settlements; the last one may have another amount."""
    lines = [f"S{row:08}\tM{row}\tP{row % 997}\t{row}.00\t0.00\t0.00\t0\n" for row in range(records - 1)]
    return "".join(lines) + f"S{records:08}\tM\tP\t{last}\t0.00\t0.00\t0\n"


@pytest.fixture
def ends(monkeypatch) -> list[str]:
    """What became of each file that was begun before all records were judged."""
    publish, seen = straight.publishing.publish_whole, []

    def watched(*args):
        try:
            size = publish(*args)
        except BaseException as err:
            seen.append(type(err).__name__)
            raise
        seen.append("published")
        return size

    monkeypatch.setattr(straight.publishing, "publish_whole", watched)
    return seen


def names(path: Path) -> set[str]:
    """All that lies in a folder, hidden or not."""
    return {one.name for one in path.iterdir()}


def test_a_clean_file_is_written_while_it_is_read(tmp_path, ends):
    assert transformed(folder(tmp_path)).exit_code == 0
    assert ((tmp_path / "claims.csv").read_text(encoding="utf-8"), ends) == (CLAIMS, ["published"])


def test_a_fault_in_the_last_of_many_records_leaves_nothing_behind(tmp_path, ends):
    (tmp_path / "in.txt").write_text(ledger(700_000, last="1.005"), encoding="utf-8")
    assert medpay("transform", tmp_path / "in.txt", "-o", tmp_path / "out.txt", *UPLOAD).exit_code == 1
    assert (names(tmp_path), ends) == ({"in.txt"}, ["_DroppedError"])


def test_what_stood_at_the_target_stays_where_the_last_record_is_wrong(tmp_path):
    (tmp_path / "in.txt").write_text(ledger(700_000, last="1.005"), encoding="utf-8")
    (tmp_path / "out.txt").write_text("old", encoding="utf-8")
    assert medpay("transform", tmp_path / "in.txt", "-o", tmp_path / "out.txt", *UPLOAD).exit_code == 1
    assert ((tmp_path / "out.txt").read_text(encoding="utf-8"), names(tmp_path)) == ("old", {"in.txt", "out.txt"})


def test_a_large_file_written_straight_holds_the_records_of_its_source(tmp_path, ends):
    (tmp_path / "in.txt").write_text(ledger(250_000), encoding="utf-8")
    assert medpay("transform", tmp_path / "in.txt", "-o", tmp_path / "out.txt", *UPLOAD).exit_code == 0
    assert ((tmp_path / "out.txt").read_bytes() == (tmp_path / "in.txt").read_bytes(), ends) == (True, ["published"])


@pytest.mark.parametrize("options", [
    ("--to-dialect", "csv"), ("--to-dialect", "parquet"), ("--to-dialect", "xlsx"), ("--to-dialect", "json"),
    ("--to-dialect", "ndjson"), ("--to-dialect", "medpay-ledger-detail-xml"), (),
])  # fmt: skip
@pytest.mark.parametrize("suffix", ["", ".zip"])
def test_records_that_go_straight_are_written_as_those_that_wait(tmp_path, ends, options, suffix):
    (tmp_path / "in.txt").write_text(ledger(2_000), encoding="utf-8")
    outs = [tmp_path / place / f"out.txt{suffix}" for place in ("straight", "waited")]
    for out, more in zip(outs, ((), ("--accepted-only",)), strict=True):
        out.parent.mkdir()
        answer = medpay("transform", tmp_path / "in.txt", "-o", out, *UPLOAD, *options, *more)
        assert (answer.exit_code, ends) == (0, ["published"])
    assert outs[0].read_bytes() == outs[1].read_bytes()


@pytest.mark.parametrize("options", [
    ("--accepted-only",), ("--split-rows", 1), ("--split-size", "1K"),
])  # fmt: skip
def test_records_wait_where_only_the_end_shows_which_go_where(tmp_path, ends, options):
    assert (transformed(folder(tmp_path), *options).exit_code, ends) == (0, [])


def test_several_inputs_go_straight_one_behind_the_other(tmp_path, ends):
    for name, first in (("a", 0), ("b", 150_000), ("c", 300_000)):
        lines = (f"S{row:08}\tM{row}\tP\t1.00\t0.00\t0.00\t0\n" for row in range(first, first + 150_000))
        (tmp_path / f"{name}.txt").write_text("".join(lines), encoding="utf-8")
    inputs = [tmp_path / f"{name}.txt" for name in "abc"]
    answer = medpay("transform", *inputs, "-o", tmp_path / "out.txt", *UPLOAD, "--format", "json")
    assert (answer.exit_code, ends) == (0, ["published"])
    assert (tmp_path / "out.txt").read_bytes() == b"".join(path.read_bytes() for path in inputs)
    assert answer.json["records"] == {"in": 450_000, "out": 450_000, "rejected": 0, "left_out": 0}
    assert {one["column"]: one["out"] for one in answer.json["amounts"]}["medfee_sumamt"] == "450000.00"


@pytest.mark.parametrize("mapping", ["mapping.toml", "identity"])
def test_a_key_that_stands_in_two_inputs_has_everything_done_anew(tmp_path, ends, mapping):
    folder(tmp_path, "B1,门诊,甲,1,1,1,1\nB2,门诊,甲,1,1,1,1\n")
    (tmp_path / "more.csv").write_text(HEADER + "B3,门诊,甲,1,1,2,1\nB2,门诊,甲,1,1,2,1\n", encoding="utf-8")
    answer = medpay(
        "transform", tmp_path / "more.csv", tmp_path / "bills.csv", "--mapping",
        tmp_path / mapping if mapping != "identity" else mapping, "-o", tmp_path / "claims.csv", "--format", "json",
        "--dialect", f"csv:{tmp_path / 'bill.json'}",
    )  # fmt: skip
    found = [
        (one["code"], one["file"], one["row"]) for end in ("source", "target") for one in answer.json[end]["findings"]
    ]
    assert found == [("B101", str(tmp_path / "more.csv"), 2), ("B101", str(tmp_path / "bills.csv"), 2)]
    assert (answer.exit_code, ends, "claims.csv" in names(tmp_path)) == (1, ["_DroppedError"], False)


def test_a_fault_in_the_first_of_two_inputs_leaves_nothing_behind(tmp_path, ends):
    (tmp_path / "a.txt").write_text(ledger(3, last="1.005"), encoding="utf-8")
    (tmp_path / "b.txt").write_text(ledger(300_000).replace("S", "T"), encoding="utf-8")
    words = ("transform", tmp_path / "a.txt", tmp_path / "b.txt", "-o", tmp_path / "out.txt", *UPLOAD)
    assert (medpay(*words).exit_code, ends, names(tmp_path)) == (1, [], {"a.txt", "b.txt"})


def test_a_device_is_given_nothing_before_all_is_judged(tmp_path, ends):
    folder(tmp_path)
    words = ("transform", tmp_path / "bills.csv", "--mapping", tmp_path / "mapping.toml", "-o", "/dev/null")
    assert (medpay(*words).exit_code, ends) == (0, [])


def test_a_key_that_stands_twice_in_the_target_alone_has_everything_done_anew(tmp_path, ends):
    answer = transformed(folder(tmp_path, "B1a,门诊,甲,1,1,1,1\nB2,门诊,甲,1,1,2,1\nB1b,门诊,甲,1,1,4,1\n", SHORT))
    assert (answer.exit_code, codes(answer, "target")) == (1, [("B101", 1, None), ("B101", 3, None)])
    assert (ends, "claims.csv" in names(tmp_path)) == (["_DroppedError"], False)


def test_standard_input_is_read_once_even_where_everything_is_done_anew(tmp_path, ends):
    folder(tmp_path, mapping=SHORT)
    answer = medpay(
        "transform", "-", "--mapping", tmp_path / "mapping.toml", "-o", tmp_path / "claims.csv", "--format", "json",
        stdin=(HEADER + "B1a,门诊,甲,1,1,1,1\nB1b,门诊,甲,1,1,4,1\n").encode(),
    )  # fmt: skip
    assert (codes(answer, "target"), ends) == ([("B101", 1, None), ("B101", 2, None)], ["_DroppedError"])


def test_a_finding_goes_before_what_cannot_be_written(tmp_path, ends):
    mapping = MAPPING.replace('party = "H1"', 'party = "H\\t1"')
    text = f'title = {{ zh = "x", en = "x" }}\nlayout = "{tmp_path / "claim.json"}"\nformat = "delimited"\n'
    (tmp_path / "plain.toml").write_text(text + 'delimiter = "\\t"\n', encoding="utf-8")
    assert transformed(folder(tmp_path, mapping=mapping), "--to-dialect", tmp_path / "plain.toml").exit_code == 2
    bills = BILLS + "B3,门诊,丙,1,1,1.00,1\n" * 2
    answer = transformed(folder(tmp_path, bills, mapping), "--to-dialect", tmp_path / "plain.toml")
    assert (answer.exit_code, codes(answer, "source")) == (1, [("B101", 3, None), ("B101", 4, None)])
    assert ends == ["MedpayError", "MedpayError"]
    assert "claims.csv" not in names(tmp_path)


def test_a_record_that_is_lost_on_its_way_stops_everything(tmp_path, ends, monkeypatch):
    (tmp_path / "in.txt").write_text(ledger(3), encoding="utf-8")
    take = straight.Straight.take
    monkeypatch.setattr(straight.Straight, "take", lambda self, frame, width: take(self, frame.head(2), width))
    answer = medpay("transform", tmp_path / "in.txt", "-o", tmp_path / "out.txt", *UPLOAD)
    assert (answer.exit_code, ends, "out.txt" in names(tmp_path)) == (70, [InternalError.__name__], False)
