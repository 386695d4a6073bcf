"""Choosing between centred and non-centred coordinates by a short run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
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
UNMIXED = 1.2  # R-hat beyond which draws are not believed before others were seen
HANDICAP = 0.5  # of non-centred coordinates, in nats: where the divergences are equal, centred ones sample better


class Pilot(NamedTuple):
    """A short run: the coordinates it was in, those that its draws find better, and the largest split R-hat."""

    choices: dict[str, str]
    better: dict[str, str]
    r_hat: float


def decided(model: Model, data: Mapping[str, Any]) -> Model:
    """The model with a choice in the place of every "auto".

    A short run in non-centred coordinates gives draws, which have both kinds of coordinates. Those are chosen in which
    the posterior is closer to what a sampler with an adapted metric likes best, a normal law; see `_divergence`.
    (Gorinova, Moore and Hoffman 2020 choose by the divergence in the other direction, as variational inference does.)
    If that changes any, a run in the coordinates chosen has the word, since draws from coordinates that suit are the
    better ones; likewise one in centred coordinates if the chains of the first run did not come together. The same data
    give the same choice.
    """
    names = [name for name, change in model.changes.items() if change == ("reparameterise", AUTO)]

    @functools.cache
    def run(*chosen: str) -> Pilot:
        choices = dict(zip(names, chosen, strict=True))
        return _run(Posterior(reparameterise(model, choices), data), choices)

    pilot = run(*(NONCENTRED for _ in names))
    if pilot.r_hat > UNMIXED:
        pilot = min(pilot, run(*(CENTRED for _ in names)), key=lambda each: each.r_hat)
    for _ in range(ROUNDS - 1):
        if pilot.better == pilot.choices:
            break
        pilot = run(*pilot.better.values())
    return reparameterise(model, pilot.better)


def _run(posterior: Posterior, choices: dict[str, str]) -> Pilot:
    settings = {"chains": CHAINS, "warmup": WARMUP, "draws": DRAWS, "seed": SEED, "keep_warmup": False}
    draws = chains_of(posterior, SAMPLER, "uniform", settings)[0].draws
    points = draws.reshape(CHAINS * DRAWS, -1)
    found = map_rows(ad.compile(lambda q: _coordinates(posterior, list(choices), q), rewrites=()), points)
    places = [posterior.parameters[name] for name in choices]
    others = np.delete(points, np.r_[tuple(slice(place.start, place.stop) for place in places)], axis=1)

    def badness(choices: Mapping[str, str]) -> float:
        chosen = [found[name][choice] for name, choice in choices.items()]
        columns = [coordinates.reshape(len(points), -1) for coordinates, _ in chosen]
        divergence = _divergence(np.concatenate([others, *columns], axis=1), sum(log_det for _, log_det in chosen))
        return divergence + HANDICAP * sum(choice == NONCENTRED for choice in choices.values())

    return Pilot(choices, _descend(choices, badness), _split_r_hat(draws))


def _descend(choices: dict[str, str], badness: Callable[[Mapping[str, str]], float]) -> dict[str, str]:
    """Choices of which none can be changed alone for less badness, from others."""
    least, changed = badness(choices), True
    while changed:
        changed = False
        for name, choice in choices.items():
            other = {**choices, name: CENTRED if choice == NONCENTRED else NONCENTRED}
            if (found := badness(other)) < least:
                choices, least, changed = other, found, True
    return choices


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


def _divergence(coordinates: np.ndarray, log_det: np.ndarray) -> float:
    """How far a law is from the normal law of the same means and covariances, up to what coordinates do not change.

    Kullback and Leibler's divergence from the law to the normal one is half the logarithm of the determinant of the
    covariances plus the mean log |det d value / d coordinates|, plus the negative entropy of the value. Correlations
    are drawn towards 0 as if as many draws as there are coordinates had shown none, so that few draws suffice.

    Parameters
    ----------
    coordinates : array, shape (draws, dimension)
    log_det : array, shape (draws,)
    """
    n, d = coordinates.shape
    spread = np.std(coordinates, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    scaled = (coordinates - coordinates.mean(axis=0)) / spread
    products = scaled.T @ scaled if d <= n else scaled @ scaled.T  # both have the same eigenvalues, but for zeros
    k = len(products)
    log_det_correlations = np.linalg.slogdet(products + d * np.eye(k))[1] + (d - k) * np.log(d) - d * np.log(n + d)
    return float(np.log(spread).sum() + 0.5 * log_det_correlations + np.mean(log_det))


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
