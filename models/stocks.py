"""Returns of two stock indices: logistic laws joined by a Gaussian copula.

dax, ftse: returns of the German and the British index in per cent, over five days of trading each, 1991 to 1998. Tails
are heavier than normal; `chol` is the Cholesky factor of the correlation of their normal scores.
"""

import numpy as np

import bayesad as ba


@ba.model
def stocks(dax, ftse):
    ba.coord("market", ["DAX", "FTSE"])
    mean = ba.sample("mean", ba.Normal(0, 1), dims="market")
    scale = ba.sample("scale", ba.HalfNormal(3), dims="market")
    chol = ba.sample("chol", ba.LKJCholesky(2, 2))
    ba.deterministic("correlation", chol[1, 0])
    marginals = [ba.Logistic(mean[i], scale[i]) for i in range(2)]
    returns = np.stack([dax, ftse], axis=1)
    ba.sample("returns", ba.GaussianCopula(marginals, chol=chol), obs=returns, dims=("week", "market"))


def picture(tree, posterior):
    """The returns over draws from the posterior predictive law."""
    from matplotlib.figure import Figure

    predicted = posterior.predict(tree.isel(draw=slice(0, None, 100)), seed=1).posterior_predictive.returns.values
    predicted, seen = predicted.reshape(-1, 2), posterior.observed_data["returns"]
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    ax = figure.subplots()
    ax.plot(predicted[:, 0], predicted[:, 1], ".", color="#56b4e9", alpha=0.15, markersize=4, label="predicted")
    ax.plot(seen[:, 0], seen[:, 1], "k.", markersize=4, label="data")
    ax.set(xlabel="DAX, % in five days", ylabel="FTSE, % in five days", xlim=(-12, 12), ylim=(-9, 9))
    ax.legend(frameon=False)
    return figure
