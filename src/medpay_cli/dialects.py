"""A dialect says how records of a layout are written in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from medpay_cli import config
from medpay_cli.errors import MedpayError


@dataclass(frozen=True)
class Shifted:
    """Records of one width in which column `skip` is no field, told by what stands in other columns (from 1)."""

    width: int
    skip: int
    empty: tuple[int, ...] = ()
    amount: tuple[int, ...] = ()
    not_amount: tuple[int, ...] = ()


@dataclass(frozen=True)
class Limits:
    """Beyond these a file is not judged: bytes of a field, bytes of a line, fields of a record."""

    field: int = 1 << 20
    line: int = 16 << 20
    columns: int = 4096


@dataclass(frozen=True)
class Dialect:
    """A party's file habits. Without a header, a record of width n holds the layout's first n fields.

    With one, columns are found by name, in the layout's order unless `free_order`; `headings` says which field a name
    of the partner's own means, `other_columns` whether there may be more than the layout's. `preamble` counts the
    lines before the header or the first record, `footer` is how each line after the last record begins.
    """

    name: str
    layout: str
    delimiter: str = "\t"
    quote: str = ""
    encoding: str | None = None
    header: bool = False
    nulls: tuple[str, ...] = ()
    other_columns: bool = False
    free_order: bool = False
    headings: Mapping[str, str] = field(default_factory=dict)
    preamble: int = 0
    footer: tuple[str, ...] = ()
    final_line_end: bool = False
    limits: Limits = Limits()
    trim: bool = False
    widths: tuple[int, ...] = ()
    mixed_widths: bool = False
    shifted: tuple[Shifted, ...] = ()

    def fitted(self, names: tuple[str, ...]) -> Dialect:
        """The dialect for a layout of these fields; without widths a record has them all.

        Raises MedpayError for what no file could mean.
        """
        fields = len(names)
        reasons = [f"widths {width} > {fields}" for width in self.widths if width > fields]
        for case in self.shifted:
            columns = (case.width, case.skip, *case.empty, *case.amount, *case.not_amount)
            reasons += [f"shifted {column} > {case.width}" for column in columns if column > case.width]
            if case.width not in (self.widths or (fields,)):
                reasons.append(f"shifted {case.width}, widths {self.widths or fields}")
            if not (case.empty or case.amount or case.not_amount):
                reasons.append("shifted: empty, amount, not_amount")
        if not self.header and max(self.widths, default=fields) > self.limits.columns:
            reasons.append(f"limits columns {self.limits.columns}")
        reasons += [f"headings {name}" for name in sorted(set(self.headings.values()) - set(names))]
        if self.headings and not self.header:
            reasons.append("headings, header = false")
        if not self.delimiter.isascii() or self.delimiter in ("\r", "\n", self.quote):
            reasons.append(f"delimiter {self.delimiter!r}")
        if reasons:
            raise MedpayError("dialect_fault", path=self.name, reason="; ".join(reasons))
        return self if self.header or self.widths else replace(self, widths=(fields,))

    def held_width(self, fits: Mapping[int, int]) -> int | None:
        """The width that most records fit, the smaller on a tie; None where a file may mix them.

        `fits` counts per permitted width the records that have it, or it and one empty field more.
        """
        if self.mixed_widths or len(self.widths) < 2:
            return None
        return min(self.widths, key=lambda width: (-fits.get(width, 0), width))


def names() -> list[str]:
    """The shipped dialects."""
    return config.names(config.DIALECT)


def load(name: str) -> Dialect:
    """The dialect behind a shipped name or a user's FILE.toml. Raises MedpayError."""
    document = config.load(config.DIALECT, name)
    if document["layout"].endswith(config.LAYOUT.suffix):  # beside the dialect that names it
        document["layout"] = str(Path(name).parent / document["layout"])
    same = (
        "layout", "delimiter", "quote", "encoding", "header", "other_columns", "free_order", "headings", "preamble",
        "final_line_end", "trim", "mixed_widths",
    )  # fmt: skip
    plain = {key: document[key] for key in same if key in document}
    return Dialect(
        name=name,
        nulls=tuple(document.get("nulls", ())),
        footer=tuple(document.get("footer", ())),
        limits=Limits(**document.get("limits", {})),
        widths=tuple(sorted(document.get("widths", ()))),
        shifted=tuple(
            Shifted(
                width=case["width"],
                skip=case["skip"],
                empty=tuple(case.get("empty", ())),
                amount=tuple(case.get("amount", ())),
                not_amount=tuple(case.get("not_amount", ())),
            )
            for case in document.get("shifted", ())
        ),
        **plain,
    )
