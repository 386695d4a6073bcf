"""Blood coagulation times under four diets: groups of different size, by an index array (Gelman and others 2013, 11.6).

diet, seconds: one row for each of 24 animals, four to eight of a diet. The diets' means are sampled in the coordinates
(centred or not) that short runs on these data find to be the better ones.
"""

import numpy as np

import bayesad as ba


@ba.model
def coagulation(diet, seconds):
    ba.coord("diet", ["A", "B", "C", "D"])
    mean = ba.sample("mean", ba.Normal(65, 10))
    between = ba.sample("between", ba.HalfNormal(5))
    within = ba.sample("within", ba.HalfNormal(5))
    level = ba.sample("level", ba.Normal(mean, between), dims="diet")
    ba.sample("seconds", ba.Normal(level[diet], within), obs=seconds, dims="animal")


coagulation = ba.reparameterise(coagulation, {"level": "auto"})


def picture(tree, posterior):
    """Every animal, with the level of its diet and the mean of all."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    ax = figure.subplots()
    diet, seconds = posterior.data["diet"], posterior.data["seconds"]
    ax.plot(diet + np.random.default_rng(0).uniform(-0.08, 0.08, len(diet)), seconds, ".", color="#999999")
    level = tree.posterior["level"].values.reshape(-1, 4)
    ax.vlines(np.arange(4) + 0.2, *np.quantile(level, [0.05, 0.95], axis=0), color="#0072b2", linewidth=3)
    ax.axhline(float(tree.posterior["mean"].mean()), color="#d55e00", linewidth=0.8)
    ax.set(xticks=range(4), xticklabels="ABCD", xlabel="diet", ylabel="seconds")
    return figure
