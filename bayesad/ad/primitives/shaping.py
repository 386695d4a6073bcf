"""Primitives that move data without changing it: reshape, transpose, broadcast, concatenate; and their sums."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad.ad.primitives.table import Primitive, define, require_shapes

__all__ = ["broadcast_to", "concatenate", "fits", "reshape", "stack_rows", "sum_to", "transpose"]


def _bind(primitive: Any, args: tuple[Any, ...], **attributes: Any) -> Any:
    from bayesad.ad.array import bind

    return bind(primitive, args, attributes)


def shape_of(a: Any) -> tuple[int, ...]:
    """Of an array or a number; np.shape takes longer, as it asks a traced array by NumPy's protocol."""
    return getattr(a, "shape", ())


# --- functions used by rules and by the NumPy functions built on these primitives
def reshape(a: Any, shape: tuple[int, ...]) -> Any:
    return a if shape_of(a) == shape else _bind(reshape_p, (a,), shape=shape)


def transpose(a: Any, axes: tuple[int, ...]) -> Any:
    return a if axes == tuple(range(len(axes))) else _bind(transpose_p, (a,), axes=axes)


def broadcast_to(a: Any, shape: tuple[int, ...]) -> Any:
    return a if shape_of(a) == shape else _bind(broadcast_p, (a,), shape=shape)


def concatenate(arrays: Sequence[Any], axis: int) -> Any:
    return arrays[0] if len(arrays) == 1 else _bind(concatenate_p, tuple(arrays), axis=axis)


def stack_rows(arrays: Sequence[Any]) -> Any:
    """Arrays of one shape along a new first axis."""
    return _bind(stack_p, tuple(arrays))


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum an array over the axes along which ``shape`` was broadcast to it."""
    from bayesad.ad.primitives.reductions import sum_p

    have = shape_of(g)
    if have == shape:
        return g
    lead = len(have) - len(shape)
    axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and have[i + lead] != 1)
    if axes:
        g = _bind(sum_p, (g,), axes=axes)
    return reshape(g, shape)


def unbroadcast(g: Any, full: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """The cotangent of an input of ``shape`` that was broadcast to ``full``.

    ``g`` need only broadcast to ``full``, and the result need only broadcast to ``shape``: axes that ``g`` leaves out
    count as repeated, so where the input is repeated too they multiply instead of being summed.
    """
    from bayesad.ad.primitives.reductions import sum_p

    have = shape_of(g)
    if have == shape == full:
        return g
    lead = len(full) - len(shape)
    padded = (1,) * (len(full) - len(have)) + have
    target = (1,) * lead + shape
    repeated = [i for i, n in enumerate(full) if target[i] == 1 and n != 1]
    summed = tuple(i for i in repeated if padded[i] != 1)
    repeats = math.prod([full[i] for i in repeated if i not in summed])
    if summed:
        g = _bind(sum_p, (reshape(g, padded),), axes=summed)
        kept = tuple(1 if i in summed else n for i, n in enumerate(padded))[lead:]
    else:
        kept = have[len(have) - len(shape) :] if len(have) > len(shape) else have
    g = reshape(g, kept)
    return g if repeats == 1 else g * float(repeats)


# --- the primitives
def _reshaped(a: Any, shape: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(math.prod(shape) == math.prod(a.shape), f"reshape to {shape}", a)
    return shape, a.dtype


def _transposed(a: Any, axes: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(sorted(axes) == list(range(a.ndim)), f"transpose to the order {axes}", a)
    return tuple(a.shape[i] for i in axes), a.dtype


def _broadcast(a: Any, shape: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(fits(a.shape, shape), f"broadcast_to {shape}", a)
    return shape, a.dtype


def fits(shape: tuple[int, ...], wider: tuple[int, ...]) -> bool:
    """Whether an array of the first shape can be broadcast to the other one."""
    lead = len(wider) - len(shape)
    return lead >= 0 and all([n in (1, m) for n, m in zip(shape, wider[lead:], strict=True)])


reshape_p = define(
    "reshape",
    lambda a, shape: np.reshape(a, shape),
    _reshaped,
    vjp=(lambda g, y, a, shape: reshape(g, a.shape),),
    jvp="multilinear",
)
transpose_p = define(
    "transpose",
    lambda a, axes: np.transpose(a, axes),
    _transposed,
    vjp=(lambda g, y, a, axes: transpose(g, tuple(int(i) for i in np.argsort(axes))),),
    jvp="multilinear",
)
broadcast_p = define(
    "broadcast_to",
    lambda a, shape: np.broadcast_to(a, shape),
    _broadcast,
    vjp=(lambda g, y, a, shape: sum_to(g, a.shape),),
    jvp="multilinear",
)


def _concatenated(*arrays: Any, axis: int) -> tuple[tuple[int, ...], np.dtype]:
    first = arrays[0].shape
    before, after = first[:axis], first[axis + 1 :]
    agree = [a.ndim == len(first) and a.shape[:axis] == before and a.shape[axis + 1 :] == after for a in arrays]
    require_shapes(axis < len(first) and all(agree), f"concatenate along axis {axis}", *arrays)
    return (*before, sum(a.shape[axis] for a in arrays), *after), np.result_type(*[a.dtype for a in arrays])


def _stacked(*arrays: Any) -> tuple[tuple[int, ...], np.dtype]:
    first = arrays[0].shape
    require_shapes(all([a.shape == first for a in arrays]), "stack", *arrays)
    return (len(arrays), *first), np.result_type(*[a.dtype for a in arrays])


def _flipped(a: Any, axes: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(all([i < a.ndim for i in axes]), f"flip of the axes {axes}", a)
    return a.shape, a.dtype


def _concatenate_vjp(g: Any, y: Any, *arrays: Any, axis: int) -> Any:
    ends = np.cumsum([0] + [a.shape[axis] for a in arrays]).tolist()
    before = (slice(None),) * axis
    return tuple(g[(*before, slice(i, j))] for i, j in itertools.pairwise(ends))


def _zeros_for_missing(tangents: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
    return [np.zeros(np.shape(a)) if t is None else t for t, a in zip(tangents, arrays, strict=True)]


concatenate_p = define(
    "concatenate",
    lambda *arrays, axis: np.concatenate(arrays, axis=axis),
    _concatenated,
    vjp=_concatenate_vjp,
    jvp=lambda tangents, y, *arrays, axis: concatenate(_zeros_for_missing(tangents, arrays), axis),
    variadic=True,
)
stack_p = define(
    "stack",
    lambda *arrays: np.stack(arrays),
    _stacked,
    vjp=lambda g, y, *arrays: tuple(g[i] for i in range(len(arrays))),
    jvp=lambda tangents, y, *arrays: stack_rows(_zeros_for_missing(tangents, arrays)),
    variadic=True,
)
flip_p: Primitive = define(
    "flip",
    lambda a, axes: np.flip(a, axes),
    _flipped,
    vjp=(lambda g, y, a, axes: _bind(flip_p, (g,), axes=axes),),
    jvp="multilinear",
)
