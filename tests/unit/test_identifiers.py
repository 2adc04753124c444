"""Identifiers: what is well formed, malformed, damaged by a spreadsheet or unknown, each kind by hand-written texts."""

import csv
import os
import random
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from medpay_cli import config, files, identifiers, layouts
from medpay_cli.errors import MedpayError

AS_OF = date(2026, 11, 25)
X = pl.col("x")
LAYOUTS = [layouts.load(name) for name in config.names(config.LAYOUT)]


def column(texts):
    return pl.DataFrame({"x": texts}, schema={"x": pl.String})


def asked(expression, *texts):
    return column(texts).select(expression).to_series().to_list()


def with_check(body):
    """The 17 digits and the check digit that GB 11643 gives for them, by its table of weights."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]


def with_character(body):
    """The 17 characters and the check character that GB 32100 gives for them, by its table of weights."""
    weights = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
    total = sum(CHARACTERS.index(each) * weight for each, weight in zip(body, weights, strict=True))
    return body + CHARACTERS[(31 - total % 31) % 31]


CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"

SOUND = {
    "citizen_id": [
        "11010519491231002X",  # the standard's own
        "11010519491231002x",
        "110105491231002",
        "110105000101001",
        "110105990228001",
        with_check("11010519000101001"),
        with_check("65010119990131123"),
        with_check("11010520000229001"),
        with_check("11010520240229001"),
        with_check("11010520261125001"),  # born on the day itself
        with_check("71000019800101001"),
        with_check("81000019800101001"),
        with_check("82000019800101001"),
        with_check("83000019800101001"),
        with_check("93112419810803002"),
        with_check("11019919800101001"),  # a division in no list
    ],
    "uscc": ["91350100M000100Y43", "91110000600037341L", with_character("Y9430102ABCDEFGHJ"),
             with_character("N2430102KLMNPQRTU"), with_character("11430102WXY012345")],
    "institution": ["H43028100255", "P62100200036"],
    "practitioner": ["D430102000123", "Y110000000001", "N43010200012", "N430102000123", "HN43010200012",
                     "HN430102000123"],
    "msgid": ["H43010200001202402292359590001", "P43010200001199912310000009999"],
    "division": ["110105", "000000"],
    "drug_western": ["XN01AHF027B002010101435", "XL02BBA326A001010102180"],
    "drug_patent": ["ZC01AAA0042010105549"],
    "drug": ["XN01AHF027B002010101435", "ZC01AAA0042010105549"],
    "herbal_piece": ["T000700345"],
    "preparation": ["AB012345678", "A0123456789", "ZZ" + "0" * 24],
    "consumable": ["C0101010011303807555", "C01010100113038075550000001"],
    "service_item": ["001102000010000", "013105170010001", "331102000010000"],
    "catalogue_code": ["XN01AHF027B002010101435", "ZC01AAA0042010105549", "T000700345", "C0101010011303807555",
                       "C01010100113038075550000001", "001102000010000", "B0123456789", "B" + "0" * 25],
    "icd10": ["A01", "A01.0", "A01.000", "A01.000x005", "I10.x00", "I10.x00x002", "A17.0+", "J17.0*", "J17*",
              "A01.000x005+J17.0*", "A01.000x005+ J17.0*", "A17.000+G01*", "A18.000+M01.100x001*M49.0*"],
    "icd9cm3": ["36.06", "36.0600", "45.1300x001", "45.13x001", "00.1000"],
    "einvoice_code": ["43060124"],
    "einvoice_number": ["0026896566", "0000000000"],
    "einvoice_check": ["c748a8", "C748A8", "012345"],
}  # fmt: skip

MALFORMED = {
    "citizen_id": [
        "",
        "110105194912310021",
        "X10105194912310021",
        "1101051949123100X1",
        "11010519491231002X\n",
        " 11010519491231002X",
        "11010519491231002X0",
        "1010519491231002X",
        "11010549123100",
        "1101054912310021",
        "11010549123100X",
        "110105490230001",
        "110105491301001",
        "110105490001001",
        "110105490132001",
        "110105490100001",
        "810000800101001",
        "930000800101001",
        "160105491231002",
        with_check("44052418800101001"),  # the standard's own, born in 1880
        with_check("11010518991231001"),
        with_check("11010519000229001"),  # no leap year
        with_check("11010520230229001"),
        with_check("11010520230431001"),
        with_check("11010520231301001"),
        with_check("11010520230001001"),
        with_check("11010520230132001"),
        with_check("11010520230100001"),
        with_check("11010520261126001"),  # born tomorrow
        with_check("11010521000101001"),
        with_check("10000019800101001"),
        with_check("16010119800101001"),
        with_check("66010119800101001"),
        with_check("70000019800101001"),
        with_check("80000019800101001"),
        with_check("84000019800101001"),
        with_check("01010519800101001"),
    ],
    "uscc": ["", "91350100M000100Y44", "91350100m000100y43", "91350100M000100Y4", "91350100M000100Y430",
             "91350100I000100Y43", "91350100O000100Y43", "91350100S000100Y43", "91350100V000100Y43",
             "91350100Z000100Y43", "913501AAM000100Y43", "91350100-M000100Y4", "I1350100M000100Y43"],
    "institution": ["H4302810025", "H430281002550", "D43028100255", "h43028100255", "H4302810025A"],
    "practitioner": ["D43010200012", "D4301020001234", "Y43010200012", "N4301020001", "N4301020001234",
                     "HN4301020001", "HD43010200012", "DOC001", "d430102000123"],
    "msgid": ["H43010200001202302292359590001", "H43010200001202402292459590001", "H43010200001202402292360590001",
              "H43010200001202413012359590001", "H4301020000120240229235959000", "H430102000012024022923595900011",
              "D43010200001202402292359590001"],
    "division": ["11010", "1101055", "11010A", "１１０１０５"],
    "drug_western": ["XN01AHF027B00201010143", "XN01AHF027B0020101014350", "ZN01AHF027B002010101435",
                     "xN01AHF027B002010101435", "X101AHF027B002010101435", "XNA1AHF027B002010101435",
                     "XN01A1F027B002010101435", "XN01AH1027B002010101435", "XN01AHFA27B002010101435",
                     "XN01AHF0271002010101435", "XN01AHF027BA02010101435", "XN01AHF027B00201010143A"],
    "drug_patent": ["ZC01AAA004201010554", "ZC01AAA00420101055490", "XC01AAA0042010105549", "Z101AAA0042010105549",
                    "ZCA1AAA0042010105549", "ZC01A1A0042010105549", "ZC01AA10042010105549", "ZC01AAAA042010105549"],
    "drug": ["T000700345", "XC01AAA0042010105549", ""],
    "herbal_piece": ["T00070034", "T0007003450", "t000700345", "T00070034A"],
    "preparation": ["AB" + "0" * 25, "A012345678", "ab0123456789", "0123456789012"],
    "consumable": ["C010101001130380755", "C01010100113038075550", "C0101010011303807555000001",
                   "C010101001130380755500000011", "c0101010011303807555", "C010101001130380755A"],
    "service_item": ["00110200001000", "0011020000100000", "00110200001000A", "001102000010000\n"],
    "catalogue_code": ["XN01AHF027B00201010143", "ZC01AAA004201010554", "T00070034", "C010101001130380755",
                       "00110200001000", "B012345678", "B" + "0" * 26, "b01234567890", ""],
    "icd10": ["", "A0", "01.000", "a01.000", "A01.", "A01.0000", "A01.000X005", "A01.000x05", "A01.000x0050",
              "A01.0x0", "A01.000 x005", "A01.000++", "A01.000+J17.0", "A01.0+J17.0*"],
    "icd9cm3": ["36", "36.", "36.0", "36.060", "36.06000", "6.0600", "136.06", "36.0600x01", "36.0600X001",
                "36.0600x0010"],
    "einvoice_code": ["4306012", "430601245", "4306012A"],
    "einvoice_number": ["002689656", "00268965660", "002689656A"],
    "einvoice_check": ["c748a", "c748a88", "c748a-"],
}  # fmt: skip

DAMAGED = {
    "citizen_id": ["1.10105E+17", "1.1010519491231e+17", "1E+17", "1,10105E+17", "1.10105E17", "110105194912310000",
                   "110105491231002.0", "110105491231002.00", "110,105,194,912,310,000", "110,105,491,231,002.00",
                   "１１０１０５１９４９１２３１００２１", "11010519491231002Ｘ", "11010519491231002ｘ",
                   "'11010519491231002X",
                   "‘11010519491231002X", "’11010519491231002X", "＇11010519491231002X", "`11010519491231002X",
                   '="11010519491231002X"', "\t11010519491231002X", "11010519491231002X\t"],
    "uscc": ["9.11E+17", "911100006000373000"],
    "service_item": ["1.102E+12", "1102000010000", "5102000010000", "13105170010000", "1102000010000.0"],
    "catalogue_code": ["1102000010000", "13105170010000", "'001102000010000", "Ｔ000700345"],
    "icd9cm3": ["6.2", "6.2000", "0.1", "45.0"],
    "einvoice_number": ["26896566", "1", "123456789"],
    "einvoice_check": ["1", "12345"],
    "division": ["110105.0", "110,105"],
}  # fmt: skip

NOT_DAMAGED = {
    "citizen_id": ["", "110105194912310021", "11010519491231000", "1101051949123100000", "E+17", "1.10105E-17",
                   "12E+17",
                   "1.5", "1.0.0", ".0", "110105491231002.", "1101,05", ",110", "110,1055", "110''", "=110",
                   "11010519491231002X'", "＋", "110105194912310001"],
    "uscc": ["91110000600037300A", "91110000600037300"],
    "service_item": ["6102000010000", "0110200001000", "110200001000", "23105170010000", "11020000100000000"],
    "icd9cm3": ["06.2", "6.20000", "6.", "6"],
    "einvoice_number": ["026896566", "0", "12345678901"],
    "einvoice_check": ["01234", "0", "1234567", "1234a"],
    "einvoice_code": ["4306012"],
    "division": ["11010"],
}  # fmt: skip

KNOWN = {
    "citizen_id": [with_check("11010519800101001"), with_check("81000019800101001"), with_check("71000019800101001"),
                   with_check("93112419810803002"), "110105491231002"],
    "uscc": ["91350100M000100Y43", with_character("91100000710000000")],
    "institution": ["H43028100255", "H43990000255", "H43999900255"],
    "division": ["110000", "110105", "100000", "430100", "810000", "439900", "439999"],
    "service_item": ["001102000010000", "013105170010000", "331102000010000", "651102000010000"],
    "einvoice_code": ["43060124"],
}  # fmt: skip

UNKNOWN = {
    "citizen_id": [with_check("11019919800101001"), with_check("81010119800101001"), "110199491231002"],
    "uscc": [with_character("91999999600037341")],
    "institution": ["H11019900255"],
    "division": ["000000", "110199", "840000", "819900", "439901", "990000"],
    "service_item": ["021102000010000", "661102000010000", "101102000010000", "811102000010000"],
    "einvoice_code": ["00060124", "66060124"],
}  # fmt: skip


def cases(table):
    return [pytest.param(name, text, id=f"{name}-{text!r}") for name, texts in table.items() for text in texts]


def test_every_kind_has_examples_of_both_sorts():
    assert list(SOUND) == list(MALFORMED) == list(identifiers.kinds())


@pytest.mark.parametrize(("name", "text"), cases(SOUND))
def test_what_is_well_formed_is_neither_malformed_nor_damaged(name, text):
    assert asked(identifiers.malformed(name, X, AS_OF), text) == [False]
    assert asked(identifiers.damaged(name, X, AS_OF), text) == [False]


@pytest.mark.parametrize(("name", "text"), cases(MALFORMED))
def test_what_is_not_of_the_shape_or_fails_its_check_is_malformed(name, text):
    assert asked(identifiers.malformed(name, X, AS_OF), text) == [True]


@pytest.mark.parametrize(("name", "text"), cases(DAMAGED))
def test_what_only_a_spreadsheet_leaves_is_damaged_and_malformed(name, text):
    assert asked(identifiers.damaged(name, X, AS_OF), text) == [True]
    assert asked(identifiers.malformed(name, X, AS_OF), text) == [True]


@pytest.mark.parametrize(("name", "text"), cases(NOT_DAMAGED))
def test_what_is_wrong_otherwise_is_malformed_without_damage(name, text):
    assert asked(identifiers.malformed(name, X, AS_OF), text) == [True]
    assert asked(identifiers.damaged(name, X, AS_OF), text) == [False]


def test_a_number_that_ends_in_zeros_and_whose_check_digit_holds_is_not_damaged():
    number = "110105198001070000"
    assert with_check(number[:17]) == number
    assert asked(identifiers.malformed("citizen_id", X, AS_OF), number) == [False]
    assert asked(identifiers.damaged("citizen_id", X, AS_OF), number) == [False]


@pytest.mark.parametrize(("name", "text"), cases(KNOWN))
def test_a_listed_division_is_not_unknown(name, text):
    assert asked(identifiers.unknown(name, X, AS_OF), text) == [False]


@pytest.mark.parametrize(("name", "text"), cases(UNKNOWN))
def test_a_division_in_no_list_is_unknown_and_not_malformed(name, text):
    assert asked(identifiers.unknown(name, X, AS_OF), text) == [True]
    assert asked(identifiers.malformed(name, X, AS_OF), text) == [False]


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_malformed_is_not_also_unknown(name):
    assert asked(identifiers.unknown(name, X, AS_OF), *MALFORMED[name]) == [False] * len(MALFORMED[name])


def test_kinds_without_a_list_cannot_say_what_is_unknown():
    without = {name for name, one in identifiers.kinds().items() if one.place is None}
    assert without == identifiers.kinds().keys() - KNOWN.keys()
    with pytest.raises(ValueError, match="no list says which icd10 exist"):
        identifiers.unknown("icd10", X)


@pytest.mark.parametrize("name", identifiers.kinds())
def test_nothing_is_said_of_what_is_absent(name):
    told = [identifiers.malformed(name, X), identifiers.damaged(name, X)]
    told += [identifiers.unknown(name, X)] if identifiers.kind(name).place else []
    assert [asked(each, None, "?")[0] for each in told] == [None] * len(told)


def test_of_a_citizen_that_is_absent_nothing_is_told():
    assert [asked(each(X), None) for each in (identifiers.birth, identifiers.sex, identifiers.family)] == [[None]] * 3


@pytest.mark.parametrize(
    ("text", "born", "sex"),
    [
        ("11010519491231002X", date(1949, 12, 31), "2"),
        ("110105491231002", date(1949, 12, 31), "2"),
        ("110105491231001", date(1949, 12, 31), "1"),
        (with_check("11010519491231019"), date(1949, 12, 31), "1"),
        (with_check("11010520000229120"), date(2000, 2, 29), "2"),
        (with_check("11010520261125003"), date(2026, 11, 25), "1"),
        (with_check("11010520261126003"), None, None),
        ("110105194912310021", None, None),
        ("110105490230001", None, None),
        ("１１０１０５４９１２３１００２", None, None),
        ("", None, None),
    ],
)
def test_birth_and_sex_are_read_from_what_is_well_formed_alone(text, born, sex):
    assert asked(identifiers.birth(X, AS_OF), text) == [born]
    assert asked(identifiers.sex(X, AS_OF), text) == [sex]


@pytest.mark.parametrize("digit", range(10))
def test_odd_is_male_and_even_is_female(digit):
    expected = ["1" if digit % 2 else "2"]
    assert asked(identifiers.sex(X), with_check(f"1101051980010100{digit}")) == expected
    assert asked(identifiers.sex(X), f"11010580010100{digit}") == expected


def test_without_a_day_nobody_is_born_after_today():
    today = date.today()
    born = [f"110105{day:%Y%m%d}001" for day in (today, date(today.year + 1, 1, 1))]
    assert asked(identifiers.malformed("citizen_id", X), *map(with_check, born)) == [False, True]
    assert asked(identifiers.birth(X), *map(with_check, born)) == [today, None]


def test_sexes_and_families_are_codes_of_their_lists():
    assert {code: layouts.code_list("gend")[code]["zh"] for code in (identifiers.MALE, identifiers.FEMALE)} == {
        "1": "男",
        "2": "女",
    }
    told = {code for one in identifiers.kinds().values() for code in one.list_types}
    assert told <= layouts.code_list("list_type").keys()


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("XN01AHF027B002010101435", "101"),
        ("ZC01AAA0042010105549", "101"),
        ("T000700345", "102"),
        ("C0101010011303807555", "301"),
        ("C01010100113038075550000001", "301"),
        ("001102000010000", "201"),
        ("B01234567890", None),
        ("00110200001000", None),
        ("XN01AHF027B00201010143", None),
    ],
)
def test_the_shape_of_a_catalogue_code_tells_its_family(text, family):
    assert asked(identifiers.family(X), text) == [family]


@pytest.mark.parametrize(
    ("text", "list_type", "other"),
    [
        ("XN01AHF027B002010101435", "101", False),
        ("XN01AHF027B002010101435", "104", True),
        ("ZC01AAA0042010105549", "104", False),
        ("ZC01AAA0042010105549", "102", True),
        ("T000700345", "102", False),
        ("T000700345", "106", False),
        ("T000700345", "201", True),
        ("C0101010011303807555", "301", False),
        ("C0101010011303807555", "101", True),
        ("001102000010000", "201", False),
        ("001102000010000", "301", True),
        ("001102000010000", "103", False),  # of preparations no shape is known
        ("001102000010000", None, None),
        ("B01234567890", "201", None),
        (None, "201", None),
    ],
)
def test_a_code_under_the_list_type_of_another_family_is_told(text, list_type, other):
    frame = pl.DataFrame({"x": [text], "t": [list_type]}, schema={"x": pl.String, "t": pl.String})
    assert frame.select(identifiers.of_other_family(X, pl.col("t"))).item() is other


@pytest.mark.parametrize("character", CHARACTERS)
def test_every_character_of_a_credit_code_has_its_value(character):
    first = with_character(f"91430102{character}00000000")
    last = with_character(f"91430102{character * 9}")
    assert asked(identifiers.malformed("uscc", X), first, last) == [False, False]


def one_changed(number, characters):
    """Every text that differs in one place."""
    for place, old in enumerate(number):
        for new in characters if place < 17 else LAST[characters]:
            if new != old:
                yield number[:place] + new + number[place + 1 :]


def two_swapped(number):
    """Every text of which two neighbours, not the same, have changed places."""
    for place in range(17):
        if number[place] != number[place + 1]:
            yield number[:place] + number[place + 1] + number[place] + number[place + 2 :]


DIGITS = "0123456789"
LAST = {DIGITS: DIGITS + "X", CHARACTERS: CHARACTERS}


def invented(chance):
    day = date.fromordinal(chance.randrange(date(1930, 1, 1).toordinal(), date(2024, 1, 1).toordinal()))
    return with_check(f"{chance.choice(['110105', '430102', '650101'])}{day:%Y%m%d}{chance.randrange(1000):03}")


def test_one_digit_changed_or_two_neighbours_swapped_are_always_found():
    chance = random.Random(6)  # noqa: S311 - invented numbers
    sound = [invented(chance) for _ in range(100)]
    assert asked(identifiers.malformed("citizen_id", X, AS_OF), *sound) == [False] * 100
    wrong = [text for number in sound for text in (*one_changed(number, DIGITS), *two_swapped(number))]
    assert len(wrong) > 17_000
    assert all(asked(identifiers.malformed("citizen_id", X, AS_OF), *wrong))


def test_one_character_of_a_credit_code_changed_or_two_swapped_are_always_found():
    chance = random.Random(6)  # noqa: S311 - invented numbers
    sound = [with_character("91430102" + "".join(chance.choices(CHARACTERS, k=9))) for _ in range(20)]
    assert asked(identifiers.malformed("uscc", X), *sound) == [False] * 20
    wrong = [text for number in sound for text in (*one_changed(number, CHARACTERS), *two_swapped(number))]
    assert len(wrong) > 9_000
    assert all(asked(identifiers.malformed("uscc", X), *wrong))


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_both_engines_say_the_same_of_every_kind(engine):
    texts = [text for table in (SOUND, MALFORMED, DAMAGED) for texts in table.values() for text in texts]
    told = [identifiers.malformed(name, X, AS_OF).alias(name) for name in identifiers.kinds()]
    found = column(texts).lazy().select("x", *told).collect(engine=engine)
    for name in identifiers.kinds():
        well = found.filter(~pl.col(name))["x"].to_list()
        assert set(SOUND[name]) <= set(well)
        assert set(MALFORMED[name]).isdisjoint(well)


def test_a_kind_that_nobody_knows_is_refused_by_name():
    with pytest.raises(MedpayError) as caught:
        identifiers.malformed("citizen", X)
    assert (caught.value.key, caught.value.values["name"]) == ("unknown_identifier", "citizen")
    assert "citizen_id, uscc" in caught.value.values["known"]


def test_a_field_of_an_unknown_kind_is_refused():
    schema = {"type": "object", "properties": {"a": {"type": "string", "x-identifier": "citizen"}}}
    with pytest.raises(MedpayError) as caught:
        layouts.build(schema, "own.json")
    assert caught.value.key == "unknown_identifier"


def test_the_data_of_every_kind_is_complete():
    for one in identifiers.kinds().values():
        assert one.confidence in ("verified", "observed", "memory")
        assert one.source
        assert set(one.titles) == {"zh", "en"}
        assert one.check in (None, *identifiers.CHECKS)
    checks = {one.check for one in identifiers.kinds().values()} - {None}
    assert checks == set(identifiers.CHECKS)


def test_every_kind_is_one_of_a_field_or_part_of_one():
    used = {field.identifier for layout in LAYOUTS for field in layout.fields} - {None}
    data = config.parse(files.schemas() / "identifiers.toml")["kinds"]
    parts = {part for name in used for part in data[name].get("any_of", ())}
    assert used | parts == set(identifiers.kinds())


def test_where_a_field_is_an_identifier_stands_in_its_code_list():
    told = {
        (name, value)
        for layout in LAYOUTS
        for field in layout.identified
        for name, values in field.identifier_when.items()
        for value in values
        if value not in layouts.code_list(layout.field(name).codes or layout.field(name).notes["x-open-codes"])
    }
    assert told == set()


def test_what_a_record_does_not_tell_is_no_identifier_there():
    left_out = {
        (layout.id, field.name)
        for layout in LAYOUTS
        for field in layout.fields
        if field.identifier and field not in layout.identified
    }
    assert left_out == {
        ("crossregion_clearing.v1", "certno"),
        ("crossregion_confirm.v1", "certno"),
        ("online_visit.v1", "diag_code"),
        ("settlement_list_opspdiseinfo.v1", "diag_code"),
    }


def test_certificates_are_citizen_ids_where_their_type_says_so():
    found = {
        layout.id: field.identifier_when
        for layout in LAYOUTS
        for field in layout.identified
        if field.identifier == "citizen_id"
    }
    plain = {"psn_cert_type": ("01", "17")}
    assert found == {
        "commercial_claim.v1": plain,
        "coverage.v1": plain,
        "settlement.v1": plain,
        "settlement_list.v1": {"patn_cert_type": ("01", "17")},
    }


def test_a_diagnosis_of_the_catalogue_is_always_an_icd_code():
    assert layouts.load("catalogue_1307").field("diag_code").identifier_when == {}
    assert layouts.load("diagnosis").field("diag_code").identifier_when == {"diag_type": ("1",)}


@pytest.mark.skipif("MEDPAY_CORPUS" not in os.environ, reason="MEDPAY_CORPUS is not set; .ci/run points it at data")
def test_real_catalogue_codes_are_well_formed_and_known():
    columns = {"code", "code_a", "code_b", "drug_code", "main_code", "surcharge_code", "parent_code"}
    codes = set()
    for path in (Path(os.environ["MEDPAY_CORPUS"]) / "nhsa-rules").glob("*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            codes |= {row[name] for row in csv.DictReader(file) for name in columns & row.keys() if row[name]}
    told = column(sorted(codes)).select(
        identifiers.malformed("catalogue_code", X).alias("malformed"),
        identifiers.unknown("service_item", X).alias("unknown"),
        identifiers.family(X).alias("family"),
    )
    assert told.sum().select("malformed", "unknown").row(0) == (0, 0)
    assert dict(told["family"].value_counts().iter_rows()) == {"101": 1211, "201": 3116}
