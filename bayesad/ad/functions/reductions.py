"""Sums, means, extremes and scans over axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import asarray, bind, implements
from bayesad.ad.primitives import reductions as p
from bayesad.ad.primitives.reductions import keep_axes

__all__ = ["normalise_axes", "normalise_axis"]


def normalise_axis(axis: int, ndim: int) -> int:
    position = int(axis)
    if not -ndim <= position < ndim:
        raise np.exceptions.AxisError(position, ndim)
    return position % ndim


def normalise_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes as a sorted tuple of non-negative ints; None means all."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    return tuple(sorted(normalise_axis(i, ndim) for i in axes))


def _reduce(primitive: Any, a: Any, axis: Any, keepdims: Any) -> Any:
    a = asarray(a)
    axes = normalise_axes(axis, a.ndim)
    result = bind(primitive, (a,), {"axes": axes}) if axes else a
    if keepdims and keepdims is not np._NoValue:
        return keep_axes(result, a.shape, axes)
    return result


def _given(x: Any) -> bool:
    return x is not None and x is not np._NoValue


def _selected(a: Any, where: Any, neutral: float) -> Any:
    return np.where(where, a, neutral) if _given(where) and where is not True else a


@implements(np.sum)
def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    total = _reduce(p.sum_p, _selected(a, where, 0.0), axis, keepdims)
    return total + initial if _given(initial) else total


@implements(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    total = _reduce(p.prod_p, _selected(a, where, 1.0), axis, keepdims)
    return total * initial if _given(initial) else total


@implements(np.max, np.amax)
def max(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None, where: Any = True
) -> Any:
    if _given(initial) and np.size(a) == 0:
        return sum(a, axis, keepdims=keepdims) + initial
    top = _reduce(p.max_p, _selected(a, where, -np.inf), axis, keepdims)
    return np.maximum(top, initial) if _given(initial) else top


@implements(np.min, np.amin)
def min(
    a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None, where: Any = True
) -> Any:
    if _given(initial) and np.size(a) == 0:
        return sum(a, axis, keepdims=keepdims) + initial
    bottom = _reduce(p.min_p, _selected(a, where, np.inf), axis, keepdims)
    return np.minimum(bottom, initial) if _given(initial) else bottom


@implements(np.any)
def any(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    return _reduce(p.any_p, _selected(a, where, False), axis, keepdims)


@implements(np.all)
def all(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    return _reduce(p.all_p, _selected(a, where, True), axis, keepdims)


def _count(a: Any, axis: Any) -> int:
    shape = np.shape(a)
    return int(np.prod([shape[i] for i in normalise_axes(axis, len(shape))], dtype=np.int64))


@implements(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    if _given(where) and where is not True:
        n: Any = np.sum(np.broadcast_to(where, np.shape(a)), axis=axis, keepdims=keepdims is True)
    else:
        n = float(_count(a, axis))
    return sum(a, axis, keepdims=keepdims, where=where) / n


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, keepdims: Any = False) -> Any:
    if weights is None:
        total = mean(a, axis, keepdims=keepdims)
        weight: Any = float(_count(a, axis))
    else:
        weights = asarray(weights)
        if weights.ndim == 1 and np.ndim(a) > 1 and axis is not None:
            lead = np.ndim(a) - normalise_axis(axis, np.ndim(a)) - 1
            weights = np.reshape(weights, weights.shape + (1,) * lead)
        weight = sum(np.broadcast_to(weights, np.shape(a)), axis, keepdims=keepdims)
        total = sum(a * weights, axis, keepdims=keepdims) / weight
    return (total, weight) if returned else total


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    correction: Any = None,
    **_: Any,
) -> Any:
    deviation = asarray(a) - mean(a, axis, keepdims=True)
    lost = correction if _given(correction) else ddof
    return sum(np.square(deviation), axis, keepdims=keepdims) / float(_count(a, axis) - lost)


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    correction: Any = None,
    **_: Any,
) -> Any:
    return np.sqrt(var(a, axis, ddof=ddof, keepdims=keepdims, correction=correction))


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    a = np.ravel(a) if axis is None else a
    return bind(p.cumsum_p, (a,), {"axis": normalise_axis(0 if axis is None else axis, np.ndim(a))})


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    a = np.ravel(a) if axis is None else a
    return bind(p.cumprod_p, (a,), {"axis": normalise_axis(0 if axis is None else axis, np.ndim(a))})


def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """``scipy.special.logsumexp`` (without ``return_sign``)."""
    if return_sign:
        from bayesad.errors import TracingError

        raise TracingError(
            "logsumexp(…, return_sign=True) has no traced meaning; use np.log(np.abs(np.sum(b * np.exp(a))))"
        )
    a = asarray(a) if b is None else asarray(a) + np.log(b)
    return _reduce(p.logsumexp_p, a, axis, keepdims)


def _arg_extreme(primitive: Any, a: Any, axis: Any, keepdims: Any) -> Any:
    a = asarray(a)
    flat = np.ravel(a) if axis is None else a
    position = normalise_axis(0 if axis is None else axis, flat.ndim)
    result = bind(primitive, (flat,), {"axis": position})
    if keepdims and keepdims is not np._NoValue:
        shape = (1,) * a.ndim if axis is None else tuple(1 if i == position else n for i, n in enumerate(a.shape))
        return np.reshape(result, shape)
    return result


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    return _arg_extreme(p.argmax_p, a, axis, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    return _arg_extreme(p.argmin_p, a, axis, keepdims)
