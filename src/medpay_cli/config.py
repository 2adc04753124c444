"""Our own small files: a shipped one by name, a user's own by path, checked against its schema when loaded."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from medpay_cli import files
from medpay_cli.errors import MedpayError

Document = dict[str, Any]
# Settings of a place, in the folder where we run.
FILE = "medpay.toml"


@dataclass(frozen=True)
class Kind:
    """One kind of file under `schemas/`: its folder, its ending, the schema that closes its vocabulary."""

    name: str
    folder: str
    suffix: str
    schema: str | None


LAYOUT = Kind("layout", "layouts", ".json", "layout.schema.json")
DIALECT = Kind("dialect", "dialects", ".toml", "dialect.schema.json")
MAPPING = Kind("mapping", "mappings", ".toml", "mapping.schema.json")
RECIPE = Kind("recipe", "recipes", ".toml", "recipe.schema.json")
RULE = Kind("rule", "rules", ".toml", None)
KINDS = {f"{kind.name}s": kind for kind in (LAYOUT, DIALECT, MAPPING, RECIPE, RULE)}


def names(kind: Kind) -> list[str]:
    """The shipped names of a kind, sorted."""
    return sorted(path.name.removesuffix(kind.suffix) for path in _folder(kind).glob(f"*{kind.suffix}"))


def locate(kind: Kind, name: str) -> Path:
    """The file behind a shipped name (newest version when none is given) or a user's path ending in the suffix."""
    if name.endswith(kind.suffix):
        return Path(name)
    shipped = names(kind)
    versions = [other for other in shipped if other.rpartition(".v")[0] == name]
    found = name if name in shipped else max(versions, key=_version, default=None)
    if found is None:
        near = get_close_matches(name, shipped, n=3, cutoff=0.4) or shipped
        raise MedpayError("unknown_name", kind=kind.name, name=name, known=", ".join(near), suffix=kind.suffix)
    return _folder(kind) / f"{found}{kind.suffix}"


def load(kind: Kind, name: str) -> Document:
    """The document behind `name`. Raises MedpayError naming the file and the place of the first fault."""
    path = locate(kind, name)
    document = parse(path)
    # The shipped ones are checked by our tests: jsonschema costs 0.16 s to import.
    if kind.schema and path.parent != _folder(kind):
        check(document, kind.schema, str(path))
    return document


def parse(path: Path) -> Document:
    """Read a TOML file, or one of JSON whatever it is called: decimals as Decimal, no key twice. Raises MedpayError."""
    try:
        with files.reading(path):
            content = _content(path)
        document = (
            tomllib.loads(content, parse_float=Decimal)
            if path.suffix == ".toml"
            else json.loads(content, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_repeats)
        )
    except (ValueError, RecursionError) as err:
        raise MedpayError("not_well_formed", path=path, reason=err) from err
    if not isinstance(document, dict):
        raise MedpayError("not_well_formed", path=path, reason="the top level is not a table")
    return document


def _content(path: Path) -> str:
    """Its text. Raises MedpayError where no file is there."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as err:
        raise MedpayError("cannot_read", path=path, reason=err.strerror) from err


def check(document: Document, schema: str, origin: str) -> None:
    """Hold one of our files against its schema; the first fault is named with its place."""
    import jsonschema
    from referencing import Registry

    validator = jsonschema.Draft202012Validator(parse(files.schemas() / schema), registry=Registry())
    faults = list(validator.iter_errors(document))
    # A slip in a keyword is the cause where the right one is also missing.
    slips = [one for one in faults if one.validator == "additionalProperties"]
    fault = jsonschema.exceptions.best_match(iter(slips or faults))
    if fault is not None:
        place = "/".join(str(step) for step in fault.absolute_path) or "/"
        raise MedpayError("not_allowed", path=origin, place=place, reason=fault.message)


def _folder(kind: Kind) -> Path:
    return files.schemas() / kind.folder


def _version(name: str) -> int:
    return int(name.rpartition(".v")[2])


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _no_repeats(pairs: list[tuple[str, Any]]) -> Document:
    document = dict(pairs)
    if len(document) < len(pairs):
        repeated = sorted({key for key, _ in pairs if [k for k, _ in pairs].count(key) > 1})
        raise ValueError(f"repeated key {', '.join(repeated)}")
    return document
