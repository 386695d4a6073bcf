"""Log price of diamonds on 24 strongly correlated predictors.

Source: the data set diamonds of the R package ggplot2; priors as set by brms.
"""

import bayesad as ba


@ba.model
def diamonds(X, Y):
    Xc = X[:, 1:] - X[:, 1:].mean(axis=0)
    b = ba.sample("b", ba.Normal(0, 1), shape=Xc.shape[1])
    Intercept = ba.sample("Intercept", ba.StudentT(3, 8, 10))
    sigma = ba.sample("sigma", ba.HalfStudentT(3, 10))
    ba.sample("Y", ba.Normal(Intercept + Xc @ b, sigma), obs=Y)
