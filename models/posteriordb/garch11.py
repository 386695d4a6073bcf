"""GARCH(1, 1) as a loop over time; alpha1 + beta1 < 1 through a bound that depends on a parameter.

Source: Bollerslev 1986; Stan User's Guide, Time-series models.
"""

import numpy as np

import bayesad as ba


@ba.model
def garch11(y, sigma1):
    mu = ba.sample("mu", ba.Flat())
    alpha0 = ba.sample("alpha0", ba.Flat(lower=0))
    alpha1 = ba.sample("alpha1", ba.Flat(lower=0, upper=1))
    beta1 = ba.sample("beta1", ba.Flat(lower=0, upper=1 - alpha1))
    sigma = [sigma1]
    for t in range(1, len(y)):
        sigma.append(np.sqrt(alpha0 + alpha1 * (y[t - 1] - mu) ** 2 + beta1 * sigma[t - 1] ** 2))
    ba.sample("y", ba.Normal(mu, np.array(sigma)), obs=y)
