"""Theophylline in twelve persons: one compartment with absorption, rates and volumes that vary by person.

dose: mg per kg body weight, swallowed at time 0; time: hours; concentration: mg/L in serum. Volumes and clearances are
per kg; effects of persons are on the log scale and non-centred. Source of the model: Pinheiro and Bates 2000,
Mixed-Effects Models in S and S-PLUS, chapter 8.
"""

import numpy as np

import bayesad as ba
from bayesad.pharmacokinetics import one_compartment

QUANTITIES = ("absorption", "clearance", "volume")  # 1/h, L/(h kg), L/kg


@ba.model
def pk_one_compartment(subject, dose, time, concentration):
    ba.coord("quantity", QUANTITIES)
    ba.coord("person", np.unique(subject))
    person = np.searchsorted(np.unique(subject), subject)
    typical = ba.sample("typical", ba.LogNormal(np.log([1.5, 0.04, 0.5]), [1.0, 0.5, 0.5]), dims="quantity")
    spread = ba.sample("spread", ba.HalfNormal(0.5), dims="quantity")
    z = ba.sample("z", ba.Normal(0, 1), dims=("person", "quantity"))
    own = ba.deterministic("own", typical * np.exp(spread * z), dims=("person", "quantity"))
    absorption, clearance, volume = own[person].T
    expected = one_compartment(time, dose, absorption=absorption, clearance=clearance, volume=volume)
    additive = ba.sample("additive", ba.HalfNormal(1))
    proportional = ba.sample("proportional", ba.HalfNormal(0.3))
    error = np.sqrt(additive**2 + (proportional * expected) ** 2)
    ba.sample("concentration", ba.Normal(expected, error), obs=concentration)


def picture(tree, posterior):
    """Measured concentrations of each person, with the curves of the posterior."""
    from matplotlib.figure import Figure

    subject, dose, time, concentration = (posterior.data[k] for k in ("subject", "dose", "time", "concentration"))
    grid = np.linspace(0, 25, 200)
    own = tree.posterior.own.stack(sample=("chain", "draw")).transpose("sample", "person", "quantity").values
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots(3, 4, sharex=True, sharey=True)
    for j, label in enumerate(np.unique(subject)):
        ax, rows = axes.flat[j], subject == label
        absorption, clearance, volume = own[::40, j].T
        curves = one_compartment(
            grid, dose[rows][0], absorption=absorption[:, None], clearance=clearance[:, None], volume=volume[:, None]
        )
        low, middle, high = np.quantile(curves, [0.05, 0.5, 0.95], axis=0)
        ax.fill_between(grid, low, high, color="#0072b2", alpha=0.25, lw=0)
        ax.plot(grid, middle, color="#0072b2")
        ax.plot(time[rows], concentration[rows], "k.")
        ax.set_title(f"person {label}", fontsize=9)
    figure.supxlabel("hours after the dose")
    figure.supylabel("theophylline, mg/L")
    return figure
