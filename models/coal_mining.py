"""When coal mining in Britain became safer: disasters per year 1851-1962, with one change of their rate (Jarrett 1979).

The year of the change is a whole number. It is summed out of the density, and its draws are recovered afterwards; the
rate of each year, which depends on it, comes with them.
"""

import numpy as np

import bayesad as ba


@ba.model
def coal_mining(year, disasters):
    ba.coord("year", year)
    before = ba.sample("before", ba.Exponential(0.5))
    after = ba.sample("after", ba.Exponential(0.5))
    change = ba.sample("change", ba.DiscreteUniform(year[0], year[-1]), marginalize=True)
    rate = ba.deterministic("rate", np.where(year < change, before, after), dims="year")
    ba.sample("disasters", ba.Poisson(rate), obs=disasters, dims="year")


def picture(tree, posterior):
    """Disasters with the rate of each year, above the probability of a change in that year."""
    from matplotlib.figure import Figure

    year = posterior.data["year"]
    figure = Figure(figsize=(8, 4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    rate = tree.posterior["rate"].values.reshape(-1, len(year))
    top.bar(year, posterior.data["disasters"], color="#bbbbbb")
    top.plot(year, rate.mean(axis=0), color="#0072b2")
    top.fill_between(year, *np.quantile(rate, [0.05, 0.95], axis=0), color="#0072b2", alpha=0.3)
    top.set(ylabel="disasters")
    changed = tree.posterior["change"].values.ravel()
    bottom.bar(year, [(changed == y).mean() for y in year], color="#d55e00")
    bottom.set(ylabel="chance of change")
    return figure
