"""Where lines stand was seen when they were read: the same records are found there as by looking for line ends."""

from __future__ import annotations

import random
from unittest import mock

import numpy as np
import pytest

from medpay_cli import dialects, judging
from medpay_cli.files import Source
from medpay_cli.formats import archive, lines
from medpay_cli.formats.text import cutting, delimited
from medpay_cli.judging import Terms
from medpay_cli.parts import fitted

HEADER = "setl_id\tmdtrt_id\tpsn_no\tmedfee_sumamt\tfund_pay_sumamt\tacct_pay\trefd_setl_flag\texp_content\n"
# A dialect's text, what stands before and behind its records, and an end of lines.
SHAPES = {
    "plain": ("", b"", b""),
    "mark": ("", b"\xef\xbb\xbf", b""),
    "header": ("header = true\nfree_order = true\n", HEADER.encode(), b""),
    "around": ('preamble = 2\nfooter = ["END"]\n', b"\xef\xbb\xbfa list\nof today\n", b"END of it\n"),
}  # fmt: skip
HEAD = (
    'title = { zh = "自定", en = "own" }\nformat = "delimited"\nlayout = "ledger_detail"\nencoding = "utf-8"\n'
    'delimiter = "\\t"\n'
)


def records(rng: random.Random, count: int, width: int) -> bytes:
    """Records of different lengths, a few of them wrong."""
    names = ("S", "门诊" * rng.randrange(3), "y" * rng.randrange(20))
    made = [
        f"{rng.choice(names)}{number}\tV\tP1\t{rng.randrange(10**6)}.50\t0.00\t{'1e3' if number % 20 == 7 else 0}\t0"
        for number in range(count)
    ]
    return "\n".join(one + "\tx" * (width - 7) for one in made).encode() + rng.choice((b"\n", b""))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scattered", [16, 0, 10**6])
def test_what_stands_somewhere_is_found_there(tmp_path, shape, scattered):
    said, before, behind = SHAPES[shape]
    (tmp_path / "own.toml").write_text(HEAD + "widths = [7]\n" * ("header" not in said) + said, encoding="utf-8")
    parts, dialect = fitted(dialects.load(str(tmp_path / "own.toml")))
    for seed in range(12):
        rng = random.Random(f"{shape}{seed}")  # noqa: S311
        count = rng.choice((1, 2, 40, 300))
        body = records(rng, count, dialect.widths[0] if dialect.widths else 8)
        path = tmp_path / "file.txt"
        path.write_bytes(before + body + (b"" if body.endswith(b"\n") or not behind else b"\n") + behind)
        source, part = archive.inputs(Source(str(path))), rng.choice((200, 4096))
        with (
            mock.patch.object(cutting, "PART", part),
            mock.patch.object(delimited, "SUSPICIOUS", 1),
            mock.patch.object(lines, "SCATTERED", scattered),
        ):
            begun = judging.begun(source, parts, dialect, lambda *_: None, Terms(), looks_at=frozenset())
            [[desk]] = begun.parts
            assert desk.made.verdict.records == count
            for share in (0.0, 0.01, 0.5, 1.0):
                wanted = np.array([rng.random() < share for _ in range(count)], np.bool_)
                with path.open("rb") as stream:
                    seen = desk.spans.excerpt(stream, wanted)
                with path.open("rb") as stream:
                    looked_for = lines.excerpt(stream, desk.made.lines, wanted)
                assert seen is not None
                assert seen.lines.tolist() == looked_for.lines.tolist()
                assert content(seen) == content(looked_for)


def content(found: lines.Excerpt) -> bytes:
    """The bytes of an excerpt."""
    found.text.seek(0)
    return found.text.read()


@pytest.mark.parametrize(
    "body", [b"S1\tV1\tP1\t1.00\t0.00\t0.00\t0\r\n", b"S1\tV1\tP1\t1.00\t0.00\t0.00\t0\n\n", b"S1\tV1\n"]
)
def test_of_other_lines_nobody_knows(tmp_path, body):
    """Other line ends, lines that are no record, records of another width."""
    (tmp_path / "own.toml").write_text(HEAD + "widths = [7]\n", encoding="utf-8")
    parts, dialect = fitted(dialects.load(str(tmp_path / "own.toml")))
    path = tmp_path / "file.txt"
    path.write_bytes(b"S0\tV0\tP1\t1.00\t0.00\t0.00\t0\n" + body)
    [[desk]] = judging.begun(archive.inputs(Source(str(path))), parts, dialect, lambda *_: None, Terms()).parts
    with path.open("rb") as stream:
        assert desk.spans.excerpt(stream, np.ones(desk.made.verdict.records, np.bool_)) is None
