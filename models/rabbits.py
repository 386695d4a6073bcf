"""How many cottontails are in a pen, if those that were never caught are not in the data (Edwards and Eberhardt 1967)?

captures, rabbits: how many of the 76 rabbits seen were caught so many times, on 18 occasions. Some are caught more
easily than others: captures have a beta-binomial law, whose zeros are missing (`ba.truncated`). Priors hold that few
rabbits can hardly be caught, as such would leave no trace in the data. The pen was known to hold 135.
"""

import numpy as np
from scipy.special import betaln

import bayesad as ba

OCCASIONS, HELD = 18, 135


@ba.model
def rabbits(captures, rabbits):
    alpha = ba.sample("alpha", ba.LogNormal(np.log(1.5), 0.5))
    beta = ba.sample("beta", ba.LogNormal(np.log(15), 0.7))
    never = ba.deterministic("never_caught", np.exp(betaln(alpha, beta + OCCASIONS) - betaln(alpha, beta)))
    ba.deterministic("population", rabbits.sum() / (1 - never))
    seen = ba.truncated(ba.BetaBinomial(OCCASIONS, alpha, beta), lower=1)
    ba.sample("captures", seen, obs=np.repeat(captures, rabbits), dims="rabbit")


def picture(tree, posterior):
    """Rabbits by captures, with the expected numbers; and the population."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    times = np.arange(8)
    law = ba.BetaBinomial(OCCASIONS, draws.alpha.values[:, None], draws.beta.values[:, None])
    expected = draws.population.values[:, None] * np.exp(law.log_prob(times))
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.bar(posterior.data["captures"], posterior.data["rabbits"], color="#bbbbbb", label="caught")
    left.bar(0, HELD - posterior.data["rabbits"].sum(), fill=False, edgecolor="#999999", label="never caught")
    left.vlines(
        times, *np.quantile(expected, [0.05, 0.95], axis=0), color="#0072b2", linewidth=3, label="expected, 90 %"
    )
    left.set(xlabel="captures", ylabel="rabbits", xticks=times)
    left.legend(frameon=False)
    right.hist(draws.population.values, bins=np.arange(76, 320, 6), color="#56b4e9")
    right.axvline(HELD, color="#d55e00", label="in the pen")
    right.set(xlabel="population", yticks=[])
    right.legend(frameon=False)
    return figure
