"""Messages as the platform and hospitals exchange them: every cell, through dialects as a user would write them."""

import os
from pathlib import Path

import pytest
from json_files import batches, cells, described, faults, frame, places, text_of

if "MEDPAY_CORPUS" not in os.environ:
    pytest.skip("MEDPAY_CORPUS is not set; .ci/run points it at ../shared/data", allow_module_level=True)

SAMPLES = Path(os.environ["MEDPAY_CORPUS"]) / "nhsa-samples"
DIALECTS = Path(__file__).parents[2] / "fixtures" / "formats"
# What a hospital calls itself in all of them.
HOSPITAL = "H00000000001"

ANSWER, SETTLEMENT, FUNDS = "synthetic_2304_response_on_real_amounts.json", "/output/setlinfo", "/output/setldetail"
SETTLED = {
    "mdtrt_id": "M0002", "setl_id": "S0002", "psn_no": "P0002", "psn_name": "测试人员", "psn_cert_type": "01",
    "certno": "0" * 18, "gend": "1", "naty": "01", "brdy": "1950-01-01", "age": "71.0", "insutype": "310",
    "psn_type": "12", "cvlserv_flag": "0", "setl_time": "2024-01-31 11:08:17", "mdtrt_cert_type": "02",
    "med_type": "21", "medfee_sumamt": "23442.46", "fulamt_ownpay_amt": "2533.97", "overlmt_selfpay": "1396.89",
    "preselfpay_amt": "703.44", "inscp_scp_amt": "18808.16", "act_pay_dedc": "0.0", "hifp_pay": "0.0",
    "pool_prop_selfpay": "0.0", "cvlserv_pay": "0.0", "hifes_pay": "0.0", "hifmi_pay": "0.0",
    "hifob_pay": "18785.39", "maf_pay": "0.0", "oth_pay": "0.0", "fund_pay_sumamt": "18785.39",
    "psn_part_amt": "4152.06", "acct_pay": "170.04", "psn_cash_pay": "3982.02", "hosp_part_amt": "505.01",
    "balc": "0.0", "acct_mulaid_pay": "0.0", "medins_setl_id": "H00000000001202401311108170001",
    "clr_optins": "500000", "clr_way": "3", "clr_type": "21",
}  # fmt: skip
LIMITS = (
    ("001102000011000", "1", "2022-12-01", "7.00", "R00001"),
    ("001102000011000", "2", "2022-12-01", "7.00", "R00002"),
    ("001102000011000", "3", "2022-12-01", "7.00", "R00003"),
    ("001110000030000", "3", "2023-01-01", "400.00", "R00004"),
)
LEDGER = "example_3201_request.json"
# File, dialect (shipped, or a file of our fixtures where none is), node → its cells that hold something, and the path
# of its first record.
EXPECTED = {
    (ANSWER, "nhsa-settlement-response", "setlinfo"): ([SETTLED], SETTLEMENT),
    (ANSWER, "nhsa-settlement-response", "setldetail"): (
        [
            {"fund_pay_type": fund, "inscp_scp_amt": "0", "crt_payb_lmt_amt": "0", "fund_payamt": amount}
            for fund, amount in (("330101", "18785.39"), ("999996", "505.01"), ("310201", "170.04"))
        ],
        f"{FUNDS}/0",
    ),
    (LEDGER, "nhsa-3201-request", "data"): (
        [
            {"insutype": "310", "clr_type": "11", "setl_optins": "990100", "stmt_begndate": "2024-01-01",
             "stmt_enddate": "2024-01-31", "medfee_sumamt": "9058.23", "fund_pay_sumamt": "1919.04",
             "acct_pay": "388.23", "fixmedins_setl_cnt": "67"}
        ],
        "/input/data",
    ),
    ("example_3201_request_data_only.json", "nhsa-3201-request-data", "data"): (
        [
            {"insutype": "310", "clr_type": "11", "setl_optins": "440300", "medfee_sumamt": "2.00",
             "fund_pay_sumamt": "0.00", "acct_pay": "2.00", "fixmedins_setl_cnt": "1"}
        ],
        "/data",
    ),
    ("synthetic_3201_result_variants.json", "3201-results.toml", "first"): (
        [{"setl_optins": "411302", "stmt_rslt": "0", "stmt_rslt_dscr": "对平"}],
        "/old/stmtinfo",
    ),
    ("synthetic_3201_result_variants.json", "3201-results.toml", "newest"): (
        [{"setl_optins": "411302", "stmt_rslt": "000103", "stmt_rslt_dscr": "数据不一致"}],
        "/new/stmtinfo",
    ),
    ("synthetic_3202_request.json", "nhsa-3202-request", "data"): (
        [
            {"setl_optins": "411302", "file_qury_no": "M00/00/00/EXAMPLE", "stmt_begndate": "2024-01-31",
             "stmt_enddate": "2024-01-31", "medfee_sumamt": "23542.46", "fund_pay_sumamt": "18845.39",
             "cash_payamt": "3997.02", "fixmedins_setl_cnt": "4", "clr_type": "11", "refd_setl_flag": "1"}
        ],
        "/input/data",
    ),
    ("example_3203_request.json", "nhsa-3203-request", "data"): (
        [
            {"clr_type": "11", "setlym": "202402", "psntime": "28", "medfee_sumamt": "3143.64",
             "med_sumfee": "3143.64", "fund_appy_sum": "463.04", "cash_payamt": "2680.6", "acct_pay": "0",
             "begndate": "2024-02-01", "enddate": "2024-02-29"}
        ],
        "/input/data",
    ),
    ("synthetic_9101_request_and_response.json", "9101-messages.toml", "base64"): (
        [{"in": "UEsDBA==", "filename": "20240131101500.zip", "fixmedins_code": HOSPITAL}],
        "/request_base64/input/fsUploadIn",
    ),
    ("synthetic_9101_request_and_response.json", "9101-messages.toml", "integers"): (
        [{"filename": "20240131101500.zip", "fixmedins_code": HOSPITAL}],
        "/request_int_array/input/fsUploadIn",
    ),
    ("synthetic_9101_request_and_response.json", "9101-messages.toml", "receipt"): (
        [
            {"file_qury_no": "M00/00/00/EXAMPLE", "filename": "20240131101500.zip", "fixmedins_code": HOSPITAL,
             "dld_endtime": "2024-02-01 00:00:00"}
        ],
        "/response/output",
    ),
    ("example_9102_request.json", "9102-request.toml", "download"): (
        [
            {"file_qury_no": "M00/12/B0/rBQ6cWSG2kqAOk3gAA9wYUt6kVQ2941873", "filename": "plc",
             "fixmedins_code": HOSPITAL}
        ],
        "/input/fsDownloadIn",
    ),
    ("1318_limits.json", "nhsa-1318-response-data", "data"): (
        [
            {"hilist_code": code, "hilist_lmtpric_type": kind, "overlmt_dspo_way": "1", "insu_admdvs": "230000",
             "begndate": begin, "hilist_pric_uplmt_amt": amount, "vali_flag": "1", "rid": number,
             "updt_time": "2023-01-08"}
            for code, kind, begin, amount, number in LIMITS
        ],
        "/data/0",
    ),
}  # fmt: skip
FAULTS = {"integers": [(1, "in", "F112", "array")]}


def named(dialect: str):
    """A shipped dialect, or one of our fixtures, and the fields of its nodes."""
    return described(DIALECTS / dialect if dialect.endswith(".toml") else dialect)


@pytest.mark.parametrize(("file", "dialect", "node"), EXPECTED, ids=lambda value: value)
def test_every_cell_of_a_message_is_read(file, dialect, node):
    described_as, names = named(dialect)
    content = (SAMPLES / file).read_bytes()
    records, path = EXPECTED[file, dialect, node]
    read = [dict(zip(names[node], row, strict=True)) for row in cells(content, described_as, names, node)]
    assert [{name: cell for name, cell in row.items() if cell is not None} for row in read] == records
    assert places(content, described_as, names, node)[0] == (1, None, path)
    assert faults(content, described_as, names, node) == FAULTS.get(node, [])


@pytest.mark.parametrize(("file", "dialect"), sorted({(file, dialect) for file, dialect, _ in EXPECTED}))
def test_what_was_read_of_a_message_is_written_and_read_again(file, dialect):
    described_as, names = named(dialect)
    content = (SAMPLES / file).read_bytes()
    chunk = {batch.node: batch.text for batch in batches(content, described_as, names)}
    written = text_of(described_as, names, chunk)
    for node, fields in names.items():
        assert cells(written, described_as, names, node) == frame(chunk[node].select(fields).rows(), fields).rows()
