"""Products of SciPy's sparse arrays, which are data, with traced vectors and matrices: gathers and sums by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesad.ad.array import asarray, bind
from bayesad.ad.primitives.indexing import Index, scatter
from bayesad.errors import TracingError

__all__ = ["METHODS"]


def product(a: Any, x: Any) -> Any:
    """``a @ x``: for every entry (i, j) of a, its value times ``x[j]`` is added to row i."""
    x = asarray(x)
    if x.ndim not in (1, 2) or x.shape[0] != a.shape[1]:
        raise TracingError(f"a sparse array of shape {a.shape} cannot be multiplied by an array of shape {x.shape}")
    rows = a.tocsr()
    values = np.asarray(rows.data, dtype=np.float64)
    columns = np.asarray(rows.indices, dtype=np.int64)
    numbers = np.repeat(np.arange(a.shape[0]), np.diff(rows.indptr))
    terms = np.reshape(values, (-1,) + (1,) * (x.ndim - 1)) * x[columns]
    shape = (a.shape[0], *x.shape[1:])
    return bind(scatter, (terms, numbers), {"index": Index(("array",)), "shape": shape})


def reflected_product(a: Any, x: Any) -> Any:
    """``x @ a``."""
    return np.transpose(product(a.T, np.transpose(asarray(x))))


METHODS: dict[str, Callable[..., Any]] = {"__matmul__": product, "__rmatmul__": reflected_product, "dot": product}
