"""Draws docs/dependence/draws.png, draws of laws of dependent values: `python tools/draw_dependence.py`."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import bayesad as ba
from bayesad import gp

SIDE = 25


def grid() -> ba.Graph:
    """The cells of a square; neighbours share a side."""
    cell = np.arange(SIDE**2).reshape(SIDE, SIDE)
    beside, below = np.stack([cell[:, :-1], cell[:, 1:]], -1), np.stack([cell[:-1], cell[1:]], -1)
    return ba.Graph.from_pairs(np.concatenate([beside.reshape(-1, 2), below.reshape(-1, 2)]))


def main() -> None:
    rng = np.random.default_rng(1)
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    walks, garch, process, areas, clayton, gumbel = figure.subplots(2, 3).ravel()
    points = np.linspace(0, 6, 200)
    kernel = gp.ExpQuad(2.0) + 0.3 * gp.Periodic(1.0, 0.7)
    walks.plot(ba.GaussianRandomWalk(0.0, 1.0, length=200).sample(rng, 4).T, lw=0.8)
    garch.plot(ba.GARCH(0.0, 0.1, 0.3, 0.65, length=300).sample(rng), lw=0.7)
    process.plot(points, ba.GaussianProcess(kernel, points).sample(rng, 3).T, lw=1)
    areas.imshow(ba.ICAR(grid()).sample(rng).reshape(SIDE, SIDE), cmap="RdBu")
    titles = ["random walks", "GARCH(1, 1)", "exponentiated quadratic + periodic", "ICAR on a grid"]
    for axes, law in ((clayton, ba.ClaytonCopula), (gumbel, ba.GumbelCopula)):
        pairs = law([ba.Gamma(2.0, 1.0), ba.Normal(0, 1)], 3.0).sample(rng, 1500)
        axes.plot(*pairs.T, ".", ms=2, alpha=0.6)
        titles.append(f"{law.__name__} of Gamma and Normal")
    for axes, title in zip(figure.axes, titles, strict=True):
        axes.set_title(title, fontsize=10)
    figure.savefig(Path(__file__).parent.parent / "docs" / "dependence" / "draws.png", dpi=100)


if __name__ == "__main__":
    main()
