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

    All are non-centred at first; then one after the other is tried centred, and stays so where the least effective
    sample size of any parameter grows in proportion to the gradients it took. The same data give the same choice.
    """
    names = [name for name, change in model.changes.items() if change == ("reparameterise", AUTO)]
    choices = dict.fromkeys(names, NONCENTRED)
    best = _merit(model, data, choices)
    for name in names:
        other = {**choices, name: CENTRED}
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
