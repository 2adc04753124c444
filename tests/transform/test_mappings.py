"""A mapping is held against both layouts when it is loaded."""

from __future__ import annotations

import pytest
from small import MAPPING, folder, medpay, transformed

from medpay_cli import config, mappings

SHIPPED = config.names(config.MAPPING)


def said(tmp_path, old: str, new: str) -> str:
    """What is said of the mapping with a part of it changed."""
    assert old in MAPPING
    answer = transformed(folder(tmp_path, mapping=MAPPING.replace(old, new)))
    assert (answer.exit_code, answer.out, (tmp_path / "claims.csv").exists()) == (2, b"", False)
    return answer.err.removeprefix(f"error: {tmp_path / 'mapping.toml'}: ").strip()


def test_a_target_column_that_comes_from_nowhere_is_named(tmp_path):
    told = said(tmp_path, 'empty = ["memo"]\n', "")
    assert told == "columns memo of layout claim.v1 come from nowhere; say where from, or list them in empty"


def test_a_column_that_the_target_lacks_is_named(tmp_path):
    told = said(tmp_path, 'empty = ["memo"]', 'empty = ["memo", "memmo"]')
    assert told == "layout claim.v1 has no target columns memmo; correct the names"


def test_a_column_given_twice_is_named(tmp_path):
    told = said(tmp_path, 'empty = ["memo"]', 'empty = ["memo", "person"]')
    assert told == "target columns person are given more than once (layout claim.v1); say each once"


def test_a_required_column_is_not_left_empty_without_a_reason(tmp_path):
    assert said(tmp_path, 'claim_no = "bill_no"\n', "").startswith("columns claim_no of layout claim.v1 come from")
    changed = MAPPING.replace('claim_no = "bill_no"\n', "").replace('empty = ["memo"]', 'empty = ["memo", "claim_no"]')
    answer = transformed(folder(tmp_path, mapping=changed))
    assert answer.exit_code == 2
    assert "claim_no of layout claim.v1 are required; not in empty, but in [unfilled] with the reason" in answer.err


def test_a_float_anywhere_in_an_amount_is_refused_with_the_expression(tmp_path):
    told = said(tmp_path, 'made = "money_product(pric, cnt)"', 'made = "amount / 3"')
    assert told == (
        "the expression amount / 3 of made is refused (Div); amounts take + - and *, and for everything else "
        "money_product, share and round_half_up"
    )


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("pric", None), ("pric * cnt", "amount(32,10) → money(16,2)"), ("kind || '1'", None), ("amount > 0", "truth"),
        ("SUBSTR(amount::varchar, 1, 2)", "text → money(16,2)"), ("nobody", "nobody"), ("LENGTH(kind)", None),
        ("amount * 100", None), ("amount - 1", None),
    ],
)  # fmt: skip
def test_an_amount_comes_from_amounts_with_no_digit_more_than_its_column_has(tmp_path, sql, reason):
    answer = transformed(folder(tmp_path, mapping=MAPPING.replace("money_product(pric, cnt)", sql)))
    assert (f"of made is refused ({reason})" in answer.err) == (reason is not None), answer.err
    assert (answer.exit_code == 2) == (reason is not None)


def test_a_code_list_with_two_codes_for_a_word_is_refused(tmp_path):
    table = 'table = { "门诊" = "01", "住院" = "02" }'
    told = said(tmp_path, table, 'list = "dept", by = "zh"')
    assert "list dept has several codes for" in told


def test_of_a_code_list_the_first_edition_counts(tmp_path):
    bills = "B1,甲类,甲,1,1,1.00,1\n"
    changed = MAPPING.replace('table = { "门诊" = "01", "住院" = "02" }', 'list = "chrgitm_lv", by = "zh"')
    assert transformed(folder(tmp_path, bills, changed)).exit_code == 0
    assert (tmp_path / "claims.csv").read_text(encoding="utf-8").splitlines()[1].startswith("B1,01,")


def test_an_unknown_key_is_named(tmp_path):
    assert said(tmp_path, "[constants]", "[constnts]").startswith("not allowed at /")


def test_the_coverage_is_shown(tmp_path):
    folder(tmp_path)
    answer = medpay("show", "mapping", tmp_path / "mapping.toml")
    shown = answer.out.decode().splitlines()
    assert shown[:4] == [
        "bills to claims",
        "",
        "bill.v1 → claim.v1",
        "8: expression 5, code table 1, constant 1, given at the run 0, declared empty 1",
    ]
    assert [line.split("  ")[0] for line in shown[6:]] == [
        "claim_no", "kind", "amount", "made", "fund", "person", "party", "memo",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in SHIPPED if mappings.load(name).source])
def test_a_shipped_mapping_fits_its_layouts(name):
    for plan in mappings.checked(name):
        assert len(plan.columns) == len(plan.target.fields)
    assert medpay("show", "mapping", name).exit_code == 0


def test_the_shipped_mappings_keep_to_their_schema():
    for name in SHIPPED:
        config.check(config.parse(config.locate(config.MAPPING, name)), "mapping.schema.json", name)
    assert "identity" in SHIPPED
