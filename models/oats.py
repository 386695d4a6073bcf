"""Oats in a split-plot experiment: three varieties, four amounts of nitrogen, six blocks (Yates 1935).

crop: quarter pounds from a plot of 1/80 acre; block, variety: codes; nitrogen: 0 to 3, in units of 0.2 cwt per acre.
Effects sum to zero: none of the levels is the one that the others are compared with, and `mean` is that of all. The
interaction's sums over varieties and over amounts are both zero (`ba.zero_sum_basis`). A variety was sown in a whole
plot of every block, which was then split for nitrogen: hence two kinds of noise. Effects whose spread is unknown are
that spread times a standard vector with sum zero, as the density of `ba.zero_sum` is not renormalised.
"""

import numpy as np

import bayesad as ba


@ba.model
def oats(crop, block, variety, nitrogen):
    ba.coord("block", ["I", "II", "III", "IV", "V", "VI"])
    ba.coord("variety", ["Golden rain", "Marvellous", "Victory"])
    ba.coord("nitrogen", ["0.0", "0.2", "0.4", "0.6"])
    mean = ba.sample("mean", ba.Normal(100, 25))
    by_variety = ba.sample("by_variety", ba.zero_sum(ba.Normal(0, 15)), dims="variety")
    by_nitrogen = ba.sample("by_nitrogen", ba.zero_sum(ba.Normal(0, 30)), dims="nitrogen")
    contrasts = ba.sample("contrasts", ba.Normal(0, 10), shape=(2, 3))
    interaction = ba.zero_sum_basis(3) @ contrasts @ ba.zero_sum_basis(4).T
    interaction = ba.deterministic("interaction", interaction, dims=("variety", "nitrogen"))
    spread = ba.sample("spread", ba.LogNormal(np.log(15), 0.7))
    by_block = spread * ba.sample("z_block", ba.zero_sum(ba.Normal(0, 1)), dims="block")
    whole_plot = ba.sample("whole_plot", ba.LogNormal(np.log(10), 0.7))
    by_plot = whole_plot * ba.sample("z_plot", ba.zero_sum(ba.Normal(0, 1)), dims=("block", "variety"))
    split_plot = ba.sample("split_plot", ba.HalfNormal(20))
    treatment = mean + by_variety[:, None] + by_nitrogen + interaction
    expected = treatment[variety, nitrogen] + by_block[block] + by_plot[block, variety]
    ba.sample("crop", ba.Normal(expected, split_plot), obs=crop, dims="plot")


def picture(tree, posterior):
    """Crops of the varieties by nitrogen, with the expected ones; and the effects of both alone."""
    from matplotlib.figure import Figure

    draws, data = tree.posterior.to_dataset(), posterior.data
    expected = draws["mean"] + draws.by_variety + draws.by_nitrogen + draws.interaction
    low, high = expected.quantile([0.05, 0.95], ("chain", "draw")).transpose("quantile", "variety", "nitrogen").values
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.2])
    for k, ax in enumerate(axes[:3]):
        own = data["variety"] == k
        ax.plot(data["nitrogen"][own], data["crop"][own], ".", color="#999999")
        ax.vlines(range(4), low[k], high[k], color="#0072b2", linewidth=5, alpha=0.7)
        ax.set(title=draws.variety.values[k], xlabel="nitrogen, cwt per acre", ylim=(45, 180))
        ax.set_xticks(range(4), draws.nitrogen.values)
    axes[0].set(ylabel="crop, quarter pounds")
    names = [*draws.variety.values, *draws.nitrogen.values]
    ends = [draws[name].quantile([0.05, 0.95], ("chain", "draw")).values for name in ("by_variety", "by_nitrogen")]
    axes[3].axvline(0.0, color="#999999", linewidth=1)
    axes[3].hlines(range(7), *np.concatenate(ends, axis=1), color=["#d55e00"] * 3 + ["#009e73"] * 4, linewidth=4)
    axes[3].set_yticks(range(7), names)
    axes[3].set(title="effects, 90 %", xlabel="quarter pounds")
    axes[3].invert_yaxis()
    return figure
