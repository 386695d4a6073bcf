"""Laws of other libraries: the same numbers as their own, derivatives, and use in models."""

from typing import Any

import numpy as np
import pytest
import scipy.stats as st

import bayesad as ba
from bayesad import ad
from bayesad.distributions import Gamma, foreign, truncated
from bayesad.errors import DistributionError


class Triangle:
    """A law with as little as there may be: density and distribution function."""

    def pdf(self, x: Any) -> Any:
        return np.maximum(1.0 - np.abs(x), 0.0)

    def cdf(self, x: Any) -> Any:
        return np.where(x < 0, 0.5 * np.maximum(1 + x, 0) ** 2, 1 - 0.5 * np.maximum(1 - x, 0) ** 2)

    def support(self) -> tuple[float, float]:
        return -1.0, 1.0


def test_answers_are_those_of_the_object() -> None:
    theirs, ours = st.gamma(2.5, scale=[1.0, 2.0]), foreign(st.gamma(2.5, scale=[1.0, 2.0]))
    x = np.array([[0.3, 4.0], [50.0, 1e-3]])
    assert (ours.batch_shape, ours.event_shape) == ((2,), ())
    for found, expected in [
        (ours.log_prob(x), theirs.logpdf(x)),
        (ours.cdf(x), theirs.cdf(x)),
        (ours.sf(x), theirs.sf(x)),
        (ours.log_cdf(x), theirs.logcdf(x)),
        (ours.log_sf(x), theirs.logsf(x)),
        (ours.icdf(0.2), theirs.ppf(0.2)),
        (ours.mean, theirs.mean()),
    ]:
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_array_equal(ours.log_prob([-1.0, -2.0]), [-np.inf, -np.inf])
    assert ours.sample(np.random.default_rng(1), 5).shape == (5, 2)
    np.testing.assert_allclose(truncated(foreign(st.norm()), -1, 2).log_prob(0.3), st.truncnorm(-1, 2).logpdf(0.3))


def test_what_is_missing_is_made_from_the_rest() -> None:
    d = foreign(Triangle())
    np.testing.assert_allclose(d.log_prob([0.25, -0.5]), np.log([0.75, 0.5]))
    np.testing.assert_allclose(d.log_sf([0.5, -0.5]), np.log([0.125, 0.875]))
    np.testing.assert_allclose(d.icdf([0.125, 0.5]), [-0.5, 0.0], atol=1e-15)
    assert st.kstest(d.sample(np.random.default_rng(2), 2000), Triangle().cdf).pvalue > 1e-6
    with pytest.raises(DistributionError, match="no closed form of its mean"):
        d.mean


def test_gradients_are_those_of_our_own_law() -> None:
    x = np.array([0.3, 2.0, 9.0])
    for name in ("log_prob", "log_cdf", "log_sf", "cdf", "sf"):
        found = ad.gradient(lambda x, name=name: np.sum(getattr(foreign(st.gamma(2.5)), name)(x)), x)
        expected = ad.gradient(lambda x, name=name: np.sum(getattr(Gamma(2.5, 1.0), name)(x)), x)
        np.testing.assert_allclose(found, expected, rtol=1e-8, err_msg=name)
    narrow = ad.gradient(lambda x: np.sum(foreign(st.norm(1.0, 1e-6)).log_prob(x)), np.array([1.0 + 2e-6, 1.0]))
    np.testing.assert_allclose(narrow, [-2e6, 0.0], rtol=1e-6, atol=1.0)
    near_the_end = ad.gradient(lambda x: np.sum(foreign(st.gamma(2.5)).log_prob(x)), np.array([1e-4]))
    np.testing.assert_allclose(near_the_end, 1.5 / 1e-4 - 1.0, rtol=1e-6)


def test_a_prior_of_another_library() -> None:
    @ba.model
    def m(y: Any) -> None:
        a = ba.sample("a", ba.foreign(st.gamma(3.0)))
        ba.sample("y", ba.Normal(a, 1.0), obs=y)

    posterior = m(y=[2.0, 3.0])
    expected = st.gamma(3.0).logpdf(2.5) + st.norm(2.5, 1).logpdf([2.0, 3.0]).sum()
    assert posterior.neg_log_posterior({"a": 2.5}) == pytest.approx(-expected, rel=1e-12)
    draws = posterior.sample(chains=1, warmup=100, draws=200, seed=1)["posterior"]["a"].values
    grid = np.linspace(1e-3, 12, 4000)
    density = st.gamma(3.0).pdf(grid) * st.norm(2.5, 0.5**0.5).pdf(grid)
    mean = np.sum(grid * density) / np.sum(density)
    assert abs(draws.mean() - mean) < 0.3


def test_what_is_no_continuous_law_is_an_error() -> None:
    for d in (3.0, st.poisson(2.0), "norm"):
        with pytest.raises(DistributionError, match="has no density"):
            foreign(d)

    class OnlyDensity:
        def logpdf(self, x: Any) -> Any:
            return -np.abs(x)

    d = foreign(OnlyDensity())
    assert not d.has_cdf
    assert d.log_prob(-2.0) == -2.0
    with pytest.raises(DistributionError, match="has no method for its log of the cdf"):
        d.cdf(0.0)
