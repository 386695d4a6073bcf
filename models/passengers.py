"""Passengers of airlines per month, 1949-1960: a Gaussian process that forecasts two years (Box and Jenkins 1976).

passengers: thousands. Their logarithm is a line, a smooth departure from it and a season that changes slowly: a sum of
kernels, one of which is a product. The function is integrated out, and its law at other times is found afterwards.
The last two years are held back, to be compared with the forecast.
"""

import numpy as np

import bayesad as ba
from bayesad import gp

SEEN = 120
"""Months that the model sees."""


def process(time, level, growth, departure, length, season, wiggle, memory, sigma):
    """The law of the logarithms at these times, in years."""
    smooth = departure**2 * gp.Matern52(length)
    seasonal = season**2 * gp.Periodic(1.0, wiggle) * gp.ExpQuad(memory)
    return ba.GaussianProcess(smooth + seasonal, time, mean=lambda t: level + growth * t, noise=sigma)


@ba.model
def passengers(year, month, passengers):
    time = year - 1955 + (month - 0.5) / 12
    level = ba.sample("level", ba.Normal(5.5, 0.5))
    growth = ba.sample("growth", ba.Normal(0.1, 0.1))
    departure = ba.sample("departure", ba.HalfNormal(0.2))
    length = ba.sample("length", ba.InverseGamma(3, 4))
    season = ba.sample("season", ba.HalfNormal(0.3))
    wiggle = ba.sample("wiggle", ba.InverseGamma(5, 4))
    memory = ba.sample("memory", ba.InverseGamma(3, 20))
    sigma = ba.sample("sigma", ba.HalfNormal(0.05))
    law = process(time[:SEEN], level, growth, departure, length, season, wiggle, memory, sigma)
    ba.sample("log_passengers", law, obs=np.log(passengers[:SEEN]), dims="month")


def picture(tree, posterior):
    """What was seen, the forecast, and what came."""
    from matplotlib.figure import Figure

    data, rng = posterior.data, np.random.default_rng(1)
    time = data["year"] - 1955 + (data["month"] - 0.5) / 12
    seen, log_passengers = time[:SEEN], np.log(data["passengers"])
    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw")).isel(sample=slice(0, None, 20))
    future = []
    for k in range(draws.sizes["sample"]):
        values = {name: float(draws[name][k]) for name in posterior.parameters}
        law = process(seen, **values).conditional(log_passengers[:SEEN], time[SEEN:], noise=values["sigma"])
        future.append(np.exp(law.sample(rng)))
    low, middle, high = np.quantile(future, [0.05, 0.5, 0.95], axis=0)
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    ax = figure.subplots()
    years = time + 1955
    ax.plot(years[:SEEN], data["passengers"][:SEEN], "k.-", markersize=4, linewidth=0.7, label="seen")
    ax.fill_between(years[SEEN:], low, high, color="#0072b2", alpha=0.3, linewidth=0, label="forecast, 90 %")
    ax.plot(years[SEEN:], middle, color="#0072b2", linewidth=1)
    ax.plot(years[SEEN:], data["passengers"][SEEN:], ".", color="#d55e00", label="held back")
    ax.set(ylabel="passengers, thousands a month", yscale="log")
    ax.set_yticks([100, 200, 300, 400, 600], [100, 200, 300, 400, 600])
    ax.minorticks_off()
    ax.legend(frameon=False)
    return figure
