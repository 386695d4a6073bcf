"""Radon in Minnesota: the level and the effect of the floor vary by county (Gelman and Hill 2006, chapters 12 and 13).

log_radon: log of the radon measured in a house; floor_measure: 0 in the basement, 1 on the first floor. Counties
with few houses borrow strength from the others; the county effects are non-centred.
"""

import numpy as np

import bayesad as ba


@ba.model
def radon(log_radon, floor_measure, county_idx, J):
    ba.coord("county", np.arange(1, J + 1))
    county = county_idx - 1
    mu_alpha = ba.sample("mu_alpha", ba.Normal(0, 10))
    mu_beta = ba.sample("mu_beta", ba.Normal(0, 10))
    sigma_alpha = ba.sample("sigma_alpha", ba.HalfNormal(1))
    sigma_beta = ba.sample("sigma_beta", ba.HalfNormal(1))
    z_alpha = ba.sample("z_alpha", ba.Normal(0, 1), dims="county")
    z_beta = ba.sample("z_beta", ba.Normal(0, 1), dims="county")
    alpha = ba.deterministic("alpha", mu_alpha + sigma_alpha * z_alpha, dims="county")
    beta = ba.deterministic("beta", mu_beta + sigma_beta * z_beta, dims="county")
    sigma_y = ba.sample("sigma_y", ba.HalfNormal(1))
    mean = alpha[county] + beta[county] * floor_measure
    ba.sample("log_radon", ba.Normal(mean, sigma_y), obs=log_radon, dims="house")
