"""Hamiltonian dynamics on an unconstrained space: metrics, kinetic energy and the leapfrog step.

A metric is a linear map S with S Sᵀ the inverse metric M⁻¹. Momenta are kept whitened (Sᵀ times the usual ones): they
are standard normal, the kinetic energy is |p|²/2, the velocity is S p and the force is Sᵀ times the gradient of the
log density. Everything a trajectory compares (energies, U-turns) is then the same plain expression for every metric.

The array `factor` holds S. For DIAGONAL: its d diagonal entries. For DENSE: a d × d row-major matrix with the Cholesky
factor L of M⁻¹ on and below the diagonal and Lᵀ above it, so that both S p and Sᵀ g add up contiguous rows. For
LOW_RANK: a padded vector s, the number k of directions, which has a place of whole Lanes, their coefficients c in
MOST_DIRECTIONS places, and k padded unit vectors u; S = diag(s) (I + c₁ u₁ u₁ᵀ) ... (I + c_k u_k u_kᵀ).

A state of a trajectory is an array of `state_size`: position, momentum, force and gradient, each a vector padded with
zeros to whole Lanes, then its log density and its energy. Steps are linear in the vectors, so that the zeros stay.
"""

import numpy as np

from bayesad.ad.backends.llvm.kernel import (
    WIDTH,
    Bool,
    Float,
    Floats,
    Int,
    LogDensity,
    lanes,
    put,
    spread,
    total,
)
from bayesad.ad.backends.llvm.kernel_vectors import copy, padded

__all__ = [
    "DENSE",
    "DIAGONAL",
    "LOW_RANK",
    "MOST_DIRECTIONS",
    "MOST_ENERGY_ERROR",
    "add_multiple",
    "begin_trajectory",
    "copy_lanes",
    "dot",
    "energy_of",
    "force",
    "inverse_metric",
    "leapfrog",
    "log_density_of",
    "low_rank_root",
    "state_size",
]

DIAGONAL = 0
DENSE = 1
LOW_RANK = 2

MOST_DIRECTIONS = 24
"""Directions in which a low-rank metric can differ from its diagonal."""

MOST_ENERGY_ERROR = 1000.0
"""A trajectory diverges when its energy rises by more, as in Stan."""

_BLOCK = 4


def inverse_metric(kind: int, factor: np.ndarray, dimension: int) -> np.ndarray:
    """M⁻¹ of a factor: its diagonal, shape (d,), or, of a DENSE one, the whole matrix, shape (d, d)."""
    if kind == DIAGONAL:
        return factor[:dimension] ** 2
    if kind == LOW_RANK:
        return np.sum(low_rank_root(factor, dimension) ** 2, axis=1)
    lower = np.tril(factor.reshape(dimension, dimension))
    return lower @ lower.T


def low_rank_root(factor: np.ndarray, dimension: int) -> np.ndarray:
    """S of a LOW_RANK factor, shape (d, d)."""
    length = padded(dimension)
    root = np.diag(factor[:dimension])
    for k in range(int(factor[length])):
        begin = length + WIDTH + MOST_DIRECTIONS + k * length
        direction = factor[begin : begin + dimension]
        root = root + np.outer(root @ direction, factor[length + WIDTH + k] * direction)
    return root


def state_size(dimension: Int) -> Int:
    """Floats of a state."""
    return 4 * padded(dimension) + WIDTH


def log_density_of(dimension: Int, state: Floats) -> Float:
    """The log density at a state's position."""
    return state[4 * padded(dimension)]


def energy_of(dimension: Int, state: Floats) -> Float:
    """Kinetic energy, |p|²/2 of the whitened momentum (Neal 2011, eq. 5.5), less log density."""
    return state[4 * padded(dimension) + 1]


def copy_lanes(length: Int, source: Floats, target: Floats) -> None:
    """Copy a padded vector."""
    for i in range(0, length, WIDTH):
        put(target, i, lanes(source, i))


def dot(length: Int, a: Floats, b: Floats) -> Float:
    """The inner product of padded vectors."""
    result = spread(0.0)
    for i in range(0, length, WIDTH):
        result = result + lanes(a, i) * lanes(b, i)
    return total(result)


def add_multiple(length: Int, scale: Float, source: Floats, target: Floats) -> None:
    """Add a multiple of a padded vector to another."""
    for i in range(0, length, WIDTH):
        put(target, i, lanes(target, i) + scale * lanes(source, i))


def force(kind: Int, dimension: Int, factor: Floats, gradient: Floats, result: Floats) -> None:
    """Sᵀ gradient: what a leapfrog step adds to the whitened momentum."""
    if kind == DENSE:
        for i in range(dimension):
            result[i] = 0.0
        _add_rows(dimension, True, 1.0, factor, gradient, result)
    else:
        for i in range(dimension):
            result[i] = factor[i] * gradient[i]
        if kind == LOW_RANK:
            _stretch(padded(dimension), True, factor, result)


def _stretch(length: Int, forwards: Bool, factor: Floats, vector: Floats) -> None:
    """Multiply a padded vector by I + c u uᵀ of each direction of a LOW_RANK factor, first to last or last to first."""
    count = int(factor[length])
    for k in range(count):
        place = k if forwards else count - 1 - k
        direction = factor[length + WIDTH + MOST_DIRECTIONS + place * length :]
        along = factor[length + WIDTH + place] * dot(length, direction, vector)
        add_multiple(length, along, direction, vector)


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


def begin_trajectory(
    kind: Int, dimension: Int, factor: Floats, position: Floats, gradient: Floats, log_density: Float, state: Floats
) -> None:
    """Complete a state, which has its momentum already, by a position, the gradient and the log density there."""
    length = padded(dimension)
    momentum = state[length:]
    copy(dimension, position, state)
    force(kind, dimension, factor, gradient, state[2 * length :])
    copy(dimension, gradient, state[3 * length :])
    square = spread(0.0)
    for i in range(0, length, WIDTH):
        p = lanes(momentum, i)
        square = square + p * p
    state[4 * length] = log_density
    state[4 * length + 1] = 0.5 * total(square) - log_density


def leapfrog(
    log_density: LogDensity,
    kind: Int,
    dimension: Int,
    step_size: Float,
    factor: Floats,
    state: Floats,
    result: Floats,
) -> None:
    """One leapfrog step (Neal 2011, eq. 5.18-5.20); a negative step size goes back in time.

    Parameters
    ----------
    factor : Floats
        The metric's; a diagonal one is padded with finite numbers.
    state : Floats
        Where the step begins; unchanged.
    result : Floats
        Where it ends.
    """
    length = padded(dimension)
    half = 0.5 * step_size
    momentum = result[length:]
    pull = result[2 * length :]
    gradient = result[3 * length :]
    old_momentum = state[length:]
    old_pull = state[2 * length :]
    if kind == DENSE:
        for i in range(0, length, WIDTH):
            put(momentum, i, lanes(old_momentum, i) + half * lanes(old_pull, i))
            put(result, i, lanes(state, i))
        _add_rows(dimension, False, step_size, factor, momentum, result)
    elif kind == LOW_RANK:
        velocity = gradient  # whose place is free until the gradient is known
        for i in range(0, length, WIDTH):
            p = lanes(old_momentum, i) + half * lanes(old_pull, i)
            put(momentum, i, p)
            put(velocity, i, p)
        _stretch(length, False, factor, velocity)
        for i in range(0, length, WIDTH):
            put(result, i, lanes(state, i) + step_size * (lanes(factor, i) * lanes(velocity, i)))
    else:
        for i in range(0, length, WIDTH):
            p = lanes(old_momentum, i) + half * lanes(old_pull, i)
            put(momentum, i, p)
            put(result, i, lanes(state, i) + step_size * (lanes(factor, i) * p))
    end_log_density = log_density(result, gradient)
    square = spread(0.0)
    if kind != DIAGONAL:
        force(kind, dimension, factor, gradient, pull)
        for i in range(0, length, WIDTH):
            p = lanes(momentum, i) + half * lanes(pull, i)
            put(momentum, i, p)
            square = square + p * p
    else:
        for i in range(0, length, WIDTH):
            f = lanes(factor, i) * lanes(gradient, i)
            p = lanes(momentum, i) + half * f
            put(pull, i, f)
            put(momentum, i, p)
            square = square + p * p
    result[4 * length] = end_log_density
    result[4 * length + 1] = 0.5 * total(square) - end_log_density
