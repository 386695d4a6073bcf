"""Log leaf weight of mesquite bushes on their log measures.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 4.
"""

import numpy as np

import bayesad as ba


@ba.model
def logmesquite(weight, diam1, diam2, canopy_height, total_height, density, group):
    measures = np.log(np.column_stack([diam1, diam2, canopy_height, total_height, density]))
    X = np.column_stack([np.ones(len(weight)), measures, group])
    beta = ba.sample("beta", ba.Flat(), shape=7)
    sigma = ba.sample("sigma", ba.Flat(lower=0))
    ba.sample("log_weight", ba.Normal(X @ beta, sigma), obs=np.log(weight))
