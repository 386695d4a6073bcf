"""Unconstrained: a posterior as a density over R^n, by the transforms of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesad import ad
from bayesad.distributions.supports import contains
from bayesad.errors import ModelError, SolverError
from bayesad.running import Handler, Site
from bayesad.structure import Parameter, describe
from bayesad.terms import as_float, total
from bayesad.transforms import constrain, unconstrain

if TYPE_CHECKING:
    from bayesad.posterior import Posterior

__all__ = ["Unconstrained", "not_inside"]


class Unconstrained:
    """A posterior over all of R^n: the parameters, transformed, in one flat vector in the order of the model.

    Attributes
    ----------
    dimension : int
        Length of the vector.
    compiled : ad.Compiled
        The log density as a function of the vector.
    """

    def __init__(self, posterior: Posterior) -> None:
        self._posterior = posterior
        self.dimension = posterior.structure.dimension
        self.compiled = ad.compile(self._trace_log_density, rewrites=posterior.rewrites)
        self._pack = ad.compile(self._trace_pack, rewrites=())

    def log_density(self, q: Any) -> float:
        """log posterior density at q, with log |det Jacobian| of the transform to the parameters.

        Minus infinity where a solver within the model does not come to an end.

        Parameters
        ----------
        q : float array, shape (dimension,)

        Raises
        ------
        ModelError
            For another shape.
        """
        try:
            return as_float(self.compiled(self.check(q)))
        except SolverError:
            return -np.inf

    def log_density_and_gradient(self, q: Any) -> tuple[float, np.ndarray]:
        """`log_density` and its gradient, a float array of shape (dimension,)."""
        try:
            return ad.value_and_gradient(self.compiled, self.check(q))
        except SolverError:
            return -np.inf, np.full(self.dimension, np.nan)

    def pack(self, params: Mapping[str, Any]) -> np.ndarray:
        """The vector for named parameters.

        Parameters
        ----------
        params : mapping
            Exactly the free parameters, strictly inside their supports.

        Returns
        -------
        float array, shape (dimension,)

        Raises
        ------
        ModelError
            For missing or additional names, wrong shapes, and values outside or on the boundary of the support.
        """
        q, inside = self._pack(self._posterior.check(params))
        for parameter in self._posterior.parameters.values():
            if not inside[parameter.name] or not np.all(np.isfinite(q[parameter.start : parameter.stop])):
                problem = not_inside(parameter, params[parameter.name])
                raise ModelError(f"model {self._posterior.model.name!r}: {problem}")
        return np.asarray(q)

    def unpack(self, q: Any) -> dict[str, np.ndarray]:
        """The named parameters at an unconstrained vector: the inverse of `pack`."""
        values = self._posterior.values(self.check(q))
        return {name: values[name] for name in self._posterior.parameters}

    def constrain(self, site: Site, q: Any) -> tuple[Any, Any]:
        """Value of a parameter's site at q, and log |det Jacobian| of its transform."""
        return constrain(site.support, self._coordinates(site, q))

    def _coordinates(self, site: Site, q: Any) -> Any:
        parameter = self._posterior.parameters[site.name]
        return np.reshape(q[parameter.start : parameter.stop], parameter.unconstrained_shape)

    def check(self, q: Any) -> Any:
        """The vector as float64.

        Raises
        ------
        ModelError
            For another shape than (dimension,).
        """
        q = q if ad.is_traced(q) else np.asarray(q, dtype=np.float64)
        if q.shape != (self.dimension,):
            raise ModelError(
                f"model {self._posterior.model.name!r}: an unconstrained point has the shape ({self.dimension},), "
                f"not {q.shape}"
            )
        return q

    def _trace_log_density(self, q: Any) -> Any:
        terms: list[Any] = []

        def parameter(site: Site) -> Any:
            value, log_det = self.constrain(site, q)
            if site.support.standard is None:
                terms.append(np.sum(log_det))
            else:  # its density times the Jacobian is that of the coordinates, which loses nothing for tiny scales
                terms.append(np.sum(site.support.standard.law.log_density(self._coordinates(site, q))))
            return value

        self._posterior.each_term(parameter, lambda _, term: terms.append(term), check=False)
        return total(terms)

    def _trace_pack(self, params: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The vector, and for each parameter whether its value lies in the support."""
        parts: list[Any] = [np.arange(0.0)]
        inside: dict[str, Any] = {}

        def parameter(site: Site) -> Any:
            value = params[site.name]
            inside[site.name] = np.all(contains(site.support, value))
            parts.append(np.reshape(unconstrain(site.support, value), -1))
            return value

        self._posterior.run(Handler(parameter))
        return np.concatenate(parts), inside


def not_inside(parameter: Parameter, value: Any) -> str:
    """What to say of a value that cannot be transformed."""
    shown = np.array2string(np.asarray(value), threshold=8)
    return f"the value of {parameter.name!r}, {shown}, is not inside its support ({describe(parameter.support)})"
