"""Tails and normalising sums of laws: skew normal, Rice, Bessel (Skellam), Conway–Maxwell–Poisson."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from bayesad.ad.primitives.incomplete import FALL, POINTS, WEIGHTS

__all__ = ["com_poisson", "com_poisson_bounds", "com_poisson_terms", "log_ive", "rice_tail", "skew_tail"]


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


def rice_tail(a: Any, b: Any, upper: bool) -> Any:
    """P(R > b) or P(R <= b) of the length R of a plane vector with standard normal noise and a mean of length a.

    Marcum's Q function and its complement. The density is integrated over the tail on b's side of the mode by the
    tanh-sinh rule, as far as where the normal density has fallen by exp(-45).

    Parameters
    ----------
    a, b : arrays
        Non-negative; they broadcast.
    upper : bool
    """
    a, b = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    with np.errstate(all="ignore"):
        right = b > a + 1.0
        distance = np.where(right, b - a, np.maximum(a - b, 0.0))
        reach = 1.2 * 2.0 * FALL / (np.sqrt(distance**2 + 2.0 * FALL) + distance)
        length = np.where(right, reach, np.minimum(reach, b))
        x = b[..., None] + np.where(right, length, -length)[..., None] * POINTS
        density = x * np.exp(-0.5 * (x - a[..., None]) ** 2) * sp.i0e(x * a[..., None])
        part = length * np.sum(WEIGHTS * density, axis=-1)
        return np.where(right == upper, part, 1.0 - part)[()]


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


MOST_TERMS = 100_000
AT_ONCE = 2_000_000  # terms in memory


def com_poisson(log_rate: Any, nu: Any, first: Any, last: Any, what: str) -> Any:
    """log of the sum of exp(k log_rate - nu log k!) over first <= k <= last, or a moment with these weights.

    Parameters
    ----------
    log_rate, nu, first, last : arrays
        They broadcast; `last` may be infinite.
    what : str
        "log_sum"; "k" or "l" for the mean of k or of log k!; "kk", "kl" or "ll" for their covariances.

    Returns
    -------
    array
        NaN where more than `MOST_TERMS` terms count.
    """
    spread = np.broadcast_arrays(*[np.asarray(a, dtype=np.float64) for a in (log_rate, nu, first, last)])
    rates, powers, firsts, lasts = (np.ravel(a) for a in spread)
    results = np.full(rates.shape, np.nan)
    with np.errstate(all="ignore"):
        start, end, largest = com_poisson_bounds(rates, powers, np.ceil(firsts), np.floor(lasts))
        width = end - start
        order = np.argsort(width)
        order = order[: np.searchsorted(width[order], MOST_TERMS, side="right")]
        while order.size:
            few = max(int(AT_ONCE // (width[order[min(AT_ONCE // 100, order.size - 1)]] + 1.0)), 1)
            part, order = order[:few], order[few:]
            results[part] = _com_poisson(rates[part], powers[part], start[part], end[part], largest[part], what)
    return results.reshape(spread[0].shape)[()]


def com_poisson_bounds(
    log_rate: np.ndarray, nu: np.ndarray, first: Any = 0.0, last: Any = np.inf
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the terms of Σ_k exp(k log_rate - nu log k!) begin and end to count, and the log of the largest.

    The terms are log-concave in k. They count from where the gap to the largest is below 45 units of log on, and until
    the geometric series that bounds the rest is below exp(-40) of the largest; NaN outside the domain.
    """
    mode = np.clip(np.floor(np.exp(np.minimum(log_rate / nu, 40.0))), first, last)
    largest = mode * log_rate - nu * sp.gammaln(mode + 1.0)

    def gap(k: Any) -> Any:
        return largest - (k * log_rate - nu * sp.gammaln(k + 1.0))

    low, start = np.broadcast_to(first, mode.shape), mode.copy()
    for _ in range(int(np.log2(np.max(mode - low, initial=1.0, where=mode < np.inf) + 1.0)) + 1):
        middle = np.floor(0.5 * (low + start))
        near = gap(middle) < FALL
        low, start = np.where(near, low, middle + 1.0), np.where(near, middle, start)
    start = np.minimum(start, mode)
    end, step = mode + 2.0, 1.0
    while step <= MOST_TERMS:
        ratio = np.exp(np.minimum(log_rate - nu * np.log(end + 1.0), 0.0))
        short = (end < last) & (gap(end) + np.log1p(-np.minimum(ratio, 1.0 - 1e-16)) < 40.0)
        if not short.any():
            break
        end = np.where(short, end + np.ceil(step), end)
        step *= 1.3
    end = np.minimum(np.where(step > MOST_TERMS, np.where(short, np.inf, end), end), last)
    usable = (nu > 0.0) & np.isfinite(log_rate) & np.isfinite(nu) & (first <= last)
    return start, np.where(usable, end, np.nan), largest


def com_poisson_terms(log_rate: Any, nu: Any, start: Any, end: Any, largest: Any) -> tuple[Any, Any, Any]:
    """k, log k! and the terms over the largest, one row for each of a vector of parameters, from their bounds."""
    width = int(np.max(end - start, initial=0.0)) + 1
    k = start[:, None] + np.arange(width)
    lowest = np.min(start, initial=np.inf)
    if np.max(start, initial=0.0) - lowest < k.size:  # log-factorials that rows share
        table = sp.gammaln(lowest + np.arange(int(np.max(start) - lowest) + width) + 1.0)
        log_factorial = table[(k - lowest).astype(np.int64)]
    else:
        log_factorial = sp.gammaln(k + 1.0)
    terms = np.exp(k * log_rate[:, None] - nu[:, None] * log_factorial - largest[:, None])
    return k, log_factorial, np.where(k <= end[:, None], terms, 0.0)


def _com_poisson(rate: Any, nu: Any, start: Any, end: Any, largest: Any, what: str) -> Any:
    k, log_factorial, terms = com_poisson_terms(rate, nu, start, end, largest)
    total = terms.sum(axis=-1)
    if what == "log_sum":
        return largest + np.log(total)
    values = {"k": k, "l": log_factorial}
    means = {name: np.sum(values[name] * terms, axis=-1) / total for name in what}
    if len(what) == 1:
        return means[what]
    left, right = (values[name] - means[name][:, None] for name in what)
    return np.sum(left * right * terms, axis=-1) / total
