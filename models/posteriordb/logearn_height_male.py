"""Log earnings on height and sex.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 4.
"""

import numpy as np

import bayesad as ba


@ba.model
def logearn_height_male(earn, height, male):
    beta = ba.sample("beta", ba.Flat(), shape=3)
    sigma = ba.sample("sigma", ba.Flat(lower=0))
    ba.sample("log_earn", ba.Normal(beta[0] + beta[1] * height + beta[2] * male, sigma), obs=np.log(earn))
