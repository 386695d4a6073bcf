"""Highest sea levels at Port Pirie, South Australia, in 1923-1987: what comes once in a century (Coles 2001)?

sea_level: metres, the highest of each year. The highest of many values has a generalised extreme value law, whose
quantiles are asked for far beyond the data. Such a law ends somewhere, which must not be before a value that was seen:
the bounds of place and shape (`ba.restricted`) say so, instead of a wall within the density.
"""

import numpy as np

import bayesad as ba

YEARS = [10, 100, 1000]


@ba.model
def port_pirie(year, sea_level):
    ba.coord("once_in", YEARS)
    low, high = sea_level.min(), sea_level.max()
    place = ba.sample("place", ba.restricted(ba.Normal(4, 1), low, high))
    scale = ba.sample("scale", ba.HalfNormal(0.5))
    shape = ba.sample("shape", ba.restricted(ba.Normal(0, 0.3), -scale / (high - place), scale / (place - low)))
    highest = ba.GeneralizedExtremeValue(place, scale, shape)
    ba.deterministic("return_level", highest.icdf(1 - 1 / np.array(YEARS)), dims="once_in")
    ba.sample("sea_level", highest, obs=sea_level, dims="year")


def picture(tree, posterior):
    """Levels by how seldom they come, as seen and as expected."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw")).isel(sample=slice(0, None, 4))
    law = ba.GeneralizedExtremeValue(draws.place.values, draws.scale.values, draws["shape"].values)
    years = np.geomspace(1.05, 1000, 100)
    low, middle, high = np.quantile(law.icdf(1 - 1 / years[:, None]), [0.05, 0.5, 0.95], axis=1)
    seen = np.sort(posterior.data["sea_level"])
    figure = Figure(figsize=(7, 4), layout="constrained")
    ax = figure.subplots()
    ax.fill_between(years, low, high, color="#0072b2", alpha=0.25, linewidth=0, label="expected, 90 %")
    ax.plot(years, middle, color="#0072b2")
    ax.plot(1 / (1 - (np.arange(len(seen)) + 0.5) / len(seen)), seen, "k.", label="seen")
    ax.set(xlabel="once in years", ylabel="metres", xscale="log")
    ax.set_xticks([1, *YEARS], [1, *YEARS])
    ax.legend(frameon=False)
    return figure
