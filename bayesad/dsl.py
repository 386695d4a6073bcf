"""The modelling language: ``@model``, ``sample``, ``deterministic``, ``factor``, ``coord``.

A model is an ordinary function. What its statements do is decided by the `Handler` that the model is run under (see
`bayesad.running`): one draws parameters from their distributions, one reads them off a vector, one adds up a log
density.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.data import as_data
from bayesad.distributions.base import Distribution
from bayesad.distributions.supports import Support
from bayesad.errors import DataError, ModelError, suggestion
from bayesad.locations import current_line
from bayesad.running import Dims, Run, Shape, Site, running
from bayesad.shapes import check_dims, dim_names, full_shape, in_plates, labels_of, plate_names
from bayesad.variables import observed, unknown

__all__ = ["Model", "coord", "deterministic", "factor", "model", "sample"]


# --- models
class Model:
    """A model function; calling it with its data gives a `Posterior`.

    Attributes
    ----------
    function : callable
        As it was written. Its name, signature and docstring are the model's too.
    coords : dict
        Name -> array of labels, of the dims given from outside by `with_coords`.
    changes : dict
        Name of a variable -> what `condition`, `do` and `reparameterise` do to it.
    name, file : str
        The function's name, and the file it is written in.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        coords: Mapping[str, np.ndarray] | None = None,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.coords = dict(coords or {})
        self.changes = dict(changes or {})
        self.name: str = function.__name__
        self.file: str = function.__code__.co_filename
        self.signature = inspect.signature(function)
        for argument in self.signature.parameters.values():
            if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
                line = f"{self.file}:{function.__code__.co_firstlineno}"
                raise ModelError(
                    f"model {self.name!r} ({line}): the argument {argument} stands for any number of values; "
                    "give every data argument a name of its own"
                )

    def __call__(self, *args: Any, **data: Any) -> Any:
        """Condition the model on data.

        Parameters
        ----------
        *args, **data
            The function's arguments. Nested lists become arrays of int64, float64 or bool; arrays are copied and
            read-only; scalars, strings, callables and distributions pass unchanged.

        Returns
        -------
        Posterior

        Raises
        ------
        DataError
            For an unknown or a missing argument, a ragged list, or an observed value outside its support.
        ModelError, DistributionError
            For whatever is wrong in the model itself: each names the model, the variable and the line.
        """
        from bayesad.posterior import Posterior

        bound = self.bind(*args, **data)
        if all(change.value != "auto" for change in self.changes.values() if change.kind == "reparameterise"):
            return Posterior(self, bound)
        from bayesad.pilot import decided

        return Posterior(decided(self, bound), bound)

    def bind(self, *args: Any, **data: Any) -> dict[str, Any]:
        """The data arguments by name, converted, with the function's defaults filled in."""
        self._check_names(len(args), data)
        bound = self.signature.bind(*args, **data)
        bound.apply_defaults()
        return {name: as_data(value, name) for name, value in bound.arguments.items()}

    def with_coords(self, **coords: Any) -> Model:
        """The same model with labels (or a length) for some dims.

        They take the place of labels that the model gives by `coord`, and must agree with them in length.

        Parameters
        ----------
        **coords
            Name of the dim -> sequence of labels, or an int n for the labels 0 … n−1.

        Returns
        -------
        Model
        """
        labels = {name: labels_of(name, given) for name, given in coords.items()}
        return Model(self.function, {**self.coords, **labels}, self.changes)

    def _check_names(self, positional: int, data: Mapping[str, Any]) -> None:
        known = list(self.signature.parameters)
        missing = [
            name
            for i, (name, parameter) in enumerate(self.signature.parameters.items())
            if parameter.default is parameter.empty and i >= positional and name not in data
        ]
        unknown = [name for name in data if name not in known]
        problems = [f"has no data argument {name!r}{suggestion(name, known)}" for name in unknown]
        if missing:
            problems.append(f"needs the data argument{'s' * (len(missing) > 1)} {', '.join(map(repr, missing))}")
        repeated = [name for name in known[:positional] if name in data]
        problems += [f"got the data argument {name!r} twice" for name in repeated]
        if positional > len(known):
            problems.append(f"takes {len(known)} data arguments, {positional} were given")
        if problems:
            raise DataError(
                f"model {self.name!r} {' and '.join(problems)} ({current_line()}); its data arguments are: "
                f"{', '.join(known) or 'none'}"
            )

    def __repr__(self) -> str:
        return f"<model {self.name}{self.signature}>"


def model(function: Callable[..., Any]) -> Model:
    """Make a function a model: ``@ba.model`` above its ``def``.

    The function's arguments are data; its unknowns are declared in its body by `sample`.

    Raises
    ------
    ModelError
        For what is no function written in Python, or one that takes any number of arguments.
    """
    if not hasattr(function, "__code__"):
        raise ModelError(f"@ba.model stands above the def of a function whose arguments are data; got {function!r}")
    return Model(function)


# --- statements
def sample(
    name: str,
    distribution: Any,
    *,
    obs: Any = None,
    shape: int | tuple[int, ...] | None = None,
    dims: str | tuple[str, ...] | None = None,
    marginalize: bool = False,
) -> Any:
    """Declare a variable: an unknown of the model or, with ``obs``, observed data.

    Parameters
    ----------
    name : str
        Unique in the model.
    distribution : Distribution
        Of the unknown (its prior) or of the data (the likelihood).
    obs : array, nested list or number, optional
        Observed values, fixed by the data. NaN marks missing entries: they become one more free parameter, a vector
        named ``name + "_missing"`` in the order of the array, and the model goes on with the completed array. Missing
        entries of a discrete variable are summed out, as by ``marginalize``.
    shape : int or tuple of int, optional
        Of the whole value; its last axes are the distribution's event shape, and the batch shape broadcasts to the
        rest.
    dims : str or tuple of str, optional
        Names of the axes. Their lengths come from `coord` or `Model.with_coords` or, for observed variables, from
        ``obs``.
    marginalize : bool
        Sum a discrete unknown with finitely many values out of the density; its draws are recovered after sampling. The
        rest of the model may use it as any array of whole numbers: as an index, in arithmetic, in np.where. Each
        element is summed on its own with the observations that depend on it, so that N elements of K values cost N K.
        Unknowns that depend on each other are summed one after the other, a chain in time proportional to its length.

    Returns
    -------
    array
        The value; for observed variables the data, completed.

    Raises
    ------
    ModelError
        Outside a model; for a name used twice, shapes that do not fit, an unknown dim, an observed value that depends
        on parameters, missing entries of a constrained vector variable; for marginalize=True with a continuous law.
    """
    state = running("sample", name)
    name = state.named(name)
    where = state.claim(name)
    if not isinstance(distribution, Distribution):
        raise state.fail(
            name, f"the second argument must be a distribution, such as ba.Normal(0, 1), not {distribution!r:.60}"
        )
    change = state.changes.get(name)
    names = dim_names(state, name, dims)
    if change is not None and change.kind == "condition":
        obs = state.part(name, change.value)
    if state.plates:
        shape, names = in_plates(state, name, distribution, shape, names, _shape_of(obs))
    if change is not None and change.kind == "do":
        full = full_shape(state, name, distribution, shape, names, _shape_of(obs))
        return _set(state, name, state.part(name, change.value), full, names)
    if obs is not None:
        return observed(state, name, distribution, obs, shape, names, where)
    if distribution.has_atoms:
        raise state.fail(
            name,
            f"{type(distribution).__name__} gives single real numbers a probability, so it can be the law of observed "
            "values only; give them by obs=, or use the law inside as the prior",
        )
    full = full_shape(state, name, distribution, shape, names, None)
    if marginalize and not distribution.support.discrete:
        raise state.fail(
            name,
            f"marginalize=True sums over whole numbers, but {type(distribution).__name__} is continuous; leave it out",
        )
    kind = "summed" if marginalize else "parameter"
    support = distribution.support
    if change is not None and change.kind == "reparameterise" and change.value == "noncentred":
        support = _standardised(state, name, distribution)
    return unknown(state, Site(kind, name, full, names, where, distribution, support))


def deterministic(name: str, value: Any, dims: str | tuple[str, ...] | None = None) -> Any:
    """Record a quantity computed in the model, so that it appears among the results.

    Parameters
    ----------
    name : str
        Unique in the model.
    value : array or number
    dims : str or tuple of str, optional
        Names of its axes; dims not known yet take their length from the value.

    Returns
    -------
    array
        The value.

    Raises
    ------
    ModelError
        Outside a model; for a name used twice, dims that do not fit the value, or a value that is no array.
    """
    state = running("deterministic", name)
    name = state.named(name)
    state.claim(name)
    if isinstance(value, (Mapping, str)) or value is None:
        raise state.fail(name, f"its value must be a number or an array, not {type(value).__name__}")
    value = ad.asarray(value)
    names = dim_names(state, name, dims)
    if state.plates:
        names = plate_names(state, name, names, np.shape(value))
    if names:
        check_dims(state, name, names, np.shape(value), learn=True)
    change = state.changes.get(name)
    given = state.part(name, change.value) if change is not None and change.kind == "do" else value
    return _set(state, name, given, np.shape(value), names)


def factor(name: str, log_density: Any) -> None:
    """Add a term to the log density.

    Parameters
    ----------
    name : str
        Unique in the model.
    log_density : array or number
        An array is summed.

    Raises
    ------
    ModelError
        Outside a model; for a name used twice; for what is no log density: text, None, true and false.
    """
    state = running("factor", name)
    name = state.named(name)
    where = state.claim(name)
    value = ad.asarray(log_density)
    if value.dtype == bool:
        raise state.fail(
            name,
            "a factor is a log density, not true or false; where a condition excludes points write "
            "np.where(condition, 0.0, -np.inf)",
        )
    if value.dtype.kind not in "iuf":
        raise state.fail(name, f"a factor is a log density, a number or an array of them, not {log_density!r}")
    state.handler.note(Site("factor", name, np.shape(value), (), where), value)


def coord(name: str, labels: Any) -> np.ndarray:
    """Declare a dim: its name and its labels.

    Parameters
    ----------
    name : str
    labels : sequence or int
        The labels in order, or a length n for the labels 0 … n−1.

    Returns
    -------
    array
        The labels in force: those of `Model.with_coords` where it gave some.

    Raises
    ------
    ModelError
        Outside a model, or if the dim is already known with another length, or in the model with other labels.
    """
    state = running("coord", name)
    new = labels_of(name, labels)
    known = state.coords.setdefault(name, new)
    if len(known) != len(new):
        raise state.fail(name, f"the coordinate has {len(new)} labels here but {len(known)} elsewhere; make them agree")
    if name not in state.model.coords and not np.array_equal(known, new):
        raise state.fail(
            name, "the coordinate has other labels elsewhere in the model; declare it once, before its first use"
        )
    return known


# --- parameters and data
def _set(state: Run, name: str, value: Any, shape: Shape, names: Dims) -> Any:
    """Record a quantity that is no unknown."""
    if np.shape(value) != shape:
        try:
            value = np.broadcast_to(value, shape)
        except ValueError:
            raise state.fail(
                name, f"the value it is set to has the shape {np.shape(value)}, which does not broadcast to {shape}"
            ) from None
    state.handler.note(Site("deterministic", name, shape, names, state.taken[name]), value)
    return value


def _shape_of(obs: Any) -> Shape | None:
    """The shape of observed values that stand for more than equal ones."""
    return None if obs is None or np.ndim(obs) == 0 else np.shape(obs)


def _standardised(state: Run, name: str, distribution: Distribution) -> Support:
    """The support of an unknown that is sampled in standardised coordinates."""
    from bayesad.changes import standard_of

    if state.row is not None:
        raise state.fail(
            name,
            "a variable in the step of ba.scan is sampled as it is; to sample standardised steps write them, as in "
            'level + scale * ba.sample("z", ba.Normal(0, 1))',
        )
    standard = standard_of(distribution)
    if standard is None:
        raise state.fail(
            name,
            f"{type(distribution).__name__} has no location and scale to be noncentred by; those of Normal, StudentT, "
            "Laplace, Cauchy, Logistic, LogNormal, MvNormal, GaussianProcess and GaussianRandomWalk have",
        )
    return replace(distribution.support, standard=standard)
