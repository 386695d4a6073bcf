"""Corn by the nitrogen in the soil, which is measured with an error of known variance, 57 (Fuller 1987, 1.2).

The true nitrogen of each of the eleven sites is unknown: it has a law of its own, and is measured. Regressing on the
measured values instead would find a line that is too flat.
"""

import numpy as np

import bayesad as ba

ERROR = 57**0.5


@ba.model
def corn(nitrogen, bushels):
    intercept = ba.sample("intercept", ba.Normal(70, 30))
    slope = ba.sample("slope", ba.Normal(0, 1))
    sigma = ba.sample("sigma", ba.HalfNormal(10))
    centre = ba.sample("centre", ba.Normal(70, 20))
    spread = ba.sample("spread", ba.HalfNormal(30))
    true = ba.sample("true_nitrogen", ba.Normal(centre, spread), dims="site")
    ba.sample("nitrogen", ba.Normal(true, ERROR), obs=nitrogen, dims="site")
    ba.sample("bushels", ba.Normal(intercept + slope * true, sigma), obs=bushels, dims="site")


corn = corn.with_coords(site=11)


def picture(tree, posterior):
    """Sites where measured and where they are likely to be, with lines drawn from the posterior and the naive one."""
    from matplotlib.figure import Figure

    nitrogen, bushels = posterior.data["nitrogen"], posterior.data["bushels"]
    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    figure = Figure(figsize=(6, 4), layout="constrained")
    ax = figure.subplots()
    x = np.linspace(40, 110, 2)
    for i in range(0, draws.sizes["sample"], draws.sizes["sample"] // 60):
        line = draws["intercept"].values[i] + draws["slope"].values[i] * x
        ax.plot(x, line, color="#0072b2", alpha=0.12, linewidth=1)
    ax.plot(x, np.polyval(np.polyfit(nitrogen, bushels, 1), x), "--", color="#d55e00", label="least squares")
    ax.hlines(bushels, *np.quantile(draws["true_nitrogen"].values, [0.05, 0.95], axis=1), color="#009e73")
    ax.plot(nitrogen, bushels, "o", color="black", label="measured")
    ax.set(xlabel="nitrogen", ylabel="bushels per acre", ylim=(75, 125))
    ax.legend(frameon=False)
    return figure
