"""Joining, splitting, repeating, padding, shifting and flipping arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import asarray, bind, buffer, implements
from bayesad.ad.functions.manipulation import viewing
from bayesad.ad.functions.reductions import normalise_axes, normalise_axis
from bayesad.ad.primitives import shaping
from bayesad.errors import TracingError

__all__: list[str] = []


def _along(axis: int, part: Any) -> tuple[Any, ...]:
    """An index with ``part`` at an axis and everything along those before it."""
    return (*(slice(None),) * axis, part)


# --- joining
@implements(np.hstack)
def hstack(tup: Any, **_: Any) -> Any:
    arrays = [np.atleast_1d(asarray(a)) for a in tup]
    return np.concatenate(arrays, axis=0 if arrays[0].ndim == 1 else 1)


@implements(np.vstack)
def vstack(tup: Any, **_: Any) -> Any:
    return np.concatenate([np.atleast_2d(asarray(a)) for a in tup], axis=0)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    return np.concatenate([np.atleast_3d(asarray(a)) for a in tup], axis=2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    arrays = [asarray(a) for a in tup]
    return np.concatenate([a if a.ndim > 1 else np.reshape(a, (-1, 1)) for a in arrays], axis=1)


@implements(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.concatenate([np.ravel(asarray(arr)), np.ravel(asarray(values))])
    return np.concatenate([asarray(arr), asarray(values)], axis=axis)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """One position, given as an int."""
    if not isinstance(obj, (int, np.integer)):
        raise TracingError("np.insert on traced arrays takes one position, an int; use np.concatenate for several")
    a, position = (np.ravel(asarray(arr)), 0) if axis is None else (asarray(arr), normalise_axis(axis, np.ndim(arr)))
    start = int(obj) + (a.shape[position] if obj < 0 else 0)
    new = asarray(values)
    rest = a.shape[:position] + a.shape[position + 1 :]
    if new.ndim < a.ndim and not (new.ndim == a.ndim - 1 and position != 0):
        new = np.broadcast_to(new, rest) if new.ndim or rest else new
        new = np.expand_dims(new, position)
    elif new.ndim < a.ndim:
        new = new[(..., *(None,) * (a.ndim - new.ndim))]
    before, after = a[_along(position, slice(None, start))], a[_along(position, slice(start, None))]
    return np.concatenate([before, new, after], axis=position)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    a, position = (np.ravel(asarray(arr)), 0) if axis is None else (asarray(arr), normalise_axis(axis, np.ndim(arr)))
    return a[_along(position, np.delete(np.arange(a.shape[position]), obj))]


def _block(nested: Any, depth: int, axis: int) -> Any:
    if not isinstance(nested, list):
        a = asarray(nested)
        return np.reshape(a, (1,) * (depth - a.ndim) + a.shape)
    return np.concatenate([_block(part, depth, axis + 1) for part in nested], axis=axis)


@implements(np.block)
def block(arrays: Any) -> Any:
    def levels(x: Any) -> int:
        return 1 + max(levels(part) for part in x) if isinstance(x, list) else 0

    def widest(x: Any) -> int:
        return max(widest(part) for part in x) if isinstance(x, list) else np.ndim(x)

    nesting = levels(arrays)
    depth = max(nesting, widest(arrays))
    return _block(arrays, depth, depth - nesting)


@implements(np.atleast_3d)
def atleast_3d(*arrays: Any) -> Any:
    def raised(a: Any) -> Any:
        a = asarray(a)
        shape = {0: (1, 1, 1), 1: (1, *a.shape, 1), 2: (*a.shape, 1)}.get(a.ndim)
        return a if shape is None else np.reshape(a, shape)

    results = tuple(raised(a) for a in arrays)
    return results[0] if len(results) == 1 else results


@implements(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any, subok: bool = False) -> tuple[Any, ...]:
    shape = np.broadcast_shapes(*[np.shape(a) for a in arrays])
    return tuple(np.broadcast_to(asarray(a), shape) for a in arrays)


@implements(np.meshgrid)
def meshgrid(*axes: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    arrays = [np.ravel(asarray(a)) for a in axes]
    n = len(arrays)
    grids = [np.reshape(a, (1,) * i + (-1,) + (1,) * (n - 1 - i)) for i, a in enumerate(arrays)]
    if indexing == "xy" and n > 1:
        grids = [np.swapaxes(g, 0, 1) for g in grids]
    return tuple(grids) if sparse else broadcast_arrays(*grids)


# --- splitting: views, as in NumPy
@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    a = asarray(ary)
    position = normalise_axis(axis, a.ndim)
    n = a.shape[position]
    if isinstance(indices_or_sections, (int, np.integer)):
        size, longer = divmod(n, int(indices_or_sections))
        lengths = [size + 1] * longer + [size] * (int(indices_or_sections) - longer)
        cuts = np.cumsum(lengths)[:-1].tolist()
    else:
        cuts = [int(i) for i in indices_or_sections]
    return [a[_along(position, slice(i, j))] for i, j in zip([0, *cuts], [*cuts, n], strict=True)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    if isinstance(indices_or_sections, (int, np.integer)):
        n = np.shape(ary)[axis]
        if n % indices_or_sections:
            raise ValueError(f"an axis of length {n} does not split into {indices_or_sections} equal parts")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return split(ary, indices_or_sections, 0 if np.ndim(ary) == 1 else 1)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return split(ary, indices_or_sections, 2)


@implements(np.unstack) if hasattr(np, "unstack") else (lambda f: f)  # NumPy 2.1
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    return tuple(np.moveaxis(asarray(x), axis, 0))


# --- repeating and padding
@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    a = asarray(a)
    a, position = (np.ravel(a), 0) if axis is None else (a, normalise_axis(axis, a.ndim))
    n = a.shape[position]
    counts = np.asarray(repeats)
    if counts.size != 1:
        return a[_along(position, np.repeat(np.arange(n), counts))]
    k = int(counts.reshape(()))
    lead, rest = a.shape[: position + 1], a.shape[position + 1 :]
    spread = np.broadcast_to(np.reshape(a, (*lead, 1, *rest)), (*lead, k, *rest))
    return np.reshape(spread, (*a.shape[:position], n * k, *rest))


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    a = asarray(A)
    counts = [int(k) for k in np.ravel(reps)]
    ndim = max(a.ndim, len(counts))
    shape, counts = (1,) * (ndim - a.ndim) + a.shape, [1] * (ndim - len(counts)) + counts
    spread = np.reshape(a, [n for length in shape for n in (1, length)])
    full = tuple(n for k, length in zip(counts, shape, strict=True) for n in (k, length))
    return np.reshape(np.broadcast_to(spread, full), [k * n for k, n in zip(counts, shape, strict=True)])


GATHERED_PADDING = ("edge", "reflect", "symmetric", "wrap")


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0, **options: Any) -> Any:
    a = asarray(array)
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(i, pad_width.get(i - a.ndim, 0)) for i in range(a.ndim)]
        pad_width = [(w, w) if np.ndim(w) == 0 else w for w in pad_width]
    widths = [(int(i), int(j)) for i, j in np.broadcast_to(np.asarray(pad_width), (a.ndim, 2))]
    if mode == "constant":
        return _pad_constant(a, widths, constant_values)
    if mode not in GATHERED_PADDING:
        raise TracingError(f"np.pad of traced arrays knows the modes 'constant', {GATHERED_PADDING}; found {mode!r}")
    for axis, width in enumerate(widths):
        if width != (0, 0):
            a = a[_along(axis, np.pad(np.arange(a.shape[axis]), width, mode, **options))]  # type: ignore[call-overload]
    return a


def _pad_constant(a: Any, widths: Sequence[tuple[int, int]], constant_values: Any) -> Any:
    edges = np.broadcast_to(asarray(constant_values), (a.ndim, 2))
    for axis, (before, after) in enumerate(widths):
        parts = []
        for n, value in ((before, edges[axis, 0]), (0, None), (after, edges[axis, 1])):
            if value is None:
                parts.append(a)
            elif n:
                parts.append(np.broadcast_to(value, (*a.shape[:axis], n, *a.shape[axis + 1 :])))
        a = np.concatenate(parts, axis=axis)
    return a


# --- shifting and flipping
@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    a = asarray(a)
    if axis is None:
        return np.reshape(roll(np.ravel(a), shift, 0), a.shape)
    for step, position in np.broadcast(shift, axis):
        i = normalise_axis(position, a.ndim)
        n = a.shape[i]
        k = int(step) % n if n else 0
        if k:
            a = np.concatenate([a[_along(i, slice(n - k, None))], a[_along(i, slice(None, n - k))]], axis=i)
    return a


@viewing(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    m = asarray(m)
    return bind(shaping.flip_p, (m,), {"axes": normalise_axes(axis, m.ndim)})


@viewing(np.fliplr)
def fliplr(m: Any) -> Any:
    return flip(m, 1)


@viewing(np.flipud)
def flipud(m: Any) -> Any:
    return flip(m, 0)


@viewing(np.rot90)
def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    m = asarray(m)
    turns = k % 4
    if turns == 0:
        return m[...]
    if turns == 2:
        return flip(m, tuple(axes))
    if turns == 1:
        return np.swapaxes(flip(m, axes[1]), axes[0], axes[1])
    return flip(np.swapaxes(m, axes[0], axes[1]), axes[1])


@viewing(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    position = normalise_axis(axis, np.ndim(a))
    start += np.ndim(a) if start < 0 else 0
    return np.moveaxis(a, position, start - 1 if start > position else start)


@viewing(np.permute_dims) if np.permute_dims is not np.transpose else (lambda f: f)
def permute_dims(a: Any, axes: Any = None) -> Any:
    return np.transpose(a, axes)


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    flat = np.ravel(asarray(a))
    shape = (new_shape,) if isinstance(new_shape, (int, np.integer)) else tuple(new_shape)
    return np.reshape(flat[np.arange(int(np.prod(shape, dtype=np.int64))) % flat.shape[0]], shape)


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    return diag(np.ravel(asarray(v)), k)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix with a diagonal."""
    v = asarray(v)
    if v.ndim == 2:
        return np.diagonal(v, k)
    if v.ndim != 1:
        raise ValueError(f"diag takes a vector or a matrix; the array has shape {v.shape}")
    n = v.shape[0] + abs(int(k))
    made = buffer(np.zeros((n, n)))
    rows = np.arange(v.shape[0]) + max(-int(k), 0)
    made[rows, rows + int(k)] = v
    return made


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    m = _matrix_of(m)
    return np.where(_triangle(m.shape, k), m, 0 if m.dtype.kind == "i" else 0.0)


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    m = _matrix_of(m)
    return np.where(_triangle(m.shape, k - 1), 0 if m.dtype.kind == "i" else 0.0, m)


def _triangle(shape: tuple[int, ...], k: int) -> np.ndarray:
    """Where the lower triangle is."""
    rows, columns = shape[-2:]
    return np.tri(rows, columns, k, dtype=bool)


def _matrix_of(m: Any) -> Any:
    m = asarray(m)
    return np.broadcast_to(m, (m.shape[0], m.shape[0])) if m.ndim == 1 else m


@implements(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    x = asarray(x)
    powers = np.arange(x.shape[0] if N is None else int(N))
    return x[:, None] ** (powers if increasing else powers[::-1])
