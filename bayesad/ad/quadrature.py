"""Integrals that are differentiated by their limits and by all that the integrand depends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.ad.bodies import as_floats, traced_body
from bayesad.ad.primitives.integrals import quad_p
from bayesad.errors import SolverError

__all__ = ["quad"]


def quad(f: Callable[..., Any], a: Any, b: Any, *args: Any, rtol: float = 1e-10, atol: float = 1e-12) -> Any:
    """The integral of ``f(x, *args)`` over x from ``a`` to ``b``.

    Adaptive Gauss–Kronrod quadrature with 21 points, as machine code. Derivatives reach the limits, ``args`` and what f
    closes over, in both modes and any order.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` of a number x gives a number or an array, of which every element is integrated. It is traced
        once: write branches on values with np.where, and split the range where f jumps.
    a, b : float
        Limits; may be infinite.
    *args : arrays or trees of arrays
    rtol, atol : float
        The estimated error stays below ``max(atol, rtol * abs(integral))``.

    Returns
    -------
    float or array, as what f returns

    Raises
    ------
    SolverError
        If the integrand is not finite or the error does not become small enough. In a log density that is being
        sampled the integral is NaN instead, and the log density minus infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesad import ad
    >>> area = lambda s: ad.quad(lambda x: np.exp(-0.5 * (x / s) ** 2), -np.inf, np.inf)
    >>> round(float(area(2.0) ** 2 / np.pi), 9), round(float(ad.gradient(area, 2.0) ** 2 / np.pi), 9)
    (8.0, 2.0)
    """
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not 0.0 <= tolerance < np.inf:
            raise SolverError(f"quad: {name} has to be a number that is not negative, not {tolerance!r}")
    limits = as_floats(a), as_floats(b)
    for name, limit in zip("ab", limits, strict=True):
        if limit.shape != ():
            raise SolverError(f"quad: {name} has to be a number, not an array of shape {limit.shape}")
    shapes: list[tuple[int, ...]] = []

    def flat(result: Any) -> Any:
        result = as_floats(result)
        shapes.append(result.shape)
        return np.reshape(result, (-1,))

    body, captures = traced_body("quad", lambda x: f(x, *args), [np.array(0.5)], flat)
    attributes = {"body": body, "rtol": float(rtol), "atol": float(atol)}
    return np.reshape(bind(quad_p, (*limits, *captures), attributes), shapes[0])[()]
