"""Rows of data that are the same are evaluated once, and what they add to a sum is multiplied by their number.

A sum over the first axis of an array that is computed row by row (elementwise operations, ``X @ b``, ``a[g]``,
reductions of later axes) depends on the number of a row only through the data of that row and the positions at which
it takes elements of unknowns. Of the rows for which all of these agree one is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.ad.primitives.indexing import take
from bayesad.ad.program import CONSTANT, Node, Program
from bayesad.ad.rewrites.building import Operand
from bayesad.ad.simplify import Replacement

__all__ = ["distinct_rows"]

FEWEST_ROWS = 8
GAIN = 0.5  # the distinct rows must be fewer than this share
SAMPLE = 4096  # of long data these first rows must promise as much
DEEPEST = 200
WHOLE = ("slice", None, None, None)

Selection = np.ndarray | None  # numbers of rows; None: all in order


class NotByRows(Exception):
    """Every row has unknowns of its own."""


def distinct_rows(program: Program) -> tuple[dict[Node, Replacement], list[str]]:
    """What to put for the sums over rows of a program, and notes on them."""
    uses = Counter(i for node in program.nodes for i in node.inputs)
    uses.update(program.outputs)
    replacements: dict[Node, Replacement] = {}
    notes = []
    for node in program.nodes:
        if node.primitive.name != "sum" or 0 not in node.attributes["axes"] or uses[node.inputs[0]] > 1:
            continue
        merged = _merged(node)
        if merged is not None:
            replacements[node] = merged.build
            note = f"of {node.inputs[0].shape[0]} rows {len(merged.rows)} are distinct"
            notes.append(f"{note}{f' ({node.line})' if node.line else ''}")
    return replacements, notes


@dataclass(frozen=True, eq=False)
class Merged:
    """A sum over the first axis: the distinct rows, in order, and how often each is there."""

    node: Node
    rows: np.ndarray
    counts: np.ndarray

    def build(self, operand: Operand) -> Any:
        values = _Rebuilt(operand)(self.node.inputs[0], self.rows)
        counts = np.reshape(self.counts.astype(np.float64), (-1,) + (1,) * (self.node.inputs[0].ndim - 1))
        return np.sum(counts * values, axis=self.node.attributes["axes"])


def _merged(node: Node) -> Merged | None:
    values = node.inputs[0]
    if values.shape[0] < FEWEST_ROWS or node.dtype != np.float64:
        return None
    try:
        keys = _Keys()
        keys.add(values, None)
    except NotByRows:
        return None
    found = _distinct([_bits(key) for key in keys.found], values.shape[0])
    return None if found is None else Merged(node, *found)


# --- which rows are the same
class _Keys:
    """The data that tell rows apart."""

    def __init__(self) -> None:
        self.found: list[np.ndarray] = []
        self._seen: dict[tuple[Node, int], Selection] = {}  # the selections are kept alive: their ids are keys

    def add(self, node: Node, rows: Selection, depth: int = 0) -> None:
        """What distinguishes the given rows of a node."""
        if (node, id(rows)) in self._seen:
            return
        self._seen[node, id(rows)] = rows
        children = None if depth > DEEPEST else _by_rows(node)
        if node.primitive is CONSTANT:
            self.found.append(_selected(node.value, rows))
        elif children is not None:
            for position, taken in children.items():
                self.add(node.inputs[position], _composed(taken, rows), depth + 1)
        elif rows is None:
            raise NotByRows
        else:
            self.found.append(rows)


def _selected(array: np.ndarray, rows: Selection) -> np.ndarray:
    return array if rows is None else array[rows]


def _composed(taken: Selection, rows: Selection) -> Selection:
    return rows if taken is None else _selected(taken, rows)


def _bits(key: np.ndarray) -> np.ndarray:
    """A key as a matrix of 64-bit integers, one row for each."""
    wide = key.astype(np.int64) if key.dtype == np.bool_ else key
    return np.ascontiguousarray(wide).view(np.uint64).reshape(len(key), -1)


def _distinct(keys: Sequence[np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The first of every kind of row and how many there are, if they are few; rows are compared by a hash first."""
    if not keys:
        return None
    if n > SAMPLE and len(np.unique(_hashes([key[:SAMPLE] for key in keys], SAMPLE))) > GAIN * SAMPLE:
        return None
    _, first, kind, counts = np.unique(_hashes(keys, n), return_index=True, return_inverse=True, return_counts=True)
    if len(first) > GAIN * n or any(np.any(key != key[first][kind.reshape(n)]) for key in keys):
        return None
    order = np.argsort(first)
    return first[order], counts[order]


def _hashes(keys: Sequence[np.ndarray], n: int) -> np.ndarray:
    """64 bits for each row, mixed as in Fowler, Noll and Vo's hash with a further shift."""
    total = np.full(n, 0xCBF29CE484222325, dtype=np.uint64)
    for key in keys:
        for column in key.T:
            total = (total ^ column) * np.uint64(0x9E3779B97F4A7C15)
            total ^= total >> np.uint64(29)
    return total


# --- operations that work row by row
Children = Mapping[int, Selection]  # position of an input -> which of its rows belong to those of the result


def _elementwise(node: Node) -> Children:
    return {k: None for k, i in enumerate(node.inputs) if i.ndim == node.ndim and i.shape[0] == node.shape[0]}


def _matmul(node: Node) -> Children | None:
    a, b = node.inputs
    return {0: None} if a.ndim == 2 and b.ndim <= 2 else None


def _take(node: Node) -> Children | None:
    source, *positions = node.inputs
    items = node.attributes["index"].items
    if items[0] == WHOLE and not positions:
        return {0: None}
    if len(items) == 1 and type(items[0]) is tuple:
        return {0: np.arange(source.shape[0])[slice(*items[0][1:])]}
    if any(item != "array" for item in items) or any(p.shape[:1] != node.shape[:1] for p in positions):
        return None
    first = positions[0]
    if first.primitive is CONSTANT and first.ndim == 1 and _has_data(source):
        return {0: first.value, **dict.fromkeys(range(2, len(node.inputs)))}
    return dict.fromkeys(range(1, len(node.inputs)))


def _reshape(node: Node) -> Children | None:
    return {0: None} if node.ndim and node.inputs[0].shape[:1] == node.shape[:1] else None


def _broadcast(node: Node) -> Children:
    return _elementwise(node)


def _later_axes(node: Node) -> Children | None:
    """Reductions and scans that leave the first axis alone, and joining along a later one."""
    axes = node.attributes["axes"] if "axes" in node.attributes else (node.attributes["axis"],)
    return None if 0 in axes else dict.fromkeys(range(len(node.inputs)))


def _transpose(node: Node) -> Children | None:
    return {0: None} if node.attributes["axes"][0] == 0 else None


HANDLERS: dict[str, Callable[[Node], Children | None]] = {
    "matmul": _matmul,
    "take": _take,
    "reshape": _reshape,
    "broadcast_to": _broadcast,
    "transpose": _transpose,
    **dict.fromkeys(("sum", "prod", "max", "min", "logsumexp", "any", "all", "flip"), _later_axes),
    **dict.fromkeys(("cumsum", "cumprod", "argmax", "argmin", "concatenate"), _later_axes),
}


def _by_rows(node: Node) -> Children | None:
    """The inputs whose rows make those of a node, or None where it is an unknown or no such operation."""
    if node.primitive.elementwise:
        return _elementwise(node)
    handler = HANDLERS.get(node.primitive.name)
    return None if handler is None else handler(node)


def _has_data(node: Node, depth: int = 0) -> bool:
    """Whether data belong to the rows of a node, so that rows taken from it are told apart by these."""
    if node.primitive is CONSTANT:
        return True
    children = None if depth > DEEPEST else _by_rows(node)
    return children is not None and any(_has_data(node.inputs[k], depth + 1) for k in children)


# --- the same operations for some rows
@dataclass
class _Rebuilt:
    """Computes nodes for chosen rows only."""

    operand: Operand
    made: dict[tuple[Node, int], tuple[Any, Selection]] = field(default_factory=dict)

    def __call__(self, node: Node, rows: Selection) -> Any:
        key = (node, id(rows))
        if key not in self.made:
            self.made[key] = self._compute(node, rows), rows
        return self.made[key][0]

    def _compute(self, node: Node, rows: Selection) -> Any:
        if node.primitive is CONSTANT:
            return _selected(node.value, rows)
        children = _by_rows(node)
        assert rows is not None
        if children is None:
            return self.operand(node)[rows]
        inputs = [
            self(i, _composed(children[k], rows)) if k in children else self.operand(i)
            for k, i in enumerate(node.inputs)
        ]
        attributes = node.attributes
        if node.primitive is take and children.get(0) is not None:  # the rows wanted were taken already
            if len(inputs) <= 2:
                return inputs[0]
            inputs[1] = np.arange(len(rows))
        elif "shape" in attributes:
            attributes = {"shape": (len(rows), *attributes["shape"][1:])}
        return bind(node.primitive, tuple(inputs), attributes)
