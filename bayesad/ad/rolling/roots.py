"""Recurrences of a root that is squared again: the square is carried, and the roots leave the loop.

``s[t] = sqrt(a + b s[t - 1]²)`` has a square root in the chain of what waits for each other; ``h[t] = a + b h[t - 1]``
has not, and its roots are taken after the loop, all at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, bind, node_of
from bayesad.ad.primitives import loops
from bayesad.ad.primitives.elementwise import nonnegative
from bayesad.ad.program import CONSTANT, Node, Program
from bayesad.ad.simplify import rewrite, rule
from bayesad.ad.trace import Trace

__all__ = ["carry_without_root"]


@rule("scan")
def carry_without_root(trace: Trace, *nodes: Node, **attributes: Any) -> Any:
    """The packed value of a scan whose one carry is a root that the body only squares."""
    body = attributes["body"]
    if attributes["carries"] != 1 or not attributes["length"] or not _squares_a_root(body):
        return None
    first, *others = [node.value if node.primitive is CONSTANT else TracedArray(trace, node) for node in nodes]
    squared = {**attributes, "body": _of_squares(body)}
    packed = bind(loops.scan_p, (np.square(first), *others), squared)
    rows = loops.Scanned(packed, squared).part(0)
    roots = np.sqrt(rows)
    if attributes["keep"]:  # the first row is the first carry, whatever its sign
        parts = [roots[:-1], first[None]] if attributes["reverse"] else [first[None], roots[1:]]
        roots = np.concatenate(parts)
    return np.concatenate([np.reshape(roots, -1), packed[np.size(rows) :]])


def _squares_a_root(body: Program) -> bool:
    carry, root = body.inputs[0], body.outputs[0]
    if root.primitive.name != "sqrt" or carry.dtype != np.float64 or carry.shape != root.shape:
        return False
    if carry in body.outputs or root in body.outputs[1:] or any(root in node.inputs for node in body.nodes):
        return False
    return all(node.primitive.name == "square" for node in body.nodes if carry in node.inputs)


def _of_squares(body: Program) -> Program:
    """The body with the square of the carry as its carry; NaN where the root would be."""
    carry, root = body.inputs[0], body.outputs[0]
    trace = Trace(False, 0, rewrite)
    trace.inputs = list(body.inputs)
    made: dict[Node, Node] = {node: node for node in body.inputs}

    def again(node: Node) -> Node:
        return trace.constant(node.value) if node.primitive is CONSTANT else made[node]

    for node in body.nodes:
        trace.source = node.source
        inputs = tuple([again(i) for i in node.inputs])
        if node is root:
            made[node] = node_of(trace, bind(nonnegative, (TracedArray(trace, inputs[0]),)))
        elif carry in node.inputs:
            made[node] = carry
        else:
            made[node] = node_of(trace, trace.record(node.primitive, inputs, node.attributes, None))
    return trace.program([again(node) for node in body.outputs], body.name)
