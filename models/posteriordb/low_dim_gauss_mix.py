"""Mixture of two normal distributions with ordered means.

Source: Betancourt 2017, Identifying Bayesian mixture models.
"""

import numpy as np

import bayesad as ba


@ba.model
def low_dim_gauss_mix(y):
    mu = ba.sample("mu", ba.ordered(ba.Normal(0, 2)), shape=2)
    sigma = ba.sample("sigma", ba.HalfNormal(2), shape=2)
    theta = ba.sample("theta", ba.Beta(5, 5))
    first = np.log(theta) + ba.Normal(mu[0], sigma[0]).log_prob(y)
    second = np.log1p(-theta) + ba.Normal(mu[1], sigma[1]).log_prob(y)
    ba.factor("y", np.logaddexp(first, second))
