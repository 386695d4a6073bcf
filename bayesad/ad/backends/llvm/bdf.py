"""Backward differentiation for stiff systems as a kernel: the NDF of orders 1 to 5 in backward differences.

Shampine & Reichelt 1997, The MATLAB ODE Suite, SIAM J. Sci. Comput. 18, 1–22 (equations and sections below are theirs).
Sensitivities are corrected by the same simplified Newton iterations as the states, with their matrix, block by block
(Maly & Petzold 1996, Appl. Numer. Math. 20, 57–79). A correction of the states moves the equations of the sensitivities
by second derivatives times it, which in a stiff system is large and says nothing of how the iterations converge: the
sensitivities are looked at once the states have converged (Feehery, Tolsma & Barton 1997, Appl. Numer. Math. 25, 41).
"""

import math

from bayesad.ad.backends.llvm.kernel import Bool, Float, Floats, Int, LogDensity
from bayesad.ad.backends.llvm.runge_kutta import (
    FINISHED,
    NOT_FINITE,
    OUT_OF_ORDER,
    SMALLEST_STEP,
    TOO_MANY_STEPS,
    TOO_SMALL,
    error_norm,
    failed,
    first_step,
    is_finite,
    weigh,
)

__all__ = ["bdf"]

GREATEST_ORDER = 5
ROWS = 8  # differences kept: up to order + 2
ITERATIONS = 4
LEAST_FACTOR, GREATEST_FACTOR = 0.2, 10.0
EPSILON = 2.0**-52
GAMMA = (0.0, 1.0, 3 / 2, 11 / 6, 25 / 12, 137 / 60)  # sums of 1 / j, equation (4)
KAPPA = (0.0, -0.1850, -1 / 9, -0.0823, -0.0415, 0.0)  # table 1
ERROR = tuple(k * g + 1 / (i + 1) for i, (k, g) in enumerate(zip(KAPPA, GAMMA, strict=True)))  # equation (6)


def factorise(n: Int, matrix: Floats, pivots: Floats) -> Bool:
    """Replace a matrix by its triangular factors, with rows exchanged; False if it is singular."""
    for j in range(n):
        best = j
        for i in range(j + 1, n):
            if abs(matrix[i * n + j]) > abs(matrix[best * n + j]):
                best = i
        pivots[j] = float(best)
        top = matrix[j * n :]
        if best != j:
            other = matrix[best * n :]
            for k in range(n):
                x = top[k]
                top[k] = other[k]
                other[k] = x
        pivot = top[j]
        if not abs(pivot) > 0.0:
            return False
        for i in range(j + 1, n):
            row = matrix[i * n :]
            multiplier = row[j] / pivot
            row[j] = multiplier
            if multiplier != 0.0:
                for k in range(j + 1, n):
                    row[k] -= multiplier * top[k]
    return True


def solve(n: Int, matrix: Floats, pivots: Floats, x: Floats) -> None:
    """Solve with the factors, in place."""
    for i in range(n):
        at = int(pivots[i])
        value = x[at]
        x[at] = x[i]
        x[i] = value
    for i in range(n):
        row = matrix[i * n :]
        total = x[i]
        for k in range(i):
            total -= row[k] * x[k]
        x[i] = total
    for back in range(n):
        i = n - 1 - back
        row = matrix[i * n :]
        total = x[i]
        for k in range(i + 1, n):
            total -= row[k] * x[k]
        x[i] = total / row[i]


def rescale(order: Int, factor: Float, size: Int, differences: Floats, scratch: Floats) -> None:
    """Differences for steps ``factor`` times as long (section 2.2): D := (R(factor) R(1))^T D."""
    n = order + 1
    r = scratch
    u = scratch[n * n :]
    product = u[n * n :]
    column = product[n * n :]
    for j in range(n):
        r[j] = 1.0
        u[j] = 1.0
        for i in range(1, n):
            previous = (i - 1) * n + j
            r[i * n + j] = r[previous] * (float(i - 1) - factor * float(j)) / float(i) if j > 0 else 0.0
            u[i * n + j] = u[previous] * float(i - 1 - j) / float(i) if j > 0 else 0.0
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += r[i * n + k] * u[k * n + j]
            product[i * n + j] = total
    for s in range(size):
        for i in range(n):
            column[i] = differences[i * size + s]
        for j in range(n):
            total = 0.0
            for i in range(n):
                total += product[i * n + j] * column[i]
            differences[j * size + s] = total


def interpolate(order: Int, size: Int, t: Float, end: Float, h: Float, differences: Floats, out: Floats) -> None:
    """The polynomial through the last values, at a time within the step of length ``h`` that ended at ``end``."""
    for i in range(size):
        out[i] = differences[i]
    product = 1.0
    for j in range(order):
        product *= (t - (end - h * float(j))) / (h * float(1 + j))
        row = differences[(j + 1) * size :]
        for i in range(size):
            out[i] += product * row[i]


def root_factor(norm: Float, order: Int) -> Float:
    """By how much a step could be longer for an error of one."""
    return math.pow(norm, -1.0 / float(order)) if norm > 0.0 else math.inf


def bdf(
    rhs: LogDensity, jacobian: LogDensity, states: Int, size: Int, count: Int, t0: Float, ts: Floats, y0: Floats,
    rtol: Float, atol: Float, most_steps: Int, out: Floats, work: Floats,
) -> Int:  # fmt: skip
    """Solve from t0 on; the values at ``ts`` are those of the step's interpolating polynomial.

    Parameters
    ----------
    rhs, jacobian : LogDensity
        Write the slopes (size,), and the derivatives of the first block of them by its states (states, states), at
        (t, y), of length 1 + size.
    states, size : Int
        As in `runge_kutta`.
    work : Floats ((ROWS + 7) size + 2 states (states + 1) + 3 (ROWS ROWS) + ROWS + 2,)
        work[0] is the time reached.
    """
    argument = work[1:]
    y = argument[1:]
    differences = y[size:]
    slope = differences[ROWS * size :]
    psi = slope[size:]
    correction = psi[size:]
    update = correction[size:]
    predicted = update[size:]
    weights = predicted[size:]
    derivative = weights[size:]
    matrix = derivative[states * states :]
    pivots = matrix[states * states :]
    scratch = pivots[states:]
    argument[0] = t0
    for i in range(size):
        y[i] = y0[i]
        predicted[i] = y0[i]
    rhs(argument, slope)
    if is_finite(size, slope) == 0 or is_finite(size, y) == 0:
        return failed(NOT_FINITE, t0, 0, count, size, out, work)
    final = ts[count - 1] if count > 0 else t0
    h = 0.0
    if final > t0:
        h = first_step(rhs, states, size, 2.0, t0, final - t0, rtol, atol, predicted, slope, argument, update, weights)
    argument[0] = t0
    for i in range(size):
        y[i] = y0[i]
        differences[i] = y0[i]
        differences[size + i] = h * slope[i]
    for i in range(2 * size, ROWS * size):
        differences[i] = 0.0
    jacobian(argument, derivative)
    tolerance = max(10.0 * EPSILON / rtol, min(0.03, math.sqrt(rtol)))
    order = 1
    equal_steps = 0
    fresh = True  # the derivative is that at the last point
    factorised = False
    steps = 0
    t = t0
    row = 0
    while row < count and ts[row] == t0:
        for i in range(size):
            out[row * size + i] = y0[i]
        row += 1
    last = t0
    for i in range(row, count):
        if not ts[i] >= last:
            return failed(OUT_OF_ORDER, last, row, count, size, out, work)
        last = ts[i]
    while row < count:
        if steps == most_steps:
            return failed(TOO_MANY_STEPS, t, row, count, size, out, work)
        steps += 1
        if not h > SMALLEST_STEP * abs(t):
            status = TOO_SMALL if is_finite(size, y) == 1 else NOT_FINITE
            return failed(status, t, row, count, size, out, work)
        end = t + h
        if end >= final:
            end = final
            if final - t != h:
                rescale(order, (final - t) / h, size, differences, scratch)
                equal_steps = 0
                factorised = False
                h = final - t
        for i in range(size):
            total = differences[i]
            weighted = 0.0
            for j in range(1, order + 1):
                total += differences[j * size + i]
                weighted += GAMMA[j] * differences[j * size + i]
            predicted[i] = total
            y[i] = total
            psi[i] = weighted / ((1.0 - KAPPA[order]) * GAMMA[order])
            correction[i] = 0.0
        argument[0] = end
        c = h / ((1.0 - KAPPA[order]) * GAMMA[order])
        regular = True
        if not factorised:
            for i in range(states * states):
                matrix[i] = -c * derivative[i]
            for i in range(states):
                matrix[i * states + i] += 1.0
            regular = factorise(states, matrix, pivots)
            factorised = True
        weigh(size, rtol, atol, predicted, predicted, weights)
        converged = False
        judged = states  # numbers whose corrections are looked at: first the states, then all
        iterations = 0
        before = 0.0
        rate = 0.0
        iterating = regular
        while iterating:
            rhs(argument, slope)
            for i in range(size):
                update[i] = c * slope[i] - psi[i] - correction[i]
            for block in range(size // states):
                solve(states, matrix, pivots, update[block * states :])
            norm = error_norm(states, judged, weights, update)
            iterations += 1
            if iterations > 1:
                rate = norm / before if before > 0.0 else 0.0
            known = iterations > 1 or (judged > states and rate > 0.0)
            iterating = norm < math.inf and rate < 1.0
            if iterating and iterations > 1:
                left = math.pow(rate, float(ITERATIONS - iterations + 1)) / (1.0 - rate) * norm
                iterating = left <= tolerance
            if iterating:
                for i in range(size):
                    correction[i] += update[i]
                    y[i] = predicted[i] + correction[i]
                done = norm == 0.0 or (known and rate / (1.0 - rate) * norm < tolerance)
                converged = done and judged == size
                before = norm
                iterating = not converged and (done or iterations < ITERATIONS)
                if done:
                    judged = size
                    iterations = iterations if converged else 0
        if not converged:
            if fresh:
                h *= 0.5
                rescale(order, 0.5, size, differences, scratch)
                equal_steps = 0
            else:
                for i in range(size):
                    y[i] = predicted[i]
                jacobian(argument, derivative)
                fresh = True
            factorised = False
        else:
            safety = 0.9 * (2.0 * ITERATIONS + 1.0) / (2.0 * ITERATIONS + float(iterations))
            for i in range(size):
                update[i] = ERROR[order] * correction[i]
            weigh(size, rtol, atol, y, y, weights)
            norm = error_norm(states, size, weights, update)
            if norm > 1.0:
                factor = max(LEAST_FACTOR, safety * root_factor(norm, order + 1))
                h *= factor
                rescale(order, factor, size, differences, scratch)
                equal_steps = 0
                factorised = False
            else:
                fresh = False
                equal_steps += 1
                for i in range(size):
                    differences[(order + 2) * size + i] = correction[i] - differences[(order + 1) * size + i]
                    differences[(order + 1) * size + i] = correction[i]
                    for back in range(order + 1):
                        j = order - back
                        differences[j * size + i] += differences[(j + 1) * size + i]
                while row < count and ts[row] <= end:
                    interpolate(order, size, ts[row], end, h, differences, out[row * size :])
                    row += 1
                t = end
                if equal_steps > order and row < count:
                    here = root_factor(norm, order + 1)
                    lower = 0.0
                    if order > 1:
                        for i in range(size):
                            update[i] = ERROR[order - 1] * differences[order * size + i]
                        lower = root_factor(error_norm(states, size, weights, update), order)
                    higher = 0.0
                    if order < GREATEST_ORDER:
                        for i in range(size):
                            update[i] = ERROR[order + 1] * differences[(order + 2) * size + i]
                        higher = root_factor(error_norm(states, size, weights, update), order + 2)
                    best = max(here, max(lower, higher))
                    if best != here:
                        order += 1 if best == higher else -1
                    factor = min(GREATEST_FACTOR, safety * best)
                    h *= factor
                    rescale(order, factor, size, differences, scratch)
                    equal_steps = 0
                    factorised = False
    work[0] = t
    return FINISHED
