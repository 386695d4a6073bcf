"""Height of 14 loblolly pines from their 3rd to their 25th year: one growth curve, repeated for every tree (Kung 1986).

height: feet, a row per tree (named by the source of its seed) and a column per age in years. The curve is Korf's; the
height at 25 years and the delay of growth vary by tree, each by the same submodel with a plate in it.
"""

import numpy as np

import bayesad as ba


def varying(guess):
    """A positive number of each tree, around a typical one near a guess."""
    typical = ba.sample("typical", ba.LogNormal(np.log(guess), 0.5))
    spread = ba.sample("spread", ba.HalfNormal(0.2))
    with ba.plate("tree"):
        return ba.sample("own", ba.LogNormal(np.log(typical), spread))


def growth(age):
    """Height at these ages, a row per tree."""
    final = ba.submodel("final", varying, 60.0)
    delay = ba.submodel("delay", varying, 1.0)
    bend = ba.sample("bend", ba.LogNormal(np.log(0.5), 0.3))
    return final[:, None] * np.exp(delay[:, None] * (1 - (age / 25) ** -bend))


@ba.model
def loblolly(seed, age, height):
    ba.coord("tree", seed)
    ba.coord("age", age)
    expected = ba.submodel("growth", growth, age)
    sigma = ba.sample("sigma", ba.HalfNormal(2))
    with ba.plate("tree"):
        ba.sample("height", ba.Normal(expected, sigma), obs=height, dims="age")


def picture(tree, posterior):
    """Heights of every tree less those of a typical one, with the trees' own curves; and where the limits lie."""
    from matplotlib.figure import Figure

    draws = tree.posterior.to_dataset().stack(sample=("chain", "draw"))
    bend, ages = draws["growth.bend"].values, np.linspace(3, 25, 45)

    def curve(final, delay):
        return final * np.exp(delay * (1 - (ages[:, None] / 25) ** -bend))

    typical = curve(*(draws[f"growth.{name}.typical"].values for name in ("final", "delay")))
    data = posterior.data
    middle = np.interp(data["age"], ages, typical.mean(axis=1))  # at all ages of the data: each is in the grid
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots(2, 7, sharex=True, sharey=True)
    for k, ax in enumerate(axes.flat):
        own = (
            curve(*(draws[f"growth.{name}.own"].values[k] for name in ("final", "delay")))
            - typical.mean(axis=1)[:, None]
        )
        ax.axhline(0.0, color="#999999", linewidth=1)
        ax.fill_between(ages, *np.quantile(own, [0.05, 0.95], axis=1), color="#0072b2", alpha=0.3, linewidth=0)
        ax.plot(data["age"], data["height"][k] - middle, "k.", markersize=5)
        ax.set_title(f"seed {data['seed'][k]}", fontsize=9)
    figure.supxlabel("age, years", fontsize=10)
    figure.supylabel("feet above a typical tree", fontsize=10)
    return figure
