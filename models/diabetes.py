"""Progression of diabetes from ten measurements and their products: a sparse regression (Efron and others 2004).

progression: after a year; the other columns are measured before. Of 55 predictors (ten, and the products of any two
different ones) few should matter: a prior on the share of variance that they explain together divides it unevenly
among them (R2-D2: Zhang and others 2022).
"""

import numpy as np

import bayesad as ba
from bayesad.priors import r2d2

NAMES = ["age", "sex", "bmi", "blood_pressure", "tc", "ldl", "hdl", "tch", "ltg", "glucose"]


def standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def design(columns):
    """The predictors and their names."""
    single = standardised(np.stack([columns[name] for name in NAMES], axis=1))
    first, second = np.triu_indices(len(NAMES), 1)
    products = standardised(single[:, first] * single[:, second])
    names = NAMES + [f"{NAMES[i]} : {NAMES[j]}" for i, j in zip(first, second, strict=True)]
    return np.concatenate([single, products], axis=1), names


@ba.model
def diabetes(progression, age, sex, bmi, blood_pressure, tc, ldl, hdl, tch, ltg, glucose):
    values = (age, sex, bmi, blood_pressure, tc, ldl, hdl, tch, ltg, glucose)
    X, names = design(dict(zip(NAMES, values, strict=True)))
    ba.coord("predictor", names)
    y = standardised(progression)
    sigma = ba.sample("sigma", ba.HalfNormal(1))
    beta = r2d2("beta", sigma=sigma, concentration=0.3, dims="predictor")
    ba.sample("progression", ba.Normal(X @ beta, sigma), obs=y, dims="patient")


def picture(tree, posterior):
    """The coefficients with their 90 % intervals, largest first."""
    from matplotlib.figure import Figure

    beta = tree.posterior.beta
    low, middle, high = beta.quantile([0.05, 0.5, 0.95], ("chain", "draw")).values
    order = np.argsort(-np.abs(middle))[:20][::-1]
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    ax = figure.subplots()
    ax.axvline(0.0, color="#999999", linewidth=1)
    ax.hlines(np.arange(20), low[order], high[order], color="#56b4e9", linewidth=3)
    ax.plot(middle[order], np.arange(20), "o", color="#0072b2", markersize=4)
    ax.set_yticks(np.arange(20), beta.predictor.values[order], fontsize=8)
    ax.set(xlabel="coefficient, in standard deviations")
    return figure
