"""exp, log, log1p and what is made of them.

exp reduces to |r| <= log(2)/2 and sums the Taylor series; log reduces to [sqrt(1/2), sqrt(2)) and sums the series
of atanh in s = f/(2 + f) (Muller 2016, Elementary Functions, ch. 11).
"""

from __future__ import annotations

import math

from bayesad.ad.backends.llvm.vector_math.expressions import Value, fused, magnitude, polynomial, select

__all__ = ["exp", "expit", "log", "log1p", "log_expit", "logaddexp"]

LN2_HIGH = 6.93147180369123816490e-01  # log 2 with the last 32 bits cleared: k * LN2_HIGH is exact
LN2_LOW = 1.90821492927058770002e-10
SHIFT = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer that stands in the low bits
SHIFT_BITS = 0x4338000000000000
ONE_BITS = 1023 << 52
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
SMALLEST_NORMAL = 2.2250738585072014e-308


def exp(x: Value) -> Value:
    x = select(x < -746.0, -746.0, x)
    x = select(x > 710.0, 710.0, x)
    k = (x * (1.0 / math.log(2.0)) + SHIFT) - SHIFT
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    series = polynomial(r, [1.0 / math.factorial(n) for n in range(13, 1, -1)])
    e = (r + (r * r) * series) + 1.0
    # 2**k in two halves, so that subnormal results come out right
    first = k * 0.5 + SHIFT
    second = (k - (first - SHIFT)) + SHIFT
    return e * _power_of_two(first) * _power_of_two(second)


def _power_of_two(shifted: Value) -> Value:
    return ((shifted.bits() << 52) + ONE_BITS).double()


def log(x: Value) -> Value:
    tiny = x < SMALLEST_NORMAL
    bits = select(tiny, x * 2.0**54, x).bits()
    exponent = (bits - SQRT_HALF_BITS) >> 52
    f = (bits - (exponent << 52)).double() - 1.0
    e = ((exponent + SHIFT_BITS).double() - SHIFT) + select(tiny, -54.0, 0.0)
    s = f / (f + 2.0)
    z = s * s
    series = z * polynomial(z, [2.0 / (2 * n + 1) for n in range(11, 0, -1)])
    h = f * f * 0.5
    y = e * LN2_HIGH + (f - (h - fused(e, LN2_LOW, s * (h + series))))
    y = select(x.equals(math.inf), x, y)
    y = select(x.equals(0.0), -math.inf, y)
    return select(x.not_at_least(0.0), math.nan, y)


def log1p(x: Value) -> Value:
    u = x + 1.0
    logarithm = log(u)
    corrected = logarithm + (x - (u - 1.0)) / u
    return select((u < math.inf) & (u > 0.0), corrected, logarithm)


def expit(x: Value) -> Value:
    e = exp(-magnitude(x))
    return select(x < 0.0, e, 1.0) / (e + 1.0)


def log_expit(x: Value) -> Value:
    return select(x < 0.0, x, -0.0) - log1p(exp(-magnitude(x)))


def logaddexp(a: Value, b: Value) -> Value:
    y = select(a > b, a, b) + log1p(exp(-magnitude(a - b)))
    return select(a.equals(b), a + math.log(2.0), y)
