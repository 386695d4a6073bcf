"""Functions that solvers are given, traced once as programs: what they close over becomes further inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, node_of, plain_or_traced
from bayesad.ad.program import GUARD, Program
from bayesad.ad.simplify import simplify
from bayesad.ad.trace import Trace, as_data, tracing
from bayesad.errors import SolverError

__all__ = ["as_floats", "traced_body"]


def as_floats(x: Any) -> Any:
    """Numbers, an array, or a list or tuple of them as an array of floats, plain or traced."""
    x = plain_or_traced(np.stack([plain_or_traced(i) for i in x]) if isinstance(x, (list, tuple)) and len(x) else x)
    if not isinstance(x, TracedArray):
        x = as_data(x)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def traced_body(
    solver: str, f: Callable[..., Any], arguments: Sequence[Any], result: Callable[[Any], Any] = as_floats
) -> tuple[Program, list[Any]]:
    """The program of a function of arrays, and the arrays of enclosing traces that it uses.

    Parameters
    ----------
    solver : str
        For messages.
    f : callable
    arguments : sequence of arrays
        Of floats; where all their values are known, the function is traced at these.
    result : callable
        From what f returned to the one output, an array of floats.

    Returns
    -------
    program : Program
        Its inputs are the arguments and after them the captured arrays.
    captures : list

    Raises
    ------
    SolverError
        If f branches on a value.
    """
    from bayesad.ad.swaps import traced_meaning, visit

    values = [x.value if isinstance(x, TracedArray) else x for x in arguments]
    concrete = all(value is not None for value in values)
    with tracing() as depth:
        recording = Trace(concrete, depth)
        inputs = [
            recording.input(x.shape, np.dtype(np.float64), value if concrete else None)
            for x, value in zip(arguments, values, strict=True)
        ]
        function = traced_meaning(f)
        visit(function)
        output = node_of(recording, result(function(*inputs)))
        guard = next((node for node in recording.nodes if node.primitive is GUARD), None)
        if guard is not None:
            raise SolverError(
                f"{solver}: the function branches on a value at {guard.line}; the way taken may change on the "
                "way to the solution, so write it with np.where or ad.cond"
            )
        program = recording.program([output], str(getattr(f, "__name__", solver)))
    return simplify(program), [outer for _, outer in recording.captures]
