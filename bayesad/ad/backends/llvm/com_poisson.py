"""Partial sums of the Conway–Maxwell–Poisson law and cumulants under it, as kernels.

They mean what `bayesad.ad.primitives.tails.com_poisson` does. Terms are added from the largest one in both directions,
until what is left cannot count.
"""

from __future__ import annotations

import math

from bayesad.ad.backends.llvm.incomplete import LARGE, ROOT_2PI, log_gamma_excess
from bayesad.ad.backends.llvm.kernel import Float, Int
from bayesad.ad.primitives.tails import MOST_TERMS

__all__ = [
    "com_poisson_kk",
    "com_poisson_kl",
    "com_poisson_ll",
    "com_poisson_log_sum",
    "com_poisson_mean",
    "com_poisson_mean_log_factorial",
]

LOG_SUM, MEAN_K, MEAN_L, COV_KK, COV_KL, COV_LL = range(6)
WHOLE = 2.0**52  # from here on floats are whole numbers
NOTHING = 1e-19  # of the largest term, with the moments of what is left


def log_factorial(k: Float) -> Float:
    if k < 2.0:
        return 0.0
    factor = 1.0
    x = k + 1.0
    while x < LARGE:
        factor *= x
        x += 1.0
    return (x - 0.5) * math.log(x) - x + math.log(ROOT_2PI / factor) + log_gamma_excess(x)


def com_poisson(log_rate: Float, nu: Float, first: Float, last: Float, what: Int) -> Float:
    """log of the sum of exp(k log_rate - nu log k!) over first <= k <= last, or a moment of k and l = log k!."""
    if math.fabs(first) < WHOLE:
        first = -float(math.floor(-first))
    if math.fabs(last) < WHOLE:
        last = float(math.floor(last))
    if not (nu > 0.0 and math.isfinite(nu) and math.isfinite(log_rate) and first <= last):
        return math.nan
    mode = min(max(float(math.floor(math.exp(min(log_rate / nu, 40.0)))), first), last)
    total = 1.0
    sum_k = 0.0  # of k and l from their values at the mode
    sum_l = 0.0
    sum_kk = 0.0
    sum_kl = 0.0
    sum_ll = 0.0
    for direction in range(2):
        upwards = direction == 0
        term = 1.0
        k = mode
        distance = 0.0
        growth = 0.0
        n = 0
        while (k < last) if upwards else (k > first):
            step = math.log(k + 1.0) if upwards else -math.log(k)
            ratio = math.exp(log_rate - nu * step) if upwards else math.exp(-log_rate - nu * step)
            term *= ratio
            k += 1.0 if upwards else -1.0
            distance += 1.0 if upwards else -1.0
            growth += step
            total += term
            sum_k += term * distance
            sum_l += term * growth
            sum_kk += term * distance * distance
            sum_kl += term * distance * growth
            sum_ll += term * growth * growth
            n += 1
            if ratio < 1.0 and term * (1.0 + distance * distance) < NOTHING * total * (1.0 - ratio):
                break
            if n > MOST_TERMS:
                return math.nan
    mean_k = sum_k / total
    mean_l = sum_l / total
    if what == LOG_SUM:
        return mode * log_rate - nu * log_factorial(mode) + math.log(total)
    if what == MEAN_K:
        return mode + mean_k
    if what == MEAN_L:
        return log_factorial(mode) + mean_l
    if what == COV_KK:
        return sum_kk / total - mean_k * mean_k
    if what == COV_KL:
        return sum_kl / total - mean_k * mean_l
    return sum_ll / total - mean_l * mean_l


def com_poisson_log_sum(log_rate: Float, nu: Float, first: Float, last: Float) -> Float:
    return com_poisson(log_rate, nu, first, last, LOG_SUM)


def com_poisson_mean(log_rate: Float, nu: Float, first: Float, last: Float) -> Float:
    return com_poisson(log_rate, nu, first, last, MEAN_K)


def com_poisson_mean_log_factorial(log_rate: Float, nu: Float, first: Float, last: Float) -> Float:
    return com_poisson(log_rate, nu, first, last, MEAN_L)


def com_poisson_kk(log_rate: Float, nu: Float, first: Float, last: Float) -> Float:
    return com_poisson(log_rate, nu, first, last, COV_KK)


def com_poisson_kl(log_rate: Float, nu: Float, first: Float, last: Float) -> Float:
    return com_poisson(log_rate, nu, first, last, COV_KL)


def com_poisson_ll(log_rate: Float, nu: Float, first: Float, last: Float) -> Float:
    return com_poisson(log_rate, nu, first, last, COV_LL)
