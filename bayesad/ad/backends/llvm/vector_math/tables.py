"""exp and log of single numbers by tables, in half the time that longer polynomials take one after the other.

Vectors do without: their lanes would fetch from the tables one by one. Tang 1989 and 1990, ACM Transactions on
Mathematical Software 15 and 16.
"""

from __future__ import annotations

import functools
import math
from decimal import Decimal, localcontext

from bayesad.ad.backends.llvm.vector_math.coefficients import EXP_SHORT, LOG_SHORT
from bayesad.ad.backends.llvm.vector_math.expressions import Value, fused, fused_exactly, lookup, polynomial, total

__all__ = ["LN2_HIGH", "LN2_LOW", "SHIFT", "exp_by_table", "log_by_table"]

BITS = 7
SIZE = 1 << BITS
DIGITS = 40
LN2_HIGH = 6.93147180369123816490e-01  # log 2 with the last 32 bits cleared: k * LN2_HIGH is exact
LN2_LOW = 1.90821492927058770002e-10
SHIFT = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer that stands in the low bits
LEAST_BITS = 0x3FE6000000000000  # of 11/16: mantissas are taken from there to 11/8, and 1 lies between two intervals
GRID = 2.0**-40  # first parts of logarithms are multiples of it: k log(2) is added without error


@functools.cache
def powers() -> tuple[float, ...]:
    """2**(i/SIZE) for each i as a double, and what that lacks, relatively."""
    table: list[float] = []
    with localcontext(prec=DIGITS):
        exact, root = Decimal(1), Decimal(2) ** (1 / Decimal(SIZE))
        for _ in range(SIZE):
            table += [float(exact), float(exact / Decimal(float(exact)) - 1)]
            exact *= root
    return tuple(table)


@functools.cache
def logarithms() -> tuple[float, ...]:
    """For each interval of mantissas the reciprocal of a number c in it, and log(c) in two parts.

    On both sides of 1 it is 1 itself, where the logarithm is then as accurate as its argument.
    """
    table: list[float] = []
    with localcontext(prec=DIGITS):
        for i in range(SIZE):
            start, end = (_mantissa(LEAST_BITS + (j << (52 - BITS))) for j in (i, i + 1))
            reciprocal = 1.0 if 1.0 in (start, end) else 2.0 / (start + end)
            exact = -Decimal(reciprocal).ln()
            high = round(float(exact) / GRID) * GRID
            table += [reciprocal, high, float(exact - Decimal(high))]
    return tuple(table)


def _mantissa(bits: int) -> float:
    exponent = (bits >> 52) - 1023
    return math.ldexp(1.0 + (bits & ((1 << 52) - 1)) * 2.0**-52, exponent)


def exp_by_table(x: Value) -> Value:
    """exp(x) = 2**(k/SIZE) exp(r), |r| <= log(2)/(2 SIZE), where the result is normal."""
    shifted = fused(x, SIZE / math.log(2.0), SHIFT)
    k = shifted - SHIFT
    r = fused(k, -LN2_LOW / SIZE, fused(k, -LN2_HIGH / SIZE, x))
    bits = shifted.bits()
    place = (bits & (SIZE - 1)) << 1
    lacking = lookup(powers(), place | 1)
    whole = (lookup(powers(), place).bits() + ((bits >> BITS) << 52)).double()
    small = fused(r * r, polynomial(r, EXP_SHORT), r + lacking)
    return fused(whole, small, whole)


def log_by_table(u: Value, correction: Value | None = None) -> Value:
    """log(u + correction) = k log(2) + log(c) + log(1 + r), for normal positive u."""
    from_least = u.bits() - LEAST_BITS
    exponent = from_least & ~((1 << 52) - 1)
    place = ((from_least >> (52 - BITS)) & (SIZE - 1)) * 3
    reciprocal, log_high, log_low = (lookup(logarithms(), place + i) for i in range(3))
    r = fused_exactly((u.bits() - exponent).double(), reciprocal, -1.0)
    if correction is not None:
        scale = ((1023 << 52) - exponent).double()
        r = fused(correction * scale, reciprocal, r)
    k = exponent.number()  # times 2**52
    high, lost = total(k * (LN2_HIGH * 2.0**-52) + log_high, r)
    return high + fused(r * r, polynomial(r, LOG_SHORT), lost + fused(k, LN2_LOW * 2.0**-52, log_low))
