"""What is normal at which age: a concentration in the urine of children, by B-splines (Venables and Ripley 2002).

age: years; gag: concentration of glycosaminoglycans, in a unit that has been lost. Logarithms scatter about one cubic
spline, as far as another one says. Coefficients walk randomly from each to the next, those of the first spline by steps
of unknown size: the data say how smooth it is (Lang and Brezger 2004). Knots are close together where it is steep.
"""

import numpy as np

import bayesad as ba

BOUNDS = (0.0, 18.0)
KNOTS = [0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0]


def splines(age):
    """The basis at some ages, (len(age), 17)."""
    return ba.bspline_basis(age, KNOTS, bounds=BOUNDS)


def centres():
    """The age that each coefficient is the curve's height about: the mean of the spline's inner knots."""
    knots = [BOUNDS[0]] * 3 + KNOTS + [BOUNDS[1]] * 3
    return np.lib.stride_tricks.sliding_window_view(knots, 3).mean(axis=1)


@ba.model
def gagurine(age, gag):
    ba.coord("centre", [f"{years:.2f}" for years in centres()])
    years = ba.coord("years", 18)
    step = ba.sample("step", ba.HalfNormal(0.5))
    height = ba.sample("height", ba.GaussianRandomWalk(sigma=step, initial=ba.Normal(3, 1)), dims="centre")
    log_sigma = ba.sample("log_sigma", ba.GaussianRandomWalk(sigma=0.2, initial=ba.Normal(-1.5, 1)), dims="centre")
    nu = ba.sample("nu", ba.Gamma(2, 0.1))
    ba.deterministic("median", np.exp(splines(years) @ height), dims="years")
    ba.deterministic("sigma", np.exp(splines(years) @ log_sigma), dims="years")
    basis = splines(age)
    ba.sample("log_gag", ba.StudentT(nu, basis @ height, np.exp(basis @ log_sigma)), obs=np.log(gag), dims="child")


def picture(tree, posterior):
    """The median with its 90 % interval, the range of 90 % of children, and the spline's coefficients."""
    from matplotlib.figure import Figure
    from scipy.special import stdtrit

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    age = np.linspace(*BOUNDS, 300)
    curve = splines(age) @ draws.height.values
    low, middle, high = np.exp(np.quantile(curve, [0.05, 0.5, 0.95], axis=1))
    noise = stdtrit(draws.nu.values, np.random.default_rng(1).uniform(size=curve.shape))
    noise *= np.exp(splines(age) @ draws.log_sigma.values)
    below, above = np.exp(np.quantile(curve + noise, [0.05, 0.95], axis=1))
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    ax = figure.subplots()
    ax.fill_between(age, below, above, color="#56b4e9", alpha=0.25, linewidth=0, label="children, 90 %")
    ax.fill_between(age, low, high, color="#0072b2", alpha=0.4, linewidth=0, label="median, 90 %")
    ax.plot(age, middle, color="#0072b2")
    ax.plot(posterior.data["age"], posterior.data["gag"], "k.", markersize=3, label="data")
    heights = np.exp(draws.height.mean("sample"))
    ax.plot(centres(), heights, "o", color="#d55e00", markersize=5, mfc="none", label="coefficients")
    ax.set(xlabel="age, years", ylabel="concentration", yscale="log", xticks=range(0, 19, 3))
    ax.set_yticks([2, 5, 10, 20, 50], ["2", "5", "10", "20", "50"])
    ax.legend(frameon=False)
    return figure
