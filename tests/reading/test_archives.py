"""Archives that no partner sends are refused before anything in them is read."""

import gzip
import struct
import zipfile

import pytest
from medpay_command import judged

GOOD = b"S1\tM1\tP1\t1.00\t0.00\t0.00\t0\n"
UPLOAD = ("--dialect", "nhsa-3202-upload")
CENTRAL, END = b"PK\x01\x02", b"PK\x05\x06"


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path.read_bytes()


def overlapping(path):
    whole = zipped(path, [("a.txt", GOOD * 1000)])
    at, end = whole.find(CENTRAL), bytearray(whole[whole.find(END) :])
    entry = whole[at : whole.find(END)]
    struct.pack_into("<HHII", end, 8, 2, 2, 2 * len(entry), at)
    path.write_bytes(whole[:at] + entry + entry.replace(b"a.txt", b"b.txt") + end)


def encrypted(path):
    whole = bytearray(zipped(path, [("a.txt", GOOD)]))
    whole[6] |= 1
    whole[whole.find(CENTRAL) + 8] |= 1
    path.write_bytes(whole)


def link(path):
    made = zipfile.ZipInfo("a.txt")
    made.external_attr = 0o120777 << 16
    zipped(path, [(made, b"/etc/passwd")])


ATTACKS = {
    "a ratio of a thousand to one": lambda path: zipped(path, [("a.txt", b"0" * (64 << 20))]),
    "seventy thousand members": lambda path: zipped(path, [(f"{number}", b"") for number in range(70_000)]),
    "overlapping members": overlapping,
    "an encrypted member": encrypted,
    "a link": link,
    "an archive inside": lambda path: zipped(path, [("a.zip", GOOD)]),
    "a name that leads away": lambda path: zipped(path, [("../a.txt", GOOD)]),
    "an absolute name": lambda path: zipped(path, [("/a.txt", GOOD)]),
    "a drive letter": lambda path: zipped(path, [("C:\\a.txt", GOOD)]),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_by_name(tmp_path, attack):
    ATTACKS[attack](tmp_path / "attack.zip")
    made = judged(tmp_path / "attack.zip", *UPLOAD)
    assert (made["exit_code"], [one["code"] for one in made["findings"]]) == (3, ["F209"])


def test_a_gzip_bomb_stops_at_its_bound(tmp_path):
    path = tmp_path / "bomb.txt.gz"
    path.write_bytes(gzip.compress((b"0" * 1000 + b"\n") * 100_000))
    assert [one["code"] for one in judged(path, *UPLOAD)["findings"]] == ["F209"]


def test_a_size_that_lies_is_a_broken_archive(tmp_path):
    path = tmp_path / "lying.zip"
    whole = bytearray(zipped(path, [("a.txt", GOOD * 1000)]))
    struct.pack_into("<I", whole, whole.find(CENTRAL) + 24, 10)
    path.write_bytes(whole)
    assert [one["code"] for one in judged(path, *UPLOAD)["findings"]] == ["F203"]


def test_a_chinese_name_written_in_gbk_is_understood(tmp_path):
    path, name = tmp_path / "gbk.zip", "结算.txt".encode("gb18030")
    whole = zipped(path, [("x" * len(name), GOOD)])
    path.write_bytes(whole.replace(b"x" * len(name), name))
    made = judged(path, *UPLOAD)
    assert (made["exit_code"], made["files"][0]["member"]) == (0, "结算.txt")
