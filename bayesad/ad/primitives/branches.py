"""The primitive ``cond``: one of two programs, chosen by a boolean when it runs; the other one is not evaluated.

Its inputs are the boolean and then those of both programs, which have the same inputs and outputs of the same shapes.
A node has one value, so the outputs are packed into one flat vector of float64, one after the other, as in a scan.
Its derivatives are conds of the programs' derivatives.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from bayesad.ad.primitives.loops import Part
from bayesad.ad.primitives.table import FLOAT, define

if TYPE_CHECKING:
    from bayesad.ad.program import Program

__all__ = ["branch", "cond_p", "packing"]

_executors: WeakKeyDictionary[Program, Callable[..., Any]] = WeakKeyDictionary()


@functools.lru_cache(maxsize=256)
def packing(true: Program, false: Program) -> tuple[Part, ...]:
    """Where each output lies in the packed vector, with its shape and the dtype that both programs' have in common."""
    parts: list[Part] = []
    for a, b in zip(true.outputs, false.outputs, strict=True):
        parts.append(Part(parts[-1].stop if parts else 0, a.shape, np.result_type(a.dtype, b.dtype)))
    return tuple(parts)


def branch(which: Any, true: Program, false: Program, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of the program that ``which`` chooses; inputs that neither uses are left out."""
    from bayesad.ad.array import bind

    true, false, kept = _without_unused(true, false)
    parts = packing(true, false)
    packed = bind(cond_p, (which, *[inputs[i] for i in kept]), {"true": true, "false": false})
    pieces = [np.reshape(packed[part.start : part.stop], part.shape) for part in parts]
    return [x if part.dtype == FLOAT else x.astype(part.dtype) for x, part in zip(pieces, parts, strict=True)]


def _without_unused(true: Program, false: Program) -> tuple[Program, Program, list[int]]:
    from bayesad.ad.program import Program

    def used(program: Program) -> set[int]:
        nodes = {i for node in program.nodes for i in node.inputs} | set(program.outputs)
        return {i for i, node in enumerate(program.inputs) if node in nodes}

    kept = sorted(used(true) | used(false))
    lean = [Program(tuple([p.inputs[i] for i in kept]), p.outputs, p.nodes, p.name) for p in (true, false)]
    return lean[0], lean[1], kept


# --- meaning
def _evaluate(which: Any, *inputs: Any, true: Program, false: Program) -> np.ndarray:
    from bayesad.ad.backends.numpy import executor

    chosen = true if bool(which) else false
    if chosen not in _executors:
        _executors[chosen] = executor(chosen)
    packed = np.empty(_size(true, false))
    for part, x in zip(packing(true, false), _executors[chosen]([np.asarray(x)[()] for x in inputs]), strict=True):
        packed[part.start : part.stop] = np.reshape(x, -1)
    return packed


def _infer(which: Any, *inputs: Any, true: Program, false: Program) -> Any:
    return (_size(true, false),), FLOAT


def _size(true: Program, false: Program) -> int:
    return sum(math.prod(part.shape) for part in packing(true, false))


# --- derivatives
def _vjp(g: Any, y: Any, which: Any, *inputs: Any, true: Program, false: Program) -> tuple[Any, ...]:
    from bayesad.ad.program import prune
    from bayesad.ad.reverse import reverse

    varies = [i for i, x in enumerate(inputs) if not isinstance(x, (np.ndarray, np.generic)) and x.dtype == FLOAT]

    def pulled(program: Program) -> Program:
        masked = any(node.primitive.name in ("where", "scan", "cond") for node in program.nodes)
        made = reverse(program, varies, masked=masked)
        return prune(made.inputs, made.outputs[len(program.outputs) :], made.nodes, made.name)

    seeds = [np.reshape(g[part.start : part.stop], part.shape) for part in packing(true, false)]
    found = dict(zip(varies, branch(which, pulled(true), pulled(false), [*inputs, *seeds]), strict=True))
    return (None, *[found.get(i) for i in range(len(inputs))])


def _jvp(tangents: Sequence[Any], y: Any, which: Any, *inputs: Any, true: Program, false: Program) -> Any:
    from bayesad.ad.forward import forward
    from bayesad.ad.program import prune

    moving = [
        i for i, (t, x) in enumerate(zip(tangents[1:], inputs, strict=True)) if t is not None and x.dtype == FLOAT
    ]
    if not moving:
        return None

    def pushed(program: Program) -> Program:
        made = forward(program, moving)
        return prune(made.inputs, made.outputs[len(program.outputs) :], made.nodes, made.name)

    found = branch(which, pushed(true), pushed(false), [*inputs, *[tangents[1 + i] for i in moving]])
    return np.concatenate([np.reshape(t, -1) for t in found])


cond_p = define("cond", _evaluate, _infer, vjp=_vjp, jvp=_jvp, singular=True)
