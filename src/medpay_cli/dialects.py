"""A dialect says how records of a layout are written in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from pathlib import Path

from medpay_cli import batchfiles, config, files
from medpay_cli.batchfiles import BatchFiles
from medpay_cli.errors import MedpayError
from medpay_cli.partners import Partner

# The item of a control line that is the number of records.
RECORDS = "records"
# Encodings in which a host system counts the columns of its lines.
COUNTED = ("gb18030", "gbk", "gb2312", "big5")


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
class Node:
    """Where the records of one layout stand in a nested message.

    `path` holds the steps that lead to a record: for XML the names of elements from the root, for JSON keys (an array
    on the way is stepped into). A node that is not `repeated` stands once at most, and once exactly where it is
    `required`. `link` names the fields that a record takes from the record of the node `parent` around it.
    """

    name: str | None
    path: tuple[str, ...]
    layout: str
    repeated: bool = True
    required: bool = False
    parent: str | None = None
    link: tuple[str, ...] = ()


@dataclass(frozen=True)
class ControlLine:
    """A first or last line that says how many records there are and what they sum up to.

    `items` says what each of its fields means: nothing (""), RECORDS, the sum of a money field of that name, or
    something else that is only kept. `begins` is its first text, `spans` where each item stands in a line of fixed
    width.
    """

    items: tuple[str, ...]
    begins: str = ""
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Dialect:
    """A party's file habits. Without a header, a record of width n holds the layout's first n fields.

    With one, of `header_lines` lines that are read downwards, columns are found by name, in the layout's order unless
    `free_order`; `headings` says which field a name of the partner's own means, `other_columns` whether there may be
    more than the layout's, `missing_columns` whether only those of `headings` must be there, but for the fields of
    `spared`, `values` what a field holds that has no column. `preamble` counts the lines before the header or the first
    record, `footer` is how each line after the last record begins. The control line `head` stands behind the preamble,
    `tail` before the footer.

    `nodes` are the parts of a nested message; `namespace` is that of every element (XML), `embedded` are the paths
    whose value is text that holds JSON, `numbers` says whether amounts are written as JSON numbers, `sheet` names the
    sheet of a workbook, `positions` a field's first and last column of text (from 1) where lines have a fixed width.
    A column is a character, or a byte of the encoding `counted_in`. `line_end` and `trailing_delimiter` are what is
    written; either is read. `batch` says how its files are named and what stands beside them, `stamps` what control
    lines that are written say beside totals. `partner` is whose own habits it has, where a partner's differ.
    """

    name: str
    layout: str
    format: str = "delimited"
    nodes: tuple[Node, ...] = ()
    namespace: str = ""
    embedded: tuple[tuple[str, ...], ...] = ()
    numbers: bool = False
    sheet: str | None = None
    positions: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    counted_in: str = ""
    delimiter: str = "\t"
    trailing_delimiter: bool = False
    line_end: str = "\n"
    quote: str = ""
    encoding: str | None = None
    header: bool = False
    header_lines: int = 1
    nulls: tuple[str, ...] = ()
    other_columns: bool = False
    missing_columns: bool = False
    spared: frozenset[str] = frozenset()
    values: Mapping[str, str] = field(default_factory=dict)
    free_order: bool = False
    headings: Mapping[str, str] = field(default_factory=dict)
    preamble: int = 0
    footer: tuple[str, ...] = ()
    head: ControlLine | None = None
    tail: ControlLine | None = None
    final_line_end: bool = False
    limits: Limits = Limits()
    trim: bool = False
    widths: tuple[int, ...] = ()
    mixed_widths: bool = False
    shifted: tuple[Shifted, ...] = ()
    batch: BatchFiles | None = None
    stamps: Mapping[str, str] = field(default_factory=dict)
    partner: str | None = None

    @property
    def parts(self) -> tuple[Node, ...]:
        """Its nodes; of a file with one kind of record the only, unnamed one."""
        # What a generic XML file of one layout looks like; everywhere else the records stand at the top.
        path = ("records", "record") if self.format == "xml" else ()
        return self.nodes or (Node(None, path, self.layout),)

    @property
    def counted(self) -> str | None:
        """The node whose records are counted and summed up where something is declared of a file."""
        return (self.batch.node if self.batch else None) or self.parts[0].name

    def wanted(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The fields that a header must name."""
        if not self.missing_columns:
            return names
        needed = set(self.headings.values()) - self.spared
        return tuple(name for name in names if name in needed)

    @property
    def heads(self) -> int:
        """How many lines the header has, if there is one."""
        return self.header_lines if self.header else 0

    @property
    def above(self) -> int:
        """How many lines stand before the header or the first record."""
        return self.preamble + (self.head is not None)

    def fitted(self, names: tuple[str, ...]) -> Dialect:
        """The dialect for a layout of these fields; without widths a record has them all.

        Raises MedpayError for what no file could mean.
        """
        is_fixed = self.format == "fixed"
        reasons = [*self._fixed_faults(names)] if is_fixed else [*self._width_faults(names), *self._delimiter_faults()]
        reasons += [f"footer {begins!r}" for begins in self.footer if "\n" in begins]
        if reasons:
            raise MedpayError("dialect_fault", path=self.name, reason="; ".join(reasons))
        if self.header or self.widths:
            return self
        width = max(last for _, last in self.positions.values()) if is_fixed else len(names)
        return replace(self, widths=(width,))

    def _width_faults(self, names: tuple[str, ...]) -> Iterator[str]:
        fields = len(names)
        yield from (f"widths {width} > {fields}" for width in self.widths if width > fields)
        for case in self.shifted:
            columns = (case.width, case.skip, *case.empty, *case.amount, *case.not_amount)
            yield from (f"shifted {column} > {case.width}" for column in columns if column > case.width)
            if case.width not in (self.widths or (fields,)):
                yield f"shifted {case.width}, widths {self.widths or fields}"
            if not (case.empty or case.amount or case.not_amount):
                yield "shifted: empty, amount, not_amount"
        if not self.header and max(self.widths, default=fields) > self.limits.columns:
            yield f"limits columns {self.limits.columns}"
        yield from (f"headings {name}" for name in sorted(set(self.headings.values()) - set(names)))
        yield from (f"values {name}" for name in sorted(set(self.values) - set(names)))
        if (self.missing_columns or self.values) and not self.header:
            yield "missing_columns, values: header = false"
        if (self.headings or self.header_lines > 1) and not self.header:
            yield "headings, header_lines: header = false"

    def _delimiter_faults(self) -> Iterator[str]:
        if not self.delimiter.isascii() or {*self.delimiter} & {"\r", "\n", self.quote}:
            yield f"delimiter {self.delimiter!r}"
        if self.quote and len(self.delimiter) > 1:
            yield f"delimiter {self.delimiter!r}, quote {self.quote!r}"

    def _fixed_faults(self, names: tuple[str, ...]) -> Iterator[str]:
        yield from (f"positions {name}" for name in self.positions if name not in names)
        behind = 0
        for name, (first, last) in sorted(self.positions.items(), key=lambda one: one[1]):
            if first > last or first <= behind:
                yield f"positions {name} {first}..{last}"
            behind = last
        if not self.positions:
            yield "positions"
        if len(self.widths) > 1 or min(self.widths, default=behind) < behind:
            yield f"widths {self.widths}, positions {behind}"
        unfit = ("quote", "header", "headings", "shifted", "mixed_widths", "trailing_delimiter")
        yield from (f"{key}, format = fixed" for key in unfit if getattr(self, key))

    def check_links(self, names: Mapping[str | None, tuple[str, ...]]) -> None:
        """Raises MedpayError where a node takes a field that its own layout or its parent's lacks."""
        for node in self.nodes:
            lacking = [name for name in node.link if name not in names[node.name] or name not in names[node.parent]]
            if lacking:
                raise MedpayError(
                    "dialect_fault", path=self.name, reason=f"nodes {node.name}: link {', '.join(lacking)}"
                )

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


@cache
def generic() -> Mapping[str, config.Document]:
    """The dialects that any layout has: the word before the colon of `csv:visit` → its table."""
    return config.parse(files.schemas() / "generic.toml")


def document(name: str) -> config.Document:
    """The data behind a shipped name, a generic one (`csv:visit`) or a user's FILE.toml. Raises MedpayError."""
    form, _, layout = name.partition(":")
    if layout and form in generic() and not name.endswith(config.DIALECT.suffix):
        return {**generic()[form], "layout": layout}
    return config.load(config.DIALECT, name)


def load(name: str, partner: Partner | None = None) -> Dialect:
    """The dialect behind a shipped name, a generic one or a user's FILE.toml, as a partner writes it.

    Raises MedpayError.
    """
    changed = partner.dialects.get(name) if partner else None
    built = _built(name, changed or document(name))
    return replace(built, partner=partner.name) if partner and changed else built


def _built(name: str, document: config.Document) -> Dialect:
    same = (
        "format", "namespace", "numbers", "sheet", "delimiter", "quote", "encoding", "header", "other_columns",
        "free_order", "headings", "preamble", "final_line_end", "trim", "mixed_widths", "trailing_delimiter",
        "line_end", "missing_columns", "values", "header_lines",
    )  # fmt: skip
    plain = {key: document[key] for key in same if key in document}
    nodes = tuple(_node(node, body, name) for node, body in document.get("nodes", {}).items())
    others = document.get("batch", {})
    manifest, answers = (others.get("dialect", batchfiles.USUAL), others.get("answers"))
    batch = batchfiles.built(document.get("batch"), _other(manifest, name), answers and _other(answers, name))
    fault = next(chain(_faults(nodes), _text_faults(document), batchfiles.faults(batch)), None)
    if batch and batch.node not in (None, *(node.name for node in nodes)):
        fault = f"batch node {batch.node}: {', '.join(str(node.name) for node in nodes) or '-'}"
    if fault:
        raise MedpayError("dialect_fault", path=name, reason=fault)
    return Dialect(
        name=name,
        layout=_beside(document["layout"], name) if "layout" in document else nodes[0].layout,
        nodes=nodes,
        embedded=tuple(map(_steps, document.get("embedded", ()))),
        positions={field: (first, last) for field, (first, last) in document.get("positions", {}).items()},
        # In the dialect's own encoding, whatever a file turns out to be in.
        counted_in=document["encoding"] if document.get("counted_in") == "bytes" else "",
        nulls=tuple(document.get("nulls", ())),
        head=_control("head", document),
        tail=_control("tail", document),
        footer=tuple(document.get("footer", ())),
        batch=batch,
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


def _beside(layout: str, name: str) -> str:
    """A layout that is a file of the user's stands beside the dialect file that names it."""
    is_beside = layout.endswith(config.LAYOUT.suffix) and name.endswith(config.DIALECT.suffix)
    return str(Path(name).parent / layout) if is_beside else layout


def _other(said: str, name: str) -> str:
    """The dialect of another file of a batch; one that is a file of the user's stands beside the dialect's."""
    is_beside = said.endswith(config.DIALECT.suffix) and name.endswith(config.DIALECT.suffix)
    return str(Path(name).parent / said) if is_beside else said


def _node(node: str, body: config.Document, name: str) -> Node:
    return Node(
        name=node,
        path=_steps(body["path"]),
        layout=_beside(body["layout"], name),
        repeated=body.get("repeated", False),
        required=body.get("required", False),
        parent=body.get("parent"),
        link=tuple(body.get("link", ())),
    )


def _control(place: str, document: config.Document) -> ControlLine | None:
    control = document.get("control", {})
    items = control.get(place)
    if items is None:
        return None
    spans = tuple((first, last) for first, last in items.values()) if isinstance(items, dict) else ()
    return ControlLine(tuple(items), control.get(f"{place}_begins", ""), spans)


def _text_faults(document: config.Document) -> Iterator[str]:
    """What the schema of dialects cannot say of lines."""
    form, control = document["format"], document.get("control", {})
    for place in ("head", "tail"):
        if place in control and form != ("fixed" if isinstance(control[place], dict) else "delimited"):
            yield f"control {place}, format = {form}"
        spans = control[place].values() if isinstance(control.get(place), dict) else ()
        yield from (f"control {place} {first}..{last}" for first, last in spans if first > last)
    if "header_lines" in document and form != "delimited":
        yield f"header_lines, format = {form}"
    if document.get("counted_in") == "bytes" and document.get("encoding") not in COUNTED:
        yield f"counted_in = bytes, encoding = {document.get('encoding')}"


def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.strip("/").split("/")) if path.strip("/") else ()


def _faults(nodes: tuple[Node, ...]) -> Iterator[str]:
    """What the schema of dialects cannot say of nodes."""
    known: dict[str | None, Node] = {}
    for node in nodes:
        above = known.get(node.parent) if node.parent else None
        if node.parent and above is None:
            yield f"nodes {node.name}: parent {node.parent}"
        if above and (node.path[: len(above.path)] != above.path or node.path == above.path):
            yield f"nodes {node.name}: path /{'/'.join(node.path)}"
        if bool(node.parent) != bool(node.link):
            yield f"nodes {node.name}: parent, link"
        if node.path in [other.path for other in known.values()]:
            yield f"nodes {node.name}: path /{'/'.join(node.path)}"
        known[node.name] = node
