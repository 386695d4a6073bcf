"""Acceleration of a helmet in a crash: a curve whose noise changes, both by basis functions (Silverman 1985).

time: milliseconds after impact; acceleration: in g. Mean and log standard deviation are Gaussian processes, each
approximated by the eigenfunctions of the Laplacian on an interval (Riutort-Mayol and others 2023), so that a
gradient costs as much as one of a regression.
"""

import numpy as np

import bayesad as ba
from bayesad import gp


@ba.model
def motorcycle(time, acceleration):
    basis = gp.HilbertBasis(time, m=30, factor=1.5)
    slow = gp.HilbertBasis(time, m=10, factor=1.5)
    height = ba.sample("height", ba.HalfNormal(60))
    length = ba.sample("length", ba.InverseGamma(5, 20))
    z = ba.sample("z", ba.Normal(0, 1), shape=30)
    curve = basis.function(height**2 * gp.ExpQuad(length), z)
    ba.deterministic("curve", curve, dims="row")
    level = ba.sample("level", ba.Normal(2, 1.5))
    change = ba.sample("change", ba.HalfNormal(1.5))
    noise_length = ba.sample("noise_length", ba.InverseGamma(5, 40))
    noise_z = ba.sample("noise_z", ba.Normal(0, 1), shape=10)
    log_sigma = level + slow.function(change**2 * gp.ExpQuad(noise_length), noise_z)
    sigma = ba.deterministic("sigma", np.exp(log_sigma), dims="row")
    ba.sample("acceleration", ba.Normal(curve, sigma), obs=acceleration, dims="row")


def picture(tree, posterior):
    """The data, the mean with its 90 % interval, and the 90 % interval of new measurements."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    time = posterior.data["time"]
    low, middle, high = np.quantile(draws.curve.values, [0.05, 0.5, 0.95], axis=1)
    noise = np.random.default_rng(1).normal(size=draws.curve.shape) * draws.sigma.values
    below, above = np.quantile(draws.curve.values + noise, [0.05, 0.95], axis=1)
    figure = Figure(figsize=(8, 4), layout="constrained")
    ax = figure.subplots()
    ax.fill_between(time, below, above, color="#56b4e9", alpha=0.25, linewidth=0, label="new measurements, 90 %")
    ax.fill_between(time, low, high, color="#0072b2", alpha=0.4, linewidth=0, label="mean, 90 %")
    ax.plot(time, middle, color="#0072b2")
    ax.plot(time, posterior.data["acceleration"], "k.", markersize=4)
    ax.set(xlabel="milliseconds after impact", ylabel="acceleration, g")
    ax.legend(frameon=False)
    return figure
