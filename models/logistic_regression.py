"""Logistic regression: which households in Bangladesh change to a safe well (Gelman and Hill 2006, chapter 5)?

dist: metres to the nearest safe well; arsenic: level in the household's own well, in units of 0.1 mg per litre;
educ: years of schooling.
"""

import numpy as np

import bayesad as ba


@ba.model
def logistic_regression(switched, dist, arsenic, educ):
    ba.coord("predictor", ["dist_100m", "log_arsenic", "educ_4years"])
    predictors = np.column_stack([dist / 100, np.log(arsenic), educ / 4])
    centred = predictors - predictors.mean(axis=0)
    alpha = ba.sample("alpha", ba.Normal(0, 1.5))
    beta = ba.sample("beta", ba.Normal(0, 1), dims="predictor")
    ba.sample("switched", ba.BernoulliLogit(alpha + centred @ beta), obs=switched, dims="household")
