"""Hamiltonian dynamics on an unconstrained space: metrics, kinetic energy and the leapfrog step.

A metric is a linear map S with S Sᵀ the inverse metric M⁻¹. Momenta are kept whitened (Sᵀ times the usual ones): they
are standard normal, the kinetic energy is |p|²/2, the velocity is S p and the force is Sᵀ times the gradient of the
log density. Everything a trajectory compares (energies, U-turns) is then the same plain expression for every metric.

The array `factor` holds S: for DIAGONAL its d diagonal entries; for DENSE a d × d row-major matrix with the Cholesky
factor L of M⁻¹ on and below the diagonal and Lᵀ above it, so that both S p and Sᵀ g add up contiguous rows.
"""

import numpy as np

from bayesad.ad.backends.llvm.kernel import Bool, Float, Floats, Int, LogDensity

__all__ = ["DENSE", "DIAGONAL", "MOST_ENERGY_ERROR", "copy", "force", "inverse_metric", "kinetic_energy", "leapfrog"]

DIAGONAL = 0
DENSE = 1

MOST_ENERGY_ERROR = 1000.0
"""A trajectory diverges when its energy rises by more, as in Stan."""

_BLOCK = 4


def inverse_metric(kind: int, factor: np.ndarray, dimension: int) -> np.ndarray:
    """M⁻¹ of a factor: its diagonal, shape (d,), or the whole matrix, shape (d, d)."""
    if kind == DIAGONAL:
        return factor[:dimension] ** 2
    lower = np.tril(factor.reshape(dimension, dimension))
    return lower @ lower.T


def copy(dimension: Int, source: Floats, target: Floats) -> None:
    """Copy a vector."""
    for i in range(dimension):
        target[i] = source[i]


def kinetic_energy(dimension: Int, momentum: Floats) -> Float:
    """|p|²/2 of a whitened momentum (Neal 2011, eq. 5.5); four sums, so that additions need not wait for each other."""
    a = 0.0
    b = 0.0
    c = 0.0
    d = 0.0
    whole = dimension - dimension % 4
    for i in range(0, whole, 4):
        a += momentum[i] * momentum[i]
        b += momentum[i + 1] * momentum[i + 1]
        c += momentum[i + 2] * momentum[i + 2]
        d += momentum[i + 3] * momentum[i + 3]
    for i in range(whole, dimension):
        a += momentum[i] * momentum[i]
    return 0.5 * ((a + b) + (c + d))


def force(kind: Int, dimension: Int, factor: Floats, gradient: Floats, result: Floats) -> None:
    """Sᵀ gradient: what a leapfrog step adds to the whitened momentum."""
    if kind == DENSE:
        for i in range(dimension):
            result[i] = 0.0
        _add_rows(dimension, True, 1.0, factor, gradient, result)
    else:
        for i in range(dimension):
            result[i] = factor[i] * gradient[i]


def _add_rows(dimension: Int, lower: Bool, scale: Float, factor: Floats, weights: Floats, result: Floats) -> None:
    """Add the rows of a dense factor up to (lower) or from the diagonal on, times weights and scale.

    Four rows at a time, so that `result` passes through memory a quarter as often; squares on the diagonal go apart.
    """
    for first in range(0, dimension, _BLOCK):
        rows = factor[first * dimension :]
        size = min(_BLOCK, dimension - first)
        for i in range(size):
            weight = scale * weights[first + i]
            row = rows[i * dimension + first :]
            for j in range(0 if lower else i, i + 1 if lower else size):
                result[first + j] += row[j] * weight
        begin = 0 if lower else first + size
        end = first if lower else dimension
        if size == _BLOCK:
            second = rows[dimension:]
            third = rows[2 * dimension :]
            fourth = rows[3 * dimension :]
            a = scale * weights[first]
            b = scale * weights[first + 1]
            c = scale * weights[first + 2]
            d = scale * weights[first + 3]
            for j in range(begin, end):
                result[j] += (rows[j] * a + second[j] * b) + (third[j] * c + fourth[j] * d)
        else:
            for i in range(size):
                weight = scale * weights[first + i]
                row = rows[i * dimension :]
                for j in range(begin, end):
                    result[j] += row[j] * weight


def leapfrog(
    log_density: LogDensity,
    kind: Int,
    dimension: Int,
    step_size: Float,
    factor: Floats,
    position: Floats,
    momentum: Floats,
    pull: Floats,
    next_position: Floats,
    gradient: Floats,
) -> Float:
    """One leapfrog step (Neal 2011, eq. 5.18-5.20); a negative step size goes back in time.

    Parameters
    ----------
    position : Floats (d,)
        Where the step begins; unchanged.
    momentum : Floats (d,)
        Whitened; replaced by that at the end.
    pull : Floats (d,)
        The force at `position`; replaced by that at the end.
    next_position, gradient : Floats (d,)
        Where the step ends and the gradient there: results.

    Returns
    -------
    Float
        The log density at the end.
    """
    half = 0.5 * step_size
    if kind == DENSE:
        for i in range(dimension):
            momentum[i] += half * pull[i]
            next_position[i] = position[i]
        _add_rows(dimension, False, step_size, factor, momentum, next_position)
    else:
        for i in range(dimension):
            p = momentum[i] + half * pull[i]
            momentum[i] = p
            next_position[i] = position[i] + step_size * (factor[i] * p)
    result = log_density(next_position, gradient)
    force(kind, dimension, factor, gradient, pull)
    for i in range(dimension):
        momentum[i] += half * pull[i]
    return result
