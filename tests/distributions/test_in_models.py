"""Laws made from laws inside models: as priors, with observations, with missing ones, in predictions."""

import numpy as np
import pytest
import scipy.stats as st

import bayesad as ba
from bayesad.errors import ModelError
from tests.distributions.checks import central


@ba.model
def everything(y, survival, end, counts, ratings, mixed, own):
    mu = ba.sample("mu", ba.Mixture([0.4, 0.6], [ba.Normal(-1, 1), ba.truncated(ba.Cauchy(0, 2), lower=0)]))
    sigma = ba.sample("sigma", ba.transformed(ba.Normal(0, 1), "exp"))
    p = ba.sample("p", ba.Beta(1, 1))
    cutpoints = ba.sample("cutpoints", ba.ordered(ba.Normal(0, 2)), shape=3)
    rate = ba.sample("rate", ba.CustomDistribution(lambda x: -x, ba.Support("real", 0.0)))
    ba.sample("y", ba.censored(ba.Normal(mu, sigma), -2.0, 2.0), obs=y)
    ba.sample("survival", ba.censored(ba.Exponential(rate), upper=end), obs=survival)
    ba.sample("counts", ba.zero_inflated(ba.Poisson(rate), p), obs=counts)
    ba.sample("ratings", ba.OrderedLogistic(mu, cutpoints), obs=ratings)
    weights = np.stack([p, 1 - p])
    ba.sample("mixed", ba.Mixture(weights, ba.Normal(np.stack([mu, mu + 3.0]), sigma)), obs=mixed)
    ba.sample(
        "own", ba.CustomDistribution(lambda x: -0.5 * (x - mu) ** 2, sample=lambda rng, shape: np.zeros(shape)), obs=own
    )


DATA = {
    "y": [-2.0, 0.3, 2.0],
    "survival": [1.0, 2.0],
    "end": [np.inf, 2.0],
    "counts": [0, 0, 4],
    "ratings": [0, 3, 1, 2],
    "mixed": [0.5, np.nan, 2.0],
    "own": [0.1],
}
POINT = {
    "mu": 0.4,
    "sigma": 1.2,
    "p": 0.3,
    "cutpoints": [-1.0, 0.0, 1.5],
    "rate": 1.7,
    "mixed_missing": [1.1],
}


def expected(mu, sigma, p, cutpoints, rate, mixed_missing):
    normal, latent = st.norm(mu, sigma), st.logistic(mu)
    cauchy = st.cauchy(0, 2).pdf(mu) / st.cauchy(0, 2).sf(0) if mu > 0 else 0.0
    total = np.log(0.4 * st.norm(-1, 1).pdf(mu) + 0.6 * cauchy) + st.lognorm(1).logpdf(sigma)
    total += st.norm(0, 2).logpdf(cutpoints).sum() - rate
    total += normal.logcdf(-2) + normal.logpdf(0.3) + normal.logsf(2)
    total += np.log(rate) - rate - 2 * rate
    total += 2 * np.log(p + (1 - p) * np.exp(-rate)) + np.log(1 - p) + st.poisson(rate).logpmf(4)
    total += np.log(np.diff([0.0, *latent.cdf(cutpoints), 1.0])).sum()
    x = np.array([0.5, mixed_missing[0], 2.0])
    total += np.log(p * normal.pdf(x) + (1 - p) * st.norm(mu + 3, sigma).pdf(x)).sum()
    return total - 0.5 * (0.1 - mu) ** 2


@pytest.fixture(scope="module")
def posterior():
    return everything(**DATA)


def test_the_density_of_a_model_of_wrappers(posterior):
    np.testing.assert_allclose(posterior.neg_log_posterior(POINT), -expected(**POINT), rtol=1e-12)
    gradient = posterior.gradient(POINT)
    for name in ("mu", "sigma", "p", "rate"):
        slope = central(lambda v, name=name: expected(**{**POINT, name: v}), POINT[name])
        np.testing.assert_allclose(gradient[name], -slope, rtol=1e-6)
    q = posterior.unconstrained.pack(POINT)
    at, plain = posterior.unconstrained.log_density_and_gradient(q), posterior.unconstrained.log_density(q)
    np.testing.assert_allclose(at[0], plain, rtol=1e-12)


def test_predictions_and_log_likelihoods(posterior):
    draws = {name: np.broadcast_to(value, (1, 50, *np.shape(value))) for name, value in POINT.items()}
    tree = posterior.predict(draws, seed=1)["posterior_predictive"]
    y = tree["y"].values
    assert y.shape == (1, 50, 3)
    assert (abs(y) <= 2).all()
    assert (y == 2.0).any()
    assert (tree["survival"].values[..., 1] <= 2.0).all()
    assert (tree["counts"].values == 0).mean() == pytest.approx(0.3 + 0.7 * np.exp(-1.7), abs=0.2)
    assert set(np.unique(tree["ratings"].values)) <= {0, 1, 2, 3}
    found = posterior.log_likelihood(draws)["log_likelihood"]
    np.testing.assert_allclose(found["y"].values[0, 0, 0], st.norm(0.4, 1.2).logcdf(-2.0))
    assert found["mixed"].shape == (1, 50, 2)


def test_priors_may_be_mixtures(posterior):
    @ba.model
    def prior_only():
        ba.sample("x", ba.Mixture([0.4, 0.6], [ba.Gamma(2, 1), ba.truncated(ba.Normal(5, 1), 4)]), shape=3)

    prior = prior_only()
    assert prior.parameters["x"].support.lower == 0.0
    assert (prior.prior(draws=20, seed=1)["prior"]["x"].values > 0).all()


def test_laws_with_point_masses_are_for_observations_only():
    def failing(law, obs=None):
        @ba.model
        def m():
            ba.sample("x", law, obs=obs)

        with pytest.raises(ModelError) as caught:
            m()
        return str(caught.value)

    assert "censored gives single real numbers a probability" in failing(ba.censored(ba.Normal(), 0.0))
    assert "partly discrete values cannot be unknown" in failing(ba.censored(ba.Normal(), 0.0), [0.0, np.nan])
    assert "cannot be unknown" in failing(ba.interval_censored(ba.Normal()), [[0.0, np.nan]])
    assert "discrete distribution" in failing(ba.zero_inflated(ba.Poisson(1.0), 0.1))
