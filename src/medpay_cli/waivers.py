"""A waiver lets somebody answer for what a rule finds: with a reason, and not for ever."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

from medpay_cli import config
from medpay_cli.errors import MedpayError

WAIVED = "waived"
# What a file cannot be read by, or a record not be split or typed, nobody can answer for.
WAIVABLE = ("C", "B", "P")


@dataclasses.dataclass(frozen=True)
class Waiver:
    """Findings of a code, perhaps only at a field, in files whose name fits, or on the record of a key."""

    code: str
    reason: str
    owner: str
    until: date
    field: str | None = None
    file: str = "*"
    key: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def covers(self, code: str, name: str | None, file: str) -> bool:
        """Whether it may cover findings of this code and field in a file."""
        return code == self.code and self.field in (None, name) and fnmatchcase(Path(file).name, self.file)


def load(path: Path) -> tuple[Waiver, ...]:
    """The waivers of a TOML file. Raises MedpayError for a code that no rule has or that cannot be waived."""
    document = config.parse(path)
    config.check(document, "waivers.schema.json", str(path))
    known = config.names(config.RULE)
    waivers = tuple(Waiver(**one) for one in document["waivers"])
    for number, one in enumerate(waivers):
        if type(one.until) is not date:  # a time is a date too
            place, reason = f"waivers/{number}/until", f"{one.until!r}: TOML date, 2026-12-31"
            raise MedpayError("not_allowed", path=path, place=place, reason=reason)
        if one.code not in known:
            raise MedpayError("unknown_code", option=f"{path} code", code=one.code)
        if not one.code.startswith(WAIVABLE) or config.load(config.RULE, one.code).get("always"):
            raise MedpayError("not_waivable", path=path, code=one.code)
    return waivers
