"""erf, erfc, erfcx and the integral of erfcx's complement.

Their common part is erfcx(x) = p(t)/(x + 7/8), t = (x - a)/(x + a), for x >= 0 (Shepherd and Laframboise 1981,
Mathematics of Computation 36); erfc(x) = exp(-x**2) erfcx(x).
"""

from __future__ import annotations

import math

from bayesad.ad.backends.llvm.vector_math.coefficients import ERF, ERF_TAIL, ERFC_INTEGRAL, ERFCX, ERFCX_REST
from bayesad.ad.backends.llvm.vector_math.elementary import (
    bits_of_power,
    exp_reduced,
    power_of_two,
    times_power,
)
from bayesad.ad.backends.llvm.vector_math.expressions import (
    Value,
    copysign,
    fused,
    magnitude,
    polynomial,
    product,
    select,
    total,
    total_of_any,
)

__all__ = ["erf", "erfc", "erfc_integral", "erfcx"]

CENTRE = 3.5
Parts = tuple[Value, Value]


def polynomial_parts(t: Value, coefficients: tuple[float, ...], rest: float) -> Parts:
    """A polynomial as a rounded value and its error; ``rest`` is what the last coefficient lacks."""
    start = t.body.number(coefficients[-1])
    p, lost = total(start, t * polynomial(t, coefficients[:-1]))
    return p, lost + rest


def quotient(top: Parts, bottom: Parts, reciprocal: Value) -> Parts:
    """A quotient of sums of two, the reciprocal of the bottom being known roughly."""
    q = top[0] * reciprocal
    back, back_low = product(q, bottom[0])
    return q, (((top[0] - back) - back_low) + (top[1] - q * bottom[1])) * reciprocal


def times_exp(p: Parts, small: Value) -> Parts:
    """``p`` times ``1 + small``."""
    return total(p[0], fused(p[0], small, fused(p[1], small, p[1])))


def erf(x: Value) -> Value:
    """x + x P(x**2) below 1, then 1 - exp(-x Q(x))."""
    a = magnitude(x)
    z = a * a
    near = fused(a, polynomial(z, ERF), a)
    far = select(a > 5.93, 5.93, a)
    shifted, small = exp_reduced(-(far * polynomial(fused(far, 0.4, -1.4), ERF_TAIL)))
    scale = power_of_two(shifted, bits_of_power(0))
    return copysign(select(a < 1.0, near, 1.0 - (small + 1.0) * scale), x)


def erfc(x: Value) -> Value:
    a = magnitude(x)
    a = select(a > 28.0, 28.0, a)
    square, square_low = product(a, a)
    shifted, small = exp_reduced(-square, -square_low)
    bottom = total_of_any(a, 7 / 8)
    other = a + CENTRE
    both = 1.0 / (bottom[0] * other)
    p = polynomial_parts((a - CENTRE) * (both * bottom[0]), ERFCX, ERFCX_REST)
    q, low = quotient(times_exp(p, small), bottom, both * other)
    (y,) = times_power(shifted, q + low)
    return select(x < 0.0, 2.0 - y, y)


def _exp_of_square(a: Value) -> Parts:
    """2 exp(a**2)."""
    a = select(a > 27.0, 27.0, a)
    square, square_low = product(a, a)
    shifted, small = exp_reduced(square, square_low)
    # up to 2**1024 before it overflows
    factor = power_of_two(shifted, bits_of_power(-40))
    e, lost = total(a.body.number(1.0), small)
    return e * factor * 2.0**41, lost * factor * 2.0**41


def erfcx(x: Value) -> Value:
    a = magnitude(x)
    bottom = total_of_any(a, 7 / 8)
    reciprocal = 1.0 / bottom[0]
    p = polynomial_parts(1.0 - 2.0 * CENTRE / (a + CENTRE), ERFCX, ERFCX_REST)
    q, low = quotient(p, bottom, reciprocal)
    low = select(a > 1e200, 0.0, low)  # there the error of the quotient's product overflows
    whole, whole_low = _exp_of_square(a)
    left, lost = total(whole, -q)
    left = select(whole.equals(math.inf), math.inf, left + (lost + (whole_low - low)))
    return select(x < 0.0, left, q + low)


def erfc_integral(x: Value) -> Value:
    """1/sqrt(pi) - x erfcx(x): for x >= 0 as p(t)/(x + 1)**2."""
    a = magnitude(x)
    bottom = a + 1.0
    y = polynomial(1.0 - 2.0 * CENTRE / (a + CENTRE), ERFC_INTEGRAL) / (bottom * bottom)
    return select(x < 0.0, fused(a, _exp_of_square(a)[0], y), y)
