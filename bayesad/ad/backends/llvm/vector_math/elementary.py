"""exp, expm1, log, log1p and what is made of them.

exp reduces to |r| <= log(2)/2; log reduces to [sqrt(1/2), sqrt(2)) and takes the series of atanh in s = f/(2 + f)
(Muller 2016, Elementary Functions, ch. 11), with minimax coefficients.
"""

from __future__ import annotations

import math

from bayesad.ad.backends.llvm.vector_math.coefficients import EXP, LOG, LOG1P_UNIT
from bayesad.ad.backends.llvm.vector_math.expressions import (
    Value,
    copysign,
    fused,
    magnitude,
    polynomial,
    product,
    rarely,
    select,
    total,
)
from bayesad.ad.backends.llvm.vector_math.tables import LN2_HIGH, LN2_LOW, SHIFT, exp_by_table, log_by_table

__all__ = ["exp", "expm1", "log", "log1p", "log1p_square", "log1p_unit", "log_expit", "logit", "part_of_unit"]

SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
MANTISSA = (1 << 52) - 1
SMALLEST_NORMAL = 2.2250738585072014e-308
MOST_BY_TABLE = 708.0  # up to this magnitude exp is normal


def bits_of_power(n: int) -> int:
    """The bits of 2**n."""
    return (1023 + n) << 52


def exp_terms(x: Value, low: Value | None = None) -> tuple[Value, Value, Value]:
    """(2**52 * 1.5 + k, r, exp(r) - 1 - r) with x + low = k log(2) + r, |r| <= log(2)/2; the last term takes up what
    rounding took from r."""
    shifted = fused(x, 1.0 / math.log(2.0), SHIFT)
    k = shifted - SHIFT
    high = fused(k, -LN2_HIGH, x)
    r = fused(k, -LN2_LOW, high)
    rest = fused(k, -LN2_LOW, high - r)
    if low is not None:
        r = r + low
    return shifted, r, fused(r * r, polynomial(r, EXP), rest)


def exp_reduced(x: Value, low: Value | None = None) -> tuple[Value, Value]:
    """(2**52 * 1.5 + k, exp(r) - 1) with x + low = k log(2) + r, |r| <= log(2)/2."""
    shifted, r, more = exp_terms(x, low)
    return shifted, r + more


def power_of_two(shifted: Value, n: Value | int) -> Value:
    """2**(k + n - 1023) of 2**52 * 1.5 + k, where the bits of 2**n are given."""
    return ((shifted.bits() << 52) + n).double()


def times_power(shifted: Value, *values: Value) -> list[Value]:
    """Values of size about 1 times 2**k, 2**52 * 1.5 + k being given: in two factors, so that the results that are
    subnormal or overflow come out right (-1200 < k < 1025)."""
    low = shifted < SHIFT - 1000.0
    factor = power_of_two(shifted, select(low, bits_of_power(300), bits_of_power(-1)))
    other = select(low, 2.0**-300, 2.0)
    return [v * factor * other for v in values]


def exp_parts(x: Value) -> tuple[Value, Value]:
    """exp(x) as a rounded value and its error."""
    x = select(x < -746.0, -746.0, x)
    x = select(x > 710.0, 710.0, x)
    shifted, r, more = exp_terms(x)
    s, lost = total(r.body.number(1.0), r)
    e, lost = times_power(shifted, *total(s, lost + more))
    return e, lost


def exp(x: Value) -> Value:
    if not x.body.target.urgent:
        return exp_parts(x)[0]
    return rarely(magnitude(x).not_at_most(MOST_BY_TABLE), exp_by_table(x), lambda: exp_parts(x)[0])


def expm1(x: Value) -> Value:
    a = select(x < -40.0, -40.0, x)
    a = select(a > 710.0, 710.0, a)
    shifted = fused(a, 1.0 / math.log(2.0), SHIFT)
    k = shifted - SHIFT
    high = fused(k, -LN2_HIGH, a)
    r = fused(k, -LN2_LOW, high)
    tail = fused(r * r, polynomial(r, EXP), fused(k, -LN2_LOW, high - r))
    large = a > 700.0
    scale = power_of_two(shifted, select(large, bits_of_power(-1), bits_of_power(0)))
    s, lost = total(scale - 1.0, scale * r)
    return copysign((s + fused(scale, tail, lost)) * select(large, 2.0, 1.0), x)


def log_split(u: Value) -> tuple[Value, Value, Value]:
    """(e, f, 2**(1 - e)) with ``u = 2**e (1 + f)`` and 1 + f in [sqrt(1/2), sqrt(2)), for normal positive u."""
    biased = u.bits() + (bits_of_power(0) - SQRT_HALF_BITS)
    e = ((biased >> 52) | bits_of_power(52)).double() - (2.0**52 + 1023.0)
    f = ((biased & MANTISSA) + SQRT_HALF_BITS).double() - 1.0
    return e, f, (bits_of_power(1024) - (biased & ~MANTISSA)).double()


def log_parts(u: Value, correction: Value | None = None) -> tuple[Value, Value]:
    """(e, f) as of ``log_split``, of ``u + correction``."""
    e, f, scale = log_split(u)
    return e, f if correction is None else f + correction * scale * 0.5


def log_two(e: Value, f: Value, low: Value | None = None) -> tuple[Value, Value]:
    """e log(2) + log(1 + f + low) as a sum of two; the first is a multiple of 2**-32, without error."""
    s = f / (f + 2.0)
    z = s * s
    h = f * f * 0.5
    rest = e * LN2_LOW if low is None else fused(e, LN2_LOW, low)
    r = fused(s, fused(z, polynomial(z, LOG), h), rest)
    return e * LN2_HIGH, f - (h - r)


def log_sum(e: Value, f: Value) -> Value:
    """e log(2) + log(1 + f)."""
    a, b = log_two(e, f)
    return a + b


def log_edges(x: Value, y: Value, zero: float = 0.0) -> Value:
    """``y`` but for arguments that are no number, negative, zero or infinite."""
    y = select(x.equals(math.inf), x, y)
    y = select(x.equals(zero), -math.inf, y)
    return select(x.not_at_least(zero), math.nan, y)


def log(x: Value) -> Value:
    if not x.body.target.urgent:
        return log_of_any(x)
    return rarely(_unusual(x, SMALLEST_NORMAL), log_by_table(x), lambda: log_of_any(x))


def _unusual(x: Value, least: float) -> Value:
    """Whether x is less than that, infinite or no number."""
    return x.not_at_least(least) | x.equals(math.inf)


def log_of_any(x: Value) -> Value:
    tiny = x < SMALLEST_NORMAL
    e, f = log_parts(select(tiny, x * 2.0**54, x))
    return log_edges(x, log_sum(e - select(tiny, 54.0, 0.0), f))


def log1p(x: Value) -> Value:
    if not x.body.target.urgent:
        return log1p_of_any(x)
    u = x + 1.0
    y = copysign(log_by_table(u, x - (u - 1.0)), x)
    return rarely(_unusual(u, SMALLEST_NORMAL), y, lambda: log1p_of_any(x))


def log1p_of_any(x: Value) -> Value:
    u = x + 1.0
    y = log_sum(*log_parts(u, x - (u - 1.0)))
    return log_edges(x, copysign(y, x), -1.0)


def log1p_unit(x: Value) -> Value:
    """log(1 + x) for 0 <= x <= 1."""
    s = x / (x + 2.0)
    z = s * s
    h = x * x * 0.5
    return x - (h - s * fused(z, polynomial(z, LOG1P_UNIT), h))  # not 2 s + ..., which has the error of s


def log1p_square(x: Value) -> Value:
    size = magnitude(x)
    huge = size > 1e150
    if x.body.target.urgent:
        return rarely(huge, log1p(size * size), lambda: log_of_any(size) * 2.0)
    return select(huge, 2.0, 1.0) * log1p(select(huge, size, size * size))


def part_of_unit(y: Value, x: Value) -> Value:
    """y / (1 + x) for 0 <= x, y <= 1, with what rounding takes from the sum, to a first digit."""
    bottom, lost = total(x.body.number(1.0), x)
    quotient = y / bottom
    return fused(-quotient, lost, quotient)


def log_expit(x: Value) -> Value:
    """min(x, 0) - log(1 + exp(-|x|)), with what rounding takes from the exponential, over 1 + e, to some digits."""
    e, lost = exp_parts(-magnitude(x))
    missing = lost * (1.0 - e * (1.0 - e * 0.5))
    return select(x < 0.0, x, -0.0) - (log1p_unit(e) + missing)


def logit(p: Value) -> Value:
    """The logarithm of p/(1 - p), the error of the quotient made good, so that it is accurate near p = 1/2 too."""
    tiny = p < 2.0**-960
    top = select(tiny, p * 2.0**54, p)
    bottom, lost = total(p.body.number(1.0), -p)
    q = top / bottom
    back, back_low = product(q, bottom)
    missing = (((top - back) - back_low) - q * lost) * (q + 1.0)  # the factor is 1/bottom, where it matters
    e, f = log_parts(q, missing)
    y = log_sum(e - select(tiny, 54.0, 0.0), f)
    y = select(p.equals(0.0), -math.inf, select(p.equals(1.0), math.inf, y))
    return select((p >= 0.0) & (p <= 1.0), y, math.nan)
