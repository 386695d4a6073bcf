"""lgamma and digamma of negative arguments, by reflection: slow, called for one number at a time.

Close to their zeros the reflected terms cancel; they are computed to about 100 bits, and lgamma by Taylor's
series at those of its zeros where that would not be enough.
"""

from __future__ import annotations

from fractions import Fraction

from bayesad.ad.backends.llvm.vector_math.coefficients import LGAMMA_ZEROS
from bayesad.ad.backends.llvm.vector_math.double_double import (
    Pair,
    choose,
    cos_pi,
    logarithm,
    series,
    sin_pi_ratio,
)
from bayesad.ad.backends.llvm.vector_math.expressions import Value, fused, magnitude, nearest, select

__all__ = ["digamma_left", "lgamma_left"]

FAR = 16  # from here on Stirling's series has 104 bits
BERNOULLI = [Fraction(p, q) for p, q in (
    (1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510), (43867, 798), (-174611, 330),
    (854513, 138), (-236364091, 2730), (8553103, 6), (-23749461029, 870), (8615841276005, 14322),
    (-7709321041217, 510), (2577687858367, 6), (-26315271553053477373, 1919190), (2929993913841559, 6),
    (-261082718496449122051, 13530),
)]  # fmt: skip
"""Those of index 2, 4, 6, …"""
HALF_LOG_2PI = Fraction("0.918938533204672741780329736405617639861397473637783412817151540")


def _from_integer(x: Value) -> Value:
    """x less the nearest integer."""
    return x - nearest(x)


def lgamma_left(x: Value) -> Value:
    """-log(|sin(pi x)|/pi |x|) - lgamma(|x|) for x < 0."""
    a = magnitude(x)
    r = _from_integer(x)
    tiny = a < 2.0**-900
    scaled = Pair.exact(magnitude(select(tiny, r * 2.0**200, r)))
    far = Pair.exact(a) + 1.0
    factors = scaled.constant(1.0)
    for _ in range(FAR - 1):
        near = far.high < float(FAR)
        factors, far = choose(near, factors * far, factors), choose(near, far + 1.0, far)
    # |x| Gamma(|x|) = Gamma(|x| + 1) = Gamma(far)/factors
    ratio = scaled * sin_pi_ratio(r) / factors
    w = scaled.constant(1.0) / (far * far)
    stirling = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI, 1)]
    zero = x.body.number(0.0)
    log_gamma = (far - 0.5) * logarithm(far, zero) - far + HALF_LOG_2PI + series(w, stirling, 12) / far
    y = -(logarithm(ratio, select(tiny, 200.0, 0.0)) + log_gamma).rounded()
    for high, low, radius, *coefficients in LGAMMA_ZEROS:
        offset = (x - high) - low
        taylor = x.body.number(coefficients[0])
        for c in coefficients[1:]:
            taylor = fused(taylor, offset, c)
        y = select(magnitude(offset) < radius, taylor * offset, y)
    y = select(r.equals(0.0), float("inf"), y)
    return select(a.equals(float("inf")), x, y)


def digamma_left(x: Value) -> Value:
    """digamma(1 - x) - pi cot(pi x) for x < 0."""
    r = _from_integer(x)
    far = -Pair.exact(x) + 1.0
    one = far.constant(1.0)
    # 1/y + 1/(y + 1) + … as top/bottom
    top, bottom = far.constant(0.0), one
    for _ in range(FAR - 1):
        near = far.high < float(FAR)
        top = choose(near, top * far + bottom, top)
        bottom, far = choose(near, bottom * far, bottom), choose(near, far + 1.0, far)
    w = one / (far * far)
    asymptotic = [b / (2 * k) for k, b in enumerate(BERNOULLI, 1)]
    zero = x.body.number(0.0)
    mirrored = logarithm(far, zero) - one / (far * 2.0) - w * series(w, asymptotic, 12) - top / bottom
    cotangent = cos_pi(r) / (sin_pi_ratio(r) * Pair.exact(r))  # pi cot(pi r)
    y = (mirrored - cotangent).rounded()
    y = select(x > -1e-200, -1.0 / x, y)
    return select(r.equals(0.0) | x.equals(float("-inf")), float("nan"), y)
