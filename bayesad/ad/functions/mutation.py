"""NumPy functions that write into their first argument."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, asarray, implements, is_traced, value_of
from bayesad.ad.functions.products import diagonal_positions
from bayesad.ad.functions.reductions import normalise_axis
from bayesad.ad.functions.selection import along_axis_index
from bayesad.errors import TracingError

__all__ = ["writable", "write_out"]


def writable(a: Any, name: str) -> TracedArray:
    """The array to write into; a TracingError if it is a plain one, which could only hold constants."""
    if not isinstance(a, TracedArray):
        raise TracingError(
            f"{name} cannot put an unknown's value into a plain array in place (the array was made outside of the "
            "traced function, or is data); make the array inside, for example with np.zeros, or start from np.array(a)"
        )
    return a


def write_out(out: Any, result: Any, name: str) -> Any:
    """Put a result into the array given as ``out``."""
    if isinstance(out, np.ndarray) and not is_traced(result):
        out[...] = value_of(result)
    else:
        writable(out, name)[...] = result
    return out


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    a = writable(a, "np.fill_diagonal")
    if wrap or a.ndim < 2:
        raise TracingError("np.fill_diagonal of a traced array needs two or more axes and no wrap")
    if a.ndim == 2:
        positions: tuple[Any, ...] = diagonal_positions(a.shape, 0)
    else:
        positions = (np.arange(a.shape[0]),) * a.ndim
    n = positions[0].shape[0]
    values = np.ravel(asarray(val))
    a[positions] = values if values.shape[0] == 1 else values[np.arange(n) % values.shape[0]]


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    dst = writable(dst, "np.copyto")
    dst[...] = src if where is True else np.where(where, src, dst)


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    a = writable(a, "np.put")
    positions, values = np.ravel(value_of(asarray(ind))), np.ravel(asarray(v))
    n = a.size
    positions = np.clip(positions, 0, n - 1) if mode == "clip" else positions % n if mode == "wrap" else positions
    flat = np.reshape(a, -1)
    flat[positions] = values[np.arange(positions.shape[0]) % values.shape[0]]


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    a, indices = writable(arr, "np.put_along_axis"), value_of(asarray(indices))
    if axis is None:
        put(a, indices, np.broadcast_to(asarray(values), indices.shape))
    else:
        a[along_axis_index(a.shape, indices, normalise_axis(axis, a.ndim))] = values


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    a, values = writable(a, "np.putmask"), np.ravel(asarray(values))
    spread = np.reshape(values[np.arange(a.size) % values.shape[0]], a.shape)
    a[...] = np.where(mask, spread, a)


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    a, mask = writable(arr, "np.place"), value_of(asarray(mask))
    if is_traced(mask):
        raise TracingError("np.place with a mask that depends on unknowns; use np.where(mask, values, a)")
    positions, values = np.flatnonzero(mask), np.ravel(asarray(vals))
    np.reshape(a, -1)[positions] = values[np.arange(positions.shape[0]) % values.shape[0]]
