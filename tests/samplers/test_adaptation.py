"""Windows, dual averaging, the search for a step size and the estimates of the metric."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from bayesad.ad.backends.llvm.kernel import compile_kernel
from bayesad.samplers import adaptation
from bayesad.samplers import control as codes
from bayesad.samplers.adaptation import (
    AUTO,
    STEP,
    TUNING_SIZE,
    find_step_size,
    finish_step_size,
    learn_step_size,
    observe,
    restart_step_size,
    update_metric,
    windows,
)
from bayesad.samplers.hamiltonian import DENSE, DIAGONAL, inverse_metric
from bayesad.samplers.random import streams


def stan_update_iterations(warmup):
    """The iterations, counted from 0, after which Stan updates the metric, transcribed as its counters run."""
    if warmup < 20:
        return []
    init, term, base = 75, 50, 25
    if init + base + term > warmup:
        init, term = int(0.15 * warmup), int(0.1 * warmup)
        base = warmup - (init + term)
    window_size, next_window, updates = base, init + base - 1, []
    for counter in range(warmup):
        if counter != next_window:
            continue
        updates.append(counter)
        if next_window == warmup - term - 1:
            continue
        window_size *= 2
        next_window = counter + window_size
        if next_window != warmup - term - 1 and next_window + 2 * window_size >= warmup - term:
            next_window = warmup - term - 1
    return updates


def test_windows_are_those_documented_by_stan():
    assert windows(1000) == (75, (100, 150, 250, 450, 950))
    assert windows(150) == (75, (100,))
    assert windows(100) == (15, (90,))
    assert windows(19) == (19, ())
    assert windows(0) == (0, ())


def test_windows_equal_stans_counters_for_every_length_of_warmup():
    for warmup in range(3000):
        start, ends = windows(warmup)
        assert [end - 1 for end in ends] == stan_update_iterations(warmup)
        assert start == (75 if warmup >= 150 else int(0.15 * warmup) if warmup >= 20 else warmup)
        assert list(ends) == sorted({e for e in ends if start + 1 < e <= warmup})


def dual_averaging(first_step, target, acceptances):
    """Hoffman & Gelman 2014, algorithm 6, written out with sums; step sizes in use and their final mean."""
    gamma, t0, kappa, mu = 0.05, 10, 0.75, math.log(10 * first_step)
    error, log_mean, steps = 0.0, 0.0, []
    for t, acceptance in enumerate(acceptances, start=1):
        error += (target - acceptance - error) / (t + t0)
        log_step = mu - math.sqrt(t) / gamma * error
        log_mean += t**-kappa * (log_step - log_mean)
        steps.append(math.exp(log_step))
    return steps, math.exp(log_mean)


@pytest.mark.parametrize("first_step", [1e-3, 0.4, 20.0])
def test_dual_averaging_equals_a_transcription(first_step):
    acceptances = np.random.default_rng(1).beta(4, 1, size=200)
    tuning = np.zeros(TUNING_SIZE)
    for _ in range(2):  # the second time after a restart
        tuning[STEP] = first_step
        restart_step_size(tuning)
        steps, mean = dual_averaging(first_step, 0.8, acceptances)
        for acceptance, step in zip(acceptances, steps, strict=True):
            learn_step_size(tuning, 0.8, acceptance)
            assert tuning[STEP] == pytest.approx(step, rel=1e-10)
        finish_step_size(tuning)
        assert tuning[STEP] == pytest.approx(mean, rel=1e-10)


def test_dual_averaging_finds_the_step_size_of_the_target():
    # Acceptance falls with the step size; the mean step size must solve acceptance(step) = target.
    rng = np.random.default_rng(2)
    tuning = np.zeros(TUNING_SIZE)
    tuning[STEP] = 0.01
    restart_step_size(tuning)
    for _ in range(20_000):
        learn_step_size(tuning, 0.8, min(1.0, rng.beta(20, 1) * 2 * stats.norm.sf(tuning[STEP])))
    finish_step_size(tuning)

    def mean_acceptance(step):
        scale = 2 * stats.norm.sf(step)
        return 20 / 21 * scale  # the product never exceeds 1

    assert tuning[STEP] == pytest.approx(optimize.brentq(lambda s: mean_acceptance(s) - 0.8, 0.01, 2), rel=0.05)


def test_without_updates_the_step_size_stays():
    tuning = np.zeros(TUNING_SIZE)
    tuning[STEP] = 0.3
    restart_step_size(tuning)
    finish_step_size(tuning)
    assert tuning[STEP] == 0.3


def search(log_density, q, *, first=1.0, factor=None, seed=1, stop=False):
    position, gradient = np.array(q, dtype=float), np.zeros(len(q))
    start = log_density(position, gradient)
    tuning = np.zeros(TUNING_SIZE)
    tuning[STEP] = first
    control = np.zeros(codes.CONTROL_SIZE, dtype=np.int64)
    control[codes.STOP] = stop
    d = len(q)
    with np.errstate(all="ignore"):
        outcome = find_step_size(
            log_density,
            DIAGONAL,
            d,
            tuning,
            np.ones(d) if factor is None else factor,
            position,
            gradient,
            start,
            streams(seed, 1)[0],
            np.zeros(5 * d),
            control,
        )
    return outcome, tuning[STEP], int(control[codes.LEAPFROGS])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("first", [1e-3, 1.0, 50.0])
def test_the_first_step_size_fits_the_scale_of_the_density(scale, first):
    d = 50

    def log_density(q, gradient):
        gradient[:d] = -q[:d] / scale**2
        return -0.5 * float(q[:d] @ q[:d]) / scale**2

    q = scale * np.random.default_rng(1).normal(size=d)
    outcome, step, trials = search(log_density, q, first=first)
    assert outcome == codes.COMPLETE
    assert 0.1 < step / scale < 3.0
    assert math.log2(step / first) == round(math.log2(step / first))
    assert trials == abs(round(math.log2(step / first))) + 1
    whitened = search(log_density, q, first=first, factor=np.full(d, scale))[1]
    assert 0.1 < whitened < 3.0


def test_a_flat_density_and_a_wrong_gradient_are_told_apart():
    def flat(q, gradient):
        gradient[:2] = 0.0
        return 0.0

    def nowhere_but_here(q, gradient):
        gradient[:2] = 0.0
        return 0.0 if q[0] == 0.0 else -math.inf

    assert search(flat, [0.0, 0.0])[:2] == (codes.STEP_SIZE_TOO_LARGE, 1.0)
    assert search(nowhere_but_here, [0.0, 0.0])[:2] == (codes.STEP_SIZE_TOO_SMALL, 1.0)
    assert search(flat, [0.0, 0.0], stop=True) == (codes.STOPPED, 1.0, 0)


def moments(draws, dense):
    d = draws.shape[1]
    mean, moment = np.full(d, 7.0), np.full(d * d if dense else d, 7.0)
    kernel = compile_kernel(observe)
    for count, draw in enumerate(draws, start=1):
        kernel(dense, d, count, draw.copy(), mean, moment, np.zeros(d))
    return mean, moment


def update(choice, draws, kind=DIAGONAL):
    """The metric's kind and its inverse after a window of draws."""
    n, d = draws.shape
    factor = np.zeros(d if choice == DIAGONAL else d * d)
    factor[:d] = 1.0
    _, moment = moments(draws, choice != DIAGONAL)
    kind = compile_kernel(update_metric)(choice, kind, d, n, moment, factor, np.zeros(d * d + 2 * d))
    return kind, inverse_metric(kind, factor, d)


def regularised(covariance, n):
    """The estimate of n draws and five more, uncorrelated, with 1e-3 of the variance."""
    return (n * covariance + 5 * 1e-3 * np.diag(np.diag(covariance))) / (n + 5)


def correlated_draws(n, d, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    return offset + rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * np.logspace(-2, 2, d)


def test_running_moments_equal_numpys_also_far_from_zero():
    draws = correlated_draws(40, 6, offset=1e6)
    mean, moment = moments(draws, dense=True)
    np.testing.assert_allclose(mean, draws.mean(axis=0), rtol=1e-12)
    expected = 39 * np.cov(draws.T)
    np.testing.assert_allclose(np.tril(moment.reshape(6, 6)), np.tril(expected), rtol=1e-6, atol=1e-6)
    mean, moment = moments(draws, dense=False)
    np.testing.assert_allclose(moment, np.diag(expected), rtol=1e-6)


def test_metrics_are_regularised_covariances():
    draws = correlated_draws(60, 7)
    expected = regularised(np.cov(draws.T), 60)
    kind, variances = update(DIAGONAL, draws)
    assert kind == DIAGONAL
    np.testing.assert_allclose(variances, np.diag(expected), rtol=1e-10)
    kind, matrix = update(DENSE, draws)
    assert kind == DENSE
    np.testing.assert_allclose(matrix, expected, rtol=1e-8, atol=1e-10)


def test_dense_is_diagonal_until_there_are_more_draws_than_unknowns():
    draws = correlated_draws(8, 7)
    assert update(DENSE, draws)[0] == DENSE
    kind, variances = update(DENSE, draws[:7])
    assert kind == DIAGONAL
    np.testing.assert_allclose(variances, np.diag(regularised(np.cov(draws[:7].T), 7)), rtol=1e-10)


@pytest.mark.parametrize("choice", [DIAGONAL, DENSE, AUTO])
def test_the_metric_does_not_depend_on_units(choice):
    draws, units = correlated_draws(60, 4), np.array([1e-9, 1e-3, 1.0, 1e6])
    kind, inverse = update(choice, draws)
    other_kind, other = update(choice, draws * units)
    assert other_kind == kind
    np.testing.assert_allclose(other, inverse * (units**2 if inverse.ndim == 1 else np.outer(units, units)), rtol=1e-8)


@pytest.mark.parametrize("choice", [DIAGONAL, DENSE, AUTO])
@pytest.mark.parametrize("trouble", ["not finite", "constant"])
def test_moments_that_tell_nothing_leave_the_metric_alone(choice, trouble):
    draws = correlated_draws(30, 3)
    draws[5:7, 1] = 1e200, -1e200
    if trouble == "constant":
        draws[:, 1] = 0.25
    kind, inverse = update(choice, draws)
    assert kind == DIAGONAL
    np.testing.assert_array_equal(inverse, np.ones(3))


@pytest.mark.parametrize("d", [2, 5, 20, 60])
@pytest.mark.parametrize("n", [100, 500])
def test_auto_takes_the_diagonal_where_there_is_no_correlation(d, n):
    # Scales do not matter, and noise in the estimate is no correlation. Of 8300 simulated windows (d from 2 to 100, n
    # from 25 to 500) none was taken for correlated: a false-alarm rate below 4e-4 a window, at 95 % confidence.
    for seed in range(5):
        draws = np.random.default_rng(seed).normal(size=(n, d)) * np.logspace(-3, 3, d)
        kind, variances = update(AUTO, draws)
        assert kind == DIAGONAL
        np.testing.assert_allclose(variances, np.diag(regularised(np.cov(draws.T), n)), rtol=1e-10)


@pytest.mark.parametrize(
    ("d", "correlation", "n"), [(2, 0.9, 25), (2, 0.9, 500), (5, 0.95, 100), (20, 0.9, 500), (100, 0.98, 500)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_auto_takes_the_dense_metric_where_correlation_is_strong(d, correlation, n, sign):
    flips = np.where(np.arange(d) % 2 == 0, 1.0, sign)
    covariance = (correlation + (1 - correlation) * np.eye(d)) * np.outer(flips, flips)
    draws = np.random.default_rng(1).multivariate_normal(np.zeros(d), covariance, size=n) * np.logspace(-1, 1, d)
    kind, matrix = update(AUTO, draws)
    assert kind == DENSE
    np.testing.assert_allclose(matrix, regularised(np.cov(draws.T), n), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(("d", "correlation", "n"), [(2, 0.1, 500), (20, 0.05, 500), (100, 0.02, 500), (50, 0.3, 60)])
def test_auto_keeps_the_diagonal_where_weak_correlation_does_not_pay(d, correlation, n):
    covariance = correlation + (1 - correlation) * np.eye(d)
    draws = np.random.default_rng(1).multivariate_normal(np.zeros(d), covariance, size=n)
    assert update(AUTO, draws)[0] == DIAGONAL


@pytest.mark.parametrize("d", [1, 2, 7, 30])
def test_the_difficulty_is_that_of_the_correlation_matrix(d):
    draws = correlated_draws(3 * d + 10, d, seed=d)
    covariance = np.atleast_2d(np.cov(draws.T))
    deviations = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviations, deviations)
    matrix = np.tril(covariance).ravel()
    largest = adaptation._largest_eigenvalue(d, matrix, deviations, np.zeros(2 * d))
    assert largest == pytest.approx(np.linalg.eigvalsh(correlation)[-1], rel=0.02)
    assert adaptation._cholesky(d, matrix)
    np.testing.assert_allclose(np.tril(matrix.reshape(d, d)), np.linalg.cholesky(covariance), rtol=1e-8)
    norm = adaptation._norm_of_inverse(d, matrix, deviations, np.zeros(d * d))
    assert norm == pytest.approx(np.linalg.norm(np.linalg.inv(correlation)), rel=1e-6)


def test_the_threshold_is_what_noise_shows_and_leaves():
    # Difficulties of simulated estimates, the module's own definition by eigenvalues, against the closed forms.
    d, n, rng = 60, 300, np.random.default_rng(5)

    def difficulty(correlation):
        eigenvalues = np.linalg.eigvalsh(correlation)
        return math.sqrt(eigenvalues[-1] * math.sqrt(np.sum(eigenvalues**-2.0)) / math.sqrt(d))

    seen, left = [], []
    for _ in range(20):
        covariance = np.cov(rng.normal(size=(d, n)))
        scale = np.sqrt(np.diag(covariance))
        seen.append(difficulty(covariance / np.outer(scale, scale)))
        left.append(difficulty(np.linalg.inv(covariance)))
    expected = np.mean(seen) * np.mean(left) * (1 + d / 100)
    assert adaptation._dense_threshold(d, n) == pytest.approx(expected, rel=0.1)


def test_a_matrix_that_is_not_positive_definite_is_refused():
    assert not adaptation._cholesky(2, np.array([1.0, 0.0, 2.0, 1.0]))
    assert not adaptation._cholesky(1, np.array([math.nan]))
