"""Earnings on height.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 4.
"""

import bayesad as ba


@ba.model
def earn_height(earn, height):
    beta = ba.sample("beta", ba.Flat(), shape=2)
    sigma = ba.sample("sigma", ba.Flat(lower=0))
    ba.sample("earn", ba.Normal(beta[0] + beta[1] * height, sigma), obs=earn)
