"""A recipe says which sides are matched on what; it only names fields, the meaning is `matching`'s."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from medpay_cli import config
from medpay_cli.errors import MedpayError


@dataclass(frozen=True)
class RecipeSide:
    """One side: its name, and how it is read; without a dialect it is an ad-hoc table."""

    name: str
    layout: str | None
    dialect: str | None
    title: dict[str, str]

    def told(self, layout: str | None, dialect: str | None) -> RecipeSide:
        """The same side read otherwise; another dialect brings its own layout unless one is named too."""
        return replace(
            self,
            layout=layout or (None if dialect else self.layout),
            dialect=dialect or self.dialect,
        )


@dataclass(frozen=True)
class Recipe:
    """What `reconcile` compares."""

    name: str | None
    sides: tuple[RecipeSide, RecipeSide]
    key: tuple[str, ...]
    amounts: tuple[str, ...]
    compare: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tolerance: dict[str, Decimal] = field(default_factory=dict)
    absent_is_zero: bool = False
    advice: dict[str, dict[str, str]] = field(default_factory=dict)


def _sound(recipe: Recipe) -> Recipe:
    """Refuse a recipe without a key or an amount, and a column that stands in two places. Raises MedpayError."""
    columns = [*recipe.key, *recipe.amounts, *recipe.compare]
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if not recipe.key or not recipe.amounts or "" in columns or repeated:
        raise MedpayError("columns", names=", ".join(repeated) or "-")
    return recipe


def load(name: str) -> Recipe:
    """The recipe behind a shipped name or a user's FILE.toml. Raises MedpayError."""
    document = config.load(config.RECIPE, name)
    first, second = (
        RecipeSide(side["name"], side["layout"], side["dialect"], side.get("title", _same(side["name"])))
        for side in document["sides"]
    )
    return _sound(
        Recipe(
            name=name,
            sides=(first, second),
            key=tuple(document["key"]),
            amounts=tuple(document["amounts"]),
            compare=tuple(document.get("compare", ())),
            groups=tuple(document.get("groups", ())),
            tolerance={column: Decimal(amount) for column, amount in document.get("tolerance", {}).items()},
            absent_is_zero=document.get("absent_is_zero", False),
            advice=document.get("advice", {}),
        )
    )


def ad_hoc(key: tuple[str, ...], amounts: tuple[str, ...], compare: tuple[str, ...]) -> Recipe:
    """Any two delimited tables with headers, called ours and theirs."""
    ours, theirs = (
        RecipeSide("ours", None, None, {"zh": "我方", "en": "ours"}),
        RecipeSide("theirs", None, None, {"zh": "对方", "en": "theirs"}),
    )
    return _sound(Recipe(None, (ours, theirs), key, amounts, compare))


def _same(name: str) -> dict[str, str]:
    return {"zh": name, "en": name}
