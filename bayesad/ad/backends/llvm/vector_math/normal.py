"""The normal law: ndtr, log_ndtr, inverse_mills and ndtri.

For x >= 0, ndtr(-x) exp(x**2/2) = p(t)/(x + 5/4), t = (x - a)/(x + a), as in ``error_functions``. The quantile is
rational in three pieces (after Wichura 1988, Applied Statistics 37, AS 241), with coefficients of our own.
"""

from __future__ import annotations

import math

from bayesad.ad.backends.llvm.vector_math import coefficients as c
from bayesad.ad.backends.llvm.vector_math.elementary import exp_reduced, log_parts, log_split, log_two, times_power
from bayesad.ad.backends.llvm.vector_math.error_functions import Parts, polynomial_parts, quotient, times_exp
from bayesad.ad.backends.llvm.vector_math.expressions import (
    Value,
    copysign,
    fused,
    magnitude,
    polynomial,
    product,
    rarely,
    root,
    select,
    total,
    total_of_any,
)

__all__ = ["inverse_mills", "log_ndtr", "ndtr", "ndtri"]

CENTRE = 5.0
DENSITY, DENSITY_REST = 0.3989422804014327, -2.4923272022777433e-17  # 1/sqrt(2 pi)


def _exp_part(a: Value) -> Parts:
    """exp_reduced of -a**2/2, up to where that underflows."""
    a = select(a > 39.0, 39.0, a)
    square, square_low = product(a, a)
    return exp_reduced(square * -0.5, square_low * -0.5)


def _mills(a: Value) -> tuple[Parts, Parts, Value]:
    """Top and bottom of ndtr(-a) exp(a**2/2), and roughly the reciprocal of the latter; a <= 1e150."""
    bottom = total_of_any(a, 1.25)
    other = a + CENTRE
    both = 1.0 / (bottom[0] * other)
    top = polynomial_parts((a - CENTRE) * (both * bottom[0]), c.MILLS, c.MILLS_REST)
    return top, bottom, both * other


def ndtr(x: Value) -> Value:
    a = magnitude(x)
    a = select(a > 39.0, 39.0, a)
    shifted, small = _exp_part(a)
    top, bottom, reciprocal = _mills(a)
    q, low = quotient(times_exp(top, small), bottom, reciprocal)
    (y,) = times_power(shifted, q + low)
    return select(x > 0.0, 1.0 - y, y)


def log_ndtr(x: Value) -> Value:
    """log(mills) - x**2/2 for x < 0, else log1p(-ndtr(-x)); one logarithm for both."""
    a = magnitude(x)
    a = select(a > 1e150, 1e150, a)
    left = x < 0.0
    shifted, small = _exp_part(a)
    top, bottom, reciprocal = _mills(a)
    high, rest = times_exp(top, small)
    q, low = quotient((select(left, top[0], high), select(left, top[1], rest)), bottom, reciprocal)
    tail, tail_low = times_power(shifted, q, low)
    u, lost = total(x.body.number(1.0), -tail)
    e, f, scale = log_split(select(left, q, u))
    f, f_low = total(f, select(left, low, lost - tail_low) * scale * 0.5)
    first, second = log_two(e, f, f_low)
    square, square_low = product(a, a)
    y = (first - select(left, square * 0.5, 0.0)) + (second - select(left, square_low * 0.5, 0.0))
    return select(x < -1e150, x * 1e200, -magnitude(y))


def inverse_mills(x: Value) -> Value:
    """density/ndtr: C d/p for x <= 0, C exp(-x**2/2) d/(d - exp(-x**2/2) p) for x > 0, with mills = p/d."""
    a = magnitude(x)
    a = select(a > 1e10, 1e10, a)
    t = 1.0 - 2.0 * CENTRE / (a + CENTRE)
    p = polynomial_parts(t, c.MILLS, c.MILLS_REST)
    d = total_of_any(a, 1.25)
    shifted, small = _exp_part(a)
    e, e_low = times_power(shifted, *total(x.body.number(1.0), small))
    ed, ed_low = product(e, d[0])
    ep, ep_low = product(e, p[0])
    below, lost = total(d[0], -ep)
    below_low = lost + (d[1] - (ep_low + fused(e, p[1], e_low * p[0])))
    left = x < 0.0
    top = select(left, d[0], ed), select(left, d[1], fused(e_low, d[0], ed_low))
    bottom = select(left, p[0], below), select(left, p[1], below_low)
    q, low = quotient(top, bottom, 1.0 / bottom[0])
    y = fused(q, DENSITY, fused(q, DENSITY_REST, low * DENSITY))
    return select(x < -1e10, -x, y)


def _rational(s: Value, name: str) -> Parts:
    return polynomial(s, getattr(c, f"NDTRI_{name}_TOP")), polynomial(s, getattr(c, f"NDTRI_{name}_BOTTOM"))


def ndtri(p: Value) -> Value:
    """5/2 q + q R(q**2), q = p - 1/2, for |q| <= 3/8, else 3/2 r - 1 + R(r), r = sqrt(-log(min(p, 1 - p)))."""
    q = p - 0.5
    side = select(p < 0.5, p, 1.0 - p)
    tiny = side < 2.0**-960
    e, f = log_parts(select(tiny, side * 2.0**54, side))
    first, second = log_two(e - select(tiny, 54.0, 0.0), f)
    square, square_low = total(-first, -second)
    r = root(square)
    back, back_low = product(r, r)
    r_low = (((square - back) - back_low) + square_low) * (0.5 / r)
    central = side >= 0.125
    inner, near = _rational(0.140625 - q * q, "CENTRE"), _rational(r - 1.4375, "NEAR")
    rest = select(central, inner[0], near[0]) / select(central, inner[1], near[1])

    def far() -> Value:
        top, bottom = _rational(r - 5.0, "FAR")
        return top / bottom

    rest = rarely(r > 5.0, rest, far)
    main, lost = total(select(central, 2.0 * q, r), select(central, q, r) * 0.5)
    start, lost_too = total(main, select(central, 0.0, -1.0))
    y = start + (select(central, q * rest, fused(r_low, 1.5, rest)) + (lost + lost_too))
    y = select(central, y, copysign(y, q))
    y = select(side.equals(0.0), copysign(p.body.number(math.inf), q), y)
    return select((p >= 0.0) & (p <= 1.0), y, math.nan)
