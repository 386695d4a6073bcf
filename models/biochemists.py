"""Articles of biochemists in their last years as students: counts with too many zeros (Long 1990).

articles: published in three years; woman, married: 0 or 1; children: under six; prestige: of the department; mentor:
articles of the mentor. Some publish nothing whatever the rest says: a zero-inflated negative binomial law.
"""

import numpy as np
from scipy.special import expit

import bayesad as ba


@ba.model
def biochemists(articles, woman, married, children, prestige, mentor):
    ba.coord("predictor", ["woman", "married", "children", "prestige", "mentor"])
    X = np.stack([woman, married, children, prestige, np.log1p(mentor)], axis=1)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    level = ba.sample("level", ba.Normal(0, 1))
    slopes = ba.sample("slopes", ba.Normal(0, 0.5), dims="predictor")
    phi = ba.sample("phi", ba.Gamma(2, 0.5))
    zero_level = ba.sample("zero_level", ba.Normal(-2, 1))
    zero_mentor = ba.sample("zero_mentor", ba.Normal(0, 1))
    count = ba.NegativeBinomial2Log(level + X @ slopes, phi)
    never = expit(zero_level + zero_mentor * X[:, 4])
    ba.sample("articles", ba.zero_inflated(count, never), obs=articles, dims="student")


def picture(tree, posterior):
    """Shares of counts in the data and in posterior predictive data."""
    from matplotlib.figure import Figure

    predicted = posterior.predict(tree.isel(draw=slice(0, None, 10)), seed=1).posterior_predictive.articles.values
    predicted = predicted.reshape(-1, predicted.shape[-1])
    counts = np.arange(13)
    shares = np.stack([(predicted == k).mean(axis=1) for k in counts])
    low, high = np.quantile(shares, [0.05, 0.95], axis=1)
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    ax = figure.subplots()
    observed = [(posterior.data["articles"] == k).mean() for k in counts]
    ax.bar(counts, observed, color="#bbbbbb", label="data")
    ax.vlines(counts, low, high, color="#0072b2", linewidth=4, label="predicted, 90 %")
    ax.set(xlabel="articles", ylabel="share of students")
    ax.legend(frameon=False)
    return figure
