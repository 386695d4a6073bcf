"""Radon in Minnesota: intercept and slope vary by county, non-centred.

Source: Gelman and Hill 2006, Data Analysis Using Regression, chapters 12 and 13.
"""

import bayesad as ba


@ba.model
def radon_variable_intercept_slope_noncentered(J, county_idx, floor_measure, log_radon):
    sigma_y = ba.sample("sigma_y", ba.HalfNormal(1))
    sigma_alpha = ba.sample("sigma_alpha", ba.HalfNormal(1))
    sigma_beta = ba.sample("sigma_beta", ba.HalfNormal(1))
    mu_alpha = ba.sample("mu_alpha", ba.Normal(0, 10))
    mu_beta = ba.sample("mu_beta", ba.Normal(0, 10))
    alpha = mu_alpha + sigma_alpha * ba.sample("alpha_raw", ba.Normal(0, 1), shape=J)
    beta = mu_beta + sigma_beta * ba.sample("beta_raw", ba.Normal(0, 1), shape=J)
    c = county_idx - 1
    ba.sample("log_radon", ba.Normal(alpha[c] + beta[c] * floor_measure, sigma_y), obs=log_radon)
