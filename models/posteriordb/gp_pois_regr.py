"""Poisson regression on a latent Gaussian process with squared-exponential covariance.

Source: Stan User's Guide, Gaussian processes.
"""

import numpy as np

import bayesad as ba


@ba.model
def gp_pois_regr(x, k):
    rho = ba.sample("rho", ba.Gamma(25, 4))
    alpha = ba.sample("alpha", ba.HalfNormal(2))
    f_tilde = ba.sample("f_tilde", ba.Normal(0, 1), shape=len(x))
    squared_distance = (x[:, None] - x) ** 2
    covariance = alpha**2 * np.exp(-squared_distance / (2 * rho**2)) + 1e-10 * np.eye(len(x))
    f = ba.deterministic("f", np.linalg.cholesky(covariance) @ f_tilde)
    ba.sample("k", ba.PoissonLog(f), obs=k)
