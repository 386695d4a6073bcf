"""Estimate of a metric that is diagonal but for a few directions, from the last draws of a window and their gradients.

(Seyboldt, Carlson & Carpenter 2026, arXiv:2603.18845, section on low-rank metrics.) Draws and gradients, scaled by the
diagonal estimate, span a space of few dimensions. There the inverse metric that minimises the Fisher divergence is the
geometric mean of the draws' covariance and the inverse of the gradients', both with a small ridge; elsewhere it is the
diagonal. Of its eigenvectors those count whose eigenvalues are far from 1.
"""

import math

from bayesad.ad.backends.llvm.kernel import WIDTH, Floats, Int
from bayesad.ad.backends.llvm.kernel_vectors import copy, padded
from bayesad.samplers.hamiltonian import MOST_DIRECTIONS, add_multiple, dot
from bayesad.samplers.matrices import eigenvectors, fill_upper, geometric_mean

__all__ = ["HISTORY", "low_rank_factor", "low_rank_size", "remember"]

HISTORY = 48
"""Draws, with their gradients, from which directions are estimated: the last ones of a window."""

_CUTOFF = 2.0  # eigenvalues from its inverse up to it count as 1
_RIDGE = 1e-5
_LEAST_REST = 1e-8  # of a vector's square: what is left of it lies in the span of those before


def low_rank_size(dimension: int) -> int:
    """Floats that `low_rank_factor` works in."""
    rank = 2 * HISTORY
    return 2 * rank * padded(dimension) + 5 * rank * rank + 5 * rank


def remember(dimension: Int, count: Int, position: Floats, gradient: Floats, history: Floats) -> None:
    """Keep draw number `count` (from 1) and its gradient in the place of the oldest.

    Parameters
    ----------
    history : Floats (2 HISTORY d,)
        Draws, then gradients.
    """
    place = (count - 1) % HISTORY * dimension
    copy(dimension, position, history[place:])
    copy(dimension, gradient, history[HISTORY * dimension + place :])


def _centred(dimension: Int, count: Int, rows: Floats, scales: Floats, inverse: Int, result: Floats) -> None:
    """Rows less their mean, times the scales (or divided by them), as padded rows."""
    length = padded(dimension)
    for i in range(dimension):
        mean = 0.0
        for k in range(count):
            mean += rows[k * dimension + i]
        mean /= float(count)
        scale = 1.0 / scales[i] if inverse != 0 else scales[i]
        for k in range(count):
            result[k * length + i] = (rows[k * dimension + i] - mean) * scale
    for k in range(count):
        for i in range(dimension, length):
            result[k * length + i] = 0.0


def _basis(length: Int, count: Int, rows: Floats, basis: Floats) -> Int:
    """Fill `basis` with orthonormal vectors that span the rows, and give their number (Gram and Schmidt, twice)."""
    rank = 0
    for k in range(count):
        vector = basis[rank * length :]
        copy(length, rows[k * length :], vector)
        before = dot(length, vector, vector)
        for _ in range(2):
            for j in range(rank):
                other = basis[j * length :]
                add_multiple(length, -dot(length, other, vector), other, vector)
        square = dot(length, vector, vector)
        if square > _LEAST_REST * before:
            add_multiple(length, 1.0 / math.sqrt(square) - 1.0, vector, vector)
            rank += 1
    return rank


def _moments(
    length: Int, rank: Int, count: Int, rows: Floats, basis: Floats, result: Floats, workspace: Floats
) -> None:
    """The lower triangle of the rows' second moments in the basis, with the ridge; `workspace` has `rank` entries."""
    for i in range(rank):
        for j in range(i + 1):
            result[i * rank + j] = _RIDGE if i == j else 0.0
    for k in range(count):
        for i in range(rank):
            workspace[i] = dot(length, rows[k * length :], basis[i * length :])
        for i in range(rank):
            row = result[i * rank :]
            entry = workspace[i] / float(count)
            for j in range(i + 1):
                row[j] += entry * workspace[j]


def low_rank_factor(
    dimension: Int, count: Int, history: Floats, scales: Floats, factor: Floats, workspace: Floats
) -> Int:
    """Write the directions of a low-rank metric behind the diagonal of its factor, and give their number.

    Parameters
    ----------
    count : Int
        Draws of the window; of more than HISTORY, the last ones are at hand.
    history : Floats
        From `remember`.
    scales : Floats (d,)
        The diagonal estimate's.
    factor : Floats
        The result: see `bayesad.samplers.hamiltonian`; its diagonal is left alone.
    workspace : Floats
        Of `low_rank_size`.
    """
    length = padded(dimension)
    kept = min(count, HISTORY)
    rows = workspace
    basis = workspace[2 * HISTORY * length :]
    of_draws = basis[2 * HISTORY * length :]
    of_gradients = of_draws[4 * HISTORY * HISTORY :]
    mean = of_gradients[4 * HISTORY * HISTORY :]
    vectors = mean[4 * HISTORY * HISTORY :]
    values = vectors[4 * HISTORY * HISTORY :]
    scratch = values[2 * HISTORY :]
    _centred(dimension, kept, history, scales, 1, rows)
    _centred(dimension, kept, history[HISTORY * dimension :], scales, 0, rows[kept * length :])
    rank = _basis(length, 2 * kept, rows, basis)
    _moments(length, rank, kept, rows, basis, of_draws, scratch)
    _moments(length, rank, kept, rows[kept * length :], basis, of_gradients, scratch)
    if not geometric_mean(rank, of_draws, of_gradients, mean, scratch):
        return 0
    fill_upper(rank, mean)
    if not eigenvectors(rank, mean, values, vectors, scratch):
        return 0
    directions = factor[length + WIDTH + MOST_DIRECTIONS :]
    found = 0
    while found < MOST_DIRECTIONS:
        farthest = 0
        for j in range(1, rank):
            if math.fabs(math.log(max(values[j], _RIDGE))) > math.fabs(math.log(max(values[farthest], _RIDGE))):
                farthest = j
        value = max(values[farthest], _RIDGE)
        if not (math.isfinite(value) and (value > _CUTOFF or value * _CUTOFF < 1.0)):
            break
        values[farthest] = 1.0
        direction = directions[found * length :]
        for i in range(length):
            direction[i] = 0.0
        for i in range(rank):
            add_multiple(length, vectors[farthest * rank + i], basis[i * length :], direction)
        factor[length + WIDTH + found] = math.sqrt(value) - 1.0
        found += 1
    factor[length] = float(found)
    return found
