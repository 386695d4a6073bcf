"""Linear regression without intercept on simulated, correlated predictors.

Source: posteriordb.
"""

import bayesad as ba


@ba.model
def blr(X, y):
    beta = ba.sample("beta", ba.Normal(0, 10), shape=X.shape[1])
    sigma = ba.sample("sigma", ba.HalfNormal(10))
    ba.sample("y", ba.Normal(X @ beta, sigma), obs=y)
