"""Taste of cheese with four additives, in nine grades, of tasters who may have guessed (McCullagh and Nelder 1989).

additive, grade, tasters: how many of the 52 tasters gave the grade to the additive. Each answer is either meant, and
follows an ordinal regression on the additive, or given at random, every grade alike: a mixture of two laws of grades,
whose indicator is summed out for each of the 208 answers.
"""

import numpy as np
from scipy.special import expit

import bayesad as ba


@ba.model
def cheese(additive, grade, tasters):
    ba.coord("additive", ["A", "B", "C", "D"])
    ba.coord("cut", 8)
    answer_to, answer = np.repeat(additive, tasters), np.repeat(grade, tasters)
    guessing = ba.sample("guessing", ba.Beta(1, 4))
    taste = ba.sample("taste", ba.zero_sum(ba.Normal(0, 3)), dims="additive")
    cuts = ba.sample("cuts", ba.ordered(ba.Normal(0, 5)), dims="cut")
    below = expit(cuts - taste[:, None])
    edge = np.ones((4, 1))
    meant = np.diff(np.concatenate([0 * edge, below, edge], axis=1), axis=1)
    guessed = ba.sample("guessed", ba.Bernoulli(guessing), shape=len(answer), marginalize=True)
    chances = np.where(guessed[:, None] == 1, 1 / 9, meant[answer_to])
    ba.sample("answer", ba.Categorical(chances), obs=answer)


def picture(tree, posterior):
    """Grades of each additive, with the predicted share of each grade; and how many answers were guesses."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    data = posterior.data
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axes = figure.subplots(1, 5)
    for k, (ax, name) in enumerate(zip(axes, "ABCD", strict=False)):
        below = expit(draws["cuts"].values - draws["taste"].values[k])
        meant = np.diff(below, axis=0, prepend=0.0, append=1.0)
        share = draws["guessing"].values / 9 + (1 - draws["guessing"].values) * meant
        ax.bar(range(1, 10), data["tasters"][data["additive"] == k] / 52, color="#bbbbbb")
        ax.vlines(range(1, 10), *np.quantile(share, [0.05, 0.95], axis=1), color="#0072b2", linewidth=3)
        ax.set(title=f"additive {name}", xlabel="grade", ylim=(0, 0.5))
    guesses = draws["guessed"].values.sum(axis=0)
    axes[4].hist(guesses, bins=np.arange(guesses.max() + 2) - 0.5, color="#d55e00")
    axes[4].set(title="guesses", xlabel="of 208 answers", yticks=[])
    return figure
