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

TOTALS = "insutype clr_type setl_optins stmt_begndate stmt_enddate medfee_sumamt fund_pay_sumamt acct_pay"
TOTALS = (*TOTALS.split(), "fixmedins_setl_cnt", "refd_setl_flag", "exp_content")
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
ASKED = (
    "411302", "M00/00/00/EXAMPLE", "2024-01-31", "2024-01-31", "23542.46", "18845.39", "3997.02", "4", "11", "1",
)  # fmt: skip
LIMITS = (
    ("001102000011000", "1", "2022-12-01", "7.00", "R00001"),
    ("001102000011000", "2", "2022-12-01", "7.00", "R00002"),
    ("001102000011000", "3", "2022-12-01", "7.00", "R00003"),
    ("001110000030000", "3", "2023-01-01", "400.00", "R00004"),
)
# File, dialect, node → its cells, and the path of its first record.
EXPECTED = {
    (ANSWER, "2304-response", "setlinfo"): ([tuple(SETTLED.values())], SETTLEMENT),
    (ANSWER, "2304-response", "setldetail"): (
        [
            ("330101", "0", "0", "18785.39", None, None),
            ("999996", "0", "0", "505.01", None, None),
            ("310201", "0", "0", "170.04", None, None),
        ],
        f"{FUNDS}/0",
    ),
    ("example_3201_request.json", "3201-request", "total"): (
        [("310", "11", "990100", "2024-01-01", "2024-01-31", "9058.23", "1919.04", "388.23", "67", None, None)],
        "/input/data",
    ),
    ("example_3201_request_data_only.json", "3201-data", "total"): (
        [("310", "11", "440300", None, None, "2.00", "0.00", "2.00", "1", None, None)],
        "/data",
    ),
    ("synthetic_3201_result_variants.json", "3201-results", "first"): (
        [("411302", "0", "对平", None)],
        "/old/stmtinfo",
    ),
    ("synthetic_3201_result_variants.json", "3201-results", "newest"): (
        [("411302", "000103", "数据不一致", None)],
        "/new/stmtinfo",
    ),
    ("synthetic_3202_request.json", "3202-request", "request"): ([ASKED], "/input/data"),
    ("example_3203_request.json", "3203-request", "application"): (
        [("11", "202402", "28", "3143.64", "3143.64", "463.04", "2680.6", "0", "2024-02-01", "2024-02-29")],
        "/input/data",
    ),
    ("synthetic_9101_request_and_response.json", "9101-messages", "base64"): (
        [("UEsDBA==", "20240131101500.zip", HOSPITAL)],
        "/request_base64/input/fsUploadIn",
    ),
    ("synthetic_9101_request_and_response.json", "9101-messages", "integers"): (
        [(None, "20240131101500.zip", HOSPITAL)],
        "/request_int_array/input/fsUploadIn",
    ),
    ("synthetic_9101_request_and_response.json", "9101-messages", "receipt"): (
        [("M00/00/00/EXAMPLE", "20240131101500.zip", HOSPITAL, "2024-02-01 00:00:00")],
        "/response/output",
    ),
    ("example_9102_request.json", "9102-request", "download"): (
        [("M00/12/B0/rBQ6cWSG2kqAOk3gAA9wYUt6kVQ2941873", "plc", HOSPITAL)],
        "/input/fsDownloadIn",
    ),
    ("1318_limits.json", "1318-limits", "limit"): (
        [
            (code, kind, "1", "230000", begin, None, amount, "1", number, "2023-01-08")
            for code, kind, begin, amount, number in LIMITS
        ],
        "/data/0",
    ),
}
FAULTS = {"integers": [(1, "in", "F112", "array")]}


@pytest.mark.parametrize(("file", "dialect", "node"), EXPECTED, ids=lambda value: value)
def test_every_cell_of_a_message_is_read(file, dialect, node):
    described_as, names = described(DIALECTS / f"{dialect}.toml")
    content = (SAMPLES / file).read_bytes()
    records, path = EXPECTED[file, dialect, node]
    assert cells(content, described_as, names, node) == records
    assert places(content, described_as, names, node)[0] == (1, None, path)
    assert faults(content, described_as, names, node) == FAULTS.get(node, [])


def test_the_fields_of_a_total_are_those_of_the_shipped_layout():
    assert described(DIALECTS / "3201-request.toml")[1] == {"total": TOTALS}
    assert described(DIALECTS / "2304-response.toml")[1]["setlinfo"] == tuple(SETTLED)


@pytest.mark.parametrize(("file", "dialect"), sorted({(file, dialect) for file, dialect, _ in EXPECTED}))
def test_what_was_read_of_a_message_is_written_and_read_again(file, dialect):
    described_as, names = described(DIALECTS / f"{dialect}.toml")
    content = (SAMPLES / file).read_bytes()
    chunk = {batch.node: batch.text for batch in batches(content, described_as, names)}
    written = text_of(described_as, names, chunk)
    for node, fields in names.items():
        assert cells(written, described_as, names, node) == frame(chunk[node].select(fields).rows(), fields).rows()
