"""Prior and posterior predictive draws, and the log likelihood of every observation, as groups of a DataTree."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesad.errors import DistributionError, ModelError
from bayesad.laws import Laws, Opaque
from bayesad.results import to_datatree
from bayesad.running import Draw, Handler, Site, ignore

if TYPE_CHECKING:
    from bayesad.posterior import Posterior

__all__ = ["log_likelihood", "predict", "prior"]

Row = dict[str, Any]

FEW = 50  # draws for which the model is run sooner than a program is compiled


def predict(posterior: Posterior, draws: Any, *, seed: int | None = None) -> Any:
    """Posterior predictive draws: for every draw of the parameters one new data set.

    Parameters
    ----------
    posterior : Posterior
        Of the model on its data, or on other data of which the observed variables give the shapes only.
    draws : DataTree, Dataset or mapping
        From ``sample``, or name -> array of shape (chain, draw, *shape) with at least the free parameters. Unknowns
        that were summed out are taken from it; where it lacks them, or has them in another shape (for other data), they
        are drawn anew from their distribution.
    seed : int, optional
        The same seed gives the same result; default: a fresh one.

    Returns
    -------
    DataTree
        With the groups ``posterior_predictive`` (all observed variables, missing entries drawn anew like the others)
        and ``observed_data``.

    Raises
    ------
    ModelError
        If a parameter is missing from the draws or has another shape there.
    """
    given, shape = _draws(posterior, draws, missing_entries=False, summed=True)
    rows = _predictions(posterior, given, math.prod(shape), np.random.default_rng(seed))
    observed = [{name: row[name] for name in row if name in posterior.observed_data} for row in rows]
    return _tree(posterior, {"posterior_predictive": _stack(observed, shape)})


def _predictions(posterior: Posterior, given: Row, n: int, rng: np.random.Generator) -> list[Row]:
    """All that is drawn anew at each of n draws: from the laws that one program gives, or by running the model."""

    def run(values: Mapping[str, Any], draw: Callable[[Site], Any], note: Callable[[Site, Any], None] = ignore) -> None:
        def parameter(site: Site) -> Any:
            return _unused(site) if site.missing is not None else values[site.name]

        def summed(site: Site) -> Any:
            known = site.name in values and np.shape(values[site.name]) == site.shape
            return values[site.name] if known else draw(site)

        posterior.run(Handler(parameter, lambda site, value: draw(site), note, summed))

    def by_running(i: int, found: Row, rng: np.random.Generator) -> dict[str, Site]:
        sites: dict[str, Site] = {}

        def draw(site: Site) -> Any:
            sites[site.name] = site
            return found[site.name] if site.name in found else Draw(rng)

        def note(site: Site, value: Any) -> None:
            if site.name in sites:
                found[site.name] = value

        run({name: values[i] for name, values in given.items()}, draw, note)
        return sites

    laws, sites = None, {}
    if n > FEW and given:
        example: Row = {}
        sites = by_running(0, example, np.random.default_rng(0))
        with contextlib.suppress(Opaque):
            laws = Laws(run, given, example)
    rows: list[Row] = [{} for _ in range(n)]
    for i, found in enumerate(rows):
        try:
            if laws is not None:
                for name, site in sites.items():
                    found[name] = replace(site, distribution=laws.at(i, name, found)).draw(rng)[()]
                continue
        except Opaque:
            laws = None
        except DistributionError:
            pass  # running the model tells where
        by_running(i, found, rng)
    return rows


def prior(posterior: Posterior, draws: int = 1000, *, seed: int | None = None) -> Any:
    """Draws from the model without its data: parameters from their priors, data from their distributions at these.

    Terms added by ``factor`` are not taken into account, for they are no distributions to draw from.

    Parameters
    ----------
    posterior : Posterior
    draws : int
        How many, in one chain.
    seed : int, optional
        The same seed gives the same result; default: a fresh one.

    Returns
    -------
    DataTree
        With the groups ``prior`` (unknowns and deterministic quantities), ``prior_predictive`` (observed variables)
        and ``observed_data``.

    Raises
    ------
    DistributionError
        For a prior that cannot be drawn from, as the improper ``Flat``.
    """
    if not isinstance(draws, (int, np.integer)) or draws < 1:
        raise ModelError(f"model {posterior.model.name!r}: draws must be a whole number of at least 1, not {draws!r}")
    rng = np.random.default_rng(seed)

    def row() -> tuple[Row, Row]:
        found: Row = {}
        predicted: Row = {}

        def parameter(site: Site) -> Any:
            return Draw(rng) if site.missing is None else _unused(site)

        def note(site: Site, value: Any) -> None:
            if site.kind == "observed":
                predicted[site.name] = value
            elif site.kind != "factor" and site.missing is None:
                found[site.name] = value

        posterior.run(Handler(parameter, lambda site, value: Draw(rng), note, parameter))
        return found, predicted

    rows = [row() for _ in range(draws)]
    shape = (1, draws)
    return _tree(
        posterior,
        {
            "prior": _stack([found for found, _ in rows], shape),
            "prior_predictive": _stack([predicted for _, predicted in rows], shape),
        },
    )


def log_likelihood(posterior: Posterior, draws: Any) -> Any:
    """The log density of every observation at every draw.

    Parameters
    ----------
    posterior : Posterior
    draws : DataTree, Dataset or mapping
        From ``sample``, or name -> array of shape (chain, draw, *shape) with all free parameters.

    Returns
    -------
    DataTree
        With the groups ``log_likelihood`` and ``observed_data``. A variable has the batch shape of the observed one:
        a vector with a multivariate distribution counts as one observation. Where entries of a univariate one are
        missing, a vector of those that were observed.

        A series whose density factorises over time (AR, ARMA, GARCH, random walks, LinearGaussianStateSpace,
        HiddenMarkov, DiscreteMarkovChain) has one for each time: log p(y_t | y_1, …, y_(t−1), parameters), which add up
        to its log density. They say how well each value is predicted from the past. They are not exchangeable: leave
        out the future rather than one of them, that is, add up those of the times that are to be predicted, with draws
        given the times before. ArviZ's loo of them asks how well a value is predicted by its own past with parameters
        learnt from all other terms, future ones too.

    Raises
    ------
    ModelError
        If a parameter is missing from the draws or has another shape there.
    """
    given, shape = _draws(posterior, draws, missing_entries=True)
    found = _pointwise(posterior, given, shape)
    dims = {
        name: posterior.dims[name][: value.ndim - 2]
        for name, value in found.items()
        if name in posterior.dims and value.shape[2:] == posterior.observed_data[name].shape[: value.ndim - 2]
    }
    tree = to_datatree({"log_likelihood": found}, dims=dims, coords=posterior.coords)
    tree["observed_data"] = _tree(posterior, {})["observed_data"]
    return tree


def _pointwise(posterior: Posterior, given: Row, shape: tuple[int, int]) -> Row:
    if not given:  # no parameters: the same at every draw
        everywhere = posterior.pointwise_log_likelihood({})
        return {name: np.broadcast_to(value, (*shape, *value.shape)) for name, value in everywhere.items()}
    rows = posterior.pointwise_rows(given) if math.prod(shape) else {}
    return {name: np.reshape(row, (*shape, *row.shape[1:])) for name, row in rows.items()}


def _draws(
    posterior: Posterior, draws: Any, *, missing_entries: bool, summed: bool = False
) -> tuple[Row, tuple[int, int]]:
    """The draws one after the other, name -> array of shape (n, ...), and the number of chains and of draws in each.

    Unknowns that are summed out are among them if ``summed``, where they are in the draws.
    """
    source = draws["posterior"] if "posterior" in getattr(draws, "children", ()) else draws
    if not isinstance(source, Mapping):
        raise ModelError(
            f"model {posterior.model.name!r}: draws are what posterior.sample() gave, or a dict of arrays of shape "
            f"(chain, draw, …) by name, not {draws!r}"
        )
    keys = {} if isinstance(source, dict) else _stored_names(posterior)
    arrays = {
        p.name: _array(posterior, source, p.name, keys.get(p.name, p.name), p.shape)
        for p in posterior.parameters.values()
        if missing_entries or not p.missing
    }
    if summed:
        arrays |= {n: np.asarray(source[k]) for n in posterior.structure.summed if (k := keys.get(n, n)) in source}
    shapes = {array.shape[:2] for array in (arrays or _first(posterior, source)).values()}
    if len(shapes) != 1:
        raise ModelError(f"model {posterior.model.name!r}: the draws differ in (chain, draw): {sorted(shapes)}")
    shape = shapes.pop()
    return {name: np.reshape(array, (math.prod(shape), *array.shape[2:])) for name, array in arrays.items()}, shape


def _first(posterior: Posterior, source: Any) -> dict[str, np.ndarray]:
    """Some variable of the draws, which tells how many there are where the model has no parameters."""
    if not len(source):
        raise ModelError(f"model {posterior.model.name!r}: there are no draws, not even of quantities it does not need")
    name = next(iter(source))
    return {str(name): np.asarray(source[name])}


def _stored_names(posterior: Posterior) -> dict[str, str]:
    """The names under which a DataTree holds the quantities of a model (``a/b`` for one cannot be such a name)."""
    names = posterior.structure.quantities
    stored = to_datatree({"posterior": {name: np.zeros((1, 1)) for name in names}})["posterior"].data_vars
    return dict(zip(names, map(str, stored), strict=True))


def _array(posterior: Posterior, source: Any, name: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    if key not in source:
        raise ModelError(
            f"model {posterior.model.name!r}: the draws lack the parameter {name!r}; "
            f"they have {', '.join(map(str, source))}"
        )
    array = np.asarray(source[key])
    if array.ndim < 2 or array.shape[2:] != shape:
        raise ModelError(
            f"model {posterior.model.name!r}: the draws of {name!r} have the shape {array.shape}; "
            f"they need (chain, draw) followed by {shape}, the parameter's shape"
        )
    return array


def _unused(site: Site) -> np.ndarray:
    """Missing entries of a variable that is about to be drawn anew as a whole."""
    return np.full(site.shape, np.nan)


def _stack(rows: list[Row], shape: tuple[int, int]) -> Row:
    names = rows[0] if rows else ()
    return {name: np.reshape([row[name] for row in rows], (*shape, *np.shape(rows[0][name]))) for name in names}


def _tree(posterior: Posterior, groups: dict[str, Row]) -> Any:
    return to_datatree(
        {**groups, "observed_data": posterior.observed_data}, dims=posterior.dims, coords=posterior.coords
    )
