"""Finds the coefficients of the vector mathematics and writes them to its ``coefficients.py``; needs mpmath.

Polynomials and rational functions are minimax, by the exchange of Remez (Trefethen 2013, Approximation Theory and
Approximation Practice, ch. 10 and 24).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath as mp
from mpmath import mpf

mp.mp.dps = 60
TARGET = Path(__file__).parents[1] / "bayesad/ad/backends/llvm/vector_math/coefficients.py"
Function = Callable[[mpf], mpf]
WITH_REST = {"ERFCX", "MILLS"}
"""Tables whose last coefficient is given with its rounding error."""
TABLES: dict[str, Callable[[], dict[str, list[Any]]]] = {}


def one(_: mpf) -> mpf:
    return mpf(1)


def value(coefficients: list[mpf], x: mpf) -> mpf:
    total = mpf(0)
    for c in coefficients:
        total = total * x + c
    return total


def chebyshev_points(a: mpf, b: mpf, n: int) -> list[mpf]:
    """Zeros of a Chebyshev polynomial, rising."""
    return [(a + b) / 2 - (b - a) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]


def minimax(
    f: Function, a: float, b: float, degrees: int | tuple[int, int], weight: Function = one
) -> tuple[list[mpf], list[mpf]]:
    """The rational function p/q that minimises the largest |weight (p/q - f)|: coefficients, highest power first.

    The exchange of Remez; q's constant is 1. An integer for the degrees asks for a polynomial.
    """
    m, n = (degrees, 0) if isinstance(degrees, int) else degrees
    size = m + n + 2
    grid = chebyshev_points(mpf(a), mpf(b), 30 * size)
    exact, weights = [f(x) for x in grid], [weight(x) for x in grid]
    at = [round(i * (len(grid) - 1) / (size - 1)) for i in range(size)]
    bottom = [mpf(0)] * n + [mpf(1)]
    for _ in range(25):
        for _ in range(8 if n else 1):  # the level of the error enters times the denominator: the one found before
            rows = [
                [grid[i] ** j for j in range(m + 1)]
                + [-exact[i] * grid[i] ** j for j in range(1, n + 1)]
                + [(-1) ** k / weights[i] * value(bottom, grid[i])]
                for k, i in enumerate(at)
            ]
            solution = list(mp.lu_solve(mp.matrix(rows), mp.matrix([exact[i] for i in at])))
            top, bottom, level = solution[m::-1], [*solution[-2:m:-1], mpf(1)], abs(solution[-1])
        errors = [w * (value(top, x) / value(bottom, x) - y) for x, y, w in zip(grid, exact, weights, strict=True)]
        if max(map(abs, errors)) < mpf("1.03") * level:
            break
        at = alternating(errors, size)
    print(f"  degrees {m}, {n}: {mp.nstr(max(map(abs, errors)) * 2**53, 3)} * 2**-53")
    return top, bottom


def polynomial(*args: Any) -> list[mpf]:
    return minimax(*args)[0]


def alternating(errors: list[mpf], n: int) -> list[int]:
    """Where the error is largest between its changes of sign: n places of alternating sign."""
    places = [0]
    for i in range(1, len(errors)):
        if errors[i] * errors[places[-1]] < 0:
            places.append(i)
        elif abs(errors[i]) > abs(errors[places[-1]]):
            places[-1] = i
    while len(places) > n:
        places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
    return places


def of_square(f: Function, at_zero: mpf) -> Function:
    """f(sqrt(z)), with its limit at 0."""
    return lambda z: f(mp.sqrt(z)) if z > mpf(10) ** -24 else mpf(at_zero)


def table(make: Callable[[], dict[str, list[Any]]]) -> Callable[[], dict[str, list[Any]]]:
    TABLES[make.__name__] = make
    return make


def odd(f: Function, at_zero: mpf) -> Function:
    """(f(x)/x - 1)/x**2 of x**2, with its limit at 0."""
    return of_square(lambda x: (f(x) / x - 1) / x**2, at_zero)


@table
def elementary() -> dict[str, list[mpf]]:
    half, far = mp.log(2) / 2, (3 - 2 * mp.sqrt(2)) ** 2
    atanh = of_square(lambda s: 2 * (mp.atanh(s) - s) / s**3, mpf(2) / 3)

    tail = of_square(lambda s: (2 * (mp.atanh(s) - s) / s**3 - mpf(2) / 3) / s**2, mpf(2) / 5)

    def log_rest(r: mpf) -> mpf:
        return (mp.log1p(r) - r + r**2 / 2) / r**3

    return {
        "EXP": polynomial(lambda r: (mp.expm1(r) - r) / r**2, -half, half, 10),
        "LOG": polynomial(atanh, 0, far, 6),
        "LOG1P_UNIT": polynomial(atanh, 0, mpf(1) / 9, 9),
        "LOG_TAIL": polynomial(tail, 0, far, 7),
        "EXP_SHORT": polynomial(lambda r: (mp.expm1(r) - r) / r**2, -half / 128, half / 128, 3),
        "LOG_SHORT": [*polynomial(log_rest, -mpf(1) / 255, mpf(1) / 127, 4), mpf("-0.5")],
    }


@table
def hyperbolic() -> dict[str, list[mpf]]:
    tanh = minimax(odd(mp.tanh, mpf(-1) / 3), 0, mpf("0.625") ** 2, (2, 3))
    return {"TANH_TOP": tanh[0], "TANH_BOTTOM": tanh[1], "SINH": polynomial(odd(mp.sinh, mpf(1) / 6), 0, 1, 6)}


@table
def trigonometric() -> dict[str, list[mpf]]:
    eighth = (mp.pi / 4) ** 2 * mpf("1.0001")
    return {
        "SIN": polynomial(odd(mp.sin, mpf(-1) / 6), 0, eighth, 5),
        "COS": polynomial(of_square(lambda x: (mp.cos(x) - 1 + x**2 / 2) / x**4, mpf(1) / 24), 0, eighth, 5),
        "ARCTAN": polynomial(odd(mp.atan, mpf(-1) / 3), 0, mpf("0.5464") ** 2, 12),
    }


# --- the error functions and the normal law
def scaled_erfc(x: mpf) -> mpf:
    """exp(x**2) erfc(x), far out by its asymptotic series (DLMF 7.12.1)."""
    if x < 20:
        return mp.exp(x * x) * mp.erfc(x)
    w = -1 / (2 * x * x)
    return (1 + mp.nsum(lambda k: mp.fac2(2 * k - 1) * w**k, [1, 40])) / (x * mp.sqrt(mp.pi))


def of_ratio(f: Function, a: mpf) -> Function:
    """f(x) as a function of t = (x - a)/(x + a), which takes [0, inf] to [-1, 1]."""
    return lambda t: f(a * (1 + t) / (1 - t))


def log_ndtr(x: mpf) -> mpf:
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


def normal_quantile(log_p: mpf) -> mpf:
    """The x > 0 with log_ndtr(-x) = log_p, by Newton's method."""
    x = mp.sqrt(-2 * log_p) * mpf("0.9")
    while True:
        slope = -mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi) / mp.ncdf(-x)
        step = (log_ndtr(-x) - log_p) / slope
        x -= step
        if abs(step) < mpf(10) ** -40:
            return x


@table
def error_functions() -> dict[str, list[mpf]]:
    def tail(t: mpf) -> mpf:
        x = (t + mpf("1.4")) / mpf("0.4")
        return -mp.log(mp.erfc(x)) / x

    def weight(t: mpf) -> mpf:
        x = (t + mpf("1.4")) / mpf("0.4")
        return mp.erfc(x) * x

    return {
        "ERF": polynomial(of_square(lambda x: mp.erf(x) / x - 1, 2 / mp.sqrt(mp.pi) - 1), 0, 1, 11),
        "ERF_TAIL": polynomial(tail, -1, mpf("0.975"), 17, weight),
        # offsets such that the slope at x = 0, where an error of t counts most, is small
        "ERFCX": polynomial(of_ratio(lambda x: (x + mpf(7) / 8) * scaled_erfc(x), mpf("3.5")), -1, 1, 23),
        "ERFC_INTEGRAL": polynomial(
            of_ratio(lambda x: (x + 1) ** 2 * (1 / mp.sqrt(mp.pi) - x * scaled_erfc(x)), mpf("3.5")), -1, 1, 24
        ),
    }


@table
def normal() -> dict[str, list[mpf]]:
    """The quantile less its main part, which is 5/2 q near 0 and 3/2 r - 1 in the tails: errors count less so."""

    def centre(s: mpf) -> mpf:
        q = mp.sqrt(mpf("0.375") ** 2 - s)
        return mp.sqrt(2) * mp.erfinv(2 * q) / q - mpf("2.5")

    def tail(s: mpf) -> mpf:
        return normal_quantile(-(s**2)) - (mpf("1.5") * s - 1)

    def near(s: mpf) -> mpf:
        return tail(s + mpf("1.4375"))

    def far(s: mpf) -> mpf:
        return tail(s + 5)

    pieces = {
        "CENTRE": minimax(centre, 0, mpf("0.375") ** 2, (7, 6), lambda s: 1 / (centre(s) + mpf("2.5"))),
        "NEAR": minimax(near, 0, 5 - mpf("1.4375"), (7, 7), lambda s: 1 / (near(s) + mpf("1.5") * s + mpf("1.15625"))),
        "FAR": minimax(far, 0, mpf("22.3"), (7, 7), lambda s: 1 / (far(s) + mpf("1.5") * s + mpf("6.5"))),
    }
    mills = of_ratio(lambda x: (x + mpf("1.25")) * scaled_erfc(x / mp.sqrt(2)) / 2, mpf(5))
    return {
        "MILLS": polynomial(mills, -1, 1, 23),
        **{f"NDTRI_{name}_TOP": both[0] for name, both in pieces.items()},
        **{f"NDTRI_{name}_BOTTOM": both[1] for name, both in pieces.items()},
    }


# --- the gamma function's logarithm and its derivatives
def of_inverse_square(f: Function, at_zero: mpf) -> Function:
    """f(1/sqrt(w)), with its limit at w = 0."""
    return of_square(lambda y: f(1 / y), at_zero)


@table
def gamma() -> dict[str, list[mpf]]:
    """Near 1 to 3 rational functions, of the argument from the left end on; beyond, Stirling's series made minimax.

    The rational ones approximate what a simple main part leaves: their errors count less so.
    """
    root = mp.findroot(mp.digamma, 1.46)

    def near_lgamma(s: mpf) -> mpf:
        x = s + mpf("0.5")
        return mp.loggamma(x) / ((x - 1) * (x - 2)) - (mpf("0.78125") - s / 4)

    def near_digamma(s: mpf) -> mpf:
        return mp.digamma(s + 1) / (s + 1 - root) - (mpf("1.125") - s / 4)

    def trigamma_rest(x: mpf) -> mpf:
        return mp.polygamma(1, x) - 1 / x - 1 / (2 * x**2)

    def near_trigamma(s: mpf) -> mpf:
        return trigamma_rest(s + 1)

    def far_lgamma(x: mpf) -> mpf:
        return x * (mp.loggamma(x) - (x - mpf("0.5")) * mp.log(x) + x - mp.log(2 * mp.pi) / 2)

    def far_digamma(x: mpf) -> mpf:
        return x**2 * (mp.log(x) - 1 / (2 * x) - mp.digamma(x))

    def far_trigamma(x: mpf) -> mpf:
        return x**3 * trigamma_rest(x)

    near = {
        "LGAMMA": minimax(near_lgamma, 0, 2, (8, 8), lambda s: 1 / (near_lgamma(s) + mpf("0.78125") - s / 4)),
        "DIGAMMA": minimax(near_digamma, 0, 2, (6, 6), lambda s: 1 / (near_digamma(s) + mpf("1.125") - s / 4)),
        "TRIGAMMA": minimax(near_trigamma, 0, 2, (6, 6), lambda s: 1 / mp.polygamma(1, s + 1)),
    }
    ninth = mpf(1) / 9
    far = {
        "LGAMMA_FAR": (far_lgamma, 12, mpf("0.16"), 10, lambda x: 1 / (x * mp.loggamma(x))),
        "DIGAMMA_FAR": (far_digamma, 12, ninth, 9, lambda x: 1 / (x**2 * mp.digamma(x))),
        "TRIGAMMA_FAR": (far_trigamma, 6, ninth, 11, lambda x: 1 / (x**3 * mp.polygamma(1, x))),
    }
    sine = of_square(lambda r: (mp.sinpi(r) / (mp.pi * r) - 1) / r**2, -(mp.pi**2) / 6)
    return {
        **{f"{name}_TOP": both[0] for name, both in near.items()},
        **{f"{name}_BOTTOM": both[1] for name, both in near.items()},
        "SIN_PI": polynomial(sine, 0, mpf("0.25"), 8),
        **{
            name: polynomial(
                of_inverse_square(f, mpf(1) / limit), 0, end, degree, of_inverse_square(weight, mpf(10) ** -20)
            )
            for name, (f, limit, end, degree, weight) in far.items()
        },
    }


@table
def lgamma_zeros() -> dict[str, list[list[mpf]]]:
    """Negative zeros of lgamma: the zero in two parts, how far Taylor's series holds, its coefficients."""
    rows = []
    for low, high in (("-2.5", "-2.4"), ("-2.8", "-2.7"), ("-3.2", "-3.1"), ("-3.96", "-3.95"), ("-4.05", "-4.03")):
        zero = mp.findroot(lambda x: mp.log(abs(mp.gamma(x))), (mpf(low), mpf(high)), solver="anderson")
        distance = abs(zero - mp.nint(zero))
        terms = [mp.polygamma(k, zero) / mp.factorial(k + 1) for k in range(4, -1, -1)]
        rows.append([mpf(float(zero)), zero - mpf(float(zero)), distance / 2000, *terms])
    return {"LGAMMA_ZEROS": rows}


def literal(x: mpf | list[mpf]) -> str:
    return f"({', '.join(map(literal, x))})" if isinstance(x, list) else repr(float(x))


def main() -> None:
    lines = ['"""Coefficients of the vector mathematics, highest power first; made by ``tools/fit_vector_math.py``."""']
    for name, make in TABLES.items():
        print(name)
        lines.append(f"\n# {name}")
        for constant, coefficients in make().items():
            lines.append(f"{constant} = (\n" + "".join(f"    {literal(c)},\n" for c in coefficients) + ")")
            if constant in WITH_REST:
                lines.append(f"{constant}_REST = {float(coefficients[-1] - mpf(float(coefficients[-1])))!r}")
    TARGET.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
