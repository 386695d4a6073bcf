"""Laws on vectors that sum to zero: closed forms, draws, and the posterior over them."""

import numpy as np
import pytest
import scipy.stats as st

import bayesad as ba
from bayesad.distributions import Exponential, Laplace, MvNormal, Normal, Poisson, SkewNormal, StudentT, zero_sum
from bayesad.errors import DistributionError

# Chance that one test of draws fails although the law is right.
FALSE_ALARM = 1e-6


def test_density_is_that_of_the_law_at_all_entries() -> None:
    x = np.array([[1.0, -3.0, 2.0], [0.5, 0.5, -1.0]])
    np.testing.assert_allclose(zero_sum(Normal(0, 2)).log_prob(x), st.norm(0, 2).logpdf(x).sum(axis=-1), rtol=1e-14)
    scales = np.array([1.0, 2.0, 3.0])
    d = zero_sum(StudentT(4.0, 0.0, scales))
    assert (d.event_shape, d.batch_shape) == ((3,), ())
    np.testing.assert_allclose(d.log_prob(x), st.t(4, 0, scales).logpdf(x).sum(axis=-1), rtol=1e-13)
    assert d.log_prob([1.0, 1.0, 1.0]) == -np.inf


@pytest.mark.parametrize("sigma", [np.array([2.0]), np.array([0.5, 1.0, 4.0, 2.0])], ids=["equal", "unequal"])
def test_draws_have_the_conditional_law_given_the_sum(sigma: np.ndarray) -> None:
    K, mu = 4, np.array([1.0, 0.0, -2.0, 0.5])
    x = zero_sum(Normal(mu, sigma)).draw(np.random.default_rng(3), (4000, K))
    np.testing.assert_allclose(x.sum(axis=-1), 0.0, atol=1e-12)
    variance = np.broadcast_to(sigma**2, K)
    gain = variance / variance.sum()
    mean, cov = mu - gain * mu.sum(), np.diag(variance) - np.outer(gain, variance)
    for direction in (*np.eye(K), np.array([1.0, 2.0, -1.0, 0.0])):
        law = st.norm(mean @ direction, np.sqrt(direction @ cov @ direction))
        assert st.kstest(x @ direction, law.cdf).pvalue > FALSE_ALARM


def test_posterior_has_one_dimension_less_and_no_other_volume() -> None:
    @ba.model
    def effects(y):
        a = ba.sample("a", ba.zero_sum(ba.Normal(0, 3)), dims="group")
        ba.sample("y", ba.Normal(a, 1), obs=y)

    posterior = effects.with_coords(group=3)(y=[1.0, 2.0, 0.5])
    assert posterior.unconstrained.dimension == 2
    a = np.array([0.5, 0.25, -0.75])
    expected = st.norm(0, 3).logpdf(a).sum() + st.norm(a, 1).logpdf([1.0, 2.0, 0.5]).sum()
    assert posterior.neg_log_posterior({"a": a}) == pytest.approx(-expected, rel=1e-13)
    assert posterior.unconstrained.log_density(posterior.unconstrained.pack({"a": a})) == pytest.approx(expected)
    assert posterior.neg_log_posterior({"a": a + 1e-6}) == np.inf
    draws = posterior.sample(chains=2, warmup=200, draws=300, seed=1)["posterior"]["a"].values.reshape(-1, 3)
    np.testing.assert_allclose(draws.sum(axis=-1), 0.0, atol=1e-12)
    # conjugate: precision 1 + 1/9 within the plane; 600 draws, each mean off by 6 standard errors once in 10^9
    y = np.array([1.0, 2.0, 0.5])
    np.testing.assert_allclose(draws.mean(axis=0), (y - y.mean()) * 0.9, atol=6 * 0.95 / np.sqrt(400))


@pytest.mark.parametrize("d", [Exponential(1.0), Poisson(2.0), MvNormal(0.0, cov=np.eye(2)), 3.0])
def test_what_has_no_zero_sum_vectors_is_an_error(d: object) -> None:
    with pytest.raises(DistributionError, match="zero_sum: "):
        zero_sum(d)


def test_entries_of_other_symmetric_laws_have_the_conditional_law_given_the_sum() -> None:
    rng = np.random.default_rng(5)
    x = zero_sum(Laplace(0.0, 1.0)).draw(rng, (3000, 3))
    np.testing.assert_allclose(x.sum(axis=-1), 0.0, atol=1e-13)
    # an entry has a density proportional to that of Laplace there times that of the sum of two others, (1 + |x|) e^-|x|
    below = lambda x: 0.5 + 0.5 * np.sign(x) * (1.0 - np.exp(-2.0 * abs(x)) * (1.0 + 2.0 * abs(x) / 3.0))
    for entry in x.T:
        assert st.kstest(entry, below).pvalue > FALSE_ALARM
    mu, sigma = np.array([0.5, -1.0]), np.array([1.0, 3.0])
    x = zero_sum(StudentT(2.5, mu, sigma)).draw(rng, (3000, 2))
    grid = np.linspace(-400.0, 400.0, 400_001)
    density = st.t(2.5, mu[0], sigma[0]).pdf(grid) * st.t(2.5, mu[1], sigma[1]).pdf(-grid)
    share = np.cumsum(density) / density.sum()
    assert st.kstest(x[:, 0], lambda v: np.interp(v, grid, share)).pvalue > FALSE_ALARM


def test_entries_of_laws_without_a_known_mode_cannot_be_drawn() -> None:
    with pytest.raises(DistributionError, match="cannot be drawn given that their sum is 0"):
        zero_sum(SkewNormal(0.0, 1.0, 2.0)).draw(np.random.default_rng(1), (3,))
