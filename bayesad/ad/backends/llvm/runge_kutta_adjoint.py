"""The adjoint of adaptive Runge–Kutta methods as kernels: a solve that keeps its steps, and the way back over them.

Each step is differentiated as it stands, from the last to the first, its length a constant (Hager 2000, Numer. Math.
87, 247–282; Sandu 2006, On the properties of Runge–Kutta discrete adjoints, ICCS 2006). The cost does not grow with the
number of parameters. Where the states of the stages were not kept, they are computed once more.
"""

import math

from bayesad.ad.backends.llvm.kernel import Float, Floats, Int, LogDensity
from bayesad.ad.backends.llvm.kernel_vectors import copy, padded
from bayesad.ad.backends.llvm.runge_kutta import (
    FINISHED,
    combine,
    fill,
    fill_dopri5,
    fill_dopri8,
    runge_kutta,
)

__all__ = ["dopri5_adjoint", "dopri5_steps", "dopri8_adjoint", "dopri8_steps"]


def dopri5_steps(
    rhs: LogDensity, states: Int, size: Int, count: Int, t0: Float, ts: Floats, y0: Floats, rtol: Float, atol: Float,
    most_steps: Int, keeps: Int, out: Floats, work: Floats,
) -> Int:  # fmt: skip
    """As `dopri5`; behind the rows what `runge_kutta` keeps, with -1 steps until the last row if the solve failed."""
    fill_dopri5(work)
    own = work[44:]
    kept = out[count * size :]
    status = runge_kutta(
        rhs, 6, 5, states, size, count, t0, ts, y0, rtol, atol, work, out, own, most_steps, kept, keeps
    )  # fmt: skip
    if status != FINISHED:
        kept[count - 1] = -1.0
    work[0] = own[0]
    return status


def dopri8_steps(
    rhs: LogDensity, states: Int, size: Int, count: Int, t0: Float, ts: Floats, y0: Floats, rtol: Float, atol: Float,
    most_steps: Int, keeps: Int, out: Floats, work: Floats,
) -> Int:  # fmt: skip
    """As `dopri8`, and as above."""
    fill_dopri8(work)
    own = work[116:]
    kept = out[count * size :]
    status = runge_kutta(
        rhs, 12, 8, states, size, count, t0, ts, y0, rtol, atol, work, out, own, most_steps, kept, keeps
    )  # fmt: skip
    if status != FINISHED:
        kept[count - 1] = -1.0
    work[0] = own[0]
    return status


def states_of_stages(
    rhs: LogDensity, stages: Int, n: Int, tableau: Floats, begin: Floats, states: Floats, work: Floats
) -> None:
    """What the stages of a step are evaluated at, from its begin; work: Floats (1 + (stages + 2) padded(n),)."""
    c = tableau[stages * (stages - 1) // 2 + stages :]
    length = padded(n)
    argument = work
    new = argument[1:]
    y = new[length:]
    slopes = y[length:]
    fill((stages + 2) * length, 0.0, new)
    copy(n, begin[2:], y)
    for s in range(stages):
        combine(length, s, begin[1], tableau[s * (s - 1) // 2 :], slopes, y, new)
        argument[0] = begin[0] + begin[1] * c[s]
        copy(n, new, states[s * n :])
        rhs(argument, slopes[s * length :])


def step_back(
    pulled: LogDensity, stages: Int, n: Int, parameters: Int, tableau: Floats, columns: Floats, begin: Floats,
    states: Floats, adjoint: Floats, totals: Floats, work: Floats,
) -> None:  # fmt: skip
    """Take the cotangent of the states over one step, and add what the parameters get.

    Parameters
    ----------
    columns : Floats
        Those of the tableau's A below the diagonal, from the last to the first.
    begin : Floats (2,)
        Time and length of the step.
    states : Floats (stages n,)
    adjoint : Floats (n,)
        At the end of the step; on return at its begin.
    totals : Floats (parameters,)
    work : Floats (1 + 2 n + (stages + 2) padded(n) + parameters,)
        Zeros where vectors are filled up.
    """
    b = tableau[stages * (stages - 1) // 2 :]
    c = b[stages:]
    length = padded(n)
    base = work
    cotangents = base[length:]
    argument = cotangents[stages * length :]
    seed = argument[1 + n :]
    results = seed[length:]
    step = begin[1]
    for back in range(stages):
        s = stages - 1 - back
        argument[0] = begin[0] + step * c[s]
        copy(n, states[s * n :], argument[1:])
        for i in range(n):
            base[i] = step * b[s] * adjoint[i]
        combine(length, back, step, columns[back * (back - 1) // 2 :], cotangents[(s + 1) * length :], base, seed)
        pulled(argument, results)
        copy(n, results, cotangents[s * length :])
        moved = results[n:]
        for i in range(parameters):
            totals[i] += moved[i]
    for i in range(n):
        total = adjoint[i]
        for s in range(stages):
            total += cotangents[s * length + i]
        adjoint[i] = total


def take_back(
    rhs: LogDensity, pulled: LogDensity, stages: Int, n: Int, parameters: Int, count: Int, seeds: Floats,
    solved: Floats, keeps: Int, tableau: Floats, out: Floats, work: Floats,
) -> None:  # fmt: skip
    """Take the cotangents ``seeds`` (count, n) of a solution back to those of y0 and the parameters.

    Parameters
    ----------
    pulled : LogDensity
        Writes the cotangents of the states and of all parameters at (t, y, cotangent of the slopes).
    solved : Floats
        The solution (count, n), and what `runge_kutta` kept.
    out : Floats (n + parameters,)
        Result; NaN where the solve failed.
    work : Floats
        The columns of the tableau (stages (stages - 1) / 2,), the states of the stages (stages n,), and what
        `states_of_stages` and `step_back` need.
    """
    kept = solved[count * n :]
    columns = work
    for back in range(1, stages):
        s = stages - 1 - back
        for j in range(back):
            later = s + 1 + j
            columns[back * (back - 1) // 2 + j] = tableau[later * (later - 1) // 2 + s]
    again = columns[stages * (stages - 1) // 2 :]
    scratch = again[stages * n :]
    own = scratch[1 + (stages + 2) * padded(n) :]
    fill(1 + 2 * n + (stages + 2) * padded(n) + parameters, 0.0, own)
    fill(n + parameters, 0.0 if kept[count - 1] >= 0.0 else math.nan, out)
    if kept[count - 1] >= 0.0:
        totals = out[n:]
        for back in range(count):
            row = count - 1 - back
            seed = seeds[row * n :]
            for i in range(n):
                out[i] += seed[i]
            last = int(kept[row])
            first = int(kept[row - 1]) if row > 0 else 0
            for backwards in range(last - first):
                begin = kept[count + (last - 1 - backwards) * (2 + keeps * n) :]
                states = begin[2:]
                if keeps == 1:
                    states_of_stages(rhs, stages, n, tableau, begin, again, scratch)
                    states = again
                step_back(pulled, stages, n, parameters, tableau, columns, begin, states, out, totals, own)


def dopri5_adjoint(
    rhs: LogDensity, pulled: LogDensity, n: Int, parameters: Int, count: Int, seeds: Floats, solved: Floats,
    keeps: Int, out: Floats, work: Floats,
) -> Int:  # fmt: skip
    """Of `dopri5_steps`."""
    fill_dopri5(work)
    take_back(rhs, pulled, 6, n, parameters, count, seeds, solved, keeps, work, out, work[44:])
    return FINISHED


def dopri8_adjoint(
    rhs: LogDensity, pulled: LogDensity, n: Int, parameters: Int, count: Int, seeds: Floats, solved: Floats,
    keeps: Int, out: Floats, work: Floats,
) -> Int:  # fmt: skip
    """Of `dopri8_steps`."""
    fill_dopri8(work)
    take_back(rhs, pulled, 12, n, parameters, count, seeds, solved, keeps, work, out, work[116:])
    return FINISHED
