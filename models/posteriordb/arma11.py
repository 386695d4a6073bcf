"""ARMA(1, 1) as a loop over time; not restricted to stationarity.

Source: Box and Jenkins 1970; Stan User's Guide, Time-series models.
"""

import numpy as np

import bayesad as ba


@ba.model
def arma11(y):
    mu = ba.sample("mu", ba.Normal(0, 10))
    phi = ba.sample("phi", ba.Normal(0, 2))
    theta = ba.sample("theta", ba.Normal(0, 2))
    sigma = ba.sample("sigma", ba.HalfCauchy(2.5))
    nu = [mu + phi * mu]
    for t in range(1, len(y)):
        error = y[t - 1] - nu[t - 1]
        nu.append(mu + phi * y[t - 1] + theta * error)
    ba.sample("y", ba.Normal(np.array(nu), sigma), obs=y)
