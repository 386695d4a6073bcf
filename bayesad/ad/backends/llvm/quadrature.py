"""Integrals by adaptive Gauss–Kronrod quadrature as a kernel, and what calls it.

The rule of 21 points and its estimate of the error are those of QUADPACK (Piessens, de Doncker-Kapenga, Überhuber &
Kahaner 1983, Quadpack, sections 2.2.1 and 3.1; nodes and weights in its routine qk21). The interval with the largest
error is halved until the error of every component is small enough. Infinite ranges are mapped to (0, 1] by
x = a + (1 - t) / t, as in its routine qagi.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bayesad.ad.backends.llvm.kernel import Float, Floats, Int, LogDensity
from bayesad.ad.backends.llvm.subroutines import in_memory, report_failure, subroutine
from bayesad.ad.backends.llvm.vector_math import hexadecimal
from bayesad.ad.primitives.integrals import MOST_INTERVALS, POINTS, failure, workspace_size
from bayesad.ad.program import Node

if TYPE_CHECKING:
    from bayesad.ad.backends.llvm.lower import Lowering

__all__ = ["gauss_kronrod", "quad"]

FINISHED, TOO_MANY, NOT_FINITE = range(3)
ROUNDING = 1e-14  # relative to the integral of the absolute value

NODES = (
    0.9956571630258081, 0.9739065285171717, 0.9301574913557082, 0.8650633666889845, 0.7808177265864169,
    0.6794095682990244, 0.5627571346686047, 0.4333953941292472, 0.2943928627014602, 0.14887433898163122, 0.0,
)  # fmt: skip
KRONROD = (
    0.011694638867371874, 0.032558162307964725, 0.054755896574351995, 0.07503967481091996, 0.0931254545836976,
    0.10938715880229764, 0.12349197626206584, 0.13470921731147334, 0.14277593857706009, 0.1477391049013385,
    0.1494455540029169,
)  # fmt: skip
GAUSS = (
    0.0, 0.06667134430868814, 0.0, 0.1494513491505806, 0.0, 0.21908636251598204, 0.0, 0.26926671930999635, 0.0,
    0.29552422471475287, 0.0,
)  # fmt: skip


def sample(f: LogDensity, m: Int, a: Float, b: Float, t: Float, argument: Floats, values: Floats, more: Floats) -> None:
    """The integrand in the variable t, times dx/dt: t is x in a finite range, and in (0, 1] in an infinite one."""
    argument[0] = t
    if math.isfinite(a) and math.isfinite(b):
        f(argument, values)
        return
    far = (1.0 - t) / t
    argument[0] = b - far if math.isfinite(b) else (a if math.isfinite(a) else 0.0) + far
    f(argument, values)
    if not (math.isfinite(a) or math.isfinite(b)):
        argument[0] = -far
        f(argument, more)
        for i in range(m):
            values[i] += more[i]
    for i in range(m):
        values[i] /= t * t


def over_interval(
    f: LogDensity, m: Int, a: Float, b: Float, low: Float, high: Float, argument: Floats, values: Floats,
    integrals: Floats, errors: Floats, sizes: Floats,
) -> None:  # fmt: skip
    """Integrals, their errors, and the integrals of absolute values over one interval of t."""
    center = 0.5 * (low + high)
    half = 0.5 * (high - low)
    more = values[POINTS * m :]
    for j in range(POINTS):
        node = NODES[j] if j <= 10 else -NODES[20 - j]
        sample(f, m, a, b, center + half * node, argument, values[j * m :], more)
    for i in range(m):
        kronrod = 0.0
        gauss = 0.0
        size = 0.0
        for j in range(POINTS):
            weight = KRONROD[j] if j <= 10 else KRONROD[20 - j]
            value = values[j * m + i]
            kronrod += weight * value
            gauss += (GAUSS[j] if j <= 10 else GAUSS[20 - j]) * value
            size += weight * abs(value)
        spread = 0.0
        for j in range(POINTS):
            spread += (KRONROD[j] if j <= 10 else KRONROD[20 - j]) * abs(values[j * m + i] - 0.5 * kronrod)
        spread *= half
        error = abs((kronrod - gauss) * half)
        if spread > 0.0 and error > 0.0:
            ratio = 200.0 * error / spread
            error = spread * min(1.0, ratio * math.sqrt(ratio))
        integrals[i] = kronrod * half
        errors[i] = error
        sizes[i] = size * half


def gauss_kronrod(
    f: LogDensity, m: Int, a: Float, b: Float, rtol: Float, atol: Float, out: Floats, work: Floats
) -> Int:
    """The integrals of m functions from a to b.

    Parameters
    ----------
    f : LogDensity
        Writes the m values at x, a vector of one number.
    out : Floats (m,)
        Result; NaN where it fails.
    work : Floats (2 + MOST_INTERVALS (2 + 3 m) + (POINTS + 1) m,)
        work[0] is the middle of the interval with the largest error, in t.
    """
    argument = work[1:]
    bounds = work[2:]
    integrals = bounds[2 * MOST_INTERVALS :]
    errors = integrals[m * MOST_INTERVALS :]
    sizes = errors[m * MOST_INTERVALS :]
    values = sizes[m * MOST_INTERVALS :]
    for i in range(m):
        out[i] = 0.0
    if a == b:
        return FINISHED
    low = min(a, b)
    high = max(a, b)
    sign = 1.0 if a < b else -1.0
    finite = math.isfinite(low) and math.isfinite(high)
    bounds[0] = low if finite else 0.0
    bounds[1] = high if finite else 1.0
    over_interval(f, m, low, high, bounds[0], bounds[1], argument, values, integrals, errors, sizes)
    n = 1
    status = TOO_MANY
    while n <= MOST_INTERVALS:
        worst = 0.0
        for i in range(m):
            total = 0.0
            size = 0.0
            error = 0.0
            for k in range(n):
                total += integrals[k * m + i]
                error += errors[k * m + i]
                size += sizes[k * m + i]
            out[i] = sign * total
            allowed = max(atol, max(rtol * abs(total), ROUNDING * size))
            worst = max(worst, error / allowed) if error == error else math.inf
            values[i] = allowed
        if not worst < math.inf:
            status = NOT_FINITE
            break
        if worst <= 1.0:
            return FINISHED
        largest = -1.0
        chosen = 0
        for k in range(n):
            for i in range(m):
                scaled = errors[k * m + i] / values[i]
                if scaled > largest:
                    largest = scaled
                    chosen = k
        left = bounds[2 * chosen]
        right = bounds[2 * chosen + 1]
        middle = 0.5 * (left + right)
        work[0] = middle
        if n == MOST_INTERVALS or not (left < middle and middle < right):
            break
        bounds[2 * chosen + 1] = middle
        bounds[2 * n] = middle
        bounds[2 * n + 1] = right
        for part in range(2):
            k = chosen if part == 0 else n
            over_interval(
                f, m, low, high, bounds[2 * k], bounds[2 * k + 1], argument, values, integrals[k * m :],
                errors[k * m :], sizes[k * m :],
            )  # fmt: skip
        n += 1
    for i in range(m):
        out[i] = math.nan
    return status


def quad(lowering: Lowering, node: Node) -> bool:
    """Write an integral as the call of the kernel; a failure is noted in Python, its results are NaN."""
    given = node.attributes
    addresses = [in_memory(lowering, source) for source in node.inputs]
    a, b = (lowering.load(address, "f", "0")[0] for address in addresses[:2])
    integrand = subroutine(lowering, given["body"], 1, addresses[2:])
    work = lowering.parameter("a", f"workspace {lowering.reserve(8 * workspace_size(node.size))}")
    status = lowering.op(
        f"call i64 {lowering.special('gauss_kronrod')}(ptr {integrand}, i64 {node.size}, double {a}, double {b}, "
        f"double {hexadecimal(given['rtol'])}, double {hexadecimal(given['atol'])}, ptr {lowering.pointer(node)}, "
        f"ptr {work})"
    )
    report_failure(lowering, status, [a, b, lowering.load(work, "f", "0")[0]], failure(given["rtol"], given["atol"]))
    return True
