"""The metric that warmup estimates from draws and their gradients, and the choice between diagonal and dense.

Estimators minimise the Fisher divergence between the posterior and the normal law that the metric stands for (Seyboldt,
Carlson & Carpenter 2026, arXiv:2603.18845). With X the covariance of the draws and G that of their gradients, the
inverse metric is the geometric mean X # G⁻¹, and sqrt(X_ii / G_ii) where it is diagonal. Of a normal posterior the
gradients are linear in the draws, and the dense estimate is exact from any d + 1 of them, however correlated.

The metric "auto" takes the dense estimate where it pays: the number of leapfrog steps per independent draw grows with
the condition number of Langmore et al. (2019, arXiv:1905.09813), which for the covariance R that a diagonal metric
leaves is

    difficulty = (lambda_max(R) |R^-1|_F / sqrt(d))^(1/2),

1 without any correlation. A leapfrog step with a dense metric costs about 1 + d/100 times one with a diagonal metric.
"""

import math

from bayesad.ad.backends.llvm.kernel import WIDTH, Bool, Floats, Int
from bayesad.ad.backends.llvm.kernel_vectors import padded
from bayesad.samplers.hamiltonian import DENSE, DIAGONAL, LOW_RANK, MOST_DIRECTIONS
from bayesad.samplers.low_rank import HISTORY, low_rank_factor, low_rank_size, remember
from bayesad.samplers.matrices import cholesky, geometric_mean, largest_eigenvalue, norm_of_inverse

__all__ = [
    "AUTO",
    "MOST_FOR_AUTO",
    "draws_for_dense",
    "factor_size",
    "may_be_dense",
    "moment_size",
    "observe",
    "take_draw",
    "update_metric",
    "update_size",
]

AUTO = 3
"""The metric that `update_metric` chooses itself; the others are DIAGONAL, DENSE and LOW_RANK."""

MOST_FOR_AUTO = 256
"""Above this dimension "auto" means low rank: the draws of an ordinary warmup are too few for a dense metric."""

_RIDGE = 1e-8  # of the diagonal, against rounding
_DENSE_COST = 100.0
_LEAST_DIFFICULTY = 1.2  # times the cost: less gains nothing, or is noise of a posterior that is not normal


def draws_for_dense(dimension: Int) -> Int:
    """How many different draws a dense metric takes: half as many again as there are unknowns, and one."""
    return dimension + dimension // 2 + 1


def observe(
    dense: Bool,
    dimension: Int,
    count: Int,
    position: Floats,
    gradient: Floats,
    mean: Floats,
    moment: Floats,
    deviation: Floats,
) -> None:
    """Take draw number `count` (from 1) and its gradient into running means and centred second moments (Welford 1962).

    Parameters
    ----------
    dense : Bool
        Whether `moment` holds the lower triangles of two d × d row-major matrices, or only two times d variances' sums.
    mean : Floats (2 d,)
        Of the draws, then of the gradients; so does `moment`.
    deviation : Floats (d,)
        Workspace.
    """
    size = dimension * dimension if dense else dimension
    _take(dense, dimension, count, position, mean, moment, deviation)
    _take(dense, dimension, count, gradient, mean[dimension:], moment[size:], deviation)


def _take(
    dense: Bool, dimension: Int, count: Int, vector: Floats, mean: Floats, moment: Floats, deviation: Floats
) -> None:
    if count == 1:
        for i in range(dimension * dimension if dense else dimension):
            moment[i] = 0.0
        for i in range(dimension):
            mean[i] = 0.0
    share = 1.0 / float(count)
    for i in range(dimension):
        deviation[i] = vector[i] - mean[i]
        mean[i] += deviation[i] * share
    if dense:
        for i in range(dimension):
            row = moment[i * dimension :]
            after = vector[i] - mean[i]
            for j in range(i + 1):
                row[j] += after * deviation[j]
    else:
        for i in range(dimension):
            moment[i] += (vector[i] - mean[i]) * deviation[i]


def factor_size(choice: int, dimension: int) -> int:
    """Floats of a metric's factor."""
    length = padded(dimension)
    if choice == LOW_RANK:
        return length + WIDTH + MOST_DIRECTIONS * (length + 1)
    return length if choice == DIAGONAL else max(length, dimension**2)


def moment_size(choice: int, dimension: int) -> int:
    """Floats of a window's second moments, and of its last draws for LOW_RANK."""
    if choice == LOW_RANK:
        return 2 * dimension * (1 + HISTORY)
    return 2 * dimension if choice == DIAGONAL else 2 * dimension**2


def update_size(choice: int, dimension: int) -> int:
    """Floats that `update_metric` works in."""
    if choice == LOW_RANK:
        return dimension + low_rank_size(dimension)
    return dimension if choice == DIAGONAL else 3 * dimension**2 + 4 * dimension


def may_be_dense(choice: Int) -> Bool:
    """Whether whole matrices of second moments are kept."""
    return choice != DIAGONAL and choice != LOW_RANK


def take_draw(
    choice: Int,
    dimension: Int,
    count: Int,
    position: Floats,
    gradient: Floats,
    mean: Floats,
    moment: Floats,
    deviation: Floats,
) -> None:
    """Take draw number `count` of a window into what the metric is estimated from; see `observe` and `remember`."""
    observe(may_be_dense(choice), dimension, count, position, gradient, mean, moment, deviation)
    if choice == LOW_RANK:
        remember(dimension, count, position, gradient, moment[2 * dimension :])


def update_metric(
    choice: Int,
    kind: Int,
    dimension: Int,
    observed: Int,
    count: Int,
    moment: Floats,
    factor: Floats,
    workspace: Floats,
) -> Int:
    """Set `factor` from the second moments of a window of draws, `count` different ones, and their gradients.

    Parameters
    ----------
    choice : Int
        DIAGONAL, DENSE, LOW_RANK or AUTO.
    observed : Int
        The number of draws, equal ones counted too.
    kind : Int
        The metric in use, which stays if the moments are not finite or a draw or gradient did not change at all.
    moment : Floats
        From `take_draw`; unchanged.
    factor : Floats
        The metric's, see `bayesad.samplers.hamiltonian`; the result.
    workspace : Floats
        Of `update_size`.

    Returns
    -------
    Int
        The metric's kind. A dense metric in use stays, and else is replaced by a diagonal one, where the window has too
        few draws for another; see `draws_for_dense`.
    """
    stride = dimension + 1 if may_be_dense(choice) else 1
    size = dimension * dimension if may_be_dense(choice) else dimension
    scales = workspace
    for i in range(dimension):
        x = moment[i * stride]
        g = moment[size + i * stride]
        if not (math.isfinite(x) and x > 0.0 and math.isfinite(g) and g > 0.0):
            return kind
        scales[i] = math.sqrt(math.sqrt(x / g))
    if may_be_dense(choice):
        if count < draws_for_dense(dimension):
            if kind == DENSE:
                return kind
        elif _dense_factor(choice, dimension, count, moment, scales, factor, workspace[dimension:]):
            return DENSE
    for i in range(dimension):
        factor[i] = scales[i]
    if choice == LOW_RANK:
        history = moment[2 * dimension :]
        if low_rank_factor(dimension, observed, history, scales, factor, workspace[dimension:]) > 0:
            return LOW_RANK
    return DIAGONAL


def _dense_factor(
    choice: Int, dimension: Int, count: Int, moment: Floats, scales: Floats, factor: Floats, workspace: Floats
) -> Bool:
    """Fill `factor` for DENSE; False if that fails or, for AUTO, does not pay."""
    size = dimension * dimension
    of_draws = workspace
    of_gradients = workspace[size:]
    workspace = workspace[2 * size :]
    for i in range(dimension):
        row = of_draws[i * dimension :]
        other = of_gradients[i * dimension :]
        for j in range(i + 1):
            units = scales[i] * scales[j]
            row[j] = moment[i * dimension + j] / units
            other[j] = moment[size + i * dimension + j] * units
        row[i] *= 1.0 + _RIDGE
        other[i] *= 1.0 + _RIDGE
    if not geometric_mean(dimension, of_draws, of_gradients, factor, workspace):
        return False
    largest = largest_eigenvalue(dimension, factor, workspace)
    if not cholesky(dimension, factor):
        return False
    if choice == AUTO:
        inverse = norm_of_inverse(dimension, factor, workspace)
        threshold = _LEAST_DIFFICULTY * (1.0 + float(dimension) / _DENSE_COST)
        if not largest * inverse / math.sqrt(float(dimension)) > threshold * threshold:
            return False
    for i in range(dimension):
        for j in range(i + 1):
            entry = scales[i] * factor[i * dimension + j]
            factor[i * dimension + j] = entry
            factor[j * dimension + i] = entry
    return True
