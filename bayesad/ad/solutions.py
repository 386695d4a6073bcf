"""Roots, fixed points and minima that are differentiated as functions of what they depend on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesad.ad import trees
from bayesad.ad.array import plain_or_traced
from bayesad.ad.bodies import as_floats, traced_body
from bayesad.ad.primitives.bodies import jacobian
from bayesad.ad.primitives.implicit import solve
from bayesad.ad.program import Program
from bayesad.errors import SolverError

__all__ = ["fixed_point", "minimize", "root"]

ROOT_FINDERS = ("hybr", "lm")
MINIMIZERS = ("BFGS", "CG", "L-BFGS-B", "TNC", "SLSQP")


def root(f: Callable[..., Any], x0: Any, *args: Any, method: str = "hybr") -> Any:
    """The solution x of ``f(x, *args) = 0`` near ``x0``.

    SciPy looks for it with the Jacobian of f. Derivatives go through the solution, by the implicit function theorem,
    not through the iterations. They reach ``args`` and what f closes over, in both modes and any order; none reaches
    ``x0``.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` gives as many numbers as x has. It is traced once: write branches on values with np.where.
    x0 : float, array or tree of arrays
        A list of numbers counts as an array.
    *args : arrays or trees of arrays
    method : str
        Of `scipy.optimize.root`, one that takes a Jacobian: "hybr" or "lm".

    Returns
    -------
    as ``x0``
        Corrected by Newton steps down to rounding.

    Raises
    ------
    SolverError
        If no solution is found, or the Jacobian is singular there. In a log density that is being sampled the solution
        is NaN instead, and the log density minus infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> square_root = lambda a: ad.root(lambda x: x**2 - a, 1.0)
    >>> round(float(square_root(2.0)), 6), round(float(ad.gradient(square_root, 2.0)), 6)
    (1.414214, 0.353553)
    """
    return _solved("root", lambda x: f(x, *args), x0, method, lambda result, x: _vector(result))


def fixed_point(f: Callable[..., Any], x0: Any, *args: Any, method: str = "hybr") -> Any:
    """The solution x of ``x = f(x, *args)`` near ``x0``: the root of ``x - f(x)``; see `root`.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> round(float(ad.fixed_point(np.cos, 1.0)), 6)
    0.739085
    """
    return _solved("fixed_point", lambda x: f(x, *args), x0, method, lambda result, x: x - _vector(result))


def minimize(f: Callable[..., Any], x0: Any, *args: Any, method: str = "BFGS") -> Any:
    """The point x near ``x0`` where ``f(x, *args)``, a number, has a local minimum; see `root`.

    Parameters
    ----------
    method : str
        Of `scipy.optimize.minimize`, one that takes a gradient and no bounds: "BFGS", "CG", "L-BFGS-B", "TNC", "SLSQP".

    Raises
    ------
    SolverError
        As for `root`; also if the second derivatives are not positive definite at the end.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> best = lambda a: ad.minimize(lambda x: (x - a) ** 2 + x**4, 0.5)
    >>> float(ad.gradient(best, 3.0)).__round__(6)  # 2 / (2 + 12 x**2) at x = 1
    0.142857
    """
    start, rebuild = _flat("minimize", x0)
    _check_method("minimize", method, MINIMIZERS)
    objective, captures = traced_body("minimize", lambda x: f(rebuild(x), *args), [start], _number)
    residual = _gradient(objective)
    found = solve(
        start, captures, solver="minimize", residual=residual, jacobian=jacobian(residual, 0), objective=objective,
        method=method,
    )  # fmt: skip
    return rebuild(found)


def _solved(solver: str, f: Callable[[Any], Any], x0: Any, method: str, residual: Callable[..., Any]) -> Any:
    start, rebuild = _flat(solver, x0)
    _check_method(solver, method, ROOT_FINDERS)

    def difference(x: Any) -> Any:
        found = residual(f(rebuild(x)), x)
        if found.shape != start.shape:
            raise SolverError(f"{solver}: the function gives {found.size} numbers for {start.size} unknowns")
        return found

    body, captures = traced_body(solver, difference, [start])
    attributes = {
        "solver": solver,
        "residual": body,
        "jacobian": jacobian(body, 0),
        "objective": None,
        "method": method,
    }
    return rebuild(solve(start, captures, **attributes))


def _check_method(solver: str, method: str, known: Sequence[str]) -> None:
    if method not in known:
        raise SolverError(
            f"{solver}: there is no method {method!r} that takes derivatives; there are {', '.join(known)}"
        )


def _flat(solver: str, x0: Any) -> tuple[Any, Callable[[Any], Any]]:
    """A tree as a vector, and the way back; a list of numbers counts as an array."""
    if isinstance(x0, list) and x0 and all(np.ndim(x) == 0 for x in x0):
        x0 = as_floats(x0)
    leaves, rebuild, _ = trees.flatten(x0)
    arrays = [as_floats(leaf) for leaf in leaves]
    if not sum(a.size for a in arrays):
        raise SolverError(f"{solver}: x0 has no numbers")
    ends = np.cumsum([0, *[a.size for a in arrays]])

    def back(x: Any) -> Any:
        parts = [x[int(i) : int(j)] for i, j in itertools.pairwise(ends)]
        return rebuild(iter([np.reshape(part, a.shape)[()] for part, a in zip(parts, arrays, strict=True)]))

    return _joined(arrays), back


def _vector(result: Any) -> Any:
    """All numbers of a tree."""
    return _joined([as_floats(leaf) for leaf in trees.flatten(result)[0]])


def _joined(arrays: list[Any]) -> Any:
    flat = [np.reshape(a, (-1,)) for a in arrays]
    return flat[0] if len(flat) == 1 else np.concatenate(flat)


def _number(result: Any) -> Any:
    result = as_floats(plain_or_traced(result))
    if result.size != 1:
        raise SolverError(f"minimize: the function has to give one number, not an array of shape {result.shape}")
    return np.reshape(result, ())


def _gradient(objective: Program) -> Program:
    """The gradient of an objective by its first input, with all of its inputs."""
    from bayesad.ad.program import prune
    from bayesad.ad.reverse import reverse
    from bayesad.ad.simplify import simplify

    both = reverse(objective, [0], [np.float64(1.0)])
    return simplify(prune(both.inputs, both.outputs[1:], both.nodes, f"{objective.name}.gradient"))
