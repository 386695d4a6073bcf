"""Reductions, scans, convolution and order: sum, prod, max, min, logsumexp, cumsum, convolve, argmax, argsort, ….

``axes`` is a sorted tuple of non-negative axes; the reduced axes disappear. Where several elements tie for a maximum or
minimum, they share its cotangent equally.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.primitives.shaping import reshape
from bayesad.ad.primitives.table import (
    Primitive,
    boolean_type,
    define,
    integer_type,
    promoted_type,
    require_shapes,
)

__all__ = [
    "all_p",
    "any_p",
    "argmax_p",
    "argmin_p",
    "argsort_p",
    "convolve_p",
    "cumprod_p",
    "cumsum_p",
    "max_p",
    "min_p",
    "prod_p",
    "searchsorted_p",
]


LARGEST = float(np.finfo(np.float64).max)


def _bind(primitive: Any, *args: Any, **attributes: Any) -> Any:
    from bayesad.ad.array import bind

    return bind(primitive, args, attributes)


def _reduced(result: Any) -> Any:
    def infer(a: Any, axes: tuple[int, ...]) -> tuple[tuple[int, ...], np.dtype]:
        require_shapes(all([i < a.ndim for i in axes]), f"a reduction of the axes {axes}", a)
        return tuple([n for i, n in enumerate(a.shape) if i not in axes]), result(a.dtype)

    return infer


def keep_axes(r: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """A reduced array with its axes put back, of length 1."""
    return reshape(r, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _total_type(dtype: np.dtype) -> np.dtype:
    return dtype if dtype.kind == "f" else integer_type(dtype)


def _share_of_extreme(g: Any, y: Any, a: Any, axes: tuple[int, ...]) -> Any:
    chosen = np.where(a == keep_axes(y, a.shape, axes), 1.0, 0.0)
    count = keep_axes(_bind(sum_p, chosen, axes=axes), a.shape, axes)
    return chosen * keep_axes(g, a.shape, axes) / count


def _tangent_of_extreme(t: Any, y: Any, a: Any, axes: tuple[int, ...]) -> Any:
    chosen = np.where(a == keep_axes(y, a.shape, axes), 1.0, 0.0)
    return _bind(sum_p, chosen * t, axes=axes) / _bind(sum_p, chosen, axes=axes)


def _others(a: Any, axes: tuple[int, ...]) -> Any:
    """For every element the product of the others along the reduced axes: exact when some are zero."""
    if a.size == 0:
        return np.zeros(a.shape)
    order = [i for i in range(a.ndim) if i not in axes] + list(axes)
    moved = np.transpose(a, order)
    kept = moved.shape[: a.ndim - len(axes)]
    flat = np.reshape(moved, (*kept, -1))
    one = np.ones((*kept, 1))
    before = np.concatenate([one, np.cumprod(flat[..., :-1], axis=-1)], axis=-1)
    after = np.concatenate([np.cumprod(flat[..., :0:-1], axis=-1)[..., ::-1], one], axis=-1)
    return np.transpose(np.reshape(before * after, moved.shape), np.argsort(order).tolist())


def _logsumexp(a: Any, axes: tuple[int, ...]) -> Any:
    a = np.asarray(a, dtype=np.float64)
    peak = np.minimum(a.max(axis=axes, keepdims=True, initial=-LARGEST), LARGEST)  # finite
    total = np.exp(a - peak).sum(axis=axes, keepdims=True)
    return (np.log(total) + peak).squeeze(axes)[()]


def _softmax_of(y: Any, a: Any, axes: tuple[int, ...]) -> Any:
    # -LARGEST keeps (-inf) - (-inf) from being NaN: such terms have weight 0
    return np.exp(a - keep_axes(np.maximum(y, -LARGEST), a.shape, axes))


sum_p = define(
    "sum",
    lambda a, axes: np.add.reduce(a, axis=axes),
    _reduced(_total_type),
    vjp=(lambda g, y, a, axes: keep_axes(g, a.shape, axes) if y.ndim else g,),
    jvp="multilinear",
)
prod_p = define(
    "prod",
    lambda a, axes: np.prod(a, axis=axes),
    _reduced(_total_type),
    vjp=(lambda g, y, a, axes: keep_axes(g, a.shape, axes) * _others(a, axes),),
    jvp=(lambda t, y, a, axes: _bind(sum_p, t * _others(a, axes), axes=axes),),
)
max_p = define(
    "max",
    lambda a, axes: np.max(a, axis=axes),
    _reduced(promoted_type),
    vjp=(_share_of_extreme,),
    jvp=(_tangent_of_extreme,),
)
min_p = define(
    "min",
    lambda a, axes: np.min(a, axis=axes),
    _reduced(promoted_type),
    vjp=(_share_of_extreme,),
    jvp=(_tangent_of_extreme,),
)
logsumexp_p = define(
    "logsumexp",
    _logsumexp,
    _reduced(lambda dtype: np.dtype(np.float64)),
    vjp=(lambda g, y, a, axes: keep_axes(g, a.shape, axes) * _softmax_of(y, a, axes),),
    jvp=(lambda t, y, a, axes: _bind(sum_p, t * _softmax_of(y, a, axes), axes=axes),),
)
any_p = define("any", lambda a, axes: np.any(a, axis=axes), _reduced(boolean_type), vjp=(None,), jvp=(None,))
all_p = define("all", lambda a, axes: np.all(a, axis=axes), _reduced(boolean_type), vjp=(None,), jvp=(None,))


def _same(a: Any, axis: int) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(axis < a.ndim, f"a scan along axis {axis}", a)
    return a.shape, _total_type(a.dtype)


def _sorted(a: Any, axis: int) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(axis < a.ndim, f"argsort along axis {axis}", a)
    return a.shape, np.dtype(np.int64)


def _searched(a: Any, v: Any, side: str) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(a.ndim == 1, "searchsorted", a, v)
    return v.shape, np.dtype(np.int64)


def _convolved(a: Any, v: Any) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(a.ndim == v.ndim == 1 and a.shape != (0,) != v.shape, "convolve", a, v)
    return (a.shape[0] + v.shape[0] - 1,), promoted_type(a.dtype, v.dtype)


def _without_axis(a: Any, axis: int) -> tuple[tuple[int, ...], np.dtype]:
    require_shapes(axis < a.ndim, f"a search along axis {axis}", a)
    return a.shape[:axis] + a.shape[axis + 1 :], np.dtype(np.int64)


def _reverse_cumsum(g: Any, axis: int) -> Any:
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


def _cumprod_matrix(a: Any, axis: int) -> Any:
    """d cumprod[i] / d a[j] along the last axis (axis moved there): the product of a[0..i] without a[j], for j <= i."""
    moved = np.moveaxis(a, axis, -1)
    n = moved.shape[-1]
    lower = np.tri(n, dtype=bool)
    kept = lower[:, None, :] & ~np.eye(n, dtype=bool)[None, :, :]  # [i, j, k]: a[k] takes part
    factors = np.where(kept, moved[..., None, None, :], 1.0)
    return np.prod(factors, axis=-1) * lower


cumsum_p = define(
    "cumsum",
    lambda a, axis: np.cumsum(a, axis=axis),
    _same,
    vjp=(lambda g, y, a, axis: _reverse_cumsum(g, axis),),
    jvp="multilinear",
)
cumprod_p = define(
    "cumprod",
    lambda a, axis: np.cumprod(a, axis=axis),
    _same,
    vjp=(
        lambda g, y, a, axis: np.moveaxis(
            np.squeeze(np.moveaxis(g, axis, -1)[..., None, :] @ _cumprod_matrix(a, axis), -2), -1, axis
        ),
    ),
    jvp=(
        lambda t, y, a, axis: np.moveaxis(
            np.squeeze(_cumprod_matrix(a, axis) @ np.moveaxis(t, axis, -1)[..., :, None], -1), -1, axis
        ),
    ),
)
argmax_p = define("argmax", lambda a, axis: np.argmax(a, axis=axis), _without_axis, vjp=(None,), jvp=(None,))
argmin_p = define("argmin", lambda a, axis: np.argmin(a, axis=axis), _without_axis, vjp=(None,), jvp=(None,))
argsort_p = define(
    "argsort",
    lambda a, axis: np.argsort(a, axis=axis, kind="stable"),
    _sorted,
    vjp=(None,),
    jvp=(None,),
)
searchsorted_p = define(
    "searchsorted",
    lambda a, v, side: np.searchsorted(a, v, side=side),
    _searched,
    vjp=(None, None),
    jvp=(None, None),
)
convolve_p: Primitive = define(
    "convolve",
    np.convolve,
    _convolved,
    vjp=(
        lambda g, y, a, v: _bind(convolve_p, g, v[::-1])[v.shape[0] - 1 : v.shape[0] - 1 + a.shape[0]],
        lambda g, y, a, v: _bind(convolve_p, g, a[::-1])[a.shape[0] - 1 : a.shape[0] - 1 + v.shape[0]],
    ),
    jvp="multilinear",
)
