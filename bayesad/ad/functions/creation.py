"""Arrays made like a traced one: zeros_like and its kin, linspace; facts about them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import TracedArray, asarray, buffer, implements

__all__: list[str] = []


def _filled(a: Any, value: Any, dtype: Any, shape: Any) -> Any:
    made = buffer(np.full(np.shape(a) if shape is None else shape, 0.0, dtype=a.dtype if dtype is None else dtype))
    made[...] = value
    return made


@implements(np.zeros_like)
def zeros_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any) -> Any:
    return _filled(a, 0, dtype, shape)


@implements(np.ones_like)
def ones_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any) -> Any:
    return _filled(a, 1, dtype, shape)


@implements(np.empty_like)
def empty_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any) -> Any:
    return _filled(a, 0, dtype, shape)


@implements(np.full_like)
def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any
) -> Any:
    return _filled(a, fill_value, dtype, shape)


# --- sequences between traced ends
@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    **_: Any,
) -> Any:
    start, stop = asarray(start), asarray(stop)
    count = max(num - 1 if endpoint else num, 1)
    step = (stop - start) / float(count)
    fractions = np.reshape(np.arange(num) / count, (num,) + (1,) * np.ndim(step))
    points = np.moveaxis(start + (stop - start) * fractions, 0, axis)
    return (points, step) if retstep else points


@implements(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    return np.power(base, linspace(start, stop, num, endpoint, axis=axis))


@implements(np.geomspace)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Ends of the same sign."""
    sign = np.sign(start)
    return sign * np.exp(linspace(np.log(sign * start), np.log(sign * stop), num, endpoint, axis=axis))


# --- facts about types and memory
@implements(np.astype) if hasattr(np, "astype") else (lambda f: f)  # NumPy 2.1
def astype(x: Any, dtype: Any, /, *, copy: bool = True, **_: Any) -> Any:
    return x.astype(dtype, copy=copy)


def _of_shape(function: Any) -> None:
    """A function that looks at the shape of its argument alone."""
    implements(function)(lambda a, *args, **kwargs: function(np.broadcast_to(0.0, np.shape(a)), *args, **kwargs))


for _function in (np.tril_indices_from, np.triu_indices_from, np.diag_indices_from):
    _of_shape(_function)


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    return np.result_type(*[a.dtype if isinstance(a, TracedArray) else a for a in arrays_and_dtypes])


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    return np.can_cast(from_.dtype if isinstance(from_, TracedArray) else from_, to, casting)


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    return np.float64


@implements(np.array_repr, np.array_str, np.array2string)
def array_repr(a: Any, *args: Any, **kwargs: Any) -> str:
    return repr(a)


@implements(np.shares_memory, np.may_share_memory)
def shares_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    """Whether one is a view of the other, or both of a third."""
    return _owner(a) is _owner(b)


def _owner(a: Any) -> Any:
    while isinstance(a, TracedArray) and a._base is not None:
        a = a._base
    return a
