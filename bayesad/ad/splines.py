"""Cubic splines through knots and values that may be unknowns."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import is_traced
from bayesad.ad.bodies import as_floats
from bayesad.ad.primitives.indexing import getitem
from bayesad.errors import SolverError

__all__ = ["cubic_spline"]

FEWEST = {"natural": 2, "clamped": 2, "not-a-knot": 4}


def cubic_spline(x: Any, xp: Any, fp: Any, *, bc_type: str = "not-a-knot") -> Any:
    """The cubic spline through ``(xp, fp)`` at ``x``; any of these may be unknowns. For lines between knots: np.interp.

    Parameters
    ----------
    x : array of any shape
        Beyond the knots the first and the last cubic go on.
    xp : array, shape (n,)
        Increasing.
    fp : array, shape (n,)
    bc_type : "not-a-knot", "natural" or "clamped"
        At the ends: a third derivative without a jump at the second and the last knot but one (n >= 4), a second
        derivative of zero, or a slope of zero; as for `scipy.interpolate.CubicSpline`.

    Returns
    -------
    array, shape of ``x``

    Raises
    ------
    SolverError
        If there are too few knots, the shapes differ, or knots that are data do not increase.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> knots = np.arange(5.0)
    >>> cube = lambda x: ad.cubic_spline(x, knots, knots**3)
    >>> round(float(cube(2.5)), 9), round(float(ad.gradient(cube, 2.5)), 9)
    (15.625, 18.75)
    """
    x, xp, fp = as_floats(x), as_floats(xp), as_floats(fp)
    n = _checked(xp, fp, bc_type)
    steps = xp[1:] - xp[:-1]
    chords = (fp[1:] - fp[:-1]) / steps
    slopes = _solved(_matrix(steps, n, bc_type), _right_side(steps, chords, bc_type))
    piece = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, n - 2)
    h, knot, start, chord, first, second = (
        getitem(a, piece) for a in (steps, xp[:-1], fp[:-1], chords, slopes[:-1], slopes[1:])
    )
    t = x - knot
    # Hermite's cubic: value and slope at both knots of the piece
    quadratic = (3.0 * chord - 2.0 * first - second) / h
    cubic = (first + second - 2.0 * chord) / h**2
    return start + t * (first + t * (quadratic + t * cubic))


def _checked(xp: Any, fp: Any, bc_type: str) -> int:
    if bc_type not in FEWEST:
        raise SolverError(f"cubic_spline: bc_type is one of {', '.join(FEWEST)}, not {bc_type!r}")
    if xp.ndim != 1 or xp.shape != fp.shape:
        raise SolverError(
            f"cubic_spline: xp and fp have to be vectors of the same length, not of shapes {xp.shape} and {fp.shape}"
        )
    if xp.size < FEWEST[bc_type]:
        raise SolverError(f"cubic_spline: {bc_type!r} needs at least {FEWEST[bc_type]} knots, not {xp.size}")
    if not is_traced(xp) and not np.all(np.diff(xp) > 0):
        i = int(np.flatnonzero(~(np.diff(xp) > 0))[0])
        raise SolverError(f"cubic_spline: xp has to increase, but xp[{i + 1}] = {xp[i + 1]} comes after {xp[i]}")
    return xp.size


def _matrix(steps: Any, n: int, bc_type: str) -> Any:
    """Of the equations for the slopes at the knots (de Boor 1978, A Practical Guide to Splines, ch. IV)."""
    lines = [[(0, 1.0)], *_inner(steps, n), [(n - 1, 1.0)]]
    if bc_type == "natural":
        lines[0], lines[-1] = [(0, 2.0), (1, 1.0)], [(n - 2, 1.0), (n - 1, 2.0)]
    elif bc_type == "not-a-knot":
        lines[0] = [(0, steps[1]), (1, steps[0] + steps[1])]
        lines[-1] = [(n - 2, steps[-1] + steps[-2]), (n - 1, steps[-2])]
    units = np.eye(n)
    rows = [sum(weight * units[j] for j, weight in line) for line in lines]
    return np.stack(rows)


def _inner(steps: Any, n: int) -> list[list[tuple[int, Any]]]:
    """The second derivative has no jump at the knots between."""
    return [[(i - 1, steps[i]), (i, 2.0 * (steps[i - 1] + steps[i])), (i + 1, steps[i - 1])] for i in range(1, n - 1)]


def _right_side(steps: Any, chords: Any, bc_type: str) -> Any:
    inner = 3.0 * (steps[1:] * chords[:-1] + steps[:-1] * chords[1:])
    if bc_type == "clamped":
        first, last = 0.0, 0.0
    elif bc_type == "natural":
        first, last = 3.0 * chords[0], 3.0 * chords[-1]
    else:
        first = _end(steps[0], steps[1], chords[0], chords[1])
        last = _end(steps[-1], steps[-2], chords[-1], chords[-2])
    return np.concatenate([np.reshape(first, 1), inner, np.reshape(last, 1)])


def _end(h: Any, following: Any, chord: Any, next_chord: Any) -> Any:
    """Where the third derivative has no jump at the knot next to the end."""
    both = h + following
    return ((h + 2.0 * both) * following * chord + h**2 * next_chord) / both


def _solved(matrix: Any, right: Any) -> Any:
    """Knots that are data are worked on once."""
    return np.linalg.solve(matrix, right) if is_traced(matrix) else np.linalg.inv(matrix) @ right
