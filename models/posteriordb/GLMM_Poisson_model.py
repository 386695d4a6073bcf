"""Poisson regression of counts on a cubic trend with a random effect per year.

Source: Kéry and Schaub 2012, Bayesian Population Analysis, chapter 4.
"""

import bayesad as ba


@ba.model
def GLMM_Poisson_model(C, year):
    alpha = ba.sample("alpha", ba.Uniform(-20, 20))
    beta1 = ba.sample("beta1", ba.Uniform(-10, 10))
    beta2 = ba.sample("beta2", ba.Uniform(-10, 10))
    beta3 = ba.sample("beta3", ba.Uniform(-10, 10))
    sigma = ba.sample("sigma", ba.Uniform(0, 5))
    eps = ba.sample("eps", ba.Normal(0, sigma), shape=len(C))
    ba.sample("C", ba.PoissonLog(alpha + beta1 * year + beta2 * year**2 + beta3 * year**3 + eps), obs=C)
