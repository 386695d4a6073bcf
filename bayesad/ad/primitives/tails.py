"""Tails and normalising sums of laws: skew normal (by the tanh-sinh rule), Bessel (Skellam), Conway–Maxwell–Poisson."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from bayesad.ad.primitives.incomplete import FALL, POINTS, WEIGHTS

__all__ = ["com_poisson", "com_poisson_window", "log_ive", "skew_tail"]


def skew_tail(h: Any, a: Any) -> Any:
    """P(Y < -h) of a skew normal Y with slant `a`: 2 (T(h, inf) - T(h, a)) with Owen's function T.

    Owen's integral (Owen 1956, eq. 1.4) from a to infinity, over the angle from arctan(a) on, cut off where the
    integrand has fallen by exp(-45), by the tanh-sinh rule (Takahasi & Mori 1974).

    Parameters
    ----------
    h, a : arrays
        Non-negative; they broadcast.

    Returns
    -------
    array
        Relative error below 1e-13 where the result is a normal float.
    """
    h, a = np.broadcast_arrays(np.asarray(h, dtype=np.float64), np.asarray(a, dtype=np.float64))
    with np.errstate(all="ignore"):
        square = 0.5 * h * h
        beyond = FALL / square
        reach = np.sqrt(a * a + beyond)
        angle = np.where(np.isfinite(reach), np.arctan2(beyond / (reach + a), 1.0 + a * reach), np.arctan2(1.0, a))
        tangent = np.tan(angle[..., None] * POINTS)
        slant = a[..., None]
        step = (1.0 + slant * slant) * tangent / (1.0 - slant * tangent)  # tan(arctan(a) + angle) - a
        fallen = np.exp(-square[..., None] * step * (step + 2.0 * slant))
        fallen = np.where((h == 0.0)[..., None], 1.0, fallen)
        return (np.exp(-square * (1.0 + a * a)) / np.pi * angle * np.sum(WEIGHTS * fallen, axis=-1))[()]


def log_ive(v: Any, z: Any) -> Any:
    """log(exp(-z) I_v(z)) for v >= 0 and z > 0, also where the function itself underflows.

    There by its power series (DLMF 10.25.2) if z²/(4 (v + 1)) is small, else by the uniform expansion for large order
    (DLMF 10.41.3).
    """
    v, z = np.broadcast_arrays(np.asarray(v, dtype=np.float64), np.asarray(z, dtype=np.float64))
    with np.errstate(all="ignore"):
        value = sp.ive(v, z)
        q = 0.25 * z * z
        series = np.log1p(q / (v + 1.0) * (1.0 + q / (2.0 * (v + 2.0)) * (1.0 + q / (3.0 * (v + 3.0)))))
        series = v * np.log(0.5 * z) - sp.gammaln(v + 1.0) - z + series
        return np.where(value > 1e-280, np.log(value), np.where(q < 1e-4 * (v + 1.0), series, _log_ive_large(v, z)))[()]


def _log_ive_large(v: Any, z: Any) -> Any:
    root = np.hypot(v, z)
    p, square = v / root, (v / root) ** 2
    terms = [
        p * (3.0 - 5.0 * square) / 24.0,
        square * (81.0 - square * (462.0 - 385.0 * square)) / 1152.0,
        p * square * (30375.0 - square * (369603.0 - square * (765765.0 - 425425.0 * square))) / 414720.0,
    ]
    total = sum(term / v ** (k + 1) for k, term in enumerate(terms))
    growth = v * v / (root + z) + v * np.log(z / (v + root))  # v η - z, without the cancellation of root and z
    return growth - 0.5 * np.log(2.0 * np.pi * root) + np.log1p(total)


MOST_TERMS = 1_000_000


def com_poisson_window(log_rate: Any, nu: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The terms of Σ_k exp(k log_rate - nu log k!) that count.

    The terms are log-concave in k. They are taken from where the gap to the largest is 45 units of log on, and until
    the geometric series that bounds the rest is below exp(-40) of the largest.

    Parameters
    ----------
    log_rate, nu : arrays of one shape

    Returns
    -------
    start : array
        The first k.
    largest : array
        The log of the largest term.
    terms : array, shape (..., number of terms)
        Divided by the largest; NaN where more than `MOST_TERMS` would be needed.
    """
    mode = np.floor(np.exp(np.minimum(log_rate / nu, 40.0)))
    largest = mode * log_rate - nu * sp.gammaln(mode + 1.0)

    def gap(k: Any) -> Any:
        return largest - (k * log_rate - nu * sp.gammaln(k + 1.0))

    start = np.zeros(mode.shape)
    low, high = np.zeros(mode.shape), mode.copy()
    for _ in range(int(np.log2(np.max(mode, initial=1.0) + 1.0)) + 1):
        middle = np.floor(0.5 * (low + high))
        near = gap(middle) < FALL
        low, high = np.where(near, low, middle + 1.0), np.where(near, middle, high)
    start = np.minimum(high, mode)
    end = mode + 1.0
    step = 1.0
    while step <= MOST_TERMS:
        ratio = np.exp(np.minimum(log_rate - nu * np.log(end + 1.0), 0.0))
        short = gap(end) + np.log1p(-np.minimum(ratio, 1.0 - 1e-16)) < 40.0
        if not short.any():
            break
        end = np.where(short, end + step, end)
        step *= 1.5
    width = int(np.max(end - start, initial=1.0)) + 1
    if width > MOST_TERMS:
        width, start = 1, np.full(start.shape, np.nan)
    k = start[..., None] + np.arange(width)
    terms = np.exp(k * log_rate[..., None] - nu[..., None] * sp.gammaln(k + 1.0) - largest[..., None])
    return start, largest, terms


def com_poisson(log_rate: Any, nu: Any, what: str) -> Any:
    """log of the sum of exp(k log_rate - nu log k!) over k >= 0, or a mean over k with these weights.

    Parameters
    ----------
    log_rate, nu : arrays
        They broadcast.
    what : str
        "log_sum", "mean" (of k) or "mean_log_factorial".
    """
    spread = np.broadcast_arrays(np.asarray(log_rate, dtype=np.float64), np.asarray(nu, dtype=np.float64))
    flat = np.stack([np.ravel(a) for a in spread], axis=-1)
    different, inverse = np.unique(flat, axis=0, return_inverse=True)
    with np.errstate(all="ignore"):
        results = np.array([_com_poisson(rate, power, what) for rate, power in different])
    return results[np.ravel(inverse)].reshape(spread[0].shape)[()]


def _com_poisson(log_rate: float, nu: float, what: str) -> float:
    if not (np.isfinite(log_rate) and 0.0 < nu < np.inf):
        return np.nan
    start, largest, terms = com_poisson_window(np.array(log_rate), np.array(nu))
    total = terms.sum()
    if what == "log_sum":
        return float(largest + np.log(total))
    k = start + np.arange(terms.size)
    return float(((k if what == "mean" else sp.gammaln(k + 1.0)) * terms).sum() / total)
