"""Ozone in New York, 1973: a regression in which outcomes and a predictor are missing (Chambers and others 1983).

ozone: parts per billion, solar: radiation in langleys, wind: miles per hour, temperature: degrees Fahrenheit, month. A
NaN in what is observed is an unknown: the missing radiation has a law of its own, so that its values can be
used where ozone is predicted.
"""

import numpy as np

import bayesad as ba


@ba.model
def airquality(ozone, solar, wind, temperature, month):
    sunshine = solar / 100
    mean_sun = ba.sample("mean_sun", ba.Normal(2, 1))
    spread_sun = ba.sample("spread_sun", ba.HalfNormal(1))
    sun = ba.sample("sun", ba.restricted(ba.Normal(mean_sun, spread_sun), lower=0), obs=sunshine, dims="day")
    warm = (temperature - temperature.mean()) / 10
    breeze = (wind - wind.mean()) / 5
    level = ba.sample("level", ba.Normal(3.5, 1))
    by_warmth = ba.sample("by_warmth", ba.Normal(0, 1))
    by_wind = ba.sample("by_wind", ba.Normal(0, 1))
    by_sun = ba.sample("by_sun", ba.Normal(0, 1))
    sigma = ba.sample("sigma", ba.HalfNormal(1))
    expected = level + by_warmth * warm + by_wind * breeze + by_sun * (sun - 2)
    ba.sample("log_ozone", ba.Normal(expected, sigma), obs=np.log(ozone), dims="day")


def picture(tree, posterior):
    """Measured ozone over the days, and what is thought of the days that were not measured."""
    from matplotlib.figure import Figure

    ozone = posterior.data["ozone"]
    day = np.arange(len(ozone))
    missing = tree.posterior.log_ozone_missing.stack(sample=("chain", "draw")).values
    low, middle, high = np.exp(np.quantile(missing, [0.05, 0.5, 0.95], axis=1))
    unknown = day[np.isnan(ozone)]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    ax = figure.subplots()
    ax.plot(day, ozone, "k.", markersize=5, label="measured")
    ax.vlines(unknown, low, high, color="#0072b2", alpha=0.5)
    ax.plot(unknown, middle, "o", color="#0072b2", markersize=4, label="not measured: median and 90 %")
    ax.set(xlabel="day from May 1", ylabel="ozone, ppb", yscale="log")
    ax.legend(frameon=False)
    return figure
