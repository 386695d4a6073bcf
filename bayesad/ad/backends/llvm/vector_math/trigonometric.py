"""sin, cos, tan and arctan.

Arguments are reduced by pi/2 in four parts (Cody and Waite) up to 2**20; beyond, the C library is asked.
"""

from __future__ import annotations

import math

from bayesad.ad.backends.llvm.vector_math.coefficients import ARCTAN, COS, SIN
from bayesad.ad.backends.llvm.vector_math.expressions import (
    Value,
    copysign,
    each,
    fused,
    magnitude,
    polynomial,
    product,
    rarely,
    select,
    total,
)
from bayesad.ad.backends.llvm.vector_math.tables import SHIFT

__all__ = ["arctan", "cos", "sin", "tan"]

# pi/2 in three parts of 33 bits, whose products with integers below 2**20 are exact, and the rest
HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.478427660368900e-32)
LARGEST = 2.0**20


def _quadrant(x: Value) -> tuple[Value, Value, Value]:
    """(n, r, low): the bits of the integer nearest to x/(pi/2), and what remains, |r| <= pi/4, with its error."""
    shifted = fused(x, 2.0 / math.pi, SHIFT)
    n = shifted - SHIFT
    first, second, third, rest = HALF_PI
    # The errors are exact: where the subtrahend is the larger, the difference has no error.
    a, lost = total(fused(n, -first, x), n * -second)
    b, lost2 = total(a, n * -third)
    r, low = total(b, (lost + lost2) - n * rest)
    return shifted.bits(), r, low


def _sin_tail(r: Value, low: Value) -> Value:
    """sin(r + low) - r."""
    z = r * r
    cube = z * r
    series = polynomial(z, SIN[:-1])
    return fused(cube, SIN[-1], low - z * (0.5 * low - cube * series))


def _cos_parts(r: Value, low: Value) -> tuple[Value, Value]:
    """cos(r + low) as a sum of two."""
    z = r * r
    half = z * 0.5
    w = 1.0 - half
    return w, ((1.0 - w) - half) + fused(z * z, polynomial(z, COS), -(r * low))


def _sine(x: Value, quarter_turns: int, external: str) -> Value:
    n, r, low = _quadrant(x)
    if quarter_turns:
        n = n + quarter_turns
    w, tail = _cos_parts(r, low)
    y = select((n & 1).equals(0), r + _sin_tail(r, low), w + tail)
    y = (y.bits() ^ ((n & 2) << 62)).double()
    if not quarter_turns:
        y = select(magnitude(x) < 2.0**-30, x, y)
    return rarely(magnitude(x).not_at_most(LARGEST), y, lambda: each(external, x))


def sin(x: Value) -> Value:
    return _sine(x, 0, "sin")


def cos(x: Value) -> Value:
    return _sine(x, 1, "cos")


def tan(x: Value) -> Value:
    n, r, low = _quadrant(x)
    sine, sine_low = total(r, _sin_tail(r, low))
    cosine, cosine_low = total(*_cos_parts(r, low))
    even = (n & 1).equals(0)
    top, top_low = select(even, sine, -cosine), select(even, sine_low, -cosine_low)
    bottom, bottom_low = select(even, cosine, sine), select(even, cosine_low, sine_low)
    reciprocal = 1.0 / bottom
    q = top * reciprocal
    p, p_low = product(q, bottom)
    y = fused(((top - p) - p_low) + (top_low - q * bottom_low), reciprocal, q)
    y = select(magnitude(x) < 2.0**-30, x, y)
    return rarely(magnitude(x).not_at_most(LARGEST), y, lambda: each("tan", x))


def arctan(x: Value) -> Value:
    """Reduced to |r| <= tan(1/2) by differences from 0, pi/4 and pi/2."""
    a = magnitude(x)
    above, far = a > 0.5463, a > 2.414213562373095
    top = select(far, -1.0, select(above, a - 1.0, a))
    bottom = select(far, a, select(above, a + 1.0, 1.0))
    start = select(far, math.pi / 2, select(above, math.pi / 4, 0.0))
    start_low = select(far, 6.123233995736766e-17, select(above, 3.061616997868383e-17, 0.0))
    r = top / bottom
    z = r * r
    return copysign(start + (r + fused(r * z, polynomial(z, ARCTAN), start_low)), x)
