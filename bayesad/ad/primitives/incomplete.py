"""Derivatives of the incomplete gamma and beta functions and of Student's t law with respect to their parameters.

The functions are probabilities P(T < x) of a law with density p(t; a). The derivative of log p is a score h, so

    d/da P(T < x) = P(T < x) E[h | T < x] = -P(T > x) E[h | T > x],

and the second derivatives follow from the moments of the scores in the same way. One of the two conditional means
has a score of one sign throughout, so that its sum loses no digits: that side is used. The means are ratios of two
sums over the same points, so a common factor of the density cancels. In u = log t (gamma) or u = logit t (beta) the
densities are log-concave and analytic; either side is cut at the mode and where the density has fallen by exp(-45),
and both pieces are integrated by the tanh-sinh rule (Takahasi & Mori 1974), which resolves the ends at every scale.

Domain: parameters from 1e-3 to 1e5 (degrees of freedom from 1e-2), any x. Against mpmath first
derivatives have a relative error below 1e-10, second derivatives below 1e-8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

__all__ = ["beta_score", "gamma_score", "student_score", "tanh_sinh"]

FALL = 45.0  # what lies beyond exp(-FALL) of the highest density adds less than rounding


def tanh_sinh(step: float, last: float) -> tuple[np.ndarray, np.ndarray]:
    """Points in (0, 1) and their weights."""
    t = np.arange(-last, last + step / 2, step)
    s = np.pi * np.sinh(t)
    return sp.expit(s), step * np.pi * np.cosh(t) * sp.expit(s) * sp.expit(-s)


POINTS, WEIGHTS = tanh_sinh(step=0.04, last=3.25)


def _conditional_means(
    log_density: Callable[[Any], Any], scores: Callable[[Any], list[Any]], start: np.ndarray, side: np.ndarray
) -> list[np.ndarray]:
    """E[s | beyond start] of each score s, for a log-concave density with its mode at 0.

    ``start`` is where the part begins and ``side`` +1 or -1 the direction in which it goes on. The arguments of
    ``log_density`` and ``scores`` have a last axis of points.
    """
    start, side = start[..., None], side[..., None]
    top = np.where(start * side < 0.0, 0.0, start)  # the highest density of the part
    highest = log_density(top)
    low, high = np.full(top.shape, np.log(1e-9)), np.full(top.shape, np.log(1e6))
    for _ in range(12):  # the length over which the density falls by exp(-FALL), to one per cent
        middle = 0.5 * (low + high)
        inside = highest - log_density(top + side * np.exp(middle)) < FALL
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    tail = np.exp(high)
    head = np.minimum(np.abs(top - start), tail * 1e3)
    u = np.concatenate([top + side * (tail * POINTS), top - side * (head * POINTS)], axis=-1)
    weights = np.concatenate([tail * WEIGHTS, head * WEIGHTS], axis=-1) * np.exp(log_density(u) - highest)
    total = np.sum(weights, axis=-1)
    return [np.sum(weights * s, axis=-1) / total for s in scores(u)]


def _broadcast(*arrays: Any) -> tuple[list[np.ndarray], tuple[int, ...]]:
    spread = np.broadcast_arrays(*[np.asarray(a, dtype=np.float64) for a in arrays])
    return [np.ravel(a) for a in spread], spread[0].shape


def _filled(values: np.ndarray, usable: np.ndarray, otherwise: np.ndarray, shape: tuple[int, ...]) -> Any:
    """``values`` at the usable places, ``otherwise`` at the rest, in the shape of the broadcast arguments."""
    out = otherwise.copy()
    out[usable] = values
    return out.reshape(shape)[()]


def gamma_score(a: Any, x: Any, order: int = 1) -> Any:
    """The first or second derivative of ``scipy.special.gammainc(a, x)`` with respect to ``a``.

    Parameters
    ----------
    a, x : arrays
        They broadcast. The result is 0 for x = 0 and x = inf, and NaN outside a > 0, x >= 0.
    order : 1 or 2
    """
    (a, x), shape = _broadcast(a, x)
    usable = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    edge = np.where((a > 0) & ((x == 0) | (x == np.inf)), 0.0, np.nan)
    a, x = a[usable], x[usable]
    centre = (np.log(a) - sp.psi(a))[:, None]
    spread = sp.zeta(2.0, a)[:, None]
    start = np.where(x > 0.5 * a, np.log1p((np.maximum(x, 0.5 * a) - a) / a), np.log(x) - np.log(a))
    side = np.where(start + centre[:, 0] <= 0.0, -1.0, 1.0)

    def scores(v: Any) -> list[Any]:
        h = v + centre
        return [h if order == 1 else h * h - spread]

    (mean,) = _conditional_means(lambda v: a[:, None] * (v - np.expm1(v)), scores, start, side)
    part = np.where(side < 0, sp.gammainc(a, x), -sp.gammaincc(a, x))
    return _filled(part * mean, usable, edge, shape)


def beta_score(a: Any, b: Any, x: Any, wrt: str = "a") -> Any:
    """A derivative of ``scipy.special.betainc(a, b, x)`` with respect to its parameters.

    Parameters
    ----------
    a, b, x : arrays
        They broadcast. The result is 0 for x = 0 and x = 1, and NaN outside a > 0, b > 0, 0 <= x <= 1.
    wrt : "a", "b", "aa", "ab" or "bb"
    """
    (a, b, x), shape = _broadcast(a, b, x)
    positive = (a > 0) & (b > 0) & np.isfinite(a) & np.isfinite(b)
    usable = positive & (x > 0) & (x < 1)
    edge = np.where(positive & ((x == 0) | (x == 1)), 0.0, np.nan)
    a, b, x = a[usable], b[usable], x[usable]
    start = np.log(x / a) - (np.log1p(-x) - np.log(b))
    return _filled(_beta(a, b, start, sp.betainc(a, b, x), sp.betaincc(a, b, x), wrt), usable, edge, shape)


def _beta(a: Any, b: Any, start: Any, below: Any, above: Any, wrt: str) -> np.ndarray:
    """The derivative of the beta law's distribution function, at ``start`` = logit x - logit of the mode in u."""
    if wrt in ("b", "bb"):  # P(T < x; a, b) = P(1 - T > 1 - x; b, a)
        return -_beta(b, a, -start, above, below, wrt.replace("b", "a"))
    a_, b_ = a[:, None], b[:, None]
    p, q = a_ / (a_ + b_), b_ / (a_ + b_)
    centre_a = np.log(p) - (sp.psi(a) - sp.psi(a + b))[:, None]
    centre_b = np.log(q) - (sp.psi(b) - sp.psi(a + b))[:, None]

    def log_density(v: Any) -> Any:
        log_t, log_rest = _beta_logs(v, a_, b_)
        return a_ * log_t + b_ * log_rest

    def scores(v: Any) -> list[Any]:
        log_t, log_rest = _beta_logs(v, a_, b_)
        h = log_t + centre_a
        if wrt == "a":
            return [h]
        shared = sp.zeta(2.0, a_ + b_)
        return [h * h - (sp.zeta(2.0, a_) - shared) if wrt == "aa" else h * (log_rest + centre_b) + shared]

    log_x = _beta_logs(start[:, None], a_, b_)[0] + centre_a
    side = np.where(log_x[:, 0] <= 0.0, -1.0, 1.0)
    (mean,) = _conditional_means(log_density, scores, start, side)
    return np.where(side < 0, below, -above) * mean


def _beta_logs(v: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """log t and log(1 - t) less their values at the mode a/(a + b), where v = 0."""
    right = np.log1p(b / (a + b) * np.expm1(-np.maximum(v, 0.0)))
    left = np.log1p(a / (a + b) * np.expm1(np.minimum(v, 0.0)))
    return np.where(v > 0, -right, v - left), np.where(v > 0, -v - right, -left)


def student_score(df: Any, t: Any) -> Any:
    """The derivative of ``scipy.special.stdtr(df, t)`` with respect to ``df``: odd in t.

    t²/(df + t²) has the beta law with parameters 1/2 and df/2, whose coordinate here is log t².

    Parameters
    ----------
    df, t : arrays
        They broadcast. The result is 0 for t = 0 and infinite t, and NaN outside df > 0.
    """
    (df, t), shape = _broadcast(df, t)
    usable = (df > 0) & (t != 0) & np.isfinite(df) & np.isfinite(t)
    edge = np.where((df > 0) & ~np.isnan(t), 0.0, np.nan)
    df, sign, t = df[usable], np.sign(t[usable]), np.abs(t[usable])
    df_ = df[:, None]
    half = np.full(df_.shape, 0.5)

    def log_density(v: Any) -> Any:
        log_t, log_rest = _beta_logs(v, half, 0.5 * df_)
        return 0.5 * log_t + 0.5 * df_ * log_rest

    def score(v: Any) -> Any:
        log_r = v - np.log(df_)
        share = sp.expit(log_r)
        return 0.5 * (_psi_difference(df_) + (share - np.logaddexp(0.0, log_r)) + share / df_)

    start = 2.0 * np.log(t)
    side = np.where(score(start[:, None])[:, 0] >= 0.0, -1.0, 1.0)
    (mean,) = _conditional_means(log_density, lambda v: [score(v)], start, side)
    beyond = sp.betainc(0.5 * df, 0.5, 1.0 / (1.0 + t / df * t))
    middle = np.where(t * t > df, 1.0 - beyond, sp.betainc(0.5, 0.5 * df, 1.0 / (1.0 + df / t / t)))
    return _filled(0.5 * sign * np.where(side < 0, middle, -beyond) * mean, usable, edge, shape)


def _psi_difference(df: Any) -> Any:
    """psi((df + 1)/2) - psi(df/2) - 1/df, for large df by its asymptotic series (DLMF 5.11.2)."""
    w = 1.0 / np.square(np.maximum(df, 50.0))
    series = w * (0.5 - w * (0.25 - w * (0.5 - w * 2.125)))
    return np.where(df > 50.0, series, sp.psi(0.5 * df + 0.5) - sp.psi(0.5 * df) - 1.0 / df)
