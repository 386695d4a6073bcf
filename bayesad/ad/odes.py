"""``odeint``: initial value problems, whose right-hand side is traced once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray
from bayesad.ad.bodies import as_floats, traced_body
from bayesad.ad.primitives import odes
from bayesad.ad.primitives.bodies import jacobian
from bayesad.ad.trace import current_depth
from bayesad.errors import SolverError

__all__ = ["odeint"]

ALIASES = {"rk45": "dopri5", "dop853": "dopri8"}


def odeint(
    rhs: Callable[..., Any],
    y0: Any,
    ts: Any,
    *args: Any,
    t0: Any = 0.0,
    method: str = "dopri5",
    rtol: float = 1e-6,
    atol: float = 1e-6,
    max_steps: int = 10_000,
) -> Any:
    """Solve ``dy/dt = rhs(t, y, *args)``, ``y(t0) = y0`` at the times ``ts``.

    The right-hand side is traced once and becomes part of the compiled function, which solves without Python.
    Derivatives reach ``y0``, ``ts``, ``t0``, ``args`` and what the right-hand side closes over. Those by up to sixteen
    numbers, and all of "bdf", come from sensitivities, solved together with the states to the same tolerance; by more
    numbers, from the adjoint of the steps that the states take.

    Parameters
    ----------
    rhs : callable
        ``rhs(t, y, *args)`` gives the slopes as an array, list or tuple of n numbers. A branch on a value that changes
        along the solution cannot be followed: use np.where.
    y0 : array, shape (n,)
    ts : array, shape (m,)
        Increasing; ``ts[0]`` may be ``t0``.
    *args : arrays or trees of arrays
        Handed to rhs.
    t0 : float
    method : str
        "dopri5" (or "rk45"): Runge–Kutta of order 5 (Dormand & Prince 1980). "dopri8": of order 8, better for smooth
        solutions at tight tolerances. "bdf": backward differentiation of orders 1 to 5 for stiff systems (the NDF of
        Shampine & Reichelt 1997), with the Jacobian of rhs by differentiation.
    rtol, atol : float
        The error of a step, as a root mean square over the states (over each of their sensitivities, in units of
        the number that it belongs to), stays below ``atol + rtol * abs(y)``.
    max_steps : int
        A solve that needs more fails: in a region where the system has become stiff it would take longer than all
        others together.

    Returns
    -------
    array, shape (m, n)

    Raises
    ------
    SolverError
        If shapes, times or tolerances are not usable, rhs branches on a value, or the solver cannot go on: too small a
        step, something that is not finite, too many steps. In a log density that is being sampled the last are no
        errors: the solution is NaN from there on, and the log density minus infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> end = lambda rate: ad.odeint(lambda t, y: -rate * y, np.array([1.0]), np.array([1.0]))[0, 0]
    >>> round(float(end(2.0)), 5), round(float(ad.gradient(end, 2.0)), 5)  # exp(-2), -exp(-2)
    (0.13534, -0.13534)
    """
    method = ALIASES.get(method, method)
    if method not in odes.METHODS:
        raise SolverError(f"odeint: method is one of {', '.join((*odes.METHODS, *ALIASES))}, not {method!r}")
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not 0.0 < tolerance < np.inf:
            raise SolverError(f"odeint: {name} has to be a positive number, not {tolerance!r}")
    start = _floats("y0", y0, 1)
    times = _floats("ts", ts, 1)
    origin = _floats("t0", t0, 0)
    _check_times(times, origin)
    if isinstance(max_steps, bool) or not isinstance(max_steps, (int, np.integer)) or max_steps < 1:
        raise SolverError(f"odeint: max_steps has to be a number of steps, not {max_steps!r}")
    given: dict[str, Any] = {
        "states": start.shape[0], "method": method, "rtol": float(rtol), "atol": float(atol),
        "max_steps": int(max_steps),
    }  # fmt: skip

    def slopes(t: Any, y: Any) -> Any:
        return _slopes(rhs(t, y, *args), y.shape)

    if not current_depth() and method != "bdf":
        slopes(origin[()], start.copy())
        solved = odes.solve_plain(lambda t, y: rhs(t, y, *args), start, times, origin, **given)
        if solved is not None:
            return solved
    body, captures = traced_body("odeint", slopes, [origin, start])
    matrix = jacobian(body, 1) if method == "bdf" else None
    return odes.solve(start, times, origin, captures, body=body, of=None, jacobian=matrix, **given)


def _floats(name: str, x: Any, ndim: int) -> Any:
    """An array of floats with so many axes."""
    x = as_floats(x)
    if x.ndim != ndim or x.size == 0:
        expected = "a vector with at least one number" if ndim else "a number"
        raise SolverError(f"odeint: {name} has to be {expected}, not an array of shape {x.shape}")
    return x


def _check_times(ts: Any, t0: Any) -> None:
    """Times that are data increase; those that are unknown are watched by the solver."""
    if isinstance(ts, TracedArray) or isinstance(t0, TracedArray):
        return
    before = np.concatenate([[t0], ts[:-1]])
    wrong = np.flatnonzero(~(ts >= before) | ((ts == before) & (np.arange(len(ts)) > 0)))
    if wrong.size:
        i = int(wrong[0])
        earlier = f"ts[{i - 1}]" if i else "t0"
        raise SolverError(
            f"odeint: ts has to increase from t0 on, but ts[{i}] = {ts[i]} comes after {earlier} = {before[i]}"
        )


def _slopes(result: Any, shape: tuple[int, ...]) -> Any:
    """What rhs returned, as an array of floats."""
    slopes = as_floats(result)
    if slopes.shape != shape:
        raise SolverError(
            f"odeint: rhs returned slopes of shape {slopes.shape} for states of shape {shape}; it has to return one "
            "slope for each state"
        )
    return slopes
