"""pow: the exponential of y log|x|, with the logarithm as a sum of two doubles of some 66 bits.

y log|x| reaches 745, so that an error of the logarithm counts a thousand times in the result (Muller 2016, Elementary
Functions, 13.1). Signs and special values are those of C's pow.
"""

from __future__ import annotations

import math

from bayesad.ad.backends.llvm.vector_math.coefficients import LOG_TAIL
from bayesad.ad.backends.llvm.vector_math.elementary import SMALLEST_NORMAL, exp_reduced, log_split, times_power
from bayesad.ad.backends.llvm.vector_math.expressions import (
    Value,
    copysign,
    fused,
    magnitude,
    nearest,
    polynomial,
    product,
    select,
    total,
)
from bayesad.ad.backends.llvm.vector_math.tables import LN2_HIGH, LN2_LOW

__all__ = ["power"]

TWO_THIRDS = 2.0 / 3.0
TWO_THIRDS_REST = 3.700743415417188e-17
LARGE = 2.0**65  # as an exponent, larger than any that matters: log|x| is 0 or at least 2**-53 in magnitude


def power(x: Value, y: Value) -> Value:
    result = _positive_power(magnitude(x), y)
    half = y * 0.5
    whole = nearest(y).equals(y)
    odd = whole & (nearest(half).equals(half) ^ 1)
    result = select(odd, copysign(result, x), result)
    result = select((x < 0.0) & (x > -math.inf) & (whole ^ 1), math.nan, result)
    result = select(x.not_at_least(x) | y.not_at_least(y), math.nan, result)
    return select(x.equals(1.0) | y.equals(0.0), 1.0, result)


def _positive_power(a: Value, y: Value) -> Value:
    """a**y for a >= 0."""
    limited = select(y > LARGE, LARGE, select(y < -LARGE, -LARGE, y))
    high, low = _logarithm(a)
    p, lost = product(limited, high)
    rest = fused(limited, low, lost)
    beyond = magnitude(p) > 746.0
    p = select(p > 710.0, 710.0, select(p < -746.0, -746.0, p))
    shifted, small = exp_reduced(p, select(beyond, 0.0, rest))
    (result,) = times_power(shifted, small + 1.0)
    result = select(a.equals(0.0), select(y < 0.0, math.inf, 0.0), result)
    return select(a.equals(math.inf), select(y < 0.0, 0.0, math.inf), result)


def _logarithm(a: Value) -> tuple[Value, Value]:
    """log(a) = e log(2) + s (2 + z (2/3 + z P(z))), z = s**2, as a sum of two, for positive finite a."""
    tiny = a < SMALLEST_NORMAL
    e, f, _ = log_split(select(tiny, a * 2.0**54, a))
    e = e - select(tiny, 54.0, 0.0)
    bottom, bottom_low = total(f.body.number(2.0), f)
    inverse = 1.0 / bottom
    s = f * inverse
    back, back_low = product(s, bottom)
    s_low = (((f - back) - back_low) - s * bottom_low) * inverse
    z, z_low = product(s, s)
    z_low = fused(s + s, s_low, z_low)
    third, third_low = total(f.body.number(TWO_THIRDS), z * polynomial(z, LOG_TAIL))
    c, c_low = product(z, third)
    c_low = fused(z, third_low + TWO_THIRDS_REST, fused(z_low, third, c_low))
    factor, factor_low = total(f.body.number(2.0), c)
    m, m_low = product(s, factor)
    m_low = fused(s, factor_low + c_low, fused(s_low, factor, m_low))
    high, low = total(e * LN2_HIGH, m)
    return total(high, low + fused(e, LN2_LOW, m_low))
