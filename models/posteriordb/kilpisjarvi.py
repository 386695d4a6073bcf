"""Summer temperature at Kilpisjärvi by year, not centred: alpha and beta correlate at -0.9999.

Source: Finnish Meteorological Institute, 1952-2013; Vehtari, Bayesian Data Analysis demos.
"""

import bayesad as ba


@ba.model
def kilpisjarvi(x, y, pmualpha, psalpha, pmubeta, psbeta):
    alpha = ba.sample("alpha", ba.Normal(pmualpha, psalpha))
    beta = ba.sample("beta", ba.Normal(pmubeta, psbeta))
    sigma = ba.sample("sigma", ba.Flat(lower=0))
    ba.sample("y", ba.Normal(alpha + beta * x, sigma), obs=y)
