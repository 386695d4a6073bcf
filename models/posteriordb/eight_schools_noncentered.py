"""Eight schools, non-centred: effects of coaching on test scores.

Source: Rubin 1981; Gelman et al. 2013, Bayesian Data Analysis, section 5.5.
"""

import bayesad as ba


@ba.model
def eight_schools_noncentered(y, sigma):
    theta_trans = ba.sample("theta_trans", ba.Normal(0, 1), shape=len(y))
    mu = ba.sample("mu", ba.Normal(0, 5))
    tau = ba.sample("tau", ba.HalfCauchy(5))
    theta = ba.deterministic("theta", mu + tau * theta_trans)
    ba.sample("y", ba.Normal(theta, sigma), obs=y)
