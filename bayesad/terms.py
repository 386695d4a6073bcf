"""The terms of a log density: what each site of a model adds."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.running import Site
from bayesad.structure import depends_on_parameters

__all__ = ["as_float", "density_of", "has_density", "log_density_of", "observed_only", "pointwise_of", "total"]


def has_density(site: Site) -> bool:
    """Whether a site is a term of the log density; missing entries come with their observed variable."""
    return site.kind in ("observed", "factor") or (site.kind == "parameter" and site.missing is None)


def log_density_of(site: Site, value: Any, *, check: bool) -> Any:
    """The term of one site, a scalar: the sum of `density_of`."""
    return np.sum(density_of(site, value, check=check))


def density_of(site: Site, value: Any, *, check: bool) -> Any:
    """The term of one site, entry by entry; 0 for a parameter sampled in standardised coordinates without ``check``.

    Without ``check``, values known to lie in the support are not looked at again: what a transform gave, and data whose
    support data alone determine (they were checked when the posterior was made).
    """
    if site.kind == "factor":
        return value
    law = site.distribution
    if not check and site.kind == "parameter" and site.support.standard is not None:
        return 0.0
    sure = not check and (site.kind == "parameter" or not depends_on_parameters(law.support))
    return law.log_density(value) if sure else law.log_prob(value)


def pointwise_of(site: Site, value: Any) -> Any:
    """The log density of every observation of an observed site, in its batch shape.

    A series has one for each time, given the times before. Where entries are missing: a vector of those observed.
    """
    law = site.distribution
    events = len(law.event_shape)
    if not law.factorises:
        density = law.log_prob(value)
        return density if site.missing is None or events else observed_only(density, np.isnan(site.obs))
    density = law.one_step_ahead(value)
    missing = np.isnan(site.obs).all(axis=tuple(range(1 - events, 0)))[..., site.shape[-events] - density.shape[-1] :]
    return observed_only(np.broadcast_to(density, missing.shape), missing) if missing.any() else density


def observed_only(density: Any, missing: np.ndarray) -> Any:
    """A vector of the entries that are not missing."""
    return np.reshape(density, -1)[np.flatnonzero(~missing)]


def total(terms: Iterable[Any]) -> Any:
    return functools.reduce(operator.add, terms, np.float64(0.0))


def as_float(x: Any) -> Any:
    return x if ad.is_traced(x) else float(x)
