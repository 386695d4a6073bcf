"""The modelling language: ``@model``, ``sample``, ``deterministic``, ``factor``, ``coord``, and how a model is run.

A model is an ordinary function. What its statements do is decided by the `Handler` it is run under: one draws parameters
from their distributions, one reads them off a vector, one adds up a log density. `run` puts a handler in force for the
current thread (a context variable) and calls the function; the statements find it there.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesad import ad
from bayesad.ad.array import value_of
from bayesad.data import as_data
from bayesad.distributions.base import Distribution
from bayesad.distributions.supports import Support
from bayesad.errors import DataError, DistributionError, ModelError
from bayesad.locations import blame, current_line

__all__ = [
    "Handler",
    "Model",
    "Site",
    "coord",
    "deterministic",
    "factor",
    "model",
    "run",
    "sample",
    "site_error",
    "suggestion",
]

Shape = tuple[int, ...]
Dims = tuple[str, ...]


# --- models
class Model:
    """A model function; calling it with its data gives a `Posterior`.

    Attributes
    ----------
    function : callable
        As it was written. Its name, signature and docstring are the model's too.
    coords : dict
        Name -> array of labels, of the dims given from outside by `with_coords`.
    name, file : str
        The function's name, and the file it is written in.
    """

    def __init__(self, function: Callable[..., Any], coords: Mapping[str, np.ndarray] | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.coords = dict(coords or {})
        self.name: str = function.__name__
        self.file: str = function.__code__.co_filename
        self.signature = inspect.signature(function)
        for argument in self.signature.parameters.values():
            if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
                raise ModelError(
                    f"model {self.name!r} ({self.file}:{function.__code__.co_firstlineno}): the argument {argument} stands for "
                    "any number of values; give every data argument a name of its own"
                )

    def __call__(self, *args: Any, **data: Any) -> Any:
        """Condition the model on data.

        Parameters
        ----------
        *args, **data
            The function's arguments. Nested lists become arrays of int64, float64 or bool; arrays are copied and read-only;
            scalars, strings, callables and distributions pass unchanged.

        Returns
        -------
        Posterior

        Raises
        ------
        DataError
            For an unknown or a missing argument, or a ragged list.
        ModelError, DistributionError
            For whatever is wrong in the model itself: each names the model, the variable and the line.
        """
        from bayesad.posterior import Posterior

        return Posterior(self, self.bind(*args, **data))

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
        return Model(self.function, {**self.coords, **{name: _labels(name, given) for name, given in coords.items()}})

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
    """
    return Model(function)


def suggestion(name: str, known: list[str]) -> str:
    """``; did you mean 'x'?`` where a known name is close, or nothing."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def site_error(model: Model, site: Site, problem: str) -> ModelError:
    """An error about one statement of a model, found outside of it."""
    return _site_error(model, site.name, site.where, problem)


def _site_error(model: Model, name: Any, where: str, problem: str) -> ModelError:
    return ModelError(f"model {model.name!r}, variable {name!r} ({where}): {problem}")


# --- what a statement tells its handler
@dataclass(frozen=True, eq=False)
class Site:
    """One statement of a model as it is met in a run.

    Attributes
    ----------
    kind : str
        "parameter", "observed", "deterministic" or "factor".
    name : str
    shape : tuple of int
        Of the value.
    dims : tuple of str
        Names of its axes, or empty.
    where : str
        ``file:line`` of the statement.
    distribution : Distribution or None
        Of a parameter or an observed site.
    support : Support or None
        Of a parameter; its bounds may be traced.
    obs : ndarray or None
        Of an observed site: the data as given, NaN where they are missing.
    missing : int array or None
        Flat positions of the missing entries in ``obs``. A parameter that has this is not a variable of its own but the missing
        entries of an observed one, and has its distribution.
    """

    kind: str
    name: str
    shape: Shape
    dims: Dims
    where: str
    distribution: Any = None
    support: Any = None
    obs: Any = None
    missing: Any = None

    def draw(self, rng: np.random.Generator) -> Any:
        """A value drawn from the site's distribution, every element on its own, in the site's shape."""
        if self.kind == "parameter" and self.missing is not None:
            return np.reshape(self.distribution.draw(rng, self.obs.shape), -1)[self.missing]
        return self.distribution.draw(rng, self.shape)


def _keep(site: Site, value: Any) -> Any:
    return value


def _ignore(site: Site, value: Any) -> None:
    return None


@dataclass(frozen=True)
class Handler:
    """What the statements of a model do in a run.

    Attributes
    ----------
    parameter : callable
        ``parameter(site) -> value`` of a free parameter.
    observed : callable
        ``observed(site, value) -> value`` that the model sees of an observed site; ``value`` has missing entries filled in.
    note : callable
        ``note(site, value)`` is told of every site with its value, after the others.
    """

    parameter: Callable[[Site], Any]
    observed: Callable[[Site, Any], Any] = _keep
    note: Callable[[Site, Any], None] = _ignore


# --- running a model
class _Run:
    """A model being run: the handler in force, the names taken and the coordinates known so far."""

    def __init__(self, model: Model, handler: Handler) -> None:
        self.model = model
        self.handler = handler
        self.coords = dict(model.coords)
        self.taken: dict[str, str] = {}

    def fail(self, name: str, problem: str) -> ModelError:
        return _site_error(self.model, name, current_line(), problem)

    def claim(self, name: Any) -> str:
        """Take a name for a site; returns the line."""
        if not isinstance(name, str):
            raise self.fail(name, f"the name of a variable is a string, not {type(name).__name__}")
        where = current_line()
        if name in self.taken:
            raise self.fail(name, f"the name is taken by the statement at {self.taken[name]}; names must differ")
        self.taken[name] = where
        return where


_current: ContextVar[_Run | None] = ContextVar("bayesad_run", default=None)


def run(model: Model, data: Mapping[str, Any], handler: Handler) -> dict[str, np.ndarray]:
    """Run a model's function under a handler.

    Parameters
    ----------
    model : Model
    data : mapping
        Its arguments, from `Model.bind`.
    handler : Handler

    Returns
    -------
    dict
        Name -> labels of every dim known at the end.

    Raises
    ------
    DistributionError
        From the user's distributions, with model, variable and line added.
    """
    state = _Run(model, handler)
    token = _current.set(state)
    try:
        bound = inspect.BoundArguments(model.signature, dict(data))
        model.function(*bound.args, **bound.kwargs)
    except DistributionError as error:
        line, variable = blame(error.__traceback__)
        at = f"variable {variable!r} ({line})" if variable is not None else line
        raise DistributionError(f"model {model.name!r}, {at}: {error}").with_traceback(error.__traceback__) from None
    finally:
        _current.reset(token)
    return state.coords


def _running(statement: str, name: Any) -> _Run:
    state = _current.get()
    if state is None:
        raise ModelError(
            f"ba.{statement}({name!r}, …) was called outside a model ({current_line()}); put it into a function "
            "decorated with @ba.model and call that with its data"
        )
    return state


# --- statements
def sample(
    name: str,
    distribution: Any,
    *,
    obs: Any = None,
    shape: int | tuple[int, ...] | None = None,
    dims: str | tuple[str, ...] | None = None,
) -> Any:
    """Declare a variable: an unknown of the model or, with ``obs``, observed data.

    Parameters
    ----------
    name : str
        Unique in the model.
    distribution : Distribution
        Of the unknown (its prior) or of the data (the likelihood).
    obs : array, nested list or number, optional
        Observed values, fixed by the data. NaN marks missing entries: they become one more free parameter, a vector named
        ``name + "_missing"`` in the order of the array, and the model goes on with the completed array.
    shape : int or tuple of int, optional
        Of the whole value; its last axes are the distribution's event shape, and the batch shape broadcasts to the rest.
    dims : str or tuple of str, optional
        Names of the axes. Their lengths come from `coord` or `Model.with_coords` or, for observed variables, from ``obs``.

    Returns
    -------
    array
        The value; for observed variables the data, completed.

    Raises
    ------
    ModelError
        Outside a model; for a name used twice, shapes that do not fit, an unknown dim, an observed value that depends on parameters,
        missing entries of a discrete or constrained vector variable.
    """
    state = _running("sample", name)
    where = state.claim(name)
    if not isinstance(distribution, Distribution):
        raise state.fail(
            name, f"the second argument must be a distribution, such as ba.Normal(0, 1), not {distribution!r:.60}"
        )
    names = _dim_names(state, name, dims)
    if obs is not None:
        return _observe(state, name, distribution, obs, shape, names, where)
    full = _full_shape(state, name, distribution, shape, names, None)
    return _parameter(state, Site("parameter", name, full, names, where, distribution, distribution.support))


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
        Outside a model; for a name used twice or dims that do not fit the value.
    """
    state = _running("deterministic", name)
    where = state.claim(name)
    value = ad.asarray(value)
    names = _dim_names(state, name, dims)
    if names:
        _check_dims(state, name, names, np.shape(value), learn=True)
    state.handler.note(Site("deterministic", name, np.shape(value), names, where), value)
    return value


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
        Outside a model; for a name used twice.
    """
    state = _running("factor", name)
    where = state.claim(name)
    value = ad.asarray(log_density)
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
    state = _running("coord", name)
    new = _labels(name, labels)
    known = state.coords.setdefault(name, new)
    if len(known) != len(new):
        raise state.fail(name, f"the coordinate has {len(new)} labels here but {len(known)} elsewhere; make them agree")
    if name not in state.model.coords and not np.array_equal(known, new):
        raise state.fail(
            name, "the coordinate has other labels elsewhere in the model; declare it once, before its first use"
        )
    return known


def _labels(name: str, given: Any) -> np.ndarray:
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool) and given >= 0:
        labels = np.arange(given)
    else:
        labels = np.array(given if isinstance(given, (str, bytes)) or not isinstance(given, Iterable) else list(given))
    if labels.ndim != 1:
        raise ModelError(f"the coordinate {name!r} needs a flat sequence of labels or a length; got {given!r:.60}")
    labels.setflags(write=False)
    return labels


# --- shapes
def _dim_names(state: _Run, name: str, dims: Any) -> Dims:
    names = (dims,) if isinstance(dims, str) else tuple(dims or ())
    if not all(isinstance(dim, str) for dim in names):
        raise state.fail(name, f"dims must be a string or a tuple of strings, not {dims!r}")
    if len(set(names)) < len(names):
        raise state.fail(name, f"dims {names} has a name twice; give each axis a name of its own")
    return names


def _full_shape(state: _Run, name: str, distribution: Any, shape: Any, names: Dims, observed: Shape | None) -> Shape:
    """The shape of the whole value from shape, dims, the observed values and the distribution, which must all agree."""
    given = _shape_tuple(state, name, shape)
    if given is not None and observed is not None and given != observed:
        raise state.fail(name, f"shape={given} does not fit the observed values of shape {observed}")
    full = given if given is not None else observed
    if names:
        lengths = _check_dims(state, name, names, full, learn=observed is not None)
        full = lengths if full is None else full
    batch, event = distribution.batch_shape, distribution.event_shape
    law = type(distribution).__name__
    if full is None:
        if None in event:
            raise state.fail(name, f"the length of a {law} value is open; give shape= or dims=")
        return (*batch, *event)
    split = len(full) - len(event)
    if split < 0 or any(want not in (None, have) for want, have in zip(event, full[split:], strict=True)):
        raise state.fail(
            name, f"the shape {full} must end with the event shape {event} of {law}".replace("None", "any")
        )
    if not _broadcasts_to(batch, full[:split]):
        raise state.fail(
            name,
            f"the batch shape {batch} of {law} does not broadcast to {full[:split]}, the batch part of the "
            f"{'observed values of ' if observed is not None else ''}shape {full}",
        )
    return full


def _shape_tuple(state: _Run, name: str, shape: Any) -> Shape | None:
    if shape is None:
        return None
    lengths = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in lengths):
        raise state.fail(name, f"shape must be a non-negative int or a tuple of them, not {shape!r}")
    return tuple(int(n) for n in lengths)


def _check_dims(state: _Run, name: str, names: Dims, full: Shape | None, *, learn: bool) -> Shape:
    """The lengths of the dims, which must fit the shape if there is one; ``learn`` takes unknown ones from it."""
    if full is not None and len(names) != len(full):
        raise state.fail(name, f"dims {names} names {len(names)} axes, but the shape {full} has {len(full)}")
    lengths = []
    for i, dim in enumerate(names):
        if dim not in state.coords:
            if full is None or not learn:
                raise state.fail(
                    name,
                    f"the dim {dim!r} is unknown{suggestion(dim, list(state.coords))}; declare it by ba.coord({dim!r}, …) in "
                    f"the model, model.with_coords({dim}=…) or [coords] in the configuration",
                )
            state.coords[dim] = _labels(dim, full[i])
        lengths.append(len(state.coords[dim]))
    if full is not None and tuple(lengths) != full:
        raise state.fail(name, f"dims {names} have the lengths {tuple(lengths)}, but the shape is {full}")
    return tuple(lengths)


def _broadcasts_to(shape: Shape, target: Shape) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


# --- parameters and data
def _parameter(state: _Run, site: Site) -> Any:
    value = state.handler.parameter(site)
    state.handler.note(site, value)
    return value


def _observe(state: _Run, name: str, distribution: Any, obs: Any, shape: Any, names: Dims, where: str) -> Any:
    data = _observed_array(state, name, obs)
    broadcast = data.ndim == 0 and not distribution.event_shape  # a number stands for equal observations
    full = _full_shape(state, name, distribution, shape, names, None if broadcast else data.shape)
    data = np.broadcast_to(data, full) if broadcast else data
    missing = np.flatnonzero(np.isnan(data) if data.dtype.kind == "f" else False)
    site = Site("observed", name, full, names, where, distribution, None, data, missing if missing.size else None)
    value = state.handler.observed(site, _completed(state, site) if missing.size else data)
    state.handler.note(site, value)
    return value


def _observed_array(state: _Run, name: str, obs: Any) -> np.ndarray:
    try:
        obs = ad.asarray(obs)
    except ValueError as error:
        raise state.fail(name, f"obs is not an array of numbers: {error}") from None
    if ad.is_traced(obs):
        raise state.fail(
            name,
            "obs depends on parameters; only data can be observed. For a density on a computed quantity write "
            f"ba.factor({name!r}, distribution.log_prob(expression))",
        )
    obs = value_of(obs)
    if obs.dtype.kind not in "biuf":
        raise state.fail(name, f"obs must be numbers; got an array of dtype {obs.dtype}")
    return obs


def _completed(state: _Run, site: Site) -> Any:
    """The observed values with the missing entries replaced by a free parameter of their own."""
    support = site.distribution.support
    if support.discrete or support.event_ndim:
        kind = "discrete" if support.discrete else support.kind
        raise state.fail(
            site.name,
            f"{site.missing.size} observed values are NaN, but {kind} values cannot be unknown; leave them out",
        )
    name = f"{site.name}_missing"
    state.claim(name)
    parameter = Site(
        "parameter",
        name,
        (site.missing.size,),
        _missing_dim(state, site),
        site.where,
        site.distribution,
        Support("real", _entries(support.lower, site), _entries(support.upper, site), support.closed),
        site.obs,
        site.missing,
    )
    unknown = _parameter(state, parameter)
    source = np.arange(site.obs.size)
    source[site.missing] = site.obs.size + np.arange(site.missing.size)
    return np.reshape(np.concatenate([np.reshape(site.obs, -1), unknown])[source], site.shape)


def _entries(bound: Any, site: Site) -> Any:
    """A bound of the whole variable at its missing entries."""
    return (
        bound
        if bound is None or np.ndim(bound) == 0
        else np.reshape(np.broadcast_to(bound, site.shape), -1)[site.missing]
    )


def _missing_dim(state: _Run, site: Site) -> Dims:
    """A dim for the missing entries whose labels say which they are: positions, or labels of the variable's own dims."""
    dim = f"{site.name}_missing_entry"
    where = np.unravel_index(site.missing, site.shape)
    axes = [state.coords[site.dims[i]][w] if site.dims else w for i, w in enumerate(where)]
    state.coords[dim] = (
        axes[0] if len(axes) == 1 else _labels(dim, [",".join(map(str, entry)) for entry in zip(*axes, strict=True)])
    )
    return (dim,)
