"""Boating trips to Lake Somerville, Texas: who goes at all, and how often those who do (Sellar and others 1985)?

trips: of a household in the year; quality: how they rate the lake, 1 to 5, or 0 for no rating; ski: 1 for those who
water-ski; income: in classes 1 to 9; cost_…: dollars a trip costs to this lake and to two others near. A hurdle has two
parts: whether any trip is made, and if so how many, by a negative binomial law without its zeros (`ba.hurdle`).
"""

import numpy as np
from scipy.special import expit

import bayesad as ba


@ba.model
def recreation(trips, quality, ski, income, cost_conroe, cost_somerville, cost_houston):
    ba.coord("predictor", ["quality", "ski", "income", "log cost", "log cost elsewhere"])
    elsewhere = np.log(np.minimum(cost_conroe, cost_houston))
    X = np.stack([quality, ski, income, np.log(cost_somerville), elsewhere], axis=1)
    X = X - X.mean(axis=0)
    any_level = ba.sample("any_level", ba.Normal(0, 1.5))
    any_slopes = ba.sample("any_slopes", ba.Normal(0, 1), dims="predictor")
    level = ba.sample("level", ba.Normal(0, 1.5))
    slopes = ba.sample("slopes", ba.Normal(0, 1), dims="predictor")
    phi = ba.sample("phi", ba.Gamma(2, 1))
    none = expit(-any_level - X @ any_slopes)
    count = ba.NegativeBinomial2Log(level + X @ slopes, phi)
    ba.sample("trips", ba.hurdle(count, none), obs=trips, dims="household")


def picture(tree, posterior):
    """Households by their trips, with the predicted numbers; and the slopes of both parts."""
    from matplotlib.figure import Figure

    predicted = posterior.predict(tree.isel(draw=slice(0, None, 10)), seed=1).posterior_predictive.trips.values
    edges = np.array([0, 1, 2, 3, 4, 5, 6, 8, 11, 16, 26, 51, np.inf])
    names = ["0", "1", "2", "3", "4", "5", "6-7", "8-10", "11-15", "16-25", "26-50", "more"]
    seen = np.histogram(posterior.data["trips"], edges)[0]
    counts = np.array([np.histogram(each, edges)[0] for each in predicted.reshape(-1, len(posterior.data["trips"]))])
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.3, 1])
    places = np.arange(len(names))
    left.bar(places, np.sqrt(seen), color="#bbbbbb", label="data")
    left.vlines(
        places,
        *np.sqrt(np.quantile(counts, [0.05, 0.95], axis=0)),
        color="#0072b2",
        linewidth=3,
        label="predicted, 90 %",
    )
    left.set_xticks(places, names, fontsize=8)
    left.set_yticks(np.sqrt([0, 10, 50, 100, 200, 400]), [0, 10, 50, 100, 200, 400])
    left.set(xlabel="trips", ylabel="households")
    left.legend(frameon=False)
    right.axvline(0.0, color="#999999", linewidth=1)
    for shift, name, colour, label in (
        (-0.1, "any_slopes", "#d55e00", "any trip"),
        (0.1, "slopes", "#009e73", "how many"),
    ):
        ends = tree.posterior[name].quantile([0.05, 0.95], ("chain", "draw")).values
        right.hlines(np.arange(5) + shift, *ends, color=colour, linewidth=4, label=label)
    right.set_yticks(range(5), tree.posterior.predictor.values)
    right.set(xlabel="slope")
    right.invert_yaxis()
    right.legend(frameon=False, loc="lower left")
    return figure
