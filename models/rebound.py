"""HIV after treatment was interrupted: how far the virus comes back in 72 children (Saitoh and others 2008).

rna: copies of the virus in a millilitre of blood, some months after the interruption; limit: -1 where there were no
more than that, which was the least that could be counted, 1 where it was the most, else 0. Logarithms of copies have
heavier tails than normal: `ba.transformed` makes the law of copies from one of their logarithm, and `ba.censored` puts
all that lies beyond a limit at the limit.
"""

import numpy as np

import bayesad as ba


@ba.model
def rebound(child, month, rna, limit):
    months, when = np.unique(month, return_inverse=True)
    ba.coord("month", months)
    ba.coord("child", 72)
    level = ba.sample("level", ba.Normal(4, 1), dims="month")  # log10 of copies, as are the others
    spread = ba.sample("spread", ba.HalfNormal(1))
    by_child = ba.sample("by_child", ba.Normal(0, spread), dims="child")
    sigma = ba.sample("sigma", ba.HalfNormal(1))
    log_copies = ba.StudentT(4, np.log(10) * (level[when] + by_child[child]), np.log(10) * sigma)
    least, most = np.where(limit < 0, rna, 0), np.where(limit > 0, rna, np.inf)
    copies = ba.censored(ba.transformed(log_copies, "exp"), least, most)
    ba.sample("rna", copies, obs=rna, dims="visit")


def picture(tree, posterior):
    """All children, values at limits as triangles, and the level by month; and how the children differ."""
    from matplotlib.figure import Figure

    data, level = posterior.data, tree.posterior["level"]
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.6, 1])
    for k in range(72):
        own = data["child"] == k
        left.plot(data["month"][own], data["rna"][own], color="#bbbbbb", linewidth=0.6)
    for limit, marker in ((0, "."), (-1, "v"), (1, "^")):
        own = data["limit"] == limit
        left.plot(data["month"][own], data["rna"][own], marker, color="#777777", markersize=4)
    low, middle, high = 10 ** level.quantile([0.05, 0.5, 0.95], ("chain", "draw")).values
    left.fill_between(level.month.values, low, high, color="#0072b2", alpha=0.4, linewidth=0)
    left.plot(level.month.values, middle, color="#0072b2")
    left.set(xlabel="months after the interruption", ylabel="copies per millilitre", yscale="log")
    left.set_title("triangles: at a limit; band: a typical child, 90 %", fontsize=10)
    ends = tree.posterior.by_child.quantile([0.05, 0.95], ("chain", "draw")).values
    order = np.argsort(ends.mean(axis=0))
    right.hlines(range(72), *ends[:, order], color="#56b4e9", linewidth=2)
    right.axvline(0.0, color="#999999", linewidth=1)
    right.set(xlabel="children, log10 of copies", yticks=[])
    return figure
