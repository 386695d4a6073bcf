"""The primitive ``odeint_adjoint``: cotangents of a solve by going back over its steps.

Its inputs are the cotangents g of the rows of a solve and then the inputs of that solve, y0, ts, t0 and invariants;
its value is one vector: the cotangent of y0, as if t0 were fixed, and after it those of the moving invariants. The
steps are chosen by the states alone, and differentiated as they are. Its cost does not grow with the number of
parameters, so that it replaces forward sensitivities where there are many.

Its own derivatives follow from what it is: the gradient of sum(g * tangent of the solve) by the tangent's direction.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import bind, is_traced
from bayesad.ad.primitives import loops, odes
from bayesad.ad.primitives.loops import described
from bayesad.ad.primitives.table import FLOAT, define
from bayesad.ad.program import Program

__all__ = ["METHODS", "adjoint_p", "most_steps", "pull_back", "workspace_size"]

METHODS = {"dopri5": 6, "dopri8": 12}  # with an adjoint -> stages
OPTIONS = ("states", "method", "rtol", "atol", "max_steps")
MOST_NUMBERS = 1 << 23  # kept of all steps


def most_steps(n: int, max_steps: int) -> int:
    """How many steps of n states may be taken, of which all are kept."""
    return min(max_steps, MOST_NUMBERS // (n + 2))


def workspace_size(method: str, states: int, n: int, parameters: int, count: int, steps: int) -> int:
    own = 2 + 4 * n + 3 * METHODS[method] * n + parameters
    return odes.workspace_size(method, states, n) + count * (n + 1) + own + steps * (n + 2)


def pull_back(g: Any, args: Sequence[Any], moving: Sequence[int], attributes: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The cotangent of y0, and those of the invariants whose numbers are given."""
    body, n = attributes["body"], args[0].shape[0]
    given = {key: attributes[key] for key in ("body", *OPTIONS)}
    given |= {"pulled": _pulled(body, tuple(moving)), "moving": tuple(moving)}
    found = bind(adjoint_p, (g, *args), given)
    ends = np.cumsum([n, *[body.inputs[2 + i].size for i in moving]])
    parts = [found[int(a) : int(b)] for a, b in itertools.pairwise(ends)]
    return found[:n], [np.reshape(part, args[3 + i].shape) for i, part in zip(moving, parts, strict=True)]


@functools.lru_cache(maxsize=256)
def _pulled(body: Program, moving: tuple[int, ...]) -> Program:
    """Of t, y, a cotangent of the slopes and the invariants: the cotangents of y and of moving invariants, joined."""
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.reverse import reverse

    pulled = reverse(body, [1, *[2 + i for i in moving]])

    def cotangents(t: Any, y: Any, seed: Any, *invariants: Any) -> list[Any]:
        found = evaluate(pulled, [t, y, *invariants, seed])[1:]
        return [np.concatenate([np.reshape(c, (-1,)) for c in found])]

    t, y, *others = map(described, body.inputs)
    return loops.build(cotangents, [t, y, y, *others], f"{body.name}.reverse")


# --- meaning
def _evaluate(g: Any, y0: Any, ts: Any, t0: Any, *invariants: Any, **attributes: Any) -> np.ndarray:
    """By the method's kernel, which calls the interpreter."""
    from bayesad.ad.backends.llvm.native import called_kernel

    states, method, rtol, atol, max_steps = (attributes[key] for key in OPTIONS)
    start, times, seeds = (np.array(x, dtype=FLOAT) for x in (y0, ts, np.ravel(g)))
    others = [np.asarray(x)[()] for x in invariants]
    n, count = len(start), len(times)
    size = attributes["pulled"].outputs[0].size
    steps = most_steps(n, max_steps)
    rhs = odes.called(attributes["body"], [n], n, others)
    pulled = odes.called(attributes["pulled"], [n, n], size, others)
    out, work = np.empty(size), np.zeros(workspace_size(method, states, n, size - n, count, steps))
    status = called_kernel(f"{method}_adjoint")(
        rhs, pulled, states, n, size - n, count, float(t0), times, start, seeds, rtol, atol, steps, out, work
    )
    inputs = [np.asarray(x) for x in (g, y0, ts, t0, *invariants)]
    return odes.ended(adjoint_p, inputs, attributes, out, status, work[0], rhs.error or pulled.error)


def _infer(*args: Any, **attributes: Any) -> Any:
    return attributes["pulled"].outputs[0].shape, FLOAT


# --- derivatives
def _contracted(inputs: Sequence[Any], attributes: dict[str, Any]) -> Program:
    """sum(g * tangent of the solve) of (direction of y0 and of each moving invariant, g, y0, ts, t0, invariants)."""
    moving = attributes["moving"]
    given = {key: attributes[key] for key in ("body", *OPTIONS)}
    given |= {"of": None, "jacobian": None}

    def total(dy0: Any, *rest: Any) -> list[Any]:
        directions, (g, *args) = rest[: len(moving)], rest[len(moving) :]
        tangents: list[Any] = [dy0, None, None, *[None] * (len(args) - 3)]
        for i, direction in zip(moving, directions, strict=True):
            tangents[3 + i] = direction
        return [np.sum(g * odes.tangent(tangents, None, *args, **given))]

    like = [inputs[1], *[inputs[4 + i] for i in moving], *inputs]
    return loops.build(total, list(map(described, like)), "contracted")


def _split(vector: Any, inputs: Sequence[Any], moving: Sequence[int]) -> list[Any]:
    """A vector like the primitive's value, as what it consists of."""
    like = [inputs[1], *[inputs[4 + i] for i in moving]]
    ends = np.cumsum([0, *[x.size for x in like]])
    return [np.reshape(vector[int(a) : int(b)], x.shape) for a, b, x in zip(ends[:-1], ends[1:], like, strict=True)]


def _vjp(w: Any, h: Any, *inputs: Any, **attributes: Any) -> tuple[Any, ...]:
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.reverse import reverse

    directions = _split(w, inputs, attributes["moving"])
    varies = [i for i, x in enumerate(inputs) if is_traced(x) and x.dtype == FLOAT]
    program = reverse(_contracted(inputs, attributes), [len(directions) + i for i in varies], [np.float64(1.0)])
    found = dict(zip(varies, evaluate(program, [*directions, *inputs])[1:], strict=True))
    return tuple([found.get(i) for i in range(len(inputs))])


def _jvp(tangents: Sequence[Any], h: Any, *inputs: Any, **attributes: Any) -> Any:
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.forward import forward
    from bayesad.ad.program import prune
    from bayesad.ad.reverse import reverse

    directions = [np.zeros(x.shape) for x in _split(np.zeros(h.shape), inputs, attributes["moving"])]
    moved = [i for i, t in enumerate(tangents) if t is not None]
    pushed = forward(_contracted(inputs, attributes), [len(directions) + i for i in moved])
    slope = prune(pushed.inputs, pushed.outputs[1:], pushed.nodes, "slope")
    program = reverse(slope, range(len(directions)), [np.float64(1.0)])
    given = [*directions, *inputs, *[tangents[i] for i in moved]]
    return np.concatenate([np.reshape(c, (-1,)) for c in evaluate(program, given)[1:]])


adjoint_p = define("odeint_adjoint", _evaluate, _infer, vjp=_vjp, jvp=_jvp, singular=True)
