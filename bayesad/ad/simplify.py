"""Simplification: folding, common subexpressions, algebraic identities and dead code, one rule at a time.

A rule belongs to one primitive and looks at the operation about to be recorded; it returns a node (or traced array) to
use instead, or None. The derivative builders record through the same rules, so a derivative is simple from the start;
``simplify`` records a whole program again through them. Folding of constants and common
subexpressions happen in every trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.primitives.table import Primitive
from bayesad.ad.program import CONSTANT, Node, Program

__all__ = ["RULES", "rewrite", "simplify"]

RULES: dict[str, list[Callable[..., Any]]] = {}


def rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a rule ``f(*nodes, **attributes) -> Node or None`` for primitives."""

    def register(f: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            RULES.setdefault(name, []).append(f)
        return f

    return register


def rewrite(primitive: Primitive, nodes: tuple[Node, ...], attributes: dict[str, Any]) -> Any:
    """What to use instead of an operation, or None."""
    for f in RULES.get(primitive.name, ()):
        replacement = f(*nodes, **attributes)
        if replacement is not None:
            return replacement
    return None


def simplify(program: Program) -> Program:
    """The program recorded again through the rules."""
    from bayesad.ad.array import TracedArray, node_of
    from bayesad.ad.program import GUARD
    from bayesad.ad.trace import Trace

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
        count = len(trace.nodes)
        result = trace.record(node.primitive, inputs, node.attributes, None)
        for new in trace.nodes[count:]:
            new.source = node.source
        made[node] = result._node if type(result) is TracedArray else node_of(trace, result)
    return trace.program([again(node) for node in program.outputs], program.name)


def _is_constant(node: Node, value: float) -> bool:
    """Whether a node is this scalar (as a constant of shape ())."""
    return node.primitive is CONSTANT and node.shape == () and bool(node.value == value)


def _keeps(result: Node, *others: Node) -> bool:
    """Whether ``result`` alone has the shape and dtype of the operation on it and the others."""
    return result.dtype == np.float64 and all(
        len(o.shape) <= len(result.shape) and np.broadcast_shapes(o.shape, result.shape) == result.shape for o in others
    )


@rule("add")
def add_zero(a: Node, b: Node) -> Node | None:
    if _is_constant(b, 0.0) and _keeps(a, b):
        return a
    if _is_constant(a, 0.0) and _keeps(b, a):
        return b
    return None


@rule("subtract")
def subtract_zero(a: Node, b: Node) -> Node | None:
    return a if _is_constant(b, 0.0) and _keeps(a, b) else None


@rule("multiply")
def multiply_by_one(a: Node, b: Node) -> Node | None:
    if _is_constant(b, 1.0) and _keeps(a, b):
        return a
    if _is_constant(a, 1.0) and _keeps(b, a):
        return b
    return None


@rule("divide")
def divide_by_one(a: Node, b: Node) -> Node | None:
    return a if _is_constant(b, 1.0) and _keeps(a, b) else None


@rule("power")
def small_power(a: Node, p: Node) -> Any:
    if a.dtype == np.float64 and _is_constant(p, 1.0):
        return a
    return None


@rule("positive")
def no_sign(a: Node) -> Node:
    return a


@rule("negative")
def double_negative(a: Node) -> Node | None:
    return a.inputs[0] if a.primitive.name == "negative" else None


@rule("reshape", "broadcast_to")
def same_shape(a: Node, shape: tuple[int, ...]) -> Node | None:
    return a if a.shape == shape else None


@rule("transpose")
def no_transpose(a: Node, axes: tuple[int, ...]) -> Node | None:
    return a if axes == tuple(range(len(axes))) else None


@rule("cast")
def no_cast(a: Node, dtype: np.dtype) -> Node | None:
    return a if a.dtype == dtype else None


@rule("take")
def element_of_stack(a: Node, *arrays: Node, index: Any) -> Node | None:
    """``stack(x0, x1, …)[i]`` is ``xi``."""
    if a.primitive.name == "stack" and not arrays and index.items and type(index.items[0]) is int and len(index.items) == 1:
        return a.inputs[index.items[0]]
    return None
