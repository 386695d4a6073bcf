"""The adjoint of adaptive Runge–Kutta methods as a kernel: the cotangents of the steps that were taken.

A solve keeps where each step began. Then the steps are taken back from the last to the first, their stages computed
once more, and each is differentiated as it stands, its length a constant (Hager 2000, Numer. Math. 87, 247–282; Sandu
2006, On the properties of Runge–Kutta discrete adjoints, ICCS 2006). The cost does not grow with the number of
parameters.
"""

from bayesad.ad.backends.llvm.kernel import Float, Floats, Int, LogDensity
from bayesad.ad.backends.llvm.runge_kutta import FINISHED, failed, fill_dopri5, fill_dopri8, padded, runge_kutta

__all__ = ["dopri5_adjoint", "dopri8_adjoint"]


def step_back(
    rhs: LogDensity, pulled: LogDensity, stages: Int, n: Int, parameters: Int, tableau: Floats, begin: Floats,
    adjoint: Floats, totals: Floats, work: Floats,
) -> None:  # fmt: skip
    """Take the cotangent of the states over one step, and add what the parameters get.

    Parameters
    ----------
    begin : Floats (2 + n,)
        Time, length of the step, and states at its begin.
    adjoint : Floats (n,)
        At the end of the step; on return at its begin.
    totals : Floats (parameters,)
    work : Floats (1 + 2 n + 3 stages n + n + parameters,)
    """
    b = tableau[stages * (stages - 1) // 2 :]
    c = b[stages:]
    argument = work
    states = work[1 + 2 * n :]
    slopes = states[stages * n :]
    cotangents = slopes[stages * n :]
    results = cotangents[stages * n :]
    t = begin[0]
    step = begin[1]
    place = 0
    for s in range(stages):
        state = states[s * n :]
        for i in range(n):
            state[i] = begin[2 + i]
        for j in range(s):
            weight = step * tableau[place + j]
            slope = slopes[j * n :]
            for i in range(n):
                state[i] += weight * slope[i]
        place += s
        argument[0] = t + step * c[s]
        for i in range(n):
            argument[1 + i] = state[i]
        rhs(argument, slopes[s * n :])
    seed = argument[1 + n :]
    for back in range(stages):
        s = stages - 1 - back
        state = states[s * n :]
        argument[0] = t + step * c[s]
        for i in range(n):
            argument[1 + i] = state[i]
            seed[i] = step * b[s] * adjoint[i]
        for later in range(s + 1, stages):
            weight = step * tableau[later * (later - 1) // 2 + s]
            cotangent = cotangents[later * n :]
            for i in range(n):
                seed[i] += weight * cotangent[i]
        pulled(argument, results)
        own = cotangents[s * n :]
        for i in range(n):
            own[i] = results[i]
        moved = results[n:]
        for i in range(parameters):
            totals[i] += moved[i]
    for s in range(stages):
        cotangent = cotangents[s * n :]
        for i in range(n):
            adjoint[i] += cotangent[i]


def take_back(
    rhs: LogDensity, pulled: LogDensity, stages: Int, order: Int, states: Int, n: Int, parameters: Int, count: Int,
    t0: Float, ts: Floats, y0: Floats, seeds: Floats, rtol: Float, atol: Float, tableau: Floats, most_steps: Int,
    out: Floats, work: Floats,
) -> Int:  # fmt: skip
    """Solve, and take the cotangents ``seeds`` (count, n) of the solution back to those of y0 and the parameters.

    Parameters
    ----------
    pulled : LogDensity
        Writes the cotangents of the states and of all parameters at (t, y, cotangent of the slopes).
    out : Floats (n + parameters,)
        Result.
    work : Floats
        The solution (count n), that of `runge_kutta`, that of `step_back`, and the steps.
    """
    solution = work[1:]
    own = solution[count * n :]
    scratch = own[4 + (stages + 6) * padded(n) :]
    kept = scratch[1 + 3 * n + 3 * stages * n + parameters :]
    status = runge_kutta(
        rhs, stages, order, states, n, count, t0, ts, y0, rtol, atol, tableau, solution, own, most_steps, kept, True
    )  # fmt: skip
    work[0] = own[0]
    if status != FINISHED:
        return failed(status, own[0], 0, 1, n + parameters, out, work)
    for i in range(n + parameters):
        out[i] = 0.0
    totals = out[n:]
    for back in range(count):
        row = count - 1 - back
        seed = seeds[row * n :]
        for i in range(n):
            out[i] += seed[i]
        last = int(kept[row])
        first = int(kept[row - 1]) if row > 0 else 0
        for backwards in range(last - first):
            begin = kept[count + (last - 1 - backwards) * (n + 2) :]
            step_back(rhs, pulled, stages, n, parameters, tableau, begin, out, totals, scratch)
    return FINISHED


def dopri5_adjoint(
    rhs: LogDensity, pulled: LogDensity, states: Int, n: Int, parameters: Int, count: Int, t0: Float, ts: Floats,
    y0: Floats, seeds: Floats, rtol: Float, atol: Float, most_steps: Int, out: Floats, work: Floats,
) -> Int:  # fmt: skip
    """Of `dopri5`."""
    fill_dopri5(work)
    own = work[44:]
    status = take_back(
        rhs, pulled, 6, 5, states, n, parameters, count, t0, ts, y0, seeds, rtol, atol, work, most_steps, out, own
    )  # fmt: skip
    work[0] = own[0]
    return status


def dopri8_adjoint(
    rhs: LogDensity, pulled: LogDensity, states: Int, n: Int, parameters: Int, count: Int, t0: Float, ts: Floats,
    y0: Floats, seeds: Floats, rtol: Float, atol: Float, most_steps: Int, out: Floats, work: Floats,
) -> Int:  # fmt: skip
    """Of `dopri8`."""
    fill_dopri8(work)
    own = work[116:]
    status = take_back(
        rhs, pulled, 12, 8, states, n, parameters, count, t0, ts, y0, seeds, rtol, atol, work, most_steps, out, own
    )  # fmt: skip
    work[0] = own[0]
    return status
