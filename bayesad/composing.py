"""Models made of parts: prefixes, submodels, plates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bayesad.ad.swaps import visit
from bayesad.dsl import Model, coord
from bayesad.running import running

__all__ = ["plate", "prefix", "submodel"]


@contextmanager
def prefix(name: str) -> Iterator[None]:
    """Put a name and a dot before the names of all variables declared inside: ``with ba.prefix("a"):``.

    Parameters
    ----------
    name : str

    Raises
    ------
    ModelError
        Outside a model.
    """
    state = running("prefix", name)
    state.prefixes.append(name)
    try:
        yield
    finally:
        state.prefixes.pop()


def submodel(name: str, model: Model | Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run another model as a part of this one, its variables named ``name.variable``.

    Parameters
    ----------
    name : str
    model : Model or function
        Dims are shared with the model around it; changes by `condition`, `do` and `reparameterise` come along.
    *args, **kwargs
        Its arguments; they may depend on parameters.

    Returns
    -------
    any
        What the model's function returns.

    Raises
    ------
    ModelError
        Outside a model; if there is nothing to call.

    Examples
    --------
    >>> import bayesad as ba
    >>> def line(x):
    ...     return ba.sample("intercept", ba.Normal(0, 1)) + ba.sample("slope", ba.Normal(0, 1)) * x
    >>> @ba.model
    ... def two_lines(x, y, z):
    ...     ba.sample("y", ba.Normal(ba.submodel("a", line, x), 1), obs=y)
    ...     ba.sample("z", ba.Normal(ba.submodel("b", line, x), 1), obs=z)
    >>> list(two_lines(x=[0, 1], y=[0.1, 1.2], z=[2.0, 1.0]).parameters)
    ['a.intercept', 'a.slope', 'b.intercept', 'b.slope']
    """
    state = running("submodel", name)
    if not callable(model):
        raise state.fail(name, f"a submodel is a model or a function, which is called here; got {model!r}")
    visit(model.function if isinstance(model, Model) else model)
    with prefix(name):
        if not isinstance(model, Model):
            return model(*args, **kwargs)
        for dim, labels in model.coords.items():
            coord(dim, labels)
        with state.changed(model.changes):
            return model.function(*args, **kwargs)


@contextmanager
def plate(name: str, labels: Any = None) -> Iterator[np.ndarray]:
    """Repeat what is declared inside, independently: ``with ba.plate("school", 8):``.

    Every variable inside gets one more axis, the first one, with this dim: a distribution of numbers gives a vector,
    parameters and data inside have a row for each repetition. In plates within plates the outer one comes first. Arrays
    from outside broadcast as always in NumPy, against the last axes.

    Parameters
    ----------
    name : str
        Of the dim.
    labels : sequence or int, optional
        As for `coord`; not needed for a dim that is known.

    Yields
    ------
    array
        The labels.

    Raises
    ------
    ModelError
        Outside a model, or for a dim that is not known.
    """
    state = running("plate", name)
    if labels is None and name not in state.coords:
        raise state.fail(name, "the dim of this plate is unknown; give its labels or its length as second argument")
    found = state.coords[name] if labels is None else coord(name, labels)
    if name in state.plates:
        raise state.fail(name, "a plate of this dim is open already; give the inner one a name of its own")
    state.plates.append(name)
    try:
        yield found
    finally:
        state.plates.pop()
