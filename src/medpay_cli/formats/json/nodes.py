"""Records of the nodes of a JSON message: where each stands, what it holds, and what it takes from those around it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError, ReadError
from medpay_cli.formats import Batch, Names
from medpay_cli.formats.cells import BLANKS
from medpay_cli.formats.json.strict import Malformed, Repeated, Strict, holds_repeated, kind, pointer
from medpay_cli.formats.rows import Fault, Rows

# Records of a batch, and cells: records may be much shorter than their layout.
RECORDS = 20_000
CELLS = 8_000_000
# So many stay in the processor's cache while their columns are made: a third of the time.
AT_ONCE = 64
# What a field may hold.
TEXTS = frozenset((str, type(None)))


@dataclass
class Step:
    """A place in a message: the node whose records stand there if any, and the keys that lead on to others."""

    node: Node | None = None
    names: frozenset[str] = frozenset()
    embedded: bool = False
    steps: dict[str, Step] = field(default_factory=dict)


def tree(dialect: Dialect, names: Names) -> Step:
    """The places of a dialect's nodes. Raises MedpayError where a key is a field and leads to a node, and for a link
    that is no field."""
    top = Step()
    for node in dialect.parts:
        step = top
        for place in range(len(node.path)):
            embedded = node.path[: place + 1] in dialect.embedded
            step = step.steps.setdefault(node.path[place], Step(embedded=embedded))
        step.node, step.names = node, frozenset(names[node.name])
    reasons = list(_both(top))
    for node in dialect.parts:
        linked = set(names[node.name]) & set(names[node.parent]) if node.parent else set()
        reasons += [f"nodes {node.name}: link {name}" for name in node.link if name not in linked]
    if reasons:
        raise MedpayError("dialect_fault", path=dialect.name, reason="; ".join(reasons))
    return top


def _both(step: Step) -> Iterator[str]:
    """Keys that are a field and lead to a node."""
    yield from (f"nodes {step.node.name}: {key}" for key in sorted(step.names & set(step.steps)) if step.node)
    for inner in step.steps.values():
        yield from _both(inner)


@dataclass(slots=True)
class Found:
    """A record that waits for the end of its message; one with a `code` cannot be read."""

    node: str | None
    cells: dict[str, Any]
    path: str
    faults: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    code: str | None = None
    value: str | None = None
    expected: str | None = None

    def placed(self, row: int, line: int | None, path: str | None) -> list[Fault]:
        """What is wrong with it."""
        if self.code:
            return [Fault(self.code, row, line, path, value=self.value, expected=self.expected)]
        return [Fault(code, row, line, path, name, value=value) for code, name, value in self.faults]


@dataclass
class _Taken:
    """Records that belong to a file; their columns are made when all are there, which takes half the time."""

    rows: Rows
    cells: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, node: str | None) -> _Taken:
        return cls(Rows.of(node, ()))

    def batch(self, names: tuple[str, ...], dialect: Dialect) -> Batch:
        columns: dict[str, list[Any]] = {name: [] for name in names}
        for at in range(0, len(self.cells), AT_ONCE):
            near = self.cells[at : at + AT_ONCE]
            for name, column in columns.items():
                column += [cells.get(name) for cells in near]
        self.rows.columns = columns
        return self.rows.batch(dialect)


Around = Mapping[str | None, Mapping[str, Any] | None]


class Records:
    """The records met so far, as batches. Nothing of a message is taken in before all of it was understood."""

    def __init__(self, dialect: Dialect, names: Names) -> None:
        self.top = tree(dialect, names)
        self.strict = Strict()
        self._dialect = dialect
        self._names = names
        self._taken = {node.name: _Taken.of(node.name) for node in dialect.parts}
        self._most = {node: min(RECORDS, CELLS // max(len(of), 1) + 1) for node, of in names.items()}
        self._yielded: set[str | None] = set()
        self._ready: list[Callable[[], Batch]] = []
        self._met: Counter[str | None] = Counter()
        self._waiting: list[Found] = []
        self._scopes = {
            parent: tuple(node for node in dialect.parts if node.parent == parent)
            for parent in {node.parent for node in dialect.parts}
        }

    def visit(self, value: Any, step: Step, path: str, element: bool = False) -> None:
        """Find the records in what stands at a place outside of all records.

        Raises ReadError F218, Malformed (a key that stands twice, embedded text that is no JSON) and TooDeep.
        """
        self._visit(value, step, path, {}, None, element)

    def close(self) -> None:
        """The message ends: what must stand in it stood there. Raises ReadError F218."""
        self._judge(None, Counter(), "")
        self._met.clear()

    def found(self) -> list[Found]:
        """The records that were found, for a reader that takes them in itself."""
        found, self._waiting = self._waiting, []
        return found

    def take(self, line: int | None = None) -> None:
        """The records that were found belong to the file."""
        for found in self.found():
            taken = self._taken[found.node]
            rows = taken.rows
            if found.code:
                rows.records += 1
            else:
                rows.add({}, line, found.path)
                taken.cells.append(found.cells)
            if found.code or found.faults:
                rows.faults += found.placed(rows.records, line, found.path)
            if rows.records >= self._most[found.node]:
                self._batch(found.node)

    def refuse(self, err: ReadError) -> None:
        """The message cannot be read: it counts as one record of the first node."""
        self._met.clear()
        first = self._dialect.parts[0].name
        self._waiting = [Found(first, {}, "", code=err.code, value=err.value, expected=err.expected)]

    def note(self, fault: Fault) -> None:
        """What was found between messages."""
        self._taken[self._dialect.parts[0].name].rows.faults.append(fault)

    @property
    def is_ready(self) -> bool:
        """Whether some batch is full."""
        return bool(self._ready)

    def ready(self) -> Iterator[Callable[[], Batch]]:
        """Tasks for the batches that are full."""
        while self._ready:
            yield self._ready.pop(0)

    def rest(self, last: bool = True) -> Iterator[Callable[[], Batch]]:
        """Tasks for everything that was taken in; at the end every node has had a batch."""
        for name, taken in self._taken.items():
            rows = taken.rows
            if rows.records or rows.faults or (last and name not in self._yielded):
                self._batch(name)
        yield from self.ready()

    def _batch(self, node: str | None) -> None:
        self._ready.append(partial(self._taken[node].batch, self._names[node], self._dialect))
        self._taken[node] = _Taken.of(node)
        self._yielded.add(node)

    def _visit(self, value: Any, step: Step, path: str, around: Around, owner: Found | None, element: bool) -> None:
        if step.embedded and type(value) is str and value:
            value = self._embedded(value)
        if type(value) is list and not element:
            if step.node and not step.node.repeated:
                raise _structure(path, "array", "object")
            for place, inner in enumerate(value):
                self._visit(inner, step, f"{path}/{place}", around, owner, element=True)
        elif isinstance(value, dict):
            if step.node:
                self._record(value, step, path, step.node, around)
            else:
                self._between(value, step, path, around, owner)
        elif element or (value is not None and value != ""):
            raise _structure(path, kind(value), "object")

    def _embedded(self, value: str) -> Any:
        repeats = self.strict.repeats
        try:
            return self.strict.whole(value)
        except Malformed as err:
            raise Malformed(f"embedded {err.at + 1}: {err.reason}", 0) from None
        finally:
            self.strict.repeats |= repeats

    def _between(self, found: dict[str, Any], step: Step, path: str, around: Around, owner: Found | None) -> None:
        """An object that only leads on. Inside of a record it holds nothing else; outside it is the envelope."""
        others = [key for key in found if key not in step.steps]
        if isinstance(found, Repeated) or (self.strict.repeats and any(holds_repeated(found[key]) for key in others)):
            raise Malformed("Repeated key", 0)
        if owner and not self._dialect.other_columns:
            owner.faults += [("F110", None, key) for key in others]
        self._inside(found, step, path, around, owner)

    def _inside(self, found: dict[str, Any], step: Step, path: str, around: Around, owner: Found | None) -> None:
        for key, inner in step.steps.items():
            if key in found:
                self._visit(found[key], inner, path + pointer(key), around, owner, element=False)

    def _record(self, found: dict[str, Any], step: Step, path: str, node: Node, around: Around) -> None:
        self._met[node.name] += 1
        record = Found(node.name, found, path)
        self._waiting.append(record)
        is_plain = found.keys() <= step.names and TEXTS.issuperset(map(type, found.values()))
        if not is_plain or self.strict.repeats or len(found) > self._dialect.limits.columns:
            self._odd(record, found, step)
        for name in node.link:
            self._link(record, name, around.get(node.parent))
        if step.steps:
            before = self._met.copy()
            own = None if record.code else record.cells
            self._inside(found, step, path, {**around, node.name: own}, record)
            self._judge(node.name, before, path)

    def _odd(self, record: Found, found: dict[str, Any], step: Step) -> None:
        """A record that holds more than texts and numbers of its layout."""
        repeated = found.names if isinstance(found, Repeated) else ()
        twice = next((key for key in repeated if key in step.steps), None)
        if twice is not None:
            raise _structure(record.path + pointer(twice), "2", "<= 1")
        record.cells = cells = dict(found)
        for key in [key for key, value in found.items() if type(value) not in TEXTS or key not in step.names]:
            value = found[key]
            del cells[key]
            if key in step.steps:
                continue
            if self.strict.repeats and holds_repeated(value):
                repeated = (*repeated, key)
            if key in step.names:
                cells[key] = str(value).lower() if type(value) is bool else None
                record.faults.append(("F112", key, kind(value)))
            elif not self._dialect.other_columns:
                record.faults.append(("F110", None, key))
        if repeated:
            record.code, record.value = "F111", repeated[0]
        if len(found) > self._dialect.limits.columns:
            record.code, record.value = "F204", str(len(found))

    def _link(self, record: Found, name: str, parent: Mapping[str, Any] | None) -> None:
        """The field that a record takes from the one around it."""
        own, above = record.cells.get(name), self._cell((parent or {}).get(name))
        if above is None or self._cell(own) not in (None, above):
            record.faults.append(("F113", name, own))
        elif self._cell(own) is None:
            record.cells[name] = above

    def _cell(self, text: str | None) -> str | None:
        """A text as it will be in the cell."""
        text = text.strip(BLANKS) if text and self._dialect.trim else text
        return None if text in ("", *self._dialect.nulls) else text

    def _judge(self, parent: str | None, before: Counter[str | None], path: str) -> None:
        """Nodes that belong to this record, or to the whole message, stand there as often as they may."""
        for node in self._scopes.get(parent, ()):
            met = self._met[node.name] - before[node.name]
            if node.required and not met:
                raise _structure(path + _place(node), "0", ">= 1")
            if not node.repeated and met > 1:
                raise _structure(path + _place(node), str(met), "<= 1")


def _place(node: Node) -> str:
    return f" ({node.name})" if node.name else ""


def _structure(path: str, value: str, expected: str) -> ReadError:
    return ReadError("F218", value=f"{path or '/'}: {value}", expected=expected)
