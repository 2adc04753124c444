"""Records of several nodes in bounded memory: each chunk holds some records and all that stand inside of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from medpay_cli.dialects import Dialect, Node
from medpay_cli.errors import MedpayError

Chunk = dict[str | None, pl.DataFrame]


def chunks(dialect: Dialect, records: Mapping[str | None, Iterator[pl.DataFrame]]) -> Iterator[Chunk]:
    """Chunks of the records of each node, which stand in the order of the records around them, as in a document; a node
    that is not among them has none.

    What belongs to no record comes last, for the writer to refuse.
    """
    waiting = {node: _Waiting(frames) for node, frames in records.items()}
    tops = [node for node in dialect.parts if node.parent is None and node.name in waiting]
    while True:
        found: Chunk = {}
        for top in tops:
            frame = waiting[top.name].next()
            if frame is not None:
                found[top.name] = frame
                found.update(_inside(top, frame, dialect, waiting))
        if not found:
            break
        yield found
    left = {node: frame for node, one in waiting.items() if (frame := one.next()) is not None}
    if left:
        yield left


def apart(
    first: str | None, records: Mapping[str | None, Iterator[pl.DataFrame]], by: Sequence[str]
) -> Iterator[Chunk]:
    """A chunk for each record of the first node, with the records of the others that have the same in some columns,
    where these are empty then. Raises MedpayError for records that stand behind another one than their own."""
    waiting = {node: _Waiting(frames) for node, frames in records.items()}
    while (frame := waiting[first].next()) is not None:
        for one in frame.iter_slices(1):
            found: Chunk = {first: one}
            for node, others in waiting.items():
                inner = others.belonging(one.select(by)) if node != first else None
                if inner is not None and inner.height:
                    found[node] = inner.with_columns(pl.lit(None, pl.String).alias(name) for name in by)
            yield found
    for node, others in waiting.items():
        if (left := others.next()) is not None:
            raise MedpayError("apart_lost", node=node, count=left.height, columns=", ".join(by), first=first)


def _inside(around: Node, frame: pl.DataFrame, dialect: Dialect, waiting: Mapping[str | None, _Waiting]) -> Chunk:
    found: Chunk = {}
    for node in dialect.nodes:
        if node.parent == around.name and node.name in waiting:
            inner = waiting[node.name].belonging(frame.select(node.link).unique())
            if inner is not None:
                found[node.name] = inner
                found.update(_inside(node, inner, dialect, waiting))
    return found


class _Waiting:
    """The records of a node that are not in a chunk yet."""

    def __init__(self, frames: Iterator[pl.DataFrame]) -> None:
        self._frames = frames
        self._next: pl.DataFrame | None = None

    def next(self) -> pl.DataFrame | None:
        """Some records; None at the end."""
        found, self._next = self._next, None
        while found is None or found.is_empty():
            found = next(self._frames, None)
            if found is None:
                return None
        return found

    def belonging(self, links: pl.DataFrame) -> pl.DataFrame | None:
        """The next records as far as they have one of these links."""
        taken: list[pl.DataFrame] = []
        while (frame := self.next()) is not None:
            numbered = frame.select(links.columns).with_row_index(_ROW)
            others = numbered.join(links, on=links.columns, how="anti", nulls_equal=True, maintain_order="left")
            end = frame.height if others.is_empty() else int(others[_ROW][0])
            taken.append(frame.head(end))
            if end < frame.height:
                self._next = frame.slice(end)
                break
        return pl.concat(taken) if taken else None


_ROW = "\x1frow"
