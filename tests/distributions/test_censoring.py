"""Censored laws against the sums of scipy.stats that define them."""

import numpy as np
import pytest
import scipy.stats as st

import bayesad.distributions as laws
from bayesad.distributions import censored, interval_censored, truncated
from bayesad.errors import DistributionError
from tests.distributions.checks import assert_draws, assert_gradient


def test_values_at_a_bound_mean_at_or_beyond() -> None:
    d, twin = censored(laws.Normal(0.5, 2.0), -1.0, 3.0), st.norm(0.5, 2.0)
    x = np.array([-1.0, 0.0, 2.9, 3.0])
    expected = [twin.logcdf(-1.0), twin.logpdf(0.0), twin.logpdf(2.9), twin.logsf(3.0)]
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-12)
    np.testing.assert_array_equal(d.log_prob([-1.1, 3.1]), -np.inf)
    np.testing.assert_allclose(d.cdf([-1.1, -1.0, 0.0, 3.0]), [0.0, twin.cdf(-1.0), twin.cdf(0.0), 1.0])
    np.testing.assert_allclose(d.sf([-1.1, -1.0, 0.0, 3.0]), [1.0, twin.sf(-1.0), twin.sf(0.0), 0.0])
    np.testing.assert_allclose(d.icdf([0.01, 0.5, 0.99]), [-1.0, 0.5, 3.0])
    draws = d.sample(np.random.default_rng(0), 4000)
    assert (draws == -1.0).mean() == pytest.approx(twin.cdf(-1.0), abs=0.04)
    assert (draws == 3.0).mean() == pytest.approx(twin.sf(3.0), abs=0.03)


def test_each_observation_may_have_its_own_bound() -> None:
    time = np.array([2.0, 5.0, 5.0, 1.0])
    end = np.array([np.inf, 5.0, 9.0, 1.0])
    twin = st.weibull_min(1.5, scale=4.0)
    expected = [twin.logpdf(2.0), twin.logsf(5.0), twin.logpdf(5.0), twin.logsf(1.0)]
    np.testing.assert_allclose(censored(laws.Weibull(1.5, 4.0), upper=end).log_prob(time), expected, rtol=1e-12)


@pytest.mark.parametrize("none", [0.0, -np.inf])
def test_some_values_of_a_law_with_an_open_end_have_a_limit_of_detection(none: float) -> None:
    law = laws.censored(laws.LogNormal(3.0, 1.0), lower=np.array([50.0, none]))
    exact = st.lognorm(1.0, scale=np.exp(3.0))
    assert np.allclose(law.log_prob(np.array([50.0, 70.0])), [exact.logcdf(50.0), exact.logpdf(70.0)])
    assert np.all(law.log_prob(np.array([49.0, 0.0])) == -np.inf)


@pytest.mark.parametrize("d", [laws.Poisson(3.0), laws.Binomial(9, 0.4)], ids=["Poisson", "Binomial"])
def test_counts_at_a_bound_have_the_probability_of_all_beyond(d: laws.Distribution) -> None:
    c = censored(d, 1, 4)
    p = np.exp(d.log_prob(np.arange(60)))
    np.testing.assert_allclose(np.exp(c.log_prob([1, 2, 3, 4])), [p[:2].sum(), p[2], p[3], p[4:].sum()], rtol=1e-11)
    assert not c.has_atoms
    assert c.sample(np.random.default_rng(0), 5).dtype == np.int64
    assert_draws(c)


def test_wrappers_compose() -> None:
    inside = truncated(laws.Normal(0.0, 1.0), lower=-0.5)
    d = censored(inside, upper=1.0)
    twin = st.truncnorm(-0.5, np.inf)
    np.testing.assert_allclose(d.log_prob([-0.6, 0.3, 1.0]), [-np.inf, twin.logpdf(0.3), twin.logsf(1.0)], rtol=1e-10)
    mixed = censored(laws.Mixture([0.5, 0.5], laws.Normal([0.0, 3.0])), 0.0, 2.0)
    np.testing.assert_allclose(np.exp(mixed.log_prob(0.0)), 0.5 * (st.norm(0).cdf(0) + st.norm(3).cdf(0)), rtol=1e-12)
    counts = censored(laws.zero_inflated(laws.Poisson(2.0), 0.2), upper=3)
    np.testing.assert_allclose(np.exp(counts.log_prob([0, 1, 2, 3])).sum(), 1.0, rtol=1e-12)


@pytest.mark.parametrize("far", [30.0, -30.0])
def test_bounds_far_out_lose_no_digits(far: float) -> None:
    d = censored(laws.Normal(), **{"upper" if far > 0 else "lower": far})
    np.testing.assert_allclose(d.log_prob(far), st.norm.logsf(30.0), rtol=1e-13)


def test_gradients_reach_parameters_and_bounds() -> None:
    def log_density(p):
        d = censored(laws.Normal(p["mu"], p["sigma"]), p["lower"], p["upper"])
        return np.stack([d.log_prob(p["lower"]), d.log_prob(0.3), d.log_prob(p["upper"])])

    assert_gradient(log_density, {"mu": 0.2, "sigma": 1.4, "lower": -1.0, "upper": 2.0})
    counts = np.array([0, 2, 4])
    assert_gradient(lambda p: censored(laws.Poisson(p["rate"]), upper=4).log_prob(counts), {"rate": 3.0})


def test_pairs_say_that_a_value_lies_between() -> None:
    d, twin = interval_censored(laws.Gamma(2.0, 1.0)), st.gamma(2.0)
    pairs = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, np.inf], [-np.inf, 0.5], [30.0, 31.0]])
    expected = [
        twin.logcdf(1.0),
        twin.logpdf(1.0),
        twin.logsf(2.0),
        twin.logcdf(0.5),
        np.log(twin.sf(30) - twin.sf(31)),
    ]
    np.testing.assert_allclose(d.log_prob(pairs), expected, rtol=1e-11)
    assert d.log_prob([2.0, 1.0]) == -np.inf
    assert (d.batch_shape, d.event_shape) == ((), (2,))
    draws = d.sample(np.random.default_rng(0), 2000)
    assert (draws[:, 0] == draws[:, 1]).all()
    assert st.kstest(draws[:, 0], twin.cdf).pvalue > 1e-6
    assert_gradient(
        lambda p: interval_censored(laws.Normal(p["mu"], p["sigma"])).log_prob(pairs), {"mu": 0.4, "sigma": 3.0}
    )
    whole = interval_censored(laws.Poisson(2.0))
    np.testing.assert_allclose(np.exp(whole.log_prob([1, 3])), st.poisson(2).pmf([2, 3]).sum(), rtol=1e-12)
    np.testing.assert_allclose(whole.log_prob([3, 3]), st.poisson(2).logpmf(3), rtol=1e-12)


def test_censoring_says_what_is_wrong() -> None:
    for make, message in [
        (lambda: censored(laws.Normal(), 2.0, 1.0), "censored: lower must be below upper"),
        (lambda: censored(laws.Flat(), 0.0), r"censored: Flat\(\) has no cumulative distribution function"),
        (lambda: censored(censored(laws.Normal(), 0.0), upper=1.0), "apply censored to the law inside"),
        (lambda: truncated(censored(laws.Normal(), 0.0), upper=1.0), "apply truncated to the law inside"),
        (lambda: interval_censored(laws.Flat()), "interval_censored: Flat.. has no cumulative"),
        (lambda: interval_censored("normal"), "the first argument must be a distribution"),
    ]:
        with pytest.raises(DistributionError, match=message):
            make()
