"""The commands on files that are no delimited text: recognised by their names, judged node by node, refused by name."""

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from medpay_command import medpay

from medpay_cli import judging

RECORD = (
    "<record><setl_id>S{n}</setl_id><mdtrt_id>M</mdtrt_id><psn_no>P</psn_no><medfee_sumamt>{n}.00</medfee_sumamt>"
    "<fund_pay_sumamt>0.50</fund_pay_sumamt><acct_pay>{acct}</acct_pay><refd_setl_flag>0</refd_setl_flag></record>"
)
ZEROES = (
    *("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt", "hifp_pay", "pool_prop_selfpay"),
    *("cvlserv_pay", "hifes_pay", "hifmi_pay", "hifob_pay", "maf_pay", "oth_pay", "fund_pay_sumamt", "acct_pay"),
    *("balc", "acct_mulaid_pay"),
)
SETTLED = {
    "setl_id": "S1", "mdtrt_id": "M1", "medins_setl_id": "X1", **dict.fromkeys(ZEROES, 0), "medfee_sumamt": 10.5,
    "inscp_scp_amt": 10.5,
}  # fmt: skip
MESSAGE = {"output": {"setlinfo": SETTLED, "setldetail": [{"fund_payamt": "1.005"}]}}


def ledger(*accounts: str, root: str = "ledger") -> str:
    """An XML ledger with a record per account payment."""
    return f"<{root}>" + "\n".join(RECORD.format(n=n, acct=acct) for n, acct in enumerate(accounts, 1)) + f"</{root}>"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def places(document) -> list:
    """Where the findings are."""
    names = ("code", "node", "row", "line", "field", "path", "value")
    return [tuple(finding[name] for name in names) for finding in document["findings"]]


def test_a_document_is_recognised_by_its_names_whatever_stands_in_its_cells(folder):
    (folder / "a.xml").write_text(ledger("0.00", "0.005"))
    answer = medpay("validate", "a.xml", "--format", "json")
    [file] = answer.json["files"]
    assert (answer.exit_code, file["dialect"], file["node"]) == (1, "medpay-ledger-detail-xml", "record")
    assert (file["records"], file["accepted"], file["totals"]["medfee_sumamt"]) == (2, 1, "3.00")
    assert places(answer.json) == [("L103", "record", 2, 2, "acct_pay", "/ledger/record[2]/acct_pay", "0.005")]


def test_a_document_of_another_root_is_not_recognised(folder):
    (folder / "a.xml").write_text(ledger("0.00", root="other"))
    answer = medpay("validate", "a.xml", "--lang", "en")
    assert answer.exit_code == 2
    assert answer.err.startswith("error: a.xml: no dialect fits all of the first 1,000 records")


def test_a_declared_encoding_is_the_encoding(folder):
    (folder / "a.xml").write_bytes(
        b'<?xml version="1.0" encoding="GBK"?>\n' + ledger("0.00").replace(">M<", ">中<").encode("gbk")
    )
    [file] = medpay("validate", "a.xml", "--format", "json").json["files"]
    assert (file["encoding"], file["verdict"]) == ("gb18030", "valid")


def test_a_doctype_leaves_a_file_unjudged(folder):
    (folder / "a.xml").write_text("<!DOCTYPE ledger SYSTEM 'file:///etc/passwd'>" + ledger("0.00"))
    answer = medpay("validate", "a.xml", "--dialect", "medpay-ledger-detail-xml", "--format", "json")
    assert (answer.exit_code, [one["code"] for one in answer.json["counts"]]) == (3, ["F217"])


def test_each_node_of_a_message_has_a_verdict_of_its_own(folder):
    (folder / "a.json").write_text(json.dumps(MESSAGE))
    answer = medpay("validate", "a.json", "--dialect", "nhsa-settlement-response", "--format", "json")
    shown = {file["node"]: (file["records"], file["accepted"], file["verdict"]) for file in answer.json["files"]}
    assert shown == {"setlinfo": (1, 1, "valid"), "setldetail": (1, 0, "findings")}
    pointed = [place for place in places(answer.json) if place[1] == "setldetail" and place[0] == "L103"]
    assert pointed == [("L103", "setldetail", 1, None, "fund_payamt", "/output/setldetail/0/fund_payamt", "1.005")]


@pytest.mark.parametrize("option", [("--accepted", "good.xml"), ("--layout", "none")])
def test_what_is_for_lines_only_is_refused_by_name(folder, option):
    (folder / "a.xml").write_text(ledger("0.00"))
    answer = medpay("validate", "a.xml", *option, "--lang", "en")
    assert answer.exit_code == 2
    assert answer.err.startswith(f"error: a.xml: {option[0]}")
    assert not (folder / "good.xml").exists()


@pytest.mark.parametrize("named", [(), ("--dialect", "medpay-ledger-detail-xml")], ids=["recognised", "named"])
@pytest.mark.parametrize("option", ["--accepted", "--rejected"])
def test_records_that_are_no_lines_are_refused_before_they_are_judged(folder, monkeypatch, named, option):
    (folder / "a.xml").write_text(ledger("0.00"))
    # What is looked at to recognise a file are its first records, which no option limits otherwise.
    judge = judging.judge_nodes
    monkeypatch.setattr(
        judging, "judge_nodes", lambda *given: judge(*given) if given[-1].at_most else pytest.fail("judged")
    )
    answer = medpay("validate", "a.xml", *named, option, "some.xml", "--lang", "en")
    assert (answer.exit_code, answer.out) == (2, b"")
    assert answer.err.startswith("error: a.xml: --accepted and --rejected are for files whose records are whole lines")


def test_an_option_that_finds_every_finding_stays_in_a_message(folder):
    (folder / "a.xml").write_text(ledger("0.00", "x", "y"))
    lines = medpay("validate", "a.xml", "--format", "ndjson").out.decode().splitlines()
    assert [json.loads(line).get("path") for line in lines[:-1]] == [
        "/ledger/record[2]/acct_pay",
        "/ledger/record[3]/acct_pay",
    ]


def test_a_side_of_a_reconcile_may_be_a_document(folder):
    (folder / "a.xml").write_text(ledger("0.00", "1.00", "2.00"))
    (folder / "b.txt").write_text("S3\tM\tP\t3.00\t0.50\t2.01\t0\nS1\tM\tP\t1.00\t0.50\t0\t0\n")
    answer = medpay("reconcile", "a.xml", "b.txt", "--recipe", "ledger", "--dialect",
                    "hospital=medpay-ledger-detail-xml", "--format", "json")  # fmt: skip
    assert (answer.exit_code, {name: one["keys"] for name, one in answer.json["classes"].items()}) == (
        1,
        {"matched": 1, "only_ours": 1, "amount_differs": 1},
    )
    assert answer.json["bridge"]["acct_pay"]["difference"] == "0.99"


def test_a_repeated_key_is_found_in_a_document(folder):
    (folder / "a.xml").write_text(ledger("0.00", "1.00").replace("<setl_id>S2", "<setl_id>S1"))
    answer = medpay("validate", "a.xml", "--format", "json")
    assert [(code, row, path) for code, _, row, _, _, path, _ in places(answer.json)] == [
        ("B101", 1, "/ledger/record[1]"),
        ("B101", 2, "/ledger/record[2]"),
    ]
    assert answer.json["files"][0]["rejected"] == 2


def test_inspect_names_the_format_and_the_nodes(folder):
    (folder / "a.xml").write_text(ledger("0.00"))
    [file] = medpay("inspect", "a.xml", "--format", "json").json["files"]
    assert (file["format"], file["dialect"], file["records"]) == ("xml", "medpay-ledger-detail-xml", 1)


def test_a_message_that_is_not_read_to_its_end_is_judged_in_no_node(folder):
    number = "1" * (2 << 20)  # beyond the limit of a field
    (folder / "a.json").write_text(json.dumps(MESSAGE).replace("10.5", number))
    answer = medpay("validate", "a.json", "--dialect", "nhsa-settlement-response", "--format", "json")
    assert (answer.exit_code, {file["verdict"] for file in answer.json["files"]}) == (3, {"not_judged"})
    assert (answer.json["complete"], answer.json["counts"][0]["code"]) == (False, "F204")
