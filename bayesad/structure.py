"""What a model with its data consists of, found by one traced run: parameters, observed variables and so on."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from bayesad import ad
from bayesad.ad.array import value_of
from bayesad.changes import check_changes
from bayesad.distributions.supports import Support, contains
from bayesad.dsl import Model
from bayesad.errors import DataError, ModelError
from bayesad.running import Handler, Site, at_site, run
from bayesad.transforms import constrain, unconstrained_shape

__all__ = [
    "DEPENDENT",
    "Parameter",
    "Parameters",
    "Structure",
    "Summed",
    "check_observed",
    "depends_on_parameters",
    "describe",
    "discover",
    "is_quantity",
]


class _Dependent:
    """Stands in `Parameter.support` for a bound that is computed from other parameters."""

    def __repr__(self) -> str:
        return "depends on parameters"


DEPENDENT = _Dependent()


@dataclass(frozen=True, eq=False)
class Parameter:
    """A free parameter.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dims : tuple of str
        Names of the axes, or empty.
    support : Support
        A bound computed from other parameters is shown as `DEPENDENT`.
    unconstrained_shape : tuple of int
    start, stop : int
        Its place in the flat vector of unconstrained parameters.
    missing : bool
        Whether it stands for the NaN entries of an observed variable.
    """

    name: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    support: Support
    unconstrained_shape: tuple[int, ...]
    start: int
    stop: int
    missing: bool = False


class Parameters(Mapping[str, Parameter]):
    """The free parameters by name, in the order of the model; shown as a table."""

    def __init__(self, parameters: list[Parameter]) -> None:
        self._by_name = {parameter.name: parameter for parameter in parameters}

    def __getitem__(self, name: str) -> Parameter:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        rows = [("name", "shape", "dims", "support")] + [
            (p.name, str(p.shape), ", ".join(p.dims) or "-", describe(p.support)) for p in self.values()
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )


@dataclass(frozen=True, eq=False)
class Summed:
    """A discrete unknown that is summed out of the density.

    Attributes
    ----------
    name : str
    shape : tuple of int
    lower, upper : int arrays of that shape
        The smallest and the largest value of every element.
    missing : str or None
        The observed variable of which it stands for the NaN entries.
    chain : bool
        Whether its elements along the last axis are a Markov chain.
    """

    name: str
    shape: tuple[int, ...]
    lower: np.ndarray
    upper: np.ndarray
    missing: str | None
    chain: bool

    @property
    def elements(self) -> int:
        return self.lower.size

    @functools.cached_property
    def size(self) -> int:
        """The largest number of values that an element can take."""
        return int(np.max(self.upper - self.lower, initial=0)) + 1

    def at(self, index: Any) -> Any:
        """The values with these indices; the largest one where an element has fewer values."""
        return np.minimum(self.lower + index, self.upper)[()]

    def outside(self, index: Any) -> Any:
        """-inf where an element has no value with this index, else 0."""
        return np.where(self.lower + index > self.upper, -np.inf, 0.0)


class Structure(NamedTuple):
    """The sites of a model with its data.

    Attributes
    ----------
    parameters : Parameters
    summed : dict
        Name -> `Summed`, the discrete unknowns that are summed out, in the order of the model.
    dimension : int
        Of the unconstrained vector.
    observed : dict
        Name -> observed values, NaN where missing.
    fixed : frozenset of str
        The observed variables whose support no parameter decides.
    dims : dict
        Name -> names of the axes, for every site that has them.
    coords : dict
        Dim -> labels.
    where : dict
        Name of any site -> ``file:line``.
    quantities : tuple of str
        What a run records, in order: parameters, unknowns that are summed out, deterministic quantities and completed
        observed variables.
    """

    parameters: Parameters
    summed: dict[str, Summed]
    dimension: int
    observed: dict[str, np.ndarray]
    fixed: frozenset[str]
    dims: dict[str, tuple[str, ...]]
    coords: dict[str, np.ndarray]
    where: dict[str, str]
    quantities: tuple[str, ...]


def discover(model: Model, data: Mapping[str, Any]) -> Structure:
    """Run a model once and note its sites.

    The run is traced with every parameter depending on one dummy input, so what data alone determine (observed values,
    distribution parameters, bounds) can be told from what depends on parameters.

    Raises
    ------
    ModelError
        For a discrete unknown, and whatever the statements find.
    DataError
        For an observed value outside its support.
    DistributionError
        For a constant parameter of a distribution outside its domain.
    """
    parameters: list[Parameter] = []
    summed: dict[str, Summed] = {}
    sites: list[Site] = []
    fixed: set[str] = set()
    coords: dict[str, np.ndarray] = {}

    def traced(z: Any) -> Any:
        def parameter(site: Site) -> Any:
            found = _parameter(model, site, parameters[-1].stop if parameters else 0)
            parameters.append(found)
            positions = np.arange(found.start, found.stop)
            u = z + np.reshape(0.5 * np.cos(positions), found.unconstrained_shape)  # a plain point in the middle
            return constrain(site.support, u)[0]

        def discrete(site: Site) -> Any:
            summed[site.name] = _summed(model, site)
            return summed[site.name].at(0)

        def note(site: Site, value: Any) -> None:
            # with unknowns that are summed out a support may depend on them: looked at where these are given values
            if site.kind == "observed" and not depends_on_parameters(site.distribution.support):
                fixed.add(site.name)
                if not summed:
                    check_observed(model, site, contains(site.distribution.support, site.obs))
            sites.append(site)

        coords.update(run(model, data, Handler(parameter, note=note, summed=discrete)))
        return z

    ad.trace(traced, 0.0, name=model.name)
    if model.changes:
        check_changes(model, {site.name: site.kind for site in sites})
    return Structure(
        Parameters(parameters),
        summed,
        parameters[-1].stop if parameters else 0,
        {site.name: site.obs for site in sites if site.kind == "observed"},
        frozenset(fixed),
        {site.name: site.dims for site in sites if site.dims},
        coords,
        {site.name: site.where for site in sites},
        tuple(site.name for site in sites if is_quantity(site)),
    )


def is_quantity(site: Site) -> bool:
    """Whether the value of a site belongs among the results."""
    return site.kind in ("parameter", "summed", "deterministic") or site.missing is not None


def depends_on_parameters(support: Support) -> bool:
    """Whether a bound is traced."""
    return ad.is_traced(support.lower) or ad.is_traced(support.upper)


def describe(support: Support) -> str:
    """A support in a few characters: an interval for bounded numbers, else its kind."""
    if support.kind == "counts":
        return f"counts that add up to {_bound(support.upper)}"
    if support.kind not in ("real", "integer") or not support.bounded:
        return support.kind
    lower = "-inf" if support.lower is None else _bound(support.lower)
    upper = "inf" if support.upper is None else _bound(support.upper)
    opening = "[" if support.closed[0] and support.lower is not None else "("
    closing = "]" if support.closed[1] and support.upper is not None else ")"
    prefix = "integer in " if support.discrete else ""
    return f"{prefix}{opening}{lower}, {upper}{closing}"


def _bound(bound: Any) -> str:
    if bound is DEPENDENT:
        return repr(bound)
    return f"{float(bound):g}" if np.ndim(bound) == 0 else f"array of shape {np.shape(bound)}"


def _parameter(model: Model, site: Site, start: int) -> Parameter:
    support = site.support
    if support.discrete:
        law = type(site.distribution).__name__
        problem = (
            f"an unknown with the discrete distribution {law} cannot be sampled with gradients; sum it out of the "
            "density by marginalize=True, or give its values by obs="
        )
        raise ModelError(at_site(model, site.name, site.where, problem))
    shape = unconstrained_shape(support, site.shape)
    shown = replace(support, lower=_shown(support.lower), upper=_shown(support.upper), standard=None)
    stop = start + int(np.prod(shape, dtype=np.int64))
    return Parameter(site.name, site.shape, site.dims, shown, shape, start, stop, site.missing is not None)


def _summed(model: Model, site: Site) -> Summed:
    """The values of an unknown that is to be summed out; ModelError where they are not finitely many and fixed."""
    law, support = site.distribution, site.support
    name = type(law).__name__
    from bayesad.distributions.markov import DiscreteMarkovChain  # not every model needs it

    chain = isinstance(law, DiscreteMarkovChain)
    if law.event_shape and not chain:
        problem = f"{name} is a law of vectors, which cannot be summed over; give its values by obs="
    elif depends_on_parameters(support):
        problem = f"the values that {name} can take depend on parameters; its bounds must be fixed to sum over them"
    elif support.lower is None or support.upper is None:
        problem = (
            f"{name} has infinitely many values, which cannot be summed; bound them, as in "
            f"ba.truncated(ba.{name}(…), upper=100)"
        )
    else:
        lower, upper = (_whole(bound, site.shape) for bound in (support.lower, support.upper))
        observed = None if site.missing is None else site.name.removesuffix("_missing")
        return Summed(site.name, site.shape, lower, upper, observed, chain)
    raise ModelError(at_site(model, site.name, site.where, problem))


def _whole(bound: Any, shape: tuple[int, ...]) -> np.ndarray:
    whole = value_of(np.array(np.broadcast_to(bound, shape))).astype(np.int64)
    whole.setflags(write=False)
    return whole


def _shown(bound: Any) -> Any:
    return DEPENDENT if ad.is_traced(bound) else value_of(bound)


def check_observed(model: Model, site: Site, inside: Any) -> None:
    """DataError if observed values are not inside their support; NaN may be outside."""
    support = site.distribution.support
    batch = site.shape[: len(site.shape) - support.event_ndim]
    inside = value_of(np.array(np.broadcast_to(inside, batch)))
    if site.missing is not None:
        inside.reshape(-1)[site.missing] = True
    if site.distribution.integrates_missing:
        inside |= np.isnan(site.obs)
    if np.all(inside):
        return
    index = tuple(int(i) for i in np.argwhere(~inside)[0])
    at = f" at index {list(index)}" if index else ""
    others = f" (and {np.sum(~inside) - 1} more)" if np.sum(~inside) > 1 else ""
    problem = (
        f"the observed value {site.obs[index]}{at}{others} is outside the support of "
        f"{site.distribution._name}, {describe(support)}; mend the data or choose another distribution"
    )
    raise DataError(at_site(model, site.name, site.where, problem))
