"""Where a finding stands, in the words of programs that show it beside a file."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any
from urllib.parse import quote

from medpay_cli.findings import FileVerdict, Outcome

# What `file` and `member` of a finding name.
File = tuple[str, str | None]


def files_of(outcome: Outcome) -> dict[File, FileVerdict]:
    """Each file once, with the verdict on its first node."""
    found: dict[File, FileVerdict] = {}
    for one in outcome.files:
        found.setdefault((one.path, one.member), one)
    return found


def relative(path: str) -> str:
    """A path from the working folder where it is below it: programs that show files know them so."""
    whole, here = posixpath.normpath(path), Path.cwd().as_posix()
    return posixpath.relpath(whole, here) if whole.startswith(f"{here}/") else whole


def uri(path: str) -> str:
    """The same as a URI."""
    found = relative(path)
    return f"file://{quote(found)}" if posixpath.isabs(found) else quote(found)


def line_of(finding: dict[str, Any], files: dict[File, FileVerdict]) -> int | None:
    """The line of text that it stands on; a row of a sheet is none."""
    one = files.get((finding["file"], finding["member"]))
    line: int | None = finding["line"]
    return line if one is not None and one.is_text else None
