"""Solvers that do not come to an end: an error for who called them, NaN where a function is being looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bayesad.ad.program import Program
from bayesad.ad.trace import current_depth

__all__ = ["failing", "failures_are_nan", "solver_lines"]

SOLVERS = {"odeint", "implicit", "quad"}
"""The primitives that may fail."""

_tolerated: ContextVar[bool] = ContextVar("bayesad_tolerated", default=False)


@contextmanager
def failures_are_nan() -> Iterator[None]:
    """While entered, a solver that fails gives NaN and raises nothing."""
    token = _tolerated.set(True)
    try:
        yield
    finally:
        _tolerated.reset(token)


def solver_lines(program: Program) -> Iterator[str]:
    """``file:line`` of the solvers in a program and in the bodies of its operations."""
    for node in program.nodes:
        if node.primitive.name in SOLVERS:
            yield node.line
            continue
        for value in node.attributes.values():
            if isinstance(value, Program):
                yield from solver_lines(value)


def failing(error: Exception) -> None:
    """Raise an error unless failures are NaN now, as they also are while tracing."""
    if not (_tolerated.get() or current_depth()):
        raise error
