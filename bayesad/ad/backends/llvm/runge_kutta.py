"""Adaptive Runge–Kutta methods as a kernel: the pairs of Dormand & Prince of orders 5(4) and 8(5, 3).

Coefficients: Dormand & Prince 1980, J. Comput. Appl. Math. 6, 19–26, and Hairer, Nørsett & Wanner 1993, Solving
Ordinary Differential Equations I, tables II.5.2 and II.5.4 (their code dop853). The last stage of a step is the first
of the next one. The error of a step, a root mean square in units of the tolerance, is that of the block whose error is
largest: the states, or one of their sensitivities.
"""

import math

from bayesad.ad.backends.llvm.kernel import WIDTH, Float, Floats, Int, LogDensity, lanes, put
from bayesad.ad.backends.llvm.kernel_vectors import copy, padded

__all__ = ["FINISHED", "NOT_FINITE", "OUT_OF_ORDER", "TOO_MANY_STEPS", "TOO_SMALL", "dopri5", "dopri8"]

FINISHED, TOO_SMALL, NOT_FINITE, TOO_MANY_STEPS, OUT_OF_ORDER = range(5)
"""How a solve ends; anything but FINISHED is a failure."""

SMALLEST_STEP = 16 * 2.0**-52  # relative to the time
SAFETY = 0.9
LEAST_FACTOR, GREATEST_FACTOR = 0.2, 10.0  # of a step to the one before

# fmt: off
# A below the diagonal, row by row.
DOPRI5_A = (
    1 / 5,
    3 / 40, 9 / 40,
    44 / 45, -56 / 15, 32 / 9,
    19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729,
    9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656,
)
DOPRI5_B = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
DOPRI5_C = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0)
DOPRI5_E = (-71 / 57600, 0.0, 71 / 16695, -71 / 1920, 17253 / 339200, -22 / 525, 1 / 40)
DOPRI8_A = (
    0.05260015195876773, 0.0197250569845379, 0.0591751709536137, 0.02958758547680685, 0.0, 0.08876275643042054,
    0.2413651341592667, 0.0, -0.8845494793282861, 0.924834003261792, 0.037037037037037035, 0.0, 0.0,
    0.17082860872947386, 0.12546768756682242, 0.037109375, 0.0, 0.0, 0.17025221101954405, 0.06021653898045596,
    -0.017578125, 0.03709200011850479, 0.0, 0.0, 0.17038392571223998, 0.10726203044637328, -0.015319437748624402,
    0.008273789163814023, 0.6241109587160757, 0.0, 0.0, -3.3608926294469414, -0.868219346841726, 27.59209969944671,
    20.154067550477894, -43.48988418106996, 0.47766253643826434, 0.0, 0.0, -2.4881146199716677, -0.590290826836843,
    21.230051448181193, 15.279233632882423, -33.28821096898486, -0.020331201708508627, -0.9371424300859873, 0.0, 0.0,
    5.186372428844064, 1.0914373489967295, -8.149787010746927, -18.52006565999696, 22.739487099350505,
    2.4936055526796523, -3.0467644718982196, 2.273310147516538, 0.0, 0.0, -10.53449546673725, -2.0008720582248625,
    -17.9589318631188, 27.94888452941996, -2.8589982771350235, -8.87285693353063, 12.360567175794303,
    0.6433927460157636,
)
DOPRI8_B = (
    0.054293734116568765, 0.0, 0.0, 0.0, 0.0, 4.450312892752409, 1.8915178993145003, -5.801203960010585,
    0.3111643669578199, -0.1521609496625161, 0.20136540080403034, 0.04471061572777259,
)
DOPRI8_C = (
    0.0, 0.05260015195876773, 0.0789002279381516, 0.1183503419072274, 0.2816496580927726, 0.3333333333333333, 0.25,
    0.3076923076923077, 0.6512820512820513, 0.6, 0.8571428571428571, 1.0,
)
DOPRI8_E5 = (
    0.01312004499419488, 0.0, 0.0, 0.0, 0.0, -1.2251564463762044, -0.4957589496572502, 1.6643771824549864,
    -0.35032884874997366, 0.3341791187130175, 0.08192320648511571, -0.022355307863886294, 0.0,
)
DOPRI8_E3 = (
    -0.18980075407240762, 0.0, 0.0, 0.0, 0.0, 4.450312892752409, 1.8915178993145003, -5.801203960010585,
    -0.4226823213237919, -0.1521609496625161, 0.20136540080403034, 0.02265179219836082, 0.0,
)
# fmt: on


def weigh(size: Int, rtol: Float, atol: Float, y: Floats, new: Floats, weights: Floats) -> None:
    """What makes errors multiples of the tolerance, for the larger of two vectors in every place."""
    for i in range(size):
        weights[i] = 1.0 / (atol + rtol * max(abs(y[i]), abs(new[i])))


def error_norm(states: Int, size: Int, weights: Floats, error: Floats) -> Float:
    """The largest root mean square, over blocks of ``states`` numbers, of weighted errors."""
    largest = 0.0
    for block in range(size // states):
        total = 0.0
        for i in range(block * states, (block + 1) * states):
            weighted = weights[i] * error[i]
            total += weighted * weighted
        largest = total if total > largest or total != total else largest
    return math.sqrt(largest / float(states))


def is_finite(n: Int, x: Floats) -> Int:
    """1 where all numbers are finite, else 0."""
    total = 0.0
    for i in range(n):
        total += 0.0 * x[i]
    return 1 if total == 0.0 else 0


def first_step(
    rhs: LogDensity, states: Int, size: Int, order: Float, t0: Float, length: Float, rtol: Float, atol: Float,
    y: Floats, slope: Floats, argument: Floats, other: Floats, weights: Floats,
) -> Float:  # fmt: skip
    """A step that an Euler step's second derivative suggests (Hairer, Nørsett & Wanner 1993, II.4)."""
    weigh(size, rtol, atol, y, y, weights)
    d0 = error_norm(states, size, weights, y)
    d1 = error_norm(states, size, weights, slope)
    h = 0.01 * d0 / d1 if d0 > 1e-5 and d1 > 1e-5 else 1e-6
    h = min(h, length)
    argument[0] = t0 + h
    for i in range(size):
        argument[1 + i] = y[i] + h * slope[i]
    rhs(argument, other)
    for i in range(size):
        other[i] -= slope[i]
    d2 = error_norm(states, size, weights, other) / h
    steepest = max(d1, d2)
    following = max(1e-6, 1e-3 * h) if steepest <= 1e-15 else math.pow(0.01 / steepest, 1.0 / order)
    found = min(min(100.0 * h, following), length)
    return found if found > 0.0 else min(1e-6, length)  # NaN beyond the Euler step, or a slope of which h is no scale


def failed(status: Int, t: Float, row: Int, count: Int, size: Int, out: Floats, work: Floats) -> Int:
    """Note the time reached, and leave NaN in the rows that were not."""
    work[0] = t
    for i in range(row * size, count * size):
        out[i] = math.nan
    return status


def combine(
    length: Int, count: Int, step: Float, weights: Floats, slopes: Floats, start: Floats, target: Floats
) -> None:  # fmt: skip
    """``target = start + step * (the sum of weights times slopes)``, of padded vectors."""
    four = 4 * WIDTH
    done = length // four * four
    for i in range(0, done, four):  # side by side, as each sum waits for its last term
        first = lanes(start, i)
        second = lanes(start, i + WIDTH)
        third = lanes(start, i + 2 * WIDTH)
        fourth = lanes(start, i + 3 * WIDTH)
        for j in range(count):
            weight = step * weights[j]
            slope = slopes[j * length + i :]
            first = first + weight * lanes(slope, 0)
            second = second + weight * lanes(slope, WIDTH)
            third = third + weight * lanes(slope, 2 * WIDTH)
            fourth = fourth + weight * lanes(slope, 3 * WIDTH)
        put(target, i, first)
        put(target, i + WIDTH, second)
        put(target, i + 2 * WIDTH, third)
        put(target, i + 3 * WIDTH, fourth)
    for i in range(done, length, WIDTH):
        result = lanes(start, i)
        for j in range(count):
            result = result + step * weights[j] * lanes(slopes, j * length + i)
        put(target, i, result)


def fill(length: Int, value: Float, target: Floats) -> None:
    for i in range(length):
        target[i] = value


def runge_kutta(
    rhs: LogDensity, stages: Int, order: Int, states: Int, size: Int, count: Int, t0: Float, ts: Floats, y0: Floats,
    rtol: Float, atol: Float, tableau: Floats, out: Floats, work: Floats, most_steps: Int, kept: Floats, keeps: Int,
) -> Int:  # fmt: skip
    """Solve from t0 on, stepping exactly onto every time in ``ts``.

    Parameters
    ----------
    rhs : LogDensity
        Writes the slopes (size,) at (t, y), of length 1 + size.
    order : Int
        That the error of a step is assumed to have.
    states : Int
        The length of a block; the first block holds the states, the others are sensitivities.
    ts : Floats (count,)
    tableau : Floats
        A, B, C and the two rows of error weights.
    out : Floats (count, size)
        Result.
    work : Floats (4 + (stages + 6) padded(size),)
        work[0] is the time reached.
    keeps : Int
        How many vectors are kept of every step: none, the one it begins with, or those of all stages.
    kept : Floats (count + most_steps (2 + keeps size),)
        Where something is kept: for every row the number of steps taken until then; of every step the time at its
        begin, its length, and those vectors.
    """
    a = tableau
    b = a[stages * (stages - 1) // 2 :]
    c = b[stages:]
    e = c[stages:]
    e3 = e[stages + 1 :]
    length = padded(size)
    fill(4 + (stages + 6) * length, 0.0, work)
    argument = work[3:]  # its states, as all vectors, begin with whole Lanes
    new = argument[1:]
    y = new[length:]
    error = y[length:]
    error3 = error[length:]
    weights = error3[length:]
    k = weights[length:]
    for i in range(size):
        y[i] = y0[i]
        new[i] = y0[i]
    argument[0] = t0
    rhs(argument, k)
    if is_finite(size, k) == 0 or is_finite(size, y) == 0:
        return failed(NOT_FINITE, t0, 0, count, size, out, work)
    t = t0
    h = 0.0
    if count > 0 and ts[count - 1] > t0:
        h = first_step(
            rhs, states, size, float(order), t0, ts[count - 1] - t0, rtol, atol, y, k, argument, error, weights
        )
    steps = 0
    accepted = 0
    greatest = GREATEST_FACTOR
    for row in range(count):
        end = ts[row]
        if not end >= t:
            return failed(OUT_OF_ORDER, t, row, count, size, out, work)
        while t < end:
            left = end - t
            step = h
            if h >= left:
                step = left
            elif 2.0 * h > left:
                step = 0.5 * left
            if step < left and not step > SMALLEST_STEP * abs(t):
                status = TOO_SMALL if is_finite(size, new) == 1 else NOT_FINITE
                return failed(status, t, row, count, size, out, work)
            if steps == most_steps:
                return failed(TOO_MANY_STEPS, t, row, count, size, out, work)
            steps += 1
            place = count + accepted * (2 + keeps * size)
            for s in range(1, stages):
                combine(length, s, step, a[s * (s - 1) // 2 :], k, y, new)
                if keeps > 1:
                    copy(size, new, kept[place + 2 + s * size :])
                argument[0] = t + step * c[s]
                rhs(argument, k[s * length :])
            combine(length, stages, step, b, k, y, new)
            argument[0] = t + step
            rhs(argument, k[stages * length :])
            fill(2 * length, 0.0, error)
            combine(length, stages + 1, step, e, k, error, error)
            weigh(length, rtol, atol, y, new, weights)
            norm = error_norm(states, size, weights, error)
            if e3[0] != 0.0:
                combine(length, stages + 1, step, e3, k, error3, error3)
                norm3 = error_norm(states, size, weights, error3)
                if norm > 0.0:
                    norm = norm * norm / math.sqrt(norm * norm + 0.01 * norm3 * norm3)
            factor = GREATEST_FACTOR
            if norm > 0.0:
                factor = max(LEAST_FACTOR, SAFETY * math.pow(norm, -1.0 / float(order)))
            if norm <= 1.0:
                if keeps > 0:
                    kept[place] = t
                    kept[place + 1] = step
                    copy(size, y, kept[place + 2 :])
                accepted += 1
                t = end if step == left else t + step
                slope = k[stages * length :]
                for i in range(0, length, WIDTH):
                    put(y, i, lanes(new, i))
                    put(k, i, lanes(slope, i))
                h = max(h, step * min(factor, greatest)) if step < h else step * min(factor, greatest)
                greatest = GREATEST_FACTOR
            else:
                h = step * (min(factor, 1.0) if norm < math.inf else LEAST_FACTOR)
                greatest = 1.0
        for i in range(size):
            out[row * size + i] = y[i]
        if keeps > 0:
            kept[row] = float(accepted)
    work[0] = t
    return FINISHED


def fill_dopri5(tableau: Floats) -> None:
    for i in range(15):
        tableau[i] = DOPRI5_A[i]
    for i in range(6):
        tableau[15 + i] = DOPRI5_B[i]
        tableau[21 + i] = DOPRI5_C[i]
    for i in range(7):
        tableau[27 + i] = DOPRI5_E[i]
        tableau[34 + i] = 0.0


def fill_dopri8(tableau: Floats) -> None:
    for i in range(66):
        tableau[i] = DOPRI8_A[i]
    for i in range(12):
        tableau[66 + i] = DOPRI8_B[i]
        tableau[78 + i] = DOPRI8_C[i]
    for i in range(13):
        tableau[90 + i] = DOPRI8_E5[i]
        tableau[103 + i] = DOPRI8_E3[i]


def dopri5(
    rhs: LogDensity, jacobian: LogDensity, states: Int, size: Int, count: Int, t0: Float, ts: Floats, y0: Floats,
    rtol: Float, atol: Float, most_steps: Int, out: Floats, work: Floats,
) -> Int:  # fmt: skip
    """Order 5, error of order 4: cheap steps."""
    fill_dopri5(work)
    own = work[44:]
    status = runge_kutta(
        rhs, 6, 5, states, size, count, t0, ts, y0, rtol, atol, work, out, own, most_steps, own, 0
    )  # fmt: skip
    work[0] = own[0]
    return status


def dopri8(
    rhs: LogDensity, jacobian: LogDensity, states: Int, size: Int, count: Int, t0: Float, ts: Floats, y0: Floats,
    rtol: Float, atol: Float, most_steps: Int, out: Floats, work: Floats,
) -> Int:  # fmt: skip
    """Order 8, error of orders 5 and 3: long steps for smooth solutions at tight tolerances."""
    fill_dopri8(work)
    own = work[116:]
    status = runge_kutta(
        rhs, 12, 8, states, size, count, t0, ts, y0, rtol, atol, work, out, own, most_steps, own, 0
    )  # fmt: skip
    work[0] = own[0]
    return status
