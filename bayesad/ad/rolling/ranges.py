"""Between which bounds the values of nodes lie, as far as the operations that make them tell (interval arithmetic)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray
from bayesad.ad.program import CONSTANT, Node

__all__ = ["ANY", "Range", "Ranges", "range_of"]

Range = tuple[float, float]  # every value that is not NaN lies between
ANY: Range = (-math.inf, math.inf)
NOT_NEGATIVE: Range = (0.0, math.inf)
DEEPEST = 40  # operations that are followed back

FIXED: dict[str, Range] = {"exp": NOT_NEGATIVE, "square": NOT_NEGATIVE, "sqrt": NOT_NEGATIVE, "abs": NOT_NEGATIVE,
                           "fabs": NOT_NEGATIVE, "expit": (0.0, 1.0), "tanh": (-1.0, 1.0)}  # fmt: skip
SAME = {"reshape", "broadcast_to", "transpose", "take", "flip", "positive", "stop_gradient"}
JOINED = {"stack", "concatenate"}


class Ranges:
    """Ranges of nodes, those of some given."""

    def __init__(self, known: Mapping[Node, Range]) -> None:
        self._known = dict(known)

    def of(self, node: Node, depth: int = 0) -> Range:
        if node not in self._known:
            self._known[node] = self._found(node, depth) if depth < DEEPEST else ANY
        return self._known[node]

    def _found(self, node: Node, depth: int) -> Range:
        name = node.primitive.name
        if node.primitive is CONSTANT:
            return range_of(node.value)
        if name in FIXED:
            return FIXED[name]
        if node.dtype != np.float64 or not node.inputs:
            return ANY
        if name in SAME:
            return self.of(node.inputs[0], depth + 1)
        if name in JOINED:
            return _hull(*[self.of(i, depth + 1) for i in node.inputs])
        if name == "where":
            return _hull(*[self.of(i, depth + 1) for i in node.inputs[1:]])
        if name == "sum":
            low, high = self.of(node.inputs[0], depth + 1)
            return (0.0 if low >= 0.0 else -math.inf, 0.0 if high <= 0.0 else math.inf)
        if name == "subtract":
            share = self._share_taken(*node.inputs)
            if share is not None:
                whole = self.of(node.inputs[0], depth + 1)
                return _multiply(whole, _add((1.0, 1.0), _minus(self.of(share, depth + 1))))
        if name in ARITHMETIC:
            return ARITHMETIC[name](*[self.of(i, depth + 1) for i in node.inputs])
        return ANY

    @staticmethod
    def _share_taken(whole: Node, part: Node) -> Node | None:
        """f where the part is ``whole * f``: what is left is ``whole * (1 - f)``, also in floating point."""
        if part.primitive.name != "multiply" or whole not in part.inputs:
            return None
        a, b = part.inputs
        return b if a is whole else a


def range_of(x: Any) -> Range:
    """The range of a plain or traced array."""
    if isinstance(x, TracedArray):
        assert x.node is not None
        return Ranges({}).of(x.node)
    values = np.asarray(x, dtype=np.float64)
    values = values[~np.isnan(values)]
    return (float(values.min()), float(values.max())) if values.size else ANY


def _hull(*ranges: Range) -> Range:
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _add(a: Range, b: Range) -> Range:
    low, high = a[0] + b[0], a[1] + b[1]
    return (-math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high)


def _minus(a: Range) -> Range:
    return -a[1], -a[0]


def _multiply(a: Range, b: Range) -> Range:
    products = [x * y if x and y else 0.0 for x in a for y in b]
    return min(products), max(products)


def _divide(a: Range, b: Range) -> Range:
    """Only the sign: quotients may be as large and as small as can be."""
    if b[0] < 0.0 < b[1]:
        return ANY
    a = _minus(a) if b[1] <= 0.0 else a
    return (0.0 if a[0] >= 0.0 else -math.inf, 0.0 if a[1] <= 0.0 else math.inf)


ARITHMETIC: dict[str, Callable[..., Range]] = {
    "add": _add,
    "subtract": lambda a, b: _add(a, _minus(b)),
    "negative": _minus,
    "multiply": _multiply,
    "divide": _divide,
    "maximum": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "minimum": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
}
