"""Moving data: shapes, axes, joining, repeating, selecting, sorting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, asarray, bind, implements, view_function
from bayesad.ad.functions.reductions import normalise_axes, normalise_axis
from bayesad.ad.primitives import elementwise as ew
from bayesad.ad.primitives import shaping

__all__ = ["viewing"]


def viewing(*functions: Any) -> Any:
    """As ``implements``, for functions whose result is a view of their first argument."""

    def register(f: Any) -> Any:
        linked = view_function(f)
        implements(*functions)(linked)
        return linked

    return register


# --- facts
@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    return asarray(a).shape


@implements(np.ndim)
def ndim(a: Any) -> int:
    return asarray(a).ndim


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    dimensions = asarray(a).shape
    return math.prod(dimensions if axis is None else [dimensions[i] for i in normalise_axes(axis, len(dimensions))])


# --- shapes and axes (views)
@viewing(np.reshape)
def reshape(a: Any, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None) -> Any:
    a = asarray(a)
    wanted = shape if shape is not None else newshape
    wanted = tuple(int(n) for n in wanted) if isinstance(wanted, (tuple, list)) else (int(wanted),)
    if -1 in wanted:
        known = -math.prod(wanted)
        wanted = tuple(a.size // known if n == -1 else n for n in wanted) if known else wanted
    if math.prod(wanted) != a.size:
        raise ValueError(f"an array of shape {a.shape} ({a.size} elements) cannot be reshaped to {wanted}")
    if order == "F":
        return transpose(shaping.reshape(transpose(a), wanted[::-1]))
    return shaping.reshape(a, wanted)


@viewing(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    a = asarray(a)
    order = tuple(range(a.ndim))[::-1] if axes is None else tuple(normalise_axis(i, a.ndim) for i in axes)
    return shaping.transpose(a, order)


@viewing(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    a = asarray(a)
    order = list(range(a.ndim))
    i, j = normalise_axis(axis1, a.ndim), normalise_axis(axis2, a.ndim)
    order[i], order[j] = order[j], order[i]
    return shaping.transpose(a, tuple(order))


@viewing(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    a = asarray(a)
    sources = (source,) if isinstance(source, (int, np.integer)) else tuple(source)
    destinations = (destination,) if isinstance(destination, (int, np.integer)) else tuple(destination)
    moved = [normalise_axis(i, a.ndim) for i in sources]
    order = [i for i in range(a.ndim) if i not in moved]
    for target, i in sorted(zip([normalise_axis(d, a.ndim) for d in destinations], moved, strict=True)):
        order.insert(target, i)
    return shaping.transpose(a, tuple(order))


@viewing(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    a = asarray(a)
    axes = [i for i, n in enumerate(a.shape) if n == 1] if axis is None else normalise_axes(axis, a.ndim)
    for i in axes:
        if a.shape[i] != 1:
            raise ValueError(f"cannot squeeze axis {i} of an array of shape {a.shape}: its length is not 1")
    return shaping.reshape(a, tuple(n for i, n in enumerate(a.shape) if i not in axes))


@viewing(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    a = asarray(a)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = a.ndim + len(axes)
    new = {normalise_axis(i, ndim) for i in axes}
    rest = iter(a.shape)
    return shaping.reshape(a, tuple(1 if i in new else next(rest) for i in range(ndim)))


@viewing(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    return reshape(a, -1, order=order if order in "CF" else "C")


@viewing(np.broadcast_to)
def broadcast_to(a: Any, shape: Any, subok: bool = False) -> Any:
    shape = (int(shape),) if not isinstance(shape, (tuple, list)) else tuple(int(n) for n in shape)
    if np.broadcast_shapes(np.shape(a), shape) != shape:
        raise ValueError(f"an array of shape {np.shape(a)} does not broadcast to {shape}")
    return shaping.broadcast_to(asarray(a), shape)


@implements(np.concatenate)
def concatenate(arrays: Any, axis: Any = 0, out: Any = None, dtype: Any = None, casting: Any = None) -> Any:
    arrays = [asarray(a) for a in arrays]
    if axis is None:
        arrays, axis = [ravel(a) for a in arrays], 0
    position = normalise_axis(axis, arrays[0].ndim)
    rest = {a.shape[:position] + a.shape[position + 1 :] for a in arrays}
    if len(rest) > 1:
        raise ValueError(
            f"cannot concatenate along axis {axis}: the shapes {[a.shape for a in arrays]} differ elsewhere"
        )
    return shaping.concatenate(arrays, position)


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, out: Any = None, **_: Any) -> Any:
    arrays = [asarray(a) for a in arrays]
    if len({a.shape for a in arrays}) > 1:
        raise ValueError(f"cannot stack arrays of different shapes: {[a.shape for a in arrays]}")
    return moveaxis(shaping.stack_rows(arrays), 0, axis)


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        return np.nonzero(condition)
    return bind(ew.where, (asarray(condition), asarray(x), asarray(y)))


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    a = asarray(a)
    return TracedArray(a.recording, a.node, a.value)


def _raised(a: Any, ndim: int) -> Any:
    a = asarray(a)
    return reshape(a, (1,) * (ndim - a.ndim) + a.shape) if a.ndim < ndim else a


@implements(np.atleast_1d)
def atleast_1d(*arrays: Any) -> Any:
    results = tuple(_raised(a, 1) for a in arrays)
    return results[0] if len(results) == 1 else results


@implements(np.atleast_2d)
def atleast_2d(*arrays: Any) -> Any:
    results = tuple(_raised(a, 2) for a in arrays)
    return results[0] if len(results) == 1 else results
