"""Both ends are checked, nothing is lost, and nothing stands at the final name unless all of it is right."""

from __future__ import annotations

import stat
import zipfile
from decimal import Decimal

import polars as pl
import pytest
from small import BILLS, CLAIMS, HEADER, MAPPING, codes, folder, medpay, transformed


def test_bills_become_claims(tmp_path):
    answer = transformed(folder(tmp_path))
    assert answer.exit_code == 0
    assert (tmp_path / "claims.csv").read_text(encoding="utf-8") == CLAIMS
    assert stat.S_IMODE((tmp_path / "claims.csv").stat().st_mode) == 0o600
    told = answer.json
    assert told["written"] == [{"path": str(tmp_path / "claims.csv"), "records": 2, "bytes": len(CLAIMS.encode())}]
    assert told["records"] == {"in": 2, "out": 2, "rejected": 0, "left_out": 0}
    assert told["amounts"][0] == {
        "node": None, "column": "amount", "source": "amount", "in": "10.00", "out": "10.00", "rejected": "0.00",
        "left_out": "0.00",
    }  # fmt: skip
    assert [(one["column"], one["source"], one["in"], one["out"]) for one in told["amounts"][1:]] == [
        ("made", None, None, "2.01"), ("fund", None, None, "5.00"), ("person", None, None, "5.00"),
    ]  # fmt: skip
    assert (told["complete"], told["exit_code"], told["layout"]) == (True, 0, "claim.v1")


def test_a_finding_of_the_source_stops_it(tmp_path):
    answer = transformed(folder(tmp_path, BILLS + "B3,门诊,丙,1,1,1.005,1\n"))
    assert (answer.exit_code, codes(answer, "source"), codes(answer, "target")) == (1, [("L103", 3, "amount")], [])
    assert (answer.json["written"], answer.json["complete"], (tmp_path / "claims.csv").exists()) == ([], False, False)


def test_a_finding_of_the_target_is_told_with_the_row_of_the_source(tmp_path):
    answer = transformed(folder(tmp_path, "B1,门诊,甲,1,1,1.005,1\nLONGER-NUM,门诊,甲,1,1,1,1\n"))
    assert (codes(answer, "source"), codes(answer, "target")) == ([("L103", 1, "amount")], [("L108", 2, "claim_no")])
    assert [(one["row"], one["line"], one["value"]) for one in answer.json["target"]["findings"]] == [
        (2, 3, "LONGER-NUM")
    ]


def test_nothing_is_cut_to_fit(tmp_path):
    answer = transformed(folder(tmp_path, "LONGER-NUM,门诊,甲,1,1,1,1\n"))
    assert (answer.exit_code, codes(answer, "target"), (tmp_path / "claims.csv").exists()) == (
        1, [("L108", 1, "claim_no")], False,
    )  # fmt: skip


def test_a_code_that_the_table_lacks_is_a_finding_and_no_default(tmp_path):
    answer = transformed(folder(tmp_path, "B1,急诊,甲,1,1,1,1\nB2,,甲,1,1,1,1\n"))
    [finding] = answer.json["target"]["findings"]
    assert (finding["code"], finding["row"], finding["field"], finding["value"]) == ("M101", 1, "kind", "急诊")
    assert finding["message"] == "kind kind: the table has no 急诊 (it has 门诊 | 住院)"
    assert answer.exit_code == 1


def test_accepted_records_alone_are_written_and_the_others_stand_beside(tmp_path):
    bad = [
        "B3,门诊,丙,1,1,1.005,1", "B4,急诊,丁,1,1,7.00,1", "LONGER-NUM,门诊,戊,1,1,0.30,1", "B6,门诊,己,1",
        "B7,住院,庚,1,1,2.00,1", "B7,住院,辛,1,1,3.00,1",
    ]  # fmt: skip
    good = BILLS.splitlines()
    lines = [good[0], *bad[:3], good[1], *bad[3:]]
    answer = transformed(folder(tmp_path, "\n".join(lines) + "\n"), "--accepted-only")
    assert answer.exit_code == 1
    assert (tmp_path / "claims.csv").read_text(encoding="utf-8") == CLAIMS
    assert (tmp_path / "claims.csv.rejected").read_text(encoding="utf-8") == HEADER + "\n".join(bad) + "\n"
    why = (tmp_path / "claims.csv.rejected.why.csv").read_text(encoding="utf-8").splitlines()
    assert [line.rsplit(",", 1)[0].split(",")[:4] for line in why[1:]] == [
        ["2", "3", "L103", "amount"], ["3", "4", "M101", "kind"], ["4", "5", "L108", "claim_no"],
        ["6", "7", "F101", ""], ["7", "8", "B101", ""], ["8", "9", "B101", ""],
    ]  # fmt: skip
    told = answer.json
    assert told["records"] == {"in": 8, "out": 2, "rejected": 6, "left_out": 0}
    balance = {name: told["amounts"][0][name] for name in ("in", "out", "rejected", "left_out")}
    assert balance == {"in": "22.30", "out": "10.00", "rejected": "12.30", "left_out": "0.00"}
    assert (told["complete"], told["incomplete_reason"]) == (False, "accepted_only")


def test_what_was_rejected_reads_back_and_is_rejected_again(tmp_path):
    transformed(folder(tmp_path, BILLS + "B4,急诊,丁,1,1,7.00,1\n"), "--accepted-only")
    (tmp_path / "bills.csv").write_bytes((tmp_path / "claims.csv.rejected").read_bytes())
    (tmp_path / "claims.csv").unlink()
    answer = transformed(tmp_path)
    assert (answer.exit_code, codes(answer, "target")) == (1, [("M101", 1, "kind")])


def test_a_target_key_that_stands_twice_rejects_both(tmp_path):
    mapping = MAPPING.replace('claim_no = "bill_no"', 'claim_no = "LEFT(bill_no, 2)"')
    answer = transformed(folder(tmp_path, "B1a,门诊,甲,1,1,1,1\nB2,门诊,甲,1,1,2,1\nB1b,门诊,甲,1,1,4,1\n", mapping))
    assert codes(answer, "target") == [("B101", 1, None), ("B101", 3, None)]
    assert [one["line"] for one in answer.json["target"]["findings"]] == [2, 4]
    again = transformed(tmp_path, "--accepted-only")
    assert again.json["records"] == {"in": 3, "out": 1, "rejected": 2, "left_out": 0}
    assert (again.json["amounts"][0]["out"], again.json["amounts"][0]["rejected"]) == ("2.00", "5.00")


def test_a_record_rejected_by_its_source_does_not_repeat_a_key_of_the_target(tmp_path):
    mapping = MAPPING.replace('claim_no = "bill_no"', 'claim_no = "LEFT(bill_no, 2)"')
    bills = "B1,门诊,甲,1,1,1,1\nB1,门诊,甲,1,1,2,1\nB1x,门诊,甲,1,1,4,1\n"
    answer = transformed(folder(tmp_path, bills, mapping), "--accepted-only")
    assert (codes(answer, "source"), codes(answer, "target")) == ([("B101", 1, None), ("B101", 2, None)], [])
    assert answer.json["records"] == {"in": 3, "out": 1, "rejected": 2, "left_out": 0}


def test_records_that_the_mapping_does_not_want_are_counted(tmp_path):
    mapping = "where = \"kind = '门诊'\"\n" + MAPPING
    answer = transformed(folder(tmp_path, BILLS + "B3,,丙,1,1,4.00,1\n", mapping))
    assert answer.exit_code == 0
    assert answer.json["records"] == {"in": 3, "out": 1, "rejected": 0, "left_out": 2}
    balance = answer.json["amounts"][0]
    assert (balance["in"], balance["out"], balance["left_out"]) == ("14.00", "10.05", "3.95")


def test_a_record_that_nobody_wants_is_rejected_where_its_key_stands_twice(tmp_path):
    mapping = "where = \"kind = '门诊'\"\n" + MAPPING
    bills = "B1,门诊,甲,1,1,1,1\nB2,住院,甲,1,1,2,1\nB2,住院,甲,1,1,4,1\nB3,住院,甲,1,1,8,1\n"
    answer = transformed(folder(tmp_path, bills, mapping), "--accepted-only")
    assert answer.json["records"] == {"in": 4, "out": 1, "rejected": 2, "left_out": 1}
    balance = answer.json["amounts"][0]
    assert [balance[name] for name in ("in", "out", "rejected", "left_out")] == ["15.00", "1.00", "6.00", "8.00"]


def test_a_required_column_without_a_source_is_a_warning_with_the_reason(tmp_path):
    mapping = MAPPING.replace('claim_no = "bill_no"\n', "") + '[unfilled]\nclaim_no = "the insurer numbers them"\n'
    answer = transformed(folder(tmp_path, mapping=mapping))
    [finding] = answer.json["target"]["findings"]
    assert (answer.exit_code, finding["code"], finding["severity"], finding["field"], finding["value"]) == (
        0, "M102", "warning", "claim_no", "the insurer numbers them",
    )  # fmt: skip


def test_every_repair_is_told(tmp_path):
    mapping = MAPPING.replace('claim_no = "bill_no"\n', "")
    mapping += "[repairs.claim_no]\nof = \"bill_no\"\nas = \"REPLACE(half_width(bill_no), ' ', '')\"\n"
    answer = transformed(folder(tmp_path, "Ｂ １,门诊,甲,1,1,1,1\nB2,门诊,甲,1,1,1,1\n", mapping))
    [finding] = answer.json["target"]["findings"]
    assert (answer.exit_code, finding["code"], finding["row"], finding["value"], finding["expected"]) == (
        0, "M103", 1, "Ｂ １", "B1",
    )  # fmt: skip
    assert (tmp_path / "claims.csv").read_text(encoding="utf-8").splitlines()[1].startswith("B1,")


def test_inputs_are_joined_in_their_order(tmp_path):
    folder(tmp_path, "B1,门诊,甲,1,1,1,1\n")
    (tmp_path / "more.csv").write_text(HEADER + "B9,门诊,甲,1,1,2,1\n", encoding="utf-8")
    answer = medpay(
        "transform", tmp_path / "more.csv", tmp_path / "bills.csv", "--mapping", tmp_path / "mapping.toml", "-o",
        tmp_path / "out.csv", "--format", "json",
    )  # fmt: skip
    assert answer.json["records"] == {"in": 2, "out": 2, "rejected": 0, "left_out": 0}
    assert [line[:2] for line in (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1:]] == ["B9", "B1"]


def test_a_key_that_stands_in_two_inputs_rejects_both(tmp_path):
    folder(tmp_path, "B1,门诊,甲,1,1,1,1\nB2,门诊,甲,1,1,1,1\nB5,门诊,甲,1,1,1,1\n")
    (tmp_path / "more.csv").write_text(HEADER + "B3,门诊,甲,1,1,2,1\nB2,门诊,甲,1,1,2,1\n", encoding="utf-8")
    for mapping in (tmp_path / "mapping.toml", "identity"):
        answer = medpay(
            "transform", tmp_path / "more.csv", tmp_path / "bills.csv", "--mapping", mapping, "-o",
            tmp_path / "out.csv", "--format", "json", "--dialect", f"csv:{tmp_path / 'bill.json'}", "--accepted-only",
        )  # fmt: skip
        end = "source" if mapping == "identity" else "target"
        found = [(one["code"], one["file"], one["row"], one["line"]) for one in answer.json[end]["findings"]]
        assert found == [("B101", str(tmp_path / "more.csv"), 2, 3), ("B101", str(tmp_path / "bills.csv"), 2, 3)]
        assert (answer.exit_code, answer.json["records"]) == (1, {"in": 5, "out": 3, "rejected": 2, "left_out": 0})
        names = [path.name for path in tmp_path.glob("out.csv.?.rejected")]
        assert sorted(names) == ["out.csv.1.rejected", "out.csv.2.rejected"]


def test_of_several_inputs_one_that_is_not_judged_stops_all(tmp_path):
    folder(tmp_path)
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    answer = medpay(
        "transform", tmp_path / "bills.csv", tmp_path / "empty.csv", "--mapping", tmp_path / "mapping.toml", "-o",
        tmp_path / "out.csv", "--format", "json", "--accepted-only",
    )  # fmt: skip
    assert (answer.exit_code, answer.json["incomplete_reason"], (tmp_path / "out.csv").exists()) == (
        4,
        "not_judged",
        False,
    )


def bills(count: int) -> str:
    return "".join(f"B{number},门诊,甲,1,1,{number}.00,1\n" for number in range(1, count + 1))


def test_parts_of_so_many_records(tmp_path):
    answer = transformed(folder(tmp_path, bills(7)), "--split-rows", 3)
    parts = sorted(path for path in tmp_path.iterdir() if path.name.startswith("claims"))
    assert [path.name for path in parts] == ["claims-001.csv", "claims-002.csv", "claims-003.csv"]
    rows = [path.read_text(encoding="utf-8").splitlines() for path in parts]
    assert {lines[0] for lines in rows} == {CLAIMS.splitlines()[0]}
    assert [[line.split(",")[0] for line in lines[1:]] for lines in rows] == [
        ["B1", "B2", "B3"], ["B4", "B5", "B6"], ["B7"],
    ]  # fmt: skip
    assert [one["records"] for one in answer.json["written"]] == [3, 3, 1]
    assert answer.json["amounts"][0]["out"] == "28.00"


def test_parts_of_such_a_size(tmp_path):
    answer = transformed(folder(tmp_path, bills(400)), "--split-size", "4K")
    parts = [pl.read_csv(one["path"], infer_schema=False) for one in answer.json["written"]]
    sizes = [one["bytes"] for one in answer.json["written"]]
    assert (max(sizes) <= 4096, min(sizes[:-1]) > 3000, len(sizes) > 2) == (True, True, True)
    assert pl.concat(parts)["claim_no"].to_list() == [f"B{number}" for number in range(1, 401)]
    assert sum(Decimal(one) for part in parts for one in part["amount"]) == Decimal(80200)


def test_a_part_is_filled_where_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr("medpay_cli.transform.publishing.GUESS", 10)
    answer = transformed(folder(tmp_path, bills(400)), "--split-size", "4K")
    sizes = [one["bytes"] for one in answer.json["written"]]
    assert (max(sizes) <= 4096, min(sizes[:-1]) > 2400, sum(one["records"] for one in answer.json["written"])) == (
        True, True, 400,
    )  # fmt: skip


def test_more_parts_than_files_can_be_open_are_refused(tmp_path):
    answer = transformed(folder(tmp_path, bills(501)), "--split-rows", "1")
    assert (answer.exit_code, "that makes 501 parts" in answer.err, list(tmp_path.glob("claims*"))) == (2, True, [])


def test_a_record_larger_than_a_part_is_refused(tmp_path):
    answer = transformed(folder(tmp_path), "--split-size", "60")
    assert (answer.exit_code, "a single record makes" in answer.err, list(tmp_path.glob("claims*"))) == (2, True, [])


def test_a_zip_holds_the_file_and_its_bytes_are_always_the_same(tmp_path):
    folder(tmp_path)
    contents = []
    for name in ("one.zip", "two.zip"):
        assert transformed(tmp_path, out=name).exit_code == 0
        with zipfile.ZipFile(tmp_path / name) as archive:
            [member] = archive.namelist()
            assert (member, archive.read(member).decode()) == (name.replace(".zip", ".csv"), CLAIMS)
        contents.append((tmp_path / name).read_bytes().replace(name[:3].encode(), b""))
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    "name",
    [
        "claims.parquet",
        "claims.json",
        "claims.ndjson",
        "claims.xml",
        "claims.xlsx",
        "claims.csv.gz",
        "claims.xlsx.gz",
        "claims.parquet.gz",
        "claims.json.gz",
    ],
)
def test_other_formats_hold_the_same(tmp_path, name):
    mapping = MAPPING.replace('layout = "claim.json"\ndialect = "csv"', 'layout = "claim.json"')
    folder(tmp_path, mapping=mapping)
    assert transformed(tmp_path, out=name).exit_code == 0
    form = name.split(".")[1]
    back = medpay(
        "transform", tmp_path / name, "--mapping", "identity", "--dialect", f"{form}:{tmp_path / 'claim.json'}",
        "--to-dialect", "csv", "-o", tmp_path / "back.csv",
    )  # fmt: skip
    assert (back.exit_code, back.err) == (0, "")
    assert (tmp_path / "back.csv").read_text(encoding="utf-8") == CLAIMS


def test_neither_the_name_nor_the_mapping_says_how(tmp_path):
    mapping = MAPPING.replace('layout = "claim.json"\ndialect = "csv"', 'layout = "claim.json"')
    answer = transformed(folder(tmp_path, mapping=mapping), out="claims.dat")
    assert (answer.exit_code, answer.err.strip()) == (
        2, f"error: {tmp_path / 'claims.dat'}: neither mapping {tmp_path / 'mapping.toml'} nor the name says how to"
        " write it; name one with --to-dialect",
    )  # fmt: skip


def test_what_the_dialect_cannot_hold_leaves_nothing_behind(tmp_path):
    folder(tmp_path, mapping=MAPPING.replace('party = "H1"', 'party = "H\\t1"'))
    text = f'title = {{ zh = "x", en = "x" }}\nlayout = "{tmp_path / "claim.json"}"\nformat = "delimited"\n'
    (tmp_path / "plain.toml").write_text(text + 'delimiter = "\\t"\n', encoding="utf-8")
    answer = transformed(tmp_path, "--to-dialect", tmp_path / "plain.toml")
    assert (answer.exit_code, "party of record 1 cannot be written" in answer.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir() if "claims" in path.name] == []


def test_an_output_that_is_an_input_is_refused(tmp_path):
    answer = transformed(folder(tmp_path), out="bills.csv")
    assert (answer.exit_code, (tmp_path / "bills.csv").read_text(encoding="utf-8")) == (2, HEADER + BILLS)


def test_people_are_told_the_balance_and_what_was_written(tmp_path):
    answer = transformed(folder(tmp_path, BILLS + "B4,急诊,丁,1,1,7.00,1\n"), "--accepted-only", "--format", "text")
    assert answer.out.decode().replace(str(tmp_path), "T") == (
        "findings of the target, told with the source's rows\n"
        "M101 code without a counterpart (error 1)\n"
        "  row 3 (line 4): kind kind: the table has no 急诊 (it has 门诊 | 住院)\n"
        "  fix: Find out what the code means and add it to [codes] of the mapping, or correct the source.\n"
        "\n"
        "             in     out   rejected   left out by the mapping\n"
        "────────────────────────────────────────────────────────────\n"
        "records       3       2          1                         0\n"
        "amount    17.00   10.00       7.00                      0.00\n"
        "made               2.01\n"
        "fund               5.00\n"
        "person             5.00\n"
        "\n"
        "written: T/claims.csv (records 2, 113 B)\n"
        "set aside: T/claims.csv.rejected\n"
        "set aside: T/claims.csv.rejected.why.csv\n"
        "only accepted records are written, the others are set aside [claim.v1, csv:T/claim.json]\n"
    )
