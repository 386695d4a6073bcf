"""The logarithm of the gamma function and its first two derivatives.

Rational functions near 1 to 3, shifted there from the left by the recurrence; Stirling's series with minimax
coefficients beyond.
"""

from __future__ import annotations

import math

from bayesad.ad.backends.llvm.vector_math import coefficients as c
from bayesad.ad.backends.llvm.vector_math.elementary import SMALLEST_NORMAL, log_split, log_two
from bayesad.ad.backends.llvm.vector_math.expressions import (
    Value,
    each,
    fused,
    magnitude,
    nearest,
    polynomial,
    product,
    rarely,
    select,
    total,
    total_of_any,
)
from bayesad.ad.backends.llvm.vector_math.gamma_left import digamma_left, lgamma_left

__all__ = ["digamma", "lgamma", "trigamma"]

STIRLING = 0.41893853320467274  # (log(2 pi) - 1)/2
ROOT, ROOT_REST = 1.4616321449683622, 9.549995429965697e-17  # of digamma


def _log(x: Value) -> tuple[Value, Value]:
    tiny = x < SMALLEST_NORMAL
    e, f, _ = log_split(select(tiny, x * 2.0**54, x))
    return log_two(e - select(tiny, 54.0, 0.0), f)


def _near(t: Value, constant: float, top: tuple[float, ...], bottom: tuple[float, ...]) -> tuple[Value, Value]:
    """constant - t/4 + a rational function, as a rounded value and its error."""
    start, lost = total_of_any(t * -0.25, constant)
    y, lost_too = total(start, polynomial(t, top) / polynomial(t, bottom))
    return y, lost + lost_too


def lgamma(x: Value) -> Value:
    """(x - 1)(x - 2) R(x) up to 2.5, less log(x) below 1/2; then (x - 1/2)(log(x) - 1) + constant + series."""
    low = x < 0.5
    first, second = _log(x)
    part, part_low = product(select(low, x, x - 1.0), select(low, x - 1.0, x - 2.0))
    r, r_low = _near(select(low, x + 0.5, x - 0.5), 0.78125, c.LGAMMA_TOP, c.LGAMMA_BOTTOM)
    near = fused(part, r, fused(part, r_low, part_low * r)) - select(low, first + second, 0.0)
    inverse = 1.0 / x
    series = fused(inverse, polynomial(inverse * inverse, c.LGAMMA_FAR), STIRLING)
    logarithm, rest = total(first - 1.0, second)
    half = x - 0.5
    far = fused(half, logarithm, fused(half, rest, series))
    y = select(x < 2.5, near, far)
    y = select(x.equals(math.inf) | x.equals(0.0), math.inf, y)
    return rarely(x < 0.0, y, lambda: each("bayesad.lgamma_left", x, lgamma_left))


def digamma(x: Value) -> Value:
    """(x - root) R(x) from 1 to 3, less 1/x below 1; then log(x) - 1/(2x) - series."""
    low = x < 1.0
    inverse = 1.0 / x
    r, r_low = _near(select(low, x, x - 1.0), 1.125, c.DIGAMMA_TOP, c.DIGAMMA_BOTTOM)
    distance, rest = total(x - select(low, ROOT - 1.0, ROOT), -ROOT_REST)
    near = fused(distance, r, fused(distance, r_low, rest * r)) - select(low, inverse, 0.0)
    first, second = _log(x)
    w = inverse * inverse
    far = first + (second - fused(w, polynomial(w, c.DIGAMMA_FAR), 0.5 * inverse))
    y = select(x < 3.0, near, far)
    y = select(x.equals(math.inf), math.inf, y)
    return rarely(x < 0.0, y, lambda: each("bayesad.digamma_left", x, digamma_left))


def trigamma(x: Value) -> Value:
    y = select(magnitude(x) <= 2.0**-512, math.inf, _trigamma_right(x))
    return rarely(x < 0.0, y, lambda: _trigamma_left(x))


def _trigamma_right(x: Value) -> Value:
    """1/x + 1/(2 x**2) + R(x), rational up to 3 and then a series; 1/x**2 + trigamma(x + 1) below 1."""
    low = x < 1.0
    t = select(low, x, x - 1.0)
    inverse = 1.0 / select(low, x + 1.0, x)
    w = inverse * inverse
    near = polynomial(t, c.TRIGAMMA_TOP) / polynomial(t, c.TRIGAMMA_BOTTOM)
    rest = select(x < 3.0, near, w * inverse * polynomial(w, c.TRIGAMMA_FAR))
    y = inverse + fused(w, 0.5, rest)
    square, lost = _inverse_square(select(low, x, 1.0))
    return y + select(low, square + lost, 0.0)


def _inverse_square(x: Value, x_low: Value | None = None) -> tuple[Value, Value]:
    """1/(x + x_low)**2 as a rounded value and its error; x**2 may be subnormal."""
    inverse = 1.0 / x
    back, back_low = product(inverse, x)
    missing = (1.0 - back) - back_low
    if x_low is not None:
        missing = missing - inverse * x_low
    square, lost = product(inverse, inverse)
    return square, fused(square, 2.0 * missing, lost)


def _trigamma_left(x: Value) -> Value:
    """pi**2/sin(pi x)**2 - trigamma(1 - x)."""
    r = x - nearest(x)
    z = r * r
    ratio, lost = total(x.body.number(1.0), z * polynomial(z, c.SIN_PI))
    s, s_low = product(r, ratio)
    square, square_low = _inverse_square(s, fused(r, lost, s_low))
    y = square + (square_low - _trigamma_right(1.0 - x))
    return select((magnitude(r) <= 2.0**-512) | x.equals(-math.inf), math.inf, y)
