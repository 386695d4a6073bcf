"""Alcohol, tobacco, age and cancer of the oesophagus: monotonic effects of ordered levels (Breslow and Day 1980).

cases, controls: men with a combination of levels; age, alcohol, tobacco: the level, from 0. An effect goes one way from
level to level, by steps whose shares are unknown (Bürkner and Charpentier 2020): between a straight line and a number
of its own for each level. As cases and controls were sought separately, only ratios of odds mean something.
"""

from itertools import pairwise

import numpy as np

import bayesad as ba

LEVELS = {
    "age": ["25-34", "35-44", "45-54", "55-64", "65-74", "75+"],
    "alcohol": ["0-39", "40-79", "80-119", "120+"],
    "tobacco": ["0-9", "10-19", "20-29", "30+"],
}


def rise(name, level):
    """What the levels add to the log odds, less its mean over the rows."""
    labels = LEVELS[name]
    steps = ba.coord(f"{name} step", [f"{a} to {b}" for a, b in pairwise(labels)])
    mean_step = ba.sample("mean_step", ba.Normal(0, 1))
    shares = ba.sample("shares", ba.Dirichlet(np.ones(len(steps))), dims=f"{name} step")
    ba.deterministic("odds_ratio", np.exp(mean_step * len(steps) * shares), dims=f"{name} step")
    effect = mean_step * ba.monotonic(level, shares)
    return effect - effect.mean()


@ba.model
def oesophagus(cases, controls, age, alcohol, tobacco):
    level = ba.sample("level", ba.Normal(-1, 1.5))
    effects = [
        ba.submodel("age", rise, "age", age),
        ba.submodel("alcohol", rise, "alcohol", alcohol),
        ba.submodel("tobacco", rise, "tobacco", tobacco),
    ]
    ba.sample("cases", ba.BinomialLogit(cases + controls, level + sum(effects)), obs=cases, dims="combination")


def picture(tree, posterior):
    """Odds over those of the lowest level; below, shares of cases in the data and in data drawn from the model."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    predicted = posterior.predict(tree.isel(draw=slice(0, None, 4)), seed=1).posterior_predictive.cases
    predicted = predicted.stack(sample=("chain", "draw")).values
    cases, men = posterior.data["cases"], posterior.data["cases"] + posterior.data["controls"]
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots(2, 3, sharex="col", sharey="row")
    for (above, below), (name, labels) in zip(axes.T, LEVELS.items(), strict=True):
        level = np.arange(len(labels))
        rises = draws[f"{name}.mean_step"].values[:, None] * ba.monotonic(level, draws[f"{name}.shares"].values.T)
        low, middle, high = np.exp(np.quantile(rises, [0.05, 0.5, 0.95], axis=0))
        above.fill_between(level, low, high, color="#0072b2", alpha=0.25, linewidth=0)
        above.plot(level, middle, "o-", color="#0072b2", markersize=4)
        above.set(title=name, yscale="log")
        of_level = posterior.data[name] == level[:, None]
        low, high = np.quantile(of_level @ predicted, [0.05, 0.95], axis=1) / (of_level @ men)
        below.vlines(level, low, high, color="#0072b2", linewidth=5, alpha=0.4, label="drawn, 90 %")
        below.plot(level, of_level @ cases / (of_level @ men), "k.", label="data")
        below.set_xticks(level, labels, fontsize=8)
    axes[0, 0].set(ylabel="ratio of odds to the lowest")
    axes[1, 0].set(ylabel="share of cases")
    axes[1, 0].legend(frameon=False)
    for ax, unit in zip(axes[1], ("years", "grams a day", "grams a day"), strict=True):
        ax.set(xlabel=unit)
    return figure
