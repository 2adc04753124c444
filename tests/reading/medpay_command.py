"""Run `medpay` as a user does, in this process or in one of its own, and hold every answer to what is always true."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from unittest import mock

from medpay_cli.cli import main

ENGLISH = {"MEDPAY_LANG": "en"}


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    exit_code: int
    out: bytes
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The document on stdout."""
        return json.loads(self.out)


def medpay(*args: object, stdin: bytes = b"") -> Answer:
    """Run a command in this process: the whole path from words to exit code, without 0.4 s of imports."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with (
        mock.patch.dict(os.environ, ENGLISH),
        mock.patch.object(sys, "argv", ["medpay", *map(str, args)]),
        mock.patch.object(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin))),
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
    ):
        try:
            main()
        except SystemExit as left:
            code = left.code
        out.flush()
        err.flush()
    return Answer(code, out.buffer.getvalue(), err.buffer.getvalue().decode())


def medpay_process(*args: object, stdin: bytes = b"", **environment: str) -> Answer:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "medpay_cli", *map(str, args)],
        input=stdin, capture_output=True, check=False, timeout=60, env={**os.environ, **ENGLISH, **environment},
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr.decode())


def judged(*args: object, stdin: bytes = b"") -> dict[str, Any]:
    """The json document of `medpay validate`, when its numbers tie."""
    answer = medpay("validate", *args, "--format", "json", stdin=stdin)
    assert answer.err == ""
    document = answer.json
    assert document["exit_code"] == answer.exit_code
    ties(document)
    return document


def ties(document: dict[str, Any]) -> None:
    """Accepted and rejected are all records and all money; every finding is counted."""
    for file in document["files"]:
        assert file["accepted"] + file["rejected"] == file["records"]
        for name, total in file["totals"].items():
            parts = Decimal(file["accepted_totals"][name]), Decimal(file["rejected_totals"][name])
            assert sum(parts) == Decimal(total), name
    assert sum(counted["count"] for counted in document["counts"]) == document["findings_total"]
    if "findings" in document:
        assert len(document["findings"]) == document["findings_shown"]


def codes(document: dict[str, Any]) -> dict[str, int]:
    """How many findings there are of each code."""
    counts: dict[str, int] = {}
    for counted in document["counts"]:
        counts[counted["code"]] = counts.get(counted["code"], 0) + counted["count"]
    return counts


def places(document: dict[str, Any]) -> list[tuple[int | None, int | None, str | None, str]]:
    """Where the findings are: row, line, field, code."""
    return [(found["row"], found["line"], found["field"], found["code"]) for found in document["findings"]]
