"""Eruptions of Old Faithful, short and long ones: a mixture of two kinds whose labels are recovered (Azzalini 1990).

minutes: duration of an eruption; waiting: minutes until the next. The kind of each of the 272 eruptions is summed out;
the kinds are told apart by their order. The priors of the standard deviations vanish at 0: a kind of one eruption only
would have an infinite density there.
"""

import numpy as np

import bayesad as ba


@ba.model
def old_faithful(minutes, waiting):
    ba.coord("kind", ["short", "long"])
    share = ba.sample("share", ba.Dirichlet([2, 2]), dims="kind")
    duration = ba.sample("duration", ba.ordered(ba.Normal(3, 2)), dims="kind")
    sd_duration = ba.sample("sd_duration", ba.LogNormal(np.log(0.4), 0.5), dims="kind")
    pause = ba.sample("pause", ba.Normal(70, 20), dims="kind")
    sd_pause = ba.sample("sd_pause", ba.LogNormal(np.log(6), 0.5), dims="kind")
    kind = ba.sample("eruption", ba.Categorical(share), shape=len(minutes), marginalize=True)
    ba.sample("minutes", ba.Normal(duration[kind], sd_duration[kind]), obs=minutes)
    ba.sample("waiting", ba.Normal(pause[kind], sd_pause[kind]), obs=waiting)


def picture(tree, posterior):
    """Every eruption, coloured by the probability that it is a long one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()
    long = tree.posterior["eruption"].mean(("chain", "draw"))
    points = ax.scatter(posterior.data["minutes"], posterior.data["waiting"], c=long, cmap="coolwarm", s=14)
    ax.set(xlabel="minutes of eruption", ylabel="minutes until the next")
    figure.colorbar(points, label="probability of a long eruption")
    return figure
