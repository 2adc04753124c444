"""What other programs read of `validate`: SARIF, JUnit XML and annotations of GitHub, held against them."""

import json
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from lxml import etree

sys.path.append(str(Path(__file__).parents[1] / "reading"))
sys.path.append(str(Path(__file__).parents[1] / "formats"))
from medpay_command import medpay
from workbooks import workbook

HERE = Path(__file__).parent

UPLOAD = ("--dialect", "nhsa-3202-upload")
# A record of each kind: valid; an amount of too many decimals; too short; wrong in three cells.
GOOD = "S1\tM1\tP1\t10.00\t7.00\t0.00\t0\n"
DECIMALS = "S{}\tM2\tP2\t1.005\t7.00\t0.00\t0\n"
SHORT = "S3\tM3\tP3\t10.00\n"
THRICE = "S4\tM4\t\t1e3\t7.00\t0.00\t9\n"
PERSON, VISIT = "PERSON" + "7" * 30, "VISIT" + "8" * 30
HOSTILE, UNSEEN = "[go](http://x.test) {0} %0A::error::x: z ]]> <b> &amp;", "\x07\x85\u202e\ufffe"
OWN = {
    "title": "t", "type": "object", "required": ["fee"], "x-key": ["no"],
    "properties": {
        "no": {"type": "string", "title": "no"},
        "memo": {"type": "string", "title": "memo", "maxLength": 3},
        "fee": {"type": "number", "format": "money", "x-digits": 16, "x-scale": 2, "title": "fee"},
    },
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with files of every kind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.txt").write_text(GOOD + DECIMALS.format(2) + SHORT + THRICE, encoding="utf-8")
    (tmp_path / "good.txt").write_text(GOOD, encoding="utf-8")
    (tmp_path / "cut.txt").write_text(GOOD + "S9\tM9", encoding="utf-8")
    (tmp_path / "一个 #1,2:3.txt").write_text(GOOD + SHORT, encoding="utf-8")
    (tmp_path / "people.txt").write_text(
        f"{PERSON}\t{VISIT}\tS1\tH1\t0\t0\tREMARK{'9' * 600}\t1.00\t1.00\t0.00\t\n", encoding="utf-8"
    )
    with zipfile.ZipFile(tmp_path / "sent.zip", "w") as archive:
        archive.writestr("日/明细.txt", GOOD + SHORT)
        archive.writestr("other.txt", GOOD)
    (tmp_path / "own.json").write_text(json.dumps(OWN), encoding="utf-8")
    for form in ("delimited", "xlsx", "json"):
        words = {"delimited": 'delimiter = ","\nheader = true', "xlsx": "header = true", "json": ""}[form]
        text = f'title = {{ zh = "t", en = "t" }}\nlayout = "own.json"\nformat = "{form}"\n{words}\n'
        (tmp_path / f"{form}.toml").write_text(text, encoding="utf-8")
    cells = [("no", "memo", "fee"), ("1", "long", "1.00"), ("2", "ok", "x")]
    rows = "".join(
        f'<row r="{at}">'
        + "".join(f'<c r="{"ABC"[to]}{at}" t="str"><v>{cell}</v></c>' for to, cell in enumerate(row))
        + "</row>"
        for at, row in enumerate(cells, 1)
    )
    (tmp_path / "own.xlsx").write_bytes(workbook(rows))
    (tmp_path / "records.json").write_text(
        json.dumps([dict(zip(cells[0], row, strict=True)) for row in cells[1:]]), encoding="utf-8"
    )
    (tmp_path / "hostile.csv").write_text(f"no,memo,fee\n1,{HOSTILE},1.00\n2,{UNSEEN},1.00\n", encoding="utf-8")
    return tmp_path


CASES = {
    "findings": ("wrong.txt", *UPLOAD),
    "nothing found": ("good.txt", *UPLOAD),
    "not judged": ("cut.txt", *UPLOAD),
    "some judged, some not": ("good.txt", "cut.txt", "wrong.txt", *UPLOAD),
    "the same file twice": ("wrong.txt", "wrong.txt", *UPLOAD),
    "an odd name": ("./一个 #1,2:3.txt", *UPLOAD),
    "members of an archive": ("sent.zip!/*", *UPLOAD),
    "a member of an archive": ("sent.zip!/日/明细.txt", *UPLOAD),
    "identifiers": ("people.txt", "--dialect", "nhsa-3202-result"),
    "structure only": ("good.txt", "--layout", "none"),
    "a workbook": ("own.xlsx", "--dialect", "xlsx.toml"),
    "a document": ("records.json", "--dialect", "json.toml"),
    "characters of every kind": ("hostile.csv", "--dialect", "delimited.toml"),
    "totals contradicted": ("good.txt", *UPLOAD, "--expect", "records=2"),
    "rules left out": ("wrong.txt", *UPLOAD, "--ignore", "L103"),
}


def report(form, *words):
    """What stdout carries; the exit code is the same as that of every other report."""
    answer, other = (medpay("validate", *words, "--format", one) for one in (form, "json"))
    assert (answer.exit_code, answer.err) == (other.exit_code, "")
    return answer.out.decode()


def every(*words):
    """All findings as ndjson has them, without their texts."""
    lines = [json.loads(line) for line in medpay("validate", *words, "--format", "ndjson").out.splitlines()]
    return [{key: one[key] for key in one if one[key] is not None} for one in lines if one["type"] == "finding"]


# SARIF

with (HERE / "sarif-2.1.0.json").open(encoding="utf-8") as schema:
    SARIF = jsonschema.Draft4Validator(json.load(schema))


def sarif(*words):
    """The only run of a log that the schema of SARIF knows."""
    log = json.loads(report("sarif", *words))
    assert list(SARIF.iter_errors(log)) == []
    (run,) = log["runs"]
    return run


PLACE = ("file", "member", "node", "row", "line", "field", "column", "path", "expected")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("folder")
def test_sarif_is_what_its_schema_says_and_holds_every_finding(case):
    run = sarif(*CASES[case])
    expected = [
        (one["code"], one["severity"], {key: one[key] for key in PLACE if key in one}) for one in every(*CASES[case])
    ]
    found = run["results"]
    assert [
        (one["ruleId"], one["level"], {key: one["properties"][key] for key in PLACE if key in one["properties"]})
        for one in found
    ] == expected
    assert [run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] for one in found] == [one["ruleId"] for one in found]
    assert {one["id"] for one in run["tool"]["driver"]["rules"]} == {one["ruleId"] for one in found}
    counted = Counter(one["ruleId"] for one in found)
    summary = run["properties"]["summary"]
    assert sum(counted.values()) == summary["findings_total"]
    for count in summary["counts"]:
        counted[count["code"]] -= count["count"]
    assert not any(counted.values())


@pytest.mark.usefixtures("folder")
def test_the_invocation_of_sarif_says_what_was_not_judged():
    def said(*words):
        one = sarif(*words, "--lang", "en")["invocations"][0]
        notes = one.pop("toolExecutionNotifications", [])
        where = [note["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for note in notes]
        return one, [(note["level"], note["message"]["text"]) for note in notes], where

    assert said("good.txt", *UPLOAD) == ({"executionSuccessful": True, "exitCode": 0}, [], [])
    assert said("wrong.txt", *UPLOAD) == ({"executionSuccessful": True, "exitCode": 1}, [], [])
    one = ({"executionSuccessful": False, "exitCode": 4}, [("error", "not judged")], ["cut.txt"])
    assert said("wrong.txt", "cut.txt", *UPLOAD) == one
    assert said(*CASES["structure only"])[1] == [("note", "structure only")]


def at(result):
    """File, line, node or address."""
    (place,) = result["locations"]
    inside = [(one.get("name"), one.get("fullyQualifiedName")) for one in place.get("logicalLocations", [])]
    file = place["physicalLocation"]
    return file["artifactLocation"]["uri"], file.get("region"), inside


@pytest.mark.parametrize(
    ("case", "place"),
    {
        "an odd name": ("%E4%B8%80%E4%B8%AA%20%231%2C2%3A3.txt", {"startLine": 2}, []),
        "a member of an archive": ("/%E6%97%A5/%E6%98%8E%E7%BB%86.txt", {"startLine": 2}, []),
        "a workbook": ("own.xlsx", None, [(None, "B2")]),
        "a document": ("records.json", None, [(None, "/0/memo")]),
        "not judged": ("cut.txt", {"startLine": 2}, []),
    }.items(),
)
@pytest.mark.usefixtures("folder")
def test_a_result_of_sarif_stands_where_its_reader_looks(case, place):
    assert at(sarif(*CASES[case])["results"][0]) == place


@pytest.mark.usefixtures("folder")
def test_a_member_in_sarif_has_its_archive_for_a_parent():
    run = sarif(*CASES["members of an archive"])
    assert run["artifacts"] == [
        {"location": {"uri": "sent.zip"}},
        {"location": {"uri": "/%E6%97%A5/%E6%98%8E%E7%BB%86.txt"}, "parentIndex": 0},
        {"location": {"uri": "/other.txt"}, "parentIndex": 0},
    ]
    assert [one["locations"][0]["physicalLocation"]["artifactLocation"]["index"] for one in run["results"]] == [1]


def test_a_path_below_the_working_folder_is_relative_in_sarif_any_other_one_is_whole(folder, monkeypatch):
    path = folder / "wrong.txt"
    assert at(sarif(path, *UPLOAD)["results"][0])[0] == "wrong.txt"
    (folder / "a").mkdir()
    monkeypatch.chdir(folder / "a")
    assert at(sarif(path, *UPLOAD)["results"][0])[0] == f"file://{path}"


@pytest.mark.usefixtures("folder")
def test_a_fingerprint_in_sarif_is_of_one_finding_and_stays():
    prints = [
        [(one["ruleId"], *one["partialFingerprints"].values()) for one in sarif("wrong.txt", *UPLOAD)["results"]]
        for _ in range(2)
    ]
    assert prints[0] == prints[1]
    assert len(set(prints[0])) == len(prints[0]) == 5


@pytest.mark.usefixtures("folder")
def test_what_a_file_holds_is_no_link_and_no_placeholder_in_sarif():
    (one,) = [one for one in sarif(*CASES["characters of every kind"])["results"] if one["ruleId"] == "L108"]
    assert "[go] (http://x.test) {{0}} " in one["message"]["text"]
    assert one["properties"]["value"] == HOSTILE


def test_sarif_holds_more_findings_than_are_read_at_once(folder):
    many = 45_003
    (folder / "many.txt").write_text("".join(DECIMALS.format(f"A{row}") for row in range(many)), encoding="utf-8")
    run = sarif("many.txt", *UPLOAD)
    assert [one["properties"]["row"] for one in run["results"]] == list(range(1, many + 1))
    assert run["properties"]["summary"]["findings_total"] == many


@pytest.mark.usefixtures("folder")
def test_the_rules_of_sarif_are_told_in_the_language_asked_for():
    for lang, language, title in (
        ("zh", "zh-CN", "字段个数不符"),
        ("en", "en", "record with the wrong number of fields"),
    ):
        driver = sarif("wrong.txt", *UPLOAD, "--lang", lang)["tool"]["driver"]
        (rule,) = [one for one in driver["rules"] if one["id"] == "F101"]
        assert (driver["language"], rule["shortDescription"]["text"]) == (language, title)
        assert rule["defaultConfiguration"] == {"level": "error"}


# JUnit

JUNIT = etree.XMLSchema(etree.parse(HERE / "junit-10.xsd"))


def junit(*words):
    """The suites of a document that Jenkins takes, when their numbers tie."""
    root = etree.fromstring(report("junit", *words).encode())
    JUNIT.assertValid(root)
    for suite in root:
        for name, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(name)) == len(suite.findall(f"testcase/{element}"))
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
    for name in ("tests", "failures", "errors"):
        assert int(root.get(name)) == sum(int(suite.get(name)) for suite in root)
    return {suite.get("name"): suite for suite in root}


def told(suite):
    """The cases of a suite: name → the element inside and its message."""
    return {
        case.get("name"): [(one.tag, one.get("message")) for one in case if one.tag != "system-out"]
        for case in suite.findall("testcase")
    }


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("folder")
def test_junit_is_what_jenkins_reads_and_counts_every_finding(case):
    suites = junit(*CASES[case])
    document = medpay("validate", *CASES[case], "--format", "json").json
    names = [f"{one['path']}!/{one['member']}" if one["member"] else one["path"] for one in document["files"]]
    assert list(suites) == list(dict.fromkeys(names))
    shown = [one.text or one.get("message") for suite in suites.values() for one in suite.iter("failure", "system-out")]
    failing = [one.get("message") for suite in suites.values() for one in suite.iter("failure")]
    counted = [int(text.split()[-1].replace(",", "")) for text in failing]
    assert sum(counted) == sum(one["count"] for one in document["counts"] if one["severity"] == "error")
    assert len(shown) >= len({one["code"] for one in document["counts"]})


@pytest.mark.usefixtures("folder")
def test_junit_tells_failures_from_what_is_not_judged_and_from_what_was_looked_at_in_part():
    assert told(junit("good.txt", *UPLOAD)["good.txt"]) == {"verdict": []}
    assert told(junit("cut.txt", *UPLOAD)["cut.txt"]) == {
        "verdict": [("error", "not judged")],
        "F206 last record short and unterminated": [("failure", "error 1")],
    }
    assert told(junit(*CASES["structure only"])["good.txt"])["verdict"] == [("skipped", "structure only")]


@pytest.mark.parametrize(
    ("fail_on", "failing"),
    {"error": {"F107"}, "warning": {"F107", "F104"}, "never": set()}.items(),
)
def test_a_failure_in_junit_is_what_makes_the_exit_code_1(folder, fail_on, failing):
    (folder / "blank.txt").write_text(GOOD + "\n" + GOOD.replace("S1", "S\x0b2"), encoding="utf-8")
    answer = medpay("validate", "blank.txt", *UPLOAD, "--fail-on", fail_on)
    assert answer.exit_code == int(bool(failing))
    cases = told(junit("blank.txt", *UPLOAD, "--fail-on", fail_on)["blank.txt"])
    assert {name[:4] for name, inside in cases.items() if inside} == failing
    assert {name[:4] for name in cases} == {"verd", "F104", "F107"}


@pytest.mark.usefixtures("folder")
def test_junit_shows_the_first_findings_of_a_code_and_says_how_many_it_does_not():
    Path("many.txt").write_text("".join(DECIMALS.format(f"A{row}") for row in range(9)), encoding="utf-8")
    (failure,) = junit("many.txt", *UPLOAD, "--max-shown", "2")["many.txt"].iter("failure")
    lines = failure.text.splitlines()
    assert failure.get("message") == "error 9"
    assert [line[:7] for line in lines] == ["row 1: ", "row 2: ", "… 7 mor", "fix: Ke"]


@pytest.mark.usefixtures("folder")
def test_characters_that_xml_does_not_know_are_spelled_out_in_junit():
    suite = junit(*CASES["characters of every kind"])["hostile.csv"]
    texts = {one.get("type"): one.text for one in suite.iter("failure")}
    assert r"'\x07\x85\x202e\xfffe'" in texts["F107"]
    assert f"'{HOSTILE}'" in texts["L108"]


@pytest.mark.usefixtures("folder")
def test_a_suite_of_junit_says_what_was_read_and_what_it_sums_up_to():
    suite = junit("wrong.txt", *UPLOAD)["wrong.txt"]
    assert {one.get("name"): one.get("value") for one in suite.iter("property")} == {
        "layout": "ledger_detail.v1", "dialect": "nhsa-3202-upload", "encoding": "utf-8", "verdict": "findings",
        "records": "4", "accepted": "1", "rejected": "3",
        "total medfee_sumamt": "10.00", "total fund_pay_sumamt": "21.00", "total acct_pay": "0.00",
        "rejected medfee_sumamt": "0.00", "rejected fund_pay_sumamt": "14.00", "rejected acct_pay": "0.00",
    }  # fmt: skip


# GitHub

COMMAND = re.compile(r"^::([a-z]+)(?: ([^\n]*?))?::([^\n]*)$")


def commands(*words):
    """What the runner of GitHub makes of the lines: kind, properties and message of each."""
    made = []
    for line in report("github", *words).split("\n")[:-1]:
        kind, properties, message = COMMAND.match(line).groups()
        pairs = dict(one.split("=", 1) for one in properties.split(","))
        made.append((kind, {name: unescaped(text, PROPERTY) for name, text in pairs.items()}, unescaped(message, DATA)))
    return made


DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}
PROPERTY = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


def unescaped(text, places):
    for written, meant in places.items():
        text = text.replace(written, meant)
    return text


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("folder")
def test_annotations_are_printed_for_every_code_and_counted_exactly(case):
    *annotations, (kind, properties, message) = commands(*CASES[case])
    document = medpay("validate", *CASES[case], "--format", "json").json
    counts = Counter()
    for one in document["counts"]:
        counts[one["code"]] += one["count"]
    assert Counter(one[1]["title"][:4] for one in annotations) == {
        code: min(5, count) for code, count in counts.items()
    }
    assert {one[0] for one in annotations} <= {"error", "warning"}
    assert (kind, properties["title"].split(":")[0]) == ("notice", "verdict")
    told = {line[:4]: line for line in message.splitlines() if line[:1] in "FLB" and line[1:4].isdigit()}
    assert {code: int(re.search(r": ([0-9,]+)", line)[1]) for code, line in told.items()} == counts


@pytest.mark.usefixtures("folder")
def test_an_annotation_names_file_line_and_title():
    assert commands("./一个 #1,2:3.txt", *UPLOAD)[0] == (
        "error",
        {"file": "一个 #1,2:3.txt", "line": "2", "title": "F101 record with the wrong number of fields"},
        "row 2: record has 4 fields or columns, expected 7",
    )
    assert commands(*CASES["a member of an archive"])[0][1:] == (
        {"file": "sent.zip", "title": "F101 record with the wrong number of fields"},
        "sent.zip!/日/明细.txt row 2: record has 4 fields or columns, expected 7",
    )
    assert "line" not in commands(*CASES["a workbook"])[0][1]


@pytest.mark.usefixtures("folder")
def test_the_first_finding_of_every_code_is_annotated_before_the_second_of_any():
    Path("many.txt").write_text("".join(DECIMALS.format(f"A{row}") for row in range(9)) + SHORT * 3, encoding="utf-8")
    *annotations, (_, properties, message) = commands("many.txt", *UPLOAD, "--max-shown", "2")
    assert [one[1]["title"][:4] for one in annotations] == ["F101", "L103", "F101", "L103"]
    assert properties == {"title": "verdict: findings 1 (error 12, warning 0)"}
    assert message.splitlines() == [
        "F101 record with the wrong number of fields: 3 (… 1 more)",
        "L103 wrong format: 9 (… 7 more)",
        "rule not judged: C203 fee is not what fund, person and hospital bear: lacks hosp_part_amt, psn_part_amt",
    ]


@pytest.mark.usefixtures("folder")
def test_what_a_file_holds_is_no_command_of_its_own():
    found = commands(*CASES["characters of every kind"])
    assert all(set(properties) <= {"file", "line", "title"} for _, properties, _ in found)
    (message,) = [message for _, properties, message in found if properties["title"].startswith("L108")]
    assert f"'{HOSTILE}'" in message


# All three

THREE = ("sarif", "junit", "github")


@pytest.mark.parametrize("form", THREE)
@pytest.mark.usefixtures("folder")
def test_identifiers_are_masked_and_direct_values_hidden_unless_asked_for(form):
    words = ("people.txt", "--dialect", "nhsa-3202-result")
    masked, shown = report(form, *words), report(form, *words, "--show-values")
    assert [text in masked for text in ("PE***", "VI***", PERSON[:12], VISIT[:12], "REMARK")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [text in shown for text in (PERSON, VISIT, "REMARK")] == [True, True, True]


@pytest.mark.parametrize("form", THREE)
@pytest.mark.usefixtures("folder")
def test_rules_that_were_left_out_are_named(form):
    assert "L103" in report(form, *CASES["rules left out"])


@pytest.mark.parametrize("form", THREE)
@pytest.mark.usefixtures("folder")
def test_a_file_holds_the_same_bytes_as_stdout(form):
    answer = medpay("validate", "wrong.txt", *UPLOAD, "--format", form, "--output", f"{form}:out")
    assert Path("out").read_bytes() == answer.out
