"""Hamiltonian dynamics: the leapfrog step and its metrics."""

import numpy as np
import pytest

from bayesad.ad.backends.llvm.kernel_vectors import copy, padded
from bayesad.samplers.hamiltonian import (
    DENSE,
    DIAGONAL,
    LOW_RANK,
    MOST_DIRECTIONS,
    begin_trajectory,
    copy_lanes,
    energy_of,
    force,
    inverse_metric,
    leapfrog,
    log_density_of,
    low_rank_root,
    state_size,
)

COVARIANCE = np.array([[2.0, 0.6], [0.6, 0.5]])


def packed(matrix):
    """The factor of a dense metric: L below and on the diagonal, its transpose above."""
    lower = np.linalg.cholesky(matrix)
    return (lower + np.tril(lower, -1).T).ravel()


def low_rank(scales, directions, coefficients):
    """The factor of a low-rank metric, and the matrix it stands for."""
    factor = np.zeros(4 + 4 + MOST_DIRECTIONS * 5)
    factor[:2], factor[4] = scales, len(coefficients)
    factor[8 : 8 + len(coefficients)] = coefficients
    root = np.diag(scales)
    for k, (direction, c) in enumerate(zip(directions, coefficients, strict=True)):
        factor[8 + MOST_DIRECTIONS + 4 * k :][:2] = direction
        root = root @ (np.eye(2) + c * np.outer(direction, direction))
    return factor, root


METRICS = {
    "identity": (DIAGONAL, np.ones(4), np.eye(2)),
    "diagonal": (DIAGONAL, np.array([1.5, 0.4, 9.0, 9.0]), np.diag([1.5, 0.4])),
    "low rank": (LOW_RANK, *low_rank([1.5, 0.4], [[0.6, 0.8], [1.0, 0.0]], [2.0, -0.4])),
    "dense": (DENSE, packed(COVARIANCE), np.linalg.cholesky(COVARIANCE)),
}


def trajectory(target, metric, step_size, q, p, steps=1):
    """Position, momentum, energy after some leapfrog steps."""
    kind, factor, _ = METRICS[metric]
    state, following = np.zeros((2, state_size(2)))
    gradient = np.zeros(2)
    log_density = target(np.array(q), gradient)
    state[4:6] = p
    begin_trajectory(kind, 2, factor, np.array(q), gradient, log_density, state)
    for _ in range(steps):
        leapfrog(target, kind, 2, step_size, factor, state, following)
        state, following = following, state
    position, momentum = state[:2].copy(), state[4:6].copy()
    assert not state[:16].reshape(4, 4)[:, 2:].any()
    assert log_density_of(2, state) == target(position, gradient)
    np.testing.assert_array_equal(state[12:14], gradient)
    assert energy_of(2, state) == pytest.approx(momentum @ momentum / 2 - log_density_of(2, state), rel=1e-13)
    return position, momentum, energy_of(2, state)


@pytest.mark.parametrize("metric", METRICS)
def test_leapfrog_equals_the_textbook_with_a_mass_matrix(targets, metric):
    target = targets.quartic()
    s = METRICS[metric][2]
    inverse_mass = s @ s.T
    q, p = np.array([0.4, -0.7]), np.array([0.3, 1.1])
    position, momentum = q.copy(), np.linalg.solve(s.T, p)
    gradient = np.zeros(2)
    for _ in range(5):
        target(position, gradient)
        momentum = momentum + 0.05 * gradient
        position = position + 0.1 * inverse_mass @ momentum
        target(position, gradient)
        momentum = momentum + 0.05 * gradient
    found_position, found_momentum, _ = trajectory(target, metric, 0.1, q, p, steps=5)
    np.testing.assert_allclose(found_position, position, rtol=1e-13)
    np.testing.assert_allclose(found_momentum, s.T @ momentum, rtol=1e-13)


@pytest.mark.parametrize("metric", METRICS)
def test_leapfrog_is_reversible(targets, metric):
    q, p = [0.4, -0.7], [0.3, 1.1]
    there = trajectory(targets.quartic(), metric, 0.2, q, p, steps=20)
    assert np.linalg.norm(there[0] - q) > 0.1
    back = trajectory(targets.quartic(), metric, -0.2, there[0], there[1], steps=20)
    np.testing.assert_allclose(back[0], q, atol=1e-11)
    np.testing.assert_allclose(back[1], p, atol=1e-11)
    flipped = trajectory(targets.quartic(), metric, 0.2, there[0], -there[1], steps=20)
    np.testing.assert_allclose(flipped[0], q, atol=1e-11)
    np.testing.assert_allclose(-flipped[1], p, atol=1e-11)


@pytest.mark.parametrize("metric", METRICS)
def test_leapfrog_preserves_volume(targets, metric):
    start = np.array([0.4, -0.7, 0.3, 1.1])

    def move(x):
        return np.concatenate(trajectory(targets.quartic(), metric, 0.3, x[:2], x[2:], steps=3)[:2])

    h = 1e-5
    columns = [(move(start + h * e) - move(start - h * e)) / (2 * h) for e in np.eye(4)]
    jacobian = np.array(columns).T
    assert np.abs(jacobian - np.eye(4)).max() > 0.1
    assert abs(np.linalg.det(jacobian) - 1.0) < 1e-8


@pytest.mark.parametrize("metric", METRICS)
def test_energy_error_is_of_second_order(targets, metric):
    q, p = [0.4, -0.7], [0.3, 1.1]
    _, _, start = trajectory(targets.quartic(), metric, 0.1, q, p, steps=0)
    errors = []
    for steps in (16, 32, 64, 128):
        _, _, energy = trajectory(targets.quartic(), metric, 1.0 / steps, q, p, steps=steps)
        errors.append(abs(energy - start))
    ratios = np.array(errors[:-1]) / errors[1:]
    np.testing.assert_allclose(ratios[1:], 4.0, rtol=0.05)


def test_a_low_rank_factor_stands_for_its_product():
    # Directions that are not orthogonal, so that the order counts.
    factor, root = low_rank([1.5, 0.4], [[0.6, 0.8], [1.0, 0.0]], [2.0, -0.4])
    np.testing.assert_allclose(low_rank_root(factor, 2), root, rtol=1e-14)
    np.testing.assert_allclose(inverse_metric(LOW_RANK, factor, 2), np.diag(root @ root.T), rtol=1e-14)
    pull = np.zeros(4)
    force(LOW_RANK, 2, factor, np.array([0.3, -0.7]), pull)
    np.testing.assert_allclose(pull[:2], root.T @ [0.3, -0.7], rtol=1e-13)


@pytest.mark.parametrize("dimension", [1, 3, 4, 9])
def test_energy_force_and_inverse_metric_equal_linear_algebra(dimension):
    rng = np.random.default_rng(dimension)
    a = rng.normal(size=(dimension, dimension))
    covariance = a @ a.T + np.eye(dimension)
    p, g = rng.normal(size=(2, dimension))
    result = np.full(dimension + 1, 9.0)
    state, length = np.zeros(state_size(dimension)), padded(dimension)
    state[length : length + dimension] = p
    begin_trajectory(DENSE, dimension, packed(covariance), g, p, -2.5, state)
    assert energy_of(dimension, state) == pytest.approx(p @ p / 2 + 2.5, rel=1e-14)
    expected = np.zeros((4, length))
    expected[:, :dimension] = g, p, np.linalg.cholesky(covariance).T @ p, p
    np.testing.assert_allclose(state[: 4 * length], expected.ravel(), rtol=1e-13)
    force(DENSE, dimension, packed(covariance), g, result)
    np.testing.assert_allclose(result[:-1], np.linalg.cholesky(covariance).T @ g, rtol=1e-13)
    np.testing.assert_allclose(inverse_metric(DENSE, packed(covariance), dimension), covariance, rtol=1e-13)
    force(DIAGONAL, dimension, p, g, result)
    np.testing.assert_array_equal(result[:-1], p * g)
    np.testing.assert_array_equal(inverse_metric(DIAGONAL, p, dimension), p**2)
    copy(dimension, g, result)
    copied = np.zeros(length)
    copy_lanes(length, state, copied)
    np.testing.assert_array_equal(copied, state[:length])
    np.testing.assert_array_equal(result, [*g, 9.0])
