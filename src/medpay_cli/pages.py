"""What `list`, `show` and `explain` say of a layout, dialect, mapping, recipe or rule."""

from __future__ import annotations

import json

from medpay_cli import config, dialects, examples, layouts, mappings, messages
from medpay_cli.config import Document, Kind
from medpay_cli.layouts import Field
from medpay_cli.mappings.plans import WAYS, Plan
from medpay_cli.messages import Language


def listed(kind: Kind, lang: Language) -> list[tuple[str, str]]:
    """Every shipped file of a kind, and behind the dialects those that any layout has: name and title."""
    found = [(name, title(kind, name, lang)) for name in config.names(kind)]
    if kind is config.DIALECT:
        found += [(f"{form}:LAYOUT", str(body["title"][lang])) for form, body in dialects.generic().items()]
    return found


def title(kind: Kind, name: str, lang: Language) -> str:
    """The title of a shipped file."""
    document = config.load(kind, name)
    if kind is config.LAYOUT:
        return str(document.get("x-en" if lang == "en" else "title", ""))
    return str(document["title"][lang])


def page(kind: str, name: str, lang: Language) -> str:
    """The page of one file: the fields of a layout, the coverage of a mapping, a rule in words, the data of everything
    else."""
    if kind == "layout":
        return _layout(name, lang)
    if kind == "mapping" and mappings.load(name).source:
        return _mapping(name, lang)
    if kind == "rule":
        return _rule(name, lang)
    if kind == "dialect" and ":" in name and not name.endswith(config.DIALECT.suffix):
        said = {key: value for key, value in dialects.document(name).items() if key != "title"}
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in said.items())
    return config.locate(config.KINDS[f"{kind}s"], name).read_text(encoding="utf-8")


def _layout(name: str, lang: Language) -> str:
    layout, words = layouts.load(name), messages.labels(lang)
    heads = [words["field"], words["type"], words["required"], words["title"], words["source"]]
    rows = [
        [
            field.name,
            _type(field),
            words["yes"] if field.required else "",
            field.title(lang),
            field.notes.get("x-source", ""),
        ]
        for field in layout.fields
    ]
    lines = _table([heads, *rows])
    key = ", ".join(layout.key) or "-"
    described = layout.schema.get("x-en" if lang == "en" else "title", "")
    unique = (f"{words['unique']}: {', '.join(names)}" for names in layout.unique)
    return "\n".join([f"{layout.id}  {described}", f"{words['keys']}: {key}", *unique, "", *lines, ""])


def _mapping(name: str, lang: Language) -> str:
    """Every target column and where it comes from, and how many come from where."""
    found, words = mappings.load(name), messages.labels(lang)
    texts = [
        _plan(plan, document, words, lang)
        for plan, document in zip(mappings.checked(name), list(found.nodes.values()) or [found.document], strict=True)
    ]
    return "\n".join([str(found.document["title"][lang]), "", *texts])


def _plan(plan: Plan, document: Document, words: dict[str, str], lang: Language) -> str:
    unfilled = plan.unfilled or {}
    rows = [
        [
            one.name,
            words[one.way],
            " ".join((one.said or unfilled.get(one.name, "")).split()),
            _title(plan, one.name, lang),
        ]
        for one in plan.columns
    ]
    counted = [(way, sum(one.way == way for one in plan.columns)) for way in WAYS]
    counts = ", ".join(f"{words[way]} {count}" for way, count in counted)
    source = (plan.before or plan).source.id
    lines = [
        f"{source} → {plan.target.id}",
        f"{len(plan.columns)}: {counts}",
        *([f"{words['only_where']}: {document['where']}"] if "where" in document else []),
        *(f"{words['joined']}: {one.kind} ({one.layout.id}: {', '.join(one.by)})" for one in plan.joins),
        *([f"{words['grouped_by']}: {', '.join(document['group'])}"] if "group" in document else []),
        "",
        *_table([[words["field"], words["from"], words["expression"], words["title"]], *rows]),
        "",
    ]
    return "\n".join(lines)


def _title(plan: Plan, name: str, lang: Language) -> str:
    field = plan.target.field(name)
    return field.title(lang) if field else name


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(messages.wide(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _rule(name: str, lang: Language) -> str:
    rule, words = config.load(config.RULE, name), messages.labels(lang)
    return "\n".join([
        f"{rule['code']} {rule['title'][lang]} ({words[rule['severity']]})",
        f"  {rule['message'][lang]}",
        "",
        f"{words['why']}: {rule['why'][lang]}",
        f"{words['fix']}: {rule['fix'][lang]}",
        f"{words['source']}: {rule['source']}",
        *examples.shown(rule, lang),
        "",
    ])  # fmt: skip


def _type(field: Field) -> str:
    said = dict(field.asserted)
    if field.form in ("money", "decimal"):
        return f"{field.form}({field.digits},{field.scale})"
    if field.codes:
        return f"codes:{field.codes}"
    kind = field.form or said.get("type", "")
    return f"{kind}(..{said['maxLength']})" if "maxLength" in said else str(kind)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - messages.wide(text))
