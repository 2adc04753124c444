"""Generated layouts and rows: valid ones, ones with a single planted fault, and arbitrary ones."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from medpay_cli import layouts
from medpay_cli.layouts import Layout

from . import oracle

Row = dict[str, str | None]
Pool = dict[frozenset[str], list[str]]

NASTY = (
    *("", " ", "0", "1", "2", "-1", "-0", "0.0", "-0.00", "1.0", "2.00", "1.5", "1.50", "1.505", "12.345"),
    *("00.1", "01", "-01", ".5", "-.5", "5.", "+1", "1e3", "1E-2", "1,000.00", "1_000", "0x1F", "--1", "-", "."),
    *(" 1.00", "1.00 ", "1\n", "1.00\n", "\n1", "1\r", "NaN", "Infinity", "-inf", "true", "null"),
    *("１２３", "１.００", "٣", "१", "²", "½", "−1", "1．5", "\ufeff1", "1\u200b"),
    *("99999999999999.99", "-99999999999999.99", "99999999999999.999", "100000000000000.00", "9" * 20),
    *("9" * 21, "9" * 38, "9" * 400, "-" + "9" * 21, "0." + "0" * 17 + "1", "0." + "0" * 18 + "1", "0." + "9" * 400),
    *("2023-02-29", "2024-02-29", "1900-02-29", "2000-02-29", "2024-02-30", "2024-13-01", "2024-00-10", "2024-01-00"),
    *("0000-01-01", "0999-12-31", "1000-01-01", "9999-12-31", "10000-01-01", "20240229", "2024/02/29", "2024-2-9"),
    *("2024-W09-4", "2024-060", "２０２４-02-29", "2024-02-29\n", " 2024-02-29", "2024-02-29Z", "+2024-02-29"),
    *("2024-02-29 00:00:00", "2024-02-29 23:59:59", "2024-02-29 24:00:00", "2024-02-29 23:59:60"),
    *("2024-02-29 12:60:00", "2023-02-29 00:00:00", "2024-02-29T23:59:59", "2024-02-29 00:00", "2024-02-29 1:00:00"),
    *("2024-02-29  00:00:00", "2024-02-29 00:00:00.0", "2024-02-29 00:00:00\n", "2024-02-29 00:00:00Z"),
    *("2024-02-29 ００:00:00", "2024-02-29\n00:00:00", "2024-02-2é 00:00:00"),
    *("a", "A", "ab", "abc", "abcd", "a\n", "\n", "\r\n", "\t", "a b", "a$", "$5", "^a$", "\\", "'", '"', "%"),
    *("😀", "😀😀", "👩\u200d👩\u200d👧", "🇨🇳", "é", "e\u0301", "e\u0301" * 3, "ﬁ", "İ", "ß", "中文", "医保医保医"),
    *("\x00", "a\x00b", "\u2028", "x" * 30, "x" * 31, "医" * 30, "医" * 31, "😀" * 30, "x" * 6000),
)  # fmt: skip
LETTERS = "0123456789019.-+eE, :\n\tTZaAbcxyz$年医é\u0301😀１٣\u200b\x00"

# Pattern → texts that fit it.
PATTERNS = {
    "^[0-9]{3}$": ("123", "000"),
    "^[A-Z][0-9]+$": ("A1", "B20240229"),
    "^[^0-9]*$": ("", "abc", "a\nb", "医"),
    "^(?:a|bc)*$": ("", "a", "abc", "bcbc"),
    "^.{2,4}$": ("ab", "医保", "😀😀😀😀"),
    "^[一-龥]+$": ("医保", "一"),
    "^-?[0-9]+(\\.[0-9]{2})?$": ("1.50", "-0.00", "007"),
    "^\\$[.$^]+$": ("$$", "$."),
    "^x(?:y$|z)$": ("xy", "xz"),
    "^$": ("",),
}
CHOICES = (
    ["1", "2", "10"],
    ["男", "女", "\n", ""],
    ["ä", "a\u0308", "A"],
    ["x", 1, "1.0", Decimal("2.50")],
    [0, 1, Decimal("-1.0"), Decimal("1E+2"), 10**19],
    [Decimal("0.10"), Decimal("0.000000000000000001")],
)
BOUNDS = (0, 1, -1, 100, -300, Decimal("0.01"), Decimal("-0.5"), Decimal("1E+2"), Decimal("99999999999999.99"), 10**19)
AMOUNTS = ((16, 2), (10, 0), (5, 4), (18, 6), (2, 2), (36, 18), (30, 2))
SHARED = ("setl_id", "medfee_sumamt", "refd_setl_flag", "insutype", "stmt_begndate", "fixmedins_setl_cnt")
# Python's own context would round the sums below to 28 digits.
EXACT = Context(prec=60)
TEXT, NUMBER, INTEGER, ANY = "string", "number", "integer", None

# Every keyword, every kind of field and every kind of reference, to be read rather than drawn.
EVERY_KEYWORD: dict[str, Any] = {
    "type": "object",
    "$defs": {
        "short": {"type": "string", "maxLength": 4, "pattern": "^[^x]*$"},
        "shorter": {"$ref": "#/$defs/short", "maxLength": 3},
        "a/b~1c": {"minimum": 0, "enum": [0, 1, Decimal("1.50"), "none"]},
        "price": {"type": "number", "format": "money"},
    },
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 5},
        "empty": {"type": "string", "maxLength": 0},
        "sex": {"type": "string", "enum": ["1", "2", "9"]},
        "yes": {"type": "string", "const": "1"},
        "code": {"type": "string", "pattern": "^[A-Z][0-9]{2}$"},
        "flag": {"type": "string", "x-codes": "refd_setl_flag", "maxLength": 1},
        "class": {"type": "string", "x-open-codes": "med_type", "maxLength": 4},
        "born": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "datetime"},
        "written": {"type": "string", "format": "money"},
        "fee": {"type": "number", "format": "money", "minimum": 0},
        "long_fee": {"type": "number", "format": "money", "x-digits": 30, "x-scale": 2},
        "price": {"type": "number", "format": "decimal", "x-digits": 10, "x-scale": 6},
        "count": {"type": "integer", "minimum": -2, "maximum": 10},
        "whole_yuan": {"type": "integer", "format": "money"},
        "ratio": {"type": "number", "minimum": 0, "maximum": Decimal("1.0"), "maxLength": 1, "pattern": "^a$"},
        "step": {"type": "number", "enum": [Decimal("0.5"), 1, Decimal("1.50")]},
        "two": {"type": "integer", "const": Decimal("2.0")},
        "any": {},
        "any_two": {"const": 2},
        "any_of": {"enum": [1, "a", Decimal("2.5")]},
        "any_number": {"enum": [1, 2]},
        "any_long": {"minLength": 2, "maxLength": 3, "pattern": "^[^b]*$"},
        "any_low": {"minimum": Decimal("1.1"), "maximum": 300},
        "any_date": {"format": "date"},
        "any_money": {"format": "money"},
        "ref": {"$ref": "#/$defs/shorter", "minLength": 2},
        "ref_escaped": {"$ref": "#/$defs/a~1b~01c", "maximum": 1},
        "ref_price": {"$ref": "#/$defs/price", "format": "money", "x-digits": 6, "x-scale": 1},
        "ref_integer": {"$ref": "#/$defs/price", "type": "integer"},
        "shared": {"$ref": "medpay:fields/nhsa#/$defs/setl_id", "pattern": "^[0-9]*$"},
        "shared_fee": {"$ref": "medpay:fields/nhsa#/$defs/medfee_sumamt", "maximum": 1000},
    },
    "required": ["text", "code", "born", "fee", "count", "any", "shared"],
}


@dataclass(frozen=True)
class Case:
    """A layout and the texts that its cells are drawn from: field → violated keywords → texts."""

    layout: Layout
    pools: dict[str, Pool]

    def rows(self, rng: random.Random, count: int) -> Iterator[Row]:
        """Four valid rows, four with one fault and two arbitrary ones in ten, in mixed order."""
        for _ in range(count):
            kind = rng.random()
            yield self._valid(rng) if kind < 0.4 else self._faulty(rng) if kind < 0.8 else self._arbitrary(rng)

    def _valid(self, rng: random.Random) -> Row:
        return {
            field.name: rng.choice(good)
            if (good := self.pools[field.name].get(frozenset())) and (field.required or rng.random() < 0.85)
            else None
            for field in self.layout.fields
        }

    def _faulty(self, rng: random.Random) -> Row:
        faults = defaultdict(list)
        for field in self.layout.fields:
            if field.required:
                faults["required"].append((field.name, [None]))
            for violated, texts in self.pools[field.name].items():
                if len(violated) == 1:
                    faults[next(iter(violated))].append((field.name, texts))
        # By keyword first: a keyword that one field has is planted as often as one that all have.
        name, texts = rng.choice(faults[rng.choice(sorted(faults))])
        return self._valid(rng) | {name: rng.choice(texts)}

    def _arbitrary(self, rng: random.Random) -> Row:
        return {field.name: rng.choice((None, rng.choice(NASTY), _scrawl(rng), self._mutant(rng, field.name)))
                for field in self.layout.fields}  # fmt: skip

    def _mutant(self, rng: random.Random, name: str) -> str:
        text = rng.choice(self.pools[name].get(frozenset()) or NASTY)[:5000]
        place = rng.randrange(len(text) + 1)
        return text[:place] + rng.choice(("", rng.choice(LETTERS))) + text[place + rng.randrange(2) :]


def case(schema: dict[str, Any], rng: random.Random) -> Case:
    """Sort texts at each field's limits, and nasty ones, by the keywords that the oracle says they violate."""
    layout = layouts.build(schema, "generated")
    judge = oracle.validator(layout)
    pools = {}
    for field in layout.fields:
        pool = defaultdict(list)
        for text in dict.fromkeys((*_near(field), *rng.sample(NASTY, 60), *(_scrawl(rng) for _ in range(10)))):
            value = oracle.instance(dict.fromkeys(layout.names) | {field.name: text}, layout)
            found = oracle.violations(judge, value)
            pool[frozenset(keyword for name, keyword in found if name == field.name)].append(text)
        pools[field.name] = dict(pool)
    return Case(layout, pools)


def drawn(rng: random.Random) -> Case:
    """A random layout of ten fields in our subset; a field that some text satisfies may be required."""
    kinds = (TEXT, TEXT, NUMBER, INTEGER, ANY)
    defs = {f"d{number}": _body(rng, rng.choice(kinds)) for number in range(4)}
    defs["chained"] = {"$ref": "#/$defs/d0"}
    properties = {f"f{number}": _body(rng, rng.choice(kinds)) for number in range(7)}
    properties |= {f"r{number}": _beside(rng, *rng.choice(list(defs.items())), defs) for number in range(2)}
    properties["s"] = {"$ref": f"medpay:fields/nhsa#/$defs/{rng.choice(SHARED)}"}
    schema = {"type": "object", "$defs": defs, "properties": properties}
    free = case(schema, rng)
    required = [name for name, pool in free.pools.items() if frozenset() in pool and rng.random() < 0.4]
    return Case(layouts.build(schema | {"required": required}, "generated"), free.pools)


def _body(rng: random.Random, kind: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {} if kind is None else {"type": kind}
    fitting = {
        TEXT: (_length, _pattern, _choice, _const, _when, _amount, _codes),
        NUMBER: (_amount, _bounds, _choice, _const, _length),
        INTEGER: (_amount, _bounds, _choice, _const, _pattern),
        ANY: (_length, _pattern, _choice, _const, _when, _amount, _bounds),
    }[kind]
    for keyword in rng.sample(fitting, rng.choice((0, 1, 1, 1, 2, 2, 3))):
        body |= keyword(rng)
    return body


def _beside(rng: random.Random, name: str, target: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    kind = (defs["d0"] if "$ref" in target else target).get("type")
    body = rng.choice((_length, _pattern, _bounds, _choice))(rng)
    # `type` beside a reference may narrow it; text that must also be a number is nobody's layout.
    if kind in (NUMBER, INTEGER) and rng.random() < 0.5:
        body["type"] = rng.choice((NUMBER, INTEGER))
    return {"$ref": f"#/$defs/{name}"} | body


def _length(rng: random.Random) -> dict[str, Any]:
    least = rng.randrange(4)
    return rng.choice(({"minLength": least}, {"maxLength": least}, {"minLength": least, "maxLength": least + 3}))


def _pattern(rng: random.Random) -> dict[str, Any]:
    return {"pattern": rng.choice(list(PATTERNS))}


def _choice(rng: random.Random) -> dict[str, Any]:
    return {"enum": rng.choice(CHOICES)}


def _const(rng: random.Random) -> dict[str, Any]:
    return {"const": rng.choice(rng.choice(CHOICES))}


def _when(rng: random.Random) -> dict[str, Any]:
    return {"format": rng.choice(("date", "datetime"))}


def _amount(rng: random.Random) -> dict[str, Any]:
    digits, scale = rng.choice(AMOUNTS)
    return {"format": rng.choice(("money", "decimal")), "x-digits": digits, "x-scale": scale}


def _bounds(rng: random.Random) -> dict[str, Any]:
    low, high = sorted(rng.sample(BOUNDS, 2))
    return rng.choice(({"minimum": low}, {"maximum": high}, {"minimum": low, "maximum": high}))


def _codes(rng: random.Random) -> dict[str, Any]:
    return {rng.choice(("x-codes", "x-open-codes")): rng.choice(("refd_setl_flag", "insutype"))}


def _scrawl(rng: random.Random) -> str:
    return "".join(rng.choices(LETTERS, k=rng.choice((1, 2, 3, 5, 10, 19, 40))))


def _near(field: layouts.Field) -> Iterator[str]:
    """Texts at the limits that the field states, and one step beyond."""
    yield from ("1", "12", "123.45", "a", "abc", "2024-02-29", "2024-02-29 08:00:00", "")
    yield from map(str, field.notes.get("examples", ()))
    for code in list(layouts.code_list(field.open_codes))[:3] if field.open_codes else ():
        yield from (code, f"{code}0", f"9{code[1:]}", code[:-1])
    for keyword, value in field.asserted:
        if keyword in ("minLength", "maxLength"):
            for length in range(max(value - 1, 0), value + 2):
                yield from (letter * length for letter in ("a", "医", "😀", "1", "\u0301"))
        elif keyword in ("minimum", "maximum"):
            for step in ("0", "1", "-1", "0.01", "-0.01", "1E-18", "-1E-18"):
                yield f"{EXACT.add(Decimal(value), Decimal(step)):f}"
        elif keyword == "pattern":
            yield from PATTERNS.get(value, ("A12", "123", "a"))
            yield from (f"{text}\n" for text in PATTERNS.get(value, ()))
        elif keyword in ("enum", "const"):
            for each in value if isinstance(value, list) else [value]:
                text = each if isinstance(each, str) else f"{Decimal(each):f}"
                yield from (text, f"{text} ", f"{text}0", f"{text}.0", f"-{text}", text.upper())
        elif value in ("money", "decimal"):
            whole, part = "9" * (field.digits - field.scale) or "0", "9" * field.scale
            for text in (whole, f"{whole}9", f"{whole}.{part}", f"{whole}.{part}9", f"0.{part}", "10.5"):
                yield from (text, f"-{text}")
