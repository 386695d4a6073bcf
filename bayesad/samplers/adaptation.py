"""What warmup learns: the step size by dual averaging, and the metric from the draws of windows that double in length.

The schedule and the dual averaging are Stan's (reference manual, "MCMC sampling", sections on automatic parameter
tuning; Hoffman & Gelman 2014, algorithms 4 and 6); so is the shrinkage of the estimates but for its target, see
`update_metric`.

The metric "auto" takes the dense estimate where it pays. At the end of a window with n draws, the number of leapfrog
steps per independent draw grows with the condition number of Langmore et al. (2019, arXiv:1905.09813), which for the
correlation matrix R that a diagonal metric leaves, relative to no correlation, is

    difficulty = (lambda_max(R) |R^-1|_F / sqrt(d))^(1/2).

With g = d/n, n draws without any correlation would show a difficulty of about (1 + sqrt(g)) / (1 - g)^(3/4), and a
dense metric from them leaves one of (1 + g)^(1/4) / (1 - sqrt(g)) whatever the truth (both are limits of Marchenko &
Pastur 1967). A leapfrog step with a dense metric costs about 1 + d/100 times one with a diagonal metric. The dense
metric is taken when the difficulty seen exceeds the product of these three.

Estimators of the metric are the functions that `update_metric` chooses among; they fill `factor` from what `observe`
collects. One that uses gradients as well takes its place there and collects them in `observe`.
"""

import math
from typing import NamedTuple

from bayesad.ad.backends.llvm.kernel import Bool, Float, Floats, Int, Ints, LogDensity, Words
from bayesad.samplers.control import COMPLETE, LEAPFROGS, STEP_SIZE_TOO_LARGE, STEP_SIZE_TOO_SMALL, STOP, STOPPED
from bayesad.samplers.hamiltonian import DENSE, DIAGONAL, copy, force, kinetic_energy, leapfrog
from bayesad.samplers.random import fill_normals

__all__ = [
    "AUTO",
    "MOST_FOR_AUTO",
    "Windows",
    "find_step_size",
    "finish_step_size",
    "learn_step_size",
    "observe",
    "restart_step_size",
    "update_metric",
    "windows",
]

AUTO = 2
"""The metric that `update_metric` chooses itself; the others are DIAGONAL and DENSE."""

MOST_FOR_AUTO = 256
"""Above this dimension "auto" means diagonal: the draws of an ordinary warmup are too few for a dense metric."""

# Lengths of Stan's schedule.
_FAST_START = 75
_FIRST_WINDOW = 25
_FAST_END = 50
_LEAST_WARMUP = 20

# Dual averaging: names of Hoffman & Gelman, values of Stan.
_GAMMA = 0.05
_T0 = 10.0
_KAPPA = 0.75

# Places in the floats of the dual averaging.
STEP = 0  # the step size in use
MU = 1
ERROR = 2  # running mean of target minus acceptance
LOG_STEP_MEAN = 3
COUNT = 4
TUNING_SIZE = 5

_LARGEST_STEP = 1e7
_SMALLEST_STEP = 1e-200
_LOG_CROSSING = math.log(0.8)
_LARGEST_LOG = 700.0

_SHRINKAGE = 5.0  # as many uncorrelated draws of 1e-3 times the variance are added to a window's
_SHRINKAGE_SHARE = 1e-3
_DENSE_COST = 100.0
_POWER_ITERATIONS = 50


class Windows(NamedTuple):
    """The iterations of warmup whose draws estimate the metric.

    Attributes
    ----------
    start : int
        The first of them, counted from 0.
    ends : tuple of int
        After so many iterations a window is complete and the metric is updated.
    """

    start: int
    ends: tuple[int, ...]


def windows(warmup: int) -> Windows:
    """Stan's schedule: 75 iterations for the step size, windows of 25, 50, 100, ... and 50 for the step size again.

    The last window takes in what would be too short for the next. Below 150 iterations the parts have 15 %, 75 % and
    10 %; below 20 there is no window.
    """
    if warmup < _LEAST_WARMUP:
        return Windows(warmup, ())
    start, window, end = _FAST_START, _FIRST_WINDOW, warmup - _FAST_END
    if start + window > end:
        start, end = int(0.15 * warmup), warmup - int(0.1 * warmup)
        window = end - start
    ends = [start + window]
    while ends[-1] < end:
        window *= 2
        following = ends[-1] + window
        ends.append(end if following + 2 * window > end else following)
    return Windows(start, tuple(ends))


def restart_step_size(tuning: Floats) -> None:
    """Begin dual averaging at the step size in use."""
    tuning[MU] = math.log(10.0 * tuning[STEP])
    tuning[ERROR] = 0.0
    tuning[LOG_STEP_MEAN] = 0.0
    tuning[COUNT] = 0.0


def learn_step_size(tuning: Floats, target: Float, acceptance: Float) -> None:
    """One update of dual averaging (Hoffman & Gelman 2014, algorithm 6)."""
    count = tuning[COUNT] + 1.0
    weight = 1.0 / (count + _T0)
    error = (1.0 - weight) * tuning[ERROR] + weight * (target - acceptance)
    log_step = tuning[MU] - math.sqrt(count) / _GAMMA * error
    memory = math.pow(count, -_KAPPA)
    tuning[COUNT] = count
    tuning[ERROR] = error
    tuning[LOG_STEP_MEAN] = memory * log_step + (1.0 - memory) * tuning[LOG_STEP_MEAN]
    tuning[STEP] = math.exp(max(-_LARGEST_LOG, min(_LARGEST_LOG, log_step)))


def finish_step_size(tuning: Floats) -> None:
    """End dual averaging: from now on the step size is its mean, if there were updates."""
    if tuning[COUNT] > 0.0:
        tuning[STEP] = math.exp(max(-_LARGEST_LOG, min(_LARGEST_LOG, tuning[LOG_STEP_MEAN])))


def find_step_size(
    log_density: LogDensity,
    kind: Int,
    dimension: Int,
    tuning: Floats,
    factor: Floats,
    position: Floats,
    gradient: Floats,
    start_log_density: Float,
    rng: Words,
    workspace: Floats,
    control: Ints,
) -> Int:
    """Double or halve the step size until the acceptance of one leapfrog step crosses 0.8 (algorithm 4, as in Stan).

    Parameters
    ----------
    workspace : Floats
        Of at least 5 d.

    Returns
    -------
    Int
        COMPLETE, or, with the step size unchanged, STOPPED, STEP_SIZE_TOO_LARGE or STEP_SIZE_TOO_SMALL.
    """
    momentum = workspace
    pull = workspace[dimension:]
    next_position = workspace[2 * dimension :]
    next_gradient = workspace[3 * dimension :]
    start_pull = workspace[4 * dimension :]
    force(kind, dimension, factor, gradient, start_pull)
    step = tuning[STEP]
    grow = 1.0
    trial = 0
    while True:
        if control[STOP] != 0:
            return STOPPED
        fill_normals(rng, dimension, momentum)
        copy(dimension, start_pull, pull)
        start_energy = kinetic_energy(dimension, momentum) - start_log_density
        new_log_density = leapfrog(
            log_density, kind, dimension, step, factor, position, momentum, pull, next_position, next_gradient
        )
        control[LEAPFROGS] += 1
        fall = start_energy - (kinetic_energy(dimension, momentum) - new_log_density)
        accepted = math.isfinite(fall) and fall > _LOG_CROSSING
        if trial == 0:
            grow = 2.0 if accepted else 0.5
        elif accepted != (grow > 1.0):
            tuning[STEP] = step
            return COMPLETE
        trial += 1
        step *= grow
        if step > _LARGEST_STEP:
            return STEP_SIZE_TOO_LARGE
        if step < _SMALLEST_STEP:
            return STEP_SIZE_TOO_SMALL


def observe(
    dense: Bool, dimension: Int, count: Int, position: Floats, mean: Floats, moment: Floats, deviation: Floats
) -> None:
    """Take draw number `count` (from 1) into the running mean and centred second moments (Welford 1962).

    Parameters
    ----------
    dense : Bool
        Whether `moment` holds the lower triangle of a d × d row-major matrix, or only d variances' sums.
    deviation : Floats (d,)
        Workspace.
    """
    if count == 1:
        for i in range(dimension * dimension if dense else dimension):
            moment[i] = 0.0
        for i in range(dimension):
            mean[i] = 0.0
    share = 1.0 / float(count)
    for i in range(dimension):
        deviation[i] = position[i] - mean[i]
        mean[i] += deviation[i] * share
    if dense:
        for i in range(dimension):
            row = moment[i * dimension :]
            after = position[i] - mean[i]
            for j in range(i + 1):
                row[j] += after * deviation[j]
    else:
        for i in range(dimension):
            moment[i] += (position[i] - mean[i]) * deviation[i]


def update_metric(
    choice: Int, kind: Int, dimension: Int, count: Int, moment: Floats, factor: Floats, workspace: Floats
) -> Int:
    """Set `factor` from the second moments of a window of `count` draws, regularised.

    The covariance is shrunk as in Stan, but towards 1e-3 times its own diagonal instead of 1e-3 times the identity: the
    metric is then the same whatever the units of the unknowns, and strong correlations of small numbers survive.

    Parameters
    ----------
    choice : Int
        DIAGONAL, DENSE or AUTO.
    kind : Int
        The metric in use, which stays if the moments are not finite or an unknown did not move at all.
    moment : Floats
        From `observe`, with `dense` for DENSE and AUTO.
    factor : Floats
        The metric's, see `bayesad.samplers.hamiltonian`; the result.
    workspace : Floats
        Of at least d² + 2 d for AUTO.

    Returns
    -------
    Int
        The metric's kind. DENSE falls back to DIAGONAL when the draws are no more than the unknowns, which makes the
        covariance singular, or if rounding makes it indefinite.
    """
    stride = 1 if choice == DIAGONAL else dimension + 1
    for i in range(dimension):
        if not (math.isfinite(moment[i * stride]) and moment[i * stride] > 0.0):
            return kind
    if choice != DIAGONAL and count > dimension and _dense_factor(choice, dimension, count, moment, factor, workspace):
        return DENSE
    for i in range(dimension):
        factor[i] = math.sqrt(_regularised(count, moment[i * stride], True))
    return DIAGONAL


def _regularised(count: Int, moment: Float, on_diagonal: Bool) -> Float:
    """An entry of the estimated covariance, shrunk towards 1e-3 times its diagonal."""
    n = float(count)
    added = _SHRINKAGE * _SHRINKAGE_SHARE if on_diagonal else 0.0
    return moment / (n - 1.0) * (n + added) / (n + _SHRINKAGE)


def _dense_factor(choice: Int, dimension: Int, count: Int, moment: Floats, factor: Floats, workspace: Floats) -> Bool:
    """Fill `factor` for DENSE; False if that fails or, for AUTO, does not pay."""
    for i in range(dimension):
        row = factor[i * dimension :]
        moments = moment[i * dimension :]
        for j in range(i + 1):
            row[j] = _regularised(count, moments[j], i == j)
    if choice == AUTO:
        threshold = _dense_threshold(dimension, count)
        for i in range(dimension):
            workspace[i] = math.sqrt(factor[i * (dimension + 1)])
        largest = _largest_eigenvalue(dimension, factor, workspace, workspace[dimension:])
        if not _cholesky(dimension, factor):
            return False
        inverse = _norm_of_inverse(dimension, factor, workspace, workspace[dimension:])
        if not largest * inverse / math.sqrt(float(dimension)) > threshold * threshold:
            return False
    elif not _cholesky(dimension, factor):
        return False
    for i in range(dimension):
        for j in range(i):
            factor[j * dimension + i] = factor[i * dimension + j]
    return True


def _dense_threshold(dimension: Int, count: Int) -> Float:
    """The difficulty above which a dense metric from `count` > d draws pays; see the module."""
    g = float(dimension) / float(count)
    seen = (1.0 + math.sqrt(g)) / math.pow(1.0 - g, 0.75)
    left = math.pow(1.0 + g, 0.25) / (1.0 - math.sqrt(g))
    return seen * left * (1.0 + float(dimension) / _DENSE_COST)


def _largest_eigenvalue(dimension: Int, covariance: Floats, deviations: Floats, workspace: Floats) -> Float:
    """Of the correlation matrix, by power iteration from its longest row; `covariance` is a lower triangle.

    `workspace` has 2 d entries. The result is a little too small where eigenvalues are close, which errs towards the
    diagonal metric.
    """
    vector = workspace
    product = workspace[dimension:]
    longest = 0
    greatest = -1.0
    for i in range(dimension):
        length = 0.0
        for j in range(dimension):
            entry = covariance[max(i, j) * dimension + min(i, j)] / (deviations[i] * deviations[j])
            length += entry * entry
        if length > greatest:
            greatest = length
            longest = i
    for j in range(dimension):
        entry = covariance[max(longest, j) * dimension + min(longest, j)] / (deviations[longest] * deviations[j])
        vector[j] = entry / math.sqrt(greatest)
    result = 1.0
    for _ in range(_POWER_ITERATIONS):
        for i in range(dimension):
            vector[i] /= deviations[i]
            product[i] = 0.0
        for i in range(dimension):
            row = covariance[i * dimension :]
            total = row[i] * vector[i]
            for j in range(i):
                total += row[j] * vector[j]
                product[j] += row[j] * vector[i]
            product[i] += total
        square = 0.0
        for i in range(dimension):
            product[i] /= deviations[i]
            square += product[i] * product[i]
        result = math.sqrt(square)
        for i in range(dimension):
            vector[i] = product[i] / result
    return result


def _cholesky(dimension: Int, matrix: Floats) -> Bool:
    """Replace a lower triangle (row-major, in place) by its Cholesky factor; False if it is not positive definite."""
    for i in range(dimension):
        row = matrix[i * dimension :]
        for j in range(i):
            other = matrix[j * dimension :]
            total = row[j]
            for k in range(j):
                total -= row[k] * other[k]
            row[j] = total / other[j]
        pivot = row[i]
        for k in range(i):
            pivot -= row[k] * row[k]
        if not (pivot > 0.0 and math.isfinite(pivot)):
            return False
        row[i] = math.sqrt(pivot)
    return True


def _norm_of_inverse(dimension: Int, cholesky: Floats, deviations: Floats, workspace: Floats) -> Float:
    """Frobenius norm of the inverse correlation matrix; `cholesky` is the covariance's, `workspace` has d² entries."""
    for i in range(dimension):
        # Row i becomes column i of the inverse of `cholesky`, times the standard deviation.
        row = workspace[i * dimension :]
        row[i] = deviations[i] / cholesky[i * (dimension + 1)]
        for k in range(i + 1, dimension):
            factors = cholesky[k * dimension :]
            total = 0.0
            for m in range(i, k):
                total += factors[m] * row[m]
            row[k] = -total / factors[k]
    square = 0.0
    for i in range(dimension):
        row = workspace[i * dimension :]
        for j in range(i + 1):
            other = workspace[j * dimension :]
            total = 0.0
            for k in range(i, dimension):
                total += row[k] * other[k]
            square += total * total if i == j else 2.0 * total * total
    return math.sqrt(square)
