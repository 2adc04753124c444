"""A partner keeps to shipped dialects but for a key or two: what differs stands in `medpay.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path

from medpay_cli import config
from medpay_cli.config import DIALECT, Document
from medpay_cli.errors import MedpayError

# What amounts and days mean where a partner does not say otherwise.
USUAL = {"acct_mulaid": "inside", "count": "rows", "enddate": "inclusive"}


@dataclass(frozen=True)
class Profile:
    """How rules are held for a partner: tolerances in yuan and severities (also "off") by code, what its amounts mean
    where partners differ, what it is that a rule cannot be judged ("listed" or "error"), and from how many rejected
    records on a file is refused as a whole."""

    tolerance: Mapping[str, Decimal] = field(default_factory=dict)
    severity: Mapping[str, str] = field(default_factory=dict)
    conventions: Mapping[str, str] = field(default_factory=lambda: dict(USUAL))
    not_judged: str = "listed"
    refuse_from: int | None = None


@dataclass(frozen=True)
class Partner:
    """A partner's name, the file that names it, the whole document of each dialect that it writes otherwise, and how
    rules are held for it."""

    name: str
    file: Path
    dialects: Mapping[str, Document]
    profile: Profile = Profile()


def load(name: str | None, file: Path | None = None) -> Partner | None:
    """The partner of that name in `file`, else in ./medpay.toml; None where nobody is named.

    A key of `[partners.NAME.dialects.DIALECT]` takes the place of the dialect's whole key. Raises MedpayError for an
    unknown partner, dialect or key, and for a dialect that is none any more.
    """
    path = file or Path(config.FILE)
    if name is None and file is None:
        return None
    document = config.parse(path)
    config.check(document, "config.schema.json", str(path))
    if name is None:
        return None
    partners = document.get("partners", {})
    if name not in partners:
        raise MedpayError("unknown_partner", path=path, name=name, known=", ".join(partners) or "-")
    changes: Document = partners[name].get("dialects", {})
    documents = {dialect: _changed(dialect, keys, path, name) for dialect, keys in changes.items()}
    return Partner(name, path, documents, _profile(partners[name], path, name))


def _profile(said: Document, path: Path, partner: str) -> Profile:
    known = config.names(config.RULE)
    for key in ("tolerance", "severity"):
        for code in said.get(key, {}):
            if code not in known:
                raise MedpayError("unknown_code", option=f"{path} partners.{partner}.{key}", code=code)
            rule = config.load(config.RULE, code)
            if key == "severity" and rule.get("always"):
                raise MedpayError("always_applies", option=f"{path} partners.{partner}.{key}", code=code)
            if key == "tolerance" and not rule.get("tolerated"):
                raise MedpayError("not_tolerated", option=f"{path} partners.{partner}.{key}", code=code)
    usual = Profile()
    return Profile(
        tolerance={code: Decimal(amount) for code, amount in said.get("tolerance", {}).items()},
        severity=said.get("severity", {}),
        conventions={**usual.conventions, **said.get("conventions", {})},
        not_judged=said.get("not_judged", usual.not_judged),
        refuse_from=said.get("refuse_from"),
    )


def _changed(dialect: str, keys: Document, path: Path, partner: str) -> Document:
    shipped = config.names(DIALECT)
    if dialect not in shipped and not dialect.endswith(DIALECT.suffix):
        near = get_close_matches(dialect, shipped, n=3, cutoff=0.4) or shipped
        raise MedpayError("partner_dialect", path=path, partner=partner, name=dialect, known=", ".join(near))
    document = {**config.load(DIALECT, dialect), **keys}
    config.check(document, DIALECT.schema or "", f"{path} partners.{partner}.dialects.{dialect}")
    return document
