"""Posterior: a model conditioned on data, with density and gradient over named parameters, and draws."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.ad.failures import failures_are_nan
from bayesad.ad.plain import indexable
from bayesad.ad.rows import map_rows
from bayesad.distributions.supports import contains
from bayesad.dsl import Model
from bayesad.errors import ModelError, suggestion
from bayesad.running import Draw, Handler, Site, at_site, run
from bayesad.structure import Parameters, discover, is_quantity
from bayesad.terms import as_float, has_density, log_density_of, pointwise_of, total
from bayesad.unconstrained import Unconstrained

__all__ = ["Posterior"]


class Posterior:
    """A model conditioned on its data; made by calling the model.

    Parameters
    ----------
    model : Model
    data : mapping
        The model's arguments, as `Model.bind` gives them.
    rewrites : names from ``ad.REWRITES``
        What programs of the log density go through before they are differentiated.

    Attributes
    ----------
    parameters : Parameters
        The free parameters by name, in the order of the model: shapes, dims, supports. The NaN entries of an observed
        variable ``y`` are the parameter ``y_missing``, a vector in the order of the array.
    unconstrained : Unconstrained
        The same posterior over all of R^n.
    dims : dict
        Name of a parameter, observed variable or deterministic -> names of its axes.
    coords : dict
        Dim -> labels.
    observed_data : dict
        Name of an observed variable -> its values, NaN where missing.
    constant_data : dict
        Name of a data argument -> its value, for those that are given and not observed themselves.

    Raises
    ------
    ModelError, DataError, DistributionError
        If the model does not fit the data or itself; messages name the model, the variable and the line.
    """

    def __init__(self, model: Model, data: Mapping[str, Any], rewrites: Iterable[str] = ad.REWRITES) -> None:
        self.model = model
        self.rewrites = tuple(rewrites)
        self.data = dict(data)
        self.structure = discover(model, self.data)
        self.parameters: Parameters = self.structure.parameters
        self.dims = self.structure.dims
        self.coords = self.structure.coords
        self.observed_data = self.structure.observed
        self.constant_data = {
            name: value for name, value in self.data.items() if not _is_observed(value, self.observed_data)
        }
        self.unconstrained = Unconstrained(self)
        self.enumeration: Any = self._enumeration() if self.structure.summed else None
        self._recovery: Any = None
        self._log_density_at = ad.compile(self._trace_log_density_at, rewrites=self.rewrites)
        self._terms_at = ad.compile(self._trace_terms_at, rewrites=())
        self._pointwise_at = ad.compile(self._trace_pointwise_at, rewrites=())
        self._values = ad.compile(self._trace_values, rewrites=())

    def with_rewrites(self, names: Iterable[str]) -> Posterior:
        """The same posterior with only the named rewrites of ``ad.REWRITES``; with none for ``[]``.

        What they did is in ``posterior.unconstrained.compiled.notes`` once it was evaluated, and in ``ad.inspect``.

        Raises
        ------
        RewriteError
            For an unknown name.
        """
        return Posterior(self.model, self.data, names)

    # --- over named parameters
    def neg_log_posterior(self, params: Mapping[str, Any]) -> float:
        """The negative log of likelihood times prior, a density over the parameters as named.

        Parameters
        ----------
        params : mapping
            Exactly the free parameters: name -> number, nested list or array of the parameter's shape.
            Simplex, ordered and Cholesky constraints hold within 1e-8.

        Returns
        -------
        float
            With all normalising constants and no Jacobian; inf outside the support.

        Raises
        ------
        ModelError
            For missing or additional names and wrong shapes.
        """
        return as_float(-self._log_density_at(self.check(params)))

    def gradient(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The derivative of `neg_log_posterior` with respect to every parameter.

        Parameters
        ----------
        params : mapping
            As for `neg_log_posterior`.

        Returns
        -------
        dict
            Name -> array of the parameter's shape. The entries of a simplex count as free; the upper triangle of a
            Cholesky factor has derivative 0; outside the support everything has.
        """
        value, gradient = ad.value_and_gradient(self._log_density_at, self.check(params))
        outside = value == -np.inf
        return {name: np.zeros(np.shape(g)) if outside else np.asarray(0.0 - g) for name, g in gradient.items()}

    def log_density_terms(self, params: Mapping[str, Any]) -> dict[str, float]:
        """The terms that `neg_log_posterior` is the negative sum of: name of the site -> log density."""
        return {name: float(term) for name, term in self._terms_at(self.check(params)).items()}

    def check(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The parameters as arrays of float64, in the order of the model.

        Raises
        ------
        ModelError
            For missing or additional names and wrong shapes.
        """
        if not isinstance(params, Mapping):
            raise ModelError(
                f"model {self.model.name!r}: a point is a dict of the parameters' values by name, not {params!r}; of a "
                "vector posterior.unconstrained.unpack(q) makes one"
            )
        extra = [
            f"{name!r}{suggestion(str(name), list(self.parameters))}" for name in params if name not in self.parameters
        ]
        missing = [repr(name) for name in self.parameters if name not in params]
        if extra or missing:
            problems = ["lacks " + ", ".join(missing)] * bool(missing) + ["has the unknown " + ", ".join(extra)] * bool(
                extra
            )
            raise ModelError(
                f"model {self.model.name!r}: the point {' and '.join(problems)}; its free parameters are "
                f"{', '.join(self.parameters) or 'none'}"
            )
        return {name: self.check_value(name, params[name]) for name in self.parameters}

    def check_value(self, name: str, given: Any) -> Any:
        """One parameter's value as an array of float64; ModelError if its shape is wrong."""
        try:
            value = given
            if given is not None and not ad.is_traced(given):
                value = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            value = None
        shape = self.parameters[name].shape
        if value is None or np.shape(value) != shape:
            found = "no array of numbers" if value is None else f"the shape {np.shape(value)}"
            raise ModelError(
                f"model {self.model.name!r}: the value of {name!r} has {found}; it needs the shape {shape}"
            )
        return value

    # --- results
    def values(self, q: Any) -> dict[str, np.ndarray]:
        """Every parameter, deterministic quantity and completed observed variable at unconstrained points.

        Those that depend on unknowns that are summed out come from `recover`.

        Parameters
        ----------
        q : float array, shape (..., dimension)
            Leading axes (chains, draws) are those of the result.

        Returns
        -------
        dict
            Name -> array, shape (..., *shape), in the order of the model; NaN where a solver does not come to an end.
        """
        q = np.asarray(q, dtype=np.float64)
        with failures_are_nan():
            if q.ndim == 1:
                return {name: np.asarray(value) for name, value in self._values(self.unconstrained.check(q)).items()}
            points = q.reshape(math.prod(q.shape[:-1]), q.shape[-1])
            found = map_rows(self._values, points if len(points) else np.zeros((1, q.shape[-1])))
        return {name: value[: len(points)].reshape(*q.shape[:-1], *value.shape[1:]) for name, value in found.items()}

    def recover(self, q: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draws of the unknowns that are summed out, given unconstrained points.

        Parameters
        ----------
        q : float array, shape (n, dimension)
        rng : numpy.random.Generator

        Returns
        -------
        dict
            Name -> array, shape (n, *shape): the unknowns, drawn exactly from their joint distribution given the
            parameters and the data, and the quantities that depend on them. Empty where nothing is summed out.
        """
        if self.enumeration is None:
            return {}
        if self._recovery is None:
            from bayesad.recovery import Recovery

            self._recovery = Recovery(self)
        return self._recovery.draw(np.asarray(q, dtype=np.float64), rng)

    def initial(self, rng: np.random.Generator, kind: Any = "uniform") -> np.ndarray:
        """A starting point with finite log density and gradient.

        Random points where the gradient is beyond 1e20 (a recursion that explodes) are passed over too, unless all are
        so; then the least steep of them is taken.

        Parameters
        ----------
        rng : numpy.random.Generator
        kind : "uniform", "prior", mapping or array
            Uniform(−2, 2) on the unconstrained scale, as Stan; a draw from the prior; values for some or all
            parameters by name (the others uniform); or an unconstrained vector.

        Returns
        -------
        float array, shape (dimension,)
            Unconstrained.

        Raises
        ------
        InitialisationError
            If none is found in 100 tries (in one, where nothing is random): names the terms that are not finite and
            the values.
        """
        from bayesad.initial import find_initial

        return find_initial(self, rng, kind)

    def sample(
        self,
        sampler: Any = None,
        *,
        chains: int = 4,
        warmup: int = 1000,
        draws: int = 1000,
        seed: int | None = None,
        initial: Any = "uniform",
        keep_warmup: bool = False,
        progress: Callable[[Any], None] | None = None,
    ) -> Any:
        """Draw from the posterior.

        Parameters
        ----------
        sampler : NUTS or HMC, optional
            Default: ``ba.NUTS()``.
        chains, warmup, draws : int
            Number of chains, and of iterations per chain.
        seed : int, optional
            The same seed gives the same draws; default: a fresh one.
        initial : "uniform", "prior", mapping or array
            See `initial`. Where it is random, each chain tries several such points by short runs, which come before
            warmup; see `bayesad.samplers.starts`.
        keep_warmup : bool
            Whether to keep the draws of warmup too.
        progress : callable, optional
            Called about ten times a second with a snapshot of each chain.

        Returns
        -------
        DataTree
            In ArviZ's schema.
        """
        from bayesad.sampling import sample

        return sample(
            self,
            sampler=sampler,
            chains=chains,
            warmup=warmup,
            draws=draws,
            seed=seed,
            initial=initial,
            keep_warmup=keep_warmup,
            progress=progress,
        )

    def predict(self, draws: Any, *, seed: int | None = None) -> Any:
        """Posterior predictive draws; see `bayesad.predictive.predict`."""
        from bayesad.predictive import predict

        return predict(self, draws, seed=seed)

    def prior(self, draws: int = 1000, *, seed: int | None = None) -> Any:
        """Prior and prior predictive draws; see `bayesad.predictive.prior`."""
        from bayesad.predictive import prior

        return prior(self, draws, seed=seed)

    def log_likelihood(self, draws: Any) -> Any:
        """Log likelihood of every observation at every draw; see `bayesad.predictive.log_likelihood`."""
        from bayesad.predictive import log_likelihood

        return log_likelihood(self, draws)

    def pointwise_log_likelihood(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Log density of every observed value: name -> array of the batch shape of the observed variable.

        Where entries are missing: a vector of the entries that were observed, in order. A series has one for each time,
        given the times before it; see `bayesad.predictive.log_likelihood`.
        """
        return {name: np.asarray(value) for name, value in self._pointwise_at(self.check(params)).items()}

    def pointwise_rows(self, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """`pointwise_log_likelihood` at several points: parameters and results have one more axis, the first."""
        rows = {name: np.asarray(value, dtype=np.float64) for name, value in params.items()}
        return map_rows(self._pointwise_at, rows)

    # --- the functions that are traced
    def _trace_log_density_at(self, params: Mapping[str, Any]) -> Any:
        terms, inside = self._constrained_terms(params)
        return np.where(inside, total(terms.values()), -np.inf)

    def _trace_terms_at(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._constrained_terms(params)[0]

    def _constrained_terms(self, params: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """Log densities of all sites, and whether every parameter lies in its support."""
        terms: dict[str, Any] = {}
        inside: list[Any] = []

        def parameter(site: Site) -> Any:
            value = params[site.name]
            inside.append(np.all(contains(site.support, value)))
            return np.tril(value) if site.support.kind in ("cholesky_corr", "cholesky_cov") else value

        self.each_term(parameter, terms.__setitem__, check=True)
        return terms, functools.reduce(np.logical_and, inside, True)

    def _trace_pointwise_at(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if self.enumeration is not None:
            from bayesad.recovery import pointwise

            return pointwise(self, lambda site: params[site.name])
        found: dict[str, Any] = {}

        def note(site: Site, value: Any) -> None:
            if site.kind == "observed":
                found[site.name] = pointwise_of(site, value)

        self.run(Handler(lambda site: params[site.name], note=note))
        return found

    def _trace_values(self, q: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}

        later = () if self.enumeration is None else (*self.structure.summed, *self.enumeration.dependent)

        def note(site: Site, value: Any) -> None:
            if is_quantity(site) and site.name not in later:
                found[site.name] = value

        self.run(Handler(lambda site: self.unconstrained.constrain(site, q)[0], note=note))
        return found

    def each_term(self, parameter: Callable[[Site], Any], add: Callable[[str, Any], None], *, check: bool) -> None:
        """Run the model and hand every term of its log density to ``add(name, term)``; see `log_density_of`."""
        if self.enumeration is not None:
            for name, term in self.enumeration.summed(self, parameter, check=check)[0].items():
                add(name, term)
            return

        def note(site: Site, value: Any) -> None:
            if has_density(site):
                add(site.name, log_density_of(site, value, check=check))

        self.run(Handler(parameter, note=note))

    def _enumeration(self) -> Any:
        from bayesad.marginalising import enumeration  # few models need it

        return enumeration(self)

    def run(self, handler: Handler) -> None:
        """Run the model on its data under a handler.

        Raises
        ------
        ModelError
            If the run has other parameters than the model had at first.
        """
        seen: set[str] = set()

        def parameter(site: Site) -> Any:
            known = self.parameters.get(site.name)
            if known is None or known.shape != site.shape:
                change = "is new" if known is None else f"has the shape {site.shape} instead of {known.shape}"
                problem = f"this parameter {change} at another point; {_FIXED}"
                raise ModelError(at_site(self.model, site.name, site.where, problem))
            seen.add(site.name)
            answer = handler.parameter(site)
            return answer if isinstance(answer, Draw) else indexable(answer)

        run(self.model, self.data, handler._replace(parameter=parameter), self.observed_data)
        for name in self.parameters:
            if name not in seen:
                problem = f"this parameter is absent at another point; {_FIXED}"
                raise ModelError(at_site(self.model, name, self.structure.where[name], problem))

    def __repr__(self) -> str:
        summed = f"\nsummed out: {', '.join(self.structure.summed)}" if self.structure.summed else ""
        return (
            f"<posterior of {self.model.name}, {self.unconstrained.dimension} dimensions>\n{self.parameters!r}{summed}"
        )


def _is_observed(value: Any, observed: Mapping[str, np.ndarray]) -> bool:
    return value is None or (
        isinstance(value, np.ndarray) and any(np.may_share_memory(value, obs) for obs in observed.values())
    )


_FIXED = "which parameters a model has, and their shapes, may depend on data only"
