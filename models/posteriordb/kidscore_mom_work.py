"""Children's test scores on the mother's work in the first years, in four categories.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 4.
"""

import bayesad as ba


@ba.model
def kidscore_mom_work(kid_score, mom_work):
    beta = ba.sample("beta", ba.Flat(), shape=4)
    sigma = ba.sample("sigma", ba.Flat(lower=0))
    mean = beta[0] + beta[1] * (mom_work == 2) + beta[2] * (mom_work == 3) + beta[3] * (mom_work == 4)
    ba.sample("kid_score", ba.Normal(mean, sigma), obs=kid_score)
