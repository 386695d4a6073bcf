"""Densities of the models of drugs, written a second time with scipy.stats: the differential equation, dose by dose."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp


def pk_one_compartment(data, typical, spread, z, additive, proportional):
    prior = stats.lognorm.logpdf(typical, [1.0, 0.5, 0.5], scale=[1.5, 0.04, 0.5]).sum()
    prior += stats.halfnorm.logpdf(spread, scale=0.5).sum() + stats.norm.logpdf(z).sum()
    prior += stats.halfnorm.logpdf(additive, scale=1) + stats.halfnorm.logpdf(proportional, scale=0.3)
    for j, person in enumerate(np.unique(data["subject"])):
        ka, clearance, volume = np.asarray(typical) * np.exp(np.asarray(spread) * np.asarray(z)[j])
        rows = np.asarray(data["subject"]) == person
        dose, times = np.asarray(data["dose"])[rows][0], np.asarray(data["time"])[rows]

        def rates(t, a, ka=ka, k=clearance / volume):
            return [-ka * a[0], ka * a[0] - k * a[1]]

        solved = solve_ivp(rates, (0, 25), [dose, 0], "DOP853", times, rtol=1e-11, atol=1e-13).y[1] / volume
        error = np.hypot(additive, proportional * solved)
        prior += stats.norm.logpdf(np.asarray(data["concentration"])[rows], solved, error).sum()
    return prior


def phenobarbital(data, typical, low_apgar, spread, z, error):
    prior = stats.lognorm.logpdf(typical, 0.5, scale=[0.006, 1.0]).sum() + stats.norm.logpdf(low_apgar, 0, 0.3).sum()
    prior += stats.halfnorm.logpdf(spread, scale=0.3).sum() + stats.norm.logpdf(z).sum()
    prior += stats.halfnorm.logpdf(error, scale=0.3)
    for j, hour, measured in zip(data["infant"], data["time"], data["concentration"], strict=True):
        clearance, volume = data["weight"][j] * typical * np.exp(low_apgar * data["low_apgar"][j] + spread * z[j])
        amount, before = 0.0, 0.0
        for dose, given in zip(data["dose"][j], data["dose_time"][j], strict=True):
            if dose > 0 and given < hour:
                amount = amount * np.exp(-clearance / volume * (given - before)) + dose
                before = given
        expected = amount / volume * np.exp(-clearance / volume * (hour - before))
        prior += stats.lognorm.logpdf(measured, error, scale=expected)
    return prior


@pytest.mark.parametrize("density", [pk_one_compartment, phenobarbital], ids=lambda f: f.__name__)
def test_neg_log_posterior_equals_scipy(density, same_density):
    same_density(density, rel=1e-8)
