"""The primitive ``quad``: the integrals of m functions between two limits.

Its inputs are the limits and the invariants of its body, a program of x and the invariants with one output of shape
(m,). Derivatives by the limits are the integrand there; those by invariants are integrals of the integrand's
derivatives (Leibniz's rule), all in one pass.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import bind, is_traced
from bayesad.ad.primitives import loops
from bayesad.ad.primitives.bodies import interpreted
from bayesad.ad.primitives.loops import described
from bayesad.ad.primitives.table import FLOAT, define
from bayesad.ad.program import INPUT, Node, Program
from bayesad.errors import SolverError

__all__ = ["MOST_INTERVALS", "POINTS", "failure", "quad_p", "workspace_size"]

POINTS = 21  # of the rule
MOST_INTERVALS = 200

REASONS = (
    "",
    "the error does not become small enough around x = {at:.6g}: a singularity, a slow decay or a discontinuity there "
    "may need the range to be split, or the tolerances are too tight",
    "the integrand is not finite somewhere within the range",
)


def workspace_size(m: int) -> int:
    return 2 + MOST_INTERVALS * (2 + 3 * m) + (POINTS + 1) * m


def _evaluate(a: Any, b: Any, *invariants: Any, **attributes: Any) -> np.ndarray:
    """By the kernel, which calls the interpreter."""
    from bayesad.ad.backends.llvm.kernel import python_log_density
    from bayesad.ad.backends.llvm.native import called_kernel
    from bayesad.ad.failures import failing

    body, rtol, atol = (attributes[key] for key in ("body", "rtol", "atol"))
    run, others = interpreted(body), [np.asarray(x)[()] for x in invariants]

    def fill(argument: np.ndarray, values: np.ndarray) -> float:
        values[:] = run([argument[0], *others])[0]
        return 0.0

    m = body.outputs[0].size
    out, work = np.zeros(m), np.zeros(workspace_size(m))
    pointer = python_log_density(fill, 1, m)
    status = called_kernel("gauss_kronrod")(pointer, m, float(a), float(b), rtol, atol, out, work)
    if pointer.error:
        raise pointer.error
    if status:
        failing(_failed(status, float(a), float(b), work[0], rtol, atol))
    return out


def _infer(a: Any, b: Any, *invariants: Any, body: Program, **attributes: Any) -> Any:
    return body.outputs[0].shape, FLOAT


def _failed(status: float, a: float, b: float, t: float, rtol: float, atol: float) -> SolverError:
    far = (1.0 - t) / t if t else np.inf
    at = t if np.isfinite(a) and np.isfinite(b) else b - far if np.isfinite(b) else (a if np.isfinite(a) else 0.0) + far
    return SolverError(
        f"quad: no integral from {a:g} to {b:g} with rtol={rtol:g}, atol={atol:g}: {REASONS[int(status)].format(at=at)}"
    )


def _report(found: Any, **attributes: Any) -> Any:
    from bayesad.ad.failures import failing

    failing(_failed(*found, **attributes))
    return np.nan


failure_p = define("quad_failure", _report, lambda *args, **attributes: ((), FLOAT))


def failure(rtol: float, atol: float) -> Node:
    """An operation for machine code to report a failure: of a vector (status, a, b, t)."""
    found = Node(INPUT, (), {}, (4,), FLOAT)
    return Node(failure_p, (found,), {"rtol": rtol, "atol": atol}, (), FLOAT)


# --- derivatives
def _at_limit(attributes: dict[str, Any], x: Any, invariants: Sequence[Any]) -> Any:
    """The integrand at a limit; zero at an infinite one."""
    from bayesad.ad.compiled import evaluate

    finite = np.isfinite(x)
    values = evaluate(attributes["body"], [np.where(finite, x, 0.0), *invariants])[0]
    return np.where(finite, values, 0.0)


def _vjp(g: Any, y: Any, a: Any, b: Any, *invariants: Any, **attributes: Any) -> tuple[Any, ...]:
    found: list[Any] = [None] * (2 + len(invariants))
    for i, (x, sign) in enumerate(((a, -1.0), (b, 1.0))):
        if is_traced(x):
            found[i] = sign * np.sum(g * _at_limit(attributes, x, invariants))
    moving = [i for i, p in enumerate(invariants) if is_traced(p) and p.dtype == FLOAT and p.size]
    if moving:
        pulled = _pulled_back(attributes["body"], tuple(moving))
        total = bind(quad_p, (a, b, *invariants, g), {**attributes, "body": pulled})
        ends = np.cumsum([0, *[invariants[i].size for i in moving]])
        for i, begin, end in zip(moving, ends[:-1], ends[1:], strict=True):
            found[2 + i] = np.reshape(total[int(begin) : int(end)], invariants[i].shape)
    return tuple(found)


def _jvp(tangents: Sequence[Any], y: Any, a: Any, b: Any, *invariants: Any, **attributes: Any) -> Any:
    tangent: Any = 0.0
    for t, x, sign in zip(tangents, (a, b), (-1.0, 1.0), strict=False):
        if t is not None:
            tangent = tangent + sign * t * _at_limit(attributes, x, invariants)
    moving = [i for i, t in enumerate(tangents[2:]) if t is not None]
    if moving:
        pushed = _pushed_forward(attributes["body"], tuple(moving))
        moved = (a, b, *invariants, *[tangents[2 + i] for i in moving])
        tangent = tangent + bind(quad_p, moved, {**attributes, "body": pushed})
    return tangent


@functools.lru_cache(maxsize=256)
def _pulled_back(body: Program, moving: tuple[int, ...]) -> Program:
    """Of x, the invariants and a cotangent: the cotangents of moving invariants one after the other."""
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.reverse import reverse

    pulled = reverse(body, [1 + i for i in moving])

    def cotangents(*inputs: Any) -> list[Any]:
        return [np.concatenate([np.reshape(c, (-1,)) for c in evaluate(pulled, inputs)[1:]])]

    like = [*map(described, body.inputs), described(body.outputs[0])]
    return loops.build(cotangents, like, f"{body.name}.reverse")


@functools.lru_cache(maxsize=256)
def _pushed_forward(body: Program, moving: tuple[int, ...]) -> Program:
    """Of x, the invariants and tangents of moving ones: the tangent."""
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.forward import forward

    pushed = forward(body, [1 + i for i in moving])
    like = [*map(described, body.inputs), *[described(body.inputs[1 + i]) for i in moving]]
    return loops.build(lambda *inputs: evaluate(pushed, inputs)[1:], like, f"{body.name}.forward")


quad_p = define("quad", _evaluate, _infer, vjp=_vjp, jvp=_jvp, singular=True)
