"""Phenobarbital in 59 newborns: many doses at any times, few measurements of each infant (Grasela and Donn 1985).

dose: mg, a row per infant, given into a vein at the hours `dose_time` (where fewer than 15: doses of 0); infant, time,
concentration: mg/L in serum of which infant, at which hour; weight: kg; low_apgar: 1 for infants in a bad state at
birth. Clearance and volume go with weight and vary by infant. What is left of every dose adds up (`one_compartment`).
"""

import numpy as np

import bayesad as ba
from bayesad.pharmacokinetics import one_compartment


@ba.model
def phenobarbital(dose, dose_time, infant, time, concentration, weight, low_apgar):
    ba.coord("quantity", ["clearance", "volume"])  # L/h and L, for one kg
    ba.coord("infant", np.arange(1, 60))
    typical = ba.sample("typical", ba.LogNormal(np.log([0.006, 1.0]), 0.5), dims="quantity")
    low = ba.sample("low_apgar", ba.Normal(0, 0.3), dims="quantity")
    spread = ba.sample("spread", ba.HalfNormal(0.3), dims="quantity")
    z = ba.sample("z", ba.Normal(0, 1), dims=("infant", "quantity"))
    own = weight[:, None] * typical * np.exp(low * low_apgar[:, None] + spread * z)
    own = ba.deterministic("own", own, dims=("infant", "quantity"))
    clearance, volume = own[infant].T
    expected = one_compartment(time, dose[infant], dose_time[infant], clearance=clearance, volume=volume)
    error = ba.sample("error", ba.HalfNormal(0.3))
    ba.sample("concentration", ba.LogNormal(np.log(expected), error), obs=concentration, dims="sample")


def picture(tree, posterior):
    """The eight infants with the most measurements: concentrations, their curves and when doses were given."""
    from matplotlib.figure import Figure

    data = posterior.data
    own = tree.posterior.own.stack(sample=("chain", "draw")).transpose("sample", "infant", "quantity").values[::20]
    most = np.argsort(-np.bincount(data["infant"]), kind="stable")[:8]
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots(2, 4, sharey=True)
    for k, ax in zip(most, axes.flat, strict=True):
        rows, given = data["infant"] == k, data["dose"][k] > 0
        hours = np.linspace(0, data["time"][rows].max() + 10, 300)
        clearance, volume = own[:, k, :, None].transpose(1, 0, 2)
        curves = one_compartment(hours, data["dose"][k], data["dose_time"][k], clearance=clearance, volume=volume)
        ax.fill_between(hours, *np.quantile(curves, [0.05, 0.95], axis=0), color="#0072b2", alpha=0.3, linewidth=0)
        ax.plot(data["time"][rows], data["concentration"][rows], "k.", markersize=5)
        ax.plot(data["dose_time"][k][given], np.zeros(given.sum()), "|", color="#d55e00", markersize=8)
        ax.set_title(f"infant {k + 1}, {data['weight'][k]:g} kg", fontsize=9)
    figure.supxlabel("hours", fontsize=10)
    figure.supylabel("mg/L", fontsize=10)
    return figure
