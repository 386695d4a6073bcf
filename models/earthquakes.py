"""Major earthquakes of the world in each year 1900-2006: calm, usual and restless times (Zucchini and MacDonald 2009).

A hidden Markov model with Poisson counts. The path of states is summed out by the forward algorithm; `state` has the
paths drawn given each draw of the rates.
"""

import numpy as np

import bayesad as ba


@ba.model
def earthquakes(year, earthquakes):
    ba.coord("year", year)
    ba.coord("level", ["calm", "usual", "restless"])
    ba.coord("next", ["calm", "usual", "restless"])
    rate = ba.sample("rate", ba.ordered(ba.LogNormal(np.log(20), 0.5)), dims="level")
    step = ba.sample("step", ba.Dirichlet(1 + 7 * np.eye(3)), dims=("level", "next"))
    state = ba.sample("state", ba.DiscreteMarkovChain(np.full(3, 1 / 3), step), dims="year", marginalize=True)
    ba.sample("earthquakes", ba.Poisson(rate[state]), obs=earthquakes, dims="year")


def picture(tree, posterior):
    """Counts with the mean rate of each year, above the probabilities of the three states."""
    from matplotlib.figure import Figure

    year = posterior.data["year"]
    state = tree.posterior["state"].values.reshape(-1, len(year))
    rate = np.take_along_axis(tree.posterior["rate"].values.reshape(-1, 3), state, axis=1)
    figure = Figure(figsize=(8, 4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    top.plot(year, posterior.data["earthquakes"], ".-", color="#999999", linewidth=0.7)
    top.plot(year, rate.mean(axis=0), color="#0072b2")
    top.fill_between(year, *np.quantile(rate, [0.05, 0.95], axis=0), color="#0072b2", alpha=0.3)
    top.set(ylabel="earthquakes")
    shares = [(state == k).mean(axis=0) for k in range(3)]
    bottom.stackplot(year, shares, labels=["calm", "usual", "restless"], colors=["#56b4e9", "#cccccc", "#d55e00"])
    bottom.set(ylabel="state", ylim=(0, 1))
    bottom.legend(loc="lower left", fontsize="small")
    return figure
