"""The primitive ``implicit``: the solution x of F(x, p) = 0, near a starting point.

Its inputs are the starting point (n,) and the parameters p; its residual is a program of (x, *p). By the implicit
function theorem

    dx = -(dF/dx)^-1 (dF/dp) dp

at the solution, however it was found (Griewank & Walther 2008, ch. 15). The rules are written with the solution itself,
so that derivatives of any order follow. Minima are roots of the gradient, found by minimising the ``objective``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import bind, is_traced
from bayesad.ad.primitives.bodies import interpreted
from bayesad.ad.primitives.table import FLOAT, define
from bayesad.ad.trace import untraced
from bayesad.errors import SolverError

__all__ = ["implicit", "solve"]

MOST_CORRECTIONS = 20  # Newton steps after SciPy's solver
ROUNDING = 1e-12  # relative to the solution: corrections below are due to rounding


def solve(start: Any, parameters: Sequence[Any], **attributes: Any) -> Any:
    """The solution as a vector."""
    return bind(implicit, (start, *parameters), attributes)


def _evaluate(start: Any, *parameters: Any, **attributes: Any) -> np.ndarray:
    """By SciPy, and then by Newton's method, which also tells whether there is a solution."""
    from bayesad.ad.failures import failing, failures_are_nan

    others = [np.asarray(p)[()] for p in parameters]
    with untraced(), failures_are_nan(), np.errstate(all="ignore"):
        x, message = _found(np.array(start, dtype=FLOAT), others, **attributes)
        x, problem = _corrected(x, others, **attributes)
    if problem:
        shown = np.array2string(np.asarray(start), precision=4, threshold=6)
        failing(SolverError(f"{attributes['solver']} from {shown}: {problem} ({message})"))
        return np.full(x.shape, np.nan)
    return x


def _found(start: np.ndarray, others: list[Any], **attributes: Any) -> tuple[np.ndarray, str]:
    """Where SciPy's solver ends, and what it says."""
    from scipy import optimize

    residual, slopes = interpreted(attributes["residual"]), interpreted(attributes["jacobian"])
    objective, method = attributes["objective"], attributes["method"]

    def of(run: Any) -> Any:
        return lambda x: run([x, *others])[0]

    found: Any
    if objective is None:
        found = optimize.root(of(residual), start, jac=of(slopes), method=method)
    else:
        found = optimize.minimize(of(interpreted(objective)), start, jac=of(residual), method=method)
    return np.array(found.x, dtype=FLOAT), " ".join(str(found.message).split())


def _corrected(x: np.ndarray, others: list[Any], **attributes: Any) -> tuple[np.ndarray, str]:
    """The solution after Newton steps, each shorter than the one before; and what is wrong with it."""
    residual, slopes = interpreted(attributes["residual"]), interpreted(attributes["jacobian"])
    before = np.inf
    for _ in range(MOST_CORRECTIONS):
        matrix = slopes([x, *others])[0]
        try:
            step = np.linalg.solve(matrix, residual([x, *others])[0])
        except np.linalg.LinAlgError:
            return x, "the Jacobian is singular where it ended, so no solution depends smoothly on its parameters there"
        size = float(np.max(np.abs(step)) / (1e-300 + np.max(np.abs(x) + 1.0)))
        if not size < np.inf:
            return x, "the function is not finite where it ended"
        if size >= before:
            break
        x, before = x - step, size
        if size <= ROUNDING:
            break
    if before > np.sqrt(ROUNDING):
        return x, f"it did not converge: a Newton step from where it ended changes the solution by {before:.1e}"
    if attributes["objective"] is not None and np.min(np.linalg.eigvalsh(0.5 * (matrix + matrix.T))) <= 0.0:
        return x, "it ended at a point where the gradient is zero but which is no minimum"
    return x, ""


def _infer(start: Any, *parameters: Any, **attributes: Any) -> Any:
    return start.shape, FLOAT


def _slopes(y: Any, parameters: Sequence[Any], attributes: dict[str, Any]) -> Any:
    from bayesad.ad.compiled import evaluate

    return evaluate(attributes["jacobian"], [y, *parameters])[0]


def _moving(parameters: Sequence[Any]) -> list[int]:
    return [i for i, p in enumerate(parameters) if is_traced(p) and p.dtype == FLOAT]


def _vjp(g: Any, y: Any, start: Any, *parameters: Any, **attributes: Any) -> tuple[Any, ...]:
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.reverse import reverse

    found: list[Any] = [None] * (1 + len(parameters))
    moving = _moving(parameters)
    if moving:
        seed = -np.linalg.solve(np.transpose(_slopes(y, parameters, attributes)), g)
        pulled = reverse(attributes["residual"], [1 + i for i in moving])
        cotangents = evaluate(pulled, [y, *parameters, seed])[1:]
        for i, cotangent in zip(moving, cotangents, strict=True):
            found[1 + i] = cotangent
    return tuple(found)


def _jvp(tangents: Sequence[Any], y: Any, start: Any, *parameters: Any, **attributes: Any) -> Any:
    from bayesad.ad.compiled import evaluate
    from bayesad.ad.forward import forward

    given = tangents[1:]
    moving = [i for i, t in enumerate(given) if t is not None]
    if not moving:
        return None
    pushed = forward(attributes["residual"], [1 + i for i in moving])
    moved = evaluate(pushed, [y, *parameters, *[given[i] for i in moving]])[1]
    return -np.linalg.solve(_slopes(y, parameters, attributes), moved)


implicit = define("implicit", _evaluate, _infer, vjp=_vjp, jvp=_jvp, singular=True)
