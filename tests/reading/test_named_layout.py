"""Under a layout that is named, what the file shows decides how it is written: a header of field names, or none."""

import pytest
from medpay_command import judged, medpay, places

UPLOAD = "S1\tM1\tP1\t10.00\t8.00\t2.00\t0\nS2\tM2\tP2\t1.5\t1.5\t0\t0\n"
NAMES = ("setl_id", "mdtrt_id", "psn_no", "medfee_sumamt", "fund_pay_sumamt", "acct_pay", "refd_setl_flag")


@pytest.fixture
def written(tmp_path):
    """The file of a text."""

    def of(text: str, encoding: str = "utf-8"):
        (tmp_path / "ledger.txt").write_bytes(text.encode(encoding))
        return tmp_path / "ledger.txt"

    return of


def table(mark: str, names=NAMES) -> str:
    return mark.join(names) + "\n" + UPLOAD.replace("\t", mark)


def test_the_headerless_upload_is_read_as_the_upload(written):
    [file] = judged(written(UPLOAD), "--layout", "ledger_detail")["files"]
    assert (file["dialect"], file["records"], file["verdict"]) == ("nhsa-3202-upload", 2, "valid")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("form", "mark"), [("csv", ","), ("tsv", "\t")])
def test_a_header_is_proof_of_a_table(written, form, mark, encoding):
    whole = table(mark, (*NAMES, "exp_content")).replace("0\n", f"0{mark}\n")
    [file] = judged(written(whole, encoding), "--layout", "ledger_detail")["files"]
    assert (file["dialect"], file["records"], file["verdict"]) == (f"{form}:ledger_detail", 2, "valid")
    assert file["totals"]["medfee_sumamt"] == "11.50"


def test_a_table_with_a_wrong_cell_is_still_a_table(written):
    whole = table(",", (*NAMES, "exp_content")).replace("0\n", "0,\n").replace("10.00,", "")
    document = judged(written(whole.replace("1.5,1.5", "1.5,x")), "--layout", "ledger_detail")
    assert document["files"][0]["dialect"] == "csv:ledger_detail"
    assert places(document) == [(1, 2, None, "F101"), (2, 3, "fund_pay_sumamt", "L102")]


def test_a_header_that_is_not_whole_is_told_by_its_names(written):
    names = [name.replace("acct_pay", "acct_pya") for name in NAMES]
    document = judged(written(table("\t", names)), "--layout", "ledger_detail")
    assert document["exit_code"] == 3
    [finding] = document["findings"]
    assert (finding["code"], finding["value"]) == ("F207", "− acct_pay ('acct_pya'?); − exp_content")


def test_a_record_of_json_is_no_message(tmp_path):
    path = tmp_path / "funds.json"
    path.write_text('[{"fund_pay_type": "310100", "fund_payamt": "1.00", "inscp_scp_amt": "1.00"}]', encoding="utf-8")
    [file] = judged(path, "--layout", "settlement_fund")["files"]
    assert (file["dialect"], file["records"]) == ("json:settlement_fund", 1)


def test_what_is_neither_is_read_as_the_only_dialect_of_the_layout(written):
    answer = medpay("validate", written("a,b\n1,2\n"), "--layout", "ledger_detail")
    assert answer.exit_code == 3
