"""Arrays made like a traced one: zeros_like and its kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import buffer, implements

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
def full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any) -> Any:
    return _filled(a, fill_value, dtype, shape)
