"""What every text report is made of: a console in memory, plain tables, amounts and safe text."""

from __future__ import annotations

import io
from collections.abc import Iterable
from decimal import Decimal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from medpay_cli import money
from medpay_cli.reports import Style

WIDEST = 10_000


class Page:
    """A text report in the making; `bytes` is what is written."""

    def __init__(self, style: Style) -> None:
        self._buffer = io.StringIO()
        self._console = Console(
            file=self._buffer,
            width=style.width,
            force_terminal=style.color,
            no_color=not style.color,
            color_system="standard" if style.color else None,
            highlight=False,
            emoji=False,
            markup=False,
        )

    def line(self, text: str = "", style: str = "") -> None:
        """One line, never wrapped: it may be grepped."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    def title(self, text: str) -> None:
        """A line that opens a section."""
        self.line(text, "bold")

    def item(self, text: str) -> None:
        """One of several things below a title."""
        self.line(f"  {text}")

    def remark(self, text: str) -> None:
        """What to know of them."""
        self.line(f"  {text}")

    def note(self, label: str, text: str) -> None:
        """The same, with what it is about before it."""
        self.line(f"  {label}: {text}")

    def verdict(self, text: str, _: str) -> None:
        """What it comes to, in words."""
        self.title(text)

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1) -> None:
        """A plain table; the first `left` columns are text, the others numbers."""
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for number, column in enumerate(columns):
            is_text = number < left
            made.add_column(column, justify="left" if is_text else "right", overflow="fold", no_wrap=not is_text)
        for row in rows:
            made.add_row(*(Text(printable(cell)) for cell in row))
        # Words may be folded, an amount never: the table is as wide as it needs to be.
        width = self._console.width
        self._console.width = WIDEST
        needed = self._console.measure(made).minimum
        self._console.width = max(needed, width)
        self._console.print(made)
        self._console.width = width
        self.line()

    @property
    def bytes(self) -> bytes:
        """The page in UTF-8, without spaces at the ends of lines."""
        return "".join(f"{line.rstrip()}\n" for line in self._buffer.getvalue().splitlines()).encode()


def yuan(amount: Decimal, scale: int) -> str:
    """An amount with thousands separators, for people only."""
    return f"{Decimal(money.written(amount, scale)):,}"


def printable(text: str) -> str:
    """The text with control characters spelled out, so that no data can steer a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)
