"""The shipped fields and code lists: complete, in the closed vocabulary, and nobody's name without a mark."""

from __future__ import annotations

import csv
import re

import pytest

from medpay_cli import config, files, layouts

SCHEMAS = files.schemas()
LAYOUTS = [layouts.load(name) for name in config.names(config.LAYOUT)]
FAMILIES = {path.stem: config.parse(path)["$defs"] for path in sorted((SCHEMAS / "fields").glob("*.json"))}
FIELDS = [(f"{family}.{code}", code, body) for family, defs in FAMILIES.items() for code, body in defs.items()]
LISTS = sorted(path.stem for path in (SCHEMAS / "codes").glob("*.csv"))
COLUMNS = ["code", "zh", "en", "scope", "since", "until", "same_as"]
SCOPE = re.compile(r"(?:national|observed|commercial|proposed|local(?::[a-z_,]+)?)")

# A title with one of these words is about a person, unless it is one of an organisation or of no person at all.
PERSONAL = re.compile("姓名|证件号|电话|手机|住址|地址|联系人|户名|账号|领款|交款人|病历信息|出生日期|经办人$|填报人")
COMPANY = re.compile("生产企业地址|生产地址|代理人企业地址|申请人单位地址")
# Number of an operator, in 1318 and 1319 without saying so.
NUMBERS = {"opter_id"}
# The account of a hospital says nothing of a patient: it is masked for people, not kept from auditors.
IDENTIFIERS = {"本方账号", "收款账号(医院)"}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_fields_keep_to_the_schema_of_layouts(family):
    document = {"type": "object", "properties": {"any": {}}, "$defs": FAMILIES[family]}
    config.check(document, "layout.schema.json", family)


def test_every_field_has_a_title_in_both_languages_and_a_source():
    lacking = [
        name for name, _, body in FIELDS if not (body.get("title") and body.get("x-en") and body.get("x-source"))
    ]
    inline = [(one.id, field.name) for one in LAYOUTS for field in one.fields if not field.notes.get("x-en")]
    assert (lacking, inline) == ([], [])


def test_every_field_is_used():
    used = {ref for name in config.names(config.LAYOUT) for ref in _references(config.load(config.LAYOUT, name))}
    assert {f"{family}.{code}" for family, defs in FAMILIES.items() for code in defs} == used


def _references(document):
    pattern = re.compile(r"medpay:fields/(\w+)#/\$defs/(\w+)")
    for body in document["properties"].values():
        if found := pattern.fullmatch(body.get("$ref", "")):
            yield ".".join(found.groups())


def test_a_code_list_is_closed_or_open_and_every_one_is_named():
    named = [{one.notes.get("x-codes"), one.notes.get("x-open-codes")} for lay in LAYOUTS for one in lay.fields]
    assert [each for each in named if None not in each] == []
    assert set().union(*named) - {None} == set(LISTS)


def test_a_list_of_which_regions_have_values_of_their_own_is_closed_nowhere():
    local = {
        name for name in LISTS if any("local" in row["scope"].split(":")[0] for row in layouts.code_list(name).values())
    }
    assert {"insutype", "clr_type", "fund_pay_type"} <= local
    assert [(one.id, field.name) for one in LAYOUTS for field in one.fields if field.codes in local] == []


# Codes of a region in fields of other sources that have no room for them.
NO_ROOM = {("commercial_claim.v1", "psn_cert_type"), ("coverage.v1", "psn_cert_type"),
           ("settlement_list.v1", "patn_cert_type")}  # fmt: skip


def test_a_field_has_room_for_every_code_of_its_open_list():
    without = {
        (layout.id, field.name)
        for layout in LAYOUTS
        for field in layout.fields
        if field.open_codes
        and max(map(len, layouts.code_list(field.open_codes))) > dict(field.asserted).get("maxLength", 99)
    }
    assert without == NO_ROOM


def test_what_is_strict_narrows_what_is_read_and_names_its_source():
    for layout in LAYOUTS:
        for field in layout.fields:
            strict, read = field.notes.get("x-strict", {"source": "-"}), dict(field.asserted)
            assert strict["source"], (layout.id, field.name)
            assert strict.get("maxLength", -1) < read.get("maxLength", 1 << 20), (layout.id, field.name)
            assert not ("required" in strict and field.required), (layout.id, field.name)
            assert strict.get("pattern") is None or strict["pattern"] != read.get("pattern"), (layout.id, field.name)


def test_the_strict_layout_has_the_bounds_of_the_layout_and_of_the_field_that_it_refers_to():
    layout = layouts.load("settlement_list")
    read, written = layout.field("fixmedins_code"), layout.strict.field("fixmedins_code")
    assert (read.required, dict(read.asserted)["maxLength"]) == (False, 30)
    assert (written.required, written.asserted[-2:]) == (True, (("pattern", "^[HP][0-9]{11}$"), ("maxLength", 12)))
    assert [keyword for keyword, _ in written.asserted] == ["type", "pattern", "maxLength"]
    assert layout.strict.names == layout.names


@pytest.mark.parametrize("name", LISTS)
def test_a_code_list_is_well_formed(name):
    with (SCHEMAS / "codes" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    codes = [row["code"] for row in rows]
    assert reader.fieldnames[:7] == COLUMNS
    assert len(set(codes)) == len(codes) > 0
    assert {row["same_as"] for row in rows} - {""} <= {row["code"] for row in rows if not row["same_as"]}
    assert [row for row in rows if not row["zh"] or row["code"] != row["code"].strip()] == []
    assert {part for row in rows for part in row["scope"].split(";") if not SCOPE.fullmatch(part)} == set()


def test_whoever_is_named_is_never_shown():
    missed = {
        (layout.id, field.name, field.title("zh"))
        for layout in LAYOUTS
        for field in layout.fields
        if PERSONAL.search(field.title("zh"))
        and not COMPANY.search(field.title("zh"))
        and field.name not in NUMBERS
        and field.sensitivity != ("identifier" if field.title("zh") in IDENTIFIERS else "direct")
    }
    assert missed == set()


def test_free_text_is_never_shown():
    free = {
        "memo",
        "exp_content",
        "main_cond_dscr",
        "adm_cond",
        "setl_proc_info",
        "unchk_memo",
        "summary",
        "emr_full",
        "calc_text",
    }
    found = {field.name: field.sensitivity for layout in LAYOUTS for field in layout.fields if field.name in free}
    assert found == dict.fromkeys(free, "direct")


def test_no_key_shows_a_person():
    assert [(one.id, name) for one in LAYOUTS for name in one.key if one.field(name).sensitivity == "direct"] == []


def test_only_amounts_that_may_be_added_up_are_money():
    never = re.compile("余额|限额|限价|单价|额度|累计|起付线|上限")
    wrong = [(one.id, field.name) for one in LAYOUTS for field in one.money if never.search(field.title("zh"))]
    # A deductible that one settlement has used up and what stands over a limit are amounts of that settlement.
    allowed = {"act_pay_dedc", "overlmt_selfpay", "overlmt_amt", "over_limit_amt"}
    assert [place for place in wrong if place[1] not in allowed] == []
