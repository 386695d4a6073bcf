"""Laws from a density of one's own, and transformed variables, against laws of scipy.stats that they are."""

from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import bayesad.distributions as laws
from bayesad import ad
from bayesad.distributions import Bijection, CustomDistribution, Support, censored, transformed, truncated
from bayesad.errors import DistributionError
from tests.distributions.checks import assert_gradient


def test_a_density_of_ones_own_is_a_law_like_any_other() -> None:
    d = CustomDistribution(
        lambda x: np.log(2.0) - 2.0 * x,
        Support("real", lower=0.0),
        lambda rng, shape: rng.exponential(0.5, shape),
        cdf=lambda x: -np.expm1(-2.0 * x),
    )
    twin = laws.Exponential(2.0)
    x = np.array([-1.0, 0.0, 0.3, 9.0])
    np.testing.assert_allclose(d.log_prob(x), twin.log_prob(x))
    np.testing.assert_allclose(d.cdf(x), twin.cdf(x))
    np.testing.assert_allclose(truncated(d, 1.0).log_prob(2.0), truncated(twin, 1.0).log_prob(2.0))
    np.testing.assert_allclose(censored(d, upper=1.0).log_prob(1.0), -2.0)
    np.testing.assert_allclose(d.icdf(0.4), twin.icdf(0.4))
    assert d.sample(np.random.default_rng(0), (2, 3)).shape == (2, 3)
    assert repr(d).startswith("CustomDistribution(")
    gradient = ad.gradient(lambda p: np.sum(CustomDistribution(lambda x: -p * x).log_prob(x[1:])), np.float64(2.0))
    np.testing.assert_allclose(gradient, -9.3)


def test_ones_own_laws_may_have_vectors_and_batches() -> None:
    d = CustomDistribution(lambda x: -np.sum(x**2, axis=-1), event_shape=3, batch_shape=(2,))
    assert (d.batch_shape, d.event_shape) == ((2,), (3,))
    np.testing.assert_allclose(d.log_prob(np.ones((4, 2, 3))), np.full((4, 2), -3.0))
    simplex = CustomDistribution(lambda x: 0.0 * x[..., 0], "simplex", event_shape=(None,))
    np.testing.assert_array_equal(simplex.log_prob([[0.5, 0.5], [0.5, 0.6]]), [0.0, -np.inf])


def test_sets_with_bounds_have_names() -> None:
    d = CustomDistribution(lambda x: -x, "positive")
    np.testing.assert_array_equal(d.log_prob([-1.0, 2.0]), [-np.inf, -2.0])
    assert CustomDistribution(lambda x: 0.0 * x, "nonnegative_integer").support.discrete


def test_ones_own_laws_say_what_is_wrong() -> None:
    no_draws = CustomDistribution(lambda x: -x)
    for make, message in [
        (lambda: CustomDistribution(3.0), "CustomDistribution: log_prob must be a function; got 3.0"),
        (lambda: CustomDistribution(lambda x: x, "simplex"), "event_shape must have as many; got ()"),
        (lambda: CustomDistribution(lambda x: x, "reals"), "unknown kind 'reals'"),
        (lambda: no_draws.sample(np.random.default_rng(0)), "there is nothing to draw with; give it sample="),
        (lambda: no_draws.cdf(0.0), "CustomDistribution has no cumulative distribution function"),
        (
            lambda: CustomDistribution(lambda x: x, sample=lambda rng, shape: 0.0).sample(np.random.default_rng(0), 2),
            r"must return the shape asked for, \(2,\); got \(\)",
        ),
    ]:
        with pytest.raises(DistributionError, match=message):
            make()


CASES = [
    (laws.Normal(0.3, 0.8), "exp", st.lognorm(0.8, scale=np.exp(0.3))),
    (laws.LogNormal(0.3, 0.8), "log", st.norm(0.3, 0.8)),
    (laws.Logistic(0.0, 1.0), "expit", st.uniform()),
    (laws.Uniform(0.0, 1.0), "logit", st.logistic()),
    (laws.Gamma(2.0, 3.0), "reciprocal", st.invgamma(2.0, scale=3.0)),
    (laws.HalfNormal(1.0), "square", st.chi2(1.0)),
    (laws.Exponential(0.5), "sqrt", st.rayleigh()),
    (laws.Exponential(0.5), "negative", None),
    (laws.Normal(0.5, 0.7), "sinh", st.johnsonsu(-0.5 / 0.7, 1 / 0.7)),
    (
        laws.Normal(0.0, 1.0),
        Bijection(lambda x: 2.0 * x + 1.0, lambda y: (y - 1.0) / 2.0, lambda x: np.log(2.0)),
        st.norm(1, 2),
    ),
]


@pytest.mark.parametrize(("d", "f", "twin"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_transformed_laws_are_those_of_the_transformed_variable(d: laws.Distribution, f: Any, twin: Any) -> None:
    t = transformed(d, f)
    if twin is None:
        x = np.array([-3.0, -0.1])
        np.testing.assert_allclose(t.log_prob(x), d.log_prob(-x))
        np.testing.assert_allclose(t.cdf(x), d.sf(-x))
        assert (t.support.lower, t.support.upper) == (None, 0.0)
        assert t.log_prob(0.1) == -np.inf
        return
    p = np.array([1e-6, 0.1, 0.4, 0.8, 1 - 1e-6])
    x = twin.ppf(p)
    np.testing.assert_allclose(t.log_prob(x), twin.logpdf(x), rtol=1e-9, atol=1e-9)
    for ours, theirs in ((t.cdf, twin.cdf), (t.sf, twin.sf)):
        np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-8)
    np.testing.assert_allclose([t.log_cdf(x), t.log_sf(x)], np.log([t.cdf(x), t.sf(x)]), rtol=1e-6)
    np.testing.assert_allclose(t.icdf(p[1:4]), x[1:4], rtol=1e-9)
    low, high = twin.support()
    assert (-np.inf if t.support.lower is None else t.support.lower) == low
    assert (np.inf if t.support.upper is None else t.support.upper) == high
    if np.isfinite(low):
        assert t.log_prob(low - 0.1) == -np.inf
    assert st.kstest(t.sample(np.random.default_rng(4), 1000), twin.cdf).pvalue > 1e-6


def test_vectors_are_transformed_entry_by_entry_and_bounds_move_along() -> None:
    d = transformed(laws.MvNormal(0.0, cov=[[1.0, 0.5], [0.5, 2.0]]), "exp")
    x = np.array([0.7, 3.0])
    expected = st.multivariate_normal([0, 0], [[1, 0.5], [0.5, 2]]).logpdf(np.log(x)) - np.log(x).sum()
    np.testing.assert_allclose(d.log_prob(x), expected)
    assert d.log_prob([-1.0, 3.0]) == -np.inf
    bounded = transformed(truncated(laws.Normal(), -1.0, 2.0), "exp")
    np.testing.assert_allclose([bounded.support.lower, bounded.support.upper], np.exp([-1.0, 2.0]))
    assert_gradient(
        lambda p: transformed(laws.Normal(p["mu"], p["sigma"]), "sinh").log_prob(p["x"]),
        {"mu": 0.3, "sigma": 0.8, "x": 1.7},
    )


def test_transformations_say_what_is_wrong() -> None:
    for make, message in [
        (lambda: transformed(laws.Normal(), "log"), "takes real numbers from 0.0 to inf; Normal.* has others"),
        (lambda: transformed(laws.Poisson(1.0), "exp"), "takes real numbers"),
        (lambda: transformed(laws.Normal(), "expp"), "the function 'expp' is unknown; the names are exp, log"),
    ]:
        with pytest.raises(DistributionError, match=message):
            make()
