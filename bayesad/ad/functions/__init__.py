"""What NumPy's functions mean on traced arrays: compositions of primitives, one module per family of functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import FUNCTIONS, TracedArray, is_traced, value_of
from bayesad.errors import TracingError

__all__ = ["call"]

# Functions whose result shares memory with their argument: called on buffers too, so that the link is kept.
VIEWS = {
    np.reshape,
    np.transpose,
    np.swapaxes,
    np.moveaxis,
    np.squeeze,
    np.expand_dims,
    np.ravel,
    np.broadcast_to,
    np.atleast_1d,
    np.atleast_2d,
}


def contains_traced(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(contains_traced(e) for e in x)
    return is_traced(x)


def without_buffers(x: Any) -> Any:
    """Arguments with the plain values in place of buffers."""
    if type(x) is list or type(x) is tuple:
        return type(x)(without_buffers(e) for e in x)
    return value_of(x) if type(x) is TracedArray else x


def call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A NumPy function called with at least one traced array or buffer."""
    traced = any(contains_traced(a) for a in args) or any(contains_traced(a) for a in kwargs.values())
    implementation = FUNCTIONS.get(function)
    if not traced and (function not in VIEWS or implementation is None):
        return function(*without_buffers(args), **{k: without_buffers(v) for k, v in kwargs.items()})
    if implementation is None:
        name = f"{getattr(function, '__module__', 'numpy')}.{getattr(function, '__name__', function)}"
        raise TracingError(
            f"{name} has no traced meaning yet, so its derivative is unknown; use functions that have one "
            "(see bayesad/ad/functions), or give it a derivative with ad.custom_vjp"
        )
    return implementation(*args, **kwargs)


from bayesad.ad.functions import creation, linalg, manipulation, products, reductions, ufuncs  # noqa: E402, F401
