"""Level of Lake Huron, 1875-1972: does it fall, or does it only wander (Brockwell and Davis 1991)?

level: feet above the sea, by year. A high year is followed by another one, so that neighbouring years say less about a
trend than independent ones would. Departures from the line are an autoregression of second order (`ba.AR`), which is
stationary where its partial autocorrelations are between -1 and 1: these are the unknowns.
"""

import numpy as np

import bayesad as ba


@ba.model
def lake_huron(year, level):
    ba.coord("lag", [1, 2])
    middle = ba.sample("middle", ba.Normal(579, 2))
    trend = ba.sample("trend", ba.Normal(0, 5))  # feet in a century
    partial = ba.sample("partial", ba.Uniform(-1, 1), dims="lag")
    memory = ba.deterministic("memory", np.stack([partial[0] * (1 - partial[1]), partial[1]]), dims="lag")
    sigma = ba.sample("sigma", ba.HalfNormal(2))
    expected = middle + trend * (year - 1923.5) / 100
    law = ba.AR(memory, sigma, expected, initial="stationary")
    ba.sample("level", law, obs=level, dims="year")


def picture(tree, posterior):
    """Levels with the line, and twenty years of futures; and the trend, beside what independent years would say."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    year, level, rng = posterior.data["year"], posterior.data["level"], np.random.default_rng(1)
    years = np.arange(1875, 1993)
    line = draws.middle.values + draws.trend.values * (years[:, None] - 1923.5) / 100
    away = list(level[-2:, None] - line[96:98])
    for _ in range(98, len(years)):
        noise = draws.sigma.values * rng.standard_normal(draws.sizes["sample"])
        away.append(draws.memory.values[0] * away[-1] + draws.memory.values[1] * away[-2] + noise)
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[2.2, 1])
    left.plot(year, level, "k.-", markersize=3, linewidth=0.7)
    left.fill_between(
        years, *np.quantile(line, [0.05, 0.95], axis=1), color="#d55e00", alpha=0.3, linewidth=0, label="line, 90 %"
    )
    future = np.quantile(line[98:] + away[2:], [0.05, 0.95], axis=1)
    left.fill_between(years[98:], *future, color="#0072b2", alpha=0.3, linewidth=0, label="futures, 90 %")
    left.set(ylabel="feet above the sea")
    left.legend(frameon=False)
    right.hist(draws.trend.values, bins=40, color="#d55e00", alpha=0.6, density=True, label="autocorrelated")
    fitted, covariance = np.polyfit((year - 1923.5) / 100, level, 1, cov=True)
    x = np.linspace(-6, 3, 200)
    density = np.exp(-0.5 * (x - fitted[0]) ** 2 / covariance[0, 0]) / np.sqrt(2 * np.pi * covariance[0, 0])
    right.plot(x, density, color="#999999", label="independent")
    right.set(xlabel="trend, feet in a century", yticks=[])
    right.legend(frameon=False)
    return figure
