"""Crime in 49 neighbourhoods of Columbus, Ohio, 1980: a regression with spatial effects (Anselin 1988).

crime: burglaries and thefts of cars per 1000 households; income and home_value: in 1000 dollars; edges: pairs of
neighbours; outlines: for the map. What the regression leaves follows a BYM2 law (Riebler and others 2016), of which rho
is the share of the variance that neighbours have in common. Its two fields are integrated out: five unknowns are left.
"""

import numpy as np

import bayesad as ba


@ba.model
def columbus(crime, income, home_value, edges):
    ba.coord("area", len(crime))
    graph = ba.Graph.from_pairs(edges, n=len(crime))
    level = ba.sample("level", ba.Normal(35, 10))
    by_income = ba.sample("by_income", ba.Normal(0, 10))
    by_value = ba.sample("by_value", ba.Normal(0, 10))
    spread = ba.sample("spread", ba.HalfNormal(10))
    rho = ba.sample("rho", ba.Beta(2, 2))
    rich = (income - income.mean()) / income.std()
    dear = (home_value - home_value.mean()) / home_value.std()
    expected = level + by_income * rich + by_value * dear
    ba.deterministic("rest", crime - expected, dims="area")
    ba.sample("crime", ba.BYM2(graph, spread, rho, mu=expected), obs=crime, dims="area")


def picture(tree, posterior):
    """Maps of the crime rate and of what the regression leaves."""
    import json
    from pathlib import Path

    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    outlines = json.loads((Path(__file__).parent / "data" / "columbus.json").read_text())["outlines"]
    rest = tree.posterior.rest.mean(("chain", "draw")).values
    figure = Figure(figsize=(8.5, 3.8), layout="constrained")
    maps = (("crime", posterior.data["crime"], "viridis"), ("left by the regression", rest, "coolwarm"))
    for ax, (title, values, colours) in zip(figure.subplots(1, 2), maps, strict=True):
        areas = PolyCollection([np.array(outline) for outline in outlines], array=values, cmap=colours, edgecolor="w")
        if title != "crime":
            areas.set_clim(-np.abs(rest).max(), np.abs(rest).max())
        ax.add_collection(areas)
        ax.autoscale()
        ax.set(title=title, aspect="equal", xticks=[], yticks=[])
        figure.colorbar(areas, ax=ax, shrink=0.8)
    return figure
