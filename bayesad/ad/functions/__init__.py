"""What NumPy's functions mean on traced arrays: compositions of primitives, one module per family of functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import FUNCTIONS, TracedArray, fresh_buffer, is_traced, may_hold_traced, value_of
from bayesad.errors import TracingError

__all__ = ["call"]

# Functions whose result shares memory with their argument, or that write into it: called on buffers too, so that
# the link is kept.
IN_PLACE = {
    np.reshape,
    np.transpose,
    np.swapaxes,
    np.moveaxis,
    np.rollaxis,
    np.squeeze,
    np.expand_dims,
    np.ravel,
    np.broadcast_to,
    np.broadcast_arrays,
    np.atleast_1d,
    np.atleast_2d,
    np.atleast_3d,
    np.flip,
    np.fliplr,
    np.flipud,
    np.rot90,
    np.split,
    np.array_split,
    np.hsplit,
    np.vsplit,
    np.dsplit,
    np.fill_diagonal,
    np.copyto,
    np.put,
    np.put_along_axis,
    np.putmask,
    np.place,
    np.shares_memory,
    np.may_share_memory,
}


def contains_traced(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return may_hold_traced(x) and any([contains_traced(e) for e in x])
    return is_traced(x)


def without_buffers(x: Any) -> Any:
    """Arguments with the plain values in place of buffers."""
    if type(x) is list or type(x) is tuple:
        return type(x)([without_buffers(e) for e in x]) if may_hold_traced(x) else x
    return value_of(x) if type(x) is TracedArray else x


def call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A NumPy function called with at least one traced array or buffer."""
    out = kwargs.pop("out", None)
    result = _answer(function, args, kwargs)
    return result if out is None else mutation.write_out(out, result, f"np.{function.__name__}(…, out=)")


def _answer(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    traced = any(contains_traced(a) for a in args) or any(contains_traced(a) for a in kwargs.values())
    implementation = FUNCTIONS.get(function)
    if not traced and function not in IN_PLACE:
        plain_args, plain_kwargs = without_buffers(args), {k: without_buffers(v) for k, v in kwargs.items()}
        return as_buffers(function(*plain_args, **plain_kwargs), plain_args)
    if implementation is None:
        name = f"{getattr(function, '__module__', 'numpy')}.{getattr(function, '__name__', function)}"
        raise TracingError(
            f"{name} has no traced meaning yet, so its derivative is unknown; use functions that have one "
            "(see bayesad/ad/functions), or give it a derivative with ad.custom_vjp"
        )
    return implementation(*args, **kwargs)


def as_buffers(result: Any, plain: Any) -> Any:
    """The fresh arrays in a result, as buffers: unknowns may be written into what was computed from buffers too."""
    if type(result) is list or type(result) is tuple:
        return type(result)(as_buffers(r, plain) for r in result)
    return fresh_buffer(result, plain)


from bayesad.ad.functions import (  # noqa: E402, F401
    creation,
    joining,
    linalg,
    manipulation,
    mutation,
    products,
    reductions,
    refusals,
    selection,
    sequences,
    sizes,
    statistics,
    ufuncs,
)
