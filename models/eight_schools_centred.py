"""Eight schools (Rubin 1981), centred: the same posterior as `eight_schools.py`, in a form that samples badly.

Where tau is small, the effects theta are squeezed together: a funnel that no single step size fits. The
divergences that a run reports are there to be seen; the non-centred form is the cure.
"""

import bayesad as ba


@ba.model
def eight_schools_centred(y, sigma):
    ba.coord("school", len(y))
    mu = ba.sample("mu", ba.Normal(0, 5))
    tau = ba.sample("tau", ba.HalfCauchy(5))
    theta = ba.sample("theta", ba.Normal(mu, tau), dims="school")
    ba.sample("y", ba.Normal(theta, sigma), obs=y, dims="school")
