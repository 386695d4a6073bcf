"""tanh, sinh, cosh: near 0 by series that keep the relative accuracy, elsewhere by exp."""

from __future__ import annotations

from bayesad.ad.backends.llvm.vector_math.coefficients import SINH, TANH_BOTTOM, TANH_TOP
from bayesad.ad.backends.llvm.vector_math.elementary import bits_of_power, exp_reduced, power_of_two
from bayesad.ad.backends.llvm.vector_math.expressions import Value, copysign, fused, magnitude, polynomial, select

__all__ = ["cosh", "sinh", "tanh"]


def tanh(x: Value) -> Value:
    """x + x**3 P(x**2)/Q(x**2) below 0.625, else 1 - 2/(exp(2x) + 1); one division for both."""
    a = magnitude(x)
    near = a < 0.625
    z = a * a
    doubled = a + a
    shifted, small = exp_reduced(select(doubled > 44.0, 44.0, doubled))
    e = (small + 1.0) * power_of_two(shifted, bits_of_power(0))
    top = select(near, z * polynomial(z, TANH_TOP), -2.0)
    bottom = select(near, polynomial(z, TANH_BOTTOM), e + 1.0)
    whole = select(near, a, 1.0)
    return copysign(fused(whole, top / bottom, whole), x)


def _half_exp(a: Value) -> Value:
    """exp(a)/2 for a >= 0, which does not overflow before cosh(a) does."""
    shifted, small = exp_reduced(select(a > 711.0, 711.0, a))
    return (small + 1.0) * power_of_two(shifted, bits_of_power(-2)) * 2.0


def cosh(x: Value) -> Value:
    half = _half_exp(magnitude(x))
    return half + 0.25 / half


def sinh(x: Value) -> Value:
    a = magnitude(x)
    half = _half_exp(a)
    z = a * a
    series = fused(a * z, polynomial(z, SINH), a)
    return copysign(select(a < 1.0, series, half - 0.25 / half), x)
