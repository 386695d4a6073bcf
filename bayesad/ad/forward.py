"""Forward mode: from a program to the program of its values and tangents (Griewank & Walther 2008, ch. 3)."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, bind, node_of
from bayesad.ad.primitives.shaping import broadcast_to
from bayesad.ad.primitives.table import NO_RULE
from bayesad.ad.program import GUARD, Node, Program
from bayesad.ad.reverse import active_nodes, missing_rule, operand
from bayesad.ad.simplify import rewrite
from bayesad.ad.trace import Trace

__all__ = ["forward"]


def forward(program: Program, wrt: list[int] | None = None, batch: int = 1) -> Program:
    """The program of a program's outputs followed by their tangents.

    Its inputs are those of the program and then one tangent for each of the inputs ``wrt`` (default: all of dtype
    float64). With a batch of several directions the tangents of all inputs, and those of all outputs, come once for
    each of them; what the values need is computed once.

    Raises
    ------
    DerivativeError
        If an operation on the way has no rule.
    """
    chosen = [i for i, node in enumerate(program.inputs) if node.dtype.kind == "f"] if wrt is None else list(wrt)
    trace = Trace.extending(program, rewrite)
    directions: list[dict[Node, Any]] = []
    for _ in range(batch):
        moving = [program.inputs[i] for i in chosen]
        directions.append({node: trace.input(node.shape, node.dtype) for node in moving})
    active = active_nodes(program, {program.inputs[i] for i in chosen})
    for node in program.nodes:
        if node.primitive is GUARD or node not in active:
            continue
        trace.source = node.source
        for tangents in directions:
            with np.errstate(all="ignore"):  # rules fold over constants, and their edges are met on purpose
                tangent = _push_forward(trace, node, tangents)
            if tangent is not None:
                tangents[node] = tangent
    outputs = []
    for tangents in directions:
        for node in program.outputs:
            t = tangents.get(node)
            outputs.append(node_of(trace, np.zeros(node.shape) if t is None else broadcast_to(t, node.shape)))
    return trace.program([*program.outputs, *outputs], f"{program.name}.forward")


def _push_forward(trace: Trace, node: Node, tangents: dict[Node, Any]) -> Any:
    primitive = node.primitive
    arguments = [operand(trace, i) for i in node.inputs]
    y = TracedArray(trace, node)
    given = [tangents.get(i) for i in node.inputs]
    if not primitive.elementwise:
        given = [None if t is None else broadcast_to(t, i.shape) for t, i in zip(given, node.inputs, strict=True)]
    if callable(primitive.jvp):
        return primitive.jvp(given, y, *arguments, **node.attributes) if any(t is not None for t in given) else None
    total = None
    for i, t in enumerate(given):
        if t is None:
            continue
        if primitive.jvp == "multilinear":
            part = bind(primitive, (*arguments[:i], t, *arguments[i + 1 :]), node.attributes)
        else:
            rule = NO_RULE if primitive.jvp is None else primitive.jvp[i]
            if isinstance(rule, str):  # NO_RULE
                raise missing_rule(node, i, "forward")
            part = None if rule is None else rule(t, y, *arguments, **node.attributes)
        if part is not None:
            total = part if total is None else total + part
    return total
