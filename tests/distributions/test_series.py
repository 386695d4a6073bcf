"""Densities of series one step ahead: that of the series up to a time by that before. They add up."""

import arviz_stats
import numpy as np
import pytest
import scipy.stats as st

import bayesad as ba
from bayesad.results import to_datatree

RNG = np.random.default_rng(3)
T = 6
X = RNG.normal(size=T)
START, STEP = np.array([0.5, 0.3, 0.2]), np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
WALK = {"initial_mean": 0.3, "initial_cov": [[2.0]], "transition": [[0.9]], "transition_cov": [[0.4]]}
PAIR = {
    "initial_mean": [0.0, 1.0],
    "initial_cov": np.eye(2),
    "transition": [[0.9, 0.2], [0.0, 0.7]],
    "transition_cov": 0.3 * np.eye(2),
}

CASES = {
    "AR, stationary": (ba.AR([0.5, 0.2], 0.7, mu=0.3, initial="stationary"), X, 1),
    "AR, law of numbers": (ba.AR([0.5, 0.2], 0.7, initial=ba.Normal(0, 3)), X, 2),
    "ARMA": (ba.ARMA([0.4], [0.3, -0.2], 0.8, mu=0.1), X, 1),
    "GARCH": (ba.GARCH(0.1, 0.3, 0.2, 0.5), X, 1),
    "GARCH from": (ba.GARCH(0.1, 0.3, 0.2, 0.5, sigma1=2.0), X, 1),
    "GaussianRandomWalk": (ba.GaussianRandomWalk(0.1, 0.5, ba.Normal(0, 4)), X, 1),
    "RandomWalk": (ba.RandomWalk(ba.StudentT(3, 0, 0.5)), X, 1),
    "MvGaussianRandomWalk": (ba.MvGaussianRandomWalk(cov=[[1.0, 0.3], [0.3, 2.0]]), RNG.normal(size=(T, 2)), 1),
    "state space": (
        ba.LinearGaussianStateSpace(**WALK, observation=[1.0], observation_cov=0.5),
        np.where(np.arange(T) == 2, np.nan, X),
        1,
    ),
    "state space of vectors": (
        ba.LinearGaussianStateSpace(**PAIR, observation=np.eye(2), observation_cov=0.5 * np.eye(2)),
        RNG.normal(size=(T, 2)),
        1,
    ),
    "HiddenMarkov": (ba.HiddenMarkov(START, STEP, ba.Normal([-1.0, 0.5, 2.0], 0.7)), X, 1),
    "HiddenMarkov with a gap": (
        ba.HiddenMarkov(START, STEP, ba.Normal([-1.0, 0.5, 2.0], 0.7)),
        np.where(np.arange(T) == 3, np.nan, X),
        1,
    ),
    "DiscreteMarkovChain": (ba.DiscreteMarkovChain(START, STEP), np.array([0, 0, 1, 2, 2, 1]), 1),
}


@pytest.mark.parametrize(("law", "x", "first"), CASES.values(), ids=CASES)
def test_a_step_is_the_density_up_to_it_by_that_before(law, x, first):
    steps = law.one_step_ahead(x)
    upto = np.array([law.log_prob(x[:t]) for t in range(first, T + 1)])  # AR's first values come together
    np.testing.assert_allclose(steps[first:], np.diff(upto), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(steps[:first].sum(), upto[0], rtol=1e-12)
    np.testing.assert_allclose(steps.sum(), law.log_prob(x), rtol=1e-12)
    both = law.one_step_ahead(np.stack([x, x[::-1]]))
    np.testing.assert_allclose(both[0], steps, rtol=1e-12)
    np.testing.assert_allclose(both.sum(axis=-1), law.log_prob(np.stack([x, x[::-1]])), rtol=1e-12)


def test_steps_of_batches_of_laws():
    law = ba.AR(np.array([[0.5], [0.9]]), np.array([0.7, 1.0]), initial="stationary")
    assert law.one_step_ahead(X).shape == (2, T)
    np.testing.assert_allclose(law.one_step_ahead(X).sum(axis=-1), law.log_prob(X), rtol=1e-12)
    impossible = ba.AR(np.array([[0.5], [1.5]]), 1.0, initial="stationary")
    np.testing.assert_array_equal(impossible.one_step_ahead(X).sum(axis=-1) == -np.inf, [False, True])


def test_values_that_are_conditioned_on_have_no_step():
    steps = ba.AR([0.5, 0.2], 0.7).one_step_ahead(X)
    np.testing.assert_allclose(steps, st.norm(0.5 * X[1:-1] + 0.2 * X[:-2], 0.7).logpdf(X[2:]))
    joint = ba.AR([0.5, 0.2], 0.7, initial=ba.MvNormal([0.0, 0.0], cov=np.eye(2)))
    assert joint.one_step_ahead(X).shape == (T - 1,)
    np.testing.assert_allclose(joint.one_step_ahead(X).sum(), joint.log_prob(X), rtol=1e-12)


def test_impossible_paths_of_hidden_states():
    law = ba.HiddenMarkov([1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]], ba.Uniform([0.0, 2.0], [1.0, 3.0]))
    np.testing.assert_array_equal(law.one_step_ahead([0.5, 2.5, 2.7, 2.5]), [0.0, 0.0, -np.inf, -np.inf])
    table = ba.Normal([-1.0, 0.5, 2.0], 0.7).log_prob(X[:, None])
    evaluated = ba.HiddenMarkov(START, STEP, table)
    np.testing.assert_allclose(evaluated.one_step_ahead().sum(), evaluated.log_prob(), rtol=1e-12)


# --- in models


@ba.model
def level(y):
    sigma = ba.sample("sigma", ba.HalfNormal(1))
    ba.sample("y", ba.LinearGaussianStateSpace(**WALK, observation=[1.0], observation_cov=sigma**2), obs=y, dims="time")


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")  # these are no draws of its posterior
def test_a_series_has_a_log_likelihood_for_each_time():
    posterior = level(y=X)
    sigma = np.linspace(0.5, 1.5, 40).reshape(2, 20)
    tree = posterior.log_likelihood({"sigma": sigma})
    found = tree["log_likelihood"]["y"]
    assert found.dims == ("chain", "draw", "time")
    total = [posterior.log_density_terms({"sigma": s})["y"] for s in sigma.ravel()]
    np.testing.assert_allclose(found.sum("time").values.ravel(), total, rtol=1e-11)
    tree["posterior"] = to_datatree({"posterior": {"sigma": sigma}})["posterior"]
    assert arviz_stats.loo(tree, pointwise=True).n_data_points == T


def test_times_that_were_not_observed_have_none():
    gap = np.where(np.arange(T) == 2, np.nan, X)
    found = level(y=gap).pointwise_log_likelihood({"sigma": 0.8})["y"]
    law = ba.LinearGaussianStateSpace(**WALK, observation=[1.0], observation_cov=0.64)
    np.testing.assert_allclose(found, law.one_step_ahead(gap)[[0, 1, 3, 4, 5]], rtol=1e-12)

    @ba.model
    def walk(y):
        ba.sample("y", ba.GaussianRandomWalk(0, 1), obs=y)

    found = walk(y=gap).pointwise_log_likelihood({"y_missing": [0.5]})["y"]
    completed = np.where(np.isnan(gap), 0.5, X)
    np.testing.assert_allclose(found, st.norm.logpdf(np.diff(completed, prepend=0.0))[[0, 1, 3, 4, 5]])


def test_series_beside_a_discrete_unknown():
    @ba.model
    def both(x, y):
        k = ba.sample("k", ba.Bernoulli(0.3), marginalize=True)
        ba.sample("x", ba.Normal(k, 1), obs=x)
        ba.sample("y", ba.ARMA([0.5]), obs=y)

    found = both(x=0.2, y=X).pointwise_log_likelihood({})
    assert list(found) == ["x", "y"]
    np.testing.assert_allclose(found["y"], ba.ARMA([0.5]).one_step_ahead(X), rtol=1e-12)
    np.testing.assert_allclose(found["x"], np.log(0.7 * st.norm.pdf(0.2) + 0.3 * st.norm.pdf(0.2, 1)))
