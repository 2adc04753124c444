"""A user's own files: a drawn layout in a drawn dialect, mostly sound, with cells that mean more than they seem to."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from medpay_cli import config, sieves
from medpay_cli.control import NAME, Declared
from medpay_cli.desk import Terms
from medpay_cli.dialects import Dialect, Limits, Shifted
from medpay_cli.errors import MedpayError
from medpay_cli.formats.cells import AMOUNT
from medpay_cli.layouts import Field, Layout
from medpay_cli.partners import Profile
from medpay_cli.waivers import Waiver

from . import generated
from .generated import Case, Pool

# Fields whose cells a pattern can prove, at the limits of what one proves.
FIELDS: dict[str, Any] = {
    "name": {"type": "string", "maxLength": 6},
    "long": {"type": "string", "maxLength": 64, "minLength": 2},
    "longer": {"type": "string", "maxLength": 65},
    "endless": {"type": "string", "minLength": 3},
    "digits": {"type": "string", "pattern": "^[0-9]+$", "maxLength": 4},
    "spelt": {"type": "string", "pattern": "^(?:[0-9]{1,3}-)?[a-f0-9]*x$"},
    "either": {"type": "string", "pattern": "^(?:0|[1-9][0-9]*)\\.?$"},
    "sign": {"type": "string", "enum": ["^", "-", "é", "(a)", "医", "a b", "0", "1.00"]},
    "mark": {"type": "string", "enum": ["a|b", "a", "b;"]},
    "day": {"type": "string", "format": "date"},
    "clock": {"type": "string", "format": "datetime"},
    "kind": {"type": "string", "x-open-codes": "med_type", "maxLength": 4},
    "flag": {"type": "string", "x-codes": "refd_setl_flag"},
    "fee": {"type": "number", "format": "money"},
    "paid": {"type": "number", "format": "money"},
    "owed": {"format": "money", "x-digits": 20, "x-scale": 2},
    "fen": {"type": "integer", "format": "money", "x-digits": 12, "x-scale": 0},
    "fine": {"type": "number", "format": "money", "x-digits": 36, "x-scale": 18},
    "price": {"type": "number", "format": "decimal", "x-digits": 10, "x-scale": 6},
    "least": {"type": "number", "minimum": 0, "maximum": Decimal("99.5")},
    "any": {},
}
RULED = (
    "ledger_detail",
    "fee_line",
    "settlement",
    "commercial_claim",
    "commercial_claim_line",
    "price_item",
    "clearing",
)
TEXTS = {"spelt": ("12-ffx", "x", "0x"), "either": ("0", "10.", "9"), "digits": ("0001", "12"), "mark": ("a|b", "a")}
DAYS = {"date": ("2024-01-31", "1999-12-01") * 3, "datetime": ("2024-01-31 23:59:59",) * 4}
NULLS = ((), (), ("NULL",), ("null", "-"), ("0",), ("0.00", "1e3"), ("a|b", "x\ty"), ("", "\\N"), ("+1", " 1"))
MARKS = ("\t", "|", ",", ";", "^", "!", "\x01", "\x1f", "|@|", "@@", "||", "~", "a")
OTHERS = ("", "x", "医", "0", "1.00", "更多", "\x85", "\u200b", "𠮷𠮷")


def case(rng: random.Random) -> Case:
    """Fields to be drawn from, with texts for their cells; those of a shipped layout are what rules speak of."""
    if rng.random() < 0.5:
        made = generated.case(config.load(config.LAYOUT, rng.choice(RULED)), rng)
        return Case(made.layout, {one.name: _plain(one, made.pools[one.name]) for one in made.layout.fields})
    drawn, made = generated.drawn(rng), generated.case({"type": "object", "properties": FIELDS}, rng)
    fields, pools = (*drawn.layout.fields, *made.layout.fields), drawn.pools | made.pools
    return Case(Layout("own.v1", fields, (), {}), {one.name: _plain(one, pools[one.name]) for one in fields})


def _plain(field: Field, pool: Pool) -> Pool:
    """With more valid texts, and without those that no line of text could hold."""
    more = TEXTS.get(field.name, ()) or DAYS.get(field.form, ()) if len(field.asserted) == 2 else ()
    valid = [text for text in (*pool.get(frozenset(), ()), *more) if text and text.isprintable()]
    return {violated: texts for violated, texts in pool.items() if violated} | ({frozenset(): valid} if valid else {})


@dataclass(frozen=True)
class File:
    """A layout, a dialect, and bytes in it."""

    layout: Layout
    dialect: Dialect
    content: bytes


def files(case: Case, rng: random.Random, count: int) -> Iterator[File]:
    """Some files of some of its fields."""
    while count:
        own, of_all = case.layout.fields, len(case.layout.fields)
        fields = [*own] if rng.random() < 0.3 else rng.sample(own, min(of_all, rng.choice((1, 2, 4, 7, 10))))
        fields = [replace(one, required=rng.random() < 0.4) for one in fields]
        fields = [one for one in fields if sieves.certain(one) or one.form not in ("money", "decimal")]
        if not fields:
            continue
        fields = [one for one in fields if not one.required or case.pools[one.name].get(frozenset())] or fields[:1]
        names = [one.name for one in fields]
        key = tuple(rng.sample(names, min(len(names), rng.choice((0, 1, 1, 2)))))
        unique = (tuple(rng.sample(names, min(len(names), 2))),) if rng.random() < 0.3 else ()
        layout = Layout(case.layout.id, tuple(fields), key, {}, unique)
        try:
            dialect = _dialect(rng, layout).fitted(layout.names)
        except MedpayError:
            continue
        count -= 1
        yield File(layout, dialect, _content(rng, Case(layout, case.pools), dialect))


def terms(rng: random.Random, layout: Layout, name: str) -> Terms:
    """Terms for a file of that name: what applies, what is answered for, what is said beside it."""
    on = date(2099, 1, 1)
    answered = (
        Waiver(rng.choice(("B101", "B102", "C204", "C101")), "so", "us", on, key=_some(rng, layout.key, "1.50")),
    )
    fact = _some(rng, layout.names, "1.50")
    said = Declared(hashes=_some(rng, layout.names, 0), facts={name: ((NAME, text),) for name, text in fact.items()})
    return Terms(
        selected=rng.choice(((), (), ("L",), ("C", "B"))),
        ignored=rng.choice(((), (), ("B101",), ("L101", "L103"), ("F107", "F108", "F109"))),
        profile=Profile(
            severity=rng.choice(({}, {"L103": "warning", "B101": "warning"}, {"C204": "off"})),
            not_judged=rng.choice(("listed", "error")), refuse_from=rng.choice((None, None, 3)),
        ),
        waivers=rng.choice(((), answered)),
        with_rules=rng.random() < 0.8,
        gathers=rng.random() < 0.3,
        beside=rng.choice(({}, {}, {name: said})),
        declared=Declared(records=rng.choice((None, None, 12))),
    )  # fmt: skip


def _some(rng: random.Random, names: tuple[str, ...], value: Any) -> dict[str, Any]:
    return dict.fromkeys(names[: rng.randrange(2)], value)


def _dialect(rng: random.Random, layout: Layout) -> Dialect:
    size = len(layout.fields)
    header = rng.random() < 0.4
    dialect = Dialect(
        "own", "own.v1", delimiter=rng.choice(MARKS), quote=rng.choice(("", "", '"')), nulls=rng.choice(NULLS),
        encoding="utf-8", header=header, trailing_delimiter=rng.random() < 0.2, mixed_widths=rng.random() < 0.2,
        preamble=rng.choice((0, 0, 2)), footer=rng.choice(((), (), ("END",))), trim=rng.random() < 0.05,
        limits=rng.choice((Limits(), Limits(), Limits(), Limits(field=40))),
    )  # fmt: skip
    if header:
        some = rng.sample(layout.names, rng.randrange(size))
        values = {
            name: rng.choice(("0", "1.00", "x", "医", "2024-02-29", "a|b")) for name in some if rng.random() < 0.5
        }
        return replace(
            dialect, values=values, missing_columns=rng.random() < 0.6, other_columns=rng.random() < 0.5,
            free_order=rng.random() < 0.5,
        )  # fmt: skip
    widths = tuple(sorted({rng.randint(1, size), size})) if rng.random() < 0.3 else ()
    amounts = [at for at, one in enumerate(layout.fields, 1) if f"^{sieves.certain(one)}$" == AMOUNT]
    width = rng.choice(widths or (size,))
    shifted = tuple(
        Shifted(width, rng.randint(1, width), *(_columns(rng, width, amounts) for _ in range(3)))
        for _ in range(rng.choice((0, 0, 0, 1, 2)))
    )
    return replace(dialect, widths=widths, shifted=shifted)


def _columns(rng: random.Random, width: int, amounts: list[int]) -> tuple[int, ...]:
    return rng.choice(((), (rng.randint(1, width),), tuple(one for one in amounts[:1] if one <= width)))


def _content(rng: random.Random, case: Case, dialect: Dialect) -> bytes:
    end, trailing = rng.choice(("\n", "\n", "\r\n")), dialect.delimiter * (rng.random() < 0.3)
    columns: tuple[str, ...] = case.layout.names[: rng.choice(dialect.widths)] if dialect.widths else case.layout.names
    lines = ["of today"] * dialect.preamble
    if dialect.header:
        there = [name for name in columns if not dialect.missing_columns or rng.random() < 0.7] or [columns[0]]
        there += [f"other{number}" for number in range(rng.randrange(3))] if dialect.other_columns else []
        columns = tuple(rng.sample(there, len(there)) if dialect.free_order else there)
        lines.append(dialect.delimiter.join(columns) + dialect.delimiter * dialect.trailing_delimiter)
    wrong = rng.choice((0.0, 0.0, 0.02, 0.05, 0.2))
    for _ in range(rng.choice((1, 2, 12, 60))):
        row = next(case.rows(_Sound(rng, 0.0 if rng.random() >= wrong else 0.9), 1))
        texts = [row[name] if name in row else rng.choice(OTHERS) for name in columns]
        absent = rng.choice(("", *dialect.nulls))
        texts = [absent if text is None else text for text in texts]
        if rng.random() < 0.95:
            texts = [text.replace(dialect.delimiter, "") for text in texts]
        if rng.random() < 0.1 and dialect.nulls:
            texts[rng.randrange(len(texts))] = rng.choice(dialect.nulls)
        lines.append(dialect.delimiter.join(texts) + trailing * (rng.random() < 0.97))
    lines += dialect.footer
    made = "".join(f"{line}{end if rng.random() < 0.99 else chr(10)}" for line in lines)
    mark = "\ufeff" if rng.random() < 0.1 else ""
    return (mark + (made if rng.random() < 0.7 else made.removesuffix("\n"))).encode("utf-8", "replace")


class _Sound(random.Random):
    """Draws the kind of a row as it is told: 0.0 is a valid one, 0.9 anything."""

    def __init__(self, rng: random.Random, kind: float) -> None:
        super().__init__(rng.random())
        self._kinds = [kind]

    def random(self) -> float:
        """The kind of a row comes first."""
        return self._kinds.pop() if self._kinds else super().random()
