"""Mixture of K normal distributions whose labels can switch.

Source: Stan User's Guide, Finite mixtures.
"""

import numpy as np

import bayesad as ba


@ba.model
def normal_mixture_k(y, K):
    theta = ba.sample("theta", ba.Dirichlet(np.ones(K)))
    mu = ba.sample("mu", ba.Normal(0, 10), shape=K)
    sigma = ba.sample("sigma", ba.Flat(lower=0, upper=10), shape=K)
    ba.sample("y", ba.mixture_same_family(theta, ba.Normal(mu, sigma)), obs=y)
