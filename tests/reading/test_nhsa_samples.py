"""What `medpay inspect` says of every file of the corpus: layout and dialect, or what is nearest and why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from medpay_command import medpay

if "MEDPAY_CORPUS" not in os.environ:
    pytest.skip("MEDPAY_CORPUS is not set; .ci/run points it at ../shared/data", allow_module_level=True)

SAMPLES = Path(os.environ["MEDPAY_CORPUS"]) / "nhsa-samples"
UPLOAD, RESULT = "nhsa-3202-upload ledger_detail.v1", "nhsa-3202-result ledger_result.v1"
# File → dialect and layouts.
RECOGNISED = {
    "example_3201_request_data_only.json": "nhsa-3201-request-data ledger_total.v1",  # by its names: it has no dates
    "1305_16col.txt": "nhsa-1305-catalogue-16 catalogue_1305.v0",
    "1305_19col.txt": "nhsa-1305-catalogue catalogue_1305.v1",
    "1305_19col.zip": "nhsa-1305-catalogue catalogue_1305.v1",
    "1318_limits.json": "nhsa-1318-response-data price_limit.v1",
    "example_3201_request.json": "nhsa-3201-request ledger_total.v1",
    "example_3203_request.json": "nhsa-3203-request clearing.v1",
    "synthetic_2304_response_on_real_amounts.json": "nhsa-settlement-response settlement.v1 settlement_fund.v1",
    "synthetic_3202_request.json": "nhsa-3202-request ledger_detail_request.v1",
    "synthetic_3202_result.zip": RESULT,
    "synthetic_3202_result_10col.txt": RESULT,
    "synthetic_3202_result_11col_new_codes.txt": RESULT,
    "synthetic_3202_result_7col_first_edition.txt": RESULT,
    "synthetic_3202_result_extra_empty_column_quirk.txt": RESULT,
    "synthetic_3202_upload.zip": UPLOAD,
    "synthetic_3202_upload_7col_crlf.txt": UPLOAD,
    "synthetic_3202_upload_7col_lf_no_final_newline.txt": UPLOAD,
    "synthetic_3202_upload_7col_trailing_tab_crlf.txt": UPLOAD,
    "synthetic_3202_upload_8col_null.txt": UPLOAD,
    "synthetic_3202_upload_hardcoded_zero_trailing_tab_lf.txt": UPLOAD,
}
# File → the nearest dialect and how it fits; None where no shipped dialect looks like it.
NEAREST = {
    "example_9102_request.json": "nhsa-3302-request 0/1 (F110)",  # a call for a file, no record
    "synthetic_3202_upload_legacy_space_5col.txt": None,  # five columns, parted by spaces
    "synthetic_9101_request_and_response.json": None,  # three messages in one document
    "synthetic_3201_result_variants.json": None,  # two messages in one document
    "money_tuples_real_amounts.json": None,  # no message
    "dirty_prices_expected.json": None,  # no message
    "dirty_prices_gb18030.csv": "shaanxi-price-list 6/14 (L106 item_code)",
    "dirty_prices_utf8bom.csv": "shaanxi-price-list 6/14 (L106 item_code)",
}


def test_every_file_of_the_corpus_is_named_here():
    assert {path.name for path in SAMPLES.iterdir()} == {*RECOGNISED, *NEAREST}


@pytest.mark.parametrize("name", RECOGNISED)
def test_a_file_is_recognised(name):
    answer = medpay("inspect", SAMPLES / name, "--format", "json")
    [file] = answer.json["files"]
    layouts = [node["layout"] for node in file.get("nodes", [])] or [file["layout"]]
    assert (answer.exit_code, " ".join([file["dialect"], *layouts])) == (0, RECOGNISED[name])


@pytest.mark.parametrize("name", NEAREST)
def test_a_file_that_is_not_recognised_is_told_what_is_nearest(name):
    answer = medpay("inspect", SAMPLES / name, "--format", "json")
    [file] = answer.json["files"]
    first = file["candidates"][0]
    told = f"{first['dialect']} {first['fits']}/{first['records']} ({first['reason']})"
    assert (answer.exit_code, file["dialect"]) == (2, None)
    assert (None if first["reason"] in ("F201", "F207", "F218") else told) == NEAREST[name]
