"""Simplification: folding, common subexpressions, algebraic identities and dead code, one rule at a time.

A rule belongs to one primitive and looks at the operation about to be recorded; it returns what to use instead (a node,
a traced or a plain array), or None. The derivative builders record through the same rules, so a derivative is simple
from the start; ``simplify`` records a whole program again through them. Folding of constants and common
subexpressions happen in every trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, node_of
from bayesad.ad.primitives.table import Primitive
from bayesad.ad.program import CONSTANT, GUARD, Node, Program
from bayesad.ad.trace import Trace

__all__ = ["RULES", "rewrite", "simplify"]

RULES: dict[str, list[Callable[..., Any]]] = {}


def rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a rule ``f(trace, *nodes, **attributes) -> node, array or None`` for primitives."""

    def register(f: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            RULES.setdefault(name, []).append(f)
        return f

    return register


def rewrite(trace: Trace, primitive: Primitive, nodes: tuple[Node, ...], attributes: dict[str, Any]) -> Any:
    """What to use instead of an operation, or None."""
    for f in RULES.get(primitive.name, ()):
        replacement = f(trace, *nodes, **attributes)
        if replacement is not None:
            return replacement
    return None


def simplify(program: Program) -> Program:
    """The program recorded again through the rules."""
    trace = Trace(False, 0, rewrite)
    trace.inputs = list(program.inputs)
    made: dict[Node, Node] = {node: node for node in program.inputs}

    def again(node: Node) -> Node:
        return trace.constant(node.value) if node.primitive is CONSTANT else made[node]

    for node in program.nodes:
        inputs = tuple([again(i) for i in node.inputs])
        if node.primitive is GUARD:
            if inputs[0].primitive is not CONSTANT:
                trace.guard(inputs[0], node.attributes["expected"])
            continue
        trace.source = node.source
        result = trace.record(node.primitive, inputs, node.attributes, None)
        made[node] = node_of(trace, result)
    return trace.program([again(node) for node in program.outputs], program.name)


def _array(trace: Trace, node: Node) -> Any:
    """A node as an operand of further operations."""
    return node.value if node.primitive is CONSTANT else TracedArray(trace, node)


def _scalar(node: Node) -> float | None:
    """The value of a constant of shape (), else None."""
    return float(node.value) if node.primitive is CONSTANT and node.shape == () else None


def _covers(result: Node, *others: Node) -> bool:
    """Whether ``result`` alone has the shape and dtype of the operation on it and the others."""
    return result.dtype == np.float64 and all(
        o.shape == () or np.broadcast_shapes(o.shape, result.shape) == result.shape for o in others
    )


def _is(node: Node, name: str) -> bool:
    return node.primitive.name == name


# --- identities with a neutral element
@rule("add")
def add_zero(trace: Trace, a: Node, b: Node) -> Any:
    for x, zero in ((a, b), (b, a)):
        if _scalar(zero) == 0.0 and _covers(x, zero):
            return x
    return None


@rule("subtract")
def subtract_zero(trace: Trace, a: Node, b: Node) -> Any:
    if _scalar(b) == 0.0 and _covers(a, b):
        return a
    return -_array(trace, b) if _scalar(a) == 0.0 and _covers(b, a) else None


@rule("multiply")
def multiply_by_one(trace: Trace, a: Node, b: Node) -> Any:
    for x, factor in ((a, b), (b, a)):
        if _covers(x, factor):
            if _scalar(factor) == 1.0:
                return x
            if _scalar(factor) == -1.0:
                return -_array(trace, x)
    return None


@rule("divide")
def divide_by_one(trace: Trace, a: Node, b: Node) -> Any:
    return a if _scalar(b) == 1.0 and _covers(a, b) else None


@rule("power")
def small_power(trace: Trace, a: Node, p: Node) -> Any:
    exponent = _scalar(p)
    if a.dtype != np.float64 or exponent is None:
        return None
    x = _array(trace, a)
    powers = {1.0: lambda: a, 2.0: lambda: np.square(x), 3.0: lambda: x * np.square(x), -1.0: lambda: 1.0 / x}
    return powers[exponent]() if exponent in powers else None


@rule("positive")
def no_sign(trace: Trace, a: Node) -> Any:
    return a


# --- signs and constant factors move outwards and meet
@rule("negative")
def negative_of(trace: Trace, a: Node) -> Any:
    if _is(a, "negative"):
        return a.inputs[0]
    if _is(a, "subtract"):
        return _array(trace, a.inputs[1]) - _array(trace, a.inputs[0])
    if _is(a, "multiply") and _scalar(a.inputs[0]) is not None:
        return -float(a.inputs[0].value) * _array(trace, a.inputs[1])
    return None


@rule("add")
def add_negative(trace: Trace, a: Node, b: Node) -> Any:
    if _is(b, "negative"):
        return _array(trace, a) - _array(trace, b.inputs[0])
    return _array(trace, b) - _array(trace, a.inputs[0]) if _is(a, "negative") else None


@rule("subtract")
def subtract_negative(trace: Trace, a: Node, b: Node) -> Any:
    return _array(trace, a) + _array(trace, b.inputs[0]) if _is(b, "negative") else None


@rule("multiply")
def constant_first(trace: Trace, a: Node, b: Node) -> Any:
    """Constants go first; ``c * (d * x)`` is ``(c d) * x`` and ``c * -x`` is ``(-c) * x``."""
    if b.primitive is CONSTANT:
        return _array(trace, b) * _array(trace, a)
    if a.primitive is not CONSTANT or a.dtype != np.float64 or b.dtype != np.float64:
        return None
    if _is(b, "multiply") and b.inputs[0].primitive is CONSTANT:
        inner = b.inputs[0]
        if a.shape == () or inner.shape == () or a.shape == inner.shape:
            return (a.value * inner.value) * _array(trace, b.inputs[1])
    return (-a.value) * _array(trace, b.inputs[0]) if _is(b, "negative") else None


@rule("sum")
def sum_of(trace: Trace, a: Node, axes: tuple[int, ...]) -> Any:
    """Constant factors and signs leave a sum; a repeated scalar term is counted: sum(x - log s) = sum(x) - N log s."""
    if a.dtype != np.float64 or not a.inputs:
        return None
    first = a.inputs[0]
    if _is(a, "negative"):
        return -np.sum(_array(trace, first), axis=axes)
    if _is(a, "multiply") and _scalar(first) is not None:
        return float(first.value) * np.sum(_array(trace, a.inputs[1]), axis=axes)
    if a.primitive.name in ("add", "subtract") and len(axes) == len(a.shape):
        second = a.inputs[1]
        sign = 1.0 if _is(a, "add") else -1.0
        if second.shape == () and first.shape == a.shape:
            return np.sum(_array(trace, first)) + (sign * a.size) * _array(trace, second)
        if first.shape == () and second.shape == a.shape:
            return float(a.size) * _array(trace, first) + sign * np.sum(_array(trace, second))
    return None


# --- data movement that moves nothing
@rule("reshape", "broadcast_to")
def same_shape(trace: Trace, a: Node, shape: tuple[int, ...]) -> Any:
    return a if a.shape == shape else None


@rule("reshape")
def reshape_of_reshape(trace: Trace, a: Node, shape: tuple[int, ...]) -> Any:
    return np.reshape(_array(trace, a.inputs[0]), shape) if _is(a, "reshape") else None


@rule("transpose")
def no_transpose(trace: Trace, a: Node, axes: tuple[int, ...]) -> Any:
    return a if axes == tuple(range(len(axes))) else None


@rule("cast")
def no_cast(trace: Trace, a: Node, dtype: np.dtype) -> Any:
    return a if a.dtype == dtype else None


@rule("take")
def element_of_stack(trace: Trace, a: Node, *arrays: Node, index: Any) -> Any:
    """``stack(x0, x1, …)[i]`` is ``xi``."""
    if _is(a, "stack") and not arrays and len(index.items) == 1 and type(index.items[0]) is int:
        return a.inputs[index.items[0]]
    return None


@rule("index_set")
def set_to_itself(trace: Trace, a: Node, v: Node, *arrays: Node, index: Any) -> Any:
    """``a[i] = a[i]`` changes nothing."""
    unchanged = _is(v, "take") and v.inputs == (a, *arrays) and v.attributes["index"] == index
    return a if unchanged else None
