"""An enzyme's rate with and without puromycin: one submodel for both groups (Michaelis and Menten's law; Treloar 1974).

concentration: of the substrate, in ppm; rate: counts per minute and minute; treated: 0 or 1. Groups of different size
need no plate: the submodel runs once for each, and the group's name is put before those of its unknowns and data.
"""

import numpy as np

import bayesad as ba


def assay(concentration, rate, sigma):
    """The rate approaches a maximum, half of which is reached where the concentration is `half`."""
    maximum = ba.sample("maximum", ba.Normal(200, 50))
    half = ba.sample("half", ba.LogNormal(np.log(0.1), 1))
    expected = maximum * concentration / (half + concentration)
    ba.sample("rate", ba.Normal(expected, sigma), obs=rate)
    return maximum, half


@ba.model
def puromycin(concentration, rate, treated):
    sigma = ba.sample("sigma", ba.HalfNormal(20))
    without, with_it = treated == 0, treated == 1
    maximum, half = ba.submodel("without", assay, concentration[without], rate[without], sigma)
    maximum_with, half_with = ba.submodel("with", assay, concentration[with_it], rate[with_it], sigma)
    ba.deterministic("ratio_of_maxima", maximum_with / maximum)
    ba.deterministic("ratio_of_halves", half_with / half)


def picture(tree, posterior):
    """Rates with both curves; and the ratios of their unknowns, of which one is not far from 1."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    data, x = posterior.data, np.linspace(0, 1.15, 100)[:, None]
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    ax, *small = figure.subplots(1, 3, width_ratios=[2, 1, 1])
    for code, (group, colour) in enumerate((("without", "#d55e00"), ("with", "#0072b2"))):
        rates = draws[f"{group}.maximum"].values * x / (draws[f"{group}.half"].values + x)
        ax.fill_between(x[:, 0], *np.quantile(rates, [0.05, 0.95], axis=1), color=colour, alpha=0.3, linewidth=0)
        own = data["treated"] == code
        ax.plot(data["concentration"][own], data["rate"][own], "o", color=colour, label=f"{group} puromycin")
    ax.set(xlabel="concentration, ppm", ylabel="counts per minute and minute", ylim=(0, 230))
    ax.legend(frameon=False, loc="lower right")
    for ax, name in zip(small, ("maxima", "halves"), strict=True):
        ax.hist(draws[f"ratio_of_{name}"].values, bins=40, color="#56b4e9")
        ax.axvline(1.0, color="#999999", linewidth=1)
        ax.set(xlabel=f"ratio of {name}, with : without", yticks=[])
    return figure
