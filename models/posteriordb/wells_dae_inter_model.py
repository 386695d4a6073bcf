"""Who changes to a safe well in Bangladesh: logistic regression with interactions.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 5.
"""

import bayesad as ba


@ba.model
def wells_dae_inter_model(switched, dist, arsenic, educ):
    d = (dist - dist.mean()) / 100
    a = arsenic - arsenic.mean()
    e = (educ - educ.mean()) / 4
    alpha = ba.sample("alpha", ba.Flat())
    beta = ba.sample("beta", ba.Flat(), shape=6)
    eta = alpha + beta[0] * d + beta[1] * a + beta[2] * e + beta[3] * d * a + beta[4] * d * e + beta[5] * a * e
    ba.sample("switched", ba.BernoulliLogit(eta), obs=switched)
