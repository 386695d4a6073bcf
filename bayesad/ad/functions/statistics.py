"""Order statistics, moments between variables, and reductions that leave out NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import asarray, bind, implements
from bayesad.ad.functions import reductions as r
from bayesad.ad.functions.selection import sort as sorted_along
from bayesad.ad.functions.selection import take
from bayesad.ad.primitives import elementwise as ew
from bayesad.errors import TracingError

__all__: list[str] = []


# --- order statistics: of the sorted elements, linearly between them
def _between(position: Any, method: str) -> Any:
    """The fractional position between two sorted elements that a method of np.quantile chooses."""
    lower = np.floor(position)
    match method:
        case "linear":
            return position
        case "lower":
            return lower
        case "higher":
            return np.ceil(position)
        case "midpoint":
            return 0.5 * (lower + np.ceil(position))
        case "nearest":
            return np.rint(position)
    raise TracingError(
        f"np.quantile of traced arrays knows the methods linear, lower, higher, midpoint, nearest; not {method!r}"
    )


def _quantile(a: Any, q: Any, axis: Any, keepdims: bool, method: str = "linear") -> Any:
    shape = np.shape(a)
    axes = r.normalise_axes(axis, len(shape))
    kept = [i for i in range(len(shape)) if i not in axes]
    flat = np.reshape(np.transpose(a, [*kept, *axes]), (*[shape[i] for i in kept], -1))
    ordered = sorted_along(flat, -1)
    n = ordered.shape[-1]
    q = asarray(q)
    position = _between(q * float(n - 1), method)
    lower, upper = np.floor(position).astype(np.int64), np.ceil(position).astype(np.int64)
    below, above = take(ordered, lower, -1), take(ordered, upper, -1)
    result = below + (above - below) * (position - lower)
    largest = np.reshape(ordered[..., -1], ordered.shape[:-1] + (1,) * q.ndim)  # NaN is sorted to the end
    result = np.where(np.isnan(largest), np.nan, result)
    result = np.moveaxis(result, range(len(kept), len(kept) + q.ndim), range(q.ndim))
    return np.expand_dims(result, tuple(i + q.ndim for i in axes)) if keepdims is True else result


@implements(np.quantile)
def quantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = False,
    **_: Any,
) -> Any:
    return _quantile(asarray(a), q, axis, keepdims, method)


@implements(np.percentile)
def percentile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = False,
    **_: Any,
) -> Any:
    return _quantile(asarray(a), asarray(q) / 100.0, axis, keepdims, method)


@implements(np.median)
def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
    return _quantile(asarray(a), 0.5, axis, keepdims)


# NaN is sorted to the end and how many there are is traced, so which elements lie in the middle is too.
@implements(np.nanquantile)
def nanquantile(
    a: Any,
    q: Any,
    axis: Any = None,
    out: Any = None,
    overwrite_input: bool = False,
    method: str = "linear",
    keepdims: Any = False,
    **_: Any,
) -> Any:
    """Along one axis or all, for one ``q``."""
    a, q = asarray(a), asarray(q)
    if q.ndim or isinstance(axis, tuple):
        raise TracingError("np.nanquantile of traced arrays takes one q and one axis at a time")
    flat = np.ravel(a) if axis is None else np.moveaxis(a, axis, -1)
    ordered = sorted_along(flat, -1)
    count = np.sum(~np.isnan(flat), axis=-1, keepdims=True)
    position = _between(q * np.maximum(count - 1.0, 0.0), method)
    lower, upper = np.floor(position).astype(np.int64), np.ceil(position).astype(np.int64)
    below, above = np.take_along_axis(ordered, lower, -1), np.take_along_axis(ordered, upper, -1)
    result = (below + (above - below) * (position - lower))[..., 0]
    if keepdims is not True:
        return result
    return np.reshape(result, (1,) * a.ndim) if axis is None else np.expand_dims(result, axis)


@implements(np.nanpercentile)
def nanpercentile(a: Any, q: Any, axis: Any = None, **options: Any) -> Any:
    return nanquantile(a, asarray(q) / 100.0, axis, **options)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
    return nanquantile(a, 0.5, axis, keepdims=keepdims)


# --- moments between variables
@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    **_: Any,
) -> Any:
    if fweights is not None or aweights is not None:
        raise TracingError("np.cov of traced arrays takes no weights; write (w * d) @ d.T of the deviations d")
    rows = _variables(m, rowvar)
    if y is not None:
        rows = np.concatenate([rows, _variables(y, rowvar)], axis=0)
    lost = ddof if ddof is not None else 0 if bias else 1
    deviation = rows - np.mean(rows, axis=1, keepdims=True)
    return np.squeeze(deviation @ deviation.T / float(rows.shape[1] - lost))


def _variables(m: Any, rowvar: bool) -> Any:
    m = np.atleast_2d(asarray(m))
    return m.T if not rowvar and m.shape[0] != 1 else m


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, **_: Any) -> Any:
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    scale = np.sqrt(np.diagonal(c))
    return c / scale[:, None] / scale[None, :]


# --- counts and reductions without NaN
@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.sum(asarray(a) != 0, axis=axis, keepdims=keepdims)


def _filled(a: Any, value: float) -> Any:
    a = asarray(a)
    return bind(ew.where, (np.isnan(a), value, a))


def _present(a: Any, axis: Any, keepdims: Any) -> Any:
    return np.sum(~np.isnan(asarray(a)), axis=axis, keepdims=keepdims is True)


def _without_nan(reduction: Callable[..., Any], neutral: float) -> Callable[..., Any]:
    def reduce(
        a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any
    ) -> Any:
        return reduction(_filled(a, neutral), axis=axis, keepdims=keepdims, **options)

    return reduce


nansum = implements(np.nansum)(_without_nan(r.sum, 0.0))
nanprod = implements(np.nanprod)(_without_nan(r.prod, 1.0))


def _extreme_without_nan(reduction: Callable[..., Any], neutral: float) -> Callable[..., Any]:
    def reduce(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, **options: Any) -> Any:
        found = reduction(_filled(a, neutral), axis=axis, keepdims=keepdims, **options)
        return np.where(_present(a, axis, keepdims) == 0, np.nan, found)

    return reduce


nanmax = implements(np.nanmax)(_extreme_without_nan(r.max, -np.inf))
nanmin = implements(np.nanmin)(_extreme_without_nan(r.min, np.inf))


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    return np.argmax(_filled(a, -np.inf), axis=axis, keepdims=keepdims)


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
    return np.argmin(_filled(a, np.inf), axis=axis, keepdims=keepdims)


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return np.cumsum(_filled(a, 0.0), axis=axis)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return np.cumprod(_filled(a, 1.0), axis=axis)


@implements(np.nanmean)
def nanmean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **_: Any) -> Any:
    return nansum(a, axis=axis, keepdims=keepdims) / _present(a, axis, keepdims)


@implements(np.nanvar)
def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False, **_: Any
) -> Any:
    deviation = asarray(a) - nanmean(a, axis, keepdims=True)
    return nansum(np.square(deviation), axis=axis, keepdims=keepdims) / (_present(a, axis, keepdims) - ddof)


@implements(np.nanstd)
def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False, **_: Any
) -> Any:
    return np.sqrt(nanvar(a, axis, ddof=ddof, keepdims=keepdims))
