"""How a model is run: what its statements tell (sites), what is done about them (handlers), and the run in force."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesad.ad.array import value_of
from bayesad.ad.failures import failures_are_nan
from bayesad.ad.plain import indexable
from bayesad.ad.scan import steps_being_traced
from bayesad.ad.swaps import visit
from bayesad.errors import DistributionError, ModelError
from bayesad.locations import blame, current_line

if TYPE_CHECKING:
    from bayesad.dsl import Model

__all__ = [
    "Dims",
    "Draw",
    "Handler",
    "Run",
    "Shape",
    "Site",
    "at_site",
    "current_run",
    "given_or_drawn",
    "ignore",
    "run",
    "running",
]

Shape = tuple[int, ...]
Dims = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Site:
    """One statement of a model as it is met in a run.

    Attributes
    ----------
    kind : str
        "parameter", "summed" (a discrete unknown that is summed out), "observed", "deterministic" or "factor".
    name : str
    shape : tuple of int
        Of the value.
    dims : tuple of str
        Names of its axes, or empty.
    where : str
        ``file:line`` of the statement.
    distribution : Distribution or None
        Of a parameter, a summed or an observed site.
    support : Support or None
        Of a parameter or a summed site; its bounds may be traced.
    obs : ndarray or None
        Of an observed site: the data as given, NaN where they are missing.
    missing : int array or None
        Flat positions of the missing entries in ``obs``. An unknown that has this is not a variable of its own but
        the missing entries of an observed one, and has its distribution.
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
        if self.kind != "observed" and self.missing is not None:
            return np.reshape(self.distribution.draw(rng, self.obs.shape), -1)[self.missing]
        return self.distribution.draw(rng, self.shape)


class Draw(NamedTuple):
    """What a handler gives in the place of a value that is to be drawn from the site's distribution.

    Attributes
    ----------
    rng : numpy.random.Generator
    otherwise : callable, optional
        ``otherwise(site) -> value`` where the distribution cannot be drawn from, which is an error without it.
    """

    rng: np.random.Generator
    otherwise: Callable[[Site], Any] | None = None


def given_or_drawn(answer: Any, site: Site) -> Any:
    """The value of a site, from what the handler answered."""
    if not isinstance(answer, Draw):
        return answer
    try:
        return indexable(site.draw(answer.rng)[()])
    except DistributionError:
        if answer.otherwise is None:
            raise
        return answer.otherwise(site)


def _keep(site: Site, value: Any) -> Any:
    return value


def ignore(site: Site, value: Any) -> None:
    """Take no note of a site."""


def _lowest(site: Site) -> Any:
    return value_of(np.array(np.broadcast_to(site.support.lower, site.shape))).astype(np.int64)[()]


class Handler(NamedTuple):
    """What the statements of a model do in a run.

    Attributes
    ----------
    parameter : callable
        ``parameter(site) -> value`` of a free parameter, or a `Draw`.
    observed : callable
        ``observed(site, value) -> value`` that the model sees of an observed site, or a `Draw`; ``value`` has missing
        entries filled in.
    note : callable
        ``note(site, value)`` is told of every site with its value, after the others.
    summed : callable
        ``summed(site) -> value`` of a discrete unknown that is summed out, or a `Draw`; by default its smallest value.
    """

    parameter: Callable[[Site], Any]
    observed: Callable[[Site, Any], Any] = _keep
    note: Callable[[Site, Any], None] = ignore
    summed: Callable[[Site], Any] = _lowest


class Run:
    """A model being run: the handler in force, the names taken and the coordinates known so far.

    Attributes
    ----------
    observed : mapping
        Name -> observed values, of those known from an earlier run.
    row : callable or None
        In the step of `bayesad.scan`: ``row(name, values) -> those that belong to the step``.
    """

    def __init__(self, model: Model, handler: Handler, observed: Mapping[str, np.ndarray]) -> None:
        self.model = model
        self.handler = handler
        self.observed = observed
        self.row: Callable[[str, Any], Any] | None = None
        self._steps = 0
        self.coords = dict(model.coords)
        self.changes = dict(model.changes)
        self.taken: dict[str, str] = {}
        self.prefixes: list[str] = []
        self.plates: list[str] = []

    def fail(self, name: str, problem: str) -> ModelError:
        """An error about a variable at the line being run."""
        return ModelError(at_site(self.model, name, current_line(), problem))

    def named(self, name: Any) -> Any:
        """A name with the prefixes in force before it."""
        return ".".join([*self.prefixes, name]) if self.prefixes and isinstance(name, str) else name

    @contextmanager
    def under(self, handler: Handler, row: Callable[[str, Any], Any] | None) -> Iterator[None]:
        """While entered, another handler is in force, and statements may belong to a step of a loop."""
        before = self.handler, self.row, self._steps
        self.handler, self.row, self._steps = handler, row, steps_being_traced()
        try:
            yield
        finally:
            self.handler, self.row, self._steps = before

    def part(self, name: str, values: Any) -> Any:
        """Of values given for all of a variable those that belong to the statement being run."""
        return values if self.row is None or np.ndim(values) == 0 else self.row(name, values)

    @contextmanager
    def changed(self, changes: Mapping[str, Any]) -> Iterator[None]:
        """While entered, changes of a submodel are in force too; those of the model around it come first."""
        own = {self.named(name): change for name, change in changes.items()}
        self.changes = {**own, **self.changes}
        yield
        for name in own:
            if name not in self.taken:
                raise self.fail(name, "the submodel has no such variable to change")

    def claim(self, name: Any) -> str:
        """Take a name for a site; returns the line."""
        if not isinstance(name, str):
            raise self.fail(name, f"the name of a variable is a string, not {type(name).__name__}")
        if steps_being_traced() > self._steps:
            raise self.fail(
                name,
                "a variable in the step of ad.scan or ad.while_loop, in a function of ad.cond, or in a loop within a "
                "loop would be one for all steps. In the step of ba.scan there is one for each; else sample an array "
                "with a row per step before the loop and pass it as xs",
            )
        where = current_line()
        if name in self.taken:
            raise self.fail(name, f"the name is taken by the statement at {self.taken[name]}; names must differ")
        self.taken[name] = where
        return where


_current: ContextVar[Run | None] = ContextVar("bayesad_run", default=None)


def run(
    model: Model, data: Mapping[str, Any], handler: Handler, observed: Mapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Run a model's function under a handler.

    Parameters
    ----------
    model : Model
    data : mapping
        Its arguments, from `Model.bind`.
    handler : Handler
    observed : mapping, optional
        Name -> observed values as an earlier run found them. A run that is not traced needs them for variables in the
        step of `bayesad.scan`.

    Returns
    -------
    dict
        Name -> labels of every dim known at the end.

    Raises
    ------
    DistributionError
        From the user's distributions, with model, variable and line added.
    """
    state = Run(model, handler, observed or {})
    token = _current.set(state)
    try:
        bound = inspect.BoundArguments(model.signature, dict(data))
        visit(model.function)
        with failures_are_nan():
            model.function(*bound.args, **bound.kwargs)
    except DistributionError as error:
        line, variable = blame(error.__traceback__)
        at = f"variable {variable!r} ({line})" if variable is not None else line
        raise DistributionError(f"model {model.name!r}, {at}: {error}").with_traceback(error.__traceback__) from None
    finally:
        _current.reset(token)
    return state.coords


def current_run() -> Run | None:
    """The run in force in this thread, if there is one."""
    return _current.get()


def running(statement: str, name: Any) -> Run:
    """The run in force in this thread; ModelError where there is none."""
    state = _current.get()
    if state is None:
        raise ModelError(
            f"ba.{statement}({name!r}, …) was called outside a model ({current_line()}); put it into a function "
            "decorated with @ba.model and call that with its data"
        )
    return state


def at_site(model: Model, name: Any, where: str, problem: str) -> str:
    """What to say of a problem with one variable of a model."""
    return f"model {model.name!r}, variable {name!r} ({where}): {problem}"
