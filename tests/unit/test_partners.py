"""A partner's own key of a dialect holds where the partner is named, and nowhere else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "reading"))
from medpay_command import medpay

DIALECT = "nhsa-3202-upload"
CONFIG = """\
[partners.east.dialects.nhsa-3202-upload]
encoding = "gbk"

[partners.west.dialects.nhsa-3202-upload]
delimiter = "|"

[partners.none]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """A user's working folder with the settings of two partners, and a file of the second one."""
    monkeypatch.chdir(tmp_path)
    for name in ("MEDPAY_PARTNER", "MEDPAY_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    Path("medpay.toml").write_text(CONFIG, encoding="utf-8")
    medpay("sample", "ledger_detail", "--records", 20, "--seed", 1, "-o", "tabs.txt")
    Path("bars.txt").write_bytes(Path("tabs.txt").read_bytes().replace(b"\t", b"|"))
    return tmp_path


def validated(*args):
    answer = medpay("validate", *args, "--format", "json")
    assert answer.err == ""
    return [(one["verdict"], one["dialect"], one.get("partner")) for one in answer.json["files"]]


def refused(*args):
    answer = medpay("validate", "tabs.txt", *args)
    assert (answer.exit_code, answer.out) == (2, b"")
    return answer.err


def test_without_a_partner_the_shipped_dialect_holds():
    assert validated("tabs.txt") == [("valid", DIALECT, None)]
    assert validated("bars.txt", "--dialect", DIALECT) == [("not_judged", DIALECT, None)]


@pytest.mark.parametrize("named", [(), ("--dialect", DIALECT), ("--layout", "ledger_detail")])
def test_the_partner_s_key_holds_and_is_told(named):
    assert validated("bars.txt", "--partner", "west", *named) == [("valid", DIALECT, "west")]


def test_a_partner_without_that_dialect_reads_the_shipped_one():
    assert validated("tabs.txt", "--partner", "none") == [("valid", DIALECT, None)]


def test_an_encoding_is_declared_by_the_partner():
    Path("gbk.txt").write_bytes(Path("tabs.txt").read_bytes())
    answer = medpay("validate", "gbk.txt", "--dialect", DIALECT, "--partner", "east", "--format", "json")
    assert answer.json["files"][0]["encoding"] == "gb18030"


def test_the_partner_comes_from_the_environment_and_the_option_before_it(monkeypatch):
    monkeypatch.setenv("MEDPAY_PARTNER", "west")
    assert validated("bars.txt") == [("valid", DIALECT, "west")]
    assert validated("tabs.txt", "--partner", "none") == [("valid", DIALECT, None)]


def test_another_file_is_read_where_it_is_named(tmp_path):
    Path("medpay.toml").rename("other.toml")
    assert validated("bars.txt", "--partner", "west", "--config", "other.toml") == [("valid", DIALECT, "west")]
    assert refused("--partner", "west").startswith("error: medpay.toml: ")


def test_inspect_knows_the_partner():
    answer = medpay("inspect", "bars.txt", "--partner", "west", "--format", "json")
    assert (answer.exit_code, answer.json["files"][0]["partner"]) == (0, "west")
    assert medpay("inspect", "bars.txt").exit_code == 2


def test_reconcile_reads_both_sides_as_the_partner_writes_them():
    sides = ("reconcile", "bars.txt", "bars.txt", "--recipe", "ledger", "--format", "json")
    answer = medpay(*sides, "--partner", "west")
    assert (answer.exit_code, answer.json["classes"]["matched"]["keys"]) == (0, 20)
    assert medpay(*sides).exit_code == 3


@pytest.mark.parametrize("named", [("theirs=west",), ("none", "platform=west"), ("west", "hospital=none")])
def test_each_side_of_a_reconcile_has_the_partner_that_is_named_for_it(named):
    options = [text for name in named for text in ("--partner", name)]
    answer = medpay("reconcile", "tabs.txt", "bars.txt", "--recipe", "ledger", *options, "--format", "json")
    assert (answer.exit_code, answer.err, answer.json["classes"]["matched"]["keys"]) == (0, "", 20)
    assert [side.get("partner") for side in answer.json["sides"]] == [None, "west"]


def test_a_partner_of_a_side_that_is_none_is_refused():
    answer = medpay("reconcile", "tabs.txt", "bars.txt", "--recipe", "ledger", "--partner", "insurer=west")
    assert (answer.exit_code, answer.out) == (2, b"")
    assert "insurer" in answer.err
    assert medpay("reconcile", "tabs.txt", "bars.txt", "--recipe", "ledger", "--partner", "theirs=").exit_code == 2


def test_reports_for_people_name_the_partner():
    lines = medpay("validate", "bars.txt", "--partner", "west").out.decode().splitlines()
    assert "bars.txt [ledger_detail.v1, nhsa-3202-upload, utf-8, partner west]: valid" in lines
    lines = medpay("inspect", "bars.txt", "--partner", "west").out.decode().splitlines()
    assert "  this is: nhsa-3202-upload [ledger_detail.v1, partner west], valid" in lines
    sides = ("reconcile", "tabs.txt", "bars.txt", "--recipe", "ledger", "--partner", "theirs=west")
    lines = medpay(*sides).out.decode().splitlines()
    assert lines[:2] == [
        "hospital: tabs.txt [ledger_detail.v1, nhsa-3202-upload]",
        "platform: bars.txt [ledger_detail.v1, nhsa-3202-upload, partner west]",
    ]


def test_an_unknown_partner_is_refused_with_the_known_ones():
    assert refused("--partner", "north") == "error: medpay.toml: no north in [partners]; known: east, west, none\n"


def test_an_unknown_dialect_is_refused_by_name():
    Path("medpay.toml").write_text('[partners.east.dialects.nhsa-3202-uplaod]\nencoding = "gbk"\n', encoding="utf-8")
    assert refused("--partner", "east").startswith(
        "error: medpay.toml: partners.east.dialects.nhsa-3202-uplaod: no such dialect; near: nhsa-3202-upload, "
    )


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (
            "[partners.east.dialects.nhsa-3202-upload]\nencodng = 1",
            ("partners.east.dialects.nhsa-3202-upload", "encodng"),
        ),
        (
            '[partners.east.dialects.nhsa-3202-upload]\nencoding = "cp037"',
            ("partners.east.dialects.nhsa-3202-upload", "encoding", "cp037"),
        ),
        ("[partners.east.dialect.x]\ny = 1", ("partners/east", "dialect")),
        ("[partner.east]", ("partner",)),
    ],
)
def test_an_unknown_key_is_refused_with_the_file_and_its_place(text, places):
    Path("medpay.toml").write_text(text, encoding="utf-8")
    message = refused("--partner", "east")
    assert message.startswith("error: medpay.toml")
    assert [place for place in places if place not in message] == []


def test_the_settings_are_never_written_over():
    answer = medpay("validate", "bars.txt", "--partner", "west", "--output", "json:medpay.toml")
    assert answer.exit_code == 2
    assert Path("medpay.toml").read_text(encoding="utf-8") == CONFIG
