"""Children's test scores on the mother's schooling, IQ and their interaction.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 3.
"""

import bayesad as ba


@ba.model
def kidscore_interaction(kid_score, mom_hs, mom_iq):
    beta = ba.sample("beta", ba.Flat(), shape=4)
    sigma = ba.sample("sigma", ba.HalfCauchy(2.5))
    mean = beta[0] + beta[1] * mom_hs + beta[2] * mom_iq + beta[3] * mom_hs * mom_iq
    ba.sample("kid_score", ba.Normal(mean, sigma), obs=kid_score)
