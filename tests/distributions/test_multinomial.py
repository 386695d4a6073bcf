"""Counts of categories against scipy.stats, and the short names of zero-inflated laws."""

import numpy as np
import pytest
import scipy.stats as st
from scipy.special import softmax

import bayesad as ba
import bayesad.distributions as laws
from bayesad.errors import DataError, DistributionError
from tests.distributions.checks import assert_gradient

THETA, ALPHA, X = np.array([0.2, 0.5, 0.3]), np.array([0.4, 2.0, 1.3]), np.array([[3, 4, 3], [0, 10, 0], [1, 0, 9]])


@pytest.mark.parametrize(
    ("law", "twin"),
    [
        (laws.Multinomial(10, THETA), st.multinomial(10, THETA)),
        (laws.MultinomialLogit(10, np.log(THETA) + 3.0), st.multinomial(10, THETA)),
        (laws.DirichletMultinomial(10, ALPHA), st.dirichlet_multinomial(ALPHA, 10)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_counts_of_categories(law: laws.Distribution, twin: object) -> None:
    np.testing.assert_allclose(law.log_prob(X), twin.logpmf(X), rtol=1e-12)
    assert (law.batch_shape, law.event_shape) == ((), (3,))
    np.testing.assert_array_equal(law.log_prob([[3, 4, 2], [-1, 8, 3], [0.5, 9.5, 0]]), -np.inf)
    draws = law.sample(np.random.default_rng(3), 4000)
    assert draws.dtype == np.int64
    assert (draws.sum(axis=-1) == 10).all()
    spread = np.sqrt(np.diag(twin.cov() if hasattr(twin, "cov") else twin.cov))
    assert (abs(draws.mean(axis=0) - law.mean) < 5.5 * spread / 4000**0.5).all()
    np.testing.assert_allclose(draws.std(axis=0), spread, rtol=0.1)


def test_counts_of_categories_in_batches_and_their_gradients() -> None:
    n, theta = np.array([5, 9]), np.array([THETA, [0.1, 0.1, 0.8]])
    law = laws.Multinomial(n, theta)
    assert law.batch_shape == (2,)
    assert law.sample(np.random.default_rng(0), 7).shape == (7, 2, 3)
    x = [[2, 2, 1], [0, 1, 8]]
    np.testing.assert_allclose(
        law.log_prob(x), [st.multinomial(m, t).logpmf(k) for m, t, k in zip(n, theta, x, strict=True)]
    )
    assert_gradient(
        lambda p: laws.MultinomialLogit(10, np.stack([p["a"], p["b"], 0.0])).log_prob(X), {"a": 0.3, "b": -0.7}
    )
    assert_gradient(
        lambda p: laws.Multinomial(10, softmax(np.stack([p["a"], p["b"], 0.0]))).log_prob(X), {"a": 0.3, "b": -0.7}
    )
    assert_gradient(
        lambda p: laws.DirichletMultinomial(10, np.stack([p["a"], p["b"], 1.0])).log_prob(X), {"a": 0.3, "b": 5.7}
    )


def test_counts_that_do_not_add_up_are_an_error_in_a_model() -> None:
    @ba.model
    def m(y):
        ba.sample("y", ba.Multinomial(10, ba.sample("theta", ba.Dirichlet(np.ones(3)))), obs=y)

    posterior = m(y=X)
    expected = st.dirichlet(np.ones(3)).logpdf(THETA) + st.multinomial(10, THETA).logpmf(X).sum()
    np.testing.assert_allclose(posterior.neg_log_posterior({"theta": THETA}), -expected)
    with pytest.raises(
        DataError,
        match=r"value \[1 2 3\] at index \[1\].*outside the support of Multinomial, counts that add up to 10",
    ):
        m(y=[[3, 4, 3], [1, 2, 3]])


def test_short_names_are_the_wrapped_laws() -> None:
    for short, long in [
        (laws.ZeroInflatedPoisson(2.0, 0.3), laws.zero_inflated(laws.Poisson(2.0), 0.3)),
        (laws.ZeroInflatedBinomial(5, 0.4, 0.3), laws.zero_inflated(laws.Binomial(5, 0.4), 0.3)),
        (
            laws.ZeroInflatedNegativeBinomial2(2.0, 1.5, 0.3),
            laws.zero_inflated(laws.NegativeBinomial2(2.0, 1.5), 0.3),
        ),
        (laws.HurdlePoisson(2.0, 0.3), laws.hurdle(laws.Poisson(2.0), 0.3)),
        (laws.HurdleNegativeBinomial2(2.0, 1.5, 0.3), laws.hurdle(laws.NegativeBinomial2(2.0, 1.5), 0.3)),
        (laws.HurdleGamma(2.0, 1.5, 0.3), laws.hurdle(laws.Gamma(2.0, 1.5), 0.3)),
        (laws.HurdleLogNormal(2.0, 1.5, 0.3), laws.hurdle(laws.LogNormal(2.0, 1.5), 0.3)),
    ]:
        assert repr(short) == repr(long)


def test_a_probability_of_zero_near_one_keeps_the_digits_of_the_rest() -> None:
    for d, rate in ((laws.Poisson(1e-9), 1e-9), (laws.PoissonLog(np.log(1e-9)), 1e-9)):
        np.testing.assert_allclose(d.log_sf(0.0), np.log(rate), rtol=1e-9)
    for d in (laws.NegativeBinomial2(1e-9, 2.0), laws.NegativeBinomial2Log(np.log(1e-9), 2.0)):
        np.testing.assert_allclose(d.log_sf(0.0), np.log(1e-9), rtol=1e-9)
    assert_gradient(lambda p: laws.Poisson(p["rate"]).log_sf(0.0), {"rate": 0.7})


def test_counts_say_what_is_wrong() -> None:
    for make, message in [
        (lambda: laws.Hypergeometric(9, 3, 5), r"Hypergeometric: N must be at most a \+ b"),
        (lambda: laws.DiscreteUniform(2, 1), "DiscreteUniform: lower must be at most upper"),
        (lambda: laws.DiscreteUniform(0.5, 1), "DiscreteUniform: lower must be a whole number; got 0.5"),
        (lambda: laws.NegativeBinomialP(2.0, 1.0), "NegativeBinomialP: p must be between 0 and 1, these excluded"),
    ]:
        with pytest.raises(DistributionError, match=message):
            make()


def test_the_sum_of_the_com_poisson_law_has_its_limit() -> None:
    assert np.isnan(laws.COMPoisson(0.9999999, 1e-9).log_prob(3))
    d = laws.COMPoisson([[2.0], [30.0]], [1.0, 0.8])
    assert d.sample(np.random.default_rng(0), 500).mean(axis=0) == pytest.approx(d.mean, rel=0.15)
    np.testing.assert_allclose(d.mean[0, 0], 2.0)
    np.testing.assert_allclose(laws.COMPoisson(1e4, 1.0).log_prob([9900, 10300]), st.poisson(1e4).logpmf([9900, 10300]))
