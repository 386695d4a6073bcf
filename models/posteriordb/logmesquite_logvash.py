"""Log leaf weight of mesquite bushes on log volume, area and shape of the canopy.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 4.
"""

import numpy as np

import bayesad as ba


@ba.model
def logmesquite_logvash(weight, diam1, diam2, canopy_height, total_height, group):
    volume = np.log(diam1 * diam2 * canopy_height)
    area = np.log(diam1 * diam2)
    shape = np.log(diam1 / diam2)
    X = np.column_stack([np.ones(len(weight)), volume, area, shape, np.log(total_height), group])
    beta = ba.sample("beta", ba.Flat(), shape=6)
    sigma = ba.sample("sigma", ba.Flat(lower=0))
    ba.sample("log_weight", ba.Normal(X @ beta, sigma), obs=np.log(weight))
