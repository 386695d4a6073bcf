"""Dogs that learn to avoid a shock, each with its own learning rates.

Source: Bush and Mosteller 1955; Gelman and Hill 2006, Data Analysis Using Regression, section 24.2.
"""

import numpy as np
from scipy.special import log_expit

import bayesad as ba


@ba.model
def dogs_nonhierarchical(y):
    shocks = np.cumsum(y, axis=1) - y
    avoidances = np.cumsum(1 - y, axis=1) - (1 - y)
    mu_logit_ab = ba.sample("mu_logit_ab", ba.Logistic(0, 1), shape=2)
    sigma_logit_ab = ba.sample("sigma_logit_ab", ba.HalfNormal(1), shape=2)
    L_logit_ab = ba.sample("L_logit_ab", ba.LKJCholesky(2, 2))
    z = ba.sample("z", ba.Normal(0, 1), shape=(len(y), 2))
    log_ab = log_expit(mu_logit_ab + z @ (sigma_logit_ab[:, None] * L_logit_ab))
    log_p = shocks * log_ab[:, :1] + avoidances * log_ab[:, 1:]
    ba.factor("shocked", log_p[y == 1])
    ba.factor("avoided", np.log(-np.expm1(log_p[y == 0])))
