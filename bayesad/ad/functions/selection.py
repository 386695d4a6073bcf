"""Choosing elements: sorting, order statistics, gathering, masks, comparisons with a tolerance."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import asarray, bind, implements, is_traced, value_of
from bayesad.ad.functions.reductions import normalise_axis
from bayesad.ad.primitives import elementwise as ew
from bayesad.ad.primitives import reductions as p
from bayesad.errors import TracingError

__all__ = ["along_axis_index", "searchsorted", "sort", "take"]


# --- bounds and rounding
@implements(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None, **_: Any) -> Any:
    """At a bound the derivative is one half, as for every tie of np.maximum."""
    lower, upper = (x if x is not None and x is not np._NoValue else y for x, y in ((a_min, min), (a_max, max)))
    if lower is not None:
        a = np.maximum(a, lower)
    return a if upper is None else np.minimum(a, upper)


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0) -> Any:
    """To a number of decimals; the derivative is 0."""
    a = asarray(a)
    if a.dtype.kind != "f":
        return a
    if decimals == 0:
        return np.rint(a)
    scale = 10.0 ** abs(int(decimals))
    return np.rint(a * scale) / scale if decimals > 0 else np.rint(a / scale) * scale


if not isinstance(np.fix, np.ufunc):

    @implements(np.fix)
    def fix(x: Any) -> Any:
        return np.trunc(x)


# --- order
@implements(np.argsort)
def argsort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    a = asarray(a)
    a, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    return bind(p.argsort_p, (a,), {"axis": normalise_axis(axis, a.ndim)})


@implements(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    a = asarray(a)
    a, axis = (np.ravel(a), 0) if axis is None else (a, axis)
    return take_along_axis(a, argsort(a, axis), axis)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: Any = -1, kind: Any = None, order: Any = None) -> Any:
    """Sorted wholly, which is a valid partition."""
    return sort(a, axis)


@implements(np.argpartition)
def argpartition(a: Any, kth: Any, axis: Any = -1, kind: Any = None, order: Any = None) -> Any:
    return argsort(a, axis)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    raise TracingError("np.sort_complex of a traced array has no meaning; use np.sort")


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    a = asarray(a)
    if sorter is not None:
        a = a[sorter]
    return bind(p.searchsorted_p, (a, asarray(v)), {"side": side})


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    bins = asarray(bins)
    side = "left" if right else "right"
    if is_traced(bins):
        raise TracingError(
            "np.digitize needs bins that are data; use np.searchsorted for edges that depend on unknowns"
        )
    if bins.size > 1 and value_of(bins)[0] > value_of(bins)[-1]:
        opposite = "right" if right else "left"
        return bins.shape[0] - searchsorted(bins[::-1], x, opposite)
    return searchsorted(bins, x, side)


# --- gathering
@implements(np.take)
def take(a: Any, indices: Any, axis: Any = None, mode: str = "raise") -> Any:
    a, indices = asarray(a), asarray(indices)
    a, position = (np.ravel(a), 0) if axis is None else (a, normalise_axis(axis, a.ndim))
    if mode == "clip":
        indices = np.clip(indices, 0, a.shape[position] - 1)
    elif mode == "wrap":
        indices = indices % a.shape[position]
    return _gather(a, (*(slice(None),) * position, value_of(indices)))


def _gather(a: Any, index: Any) -> Any:
    """``a[index]`` where a plain array may meet a traced index."""
    from bayesad.ad.primitives.indexing import getitem

    return getitem(a, index) if isinstance(a, np.ndarray) else a[index]


def along_axis_index(shape: tuple[int, ...], indices: Any, axis: int) -> tuple[Any, ...]:
    """The full index that ``take_along_axis`` stands for."""
    ndim = len(shape)
    spread = [np.reshape(np.arange(n), [-1 if i == j else 1 for j in range(ndim)]) for i, n in enumerate(shape)]
    return tuple(indices if i == axis else spread[i] for i in range(ndim))


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    arr, indices = asarray(arr), value_of(asarray(indices))
    if axis is None:
        arr, axis = np.ravel(arr), 0
    position = normalise_axis(axis, arr.ndim)
    shape = tuple(n if i == position or indices.shape[i] == 1 else indices.shape[i] for i, n in enumerate(arr.shape))
    return _gather(arr, along_axis_index(shape, indices, position))


@implements(np.compress)
def compress(condition: Any, a: Any, axis: Any = None) -> Any:
    return take(a, np.flatnonzero(condition), axis)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    return np.ravel(asarray(arr))[np.flatnonzero(condition)]


# --- choosing between arrays
@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError(f"np.select: {len(condlist)} conditions but {len(choicelist)} choices")
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = np.where(condition, choice, result)
    return result


@implements(np.choose)
def choose(a: Any, choices: Any, mode: str = "raise") -> Any:
    a, n = asarray(a), len(choices)
    a = np.clip(a, 0, n - 1) if mode == "clip" else a % n if mode == "wrap" else a
    result = choices[n - 1]
    for i in range(n - 2, -1, -1):
        result = np.where(a == i, choices[i], result)
    return np.broadcast_to(result, np.broadcast_shapes(a.shape, np.shape(result)))


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """The functions are called on the whole array, so they must be elementwise."""
    x = asarray(x)
    conditions = list(condlist) if isinstance(condlist, (list, tuple)) or condlist.ndim > x.ndim else [condlist]
    result: Any = 0.0
    values = [f(x, *args, **kw) if callable(f) else f for f in funclist]
    if len(values) == len(conditions) + 1:
        result = values.pop()
    for condition, value in zip(conditions, values, strict=True):  # the last condition that holds counts
        result = np.where(condition, value, result)
    return result


# --- tests
@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    near = np.less_equal(np.abs(np.subtract(a, b)), atol + rtol * np.abs(b))
    answer = (near & np.isfinite(b)) | np.equal(a, b)
    return answer | (np.isnan(a) & np.isnan(b)) if equal_nan else answer


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    return np.all(isclose(a, b, rtol, atol, equal_nan))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    a, b = asarray(a1), asarray(a2)
    if a.shape != b.shape:
        return False
    same = np.equal(a, b)
    return np.all(same | (np.isnan(a) & np.isnan(b)) if equal_nan else same)


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    try:
        np.broadcast_shapes(np.shape(a1), np.shape(a2))
    except ValueError:
        return False
    return np.all(np.equal(a1, a2))


@implements(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: Any = None
) -> Any:
    found = np.any(np.equal(asarray(element)[..., None], np.ravel(asarray(test_elements))), axis=-1)
    return ~found if invert else found


@implements(np.isposinf)
def isposinf(x: Any) -> Any:
    return np.equal(x, np.inf)


@implements(np.isneginf)
def isneginf(x: Any) -> Any:
    return np.equal(x, -np.inf)


# --- traced arrays are real
@implements(np.real, np.real_if_close)
def real(val: Any, **_: Any) -> Any:
    return asarray(val)


@implements(np.imag)
def imag(val: Any) -> Any:
    return np.zeros(np.shape(val))


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    return np.where(asarray(z) < 0, 180.0 if deg else np.pi, 0.0)


@implements(np.isreal)
def isreal(x: Any) -> Any:
    return np.ones(np.shape(x), dtype=bool)


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    return np.zeros(np.shape(x), dtype=bool)


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    return False


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    return True


# --- cleaning
@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    limits = np.finfo(np.float64)
    x = asarray(x)
    result = np.where(np.isnan(x), nan, x)
    result = np.where(x == np.inf, limits.max if posinf is None else posinf, result)
    result = np.where(x == -np.inf, limits.min if neginf is None else neginf, result)
    if not copy:
        x[...] = result
    return result


@implements(np.sinc)
def sinc(x: Any) -> Any:
    y = np.pi * asarray(x)
    zero = y == 0
    safe = np.where(zero, 1.0, y)
    return np.where(zero, 1.0 - np.square(y) / 6.0, np.sin(safe) / safe)


def _divmod(a: Any, b: Any) -> tuple[Any, Any]:
    return np.floor_divide(a, b), np.remainder(a, b)


implements(np.divmod)(_divmod)
implements(np.modf)(lambda x: (x - np.trunc(x), np.trunc(x)))
implements(np.conjugate)(lambda x: bind(ew.positive, (x,)))
