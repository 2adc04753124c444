"""A check is a Polars expression over the text frame that is True where a keyword of the layout is violated.

The meaning is JSON Schema's, with python-jsonschema as the oracle in tests. What a cell *is* follows from its
text: absent (null), a number where the field is not declared text and the grammar of `money.NUMBER` fits,
else a string. A violated `type` silences the field's other keywords: one cause, one finding. So does any of them the
annotation `x-open-codes`: what is malformed is no unknown code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import polars as pl

from medpay_cli import characters, money, sieves
from medpay_cli.layouts import Field, Layout, code_list
from medpay_cli.sieves import Sieve, Sifted


@dataclass(frozen=True)
class Check:
    """One keyword of one field: where it is violated, and a cheaper test that no violation escapes.

    `suspected` is None where another check of the same field suspects at least as much.
    """

    code: str
    field: Field
    violated: pl.Expr
    suspected: pl.Expr | None
    expected: str


def compile_layout(layout: Layout) -> tuple[Check, ...]:
    """Every check of a layout, in field order."""
    return tuple(check for field in layout.fields for check in _field_checks(field))


def with_characters(layout: Layout, checks: tuple[Check, ...], applies: Callable[[str], bool]) -> tuple[Check, ...]:
    """The checks, and before them that no field holds a character that nobody sees; where one does, the field's other
    checks are silent. Of use only where such a character was met in the bytes."""
    patterns = {code: pattern for code, pattern in characters.patterns().items() if applies(code)}
    if not patterns:
        return checks
    every = "|".join(patterns.values())
    silent = {field.name: pl.col(field.name).str.contains(every).fill_null(value=False) for field in layout.fields}
    made = []
    for code, pattern in patterns.items():
        for field in layout.fields:
            held = pl.col(field.name).str.contains(pattern).fill_null(value=False)
            made.append(Check(code, field, held, held, ""))
    others = (replace(check, violated=check.violated & ~silent[check.field.name]) for check in checks)
    return (*made, *others)


@dataclass(frozen=True)
class Flagged:
    """A text frame, its suspects (no other record violates anything), the fields that are suspected at all, and what
    each check says of the suspects.

    Where a sieve let most records pass, `text` has only columns that somebody wants, `suspects` are what it did not
    let pass, with all of them, and `sifted` says the rest.
    """

    text: pl.DataFrame
    suspects: pl.DataFrame
    fields: frozenset[str]
    violations: list[tuple[Check, pl.DataFrame]]
    sifted: Sifted | None = None

    def records(self, chosen: pl.Series) -> pl.DataFrame:
        """The chosen records with all of their columns."""
        return self.text.filter(chosen) if self.sifted is None else self.sifted.records(chosen)

    def lost(self, name: str, row: str) -> pl.Series | None:
        """Where a cell of the field stands that violates its layout, record by record; None where none does."""
        there = [rows[row] for check, rows in self.violations if check.field.name == name and check.code != ABSENT]
        return self.text[row].is_in(pl.concat(there).implode()) if there else None


def flag(text: pl.DataFrame, checks: tuple[Check, ...], keep: Sequence[str] = ()) -> Flagged:
    """Hold a text frame against the checks; `violations` pairs each violated check with its records: the field itself
    and the columns to `keep`.

    One pass of cheap tests over everything, then the exact ones over the suspects.
    """
    if not checks or text.is_empty():
        return Flagged(text, text.clear(), frozenset(), [])
    by_field: dict[str, list[pl.Expr]] = {}
    for check in checks:
        if check.suspected is not None:
            by_field.setdefault(check.field.name, []).append(check.suspected)
    suspected = text.select(pl.any_horizontal(of).fill_null(value=False).alias(name) for name, of in by_field.items())
    # Most fields are beyond suspicion in a whole batch: their exact tests are left out.
    hit = [name for name in by_field if suspected.get_column(name).any()]
    if not hit:
        return Flagged(text, text.clear(), frozenset(), [])
    suspects = text.filter(suspected.select(pl.any_horizontal(hit)).to_series())
    exact = [check for check in checks if check.field.name in hit]
    # Lazily, so that a pattern which several checks of a field need is matched once.
    flags = suspects.lazy().select(check.violated.alias(str(number)) for number, check in enumerate(exact)).collect()
    violations = [
        (check, _chosen(suspects, dict.fromkeys((*keep, check.field.name)), flags.get_column(str(number))))
        for number, check in enumerate(exact)
        if flags.get_column(str(number)).any()
    ]
    return Flagged(text, suspects, frozenset(hit), violations)


def _chosen(text: pl.DataFrame, names: Iterable[str], flags: pl.Series) -> pl.DataFrame:
    """Some columns of some records, column by column: a query for a few of them would take twenty times as long."""
    return pl.DataFrame([text.get_column(name).filter(flags) for name in names])


def flag_sifted(
    text: pl.DataFrame, sifted: Sifted, checks: tuple[Check, ...], sieve: Sieve, keep: Sequence[str]
) -> Flagged:
    """The same where a sieve let most records pass: what it cannot judge is held against the checks everywhere, the
    rest only in its suspects."""
    passed = sieve.patterns.keys()
    own = flag(text, tuple(one for one in checks if one.field.name not in passed), keep)
    some = flag(sifted.suspects, tuple(one for one in checks if one.field.name in passed), keep)
    violations = [*own.violations, *some.violations]
    return Flagged(text, sifted.suspects, own.fields | some.fields, violations, sifted)


def amounts(flagged: Flagged, fields: Sequence[Field], row: str) -> pl.DataFrame:
    """The fields as Decimal of their scale, record by record; null where absent or outside the grammar.

    `row` is the column that numbers the records.
    """
    if flagged.sifted is not None:
        return _sifted_amounts(flagged, flagged.sifted, fields, row)
    # What is no suspect has passed the grammar, so its cast can lose nothing and needs no second look.
    suspected = [one for one in fields if one.name in flagged.fields]
    most_are = flagged.suspects.height * 4 > flagged.text.height
    exact = flagged.text.select(
        typed(one) if most_are and one in suspected else pl.col(one.name).cast(pl.Decimal(38, one.scale), strict=False)
        for one in fields
    )
    outside = {one.name: flagged.suspects.filter(is_outside(one))[row] for one in suspected if not most_are}
    if not any(map(len, outside.values())):
        return exact
    rows = flagged.text[row]
    return exact.with_columns(
        pl.when(~rows.is_in(lost.implode())).then(name).alias(name) for name, lost in outside.items() if len(lost)
    )


def _sifted_amounts(flagged: Flagged, sifted: Sifted, fields: Sequence[Field], row: str) -> pl.DataFrame:
    """The amounts that the reader parsed, or the casts of their text; but those of suspects by the grammar."""
    parsed = set(sifted.amounts.columns)
    exact = pl.DataFrame(
        [
            sifted.amounts[one.name]
            if one.name in parsed
            else flagged.text[one.name].cast(pl.Decimal(38, one.scale), strict=False)
            for one in fields
        ]
    )
    some = flagged.suspects
    if some.is_empty() or not fields:
        return exact
    rows, own = some.get_column(row) - 1, some.select(typed(one) for one in fields)
    seen = exact[rows]
    other = [name for name in exact.columns if not own.get_column(name).eq_missing(seen.get_column(name)).all()]
    if not other:
        return exact
    places = pl.int_range(exact.height, eager=True)
    places = places.scatter(rows, pl.int_range(exact.height, exact.height + some.height, eager=True))
    return exact.with_columns(pl.concat([exact.select(other), own.select(other)])[places])


def fitting(flagged: Flagged, typed: pl.DataFrame, fields: Sequence[Field], row: str) -> pl.DataFrame:
    """These fields as rules see them, record by record: as they are `typed`, or text; null where a cell violates its
    layout, so that one cause makes one finding."""
    columns = {one.name: typed[one.name] if one.name in typed.columns else flagged.text[one.name] for one in fields}
    lost: dict[str, list[pl.Series]] = {}
    for check, rows in flagged.violations:
        if check.field.name in columns:
            lost.setdefault(check.field.name, []).append(rows[row])
    frame = pl.DataFrame(columns)
    if not lost:
        return frame
    return frame.with_columns(
        pl.when(~flagged.text[row].is_in(pl.concat(rows).implode())).then(name).alias(name)
        for name, rows in lost.items()
    )


def is_outside(field: Field) -> pl.Expr:
    """Where an amount is there but cannot be read."""
    return pl.col(field.name).is_not_null() & typed(field).is_null()


def typed(field: Field) -> pl.Expr:
    """The field as Decimal of its scale; null where it is absent or outside the grammar."""
    return money.amount(pl.col(field.name), field.digits, field.scale)


def _field_checks(field: Field) -> list[Check]:
    column = pl.col(field.name)
    checks = []
    if field.required:
        absent = column.is_null()
        checks.append(Check(CODES["required"], field, absent, absent, "value"))
    for keyword, value in field.asserted:
        violated = KEYWORDS[keyword](field, column, value)
        if violated is None:
            continue
        if keyword != "type" and not field.is_text and field.types:
            violated = violated & ~_not_of_type(field, column)
        violated = (column.is_not_null() & violated).fill_null(value=False)
        checks.append(
            Check(CODES[keyword], field, violated, _suspected(field, column, keyword, value, violated),
                  _expected(field, keyword, value))
        )  # fmt: skip
    if field.open_codes:
        listed = list(code_list(field.open_codes))
        unknown = column.is_not_null() & ~_one_of(field, column, listed)
        malformed = (check.violated for check in checks)
        alone = (unknown & ~pl.any_horizontal(pl.lit(value=False), *malformed)).fill_null(value=False)
        checks.append(Check(CODES["x-open-codes"], field, alone, unknown, field.open_codes))
    return checks


def _suspected(field: Field, column: pl.Expr, keyword: str, value: Any, violated: pl.Expr) -> pl.Expr | None:
    if keyword == "maxLength":
        return column.str.len_bytes() > int(value)
    format_ = field.form if field.form in CERTAIN else None
    if (
        keyword == "type"
        and format_ in sieves.NUMBERS
        and field.types == {"number"}
        and field.whole <= money.WHOLE_DIGITS
    ):
        return None  # whatever fits the grammar of amounts is a number
    if keyword == "format" and format_:
        return ~CERTAIN[format_](field, column)
    return violated


def _expected(field: Field, keyword: str, value: Any) -> str:
    if keyword == "enum":
        return " | ".join(str(item) for item in value)
    if keyword in ("type", "format") and field.form in ("money", "decimal"):
        return f"{field.form}({field.digits},{field.scale})"
    if keyword in ("minLength", "minimum"):
        return f">= {value}"
    if keyword in ("maxLength", "maximum"):
        return f"<= {value}"
    return str(value)


def _is_number(field: Field, column: pl.Expr) -> pl.Expr:
    return pl.lit(value=False) if field.is_text else column.str.contains(money.NUMBER)


def _number(field: Field, column: pl.Expr) -> pl.Expr:
    # The grammar has made sure that no digit is lost.
    return pl.when(_is_number(field, column)).then(column).cast(money.EXACT, strict=False)


def _not_of_type(field: Field, column: pl.Expr) -> pl.Expr:
    if field.is_text:
        return pl.lit(value=False)
    wrong = ~_is_number(field, column)
    if "integer" in field.types:
        wrong = wrong | column.str.contains(r"\.[0-9]*[1-9]")
    return wrong


def _type(field: Field, column: pl.Expr, _: Any) -> pl.Expr | None:
    return None if field.is_text else _not_of_type(field, column)


def _length(field: Field, column: pl.Expr) -> pl.Expr:
    """The length in code points, null for numbers."""
    return column.str.len_chars() if field.is_text else pl.when(~_is_number(field, column)).then(column.str.len_chars())


def _format(field: Field, column: pl.Expr, value: Any) -> pl.Expr:
    return FORMATS[value](field, column)


def _one_of(field: Field, column: pl.Expr, values: list[Any]) -> pl.Expr:
    texts = [value for value in values if isinstance(value, str)]
    numbers = [Decimal(value) for value in values if isinstance(value, int | Decimal) and not isinstance(value, bool)]
    as_text = column.is_in(texts) if texts else pl.lit(value=False)
    if field.is_text:
        return as_text
    as_number = _any(_number(field, column) == _exact(number) for number in numbers)
    return pl.when(_is_number(field, column)).then(as_number).otherwise(as_text)


def _any(tests: Any) -> pl.Expr:
    found = pl.lit(value=False)
    for test in tests:
        found = found | test
    return found


def _exact(number: Decimal | int) -> pl.Expr:
    return pl.lit(str(number)).cast(money.EXACT)


def _decimal(field: Field, column: pl.Expr) -> pl.Expr:
    return ~money.fits(column, field.digits, field.scale)


def _is_date(column: pl.Expr) -> pl.Expr:
    # to_date alone takes '2026-2-8'; the pattern alone takes 2026-02-30.
    shape = column.str.contains(r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}$")
    return shape & column.str.to_date("%Y-%m-%d", strict=False).is_not_null()


def _date(field: Field, column: pl.Expr) -> pl.Expr:
    return ~_is_date(column) & ~_is_number(field, column)


def _datetime(field: Field, column: pl.Expr) -> pl.Expr:
    clock = column.str.contains(f"^.{{10}} {sieves.CLOCK}$")
    return ~(clock & _is_date(column.str.slice(0, 10))) & ~_is_number(field, column)


ABSENT = "L101"
CODES = {
    "required": ABSENT, "type": "L102", "format": "L103", "enum": "L104", "const": "L105",
    "pattern": "L106", "minLength": "L107", "maxLength": "L108", "minimum": "L109", "maximum": "L110",
    "x-open-codes": "L111",
}  # fmt: skip

FORMATS: dict[str, Callable[[Field, pl.Expr], pl.Expr]] = {
    "money": _decimal,
    "decimal": _decimal,
    "date": _date,
    "datetime": _datetime,
}

# What is no violation for certain, told by one pattern.
CERTAIN: dict[str, Callable[[Field, pl.Expr], pl.Expr]] = {
    **dict.fromkeys(sieves.NUMBERS, lambda field, column: money.fits(column, field.digits, field.scale)),
    "date": lambda _, column: column.str.contains(f"^{sieves.DAY}$"),
    "datetime": lambda _, column: column.str.contains(f"^{sieves.DAY} {sieves.CLOCK}$"),
}

KEYWORDS: dict[str, Callable[[Field, pl.Expr, Any], pl.Expr | None]] = {
    "type": _type,
    "format": _format,
    "enum": lambda field, column, values: ~_one_of(field, column, values),
    "const": lambda field, column, value: ~_one_of(field, column, [value]),
    "pattern": lambda field, column, value: ~column.str.contains(value) & ~_is_number(field, column),
    "minLength": lambda field, column, value: _length(field, column) < value,
    "maxLength": lambda field, column, value: _length(field, column) > value,
    "minimum": lambda field, column, value: _number(field, column) < _exact(value),
    "maximum": lambda field, column, value: _number(field, column) > _exact(value),
}
