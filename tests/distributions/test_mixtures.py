"""Mixtures, zero inflation and hurdles against sums of probabilities, quadrature and scipy.stats."""

import numpy as np
import pytest
import scipy.stats as st
from scipy.special import softmax

import bayesad.distributions as laws
from bayesad import ad
from bayesad.distributions import Mixture, hurdle, truncated, zero_inflated
from bayesad.errors import DistributionError
from tests.distributions.checks import assert_counts, assert_draws, assert_gradient, mass

W = np.array([0.2, 0.5, 0.3])
MU, SIGMA = np.array([-1.0, 0.5, 4.0]), np.array([0.3, 1.0, 2.0])


def normal_mixtures() -> list[Mixture]:
    """The same law from a list and from one law with three components."""
    return [
        Mixture(W, [laws.Normal(m, s) for m, s in zip(MU, SIGMA, strict=True)]),
        Mixture(W, laws.Normal(MU, SIGMA)),
    ]


@pytest.mark.parametrize("d", normal_mixtures(), ids=["list", "batch"])
def test_mixture_is_the_weighted_sum_of_its_components(d: Mixture) -> None:
    twins = [st.norm(m, s) for m, s in zip(MU, SIGMA, strict=True)]
    x = np.linspace(-3.0, 9.0, 25).reshape(5, 5)
    for ours, name in ((d.log_prob, "pdf"), (d.log_cdf, "cdf"), (d.log_sf, "sf")):
        expected = sum(w * getattr(twin, name)(x) for w, twin in zip(W, twins, strict=True))
        np.testing.assert_allclose(ours(x), np.log(expected), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(d.mean, W @ MU)
    assert d.batch_shape == d.event_shape == ()
    np.testing.assert_allclose(d.cdf(d.icdf([0.1, 0.6])), [0.1, 0.6], rtol=1e-12)
    assert_draws(d)


@pytest.mark.parametrize("x", [-1e3, 1e5])
def test_mixture_far_out_is_that_of_its_widest_component(x: float) -> None:
    for d in normal_mixtures():
        np.testing.assert_allclose(d.log_prob(x), np.log(0.3) + st.norm(4, 2).logpdf(x), rtol=1e-13)


def test_gradients_of_mixtures_reach_weights_and_components() -> None:
    x = np.array([-4.0, 0.1, 2.0, 30.0])
    point = {"a": 0.4, "b": -0.2, "mu": 0.7, "sigma": 1.3}

    def listed(p):
        w = softmax(np.stack([p["a"], p["b"], 0.0]))
        several = [laws.Normal(p["mu"], 1.0), laws.Cauchy(0.0, p["sigma"]), laws.Normal(2.0, p["sigma"])]
        return Mixture(w, several).log_prob(x)

    def batched(p):
        w = softmax(np.stack([p["a"], p["b"]]))
        return Mixture(w, laws.Normal(np.arange(2.0) * p["mu"], p["sigma"])).log_prob(x)

    assert_gradient(listed, point)
    assert_gradient(batched, point)


def test_components_may_live_on_different_supports() -> None:
    d = Mixture([0.4, 0.6], [laws.Gamma(2.0, 1.0), laws.Uniform(-1.0, 3.0)])
    assert (d.support.lower, d.support.upper) == (-1.0, None)
    x = np.array([-2.0, -0.5, 0.0, 1.0, 5.0])
    expected = 0.4 * st.gamma(2).pdf(x) + 0.6 * st.uniform(-1, 4).pdf(x)
    np.testing.assert_allclose(np.exp(d.log_prob(x)), expected, rtol=1e-12)
    np.testing.assert_allclose(d.cdf(1.0), mass(d, -1.0, 1.0, points=[0.0]), rtol=1e-9)
    assert_draws(d)
    gradient = ad.gradient(lambda x: np.sum(d.log_prob(x)), np.array([-0.5, 1.0, 5.0]))
    np.testing.assert_allclose(gradient[[0, 2]], [0.0, 1 / 5.0 - 1.0], atol=1e-12)
    bounded = Mixture([0.5, 0.5], truncated(laws.Normal(np.array([0.0, 9.0])), np.array([-1.0, 8.0]), [2.0, 10.0]))
    assert (bounded.support.lower, bounded.support.upper) == (-1.0, 10.0)
    np.testing.assert_allclose(
        bounded.log_prob([0.0, 5.0, 9.0]),
        np.log([0.5, 1e-300, 0.5]) + [st.truncnorm(-1, 2).logpdf(0), -np.inf, st.truncnorm(-1, 1, 9).logpdf(9)],
    )


def test_mixtures_of_counts_of_vectors_and_in_batches() -> None:
    counts = Mixture([0.3, 0.7], [laws.Poisson(2.0), laws.Binomial(5, 0.4)])
    assert_counts(counts, 60)
    assert_draws(counts)
    mu = np.array([[0.0, 0.0], [3.0, -1.0]])
    vectors = Mixture([0.3, 0.7], laws.MvNormal(mu, cov=np.eye(2)))
    listed = Mixture([0.3, 0.7], [laws.MvNormal(m, cov=np.eye(2)) for m in mu])
    x = np.random.default_rng(0).normal(size=(4, 2))
    expected = np.log(0.3 * st.multivariate_normal(mu[0]).pdf(x) + 0.7 * st.multivariate_normal(mu[1]).pdf(x))
    for d in (vectors, listed):
        assert (d.batch_shape, d.event_shape) == ((), (2,))
        np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-12)
        np.testing.assert_allclose(d.mean, [2.1, -0.7])
        draws = d.sample(np.random.default_rng(1), 4000)
        assert abs(draws.mean(axis=0) - d.mean).max() < 5 * draws.std() / 4000**0.5
        assert np.corrcoef(draws.T)[0, 1] < -0.2  # each draw takes all its entries from one component
    weights = np.array([[0.5, 0.5], [0.1, 0.9], [1.0, 0.0]])
    batch = Mixture(weights, laws.Normal([0.0, 5.0]))
    assert batch.sample(np.random.default_rng(1), 7).shape == (7, 3)
    np.testing.assert_allclose(batch.log_prob(1.0), np.log(weights @ st.norm([0, 5]).pdf(1.0)), rtol=1e-12)
    simplexes = Mixture([0.3, 0.7], [laws.Dirichlet([1.0, 2.0]), laws.Dirichlet([3.0, 1.0])])
    np.testing.assert_allclose(np.exp(simplexes.log_prob([0.25, 0.75])), 0.3 * 1.5 + 0.7 * 3 * 0.25**2)


def test_mixtures_say_what_is_wrong() -> None:
    for make, message in [
        (lambda: Mixture(W, [laws.Normal()]), "Mixture: weights has 3 entries for 1 components"),
        (lambda: Mixture(W, laws.Normal(np.zeros(2))), r"batch shape is \(2,\); its last axis must have length 3"),
        (
            lambda: Mixture(W[:2] / 0.7, [laws.Normal(), laws.Poisson(1.0)]),
            "one kind of value; they have integer, real",
        ),
        (lambda: Mixture([1.0], [3.0]), r"Mixture: each component must be a distribution; got 3\.0"),
        (lambda: Mixture([1.0], [laws.censored(laws.Normal(), 0.0)]), "gives single real numbers a probability"),
        (lambda: Mixture([0.5, 0.6], laws.Normal([0.0, 1.0])), "Mixture: weights must be a simplex"),
    ]:
        with pytest.raises(DistributionError, match=message):
            make()


@pytest.mark.parametrize(
    "d",
    [laws.Poisson(2.5), laws.NegativeBinomial2(3.0, 0.7), laws.Binomial(8, 0.3), laws.PoissonLog(-1.0)],
    ids=lambda d: type(d).__name__,
)
def test_zeros_of_counts(d: laws.Distribution) -> None:
    k = np.arange(0, 80)
    plain = np.exp(d.log_prob(k))
    inflated, with_hurdle = zero_inflated(d, 0.3), hurdle(d, 0.3)
    np.testing.assert_allclose(np.exp(inflated.log_prob(k)), 0.7 * plain + 0.3 * (k == 0), rtol=1e-12)
    expected = np.where(k == 0, 0.3, 0.7 * plain / (1 - plain[0]))
    np.testing.assert_allclose(np.exp(with_hurdle.log_prob(k)), expected, rtol=1e-11)
    assert_counts(inflated, 300)
    assert_draws(inflated)
    assert_draws(with_hurdle)
    np.testing.assert_allclose(with_hurdle.cdf(k[:5]), np.cumsum(expected)[:5], rtol=1e-11)
    assert zero_inflated(d, 1.0).log_prob(0) == 0.0
    np.testing.assert_array_equal(zero_inflated(d, 0.0).log_prob(k[:9]), d.log_prob(k[:9]))


def test_zeros_of_amounts_have_a_probability() -> None:
    for d in (zero_inflated(laws.Gamma(2.0, 1.0), 0.3), hurdle(laws.Gamma(2.0, 1.0), 0.3)):
        assert d.has_atoms
        np.testing.assert_allclose(
            d.log_prob([0.0, 1.5, -1.0]), [np.log(0.3), np.log(0.7) + 1.5 * 0 + st.gamma(2).logpdf(1.5), -np.inf]
        )
        np.testing.assert_allclose(d.cdf([-0.1, 0.0, 2.0]), [0.0, 0.3, 0.3 + 0.7 * st.gamma(2).cdf(2.0)])
        np.testing.assert_allclose(d.mean, 1.4)
        assert (d.sample(np.random.default_rng(0), 1000) == 0).mean() == pytest.approx(0.3, abs=0.07)
        assert_gradient(
            lambda p: zero_inflated(laws.Gamma(p["a"], 1.0), p["p"]).log_prob([0.0, 1.5, 0.2]), {"a": 2.0, "p": 0.3}
        )
    both = zero_inflated(laws.Normal(1.0, 2.0), 0.3)
    np.testing.assert_allclose(both.cdf([-1.0, 0.0]), 0.7 * st.norm(1, 2).cdf([-1, 0]) + [0.0, 0.3])
    np.testing.assert_allclose(both.log_sf([-1.0, 0.0]), np.log(0.7 * st.norm(1, 2).sf([-1, 0]) + [0.3, 0.0]))


def test_gradients_of_zeros_reach_all_parameters() -> None:
    k = np.array([0, 0, 1, 5])
    for wrap in (zero_inflated, hurdle):
        assert_gradient(
            lambda p, wrap=wrap: wrap(laws.NegativeBinomial2(p["mu"], p["phi"]), p["p"]).log_prob(k),
            {"mu": 3.0, "phi": 1.2, "p": 0.3},
        )


def test_zeros_say_what_is_wrong() -> None:
    for make, message in [
        (lambda: zero_inflated(laws.Poisson(1.0), 1.2), r"zero_inflated: p must be between 0 and 1; got 1\.2"),
        (lambda: zero_inflated(laws.MvNormal(0.0, cov=np.eye(2)), 0.1), "needs a law of single numbers"),
        (lambda: hurdle(laws.Dirichlet([1.0, 1.0]), 0.1), "hurdle: .* is a law of simplex values"),
        (lambda: zero_inflated(zero_inflated(laws.Gamma(1.0, 1.0), 0.1), 0.1), "apply zero_inflated to the law inside"),
    ]:
        with pytest.raises(DistributionError, match=message):
            make()


def test_a_mixture_of_one_family_is_that_of_its_components():
    mu, weights = np.array([-1.0, 2.0]), np.array([0.3, 0.7])
    law = laws.mixture_same_family(weights, laws.Normal(mu, 0.5))
    x = np.linspace(-3.0, 4.0, 7)
    expected = np.log(st.norm.pdf(x[:, None], mu, 0.5) @ weights)
    np.testing.assert_allclose(law.log_prob(x), expected, rtol=1e-12)
    with pytest.raises(DistributionError, match="For a list there is Mixture"):
        laws.mixture_same_family(weights, [laws.Normal(0, 1), laws.Normal(1, 1)])
