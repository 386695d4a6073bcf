"""Reaction times under sleep deprivation: correlated intercepts and slopes of persons (Belenky and others 2003).

reaction: milliseconds; days: of deprivation; subject: which of the 18 persons. The persons' effects are
bivariate normal: scales times the Cholesky factor of a correlation matrix with an LKJ prior. Each person has ten
measurements, so the law is written centred; with few, standard normal numbers times its factor would sample better.
"""

import numpy as np

import bayesad as ba


@ba.model
def sleepstudy(reaction, days, subject):
    ba.coord("effect", ["intercept", "slope"])
    ba.coord("subject", int(subject.max()) + 1)
    mean = ba.sample("mean", ba.Normal([250, 0], [100, 20]), dims="effect")
    scale = ba.sample("scale", ba.HalfNormal([50, 20]), dims="effect")
    factor = ba.sample("factor", ba.LKJCholesky(2, 2))
    persons = ba.sample("persons", ba.MvNormal(mean, chol=scale[:, None] * factor), dims=("subject", "effect"))
    ba.deterministic("correlation", factor[1, 0])
    sigma = ba.sample("sigma", ba.HalfNormal(50))
    expected = persons[subject, 0] + persons[subject, 1] * days
    ba.sample("reaction", ba.StudentT(4, expected, sigma), obs=reaction, dims="row")


def picture(tree, posterior):
    """Every person's data with their line and its 90 % interval."""
    from matplotlib.figure import Figure

    persons = tree.posterior.persons.stack(sample=("chain", "draw")).values
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    day = np.arange(10)
    for s, ax in enumerate(figure.subplots(3, 6, sharex=True, sharey=True).flat):
        lines = persons[s, 0] + persons[s, 1] * day[:, None]
        low, middle, high = np.quantile(lines, [0.05, 0.5, 0.95], axis=1)
        ax.fill_between(day, low, high, color="#0072b2", alpha=0.25, linewidth=0)
        ax.plot(day, middle, color="#0072b2")
        own = posterior.data["subject"] == s
        ax.plot(posterior.data["days"][own], posterior.data["reaction"][own], "k.", markersize=4)
    figure.supxlabel("days of deprivation")
    figure.supylabel("reaction time, ms")
    return figure
