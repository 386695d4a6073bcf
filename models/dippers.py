"""Survival of European dippers, caught and caught again in 1981-87: the Cormack-Jolly-Seber model (Lebreton 1992).

released: birds let go in each of the first six years; recaptured[i, j]: those of year i that were next seen in year
j + 1; flood: whether the river was in flood in the interval after each year. Whether a bird that is not seen is alive
is a hidden state. All birds with the same fate have the same history, a row of a hidden Markov model: certainly alive
until released, unknown after they were last seen.
"""

import numpy as np

import bayesad as ba


@ba.model
def dippers(released, recaptured, flood):
    survival = ba.sample("survival", ba.Beta(1, 1))
    survival_in_flood = ba.sample("survival_in_flood", ba.Beta(1, 1))
    seen = ba.sample("seen", ba.Beta(1, 1))
    first, last, birds = fates(released, recaptured)
    interval, time = np.arange(len(flood)), np.arange(len(flood) + 1)
    phi = np.where(flood, survival_in_flood, survival)
    phi = np.where(interval >= first[:, None], phi, 1.0)  # nothing happens to a bird before its release
    stays = np.stack([phi, np.zeros(phi.shape)], axis=-1)
    transition = np.stack([stays, 1 - stays], axis=-1)  # [alive, dead] -> [alive, dead]
    followed = (time > first[:, None]) & (time <= np.where(last < 0, len(flood), last)[:, None])
    caught = time == last[:, None]
    alive = np.where(followed, np.where(caught, np.log(seen), np.log1p(-seen)), 0.0)
    dead = np.where(caught, -np.inf, 0.0)
    history = ba.HiddenMarkov([1.0, 0.0], transition, np.stack([alive, dead + np.zeros(alive.shape)], axis=-1))
    ba.factor("fates", birds * history.log_prob())
    ba.deterministic("loss_by_flood", survival - survival_in_flood)


def fates(released, recaptured):
    """Year of release, year of the next sight (-1: never) and number of birds, for every fate that there is."""
    never = released - recaptured.sum(axis=1)
    i, j = np.nonzero(recaptured)
    first = np.concatenate([i, np.arange(len(released))])
    last = np.concatenate([j + 1, np.full(len(released), -1)])
    return first, last, np.concatenate([recaptured[i, j], never])


def picture(tree, posterior):
    """Survival over a year with and without flood, and the chance of being seen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    ax = figure.subplots()
    for name, colour in (("survival", "#0072b2"), ("survival_in_flood", "#d55e00"), ("seen", "#009e73")):
        values = tree.posterior[name].values.ravel()
        ax.hist(values, bins=np.linspace(0.3, 1, 71), density=True, histtype="step", color=colour, label=name)
    ax.set(xlabel="probability in a year", yticks=[])
    ax.legend(frameon=False)
    return figure
