"""Crime in 47 states of the USA, 1960: which of 14 predictors matter, by the regularised horseshoe (Ehrlich 1973).

crimes: reported, in relation to the population; X: a row per state, a column per predictor. All but the indicator of
southern states are taken as logarithms, then standardised. Most coefficients are held near zero and a few are left
alone (Piironen and Vehtari 2017); how many are expected, 5, sets the scale (`ba.global_scale`).
"""

import numpy as np

import bayesad as ba


def standardised(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


@ba.model
def crime(crimes, X, predictor):
    ba.coord("predictor", predictor)
    X = standardised(np.where(np.array(predictor) == "south", X, np.log(np.maximum(X, 1e-9))))
    sigma = ba.sample("sigma", ba.HalfNormal(1))
    scale = ba.global_scale(5, X.shape[1], len(X), sigma)
    beta = ba.regularised_horseshoe("beta", scale=scale, dims="predictor")
    ba.sample("log_crimes", ba.Normal(X @ beta, sigma), obs=standardised(np.log(crimes)), dims="state")


def picture(tree, posterior):
    """The coefficients with their 90 % intervals; and how strongly each is held back."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset()
    spread = draws.beta_global * draws.beta_local
    held = (1 / (1 + 47 * spread**2 / draws.sigma**2)).mean(("chain", "draw")).values
    low, middle, high = draws.beta.quantile([0.05, 0.5, 0.95], ("chain", "draw")).values
    order, places = np.argsort(np.abs(middle)), np.arange(len(middle))
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.6, 1], sharey=True)
    left.axvline(0.0, color="#999999", linewidth=1)
    left.hlines(places, low[order], high[order], color="#56b4e9", linewidth=3)
    left.plot(middle[order], places, "o", color="#0072b2", markersize=4)
    left.set_yticks(places, draws.predictor.values[order], fontsize=8)
    left.set(xlabel="coefficient, in standard deviations")
    right.barh(places, held[order], color="#bbbbbb")
    right.set(xlabel="shrinkage towards zero, 1: entirely", xlim=(0, 1))
    return figure
