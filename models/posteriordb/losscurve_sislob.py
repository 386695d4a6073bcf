"""Loss curves of insurance cohorts: how the share paid out grows.

Source: Cooney 2017, Modelling loss curves in insurance with RStan.
"""

import numpy as np

import bayesad as ba


@ba.model
def losscurve_sislob(growthmodel_id, n_cohort, cohort_id, t_idx, t_value, premium, loss):
    mu_LR = ba.sample("mu_LR", ba.Normal(0, 0.5))
    sd_LR = ba.sample("sd_LR", ba.LogNormal(0, 0.5))
    LR = ba.sample("LR", ba.LogNormal(mu_LR, sd_LR), shape=n_cohort)
    loss_sd = ba.sample("loss_sd", ba.LogNormal(0, 0.7))
    omega = ba.sample("omega", ba.LogNormal(0, 0.5))
    theta = ba.sample("theta", ba.LogNormal(0, 0.5))
    if growthmodel_id == 1:  # Weibull
        gf = 1 - np.exp(-((t_value / theta) ** omega))
    else:  # log-logistic
        gf = t_value**omega / (t_value**omega + theta**omega)
    c = cohort_id - 1
    ba.sample("loss", ba.Normal(LR[c] * premium[c] * gf[t_idx - 1], loss_sd * premium[c]), obs=loss)
