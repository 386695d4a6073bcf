"""Seizures of 59 epileptics in four periods of two weeks, with and without progabide (Thall and Vail 1990).

seizures: in the period; treated: 0 or 1; base: seizures in the eight weeks before; age; patient; period: 1 to 4. Counts
of a patient are alike, and vary more than Poisson: a negative binomial law with an effect of each patient.
"""

import numpy as np

import bayesad as ba


@ba.model
def epilepsy(seizures, treated, base, age, patient, period):
    ba.coord("predictor", ["log base", "treated", "log base : treated", "log age", "last period"])
    log_base = np.log(base / 4)
    columns = [log_base, treated, log_base * treated, np.log(age), period == 4]
    X = np.stack(columns, axis=1)
    X = X - X.mean(axis=0)
    level = ba.sample("level", ba.Normal(1.5, 1))
    slopes = ba.sample("slopes", ba.Normal(0, 1), dims="predictor")
    spread = ba.sample("spread", ba.HalfNormal(1))
    z = ba.sample("z", ba.Normal(0, 1), shape=59)
    phi = ba.sample("phi", ba.Gamma(2, 0.2))
    eta = level + X @ slopes + spread * z[patient]
    ba.sample("seizures", ba.NegativeBinomial2Log(eta, phi), obs=seizures, dims="visit")


def picture(tree, posterior):
    """The ratio of seizures with and without progabide by the seizures before."""
    from matplotlib.figure import Figure

    slopes = tree.posterior.slopes.stack(sample=("chain", "draw")).values
    base = np.linspace(6, 151, 60)
    ratio = np.exp(slopes[1] + slopes[2] * np.log(base[:, None] / 4))
    low, middle, high = np.quantile(ratio, [0.05, 0.5, 0.95], axis=1)
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    ax = figure.subplots()
    ax.axhline(1.0, color="#999999", linewidth=1)
    ax.fill_between(base, low, high, color="#0072b2", alpha=0.25, linewidth=0)
    ax.plot(base, middle, color="#0072b2")
    ax.plot(posterior.data["base"][::4], np.full(59, 0.05), "k|", markersize=8)
    ax.set(xlabel="seizures in eight weeks before", ylabel="ratio, progabide to placebo", ylim=(0, 2.5), xscale="log")
    return figure
