"""Choosing between centred and non-centred coordinates by a short run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesad import ad
from bayesad.ad.rows import map_rows
from bayesad.changes import AUTO, CENTRED, NONCENTRED, reparameterise, standard_of
from bayesad.posterior import Posterior
from bayesad.running import Handler, Site
from bayesad.samplers import NUTS
from bayesad.sampling import chains_of
from bayesad.transforms import constrain, unconstrain

if TYPE_CHECKING:
    from bayesad.dsl import Model

__all__ = ["decided"]

SAMPLER = NUTS(max_tree_depth=7)  # bounds what the worse coordinates cost
CHAINS, WARMUP, DRAWS, SEED = 2, 200, 150, 20251123
ROUNDS = 3
UNMIXED = 1.5  # R-hat beyond which draws say nothing
INDIFFERENCE = 1.0  # nats by which non-centred coordinates must be the better ones


class Pilot(NamedTuple):
    """A short run: the coordinates it was in, those that its draws find better, and the largest split R-hat."""

    choices: dict[str, str]
    better: dict[str, str]
    r_hat: float


def decided(model: Model, data: Mapping[str, Any]) -> Model:
    """The model with a choice in the place of every "auto".

    A short run in non-centred coordinates gives draws, which have both kinds of coordinates. Those are chosen in which
    the posterior is closer to what the sampler likes best, a normal law with independent elements: Kullback and
    Leibler's divergence of the posterior from the normal law of the same means and variances is, up to a constant, the
    sum of the logarithms of the coordinates' standard deviations plus the mean log |det d value / d coordinates|.
    (Gorinova, Moore and Hoffman 2020 choose by the divergence in the other direction, as variational inference does.)
    It is a sum over variables, so each is judged by itself. If that changes any, a run in the coordinates chosen has
    the word, since draws from coordinates that suit are the better ones; likewise one in centred coordinates if the
    chains of the first run did not come together. The same data give the same choice.
    """
    names = [name for name, change in model.changes.items() if change == ("reparameterise", AUTO)]

    def run(choices: dict[str, str]) -> Pilot:
        return _run(Posterior(reparameterise(model, choices), data), choices)

    pilot = run(dict.fromkeys(names, NONCENTRED))
    if pilot.r_hat > UNMIXED:
        pilot = min(pilot, run(dict.fromkeys(names, CENTRED)), key=lambda each: each.r_hat)
    for _ in range(ROUNDS - 1):
        if pilot.better == pilot.choices:
            break
        pilot = run(pilot.better)
    return reparameterise(model, pilot.better)


def _run(posterior: Posterior, choices: dict[str, str]) -> Pilot:
    settings = {"chains": CHAINS, "warmup": WARMUP, "draws": DRAWS, "seed": SEED, "keep_warmup": False}
    draws = chains_of(posterior, SAMPLER, "uniform", settings)[0].draws
    program = ad.compile(lambda q: _coordinates(posterior, list(choices), q), rewrites=())
    found = map_rows(program, draws.reshape(CHAINS * DRAWS, -1))
    excess = {name: _distance(*both[CENTRED]) - _distance(*both[NONCENTRED]) for name, both in found.items()}
    better = {name: NONCENTRED if excess[name] > INDIFFERENCE else CENTRED for name in choices}
    return Pilot(choices, better, _split_r_hat(draws))


def _coordinates(posterior: Posterior, names: Sequence[str], q: Any) -> dict[str, dict[str, tuple[Any, Any]]]:
    """Both kinds of coordinates of the variables at a point, with log |det d value / d coordinates|."""
    found: dict[str, dict[str, tuple[Any, Any]]] = {}

    def parameter(site: Site) -> Any:
        value, _ = posterior.unconstrained.constrain(site, q)
        if site.name in names:
            standards = {CENTRED: None, NONCENTRED: standard_of(site.distribution)}
            supports = {choice: replace(site.support, standard=standard) for choice, standard in standards.items()}
            both = {choice: unconstrain(support, value) for choice, support in supports.items()}
            found[site.name] = {u: (both[u], np.sum(constrain(supports[u], both[u])[1])) for u in both}
        return value

    posterior.run(Handler(parameter))
    return found


def _distance(coordinates: np.ndarray, log_det: np.ndarray) -> float:
    """Divergence from the normal law with independent elements, up to what coordinates do not change.

    Parameters
    ----------
    coordinates : array, shape (draws, *shape)
    log_det : array, shape (draws,)
    """
    return float(np.sum(np.log(np.std(coordinates, axis=0))) + np.mean(log_det))


def _split_r_hat(draws: np.ndarray) -> float:
    """The largest potential scale reduction of any coordinate, each chain in halves (Gelman et al. 2013, section 11.4).

    Parameters
    ----------
    draws : array, shape (chains, draws, dimension)
    """
    half = draws.shape[1] // 2
    chains = np.concatenate([draws[:, :half], draws[:, half : 2 * half]])
    within = chains.var(axis=1, ddof=1).mean(axis=0)
    between = chains.mean(axis=1).var(axis=0, ddof=1)
    return float(np.sqrt((half - 1) / half + np.max(between / within)))
