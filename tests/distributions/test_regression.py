"""Likelihoods from a design matrix: the densities of scipy.stats at the linear predictor, and the same compiled."""

import numpy as np
import pytest
import scipy.stats as st
from scipy.special import expit, log_softmax

import bayesad as ba
from bayesad.errors import DistributionError

RNG = np.random.default_rng(4)
X, BETA, ALPHA = RNG.normal(size=(6, 2)), np.array([0.5, -1.0]), 0.3
ETA = ALPHA + X @ BETA
Y = np.array([0, 1, 1, 0, 2, 3])


def test_densities_are_those_at_the_linear_predictor() -> None:
    cuts = np.array([-1.0, 0.2, 1.5])
    ends = expit(np.concatenate([[-np.inf], cuts, [np.inf]]) - (X @ BETA)[:, None])
    weights = RNG.normal(size=(2, 4))
    labels = log_softmax(np.arange(4.0) + X @ weights, axis=-1)
    rows = np.arange(6)
    for law, y, expected in [
        (ba.NormalIDGLM(X, ALPHA, BETA, 1.7), ETA + 1, st.norm(ETA, 1.7).logpdf(ETA + 1)),
        (ba.BernoulliLogitGLM(X, ALPHA, BETA), Y > 0, st.bernoulli(expit(ETA)).logpmf(Y > 0)),
        (ba.BinomialLogitGLM(5, X, ALPHA, BETA), Y, st.binom(5, expit(ETA)).logpmf(Y)),
        (ba.PoissonLogGLM(X, ALPHA, BETA), Y, st.poisson(np.exp(ETA)).logpmf(Y)),
        (ba.NegativeBinomial2LogGLM(X, ALPHA, BETA, 2.0), Y, st.nbinom(2, 2 / (2 + np.exp(ETA))).logpmf(Y)),
        (ba.OrderedLogisticGLM(X, BETA, cuts), Y, np.log(ends[rows, Y + 1] - ends[rows, Y])),
        (ba.CategoricalLogitGLM(X, np.arange(4.0), weights), Y, labels[rows, Y]),
    ]:
        assert law.batch_shape == (6,)
        np.testing.assert_allclose(law.log_prob(y), expected, rtol=1e-10)
    with pytest.raises(DistributionError, match=r"got X of shape \(6, 2\) and beta of shape \(3,\)"):
        ba.PoissonLogGLM(X, 0.0, np.zeros(3))


def test_a_model_by_the_short_name_is_the_program_of_the_long_one() -> None:
    @ba.model
    def short(x, y):
        beta = ba.sample("beta", ba.Normal(0, 1), shape=2)
        ba.sample("y", ba.NormalIDGLM(x, 0.0, beta, 1.0), obs=y)

    @ba.model
    def long(x, y):
        beta = ba.sample("beta", ba.Normal(0, 1), shape=2)
        ba.sample("y", ba.Normal(x @ beta, 1.0), obs=y)

    q = np.array([0.4, -0.2])
    given = [m(x=X, y=ETA).unconstrained.log_density_and_gradient(q) for m in (short, long)]
    np.testing.assert_allclose(given[0][0], given[1][0], rtol=1e-13)
    np.testing.assert_allclose(given[0][1], given[1][1], rtol=1e-12)
