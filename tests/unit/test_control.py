"""Control totals are read strictly, and a contradiction names both numbers."""

from decimal import Decimal

import pytest

from medpay_cli import control
from medpay_cli.control import Declared
from medpay_cli.errors import MedpayError

TOTALS = {"medfee_sumamt": Decimal("1.10"), "acct_pay": Decimal("-0.05")}
DATA = '"medfee_sumamt": "1.10", "acct_pay": -0.05, "fixmedins_setl_cnt": "3"'


def test_counts_and_sums_are_declared_on_the_command_line():
    assert control.expected("records=3,medfee_sumamt=1.1") == Declared(3, {"medfee_sumamt": Decimal("1.1")})


@pytest.mark.parametrize(
    "text", ["", "records=3\n", "records", "records=", "records=3.0", "records=-1", "records=03",
             "medfee_sumamt=1,000.00", "medfee_sumamt=1e3", "medfee_sumamt=1.2345678", "medfee_sumamt=+1",
             "=3", "records=3,", "records=３"],
)  # fmt: skip
def test_what_is_no_number_is_refused(text):
    with pytest.raises(MedpayError) as caught:
        control.expected(text)
    assert caught.value.exit_code == 2


def test_two_declarations_of_one_thing_must_agree():
    assert control.expected("records=3,records=3") == Declared(3)
    for text in ("records=3,records=4", "acct_pay=1.00,acct_pay=1.01"):
        with pytest.raises(MedpayError, match="declared_twice"):
            control.expected(text)


def test_a_contradiction_has_both_numbers():
    declared = control.expected("records=4,medfee_sumamt=1.11,acct_pay=-0.05")
    assert list(declared.contradicted(3, TOTALS)) == [("records", "3", "4"), ("medfee_sumamt", "1.10", "1.11")]


def test_amounts_of_another_scale_are_the_same():
    assert list(control.expected("medfee_sumamt=1.1").contradicted(3, TOTALS)) == []


def test_a_sum_that_nothing_has_is_refused():
    with pytest.raises(MedpayError, match="no_such_total"):
        list(control.expected("psn_pay=1.00").contradicted(3, TOTALS))


def read(tmp_path, content):
    path = tmp_path / "request.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return control.load(str(path))


@pytest.mark.parametrize(
    "content",
    [
        f'{{"infno": "3201", "input": {{"data": {{{DATA}}}}}}}',
        f'{{"infno": "3202", "input": {{"data": {{{DATA}, "file_qury_no": "F1"}}}}}}',
        f'{{"input": {{"data": {{{DATA}}}}}}}',
        f'{{"data": {{{DATA}}}}}',
        f"{{{DATA}}}",
        f"\ufeff{{{DATA}}}",
    ],
)
def test_a_request_declares_count_and_sums_in_its_envelope_or_without(tmp_path, content):
    assert read(tmp_path, content) == Declared(3, TOTALS)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "[1]", "null", "{", '{"a": 1} {}', '{"medfee_sumamt": NaN}', '{"medfee_sumamt": Infinity}',
        '{"medfee_sumamt": 1.10, "medfee_sumamt": 1.11}', '{"medfee_sumamt": 1e2}', '{"medfee_sumamt": "1,000.00"}',
        '{"medfee_sumamt": null}', '{"medfee_sumamt": 1.1050001}', '{"fixmedins_setl_cnt": 3.5}', '{"insutype": "310"}',
        '{"infno": "2207", "input": {"data": {"medfee_sumamt": 1.10}}}', '{"input": {"data": [1]}}', "[" * 100_000,
        b"\xff", '{"medfee_sumamt": true}',
    ],
)  # fmt: skip
def test_everything_else_is_refused_by_name(tmp_path, content):
    with pytest.raises(MedpayError) as caught:
        read(tmp_path, content)
    assert caught.value.exit_code == 2


def test_an_amount_that_is_a_json_number_loses_no_digit(tmp_path):
    assert read(tmp_path, '{"medfee_sumamt": 99999999999999.99}') == Declared(
        None, {"medfee_sumamt": Decimal("99999999999999.99")}
    )
