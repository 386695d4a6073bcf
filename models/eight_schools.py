"""Eight schools (Rubin 1981), non-centred: how much does coaching raise test scores, in each school and overall?"""

import bayesad as ba


@ba.model
def eight_schools(y, sigma):
    ba.coord("school", len(y))
    mu = ba.sample("mu", ba.Normal(0, 5))
    tau = ba.sample("tau", ba.HalfCauchy(5))
    z = ba.sample("z", ba.Normal(0, 1), dims="school")
    theta = ba.deterministic("theta", mu + tau * z, dims="school")
    ba.sample("y", ba.Normal(theta, sigma), obs=y, dims="school")
