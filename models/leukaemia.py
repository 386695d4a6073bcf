"""Remission of leukaemia: Weibull survival times, some of them censored (Freireich and others 1963).

weeks: time in remission, or under observation where censored is 1; treated: 1 for 6-mercaptopurine, 0 for placebo.
`ba.censored` with an upper bound for each patient makes an observation at its bound mean "at least so long".
"""

import numpy as np

import bayesad as ba


@ba.model
def leukaemia(weeks, censored, treated):
    shape = ba.sample("shape", ba.Gamma(4, 3))
    log_scale = ba.sample("log_scale", ba.Normal(2.5, 1))
    effect = ba.sample("effect", ba.Normal(0, 1))
    ba.deterministic("ratio_of_medians", np.exp(effect))
    time = ba.Weibull(shape, np.exp(log_scale + effect * treated))
    until = np.where(censored, weeks, np.inf)
    ba.sample("weeks", ba.censored(time, upper=until), obs=weeks, dims="patient")


def picture(tree, posterior):
    """Kaplan-Meier steps of both groups and posterior survival curves."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw")).isel(sample=slice(0, 4000, 40))
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    ax = figure.subplots()
    weeks, t = posterior.data["weeks"], np.linspace(0.01, 36, 100)
    for group, name, colour in ((1, "6-mercaptopurine", "#0072b2"), (0, "placebo", "#d55e00")):
        scale = np.exp(draws.log_scale.values + draws.effect.values * group)
        curves = np.exp(-((t[:, None] / scale) ** draws["shape"].values))
        ax.plot(t, curves, color=colour, alpha=0.06, linewidth=1)
        own = posterior.data["treated"] == group
        level, times, levels = 1.0, [0.0], [1.0]
        for week in np.unique(weeks[own & (posterior.data["censored"] == 0)]):
            ended = np.sum(own & (weeks == week) & (posterior.data["censored"] == 0))
            level *= 1.0 - ended / np.sum(own & (weeks >= week))
            times.append(week)
            levels.append(level)
        ax.step([*times, 36], [*levels, level], where="post", color=colour, linewidth=2, label=name)
    ax.set(xlabel="weeks", ylabel="share in remission", ylim=(0, 1))
    ax.legend(frameon=False)
    return figure
