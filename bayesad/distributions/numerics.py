"""Formulas that several laws share, written so that they neither cancel nor overflow."""

from typing import Any

import numpy as np

from bayesad.ad.array import bind
from bayesad.ad.functions.linalg import solve_triangular
from bayesad.ad.primitives import elementwise
from bayesad.distributions.lazy import special

__all__ = [
    "EULER",
    "HALF_LOG_2PI",
    "LOG_2",
    "LOG_PI",
    "draw_poisson",
    "log1p_ratio",
    "log1p_square",
    "log_gamma_ratio",
    "log_minus_exp",
    "safe_log",
    "solve_lower",
    "spread",
]

LOG_2 = float(np.log(2.0))
LOG_PI = float(np.log(np.pi))
EULER = float(np.euler_gamma)
HALF_LOG_2PI = 0.5 * (LOG_2 + LOG_PI)

# Above this, gammaln loses more digits in a difference than two terms of Stirling's series do.
_STIRLING_FROM = 3000.0

# NumPy's Poisson sampler refuses larger rates; int64 could not hold the draws.
_LARGEST_RATE = 9.2e18


def log1p_square(z: Any) -> Any:
    """log(1 + z²), also where z² overflows."""
    return bind(elementwise.log1p_square, (z,))


def log1p_ratio(s: Any) -> Any:
    """log(1 + s)/s, which is 1 at 0; for small s by its series, so that its derivatives have all digits too."""
    small = np.abs(s) < 1e-3
    t = np.where(small, s, 0.0)
    series = 1.0 - t * (0.5 - t * (1.0 / 3.0 - t * (0.25 - t * (0.2 - t * (1.0 / 6.0 - t / 7.0)))))
    s = np.where(small, 1.0, s)
    return np.where(small, series, np.log1p(s) / s)


def log_gamma_ratio(a: Any, x: Any) -> Any:
    """log(Γ(a + x) / Γ(a)) for a > 0, x >= 0.

    For large `a` from Stirling's series (Abramowitz & Stegun 1964, 6.1.41), because the difference of two values of
    gammaln is all rounding error there.
    """
    large = a > _STIRLING_FROM
    big = np.where(large, a, _STIRLING_FROM)
    small = np.where(large, 1.0, a)
    stirling = (big + x - 0.5) * np.log1p(x / big) + x * (np.log(big) - 1.0) - x / (12.0 * big * (big + x))
    return np.where(large, stirling, special.gammaln(small + x) - special.gammaln(small))


def safe_log(p: Any) -> Any:
    """log(p), -inf with derivative 0 where p is 0."""
    positive = p > 0.0
    return np.where(positive, np.log(np.where(positive, p, 1.0)), -np.inf)


def log_minus_exp(a: Any, b: Any) -> Any:
    """log(exp(a) - exp(b)) for a >= b."""
    return a + np.log(-np.expm1(b - a))


def spread(value: Any, x: Any) -> Any:
    """A value that does not depend on x, in the shape that it has at x."""
    return np.broadcast_to(value, np.broadcast_shapes(np.shape(value), np.shape(x)))


def solve_lower(factor: Any, b: Any, trans: bool = False) -> Any:
    """Solve L z = b, or Lᵀ z = b if `trans`, for vectors on the last axis of `b`.

    Parameters
    ----------
    factor : array, shape (..., K, K)
        Lower triangular; a single one serves all of `b`, a batch broadcasts.
    b : array, shape (..., K)

    Returns
    -------
    array, shape (..., K)
    """
    if factor.ndim > 2 or b.ndim == 1:
        return solve_triangular(factor, b[..., None], True, trans, False)[..., 0]
    columns = np.reshape(b, (-1, b.shape[-1])).T
    return np.reshape(solve_triangular(factor, columns, True, trans, False).T, b.shape)


def draw_poisson(rng: np.random.Generator, rate: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Poisson draws; rates beyond what int64 holds are taken as 9.2e18, so that wide priors can be drawn from."""
    return rng.poisson(np.minimum(rate, _LARGEST_RATE), shape)
