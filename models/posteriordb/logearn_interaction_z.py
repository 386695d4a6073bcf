"""Log earnings on standardised height, sex and their interaction.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 4.
"""

import numpy as np

import bayesad as ba


@ba.model
def logearn_interaction_z(earn, height, male):
    z = (height - height.mean()) / height.std(ddof=1)
    beta = ba.sample("beta", ba.Flat(), shape=4)
    sigma = ba.sample("sigma", ba.Flat(lower=0))
    mean = beta[0] + beta[1] * z + beta[2] * male + beta[3] * z * male
    ba.sample("log_earn", ba.Normal(mean, sigma), obs=np.log(earn))
