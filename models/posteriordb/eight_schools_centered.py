"""Eight schools, centred: the posterior of the non-centred form, but a funnel to the sampler.

Source: Rubin 1981; Gelman et al. 2013, Bayesian Data Analysis, section 5.5.
"""

import bayesad as ba


@ba.model
def eight_schools_centered(y, sigma):
    mu = ba.sample("mu", ba.Normal(0, 5))
    tau = ba.sample("tau", ba.HalfCauchy(5))
    theta = ba.sample("theta", ba.Normal(mu, tau), shape=len(y))
    ba.sample("y", ba.Normal(theta, sigma), obs=y)
