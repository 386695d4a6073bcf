"""Children's test scores on whether the mother finished high school.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 3.
"""

import bayesad as ba


@ba.model
def kidscore_momhs(kid_score, mom_hs):
    beta = ba.sample("beta", ba.Flat(), shape=2)
    sigma = ba.sample("sigma", ba.HalfCauchy(2.5))
    ba.sample("kid_score", ba.Normal(beta[0] + beta[1] * mom_hs, sigma), obs=kid_score)
