"""Programs prepared for machine code: operations that loops do better are written out as simpler ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, bind, node_of
from bayesad.ad.primitives.reductions import keep_axes, max_p, sum_p
from bayesad.ad.program import CONSTANT, GUARD, Node, Program
from bayesad.ad.simplify import rewrite
from bayesad.ad.trace import Trace

__all__ = ["decompose"]

FEW_COLUMNS = 32  # up to this many, a product with a constant matrix is written out column by column


def decompose(program: Program) -> Program:
    """The program with operations written out where the table below says so."""
    trace = Trace(False, 0, rewrite)
    trace.inputs = list(program.inputs)
    made: dict[Node, Any] = {node: TracedArray(trace, node) for node in program.inputs}

    def operand(node: Node) -> Any:
        return node.value if node.primitive is CONSTANT else made[node]

    for node in program.nodes:
        trace.source = node.source
        operands = [operand(i) for i in node.inputs]
        if node.primitive is GUARD:
            if isinstance(operands[0], TracedArray):
                trace.guard(node_of(trace, operands[0]), node.attributes["expected"])
            continue
        written = WRITTEN_OUT.get(node.primitive.name)
        result = written(*operands, **node.attributes) if written else None
        made[node] = bind(node.primitive, tuple(operands), node.attributes) if result is None else result
    outputs = [node_of(trace, operand(node)) for node in program.outputs]
    return trace.program(outputs, program.name)


def _logsumexp(a: Any, axes: tuple[int, ...]) -> Any:
    peak = bind(max_p, (a,), {"axes": axes})
    shift = np.where(np.isfinite(peak), peak, 0.0)
    total = bind(sum_p, (np.exp(a - keep_axes(shift, a.shape, axes)),), {"axes": axes})
    return np.log(total) + shift


def _matmul(a: Any, b: Any) -> Any:
    """Products of a vector with a constant matrix of few columns or rows join the loop over the long axis."""
    if a.ndim == 1 and b.ndim == 1:
        return bind(sum_p, (a * b,), {"axes": (0,)})
    if a.ndim == 2 and b.ndim == 1 and isinstance(a, np.ndarray):
        rows, columns = a.shape
        if 0 < columns <= FEW_COLUMNS and columns <= rows:
            terms = [np.ascontiguousarray(a[:, k]) * b[k] for k in range(columns)]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            return total
        if 0 < rows <= FEW_COLUMNS:
            return np.stack([bind(sum_p, (np.ascontiguousarray(a[k]) * b,), {"axes": (0,)}) for k in range(rows)])
    if a.ndim == 1 and b.ndim == 2 and isinstance(b, np.ndarray):
        return _matmul(np.ascontiguousarray(b.T), a)
    return None


WRITTEN_OUT: dict[str, Callable[..., Any]] = {"logsumexp": _logsumexp, "matmul": _matmul}
