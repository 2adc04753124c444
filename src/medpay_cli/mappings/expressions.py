"""SQL over the fields of a record, proved exact before a record is read: no amount is rounded that nobody rounds.

`pl.sql_expr` reads it. What may stand in it is a list, and everything else is refused: a new Polars may know more
functions, or do other arithmetic, but not silently. The kind of every part is worked out here and held against the
type that Polars plans for it.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from medpay_cli import money
from medpay_cli.layouts import Layout

MOST_DIGITS = 38
# Of a call's own column; no field can be called so.
CALL, VALUE = "\x1fcall", "\x1fvalue"
TOKENS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[A-Za-z_]\w*|\d+(?:\.\d+)?|\s+|.", re.ASCII | re.DOTALL)


class InexactError(ValueError):
    """An expression that is refused, and the part of it that is why."""


@dataclass(frozen=True)
class Kind:
    """What an expression yields: an amount with so many digits before and after the point, or another word."""

    name: str
    whole: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"{self.name}({self.whole + self.scale},{self.scale})" if self.name == "amount" else self.name

    @property
    def is_amount(self) -> bool:
        """Whether arithmetic with it is exact."""
        return self.name == "amount"


TEXT, TRUTH, COUNT, NOTHING = Kind("text"), Kind("truth"), Kind("count"), Kind("nothing")
Kinds = Mapping[str, Kind]


@dataclass(frozen=True)
class Formula:
    """An expression ready for frames: the calls inside it (each a column of its own, inner ones first), what it yields,
    and the fields it takes; `field` is the only one where it is nothing but that field."""

    expr: pl.Expr
    kind: Kind
    fields: frozenset[str]
    calls: tuple[pl.Expr, ...] = ()
    field: str | None = None

    def on(self, typed: pl.DataFrame) -> pl.Series:
        """Its values for records whose amounts are typed."""
        for call in self.calls:
            typed = typed.with_columns(call)
        return typed.with_columns(self.expr.alias(VALUE))[VALUE]


def kinds_of(layout: Layout) -> dict[str, Kind]:
    """What each field of a layout is in an expression: amounts as the layout types them, all else text."""
    amounts = {one.name: Kind("amount", one.whole, one.scale) for one in layout.fields if one.form in AMOUNTS}
    return {one.name: amounts.get(one.name, TEXT) for one in layout.fields}


AMOUNTS = ("money", "decimal")


def formula(sql: str, kinds: Kinds) -> Formula:
    """Prove an expression over these fields. Raises InexactError."""
    calls = _Calls(dict(kinds))
    text = calls.replaced(list(TOKENS.findall(sql)))
    expr, kind = calls.proved(text)
    named = _tree(expr)
    only = named.get("Column") if isinstance(named, dict) else None
    return Formula(expr, kind, frozenset(calls.taken), tuple(calls.made), only if only in kinds else None)


@dataclass
class _Calls:
    """Calls of our own functions become columns: Polars' SQL cannot be taught a function."""

    kinds: dict[str, Kind]
    made: list[pl.Expr] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    @property
    def others(self) -> set[str]:
        """What stands before the columns of other inputs."""
        return {name[: name.index(".") + 1] for name in self.kinds if "." in name}

    def replaced(self, tokens: list[str]) -> str:
        """The text with a column's name for every call."""
        out: list[str] = []
        at = 0
        while at < len(tokens):
            call = CALLS.get(tokens[at].lower())
            following = at + 1 + (tokens[at + 1 : at + 2] != [] and tokens[at + 1].isspace())
            if call and tokens[following : following + 1] == ["("]:
                arguments, at = _arguments(tokens, following)
                out.append(f'"{self._column(tokens, call, arguments)}"')
            elif tokens[at + 1 : at + 2] == ["."] and f"{tokens[at]}." in self.others:
                # A column of another input is one name, and none of a field inside a field.
                out.append(f'"{"".join(tokens[at : at + 3])}"')
                at += 3
            else:
                out.append(tokens[at])
                at += 1
        return "".join(out)

    def _column(self, tokens: list[str], call: _Call, arguments: list[list[str]]) -> str:
        made, wanted = call
        if len(arguments) != wanted:
            raise InexactError(f"{''.join(tokens).strip()}: {len(arguments)} / {wanted}")
        expr, kind = made(self, [self.replaced(one) for one in arguments])
        name = f"{CALL}{len(self.made)}"
        self.made.append(expr.alias(name))
        self.kinds[name] = kind
        return name

    def proved(self, text: str) -> tuple[pl.Expr, Kind]:
        """The expression and its kind. Raises InexactError."""
        try:
            expr = pl.sql_expr(text)
        except pl.exceptions.PolarsError as err:
            raise InexactError(str(err).splitlines()[0]) from err
        if _tree(expr).get("Alias"):
            raise InexactError("AS")
        return expr, self._kind(_tree(expr))

    def amount(self, text: str) -> tuple[pl.Expr, Kind]:
        """The same, an amount of its scale."""
        expr, kind = self.proved(text)
        kind = _exact(kind, text.strip())
        return expr.cast(pl.Decimal(MOST_DIGITS, kind.scale)), kind

    def _kind(self, node: Any) -> Kind:
        """What a part of the expression yields, and the same of every part of it."""
        if not isinstance(node, dict) or len(node) != 1:
            raise InexactError(str(node))
        ((name, body),) = node.items()
        if name not in NODES:
            raise InexactError(name)
        kind = NODES[name](self, body)
        self._check_planned(node, kind)
        return kind

    def _check_planned(self, node: Any, kind: Kind) -> None:
        """Raises InexactError where Polars plans another type, a float above all."""
        if kind.is_amount and kind.whole + kind.scale > MOST_DIGITS:
            raise InexactError(f"{kind.whole + kind.scale} > {MOST_DIGITS}")
        try:
            expr = pl.Expr.deserialize(io.StringIO(json.dumps(node)), format="json")
            planned = pl.LazyFrame(schema=self._types()).select(expr.alias("x")).collect_schema()["x"]
        except pl.exceptions.PolarsError as err:
            raise InexactError(str(err).splitlines()[0]) from err
        fits = {
            "amount": (isinstance(planned, pl.Decimal) and planned.scale == kind.scale) or planned.is_integer(),
            "text": planned == pl.String,
            "truth": planned == pl.Boolean,
            "count": planned.is_integer(),
            "nothing": True,
        }[kind.name]
        if not fits:
            raise InexactError(f"{kind} / {planned}")

    def _types(self) -> dict[str, Any]:
        return {name: typed_as(kind) for name, kind in self.kinds.items()}

    # What each node of Polars' tree yields.

    def column(self, name: str) -> Kind:
        if name not in self.kinds:
            raise InexactError(name)
        if not name.startswith(CALL):
            self.taken.add(name)
        return self.kinds[name]

    def literal(self, body: Any) -> Kind:
        if "Dyn" in body and "Int" in body["Dyn"]:
            return Kind("count", len(str(abs(int(body["Dyn"]["Int"])))))
        said: dict[str, Any] = body.get("Dyn", body.get("Scalar", body))
        ((name, value),) = said.items()
        if name == "Decimal":
            _, digits, scale = value
            return Kind("amount", max(digits - scale, 0), scale)
        if name not in LITERALS or "Dyn" in body:
            raise InexactError(name)
        return LITERALS[name]

    def binary(self, body: Any) -> Kind:
        return self._joined(body["op"], self._kind(body["left"]), self._kind(body["right"]))

    def _joined(self, op: str, left: Kind, right: Kind) -> Kind:
        if op in LOGICAL:
            if {left, right} - {TRUTH, NOTHING}:
                raise InexactError(f"{left} {op} {right}")
            return TRUTH
        if op in COMPARING:
            _alike([left, right], op)
            return TRUTH
        if op == "Plus" and TEXT in (left, right):
            return TEXT
        if op in ("Plus", "Minus") and left.name == right.name == "count":
            return COUNT
        if op in ("Plus", "Minus"):
            both = [_exact(one, op) for one in (left, right)]
            return Kind("amount", max(one.whole for one in both) + 1, max(one.scale for one in both))
        if op == "Mul":  # that of SQL, which keeps every digit
            both = [_exact(one, "*") for one in (left, right)]
            return Kind("amount", sum(one.whole for one in both), sum(one.scale for one in both))
        raise InexactError(op)

    def ternary(self, body: Any) -> Kind:
        if self._kind(body["predicate"]) not in (TRUTH, NOTHING):
            raise InexactError("WHEN")
        return _alike([self._kind(body["truthy"]), self._kind(body["falsy"])], "CASE")

    def cast(self, body: Any) -> Kind:
        """To text, or between whole numbers: everything else may lose something."""
        kind, wanted = self._kind(body["expr"]), body["dtype"].get("Literal")
        if wanted == "String":
            return TEXT
        if wanted == "Boolean" and kind in (TRUTH, NOTHING):
            return TRUTH
        if kind.name == "count" and wanted in ("Int32", "Int64"):
            return COUNT
        raise InexactError(f"CAST {kind} AS {wanted}")

    def function(self, body: Any) -> Kind:
        named = body["function"]
        names = tuple(_names(named))
        inputs = body["input"][:1] if names[1:2] == ("IsIn",) else body["input"]
        kinds = [self._kind(one) for one in inputs]
        if names[:2] == ("Sql", "Binary"):
            return self._joined(names[2], *kinds)
        if names[1:2] == ("IsIn",):
            # Of an amount it is never true: 10.00 IN (10, 20).
            if kinds != [TEXT]:
                raise InexactError(f"IN {kinds[0]}")
            return TRUTH
        if names[0] in SAME:
            return _alike(kinds, names[0])
        if names[0] == "Abs":
            return _exact(kinds[0], "ABS")
        if names[0] in ("StringExpr", "Boolean") and names[1] in STRINGS | TRUTHS:
            return TRUTH if names[1] in TRUTHS else COUNT if names[1] in COUNTS else TEXT
        raise InexactError(" ".join(names))


# What makes a call's column, and of how many arguments.
_Call = tuple[Callable[[_Calls, list[str]], tuple[pl.Expr, Kind]], int]
# Digits of a whole number that is no literal.
WHOLE = 19


def typed_as(kind: Kind) -> Any:
    """The type of a column of that kind."""
    if kind.is_amount:
        return pl.Decimal(MOST_DIGITS, kind.scale)
    return {"truth": pl.Boolean, "count": pl.Int64}.get(kind.name, pl.String)


def _exact(kind: Kind, op: str) -> Kind:
    if kind.name == "count":
        return Kind("amount", kind.whole or WHOLE, 0)
    if kind is NOTHING:
        return Kind("amount", 1, 0)
    if not kind.is_amount:
        raise InexactError(f"{op} {kind}")
    return kind


def _alike(kinds: list[Kind], op: str) -> Kind:
    """The kind of what may be any of these. Text and amounts together compare or look like text: refused."""
    found = [kind for kind in kinds if kind is not NOTHING]
    if not found:
        return NOTHING
    if all(kind == found[0] for kind in found):
        return found[0]
    if any(kind.name in ("text", "truth") for kind in found):
        raise InexactError(f"{op}: {', '.join(map(str, found))}")
    both = [_exact(kind, op) for kind in found]
    return Kind("amount", max(one.whole for one in both), max(one.scale for one in both))


def _names(function: Any) -> Iterator[str]:
    """`{"StringExpr": {"Replace": …}}` → StringExpr, Replace."""
    while isinstance(function, dict) and function:
        name = next(iter(function))
        yield name
        function = function[name]
        if name in STRINGS | TRUTHS or name == "IsIn":
            return
    if isinstance(function, str):
        yield function


def _tree(expr: pl.Expr) -> Any:
    return json.loads(expr.meta.serialize(format="json"))


def _arguments(tokens: list[str], opening: int) -> tuple[list[list[str]], int]:
    """The arguments of a call, and the place behind it."""
    depth = 0
    found: list[list[str]] = [[]]
    for at in range(opening, len(tokens)):
        mark = tokens[at]
        depth += {"(": 1, ")": -1}.get(mark, 0)
        if depth == 0:
            return found, at + 1
        if mark == "," and depth == 1:
            found.append([])
        elif at > opening:
            found[-1].append(mark)
    raise InexactError("(")


def _product(calls: _Calls, texts: list[str]) -> tuple[pl.Expr, Kind]:
    """A price times a quantity, to the fen."""
    (first, left), (second, right) = map(calls.amount, texts)
    return money.exact_product(first, second, left.scale + right.scale, 2), Kind(
        "amount", left.whole + right.whole + 1, 2
    )


def _share(calls: _Calls, texts: list[str]) -> tuple[pl.Expr, Kind]:
    """A part of an amount, rounded to the amount's scale: `[[splits]]` gives what is left to a party."""
    (whole, left), (ratio, right) = map(calls.amount, texts)
    made = money.exact_product(whole, ratio, left.scale + right.scale, left.scale)
    return made, Kind("amount", left.whole + right.whole + 1, left.scale)


def _rounded(calls: _Calls, texts: list[str]) -> tuple[pl.Expr, Kind]:
    """An amount with fewer digits after the point."""
    expr, kind = calls.amount(texts[0])
    scale = texts[1].strip()
    if not re.fullmatch("[0-9]", scale):
        raise InexactError(f"round_half_up {scale}")
    return money.round_half_up(expr, int(scale)), Kind("amount", kind.whole + 1, int(scale))


def _half_width(calls: _Calls, texts: list[str]) -> tuple[pl.Expr, Kind]:
    """A text without letters, digits and marks of double width, and without spaces around it."""
    expr, kind = calls.proved(texts[0])
    if kind != TEXT:
        raise InexactError(f"half_width {kind}")
    return expr.str.normalize("NFKC").str.strip_chars(), TEXT


CALLS: dict[str, _Call] = {
    "money_product": (_product, 2),
    "share": (_share, 2),
    "round_half_up": (_rounded, 2),
    "half_width": (_half_width, 1),
}

NODES: dict[str, Callable[[_Calls, Any], Kind]] = {
    "Column": _Calls.column,
    "Literal": _Calls.literal,
    "BinaryExpr": _Calls.binary,
    "Ternary": _Calls.ternary,
    "Cast": _Calls.cast,
    "Function": _Calls.function,
}
LITERALS = {"String": TEXT, "Boolean": TRUTH, "Null": NOTHING, "UInt32": COUNT}
LOGICAL = ("And", "Or", "LogicalAnd", "LogicalOr")
COMPARING = ("Eq", "NotEq", "EqValidity", "NotEqValidity", "Lt", "LtEq", "Gt", "GtEq")
SAME = ("Coalesce", "MaxHorizontal", "MinHorizontal", "FillNull")
TRUTHS = {"IsNull", "IsNotNull", "Not", "StartsWith", "EndsWith", "Contains"}
COUNTS = {"LenChars", "Find"}
STRINGS = COUNTS | {
    "Slice", "Lowercase", "Uppercase", "StripChars", "StripCharsStart", "StripCharsEnd", "Replace", "ConcatHorizontal",
    "PadStart",
}  # fmt: skip
