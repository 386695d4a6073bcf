"""Estimates of the metric from draws and gradients, and the choice among them."""

import math

import numpy as np
import pytest
from scipy import linalg, stats

from bayesad.ad.backends.llvm.kernel import compile_kernel
from bayesad.samplers.hamiltonian import DENSE, DIAGONAL, inverse_metric
from bayesad.samplers.metric import AUTO, draws_for_dense, observe, update_metric

CHOICES = [DIAGONAL, DENSE, AUTO]


def moments(draws, gradients, dense):
    d = draws.shape[1]
    mean, moment = np.full(2 * d, 7.0), np.full(2 * d * d if dense else 2 * d, 7.0)
    kernel = compile_kernel(observe)
    for count, (draw, gradient) in enumerate(zip(draws, gradients, strict=True), start=1):
        kernel(dense, d, count, draw.copy(), gradient.copy(), mean, moment, np.zeros(d))
    return mean, moment


def update(choice, draws, gradients, kind=DIAGONAL):
    """The metric's kind and its inverse after a window of draws."""
    n, d = draws.shape
    factor = np.eye(d).ravel() if kind == DENSE else np.ones(d if choice == DIAGONAL else d * d)
    _, moment = moments(draws, gradients, choice != DIAGONAL)
    workspace = np.zeros(d if choice == DIAGONAL else 3 * d * d + 4 * d)
    kind = compile_kernel(update_metric)(choice, kind, d, n, n, moment, factor, workspace)
    return kind, inverse_metric(kind, factor, d)


def normal_draws(n, covariance, seed=0):
    """Draws of a normal law with a mean, and the gradients of its log density."""
    mean = np.arange(len(covariance))
    draws = np.random.default_rng(seed).multivariate_normal(mean, covariance, size=n)
    return draws, -np.linalg.solve(covariance, (draws - mean).T).T


def some_draws(n, d, seed=0):
    """Draws and gradients that belong to no density."""
    rng = np.random.default_rng(seed)
    scales = np.logspace(-2, 2, d)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * scales, rng.normal(size=(n, d)) / scales


def equicorrelated(d, correlation, scales=1.0):
    return (correlation + (1 - correlation) * np.eye(d)) * np.multiply.outer(scales * np.ones(d), scales * np.ones(d))


def test_running_moments_equal_numpys_also_far_from_zero():
    draws, gradients = some_draws(40, 6)
    draws += 1e6
    mean, moment = moments(draws, gradients, dense=True)
    np.testing.assert_allclose(mean, [*draws.mean(axis=0), *gradients.mean(axis=0)], rtol=1e-10)
    expected = np.stack([39 * np.cov(draws.T), 39 * np.cov(gradients.T)])
    np.testing.assert_allclose(np.tril(moment.reshape(2, 6, 6)), np.tril(expected), rtol=1e-6, atol=1e-6)
    _, moment = moments(draws, gradients, dense=False)
    np.testing.assert_allclose(moment.reshape(2, 6), np.diagonal(expected, axis1=1, axis2=2), rtol=1e-6)


def test_a_diagonal_metric_minimises_the_fisher_divergence_to_a_normal():
    # The divergence of the draws from a normal law with variances v is the mean of |sqrt(v) (g + (x - m) / v)|^2.
    draws, gradients = some_draws(60, 4)
    kind, variances = update(DIAGONAL, draws, gradients)
    assert kind == DIAGONAL
    np.testing.assert_allclose(variances, draws.std(axis=0) / gradients.std(axis=0), rtol=1e-10)
    x, g = draws - draws.mean(axis=0), gradients - gradients.mean(axis=0)

    def divergence(v):
        return np.sum(v * g**2 + x**2 / v)

    for factor in (0.9, 1.1):
        for i in range(4):
            assert divergence(variances * np.where(np.arange(4) == i, factor, 1.0)) > divergence(variances)


def test_a_dense_metric_is_the_geometric_mean_of_the_covariance_and_the_inverse_of_the_gradients():
    draws, gradients = some_draws(60, 7)
    kind, matrix = update(DENSE, draws, gradients)
    assert kind == DENSE
    x, g = np.cov(draws.T), np.cov(gradients.T)
    root = linalg.sqrtm(g)
    expected = np.linalg.inv(root) @ linalg.sqrtm(root @ x @ root) @ np.linalg.inv(root)
    scales = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(matrix / np.outer(scales, scales), expected / np.outer(scales, scales), atol=1e-3)


@pytest.mark.parametrize("d", [2, 10, 40])
def test_the_dense_metric_of_a_normal_is_exact_from_few_draws_that_are_far_from_independent(d):
    rng = np.random.default_rng(3)
    covariance = stats.wishart.rvs(d + 2, np.eye(d), random_state=rng) * np.multiply.outer(*[np.logspace(-3, 3, d)] * 2)
    draws, gradients = normal_draws(draws_for_dense(d), covariance)
    walk = np.tri(len(draws))  # the steps of a random walk from the mean
    draws, gradients = walk @ (draws - np.arange(d)), walk @ gradients
    kind, matrix = update(DENSE, draws, gradients)
    assert kind == DENSE
    whitened = np.linalg.solve(linalg.cholesky(covariance, lower=True), linalg.cholesky(matrix, lower=True))
    assert np.linalg.cond(whitened) < 1.01


@pytest.mark.parametrize("d", [1, 2, 7, 20])
def test_dense_takes_half_as_many_draws_again_as_unknowns_and_is_kept_when_there_are_fewer(d):
    enough = draws_for_dense(d)
    assert enough > 1.5 * d >= enough - 1
    draws, gradients = some_draws(enough, d)
    assert update(DENSE, draws, gradients)[0] == DENSE
    if d > 1:
        kind, variances = update(DENSE, draws[:-1], gradients[:-1])
        assert kind == DIAGONAL
        np.testing.assert_allclose(variances, draws[:-1].std(axis=0) / gradients[:-1].std(axis=0), rtol=1e-10)
        kind, matrix = update(DENSE, draws[:-1], gradients[:-1], kind=DENSE)
        assert kind == DENSE
        np.testing.assert_array_equal(matrix, np.eye(d))


@pytest.mark.parametrize("choice", CHOICES)
def test_the_metric_does_not_depend_on_units(choice):
    (draws, gradients), units = some_draws(60, 4), np.array([1e-9, 1e-3, 1.0, 1e6])
    kind, inverse = update(choice, draws, gradients)
    other_kind, other = update(choice, draws * units, gradients / units)
    assert other_kind == kind
    np.testing.assert_allclose(other, inverse * (units**2 if inverse.ndim == 1 else np.outer(units, units)), rtol=1e-8)


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("of", ["draws", "gradients"])
@pytest.mark.parametrize("trouble", ["not finite", "constant"])
def test_moments_that_tell_nothing_leave_the_metric_alone(choice, of, trouble):
    draws, gradients = some_draws(30, 3)
    changed = draws if of == "draws" else gradients
    changed[5:7, 1] = 1e200, -1e200
    if trouble == "constant":
        changed[:, 1] = 0.25
    kind, inverse = update(choice, draws, gradients)
    assert kind == DIAGONAL
    np.testing.assert_array_equal(inverse, np.ones(3))


LAWS = {
    "normal": (stats.norm(), lambda x: -x),
    "Student t": (stats.t(5), lambda x: -6 * x / (5 + x**2)),
    "log gamma": (stats.loggamma(3), lambda x: 3 - np.exp(x)),
}


@pytest.mark.parametrize("d", [2, 5, 20, 60])
@pytest.mark.parametrize("law", LAWS)
def test_auto_takes_the_diagonal_where_there_is_no_correlation(d, law):
    # Scales do not matter, and noise in the estimate, which comes from the law not being normal, is no correlation.
    law, gradient = LAWS[law]
    scales = np.logspace(-3, 3, d)
    for seed in range(5):
        draws = law.rvs(size=(160, d), random_state=np.random.default_rng(seed))
        kind, variances = update(AUTO, draws * scales, gradient(draws) / scales)
        assert kind == DIAGONAL
        np.testing.assert_allclose(variances, scales**2 * draws.std(axis=0) / gradient(draws).std(axis=0), rtol=1e-8)


@pytest.mark.parametrize(("d", "correlation", "n"), [(2, 0.9, 10), (5, 0.6, 20), (20, 0.9, 40), (100, 0.9, 160)])
@pytest.mark.parametrize("sign", [1, -1])
def test_auto_takes_the_dense_metric_where_correlation_is_strong(d, correlation, n, sign):
    flips = np.where(np.arange(d) % 2 == 0, 1.0, sign)
    covariance = equicorrelated(d, correlation, np.logspace(-1, 1, d) * flips)
    kind, matrix = update(AUTO, *normal_draws(n, covariance))
    assert kind == DENSE
    scales = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(matrix / np.outer(scales, scales), covariance / np.outer(scales, scales), atol=0.02)


@pytest.mark.parametrize(("d", "correlation"), [(2, 0.1), (20, 0.02), (100, 0.02)])
def test_auto_keeps_the_diagonal_where_weak_correlation_does_not_pay(d, correlation):
    assert update(AUTO, *normal_draws(500, equicorrelated(d, correlation)))[0] == DIAGONAL


@pytest.mark.parametrize("d", [2, 20, 100])
def test_auto_decides_by_the_condition_number_and_the_cost_of_a_step(d):
    # One eigenvalue apart from the others, on either side of the threshold.
    def difficulty(correlation):
        values = np.linalg.eigvalsh(equicorrelated(d, correlation))
        return math.sqrt(values[-1] * math.sqrt(np.sum(values**-2.0)) / math.sqrt(d))

    threshold = 1.2 * (1 + d / 100)
    correlations = np.linspace(0.001, 0.99, 1000)
    critical = correlations[np.searchsorted([difficulty(c) for c in correlations], threshold)]
    for correlation, expected in ((0.85 * critical, DIAGONAL), (critical + 0.15 * (1 - critical), DENSE)):
        assert update(AUTO, *normal_draws(500, equicorrelated(d, correlation)))[0] == expected
