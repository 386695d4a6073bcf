"""Variables of a model as a run meets them: unknowns, and observed values with what is missing in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.ad.array import value_of
from bayesad.distributions.supports import Support
from bayesad.running import Dims, Run, Site, given_or_drawn
from bayesad.shapes import full_shape, labels_of

__all__ = ["completed", "observed", "unknown"]


def unknown(state: Run, site: Site) -> Any:
    """The value of an unknown that is sampled or summed out."""
    handler = state.handler
    value = given_or_drawn(handler.summed(site) if site.kind == "summed" else handler.parameter(site), site)
    handler.note(site, value)
    return value


def observed(state: Run, name: str, distribution: Any, obs: Any, shape: Any, names: Dims, where: str) -> Any:
    """The value of an observed variable, completed."""
    data = _observed_array(state, name, obs)
    broadcast = data.ndim == 0 and not distribution.event_shape  # a number stands for equal observations
    full = full_shape(state, name, distribution, shape, names, None if broadcast else data.shape)
    data = np.broadcast_to(data, full) if broadcast else data
    site = Site("observed", name, full, names, where, distribution, None, data)
    site, value = completed(state, site) if state.row is None else (site, data)  # a loop completes them all at once
    value = given_or_drawn(state.handler.observed(site, value), site)
    state.handler.note(site, value)
    return value


def completed(state: Run, site: Site) -> tuple[Site, Any]:
    """An observed site with the places of what is missing, and its values with unknowns there."""
    unknowable = site.obs.dtype.kind != "f" or site.distribution.integrates_missing
    missing = np.flatnonzero(False if unknowable else np.isnan(site.obs))
    if not missing.size:
        return site, site.obs
    site = replace(site, missing=missing)
    return site, _completed(state, site)


def _observed_array(state: Run, name: str, obs: Any) -> Any:
    try:
        obs = ad.asarray(obs)
    except ValueError as error:
        raise state.fail(name, f"obs is not an array of numbers: {error}") from None
    if ad.is_traced(obs):
        if state.row is not None:  # rows of data are traced in the step of a loop, which looks at them as a whole
            return obs
        raise state.fail(name, OBSERVED_UNKNOWN.format(name))
    obs = value_of(obs)
    if obs.dtype.kind not in "biuf":
        raise state.fail(name, f"obs must be numbers; got {_no_number(obs)}")
    return obs


def _no_number(obs: np.ndarray) -> str:
    """What an array of something else than numbers has, in words: of texts the first that is no number."""
    if obs.dtype.kind != "U":
        return f"an array of dtype {obs.dtype}; convert it to int64 or float64"
    texts = list(np.ndenumerate(obs))
    index, text = next((found for found in texts if not _reads_as_number(found[1])), texts[0])
    return (
        f"text, {str(text)!r} at index {list(index)}; mend it, or number the labels: "
        "labels, k = np.unique(text, return_inverse=True)"
    )


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


OBSERVED_UNKNOWN = (
    "obs depends on parameters; only data can be observed. For a density on a computed quantity write "
    "ba.factor({!r}, distribution.log_prob(expression))"
)


def _completed(state: Run, site: Site) -> Any:
    """The observed values with the missing entries replaced by a free parameter of their own."""
    support = site.distribution.support
    atoms = site.distribution.has_atoms
    if support.event_ndim or atoms or (support.discrete and site.distribution.event_shape):
        kind = (
            "discrete vectors" if support.discrete else "partly discrete values" if atoms else f"{support.kind} values"
        )
        raise state.fail(
            site.name,
            f"{site.missing.size} observed values are NaN, but {kind} cannot be unknown in part; leave them out",
        )
    name = f"{site.name}_missing"
    state.claim(name)
    parameter = Site(
        "summed" if support.discrete else "parameter",
        name,
        (site.missing.size,),
        _missing_dim(state, site),
        site.where,
        site.distribution,
        Support(support.kind, _entries(support.lower, site), _entries(support.upper, site), support.closed),
        site.obs,
        site.missing,
    )
    entries = unknown(state, parameter)
    known = np.nan_to_num(site.obs).astype(np.int64) if support.discrete else site.obs
    source = np.arange(site.obs.size)
    source[site.missing] = site.obs.size + np.arange(site.missing.size)
    return np.reshape(np.concatenate([np.reshape(known, -1), entries])[source], site.shape)


def _entries(bound: Any, site: Site) -> Any:
    """A bound of the whole variable at its missing entries."""
    if bound is None or np.ndim(bound) == 0:
        return bound
    return np.reshape(np.broadcast_to(bound, site.shape), -1)[site.missing]


def _missing_dim(state: Run, site: Site) -> Dims:
    """A dim whose labels say which entries are missing: positions, or labels of the variable's own dims."""
    if not site.shape:
        return ()
    dim = f"{site.name}_missing_entry"
    where = np.unravel_index(site.missing, site.shape)
    axes = [state.coords[site.dims[i]][w] if site.dims else w for i, w in enumerate(where)]
    several = [",".join(map(str, entry)) for entry in zip(*axes, strict=True)]
    state.coords[dim] = labels_of(dim, axes[0] if len(axes) == 1 else several)
    return (dim,)
