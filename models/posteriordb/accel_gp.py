"""Motorcycle impact: Gaussian processes for mean and log standard deviation of a head's acceleration.

Source: data: Silverman 1985; expansion of the processes in basis functions: Riutort-Mayol et al. 2023.
"""

import numpy as np

import bayesad as ba


def root_spectral_density(omega, sd, lscale):
    """Square root of the spectral density of the squared-exponential covariance at the frequencies omega."""
    return sd * np.sqrt(np.sqrt(2 * np.pi) * lscale) * np.exp(-0.25 * lscale**2 * omega**2)


@ba.model
def accel_gp(Y, Xgp_1, slambda_1, Xgp_sigma_1, slambda_sigma_1):
    Intercept = ba.sample("Intercept", ba.StudentT(3, -13, 36))
    sdgp_1 = ba.sample("sdgp_1", ba.HalfStudentT(3, 36))
    lscale_1 = ba.sample("lscale_1", ba.InverseGamma(1.124909, 0.0177))
    zgp_1 = ba.sample("zgp_1", ba.Normal(0, 1), shape=len(slambda_1))
    mu = Intercept + Xgp_1 @ (root_spectral_density(slambda_1[:, 0], sdgp_1, lscale_1) * zgp_1)

    Intercept_sigma = ba.sample("Intercept_sigma", ba.StudentT(3, 0, 10))
    sdgp_sigma_1 = ba.sample("sdgp_sigma_1", ba.HalfStudentT(3, 36))
    lscale_sigma_1 = ba.sample("lscale_sigma_1", ba.InverseGamma(1.124909, 0.0177))
    zgp_sigma_1 = ba.sample("zgp_sigma_1", ba.Normal(0, 1), shape=len(slambda_sigma_1))
    spectrum = root_spectral_density(slambda_sigma_1[:, 0], sdgp_sigma_1, lscale_sigma_1)
    eta = Intercept_sigma + Xgp_sigma_1 @ (spectrum * zgp_sigma_1)

    ba.sample("Y", ba.Normal(mu, np.exp(eta)), obs=Y)
