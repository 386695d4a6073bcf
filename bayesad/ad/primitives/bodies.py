"""Programs made of the bodies of primitives: their derivatives with respect to an input, and how Python calls them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from bayesad.ad.primitives import loops
from bayesad.ad.primitives.loops import Like, described
from bayesad.ad.primitives.table import FLOAT
from bayesad.ad.program import Program

__all__ = ["interpreted", "jacobian"]

WRITTEN_OUT = 16  # numbers by which a Jacobian is written out column by column; for more of them it is a loop

_executors: WeakKeyDictionary[Program, Callable[..., Any]] = WeakKeyDictionary()


def interpreted(body: Program) -> Callable[[Sequence[Any]], list[Any]]:
    """The interpreter of a body, made once."""
    from bayesad.ad.backends.numpy import executor

    run = _executors.get(body)
    if run is None:
        run = _executors[body] = executor(body)
    return run


@functools.lru_cache(maxsize=256)
def jacobian(body: Program, position: int) -> Program:
    """The derivatives of a body's vector by its input at a position, a vector: a program with the body's inputs."""
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.forward import forward

    n = body.inputs[position].size
    pushed = forward(body, [position])
    like = list(map(described, body.inputs))

    def columns(*inputs: Any) -> list[Any]:
        if n <= WRITTEN_OUT:
            return [np.stack([evaluate(pushed, [*inputs, row])[1] for row in np.eye(n)], axis=1)]
        program = loops.build(
            lambda row, *given: evaluate(pushed, [*given, row])[1:], [Like((n,), FLOAT), *like], "row"
        )
        return [np.transpose(loops.scan(program, [], [np.eye(n)], inputs, length=n).y(0))]

    return loops.build(columns, like, f"{body.name}.jacobian")
