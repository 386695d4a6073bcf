"""Which treatment of kidney stones is better: what is seen, and what would be if all got it (Charig and others 1986).

large: stones of 2 cm or more; surgery: open surgery, otherwise a puncture; patients, cured: how many of them. Fewer
were cured after surgery, but more of those with small stones and more of those with large ones: surgeons got the hard
cases. The model says how size leads to treatment and both to cure; `ba.do` makes one in which treatment is set.
"""

import numpy as np

import bayesad as ba


@ba.model
def kidney_stones(large, surgery, patients, cured):
    ba.coord("stone", ["small", "large"])
    ba.coord("treatment", ["puncture", "surgery"])
    share_large = ba.sample("share_large", ba.Beta(1, 1))
    to_surgery = ba.sample("to_surgery", ba.Beta(1, 1), dims="stone")
    chance = ba.sample("chance", ba.Beta(1, 1), dims=("stone", "treatment"))
    size, treatment = np.repeat(large, patients), np.repeat(surgery, patients)
    outcome = np.repeat(np.tile([1, 0], len(patients)), np.stack([cured, patients - cured], axis=1).ravel())
    size = ba.sample("size", ba.Bernoulli(share_large), obs=size, dims="patient")
    given = ba.sample("given", ba.Bernoulli(to_surgery[size]), obs=treatment, dims="patient")
    ba.sample("cured", ba.Bernoulli(chance[size, given]), obs=outcome, dims="patient")


def picture(tree, posterior):
    """Predicted shares of patients who are cured: of those who get a treatment, and if all of them got it."""
    from matplotlib.figure import Figure

    draws = tree.isel(draw=slice(0, None, 4))
    seen = posterior.predict(draws, seed=1).posterior_predictive
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    for k, (name, colour) in enumerate((("puncture", "#d55e00"), ("surgery", "#0072b2"))):
        if_given = ba.do(kidney_stones, {"given": k})(**posterior.data)
        done = if_given.predict(draws, seed=1).posterior_predictive.cured
        own = seen.cured.where(seen.given == k)
        for ax, cured in ((left, own), (right, done)):
            ax.hist(
                cured.mean("patient").values.ravel(),
                bins=np.arange(0.6493, 0.92, 0.01),
                color=colour,
                alpha=0.6,
                label=name,
            )
    left.set(title="among those who get it", xlabel="share of cured", yticks=[])
    right.set(title="if all got it", xlabel="share of cured", yticks=[])
    left.legend(frameon=False)
    return figure
