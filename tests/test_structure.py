"""Models whose course depends on values, supports that depend on parameters, and models with no or many unknowns."""

import math

import numpy as np
import pytest
from scipy import stats

import bayesad as ba
from bayesad.errors import ModelError


def test_branches_on_values_are_followed():
    @ba.model
    def m(y):
        mu = ba.sample("mu", ba.Normal(0, 1))
        scale = 1.0 if mu > 0 else np.exp(-mu)
        ba.sample("y", ba.Normal(mu, scale), obs=y)

    posterior = m(y=[0.5])
    for mu in (1.5, -1.5, 0.5):
        scale = 1.0 if mu > 0 else math.exp(-mu)
        expected = stats.norm.logpdf(mu) + stats.norm(mu, scale).logpdf(0.5)
        assert posterior.neg_log_posterior({"mu": mu}) == pytest.approx(-expected, rel=1e-13)


def test_parameters_that_come_and_go_with_values_are_an_error():
    @ba.model
    def grows(y):
        mu = ba.sample("mu", ba.Normal(0, 1))
        if mu < -1:
            ba.sample("extra", ba.Normal(0, 1))

    @ba.model
    def shrinks(y):
        mu = ba.sample("mu", ba.Normal(0, 1))
        if mu > -1:
            ba.sample("extra", ba.Normal(0, 1))

    with pytest.raises(ModelError, match=r"'grows'.*'extra'.*new at another point"):
        grows(y=1).neg_log_posterior({"mu": -2.0})
    with pytest.raises(ModelError, match=r"'shrinks'.*'extra'.*absent at another point"):
        shrinks(y=1).neg_log_posterior({"mu": -2.0, "extra": 0.0})


def test_observed_values_are_checked_where_their_support_depends_on_parameters():
    @ba.model
    def m(y):
        upper = ba.sample("upper", ba.HalfNormal(10.0))
        ba.sample("y", ba.Uniform(0.0, upper), obs=y)

    posterior = m(y=[1.0, 3.0])
    expected = stats.halfnorm(scale=10).logpdf(4.0) - 2 * math.log(4.0)
    assert posterior.neg_log_posterior({"upper": 4.0}) == pytest.approx(-expected, rel=1e-13)
    assert posterior.neg_log_posterior({"upper": 2.0}) == math.inf
    assert posterior.unconstrained.log_density([math.log(2.0)]) == -math.inf


def test_restricted_keeps_and_truncated_renormalises_the_density():
    @ba.model
    def m(wrap):
        lower = ba.sample("lower", ba.Normal(0, 1))
        ba.sample("x", wrap(ba.Normal(0, 2), lower=lower))

    plain = stats.norm.logpdf(0.5) + stats.norm(0, 2).logpdf(1.5)
    at = {"lower": 0.5, "x": 1.5}
    assert m(wrap=ba.restricted).neg_log_posterior(at) == pytest.approx(-plain, rel=1e-13)
    renormalised = plain - stats.norm(0, 2).logsf(0.5)
    assert m(wrap=ba.truncated).neg_log_posterior(at) == pytest.approx(-renormalised, rel=1e-13)
    assert m(wrap=ba.restricted).neg_log_posterior({"lower": 2.0, "x": 1.5}) == math.inf


def test_a_model_without_unknowns_has_a_density():
    @ba.model
    def m(y):
        ba.sample("y", ba.Normal(0, 1), obs=y)

    posterior = m(y=[0.5])
    assert posterior.neg_log_posterior({}) == pytest.approx(-stats.norm.logpdf(0.5))
    assert posterior.unconstrained.log_density(np.zeros(0)) == pytest.approx(stats.norm.logpdf(0.5))
    assert posterior.gradient({}) == {}


def test_a_thousand_parameters_and_observed_variables_make_one_density():
    @ba.model
    def m(y):
        x = [ba.sample(f"x{i}", ba.Normal(0, 1)) for i in range(1000)]
        for i in range(1000):
            ba.sample(f"y{i}", ba.Normal(x[i], 1), obs=y[i])

    posterior = m(y=np.zeros(1000))
    expected = 2000 * stats.norm.logpdf(0.0)
    assert posterior.unconstrained.log_density_and_gradient(np.zeros(1000))[0] == pytest.approx(expected)
