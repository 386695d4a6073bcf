"""Derivatives of the incomplete beta function in its parameters, as kernels.

As those of the incomplete gamma function they are a power series differentiated term by term, in x or 1 - x, whichever
loses no digits. Where it is long (one parameter much larger than the other, x near 1), the scores are integrated
instead, as `bayesad.ad.primitives.incomplete` does it, on a finer grid.
"""

from __future__ import annotations

import math

from bayesad.ad.backends.llvm.incomplete import (
    LARGE,
    ROOT_2PI,
    ROUNDING,
    log_gamma_excess,
    log_over_digamma,
    trigamma,
)
from bayesad.ad.backends.llvm.kernel import Float, Int
from bayesad.ad.primitives.incomplete import tanh_sinh

__all__ = ["betainc_a", "betainc_aa", "betainc_ab", "betainc_b", "betainc_bb"]

A, AA, AB, B, BB = range(5)
MOST_TERMS = 3000.0
POINTS, WEIGHTS = (tuple(values.tolist()) for values in tanh_sinh(step=0.025, last=3.25))
NUMBER = len(POINTS)
FALL = 45.0


def scaled_gamma(x: Float) -> Float:
    """Γ(x) / (sqrt(2 pi) x^(x - 1/2) exp(-x)), which tends to 1."""
    if x >= LARGE:
        return math.exp(log_gamma_excess(x))
    factor = 1.0
    shifted = x
    while shifted < LARGE:
        factor *= shifted
        shifted += 1.0
    log_ratio = (shifted - 0.5) * math.log(shifted) - shifted - (x - 0.5) * math.log(x) + x
    return math.exp(log_ratio + log_gamma_excess(shifted)) / factor


def mode_height(a: Float, b: Float) -> Float:
    """p^a q^b / B(a, b) at p = a/(a + b), q = 1 - p."""
    scaled = scaled_gamma(a + b) / (scaled_gamma(a) * scaled_gamma(b))
    return scaled * math.sqrt(a / (a + b) * b) / ROOT_2PI


def log_ratio(x: Float, y: Float, a: Float, b: Float) -> Float:
    """log(x/p) for p = a/(a + b) and y = 1 - x."""
    excess = (x * b - y * a) / a  # x/p - 1
    return math.log1p(excess) if math.fabs(excess) < 0.5 else math.log(x) - math.log(a / (a + b))


def slope(x: Float, y: Float, a: Float, b: Float) -> Float:
    """The score in a at x: the derivative of the log density."""
    return log_ratio(x, y, a, b) + log_over_digamma(a, a) - log_over_digamma(a + b, a + b)


def below(a: Float, b: Float, x: Float, y: Float, wrt: Int) -> Float:
    """A derivative of I_x(a, b) by its power series (DLMF 8.17.8); NaN where that is too long."""
    term = 1.0
    total = 1.0
    log_a = 0.0
    log_b = 0.0
    log_aa = 0.0
    log_bb = 0.0
    first = 0.0
    other = 0.0
    second = 0.0
    n = 0.0
    while term > ROUNDING * total or (a + b + n) * x > a + 1.0 + n:
        upper = 1.0 / (a + b + n)
        lower = 1.0 / (a + 1.0 + n)
        term *= x * (a + b + n) * lower
        log_a += (1.0 - b) * upper * lower
        log_b += upper
        log_aa += lower * lower - upper * upper
        log_bb -= upper * upper
        total += term
        if wrt <= AA:
            first += term * log_a
            second += term * (log_a * log_a + log_aa)
        elif wrt == AB:
            first += term * log_a
            other += term * log_b
            second += term * (log_a * log_b + log_bb)
        else:
            first += term * log_b
            second += term * (log_b * log_b + log_bb)
        n += 1.0
        if n > MOST_TERMS:
            return math.nan
    exponent = a * log_ratio(x, y, a, b) + b * log_ratio(y, x, b, a)
    height = mode_height(a, b) / a * math.exp(exponent)
    slope_a = slope(x, y, a, b) - 1.0 / a
    slope_b = slope(y, x, b, a)
    if wrt == A:
        return height * (slope_a * total + first)
    if wrt == B:
        return height * (slope_b * total + first)
    shared = trigamma(a + b)
    if wrt == AA:
        return height * ((slope_a * slope_a - trigamma(a + 1.0) + shared) * total + 2.0 * slope_a * first + second)
    if wrt == BB:
        return height * ((slope_b * slope_b - trigamma(b) + shared) * total + 2.0 * slope_b * first + second)
    return height * ((slope_a * slope_b + shared) * total + slope_a * other + slope_b * first + second)


def log_share(v: Float, share: Float) -> Float:
    """log(t/p) where logit(t) - logit(p) = v and share = 1 - p."""
    if v > 0.0:
        return -math.log1p(share * math.expm1(-v))
    return v - math.log1p((1.0 - share) * math.expm1(v))


def log_density(v: Float, a: Float, b: Float) -> Float:
    """log of the density of the logit, over that at its mode, at distance v."""
    return a * log_share(v, b / (a + b)) + b * log_share(-v, a / (a + b))


def score(v: Float, a: Float, b: Float, centre_a: Float, centre_b: Float, spread: Float, wrt: Int) -> Float:
    score_a = log_share(v, b / (a + b)) + centre_a
    if wrt == A:
        return score_a
    if wrt == AA:
        return score_a * score_a - spread
    return score_a * (log_share(-v, a / (a + b)) + centre_b) + spread


def integrated(a: Float, b: Float, x: Float, y: Float, wrt: Int, side: Float) -> Float:
    """A derivative of I_x(a, b) as the integral of the score over the values above (side 1) or below (-1) x."""
    start = log_ratio(x, y, a, b) - log_ratio(y, x, b, a)
    centre_a = log_over_digamma(a, a) - log_over_digamma(a + b, a + b)
    centre_b = log_over_digamma(b, b) - log_over_digamma(a + b, a + b)
    spread = trigamma(a + b)
    if wrt == AA:
        spread = trigamma(a) - spread
    top = 0.0 if start * side < 0.0 else start
    highest = log_density(top, a, b)
    low = math.log(1e-9)
    high = math.log(1e6)
    for _ in range(14):  # the length over which the density falls by exp(-FALL)
        middle = 0.5 * (low + high)
        if highest - log_density(top + side * math.exp(middle), a, b) < FALL:
            low = middle
        else:
            high = middle
    tail = math.exp(high)
    head = min(math.fabs(top - start), 1e3 * tail)
    total = 0.0
    for i in range(NUMBER):
        v = top + side * tail * POINTS[i]
        height = math.exp(log_density(v, a, b))
        total += WEIGHTS[i] * tail * height * score(v, a, b, centre_a, centre_b, spread, wrt)
        if head > 0.0:
            v = top - side * head * POINTS[i]
            height = math.exp(log_density(v, a, b))
            total += WEIGHTS[i] * head * height * score(v, a, b, centre_a, centre_b, spread, wrt)
    return -side * mode_height(a, b) * total


def derivative(a: Float, b: Float, x: Float, y: Float, wrt: Int) -> Float:
    """A derivative of I_x(a, b) in a, in a twice, or in both; y = 1 - x."""
    if not (a > 0.0 and b > 0.0 and x >= 0.0 and y >= 0.0 and math.isfinite(a) and math.isfinite(b)):
        return math.nan
    if x == 0.0 or y == 0.0:
        return 0.0
    if slope(x, y, a, b) < 0.0:
        result = below(a, b, x, y, wrt)
        return integrated(a, b, x, y, wrt, -1.0) if math.isnan(result) else result
    mirrored = AB
    if wrt == A:
        mirrored = B
    if wrt == AA:
        mirrored = BB
    result = -below(b, a, y, x, mirrored)
    return integrated(a, b, x, y, wrt, 1.0) if math.isnan(result) else result


def betainc_a(a: Float, b: Float, x: Float) -> Float:
    """The derivative of the regularised incomplete beta function I_x(a, b) in a."""
    return derivative(a, b, x, 1.0 - x, A)


def betainc_b(a: Float, b: Float, x: Float) -> Float:
    """The derivative of I_x(a, b) in b."""
    return -derivative(b, a, 1.0 - x, x, A)


def betainc_aa(a: Float, b: Float, x: Float) -> Float:
    """The second derivative of I_x(a, b) in a."""
    return derivative(a, b, x, 1.0 - x, AA)


def betainc_ab(a: Float, b: Float, x: Float) -> Float:
    """The derivative of I_x(a, b) in both parameters."""
    return derivative(a, b, x, 1.0 - x, AB)


def betainc_bb(a: Float, b: Float, x: Float) -> Float:
    """The second derivative of I_x(a, b) in b."""
    return -derivative(b, a, 1.0 - x, x, AA)
