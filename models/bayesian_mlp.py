"""A dense network with a prior over its weights: not one boundary between two half moons, but all that are plausible.

    bayesad sample models/bayesian_mlp.py --config configs/bayesian_mlp.toml
    python models/bayesian_mlp.py     # draws, and a picture of the probability and of how sure the network is of it

With few hidden units the posterior would fall apart into modes: exchanging two of them gives the same network, and the
way from one to the other is steep. With more than the data need, their weights to the output small, there are ways
around, and the chains agree even on single weights.
"""

from pathlib import Path

import numpy as np

import bayesad as ba

DATA = Path(__file__).parent / "data" / "moons.csv"
UNITS = 16


def logit(x, weight, bias, out_weight, out_bias):
    return np.tanh(x @ weight + bias) @ out_weight + out_bias


@ba.model
def bayesian_mlp(x1, x2, label):
    ba.coord("input", ["x1", "x2"])
    ba.coord("unit", UNITS)
    weight = ba.sample("weight", ba.Normal(0, 2), dims=("input", "unit"))
    bias = ba.sample("bias", ba.Normal(0, 2), dims="unit")
    out_weight = ba.sample("out_weight", ba.Normal(0, 1), dims="unit")
    out_bias = ba.sample("out_bias", ba.Normal(0, 3))
    x = np.stack([x1, x2], axis=1)
    ba.sample("label", ba.BernoulliLogit(logit(x, weight, bias, out_weight, out_bias)), obs=label)


def probabilities(tree, plane, most=500):
    """p(label 1) at points of the plane, for networks chosen among the draws: (networks, points)."""
    values = tree.posterior.to_dataset().stack(sample=("chain", "draw")).transpose("sample", ...)
    parts = [values[name].values for name in ("weight", "bias", "out_weight", "out_bias")]
    chosen = np.random.default_rng(0).permutation(len(parts[0]))[:most]
    return np.stack([1 / (1 + np.exp(-logit(plane, *[part[i] for part in parts]))) for i in chosen])


def picture(tree, posterior):
    """The mean and the spread of the networks' probabilities over the plane, with the data."""
    from matplotlib.figure import Figure

    a, b = np.meshgrid(np.linspace(-1.9, 2.9, 100), np.linspace(-1.5, 2.0, 100))
    p = probabilities(tree, np.stack([a.ravel(), b.ravel()], axis=1))
    figure = Figure(figsize=(10, 4), layout="constrained")
    for ax, shown, title, colours in (
        (figure.add_subplot(1, 2, 1), p.mean(axis=0), "p(label 1), mean over networks", "RdBu_r"),
        (figure.add_subplot(1, 2, 2), p.std(axis=0), "standard deviation over networks", "viridis"),
    ):
        filled = ax.contourf(a, b, shown.reshape(a.shape), 12, cmap=colours)
        figure.colorbar(filled, ax=ax)
        x1, x2, label = (posterior.data[name] for name in ("x1", "x2", "label"))
        ax.scatter(x1, x2, c=label, cmap="RdBu_r", edgecolors="white", s=16, lw=0.5)
        ax.set(title=title, xlabel="x₁", ylabel="x₂")
    return figure


def main(draws=1000, file=Path("runs/bayesian_mlp/plane.png")):
    """Draw networks, and show where they agree."""
    x1, x2, label = np.loadtxt(DATA, delimiter=",", skiprows=1, unpack=True)
    posterior = bayesian_mlp(x1, x2, label.astype(int))
    tree = posterior.sample(warmup=draws, draws=draws, seed=1)
    print(f"{tree.posterior.sizes['chain'] * draws} networks, {int(tree.sample_stats.diverging.sum())} divergences")
    among, away = np.stack([x1, x2], axis=1), np.array([[-1.0, -1.3], [2.5, 1.7]])
    for what, points in (("at the data", among), ("away from them", away)):
        print(f"standard deviation of p(label 1) {what}: {probabilities(tree, points).std(axis=0).mean():.2f}")
    file.parent.mkdir(parents=True, exist_ok=True)
    picture(tree, posterior).savefig(file, dpi=120)
    print("picture", file)


if __name__ == "__main__":
    main()
