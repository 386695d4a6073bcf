"""Telephone calls in Belgium, 1950-73, some of which were counted in minutes: a line and outliers (Rousseeuw 1984).

year, calls: tens of millions of calls in a year, but from 1964 to 1969 minutes instead, and a bit of both in the years
beside. Every figure has a law that is a mixture of two normal ones, about the line and about the outliers.
"""

import numpy as np

import bayesad as ba


@ba.model
def phones(year, calls):
    ba.coord("year", year)
    middle = ba.sample("middle", ba.Normal(15, 10))
    slope = ba.sample("slope", ba.Normal(0, 2))
    sigma = ba.sample("sigma", ba.HalfNormal(5))
    level = ba.sample("level", ba.Normal(100, 50))
    spread = ba.sample("spread", ba.HalfNormal(50))
    share = ba.sample("share", ba.Beta(1, 4))
    line = middle + slope * (year - 1961.5)
    outlying = ba.Normal(level, spread)
    means = np.stack([line, level + np.zeros(len(year))], axis=-1)
    law = ba.mixture_same_family(np.stack([1 - share, share]), ba.Normal(means, np.stack([sigma, spread])))
    ba.sample("calls", law, obs=calls, dims="year")
    odds = np.log(share) + outlying.log_prob(calls) - law.log_prob(calls)
    ba.deterministic("is_outlier", np.exp(odds), dims="year")


def picture(tree, posterior):
    """The figures, darker the likelier they are outliers, with the line and least squares."""
    from matplotlib.figure import Figure

    year, calls = posterior.data["year"], posterior.data["calls"]
    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    lines = draws["middle"].values + draws["slope"].values * (year[:, None] - 1961.5)
    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()
    low, high = np.quantile(lines, [0.05, 0.95], axis=1)
    ax.fill_between(year, low, high, color="#56b4e9", alpha=0.5, label="line, 90 %")
    ax.plot(year, np.polyval(np.polyfit(year, calls, 1), year), "--", color="#d55e00", label="least squares")
    points = ax.scatter(
        year, calls, c=draws["is_outlier"].mean("sample"), cmap="Greys", edgecolors="black", vmin=0, vmax=1
    )
    ax.set(xlabel="year", ylabel="calls, tens of millions")
    ax.legend(frameon=False)
    figure.colorbar(points, label="probability of an outlier")
    return figure
