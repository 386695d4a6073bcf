"""Choosing between centred and non-centred coordinates by short runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesad.changes import AUTO, CENTRED, NONCENTRED, reparameterise
from bayesad.posterior import Posterior
from bayesad.sampling import draw

if TYPE_CHECKING:
    from bayesad.dsl import Model

__all__ = ["decided"]

CHAINS, WARMUP, DRAWS, SEED = 4, 300, 300, 20251123
DIVERGENT = 0.01  # share of draws beyond which coordinates count as unsuitable, whatever their effective sample size


def decided(model: Model, data: Mapping[str, Any]) -> Model:
    """The model with a choice in the place of every "auto".

    The search begins at the better one of all non-centred and all centred: what counts is the least effective sample
    size of any parameter, in proportion to the gradients it took, so that where two are badly put neither change alone
    would show. Then the other choice is tried for one after the other, and stays where it is better. The same data give
    the same choice.
    """
    names = [name for name, change in model.changes.items() if change == ("reparameterise", AUTO)]
    uniform = [dict.fromkeys(names, choice) for choice in (NONCENTRED, CENTRED)]
    merits = [_merit(model, data, choices) for choices in uniform]
    best = max(merits)
    choices = uniform[merits.index(best)]
    for name in names if len(names) > 1 else ():
        other = {**choices, name: CENTRED if choices[name] == NONCENTRED else NONCENTRED}
        merit = _merit(model, data, other)
        if merit > best:
            choices, best = other, merit
    return reparameterise(model, choices)


def _merit(model: Model, data: Mapping[str, Any], choices: Mapping[str, str]) -> tuple[bool, float]:
    """Whether few draws diverge, and the least effective sample size for a gradient."""
    import arviz_stats

    posterior = Posterior(reparameterise(model, choices), data)
    drawn = draw(posterior, chains=CHAINS, warmup=WARMUP, draws=DRAWS, seed=SEED)
    chains = drawn.chains.draws
    values = posterior.values(chains)
    least = np.inf
    for name in posterior.parameters:
        for entry in np.moveaxis(values[name].reshape(*chains.shape[:2], -1), -1, 0):
            if np.ptp(entry) > 0:
                for method in ({"method": "bulk"}, {"method": "tail", "prob": (0.05, 0.95)}):
                    least = min(least, float(arviz_stats.ess(entry, chain_axis=0, draw_axis=1, **method)))
    share = float(np.mean(drawn.chains.stats["diverging"]))
    return share <= DIVERGENT, least / float(np.sum(drawn.chains.gradient_evaluations))
