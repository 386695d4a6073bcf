"""Results whose size depends on values: positions that are not zero, distinct values.

The values that decide are taken as they are while tracing, under a guard: other ones make another path.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import asarray, guarded, implements
from bayesad.errors import TracingError

__all__: list[str] = []


@implements(np.nonzero)
def nonzero(a: Any) -> tuple[np.ndarray, ...]:
    return np.nonzero(guarded(asarray(a) != 0))


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> np.ndarray:
    return np.flatnonzero(guarded(np.ravel(asarray(a)) != 0))


@implements(np.argwhere)
def argwhere(a: Any) -> np.ndarray:
    return np.argwhere(guarded(asarray(a) != 0))


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    a = asarray(ar)
    if axis is not None:
        raise TracingError("np.unique of traced arrays takes no axis; use it on data only")
    flat = np.ravel(a)
    order = guarded(np.argsort(flat))
    ascending = flat[order]
    before, after = ascending[:-1], ascending[1:]
    differs = before != after
    if equal_nan:
        differs = differs & ((before == before) | (after == after))
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, a.size), dtype=bool), guarded(differs)]))
    found: list[Any] = [ascending[starts]]
    if return_index:
        found.append(np.minimum.reduceat(order, starts) if a.size else order)
    if return_inverse:
        number = np.searchsorted(starts, np.arange(a.size), side="right") - 1
        inverse = np.empty(a.size, dtype=np.int64)
        inverse[order] = number
        found.append(inverse.reshape(a.shape))
    if return_counts:
        found.append(np.diff(starts, append=a.size))
    return found[0] if len(found) == 1 else tuple(found)


@implements(np.unique_values)
def unique_values(x: Any) -> Any:
    return unique(x, equal_nan=False)


@implements(np.unique_counts)
def unique_counts(x: Any) -> Any:
    return _named(np.unique_counts, unique(x, return_counts=True, equal_nan=False))


@implements(np.unique_inverse)
def unique_inverse(x: Any) -> Any:
    return _named(np.unique_inverse, unique(x, return_inverse=True, equal_nan=False))


@implements(np.unique_all)
def unique_all(x: Any) -> Any:
    return _named(np.unique_all, unique(x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False))


def _named(function: Any, parts: tuple[Any, ...]) -> Any:
    """Parts in the named tuple that NumPy's function returns."""
    return type(function(np.zeros(1)))(*parts)
