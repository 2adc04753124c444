"""Records put together to JSON messages: the texts of inner records go into those of the records around them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl

from medpay_cli import layouts
from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError
from medpay_cli.formats import Names
from medpay_cli.formats.cells import BLANKS, not_written
from medpay_cli.formats.encoding import UTF_8, known
from medpay_cli.formats.json.nodes import Step, tree

NUMBER = r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$"
TEXT, COUNT = "\x1ftext", "\x1fcount"

Frames = Mapping[str | None, pl.DataFrame]


class Composer:
    """Writes the records of a chunk as texts of compact JSON. Raises MedpayError for what the dialect cannot say."""

    def __init__(self, dialect: Dialect, names: Names) -> None:
        self._dialect = dialect
        self._names = names
        self._top = tree(dialect, names)
        self._numbers = {node.name: _numbers(node) if dialect.numbers else frozenset() for node in dialect.parts}

    @property
    def outermost(self) -> Node | None:
        """The node in whose records those of all others stand, if there is one."""
        places = list(_next([self._top]))
        return places[0][1] if len(places) == 1 else None

    def embeds(self, node: Node) -> bool:
        """Whether its records stand in a text that holds JSON."""
        return any(node.path[:size] in self._dialect.embedded for size in range(len(node.path) + 1))

    def document(self, frames: Frames) -> str:
        """All records in one message."""
        one = pl.DataFrame({TEXT: [None]}, {TEXT: pl.String})
        found = one.with_columns(self._inside([self._top], one, None, frames)).select(_value(self._top)).item()
        return str(found) if found is not None else _nothing(self._top.node)

    def records(self, frames: Frames) -> list[str]:
        """Each record of the outermost node with all that belongs to it."""
        ((step, node),) = _next([self._top])
        return self._texts(step, node, self._frame(node, frames), frames).to_list()

    def messages(self, frames: Frames) -> list[str]:
        """The same, each as a message of its own; all in one where no node is outermost."""
        if self.outermost is None:
            return [self.document(frames)]
        ((step, node),) = _next([self._top])
        texts = self._texts(step, node, self._frame(node, frames), frames)
        inner = _array(pl.col(TEXT)) if node.repeated and node.path else pl.col(TEXT)
        found = pl.DataFrame({TEXT: texts}).with_columns(inner.alias(_column(node)))
        return found.select(_value(self._top)).to_series().to_list()

    def encoded(self, text: str) -> bytes:
        """In the dialect's encoding."""
        name = known(self._dialect.encoding or UTF_8)
        try:
            return text.encode(name)
        except UnicodeEncodeError as err:
            raise self._cannot(None, f"U+{ord(text[err.start]):04X}, {name}") from None

    def _cannot(self, node: Node | None, reason: str) -> MedpayError:
        return not_written(self._dialect, (node.name if node else None) or self._dialect.layout, reason)

    def _frame(self, node: Node, frames: Frames) -> pl.DataFrame:
        """The records of a node. Raises MedpayError where a cell would be read as another one."""
        names = self._names[node.name]
        if node.name not in frames:
            return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
        frame = frames[node.name].select(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in names)
        cell = pl.all()
        fits = cell.str.len_bytes() <= self._dialect.limits.field
        if self._dialect.nulls:
            fits &= ~cell.is_in(self._dialect.nulls)
        if self._dialect.trim:
            fits &= cell.str.strip_chars(BLANKS) == cell
        wrong = frame.select((~fits).any()).row(0, named=True) if names else {}
        if any(wrong.values()):
            raise self._cannot(node, ", ".join(name for name, is_wrong in wrong.items() if is_wrong))
        return frame

    def _texts(self, step: Step, node: Node, cells: pl.DataFrame, frames: Frames) -> pl.Series:
        """The records of a place, one text each."""
        numbers = self._numbers[node.name]
        members = [
            pl.concat_str(pl.lit(_key(name)), _number(pl.col(name)) if name in numbers else quoted(pl.col(name)))
            for name in self._names[node.name]
            if name not in node.link
        ]
        members += [pl.concat_str(pl.lit(_key(key)), _value(inner)) for key, inner in step.steps.items()]
        inside = self._inside(step.steps.values(), cells, node, frames)
        return cells.with_columns(inside).select(_object(members)).to_series()

    def _inside(
        self, steps: Iterable[Step], around: pl.DataFrame, node: Node | None, frames: Frames
    ) -> list[pl.Series]:
        """For each record around, what stands in it of every node that comes next below."""
        return [self._belonging(step, inner, around, node, frames) for step, inner in _next(steps)]

    def _belonging(self, step: Step, node: Node, frame: pl.DataFrame, around: Node | None, frames: Frames) -> pl.Series:
        """For each record of `frame` the records that belong to it, as one text; null where there are none."""
        cells = self._frame(node, frames)
        texts = pl.DataFrame([*cells.select(node.link), self._texts(step, node, cells, frames).alias(TEXT)])
        if around is not None and node.parent == around.name:
            links = list(node.link)
            if not texts.join(frame, on=links, how="anti").is_empty():
                raise self._cannot(node, f"{', '.join(links)}: 0 × {around.name}")
            doubled = frame.filter(pl.struct(links).is_duplicated())
            if not texts.join(doubled, on=links, how="semi").is_empty():
                raise self._cannot(node, f"{', '.join(links)}: > 1 × {around.name}")
        elif node.parent is None and (frame.height == 1 or texts.is_empty()):
            links = []
        else:
            raise self._cannot(node, f"{frame.height} × {around.name if around else '/'}")
        together = (pl.col(TEXT).str.join(",").alias(TEXT), pl.len().alias(COUNT))
        if links:
            grouped = texts.group_by(links, maintain_order=True).agg(*together)
            found = frame.select(links).join(grouped, on=links, how="left", maintain_order="left")
        else:
            found = texts.select(*together)
            found = found.clear(frame.height) if texts.is_empty() else found
        counts = found[COUNT].fill_null(0)
        if node.required and not (counts > 0).all():
            raise self._cannot(node, "0")
        if not node.repeated and not (counts <= 1).all():
            raise self._cannot(node, "> 1")
        inner = _array(pl.col(TEXT)) if node.repeated else pl.col(TEXT)
        return found.select(inner.alias(_column(node))).to_series()


def gathered(chunks: Iterable[Frames]) -> Frames:
    """All chunks as one."""
    found: dict[str | None, list[pl.DataFrame]] = {}
    for chunk in chunks:
        for node, frame in chunk.items():
            found.setdefault(node, []).append(frame)
    return {node: pl.concat(frames) for node, frames in found.items()}


def quoted(cell: pl.Expr) -> pl.Expr:
    """A text as JSON writes it; null stays null."""
    written = pl.struct(cell.alias("")).struct.json_encode().str.strip_prefix('{"":').str.strip_suffix("}")
    return pl.when(cell.is_not_null()).then(written)


def _number(cell: pl.Expr) -> pl.Expr:
    return pl.when(cell.str.contains(NUMBER)).then(cell).otherwise(quoted(cell))


def _numbers(node: Node) -> frozenset[str]:
    """The fields of its layout that are numbers."""
    return frozenset(one.name for one in layouts.load(node.layout).fields if one.types & {"number", "integer"})


def _next(steps: Iterable[Step]) -> Iterator[tuple[Step, Node]]:
    """The places of nodes that come first, from here on."""
    for step in steps:
        if step.node is not None:
            yield step, step.node
        else:
            yield from _next(step.steps.values())


def _value(step: Step) -> pl.Expr:
    """What stands at a place, out of the columns of the nodes there and below; null where nothing does."""
    if step.node is not None:
        found = pl.col(_column(step.node))
    else:
        members = [pl.concat_str(pl.lit(_key(key)), _value(inner)) for key, inner in step.steps.items()]
        found = pl.when(pl.any_horizontal(one.is_not_null() for one in members)).then(_object(members))
    return quoted(found) if step.embedded else found


def _object(members: Sequence[pl.Expr]) -> pl.Expr:
    joined = pl.concat_str(members, separator=",", ignore_nulls=True) if members else pl.lit("")
    return pl.concat_str(pl.lit("{"), joined, pl.lit("}"))


def _array(elements: pl.Expr) -> pl.Expr:
    return pl.concat_str(pl.lit("["), elements, pl.lit("]"))


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False) + ":"


def _column(node: Node) -> str:
    return f"\x1fnode {node.name or ''}"


def _nothing(node: Node | None) -> str:
    """A message without records."""
    if node is None:
        return "{}"
    return "[]" if node.repeated else "null"
