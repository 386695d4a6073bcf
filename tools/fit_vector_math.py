"""Finds the coefficients of the vector mathematics and writes them to its ``coefficients.py``; needs mpmath.

Polynomials are minimax (Remez' exchange), rational functions interpolate at Chebyshev points, which is within a
small factor of minimax (Trefethen 2013, Approximation Theory and Approximation Practice, ch. 16 and 23).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mpmath as mp
from mpmath import mpf

mp.mp.dps = 60
TARGET = Path(__file__).parents[1] / "bayesad/ad/backends/llvm/vector_math/coefficients.py"
Function = Callable[[mpf], mpf]
TABLES: dict[str, Callable[[], dict[str, list[mpf]]]] = {}


def one(_: mpf) -> mpf:
    return mpf(1)


def value(coefficients: list[mpf], x: mpf) -> mpf:
    total = mpf(0)
    for c in coefficients:
        total = total * x + c
    return total


def chebyshev_points(a: mpf, b: mpf, n: int, *, ends: bool) -> list[mpf]:
    """Extremes (with the ends) or zeros of the Chebyshev polynomial, rising."""
    angles = [mp.pi * i / (n - 1) if ends else mp.pi * (2 * i + 1) / (2 * n) for i in range(n)]
    return [(a + b) / 2 - (b - a) / 2 * mp.cos(angle) for angle in angles]


def minimax(f: Function, a: float, b: float, degree: int, weight: Function = one) -> list[mpf]:
    """Coefficients, highest power first, of the polynomial that minimises the largest |weight (p - f)|."""
    n = degree + 2
    grid = chebyshev_points(mpf(a), mpf(b), 30 * n, ends=True)
    exact, weights = [f(x) for x in grid], [weight(x) for x in grid]
    at = [round(i * (len(grid) - 1) / (n - 1)) for i in range(n)]
    for _ in range(20):
        rows = [[grid[i] ** j for j in range(degree + 1)] + [(-1) ** k / weights[i]] for k, i in enumerate(at)]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([exact[i] for i in at]))
        coefficients, level = [solution[j] for j in range(degree, -1, -1)], abs(solution[n - 1])
        errors = [w * (value(coefficients, x) - y) for x, y, w in zip(grid, exact, weights, strict=True)]
        if max(map(abs, errors)) < mpf("1.02") * level:
            break
        at = alternating(errors, n)
    print(f"  minimax {degree}: {mp.nstr(level * 2**53, 3)} * 2**-53")
    return coefficients


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


def rational(f: Function, a: float, b: float, m: int, n: int) -> tuple[list[mpf], list[mpf]]:
    """Numerator of degree m and denominator of degree n, highest power first, the denominator's constant being 1."""
    points = chebyshev_points(mpf(a), mpf(b), m + n + 1, ends=False)
    rows = [[x**j for j in range(m + 1)] + [-f(x) * x**j for j in range(1, n + 1)] for x in points]
    solution = list(mp.lu_solve(mp.matrix(rows), mp.matrix([f(x) for x in points])))
    top, bottom = solution[m::-1], [*solution[:m:-1], mpf(1)]
    worst = max(
        abs(value(top, x) / value(bottom, x) / f(x) - 1) for x in chebyshev_points(mpf(a), mpf(b), 400, ends=False)
    )
    print(f"  rational {m}, {n}: {mp.nstr(worst * 2**53, 3)} * 2**-53 relative")
    return top, bottom


def of_square(f: Function, at_zero: mpf) -> Function:
    """f(sqrt(z)), with its limit at 0."""
    return lambda z: f(mp.sqrt(z)) if z > mpf(10) ** -24 else mpf(at_zero)


def table(make: Callable[[], dict[str, list[mpf]]]) -> Callable[[], dict[str, list[mpf]]]:
    TABLES[make.__name__] = make
    return make


@table
def elementary() -> dict[str, list[mpf]]:
    half = mp.log(2) / 2
    exponential = minimax(lambda r: (mp.expm1(r) - r) / r**2 if abs(r) > 1e-18 else mpf(0.5), -half, half, 10)
    far = (3 - 2 * mp.sqrt(2)) ** 2
    logarithm = minimax(of_square(lambda s: 2 * (mp.atanh(s) - s) / s**3, mpf(2) / 3), 0, far, 6)
    return {"EXP": exponential, "LOG": logarithm}


@table
def hyperbolic() -> dict[str, list[mpf]]:
    tanh = rational(of_square(lambda x: (mp.tanh(x) / x - 1) / x**2, mpf(-1) / 3), 0, mpf("0.625") ** 2, 2, 3)
    sinh = minimax(of_square(lambda x: (mp.sinh(x) / x - 1) / x**2, mpf(1) / 6), 0, 1, 6)
    return {"TANH_TOP": tanh[0], "TANH_BOTTOM": tanh[1], "SINH": sinh}


@table
def trigonometric() -> dict[str, list[mpf]]:
    eighth = (mp.pi / 4) ** 2 * mpf("1.0001")
    return {
        "SIN": minimax(of_square(lambda x: (mp.sin(x) / x - 1) / x**2, mpf(-1) / 6), 0, eighth, 5),
        "COS": minimax(of_square(lambda x: (mp.cos(x) - 1 + x**2 / 2) / x**4, mpf(1) / 24), 0, eighth, 5),
        "ARCTAN": minimax(of_square(lambda x: (mp.atan(x) / x - 1) / x**2, mpf(-1) / 3), 0, mpf("0.5464") ** 2, 12),
    }


def main() -> None:
    lines = ['"""Coefficients of the vector mathematics, highest power first; made by ``tools/fit_vector_math.py``."""']
    for name, make in TABLES.items():
        print(name)
        lines.append(f"\n# {name}")
        for constant, coefficients in make().items():
            lines.append(f"{constant} = (\n" + "".join(f"    {float(c)!r},\n" for c in coefficients) + ")")
    TARGET.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
