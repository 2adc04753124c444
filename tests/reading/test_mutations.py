"""A wrong file is never accepted with other content: every mutation of a clean file has its verdict and address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from medpay_command import judged
from mutations import (
    BOM,
    CHARGES,
    CHARGES_DIALECT,
    CHARGES_LAYOUT,
    FEE,
    LEDGER,
    MARKED,
    ON_CHARGES,
    ON_LEDGER,
    PAID,
    Mutation,
    cells,
    lines,
    records,
)

CLEAN = {"ledger": LEDGER, "charges": CHARGES}
DECLARED = {"ledger": FEE, "charges": PAID}
MUTATIONS = {(kind, name): one for kind, all_ in (("ledger", ON_LEDGER), ("charges", ON_CHARGES))
             for name, one in all_.items()}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A file, and what became of it; None for what was not written."""

    kind: str
    content: bytes
    document: dict[str, Any]
    accepted: bytes | None
    rejected: bytes | None
    written: frozenset[str]

    @property
    def is_quoted(self) -> bool:
        """Whether it has quotes and a header."""
        return self.kind == "charges"


def validated(folder: Path, kind: str, content: bytes, *options: str) -> Made:
    """Validate a file, as a user does who wants the records apart."""
    path, accepted, rejected = (folder / name for name in ("file.txt", "accepted", "rejected"))
    path.write_bytes(content)
    dialect = "nhsa-3202-upload"
    if kind == "charges":
        (folder / "charges.json").write_text(CHARGES_LAYOUT, encoding="utf-8")
        (folder / "charges.toml").write_text(CHARGES_DIALECT, encoding="utf-8")
        dialect = str(folder / "charges.toml")
        options = ("--layout", str(folder / "charges.json"), *options)
    with mock.patch("os.fsync"):  # the pace of the disk is not what is tested
        document = judged(path, "--dialect", dialect, "--accepted", accepted, "--rejected", rejected, *options)
    written = frozenset(one.name for one in folder.iterdir()) - {"file.txt", "charges.json", "charges.toml"}
    held = (one.read_bytes() if one.exists() else None for one in (accepted, rejected))
    return Made(kind, content, document, *held, written)


def made_of(keys):
    """A fixture: each of these mutations and what became of the file, made once for all tests of it."""

    @pytest.fixture(scope="module", params=keys, ids=[": ".join(key) for key in keys])
    def made(request, tmp_path_factory) -> tuple[Mutation, Made]:
        kind, _ = request.param
        mutation = MUTATIONS[request.param]
        folder = tmp_path_factory.mktemp("mutation")
        return mutation, validated(folder, kind, mutation.change(CLEAN[kind]), *mutation.options)

    return made


judged_one = made_of([key for key, one in MUTATIONS.items() if one.exit_code != 3])
refused_one = made_of([key for key, one in MUTATIONS.items() if one.exit_code == 3])


def as_expected(mutation: Mutation, made: Made) -> None:
    """Exit code and addresses are those written by hand."""
    found = {(one["row"], one["field"], one["code"]) for one in made.document["findings"]}
    assert (made.document["exit_code"], found) == (mutation.exit_code, mutation.found)


def test_a_judged_file_has_its_exit_code_and_its_addresses(judged_one):
    as_expected(*judged_one)


def test_no_accepted_record_differs_from_those_of_the_clean_file(judged_one):
    mutation, made = judged_one
    if mutation.harmless:
        clean, found = (
            sorted(cells(content.decode(encoding).removeprefix("\ufeff"), quoted=made.is_quoted))
            for content, encoding in ((CLEAN[made.kind], "utf-8"), (made.accepted, mutation.encoding))
        )
        assert found == clean
    else:
        assert set(without_ends(made.accepted, made)) <= set(without_ends(CLEAN[made.kind], made))


def without_ends(content: bytes, made: Made) -> list[bytes]:
    """The records below the header."""
    found = records(content.removeprefix(BOM))[made.is_quoted :]
    return [one.removesuffix(b"\n").removesuffix(b"\r") for one in found]


def test_accepted_and_rejected_are_the_records_of_the_file_in_order(judged_one):
    mutation, made = judged_one
    whole, accepted, rejected = (
        lines(decoded(content, made, mutation.encoding))[made.is_quoted :]
        for content in (made.content, made.accepted, made.rejected)
    )
    assert interleaved(accepted, rejected, [line for line in whole if line not in (b"\n", b"\r\n")])


def decoded(content: bytes, made: Made, encoding: str) -> bytes:
    """The content in UTF-8 without the mark that the file begins with; bad bytes as they are."""
    if encoding != "utf-8":
        content = content.decode(encoding).encode()
    return content.removeprefix(BOM) if made.content.startswith(tuple(MARKED.values())) else content


def interleaved(first: list[bytes], second: list[bytes], whole: list[bytes]) -> bool:
    """Whether the two lists, merged in some way that keeps the order of each, are the whole one."""
    if len(first) + len(second) != len(whole):
        return False
    taken = {0}  # how many of the first list may have been taken so far
    for count, line in enumerate(whole):
        from_first = {one + 1 for one in taken if first[one : one + 1] == [line]}
        from_second = {one for one in taken if second[count - one : count - one + 1] == [line]}
        taken = from_first | from_second
    return bool(taken)


def test_a_refused_file_has_exit_code_3_and_its_addresses(refused_one):
    as_expected(*refused_one)


def test_of_a_refused_file_nothing_is_written(refused_one):
    _, made = refused_one
    assert made.written == frozenset()


@pytest.mark.parametrize("kind", CLEAN)
def test_the_clean_file_is_accepted_whole(tmp_path, kind):
    made = validated(tmp_path, kind, CLEAN[kind], *DECLARED[kind])
    assert (made.document["exit_code"], made.document["findings"], made.accepted) == (0, [], CLEAN[kind])


def test_every_mutation_changes_the_file():
    assert [key for key, one in MUTATIONS.items() if one.change(CLEAN[key[0]]) == CLEAN[key[0]]] == []


def test_the_width_expected_is_named_where_every_record_under_a_header_has_another_delimiter(tmp_path):
    change = ON_CHARGES["separator: semicolons under a header with commas"].change
    [found] = validated(tmp_path, "charges", change(CHARGES)).document["findings"]
    assert found["expected"] == ",: 6"
