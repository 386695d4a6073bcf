"""Functions along an axis in order: differences, integrals, scans, interpolation, polynomials, convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesad.ad.array import asarray, bind, implements
from bayesad.ad.functions.reductions import normalise_axes
from bayesad.ad.functions.selection import searchsorted, take
from bayesad.ad.primitives.reductions import convolve_p
from bayesad.errors import TracingError

__all__: list[str] = []


# --- differences and integrals
@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue) -> Any:
    a = np.moveaxis(asarray(a), axis, -1)
    parts = [
        np.broadcast_to(asarray(x), (*a.shape[:-1], 1)) if np.ndim(x) == 0 else np.moveaxis(asarray(x), axis, -1)
        for x in (prepend, append)
        if x is not np._NoValue
    ]
    if parts:
        before = parts[:1] if prepend is not np._NoValue else []
        a = np.concatenate([*before, a, *parts[len(before) :]], axis=-1)
    for _ in range(n):
        a = a[..., 1:] != a[..., :-1] if a.dtype == np.bool_ else a[..., 1:] - a[..., :-1]
    return np.moveaxis(a, -1, axis)


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    steps = diff(np.ravel(asarray(ary)))
    parts = [np.ravel(asarray(x)) for x in (to_begin, steps, to_end) if x is not None]
    return np.concatenate(parts) if len(parts) > 1 else steps


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Second-order differences inside, first-order ones at the ends (``edge_order=1``)."""
    if edge_order != 1:
        raise TracingError("np.gradient of traced arrays knows edge_order=1 only")
    f = asarray(f)
    axes = normalise_axes(axis, f.ndim) if axis is None or isinstance(axis, tuple) else (axis % f.ndim,)
    spacings = varargs if len(varargs) == len(axes) else (varargs or (1.0,)) * len(axes)
    results = [_slope(f, spacing, i) for i, spacing in zip(axes, spacings, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


def _slope(f: Any, spacing: Any, axis: int) -> Any:
    f = np.moveaxis(f, axis, -1)
    if f.shape[-1] < 2:
        raise ValueError("np.gradient needs at least two elements along each axis")
    steps = diff(f)
    spacing = asarray(spacing)
    h = diff(spacing) if spacing.ndim else np.broadcast_to(spacing, steps.shape[-1:])
    quotients = steps / h
    before, after = h[:-1], h[1:]
    inner = (after * quotients[..., :-1] + before * quotients[..., 1:]) / (before + after)
    return np.moveaxis(np.concatenate([quotients[..., :1], inner, quotients[..., -1:]], axis=-1), -1, axis)


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = np.moveaxis(asarray(y), axis, -1)
    if x is not None:
        x = asarray(x)
        dx = diff(np.moveaxis(x, axis, -1) if x.ndim == y.ndim else x)
    return np.sum(dx * (y[..., 1:] + y[..., :-1]), axis=-1) / 2.0


@implements(np.cumulative_sum) if hasattr(np, "cumulative_sum") else (lambda f: f)  # NumPy 2.1
def cumulative_sum(x: Any, /, *, axis: Any = None, include_initial: bool = False, **_: Any) -> Any:
    return _with_initial(np.cumsum(x, axis=axis), axis, 0.0, include_initial)


@implements(np.cumulative_prod) if hasattr(np, "cumulative_prod") else (lambda f: f)
def cumulative_prod(x: Any, /, *, axis: Any = None, include_initial: bool = False, **_: Any) -> Any:
    return _with_initial(np.cumprod(x, axis=axis), axis, 1.0, include_initial)


def _with_initial(scan: Any, axis: Any, initial: float, include: bool) -> Any:
    if not include:
        return scan
    position = 0 if axis is None else axis % scan.ndim
    first = np.full([1 if i == position else n for i, n in enumerate(scan.shape)], initial)
    return np.concatenate([first, scan], axis=position)


def running_extreme(choose: Any, a: Any, axis: int = 0) -> Any:
    """``np.maximum.accumulate`` and ``np.minimum.accumulate``, in a logarithmic number of steps."""
    a = np.moveaxis(asarray(a), axis, -1)
    step = 1
    while step < a.shape[-1]:
        a = np.concatenate([a[..., :step], choose(a[..., step:], a[..., :-step])], axis=-1)
        step *= 2
    return np.moveaxis(a, -1, axis)


# --- interpolation and polynomials
@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    if period is not None:
        raise TracingError("np.interp of traced arrays has no period; wrap x by x % period and repeat the end knots")
    x, xp, fp = asarray(x), asarray(xp), asarray(fp)
    n = xp.shape[0]
    if n == 1:
        inside = np.broadcast_to(fp[0], x.shape)
    else:
        i = np.clip(searchsorted(xp, x, "right") - 1, 0, n - 2)
        x0, y0 = take(xp, i), take(fp, i)
        inside = y0 + (x - x0) * ((take(fp, i + 1) - y0) / (take(xp, i + 1) - x0))
    below, above = fp[0] if left is None else left, fp[-1] if right is None else right
    return np.where(x < xp[0], below, np.where(x > xp[-1], above, inside))


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    p, x = asarray(p), asarray(x)
    result: Any = np.zeros(x.shape)
    for i in range(p.shape[0]):
        result = p[i] if i == 0 else result * x + p[i]
    return np.broadcast_to(result, x.shape)


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    return convolve(a1, a2)


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    n = max(np.shape(a1)[0], np.shape(a2)[0])
    a, b = (np.concatenate([np.zeros(n - np.shape(x)[0]), asarray(x)]) for x in (a1, a2))
    return a + b


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    p = asarray(p)
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


# --- convolution
@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    a, v = np.ravel(asarray(a)), np.ravel(asarray(v))
    if v.shape[0] > a.shape[0]:
        a, v = v, a
    if v.shape[0] == 0:
        raise ValueError("np.convolve: an array is empty")
    full, n, m = bind(convolve_p, (a, v)), a.shape[0], v.shape[0]
    if mode == "full":
        return full
    start = (m - 1) // 2 if mode == "same" else m - 1
    return full[start : start + (n if mode == "same" else n - m + 1)]


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    a, v = asarray(a), asarray(v)
    if v.shape[0] <= a.shape[0]:
        return convolve(a, v[::-1], mode)
    return convolve(v, a[::-1], mode)[::-1]  # NumPy swaps the arguments and turns the result round


# --- functions of slices
@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    moved = np.moveaxis(asarray(arr), axis, -1)
    lead = moved.shape[:-1]
    results = [asarray(func1d(moved[i], *args, **kwargs)) for i in np.ndindex(lead)]
    made = np.reshape(np.stack(results), (*lead, *results[0].shape))
    position = axis % np.ndim(arr)
    count = results[0].ndim
    ends = tuple(range(len(lead), len(lead) + count))
    return np.moveaxis(made, ends, tuple(range(position, position + count)))


@implements(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    a = asarray(a)
    for axis in axes if isinstance(axes, Sequence) else (axes,):
        reduced = func(a, axis % a.ndim)
        a = reduced if np.ndim(reduced) == a.ndim else np.expand_dims(reduced, axis % a.ndim)
    return a
