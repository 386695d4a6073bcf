"""Leaf weight of mesquite bushes on their measures.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapter 4.
"""

import numpy as np

import bayesad as ba


@ba.model
def mesquite(weight, diam1, diam2, canopy_height, total_height, density, group):
    X = np.column_stack([np.ones(len(weight)), diam1, diam2, canopy_height, total_height, density, group])
    beta = ba.sample("beta", ba.Flat(), shape=7)
    sigma = ba.sample("sigma", ba.Flat(lower=0))
    ba.sample("weight", ba.Normal(X @ beta, sigma), obs=weight)
