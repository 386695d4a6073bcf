"""Laws of series against joint normal laws, explicit recursions and draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats as st
from scipy.linalg import solve_discrete_lyapunov

from bayesad import ad
from bayesad.distributions import (
    AR,
    ARMA,
    GARCH,
    Exponential,
    GaussianRandomWalk,
    MvGaussianRandomWalk,
    MvNormal,
    Normal,
    RandomWalk,
    StudentT,
)
from bayesad.errors import DistributionError

# Chance that one test of draws fails although the law is right.
FALSE_ALARM = 1e-6

RNG = np.random.default_rng(13)


def follows_normal(draws: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> None:
    """Projections of draws, shape (n, T), on the axes and on one other direction have the normal law."""
    for direction in (*np.eye(len(mean)), np.cos(np.arange(len(mean)))):
        sd = np.sqrt(direction @ cov @ direction)
        assert st.kstest(draws @ direction, st.norm(mean @ direction, sd).cdf).pvalue > FALSE_ALARM


# --- random walks
@pytest.mark.parametrize("start", [None, Normal(3.0, 2.0)], ids=["from 0", "initial"])
def test_gaussian_random_walk_is_a_joint_normal_law(start: Any) -> None:
    mu, sigma, T = 0.2, 0.5, 4
    d = GaussianRandomWalk(mu, sigma, start, length=T)
    assert (d.batch_shape, d.event_shape) == ((), (T,))
    first_mean, first_sd = (mu, sigma) if start is None else (3.0, 2.0)
    mean = first_mean + mu * np.arange(T)
    sums = np.tril(np.ones((T, T)))
    cov = sums @ np.diag([first_sd**2] + [sigma**2] * (T - 1)) @ sums.T
    x = RNG.normal(size=(3, T))
    np.testing.assert_allclose(d.log_prob(x), st.multivariate_normal(mean, cov).logpdf(x), rtol=1e-11)
    np.testing.assert_allclose(d.mean, mean, rtol=1e-14)
    follows_normal(d.sample(np.random.default_rng(1), 2000), mean, cov)


def test_steps_may_vary_over_time_and_walks_come_in_batches(assert_gradient: Callable[..., None]) -> None:
    sigma = np.array([[0.5, 1.0, 2.0], [1.0, 1.0, 3.0]])
    d = GaussianRandomWalk(0.0, sigma)
    assert (d.batch_shape, d.event_shape) == ((2,), (3,))
    x = RNG.normal(size=(2, 3))
    steps = np.diff(x, prepend=0.0, axis=-1)
    np.testing.assert_allclose(d.log_prob(x), st.norm(0, sigma).logpdf(steps).sum(axis=-1), rtol=1e-13)
    assert GaussianRandomWalk(0.0, sigma, Normal(0, 1)).event_shape == (4,)
    assert GaussianRandomWalk(0.0, np.array([[0.5], [2.0]])).draw(np.random.default_rng(1), (2, 7)).shape == (2, 7)
    assert_gradient(lambda s: np.sum(GaussianRandomWalk(0.1, s, Normal(0, s[0, 0])).log_prob(np.ones((2, 4)))), sigma)


def test_walks_with_other_innovations() -> None:
    x = np.array([1.0, 3.0, 2.5])
    d = RandomWalk(StudentT(3.0, 0.0, 0.5), Normal(0, 10))
    expected = st.norm(0, 10).logpdf(1.0) + st.t(3, 0, 0.5).logpdf([2.0, -0.5]).sum()
    assert d.log_prob(x) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("start", [None, MvNormal([1.0, 2.0], cov=np.eye(2))], ids=["from 0", "initial"])
def test_walk_of_vectors_is_a_joint_normal_law(start: Any) -> None:
    T, cov = 3, np.array([[1.0, 0.6], [0.6, 2.0]])
    d = MvGaussianRandomWalk([0.1, 0.0], cov, initial=start, length=T)
    assert d.event_shape == (T, 2)
    first = ([0.1, 0.0], cov) if start is None else ([1.0, 2.0], np.eye(2))
    sums = np.kron(np.tril(np.ones((T, T))), np.eye(2))
    blocks = np.zeros((2 * T, 2 * T))
    for t in range(T):
        blocks[2 * t : 2 * t + 2, 2 * t : 2 * t + 2] = first[1] if t == 0 else cov
    mean = np.array(first[0])[None] + np.arange(T)[:, None] * np.array([0.1, 0.0])
    joint = sums @ blocks @ sums.T
    x = RNG.normal(size=(4, T, 2))
    expected = st.multivariate_normal(mean.ravel(), joint).logpdf(x.reshape(4, -1))
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-11)
    np.testing.assert_allclose(d.mean, mean, rtol=1e-14)
    follows_normal(d.sample(np.random.default_rng(2), 2000).reshape(2000, -1), mean.ravel(), joint)


def test_walks_say_what_is_wrong() -> None:
    with pytest.raises(DistributionError, match="RandomWalk: innovation and initial value must be laws of unbounded"):
        RandomWalk(Exponential(1.0))
    with pytest.raises(DistributionError, match="RandomWalk: innovation and initial value"):
        RandomWalk(3.0)
    with pytest.raises(DistributionError, match="RandomWalk: innovation and initial value"):
        MvGaussianRandomWalk(cov=np.eye(2), initial=Normal(0, 1))
    with pytest.raises(DistributionError, match="length=4, but a parameter varies over a series of length 3"):
        GaussianRandomWalk(0.0, np.ones(3), length=4).event_shape
    with pytest.raises(DistributionError, match="RandomWalk does not know how long its values are"):
        GaussianRandomWalk(0.0, 1.0).sample(np.random.default_rng(1))


# --- autoregression
def stationary_covariance(coefficients: np.ndarray, sigma: float, T: int) -> np.ndarray:
    """Of T values of a stationary autoregression, from Lyapunov's equation of its companion form."""
    p = len(coefficients)
    companion = np.eye(p, k=-1)
    companion[0] = coefficients
    noise = np.zeros((p, p))
    noise[0, 0] = sigma**2
    state = solve_discrete_lyapunov(companion, noise)
    lags = [(np.linalg.matrix_power(companion, k) @ state)[0, 0] for k in range(T)]
    i, j = np.indices((T, T))
    return np.array(lags)[np.abs(i - j)]


@pytest.mark.parametrize("coefficients", [[0.7], [-0.95], [0.5, -0.3], [1.2, -0.5, 0.2]])
@pytest.mark.parametrize("T", [2, 6])
def test_stationary_autoregression_is_a_joint_normal_law(coefficients: list[float], T: int) -> None:
    sigma, mu = 0.7, np.linspace(0.0, 1.0, T)
    d = AR(coefficients, sigma, mu, "stationary")
    cov = stationary_covariance(np.array(coefficients), sigma, T)
    x = RNG.normal(size=(3, T))
    np.testing.assert_allclose(d.log_prob(x), st.multivariate_normal(mu, cov).logpdf(x), rtol=1e-10)
    np.testing.assert_array_equal(d.mean, mu)
    if T == 6:
        follows_normal(d.sample(np.random.default_rng(3), 2000), mu, cov)


@pytest.mark.parametrize("coefficients", [[1.0], [-1.1], [0.5, 0.6], [0.0, 0.0, 1.0]])
def test_no_stationary_process_has_these_coefficients(coefficients: list[float]) -> None:
    d = AR(coefficients, 1.0, initial="stationary", length=5)
    assert d.log_prob(np.zeros(5)) == -np.inf
    gradient = ad.gradient(lambda c: AR(c, 1.0, initial="stationary").log_prob(np.ones(5)), np.array(coefficients))
    assert np.isfinite(gradient).all()
    with pytest.raises(DistributionError, match="no stationary process has these coefficients"):
        d.sample(np.random.default_rng(1))


def test_autoregression_given_its_first_values() -> None:
    phi, sigma, mu = np.array([0.5, 0.6]), 0.4, 1.0  # not stationary
    x = RNG.normal(size=7)
    r = x - mu
    later = sum(st.norm(phi[0] * r[t - 1] + phi[1] * r[t - 2], sigma).logpdf(r[t]) for t in range(2, 7))
    assert AR(phi, sigma, mu).log_prob(x) == pytest.approx(later, rel=1e-13)
    first = st.norm(0, 3).logpdf(x[:2]).sum()
    assert AR(phi, sigma, mu, Normal(0, 3)).log_prob(x) == pytest.approx(later + first, rel=1e-13)
    joint = MvNormal([0.0, 1.0], cov=np.array([[1.0, 0.5], [0.5, 1.0]]))
    expected = later + joint.log_prob(x[:2])
    assert AR(phi, sigma, mu, joint).log_prob(x) == pytest.approx(expected, rel=1e-13)
    with pytest.raises(DistributionError, match="improper, so there is nothing to draw from"):
        AR(phi, sigma, mu, length=4).sample(np.random.default_rng(1))
    with pytest.raises(DistributionError, match="a series of length 1 is shorter than its 2 initial values"):
        AR(phi, sigma, mu).log_prob([1.0])
    with pytest.raises(DistributionError, match="initial must be 'stationary'"):
        AR(phi, initial="now")


def test_autoregression_draws_given_initial_values_follow_the_recursion() -> None:
    d = AR([0.5, 0.6], 0.4, 1.0, Normal(0, 3), length=5)
    x = d.sample(np.random.default_rng(4), 3000)
    r = x - 1.0
    noise = (r[:, 2:] - 0.5 * r[:, 1:-1] - 0.6 * r[:, :-2]) / 0.4
    assert st.kstest(noise.ravel(), "norm").pvalue > FALSE_ALARM
    assert st.kstest(x[:, 0] / 3.0, "norm").pvalue > FALSE_ALARM


def test_autoregressions_come_in_batches_with_gradients(assert_gradient: Callable[..., None]) -> None:
    point = {"phi": np.array([[0.5, -0.3], [0.1, 0.4]]), "sigma": np.array([0.5, 2.0]), "mu": np.float64(0.3)}
    x = RNG.normal(size=(2, 6))
    separate = [AR(point["phi"][i], point["sigma"][i], 0.3, "stationary").log_prob(x[i]) for i in range(2)]
    d = AR(point["phi"], point["sigma"], 0.3, "stationary")
    np.testing.assert_allclose(d.log_prob(x), separate, rtol=1e-13)
    assert d.draw(np.random.default_rng(1), (2, 4)).shape == (2, 4)
    assert_gradient(lambda p: np.sum(AR(p["phi"], p["sigma"], p["mu"], "stationary").log_prob(x)), point)


# --- ARMA
@pytest.mark.parametrize(
    ("ar", "ma"), [([0.6], [0.4]), (None, [0.5, -0.3]), ([0.5, -0.2], None), ([1.1, -0.2], [0.3, 0.1, -0.5])]
)
def test_arma_is_a_joint_normal_law_of_filtered_noise(ar: Any, ma: Any) -> None:
    T, sigma, mu = 6, 0.8, 0.5
    to_noise, from_noise = np.eye(T), np.eye(T)
    for i, a in enumerate(ar or []):
        to_noise -= a * np.eye(T, k=-1 - i)
    for j, b in enumerate(ma or []):
        from_noise += b * np.eye(T, k=-1 - j)
    root = np.linalg.solve(to_noise, from_noise) * sigma
    d = ARMA(ar, ma, sigma, mu, length=T)
    x = RNG.normal(size=(3, T))
    expected = st.multivariate_normal(np.full(T, mu), root @ root.T).logpdf(x)
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-10)
    np.testing.assert_array_equal(d.mean, np.full(T, mu))
    follows_normal(d.sample(np.random.default_rng(5), 2000), np.full(T, mu), root @ root.T)


def test_arma_batches_and_gradients(assert_gradient: Callable[..., None]) -> None:
    point = {"ar": np.array([0.5, -0.2]), "ma": np.array([[0.3], [-0.4]]), "sigma": np.array([0.5, 2.0])}
    x = RNG.normal(size=(2, 5))
    d = ARMA(**point)
    separate = [ARMA(point["ar"], point["ma"][i], point["sigma"][i]).log_prob(x[i]) for i in range(2)]
    np.testing.assert_allclose(d.log_prob(x), separate, rtol=1e-13)
    assert_gradient(lambda p: np.sum(ARMA(**p).log_prob(x)), point)


# --- GARCH
def garch_log_density(x: np.ndarray, mu: float, alpha0: float, alpha1: float, beta1: float, sigma1: float) -> float:
    total, variance = 0.0, sigma1**2
    for value in x:
        total += st.norm(mu, np.sqrt(variance)).logpdf(value)
        variance = alpha0 + alpha1 * (value - mu) ** 2 + beta1 * variance
    return total


def test_garch_follows_its_recursion() -> None:
    x = RNG.normal(size=8) * 2.0
    arguments = (0.3, 0.2, 0.35, 0.5)
    assert GARCH(*arguments, 1.5).log_prob(x) == pytest.approx(garch_log_density(x, *arguments, 1.5), rel=1e-13)
    stationary = np.sqrt(0.2 / (1 - 0.85))
    assert GARCH(*arguments).log_prob(x) == pytest.approx(garch_log_density(x, *arguments, stationary), rel=1e-13)
    assert GARCH(0.0, 0.2, 0.5, 0.5).log_prob(x) == -np.inf
    np.testing.assert_array_equal(GARCH(*arguments, length=3).mean, np.full(3, 0.3))


def test_garch_draws_are_normal_given_their_variances() -> None:
    d = GARCH(1.0, 0.2, 0.35, 0.5, length=6)
    x = d.sample(np.random.default_rng(6), 2000)
    z = (x - 1.0) / np.sqrt(d.variances(x))
    assert st.kstest(z.ravel(), "norm").pvalue > FALSE_ALARM
    with pytest.raises(DistributionError, match="no stationary process"):
        GARCH(0.0, 0.2, 0.5, 0.6, length=3).sample(np.random.default_rng(1))


def test_garch_batches_and_gradients(assert_gradient: Callable[..., None]) -> None:
    point = {
        "mu": np.float64(0.1),
        "alpha0": np.array([0.2, 0.5]),
        "alpha1": np.array([0.3, 0.1]),
        "beta1": np.float64(0.4),
    }
    x = RNG.normal(size=(2, 5))
    separate = [
        garch_log_density(x[i], 0.1, a, b, 0.4, np.sqrt(a / (0.6 - b)))
        for i, (a, b) in enumerate(zip(point["alpha0"], point["alpha1"], strict=True))
    ]
    np.testing.assert_allclose(GARCH(**point).log_prob(x), separate, rtol=1e-12)
    assert_gradient(lambda p: np.sum(GARCH(**p).log_prob(x)), point)
