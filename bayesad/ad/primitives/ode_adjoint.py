"""The primitives ``odeint_steps`` and ``odeint_adjoint``: a solve that keeps its steps, and the way back over them.

The first has the inputs of a solve, y0, ts, t0 and invariants; its value is one vector: the rows of the solution, and
behind them the steps (`runge_kutta`), with the states of all stages, or without where these would be too many numbers.
The second goes back over the steps. Its inputs are the cotangents g of the rows, that vector, and y0, ts, t0 and
invariants again; its value is one vector: the cotangent of y0, as if t0 were fixed, and after it those of the moving
invariants. The steps are chosen by the states alone, and differentiated as they are. The cost does not grow with the
number of parameters, so that this replaces forward sensitivities where there are many.

The derivatives of the adjoint follow from what it is: the gradient of sum(g * tangent of the solve) by the tangent's
direction.
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

__all__ = ["METHODS", "adjoint_p", "adjoint_size", "kept_vectors", "most_steps", "pull_back", "steps_p"]

METHODS = {"dopri5": 6, "dopri8": 12}  # with an adjoint -> stages
OPTIONS = ("states", "method", "rtol", "atol", "max_steps")
MOST_NUMBERS = 1 << 23  # kept of all steps


def kept_vectors(method: str, n: int, max_steps: int) -> int:
    """How many vectors of n states are kept of each step: those of all stages, or the first alone."""
    stages = METHODS[method]
    return stages if max_steps * (2 + stages * n) <= MOST_NUMBERS else 1


def most_steps(n: int, keeps: int, max_steps: int) -> int:
    """How many steps may be taken, of which all are kept."""
    return min(max_steps, MOST_NUMBERS // (2 + keeps * n))


def adjoint_size(method: str, n: int, parameters: int) -> int:
    """The numbers of workspace that the way back needs."""
    stages, vector = METHODS[method], odes.padded(n)
    tableau = odes.padded(stages * (stages - 1) // 2 + 4 * stages + 2)
    again = stages * n + 1 + (stages + 2) * vector
    return tableau + stages * (stages - 1) // 2 + again + 1 + 2 * n + (stages + 2) * vector + parameters


def pull_back(g: Any, args: Sequence[Any], moving: Sequence[int], attributes: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The cotangent of y0, and those of the invariants whose numbers are given."""
    body, n = attributes["body"], args[0].shape[0]
    given = {key: attributes[key] for key in ("body", *OPTIONS)}
    given["keeps"] = kept_vectors(attributes["method"], n, attributes["max_steps"])
    solved = bind(steps_p, tuple(args), given)
    found = bind(
        adjoint_p, (g, solved, *args), given | {"pulled": _pulled(body, tuple(moving)), "moving": tuple(moving)}
    )
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


# --- a solve that keeps its steps
def _evaluate_steps(y0: Any, ts: Any, t0: Any, *invariants: Any, **attributes: Any) -> np.ndarray:
    """By the method's kernel, which calls the interpreter."""
    from bayesad.ad.backends.llvm.native import called_kernel

    states, method, rtol, atol, max_steps = (attributes[key] for key in OPTIONS)
    start, times = (np.array(x, dtype=FLOAT) for x in (y0, ts))
    n, count, keeps = len(start), len(times), attributes["keeps"]
    rhs = odes.called(attributes["body"], [n], n, [np.asarray(x)[()] for x in invariants])
    (size,), _ = _infer_steps(start, times, **attributes)
    out, work = np.zeros(size), np.zeros(odes.workspace_size(method, states, n))
    status = called_kernel(f"{method}_steps")(
        rhs, states, n, count, float(t0), times, start, rtol, atol, most_steps(n, keeps, max_steps), keeps, out, work
    )
    inputs = [np.asarray(x) for x in (y0, ts, t0, *invariants)]
    return odes.ended(steps_p, inputs, attributes, out, status, work[0], rhs.error)


def _infer_steps(y0: Any, ts: Any, *others: Any, **attributes: Any) -> Any:
    n, count, keeps = y0.shape[0], ts.shape[0], attributes["keeps"]
    return (count * (n + 1) + most_steps(n, keeps, attributes["max_steps"]) * (2 + keeps * n),), FLOAT


def _as_solve(value: Any, args: Sequence[Any], attributes: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The rows of a solve, and its attributes without the keeping."""
    n, count = args[0].shape[0], args[1].shape[0]
    given = {key: attributes[key] for key in ("body", *OPTIONS)}
    return np.reshape(value[: n * count], (count, n)), given | {"of": None, "jacobian": None}


def _steps_vjp(g: Any, value: Any, *args: Any, **attributes: Any) -> tuple[Any, ...]:
    """The steps are no function of the inputs to their users: the adjoint has its own derivatives."""
    rows, given = _as_solve(value, args, attributes)
    return odes.cotangents(_as_solve(g, args, attributes)[0], rows, *args, **given)


def _steps_jvp(tangents: Sequence[Any], value: Any, *args: Any, **attributes: Any) -> Any:
    rows, given = _as_solve(value, args, attributes)
    moved = np.reshape(odes.tangent(tangents, rows, *args, **given), (-1,))
    return np.concatenate([moved, np.zeros(value.shape[0] - rows.size)])


steps_p = define("odeint_steps", _evaluate_steps, _infer_steps, vjp=_steps_vjp, jvp=_steps_jvp, singular=True)


# --- the way back
def _evaluate(g: Any, solved: Any, y0: Any, ts: Any, t0: Any, *invariants: Any, **attributes: Any) -> np.ndarray:
    """By the method's kernel, which calls the interpreter."""
    from bayesad.ad.backends.llvm.native import called_kernel

    method, n, count = attributes["method"], len(y0), len(ts)
    others = [np.asarray(x)[()] for x in invariants]
    size = attributes["pulled"].outputs[0].size
    rhs = odes.called(attributes["body"], [n], n, others)
    pulled = odes.called(attributes["pulled"], [n, n], size, others)
    seeds, kept = (np.array(np.ravel(x), dtype=FLOAT) for x in (g, solved))
    out, work = np.empty(size), np.zeros(adjoint_size(method, n, size - n))
    status = called_kernel(f"{method}_adjoint")(
        rhs, pulled, n, size - n, count, seeds, kept, attributes["keeps"], out, work
    )
    inputs = [np.asarray(x) for x in (g, solved, y0, ts, t0, *invariants)]
    return odes.ended(adjoint_p, inputs, attributes, out, status, 0.0, rhs.error or pulled.error)


def _infer(*args: Any, **attributes: Any) -> Any:
    return attributes["pulled"].outputs[0].shape, FLOAT


# --- derivatives
def _contracted(inputs: Sequence[Any], attributes: dict[str, Any]) -> Program:
    """sum(g * tangent of the solve) of (direction of y0 and of each moving invariant, g, y0, ts, t0, invariants).

    ``inputs`` are those from g on, without the solution.
    """
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


def _vjp(w: Any, h: Any, g: Any, solved: Any, *args: Any, **attributes: Any) -> tuple[Any, ...]:
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.reverse import reverse

    inputs = [g, *args]
    directions = _split(w, inputs, attributes["moving"])
    varies = [i for i, x in enumerate(inputs) if is_traced(x) and x.dtype == FLOAT]
    program = reverse(_contracted(inputs, attributes), [len(directions) + i for i in varies], [np.float64(1.0)])
    found = dict(zip(varies, evaluate(program, [*directions, *inputs])[1:], strict=True))
    return found.get(0), None, *[found.get(i) for i in range(1, len(inputs))]


def _jvp(tangents: Sequence[Any], h: Any, g: Any, solved: Any, *args: Any, **attributes: Any) -> Any:
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.forward import forward
    from bayesad.ad.program import prune
    from bayesad.ad.reverse import reverse

    inputs, tangents = [g, *args], [tangents[0], *tangents[2:]]
    directions = [np.zeros(x.shape) for x in _split(np.zeros(h.shape), inputs, attributes["moving"])]
    moved = [i for i, t in enumerate(tangents) if t is not None]
    pushed = forward(_contracted(inputs, attributes), [len(directions) + i for i in moved])
    slope = prune(pushed.inputs, pushed.outputs[1:], pushed.nodes, "slope")
    program = reverse(slope, range(len(directions)), [np.float64(1.0)])
    given = [*directions, *inputs, *[tangents[i] for i in moved]]
    return np.concatenate([np.reshape(c, (-1,)) for c in evaluate(program, given)[1:]])


adjoint_p = define("odeint_adjoint", _evaluate, _infer, vjp=_vjp, jvp=_jvp, singular=True)
