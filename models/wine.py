"""Bitterness of wine on a scale of five grades, tasted by nine judges: ordered logistic regression (Randall 1989).

rating: grade from 0; warm: 1 if the grapes were pressed warm; contact: 1 if juice and skins were in contact; judge: who
tasted. Judges use the scale differently: an effect of each, non-centred.
"""

import numpy as np

import bayesad as ba


@ba.model
def wine(rating, warm, contact, judge):
    ba.coord("judge", int(judge.max()) + 1)
    ba.coord("cut", ["0|1", "1|2", "2|3", "3|4"])
    cutpoints = ba.sample("cutpoints", ba.ordered(ba.Normal(0, 4)), dims="cut")
    warmth = ba.sample("warmth", ba.Normal(0, 2))
    skins = ba.sample("skins", ba.Normal(0, 2))
    spread = ba.sample("spread", ba.HalfNormal(1.5))
    z = ba.sample("z", ba.Normal(0, 1), dims="judge")
    judges = ba.deterministic("judges", spread * z, dims="judge")
    eta = warmth * warm + skins * contact + judges[judge]
    ba.sample("rating", ba.OrderedLogistic(eta, cutpoints), obs=rating, dims="glass")


def picture(tree, posterior):
    """Chances of the grades for the four kinds of wine, of an average judge, beside their shares in the data."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    figure = Figure(figsize=(8, 3), layout="constrained")
    for ax, (w, c) in zip(figure.subplots(1, 4, sharey=True), [(0, 0), (0, 1), (1, 0), (1, 1)], strict=True):
        eta = draws.warmth.values * w + draws.skins.values * c
        below = 1.0 / (1.0 + np.exp(eta - draws.cutpoints.values))
        chances = np.diff(below, axis=0, prepend=0.0, append=1.0)
        low, high = np.quantile(chances, [0.05, 0.95], axis=1)
        own = (posterior.data["warm"] == w) & (posterior.data["contact"] == c)
        shares = [(posterior.data["rating"][own] == k).mean() for k in range(5)]
        ax.bar(range(5), shares, color="#bbbbbb")
        ax.vlines(range(5), low, high, color="#0072b2", linewidth=4)
        ax.set(title=f"{'warm' if w else 'cold'}, {'skins' if c else 'no skins'}", xlabel="grade", xticks=range(5))
    return figure
