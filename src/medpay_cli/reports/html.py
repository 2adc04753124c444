"""The reports for people as one file of HTML that needs nothing else: no script, no network, nothing of the data as
markup."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import BinaryIO

from medpay_cli import __version__
from medpay_cli.findings import Outcome
from medpay_cli.matching import Reconciliation
from medpay_cli.reports import Style, statement_text, text
from medpay_cli.reports.console import printable

LANGUAGES = {"zh": "zh-CN", "en": "en"}


def validation(outcome: Outcome, out: BinaryIO, style: Style) -> None:
    """What `text` says of files, on a page."""
    page = Page(style, "medpay validate")
    text.tell(page, outcome, style)
    out.write(page.bytes)


def reconciliation(result: Reconciliation, out: BinaryIO, style: Style) -> None:
    """What `text` says of two sides, on a page."""
    page = Page(style, " ".join(part for part in ("medpay reconcile", result.recipe) if part))
    statement_text.tell(page, result, style)
    out.write(page.bytes)


class Page:
    """A page in the making; the verdict stands on top. `bytes` is what is written."""

    def __init__(self, style: Style, heading: str) -> None:
        self._language, self._heading = LANGUAGES[style.lang], heading
        self._verdict = ""
        self._parts: list[str] = []
        self._is_list = False

    def title(self, text: str) -> None:
        """A section begins."""
        self._put(f"<h2>{_safe(text)}</h2>")

    def line(self, text: str = "") -> None:
        """A paragraph."""
        if text:
            self._put(f"<p>{_safe(text)}</p>")

    def item(self, text: str) -> None:
        """One of several things below a title."""
        if not self._is_list:
            self._parts.append("<ul>")
        self._is_list = True
        self._parts.append(f"<li>{_safe(text)}</li>")

    def remark(self, text: str) -> None:
        """What to know of them."""
        self._put(f'<p class="note">{_safe(text)}</p>')

    def note(self, label: str, text: str) -> None:
        """The same, with what it is about before it."""
        self._put(f'<p class="note"><b>{_safe(label)}</b> {_safe(text)}</p>')

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1) -> None:
        """A table as wide as it needs to be."""
        head = "".join(f'<th scope="col"{_kind(at, left)}>{_safe(name)}</th>' for at, name in enumerate(columns))
        body = "".join(f"<tr>{_row(row, left)}</tr>\n" for row in rows)
        self._put(f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>')

    def verdict(self, text: str, level: str) -> None:
        """What it comes to, in words and in colour."""
        self._verdict = f'<p class="verdict {level}">{_safe(text)}</p>'

    def _put(self, part: str) -> None:
        if self._is_list:
            self._parts.append("</ul>")
        self._is_list = False
        self._parts.append(part)

    @property
    def bytes(self) -> bytes:
        """The whole page in UTF-8."""
        self._put("")
        css = Path(__file__).with_name("html.css").read_text(encoding="utf-8")
        # Only this style is followed: a file from elsewhere cannot smuggle one in, nor anything to load.
        digest = b64encode(hashlib.sha256(css.encode()).digest()).decode()
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        return "\n".join((
            "<!DOCTYPE html>",
            f'<html lang="{self._language}">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{_safe(self._heading)}</title>",
            f"<style>{css}</style>",
            "</head>",
            "<body><main>",
            f"<h1>{_safe(self._heading)}</h1>",
            self._verdict,
            *self._parts,
            f"<footer>medpay {__version__}</footer>",
            "</main></body></html>",
            "",
        )).encode()  # fmt: skip


def _row(cells: Iterable[str], left: int) -> str:
    return "".join(
        f'<th scope="row"{_kind(0, left, cell)}>{_safe(cell)}</th>'
        if at == 0
        else f"<td{_kind(at, left)}>{_safe(cell)}</td>"
        for at, cell in enumerate(cells)
    )


def _kind(at: int, left: int, cell: str = "") -> str:
    """Numbers stand right; what belongs to the row above stands in."""
    name = "number" if at >= left else "inner" if cell.startswith("  ") else ""
    return f' class="{name}"' if name else ""


def _safe(text: str) -> str:
    return escape(printable(text)).replace("\n", "<br>")
