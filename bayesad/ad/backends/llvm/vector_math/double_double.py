"""Sums of two doubles as numbers of about 104 bits, for the rare cases in which differences cancel.

Dekker 1971, Numerische Mathematik 18; Hida, Li and Bailey 2001, Algorithms for quad-double precision arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from bayesad.ad.backends.llvm.vector_math.elementary import log_split
from bayesad.ad.backends.llvm.vector_math.expressions import Value, product, select, total, total_of_any

__all__ = ["LOG2", "PI", "Pair", "choose", "cos_pi", "logarithm", "series", "sin_pi_ratio"]

PI = Fraction("3.14159265358979323846264338327950288419716939937510582097494459")
LOG2 = Fraction("0.693147180559945309417232121458176568075500134360255254120680009")


class Pair:
    """``high + low``, the second at most half a unit in the last place of the first."""

    def __init__(self, high: Value, low: Value) -> None:
        self.high, self.low = high, low

    @classmethod
    def exact(cls, x: Value) -> Pair:
        return cls(x, x.body.number(0.0))

    def constant(self, c: Fraction | float) -> Pair:
        """A number, in the same function."""
        exact = Fraction(c)
        high = float(exact)
        return Pair(self.high.body.number(high), self.high.body.number(float(exact - Fraction(high))))

    def __neg__(self) -> Pair:
        return Pair(-self.high, -self.low)

    def __add__(self, other: Pair | Fraction | float) -> Pair:
        if not isinstance(other, Pair):
            c = self.constant(other)
            s, e = total_of_any(c.high, self.high)
            return Pair(*total(s, e + (self.low + c.low)))
        s, e = total_of_any(self.high, other.high)
        t, f = total_of_any(self.low, other.low)
        s, e = total(s, e + t)
        return Pair(*total(s, e + f))

    def __sub__(self, other: Pair | Fraction | float) -> Pair:
        return self + -other

    def __mul__(self, other: Pair | Fraction | float) -> Pair:
        other = other if isinstance(other, Pair) else self.constant(other)
        p, e = product(self.high, other.high)
        return Pair(*total(p, e + (self.high * other.low + self.low * other.high)))

    def __truediv__(self, other: Pair) -> Pair:
        first = self.high / other.high
        rest = self - other * Pair.exact(first)
        second = rest.high / other.high
        rest = rest - other * Pair.exact(second)
        s, e = total(first, second)
        return Pair(*total(s, e + rest.high / other.high))

    def rounded(self) -> Value:
        return self.high + self.low


def choose(test: Value, a: Pair, b: Pair) -> Pair:
    return Pair(select(test, a.high, b.high), select(test, a.low, b.low))


def series(x: Pair, coefficients: Sequence[Fraction], exact: int) -> Pair:
    """A polynomial, the lowest power first; from the power ``exact`` on doubles are enough."""
    *_, last = coefficients
    tail = x.high.body.number(float(last))
    for c in reversed(coefficients[exact:-1]):
        tail = tail * x.high + float(c)
    value = Pair.exact(tail)
    for c in reversed(coefficients[:exact]):
        value = value * x + c
    return value


def logarithm(x: Pair, lost: Value) -> Pair:
    """log(x) - lost log(2), for normal positive x."""
    e, f, scale = log_split(x.high)
    g = Pair(*total_of_any(f, x.low * scale * 0.5))
    s = g / (g + 2.0)
    odd = [Fraction(2, 2 * k + 1) for k in range(22)]
    return s * series(s * s, odd, 11) + Pair.exact(e - lost) * LOG2


def sin_pi_ratio(r: Value) -> Pair:
    """sin(pi r)/(pi r) for |r| <= 1/2."""
    return _circular(r, 1)


def cos_pi(r: Value) -> Pair:
    return _circular(r, 0)


def _circular(r: Value, odd: int) -> Pair:
    square = Pair(*product(r, r)) * (PI * PI)
    return series(square, [Fraction((-1) ** k, math.factorial(2 * k + odd)) for k in range(18)], 12)
