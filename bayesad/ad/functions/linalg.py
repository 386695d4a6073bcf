"""Matrix products and linear algebra."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesad.ad.array import asarray, bind, implements
from bayesad.ad.primitives import linalg as p

__all__: list[str] = []


@implements(np.matmul)
def matmul(a: Any, b: Any, out: Any = None, **_: Any) -> Any:
    a, b = asarray(a), asarray(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError("matmul (@) does not take scalars; use * instead")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ValueError(f"matmul (@): shapes {a.shape} and {b.shape} do not match: {a.shape[-1]} columns, "
                         f"{b.shape[-2 if b.ndim > 1 else 0]} rows")
    return bind(p.matmul_p, (a, b))


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    a, b = asarray(a), asarray(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if b.ndim <= 2 and a.ndim <= 2:
        return matmul(a, b)
    return np.tensordot(a, b, axes=(-1, -2 if b.ndim > 1 else 0))
