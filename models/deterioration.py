"""When breasts look worse after radiotherapy: times known to lie between two visits (Finkelstein and Wolfe 1985).

low, high: months between which the change came, high is infinite if it was not seen; chemotherapy: 1 for those who got
it as well, else 0. A time between visits contributes the probability of its interval (`ba.interval_censored`).
"""

import numpy as np

import bayesad as ba


@ba.model
def deterioration(low, high, chemotherapy):
    ba.coord("therapy", ["radiotherapy", "and chemotherapy"])
    shape = ba.sample("shape", ba.Gamma(4, 2))
    median = ba.sample("median", ba.LogNormal(np.log(30), 1), dims="therapy")
    ba.deterministic("ratio_of_medians", median[1] / median[0])
    time = ba.LogLogistic(median[chemotherapy], shape)
    ba.sample("time", ba.interval_censored(time), obs=np.stack([low, high], axis=1), dims=("patient", "end"))


def picture(tree, posterior):
    """Share without deterioration in both groups, above the patients' intervals."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    data, t = posterior.data, np.linspace(0.1, 60, 150)
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    order = np.lexsort((data["low"], data["chemotherapy"]))
    colours = np.array(["#0072b2", "#d55e00"])[data["chemotherapy"]]
    left.hlines(range(len(order)), data["low"][order], np.minimum(data["high"], 62)[order], color=colours[order])
    exact = data["low"][order] == data["high"][order]
    left.scatter(data["low"][order][exact], np.flatnonzero(exact), color=colours[order][exact], s=8)
    left.set(xlabel="months", ylabel="patient", xlim=(0, 60), yticks=[])
    for k, (name, colour) in enumerate((("radiotherapy", "#0072b2"), ("and chemotherapy", "#d55e00"))):
        share = ba.LogLogistic(draws["median"].values[k], draws["shape"].values).sf(t[:, None])
        low, middle, high = np.quantile(share, [0.05, 0.5, 0.95], axis=1)
        right.fill_between(t, low, high, color=colour, alpha=0.25, linewidth=0)
        right.plot(t, middle, color=colour, label=name)
    right.set(xlabel="months", ylabel="share without deterioration", xlim=(0, 60), ylim=(0, 1))
    right.legend(frameon=False)
    return figure
